/* The table of patterns. A pattern has static routes or a set of endpoints, and is gone when it has neither. */
#include "relay/route.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "pki/identity.h"
#include "relay/member.h"
#include "relay/route_parts.h"

struct routes *
route_table_new(void)
{
	struct routes *routes = calloc(1, sizeof(*routes));

	if (routes == NULL || !table_init(&routes->patterns)) {
		free(routes);
		return NULL;
	}
	pthread_rwlock_init(&routes->lock, NULL);
	return routes;
}

void
route_table_free(struct routes *routes)
{
	if (routes == NULL)
		return;
	route_set_fixed(routes, "", NULL, 0);
	table_wipe(&routes->patterns);
	pthread_rwlock_destroy(&routes->lock);
	free(routes);
}

struct route_pattern *
route_pattern_find(struct routes *routes, const char *name)
{
	uint64_t hash = table_hash(&routes->patterns, name, strlen(name));

	for (struct hash_link *at = table_first(&routes->patterns, hash); at != NULL; at = table_next(at)) {
		struct route_pattern *pattern = container_of(at, struct route_pattern, link);

		if (strcmp(pattern->name, name) == 0)
			return pattern;
	}
	return NULL;
}

struct route_pattern *
route_pattern_want(struct routes *routes, const char *name)
{
	struct route_pattern *pattern = route_pattern_find(routes, name);

	if (pattern != NULL || (pattern = calloc(1, sizeof(*pattern))) == NULL)
		return pattern;
	snprintf(pattern->name, sizeof(pattern->name), "%s", name);
	table_add(&routes->patterns, &pattern->link, table_hash(&routes->patterns, name, strlen(name)));
	return pattern;
}

void
route_pattern_tidy(struct routes *routes, struct route_pattern *pattern)
{
	if (pattern->endpoint_count > 0 || pattern->fixed_count > 0)
		return;
	table_remove(&routes->patterns, &pattern->link);
	free(pattern->endpoints);
	free(pattern->fixed);
	free(pattern);
}

/* ---- the endpoints of a pattern ---- */

static bool
makes_a_set(const struct member *a, const struct member *b)
{
	return member_is_kin(a, b) || (member_is_shared(a) && member_is_shared(b));
}

/* Whether the newcomer may come: every endpoint that it cannot stand beside must be one that it displaces. */
static bool
may_come(const struct route_pattern *pattern, const struct member *member, enum cover cover)
{
	for (size_t i = 0; i < pattern->endpoint_count; i++) {
		const struct route_endpoint *there = &pattern->endpoints[i];

		if (!makes_a_set(there->member, member) && !(cover == COVER_EXACT && there->cover == COVER_WILDCARD))
			return false;
	}
	return true;
}

static void
remove_at(struct route_pattern *pattern, size_t index)
{
	struct route_endpoint *last = &pattern->endpoints[--pattern->endpoint_count];

	pattern->endpoints[index] = *last;
}

/* Moves the endpoints that must go to `losses`, which has room for all. */
static size_t
displace(struct route_pattern *pattern, const struct member *member, struct route_loss *losses)
{
	size_t count = 0;

	for (size_t i = pattern->endpoint_count; i-- > 0;) {
		if (makes_a_set(pattern->endpoints[i].member, member))
			continue;
		losses[count++] = (struct route_loss){ pattern->endpoints[i].member, pattern->endpoints[i].number };
		remove_at(pattern, i);
	}
	return count;
}

static bool
reserve(struct route_pattern *pattern)
{
	size_t wanted = pattern->endpoint_capacity ? 2 * pattern->endpoint_capacity : 1;
	struct route_endpoint *endpoints;

	if (pattern->endpoint_count < pattern->endpoint_capacity)
		return true;
	endpoints = reallocarray(pattern->endpoints, wanted, sizeof(*endpoints));
	if (endpoints == NULL)
		return false;
	pattern->endpoints = endpoints;
	pattern->endpoint_capacity = wanted;
	return true;
}

struct newcomer {
	const struct route_announcement *said;
	char name[NAME_SIZE];
	enum cover cover;
	struct route_loss *losses;
	size_t loss_count;
};

/* Under the lock, the pattern is there. */
static enum code
join(struct route_pattern *pattern, struct newcomer *new)
{
	const struct route_announcement *said = new->said;

	if (!may_come(pattern, said->member, new->cover))
		return CODE_NAME_TAKEN;
	new->losses = calloc(pattern->endpoint_count + 1, sizeof(*new->losses));
	if (new->losses == NULL || !reserve(pattern))
		return CODE_INTERNAL;
	new->loss_count = displace(pattern, said->member, new->losses);
	pattern->endpoints[pattern->endpoint_count++] = (struct route_endpoint){
		.member = member_hold(said->member), .number = said->endpoint, .weight = said->weight,
		.carriers = said->carriers, .cover = new->cover };
	return CODE_NONE;
}

static enum code
announce(struct routes *routes, struct newcomer *new)
{
	struct route_pattern *pattern;
	enum code code;

	if (strcmp(new->name, routes->connect_name) == 0)
		return CODE_NAME_RESERVED;
	pattern = route_pattern_want(routes, new->name);
	if (pattern == NULL)
		return CODE_INTERNAL;
	code = pattern->fixed_count > 0 ? CODE_NAME_RESERVED : join(pattern, new);
	route_pattern_tidy(routes, pattern);
	return code;
}

static void
explain(enum code code, const char *name, char sentence[SENTENCE_TEXT])
{
	static const struct {
		enum code code;
		const char *why;
	} reasons[] = {
		{ CODE_NAME_INVALID, "is no server name; write app.example.com or *.example.com" },
		{ CODE_NAME_NOT_GRANTED, "is in no DNS name of this agent's certificate; issue one with --host for it" },
		{ CODE_NAME_RESERVED, "belongs to the relay itself; announce another name" },
		{ CODE_NAME_TAKEN, "is served by another agent; stop that one, or issue both certificates with --shared" },
		{ CODE_INTERNAL, "cannot be kept: memory is short on the relay" },
	};

	sentence[0] = '\0';
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (reasons[i].code == code)
			snprintf(sentence, SENTENCE_TEXT, "'%.253s' %s", name, reasons[i].why);
	}
}

enum code
route_announce(struct routes *routes, const struct route_announcement *said, char sentence[SENTENCE_TEXT],
    void (*on_loss)(const struct route_loss *))
{
	struct newcomer new = { .said = said };
	enum code code = CODE_NAME_INVALID;

	if (name_normalise_pattern(new.name, said->pattern, strlen(said->pattern))) {
		new.cover = identity_covers(member_identity(said->member), new.name, NULL);
		code = CODE_NAME_NOT_GRANTED;
	}
	/* A name of the relay's is reserved whatever the certificate says, and that is the better answer. */
	if (code == CODE_NAME_NOT_GRANTED && route_is_reserved(routes, new.name))
		code = CODE_NAME_RESERVED;
	if (code == CODE_NAME_NOT_GRANTED && new.cover != COVER_NONE) {
		pthread_rwlock_wrlock(&routes->lock);
		code = announce(routes, &new);
		pthread_rwlock_unlock(&routes->lock);
	}
	explain(code, said->pattern, sentence);
	for (size_t i = 0; i < new.loss_count; i++)
		on_loss(&new.losses[i]);
	free(new.losses);
	return code;
}

void
route_withdraw(struct routes *routes, const struct member *member, const char *name, uint32_t endpoint)
{
	struct route_pattern *pattern;

	pthread_rwlock_wrlock(&routes->lock);
	pattern = route_pattern_find(routes, name);
	for (size_t i = pattern ? pattern->endpoint_count : 0; i-- > 0;) {
		if (pattern->endpoints[i].member != member || pattern->endpoints[i].number != endpoint)
			continue;
		member_release(pattern->endpoints[i].member);
		remove_at(pattern, i);
	}
	if (pattern != NULL)
		route_pattern_tidy(routes, pattern);
	pthread_rwlock_unlock(&routes->lock);
}
