/* What is due, judged by the wall clock. */
#include "acme/schedule.h"

#include <stdlib.h>

#include "base/numbers.h"

static int64_t
draw(int64_t most_s)
{
	return most_s <= 0
	    ? 0
	    : arc4random_uniform((uint32_t)smaller_of((uint64_t)most_s, UINT32_MAX - 1) + 1);
}

static int64_t
life_of(const struct schedule *schedule)
{
	return schedule->not_after_s - schedule->not_before_s;
}

/* Up to a thirtieth of the life earlier. */
static void
draw_renewal(struct schedule *schedule)
{
	int64_t life_s = life_of(schedule);

	schedule->renew_s = schedule->not_after_s - life_s / 3 - draw(life_s / 30);
}

void
schedule_take(struct schedule *schedule, int64_t not_before_s, int64_t not_after_s)
{
	if (schedule->not_before_s == not_before_s && schedule->not_after_s == not_after_s)
		return;
	schedule->not_before_s = not_before_s;
	schedule->not_after_s = not_after_s;
	schedule->asked_s = schedule->again_s = 0;
	draw_renewal(schedule);
}

void
schedule_hurry(struct schedule *schedule)
{
	schedule->renew_s = schedule->not_before_s;
	schedule->issued_s = 0;
}

void
schedule_take_issued(struct schedule *schedule, int64_t now_s)
{
	schedule->issued_s = now_s;
	schedule->failures = 0;
}

static int64_t
bounded(uint64_t seconds, int64_t least_s, int64_t most_s)
{
	int64_t wanted_s = (int64_t)smaller_of(seconds, (uint64_t)most_s);

	return wanted_s > least_s ? wanted_s : least_s;
}

void
schedule_take_window(struct schedule *schedule, const struct acme_window *window,
    uint64_t retry_after_s, int64_t now_s)
{
	int64_t latest_s = schedule->not_after_s - life_of(schedule) / 10;

	schedule->asked_s = now_s;
	schedule->again_s = bounded(
	    retry_after_s > 0 ? retry_after_s : SCHEDULE_WINDOW_S, 60, 4 * SCHEDULE_WINDOW_S);
	if (!window)
		return;
	/* A moment that was drawn within the same window stands. */
	if (schedule->renew_s < window->from_s || schedule->renew_s > window->until_s)
		schedule->renew_s = window->from_s + draw(window->until_s - window->from_s);
	if (schedule->renew_s > latest_s)
		schedule->renew_s = latest_s;
}

/* How long a CA may make us wait: half of what is left of the certificate in force, for later is too late. */
static int64_t
obedience_of(const struct schedule *schedule, int64_t now_s)
{
	int64_t left_s = schedule->not_after_s - now_s;

	return left_s > 0 && left_s / 2 < SCHEDULE_WAIT_MOST_S ? left_s / 2 : SCHEDULE_WAIT_MOST_S;
}

void
schedule_take_failure(
    struct schedule *schedule, enum acme_failure failure, uint64_t retry_after_s, int64_t now_s)
{
	static const struct {
		int64_t first_s, most_s;
	} waits[ACME_FAILURES] = {
		[ACME_FAILURE_UNREACHABLE] = { 30, 3600 },
		[ACME_FAILURE_LATER] = { 60, 6 * 3600 },
		[ACME_FAILURE_BUSY] = { 30, 600 },
		/* Public CAs allow five failed validations of a name in an hour. */
		[ACME_FAILURE_INVALID] = { 900, 86400 },
		[ACME_FAILURE_REFUSED] = { 3600, 86400 },
		[ACME_FAILURE_CLOCK] = { 60, 600 },
	};
	int64_t wait_s = waits[failure].first_s;

	for (unsigned i = 0; i < schedule->failures && wait_s < waits[failure].most_s; i++)
		wait_s *= 2;
	if (wait_s > waits[failure].most_s)
		wait_s = waits[failure].most_s;
	wait_s += draw(wait_s / 4);
	schedule->failures++;
	schedule->failed_s = now_s;
	schedule->wait_s = bounded(retry_after_s, wait_s, obedience_of(schedule, now_s));
}

/* A clock that was set back to before the failure makes nobody wait for years. */
bool
schedule_waits(const struct schedule *schedule, int64_t now_s)
{
	return schedule->failures > 0 && now_s >= schedule->failed_s &&
	    now_s - schedule->failed_s < schedule->wait_s;
}

static bool
rests(const struct schedule *schedule, int64_t now_s)
{
	int64_t tenth_s = life_of(schedule) / 10,
		rest_s = tenth_s < SCHEDULE_REST_S ? tenth_s : SCHEDULE_REST_S;

	return schedule->issued_s > 0 && now_s >= schedule->issued_s &&
	    now_s - schedule->issued_s < rest_s;
}

bool
schedule_is_due(const struct schedule *schedule, int64_t now_s)
{
	return !schedule_waits(schedule, now_s) && !rests(schedule, now_s) &&
	    now_s >= schedule->renew_s;
}

bool
schedule_wants_window(const struct schedule *schedule, int64_t now_s)
{
	return schedule->not_after_s > 0 && !schedule_waits(schedule, now_s) &&
	    now_s < schedule->renew_s &&
	    (now_s < schedule->asked_s || now_s - schedule->asked_s >= schedule->again_s);
}

int64_t
schedule_due_s(const struct schedule *schedule, int64_t now_s)
{
	int64_t due_s = schedule->renew_s;

	if (schedule_waits(schedule, now_s) && schedule->failed_s + schedule->wait_s > due_s)
		due_s = schedule->failed_s + schedule->wait_s;
	return due_s > now_s ? due_s : now_s;
}
