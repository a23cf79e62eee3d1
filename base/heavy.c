/* Queues in a ring, in rings: the one that was served last is asked last. */
#include "base/heavy.h"

#include <stdlib.h>
#include <string.h>
#include "base/address.h"
#include "base/clock.h"
#include "base/hash.h"

struct heavy_party
heavy_party_of(unsigned group, const struct address *client)
{
	struct prefix block = prefix_block(client, BLOCK_HOST);
	struct heavy_party party = { .group = group };

	memcpy(&party.block, block.bytes, sizeof party.block); /* a /64, or a /32 and zeros */
	return party;
}

void
heavy_init(struct heavy *heavy, const struct heavy_party *party, void (*run)(void *), void *arg)
{
	*heavy = (struct heavy){ .party = *party, .run = run, .arg = arg };
}

void
heavy_queues_init(struct heavy_queues *queues)
{
	memset(queues, 0, sizeof *queues);
	arc4random_buf(queues->key, sizeof queues->key);
	for (unsigned i = 0; i < HEAVY_GROUPS * HEAVY_CLIENTS; i++)
		TAILQ_INIT(&queues->groups[i / HEAVY_CLIENTS].clients[i % HEAVY_CLIENTS]);
}

void
heavy_add(struct heavy_queues *queues, struct heavy *heavy)
{
	const struct heavy_party *party = &heavy->party;

	if (heavy->group)
		return;
	heavy->group = &queues->groups[party->group % HEAVY_GROUPS];
	heavy->client =
	    (unsigned)(hash_bytes(queues->key, &party->block, sizeof party->block) % HEAVY_CLIENTS);
	TAILQ_INSERT_TAIL(&heavy->group->clients[heavy->client], heavy, link);
	heavy->group->count++;
	queues->count++;
}

void
heavy_remove(struct heavy_queues *queues, struct heavy *heavy)
{
	if (!heavy->group)
		return;
	TAILQ_REMOVE(&heavy->group->clients[heavy->client], heavy, link);
	heavy->group->count--;
	heavy->group = NULL;
	queues->count--;
}

/* Something is queued. */
static struct heavy *
next_of(struct heavy_queues *queues)
{
	struct heavy_group *group;
	struct heavy *heavy;

	do {
		group = &queues->groups[queues->next];
		queues->next = (queues->next + 1) % HEAVY_GROUPS;
	} while (group->count == 0);
	do {
		heavy = TAILQ_FIRST(&group->clients[group->next]);
		group->next = (group->next + 1) % HEAVY_CLIENTS;
	} while (!heavy);
	return heavy;
}

size_t
heavy_run(struct heavy_queues *queues)
{
	size_t most = queues->count, ran = 0;
	uint64_t begun = most > 0 ? clock_us() : 0;

	while (queues->count > 0 && ran < most) {
		struct heavy *heavy = next_of(queues);

		heavy_remove(queues, heavy);
		ran++;
		heavy->run(heavy->arg); /* may free it */
		if (clock_us() - begun >= HEAVY_TURN_US)
			break;
	}
	return ran;
}
