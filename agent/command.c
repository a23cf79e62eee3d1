/* Command lines against their tables, and failures told on standard error. */
#include "agent/command.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/fetch_proxy.h"

int
command_fail(const char *command, int code, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "valise-agent: %s: ", command);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputs(code == EX_USAGE ? " (see valise-agent(8))\n" : "\n", stderr);
	return code;
}

static int
take_words(const struct command_line *line, int count, char **arguments, const char **given)
{
	int wanted = 0;

	for (; line->words[wanted]; wanted++) {
		if (optind + wanted >= count)
			return command_fail(
			    line->command, EX_USAGE, "give %s", line->words[wanted]);
		given[wanted] = arguments[optind + wanted];
	}
	if (optind + wanted < count)
		return command_fail(
		    line->command, EX_USAGE, "one word too many: %s", arguments[optind + wanted]);
	return 0;
}

static int
scan(const struct command_line *line, int count, char **arguments, const char **values)
{
	struct option options[COMMAND_OPTIONS_MOST + 1] = { 0 };
	int got, config = -1;

	for (int i = 0; i < line->option_count; i++) {
		if (strcmp(line->options[i].name, "config") == 0)
			config = i;
		options[i] = (struct option){ line->options[i].name, required_argument, NULL, i };
	}
	optind = 0; /* glibc: from the start, whatever was read before */
	opterr = 0;
	while (
	    (got = getopt_long(count, arguments, config < 0 ? ":" : ":c:", options, NULL)) != -1) {
		got = got == 'c' ? config : got;
		if (got == ':')
			return command_fail(
			    line->command, EX_USAGE, "%s needs a value", arguments[optind - 1]);
		if (got == '?')
			return command_fail(line->command, EX_USAGE, "%s is not an option here",
			    arguments[optind - 1]);
		if (values[got])
			return command_fail(line->command, EX_USAGE, "--%s is given twice",
			    line->options[got].name);
		values[got] = optarg;
	}
	return 0;
}

static int
check_option(const struct command_line *line, int index, const char *const *values)
{
	const struct command_option *row = &line->options[index];
	const char *value = values[index];

	if (row->is_required && !value)
		return command_fail(line->command, EX_USAGE, "--%s is missing", row->name);
	if (value && !values[row->needs])
		return command_fail(line->command, EX_USAGE, "--%s needs --%s beside it", row->name,
		    line->options[row->needs].name);
	if (value && row->is_file && access(value, R_OK) < 0)
		return command_fail(
		    line->command, EX_NOINPUT, "--%s %s: %s", row->name, value, strerror(errno));
	return 0;
}

int
command_read(const struct command_line *line, int count, char **arguments, const char **values,
    const char **given)
{
	int code = scan(line, count, arguments, values);

	if (code == 0)
		code = take_words(line, count, arguments, given);
	for (int i = 0; code == 0 && i < line->option_count; i++)
		code = check_option(line, i, values);
	return code;
}

/* ---- settings ---- */

char *
command_copy(const char *text)
{
	char *made = text ? strdup(text) : NULL;

	if (text && !made)
		abort(); /* only start-up may do this */
	return made;
}

static size_t
count_parts(const char *text, const char *separators)
{
	size_t count = 1;

	for (; *text; text++)
		count += strchr(separators, *text) != NULL;
	return count;
}

void
command_list(struct conf_texts *out, const char *text, const char *separators)
{
	size_t count = text ? count_parts(text, separators) : 0;

	*out = (struct conf_texts){ 0 };
	if (count == 0)
		return;
	out->items = calloc(count, sizeof *out->items);
	out->marks = calloc(count, sizeof *out->marks);
	if (!out->items || !out->marks)
		abort();
	for (; out->count < count; out->count++) {
		size_t bytes = strcspn(text, separators);

		out->items[out->count] = strndup(text, bytes);
		if (!out->items[out->count])
			abort();
		text += bytes + 1;
	}
}

int
command_check_proxy(const char *command, const struct command_proxy *proxy)
{
	char error[256];

	if (proxy->url && !fetch_proxy_is_value("url", proxy->url, error))
		return command_fail(command, EX_USAGE, "--proxy %s %s", proxy->url, error);
	if (proxy->user && !proxy->url)
		return command_fail(command, EX_USAGE, "--proxy-user needs --proxy beside it");
	if (proxy->user && !fetch_proxy_is_value("username", proxy->user, error))
		return command_fail(command, EX_USAGE, "--proxy-user %s %s", proxy->user, error);
	return 0;
}

void
command_fill_proxy(struct fetch_proxy_settings *settings, const struct command_proxy *proxy)
{
	settings->url = command_copy(proxy->url);
	settings->username = command_copy(proxy->user);
	settings->password_file = command_copy(proxy->password_file);
}
