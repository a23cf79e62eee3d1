/* Tests of base/resolver with the system behind it: names, askers, loops. */
#include "base/resolver.h"

#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/thread.h"
#include "helpers.h"

enum { WORKERS = 3, ASKS = 100 };

static struct loop *loop;
static struct resolver *resolver;
static int answers, wanted;
static size_t got_count;
static struct address got_first;
static char said[512];

static int
set_up(void **state)
{
	(void)state;
	loop = loop_new();
	resolver = resolver_new();
	answers = 0;
	wanted = 1;
	said[0] = '\0';
	return !loop || !resolver;
}

static int
tear_down(void **state)
{
	(void)state;
	resolver_free(resolver);
	loop_free(loop);
	return 0;
}

static void
on_done(void *arg, const struct address *addresses, size_t count, const char *error)
{
	(void)arg;
	got_count = count;
	if (count > 0)
		got_first = addresses[0];
	if (error)
		snprintf(said, sizeof said, "%s", error);
	assert_int_equal(count == 0, error != NULL);
	if (++answers == wanted)
		loop_stop(loop);
}

static void
finds_a_name_of_the_hosts_file(void **state)
{
	char text[ADDRESS_TEXT];

	(void)state;
	assert_non_null(resolver_ask(resolver, loop, "localhost", 443, on_done, NULL));
	assert_int_equal(answers, 0);
	loop_run(loop);
	assert_true(got_count >= 1);
	assert_int_equal(address_port(&got_first), 443);
	address_host_text(&got_first, text);
	assert_true(strcmp(text, "127.0.0.1") == 0 || strcmp(text, "::1") == 0);
}

static void
takes_literals_too(void **state)
{
	char text[ADDRESS_TEXT];

	(void)state;
	assert_non_null(resolver_ask(resolver, loop, "::1", 9, on_done, NULL));
	loop_run(loop);
	assert_int_equal(got_count, 1);
	assert_string_equal(address_text(&got_first, text), "[::1]:9");
}

static void
says_what_is_not_found(void **state)
{
	(void)state;
	assert_non_null(resolver_ask(resolver, loop, "name.invalid", 443, on_done, NULL));
	loop_run(loop);
	assert_int_equal(got_count, 0);
	assert_non_null(strstr(said, "cannot resolve \"name.invalid\": "));
}

static void
many_askers_of_one_name_share_a_look_up(void **state)
{
	(void)state;
	wanted = 1000;	/* more than the queue holds */
	for (int i = 0; i < wanted; i++)
		assert_non_null(
		    resolver_ask(resolver, loop, "localhost", (uint16_t)(i + 1), on_done, NULL));
	loop_run(loop);
	assert_int_equal(answers, 1000);
	assert_string_equal(said, "");
}

static void
answers_every_one_of_many_names(void **state)
{
	char host[32];

	(void)state;
	wanted = 200;
	for (int i = 0; i < wanted; i++) {
		snprintf(host, sizeof host, "127.1.%d.%d", i / 250, i % 250);
		assert_non_null(resolver_ask(resolver, loop, host, 1, on_done, NULL));
	}
	loop_run(loop);
	assert_int_equal(answers, 200);
}

static void
the_forgotten_are_not_called(void **state)
{
	struct resolution *asked;

	(void)state;
	resolution_forget(NULL);
	for (int i = 0; i < 100; i++) {
		asked = resolver_ask(
		    resolver, loop, i % 2 == 0 ? "localhost" : "127.0.0.1", 1, on_done, NULL);
		resolution_forget(asked);
	}
	assert_non_null(resolver_ask(resolver, loop, "localhost", 1, on_done, NULL));
	loop_run(loop);
	assert_int_equal(answers, 1);
}

struct host_asker {
	struct thread *thread;
	struct loop *loop;
	int answers;
};

static void
on_answer(void *arg, const struct address *addresses, size_t count, const char *error)
{
	struct host_asker *asker = arg;

	(void)addresses;
	assert_true(count > 0 && !error);
	if (++asker->answers == ASKS)
		loop_stop(asker->loop);
}

static void
ask_often(void *arg, struct loop *own)
{
	struct host_asker *asker = arg;

	asker->loop = own;
	for (int i = 0; i < ASKS; i++) {
		struct resolution *dropped =
		    resolver_ask(resolver, own, "localhost", 2, on_answer, asker);

		resolution_forget(dropped);
		assert_non_null(resolver_ask(
		    resolver, own, i % 3 == 0 ? "127.0.0.9" : "localhost", 1, on_answer, asker));
	}
	loop_run(own);
}

static void
serves_several_loops_at_once(void **state)
{
	struct host_asker askers[WORKERS] = {0};

	(void)state;
	for (int i = 0; i < WORKERS; i++)
		askers[i].thread = thread_start("asker", ask_often, &askers[i]);
	for (int i = 0; i < WORKERS; i++)
		thread_join(askers[i].thread);
	for (int i = 0; i < WORKERS; i++)
		assert_int_equal(askers[i].answers, ASKS);
}

static void
ends_without_waiting_for_a_look_up(void **state)
{
	struct resolution *asked = resolver_ask(resolver, loop, "slow.invalid", 1, on_done, NULL);
	uint64_t began = clock_ms();

	(void)state;
	resolution_forget(asked);
	resolver_free(resolver);
	resolver = NULL;
	assert_true(clock_ms() - began < 1000);
}

#define RESOLVER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	RESOLVER_TEST(finds_a_name_of_the_hosts_file),
	RESOLVER_TEST(takes_literals_too),
	RESOLVER_TEST(says_what_is_not_found),
	RESOLVER_TEST(many_askers_of_one_name_share_a_look_up),
	RESOLVER_TEST(answers_every_one_of_many_names),
	RESOLVER_TEST(the_forgotten_are_not_called),
	RESOLVER_TEST(serves_several_loops_at_once),
	RESOLVER_TEST(ends_without_waiting_for_a_look_up),
};

RUN_TESTS("resolver", tests)
