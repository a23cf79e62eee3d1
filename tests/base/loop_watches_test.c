/*
 * Watches over real sockets, whose descriptors are closed, opened again with the
 * same number, handed on and watched in another way at random, also by handlers
 * while others are ready.  When the loop has come to rest, nothing is ready of
 * what is wanted; and it does come to rest.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/loop.h"
#include "base/loop_private.h"
#include "base/socket.h"
#include "helpers.h"

enum {
	PLACES = 10,
	STORIES = 300,
	ROUNDS = 40,
	STEPS = 12,
	TURNS_MOST = 1000,
	LOOKS = 100,
	LOOK_MS = 50,
};

/* On the heap, so that a sanitizer hears of a call that comes too late. */
struct watcher {
	struct watched_socket *place;
	struct watch watch;
};

struct watched_socket {
	int fd, peer;		/* -1: none */
	struct watcher *watcher;
	bool has_ended;		/* its end or a reset was read */
	size_t to_write;
};

static struct watched_socket places[PLACES];
static struct loop *loop;
static int listener;
static unsigned seed;
static struct watched_socket *in_handler;

static unsigned
below(unsigned bound)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % bound;
}

static void on_ready(void *arg, unsigned ready);

/* ---- sockets ---- */

static void
make_pair(struct watched_socket *place)
{
	struct sockaddr_in name;
	socklen_t bytes = sizeof name;
	int pair[2];

	if (below(2) == 0) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
		place->fd = pair[0];
		place->peer = pair[1];
		return;
	}
	assert_int_equal(getsockname(listener, (struct sockaddr *)&name, &bytes), 0);
	place->peer = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(place->peer, (struct sockaddr *)&name, bytes), 0);
	place->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	assert_true(place->fd >= 0);
	assert_int_equal(fcntl(place->peer, F_SETFL, O_NONBLOCK), 0);
}

/* ---- watching ---- */

static void
want(struct watched_socket *place, unsigned more, unsigned less)
{
	struct watch *watch = &place->watcher->watch;

	watch_want(watch, (watch->mask | more) & ~less);
}

static void
end_reading(struct watched_socket *place)
{
	place->has_ended = true;
	want(place, 0, WATCH_READ);
}

/* Who is told each time reads a little; who is told once reads all. */
static void
read_some(struct watched_socket *place)
{
	bool is_edge = place->watcher->watch.is_edge;
	char bytes[500];
	ssize_t got;

	do
		got = recv(place->fd, bytes, is_edge ? sizeof bytes : sizeof bytes / 2, 0);
	while (is_edge && got == sizeof bytes);
	if (got == 0 || (got < 0 && errno != EAGAIN))
		end_reading(place);
}

static void
write_some(struct watched_socket *place)
{
	static const char bytes[50000];
	ssize_t sent = 1;

	while (place->to_write > 0 && sent > 0) {
		sent = send(place->fd, bytes,
		    place->to_write < sizeof bytes ? place->to_write : sizeof bytes, MSG_NOSIGNAL);
		if (sent > 0)
			place->to_write -= (size_t)sent;
		else if (errno != EAGAIN)
			place->to_write = 0;
	}
	if (place->to_write == 0)
		want(place, 0, WATCH_WRITE);
}

/* There is no edge while there is room. */
static void
begin_writing(struct watched_socket *place)
{
	want(place, WATCH_WRITE, 0);
	write_some(place);
}

static struct watcher *
new_watcher(struct watched_socket *place)
{
	struct watcher *watcher = calloc(1, sizeof *watcher);

	assert_non_null(watcher);
	watcher->place = place;
	place->watcher = watcher;
	return watcher;
}

static void
begin(struct watched_socket *place)
{
	struct watcher *watcher = new_watcher(place);

	watch_init(&watcher->watch, loop, place->fd, on_ready, watcher);
	if (below(3) > 0)
		watch_set_edge(&watcher->watch);
	want(place, place->has_ended ? 0 : below(4), 0);
}

/* What its predecessor was told is not told again, so it looks first. */
static void
go_on(struct watched_socket *place)
{
	struct watcher *watcher = new_watcher(place);

	watch_go_on(&watcher->watch, loop, place->fd, on_ready, watcher);
	if (below(3) > 0)
		watch_set_edge(&watcher->watch);
	if (place->has_ended)
		return;
	read_some(place);
	want(place, place->has_ended ? WATCH_NOTHING : WATCH_READ, 0);
	begin_writing(place);
}

static void
stop_watching(struct watched_socket *place, bool is_handed_on)
{
	if (!place->watcher)
		return;
	if (is_handed_on)
		watch_hand_on(&place->watcher->watch);
	else
		watch_wipe(&place->watcher->watch);
	free(place->watcher);
	place->watcher = NULL;
}

static void
shut(struct watched_socket *place)
{
	bool is_told = below(2) == 0;
	int fd = place->fd;

	if (fd < 0)
		return;
	stop_watching(place, below(2) == 0);
	close(fd);
	if (is_told)
		loop_closed(loop, fd);
	if (place->peer >= 0)
		close(place->peer);
	*place = (struct watched_socket){ .fd = -1, .peer = -1 };
}

static void
open_anew(struct watched_socket *place)
{
	shut(place);
	make_pair(place);
	begin(place);
}

/* ---- what happens ---- */

static void
speak(struct watched_socket *place)
{
	static const char bytes[2000];

	if (place->peer >= 0 && send(place->peer, bytes, 1 + below(2000), MSG_NOSIGNAL) < 0)
		return; /* it is full, or has ended */
}

static void
listen_to(struct watched_socket *place)
{
	static char bytes[200000];

	if (place->peer >= 0 && recv(place->peer, bytes, sizeof bytes, 0) < 0)
		return;
}

static void
end_peer(struct watched_socket *place)
{
	if (place->peer < 0)
		return;
	if (below(2) == 0) {
		shutdown(place->peer, SHUT_WR);
		return;
	}
	if (below(2) == 0)
		socket_reset_on_close(place->peer);
	close(place->peer);
	place->peer = -1;
}

static void
change(struct watched_socket *place)
{
	if (!place->watcher)
		begin(place);
	else if (below(4) == 0)
		want(place, 0, WATCH_READ | WATCH_WRITE);
	else if (below(3) == 0 && !place->has_ended) {
		place->to_write += below(400000) + 1;
		begin_writing(place);
	} else if (!place->has_ended)
		want(place, WATCH_READ, 0);
}

/* Now, or when somebody changes something in a later turn. */
static void
hand_on(struct watched_socket *place)
{
	bool is_handed_on = below(2) == 0;

	stop_watching(place, is_handed_on);
	if (below(3) > 0)
		go_on(place);
}

static void
step(void)
{
	struct watched_socket *place = &places[below(PLACES)];

	if (place == in_handler)
		return;
	switch (place->fd < 0 ? 0 : below(8)) {
	case 0:
		open_anew(place);
		break;
	case 1:
		shut(place);
		break;
	case 2:
		end_peer(place);
		break;
	case 3:
		hand_on(place);
		break;
	case 4:
		listen_to(place);
		break;
	case 5:
		speak(place);
		break;
	default:
		change(place);
		break;
	}
}

static void
on_ready(void *arg, unsigned ready)
{
	struct watcher *watcher = arg;
	struct watched_socket *place = watcher->place;

	assert_ptr_equal(place->watcher, watcher);
	assert_int_equal(ready & ~watcher->watch.mask, 0);
	if (ready & WATCH_READ)
		read_some(place);
	if (ready & WATCH_WRITE)
		write_some(place);
	in_handler = place;
	if (below(8) == 0)
		step();
	in_handler = NULL;
}

/* ---- what must hold ---- */

static void
come_to_rest(void)
{
	uint64_t before;
	int turns = 0;

	do {
		before = loop->moves;
		loop_turn(loop, false);
	} while (loop->moves != before && ++turns < TURNS_MOST);
	assert_true(turns < TURNS_MOST);
}

static bool
waits_in_vain(const struct watched_socket *place)
{
	struct pollfd asked = { .fd = place->fd };

	if (!place->watcher)
		return false;
	asked.events |= place->watcher->watch.mask & WATCH_READ ? POLLIN : 0;
	asked.events |= place->watcher->watch.mask & WATCH_WRITE ? POLLOUT : 0;
	return asked.events != 0 && poll(&asked, 1, 0) > 0;
}

static void
do_nothing(void *arg)
{
	(void)arg;
}

/* What has only just become ready is told in the next turns. */
static void
check(const struct watched_socket *place)
{
	struct timer timer;

	timer_init(&timer, loop, do_nothing, NULL);
	for (int look = 0; look < LOOKS && waits_in_vain(place); look++) {
		timer_set(&timer, LOOK_MS);
		loop_turn(loop, true);
	}
	timer_clear(&timer);
	assert_false(waits_in_vain(place));
}

static void
tell_story(unsigned number)
{
	seed = number;
	loop = loop_new();
	assert_non_null(loop);
	for (int i = 0; i < PLACES; i++)
		places[i] = (struct watched_socket){ .fd = -1, .peer = -1 };
	for (int round = 0; round < ROUNDS; round++) {
		for (unsigned left = below(STEPS); left > 0; left--)
			step();
		come_to_rest();
		for (int i = 0; i < PLACES; i++)
			check(&places[i]);
	}
	for (int i = 0; i < PLACES; i++)
		shut(&places[i]);
	loop_free(loop);
}

static void
nothing_that_is_wanted_and_ready_is_left_untold(void **state)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	(void)state;
	listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&any, sizeof any), 0);
	assert_int_equal(listen(listener, 10), 0);
	for (unsigned number = 0; number < STORIES; number++)
		tell_story(number);
	close(listener);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_that_is_wanted_and_ready_is_left_untold),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("loop_watches", tests, NULL, NULL);
}
