/* When upstreams are checked, and what follows from the answers. */
#include "base/health.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/numbers.h"
#include "base/outage.h"
#include "base/upstream_group_private.h"

enum { JITTER_PART = 8 };

/* One upstream: it waits for its time, then perhaps for a place, then for the answer. */
struct health_turn {
	struct health_watched *watched;
	unsigned index;
	struct timer due;
	TAILQ_ENTRY(health_turn) queue;
	bool is_queued;
	void *check;          /* under way; NULL: none */
	uint64_t streak;      /* answers in a row that speak against what is known */
	struct outage outage; /* while it is down */
};

struct health_watched {
	LIST_ENTRY(health_watched) link;
	struct health *health;
	struct health_subject subject; /* the group is held */
	bool is_wanted;
	struct health_turn turns[];
};

struct health {
	struct loop *loop;
	const struct health_ops *ops;
	void *arg;
	LIST_HEAD(, health_watched) all;
	TAILQ_HEAD(, health_turn) queue;
	unsigned under_way;
};

/* ---- a check ---- */

static struct upstream_group *
group_of(const struct health_turn *turn)
{
	return turn->watched->subject.group;
}

/* The next one, an interval from now. */
static void
plan(struct health_turn *turn)
{
	uint64_t interval_ms = upstream_group_health(group_of(turn))->interval_ms;
	uint32_t jitter_ms = (uint32_t)(interval_ms / JITTER_PART);

	timer_set(&turn->due, interval_ms - jitter_ms + arc4random_uniform(2 * jitter_ms + 1));
}

static void
begin(struct health_turn *turn)
{
	struct health *health = turn->watched->health;

	turn->check = health->ops->begin(health->arg, turn, &turn->watched->subject, turn->index);
	if (turn->check) {
		health->under_way++;
		return;
	}
	memory_short("a health check, which comes later");
	plan(turn);
}

static void
begin_queued(struct health *health)
{
	struct health_turn *turn;

	while (health->under_way < HEALTH_UNDER_WAY && (turn = TAILQ_FIRST(&health->queue))) {
		TAILQ_REMOVE(&health->queue, turn, queue);
		turn->is_queued = false;
		begin(turn);
	}
}

static void
on_due(void *arg)
{
	struct health_turn *turn = arg;

	TAILQ_INSERT_TAIL(&turn->watched->health->queue, turn, queue);
	turn->is_queued = true;
	begin_queued(turn->watched->health);
}

/* ---- what follows from its answer ---- */

static uint64_t
count_up(const struct upstream_group *group)
{
	uint64_t up = 0;

	for (unsigned i = 0; i < upstream_group_count(group); i++)
		up += upstream_group_state(group, i) != UPSTREAM_DOWN;
	return up;
}

static void
log_health(const struct health_turn *turn, const struct outage *outage, const char *error)
{
	const struct upstream_group *group = group_of(turn);
	const struct log_field fields[] = {
		log_str("upstream", upstream_group_target(group, turn->index)),
		log_str("server_name", upstream_group_name(group)),
		log_u64("up", count_up(group)),
		log_u64("upstreams", upstream_group_count(group)),
		log_outage(outage, clock_ms()),
		{ 0 },
	};

	if (error)
		log_write(LOG_WARNING, "upstream-unhealthy", error, fields);
	else
		log_write(LOG_WARNING, "upstream-healthy", "it answers its checks again", fields);
}

/* It has gone down, or up again. */
static void
tell_change(struct health_turn *turn, const char *error)
{
	struct outage past;

	if (error)
		outage_fail(&turn->outage, "down", clock_ms());
	else
		outage_end(&turn->outage, &past);
	log_health(turn, error ? &turn->outage : &past, error);
}

/* It is down still.  What was known before a reload was told then. */
static void
tell_again(struct health_turn *turn, const char *error)
{
	bool is_inherited = turn->outage.failures == 0;

	if (outage_fail(&turn->outage, "down", clock_ms()) && !is_inherited)
		log_health(turn, &turn->outage, error);
}

/* A first answer decides; later ones have to agree with each other. */
static bool
is_change(struct health_turn *turn, enum upstream_health known, bool is_there)
{
	const struct health_settings *settings = upstream_group_health(group_of(turn));

	if (known == UPSTREAM_UNCHECKED)
		return true;
	if (is_there == (known == UPSTREAM_UP))
		turn->streak = 0;
	else
		turn->streak++;
	return turn->streak >= (is_there ? settings->rise : settings->fall);
}

static void
answer(struct health_turn *turn, const char *error)
{
	struct health *health = turn->watched->health;
	struct upstream_group *group = group_of(turn);
	enum upstream_health known = upstream_group_state(group, turn->index);

	if (!is_change(turn, known, !error)) {
		if (error && known == UPSTREAM_DOWN)
			tell_again(turn, error);
		return;
	}
	turn->streak = 0;
	upstream_group_move(group, turn->index, error ? UPSTREAM_DOWN : UPSTREAM_UP, error);
	if (!error && known == UPSTREAM_UNCHECKED)
		return; /* it was taken to be up */
	tell_change(turn, error);
	if (health->ops->on_change)
		health->ops->on_change(health->arg);
}

void
health_skip(struct health_turn *turn)
{
	struct health *health = turn->watched->health;

	assert(turn->check);
	turn->check = NULL;
	health->under_way--;
	plan(turn);
	begin_queued(health);
}

void
health_answer(struct health_turn *turn, const char *error)
{
	health_skip(turn);
	answer(turn, error);
}

/* ---- who is watched ---- */

static void
stop_turn(struct health *health, struct health_turn *turn)
{
	timer_clear(&turn->due);
	if (turn->is_queued)
		TAILQ_REMOVE(&health->queue, turn, queue);
	if (!turn->check)
		return;
	health->ops->cancel(turn->check);
	health->under_way--;
}

static void
unwatch(struct health_watched *watched)
{
	struct upstream_group *group = watched->subject.group;

	for (unsigned i = 0; i < upstream_group_count(group); i++)
		stop_turn(watched->health, &watched->turns[i]);
	LIST_REMOVE(watched, link);
	group->watched = NULL;
	upstream_group_release(group);
	free(watched);
}

static bool
watch(struct health *health, const struct health_subject *subject)
{
	struct upstream_group *group = subject->group;
	size_t count = upstream_group_count(group);
	struct health_watched *watched =
	    calloc(1, sizeof *watched + count * sizeof watched->turns[0]);

	if (!watched)
		return false;
	watched->health = health;
	watched->subject = *subject;
	watched->is_wanted = true;
	upstream_group_hold(group);
	group->watched = watched;
	LIST_INSERT_HEAD(&health->all, watched, link);
	for (unsigned i = 0; i < count; i++) {
		watched->turns[i].watched = watched;
		watched->turns[i].index = i;
		timer_init(&watched->turns[i].due, health->loop, on_due, &watched->turns[i]);
		timer_set(&watched->turns[i].due, 0);
	}
	return true;
}

/* False when memory is short. */
static bool
want(struct health *health, const struct health_subject *subject)
{
	struct health_watched *watched = subject->group->watched;

	if (upstream_group_health(subject->group)->check == HEALTH_NONE)
		return true;
	if (!watched)
		return watch(health, subject);
	watched->subject.about = subject->about;
	watched->is_wanted = true;
	return true;
}

bool
health_watch(struct health *health, const struct health_subject *subjects, size_t count)
{
	struct health_watched *watched, *next;
	bool fine = true;

	LIST_FOREACH(watched, &health->all, link)
		watched->is_wanted = false;
	for (size_t i = 0; i < count; i++)
		fine = want(health, &subjects[i]) && fine;
	for (watched = LIST_FIRST(&health->all); watched; watched = next) {
		next = LIST_NEXT(watched, link);
		if (!watched->is_wanted)
			unwatch(watched);
	}
	begin_queued(health);
	return fine;
}

struct health *
health_new(struct loop *loop, const struct health_ops *ops, void *arg)
{
	struct health *health = calloc(1, sizeof *health);

	if (!health)
		return NULL;
	health->loop = loop;
	health->ops = ops;
	health->arg = arg;
	LIST_INIT(&health->all);
	TAILQ_INIT(&health->queue);
	return health;
}

void
health_free(struct health *health)
{
	if (!health)
		return;
	health_watch(health, NULL, 0);
	free(health);
}
