/* The way from the front to the process that signs, over a real pair of sockets. */
#include "pki/tool/serve_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct front_end {
	struct loop *loop;
	struct serve_queue *queue;
	int signer;
	unsigned answered, unanswered, lost;
	char last[ENROL_SENTENCE];
};

static void
on_lost(void *arg)
{
	struct front_end *front = arg;

	front->lost++;
	loop_stop(front->loop);
}

static void
on_answer(void *arg, const struct enrol_answer *answer)
{
	struct front_end *front = arg;

	if (!answer) {
		front->unanswered++;
		return;
	}
	front->answered++;
	snprintf(front->last, sizeof front->last, "%s", answer->sentence);
	loop_stop(front->loop);
}

static int
set_up(void **state)
{
	struct front_end *front = test_calloc(1, sizeof *front);
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	front->loop = loop_new();
	front->signer = pair[1];
	front->queue = serve_queue_new(front->loop, pair[0], on_lost, front);
	assert_non_null(front->queue);
	*state = front;
	return 0;
}

static int
tear_down(void **state)
{
	struct front_end *front = *state;

	serve_queue_free(front->queue);
	loop_free(front->loop);
	close(front->signer);
	test_free(front);
	return 0;
}

static bool
ask(struct front_end *front, const char *user)
{
	struct enrol_question question = { .kind = ENROL_FIRST, .csr = { (const uint8_t *)"csr", 3 } };

	snprintf(question.user, sizeof question.user, "%s", user);
	return serve_queue_ask(front->queue, &question, on_answer, front);
}

/* As the process that signs. */
static void
say(struct front_end *front, const char *sentence)
{
	uint8_t packet[ENROL_MESSAGE_BYTES];
	struct writer writer = writer_over(packet, sizeof packet);
	struct enrol_answer answer = { .code = ENROL_REFUSED };

	snprintf(answer.sentence, sizeof answer.sentence, "%s", sentence);
	assert_true(enrol_answer_encode(&answer, &writer));
	assert_int_equal(send(front->signer, packet, writer.bytes, 0), (ssize_t)writer.bytes);
}

/* The user of the question that has come; "" if none has. */
static const char *
heard(struct front_end *front)
{
	static uint8_t packet[ENROL_MESSAGE_BYTES];
	static struct enrol_question question;
	ssize_t got = recv(front->signer, packet, sizeof packet, 0);

	if (got < 0)
		return "";
	assert_true(enrol_question_decode(cursor_over(packet, (size_t)got), &question));
	return question.user;
}

static void
stop(void *arg)
{
	loop_stop(arg);
}

/* One turn, for what nobody answers. */
static void
turn(struct front_end *front)
{
	struct timer timer;

	timer_init(&timer, front->loop, stop, front->loop);
	timer_set(&timer, 0);
	loop_run(front->loop);
}

static void
asks_one_at_a_time_and_in_order(void **state)
{
	struct front_end *front = *state;

	assert_true(ask(front, "a") && ask(front, "b"));
	assert_string_equal(heard(front), "");	/* it is not ready */
	say(front, "");
	turn(front);
	assert_int_equal(front->answered, 0);
	assert_string_equal(heard(front), "a");
	assert_string_equal(heard(front), "");
	say(front, "to a");
	loop_run(front->loop);
	assert_string_equal(front->last, "to a");
	assert_string_equal(heard(front), "b");
	say(front, "to b");
	loop_run(front->loop);
	assert_string_equal(front->last, "to b");
	assert_int_equal(front->answered, 2);
}

static void
is_full_at_its_bound_and_tells_those_that_wait_at_the_end(void **state)
{
	struct front_end *front = *state;
	unsigned count = 0;

	while (count <= SERVE_QUEUE_MOST && ask(front, "x"))
		count++;
	assert_int_equal(count, SERVE_QUEUE_MOST);
	say(front, "");
	turn(front);
	assert_string_equal(heard(front), "x");
	assert_true(ask(front, "y"));	/* one is out, and has left a place */
	assert_false(ask(front, "z"));
	serve_queue_free(front->queue);
	front->queue = NULL;
	assert_int_equal(front->unanswered, SERVE_QUEUE_MOST + 1);
}

static void
tells_once_that_the_other_end_is_gone(void **state)
{
	struct front_end *front = *state;

	assert_true(ask(front, "a"));
	shutdown(front->signer, SHUT_RDWR);
	loop_run(front->loop);
	assert_int_equal(front->lost, 1);
	assert_false(ask(front, "b"));
	turn(front);
	assert_int_equal(front->lost, 1);
}

static void
believes_no_answer_that_nobody_asked_for(void **state)
{
	struct front_end *front = *state;

	say(front, "");
	say(front, "more");
	loop_run(front->loop);
	assert_int_equal(front->lost, 1);
	assert_int_equal(front->answered, 0);
}

static void
believes_no_nonsense(void **state)
{
	struct front_end *front = *state;

	assert_int_equal(send(front->signer, "nonsense", 8, 0), 8);
	loop_run(front->loop);
	assert_int_equal(front->lost, 1);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(asks_one_at_a_time_and_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(is_full_at_its_bound_and_tells_those_that_wait_at_the_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tells_once_that_the_other_end_is_gone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(believes_no_answer_that_nobody_asked_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(believes_no_nonsense, set_up, tear_down),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("pki/tool/serve_queue", tests, NULL, NULL);
}
