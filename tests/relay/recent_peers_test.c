/* Tests of relay/recent_peers: how long it remembers, and whom it forgets. */
#include "relay/recent_peers.h"

#include "base/clock.h"
#include "base/clock_fake.h"
#include "pki/identity.h"
#include "relay/helpers.h"

static const uint8_t some_tenant[IDENTITY_KEY_BYTES] = { 1 };
static const uint8_t other_tenant[IDENTITY_KEY_BYTES] = { 2 };

static void
come_and_go_of(
    struct recent_peers *peers, const struct prefix *block, const uint8_t *tenant_key)
{
	recent_peers_leave(peers, recent_peers_enter(peers, block, tenant_key));
}

static void
come_and_go(struct recent_peers *peers, const struct prefix *block)
{
	come_and_go_of(peers, block, some_tenant);
}

/* The n-th of the blocks of a tenant who has many. */
static struct prefix
one_of_many(unsigned n)
{
	struct prefix block = block_of("10.0.0.0");

	block.bytes[1] = (uint8_t)(n >> 8);
	block.bytes[2] = (uint8_t)n;
	return block;
}

static void
an_hour_is_remembered_and_no_longer(void **state)
{
	struct recent_peers *peers = recent_peers_new();
	struct prefix a = block_of("192.0.2.1"), b = block_of("2001:db8:1::/48");

	(void)state;
	clock_fake(1000000, 1000000);
	come_and_go(peers, &a);
	assert_true(recent_peers_has(peers, &a));
	assert_false(recent_peers_has(peers, &b));
	clock_fake(1000000 + UINT64_C(3599) * 1000000, 1000000);
	assert_true(recent_peers_has(peers, &a));
	come_and_go(peers, &b);
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
	come_and_go(peers, &first);
	come_and_go(peers, &second);
	come_and_go(peers, &first);
	for (unsigned i = 0; i < RECENT_PEERS_MOST - 1; i++) {
		block = one_of_many(i);
		come_and_go(peers, &block);
	}
	assert_true(recent_peers_has(peers, &first));
	assert_false(recent_peers_has(peers, &second));
	recent_peers_free(peers);
}

/* A tenant with a /32 of IPv6 has 65536 blocks. */
static void
who_comes_from_many_blocks_pays_with_his_own(void **state)
{
	struct recent_peers *peers = recent_peers_new();
	struct prefix mine = block_of("192.0.2.1"), moved = block_of("192.0.2.2"), block;

	(void)state;
	come_and_go_of(peers, &mine, some_tenant);
	come_and_go_of(peers, &moved, other_tenant);
	come_and_go_of(peers, &moved, some_tenant);
	for (unsigned i = 0; i < 2 * RECENT_PEERS_MOST; i++) {
		block = one_of_many(i);
		come_and_go_of(peers, &block, other_tenant);
	}
	assert_true(recent_peers_has(peers, &mine));
	assert_true(recent_peers_has(peers, &moved));
	assert_true(recent_peers_has(peers, &block));
	block = one_of_many(RECENT_PEERS_MOST + 1);
	assert_false(recent_peers_has(peers, &block));
	block = one_of_many(RECENT_PEERS_MOST + 2);
	assert_true(recent_peers_has(peers, &block));
	recent_peers_free(peers);
}

/* However long it stays, and whoever comes and goes meanwhile. */
static void
who_is_here_is_known(void **state)
{
	struct recent_peers *peers = recent_peers_new();
	struct prefix here = block_of("192.0.2.1"), block = here;
	struct recent_peer *first = recent_peers_enter(peers, &here, some_tenant);
	struct recent_peer *second = recent_peers_enter(peers, &here, some_tenant);

	(void)state;
	clock_fake(1000000, 1000000);
	for (unsigned i = 0; i < 2 * RECENT_PEERS_MOST; i++) {
		block.bytes[1] = (uint8_t)(i >> 8);
		block.bytes[2] = (uint8_t)i;
		block.bytes[3] = 0;
		come_and_go(peers, &block);
	}
	clock_fake(1000000 + UINT64_C(7200) * 1000000, 1000000);
	assert_true(recent_peers_has(peers, &here));
	recent_peers_leave(peers, first);
	assert_true(recent_peers_has(peers, &here));
	recent_peers_leave(peers, second);
	clock_fake(1000000 + UINT64_C(10799) * 1000000, 1000000);
	assert_true(recent_peers_has(peers, &here));
	clock_fake(1000000 + UINT64_C(10800) * 1000000, 1000000);
	assert_false(recent_peers_has(peers, &here));
	clock_fake(0, 0);
	recent_peers_free(peers);
}

static unsigned
party_in(struct recent_peers *peers, const struct address *from)
{
	return recent_peers_party(recent_peers_know(peers, from), from).group % HEAVY_GROUPS;
}

/* Strangers who shake hands without end have one turn, and those who are known the next. */
static void
known_peers_have_turns_of_their_own(void **state)
{
	struct recent_peers *peers = recent_peers_new();
	struct address here = address_of("192.0.2.1:1"), other = address_of("192.0.2.2:1");
	struct prefix block = prefix_block(&here, BLOCK_SITE);

	(void)state;
	assert_int_equal(party_in(peers, &here), party_in(peers, &other));
	come_and_go(peers, &block);
	assert_int_not_equal(party_in(peers, &here), party_in(peers, &other));
	recent_peers_free(peers);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_hour_is_remembered_and_no_longer),
		cmocka_unit_test(the_longest_silent_goes_when_it_is_full),
		cmocka_unit_test(who_comes_from_many_blocks_pays_with_his_own),
		cmocka_unit_test(who_is_here_is_known),
		cmocka_unit_test(known_peers_have_turns_of_their_own),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("relay/known", tests, NULL, NULL);
}
