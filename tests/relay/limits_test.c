#include "relay/limits.h"

#include "relay/helpers.h"
#include "relay/tally.h"

static void
a_client_has_its_own_bound(void **state)
{
	struct limits *limits = limits_new(10, 2);
	struct address a = address_of("192.0.2.1:5"), same = address_of("192.0.2.1:6"), b = address_of("192.0.2.2:5");

	(void)state;
	assert_int_equal(limits_enter(limits, &a), LIMITS_OK);
	assert_int_equal(limits_enter(limits, &same), LIMITS_OK);
	assert_int_equal(limits_enter(limits, &a), LIMITS_FLOWS_PER_CLIENT);
	assert_int_equal(limits_enter(limits, &b), LIMITS_OK);
	limits_leave(limits, &same);
	assert_int_equal(limits_enter(limits, &a), LIMITS_OK);
	limits_leave(limits, &a);
	limits_leave(limits, &a);
	limits_leave(limits, &b);
	assert_int_equal(limits_flows(limits), 0);
	limits_free(limits);
}

static void
an_ipv6_client_is_its_64(void **state)
{
	struct limits *limits = limits_new(10, 1);
	struct address a = address_of("[2001:db8::1]:5"), same = address_of("[2001:db8::ffff:1]:5");
	struct address b = address_of("[2001:db8:0:1::1]:5");

	(void)state;
	assert_int_equal(limits_enter(limits, &a), LIMITS_OK);
	assert_int_equal(limits_enter(limits, &same), LIMITS_FLOWS_PER_CLIENT);
	assert_int_equal(limits_enter(limits, &b), LIMITS_OK);
	limits_leave(limits, &a);
	limits_leave(limits, &b);
	limits_free(limits);
}

static void
all_together_have_a_bound_that_may_change(void **state)
{
	struct limits *limits = limits_new(1, 9);
	struct address a = address_of("192.0.2.1:5"), b = address_of("192.0.2.2:5");

	(void)state;
	assert_int_equal(limits_enter(limits, &a), LIMITS_OK);
	assert_int_equal(limits_enter(limits, &b), LIMITS_FLOWS);
	assert_string_equal(limits_key(LIMITS_FLOWS), "limits.flows");
	limits_set(limits, 2, 9);
	assert_int_equal(limits_enter(limits, &b), LIMITS_OK);
	limits_leave(limits, &a);
	limits_leave(limits, &b);
	limits_free(limits);
}

static void
an_identity_counts_over_all_who_hold_its_tally(void **state)
{
	static const uint8_t key[TALLY_KEY_BYTES] = { 1 }, other[TALLY_KEY_BYTES] = { 2 };
	struct tallies *all = tally_all_new();
	struct tally *a = tally_of(all, key), *b = tally_of(all, key), *c = tally_of(all, other);

	(void)state;
	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, c);
	assert_true(tally_enter(a, TALLY_FLOWS, 2));
	assert_true(tally_enter(b, TALLY_FLOWS, 2));
	assert_false(tally_enter(b, TALLY_FLOWS, 2));
	assert_true(tally_enter(b, TALLY_FLOWS, 0));
	assert_true(tally_enter(c, TALLY_FLOWS, 2));
	assert_int_equal(tally_count(a, TALLY_FLOWS), 3);
	assert_int_equal(tally_count(a, TALLY_SESSIONS), 0);
	tally_leave(a, TALLY_FLOWS);
	assert_int_equal(tally_count(b, TALLY_FLOWS), 2);
	tally_release(a);
	tally_release(b);
	tally_release(c);
	a = tally_of(all, key);
	assert_int_equal(tally_count(a, TALLY_FLOWS), 0);	/* nobody held it: forgotten */
	tally_release(a);
	tally_all_free(all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_has_its_own_bound),
		cmocka_unit_test(an_ipv6_client_is_its_64),
		cmocka_unit_test(all_together_have_a_bound_that_may_change),
		cmocka_unit_test(an_identity_counts_over_all_who_hold_its_tally),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("relay/limits", tests, NULL, NULL);
}
