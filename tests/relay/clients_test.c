/* Tests of relay/clients and relay/usage: how many flows there may be. */
#include "relay/clients.h"

#include "relay/helpers.h"

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_has_its_own_bound),
		cmocka_unit_test(an_ipv6_client_is_its_64),
		cmocka_unit_test(all_together_have_a_bound_that_may_change),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("relay/limits", tests, NULL, NULL);
}
