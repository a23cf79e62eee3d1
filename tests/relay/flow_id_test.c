/* Tests of relay/flow_id: ids are unique and tell nothing. */
#include "relay/flow_id.h"

#include <nettle/aes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "relay/helpers.h"

enum { THREADS = 4, EACH = 4096, ALL = THREADS * EACH };

static struct flow_ids ids;
static uint8_t made[ALL][FLOW_ID_BYTES];

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, FLOW_ID_BYTES);
}

static void *
make_many(void *arg)
{
	uint8_t (*own)[FLOW_ID_BYTES] = arg;

	for (unsigned i = 0; i < EACH; i++)
		flow_id_make(&ids, own[i]);
	return NULL;
}

static void
no_two_are_alike_whoever_makes_them(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	flow_ids_init(&ids);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, make_many, made[(size_t)i * EACH]), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	qsort(made, ALL, sizeof made[0], compare);
	for (size_t i = 1; i < ALL; i++)
		assert_memory_not_equal(made[i - 1], made[i], FLOW_ID_BYTES);
	flow_ids_wipe(&ids);
}

/* Each of the 128 bits is set in half of the ids, and changes from one to the next in half of the
 * cases: a counter, or bytes that stay for a run, would show in either. The bounds are six sigma. */
static void
no_bit_tells_how_many_there_were(void **state)
{
	unsigned set[8 * FLOW_ID_BYTES] = { 0 }, changed[8 * FLOW_ID_BYTES] = { 0 };
	uint8_t id[FLOW_ID_BYTES], last[FLOW_ID_BYTES] = { 0 };

	(void)state;
	flow_ids_init(&ids);
	for (unsigned i = 0; i < EACH; i++) {
		flow_id_make(&ids, id);
		for (unsigned bit = 0; bit < 8 * FLOW_ID_BYTES; bit++) {
			set[bit] += id[bit / 8] >> bit % 8 & 1u;
			changed[bit] += (unsigned)(id[bit / 8] ^ last[bit / 8]) >> bit % 8 & 1u;
		}
		memcpy(last, id, sizeof last);
	}
	for (unsigned bit = 0; bit < 8 * FLOW_ID_BYTES; bit++) {
		assert_in_range(set[bit], EACH / 2 - 200, EACH / 2 + 200);
		assert_in_range(changed[bit], EACH / 2 - 200, EACH / 2 + 200);
	}
	flow_ids_wipe(&ids);
}

static void
it_is_aes_of_the_start_and_a_counter(void **state)
{
	uint8_t id[FLOW_ID_BYTES], plain[FLOW_ID_BYTES];
	static const uint8_t second[8] = { 0, 0, 0, 0, 0, 0, 0, 2 };
	struct aes128_ctx aes;

	(void)state;
	flow_ids_init(&ids);
	flow_id_make(&ids, id);
	flow_id_make(&ids, id);
	aes128_set_decrypt_key(&aes, ids.key);
	aes128_decrypt(&aes, sizeof plain, plain, id);
	assert_memory_equal(plain, ids.start, sizeof ids.start);
	assert_memory_equal(plain + sizeof ids.start, second, sizeof second);
	flow_ids_wipe(&ids);
}

static void
each_run_has_a_key_of_its_own_and_wipes_it(void **state)
{
	static const uint8_t zeroes[FLOW_ID_KEY_BYTES];
	struct flow_ids other;

	(void)state;
	flow_ids_init(&ids);
	flow_ids_init(&other);
	assert_memory_not_equal(ids.key, other.key, sizeof ids.key);
	assert_memory_not_equal(ids.start, other.start, sizeof ids.start);
	flow_ids_wipe(&ids);
	assert_memory_equal(ids.key, zeroes, sizeof ids.key);
	assert_memory_equal(ids.start, zeroes, sizeof ids.start);
	flow_ids_wipe(&ids);
	flow_ids_wipe(&other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_two_are_alike_whoever_makes_them),
		cmocka_unit_test(no_bit_tells_how_many_there_were),
		cmocka_unit_test(it_is_aes_of_the_start_and_a_counter),
		cmocka_unit_test(each_run_has_a_key_of_its_own_and_wipes_it),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("relay/flow_id", tests, NULL, NULL);
}
