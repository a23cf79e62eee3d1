/* A table, with two lists beside it of those that have no session, both by age: of all and of one tenant. */
#include "relay/recent_peers.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include "base/clock.h"
#include "base/hash.h"
#include "base/heap.h"
#include "base/memory.h"
#include "pki/identity.h"

TAILQ_HEAD(recent_peer_list, recent_peer); /* the longest silent first */

/* Whose agent came last from blocks that have no session; gone with the last of them. */
struct recent_tenant {
	struct hash_link link;
	struct heap_node by_count;
	uint8_t key[IDENTITY_KEY_BYTES];
	struct recent_peer_list gone;
	size_t count;
};

struct recent_peer {
	struct hash_link link;
	TAILQ_ENTRY(recent_peer) by_age, of_tenant; /* without a session */
	struct recent_tenant *tenant;               /* the same; NULL: it has one */
	struct prefix prefix;
	uint8_t tenant_key[IDENTITY_KEY_BYTES];
	uint64_t sessions;
	uint64_t gone_ms; /* since when it has none */
};

struct recent_peers {
	pthread_mutex_t lock;
	struct table table, tenants;
	struct heap tenants_by_count;
	struct recent_peer_list gone;
	size_t gone_count; /* in that list */
	uint8_t key[16];
};

static struct recent_tenant *
tenant_at(const struct heap_node *node)
{
	return container_of(node, struct recent_tenant, by_count);
}

static bool
has_more(const struct heap_node *a, const struct heap_node *b)
{
	return tenant_at(a)->count > tenant_at(b)->count;
}

struct recent_peers *
recent_peers_new(void)
{
	struct recent_peers *peers = calloc(1, sizeof *peers);

	if (!peers)
		return NULL;
	if (!table_init(&peers->table) || !table_init(&peers->tenants)) {
		table_wipe(&peers->table);
		free(peers);
		return NULL;
	}
	TAILQ_INIT(&peers->gone);
	heap_init(&peers->tenants_by_count, has_more);
	pthread_mutex_init(&peers->lock, NULL);
	arc4random_buf(peers->key, sizeof peers->key);
	return peers;
}

static bool
is_of(const struct hash_link *at, const void *key)
{
	return memcmp(container_of(at, const struct recent_tenant, link)->key, key,
		   IDENTITY_KEY_BYTES) == 0;
}

/* NULL when memory is short. */
static struct recent_tenant *
tenant_want(struct recent_peers *peers, const uint8_t *key)
{
	uint64_t hash = table_hash(&peers->tenants, key, IDENTITY_KEY_BYTES);
	struct hash_link *at = table_find(&peers->tenants, hash, is_of, key);
	struct recent_tenant *tenant;

	if (at)
		return container_of(at, struct recent_tenant, link);
	tenant = calloc(1, sizeof *tenant);
	if (!tenant)
		return NULL;
	memcpy(tenant->key, key, IDENTITY_KEY_BYTES);
	TAILQ_INIT(&tenant->gone);
	table_add(&peers->tenants, &tenant->link, hash);
	return tenant;
}

/* It has so many blocks now, and is gone when that is none. */
static void
tenant_recount(struct recent_peers *peers, struct recent_tenant *tenant, size_t count)
{
	if (tenant->count > 0)
		heap_remove(&peers->tenants_by_count, &tenant->by_count);
	peers->gone_count += count - tenant->count;
	tenant->count = count;
	if (count > 0) {
		heap_add(&peers->tenants_by_count, &tenant->by_count);
		return;
	}
	table_remove(&peers->tenants, &tenant->link);
	free(tenant);
}

/* From the lists; harmless when it has a session. */
static void
take_out(struct recent_peers *peers, struct recent_peer *peer)
{
	struct recent_tenant *tenant = peer->tenant;

	if (!tenant)
		return;
	peer->tenant = NULL;
	TAILQ_REMOVE(&peers->gone, peer, by_age);
	TAILQ_REMOVE(&tenant->gone, peer, of_tenant);
	tenant_recount(peers, tenant, tenant->count - 1);
}

static void
forget(struct recent_peers *peers, struct recent_peer *peer)
{
	take_out(peers, peer);
	table_remove(&peers->table, &peer->link);
	free(peer);
}

void
recent_peers_free(struct recent_peers *peers)
{
	if (!peers)
		return;
	while (!TAILQ_EMPTY(&peers->gone))
		forget(peers, TAILQ_FIRST(&peers->gone));
	table_wipe(&peers->table);
	table_wipe(&peers->tenants);
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
	take_out(peers, peer);
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
	struct recent_peer *oldest;

	while ((oldest = TAILQ_FIRST(&peers->gone)) && !is_known(oldest))
		forget(peers, oldest);
	while (peers->gone_count > RECENT_PEERS_MOST)
		forget(peers, TAILQ_FIRST(&tenant_at(peers->tenants_by_count.first)->gone));
}

/* Its last session has ended; false when memory is short. */
static bool
put_in(struct recent_peers *peers, struct recent_peer *peer)
{
	struct recent_tenant *tenant = tenant_want(peers, peer->tenant_key);

	if (!tenant)
		return false;
	peer->tenant = tenant;
	peer->gone_ms = clock_ms();
	TAILQ_INSERT_TAIL(&peers->gone, peer, by_age);
	TAILQ_INSERT_TAIL(&tenant->gone, peer, of_tenant);
	tenant_recount(peers, tenant, tenant->count + 1);
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
