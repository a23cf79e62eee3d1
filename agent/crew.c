/*
 * All workers of the agent.
 */
#include "agent/crew.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

struct crew {
	unsigned count, next;
	_Atomic uint64_t flow_count;
	struct hand *hands[];
};

struct crew *
crew_new(unsigned workers, struct loop *main_loop, struct resolver *resolver, struct roster *roster,
    void (*on_report)(struct leg *, enum hand_report, const char *error))
{
	struct crew *crew = calloc(1, sizeof *crew + workers * sizeof(struct hand *));
	struct hand_wish wish = {
		.main_loop = main_loop, .resolver = resolver, .roster = roster, .on_report = on_report,
	};
	char name[16];

	if (!crew)
		return NULL;
	wish.flow_count = &crew->flow_count;
	for (; crew->count < workers; crew->count++) {
		snprintf(name, sizeof name, "hand-%u", crew->count);
		crew->hands[crew->count] = hand_start(name, &wish);
		if (!crew->hands[crew->count]) {
			crew_free(crew);
			return NULL;
		}
	}
	return crew;
}

void
crew_free(struct crew *crew)
{
	if (!crew)
		return;
	for (unsigned i = 0; i < crew->count; i++)
		hand_stop(crew->hands[i]);
	free(crew);
}

unsigned
crew_dial(struct crew *crew, struct leg *leg, unsigned count)
{
	unsigned ordered = 0;

	for (unsigned i = 0; i < count; i++)
		ordered += hand_dial(crew->hands[crew->next++ % crew->count], leg);
	return ordered;
}

static void
note(bool given)
{
	if (!given)
		log_event(LOG_ERROR, "memory-short", "memory is short: a worker was not told of a change");
}

void
crew_drop(struct crew *crew, struct leg *leg)
{
	for (unsigned i = 0; i < crew->count; i++)
		note(hand_drop(crew->hands[i], leg));
}

void
crew_publish(struct crew *crew, struct roster *roster)
{
	for (unsigned i = 0; i < crew->count; i++)
		note(hand_publish(crew->hands[i], roster));
}

void
crew_drain(struct crew *crew)
{
	for (unsigned i = 0; i < crew->count; i++)
		note(hand_drain(crew->hands[i]));
}

uint64_t
crew_flow_count(const struct crew *crew)
{
	return atomic_load(&crew->flow_count);
}
