/*
 * What agents have of the relay at the moment.  It is counted along the chain of
 * an agent's certificate: for its identity (issuer and name), over all of its
 * sessions and all workers, and for every CA above it, over all that is below.
 * So who can mint names gains nothing by it.
 *
 * Who shares it: all agents.  Bounds, for each kind: the number in the grant of a
 * level (maxSessions, maxFlows); for an identity whose grant has none, the
 * relay's default; a CA whose grant has none sets no ceiling.  Beside them stands
 * a bound in all, which tenants share fairly (a dynamic threshold, Choudhury and
 * Hahne 1998): none may have more than USAGE_SHARE times what is still free.  A
 * tenant is the topmost CA below which everything has a ceiling (the topmost one
 * with a grant), else the identity itself.
 *
 * Who leaves when it is full: of the anchor below which most are, of its CAs the
 * one with most, and so on down to an identity and the session of it with most,
 * the newest.  The newcomer is counted before that is decided, and where its own
 * side has as many as another it is its own side that pays: then it is refused
 * itself.  So many with one each make room for who has nothing where they have a
 * CA in common that he has not, and nobody comes back in the place of another who
 * has as much.  Who takes over the place of a predecessor is as old as that was.
 * Flows leave by client blocks (base/shares.h), which is where a flow's place is
 * from; here it is only asked whether the newcomer is the one to go.
 *
 * Who must leave counts no more at once, but owes: its owner is told, gives up its
 * newest as long as it owes, and leaves as always.
 *
 *	usage = usage_of(all, identity)
 *	usage_enter(usage, kind, why) --> usage_leave(usage, kind)
 *	on_owing(arg) --> while (usage_owes(usage, kind, why)) give up one and leave
 */
#ifndef RELAY_USAGE_H
#define RELAY_USAGE_H

#include <stdbool.h>
#include <stdint.h>

struct identity;
struct usage_table;
struct usage;

enum usage_kind { USAGE_SESSIONS, USAGE_FLOWS, USAGE_PARKED, USAGE_ENDPOINTS, USAGE_KINDS };
enum { USAGE_SHARE = 16, USAGE_WHY = 400 };

/* 0 is no bound. */
struct usage_bounds {
	uint64_t per_identity[USAGE_KINDS]; /* where the grant has no number */
	uint64_t in_all[USAGE_KINDS];
};

/* Without any bounds. NULL when memory is short. */
struct usage_table *usage_table_new(void);
void usage_table_free(struct usage_table *);
/* From any thread; what has been let in stays. */
void usage_set_bounds(struct usage_table *, const struct usage_bounds *);

/* The account of one session of this identity and chain, held, with the identity; NULL when memory is
 * short.  Its counters are those of all other accounts of the same identity or CA. */
struct usage *usage_of(struct usage_table *, struct identity *);
struct usage *usage_hold(struct usage *);
void usage_release(struct usage *);
/* on_owing is called under the lock, by any thread, and at once if something is owed already: it must
 * call nothing of this header.  NULL: not any more, as soon as this returns. */
void usage_set_owner(struct usage *, void (*on_owing)(void *arg), void *arg);

/* Counts one more at every level, or nowhere: then `why` is a sentence (no end mark) that names the
 * number which stands in the way, and whose it is. */
bool usage_enter(struct usage *, enum usage_kind, char why[USAGE_WHY]);
/* The same in the place of one that `from` has, which is counted no more after that. */
bool usage_take_over(struct usage *, struct usage *from, enum usage_kind, char why[USAGE_WHY]);
void usage_leave(struct usage *, enum usage_kind);
/* Whether one must be given up that counts no more; then `why` is a sentence (no end mark). */
bool usage_owes(struct usage *, enum usage_kind, char why[USAGE_WHY]);
/* Whether the identity has all that it may have, or its tenant has more than its share: who has some of
 * them idle then keeps others out. */
bool usage_is_over_share(const struct usage *, enum usage_kind);
/* What all have together. */
uint64_t usage_total(struct usage_table *, enum usage_kind);
/* What the identity has, and what its tenant; who that is. */
uint64_t usage_count(const struct usage *, enum usage_kind);
uint64_t usage_tenant_count(const struct usage *, enum usage_kind);
const uint8_t *usage_tenant_key(const struct usage *); /* IDENTITY_KEY_BYTES */

#endif
