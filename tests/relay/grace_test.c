/* Tests of relay/grace: readers without a lock, and late release. */
#include "relay/grace.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "relay/helpers.h"

struct thing {
	struct grace grace;
	char text[16];
};

static _Atomic(struct thing *) published;
static atomic_uint released;

static void
release(struct grace *grace)
{
	struct thing *thing = container_of(grace, struct thing, grace);

	memset(thing->text, 0, sizeof thing->text);
	free(thing);
	atomic_fetch_add(&released, 1);
}

static void
publish(const char *text)
{
	struct thing *thing = calloc(1, sizeof *thing), *before;

	assert_non_null(thing);
	memcpy(thing->text, text, strlen(text));
	before = atomic_exchange(&published, thing);
	if (before)
		grace_retire(&before->grace, release);
}

static pthread_barrier_t met;

static void *
replace(void *arg)
{
	pthread_barrier_wait(&met);
	publish("second");
	pthread_barrier_wait(&met);
	return arg;
}

static void
what_a_reader_sees_lives_until_it_leaves(void **state)
{
	struct thing *thing;
	pthread_t writer;

	(void)state;
	grace_start();
	pthread_barrier_init(&met, NULL, 2);
	publish("first");
	assert_int_equal(pthread_create(&writer, NULL, replace, NULL), 0);
	grace_enter();
	thing = atomic_load(&published);
	pthread_barrier_wait(&met);
	pthread_barrier_wait(&met);
	for (int i = 0; i < 100000; i++)
		assert_string_equal(thing->text, "first");
	assert_int_equal(atomic_load(&released), 0);
	grace_leave();
	grace_wait();
	assert_int_equal(atomic_load(&released), 1);
	pthread_join(writer, NULL);
	pthread_barrier_destroy(&met);
	grace_retire(&atomic_exchange(&published, NULL)->grace, release);
	grace_wait();
}

enum { READERS = 3, ROUNDS = 20000 };

static void *
read_on(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		grace_enter();
		if (strcmp(atomic_load(&published)->text, "text") != 0)
			return arg;
		grace_leave();
	}
	return NULL;
}

/* For the sanitizers: they end the program if anything is seen after its release. */
static void
readers_never_see_what_is_freed(void **state)
{
	pthread_t readers[READERS];
	void *failure;

	(void)state;
	publish("text");
	for (int i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, read_on, &published), 0);
	for (int i = 0; i < ROUNDS; i++)
		publish("text");
	for (int i = 0; i < READERS; i++) {
		assert_int_equal(pthread_join(readers[i], &failure), 0);
		assert_null(failure);
	}
	grace_retire(&atomic_exchange(&published, NULL)->grace, release);
	grace_wait();
	assert_int_equal(atomic_load(&released), ROUNDS + 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_reader_sees_lives_until_it_leaves),
		cmocka_unit_test(readers_never_see_what_is_freed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("relay/grace", tests, NULL, NULL);
}
