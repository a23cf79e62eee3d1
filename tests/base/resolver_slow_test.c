/* The resolver before a system that is slow, counted and always the same: getaddrinfo() is ours
 * here. */
#include "base/resolver.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/clock_fake.h"
#include "base/loop_advance.h"
#include "base/resolved.h"
#include "helpers.h"

enum { QUEUE = 256, THREADS = 4, THREADS_MOST = 32, HELD_MS = 100 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool held;	/* names that begin with "slow" are not answered */
static bool broken;	/* no name is found */
static unsigned at_work, asked;
static unsigned lives_at;	/* the first address of every host */

static struct loop *loop;
static struct resolver *resolver;
static unsigned answered, refused, failed, wanted, threads_before;
static char said[512], got[RESOLVED_MOST][ADDRESS_TEXT];

static int
found(const char *host, struct addrinfo **out)
{
	struct { struct addrinfo info; struct sockaddr_in name; } *both;

	if (broken || strstr(host, "none"))
		return EAI_NONAME;
	both = calloc(2, sizeof *both);
	for (unsigned i = 0; i < 2; i++) {
		both[i].name.sin_family = AF_INET;
		both[i].name.sin_addr.s_addr = htonl(lives_at + i);
		both[i].info.ai_addr = (struct sockaddr *)&both[i].name;
		both[i].info.ai_addrlen = sizeof both->name;
	}
	if (strcmp(host, "two") == 0)
		both[0].info.ai_next = &both[1].info;
	*out = &both[0].info;
	return 0;
}

int
getaddrinfo(
    const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
	int why;

	(void)service;
	(void)hints;
	pthread_mutex_lock(&lock);
	asked++;
	at_work++;
	pthread_cond_broadcast(&changed);
	while (held && strncmp(host, "slow", 4) == 0)
		pthread_cond_wait(&changed, &lock);
	at_work--;
	pthread_cond_broadcast(&changed);
	why = found(host, out);
	pthread_mutex_unlock(&lock);
	return why;
}

void
freeaddrinfo(struct addrinfo *info)
{
	free(info);
}

static void
set(bool *what, bool on)
{
	pthread_mutex_lock(&lock);
	*what = on;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void
set_number(unsigned *what, unsigned number)
{
	pthread_mutex_lock(&lock);
	*what = number;
	pthread_mutex_unlock(&lock);
}

static void
hold(bool on)
{
	set(&held, on);
}

static void
wait_until(const unsigned *count, unsigned is)
{
	pthread_mutex_lock(&lock);
	while (*count != is)
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

static unsigned
threads_now(void)
{
	DIR *tasks = opendir("/proc/self/task");
	unsigned count = 0;

	assert_non_null(tasks);
	while (readdir(tasks))
		count++;
	closedir(tasks);
	return count;
}

/* A thread that was left behind has ended: nothing tells that but the kernel. */
static void
wait_until_all_have_ended(void)
{
	for (unsigned i = 0; i < 10000 && threads_now() > threads_before; i++)
		usleep(1000);
	assert_int_equal(threads_now(), threads_before);
}

/* Time passes; answers do not end it. */
static void
pass(uint64_t ms)
{
	wanted = 0;
	assert_true(loop_advance(loop, ms));
}

static void *
say_who(void *arg)
{
	*(pid_t *)arg = gettid();
	return arg;
}

/* A thread that was joined is still in the kernel's list for a moment. */
static bool
has_left_the_list(pid_t thread)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/self/task/%d", (int)thread);
	for (unsigned i = 0; i < 10000 && access(path, F_OK) == 0; i++)
		usleep(1000);
	return access(path, F_OK) != 0;
}

static int
set_up(void **state)
{
	pthread_t first;
	pid_t id = 0;

	(void)state;
	/* A sanitizer may start a thread of its own with the first one. */
	if (pthread_create(&first, NULL, say_who, &id) != 0 || pthread_join(first, NULL) != 0 ||
	    !has_left_the_list(id))
		return -1;
	answered = refused = failed = 0;
	wanted = 1;
	set(&broken, false);
	set_number(&asked, 0);
	set_number(&lives_at, INADDR_LOOPBACK);
	clock_fake(1000000000, 0);
	threads_before = threads_now();
	loop = loop_new();
	resolver = resolver_new();
	return !loop || !resolver;
}

static int
tear_down(void **state)
{
	(void)state;
	pass(5000);	/* whoever still waits gives up */
	hold(false);
	resolver_free(resolver);
	loop_free(loop);
	wait_until_all_have_ended();
	clock_fake(0, 0);
	return 0;
}

static void
on_done(void *arg, const struct address *addresses, size_t count, const char *error)
{
	(void)arg;
	for (size_t i = 0; i < count; i++)
		address_host_text(&addresses[i], got[i]);
	if (count > 0)
		answered++;
	else if (strstr(error, "too many names"))
		refused++;
	else
		failed++;
	snprintf(said, sizeof said, "%s", error ? error : "");
	if (answered + refused + failed == wanted)
		loop_stop(loop);
}

static void
ask(const char *host)
{
	assert_non_null(resolver_ask(resolver, loop, host, 1, on_done, NULL));
}

/* Names "what0" and on, each once. */
static void
ask_many(const char *what, unsigned count)
{
	char host[32];

	for (unsigned i = 0; i < count; i++) {
		snprintf(host, sizeof host, "%s%u", what, i);
		ask(host);
	}
}

/* Takes as many answers as come, in no time. */
static void
wait_for_answers(unsigned more)
{
	wanted = answered + refused + failed + more;
	loop_run(loop);
}

static void
ask_and_wait(const char *host)
{
	ask(host);
	wait_for_answers(1);
}

/* Until what has begun is known: when all four threads are in the system's call, none is behind it. */
static void
wait_until_learned(void)
{
	static unsigned name;
	char host[32];

	hold(true);
	for (unsigned i = 0; i < THREADS; i++) {
		snprintf(host, sizeof host, "slow and new %u", name++);
		ask(host);
	}
	wait_until(&at_work, THREADS);
	hold(false);
	wait_for_answers(THREADS);
	answered -= THREADS;
	set_number(&asked, asked_so_far() - THREADS);
}

/* For so many ms no answer, and then this many errors at the same moment. */
static void
pass_until_failed(uint64_t ms, unsigned count)
{
	unsigned before = failed;

	pass(ms - 1);
	assert_int_equal(failed, before);
	wanted = answered + refused + failed + count;
	assert_false(loop_advance(loop, 1));
	assert_int_equal(failed, before + count);
}

static void
an_answer_is_kept_for_thirty_seconds(void **state)
{
	(void)state;
	ask_and_wait("a");
	ask_and_wait("a");
	pass(29999);
	ask_and_wait("a");
	assert_int_equal(asked_so_far(), 1);
	pass(1);
	ask_and_wait("a");
	wait_until(&asked, 2);
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
	pass(1000);
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
		pass(1);
		snprintf(host, sizeof host, "n%u", i);
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
	(void)state;
	hold(true);
	ask_many("slow", THREADS);
	wait_until(&at_work, THREADS);
	ask_many("n", QUEUE - THREADS + 44);
	ask("n1");	/* joins one that waits */
	wait_for_answers(44);
	assert_int_equal(refused, 44);
	hold(false);
	wait_for_answers(QUEUE + 1);
	assert_int_equal(answered, QUEUE + 1);
	assert_int_equal(asked_so_far(), QUEUE);
}

static void
gives_no_answer_after_five_seconds_but_keeps_a_late_one(void **state)
{
	(void)state;
	hold(true);
	ask("slow");
	pass_until_failed(5000, 1);
	assert_non_null(strstr(said, "no answer within 5 s"));
	hold(false);
	ask_and_wait("slow");
	assert_int_equal(answered, 1);
	assert_int_equal(asked_so_far(), 1);
}

static void
keeps_what_comes_when_all_askers_have_left(void **state)
{
	struct resolution *left;

	(void)state;
	hold(true);
	left = resolver_ask(resolver, loop, "slow", 1, on_done, NULL);
	wait_until(&at_work, 1);
	resolution_forget(left);
	hold(false);
	wait_until(&at_work, 0);
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
	ask_many("slow", THREADS);
	wait_until(&at_work, THREADS);
	dropped = resolver_ask(resolver, loop, "unwanted", 1, on_done, NULL);
	resolution_forget(dropped);
	ask("b");
	hold(false);
	wait_for_answers(THREADS + 1);
	assert_int_equal(asked_so_far(), THREADS + 1);
}

/* ---- who waits for whom ---- */

static void
names_that_hang_delay_no_other(void **state)
{
	(void)state;
	hold(true);
	ask_many("slow", THREADS);
	wait_until(&at_work, THREADS);
	ask_many("good", 12);
	pass(HELD_MS - 1);
	assert_int_equal(asked_so_far(), THREADS);
	pass(1);
	if (answered < 12)
		wait_for_answers(12 - answered);
	assert_int_equal(answered, 12);
	ask_and_wait("better");	/* and from now on at once */
	assert_int_equal(answered, 13);
	pass_until_failed(5000 - HELD_MS, THREADS);
}

/* They hang for five seconds and are not found then. */
static void
make_slow(const char *what, unsigned count)
{
	hold(true);
	ask_many(what, count);
	for (unsigned i = 0; i < count; i += THREADS, pass(HELD_MS))
		wait_until(&at_work, i + THREADS < count ? i + THREADS : count);
	pass(5000);
	assert_int_equal(failed, count);
	hold(false);
	wait_until(&at_work, 0);
	ask_many(what, count);
	wait_for_answers(count);
	pass(1000);
	set_number(&asked, 0);
}

static void
names_that_were_slow_have_one_thread_between_them(void **state)
{
	(void)state;
	make_slow("slownone", 8);
	hold(true);
	ask_many("slownone", 8);
	wait_until(&at_work, 1);
	ask_many("good", 12);
	wait_for_answers(12);
	assert_int_equal(answered, 12);
	pass(4000);
	assert_int_equal(asked_so_far(), 1 + 12);
	hold(false);	/* one after the other, all of them */
	wait_for_answers(8);
	assert_int_equal(asked_so_far(), 8 + 12);
}

static void
a_slow_name_is_forgiven_after_a_minute(void **state)
{
	(void)state;
	make_slow("slownone", 2);
	pass(60000 - 1000);
	hold(true);
	ask_many("slownone", 2);
	wait_until(&at_work, 2);
}

/* A stranger who knows names that hang: the one that was quick before needs not wait for any. */
static void
a_quick_name_waits_for_nobody_however_many_hang(void **state)
{
	unsigned at = THREADS;

	(void)state;
	ask_and_wait("good");
	pass(330000);
	set_number(&asked, 0);
	hold(true);
	ask_many("slow", 100);
	for (wait_until(&at_work, at); at < THREADS_MOST - 1; wait_until(&at_work, at)) {
		pass(HELD_MS);
		at = at + THREADS < THREADS_MOST ? at + THREADS : THREADS_MOST - 1;
	}
	pass(HELD_MS);
	ask_and_wait("good");
	assert_int_equal(answered, 2);
	assert_int_equal(asked_so_far(), THREADS_MOST);
	assert_int_equal(threads_now() - threads_before, THREADS_MOST);
}

static void
ask_strange(const char *what, unsigned count)
{
	char host[32];

	for (unsigned i = 0; i < count; i++) {
		snprintf(host, sizeof host, "%s%u", what, i);
		assert_non_null(resolver_ask_strange(resolver, loop, host, 1, on_done, NULL));
	}
}

static void
make_slow_of_strangers(const char *what, unsigned count)
{
	failed = 0;
	hold(true);
	ask_strange(what, count);
	wait_until(&at_work, count);
	pass(5000);
	assert_int_equal(failed, count);
	hold(false);
	wait_until(&at_work, 0);
	ask_strange(what, count);
	wait_for_answers(count);
	pass(1000);
	set_number(&asked, 0);
}

/* Two of the four, and as time passes sixteen: what is ours begins at once all the while. */
static void
names_that_strangers_choose_hold_half_of_the_threads(void **state)
{
	(void)state;
	hold(true);
	ask_strange("slow", 100);
	for (unsigned at = 2; at <= THREADS_MOST / 2; at += 2, pass(HELD_MS)) {
		wait_until(&at_work, at);
		ask_many("good", 1);
		wait_for_answers(1);
	}
	pass(HELD_MS);
	ask_many("ours", 12);
	wait_for_answers(12);
	assert_int_equal(failed, 0);
	wait_until(&at_work, THREADS_MOST / 2);
	ask_many("slow and ours", THREADS);
	wait_until(&at_work, THREADS_MOST / 2 + THREADS);
	assert_int_equal(asked_so_far(), 1 + 12 + THREADS_MOST / 2 + THREADS);
}

static void
slow_names_of_strangers_do_not_keep_ours_waiting(void **state)
{
	(void)state;
	make_slow("slownone", 1);
	make_slow_of_strangers("slownone strange", 2);
	hold(true);
	ask_strange("slownone strange", 2);
	wait_until(&at_work, 1);
	ask_many("slownone", 1);
	wait_until(&at_work, 2);
	assert_int_equal(asked_so_far(), 2);
}

static void
strangers_have_half_of_the_queue_and_of_what_is_known(void **state)
{
	(void)state;
	hold(true);
	ask_strange("slow", RESOLVER_STRANGE_MOST + 9);
	wait_for_answers(9);
	assert_int_equal(refused, 9);
	ask_many("n", 100);
	wait_for_answers(100);
	ask_many("slow", 1); /* ours, too, from now on: there is a place for one more of theirs */
	ask_strange("slow strange", 2);
	wait_for_answers(1);
	assert_int_equal(refused, 10);
	hold(false);
	wait_for_answers(RESOLVER_STRANGE_MOST + 2);
	assert_int_equal(failed, 0);
	set_number(&asked, 0);
	ask_strange("new", 28);
	wait_for_answers(28);
	ask_many("n", 100); /* all of ours are still known */
	wait_for_answers(100);
	assert_int_equal(asked_so_far(), 28);
}

/* Names that strangers make up and that lead nowhere: those that lead somewhere stay known. */
static void
names_without_answer_push_out_none_that_has_one(void **state)
{
	(void)state;
	ask_strange("good", RESOLVER_STRANGE_MOST / 2);
	wait_for_answers(RESOLVER_STRANGE_MOST / 2);
	for (int i = 0; i < 3; i++) {
		char what[16];
		snprintf(what, sizeof what, "none %d ", i);
		ask_strange(what, RESOLVER_STRANGE_MOST);
		wait_for_answers(RESOLVER_STRANGE_MOST);
	}
	set_number(&asked, 0);
	ask_strange("good", RESOLVER_STRANGE_MOST / 2);
	wait_for_answers(RESOLVER_STRANGE_MOST / 2);
	assert_int_equal(asked_so_far(), 0);
	/* All that is known has an answer; the one that has none is the newest, and is used by its asker. */
	ask_strange("good", RESOLVER_STRANGE_MOST);
	wait_for_answers(RESOLVER_STRANGE_MOST / 2 + RESOLVER_STRANGE_MOST / 2);
	failed = 0;
	ask_strange("none again", 3);
	wait_for_answers(3);
	assert_int_equal(failed, 3);
}

static void
refreshing_takes_no_more_than_the_four(void **state)
{
	(void)state;
	ask_many("slow", 8);
	wait_for_answers(8);
	pass(30000);
	set_number(&asked, 0);
	hold(true);
	ask_many("slow", 8);
	wait_for_answers(8);
	wait_until(&at_work, THREADS);
	pass(1000);
	ask_and_wait("good");
	assert_int_equal(asked_so_far(), THREADS + 1);
	assert_int_equal(answered, 8 + 8 + 1);
}

static void
a_slow_name_leaves_a_full_queue_for_another(void **state)
{
	(void)state;
	make_slow("slownone", 3);
	hold(true);
	ask_many("slownone", 3);	/* one at work */
	ask_many("slow", THREADS - 1);
	wait_until(&at_work, THREADS);
	failed = 0;
	ask_many("n", QUEUE - 3 - (THREADS - 1));
	ask("one more");
	ask("two more");
	ask("three more");
	wait_for_answers(3);
	assert_int_equal(refused, 3);	/* two slow ones and the last */
	hold(false);
	wait_for_answers(QUEUE);
	assert_int_equal(answered, QUEUE - 1);
	assert_int_equal(failed, 1);
}

/* ---- stale answers, failed addresses ---- */

static void
a_stale_answer_is_served_while_the_name_is_asked_for_again(void **state)
{
	(void)state;
	ask_and_wait("slow");
	pass(30000);
	hold(true);
	set_number(&lives_at, INADDR_LOOPBACK + 1);
	ask_and_wait("slow");
	assert_string_equal(got[0], "127.0.0.1");
	wait_until(&at_work, 1);
	hold(false);
	do	/* until the thread has brought it */
		ask_and_wait("slow");
	while (strcmp(got[0], "127.0.0.2") != 0);
	assert_int_equal(asked_so_far(), 2);
	assert_int_equal(failed, 0);
}

static void
a_stale_answer_is_served_for_five_minutes_while_refreshing_fails(void **state)
{
	(void)state;
	ask_and_wait("a");
	set(&broken, true);
	pass(30000);
	ask_and_wait("a");
	wait_until(&asked, 2);
	set(&broken, false);
	wait_until_learned();
	set(&broken, true);
	pass(299999);
	ask_and_wait("a");
	assert_int_equal(answered, 3);
	wait_until(&asked, 3);
	set(&broken, false);
	wait_until_learned();
	set(&broken, true);
	pass(1000);
	ask_and_wait("a");
	assert_int_equal(failed, 1);
	assert_string_equal(said, "cannot resolve \"a\": Name or service not known");
}

static void
blame(const char *host, const char *literal)
{
	struct address address;

	assert_true(address_parse(&address, literal));
	resolver_address_failed(resolver, host, &address);
}

static void
an_address_that_fails_is_tried_last_for_half_a_minute(void **state)
{
	(void)state;
	ask_and_wait("two");
	assert_string_equal(got[0], "127.0.0.1");
	pass(1000);
	blame("two", "127.0.0.1:443");
	wait_until(&asked, 2);
	pass(0);
	ask_and_wait("two");
	assert_string_equal(got[0], "127.0.0.2");
	assert_string_equal(got[1], "127.0.0.1");
	pass(29999);
	ask_and_wait("two");
	assert_string_equal(got[0], "127.0.0.2");
	pass(1);
	ask_and_wait("two");
	assert_string_equal(got[0], "127.0.0.1");
}

static void
a_host_that_has_moved_is_found_at_once(void **state)
{
	(void)state;
	ask_and_wait("a");
	set_number(&lives_at, INADDR_LOOPBACK + 7);
	pass(1000);
	blame("a", "127.0.0.1:443");
	do	/* until the thread has brought it */
		ask_and_wait("a");
	while (strcmp(got[0], "127.0.0.8") != 0);
	assert_int_equal(asked_so_far(), 2);
	blame("a", "127.0.0.8:443");	/* within a second: not again */
	blame("a", "127.0.0.1:443");	/* none of its addresses any more */
	blame("b", "127.0.0.1:443");
	ask_and_wait("c");
	assert_int_equal(asked_so_far(), 3);
}

/* ---- the end ---- */

/* The thread is inside the system's call: it is left behind, and frees everything when it comes
 * back. */
static void
ends_while_the_system_is_at_work(void **state)
{
	struct resolution *asked_for;

	(void)state;
	hold(true);
	asked_for = resolver_ask(resolver, loop, "slow", 1, on_done, NULL);
	wait_until(&at_work, 1);
	resolution_forget(asked_for);
	resolver_free(resolver);
	resolver = NULL;
	hold(false);
	wait_until_all_have_ended();
	assert_int_equal(answered + failed, 0);
}

/* What is reaped at the very end may find the resolver gone. */
static void
may_be_forgotten_after_the_resolver_has_ended(void **state)
{
	struct resolution *at_it[THREADS], *queued;
	static const char *const slow[THREADS] = { "slow0", "slow1", "slow2", "slow3" };

	(void)state;
	ask_and_wait("known");
	hold(true);
	for (unsigned i = 0; i < THREADS; i++)
		at_it[i] = resolver_ask(resolver, loop, slow[i], 1, on_done, NULL);
	wait_until(&at_work, THREADS);
	queued = resolver_ask(resolver, loop, "later", 1, on_done, NULL);
	ask("known");	/* its answer is on its way */
	resolver_free(resolver);
	resolver = NULL;
	for (unsigned i = 0; i < THREADS; i++)
		resolution_forget(at_it[i]);
	resolution_forget(queued);
	wait_for_answers(1);
	assert_int_equal(answered, 2);
	hold(false);
	wait_until_all_have_ended();
}

#define SLOW_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	SLOW_TEST(an_answer_is_kept_for_thirty_seconds),
	SLOW_TEST(a_failure_is_kept_for_one_second),
	SLOW_TEST(forgets_the_oldest_when_it_knows_too_many),
	SLOW_TEST(refuses_more_names_than_its_queue_holds),
	SLOW_TEST(gives_no_answer_after_five_seconds_but_keeps_a_late_one),
	SLOW_TEST(keeps_what_comes_when_all_askers_have_left),
	SLOW_TEST(a_name_that_nobody_waits_for_any_more_is_not_asked_for),
	SLOW_TEST(names_that_hang_delay_no_other),
	SLOW_TEST(names_that_were_slow_have_one_thread_between_them),
	SLOW_TEST(a_slow_name_is_forgiven_after_a_minute),
	SLOW_TEST(a_quick_name_waits_for_nobody_however_many_hang),
	SLOW_TEST(names_that_strangers_choose_hold_half_of_the_threads),
	SLOW_TEST(slow_names_of_strangers_do_not_keep_ours_waiting),
	SLOW_TEST(strangers_have_half_of_the_queue_and_of_what_is_known),
	SLOW_TEST(names_without_answer_push_out_none_that_has_one),
	SLOW_TEST(refreshing_takes_no_more_than_the_four),
	SLOW_TEST(a_slow_name_leaves_a_full_queue_for_another),
	SLOW_TEST(a_stale_answer_is_served_while_the_name_is_asked_for_again),
	SLOW_TEST(a_stale_answer_is_served_for_five_minutes_while_refreshing_fails),
	SLOW_TEST(an_address_that_fails_is_tried_last_for_half_a_minute),
	SLOW_TEST(a_host_that_has_moved_is_found_at_once),
	SLOW_TEST(ends_while_the_system_is_at_work),
	SLOW_TEST(may_be_forgotten_after_the_resolver_has_ended),
};

RUN_TESTS("resolver before a slow system", tests)
