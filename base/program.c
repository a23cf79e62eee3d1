/* Command lines against the table of a program. */
#include "base/program.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum {
	SYNOPSIS_WIDTH = 79,
	HELP_COLUMN = 30,
	COMMON_FIRST = 1024,
	HELP = COMMON_FIRST,
	VERSION,
	LIST
};

static const struct program_option common[] = {
	{ "help", 'h', NULL, "this text; behind a command, its own", NULL, false, false },
	{ "version", 'V', NULL, "which version it is", NULL, false, false },
	PROGRAM_OPTION("list-commands", NULL, "commands and options as a table, for programs"),
	{ 0 },
};

int
program_usage(const char *format, ...)
{
	va_list more;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(more, format);
	vfprintf(stderr, format, more);
	va_end(more);
	fprintf(stderr, "; see %s --help\n", program_invocation_short_name);
	return EX_USAGE;
}

/* ---- --help ---- */

/* Returns the width. */
static int
print_brief(const struct program_option *option, FILE *out)
{
	return fprintf(out, option->is_required ? "--%s%s%s" : "[--%s%s%s]", option->name,
	    option->value ? " " : "", option->value ? option->value : "");
}

static int
brief_width(const struct program_option *option)
{
	return (int)strlen(option->name) + (option->value ? 1 + (int)strlen(option->value) : 0) +
	    (option->is_required ? 2 : 4);
}

static void
print_synopsis(const struct program_command *command)
{
	int column =
	    printf("%s%s%s", command->word, *command->operands ? " " : "", command->operands);

	for (const struct program_option *option = command->options; option->name; option++) {
		if (column + 1 + brief_width(option) > SYNOPSIS_WIDTH)
			column = printf("\n   ") - 1;
		column += printf(" ") + print_brief(option, stdout);
	}
	printf("\n    %s\n", command->help);
}

static void
print_option(const struct program_option *option)
{
	char left[80], letter[8] = "    ";
	int width;

	if (option->letter)
		snprintf(letter, sizeof letter, "-%c, ", option->letter);
	width = snprintf(left, sizeof left, "  %s--%s%s%s", letter, option->name,
	    option->value ? " " : "", option->value ? option->value : "");
	if (width >= HELP_COLUMN)
		printf("%s\n%*s%s\n", left, HELP_COLUMN, "", option->help);
	else
		printf("%-*s%s\n", HELP_COLUMN, left, option->help);
}

static void
print_options(const struct program_option *options)
{
	for (; options->name; options++)
		print_option(options);
}

static int
finish(void)
{
	return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

static int
help(const struct program *program)
{
	printf("usage: %s COMMAND [OPTION]...\n%s\n", program->name, program->summary);
	for (const struct program_command *command = program->commands; command->word; command++) {
		putchar('\n');
		print_synopsis(command);
	}
	putchar('\n');
	print_options(common);
	printf("\n`%s COMMAND --help` tells more of a command; see %s.\n", program->name,
	    program->manuals);
	return finish();
}

static int
help_of(const struct program *program, const struct program_command *command)
{
	printf("usage: %s ", program->name);
	print_synopsis(command);
	if (command->options->name)
		putchar('\n');
	print_options(command->options);
	printf("\nSee %s.\n", program->manuals);
	return finish();
}

/* ---- --list-commands ---- */

static const char *
or_dash(const char *text)
{
	return text && *text ? text : "-";
}

void
program_list_program(const char *name, const char *summary)
{
	printf("program\t%s\t%s\n", name, summary);
}

void
program_list_command(const char *word, const char *operands, const char *summary)
{
	printf("command\t%s\t%s\t%s\n", or_dash(word), or_dash(operands), or_dash(summary));
}

void
program_list_option(
    const char *word, const char *name, char letter, const char *value, const char *summary)
{
	const char text[2] = { letter, '\0' };

	printf("option\t%s\t%s\t%s\t%s\t%s\n", or_dash(word), name, or_dash(text), or_dash(value),
	    or_dash(summary));
}

static void
list_options(const char *word, const struct program_option *options)
{
	for (; options->name; options++)
		program_list_option(
		    word, options->name, options->letter, options->value, options->help);
}

static int
list(const struct program *program)
{
	program_list_program(program->name, program->summary);
	list_options("-", common);
	for (const struct program_command *command = program->commands; command->word; command++) {
		program_list_command(command->word, command->operands, command->help);
		list_options(command->word, command->options);
	}
	return finish();
}

/* ---- the choice of the command ---- */

static int
version(const struct program *program)
{
	printf("%s " VALISE_VERSION "\n", program->name);
	return finish();
}

/* Whether --help stands anywhere an option may. */
static bool
asks_for_help(int count, char **arguments)
{
	for (int i = 1; i < count && strcmp(arguments[i], "--") != 0; i++)
		if (strcmp(arguments[i], "--help") == 0 || strcmp(arguments[i], "-h") == 0)
			return true;
	return false;
}

static const struct program_command *
find_command(const struct program *program, const char *word)
{
	const struct program_command *command = program->commands;

	while (command->word && strcmp(command->word, word) != 0)
		command++;
	return command->word ? command : NULL;
}

static int
run(const struct program *program, int count, char **arguments)
{
	const struct program_command *command = find_command(program, arguments[0]);

	if (!command)
		return program_usage("no such command: %s", arguments[0]);
	return asks_for_help(count, arguments) ? help_of(program, command)
					       : command->run(command, count, arguments);
}

static int
name_commands(const struct program *program)
{
	fprintf(stderr, "%s: which command?", program->name);
	for (const struct program_command *command = program->commands; command->word; command++)
		fprintf(stderr, "%s %s", command == program->commands ? "" : ",", command->word);
	fprintf(stderr, "; see %s --help\n", program->name);
	return EX_USAGE;
}

static void
add_long_option(struct option *out, const struct program_option *option, int number)
{
	*out = (struct option){ option->name, option->value ? required_argument : no_argument, NULL,
		number };
}

/* What may stand before the command: the configuration, which most commands have, and what is common. */
static int
scan_front(int count, char **arguments)
{
	struct option options[] = { { "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, HELP }, { "version", no_argument, NULL, VERSION },
		{ "list-commands", no_argument, NULL, LIST }, { 0 } };
	int got;

	optind = 0; /* glibc: from the start */
	opterr = 0;
	do
		got = getopt_long(count, arguments, "+:c:hV", options, NULL);
	while (got == 'c');
	return got;
}

/* The word comes first, and what stood before it behind it. */
static void
put_word_first(char **arguments)
{
	char *word = arguments[optind];

	memmove(arguments + 2, arguments + 1, (size_t)(optind - 1) * sizeof *arguments);
	arguments[1] = word;
}

int
program_main(const struct program *program, int count, char **arguments)
{
	switch (scan_front(count, arguments)) {
	case 'h':
	case HELP:
		return help(program);
	case 'V':
	case VERSION:
		return version(program);
	case LIST:
		return list(program);
	case ':':
		return program_usage("a value is missing after %s", arguments[optind - 1]);
	case '?':
		return program_usage("no such option before a command: %s", arguments[optind - 1]);
	default:
		break;
	}
	if (optind >= count)
		return name_commands(program);
	put_word_first(arguments);
	return run(program, count - 1, arguments + 1);
}

/* ---- the command line of a command ---- */

static int
count_options(const struct program_command *command)
{
	int count = 0;

	while (command->options[count].name)
		count++;
	return count;
}

/* "c:" and so on; the letters stand for themselves. */
static void
fill_letters(const struct program_command *command, char letters[2 * PROGRAM_OPTIONS_MOST + 2])
{
	char *at = letters;

	*at++ = ':';
	for (const struct program_option *option = command->options; option->name; option++) {
		if (!option->letter)
			continue;
		*at++ = option->letter;
		if (option->value)
			*at++ = ':';
	}
	*at = '\0';
}

static int
index_of_letter(const struct program_command *command, int letter)
{
	int index = 0;

	while (command->options[index].letter != letter)
		index++;
	return index;
}

static int
scan(const struct program_command *command, int count, char **arguments, const char **values)
{
	struct option options[PROGRAM_OPTIONS_MOST + 1] = { 0 };
	char letters[2 * PROGRAM_OPTIONS_MOST + 2];
	int got, index, option_count = count_options(command);

	for (int i = 0; i < option_count; i++)
		add_long_option(&options[i], &command->options[i], COMMON_FIRST + i);
	fill_letters(command, letters);
	optind = 0;
	opterr = 0;
	while ((got = getopt_long(count, arguments, letters, options, NULL)) != -1) {
		if (got == ':')
			return program_usage("a value is missing after %s", arguments[optind - 1]);
		if (got == '?')
			return program_usage("no such option: %s", arguments[optind - 1]);
		index = got >= COMMON_FIRST ? got - COMMON_FIRST : index_of_letter(command, got);
		if (values[index])
			return program_usage("--%s is given twice", command->options[index].name);
		values[index] = command->options[index].value ? optarg : "";
	}
	return 0;
}

const char *
program_value(const struct program_command *command, const char *const *values, const char *name)
{
	for (int i = 0; command->options[i].name; i++)
		if (strcmp(command->options[i].name, name) == 0)
			return values[i];
	return NULL;
}

/* Whether it is one of the words of "a|b|c"; anything is one of what has no "|". */
static bool
is_choice(const char *choices, const char *value)
{
	size_t bytes = strlen(value);

	if (!strchr(choices, '|'))
		return true;
	for (const char *at = choices; *at;) {
		size_t length = strcspn(at, "|");

		if (length == bytes && strncmp(at, value, bytes) == 0)
			return true;
		at += length + (at[length] == '|');
	}
	return false;
}

static int
check_option(const struct program_command *command, int index, const char *const *values)
{
	const struct program_option *row = &command->options[index];
	const char *value = values[index];

	if (row->is_required && !value)
		return program_usage("%s: --%s is missing", command->word, row->name);
	if (value && row->needs && !program_value(command, values, row->needs))
		return program_usage(
		    "%s: --%s needs --%s beside it", command->word, row->name, row->needs);
	if (value && row->value && !is_choice(row->value, value))
		return program_usage("%s: --%s is one of %s, and not %s", command->word, row->name,
		    row->value, value);
	if (!value || !row->is_read || access(value, R_OK) == 0)
		return 0;
	fprintf(stderr, "%s: %s: --%s %s: %s\n", program_invocation_short_name, command->word,
	    row->name, value, strerror(errno));
	return EX_NOINPUT;
}

static int
take_operands(const struct program_command *command, int count, char **arguments,
    const char *const *wanted, const char **operands)
{
	int taken = 0;

	for (; wanted && wanted[taken]; taken++) {
		if (optind + taken >= count)
			return program_usage("%s: give %s", command->word, wanted[taken]);
		operands[taken] = arguments[optind + taken];
	}
	return optind + taken < count
	    ? program_usage("one word too many: %s", arguments[optind + taken])
	    : 0;
}

int
program_read(const struct program_command *command, int count, char **arguments,
    const char **values, const char *const *wanted, const char **operands)
{
	int code = scan(command, count, arguments, values);

	if (code == 0)
		code = take_operands(command, count, arguments, wanted, operands);
	for (int i = 0; code == 0 && command->options[i].name; i++)
		code = check_option(command, i, values);
	return code;
}
