/* Tests of base/thread: threads with loops, and calls between them. */
#include "base/thread.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "helpers.h"

struct place {
	struct loop *loop;
	char name[16];
	bool signals_blocked, faults_blocked;
	int count;
};

struct thread_letter {
	struct call call;
	struct place *place;
};

static void
run(void *arg, struct loop *loop)
{
	struct place *place = arg;
	sigset_t set;

	place->loop = loop;
	pthread_getname_np(pthread_self(), place->name, sizeof place->name);
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	place->signals_blocked = sigismember(&set, SIGTERM) == 1 && sigismember(&set, SIGHUP) == 1;
	place->faults_blocked = sigismember(&set, SIGSEGV) == 1 || sigismember(&set, SIGABRT) == 1;
	loop_run(loop);
}

static void
deliver(void *data)
{
	struct thread_letter *letter = data;

	letter->place->count++;
	free(letter);
}

static void
post(struct thread *thread, struct place *place)
{
	struct thread_letter *letter = calloc(1, sizeof *letter);

	letter->place = place;
	loop_call(thread_loop(thread), &letter->call, deliver, letter);
}

static void
a_thread_runs_its_own_loop(void **state)
{
	struct place place = {0};
	struct thread *thread = thread_start("a-name-longer-than-15", run, &place);
	sigset_t set;

	(void)state;
	assert_non_null(thread);
	for (int i = 0; i < 100; i++)
		post(thread, &place);
	loop_stop(thread_loop(thread));
	thread_join(thread);
	assert_int_equal(place.count, 100);
	assert_true(place.signals_blocked);
	assert_false(place.faults_blocked);
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	assert_int_equal(sigismember(&set, SIGTERM), 0);
	thread_join(NULL);
}

static void
what_is_posted_to_a_stopped_thread_is_still_delivered(void **state)
{
	struct place place = {0};
	struct thread *thread = thread_start("t", run, &place);

	(void)state;
	loop_stop(thread_loop(thread));
	for (int i = 0; i < 100; i++)
		post(thread, &place);
	thread_join(thread);
	assert_int_equal(place.count, 100);
}

/* A question to another thread, over and over in the same storage. */
struct quiz {
	struct question question;
	struct loop *asker, *asked;
	pthread_t answered_in, heard_in;
	int asked_times, answers;
};

static void
answer(void *data)
{
	struct quiz *quiz = data;

	quiz->answered_in = pthread_self();
	quiz->asked_times++;
}

static void
on_answer(void *data)
{
	struct quiz *quiz = data;

	quiz->heard_in = pthread_self();
	if (++quiz->answers == 100)
		loop_stop(quiz->asker);
	else
		loop_ask(quiz->asked, &quiz->question, answer, quiz, quiz->asker, on_answer);
}

static void
an_answer_comes_back_to_the_loop_of_the_asker(void **state)
{
	struct place place = {0};
	struct thread *thread = thread_start("t", run, &place);
	struct quiz quiz = {.asker = loop_new(), .asked = thread_loop(thread)};

	(void)state;
	assert_non_null(quiz.asker);
	loop_ask(quiz.asked, &quiz.question, answer, &quiz, quiz.asker, on_answer);
	loop_run(quiz.asker);
	assert_int_equal(quiz.asked_times, 100);
	assert_int_equal(quiz.answers, 100);
	assert_true(pthread_equal(quiz.heard_in, pthread_self()));
	assert_false(pthread_equal(quiz.answered_in, pthread_self()));
	loop_stop(quiz.asked);
	thread_join(thread);
	loop_free(quiz.asker);
}

static void
count_answer(void *data)
{
	struct quiz *quiz = data;

	quiz->answers++;
}

/* The end of the asked loop answers at the latest, and the end of the asker's hears it. */
static void
no_question_is_lost_when_loops_end(void **state)
{
	struct place place = {0};
	struct thread *thread = thread_start("t", run, &place);
	struct quiz quiz = {.asker = loop_new(), .asked = thread_loop(thread)};

	(void)state;
	loop_stop(quiz.asked);
	loop_ask(quiz.asked, &quiz.question, answer, &quiz, quiz.asker, count_answer);
	thread_join(thread);
	assert_int_equal(quiz.asked_times, 1);
	assert_int_equal(quiz.answers, 0);
	loop_free(quiz.asker);
	assert_int_equal(quiz.answers, 1);
}

static void
there_is_at_least_one_core(void **state)
{
	(void)state;
	assert_true(thread_cores() >= 1);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_thread_runs_its_own_loop),
	cmocka_unit_test(what_is_posted_to_a_stopped_thread_is_still_delivered),
	cmocka_unit_test(an_answer_comes_back_to_the_loop_of_the_asker),
	cmocka_unit_test(no_question_is_lost_when_loops_end),
	cmocka_unit_test(there_is_at_least_one_core),
};

RUN_TESTS("thread", tests)
