/*
 * Makes endpoint tables and looks up in them.
 */
#include "agent/endpoint_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/sources.h"
#include "base/memory.h"

/* Whatever else has changed in a reload: a server name is served once. */
struct endpoint *
endpoint_table_find_settings(
    const struct endpoint_table *table, const struct endpoint_settings *settings)
{
	return endpoint_table_find_name(table, settings->server_name);
}

/* What relays have been told about it is still true. */
static bool
is_announced_alike(const struct endpoint *before, const struct endpoint_settings *settings)
{
	return strcmp(before->name, settings->name) == 0 && before->weight == settings->weight &&
	    before->balance == settings->balance && before->priority == settings->priority &&
	    before->carriers == endpoint_carriers(settings);
}

static struct endpoint *
take_endpoint(struct endpoint_table *table, const struct agent_settings *settings, size_t index,
    const struct endpoint_table *previous, const struct endpoint_reload *reload, char *error)
{
	const struct endpoint_settings *wanted = agent_settings_endpoint(settings, index);
	struct endpoint *before = endpoint_table_find_settings(previous, wanted), *made;
	uint32_t number =
	    before && is_announced_alike(before, wanted) ? before->number : ++table->last_number;

	if (before && reload && !reload->stale[index])
		return endpoint_hold(before);
	memory_begin();
	made = endpoint_new(wanted, number, settings, before, error);
	if (made || !before || !reload || memory_has_failed())
		return made;
	reload->on_refused(reload->arg, index, error);
	made =
	    reload->trust_stale[index] ? endpoint_new_lent(wanted, settings, before, error) : NULL;
	return made || memory_has_failed() ? made : endpoint_hold(before);
}

/* ---- the three orders ---- */

static int
compare_numbers(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

static int
by_number(const void *a, const void *b)
{
	const struct endpoint *const *left = a, *const *right = b;

	return compare_numbers((*left)->number, (*right)->number);
}

static int
by_former(const void *a, const void *b)
{
	const struct endpoint *const *left = a, *const *right = b;

	return compare_numbers((*left)->former_number, (*right)->former_number);
}

static int
by_name(const void *a, const void *b)
{
	const struct endpoint *const *left = a, *const *right = b;

	return strcmp((*left)->server_name, (*right)->server_name);
}

static void
put_in_order(struct endpoint_table *table)
{
	size_t bytes = table->count * sizeof(struct endpoint *);

	memcpy(table->by_name, table->endpoints, bytes);
	memcpy(table->by_former, table->endpoints, bytes);
	qsort(table->endpoints, table->count, sizeof(struct endpoint *), by_number);
	qsort(table->by_name, table->count, sizeof(struct endpoint *), by_name);
	qsort(table->by_former, table->count, sizeof(struct endpoint *), by_former);
}

/* The one that is, in this order, where `like` would be. */
static struct endpoint *
find(const struct endpoint_table *table, struct endpoint *const *in,
    int (*compare)(const void *, const void *), const struct endpoint *like)
{
	struct endpoint *const *found =
	    bsearch(&like, in, table->count, sizeof(struct endpoint *), compare);

	return found ? *found : NULL;
}

struct endpoint_table *
endpoint_table_new(const struct agent_settings *settings, struct trust *relays,
    const struct endpoint_table *previous, const struct endpoint_reload *reload,
    char error[ENDPOINT_ERROR])
{
	struct endpoint_table *table = calloc(1, sizeof *table);
	bool has_room;

	snprintf(error, ENDPOINT_ERROR, "memory is short");
	if (!table)
		return NULL;
	table->references = 1;
	table->last_number = previous ? previous->last_number : 0;
	table->relays = relays ? trust_hold(relays) : NULL;
	table->endpoints = calloc(settings->endpoints.count + 1, sizeof(struct endpoint *));
	table->by_name = calloc(settings->endpoints.count + 1, sizeof(struct endpoint *));
	table->by_former = calloc(settings->endpoints.count + 1, sizeof(struct endpoint *));
	has_room = table->endpoints && table->by_name && table->by_former;
	for (size_t i = 0; has_room && i < settings->endpoints.count; i++) {
		struct endpoint *endpoint =
		    take_endpoint(table, settings, i, previous, reload, error);

		if (!endpoint)
			break;
		table->endpoints[table->count++] = endpoint;
	}
	if (!has_room || table->count < settings->endpoints.count) {
		endpoint_table_release(table);
		return NULL;
	}
	put_in_order(table);
	return table;
}

struct endpoint_table *
endpoint_table_hold(struct endpoint_table *table)
{
	atomic_fetch_add(&table->references, 1);
	return table;
}

void
endpoint_table_release(struct endpoint_table *table)
{
	if (!table || atomic_fetch_sub(&table->references, 1) != 1)
		return;
	for (size_t i = 0; i < table->count; i++)
		endpoint_release(table->endpoints[i]);
	free(table->endpoints);
	free(table->by_name);
	free(table->by_former);
	trust_release(table->relays);
	free(table);
}

struct endpoint *
endpoint_table_find(const struct endpoint_table *table, uint32_t number)
{
	const struct endpoint like = { .number = number };

	return find(table, table->endpoints, by_number, &like);
}

struct endpoint *
endpoint_table_find_name(const struct endpoint_table *table, const char *server_name)
{
	size_t size = strlen(server_name) + 1;
	struct endpoint like;

	if (!table || size > sizeof like.server_name)
		return NULL;
	memcpy(like.server_name, server_name, size);
	return find(table, table->by_name, by_name, &like);
}

struct endpoint *
endpoint_table_find_opened(const struct endpoint_table *table, uint32_t number)
{
	struct endpoint *endpoint = endpoint_table_find(table, number);
	const struct endpoint like = { .former_number = number };

	return endpoint || number == 0 ? endpoint : find(table, table->by_former, by_former, &like);
}

struct endpoint *
endpoint_table_find_again(const struct endpoint_table *table, const struct endpoint *before)
{
	struct endpoint *endpoint = endpoint_table_find(table, before->number);

	return endpoint ? endpoint : endpoint_table_find_name(table, before->server_name);
}

void
endpoint_table_watch(const struct endpoint_table *table, int64_t now_s, uint64_t now_ms)
{
	for (size_t i = 0; i < table->count; i++)
		endpoint_watch(table->endpoints[i], now_s, now_ms);
}

void
endpoint_table_keep_revoked(const struct endpoint_table *table)
{
	sources_keep_revoked(table->relays);
	for (size_t i = 0; i < table->count; i++) {
		sources_keep_revoked(table->endpoints[i]->clients);
		sources_keep_revoked(table->endpoints[i]->upstream.trust);
	}
}
