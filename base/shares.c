/*
 * Three levels: a few owners, in each owner its networks in a ranking, in
 * each network a ring of its hosts, and in each host a ring of its places, oldest
 * first.  Networks and hosts lie densely in two tables and are moved when one is
 * removed, so places remember keys and not indices.
 */
#include "base/shares.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include "base/dense_table.h"
#include "base/numbers.h"
#include "base/ranking.h"

/* Hosts looked at for the heaviest, steps that one moves for each unit of a change and at most, evictions
 * for one newcomer. */
enum { LOOKED_AT = 16, STEPS = 4, STEPS_MOST = 64, EVICTIONS_MOST = 16 };

/* How many different functions may be told of evictions from one set of shares. */
enum { HANDLERS = 8 };

struct shares_owner {
	uint32_t weight;
	struct ranking networks;
};

struct shares_network {
	struct dense_link link; /* key: the owner's number and the 48 bits of the block */
	struct rank rank;       /* by weight */
	uint32_t hosts;         /* the ring's first, roughly the heaviest */
};

/* The owner is that of its places, so that it needs no room here. */
struct shares_host {
	struct dense_link link; /* key: the 64 bits of the block */
	uint32_t weight;
	struct shares_place *places; /* the oldest; never NULL */
	uint32_t before, after;      /* in the network's ring */
};
_Static_assert(sizeof(struct shares_host) == 32, "a million of them are 32 MB");
_Static_assert(sizeof(struct shares_network) == 28, "the same");

/* Every flow has one, so it is small. */
struct shares_place {
	union {
		struct { /* while it is in */
			struct shares_place *older, *newer;
			uint64_t block; /* the key of its host */
		};
		struct call eviction; /* then, called once at most */
	};
	struct shares *shares;
	struct loop *loop;
	void *arg;
	uint32_t weight;
	uint8_t owner, handler;
	bool is_in; /* under the lock; false: the eviction is under way or has run */
	/* Both belong to the place's own thread, and nobody else looks at what is delivered. */
	bool left : 1, delivered : 1;
};
_Static_assert(sizeof(struct shares_place) == 56, "64 with what malloc() adds");

struct shares {
	pthread_mutex_t lock;
	enum shares_leaver leaver;
	struct shares_bounds bounds;
	void (*on_evict[HANDLERS])(void *arg); /* as they came; the places have their numbers */
	uint64_t count, weight, evicted;
	struct array owners; /* of struct shares_owner, by number */
	unsigned owner_count;
	struct dense_table networks, hosts;
};

struct shares *
shares_new(enum shares_leaver leaver)
{
	struct shares *shares = calloc(1, sizeof *shares);

	if (!shares)
		return NULL;
	pthread_mutex_init(&shares->lock, NULL);
	shares->leaver = leaver;
	array_init(&shares->owners, sizeof(struct shares_owner));
	dense_table_init(&shares->networks, sizeof(struct shares_network));
	dense_table_init(&shares->hosts, sizeof(struct shares_host));
	return shares;
}

static struct shares_owner *
owner_at(const struct shares *shares, unsigned number)
{
	return array_at(&shares->owners, number);
}

static struct shares_network *
network_at(const struct shares *shares, uint32_t index)
{
	return dense_table_at(&shares->networks, index);
}

static struct shares_host *
host_at(const struct shares *shares, uint32_t index)
{
	return dense_table_at(&shares->hosts, index);
}

void
shares_free(struct shares *shares)
{
	if (!shares)
		return;
	for (unsigned i = 0; i < shares->owner_count; i++)
		ranking_wipe(&owner_at(shares, i)->networks);
	array_wipe(&shares->owners);
	dense_table_wipe(&shares->networks);
	dense_table_wipe(&shares->hosts);
	pthread_mutex_destroy(&shares->lock);
	free(shares);
}

void
shares_set_bounds(struct shares *shares, const struct shares_bounds *bounds)
{
	pthread_mutex_lock(&shares->lock);
	shares->bounds = *bounds;
	pthread_mutex_unlock(&shares->lock);
}

/* ---- keys ---- */

/* What is not IPv6 gets the keys of a multicast block, from which no client comes. */
static const uint64_t not_ipv6 = UINT64_C(0xff00) << 48;

static uint64_t
block_of(const struct address *client)
{
	struct prefix host = prefix_block(client, BLOCK_HOST);
	uint64_t block = 0;

	for (int i = 0; i < 8; i++)
		block = block << 8 | host.bytes[i];
	if (host.family == AF_INET6)
		return block;
	return not_ipv6 | (host.family == AF_INET ? block >> 32 : UINT64_C(1) << 32);
}

/* A /24 and a /48 in 48 bits, below the owner. */
static uint64_t
network_key(uint64_t block, uint8_t owner)
{
	uint64_t network = block >> 33 == not_ipv6 >> 33
	    ? not_ipv6 >> 16 | (block & UINT64_C(0x1ffffffff)) >> 8
	    : block >> 16;

	return (uint64_t)owner << 48 | network;
}

static uint32_t
find_network(const struct shares *shares, uint64_t block, uint8_t owner)
{
	return dense_table_first(&shares->networks, network_key(block, owner));
}

static uint32_t
find_host(const struct shares *shares, uint64_t block, uint8_t owner)
{
	uint32_t index = dense_table_first(&shares->hosts, block);

	while (index != 0 && host_at(shares, index)->places->owner != owner)
		index = dense_table_next(&shares->hosts, index);
	return index;
}

/* ---- the ring of a network's hosts ---- */

/* Puts a host before another; the one that is first in the network stays so. */
static void
ring_insert(struct shares *shares, uint32_t index, uint32_t behind)
{
	struct shares_host *host = host_at(shares, index);

	host->after = behind;
	host->before = host_at(shares, behind)->before;
	host_at(shares, host->before)->after = index;
	host_at(shares, behind)->before = index;
}

static void
ring_remove(struct shares *shares, struct shares_network *network, uint32_t index)
{
	const struct shares_host *host = host_at(shares, index);

	host_at(shares, host->before)->after = host->after;
	host_at(shares, host->after)->before = host->before;
	if (network->hosts == index)
		network->hosts = host->after != index ? host->after : 0;
}

static void
ring_add(struct shares *shares, struct shares_network *network, uint32_t index)
{
	struct shares_host *host = host_at(shares, index);

	if (network->hosts == 0)
		network->hosts = host->before = host->after = index;
	else
		ring_insert(shares, index, network->hosts);
}

static int
steps_for(uint32_t change)
{
	return (int)smaller_of((uint64_t)STEPS * change, STEPS_MOST);
}

static void
climb(struct shares *shares, struct shares_network *network, uint32_t index, int steps)
{
	uint32_t weight = host_at(shares, index)->weight, above = index;

	for (int i = 0; i < steps && above != network->hosts; i++) {
		uint32_t next = host_at(shares, above)->before;

		if (host_at(shares, next)->weight >= weight)
			break;
		above = next;
	}
	if (above == index)
		return;
	ring_remove(shares, network, index);
	ring_insert(shares, index, above);
	if (network->hosts == above)
		network->hosts = index;
}

static void
descend(struct shares *shares, struct shares_network *network, uint32_t index, int steps)
{
	uint32_t weight = host_at(shares, index)->weight, below = host_at(shares, index)->after;

	for (int i = 0; i < steps && below != network->hosts; i++) {
		if (host_at(shares, below)->weight <= weight)
			break;
		below = host_at(shares, below)->after;
	}
	if (below == host_at(shares, index)->after)
		return;
	ring_remove(shares, network, index);
	ring_insert(shares, index, below != index ? below : network->hosts);
}

static uint32_t
heaviest_host(const struct shares *shares, const struct shares_network *network)
{
	uint32_t heaviest = network->hosts, at = network->hosts;

	for (int i = 1; i < LOOKED_AT; i++) {
		at = host_at(shares, at)->after;
		if (at == network->hosts)
			break;
		if (host_at(shares, at)->weight > host_at(shares, heaviest)->weight)
			heaviest = at;
	}
	return heaviest;
}

/* ---- in and out ---- */

static bool
reserve_owner(struct shares *shares, uint8_t owner)
{
	if (!array_reserve(&shares->owners, (size_t)owner + 1))
		return false;
	for (; shares->owner_count <= owner; shares->owner_count++)
		ranking_init(&owner_at(shares, shares->owner_count)->networks,
		    &shares->networks.items, offsetof(struct shares_network, rank));
	return true;
}

/* All memory that so much more weight may need there, so that it cannot fail half-way; network 0: there
 * is none yet. */
static bool
reserve_weight(struct shares *shares, uint32_t network, uint8_t owner, uint32_t more)
{
	uint32_t weight = network ? network_at(shares, network)->rank.count : 0;

	return shares->weight + more < UINT32_MAX &&
	    ranking_reserve(&owner_at(shares, owner)->networks, weight + more);
}

/* The same for one more place. */
static bool
reserve(struct shares *shares, uint32_t network, uint8_t owner)
{
	return reserve_owner(shares, owner) && dense_table_reserve(&shares->networks) &&
	    dense_table_reserve(&shares->hosts) && reserve_weight(shares, network, owner, 1);
}

/* Where a place is weighed, beside its owner. */
struct scales {
	uint32_t network, host;
};

static struct scales
scales_of(const struct shares *shares, const struct shares_place *place)
{
	return (struct scales){ find_network(shares, place->block, place->owner),
		find_host(shares, place->block, place->owner) };
}

static void
raise_weight(struct shares *shares, struct shares_place *place, struct scales at, uint32_t by)
{
	place->weight += by;
	host_at(shares, at.host)->weight += by;
	climb(shares, network_at(shares, at.network), at.host, steps_for(by));
	ranking_raise(&owner_at(shares, place->owner)->networks, at.network, by);
	owner_at(shares, place->owner)->weight += by;
	shares->weight += by;
}

static void
lower_weight(struct shares *shares, struct shares_place *place, struct scales at, uint32_t by)
{
	place->weight -= by;
	host_at(shares, at.host)->weight -= by;
	descend(shares, network_at(shares, at.network), at.host, steps_for(by));
	ranking_lower(&owner_at(shares, place->owner)->networks, at.network, by);
	owner_at(shares, place->owner)->weight -= by;
	shares->weight -= by;
}

static uint32_t
join_host(struct shares *shares, struct shares_network *network, struct shares_place *place)
{
	uint32_t index = find_host(shares, place->block, place->owner);
	struct shares_host *host;

	if (index == 0) {
		index = dense_table_add(&shares->hosts, place->block);
		host = host_at(shares, index);
		host->places = place->older = place->newer = place;
		ring_add(shares, network, index);
	} else {
		host = host_at(shares, index);
		place->newer = host->places;
		place->older = host->places->older;
		place->older->newer = place;
		host->places->older = place;
	}
	return index;
}

static void
add(struct shares *shares, struct shares_place *place, uint32_t network)
{
	struct scales at = { .network = network };

	if (at.network == 0)
		at.network =
		    dense_table_add(&shares->networks, network_key(place->block, place->owner));
	at.host = join_host(shares, network_at(shares, at.network), place);
	raise_weight(shares, place, at, 1);
	shares->count++;
	place->is_in = true;
}

/* A host has been moved in its table. */
static void
mend_host(struct shares *shares, uint32_t from, uint32_t to)
{
	struct shares_host *host = host_at(shares, to);
	struct shares_network *network =
	    network_at(shares, find_network(shares, host->places->block, host->places->owner));

	if (host->after == from)
		host->after = host->before = to;
	host_at(shares, host->before)->after = to;
	host_at(shares, host->after)->before = to;
	if (network->hosts == from)
		network->hosts = to;
}

static void
remove_host(struct shares *shares, struct shares_network *network, uint32_t index)
{
	uint32_t from;

	ring_remove(shares, network, index);
	from = dense_table_remove(&shares->hosts, index);
	if (from != 0)
		mend_host(shares, from, index);
}

static void
leave_host(struct shares *shares, struct scales at, struct shares_place *place)
{
	struct shares_host *host = host_at(shares, at.host);

	place->older->newer = place->newer;
	place->newer->older = place->older;
	if (place->newer == place)
		remove_host(shares, network_at(shares, at.network), at.host);
	else if (host->places == place)
		host->places = place->newer;
}

static void
remove_network(struct shares *shares, uint32_t index)
{
	uint32_t from = dense_table_remove(&shares->networks, index);
	uint64_t key;

	if (from == 0)
		return;
	key = dense_table_key(&network_at(shares, index)->link);
	ranking_moved(&owner_at(shares, (unsigned)(key >> 48))->networks, from, index);
}

static void
take_out(struct shares *shares, struct shares_place *place)
{
	struct scales at = scales_of(shares, place);

	place->is_in = false;
	lower_weight(shares, place, at, place->weight);
	leave_host(shares, at, place);
	if (network_at(shares, at.network)->rank.count == 0)
		remove_network(shares, at.network);
	shares->count--;
}

/* ---- who leaves ---- */

/* In the place's own thread, so `left` cannot change meanwhile. */
static void
evict(void *data)
{
	struct shares_place *place = data;

	place->delivered = true;
	if (place->left)
		free(place);
	else
		place->shares->on_evict[place->handler](place->arg);
}

static void
send_away(struct shares *shares, struct shares_place *place)
{
	take_out(shares, place);
	shares->evicted++;
	loop_call(place->loop, &place->eviction, evict, place);
}

/* The item that has most in a ranking, and of several the preferred one; 0 when the ranking is empty. */
static uint32_t
top_or(const struct ranking *ranking, uint32_t preferred)
{
	return preferred && ranking_at(ranking, preferred)->count >= ranking->most
	    ? preferred
	    : ranking_top(ranking);
}

static uint32_t
heaviest_host_or(
    const struct shares *shares, const struct shares_network *network, uint32_t preferred)
{
	uint32_t heaviest = heaviest_host(shares, network);

	return preferred && host_at(shares, preferred)->weight >= host_at(shares, heaviest)->weight
	    ? preferred
	    : heaviest;
}

static struct shares_place *
leaver_of(const struct shares *shares, uint32_t host)
{
	struct shares_place *oldest = host_at(shares, host)->places;

	return shares->leaver == SHARES_NEWEST ? oldest->older : oldest;
}

static unsigned
heaviest_owner_or(const struct shares *shares, unsigned preferred)
{
	unsigned heaviest = preferred;

	for (unsigned i = 0; i < shares->owner_count; i++) {
		if (owner_at(shares, i)->weight > owner_at(shares, heaviest)->weight)
			heaviest = i;
	}
	return heaviest;
}

/* Where the newest leave, the newcomer's own block pays if it is one of the heaviest. */
static struct shares_place *
choose(const struct shares *shares, const struct shares_place *newcomer)
{
	unsigned owner = heaviest_owner_or(shares, newcomer->owner);
	bool own = shares->leaver == SHARES_NEWEST && owner == newcomer->owner;
	uint32_t own_network = find_network(shares, newcomer->block, newcomer->owner);
	uint32_t network = top_or(&owner_at(shares, owner)->networks, own ? own_network : 0);
	uint32_t host =
	    own && network == own_network ? find_host(shares, newcomer->block, newcomer->owner) : 0;

	return leaver_of(shares, heaviest_host_or(shares, network_at(shares, network), host));
}

static bool
is_too_full(const struct shares *shares)
{
	uint64_t most = shares->bounds.most;

	return most > 0 && shares->weight > most && shares->count > 1;
}

/* False: it is `newcomer` itself that must leave. */
static bool
make_room(struct shares *shares, struct shares_place *newcomer)
{
	int left = shares->leaver == SHARES_NEWEST ? 1 : EVICTIONS_MOST;

	for (; left > 0 && is_too_full(shares); left--) {
		struct shares_place *place = choose(shares, newcomer);

		if (place == newcomer)
			return false;
		send_away(shares, place);
	}
	return true;
}

/* The same for the client's own bound. */
static bool
make_room_of_client(struct shares *shares, struct shares_place *newcomer)
{
	uint64_t most = shares->bounds.most_per_client;
	struct shares_place *place;
	uint32_t host;

	if (most == 0)
		return true;
	host = find_host(shares, newcomer->block, newcomer->owner);
	if (host_at(shares, host)->weight <= most)
		return true;
	place = leaver_of(shares, host);
	if (place != newcomer)
		send_away(shares, place);
	return place != newcomer;
}

static uint8_t
number_of(struct shares *shares, void (*on_evict)(void *arg))
{
	uint8_t number = 0;

	while (shares->on_evict[number] && shares->on_evict[number] != on_evict) {
		number++;
		assert(number < HANDLERS);
	}
	if (!shares->on_evict[number])
		shares->on_evict[number] = on_evict;
	return number;
}

static enum shares_verdict
enter(struct shares *shares, struct shares_place *place, void (*on_evict)(void *arg))
{
	uint32_t network = find_network(shares, place->block, place->owner);

	if (!reserve(shares, network, place->owner))
		return SHARES_MEMORY;
	place->handler = number_of(shares, on_evict);
	add(shares, place, network);
	if (!make_room_of_client(shares, place))
		return SHARES_CLIENT_FULL;
	/* After a bound was lowered, the newcomer may be the oldest of those with most. */
	if (make_room(shares, place) || shares->leaver == SHARES_OLDEST)
		return SHARES_IN;
	return SHARES_FULL;
}

static enum shares_verdict
enter_or_not(struct shares *shares, struct shares_place *place, void (*on_evict)(void *arg))
{
	enum shares_verdict verdict;

	pthread_mutex_lock(&shares->lock);
	verdict = enter(shares, place, on_evict);
	if (verdict != SHARES_IN && place->is_in)
		take_out(shares, place);
	pthread_mutex_unlock(&shares->lock);
	return verdict;
}

struct shares_place *
shares_enter(
    struct shares *shares, const struct shares_entrant *entrant, enum shares_verdict *verdict)
{
	struct shares_place *place = calloc(1, sizeof *place);

	*verdict = SHARES_MEMORY;
	if (!place)
		return NULL;
	*place = (struct shares_place){ .shares = shares,
		.loop = entrant->loop,
		.arg = entrant->arg,
		.block = block_of(entrant->client),
		.owner = entrant->owner };
	*verdict = enter_or_not(shares, place, entrant->on_evict);
	if (*verdict == SHARES_IN)
		return place;
	free(place);
	return NULL;
}

static void
weigh(struct shares *shares, struct shares_place *place, uint32_t weight)
{
	struct scales at = scales_of(shares, place);
	uint32_t before = place->weight;

	if (weight < before)
		lower_weight(shares, place, at, before - weight);
	else if (weight > before &&
	    reserve_weight(shares, at.network, place->owner, weight - before))
		raise_weight(shares, place, at, weight - before);
}

void
shares_weigh(struct shares_place *place, uint32_t weight)
{
	struct shares *shares = place->shares;

	assert(weight > 0);
	pthread_mutex_lock(&shares->lock);
	if (place->is_in) {
		weigh(shares, place, (uint32_t)smaller_of(weight, SHARES_WEIGHT_MOST));
		if (!make_room(shares, place))
			send_away(shares, place);
	}
	pthread_mutex_unlock(&shares->lock);
}

void
shares_leave(struct shares_place *place)
{
	struct shares *shares;
	bool gone;

	if (!place)
		return;
	shares = place->shares;
	pthread_mutex_lock(&shares->lock);
	gone = place->is_in || place->delivered;
	if (place->is_in)
		take_out(shares, place);
	place->left = true;
	pthread_mutex_unlock(&shares->lock);
	if (gone)
		free(place);
}

struct shares_load
shares_load(struct shares *shares)
{
	struct shares_load load;

	pthread_mutex_lock(&shares->lock);
	load = (struct shares_load){ .count = shares->count,
		.weight = shares->weight,
		.most = shares->bounds.most,
		.evicted = shares->evicted };
	pthread_mutex_unlock(&shares->lock);
	return load;
}

uint64_t
shares_count(struct shares *shares)
{
	uint64_t count;

	pthread_mutex_lock(&shares->lock);
	count = shares->count;
	pthread_mutex_unlock(&shares->lock);
	return count;
}

size_t
shares_memory(struct shares *shares)
{
	size_t bytes;

	pthread_mutex_lock(&shares->lock);
	bytes = sizeof *shares + array_bytes(&shares->owners) +
	    dense_table_bytes(&shares->networks) + dense_table_bytes(&shares->hosts);
	for (unsigned i = 0; i < shares->owner_count; i++)
		bytes += array_bytes(&owner_at(shares, i)->networks.levels);
	pthread_mutex_unlock(&shares->lock);
	return bytes;
}
