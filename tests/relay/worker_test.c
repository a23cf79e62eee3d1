/* What a worker tells the main thread of a drain: each step once, however often it is asked. */
#include "relay/worker.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/clock_fake.h"
#include "relay/helpers.h"
#include "relay/rules.h"
#include "relay/shared.h"

/* A goodbye's patience is far below this. */
enum { LONG_US = 60 * 1000000 };

static const char settings[] =
    "version: 1\n"
    "listeners: [{address: \"127.0.0.1:443\"}]\n"
    "routes: [{server_name: other.example, upstream: {url: \"tcp://127.0.0.1:9\"}}]\n";

static struct shared shared = { .end_lock = PTHREAD_MUTEX_INITIALIZER, .end = PTHREAD_COND_INITIALIZER };
static struct loop *main_loop;
static struct rules *rules;
static struct worker *worker;
static unsigned reports[WORKER_EVENTS];

static void
on_worker(void *arg, enum worker_event event)
{
	(void)arg;
	reports[event]++;
}

static void
on_counts(void *arg)
{
	(void)arg;
	loop_stop(main_loop);
}

/* The worker obeys what was asked of it and runs its timers; what it tells is heard. The second
 * census comes back after whatever the turn of the first one has told. */
static void
settle(void)
{
	struct worker_census census;

	for (int i = 0; i < 2; i++) {
		worker_take_census(worker, &census, on_counts, NULL);
		loop_run(main_loop);
	}
}

static struct rules *
load_rules(void)
{
	char path[] = "/tmp/valise-worker.XXXXXX";
	int fd = mkstemp(path);
	enum rules_failure failure;
	struct rules *loaded;

	assert_true(fd >= 0 && write(fd, settings, sizeof settings - 1) == sizeof settings - 1);
	close(fd);
	loaded = rules_load(path, NULL, NULL, stderr, &failure);
	unlink(path);
	assert_non_null(loaded);
	return loaded;
}

static int
set_up(void **state)
{
	(void)state;
	clock_fake(1000000, 0);
	memset(reports, 0, sizeof reports);
	main_loop = loop_new();
	rules = load_rules();
	worker = worker_new(&shared, rules, main_loop, on_worker, NULL);
	assert_true(main_loop && worker && worker_start(worker, 0));
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	worker_stop(worker);
	worker_join(worker);
	loop_free(main_loop);
	worker_free(worker);
	rules_release(rules);
	clock_fake(0, 0);
	return 0;
}

static void
says_only_that_it_listens_before_it_drains(void **state)
{
	(void)state;
	settle();
	assert_int_equal(reports[WORKER_LISTENS], 1);
	assert_int_equal(reports[WORKER_FAILED], 0);
	assert_int_equal(reports[WORKER_IDLE], 0);
	assert_int_equal(reports[WORKER_EMPTY], 0);
}

static void
tells_each_step_once(void **state)
{
	(void)state;
	worker_post_drain(worker, 30000);
	settle();
	assert_int_equal(reports[WORKER_IDLE], 1);
	assert_int_equal(reports[WORKER_EMPTY], 0);
	worker_post_goodbye(worker, false);
	settle();
	assert_int_equal(reports[WORKER_EMPTY], 1);
}

/* A second signal, or the deadline, asks for another goodbye while other workers still say theirs. */
static void
tells_each_step_once_when_a_drain_is_cut(void **state)
{
	(void)state;
	worker_post_drain(worker, 30000);
	worker_post_goodbye(worker, false);
	settle();
	worker_post_goodbye(worker, true);
	settle();
	clock_fake_move(clock_us() + LONG_US);
	settle();
	assert_int_equal(reports[WORKER_IDLE], 1);
	assert_int_equal(reports[WORKER_EMPTY], 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(says_only_that_it_listens_before_it_drains, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tells_each_step_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tells_each_step_once_when_a_drain_is_cut, set_up, tear_down),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
