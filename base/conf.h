/*
 * Configuration: one YAML document read against a table of rows.
 *
 * A row names its key by its path; a list of mappings has a table of its own.
 * Reading fills a struct at the row's offset, so a program's settings are one
 * plain struct and one table beside it.  Every message is
 * `file:line:column: what, and what to do`; reading goes on after an error so
 * that all of them are told at once.
 *
 * Keys that are not given get their default, inside list items and mappings
 * too.  Inside a mapping that is not given at all nothing is required; its mark
 * tells whether it was.  A key without a value (`routes:`) is an empty list or
 * mapping; for a single value it is an error.  Anchors, aliases, tags and a
 * second document are refused, and a file over 64 MiB.
 *
 * Reading takes a time and a memory that grow with the file: some 40 ms and 25 MiB for each MiB
 * of short lines at the peak, all but what is in `out` given back.
 *
 *	static const struct conf_row rows[] = {
 *		{ "limits.hello_timeout", CONF_DURATION, offsetof(struct settings, hello_ms),
 *		  .fallback = "3s", .least = 100, .most = 60000 },
 *		{ "routes", CONF_MAPPINGS, offsetof(struct settings, routes), .table = route_rows,
 *		  .item_bytes = sizeof(struct route_settings) },
 *		{ 0 }
 *	};
 */
#ifndef BASE_CONF_H
#define BASE_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum conf_kind {
	CONF_END,
	CONF_TEXT,     /* char * */
	CONF_NUMBER,   /* uint64_t */
	CONF_BOOL,     /* bool: true false yes no on off */
	CONF_DURATION, /* uint64_t, milliseconds */
	CONF_SIZE,     /* uint64_t, bytes */
	CONF_WORD,     /* int: index in .words */
	CONF_TEXTS,    /* struct conf_texts; one scalar is a list of one */
	/* Struct in place, by .table; with .scalar, a scalar means {scalar: it}, and so does a list where
	 * that key takes one. */
	CONF_MAPPING,
	/* struct conf_items by .table; one mapping is a list of one; with .scalar, a scalar in it means
	 * {scalar: it} */
	CONF_MAPPINGS,
};

/* Where a value stands, for later checks that span keys, counted from 1; line 0: not given. */
struct conf_mark {
	unsigned line, column;
};

struct conf_texts {
	char **items;
	struct conf_mark *marks;
	size_t count;
};

struct conf_items {
	void *items; /* array of structs of .item_bytes */
	size_t count;
};

struct conf_row {
	const char *key; /* dotted path: "agent.connect_url" */
	enum conf_kind kind;
	size_t offset; /* of the value in the struct */
	bool required;
	const char *fallback;         /* the default as one would write it; NULL: zero */
	uint64_t least, most;         /* range in the value's unit; most 0 = no range; a list with a
				       * least must not be empty where it is given */
	const char *const *words;     /* for CONF_WORD, NULL-terminated */
	const struct conf_row *table; /* for mappings */
	size_t item_bytes;            /* for CONF_MAPPINGS */
	const char *scalar;           /* for mappings: the key that a bare value stands for */
	size_t mark_offset;           /* of a struct conf_mark in the struct, or 0 */
	/* Checks one text, or each item of a list; NULL: any text will do. */
	bool (*check)(const char *text, char error[256]);
	/* CONF_TEXT, CONF_TEXTS: where the file does not give it, a variable of the environment may: VALISE_
	 * and the key in capitals, each dot an underscore.  Both are an error. */
	bool has_variable;
};

/* A key that people bring along from elsewhere, and what is said of it. */
struct conf_answer {
	const char *key;      /* the last word of its path */
	const char *sentence; /* reads after the key */
	/* At the top of a file it shows that this is another program's; all else that is wrong follows from
	 * that, so nothing more is said. */
	bool is_of_another;
};

struct conf_report {
	FILE *out;        /* where messages go; NULL: only counted */
	const char *path; /* conf_read() sets it */
	unsigned errors;
	bool unreadable; /* the file could not be read at all: exit 66 and not 78 */
	/* To keys that are not known; ends with {0}; may be NULL. */
	const struct conf_answer *answers;
	bool is_of_another;
};

/* Fills `out` (zeroed by the caller) from the file. False when there was any error; then
 * everything may be freed with conf_wipe() all the same. */
bool conf_read(void *out, const struct conf_row *table, const char *path, struct conf_report *);
/* The same from memory; report->path names it in messages. */
bool conf_read_bytes(
    void *out, const struct conf_row *table, const void *text, size_t bytes, struct conf_report *);
/* One more message of the same form, for checks that span keys.  After the 50th none is told. */
void conf_error(struct conf_report *, struct conf_mark, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Frees all that conf_read() allocated in `out`. */
void conf_wipe(void *out, const struct conf_row *table);

#endif
