/* Tests of agent/limits: what settings and descriptors come to together. */
#include "agent/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/settings.h"

static struct agent_settings settings;

static struct agent_limits
derived(uint64_t relays, uint64_t pool_most, uint64_t flows, uint64_t descriptors)
{
	struct agent_limits limits;

	settings.workers = (char *)(uintptr_t) "3";
	settings.connect_url.count = relays;
	settings.pool_most = pool_most;
	settings.limits = (struct agent_settings_limits){ flows, 256, NULL };
	agent_limits_derive(&limits, &settings, descriptors, UINT64_C(1) << 30);
	return limits;
}

static void
a_flow_takes_two_of_what_channels_and_the_agent_leave(void **state)
{
	struct agent_limits limits = derived(2, 256, 0, 16384);

	(void)state;
	assert_int_equal(limits.reserve, 64 + 2 * 4 + 2 * 48);
	assert_int_equal(limits.channels, 512);
	assert_int_equal(limits.flows, (16384 - 168 - 512) / 2);
	assert_int_equal(limits.handshakes, 256);
	assert_int_equal(limits.memory, 512 << 20);
}

static void
what_is_asked_for_counts_if_it_can_be_had(void **state)
{
	(void)state;
	assert_int_equal(derived(1, 256, 100, 16384).flows, 100);
	assert_true(derived(1, 256, 100000, 16384).flows < 8192);
}

static void
relays_have_equal_parts_of_what_channels_may_take(void **state)
{
	(void)state;
	assert_int_equal(derived(2, 256, 0, 16384).pool_most, 256);
	assert_int_equal(derived(3, 256, 0, 1024).pool_most, 85);
	assert_int_equal(derived(3, 256, 0, 1024).channels, 255);
	assert_int_equal(derived(0, 256, 0, 1024).channels, 0);
	assert_int_equal(derived(100, 256, 0, 64).pool_most, 1);
}

static void
a_few_descriptors_are_divided_too(void **state)
{
	(void)state;
	for (uint64_t descriptors = 0; descriptors < 3000; descriptors++) {
		struct agent_limits limits = derived(3, 4096, 0, descriptors);

		assert_true(limits.flows >= 1);
		assert_true(descriptors < 8 ||
		    limits.reserve + limits.channels + 2 * limits.flows <= descriptors);
	}
}

static struct forward_settings forwards[2] = { { .name = (char *)(uintptr_t) "a", .flows = 1000 },
	{ .name = (char *)(uintptr_t) "b", .flows = 3000 } };

static void
give_forwards(size_t count)
{
	settings.forwards.items = forwards;
	settings.forwards.count = count;
}

static void
forwards_have_equal_parts_of_what_there_is(void **state)
{
	(void)state;
	derived(2, 256, 0, 0);
	give_forwards(2);
	settings.endpoints.count = 1;
	assert_int_equal(agent_limits_forward(&settings, 1000, 65536), 1000);
	assert_int_equal(agent_limits_forward(&settings, 1000, 4096), 981 * 1000 / 4000);
	assert_int_equal(agent_limits_forward(&settings, 3000, 4096), 981 * 3000 / 4000);
	settings.endpoints.count = 0;
	assert_int_equal(agent_limits_forward(&settings, 3000, 4096), 1963 * 3000 / 4000);
	assert_int_equal(agent_limits_forward(&settings, 3000, 10), 3);
	assert_int_equal(agent_limits_forward(&settings, 1000, 0), 1);
	settings.endpoints.count = 1;
	for (uint64_t descriptors = 64; descriptors < 20000; descriptors += 7) {
		struct agent_limits limits = derived(2, 256, 0, descriptors);

		assert_true(limits.reserve + limits.channels + 2 * limits.flows <= descriptors);
		assert_true(limits.reserve >= 2 *
			(agent_limits_forward(&settings, 1000, descriptors) +
			    agent_limits_forward(&settings, 3000, descriptors)));
	}
	settings.endpoints.count = 0;
	give_forwards(0);
}

static char *
printed(const struct agent_limits *limits)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	assert_non_null(out);
	agent_limits_print(limits, &settings, out);
	fclose(out);
	return text;
}

static void
check_says_what_is_in_force_and_why_it_is_less(void **state)
{
	struct agent_limits limits = derived(1, 256, 100000, 1024);
	char *text = printed(&limits);

	(void)state;
	assert_non_null(
	    strstr(text, "limits.flows: 302, not 100000: there are too few descriptors; raise"));
	assert_non_null(
	    strstr(text, "descriptors: 1024, of these 164 for the agent itself, 256 for"));
	free(text);
	give_forwards(1);
	settings.endpoints.count = 1;
	text = printed(&limits);
	assert_non_null(strstr(text, "forward a: flows: 214, not 1000: there are too few"));
	free(text);
	settings.endpoints.count = 0;
	give_forwards(0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flow_takes_two_of_what_channels_and_the_agent_leave),
		cmocka_unit_test(what_is_asked_for_counts_if_it_can_be_had),
		cmocka_unit_test(relays_have_equal_parts_of_what_channels_may_take),
		cmocka_unit_test(a_few_descriptors_are_divided_too),
		cmocka_unit_test(forwards_have_equal_parts_of_what_there_is),
		cmocka_unit_test(check_says_what_is_in_force_and_why_it_is_less),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("agent/limits", tests, NULL, NULL);
}
