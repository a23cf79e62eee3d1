/* Tests of base/upstream_outage: what the log has of upstreams that flows cannot reach. */
#include "base/upstream_outage.h"

#include <stddef.h>

#include "base/log.h"
#include "base/outage.h"
#include "helpers.h"
#include "log_heard.h"

enum { MINUTE = 60000 };

static struct upstream_outage known;

static void
note(const char *error, uint64_t now_ms)
{
	upstream_outage_note(&known, "10.0.0.7:8080", "app.test", error, now_ms);
}

static int
set_up(void **state)
{
	(void)state;
	log_init("test", LOG_WARNING, LOG_TEXT);
	log_listen();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	upstream_outage_wipe(&known);
	return 0;
}

static void
one_that_works_costs_nothing_and_is_not_told(void **state)
{
	(void)state;
	note(NULL, 1);
	note(NULL, 2);
	assert_null(atomic_load(&known.outage));
	assert_string_equal(log_heard(), "");
}

static void
is_told_down_again_and_back(void **state)
{
	const char *said;

	(void)state;
	for (uint64_t ms = 1; ms < 6 * MINUTE; ms += 1000)
		note("connection refused", ms);
	note(NULL, 7 * MINUTE);
	note(NULL, 8 * MINUTE);
	said = log_heard();
	assert_int_equal(log_lines_with(said, "warning upstream-down: connection refused upstream=10.0.0.7:8080 "
					      "server_name=app.test"), 3);
	assert_int_equal(log_lines_with(said, "failures=61 lasted_s=60\n"), 1);
	assert_int_equal(log_lines_with(said, "warning upstream-up: "), 1);
	assert_int_equal(log_lines_with(said, "failures=360 lasted_s=419\n"), 1);
	assert_null(atomic_load(&known.outage));
}

/* Clients make it so as often as they like. */
static void
one_that_takes_some_and_refuses_others_is_one_outage(void **state)
{
	const char *said;

	(void)state;
	for (uint64_t ms = 1; ms < MINUTE; ms += 100) {
		note("connection refused", ms);
		note(NULL, ms + 50);
	}
	note(NULL, MINUTE + OUTAGE_CALM_MS);
	said = log_heard();
	assert_int_equal(log_lines_with(said, "upstream-down"), 1);
	assert_int_equal(log_lines_with(said, "upstream-up"), 1);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	ONE(one_that_works_costs_nothing_and_is_not_told),
	ONE(is_told_down_again_and_back),
	ONE(one_that_takes_some_and_refuses_others_is_one_outage),
};

RUN_TESTS("upstream-outage", tests)
