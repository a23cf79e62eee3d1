/*
 * Facts: the list that hello, welcome, announce, open, ready and drain end in from
 * version 2 on, {type 16 bits, length 16 bits, value} each, in ascending order of
 * their types, none twice (valise-protocol(7)).  Types below FACT_OPTIONAL must be
 * understood, the others are skipped.  No socket, no log, no allocation.
 *
 * frame.h says how a new fact is added.
 */
#ifndef TUNNEL_FACTS_H
#define TUNNEL_FACTS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/cursor.h"

enum { FACT_OPTIONAL = 0x8000 };
enum fact_type {
	FACT_PENDING = 0x0010, /* announce: 4 bytes, the accepted endpoint that is marked */
	FACT_DRY_RUN = 0x0011, /* hello: 0 bytes; nothing that is announced is served */
	FACT_FRAMES_PER_SECOND = 0x8001, /* welcome: 4 bytes */
	FACT_ALLOW = 0x8002,             /* announce: prefixes (address_facts.h) */
	FACT_DENY = 0x8003,              /* the same */
	FACT_CLOCK = 0x8004,             /* welcome: 8 bytes, seconds since 1970 at the relay */
	FACT_RESUME = 0x8010,            /* hello: announce_digest.h */
	FACT_RESUMING = 0x8011,          /* welcome: empty; the answer to it follows */
	FACT_WITHDRAW_MANY = 0x8012,     /* welcome: empty; the relay knows that frame */
	FACT_BALANCE = 0x8020,           /* announce: 1 byte, enum balance */
	FACT_PRIORITY = 0x8021,          /* announce: 1 byte, 0 is first */
	FACT_MOVE = 0x8030,              /* drain: nothing; make the next session first */
	FACT_PLACE = 0x8031,             /* welcome: 2 bytes, 65536ths of a turn of returning */
};

/* As they stand in a frame, borrowed: of a decoded frame they are a part of its body. */
struct facts {
	const uint8_t *at;
	size_t bytes;
};

/* What a frame knows is a table of these, which ends with a row without a judge. */
struct fact_row {
	enum fact_type type;
	bool (*is_well_formed)(struct cursor value);
};

/* Reads all that is left, and borrows it.  False: the list is malformed, or a value of the table is.  What
 * must be understood and is not in the table is told only when all of it is well formed. */
bool facts_read(struct cursor *, const struct fact_row *, struct facts *, bool *is_understood);
/* In a list that was read, or written here. */
bool facts_find(struct facts, enum fact_type, struct cursor *value);
/* Adds a fact to those that the writer has, in its place; the first one of a type stays. */
void facts_put(struct writer *, enum fact_type, const void *value, size_t bytes);
struct facts facts_of(const struct writer *);

/* The same for a value of one byte, which is 0 where it is not said. */
enum { FACT_OCTET_BYTES = 5 }; /* with its type and length */
bool facts_octet_is_well_formed(struct cursor value);
uint8_t facts_octet(struct facts, enum fact_type);
void facts_put_octet(struct writer *, enum fact_type, uint8_t value);

#endif
