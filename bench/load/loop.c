/*
 * The epoll loop and the sockets of the load generators, see loop.h.
 */
#include "bench/load/loop.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 256, BACKLOG = 4096 };

static void **doomed;
static size_t doomed_count, doomed_room;

void
loop_die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static int
poller(void)
{
	static int fd = -1;
	if (fd < 0 && (fd = epoll_create1(EPOLL_CLOEXEC)) < 0)
		loop_die("epoll_create1");
	return fd;
}

static void
control(struct load_watch *watch, int op, unsigned events)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };
	if (epoll_ctl(poller(), op, watch->fd, &event) < 0)
		loop_die("epoll_ctl");
	watch->events = events;
}

void
loop_want(struct load_watch *watch, unsigned events)
{
	if (events != watch->events)
		control(watch,
		    !watch->events ? EPOLL_CTL_ADD
			: !events  ? EPOLL_CTL_DEL
				   : EPOLL_CTL_MOD,
		    events);
}

void
loop_again(struct load_watch *watch)
{
	control(watch, EPOLL_CTL_MOD, watch->events);
}

void
loop_close(struct load_watch *watch)
{
	if (watch->fd < 0)
		return;
	close(watch->fd);
	watch->fd = -1;
	watch->events = 0;
}

void
loop_free_later(void *object)
{
	if (doomed_count == doomed_room) {
		doomed_room = doomed_room ? 2 * doomed_room : 64;
		doomed = realloc(doomed, doomed_room * sizeof *doomed);
		if (!doomed)
			loop_die("realloc");
	}
	doomed[doomed_count++] = object;
}

void
loop_turn(int timeout_ms)
{
	struct epoll_event events[BATCH];
	int count = epoll_wait(poller(), events, BATCH, timeout_ms);
	for (int i = 0; i < count; i++) {
		struct load_watch *watch = events[i].data.ptr;
		if (watch->fd >= 0)
			watch->on_event(watch, events[i].events);
	}
	while (doomed_count)
		free(doomed[--doomed_count]);
}

uint64_t
loop_now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static struct sockaddr_in
loopback(const char *port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(port)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static void
send_at_once(int fd)
{
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
}

int
loop_listen(const char *port)
{
	struct sockaddr_in at = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, BACKLOG) < 0)
		loop_die("listen");
	return fd;
}

int
loop_accept(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0)
		send_at_once(fd);
	return fd;
}

int
loop_dial(const char *port, int window)
{
	struct sockaddr_in to = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	send_at_once(fd);
	if (window)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &window, sizeof window);
	if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) {
		close(fd);
		return -1;
	}
	return fd;
}
