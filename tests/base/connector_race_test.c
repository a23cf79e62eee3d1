/* The addresses of one name against each other. The hosts are ours: getaddrinfo() gives [::1],
 * 127.0.0.1 and so on as each test wants it, on one port, and a full queue is a black hole. */
#include "base/socket.h"

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
#include "base/resolver.h"
#include "helpers.h"

enum { HOSTS = 3, FILLERS = 4, PACE_MS = 250, STEP_MS = 10, TIMEOUT_MS = 4000, MANY = CONNECT_RACING_MOST + 8 };

enum kind { CLOSED, OPEN, BLACK_HOLE };

static const char *const literals[HOSTS] = { "[::1]", "127.0.0.1", "127.0.0.2" };

struct raced_host {
	int fd, fillers[FILLERS];
};

static struct loop *loop;
static struct resolver *resolver;
static struct raced_host hosts[HOSTS];
static uint16_t port;
static int got_fd, calls;
static char said[CONNECT_ERROR];
static uint64_t began_ms;
static struct connector_fence fence;	/* none, unless a test has one */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned asked;
static unsigned order[HOSTS], order_count;	/* as getaddrinfo() gives them */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;	/* what the lock guards */
static bool is_shut;	/* getaddrinfo() takes its time */

static struct address
address_of(unsigned host)
{
	struct address address;
	char text[64];

	snprintf(text, sizeof text, "%s:%u", literals[host], port);
	assert_true(address_parse(&address, text));
	return address;
}

int
getaddrinfo(
    const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
	struct { struct addrinfo info; struct address address; } *all = calloc(HOSTS, sizeof *all);

	(void)name;
	(void)service;
	(void)hints;
	pthread_mutex_lock(&lock);
	asked++;
	pthread_cond_broadcast(&changed);
	while (is_shut)
		pthread_cond_wait(&changed, &lock);
	for (unsigned i = 0; i < order_count; i++) {
		all[i].address = address_of(order[i]);
		all[i].info.ai_addr = &all[i].address.as.any;
		all[i].info.ai_addrlen = all[i].address.bytes;
		all[i].info.ai_next = i + 1 < order_count ? &all[i + 1].info : NULL;
	}
	pthread_mutex_unlock(&lock);
	*out = &all[0].info;
	return 0;
}

void
freeaddrinfo(struct addrinfo *info)
{
	free(info);
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

static void
fill(struct raced_host *host, const struct address *address)
{
	assert_int_equal(listen(host->fd, 0), 0);
	for (unsigned i = 0; i < FILLERS; i++) {
		host->fillers[i] = socket(address->as.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		connect(host->fillers[i], &address->as.any, address->bytes);
	}
}

/* What stands at the port of this host from now on; false if it cannot be had. */
static bool
put(unsigned host, enum kind kind)
{
	struct address address = address_of(host);
	char error[512];

	if (kind == CLOSED)
		return true;
	hosts[host].fd = socket_listen(&address, LISTEN_ALONE, error);
	if (hosts[host].fd >= 0 && kind == BLACK_HOLE)
		fill(&hosts[host], &address);
	return hosts[host].fd >= 0;
}

static void
clear(void)
{
	for (unsigned i = 0; i < HOSTS; i++) {
		if (hosts[i].fd >= 0)
			close(hosts[i].fd);
		for (unsigned k = 0; k < FILLERS; k++) {
			if (hosts[i].fillers[k] >= 0)
				close(hosts[i].fillers[k]);
			hosts[i].fillers[k] = -1;
		}
		hosts[i].fd = -1;
	}
}

static bool
try_port(enum kind v6, enum kind first, enum kind second)
{
	struct address any = {0};
	char error[512];
	int fd;

	assert_true(address_parse(&any, "127.0.0.1:0"));
	fd = socket_listen(&any, LISTEN_ALONE, error);
	any = socket_local(fd);
	port = address_port(&any);
	close(fd);
	if (put(0, v6) && put(1, first) && put(2, second))
		return true;
	clear();
	return false;
}

/* One port that is free at all of them. */
static void
arrange(enum kind v6, enum kind first, enum kind second)
{
	for (unsigned i = 0; i < 100; i++) {
		if (try_port(v6, first, second))
			return;
	}
	fail_msg("no port is free on all addresses");
}

static void
found(unsigned count, unsigned a, unsigned b, unsigned c)
{
	pthread_mutex_lock(&lock);
	order[0] = a;
	order[1] = b;
	order[2] = c;
	order_count = count;
	pthread_mutex_unlock(&lock);
}

static int
set_up(void **state)
{
	(void)state;
	for (unsigned i = 0; i < HOSTS; i++)
		hosts[i] = (struct raced_host){.fd = -1, .fillers = {-1, -1, -1, -1}};
	clock_fake(1000000000, 0);
	loop = loop_new();
	resolver = resolver_new();
	pthread_mutex_lock(&lock);
	asked = 0;
	pthread_mutex_unlock(&lock);
	got_fd = -1;
	return !loop || !resolver;
}

static int
tear_down(void **state)
{
	(void)state;
	if (got_fd >= 0)
		close(got_fd);
	clear();
	resolver_free(resolver);
	loop_free(loop);
	clock_fake(0, 0);
	return 0;
}

static void
on_done(void *arg, int fd, const char *error)
{
	(void)arg;
	calls++;
	got_fd = fd;
	snprintf(said, sizeof said, "%s", error ? error : "");
	loop_stop(loop);
}

static void
begin(void)
{
	char target[64];

	if (got_fd >= 0)
		close(got_fd);
	got_fd = -1;
	calls = 0;
	began_ms = clock_ms();
	snprintf(target, sizeof target, "name:%u", port);
	assert_non_null(connector_new_fenced(loop, resolver, target, TIMEOUT_MS, &fence, on_done, NULL));
}

static void
nothing(void *arg, const struct address *addresses, size_t count, const char *error)
{
	(void)arg;
	(void)addresses;
	(void)count;
	(void)error;
	loop_stop(loop);
}

/* This answer and the connector's come together. */
static void
until_resolved(void)
{
	assert_non_null(resolver_ask(resolver, loop, "name", 1, nothing, NULL));
	loop_run(loop);
}

/* A connection on this machine is made or refused in no time of the fake clock, but the kernel may
 * be given a moment. Returns how many ms have passed. */
static uint64_t
connect_now(void)
{
	begin();
	until_resolved();
	loop_advance(loop, 0);
	for (unsigned ms = 0; ms <= TIMEOUT_MS && calls == 0; ms += STEP_MS) {
		usleep(500);
		if (loop_advance(loop, 0))
			loop_advance(loop, STEP_MS);
	}
	assert_int_equal(calls, 1);
	return clock_ms() - began_ms;
}

static void
assert_reached(unsigned host)
{
	char text[ADDRESS_TEXT], expected[ADDRESS_TEXT];
	struct address peer, address = address_of(host);

	if (got_fd < 0)
		fail_msg("%s", said);
	peer = socket_peer(got_fd);
	assert_string_equal(address_text(&peer, text), address_text(&address, expected));
}

/* Hosts may be connected to whose bit is set. */
static bool
allows(void *arg, const struct address *address, char why[CONNECT_WHY])
{
	const unsigned *allowed = arg;

	assert_int_equal(calls, 0);
	for (unsigned host = 0; host < HOSTS; host++) {
		struct address at = address_of(host);

		if (address_equals(&at, address) && (*allowed & 1u << host))
			return true;
	}
	snprintf(why, CONNECT_WHY, "is outside");
	return false;
}

/* Nobody has knocked there, not even one who was turned away since. */
static void
assert_untouched(unsigned host)
{
	int fd = accept(hosts[host].fd, NULL, NULL);

	assert_int_equal(fd, -1);
}

static void
what_the_fence_refuses_is_never_tried(void **state)
{
	unsigned allowed = 1u << 1;

	(void)state;
	fence = (struct connector_fence){ allows, &allowed };
	arrange(OPEN, OPEN, OPEN);
	found(3, 0, 2, 1);
	assert_in_range(connect_now(), 0, STEP_MS);
	assert_reached(1);
	assert_untouched(0);
	assert_untouched(2);
	allowed = 0;
	connect_now();
	assert_int_equal(got_fd, -1);
	assert_non_null(strstr(said, "must not connect to 127.0.0."));
	assert_non_null(strstr(said, ": it is outside"));
	assert_untouched(0);
	fence = (struct connector_fence){ NULL, NULL };
}

static unsigned
open_descriptors(void)
{
	DIR *fds = opendir("/proc/self/fd");
	unsigned count = 0;

	assert_non_null(fds);
	while (readdir(fds))
		count++;
	closedir(fds);
	return count;
}

/* The first connection waits a quarter of a second for the family that is a black hole; the
 * next ones do not. */
static void
a_black_hole_costs_a_quarter_of_a_second_once(void **state)
{
	uint64_t took;
	unsigned open;

	(void)state;
	arrange(BLACK_HOLE, OPEN, CLOSED);
	found(2, 0, 1, 0);
	open = open_descriptors();
	took = connect_now();
	assert_in_range(took, PACE_MS, PACE_MS + STEP_MS);
	assert_reached(1);
	assert_int_equal(open_descriptors(), open + 1);	/* the loser is closed */
	assert_in_range(connect_now(), 0, STEP_MS);
	assert_reached(1);
}

static void
one_that_refuses_costs_nothing(void **state)
{
	(void)state;
	arrange(CLOSED, OPEN, CLOSED);
	found(3, 0, 2, 1);
	assert_in_range(connect_now(), 0, STEP_MS);
	assert_reached(1);
}

static void
the_first_is_taken_where_it_answers(void **state)
{
	(void)state;
	arrange(OPEN, OPEN, OPEN);
	found(3, 0, 1, 2);
	assert_in_range(connect_now(), 0, STEP_MS);
	assert_reached(0);
}

/* The third is tried beside the two that do not answer, one after the other. */
static void
attempts_run_beside_each_other(void **state)
{
	uint64_t took;

	(void)state;
	arrange(BLACK_HOLE, BLACK_HOLE, OPEN);
	found(3, 0, 1, 2);
	took = connect_now();
	assert_in_range(took, 2 * PACE_MS, 2 * PACE_MS + STEP_MS);
	assert_reached(2);
}

static void
shut(bool is)
{
	pthread_mutex_lock(&lock);
	is_shut = is;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void
wait_until_asked(unsigned times)
{
	pthread_mutex_lock(&lock);
	while (asked < times)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

/* What the system was asked for so often is known: when it is asked for four names at once, no thread is behind
 * it. */
static void
wait_until_learned(unsigned times)
{
	static const char *const names[] = { "one", "two", "three", "four" };
	struct resolution *held[COUNT(names)];

	wait_until_asked(times);
	shut(true);
	for (size_t i = 0; i < COUNT(names); i++)
		held[i] = resolver_ask(resolver, loop, names[i], 1, nothing, NULL);
	wait_until_asked(times + COUNT(names));
	for (size_t i = 0; i < COUNT(names); i++)
		resolution_forget(held[i]);
	shut(false);
}

static void
says_the_error_of_each_family(void **state)
{
	char expected[CONNECT_ERROR];

	(void)state;
	arrange(CLOSED, BLACK_HOLE, CLOSED);
	found(2, 0, 1, 0);
	assert_in_range(connect_now(), TIMEOUT_MS, TIMEOUT_MS + STEP_MS);
	snprintf(expected, sizeof expected, "cannot connect to [::1]:%u: Connection refused; "
	    "nor to 127.0.0.1:%u: Connection timed out", port, port);
	assert_string_equal(said, expected);
	wait_until_learned(2);
	found(2, 1, 2, 0);
	clear();
	clock_fake_move(clock_us() + UINT64_C(400000000));
	connect_now();
	snprintf(expected, sizeof expected, "cannot connect to 127.0.0.2:%u: Connection refused", port);
	assert_string_equal(said, expected);
}

/* The upstream has moved: the one that finds out fails, those behind it do not. */
static void
a_name_is_looked_up_again_when_its_address_refuses(void **state)
{
	(void)state;
	arrange(CLOSED, CLOSED, OPEN);
	found(1, 1, 0, 0);
	connect_now();
	assert_int_equal(got_fd, -1);
	found(1, 2, 0, 0);
	loop_advance(loop, 1000);
	connect_now();
	assert_int_equal(got_fd, -1);
	wait_until_asked(2);
	assert_int_equal(asked_so_far(), 2);
	do	/* until the thread has brought it */
		connect_now();
	while (got_fd < 0);
	assert_reached(2);
	assert_int_equal(asked_so_far(), 2);
}

/* The name takes so long that the first address gets 100 ms before all is over.  It is not put last by that,
 * as one that had its time would be, and the name is not looked up again. */
static void
an_address_that_had_no_time_is_not_to_blame(void **state)
{
	(void)state;
	arrange(BLACK_HOLE, OPEN, CLOSED);
	found(2, 0, 1, 0);
	shut(true);
	begin();
	loop_advance(loop, TIMEOUT_MS - 100);
	assert_int_equal(calls, 0);
	shut(false);
	until_resolved();
	while (calls == 0)
		loop_advance(loop, STEP_MS);
	assert_int_equal(got_fd, -1);
	assert_non_null(strstr(said, "Connection timed out"));
	assert_in_range(clock_ms() - began_ms, TIMEOUT_MS, TIMEOUT_MS + STEP_MS);
	assert_in_range(connect_now(), PACE_MS, PACE_MS + STEP_MS);
	assert_reached(1);
	assert_in_range(connect_now(), 0, STEP_MS);
}

/* The loop was busy for longer than there was time, so the deadline comes before the first attempt. */
static void
nothing_begins_after_the_deadline(void **state)
{
	unsigned open;

	(void)state;
	arrange(CLOSED, OPEN, CLOSED);
	open = open_descriptors();
	calls = 0;
	snprintf(said, sizeof said, "127.0.0.1:%u", port);
	assert_non_null(connector_new(loop, resolver, said, TIMEOUT_MS, on_done, NULL));
	clock_fake_move(clock_us() + TIMEOUT_MS * UINT64_C(1000));
	loop_run(loop);
	assert_int_equal(calls, 1);
	assert_int_equal(got_fd, -1);
	assert_string_equal(said, "cannot connect: there was no time left to begin");
	assert_int_equal(open_descriptors(), open);
	loop_advance(loop, 0);
	assert_int_equal(calls, 1);
}

static struct connector *many[MANY];

static void
ignore(void *arg, int fd, const char *why)
{
	(void)arg;
	(void)why;
	assert_true(fd < 0);
}

static void
let_many_dial(void)
{
	char target[64];

	snprintf(target, sizeof target, "hole:%u", port);
	for (size_t i = 0; i < COUNT(many); i++) {
		many[i] = connector_new(loop, resolver, target, 100 * TIMEOUT_MS, ignore, NULL);
		assert_non_null(many[i]);
	}
	assert_non_null(resolver_ask(resolver, loop, "hole", 1, nothing, NULL));
	loop_run(loop);
	loop_advance(loop, 2 * PACE_MS);
}

static void
free_many(void)
{
	for (size_t i = 0; i < COUNT(many); i++)
		connector_free(many[i]);
}

/* Else names with many dead addresses would use up all descriptors. */
static void
few_race_in_all_and_the_others_try_one_after_the_other(void **state)
{
	unsigned open;

	(void)state;
	arrange(BLACK_HOLE, BLACK_HOLE, OPEN);
	open = open_descriptors();
	found(2, 0, 1, 0);
	let_many_dial();
	assert_int_equal(open_descriptors() - open, MANY + CONNECT_RACING_MOST);
	free_many();
	let_many_dial();	/* they have given all back */
	assert_int_equal(open_descriptors() - open, MANY + CONNECT_RACING_MOST);
	found(2, 1, 2, 0);
	assert_in_range(connect_now(), TIMEOUT_MS / 2, TIMEOUT_MS / 2 + PACE_MS);
	assert_reached(2);
	free_many();
}

#define RACE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	RACE_TEST(a_black_hole_costs_a_quarter_of_a_second_once),
	RACE_TEST(one_that_refuses_costs_nothing),
	RACE_TEST(the_first_is_taken_where_it_answers),
	RACE_TEST(attempts_run_beside_each_other),
	RACE_TEST(says_the_error_of_each_family),
	RACE_TEST(a_name_is_looked_up_again_when_its_address_refuses),
	RACE_TEST(an_address_that_had_no_time_is_not_to_blame),
	RACE_TEST(nothing_begins_after_the_deadline),
	RACE_TEST(what_the_fence_refuses_is_never_tried),
	RACE_TEST(few_race_in_all_and_the_others_try_one_after_the_other),
};

RUN_TESTS("connector with several addresses", tests)
