/* Chooses among upstreams, and keeps what is known of them. */
#include "base/upstream_group.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/numbers.h"
#include "base/upstream_group_private.h"

_Static_assert(UPSTREAMS_MOST <= 32, "a bit of `tried` for each");

static bool
fill(struct upstream_group *group, const char *name, char *const *targets, size_t count)
{
	group->name = strdup(name);
	for (; group->count < count; group->count++) {
		group->members[group->count].target = strdup(targets[group->count]);
		if (!group->members[group->count].target)
			return false;
	}
	return group->name != NULL;
}

struct upstream_group *
upstream_group_new(
    const char *name, char *const *targets, size_t count, const struct health_settings *health)
{
	struct upstream_group *group = calloc(1, sizeof *group + count * sizeof group->members[0]);

	if (!group)
		return NULL;
	group->references = 1;
	group->health = *health;
	pthread_mutex_init(&group->lock, NULL);
	if (fill(group, name, targets, count))
		return group;
	upstream_group_release(group);
	return NULL;
}

struct upstream_group *
upstream_group_hold(struct upstream_group *group)
{
	atomic_fetch_add(&group->references, 1);
	return group;
}

void
upstream_group_release(struct upstream_group *group)
{
	if (!group || atomic_fetch_sub(&group->references, 1) != 1)
		return;
	for (size_t i = 0; i < group->count; i++) {
		free(group->members[i].target);
		free(group->members[i].error);
		upstream_outage_wipe(&group->members[i].outage);
	}
	free(group->name);
	pthread_mutex_destroy(&group->lock);
	free(group);
}

static bool
same_health(const struct health_settings *a, const struct health_settings *b)
{
	return a->check == b->check && a->interval_ms == b->interval_ms &&
	    a->timeout_ms == b->timeout_ms && a->rise == b->rise && a->fall == b->fall;
}

bool
upstream_group_equals(const struct upstream_group *a, const struct upstream_group *b)
{
	bool same = a->count == b->count && strcmp(a->name, b->name) == 0 &&
	    same_health(&a->health, &b->health);

	for (size_t i = 0; same && i < a->count; i++)
		same = strcmp(a->members[i].target, b->members[i].target) == 0;
	return same;
}

const char *
upstream_group_name(const struct upstream_group *group)
{
	return group->name;
}

size_t
upstream_group_count(const struct upstream_group *group)
{
	return group->count;
}

const char *
upstream_group_target(const struct upstream_group *group, unsigned index)
{
	return group->members[index].target;
}

const struct health_settings *
upstream_group_health(const struct upstream_group *group)
{
	return &group->health;
}

/* ---- for flows ---- */

static bool
may_have_flows(const struct upstream_group *group, unsigned index, uint32_t tried)
{
	return !(tried & UINT32_C(1) << index) && group->members[index].state != UPSTREAM_DOWN;
}

/* What failed a moment ago comes behind all others, however many flows they have. */
static uint64_t
weight_of(const struct group_member *member, uint64_t now_ms)
{
	bool is_avoided = now_ms < member->avoided_until_ms;

	return (uint64_t)is_avoided << 32 | member->flows;
}

unsigned
upstream_group_enter(struct upstream_group *group, uint32_t tried, uint64_t now_ms)
{
	unsigned count = (unsigned)group->count, best = UPSTREAM_NONE;
	unsigned first = count > 1 ? atomic_fetch_add(&group->turn, 1) % count : 0;

	for (unsigned i = 0; i < count; i++) {
		unsigned at = (first + i) % count;

		if (may_have_flows(group, at, tried) &&
		    (best == UPSTREAM_NONE ||
			weight_of(&group->members[at], now_ms) <
			    weight_of(&group->members[best], now_ms)))
			best = at;
	}
	if (best != UPSTREAM_NONE)
		atomic_fetch_add(&group->members[best].flows, 1);
	return best;
}

void
upstream_group_leave(struct upstream_group *group, unsigned index)
{
	atomic_fetch_sub(&group->members[index].flows, 1);
}

void
upstream_group_note_dial(
    struct upstream_group *group, unsigned index, const char *error, uint64_t now_ms)
{
	struct group_member *member = &group->members[index];

	member->avoided_until_ms = error ? now_ms + UPSTREAM_AVOID_MS : 0;
	if (group->health.check == HEALTH_NONE)
		upstream_outage_note(&member->outage, member->target, group->name, error, now_ms);
}

uint64_t
upstream_group_share(
    const struct upstream_group *group, uint32_t tried, uint64_t left_ms, uint64_t most_ms)
{
	unsigned others = 0;

	for (unsigned i = 0; i < group->count; i++)
		others += may_have_flows(group, i, tried);
	return larger_of(smaller_of(left_ms / larger_of(others, 1), most_ms), 1);
}

bool
upstream_group_is_refusing(const struct upstream_group *group, uint64_t now_ms)
{
	for (unsigned i = 0; i < group->count; i++)
		if (may_have_flows(group, i, 0) && now_ms >= group->members[i].avoided_until_ms)
			return false;
	return true;
}

bool
upstream_group_is_down(const struct upstream_group *group)
{
	for (unsigned i = 0; i < group->count; i++)
		if (group->members[i].state != UPSTREAM_DOWN)
			return false;
	return true;
}

/* ---- what is known ---- */

uint32_t
upstream_group_flows(const struct upstream_group *group, unsigned index)
{
	return group->members[index].flows;
}

enum upstream_health
upstream_group_state(const struct upstream_group *group, unsigned index)
{
	return (enum upstream_health)group->members[index].state;
}

const char *
upstream_health_word(enum upstream_health state)
{
	static const char *const words[] = {
		[UPSTREAM_UNCHECKED] = "unchecked",
		[UPSTREAM_UP] = "up",
		[UPSTREAM_DOWN] = "down",
	};

	return words[state];
}

const char *
upstream_group_error(struct upstream_group *group, unsigned index, char out[UPSTREAM_ERROR_TEXT])
{
	const char *error;

	pthread_mutex_lock(&group->lock);
	error = group->members[index].error;
	snprintf(out, UPSTREAM_ERROR_TEXT, "%s", error ? error : "");
	pthread_mutex_unlock(&group->lock);
	return out;
}

const char *
upstream_group_why_down(struct upstream_group *group, char out[UPSTREAM_DOWN_TEXT])
{
	char error[UPSTREAM_ERROR_TEXT];

	snprintf(out, UPSTREAM_DOWN_TEXT, "all upstreams are down, by their checks; %.255s: %s",
	    group->members[0].target, upstream_group_error(group, 0, error));
	return out;
}

/* The only writer of ->state. */
void
upstream_group_move(
    struct upstream_group *group, unsigned index, enum upstream_health state, const char *error)
{
	static const unsigned may_move[] = {
		[UPSTREAM_UNCHECKED] = 1u << UPSTREAM_UP | 1u << UPSTREAM_DOWN,
		[UPSTREAM_UP] = 1u << UPSTREAM_DOWN,
		[UPSTREAM_DOWN] = 1u << UPSTREAM_UP,
	};
	struct group_member *member = &group->members[index];
	enum upstream_health from = upstream_group_state(group, index);

	assert(may_move[from] & 1u << state);
	log_move("upstream", log_str("upstream", member->target), upstream_health_word(from),
	    upstream_health_word(state));
	pthread_mutex_lock(&group->lock);
	free(member->error);
	member->error = error ? strndup(error, UPSTREAM_ERROR_TEXT - 1) : NULL;
	pthread_mutex_unlock(&group->lock);
	member->state = (int)state;
}

/* ---- over a reload ---- */

static void
inherit(struct upstream_group *fresh, unsigned index, struct upstream_group *old)
{
	char error[UPSTREAM_ERROR_TEXT];

	for (unsigned i = 0; i < old->count; i++) {
		enum upstream_health known = upstream_group_state(old, i);

		if (known == UPSTREAM_UNCHECKED ||
		    strcmp(old->members[i].target, fresh->members[index].target) != 0)
			continue;
		upstream_group_move(fresh, index, known, upstream_group_error(old, i, error));
		return;
	}
}

void
upstream_group_inherit(struct upstream_group *fresh, struct upstream_group *old)
{
	if (fresh->health.check != old->health.check || fresh->health.check == HEALTH_NONE)
		return;
	for (unsigned i = 0; i < fresh->count; i++)
		inherit(fresh, i, old);
}
