/*
 * Records of one type that the DNS has of a name, asked for by the C library's resolver in the
 * process that looks names up (lookup_helper.h), so that neither a thread nor a file of that
 * resolver is in the daemon.
 *
 *	lookups = record_lookups_new(loop, helper)
 *	record_lookup_start(lookups, &query, on_done, arg), answered once, or record_lookup_cancel()
 *	record_lookups_free(lookups)
 *
 * What comes is a message of the DNS as some server has sent it, which nobody has looked into: its
 * reader believes none of it.  A server that is silent is asked twice for three seconds each.
 *
 * Belongs to the thread of its loop.
 *
 * Shared by:     all that asks in one daemon.
 * Bound:         RECORD_LOOKUPS_MOST; the process asks for one after the other.
 * Who leaves:    nobody; the newcomer is refused.
 */
#ifndef BASE_RECORD_LOOKUP_H
#define BASE_RECORD_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"

struct helper;
struct loop;
struct record_lookup;
struct record_lookups;

enum { RECORD_LOOKUP_WAY = 1 /* of that helper */ };
enum { RECORD_LOOKUPS_MOST = 16, RECORD_MESSAGE = 16384, RECORD_NAME = 256 };

enum record_outcome {
	RECORDS_FOUND,  /* there is an answer, which may have none */
	RECORDS_NONE,   /* the name does not exist, or has none of this type */
	RECORDS_SILENT, /* nobody has answered, or nothing that can be used */
	RECORD_OUTCOMES
};

struct record_query {
	char name[RECORD_NAME]; /* as it is: no search list is gone through */
	uint16_t type;
	struct address server; /* IPv4, to be asked instead of the system's; {0}: those */
};

/* The helper is borrowed, and has no other one.  NULL when memory is short. */
struct record_lookups *record_lookups_new(struct loop *, struct helper *);
/* Everything was answered or cancelled. */
void record_lookups_free(struct record_lookups *);

/* on_done is never called inside this call; the message is borrowed for it.  NULL: memory is
 * short, or there are too many. */
struct record_lookup *record_lookup_start(struct record_lookups *, const struct record_query *,
    void (*on_done)(void *arg, enum record_outcome, const uint8_t *message, size_t bytes),
    void *arg);
/* NULL is fine. */
void record_lookup_cancel(struct record_lookup *);

/* In the process, on a thread: answers what comes by this way, until its other end is closed. */
void record_lookup_serve(int way, _Atomic bool *is_busy);

#endif
