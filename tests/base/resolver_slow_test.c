/* The resolver before a system that is slow, counted and always the same: getaddrinfo() is ours
 * here. */
#include "base/resolver.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/clock_fake.h"
#include "helpers.h"

enum { QUEUE = 256 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool held;	/* names that begin with "slow" are not answered */
static bool at_work;
static unsigned asked;

static struct loop *loop;
static struct resolver *resolver;
static unsigned answered, refused, failed, wanted;
static char said[512];

int
getaddrinfo(
    const char *host, const char *service, const struct addrinfo *wish, struct addrinfo **found)
{
	struct { struct addrinfo info; struct sockaddr_in name; } *one;

	(void)service;
	(void)wish;
	pthread_mutex_lock(&lock);
	asked++;
	at_work = true;
	pthread_cond_broadcast(&changed);
	while (held && strncmp(host, "slow", 4) == 0)
		pthread_cond_wait(&changed, &lock);
	at_work = false;
	pthread_mutex_unlock(&lock);
	if (strcmp(host, "none") == 0)
		return EAI_NONAME;
	one = calloc(1, sizeof(*one));
	one->name.sin_family = AF_INET;
	one->name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	one->info.ai_addr = (struct sockaddr *)&one->name;
	one->info.ai_addrlen = sizeof(one->name);
	*found = &one->info;
	return 0;
}

void
freeaddrinfo(struct addrinfo *info)
{
	free(info);
}

static void
hold(bool on)
{
	pthread_mutex_lock(&lock);
	held = on;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void
wait_until_at_work(void)
{
	pthread_mutex_lock(&lock);
	while (!at_work)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static unsigned
asked_so_far(void)
{
	unsigned count;

	pthread_mutex_lock(&lock);
	count = asked;
	pthread_mutex_unlock(&lock);
	return count;
}

static int
set_up(void **state)
{
	(void)state;
	asked = answered = refused = failed = 0;
	wanted = 1;
	clock_fake(1000000000, 0);
	loop = loop_new();
	resolver = resolver_new();
	return loop == NULL || resolver == NULL;
}

static int
tear_down(void **state)
{
	(void)state;
	hold(false);
	resolver_free(resolver);
	loop_free(loop);
	return 0;
}

static void
on_done(void *arg, const struct address *addresses, size_t count, const char *error)
{
	(void)arg;
	(void)addresses;
	if (count > 0)
		answered++;
	else if (strstr(error, "too many names") != NULL)
		refused++;
	else
		failed++;
	snprintf(said, sizeof(said), "%s", error != NULL ? error : "");
	if (answered + refused + failed == wanted)
		loop_stop(loop);
}

static void
ask(const char *host)
{
	assert_non_null(resolver_ask(resolver, loop, host, 1, on_done, NULL));
}

static void
ask_and_wait(const char *host)
{
	wanted = answered + refused + failed + 1;
	ask(host);
	loop_run(loop);
}

static void
an_answer_is_kept_for_thirty_seconds(void **state)
{
	(void)state;
	ask_and_wait("a");
	ask_and_wait("a");
	clock_fake(1000000000 + 29999000, 0);
	ask_and_wait("a");
	assert_int_equal(asked_so_far(), 1);
	clock_fake(1000000000 + 30000000, 0);
	ask_and_wait("a");
	assert_int_equal(asked_so_far(), 2);
	assert_int_equal(answered, 4);
}

static void
a_failure_is_kept_for_one_second(void **state)
{
	(void)state;
	ask_and_wait("none");
	ask_and_wait("none");
	assert_int_equal(asked_so_far(), 1);
	assert_string_equal(said, "cannot resolve \"none\": Name or service not known");
	clock_fake(1000000000 + 1000000, 0);
	ask_and_wait("none");
	assert_int_equal(asked_so_far(), 2);
	assert_int_equal(failed, 3);
}

static void
forgets_the_oldest_when_it_knows_too_many(void **state)
{
	char host[16];

	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		clock_fake(1000000000 + i * 1000, 0);
		snprintf(host, sizeof(host), "n%u", i);
		ask_and_wait(host);
	}
	ask_and_wait("n299");
	assert_int_equal(asked_so_far(), 300);
	ask_and_wait("n0");
	assert_int_equal(asked_so_far(), 301);
}

static void
refuses_more_names_than_its_queue_holds(void **state)
{
	char host[16];

	(void)state;
	hold(true);
	ask("slow");
	wait_until_at_work();
	for (unsigned i = 1; i < QUEUE + 44; i++) {
		snprintf(host, sizeof(host), "n%u", i);
		ask(host);
	}
	ask("n1");	/* joins one that waits */
	wanted = 44;
	loop_run(loop);
	assert_int_equal(refused, 44);
	hold(false);
	wanted = QUEUE + 44 + 1;
	loop_run(loop);
	assert_int_equal(answered, QUEUE + 1);
	assert_int_equal(asked_so_far(), QUEUE);
}

static void
gives_no_answer_after_five_seconds_but_keeps_a_late_one(void **state)
{
	uint64_t began;

	(void)state;
	clock_fake(0, 0);
	began = clock_ms();
	hold(true);
	ask_and_wait("slow");
	assert_int_equal(failed, 1);
	assert_non_null(strstr(said, "no answer within 5 s"));
	assert_true(clock_ms() - began >= 4900 && clock_ms() - began < 6000);
	hold(false);
	ask_and_wait("slow");
	assert_int_equal(answered, 1);
	assert_int_equal(asked_so_far(), 1);
}

static void
a_name_that_nobody_waits_for_any_more_is_not_asked_for(void **state)
{
	struct resolution *dropped;

	(void)state;
	hold(true);
	ask("slow");
	wait_until_at_work();
	dropped = resolver_ask(resolver, loop, "unwanted", 1, on_done, NULL);
	resolution_forget(dropped);
	ask("b");
	hold(false);
	wanted = 2;
	loop_run(loop);
	assert_int_equal(asked_so_far(), 2);
}

/* The thread is inside the system's call: it is left behind, and frees everything when it comes
 * back. */
static void
ends_while_the_system_is_at_work(void **state)
{
	struct resolution *asked_for;

	(void)state;
	hold(true);
	asked_for = resolver_ask(resolver, loop, "slow", 1, on_done, NULL);
	wait_until_at_work();
	resolution_forget(asked_for);
	resolver_free(resolver);
	resolver = NULL;
	hold(false);
	usleep(50000);
	assert_int_equal(answered + failed, 0);
}

/* What is reaped at the very end may find the resolver gone. */
static void
may_be_forgotten_after_the_resolver_has_ended(void **state)
{
	struct resolution *at_it, *queued;

	(void)state;
	ask_and_wait("known");
	hold(true);
	at_it = resolver_ask(resolver, loop, "slow", 1, on_done, NULL);
	wait_until_at_work();
	queued = resolver_ask(resolver, loop, "later", 1, on_done, NULL);
	ask("known");	/* its answer is on its way */
	resolver_free(resolver);
	resolver = NULL;
	resolution_forget(at_it);
	resolution_forget(queued);
	wanted = 2;
	loop_run(loop);
	assert_int_equal(answered, 2);
	hold(false);
	usleep(50000);
}

#define SLOW_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	SLOW_TEST(an_answer_is_kept_for_thirty_seconds),
	SLOW_TEST(a_failure_is_kept_for_one_second),
	SLOW_TEST(forgets_the_oldest_when_it_knows_too_many),
	SLOW_TEST(refuses_more_names_than_its_queue_holds),
	SLOW_TEST(gives_no_answer_after_five_seconds_but_keeps_a_late_one),
	SLOW_TEST(a_name_that_nobody_waits_for_any_more_is_not_asked_for),
	SLOW_TEST(ends_while_the_system_is_at_work),
	SLOW_TEST(may_be_forgotten_after_the_resolver_has_ended),
};

RUN_TESTS("resolver before a slow system", tests)
