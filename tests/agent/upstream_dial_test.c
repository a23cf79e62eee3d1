/* Tests of agent/upstream_dial: how long an upstream has. */
#include "agent/upstream_dial.h"

#include <sys/resource.h>
#include <unistd.h>

#include "base/clock_fake.h"
#include "base/loop_advance.h"
#include "base/resolver.h"
#include "silent_upstream.h"

static struct loop *loop;
static struct resolver *resolver;
static struct upstream_dial *dial;
static unsigned calls;
static bool was_short;
static char said[UPSTREAM_DIAL_ERROR];

static int
set_up(void **state)
{
	(void)state;
	clock_fake(1000000000, 1000000000);
	loop = loop_new();
	resolver = resolver_new();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	resolver_free(resolver);
	loop_free(loop);
	clock_fake(0, 0);
	return 0;
}

static void
on_done(void *arg, struct stream *stream, const char *error)
{
	(void)arg;
	assert_null(stream);
	calls++;
	was_short = upstream_dial_is_short(dial);
	snprintf(said, sizeof said, "%s", error);
	upstream_dial_free(dial);
}

static void
gives_up_when_its_time_is_over_and_not_before(void **state)
{
	char address[ADDRESS_TEXT];
	struct upstream_target target = { 0 };
	struct upstream upstream = { .targets = &target };
	struct upstream_dial_options options = { .upstream = &upstream, .timeout_ms = 500 };

	(void)state;
	snprintf(target.url.target, sizeof target.url.target, "%s", silent_upstream_start(address));
	dial = upstream_dial_new(loop, resolver, &options, on_done, NULL);
	assert_non_null(dial);
	loop_advance(loop, 499);
	assert_int_equal(calls, 0);
	loop_advance(loop, 1);
	assert_int_equal(calls, 1);
	assert_non_null(strstr(said, address));
	assert_false(was_short);
	silent_upstream_stop();
}

static void
without_descriptors_it_is_no_fault_of_the_upstream(void **state)
{
	struct upstream_target target = { .url.target = "127.0.0.1:1" };
	struct upstream upstream = { .targets = &target };
	struct upstream_dial_options options = { .upstream = &upstream, .timeout_ms = 500 };
	struct rlimit all, none;
	int next = dup(0);

	(void)state;
	close(next);
	calls = 0;
	dial = upstream_dial_new(loop, resolver, &options, on_done, NULL);
	assert_non_null(dial);
	getrlimit(RLIMIT_NOFILE, &all);
	none = (struct rlimit){ (rlim_t)next, all.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	loop_advance(loop, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
	assert_int_equal(calls, 1);
	assert_true(was_short);
	assert_non_null(strstr(said, "Too many open files"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_up_when_its_time_is_over_and_not_before),
		cmocka_unit_test(without_descriptors_it_is_no_fault_of_the_upstream),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("agent/upstream_dial", tests, set_up, tear_down);
}
