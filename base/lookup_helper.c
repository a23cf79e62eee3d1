/* Both ends of the way to the process that looks up. */
#include "base/lookup_helper.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "base/helper.h"
#include "base/lookup_message.h"
#include "base/lookups.h"
#include "base/loop.h"
#include "base/record_lookup.h"
#include "base/thread.h"

enum { NAMES, WAYS = RECORD_LOOKUP_WAY + 1 };
enum { IDLE_MS = 60000 };

/* ---- in the process ---- */

static void
send_answer(int way, uint64_t number, const struct answer *answer)
{
	uint8_t message[LOOKUP_MESSAGE];
	struct writer writer = writer_over(message, sizeof message);

	lookup_answer_encode(&writer, number, answer);
	/* There is room: so many questions are not out. */
	send(way, message, writer.bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void
on_found(void *arg, uint64_t number, const struct answer *answer)
{
	send_answer(*(const int *)arg, number, answer);
}

/* False: the daemon has gone. */
static bool
take_question(struct lookups *lookups, int way)
{
	static const struct answer too_many = {
		.why = "cannot resolve: too many names are being resolved; try again"
	};
	uint8_t message[LOOKUP_MESSAGE];
	ssize_t got = recv(way, message, sizeof message, MSG_DONTWAIT);
	struct lookup_question question;

	if (got <= 0)
		return got < 0 && (errno == EAGAIN || errno == EINTR);
	if (lookup_question_decode(cursor_over(message, (size_t)got), &question) &&
	    !lookups_begin(lookups, question.number, question.host))
		send_answer(way, question.number, &too_many);
	return true;
}

/* Of records there is one question at a time, on a thread of its own, which begins with the first. */
struct record_server {
	int way;
	_Atomic bool is_busy;
};

static void *
serve_records(void *arg)
{
	struct record_server *server = arg;

	record_lookup_serve(server->way, &server->is_busy);
	return NULL;
}

static bool
start_records(struct record_server *server)
{
	pthread_t thread;

	return pthread_create(&thread, NULL, serve_records, server) == 0 &&
	    pthread_detach(thread) == 0;
}

/* What the system's resolver reads when it begins. */
static const char *const files[] = { "/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf",
	"/etc/gai.conf", "/etc/host.conf" };

enum { FILES = sizeof files / sizeof *files };

/* 0: it is not there. */
static ino_t
inode_of(const char *file)
{
	struct stat now;

	return stat(file, &now) == 0 ? now.st_ino : 0;
}

/* Whether one of them has been replaced by another file. */
static bool
are_replaced(const ino_t seen[FILES])
{
	for (size_t i = 0; i < FILES; i++)
		if (inode_of(files[i]) != seen[i])
			return true;
	return false;
}

static void
see_files(ino_t seen[FILES])
{
	for (size_t i = 0; i < FILES; i++)
		seen[i] = inode_of(files[i]);
}

/* Until the daemon has gone, or there is nothing to do: it rests then, also for the sake of
 * another one that sees new files. */
static int
serve(struct lookups *lookups, const int *ways)
{
	static struct record_server records;
	ino_t seen[FILES];
	bool is_idle;
	struct pollfd waits[] = { { .fd = ways[NAMES], .events = POLLIN },
		{ .fd = ways[RECORD_LOOKUP_WAY], .events = POLLIN } };
	int ready;

	records.way = ways[RECORD_LOOKUP_WAY];
	see_files(seen);
	for (;;) {
		ready = poll(waits, 2, IDLE_MS);
		is_idle = lookups_are_idle(lookups) && !records.is_busy;
		if (is_idle && (ready == 0 || are_replaced(seen)))
			return EX_OK;
		if (ready > 0 && waits[0].revents && !take_question(lookups, waits[0].fd))
			return EX_OK;
		if (ready > 0 && waits[1].revents && start_records(&records))
			waits[1].fd = -1; /* the thread's */
	}
}

static int
run(void *arg, const int *ways, unsigned count)
{
	struct lookups *lookups;
	int way = ways[NAMES];

	(void)arg;
	(void)count;
	mallopt(M_ARENA_MAX, 1);
	lookups = lookups_new(on_found, &way);
	return lookups ? serve(lookups, ways) : EX_OSERR;
}

struct helper *
lookup_helper_start(void)
{
	return helper_start(&(struct helper_plan){ .name = "resolver", .ways = WAYS, .run = run });
}

/* ---- in the daemon ---- */

struct lookup_client {
	struct helper *helper;
	struct lookup_events events;
	struct thread *thread;
	struct watch answers, news; /* the thread's */
};

static void
on_answer(void *arg, unsigned ready)
{
	struct lookup_client *client = arg;
	uint8_t message[LOOKUP_MESSAGE];
	ssize_t got = recv(client->answers.fd, message, sizeof message, MSG_DONTWAIT);
	struct lookup_answer answer;

	(void)ready;
	if (got > 0 && lookup_answer_decode(cursor_over(message, (size_t)got), &answer))
		client->events.on_found(client->events.arg, answer.number, &answer.answer);
	else if (got == 0)
		watch_want(&client->answers, WATCH_NOTHING); /* the news say why */
}

static void
on_news(void *arg, unsigned ready)
{
	struct lookup_client *client = arg;

	(void)ready;
	switch (helper_hear(client->helper)) {
	case HELPER_FINE:
		return;
	case HELPER_DIED:
		break;
	case HELPER_LOST:
		watch_want(&client->news, WATCH_NOTHING);
		break;
	}
	client->events.on_lost(client->events.arg);
}

static void
listen_to_helper(void *arg, struct loop *loop)
{
	struct lookup_client *client = arg;

	watch_init(&client->answers, loop, helper_way(client->helper, NAMES), on_answer, client);
	watch_init(&client->news, loop, helper_news(client->helper), on_news, client);
	watch_want(&client->answers, WATCH_READ);
	watch_want(&client->news, WATCH_READ);
	loop_run(loop);
	watch_wipe(&client->answers);
	watch_wipe(&client->news);
}

struct lookup_client *
lookup_client_new(struct helper *helper, const struct lookup_events *events)
{
	struct lookup_client *client = calloc(1, sizeof *client);

	if (!client)
		return NULL;
	client->helper = helper;
	client->events = *events;
	client->thread = thread_start("resolver", listen_to_helper, client);
	if (client->thread)
		return client;
	free(client);
	return NULL;
}

void
lookup_client_free(struct lookup_client *client)
{
	if (!client)
		return;
	loop_stop(thread_loop(client->thread));
	thread_join(client->thread);
	free(client);
}

bool
lookup_client_begin(struct lookup_client *client, uint64_t number, const char *host)
{
	uint8_t message[LOOKUP_MESSAGE];
	struct writer writer = writer_over(message, sizeof message);

	lookup_question_encode(&writer, number, host);
	return !writer.failed &&
	    send(helper_way(client->helper, NAMES), message, writer.bytes,
		MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}
