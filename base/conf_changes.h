/*
 * What has changed from one configuration to the next, for one line of a log: keys, and in lists of
 * mappings the items by name.
 *
 *	struct conf_changes changes = { 0 };
 *
 *	conf_changes_find(&changes, rows, &old, &fresh);
 *	conf_changes_add(&changes, "agent.certificate");
 *	log_event(..., log_str("changed", conf_changes_text(&changes, text)));
 */
#ifndef BASE_CONF_CHANGES_H
#define BASE_CONF_CHANGES_H

#include <stddef.h>
#include <stdint.h>

struct conf_row;

enum { CONF_CHANGES_TEXT = 512, CONF_CHANGES_BYTES = CONF_CHANGES_TEXT - 40 };

struct conf_changes {
	char text[CONF_CHANGES_BYTES]; /* those that have room */
	unsigned more;                 /* how many have none */
};

/* Compares values, wherever they stand in their files.  An item is known by its first required text:
 * "endpoint shop", "endpoint cart (new)", "endpoint till (gone)". */
void conf_changes_find(
    struct conf_changes *, const struct conf_row *table, const void *before, const void *after);
/* One more, unless it is there. */
void conf_changes_add(struct conf_changes *, const char *what);
/* "nothing" if there are none; returns `out`. */
const char *conf_changes_text(const struct conf_changes *, char out[CONF_CHANGES_TEXT]);

/* The same for the same values.  For who does not keep them. */
uint64_t conf_digest(const struct conf_row *table, const void *values);

#endif
