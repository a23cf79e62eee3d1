/*
 * Who may come in by his address: two lists of prefixes, as of ngrok's restrict-ips.
 *
 *	- whom a prefix of `deny` holds is refused, however precise a prefix of `allow` is
 *	- where `allow` has prefixes, whom none of them holds is refused, too
 *	- everybody else is let in
 *
 * Who has no address (a local socket) is refused by every list: nothing is known of
 * him.  IPv4-mapped addresses are IPv4 (address.h), and ::/0 holds no IPv4 address.
 *
 * Rules are immutable and counted.  Asking takes one binary search of each list, no
 * memory and no lock.  A prefix within another one of its list is left out, and the
 * others stand in one order, so that lists that mean the same are the same.
 */
#ifndef BASE_ADDRESS_RULES_H
#define BASE_ADDRESS_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/address.h"

enum { ADDRESS_RULES_MOST = 256 }; /* prefixes, of both lists together */

struct address_list {
	const struct prefix *prefixes;
	size_t count;
};

struct address_rules;

/* Copies both.  NULL when memory is short; two empty lists let everybody in. */
struct address_rules *address_rules_new(struct address_list allow, struct address_list deny);
/* NULL is fine for these four: it lets everybody in. */
struct address_rules *address_rules_hold(struct address_rules *);
void address_rules_release(struct address_rules *);
bool address_rules_admit(const struct address_rules *, const struct address *);
bool address_rules_equal(const struct address_rules *, const struct address_rules *);
/* The lists, without what was left out; borrowed. NULL has empty ones. */
struct address_list address_rules_allow(const struct address_rules *);
struct address_list address_rules_deny(const struct address_rules *);

#endif
