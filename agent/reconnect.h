/*
 * When the link to a relay dials again.
 *
 * The first time of all it dials at once, and then after a random time between
 * nothing and a bound that doubles from 0.5 s (full jitter; AWS Architecture
 * Blog, 2015: jitter over the whole span spreads many callers best).  The bound
 * is at most 5 s in the first half minute and 30 s after it.
 *
 * A relay that dies loses all of its agents at one moment.  So who has had a
 * session dials once in each 4 s of the first half minute, at a place of his own
 * in them, the first time included: whenever the relay comes back, a quarter of
 * its agents comes in each of the four seconds that follow.  A jitter that grows
 * from nothing would not do that: whoever was early would come again at once,
 * together with those whose turn it is.  Where the relay has told the agent its
 * place (FACT_PLACE of tunnel/facts.h) nothing depends on chance.
 *
 * A relay that drains is there for a while, so its agents come back at their places
 * in that time; and if it ends sooner, in turns from then on.
 *
 * A welcome forgets all failures.  But a link that comes and goes keeps waiting:
 * after RECONNECT_YOUNG_MOST sessions in a row that ended within
 * RECONNECT_STABLE_MS of their welcome the first bound doubles with each.
 *
 * A plain value; the caller has the timer and the clock.
 */
#ifndef AGENT_RECONNECT_H
#define AGENT_RECONNECT_H

#include <stdbool.h>
#include <stdint.h>

enum {
	RECONNECT_FIRST_MS = 500, /* the first bound of a link that has never been up */
	RECONNECT_TURN_MS = 4000, /* ... and of one that has */
	RECONNECT_EARLY_MS = 30000,
	RECONNECT_EARLY_MOST_MS = 5000,
	RECONNECT_MOST_MS = 30000,
	RECONNECT_STABLE_MS = 30000,
	RECONNECT_YOUNG_MOST = 3,
};

struct reconnect {
	uint16_t place; /* in 65536ths of RECONNECT_TURN_MS */
	bool has_turns; /* since its session was lost it dials in its turn */
	unsigned young; /* sessions in a row that ended soon */
	uint64_t up_since_ms;
	uint64_t away_since_ms; /* without a session */
	uint64_t bound_ms;      /* of the wait that was drawn last */
};

/* At a place drawn at random, away from now on. */
void reconnect_init(struct reconnect *, uint64_t now_ms);
/* The relay has said where in each turn this agent's place is. */
void reconnect_set_place(struct reconnect *, uint16_t place);
/* A session is up. */
void reconnect_up(struct reconnect *, uint64_t now_ms);
/* It has ended.  Returns how many ms to wait before the first attempt. */
uint64_t reconnect_lost(struct reconnect *, uint64_t now_ms);
/* The session may be dead, and another one is to be made beside it.  Returns how many ms to wait:
 * none, unless the link comes and goes. */
uint64_t reconnect_doubted(struct reconnect *, uint64_t now_ms);
/* An attempt has brought no session.  Returns how many ms to wait before the next one. */
uint64_t reconnect_failed(struct reconnect *, uint64_t now_ms);
/* The same as reconnect_lost() where the relay drains, and all its agents have this time for their return;
 * what is beyond RECONNECT_MOST_MS of it is of no use to those who want to be served. */
uint64_t reconnect_drained(struct reconnect *, uint64_t now_ms, uint64_t drain_ms);
/* The session that was drained has ended, which may be before its time: the turns begin now.  Returns how
 * many ms to wait, which may be longer than what is left of the other wait. */
uint64_t reconnect_gone(struct reconnect *, uint64_t now_ms);

#endif
