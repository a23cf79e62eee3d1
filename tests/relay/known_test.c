#include "relay/known.h"

#include "base/clock.h"
#include "base/clock_fake.h"
#include "relay/helpers.h"

static void
an_hour_is_remembered_and_no_longer(void **state)
{
	struct known *known = known_new();
	struct prefix a = block_of("192.0.2.1"), b = block_of("2001:db8:1::/48");

	(void)state;
	clock_fake(1000000, 1000000);
	known_add(known, &a);
	assert_true(known_has(known, &a));
	assert_false(known_has(known, &b));
	clock_fake(1000000 + UINT64_C(3599) * 1000000, 1000000);
	assert_true(known_has(known, &a));
	known_add(known, &b);
	clock_fake(1000000 + UINT64_C(3600) * 1000000, 1000000);
	assert_false(known_has(known, &a));
	assert_true(known_has(known, &b));
	clock_fake(0, 0);
	known_free(known);
}

static void
the_longest_silent_goes_when_it_is_full(void **state)
{
	struct known *known = known_new();
	struct prefix first = block_of("192.0.2.1"), second = block_of("192.0.2.2"), block;

	(void)state;
	known_add(known, &first);
	known_add(known, &second);
	known_add(known, &first);
	for (unsigned i = 0; i < KNOWN_MOST - 1; i++) {
		block = first;
		block.bytes[0] = 10;
		block.bytes[1] = (uint8_t)(i >> 8);
		block.bytes[2] = (uint8_t)i;
		known_add(known, &block);
	}
	assert_true(known_has(known, &first));
	assert_false(known_has(known, &second));
	known_free(known);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_hour_is_remembered_and_no_longer),
		cmocka_unit_test(the_longest_silent_goes_when_it_is_full),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("relay/known", tests, NULL, NULL);
}
