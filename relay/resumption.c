/* Keeps lists of announcements by identity and instance. */
#include "relay/resumption.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/memory.h"
#include "relay/tenant_lists.h"

struct resumption {
	struct tenant_item item;
	struct hash_link link;
	STAILQ_ENTRY(resumption) buried;
	struct resumption_key key;
	uint64_t until_ms;
	struct resumption_list list;
};

STAILQ_HEAD(burials, resumption);

struct resumptions {
	pthread_mutex_t lock;
	struct table table;
	struct tenant_lists tenants;
	size_t most;
	/* To be freed by resumptions_tidy(), since a long list takes long. */
	struct burials buried;
};

/* ---- lists ---- */

void
resumption_list_init(struct resumption_list *list)
{
	*list = (struct resumption_list){ 0 };
	STAILQ_INIT(&list->announcements);
}

void
resumption_list_add(struct resumption_list *list, struct announcement *announcement)
{
	STAILQ_INSERT_TAIL(&list->announcements, announcement, link);
	list->count++;
	list->bytes += announcement_bytes(announcement);
}

void
resumption_list_wipe(struct resumption_list *list)
{
	struct announcement *first;

	while ((first = STAILQ_FIRST(&list->announcements))) {
		STAILQ_REMOVE_HEAD(&list->announcements, link);
		free(first);
	}
	resumption_list_init(list);
}

/* To an empty one; the other is empty then. */
static void
move_list(struct resumption_list *to, struct resumption_list *from)
{
	STAILQ_CONCAT(&to->announcements, &from->announcements);
	to->count = from->count;
	to->bytes = from->bytes;
	memcpy(to->digest, from->digest, sizeof to->digest);
	from->count = from->bytes = 0;
}

/* ---- the table; under the lock ---- */

static struct resumption *
at_item(struct tenant_item *item)
{
	return item ? container_of(item, struct resumption, item) : NULL;
}

static bool
has_key(const struct hash_link *at, const void *key)
{
	return memcmp(&container_of(at, const struct resumption, link)->key, key,
		   sizeof(struct resumption_key)) == 0;
}

static struct resumption *
find(const struct resumptions *all, const struct resumption_key *key)
{
	struct hash_link *at =
	    table_find(&all->table, table_hash(&all->table, key, sizeof *key), has_key, key);

	return at ? container_of(at, struct resumption, link) : NULL;
}

static void
remove_one(struct resumptions *all, struct resumption *one)
{
	table_remove(&all->table, &one->link);
	tenant_lists_remove(&all->tenants, &one->item);
}

static void
bury(struct resumptions *all, struct resumption *one)
{
	remove_one(all, one);
	STAILQ_INSERT_TAIL(&all->buried, one, buried);
}

static void
bury_surplus(struct resumptions *all)
{
	struct resumption *one;

	while ((one = at_item(tenant_lists_surplus(&all->tenants, all->most))))
		bury(all, one);
}

/* ---- what others call ---- */

struct resumptions *
resumptions_new(void)
{
	struct resumptions *all = calloc(1, sizeof *all);

	if (!all)
		return NULL;
	if (!table_init(&all->table) || !tenant_lists_init(&all->tenants)) {
		table_wipe(&all->table);
		free(all);
		return NULL;
	}
	pthread_mutex_init(&all->lock, NULL);
	STAILQ_INIT(&all->buried);
	return all;
}

void
resumptions_free(struct resumptions *all)
{
	if (!all)
		return;
	resumptions_set_bound(all, 0);
	resumptions_tidy(all);
	tenant_lists_wipe(&all->tenants);
	table_wipe(&all->table);
	pthread_mutex_destroy(&all->lock);
	free(all);
}

void
resumptions_set_bound(struct resumptions *all, size_t bytes)
{
	pthread_mutex_lock(&all->lock);
	all->most = bytes;
	bury_surplus(all);
	pthread_mutex_unlock(&all->lock);
}

static struct resumption *
new_one(const struct resumption_key *key, struct resumption_list *list)
{
	struct resumption *one = calloc(1, sizeof *one);

	if (!one)
		return NULL;
	one->key = *key;
	one->until_ms = clock_ms() + RESUMPTION_MS;
	one->item.weight = list->bytes;
	resumption_list_init(&one->list);
	move_list(&one->list, list);
	return one;
}

void
resumptions_put(struct resumptions *all, const struct resumption_key *key,
    const uint8_t *tenant_key, struct resumption_list *list)
{
	static const char said_again[] =
	    "what an agent has announced: it says it again when it is back";
	struct resumption *one = new_one(key, list), *before;

	if (!one) {
		memory_short(said_again);
		resumption_list_wipe(list);
		return;
	}
	pthread_mutex_lock(&all->lock);
	if ((before = find(all, key)))
		bury(all, before);
	if (tenant_lists_add(&all->tenants, &one->item, tenant_key)) {
		table_add(&all->table, &one->link, table_hash(&all->table, key, sizeof *key));
		bury_surplus(all);
	} else {
		STAILQ_INSERT_TAIL(&all->buried, one, buried);
		memory_short(said_again);
	}
	pthread_mutex_unlock(&all->lock);
}

bool
resumptions_take(struct resumptions *all, const struct resumption_key *key,
    const uint8_t digest[RESUME_BYTES], struct resumption_list *out)
{
	struct resumption *one;
	bool fits;

	pthread_mutex_lock(&all->lock);
	one = find(all, key);
	fits = one && one->until_ms > clock_ms() &&
	    memcmp(one->list.digest, digest, RESUME_BYTES) == 0;
	if (fits)
		remove_one(all, one);
	pthread_mutex_unlock(&all->lock);
	if (!fits)
		return false;
	move_list(out, &one->list);
	free(one);
	return true;
}

void
resumptions_tidy(struct resumptions *all)
{
	struct burials buried = STAILQ_HEAD_INITIALIZER(buried);
	struct resumption *one;
	uint64_t now_ms = clock_ms();

	pthread_mutex_lock(&all->lock);
	while ((one = at_item(tenant_lists_oldest(&all->tenants))) && one->until_ms <= now_ms)
		bury(all, one);
	STAILQ_CONCAT(&buried, &all->buried);
	pthread_mutex_unlock(&all->lock);
	while ((one = STAILQ_FIRST(&buried))) {
		STAILQ_REMOVE_HEAD(&buried, buried);
		resumption_list_wipe(&one->list);
		free(one);
	}
}

size_t
resumptions_bytes(struct resumptions *all)
{
	size_t bytes;

	pthread_mutex_lock(&all->lock);
	bytes = all->tenants.weight;
	pthread_mutex_unlock(&all->lock);
	return bytes;
}
