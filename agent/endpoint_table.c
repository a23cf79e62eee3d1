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
	for (size_t i = 0; table && i < table->count; i++)
		if (strcmp(table->endpoints[i]->server_name, settings->server_name) == 0)
			return table->endpoints[i];
	return NULL;
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

static int
by_number(const void *a, const void *b)
{
	const struct endpoint *const *left = a, *const *right = b;

	return ((*left)->number > (*right)->number) - ((*left)->number < (*right)->number);
}

struct endpoint_table *
endpoint_table_new(const struct agent_settings *settings, struct trust *relays,
    const struct endpoint_table *previous, const struct endpoint_reload *reload,
    char error[ENDPOINT_ERROR])
{
	struct endpoint_table *table = calloc(1, sizeof *table);

	snprintf(error, ENDPOINT_ERROR, "memory is short");
	if (!table)
		return NULL;
	table->references = 1;
	table->last_number = previous ? previous->last_number : 0;
	table->relays = relays ? trust_hold(relays) : NULL;
	table->endpoints = calloc(settings->endpoints.count + 1, sizeof(struct endpoint *));
	for (size_t i = 0; table->endpoints && i < settings->endpoints.count; i++) {
		struct endpoint *endpoint =
		    take_endpoint(table, settings, i, previous, reload, error);

		if (!endpoint)
			break;
		table->endpoints[table->count++] = endpoint;
	}
	if (!table->endpoints || table->count < settings->endpoints.count) {
		endpoint_table_release(table);
		return NULL;
	}
	qsort(table->endpoints, table->count, sizeof(struct endpoint *), by_number);
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
	trust_release(table->relays);
	free(table);
}

struct endpoint *
endpoint_table_find(const struct endpoint_table *table, uint32_t number)
{
	size_t from = 0, to = table->count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (table->endpoints[middle]->number == number)
			return table->endpoints[middle];
		if (table->endpoints[middle]->number < number)
			from = middle + 1;
		else
			to = middle;
	}
	return NULL;
}

struct endpoint *
endpoint_table_find_opened(const struct endpoint_table *table, uint32_t number)
{
	struct endpoint *endpoint = endpoint_table_find(table, number);

	for (size_t i = 0; !endpoint && number > 0 && i < table->count; i++)
		if (table->endpoints[i]->former_number == number)
			endpoint = table->endpoints[i];
	return endpoint;
}

struct endpoint *
endpoint_table_find_again(const struct endpoint_table *table, const struct endpoint *before)
{
	struct endpoint *endpoint = endpoint_table_find(table, before->number);

	for (size_t i = 0; !endpoint && i < table->count; i++)
		if (strcmp(table->endpoints[i]->server_name, before->server_name) == 0)
			endpoint = table->endpoints[i];
	return endpoint;
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
