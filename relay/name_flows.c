/* Counts flows by name, in a table under one lock. */
#include "relay/name_flows.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"

struct name_flows_place {
	struct hash_link link;
	uint64_t flows;
	char name[];
};

struct name_flows {
	pthread_mutex_t lock;
	struct table names;
};

struct name_flows *
name_flows_new(void)
{
	struct name_flows *self = calloc(1, sizeof *self);

	if (!self || !table_init(&self->names)) {
		free(self);
		return NULL;
	}
	pthread_mutex_init(&self->lock, NULL);
	return self;
}

void
name_flows_free(struct name_flows *self)
{
	if (!self)
		return;
	table_wipe(&self->names);
	pthread_mutex_destroy(&self->lock);
	free(self);
}

static bool
has_name(const struct hash_link *at, const void *name)
{
	return strcmp(container_of(at, const struct name_flows_place, link)->name, name) == 0;
}

static struct name_flows_place *
add(struct name_flows *self, const char *name, uint64_t hash)
{
	size_t bytes = strlen(name) + 1;
	struct name_flows_place *place = calloc(1, sizeof *place + bytes);

	if (!place)
		return NULL;
	memcpy(place->name, name, bytes);
	table_add(&self->names, &place->link, hash);
	return place;
}

/* The lock is held. */
static struct name_flows_place *
enter(struct name_flows *self, const char *name, uint64_t most, const char **trouble)
{
	uint64_t hash = table_hash(&self->names, name, strlen(name));
	struct hash_link *at = table_find(&self->names, hash, has_name, name);
	struct name_flows_place *place =
	    at ? container_of(at, struct name_flows_place, link) : NULL;

	*trouble = "limits.flows_per_name is reached";
	if (place && most > 0 && place->flows >= most)
		return NULL;
	*trouble = "memory is short";
	if (!place)
		place = add(self, name, hash);
	if (place)
		place->flows++;
	return place;
}

struct name_flows_place *
name_flows_enter(struct name_flows *self, const char *name, uint64_t most, const char **trouble)
{
	struct name_flows_place *place;

	pthread_mutex_lock(&self->lock);
	place = enter(self, name, most, trouble);
	pthread_mutex_unlock(&self->lock);
	return place;
}

const char *
name_flows_name(const struct name_flows_place *place)
{
	return place ? place->name : NULL;
}

uint64_t
name_flows_count(struct name_flows *self, const char *name)
{
	struct hash_link *at;
	uint64_t flows;

	pthread_mutex_lock(&self->lock);
	at = table_find(&self->names, table_hash(&self->names, name, strlen(name)), has_name, name);
	flows = at ? container_of(at, struct name_flows_place, link)->flows : 0;
	pthread_mutex_unlock(&self->lock);
	return flows;
}

void
name_flows_leave(struct name_flows *self, struct name_flows_place *place)
{
	bool is_last;

	if (!place)
		return;
	pthread_mutex_lock(&self->lock);
	is_last = --place->flows == 0;
	if (is_last)
		table_remove(&self->names, &place->link);
	pthread_mutex_unlock(&self->lock);
	if (is_last)
		free(place);
}
