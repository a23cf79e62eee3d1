/* Tests of keys/key_channel and keys/key_server, each in a process of its own, as they are in a daemon. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/pass.h"
#include "keys/key_channel.h"
#include "keys/key_server.h"
#include "keys/key_kit.h"

static int control;
static pid_t server;

/* ---- the other process ---- */

static void
start(int (*run)(int))
{
	int pair[2];

	assert_true(pass_pair(pair));
	server = fork();
	assert_true(server >= 0);
	if (server == 0) {
		close(pair[0]);
		_exit(run(pair[1]));
	}
	close(pair[1]);
	control = pair[0];
	key_channel_start(control);
}

/* Returns how it ended. */
static int
stop(void)
{
	int status;

	key_channel_stop();
	close(control);
	assert_int_equal(waitpid(server, &status, 0), server);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static enum key_code
ask(enum key_verb verb, const char *name, uint64_t key, struct key_answer *answer)
{
	static const uint8_t digest[32] = { 7 };
	struct key_question question = { .verb = verb,
		.key = key,
		.algorithm = GNUTLS_SIGN_ECDSA_SHA256,
		.data = verb == KEY_SIGN ? digest : NULL,
		.bytes = verb == KEY_SIGN ? sizeof digest : 0 };

	if (name)
		snprintf(question.path, sizeof question.path, "%s", kit_path(name));
	return key_channel_ask(&question, answer);
}

/* ---- the tests ---- */

static void
asks_another_process(void **state)
{
	struct key_answer answer;
	uint64_t key;

	(void)state;
	start(key_server_run);
	assert_int_equal(ask(KEY_OPEN, "own.key", 0, &answer), KEY_DONE);
	assert_int_equal(answer.algorithm, GNUTLS_PK_ECDSA);
	assert_int_equal(answer.bits, 256);
	key = answer.key;
	assert_int_equal(ask(KEY_SIGN, NULL, key, &answer), KEY_DONE);
	assert_true(answer.bytes > 60);
	assert_int_equal(ask(KEY_CLOSE, NULL, key, &answer), KEY_DONE);
	assert_int_equal(ask(KEY_SIGN, NULL, key, &answer), KEY_UNKNOWN);
	assert_int_equal(ask(KEY_LOOK, "absent.key", 0, &answer), KEY_REFUSED);
	assert_true(answer.bytes > 0);
	assert_int_equal(stop(), 0);
}

enum { THREADS = 8, TIMES = 40 };

static void *
sign_often(void *arg)
{
	uint64_t key = *(const uint64_t *)arg;
	struct key_answer answer;
	uintptr_t done = 0;

	for (unsigned i = 0; i < TIMES; i++)
		done += ask(KEY_SIGN, NULL, key, &answer) == KEY_DONE;
	return (void *)done;
}

/* A failure is one that a slow machine may bring, but not often. */
static void
serves_each_thread_by_itself(void **state)
{
	pthread_t threads[THREADS];
	struct key_answer answer;
	uint64_t key;

	(void)state;
	start(key_server_run);
	assert_int_equal(ask(KEY_OPEN, "own.key", 0, &answer), KEY_DONE);
	key = answer.key;
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, sign_often, &key), 0);
	for (size_t i = 0; i < THREADS; i++) {
		void *done;

		assert_int_equal(pthread_join(threads[i], &done), 0);
		assert_int_equal((uintptr_t)done, TIMES);
	}
	assert_int_equal(stop(), 0);
}

static int
take_channel(int from)
{
	struct pollfd one = { .fd = from, .events = POLLIN };
	char only[PATH_MAX];
	int channel = -1;

	while (channel < 0)
		if (poll(&one, 1, -1) > 0 && pass_receive(from, only, sizeof only, &channel) == 0)
			_exit(EX_SOFTWARE);
	return channel;
}

/* It takes a channel and a question, and says nothing until the asking side has gone. */
static int
run_silently(int fd)
{
	static uint8_t packet[KEY_MESSAGE_BYTES];
	int channel = take_channel(fd);
	bool is_question = recv(channel, packet, sizeof packet, 0) > 0;

	poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, -1);
	return is_question ? 0 : EX_SOFTWARE;
}

static void
gives_up_a_signature_that_does_not_come(void **state)
{
	struct key_answer answer;
	uint64_t before_ms = clock_ms();

	(void)state;
	start(run_silently);
	assert_int_equal(ask(KEY_SIGN, NULL, 1, &answer), KEY_LATE);
	assert_true(clock_ms() - before_ms >= KEY_PATIENCE_MS);
	assert_int_equal(stop(), 0);
}

/* It answers the first question only when the second has come, to both. */
static int
run_behind(int fd)
{
	static uint8_t packet[KEY_MESSAGE_BYTES];
	static struct key_question first, second;
	struct key_answer answer = { .code = KEY_DONE };
	int channel = take_channel(fd);

	for (struct key_question *question = &first;; question = &second) {
		ssize_t got = recv(channel, packet, sizeof packet, 0);

		if (got <= 0 || !key_question_decode(cursor_over(packet, (size_t)got), question))
			return EX_SOFTWARE;
		if (question == &second)
			break;
	}
	for (unsigned i = 0; i < 2; i++) {
		struct writer out = writer_over(packet, sizeof packet);

		answer.number = i == 0 ? first.number : second.number;
		answer.key = i;
		key_answer_encode(&answer, &out);
		send(channel, packet, out.bytes, 0);
	}
	recv(channel, packet, sizeof packet, 0);
	return 0;
}

static void
takes_no_late_answer_for_another_questions(void **state)
{
	struct key_answer answer;

	(void)state;
	start(run_behind);
	assert_int_equal(ask(KEY_SIGN, NULL, 1, &answer), KEY_LATE);
	assert_int_equal(ask(KEY_LOOK, "own.key", 0, &answer), KEY_DONE);
	assert_int_equal(answer.key, 1);
	kill(server, SIGKILL);
	stop();
}

static void
tells_at_once_that_the_process_has_gone(void **state)
{
	struct key_answer answer;

	(void)state;
	start(key_server_run);
	assert_int_equal(ask(KEY_LOOK, "own.key", 0, &answer), KEY_DONE);
	kill(server, SIGKILL);
	assert_int_equal(waitpid(server, NULL, 0), server);
	assert_int_equal(ask(KEY_LOOK, "own.key", 0, &answer), KEY_GONE);
	assert_int_equal(answer.bytes, 0);
	key_channel_stop();
	close(control);
}

/* A daemon that has been taken over. */
static void
ends_at_what_is_no_question(void **state)
{
	int pair[2];

	(void)state;
	start(key_server_run);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_true(pass_send(control, "", 1, pair[1]) > 0);
	close(pair[1]);
	assert_int_equal(send(pair[0], "junk", 4, MSG_NOSIGNAL), 4);
	assert_int_equal(recv(pair[0], (char[1]){ 0 }, 1, 0) <= 0, 1);
	close(pair[0]);
	assert_int_equal(stop(), EX_PROTOCOL);
}

/* What speaks HTTP gets its client key and nothing else. */
static void
gives_another_process_one_key_only(void **state)
{
	struct key_answer answer;
	uint64_t foreign, own;
	int fd;

	(void)state;
	start(key_server_run);
	assert_int_equal(ask(KEY_OPEN, "other.key", 0, &answer), KEY_DONE);
	foreign = answer.key;
	fd = key_channel_new_for(kit_path("own.key"));
	assert_true(fd >= 0);
	key_channel_adopt(fd);
	assert_int_equal(ask(KEY_SIGN, NULL, foreign, &answer), KEY_FORBIDDEN);
	assert_int_equal(ask(KEY_CLOSE, NULL, foreign, &answer), KEY_FORBIDDEN);
	assert_int_equal(ask(KEY_OPEN, "other.key", 0, &answer), KEY_FORBIDDEN);
	assert_int_equal(ask(KEY_LOOK, "own.key", 0, &answer), KEY_FORBIDDEN);
	assert_int_equal(ask(KEY_MAKE, "new.key", 0, &answer), KEY_FORBIDDEN);
	assert_int_equal(ask(KEY_PUT_NEXT, "own.key", 0, &answer), KEY_FORBIDDEN);
	assert_int_equal(ask(KEY_OPEN, "own.key", 0, &answer), KEY_DONE);
	own = answer.key;
	assert_int_equal(ask(KEY_SIGN, NULL, own, &answer), KEY_DONE);
	assert_int_equal(ask(KEY_SIGN, NULL, foreign, &answer), KEY_FORBIDDEN);
	assert_int_equal(ask(KEY_CLOSE, NULL, own, &answer), KEY_DONE);
	assert_int_equal(ask(KEY_SIGN, NULL, own, &answer), KEY_FORBIDDEN);
	assert_int_equal(key_channel_new_for(kit_path("own.key")), -1);
	assert_int_equal(errno, ENOTCONN);
	assert_int_equal(stop(), 0);
}

/* Over a channel of one's own. */
static uint64_t
open_by(int fd, const char *name)
{
	static uint8_t packet[KEY_MESSAGE_BYTES];
	struct writer out = writer_over(packet, sizeof packet);
	struct key_question question = { .verb = KEY_OPEN };
	struct key_answer answer;
	ssize_t got;

	snprintf(question.path, sizeof question.path, "%s", kit_path(name));
	assert_true(key_question_encode(&question, &out));
	assert_int_equal(send(fd, packet, out.bytes, MSG_NOSIGNAL), out.bytes);
	got = recv(fd, packet, sizeof packet, 0);
	assert_true(got > 0 && key_answer_decode(cursor_over(packet, (size_t)got), &answer));
	assert_int_equal(answer.code, KEY_DONE);
	return answer.key;
}

/* ... and the daemon keeps its own. */
static void
takes_the_one_key_from_who_says_what_is_no_question(void **state)
{
	struct key_answer answer;
	uint64_t kept, lost;
	int fd;

	(void)state;
	start(key_server_run);
	assert_int_equal(ask(KEY_OPEN, "other.key", 0, &answer), KEY_DONE);
	kept = answer.key;
	fd = key_channel_new_for(kit_path("own.key"));
	lost = open_by(fd, "own.key");
	assert_int_equal(ask(KEY_SIGN, NULL, lost, &answer), KEY_DONE);
	assert_int_equal(send(fd, "junk", 4, MSG_NOSIGNAL), 4);
	assert_int_equal(recv(fd, (char[1]){ 0 }, 1, 0), 0); /* after the key was closed */
	assert_int_equal(ask(KEY_SIGN, NULL, lost, &answer), KEY_UNKNOWN);
	assert_int_equal(ask(KEY_SIGN, NULL, kept, &answer), KEY_DONE);
	close(fd);
	assert_int_equal(stop(), 0);
}

static int
set_up(void **state)
{
	if (kit_set_up(state) < 0)
		return -1;
	kit_make("own.key", KEY_P256);
	kit_make("other.key", KEY_P256);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_another_process),
		cmocka_unit_test(serves_each_thread_by_itself),
		cmocka_unit_test(gives_up_a_signature_that_does_not_come),
		cmocka_unit_test(takes_no_late_answer_for_another_questions),
		cmocka_unit_test(tells_at_once_that_the_process_has_gone),
		cmocka_unit_test(ends_at_what_is_no_question),
		cmocka_unit_test(gives_another_process_one_key_only),
		cmocka_unit_test(takes_the_one_key_from_who_says_what_is_no_question),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("keys/key_channel", tests, set_up, kit_tear_down);
}
