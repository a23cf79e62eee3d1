/* A table, with a list beside it of those that have no session, the longest silent first. */
#include "relay/recent_peers.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>
#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"

struct recent_peer {
	struct hash_link link;
	TAILQ_ENTRY(recent_peer) age; /* without a session */
	struct prefix prefix;
	uint64_t sessions;
	uint64_t gone_ms; /* since when it has none */
};

struct recent_peers {
	pthread_mutex_t lock;
	struct table table;
	TAILQ_HEAD(, recent_peer) ages;
	size_t gone_count; /* in that list */
	uint8_t key[16];
};

struct recent_peers *
recent_peers_new(void)
{
	struct recent_peers *peers = calloc(1, sizeof *peers);

	if (!peers || !table_init(&peers->table)) {
		free(peers);
		return NULL;
	}
	TAILQ_INIT(&peers->ages);
	pthread_mutex_init(&peers->lock, NULL);
	arc4random_buf(peers->key, sizeof peers->key);
	return peers;
}

/* One that has no session. */
static void
forget(struct recent_peers *peers, struct recent_peer *peer)
{
	table_remove(&peers->table, &peer->link);
	TAILQ_REMOVE(&peers->ages, peer, age);
	peers->gone_count--;
	free(peer);
}

void
recent_peers_free(struct recent_peers *peers)
{
	if (!peers)
		return;
	while (!TAILQ_EMPTY(&peers->ages))
		forget(peers, TAILQ_FIRST(&peers->ages));
	table_wipe(&peers->table);
	pthread_mutex_destroy(&peers->lock);
	free(peers);
}

static bool
has_prefix(const struct hash_link *at, const void *prefix)
{
	return prefix_equals(&container_of(at, const struct recent_peer, link)->prefix, prefix);
}

static struct recent_peer *
find(struct recent_peers *peers, const struct prefix *prefix, uint64_t hash)
{
	struct hash_link *at = table_find(&peers->table, hash, has_prefix, prefix);

	return at ? container_of(at, struct recent_peer, link) : NULL;
}

/* Under the lock. */
static struct recent_peer *
enter(struct recent_peers *peers, const struct prefix *prefix)
{
	uint64_t hash = prefix_hash(prefix, peers->key);
	struct recent_peer *peer = find(peers, prefix, hash);

	if (!peer) {
		peer = calloc(1, sizeof *peer);
		if (!peer)
			return NULL;
		peer->prefix = *prefix;
		table_add(&peers->table, &peer->link, hash);
	} else if (peer->sessions == 0) {
		TAILQ_REMOVE(&peers->ages, peer, age);
		peers->gone_count--;
	}
	peer->sessions++;
	return peer;
}

struct recent_peer *
recent_peers_enter(struct recent_peers *peers, const struct prefix *prefix)
{
	struct recent_peer *peer;

	pthread_mutex_lock(&peers->lock);
	peer = enter(peers, prefix);
	pthread_mutex_unlock(&peers->lock);
	if (!peer)
		memory_short("that agents came from an address, which counts as unknown again");
	return peer;
}

void
recent_peers_leave(struct recent_peers *peers, struct recent_peer *peer)
{
	if (!peer)
		return;
	pthread_mutex_lock(&peers->lock);
	if (--peer->sessions == 0) {
		if (peers->gone_count == RECENT_PEERS_MOST)
			forget(peers, TAILQ_FIRST(&peers->ages));
		peer->gone_ms = clock_ms();
		TAILQ_INSERT_TAIL(&peers->ages, peer, age);
		peers->gone_count++;
	}
	pthread_mutex_unlock(&peers->lock);
}

bool
recent_peers_has(struct recent_peers *peers, const struct prefix *prefix)
{
	uint64_t hash = prefix_hash(prefix, peers->key);
	struct recent_peer *peer;
	bool has;

	pthread_mutex_lock(&peers->lock);
	peer = find(peers, prefix, hash);
	has = peer && (peer->sessions > 0 || clock_ms() - peer->gone_ms < RECENT_PEERS_MS);
	if (peer && !has)
		forget(peers, peer);
	pthread_mutex_unlock(&peers->lock);
	return has;
}

bool
recent_peers_know(struct recent_peers *peers, const struct address *address)
{
	struct prefix block = prefix_block(address, BLOCK_SITE);

	return recent_peers_has(peers, &block);
}

struct heavy_party
recent_peers_party(bool is_known, const struct address *address)
{
	enum { UNKNOWN, KNOWN };

	return heavy_party_of(is_known ? KNOWN : UNKNOWN, address);
}
