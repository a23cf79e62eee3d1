/* Remembers blocks in a table; those that have no session are in the lists of tenants, too. */
#include "relay/recent_peers.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "pki/identity.h"
#include "relay/tenant_lists.h"

struct recent_peer {
	struct hash_link link;
	struct tenant_item gone; /* while it has no session: of the tenant whose agent came last */
	struct prefix prefix;
	uint8_t tenant_key[IDENTITY_KEY_BYTES];
	uint64_t sessions;
	uint64_t gone_ms; /* since when it has none */
};

struct recent_peers {
	pthread_mutex_t lock;
	struct table table;
	struct tenant_lists gone;
	uint8_t key[16];
};

struct recent_peers *
recent_peers_new(void)
{
	struct recent_peers *peers = calloc(1, sizeof *peers);

	if (!peers)
		return NULL;
	if (!table_init(&peers->table) || !tenant_lists_init(&peers->gone)) {
		table_wipe(&peers->table);
		free(peers);
		return NULL;
	}
	pthread_mutex_init(&peers->lock, NULL);
	arc4random_buf(peers->key, sizeof peers->key);
	return peers;
}

/* NULL of NULL. */
static struct recent_peer *
peer_at(struct tenant_item *item)
{
	return item ? container_of(item, struct recent_peer, gone) : NULL;
}

static void
forget(struct recent_peers *peers, struct recent_peer *peer)
{
	tenant_lists_remove(&peers->gone, &peer->gone);
	table_remove(&peers->table, &peer->link);
	free(peer);
}

void
recent_peers_free(struct recent_peers *peers)
{
	struct recent_peer *peer;

	if (!peers)
		return;
	while ((peer = peer_at(tenant_lists_oldest(&peers->gone))))
		forget(peers, peer);
	table_wipe(&peers->table);
	tenant_lists_wipe(&peers->gone);
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
enter(struct recent_peers *peers, const struct prefix *prefix, const uint8_t *tenant_key)
{
	uint64_t hash = prefix_hash(prefix, peers->key);
	struct recent_peer *peer = find(peers, prefix, hash);

	if (!peer) {
		peer = calloc(1, sizeof *peer);
		if (!peer)
			return NULL;
		peer->prefix = *prefix;
		table_add(&peers->table, &peer->link, hash);
	}
	tenant_lists_remove(&peers->gone, &peer->gone);
	memcpy(peer->tenant_key, tenant_key, IDENTITY_KEY_BYTES);
	peer->sessions++;
	return peer;
}

struct recent_peer *
recent_peers_enter(
    struct recent_peers *peers, const struct prefix *prefix, const uint8_t *tenant_key)
{
	struct recent_peer *peer;

	pthread_mutex_lock(&peers->lock);
	peer = enter(peers, prefix, tenant_key);
	pthread_mutex_unlock(&peers->lock);
	if (!peer)
		memory_short("that agents came from an address, which counts as unknown again");
	return peer;
}

static bool
is_known(const struct recent_peer *peer)
{
	return peer->sessions > 0 || clock_ms() - peer->gone_ms < RECENT_PEERS_MS;
}

/* What is too old, and what is too much: who has most loses his oldest. */
static void
tidy(struct recent_peers *peers)
{
	struct recent_peer *peer;

	while ((peer = peer_at(tenant_lists_oldest(&peers->gone))) && !is_known(peer))
		forget(peers, peer);
	while ((peer = peer_at(tenant_lists_surplus(&peers->gone, RECENT_PEERS_MOST))))
		forget(peers, peer);
}

/* Its last session has ended; false when memory is short. */
static bool
put_in(struct recent_peers *peers, struct recent_peer *peer)
{
	if (!tenant_lists_add(&peers->gone, &peer->gone, peer->tenant_key))
		return false;
	peer->gone_ms = clock_ms();
	tidy(peers);
	return true;
}

void
recent_peers_leave(struct recent_peers *peers, struct recent_peer *peer)
{
	bool is_kept = true;

	if (!peer)
		return;
	pthread_mutex_lock(&peers->lock);
	if (--peer->sessions == 0 && !(is_kept = put_in(peers, peer)))
		forget(peers, peer);
	pthread_mutex_unlock(&peers->lock);
	if (!is_kept)
		memory_short("that agents came from an address, which counts as unknown again");
}

bool
recent_peers_has(struct recent_peers *peers, const struct prefix *prefix)
{
	uint64_t hash = prefix_hash(prefix, peers->key);
	struct recent_peer *peer;
	bool has;

	pthread_mutex_lock(&peers->lock);
	peer = find(peers, prefix, hash);
	has = peer && is_known(peer);
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
