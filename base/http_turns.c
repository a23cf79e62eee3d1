/* Gives libmicrohttpd its turns, and paces those that it only thinks to need. */
#include "base/http_turns.h"

#include "base/numbers.h"

/*
 * The library says that it has work as long as a TLS handshake waits for its client, although it will
 * hear of that by its epoll descriptor (it forgets to note that it has read everything; releases up to
 * 1.0.1 do).  So what it wants at once it gets at once for a few turns, and then ever more rarely, until
 * something happens.
 */
static uint64_t
pace_ms(struct http_turns *turns, uint64_t wanted_ms)
{
	static const uint8_t pauses_ms[] = { 0, 0, 0, 5, 10, 20, 40, 80 };
	size_t last = sizeof pauses_ms - 1;
	size_t turn = turns->idle_turns < last ? turns->idle_turns++ : last;

	return larger_of(wanted_ms, pauses_ms[turn]);
}

static void
turn(void *arg)
{
	struct http_turns *turns = arg;
	MHD_UNSIGNED_LONG_LONG ms;

	MHD_run(turns->daemon);
	if (MHD_get_timeout(turns->daemon, &ms) == MHD_YES)
		timer_set(&turns->deadline, pace_ms(turns, ms));
	else
		timer_clear(&turns->deadline);
}

/* Something has happened. */
static void
run(void *arg)
{
	struct http_turns *turns = arg;

	turns->idle_turns = 0;
	turn(turns);
}

static void
on_ready(void *arg, unsigned ready)
{
	(void)ready;
	run(arg);
}

bool
http_turns_begin(struct http_turns *turns, struct loop *loop, struct MHD_Daemon *daemon)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);

	if (!info)
		return false;
	*turns = (struct http_turns){ .loop = loop, .daemon = daemon };
	watch_init(&turns->watch, loop, info->epoll_fd, on_ready, turns);
	watch_want(&turns->watch, WATCH_READ);
	timer_init(&turns->deadline, loop, turn, turns);
	task_init(&turns->run, run, turns);
	return true;
}

void
http_turns_soon(struct http_turns *turns)
{
	loop_later(turns->loop, &turns->run);
}

void
http_turns_end(struct http_turns *turns)
{
	if (!turns->daemon)
		return;
	MHD_run(turns->daemon); /* what was resumed is among its connections only after that */
	watch_wipe(&turns->watch);
	MHD_stop_daemon(turns->daemon);
	timer_clear(&turns->deadline);
	loop_forget(turns->loop, &turns->run);
	turns->daemon = NULL;
}
