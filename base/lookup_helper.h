/*
 * Look-ups in a process of their own, so that neither the system's resolver, what it loads
 * (nsswitch), nor its threads are in the daemon, and so that the daemon needs none of its files.
 *
 *	helper = lookup_helper_start()		first of all (helper.h)
 *	client = lookup_client_new(helper, ...)	as lookups_new()
 *
 * The process ends when nobody has asked for a minute, and begins again with the next question.
 *
 * Shared by:     all that one resolver asks for.
 * Bound:         LOOKUPS_MOST at a time, in lookups.h; the resolver asks for at most half as many.
 * Who leaves:    nobody.
 */
#ifndef BASE_LOOKUP_HELPER_H
#define BASE_LOOKUP_HELPER_H

#include <stdbool.h>
#include <stdint.h>

struct answer;
struct helper;
struct lookup_client;

/* It has another way for record_lookup.h. NULL with errno. */
struct helper *lookup_helper_start(void);

struct lookup_events {
	void (*on_found)(void *arg, uint64_t number, const struct answer *);
	/* What was asked before is not answered any more, perhaps; ask again, or give up. */
	void (*on_lost)(void *arg);
	void *arg;
};

/* The helper is borrowed.  Both are called on a thread of its own.  NULL when the system refuses. */
struct lookup_client *lookup_client_new(struct helper *, const struct lookup_events *);
/* Nothing is called after this. */
void lookup_client_free(struct lookup_client *);
/* From any thread.  False: there is no process, or it is behind. */
bool lookup_client_begin(struct lookup_client *, uint64_t number, const char *host);

#endif
