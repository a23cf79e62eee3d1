/*
 * The endpoint table.
 */
#include "agent/roster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* The main thread's alone. */
static uint32_t last_number;

/* A name is served once, so this is what the endpoint was before, whatever else has changed. */
static struct endpoint *
find_before(const struct roster *roster, const struct endpoint_settings *settings)
{
	for (size_t i = 0; roster && i < roster->count; i++)
		if (strcmp(roster->endpoints[i]->server_name, settings->server_name) == 0)
			return roster->endpoints[i];
	return NULL;
}

/* What relays were told of it is still true. */
static bool
is_announced_alike(const struct endpoint *before, const struct endpoint_settings *settings)
{
	return strcmp(before->name, settings->name) == 0 && before->weight == settings->weight;
}

static struct endpoint *
take_endpoint(const struct settings *settings, size_t index, const struct roster *previous,
    const bool *stale, char *error)
{
	const struct endpoint_settings *wanted = settings_endpoint(settings, index);
	struct endpoint *before = find_before(previous, wanted), *made;
	uint32_t number =
	    before && is_announced_alike(before, wanted) ? before->number : ++last_number;

	if (before && stale && !stale[index])
		return endpoint_hold(before);
	made = endpoint_new(wanted, number, settings->state_dir, before, error);
	if (made || !before || !stale)
		return made;
	log_event(LOG_ERROR, "reload-refused", error, log_str("kept", "what was loaded before"));
	return endpoint_hold(before);
}

static int
by_number(const void *a, const void *b)
{
	const struct endpoint *const *left = a, *const *right = b;

	return ((*left)->number > (*right)->number) - ((*left)->number < (*right)->number);
}

struct roster *
roster_new(const struct settings *settings, struct trust *relays, const struct roster *previous,
    const bool *stale, char error[ENDPOINT_ERROR])
{
	struct roster *roster = calloc(1, sizeof *roster);

	snprintf(error, ENDPOINT_ERROR, "memory is short");
	if (!roster)
		return NULL;
	roster->references = 1;
	roster->relays = trust_hold(relays);
	roster->endpoints = calloc(settings->endpoints.count + 1, sizeof(struct endpoint *));
	for (size_t i = 0; roster->endpoints && i < settings->endpoints.count; i++) {
		struct endpoint *endpoint = take_endpoint(settings, i, previous, stale, error);

		if (!endpoint)
			break;
		roster->endpoints[roster->count++] = endpoint;
	}
	if (!roster->endpoints || roster->count < settings->endpoints.count) {
		roster_release(roster);
		return NULL;
	}
	qsort(roster->endpoints, roster->count, sizeof(struct endpoint *), by_number);
	return roster;
}

struct roster *
roster_hold(struct roster *roster)
{
	atomic_fetch_add(&roster->references, 1);
	return roster;
}

void
roster_release(struct roster *roster)
{
	if (!roster || atomic_fetch_sub(&roster->references, 1) != 1)
		return;
	for (size_t i = 0; i < roster->count; i++)
		endpoint_release(roster->endpoints[i]);
	free(roster->endpoints);
	trust_release(roster->relays);
	free(roster);
}

struct endpoint *
roster_find(const struct roster *roster, uint32_t number)
{
	size_t from = 0, to = roster->count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (roster->endpoints[middle]->number == number)
			return roster->endpoints[middle];
		if (roster->endpoints[middle]->number < number)
			from = middle + 1;
		else
			to = middle;
	}
	return NULL;
}
