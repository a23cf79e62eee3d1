/* Counts by names, the least recently used of which leave. */
#include "base/name_counts.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include "base/hash.h"
#include "base/memory.h"

struct entry {
	struct hash_link link;
	TAILQ_ENTRY(entry) order;
	struct name_count count;
	char name[];
};

struct name_counts {
	pthread_mutex_t lock;
	struct table names;
	TAILQ_HEAD(entries, entry) entries; /* the most recently used first */
	size_t name_bytes;                  /* of all, with their end marks */
};

struct name_counts *
name_counts_new(void)
{
	struct name_counts *counts = calloc(1, sizeof *counts);

	if (!counts || !table_init(&counts->names)) {
		free(counts);
		return NULL;
	}
	TAILQ_INIT(&counts->entries);
	pthread_mutex_init(&counts->lock, NULL);
	return counts;
}

static void
drop(struct name_counts *counts, struct entry *entry)
{
	table_remove(&counts->names, &entry->link);
	TAILQ_REMOVE(&counts->entries, entry, order);
	counts->name_bytes -= strlen(entry->name) + 1;
	free(entry);
}

void
name_counts_free(struct name_counts *counts)
{
	if (!counts)
		return;
	while (!TAILQ_EMPTY(&counts->entries))
		drop(counts, TAILQ_FIRST(&counts->entries));
	table_wipe(&counts->names);
	pthread_mutex_destroy(&counts->lock);
	free(counts);
}

static bool
has_name(const struct hash_link *at, const void *name)
{
	return strcmp(container_of(at, const struct entry, link)->name, name) == 0;
}

static struct entry *
add_name(struct name_counts *counts, const char *name, uint64_t hash)
{
	size_t bytes = strlen(name) + 1;
	struct entry *entry = calloc(1, sizeof *entry + bytes);

	if (!entry)
		return NULL;
	if (counts->names.count == NAME_COUNTS_MOST)
		drop(counts, TAILQ_LAST(&counts->entries, entries));
	memcpy(entry->name, name, bytes);
	entry->count.name = entry->name;
	counts->name_bytes += bytes;
	table_add(&counts->names, &entry->link, hash);
	TAILQ_INSERT_HEAD(&counts->entries, entry, order);
	return entry;
}

static struct entry *
find(struct name_counts *counts, const char *name)
{
	uint64_t hash = table_hash(&counts->names, name, strlen(name));
	struct hash_link *at = table_find(&counts->names, hash, has_name, name);
	struct entry *entry;

	if (!at)
		return add_name(counts, name, hash);
	entry = container_of(at, struct entry, link);
	TAILQ_REMOVE(&counts->entries, entry, order);
	TAILQ_INSERT_HEAD(&counts->entries, entry, order);
	return entry;
}

void
name_counts_add(struct name_counts *counts, const struct name_count *more)
{
	struct entry *entry;

	pthread_mutex_lock(&counts->lock);
	entry = find(counts, more->name);
	if (entry) {
		entry->count.flows += more->flows;
		entry->count.refused += more->refused;
		entry->count.bytes_in += more->bytes_in;
		entry->count.bytes_out += more->bytes_out;
	}
	pthread_mutex_unlock(&counts->lock);
	if (!entry)
		memory_short("the metrics of a name");
}

/* Called with the lock held. */
static struct name_count *
copy(const struct name_counts *counts)
{
	size_t i = 0, bytes;
	struct name_count *all = malloc(counts->names.count * sizeof *all + counts->name_bytes + 1);
	char *names = (char *)(all + counts->names.count);
	const struct entry *entry;

	if (!all)
		return NULL;
	TAILQ_FOREACH(entry, &counts->entries, order) {
		bytes = strlen(entry->name) + 1;
		all[i] = entry->count;
		all[i++].name = memcpy(names, entry->name, bytes);
		names += bytes;
	}
	return all;
}

struct name_count *
name_counts_copy(struct name_counts *counts, size_t *count)
{
	struct name_count *all;

	pthread_mutex_lock(&counts->lock);
	all = copy(counts);
	*count = all ? counts->names.count : 0;
	pthread_mutex_unlock(&counts->lock);
	return all;
}
