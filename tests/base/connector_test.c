/* Tests of the connector of base/socket.h with one address at a time. */
#include "base/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/clock_fake.h"
#include "base/loop_advance.h"
#include "base/resolver.h"
#include "helpers.h"

static struct loop *loop;
static struct resolver *resolver;
static int listening, got_fd, calls;
static uint16_t port;
static char said[CONNECT_ERROR];

static int
set_up(void **state)
{
	struct address address;
	char error[512];

	(void)state;
	clock_fake(1000000000, 0);
	loop = loop_new();
	resolver = resolver_new();
	address_parse(&address, "127.0.0.1:0");
	listening = socket_listen(&address, LISTEN_ALONE, error);
	address = socket_local(listening);
	port = address_port(&address);
	got_fd = -1;
	calls = 0;
	said[0] = '\0';
	return !loop || !resolver || listening < 0;
}

static int
tear_down(void **state)
{
	(void)state;
	if (got_fd >= 0)
		close(got_fd);
	if (listening >= 0)
		close(listening);
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
	assert_int_equal(fd >= 0, !error);
	if (error)
		snprintf(said, sizeof said, "%s", error);
	loop_stop(loop);
}

static void
begin(const char *target, uint64_t timeout_ms)
{
	assert_non_null(connector_new(loop, resolver, target, timeout_ms, on_done, NULL));
	assert_int_equal(calls, 0);	/* never from inside */
}

/* In no time of the clocks, however long the system takes. */
static void
connect_to(const char *target, uint64_t timeout_ms)
{
	begin(target, timeout_ms);
	loop_run(loop);
	assert_int_equal(calls, 1);
}

static const char *
with_port(const char *host)
{
	static char target[300];

	snprintf(target, sizeof target, "%s:%u", host, port);
	return target;
}

/* Has the kernel's choice of a port go wrong, when asked for. */
static bool meets_itself;
/* What connect() of a TCP socket fails with, and of a datagram one, when asked for. */
static int tcp_error, udp_error;

static int
type_of(int fd)
{
	socklen_t bytes = sizeof(int);
	int type = 0;

	getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes);
	return type;
}

int
connect(int fd, const struct sockaddr *to, socklen_t bytes)
{
	int error = type_of(fd) == SOCK_DGRAM ? udp_error : tcp_error;

	if (error != 0) {
		errno = error;
		return -1;
	}
	if (meets_itself)
		assert_int_equal(bind(fd, to, bytes), 0);
	return (int)syscall(SYS_connect, fd, to, bytes);
}

static void
a_connection_to_itself_is_none(void **state)
{
	(void)state;
	close(listening);
	listening = -1;
	meets_itself = true;
	connect_to(with_port("127.0.0.1"), 2000);
	meets_itself = false;
	assert_int_equal(got_fd, -1);
	assert_non_null(strstr(said, "Connection refused"));
}

static void
connects_to_a_literal(void **state)
{
	int fd;

	(void)state;
	connect_to(with_port("127.0.0.1"), 2000);
	assert_true(got_fd >= 0);
	fd = accept(listening, NULL, NULL);
	assert_true(fd >= 0);
	assert_int_equal(write(got_fd, "x", 1), 1);
	close(fd);
}

static bool
allows_nothing(void *arg, const struct address *address, char why[CONNECT_WHY])
{
	(void)address;
	++*(unsigned *)arg;
	snprintf(why, CONNECT_WHY, "is not listed");
	return false;
}

static void
a_fence_holds_for_literals_too(void **state)
{
	unsigned asked = 0;
	const struct connector_fence fence = { allows_nothing, &asked };
	char expected[128];

	(void)state;
	assert_non_null(connector_new_fenced(loop, resolver, with_port("127.0.0.1"), 2000, &fence, on_done, NULL));
	assert_int_equal(calls, 0);
	loop_run(loop);
	assert_int_equal(asked, 1);
	snprintf(expected, sizeof expected, "must not connect to 127.0.0.1:%u: it is not listed", port);
	assert_string_equal(said, expected);
	assert_int_equal(accept(listening, NULL, NULL), -1);
}

/* Where localhost has two addresses, the one that nobody listens on is passed over. */
static void
connects_to_a_name(void **state)
{
	(void)state;
	connect_to(with_port("localhost"), 2000);
	assert_true(got_fd >= 0);
}

static void
says_who_refused(void **state)
{
	char expected[128];

	(void)state;
	close(listening);
	listening = -1;
	connect_to(with_port("127.0.0.1"), 2000);
	assert_int_equal(got_fd, -1);
	snprintf(
	    expected, sizeof expected, "cannot connect to 127.0.0.1:%u: Connection refused", port);
	assert_string_equal(said, expected);
}

static void
refuses_targets_that_are_none(void **state)
{
	static const char *const targets[] = {
	    "", "host", "host:0", ":80", "tcp://host:80", "[::1]", "unix:", "a b:80"};

	(void)state;
	for (size_t i = 0; i < COUNT(targets); i++) {
		calls = 0;
		connect_to(targets[i], 2000);
		assert_int_equal(got_fd, -1);
		assert_non_null(strstr(said, "not host:port, [address]:port or unix:/path"));
	}
}

static void
says_that_a_name_does_not_exist(void **state)
{
	(void)state;
	connect_to("name.invalid:80", 8000);
	assert_int_equal(got_fd, -1);
	assert_non_null(strstr(said, "cannot resolve \"name.invalid\""));
}

/* A listener whose queue is full drops what knocks: on loopback the nearest thing to a silent host.
 */
static void
gives_up_in_time_on_a_silent_host(void **state)
{
	int fds[4];
	struct address to;
	(void)state;
	assert_int_equal(listen(listening, 0), 0);
	assert_true(address_parse(&to, with_port("127.0.0.1")));
	for (size_t i = 0; i < COUNT(fds); i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		connect(fds[i], &to.as.any, to.bytes);
	}
	begin(with_port("127.0.0.1"), 300);
	assert_true(loop_advance(loop, 299));
	assert_int_equal(calls, 0);
	assert_false(loop_advance(loop, 1));
	assert_int_equal(calls, 1);
	assert_int_equal(got_fd, -1);
	assert_non_null(strstr(said, "Connection timed out"));
	for (size_t i = 0; i < COUNT(fds); i++)
		close(fds[i]);
}

/* ---- when this host is short of something ---- */

static void
knows_whether_target_or_host_is_at_fault(void **state)
{
	static const struct { int tcp, udp, gives; } cases[] = {
		{ECONNREFUSED, 0, CONNECT_FAILED},
		{ENETUNREACH, 0, CONNECT_FAILED},
		{EADDRNOTAVAIL, EADDRNOTAVAIL, CONNECT_FAILED},	/* no address of this family */
		{EADDRNOTAVAIL, 0, CONNECT_SHORT},	/* no port */
		{ENOBUFS, 0, CONNECT_SHORT},
		{ENOMEM, 0, CONNECT_SHORT},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		calls = 0;
		tcp_error = cases[i].tcp;
		udp_error = cases[i].udp;
		connect_to(with_port("127.0.0.1"), 2000);
		assert_int_equal(got_fd, cases[i].gives);
		assert_non_null(strstr(said, strerror(cases[i].tcp)));
	}
	tcp_error = udp_error = 0;
	calls = 0;
	connect_to(with_port("127.0.0.1"), 2000);
	assert_true(got_fd >= 0);
}

/* A name cannot even be looked up then, and it does not become an unknown one. */
static void
without_descriptors_no_target_is_at_fault(void **state)
{
	const char *const targets[] = {"127.0.0.1:1", "name.invalid:1"};
	struct rlimit all, none;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &all);
	/* These are in use for ever, whatever the resolver opens and closes meanwhile. */
	none = (struct rlimit){STDERR_FILENO + 1, all.rlim_max};
	for (size_t i = 0; i < COUNT(targets); i++) {
		begin(targets[i], 8000);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
		loop_run(loop);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
		assert_int_equal(calls, 1);
		assert_int_equal(got_fd, CONNECT_SHORT);
		calls = 0;
	}
}

static int
listen_local(char *directory, char target[200])
{
	struct address address;
	char error[512];

	assert_non_null(mkdtemp(directory));
	snprintf(target, 200, "unix:%s/s", directory);
	assert_true(address_parse(&address, target));
	return socket_listen(&address, LISTEN_ALONE, error);
}

static void
connects_to_a_local_path(void **state)
{
	char directory[] = "/tmp/valise-connect-XXXXXX", target[200];
	int fd = listen_local(directory, target);

	(void)state;
	connect_to(target, 2000);
	assert_true(got_fd >= 0);
	close(got_fd);
	close(fd);
	calls = 0;
	connect_to(target, 2000);
	assert_int_equal(got_fd, -1);
	assert_non_null(strstr(said, "Connection refused"));
	unlink(target + 5);
	calls = 0;
	connect_to(target, 2000);
	assert_non_null(strstr(said, "No such file or directory"));
	rmdir(directory);
}

static int backlogged;

static void
accept_one(void *arg)
{
	(void)arg;
	close(accept(backlogged, NULL, NULL));
}

static void
waits_for_room_in_a_local_queue(void **state)
{
	char directory[] = "/tmp/valise-connect-XXXXXX", target[200];
	struct address address;
	struct timer later;
	int fd;

	(void)state;
	backlogged = listen_local(directory, target);
	assert_int_equal(listen(backlogged, 0), 0);
	assert_true(address_parse(&address, target));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, &address.as.any, address.bytes), 0);
	timer_init(&later, loop, accept_one, NULL);
	timer_set(&later, 50);
	begin(target, 2000);
	assert_true(loop_advance(loop, 49));
	assert_int_equal(calls, 0);
	assert_false(loop_advance(loop, 11));
	assert_int_equal(calls, 1);
	assert_true(got_fd >= 0);
	close(fd);
	close(backlogged);
	unlink(target + 5);
	rmdir(directory);
}

static void
says_nothing_after_it_was_given_up(void **state)
{
	static const char *const hosts[] = {"127.0.0.1", "localhost", "name.invalid"};

	(void)state;
	for (size_t i = 0; i < COUNT(hosts); i++)
		connector_free(
		    connector_new(loop, resolver, with_port(hosts[i]), 1000, on_done, NULL));
	connector_free(connector_new(loop, resolver, "bad", 1000, on_done, NULL));
	connector_free(NULL);
	assert_true(loop_advance(loop, 10000));
	assert_int_equal(calls, 0);
}

static struct connector *pending;

static void
give_up(void *arg)
{
	(void)arg;
	connector_free(pending);
}

static void
may_be_given_up_at_any_moment(void **state)
{
	static const char *const hosts[] = {"127.0.0.1", "localhost"};

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		struct timer timer;

		pending =
		    connector_new(loop, resolver, with_port(hosts[i % 2]), 1000, on_done, NULL);
		timer_init(&timer, loop, give_up, NULL);
		timer_set(&timer, 0);
		loop_advance(loop, 1);
		timer_clear(&timer);
		if (calls > 0) {	/* it was quicker */
			close(got_fd);
			got_fd = -1;
			calls = 0;
		}
	}
}

#define CONNECTOR_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	CONNECTOR_TEST(a_connection_to_itself_is_none),
	CONNECTOR_TEST(connects_to_a_literal),
	CONNECTOR_TEST(a_fence_holds_for_literals_too),
	CONNECTOR_TEST(connects_to_a_name),
	CONNECTOR_TEST(says_who_refused),
	CONNECTOR_TEST(refuses_targets_that_are_none),
	CONNECTOR_TEST(says_that_a_name_does_not_exist),
	CONNECTOR_TEST(gives_up_in_time_on_a_silent_host),
	CONNECTOR_TEST(connects_to_a_local_path),
	CONNECTOR_TEST(waits_for_room_in_a_local_queue),
	CONNECTOR_TEST(says_nothing_after_it_was_given_up),
	CONNECTOR_TEST(may_be_given_up_at_any_moment),
	CONNECTOR_TEST(knows_whether_target_or_host_is_at_fault),
	CONNECTOR_TEST(without_descriptors_no_target_is_at_fault),
};

RUN_TESTS("connector", tests)
