/* Tests of base/lookup_helper: a resolver whose look-ups are in another process, which may die. */
#include "base/lookup_helper.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/helper.h"
#include "base/lookup_message.h"
#include "base/loop.h"
#include "base/resolver.h"
#include "child.h"
#include "helpers.h"

enum { MANY = 100 };

static struct helper *helper;
static struct loop *loop;
static struct resolver *resolver;
static unsigned found, failed, wanted;
static struct address first;
static char said[512];

static int
set_up(void **state)
{
	(void)state;
	found = failed = 0;
	helper = lookup_helper_start();
	loop = loop_new();
	resolver = helper ? resolver_new_in(helper) : NULL;
	return !loop || !resolver;
}

static int
tear_down(void **state)
{
	(void)state;
	resolver_free(resolver);
	loop_free(loop);
	helper_end(helper);
	return 0;
}

static void
on_done(void *arg, const struct address *addresses, size_t count, const char *error)
{
	(void)arg;
	found += count > 0;
	failed += count == 0;
	if (count > 0)
		first = addresses[0];
	snprintf(said, sizeof said, "%s", error ? error : "");
	if (found + failed == wanted)
		loop_stop(loop);
}

static void
ask(const char *host)
{
	assert_non_null(resolver_ask(resolver, loop, host, 443, on_done, NULL));
}

static void
wait_for(unsigned answers)
{
	wanted = answers;
	if (found + failed < wanted)
		loop_run(loop);
}

static void
finds_a_name_of_the_hosts_file(void **state)
{
	char text[ADDRESS_TEXT];

	(void)state;
	ask("localhost");
	wait_for(1);
	assert_int_equal(found, 1);
	address_text(&first, text);
	assert_true(strcmp(text, "127.0.0.1:443") == 0 || strcmp(text, "[::1]:443") == 0);
}

static void
says_why_there_is_none(void **state)
{
	(void)state;
	ask("no such name");
	wait_for(1);
	assert_int_equal(failed, 1);
	assert_non_null(strstr(said, "cannot resolve \"no such name\": "));
}

static void
many_names_are_answered_each(void **state)
{
	char host[32];

	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(host, sizeof host, "127.0.0.%u", i + 1);
		ask(host);
	}
	wait_for(MANY);
	assert_int_equal(found, MANY);
}

/* It is killed while it cannot answer: what it was asked fails, and the next name is found. */
static void
a_process_that_dies_costs_what_it_was_asked(void **state)
{
	pid_t process;

	(void)state;
	ask("localhost");
	wait_for(1);
	process = child_of(child_of(getpid()));
	assert_true(process > 0);
	kill(process, SIGSTOP);
	ask("127.0.0.7");
	kill_child(process);
	wait_for(2);
	if (failed > 0) /* else the new one has found its question */
		assert_non_null(strstr(said, "the process that resolves names has ended"));
	ask("127.0.0.8");
	wait_for(3);
	assert_int_equal(found, failed > 0 ? 2 : 3);
}

static void
without_a_process_nothing_is_found(void **state)
{
	(void)state;
	ask("localhost");
	wait_for(1);
	kill_child(child_of(getpid()));
	for (unsigned asked = 2; failed == 0; asked++) { /* until that is known */
		char host[32];

		snprintf(host, sizeof host, "127.0.1.%u", asked);
		ask(host);
		wait_for(asked);
	}
	assert_non_null(strstr(said, "cannot resolve"));
}

#define LOOKUP_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	LOOKUP_TEST(finds_a_name_of_the_hosts_file),
	LOOKUP_TEST(says_why_there_is_none),
	LOOKUP_TEST(many_names_are_answered_each),
	LOOKUP_TEST(a_process_that_dies_costs_what_it_was_asked),
	LOOKUP_TEST(without_a_process_nothing_is_found),
};

RUN_TESTS("look-ups in a process of their own", tests)
