#include "base/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "helpers.h"

struct place {
	struct loop *loop;
	char name[16];
	bool signals_blocked;
	int count;
};

struct letter {
	struct message message;
	struct place *place;
};

static void
run(void *arg, struct loop *loop)
{
	struct place *place = arg;
	sigset_t set;

	place->loop = loop;
	pthread_getname_np(pthread_self(), place->name, sizeof(place->name));
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	place->signals_blocked = sigismember(&set, SIGTERM) == 1 && sigismember(&set, SIGHUP) == 1;
	loop_run(loop);
}

static void
deliver(struct message *message)
{
	struct letter *letter = container_of(message, struct letter, message);

	letter->place->count++;
	free(letter);
}

static void
post(struct worker *worker, struct place *place)
{
	struct letter *letter = calloc(1, sizeof(*letter));

	letter->message.deliver = deliver;
	letter->place = place;
	loop_post(worker_loop(worker), &letter->message);
}

static void
a_worker_runs_its_own_loop(void **state)
{
	struct place place = {0};
	struct worker *worker = worker_start("a-name-longer-than-15", run, &place);
	sigset_t set;

	(void)state;
	assert_non_null(worker);
	for (int i = 0; i < 100; i++)
		post(worker, &place);
	loop_stop(worker_loop(worker));
	worker_join(worker);
	assert_int_equal(place.count, 100);
	assert_true(place.signals_blocked);
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	assert_int_equal(sigismember(&set, SIGTERM), 0);
	worker_join(NULL);
}

static void
what_is_posted_to_a_stopped_worker_is_still_delivered(void **state)
{
	struct place place = {0};
	struct worker *worker = worker_start("w", run, &place);

	(void)state;
	loop_stop(worker_loop(worker));
	for (int i = 0; i < 100; i++)
		post(worker, &place);
	worker_join(worker);
	assert_int_equal(place.count, 100);
}

static void
there_is_at_least_one_core(void **state)
{
	(void)state;
	assert_true(worker_cores() >= 1);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_worker_runs_its_own_loop),
	cmocka_unit_test(what_is_posted_to_a_stopped_worker_is_still_delivered),
	cmocka_unit_test(there_is_at_least_one_core),
};

RUN_TESTS("worker", tests)
