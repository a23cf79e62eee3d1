/*
 * The lists of addresses that an announcement has among its facts: FACT_ALLOW and
 * FACT_DENY of valise-protocol(7), what base/address_rules.h makes of them, and back.
 * No socket, no log; memory only where rules are made.
 */
#ifndef TUNNEL_ADDRESS_FACTS_H
#define TUNNEL_ADDRESS_FACTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/address_rules.h"
#include "tunnel/facts.h"

enum {
	/* Of both values together, so that an announcement with the longest names has room for them. */
	ADDRESS_FACTS_MOST = 3584,
	ADDRESS_FACTS_BYTES = ADDRESS_FACTS_MOST + 8, /* with their types and lengths */
};

/*
 * Adds the lists (NULL: there are none) to the facts that the writer has.  Lists of very many IPv6 hosts do
 * not fit: then a prefix of `allow` beyond /64 goes as its /64, and one of `deny` not at all.  So a relay
 * may let more in than the lists do, never less, and the agent judges again.
 */
void address_facts_put(struct writer *, const struct address_rules *);
/* How much that is, without types and lengths. */
size_t address_facts_bytes(const struct address_rules *);
/* A value of either fact, by itself. */
bool address_facts_are_well_formed(struct cursor value);
/* How many prefixes both have, in a list of facts that was read. */
size_t address_facts_count(struct facts);
/* The rules they stand for; *out is NULL when there are none. False when memory is short. */
bool address_facts_make(struct facts, struct address_rules **out);

#endif
