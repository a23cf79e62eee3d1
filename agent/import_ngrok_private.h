/*
 * What the files of the import share: the walk over ngrok's file with a table of its keys
 * (import_ngrok), and what becomes of one endpoint (import_ngrok_endpoint).  Nobody else includes this.
 */
#ifndef AGENT_IMPORT_NGROK_PRIVATE_H
#define AGENT_IMPORT_NGROK_PRIVATE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/conf_tree.h"

struct import_walk {
	struct conf_tree *tree;
	const char *path;
	FILE *endpoints; /* what is carried over, to be printed behind the agent's own keys */
	unsigned endpoint_count;
};

enum import_kind {
	IMPORT_LEFT,    /* not carried over, for this reason */
	IMPORT_TEXT,    /* a text at `offset`; without one IMPORT_LEFT's place */
	IMPORT_NODE,    /* whatever it is, at `offset` */
	IMPORT_MAPPING, /* more keys, by `table` */
	IMPORT_QUIET,   /* it asks for what is so anyway */
};

struct import_row {
	const char *key;
	enum import_kind kind;
	size_t offset;
	const char *reason;
	/* Of the last row, which has no key: where the search goes on; NULL: nowhere. */
	const struct import_row *table;
};

/* Fills `out` by the table, which a row without a key ends, and tells what is left; `prefix` is "agent."
 * or so. */
void import_walk(struct import_walk *, const struct conf_node *mapping,
    const struct import_row *table, const char *prefix, void *out);
/* One line: where, which key, and the sentence. */
__attribute__((format(printf, 4, 5))) void import_tell(
    const struct import_walk *, const struct conf_node *, const char *key, const char *format, ...);

/* An item of `endpoints:` (version 3), and a tunnel by its name (version 2). */
void import_endpoint(struct import_walk *, const struct conf_node *);
void import_tunnel(struct import_walk *, const char *name, const struct conf_node *);

#endif
