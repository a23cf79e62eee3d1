/* Checks the upstreams of static routes. */
#include "relay/route_health.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/health.h"
#include "base/memory.h"
#include "relay/route.h"
#include "relay/rules.h"
#include "tunnel/health_check.h"

struct route_health {
	struct loop *loop;
	struct resolver *resolver;
	struct health *health;
	struct tls_config *tls;
	struct rules *rules; /* held; NULL: none yet */
};

/* ---- one check ---- */

struct route_check {
	struct route_static *static_route; /* held: it may be gone from the rules meanwhile */
	struct health_turn *turn;
	struct health_check *check;
};

static void
drop(void *check)
{
	struct route_check *one = check;

	health_check_free(one->check);
	route_static_release(one->static_route);
	free(one);
}

static void
on_done(void *arg, const char *error)
{
	struct route_check *one = arg;

	if (health_check_is_short(one->check))
		health_skip(one->turn);
	else
		health_answer(one->turn, error);
	drop(one);
}

static void *
begin(void *arg, struct health_turn *turn, const struct health_subject *subject, unsigned index)
{
	const struct route_health *self = arg;
	const struct health_settings *settings = upstream_group_health(subject->group);
	const struct route_static_settings *route = route_static_config(subject->about);
	struct health_check_options options = {
		.target = upstream_group_target(subject->group, index),
		.timeout_ms = settings->timeout_ms,
		.proxy_version = route->proxy_version,
		.asks_for_tls = route->asks_for_tls,
		.tls = settings->check == HEALTH_TLS ? self->tls : NULL,
		.server_name = name_is_wildcard(route->pattern) ? NULL : route->pattern,
	};
	struct route_check *one = calloc(1, sizeof *one);

	if (!one)
		return NULL;
	one->static_route = route_static_hold(subject->about);
	one->turn = turn;
	one->check = health_check_new(self->loop, self->resolver, &options, on_done, one);
	if (one->check)
		return one;
	drop(one);
	return NULL;
}

/* ---- all of them ---- */

struct route_health *
route_health_new(struct loop *loop, struct resolver *resolver)
{
	static const struct health_ops ops = { begin, drop, NULL };
	const struct tls_settings tls = { .purpose = TLS_UPSTREAM };
	struct route_health *self = calloc(1, sizeof *self);
	char error[TLS_ERROR];

	if (!self)
		return NULL;
	self->loop = loop;
	self->resolver = resolver;
	self->health = health_new(loop, &ops, self);
	self->tls = tls_config_new(&tls, error);
	if (self->health && self->tls)
		return self;
	route_health_free(self);
	return NULL;
}

void
route_health_free(struct route_health *self)
{
	if (!self)
		return;
	health_free(self->health);
	tls_config_release(self->tls);
	rules_release(self->rules);
	free(self);
}

static size_t
count_groups(const struct rules *rules)
{
	size_t count = 0;

	for (size_t i = 0; i < rules->static_count; i++)
		count += route_static_config(rules->static_route[i])->group != NULL;
	return count;
}

static size_t
list_subjects(const struct rules *rules, struct health_subject *subjects)
{
	size_t count = 0;

	for (size_t i = 0; i < rules->static_count; i++) {
		struct upstream_group *group = route_static_config(rules->static_route[i])->group;

		if (group)
			subjects[count++] =
			    (struct health_subject){ group, rules->static_route[i] };
	}
	return count;
}

bool
route_health_watch(struct route_health *self, struct rules *rules)
{
	struct health_subject *subjects = calloc(count_groups(rules) + 1, sizeof *subjects);
	struct rules *before = self->rules;
	bool fine;

	if (!subjects)
		return false; /* the rules of before go on */
	self->rules = rules_hold(rules);
	fine = health_watch(self->health, subjects, list_subjects(rules, subjects));
	rules_release(before);
	free(subjects);
	return fine;
}

/* ---- over a reload ---- */

struct known_group {
	struct hash_link link;
	struct upstream_group *group;
};

/* Each takes the group of before that is made of the same, else what another one of its name knew. */
static void
adopt(const struct table *known, struct route_static *fresh)
{
	struct upstream_group *wanted = route_static_config(fresh)->group, *other = NULL;
	const char *name = upstream_group_name(wanted);
	struct hash_link *at = table_first(known, table_hash(known, name, strlen(name)));

	for (; at; at = table_next(at)) {
		struct upstream_group *group = container_of(at, struct known_group, link)->group;

		if (upstream_group_equals(group, wanted)) {
			route_static_adopt(fresh, group);
			return;
		}
		if (strcmp(upstream_group_name(group), name) == 0)
			other = group;
	}
	if (other)
		upstream_group_inherit(wanted, other);
}

static void
note_known(struct table *known, struct known_group *entries, const struct rules *old)
{
	for (size_t i = 0; i < old->static_count; i++) {
		struct upstream_group *group = route_static_config(old->static_route[i])->group;
		const char *name = group ? upstream_group_name(group) : "";

		if (!group)
			continue;
		entries->group = group;
		table_add(known, &entries++->link, table_hash(known, name, strlen(name)));
	}
}

void
route_health_adopt(struct rules *fresh, const struct rules *old)
{
	size_t count = count_groups(old);
	struct known_group *entries = calloc(count + 1, sizeof *entries);
	struct table known = { 0 };

	if (entries && table_init(&known)) {
		note_known(&known, entries, old);
		for (size_t i = 0; i < fresh->static_count; i++)
			if (route_static_config(fresh->static_route[i])->group)
				adopt(&known, fresh->static_route[i]);
	} else
		memory_short("what was known of upstreams before a reload");
	table_wipe(&known);
	free(entries);
}
