/* Tests of relay/recent_peers: how long it remembers, and whom it forgets. */
#include "relay/recent_peers.h"

#include "base/clock.h"
#include "base/clock_fake.h"
#include "relay/helpers.h"

static void
an_hour_is_remembered_and_no_longer(void **state)
{
	struct recent_peers *peers = recent_peers_new();
	struct prefix a = block_of("192.0.2.1"), b = block_of("2001:db8:1::/48");

	(void)state;
	clock_fake(1000000, 1000000);
	recent_peers_add(peers, &a);
	assert_true(recent_peers_has(peers, &a));
	assert_false(recent_peers_has(peers, &b));
	clock_fake(1000000 + UINT64_C(3599) * 1000000, 1000000);
	assert_true(recent_peers_has(peers, &a));
	recent_peers_add(peers, &b);
	clock_fake(1000000 + UINT64_C(3600) * 1000000, 1000000);
	assert_false(recent_peers_has(peers, &a));
	assert_true(recent_peers_has(peers, &b));
	clock_fake(0, 0);
	recent_peers_free(peers);
}

static void
the_longest_silent_goes_when_it_is_full(void **state)
{
	struct recent_peers *peers = recent_peers_new();
	struct prefix first = block_of("192.0.2.1"), second = block_of("192.0.2.2"), block;

	(void)state;
	recent_peers_add(peers, &first);
	recent_peers_add(peers, &second);
	recent_peers_add(peers, &first);
	for (unsigned i = 0; i < RECENT_PEERS_MOST - 1; i++) {
		block = first;
		block.bytes[0] = 10;
		block.bytes[1] = (uint8_t)(i >> 8);
		block.bytes[2] = (uint8_t)i;
		recent_peers_add(peers, &block);
	}
	assert_true(recent_peers_has(peers, &first));
	assert_false(recent_peers_has(peers, &second));
	recent_peers_free(peers);
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
