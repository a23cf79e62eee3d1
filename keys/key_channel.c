/* Says a question and waits for its answer, a thread at a time. */
#include "keys/key_channel.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/pass.h"
#include "base/secret.h"
#include "keys/key_store.h"

enum { SLICE_MS = 10, NOBODY = -1, ELSEWHERE = -2 };

/* A thread's. */
struct key_talk {
	int fd; /* -1: none, yet or any more */
	uint8_t packet[KEY_MESSAGE_BYTES];
};

static atomic_int control = NOBODY;
static struct key_store *own_store; /* where there is no key process */
static pthread_mutex_t store_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t talk_key;
static atomic_uint numbers;

/* ---- a channel ---- */

static void
talk_free(void *arg)
{
	struct key_talk *talk = arg;

	if (talk->fd >= 0)
		close(talk->fd);
	bytes_wipe(talk, sizeof *talk);
	free(talk);
}

static void
exchange(struct key_talk *talk, int fd)
{
	if (talk->fd >= 0)
		close(talk->fd);
	talk->fd = fd;
}

static void
begin(void)
{
	pthread_key_create(&talk_key, talk_free);
}

static struct key_talk *
own_talk(void)
{
	struct key_talk *talk;

	pthread_once(&once, begin);
	talk = pthread_getspecific(talk_key);
	if (talk)
		return talk;
	talk = malloc(sizeof *talk);
	if (!talk)
		return NULL;
	talk->fd = NOBODY;
	if (pthread_setspecific(talk_key, talk) == 0)
		return talk;
	free(talk);
	return NULL;
}

/* only: "", or the one key that it is for. */
static int
new_channel(const char *only)
{
	int pair[2], at = atomic_load(&control);

	errno = ENOTCONN;
	if (at < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	if (pass_send(at, only, strlen(only) + 1, pair[1]) < 0) {
		close(pair[0]);
		pair[0] = -1;
	}
	close(pair[1]);
	return pair[0];
}

int
key_channel_new_for(const char *path)
{
	return new_channel(path);
}

/* ---- a question ---- */

static enum key_code
give_up(struct key_answer *answer, enum key_code code)
{
	*answer = (struct key_answer){ .code = code };
	return code;
}

static enum key_code
lack_memory(struct key_answer *answer)
{
	static const char sentence[] = "memory is short";

	*answer = (struct key_answer){
		.code = KEY_FAILED, .data = (const uint8_t *)sentence, .bytes = sizeof sentence - 1
	};
	return answer->code;
}

static bool
say(int fd, const struct key_question *question, uint8_t storage[KEY_MESSAGE_BYTES])
{
	struct writer out = writer_over(storage, KEY_MESSAGE_BYTES);
	ssize_t sent;

	if (!key_question_encode(question, &out))
		return false;
	do
		sent = send(fd, storage, out.bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	return sent >= 0;
}

/* In slices: one that took twice as long was the machine's fault. */
static bool
wait_readable(int fd, uint64_t patience_ms)
{
	struct pollfd one = { .fd = fd, .events = POLLIN };
	uint64_t began_ms = clock_ms(), most_ms = patience_ms, waited_ms = 0;

	if (most_ms < KEY_PATIENCE_MOST_MS)
		most_ms = KEY_PATIENCE_MOST_MS;
	while (waited_ms < patience_ms && clock_ms() - began_ms < most_ms) {
		uint64_t before_ms = clock_ms(), took_ms;

		if (poll(&one, 1, SLICE_MS) > 0)
			return true;
		took_ms = clock_ms() - before_ms;
		waited_ms += took_ms < 2 * SLICE_MS ? SLICE_MS : 0;
	}
	return false;
}

/* Answers that came too late for their question are passed over. */
static enum key_code
hear(int fd, uint32_t number, struct key_answer *answer, uint8_t storage[KEY_MESSAGE_BYTES],
    uint64_t patience_ms)
{
	while (wait_readable(fd, patience_ms)) {
		ssize_t got = recv(fd, storage, KEY_MESSAGE_BYTES, MSG_DONTWAIT);

		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (got <= 0 || !key_answer_decode(cursor_over(storage, (size_t)got), answer))
			return give_up(answer, KEY_GONE);
		if (answer->number == number)
			return answer->code;
	}
	return give_up(answer, KEY_LATE);
}

static enum key_code
ask_at(int fd, struct key_question *question, struct key_answer *answer,
    uint8_t storage[KEY_MESSAGE_BYTES])
{
	bool is_quick = question->verb == KEY_SIGN || question->verb == KEY_CLOSE;

	question->number = atomic_fetch_add(&numbers, 1);
	if (!say(fd, question, storage))
		return give_up(answer, KEY_GONE);
	return hear(fd, question->number, answer, storage,
	    is_quick ? KEY_PATIENCE_MS : KEY_PATIENCE_FILES_MS);
}

/* A process that has begun anew has closed the channels of the one before. */
static enum key_code
ask_once(struct key_talk *talk, struct key_question *question, struct key_answer *answer)
{
	enum key_code code = KEY_GONE;

	if (talk->fd < 0)
		talk->fd = new_channel("");
	if (talk->fd >= 0)
		code = ask_at(talk->fd, question, answer, talk->packet);
	else
		give_up(answer, code);
	if (code == KEY_GONE)
		exchange(talk, NOBODY);
	return code;
}

/* What is only read may be asked again, and is answered when the next process has begun. */
static enum key_code
ask_process(struct key_talk *talk, struct key_question *question, struct key_answer *answer)
{
	enum key_code code = ask_once(talk, question, answer);

	return code == KEY_GONE && (question->verb == KEY_LOOK || question->verb == KEY_OPEN)
	    ? ask_once(talk, question, answer)
	    : code;
}

/* NULL when memory is short. */
static struct key_store *
find_store(void)
{
	struct key_store *store;

	pthread_mutex_lock(&store_lock);
	if (!own_store)
		own_store = key_store_new();
	store = own_store;
	pthread_mutex_unlock(&store_lock);
	return store;
}

enum key_code
key_channel_ask(struct key_question *question, struct key_answer *answer)
{
	struct key_talk *talk = own_talk();
	struct key_store *store;

	if (!talk)
		return lack_memory(answer);
	if (atomic_load(&control) != NOBODY)
		return ask_process(talk, question, answer);
	store = find_store();
	if (!store)
		return lack_memory(answer);
	key_store_answer(store, question, answer, talk->packet);
	return answer->code;
}

/* ---- which process ---- */

void
key_channel_start(int at)
{
	atomic_store(&control, at);
}

void
key_channel_stop(void)
{
	struct key_talk *talk = own_talk();

	atomic_store(&control, NOBODY);
	if (talk)
		exchange(talk, NOBODY);
}

void
key_channel_adopt(int fd)
{
	struct key_talk *talk = own_talk();

	atomic_store(&control, ELSEWHERE);
	if (talk)
		exchange(talk, fd);
	else
		close(fd);
}
