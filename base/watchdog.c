/* Asks all loops, and tells the service manager when all have answered. */
#include "base/watchdog.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/loop.h"
#include "base/ready.h"
#include "base/units.h"

enum {
	ASKS = 4, /* in the time after which the manager gives up */
	LEAST_MS = 10,
	MS_US = 1000,
};

struct watched {
	struct call call;
	struct loop *loop;
	atomic_bool has_answered;
	struct watched *next;
};

struct watchdog {
	struct timer timer;
	struct watched *loops;
	uint64_t every_ms; /* 0: nobody wants to hear */
};

static void
on_answer(void *data)
{
	struct watched *watched = data;

	atomic_store(&watched->has_answered, true);
}

static void
ask_all(struct watchdog *watchdog)
{
	for (struct watched *watched = watchdog->loops; watched; watched = watched->next) {
		atomic_store(&watched->has_answered, false);
		loop_call(watched->loop, &watched->call, on_answer, watched);
	}
}

static bool
have_all_answered(const struct watchdog *watchdog)
{
	for (struct watched *watched = watchdog->loops; watched; watched = watched->next)
		if (!atomic_load(&watched->has_answered))
			return false;
	return true;
}

/* Who has not answered has the call still, so that it cannot be called again. */
static void
on_time(void *arg)
{
	struct watchdog *watchdog = arg;

	timer_set(&watchdog->timer, watchdog->every_ms);
	if (!have_all_answered(watchdog))
		return;
	ready_tell("WATCHDOG=1", NULL);
	ask_all(watchdog);
}

/* As sd_watchdog_enabled(3): 0: nobody wants to hear, or of another process. */
static uint64_t
patience_of_manager(void)
{
	const char *patience = getenv("WATCHDOG_USEC"), *whose = getenv("WATCHDOG_PID");
	uint64_t patience_us, pid;

	if (!patience || !number_parse(patience, &patience_us))
		return 0;
	return !whose || (number_parse(whose, &pid) && pid == (uint64_t)getpid()) ? patience_us : 0;
}

struct watchdog *
watchdog_new(struct loop *main)
{
	struct watchdog *watchdog = calloc(1, sizeof *watchdog);
	uint64_t patience_us = patience_of_manager();

	if (!watchdog)
		return NULL;
	timer_init(&watchdog->timer, main, on_time, watchdog);
	if (patience_us == 0)
		return watchdog;
	watchdog->every_ms = patience_us / MS_US / ASKS;
	if (watchdog->every_ms < LEAST_MS)
		watchdog->every_ms = LEAST_MS;
	return watchdog;
}

bool
watchdog_add(struct watchdog *watchdog, struct loop *loop)
{
	struct watched *watched;

	if (!watchdog || !loop)
		return true;
	watched = calloc(1, sizeof *watched);
	if (!watched)
		return false;
	watched->loop = loop;
	watched->next = watchdog->loops;
	watchdog->loops = watched;
	return true;
}

void
watchdog_start(struct watchdog *watchdog)
{
	if (watchdog->every_ms == 0)
		return;
	timer_set(&watchdog->timer, watchdog->every_ms);
	ask_all(watchdog);
}

void
watchdog_free(struct watchdog *watchdog)
{
	struct watched *watched, *next;

	if (!watchdog)
		return;
	timer_clear(&watchdog->timer);
	for (watched = watchdog->loops; watched; watched = next) {
		next = watched->next;
		free(watched);
	}
	free(watchdog);
}
