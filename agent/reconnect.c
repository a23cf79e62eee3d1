/*
 * When the link to a relay dials again.
 */
#include "agent/reconnect.h"

#include <stdlib.h>

#include "agent/backoff.h"
#include "base/numbers.h"

enum { PLACES = UINT16_MAX + 1 };

void
reconnect_init(struct reconnect *reconnect, uint64_t now_ms)
{
	*reconnect = (struct reconnect){ .place = (uint16_t)arc4random(),
		.away_since_ms = now_ms,
		.bound_ms = RECONNECT_FIRST_MS / 2 };
}

void
reconnect_set_place(struct reconnect *reconnect, uint16_t place)
{
	reconnect->place = place;
}

void
reconnect_up(struct reconnect *reconnect, uint64_t now_ms)
{
	reconnect->up_since_ms = now_ms;
}

/* Its place in a span of time. */
static uint64_t
place_in(const struct reconnect *reconnect, uint64_t span_ms)
{
	return span_ms * reconnect->place / PLACES;
}

uint64_t
reconnect_lost(struct reconnect *reconnect, uint64_t now_ms)
{
	bool is_young = now_ms - reconnect->up_since_ms < RECONNECT_STABLE_MS;

	reconnect->young = is_young ? reconnect->young + 1 : 0;
	reconnect->away_since_ms = now_ms;
	reconnect->bound_ms = RECONNECT_TURN_MS;
	reconnect->has_turns = reconnect->young <= RECONNECT_YOUNG_MOST;
	if (reconnect->has_turns)
		return place_in(reconnect, RECONNECT_TURN_MS);
	for (unsigned i = RECONNECT_YOUNG_MOST;
	     i < reconnect->young && reconnect->bound_ms < RECONNECT_MOST_MS; i++)
		reconnect->bound_ms *= 2;
	reconnect->bound_ms = smaller_of(reconnect->bound_ms, RECONNECT_MOST_MS);
	return backoff_spread(reconnect->bound_ms);
}

uint64_t
reconnect_drained(struct reconnect *reconnect, uint64_t now_ms, uint64_t drain_ms)
{
	uint64_t lost_ms = reconnect_lost(reconnect, now_ms);
	uint64_t place_ms = place_in(reconnect, smaller_of(drain_ms, RECONNECT_MOST_MS));

	return reconnect->has_turns ? place_ms : larger_of(place_ms, lost_ms);
}

uint64_t
reconnect_doubted(struct reconnect *reconnect, uint64_t now_ms)
{
	uint64_t lost_ms = reconnect_lost(reconnect, now_ms);

	return reconnect->has_turns ? 0 : lost_ms;
}

uint64_t
reconnect_gone(struct reconnect *reconnect, uint64_t now_ms)
{
	reconnect->away_since_ms = now_ms;
	return reconnect->has_turns ? place_in(reconnect, RECONNECT_TURN_MS) : UINT64_MAX;
}

/* Until the agent's place in the turn that goes on, or in the next one. */
static uint64_t
until_its_turn(const struct reconnect *reconnect, uint64_t now_ms)
{
	uint64_t into = (now_ms - reconnect->away_since_ms) % RECONNECT_TURN_MS;
	uint64_t place_ms = place_in(reconnect, RECONNECT_TURN_MS);

	return place_ms > into ? place_ms - into : place_ms + RECONNECT_TURN_MS - into;
}

uint64_t
reconnect_failed(struct reconnect *reconnect, uint64_t now_ms)
{
	bool is_early = now_ms - reconnect->away_since_ms < RECONNECT_EARLY_MS;
	uint64_t most =
	    is_early ? larger_of(reconnect->bound_ms, RECONNECT_EARLY_MOST_MS) : RECONNECT_MOST_MS;

	if (is_early && reconnect->has_turns)
		return until_its_turn(reconnect, now_ms);
	reconnect->bound_ms = smaller_of(2 * reconnect->bound_ms, most);
	return backoff_spread(reconnect->bound_ms);
}
