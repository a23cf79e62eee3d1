/*
 * The commands of a program, and the options of each, as one table.  From it come the choice of the
 * command, the reading of its command line, --help, and --list-commands, by which shells learn to
 * complete command lines.
 *
 *	static const struct program program = { "valise-relay", ..., .commands = commands };
 *	return program_main(&program, argc, argv);
 *
 * A command line is GNU's: options and operands in any order, and options before the command hold
 * for it, too.  What is wrong with one is told in one line on standard error, and the exit code is
 * EX_USAGE.
 *
 * --list-commands prints a row a line, its columns separated by tabs, "-" for what is empty:
 *
 *	program  NAME SUMMARY
 *	command  WORD OPERANDS HELP
 *	option   WORD NAME LETTER VALUE HELP
 *
 * WORD is "-" for a program that has no commands, and VALUE is "-" for a flag.
 */
#ifndef BASE_PROGRAM_H
#define BASE_PROGRAM_H

#include <stdbool.h>

struct program_option {
	const char *name; /* without its "--" */
	char letter;      /* 0: none */
	/* NULL: a flag.  FILE and DIR are what they say, words in lower case with "|" between them are
	 * the values that there are, and anything else is a word for people. */
	const char *value;
	const char *help;  /* one line */
	const char *needs; /* the name of another option that must be given with it; NULL: none */
	bool is_required;
	/* Its value is a file that is read, so that one that cannot be is told at once. */
	bool is_read;
};

/* A row without a letter that needs no other; a value that is a file need not be there. */
#define PROGRAM_OPTION(name, value, help) \
	{ \
		name, 0, value, help, NULL, false, false \
	}

struct program_command {
	const char *word;
	const char *operands; /* as --help names them; "": none */
	const char *help;
	const struct program_option *options; /* ends with {0} */
	/* arguments[0] is the word.  Returns the exit code. */
	int (*run)(const struct program_command *, int count, char **arguments);
};

struct program {
	const char *name, *summary;
	const char *manuals;                    /* "valise-relay(8) and valise-relay.yml(5)" */
	const struct program_command *commands; /* ends with {0} */
};

enum { PROGRAM_OPTIONS_MOST = 24 };

/* Runs the command, or answers --help, --version or --list-commands. */
int program_main(const struct program *, int count, char **arguments);
/* Fills values[i] for options[i], all NULL before: borrowed from the arguments, and "" for a flag.
 * `wanted` says how to ask for each operand, and ends with NULL; operands[i] is filled for wanted[i].  Both
 * may be NULL: it takes none.  0, or the exit code after a line on standard error: 64, or 66 where a file
 * cannot be read. */
int program_read(const struct program_command *, int count, char **arguments, const char **values,
    const char *const *wanted, const char **operands);
/* The value of the option of this name. */
const char *program_value(
    const struct program_command *, const char *const *values, const char *name);
/* Prints "PROGRAM: sentence; see PROGRAM --help" on standard error; EX_USAGE. */
__attribute__((format(printf, 1, 2))) int program_usage(const char *format, ...);

/* For a program that reads its command line itself: the rows of --list-commands. */
void program_list_program(const char *name, const char *summary);
void program_list_command(const char *word, const char *operands, const char *help);
void program_list_option(
    const char *word, const char *name, char letter, const char *value, const char *help);

#endif
