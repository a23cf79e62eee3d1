/*
 * Who may come in: an endpoint's rules on the certificates of its clients, the key
 * `clients` of valise-agent.yml(5).  Who is not let in by an entry stays out.
 *
 * An entry is a mapping of the keys of enum client_key, all of which must hold, and of
 * `any` and `all`, lists of mappings of those keys again, of which one or all must hold,
 * too.  In its own list a mapping has the issuer of its entry, if it names none.
 *
 *	client_rules_check(settings) -> client_rules_new(settings) -> client_rules_find()
 *
 * Entries are few (CLIENT_RULES_MOST), so they are looked at one after the other.
 */
#ifndef AGENT_CLIENT_RULES_H
#define AGENT_CLIENT_RULES_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "agent/client_key.h"
#include "base/conf.h"

struct client_rules;

enum {
	CLIENT_RULES_MOST = 256, /* mappings of one endpoint, those under any and all too */
	CLIENT_NAMES_MOST = 128, /* alternative names; one with more is let in by nobody */
	CLIENT_RULES_ERROR = 320,
};

/* ---- the settings ---- */

struct client_rule_settings {
	char *values[CLIENT_KEYS]; /* NULL: not given */
	struct conf_mark marks[CLIENT_KEYS];
};

struct client_entry_settings {
	struct client_rule_settings own;
	struct conf_items any, all; /* of struct client_rule_settings */
	struct conf_mark any_mark, all_mark;
};

extern const struct conf_row client_entry_rows[];

/* Reports every mistake in a list of entries that stands at `mark`. */
void client_rules_check(
    const struct conf_items *entries, struct conf_mark mark, struct conf_report *);
/* Whether two lists say the same in the same order. */
bool client_rules_are_alike(const struct conf_items *, const struct conf_items *);
/* Where an entry stands, counted from 1: its first value; line 0 if it has none. */
struct conf_mark client_rules_mark(const struct conf_items *, size_t number);

/* ---- the rules ---- */

/* Of settings without a mistake.  needs_issuer: each mapping must name an issuer or say in words that any
 * will do, because another CA could issue the same names.  NULL with a sentence that begins
 * "clients, entry 3: ", or that memory is short.  Immutable, for any thread. */
struct client_rules *client_rules_new(
    const struct conf_items *entries, bool needs_issuer, char error[CLIENT_RULES_ERROR]);
void client_rules_free(struct client_rules *); /* NULL is fine */

size_t client_rules_count(const struct client_rules *);
/* Tells them from all others that this process has made; not 0. */
uint64_t client_rules_id(const struct client_rules *);

/* The first entry that lets this client in, counted from 1; 0: none does.  A client without a
 * certificate (NULL) is let in by none. */
size_t client_rules_find(const struct client_rules *, const struct identity *);
/* Why an entry that does not let this one in does not: each key that does not hold, behind `head`. */
void client_rules_explain(
    const struct client_rules *, size_t number, const struct identity *, const char *head, FILE *);

#endif
