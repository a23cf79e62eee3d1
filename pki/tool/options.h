/*
 * Command lines as tables: a command lists its options as rows, and reading,
 * --help and the refusals come from the rows.  Values are borrowed from argv.
 *
 * Every command has the common options besides (--ca, --json, --passphrase-file
 * and the like); its own struct begins with a struct common.
 */
#ifndef PKI_TOOL_OPTIONS_H
#define PKI_TOOL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TEXTS_MOST = 64 }; /* as many as a list of the grant may have */

struct texts {
	const char *at[TEXTS_MOST];
	size_t count;
};

struct common {
	const char *ca;
	const char *passphrase_file;
	int64_t passphrase_fd; /* + 1; 0: none */
	bool json;
};

enum option_kind {
	OPTION_END,
	OPTION_FLAG,   /* bool */
	OPTION_TEXT,   /* const char * */
	OPTION_TEXTS,  /* struct texts */
	OPTION_NUMBER, /* int64_t; stored + 1, so that 0 means "not given" */
	OPTION_DAYS,   /* int64_t, seconds, from a number of days */
	OPTION_SPAN,   /* int64_t, seconds, from "30d", "12h", "90s" */
};

struct option_row {
	const char *name;
	enum option_kind kind;
	size_t offset;
	const char *argument; /* as --help names it */
	const char *help;
	int64_t most; /* of a number; 0: any */
};

struct synopsis {
	const char *word;     /* the command */
	const char *operands; /* as --help names them */
	int least, most;      /* how many of them; most -1: any number */
	const char *summary;
	const struct option_row *rows; /* ends with {0} */
};

struct operands {
	char **at;
	int count;
};

/*
 * Reads argv[1...] into `options`, a zeroed struct that begins with a struct
 * common.  False when the command is over: --help was printed (*code is 0) or
 * something was wrong (*code is EX_USAGE and a message is written).
 */
bool options_read(
    const struct synopsis *, int argc, char **argv, void *options, struct operands *, int *code);

/*
 * The command line of the program: common options may stand before the command, as well as behind
 * it.  OPTIONS_WORD: the command is moved before them, to argv[1], where options_read() can begin.
 */
enum options_found { OPTIONS_WORD, OPTIONS_NO_WORD, OPTIONS_HELP, OPTIONS_VERSION, OPTIONS_WRONG };
enum options_found options_find_word(int argc, char **argv);

/* For the program's own --help: the command in a few lines, and the common options. */
void options_print_synopsis(const struct synopsis *);
void options_print_common(void);
/* Rows for --list-commands (base/program.h): those of all commands, and of one. */
void options_list_common(void);
void options_list(const struct synopsis *);

#endif
