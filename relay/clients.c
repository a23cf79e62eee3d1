/* Counts flows, in all and by client, in one table. */
#include "relay/clients.h"

#include <pthread.h>
#include <stdlib.h>
#include "base/hash.h"

struct client {
	struct hash_link link;
	struct prefix prefix;
	uint64_t flows;
};

struct clients {
	pthread_mutex_t lock;
	struct table clients;
	uint64_t flows, most_flows, most_per_client;
	uint8_t key[16];
};

struct clients *
clients_new(uint64_t flows, uint64_t flows_per_client)
{
	struct clients *limits = calloc(1, sizeof *limits);

	if (!limits || !table_init(&limits->clients)) {
		free(limits);
		return NULL;
	}
	pthread_mutex_init(&limits->lock, NULL);
	arc4random_buf(limits->key, sizeof limits->key);
	clients_set(limits, flows, flows_per_client);
	return limits;
}

void
clients_free(struct clients *limits)
{
	if (!limits)
		return;
	table_wipe(&limits->clients);
	pthread_mutex_destroy(&limits->lock);
	free(limits);
}

void
clients_set(struct clients *limits, uint64_t flows, uint64_t flows_per_client)
{
	pthread_mutex_lock(&limits->lock);
	limits->most_flows = flows;
	limits->most_per_client = flows_per_client;
	pthread_mutex_unlock(&limits->lock);
}

static bool
has_prefix(const struct hash_link *at, const void *prefix)
{
	return prefix_equals(&container_of(at, const struct client, link)->prefix, prefix);
}

static struct client *
find(struct clients *limits, const struct prefix *prefix, uint64_t hash)
{
	struct hash_link *at = table_find(&limits->clients, hash, has_prefix, prefix);

	return at ? container_of(at, struct client, link) : NULL;
}

static enum clients_verdict
enter(struct clients *limits, const struct prefix *prefix, uint64_t hash)
{
	struct client *client = find(limits, prefix, hash);

	if (limits->flows >= limits->most_flows)
		return CLIENTS_FLOWS;
	if (client && client->flows >= limits->most_per_client)
		return CLIENTS_FLOWS_PER_CLIENT;
	if (!client) {
		client = calloc(1, sizeof *client);
		if (!client)
			return CLIENTS_MEMORY;
		client->prefix = *prefix;
		table_add(&limits->clients, &client->link, hash);
	}
	client->flows++;
	limits->flows++;
	return CLIENTS_OK;
}

enum clients_verdict
clients_enter(struct clients *limits, const struct address *address)
{
	struct prefix prefix = prefix_block(address, BLOCK_HOST);
	uint64_t hash = prefix_hash(&prefix, limits->key);
	enum clients_verdict verdict;

	pthread_mutex_lock(&limits->lock);
	verdict = enter(limits, &prefix, hash);
	pthread_mutex_unlock(&limits->lock);
	return verdict;
}

void
clients_leave(struct clients *limits, const struct address *address)
{
	struct prefix prefix = prefix_block(address, BLOCK_HOST);
	uint64_t hash = prefix_hash(&prefix, limits->key);
	struct client *client;

	pthread_mutex_lock(&limits->lock);
	client = find(limits, &prefix, hash);
	limits->flows--;
	if (--client->flows == 0) {
		table_remove(&limits->clients, &client->link);
		free(client);
	}
	pthread_mutex_unlock(&limits->lock);
}

uint64_t
clients_flows(struct clients *limits)
{
	uint64_t flows;

	pthread_mutex_lock(&limits->lock);
	flows = limits->flows;
	pthread_mutex_unlock(&limits->lock);
	return flows;
}

const char *
clients_trouble(enum clients_verdict verdict)
{
	static const char *const troubles[] = {
		[CLIENTS_OK] = "",
		[CLIENTS_FLOWS] = "limits.flows is reached",
		[CLIENTS_FLOWS_PER_CLIENT] = "limits.flows_per_client is reached",
		[CLIENTS_MEMORY] = "memory is short",
	};

	return troubles[verdict];
}
