/* Tests of relay/clients and relay/usage: how many flows there may be. */
#include "relay/clients.h"

#include "relay/helpers.h"
#include "relay/usage.h"

static void
a_client_has_its_own_bound(void **state)
{
	struct clients *limits = clients_new(10, 2);
	struct address a = address_of("192.0.2.1:5"), same = address_of("192.0.2.1:6"), b = address_of("192.0.2.2:5");

	(void)state;
	assert_int_equal(clients_enter(limits, &a), CLIENTS_OK);
	assert_int_equal(clients_enter(limits, &same), CLIENTS_OK);
	assert_int_equal(clients_enter(limits, &a), CLIENTS_FLOWS_PER_CLIENT);
	assert_int_equal(clients_enter(limits, &b), CLIENTS_OK);
	clients_leave(limits, &same);
	assert_int_equal(clients_enter(limits, &a), CLIENTS_OK);
	clients_leave(limits, &a);
	clients_leave(limits, &a);
	clients_leave(limits, &b);
	assert_int_equal(clients_flows(limits), 0);
	clients_free(limits);
}

static void
an_ipv6_client_is_its_64(void **state)
{
	struct clients *limits = clients_new(10, 1);
	struct address a = address_of("[2001:db8::1]:5"), same = address_of("[2001:db8::ffff:1]:5");
	struct address b = address_of("[2001:db8:0:1::1]:5");

	(void)state;
	assert_int_equal(clients_enter(limits, &a), CLIENTS_OK);
	assert_int_equal(clients_enter(limits, &same), CLIENTS_FLOWS_PER_CLIENT);
	assert_int_equal(clients_enter(limits, &b), CLIENTS_OK);
	clients_leave(limits, &a);
	clients_leave(limits, &b);
	clients_free(limits);
}

static void
all_together_have_a_bound_that_may_change(void **state)
{
	struct clients *limits = clients_new(1, 9);
	struct address a = address_of("192.0.2.1:5"), b = address_of("192.0.2.2:5");

	(void)state;
	assert_int_equal(clients_enter(limits, &a), CLIENTS_OK);
	assert_int_equal(clients_enter(limits, &b), CLIENTS_FLOWS);
	assert_string_equal(clients_trouble(CLIENTS_FLOWS), "limits.flows is reached");
	clients_set(limits, 2, 9);
	assert_int_equal(clients_enter(limits, &b), CLIENTS_OK);
	clients_leave(limits, &a);
	clients_leave(limits, &b);
	clients_free(limits);
}

static void
an_identity_counts_over_all_who_hold_its_usage(void **state)
{
	static const uint8_t key[USAGE_KEY_BYTES] = { 1 }, other[USAGE_KEY_BYTES] = { 2 };
	struct usage_table *all = usage_table_new();
	struct usage *a = usage_of(all, key), *b = usage_of(all, key), *c = usage_of(all, other);

	(void)state;
	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, c);
	assert_true(usage_enter(a, USAGE_FLOWS, 2));
	assert_true(usage_enter(b, USAGE_FLOWS, 2));
	assert_false(usage_enter(b, USAGE_FLOWS, 2));
	assert_true(usage_enter(b, USAGE_FLOWS, 0));
	assert_true(usage_enter(c, USAGE_FLOWS, 2));
	assert_int_equal(usage_count(a, USAGE_FLOWS), 3);
	assert_int_equal(usage_count(a, USAGE_SESSIONS), 0);
	usage_leave(a, USAGE_FLOWS);
	assert_int_equal(usage_count(b, USAGE_FLOWS), 2);
	usage_release(a);
	usage_release(b);
	usage_release(c);
	a = usage_of(all, key);
	assert_int_equal(usage_count(a, USAGE_FLOWS), 0);	/* nobody held it: forgotten */
	usage_release(a);
	usage_table_free(all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_has_its_own_bound),
		cmocka_unit_test(an_ipv6_client_is_its_64),
		cmocka_unit_test(all_together_have_a_bound_that_may_change),
		cmocka_unit_test(an_identity_counts_over_all_who_hold_its_usage),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("relay/limits", tests, NULL, NULL);
}
