/* Tests of agent/upstream_dial: how long an upstream has. */
#include "agent/upstream_dial.h"

#include "base/clock_fake.h"
#include "base/loop_advance.h"
#include "base/resolver.h"
#include "silent_upstream.h"

static struct loop *loop;
static struct resolver *resolver;
static struct upstream_dial *dial;
static unsigned calls;
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
	silent_upstream_stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_up_when_its_time_is_over_and_not_before),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("agent/upstream_dial", tests, set_up, tear_down);
}
