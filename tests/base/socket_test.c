/* Tests of base/socket: listening and accepting, with real sockets. */
#include "base/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/clock_fake.h"
#include "base/log.h"
#include "base/loop_advance.h"
#include "helpers.h"

enum { REAL_SECONDS_MOST = 60, CLIENTS = 200 };

static struct loop *loop;
static struct listener *listener;
static struct address local;
static int accepted[CLIENTS + 1], accepted_count, wanted;
static char peer_text[ADDRESS_TEXT], error[512];

/* A kernel without IPv6, when asked for. */
static bool has_no_ipv6;

int
socket(int family, int type, int protocol)
{
	if (family == AF_INET6 && has_no_ipv6) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	return (int)syscall(SYS_socket, family, type, protocol);
}

/* What accept4() fails with, when asked for. */
static int accept_error;

int
accept4(int fd, struct sockaddr *from, socklen_t *bytes, int flags)
{
	if (accept_error != 0) {
		errno = accept_error;
		return -1;
	}
	return (int)syscall(SYS_accept4, fd, from, bytes, flags);
}

static int
set_up(void **state)
{
	(void)state;
	loop = loop_new();
	clock_fake(1000000000, 1767225600000000);
	alarm(REAL_SECONDS_MOST);
	accepted_count = 0;
	wanted = 1;
	log_init("test", LOG_ERROR, LOG_TEXT);
	return !loop;
}

static int
tear_down(void **state)
{
	(void)state;
	listener_free(listener);
	listener = NULL;
	loop_free(loop);
	while (accepted_count > 0)
		close(accepted[--accepted_count]);
	clock_fake(0, 0);
	return 0;
}

static void
on_accept(void *arg, int fd, const struct address *peer)
{
	(void)arg;
	address_text(peer, peer_text);
	accepted[accepted_count++] = fd;
	if (accepted_count == wanted)
		loop_stop(loop);
}

static void
listen_at(const char *text)
{
	struct address address;
	int fd;

	assert_true(address_parse(&address, text));
	fd = socket_listen(&address, LISTEN_ALONE, error);
	if (fd < 0)
		fail_msg("%s", error);
	local = socket_local(fd);
	listener = listener_new(loop, fd, on_accept, NULL);
	assert_non_null(listener);
}

static int
connect_to(const struct address *address)
{
	int fd = socket(address->as.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, &address->as.any, address->bytes), 0);
	return fd;
}

/* The clock stands still meanwhile. */
static void
run_until_accepted(void)
{
	loop_run(loop);
	assert_int_equal(accepted_count, wanted);
}

static int
option(int fd, int level, int name)
{
	socklen_t bytes = sizeof(int);
	int value = -1;

	assert_int_equal(getsockopt(fd, level, name, &value, &bytes), 0);
	return value;
}

static void
accepts_with_everything_set(void **state)
{
	char text[ADDRESS_TEXT];
	struct address own;
	int fd;

	(void)state;
	listen_at("127.0.0.1:0");
	fd = connect_to(&local);
	run_until_accepted();
	assert_int_equal(accepted_count, 1);
	own = socket_local(fd);
	assert_string_equal(peer_text, address_text(&own, text));
	own = socket_peer(accepted[0]);
	assert_string_equal(peer_text, address_text(&own, text));
	assert_true((fcntl(accepted[0], F_GETFL) & O_NONBLOCK) != 0);
	assert_true((fcntl(accepted[0], F_GETFD) & FD_CLOEXEC) != 0);
	assert_int_equal(option(accepted[0], IPPROTO_TCP, TCP_NODELAY), 1);
	assert_int_equal(option(accepted[0], SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_true(option(accepted[0], IPPROTO_TCP, TCP_KEEPIDLE) <= 60);
	assert_int_equal(option(accepted[0], IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
	socket_allow_no_pauses(accepted[0]);
	assert_int_equal(option(accepted[0], IPPROTO_TCP, TCP_USER_TIMEOUT), 30000);
	assert_int_equal(option(accepted[0], IPPROTO_TCP, TCP_NOTSENT_LOWAT), 128 * 1024);
	socket_set_fast(accepted[0], true);
	assert_int_equal(option(accepted[0], IPPROTO_TCP, TCP_NOTSENT_LOWAT), 2048 * 1024);
	socket_set_fast(accepted[0], false);
	assert_int_equal(option(accepted[0], IPPROTO_TCP, TCP_NOTSENT_LOWAT), 128 * 1024);
	close(fd);
}

static void
one_socket_serves_both_families_and_peers_are_mapped(void **state)
{
	struct address to;
	char text[ADDRESS_TEXT];
	int fd;

	(void)state;
	listen_at("[::]:0");
	snprintf(text, sizeof text, "127.0.0.1:%u", address_port(&local));
	assert_true(address_parse(&to, text));
	fd = connect_to(&to);
	run_until_accepted();
	assert_memory_equal(peer_text, "127.0.0.1:", 10);
	close(fd);
}

static void
accepts_more_than_a_batch(void **state)
{
	int fds[CLIENTS];

	(void)state;
	listen_at("127.0.0.1:0");
	wanted = CLIENTS;
	for (int i = 0; i < CLIENTS; i++)
		fds[i] = connect_to(&local);
	run_until_accepted();
	assert_int_equal(accepted_count, CLIENTS);
	for (int i = 0; i < CLIENTS; i++)
		close(fds[i]);
}

static void
free_the_listener(void *arg, int fd, const struct address *peer)
{
	(void)arg;
	(void)peer;
	accepted[accepted_count++] = fd;
	listener_free(listener);
	listener = NULL;
}

static void
may_be_freed_while_it_accepts(void **state)
{
	struct address address;
	int fds[3], fd;

	(void)state;
	assert_true(address_parse(&address, "127.0.0.1:0"));
	fd = socket_listen(&address, LISTEN_ALONE, error);
	local = socket_local(fd);
	listener = listener_new(loop, fd, free_the_listener, NULL);
	for (int i = 0; i < 3; i++)
		fds[i] = connect_to(&local);
	assert_true(loop_advance(loop, 50));
	assert_int_equal(accepted_count, 1);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

/* How many descriptors the kernel watches for our loop. */
static int
count_watched(void)
{
	char path[64], line[256];
	int count = 0, epoll = -1;
	FILE *info;

	for (int fd = 3; fd < 64 && epoll < 0; fd++) {
		ssize_t bytes;

		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		bytes = readlink(path, line, sizeof line - 1);
		line[bytes > 0 ? bytes : 0] = '\0';
		if (strstr(line, "[eventpoll]"))
			epoll = fd;
	}
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", epoll);
	info = fopen(path, "re");
	assert_non_null(info);
	while (fgets(line, sizeof line, info))
		count += strncmp(line, "tfd:", 4) == 0;
	fclose(info);
	return count;
}

/* The kernel would watch a socket that is open elsewhere for ever. */
static void
what_is_freed_is_not_watched_although_its_socket_is_shared(void **state)
{
	struct address address;
	int before, fd, shared, client;

	(void)state;
	assert_true(loop_advance(loop, 0));
	before = count_watched();
	assert_true(address_parse(&address, "127.0.0.1:0"));
	fd = socket_listen(&address, LISTEN_ALONE, error);
	shared = dup(fd);
	local = socket_local(fd);
	listener = listener_new(loop, fd, free_the_listener, NULL);
	assert_true(loop_advance(loop, 0));
	assert_int_equal(count_watched(), before + 1);
	client = connect_to(&local);
	assert_true(loop_advance(loop, 0));
	assert_null(listener);
	assert_int_equal(count_watched(), before);
	close(client);
	close(shared);
}

static void
accepts_nothing_while_paused_and_then_who_waited(void **state)
{
	int fd;

	(void)state;
	listen_at("127.0.0.1:0");
	listener_pause(listener);
	fd = connect_to(&local);	/* the backlog takes it */
	assert_true(loop_advance(loop, 50));
	assert_int_equal(accepted_count, 0);
	listener_resume(listener);
	run_until_accepted();
	close(fd);
}

static void
a_local_socket_may_be_for_its_user_alone(void **state)
{
	static const struct { unsigned flags, mode; } cases[] = {
		{LISTEN_ALONE, 0755},
		{LISTEN_OWN_USER, 0600},
	};
	char path[] = "/tmp/valise-socket-XXXXXX", text[ADDRESS_TEXT];
	mode_t before = umask(0022);
	struct address address;
	struct stat st;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(path));
	snprintf(text, sizeof text, "unix:%s/s", path);
	assert_true(address_parse(&address, text));
	for (size_t i = 0; i < COUNT(cases); i++) {
		fd = socket_listen(&address, cases[i].flags, error);
		assert_true(fd >= 0);
		assert_int_equal(stat(address.as.local.sun_path, &st), 0);
		assert_int_equal(st.st_mode & 0777, cases[i].mode);
		close(fd);
	}
	umask(before);
	unlink(address.as.local.sun_path);
	rmdir(path);
}

/* ---- when this host is short of something ---- */

static struct rlimit all;

/* Not one more descriptor can be had. */
static void
take_descriptors_away(void)
{
	struct rlimit none;
	int next = dup(0);

	close(next);
	getrlimit(RLIMIT_NOFILE, &all);
	none = (struct rlimit){(rlim_t)next, all.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
}

static void
give_descriptors_back(void)
{
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
}

static void
say_bye(int fd)
{
	assert_int_equal(send(fd, "bye", 3, MSG_NOSIGNAL | MSG_DONTWAIT), 3);
}

static bool
has_heard(int fd, const char *text)
{
	char got[16];
	ssize_t bytes = recv(fd, got, sizeof got, MSG_DONTWAIT);

	return bytes == (ssize_t)strlen(text) && memcmp(got, text, strlen(text)) == 0;
}

/* All of them in no time, although a descriptor is there for one. */
static void
who_waits_is_turned_away_when_descriptors_run_out(void **state)
{
	int fds[CLIENTS];

	(void)state;
	listen_at("127.0.0.1:0");
	listener_say(listener, say_bye);
	for (int i = 0; i < CLIENTS; i++)
		fds[i] = connect_to(&local);
	take_descriptors_away();
	assert_true(loop_advance(loop, 0));
	give_descriptors_back();
	assert_int_equal(accepted_count, 0);
	for (int i = 0; i < CLIENTS; i++) {
		assert_true(has_heard(fds[i], "bye"));
		assert_int_equal(recv(fds[i], (char[1]){0}, 1, MSG_DONTWAIT), 0);
		close(fds[i]);
	}
}

/* Whoever was quicker has it, another thread for example. */
static void
has_its_reserve_again_after_somebody_else_has_taken_it(void **state)
{
	struct address address;
	int fd, early, late;

	(void)state;
	assert_true(address_parse(&address, "127.0.0.1:0"));
	fd = socket_listen(&address, LISTEN_ALONE, error);
	assert_true(fd >= 0);
	local = socket_local(fd);
	take_descriptors_away();
	listener = listener_new(loop, fd, on_accept, NULL);
	give_descriptors_back();
	listener_say(listener, say_bye);
	wanted = 1;
	early = connect_to(&local);
	assert_false(loop_advance(loop, 100));
	assert_int_equal(accepted_count, 1);
	late = connect_to(&local);
	take_descriptors_away();
	assert_true(loop_advance(loop, 0));
	give_descriptors_back();
	assert_true(has_heard(late, "bye"));
	close(early);
	close(late);
}

static void
rests_and_goes_on_when_descriptors_run_out(void **state)
{
	int early, late;

	(void)state;
	listen_at("127.0.0.1:0");
	early = connect_to(&local);
	late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	take_descriptors_away();
	assert_true(loop_advance(loop, 0));
	assert_true(has_heard(early, ""));
	assert_int_equal(connect(late, &local.as.any, local.bytes), 0);
	assert_true(loop_advance(loop, 99));	/* it rests, and does not spin */
	assert_int_equal(recv(late, (char[1]){0}, 1, MSG_DONTWAIT), -1);
	give_descriptors_back();
	assert_false(loop_advance(loop, 1));
	assert_int_equal(accepted_count, 1);
	close(early);
	close(late);
}

static void
goes_on_when_the_kernel_had_no_memory_for_a_while(void **state)
{
	static const int errors[] = {ENOMEM, ENOBUFS, ENFILE};

	(void)state;
	for (size_t i = 0; i < COUNT(errors); i++) {
		int fd;

		listen_at("127.0.0.1:0");
		wanted = accepted_count + 1;
		fd = connect_to(&local);
		accept_error = errors[i];
		assert_true(loop_advance(loop, 5000));
		assert_int_equal(recv(fd, (char[1]){0}, 1, MSG_DONTWAIT), -1);	/* nobody could turn it away */
		accept_error = 0;
		assert_false(loop_advance(loop, 100));
		assert_int_equal(accepted_count, wanted);
		close(fd);
		listener_free(listener);
	}
	listener = NULL;
}

static void
says_why_it_cannot_listen(void **state)
{
	struct address address;
	char text[ADDRESS_TEXT];

	(void)state;
	listen_at("127.0.0.1:0");
	assert_int_equal(socket_listen(&local, LISTEN_ALONE, error), -1);
	assert_non_null(strstr(error, "Address already in use; another program listens there"));
	assert_non_null(strstr(error, address_text(&local, text)));
	assert_true(address_parse(&address, "192.0.2.1:0"));
	assert_int_equal(socket_listen(&address, LISTEN_ALONE, error), -1);
	assert_non_null(strstr(error, "no interface of this host has that address"));
	assert_true(address_parse(&address, "unix:/nonexistent/x"));
	assert_int_equal(socket_listen(&address, LISTEN_ALONE, error), -1);
	assert_non_null(strstr(error, "create the directory"));
	address = (struct address){0};
	assert_int_equal(socket_listen(&address, LISTEN_ALONE, error), -1);
}

static void
several_listeners_share_a_port_when_asked(void **state)
{
	struct address address;
	int a, b;

	(void)state;
	assert_true(address_parse(&address, "127.0.0.1:0"));
	a = socket_listen(&address, LISTEN_SHARED, error);
	assert_true(a >= 0);
	address = socket_local(a);
	b = socket_listen(&address, LISTEN_SHARED, error);
	assert_true(b >= 0);
	assert_int_equal(socket_listen(&address, LISTEN_ALONE, error), -1);
	close(a);
	close(b);
}

static void
ipv4_may_have_a_socket_of_its_own_beside_ipv6(void **state)
{
	struct address v4 = address_any_v4(0), v6;
	char text[ADDRESS_TEXT];
	int a, b;

	(void)state;
	a = socket_listen(&v4, LISTEN_ALONE, error);
	assert_true(a >= 0);
	v4 = socket_local(a);
	snprintf(text, sizeof text, "[::]:%u", address_port(&v4));
	assert_true(address_parse(&v6, text));
	assert_int_equal(socket_listen(&v6, LISTEN_ALONE, error), -1);
	assert_int_equal(errno, EADDRINUSE);
	b = socket_listen(&v6, LISTEN_V6_ONLY, error);
	assert_true(b >= 0);
	close(a);
	close(b);
}

static void
without_ipv6_any_address_is_one_of_ipv4(void **state)
{
	static const struct { const char *text; unsigned flags; bool listens; } cases[] = {
		{"[::]:0", LISTEN_ALONE, true},
		{"[::]:0", LISTEN_SHARED, true},
		{"[::]:0", LISTEN_V6_ONLY, false},	/* another one has IPv4 */
		{"[::1]:0", LISTEN_ALONE, false},
	};

	(void)state;
	has_no_ipv6 = true;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct address address;
		int fd;

		assert_true(address_parse(&address, cases[i].text));
		fd = socket_listen(&address, cases[i].flags, error);
		assert_int_equal(fd >= 0, cases[i].listens);
		if (fd < 0) {
			assert_int_equal(errno, EAFNOSUPPORT);
			assert_non_null(strstr(error, "this kernel has no such family"));
			continue;
		}
		address = socket_local(fd);
		assert_int_equal(address.as.any.sa_family, AF_INET);
		assert_true(address_is_any(&address));
		close(fd);
	}
	has_no_ipv6 = false;
}

static void
replaces_a_stale_local_socket_but_no_living_one(void **state)
{
	char path[] = "/tmp/valise-socket-XXXXXX", text[ADDRESS_TEXT];
	struct address address;
	struct stat st;
	int fd, client;

	(void)state;
	assert_non_null(mkdtemp(path));
	snprintf(text, sizeof text, "unix:%s/s", path);
	assert_true(address_parse(&address, text));
	fd = socket_listen(&address, LISTEN_ALONE, error);
	assert_true(fd >= 0);
	assert_int_equal(socket_listen(&address, LISTEN_ALONE, error), -1);
	close(fd);
	assert_int_equal(stat(address.as.local.sun_path, &st), 0);
	listen_at(text);
	client = connect_to(&address);
	run_until_accepted();
	assert_int_equal(accepted_count, 1);
	assert_string_equal(peer_text, "unix:");
	close(client);
	unlink(address.as.local.sun_path);
	fd = open(address.as.local.sun_path, O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(socket_listen(&address, LISTEN_ALONE, error), -1);	/* a plain file stays */
	close(fd);
	unlink(address.as.local.sun_path);
	rmdir(path);
}

static void
a_reset_is_a_reset(void **state)
{
	char byte;
	int fd;

	(void)state;
	listen_at("127.0.0.1:0");
	fd = connect_to(&local);
	run_until_accepted();
	socket_reset_on_close(accepted[0]);
	close(accepted[--accepted_count]);
	assert_int_equal(read(fd, &byte, 1), -1);
	assert_int_equal(errno, ECONNRESET);
	close(fd);
}

#define SOCKET_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	SOCKET_TEST(accepts_with_everything_set),
	SOCKET_TEST(one_socket_serves_both_families_and_peers_are_mapped),
	SOCKET_TEST(accepts_more_than_a_batch),
	SOCKET_TEST(may_be_freed_while_it_accepts),
	SOCKET_TEST(what_is_freed_is_not_watched_although_its_socket_is_shared),
	SOCKET_TEST(accepts_nothing_while_paused_and_then_who_waited),
	SOCKET_TEST(a_local_socket_may_be_for_its_user_alone),
	SOCKET_TEST(who_waits_is_turned_away_when_descriptors_run_out),
	SOCKET_TEST(has_its_reserve_again_after_somebody_else_has_taken_it),
	SOCKET_TEST(rests_and_goes_on_when_descriptors_run_out),
	SOCKET_TEST(goes_on_when_the_kernel_had_no_memory_for_a_while),
	SOCKET_TEST(says_why_it_cannot_listen),
	SOCKET_TEST(several_listeners_share_a_port_when_asked),
	SOCKET_TEST(ipv4_may_have_a_socket_of_its_own_beside_ipv6),
	SOCKET_TEST(without_ipv6_any_address_is_one_of_ipv4),
	SOCKET_TEST(replaces_a_stale_local_socket_but_no_living_one),
	SOCKET_TEST(a_reset_is_a_reset),
};

RUN_TESTS("socket", tests)
