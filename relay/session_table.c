/* Finds sessions by either of two keys: two hash tables share one kind of entry. */
#include "relay/session_table.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/memory.h"
#include "pki/identity.h"
#include "tunnel/session.h"

enum { TWIN_BYTES = IDENTITY_KEY_BYTES + INSTANCE_BYTES };

struct session_entry {
	struct hash_link by_channel, by_twin;
	struct session_ref *session_ref;
	struct secret key;
	char channel[CHANNEL_IDENTITY];
	uint8_t twin[TWIN_BYTES];
};

struct session_table {
	pthread_mutex_t lock;
	struct table channels, twins;
};

struct session_table *
session_table_new(void)
{
	struct session_table *table = calloc(1, sizeof *table);

	if (!table || !table_init(&table->channels)) {
		free(table);
		return NULL;
	}
	if (!table_init(&table->twins)) {
		table_wipe(&table->channels);
		free(table);
		return NULL;
	}
	pthread_mutex_init(&table->lock, NULL);
	return table;
}

void
session_table_free(struct session_table *table)
{
	if (!table)
		return;
	table_wipe(&table->channels);
	table_wipe(&table->twins);
	pthread_mutex_destroy(&table->lock);
	free(table);
}

static void
twin_of(uint8_t twin[TWIN_BYTES], const uint8_t *key, const uint8_t *instance)
{
	memcpy(twin, key, IDENTITY_KEY_BYTES);
	memcpy(twin + IDENTITY_KEY_BYTES, instance, INSTANCE_BYTES);
}

static void
entry_free(struct session_entry *entry)
{
	secret_wipe(&entry->key);
	session_ref_release(entry->session_ref);
	free(entry);
}

bool
session_table_add(struct session_table *table, struct session_ref *ref, const struct secret *key)
{
	struct session_entry *entry = calloc(1, sizeof *entry);

	if (!entry)
		return false;
	entry->session_ref = session_ref_hold(ref);
	channel_identity(session_ref_session_id(ref), entry->channel);
	twin_of(entry->twin, identity_key(session_ref_identity(ref)), session_ref_instance(ref));
	if (!secret_init(&entry->key, key->data, key->bytes)) {
		entry_free(entry);
		return false;
	}
	pthread_mutex_lock(&table->lock);
	table_add(&table->channels, &entry->by_channel,
	    table_hash(&table->channels, entry->channel, strlen(entry->channel)));
	table_add(
	    &table->twins, &entry->by_twin, table_hash(&table->twins, entry->twin, TWIN_BYTES));
	pthread_mutex_unlock(&table->lock);
	return true;
}

static bool
has_channel(const struct hash_link *at, const void *channel)
{
	return strcmp(container_of(at, const struct session_entry, by_channel)->channel, channel) ==
	    0;
}

/* Under the lock. */
static struct session_entry *
entry_by_channel(struct session_table *table, const char *channel)
{
	uint64_t hash = table_hash(&table->channels, channel, strlen(channel));
	struct hash_link *at = table_find(&table->channels, hash, has_channel, channel);

	return at ? container_of(at, struct session_entry, by_channel) : NULL;
}

size_t
session_table_count(struct session_table *table)
{
	size_t count;

	pthread_mutex_lock(&table->lock);
	count = table->channels.count;
	pthread_mutex_unlock(&table->lock);
	return count;
}

void
session_table_remove(struct session_table *table, struct session_ref *ref)
{
	char channel[CHANNEL_IDENTITY];
	struct session_entry *entry;

	channel_identity(session_ref_session_id(ref), channel);
	pthread_mutex_lock(&table->lock);
	entry = entry_by_channel(table, channel);
	if (entry) {
		table_remove(&table->channels, &entry->by_channel);
		table_remove(&table->twins, &entry->by_twin);
	}
	pthread_mutex_unlock(&table->lock);
	if (entry)
		entry_free(entry);
}

struct session_ref *
session_table_find_twin(struct session_table *table, const uint8_t *key, const uint8_t *instance,
    const uint8_t *start, const struct session_ref *except)
{
	struct session_ref *found = NULL;
	uint8_t twin[TWIN_BYTES];
	struct hash_link *at;

	twin_of(twin, key, instance);
	pthread_mutex_lock(&table->lock);
	at = table_first(&table->twins, table_hash(&table->twins, twin, TWIN_BYTES));
	for (; at; at = table_next(at)) {
		struct session_entry *entry = container_of(at, struct session_entry, by_twin);

		if (entry->session_ref == except || memcmp(entry->twin, twin, TWIN_BYTES) != 0)
			continue;
		if (!found || session_ref_has_place(entry->session_ref))
			found = entry->session_ref;
		if (memcmp(session_ref_start(entry->session_ref), start, START_BYTES) != 0)
			continue;
		found = entry->session_ref;
		break;
	}
	if (found)
		session_ref_hold(found);
	pthread_mutex_unlock(&table->lock);
	return found;
}

struct session_ref *
session_table_find_channel(struct session_table *table, const char *channel)
{
	struct session_ref *ref = NULL;
	struct session_entry *entry;

	pthread_mutex_lock(&table->lock);
	entry = entry_by_channel(table, channel);
	if (entry)
		ref = session_ref_hold(entry->session_ref);
	pthread_mutex_unlock(&table->lock);
	return ref;
}

bool
session_table_find_key(void *arg, const char *channel, struct secret *key)
{
	struct session_table *table = arg;
	struct session_entry *entry;
	bool found;

	pthread_mutex_lock(&table->lock);
	entry = entry_by_channel(table, channel);
	found = entry && secret_init(key, entry->key.data, entry->key.bytes);
	pthread_mutex_unlock(&table->lock);
	if (entry && !found)
		memory_short("the key of a channel, which is refused");
	return found;
}
