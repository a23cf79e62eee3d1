/* Threads that read a question, answer it, and so on. */
#include "keys/key_server.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/pass.h"
#include "base/secret.h"
#include "keys/key_channel.h"
#include "keys/key_store.h"

enum { STACK_BYTES = 512 * 1024 };

/* What all threads share. */
struct key_server {
	struct key_store *store;
	atomic_uint channels; /* and one for who takes new ones */
};

/* The last one frees it. */
static void
leave(struct key_server *server)
{
	if (atomic_fetch_sub(&server->channels, 1) == 1)
		free(server);
}

/* A thread's. */
struct served_channel {
	struct key_server *server;
	int fd;
	char only[PATH_MAX]; /* "": any key */
	uint64_t number;     /* of that one, once it was opened */
	struct key_question question;
	uint8_t packet[KEY_MESSAGE_BYTES], storage[KEY_DATA_MOST];
};

static void
channel_free(struct served_channel *channel)
{
	close(channel->fd);
	bytes_wipe(channel, sizeof *channel);
	free(channel);
}

/* ---- a question ---- */

/* False at the end of the channel. */
static bool
hear(struct served_channel *channel, size_t *bytes)
{
	ssize_t got;

	do
		got = recv(channel->fd, channel->packet, sizeof channel->packet, 0);
	while (got < 0 && errno == EINTR);
	*bytes = got > 0 ? (size_t)got : 0;
	return got > 0;
}

static bool
say(struct served_channel *channel, const struct key_answer *answer)
{
	struct writer out = writer_over(channel->packet, sizeof channel->packet);
	ssize_t sent = -1;

	if (key_answer_encode(answer, &out))
		do
			sent = send(channel->fd, channel->packet, out.bytes, MSG_NOSIGNAL);
		while (sent < 0 && errno == EINTR);
	return sent >= 0;
}

/* Whether a channel that is for one key may ask this. */
static bool
may_ask(const struct served_channel *channel)
{
	const struct key_question *question = &channel->question;

	if (*channel->only == '\0')
		return true;
	if (question->verb == KEY_OPEN)
		return channel->number == 0 && strcmp(question->path, channel->only) == 0;
	return (question->verb == KEY_SIGN || question->verb == KEY_CLOSE) &&
	    channel->number != 0 && question->key == channel->number;
}

static bool
answer_one(struct served_channel *channel)
{
	struct key_answer answer = { .number = channel->question.number, .code = KEY_FORBIDDEN };

	if (may_ask(channel)) {
		key_store_answer(
		    channel->server->store, &channel->question, &answer, channel->storage);
		if (channel->question.verb == KEY_OPEN)
			channel->number = answer.key;
		if (channel->question.verb == KEY_CLOSE)
			channel->number = 0;
	}
	return say(channel, &answer);
}

/* ---- a channel ---- */

/* False: what speaks HTTP has been taken over, and loses its key. */
static bool
take_question(struct served_channel *channel, size_t bytes)
{
	if (key_question_decode(cursor_over(channel->packet, bytes), &channel->question))
		return true;
	if (*channel->only == '\0')
		_exit(EX_PROTOCOL);
	return false;
}

/* Nobody else would close what was opened for a channel that is for one key. */
static void
close_only(struct served_channel *channel)
{
	const struct key_question question = { .verb = KEY_CLOSE, .key = channel->number };
	struct key_answer ignored;

	if (*channel->only != '\0' && channel->number != 0)
		key_store_answer(channel->server->store, &question, &ignored, channel->storage);
}

static void *
serve(void *arg)
{
	struct served_channel *channel = arg;
	struct key_server *server = channel->server;
	size_t bytes;

	while (hear(channel, &bytes) && take_question(channel, bytes) && answer_one(channel))
		continue;
	close_only(channel);
	channel_free(channel);
	leave(server);
	return NULL;
}

static bool
start_thread(struct served_channel *channel)
{
	pthread_attr_t attributes;
	pthread_t thread;
	bool has_started;

	if (pthread_attr_init(&attributes) != 0)
		return false;
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	has_started = pthread_create(&thread, &attributes, serve, channel) == 0;
	pthread_attr_destroy(&attributes);
	return has_started;
}

/* Adopts fd; who gets no thread sees the end of its channel. */
static void
take(struct key_server *server, int fd, const char *only)
{
	struct served_channel *channel = NULL;

	if (atomic_fetch_add(&server->channels, 1) <= KEY_CHANNELS_MOST)
		channel = calloc(1, sizeof *channel);
	if (!channel) {
		leave(server);
		close(fd);
		return;
	}
	channel->server = server;
	channel->fd = fd;
	memcpy(channel->only, only, sizeof channel->only);
	if (start_thread(channel))
		return;
	channel_free(channel);
	leave(server);
}

/* ---- the whole ---- */

/* False at the end.  A new channel comes with the path of the key that it is for, if it is for one. */
static bool
take_next(struct key_server *server, int control)
{
	struct pollfd one = { .fd = control, .events = POLLIN };
	char only[PATH_MAX] = "";
	int fd = -1;
	ssize_t got;

	poll(&one, 1, -1);
	got = pass_receive(control, only, sizeof only - 1, &fd);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR || errno == EMSGSIZE;
	only[sizeof only - 1] = '\0';
	if (fd >= 0)
		take(server, fd, only);
	return got > 0;
}

void
key_server_serve(int control, struct key_store *store)
{
	struct key_server *server = calloc(1, sizeof *server);

	if (!server)
		return;
	server->store = store;
	atomic_init(&server->channels, 1);
	while (take_next(server, control))
		continue;
	leave(server);
}

int
key_server_run(int control)
{
	struct key_store *store = key_store_new();

	if (!store)
		return EX_OSERR;
	key_server_serve(control, store);
	return 0;
}
