/*
 * The rows `allow` and `deny` of a configuration: what valise-agent.yml(5) says of an
 * endpoint and valise-relay.yml(5) of a static route, with one meaning and the same
 * sentences (address_rules.h).
 *
 *	static const struct conf_row rows[] = {
 *		ADDRESS_ROWS(struct settings_route, addresses),
 *		...
 */
#ifndef BASE_ADDRESS_ROWS_H
#define BASE_ADDRESS_ROWS_H

#include <stdbool.h>

#include "base/address_rules.h"
#include "base/conf.h"

struct address_settings {
	struct conf_texts allow, deny;
	struct conf_mark allow_mark, deny_mark;
};

/* Laid out by hand, as in daemon_rows.h. */
/* clang-format off */
#define ADDRESS_ROWS(type, member) \
	{ "allow", CONF_TEXTS, offsetof(type, member.allow), .check = address_rows_is_prefix, \
	    .mark_offset = offsetof(type, member.allow_mark) }, \
	{ "deny", CONF_TEXTS, offsetof(type, member.deny), .check = address_rows_is_prefix, \
	    .mark_offset = offsetof(type, member.deny_mark) }
/* clang-format on */

/* A block of addresses without bits beyond its length: where somebody means an address and writes a
 * network, more would be let in than he meant. */
bool address_rows_is_prefix(const char *text, char error[256]);
/* The blocks of a list that was checked, owned by the caller; NULL when memory is short, never because
 * there are none. */
struct prefix *address_rows_prefixes(const struct conf_texts *);
/* Whether one of the two keys is given. */
bool address_rows_are_given(const struct address_settings *);
/* Tells lists that are too long, empty, or of which a part can have no effect. */
void address_rows_check(const struct address_settings *, struct conf_report *);
/* The rules of lists that were checked; *out is NULL where there are none. False when memory is short. */
bool address_rows_make(const struct address_settings *, struct address_rules **out);

#endif
