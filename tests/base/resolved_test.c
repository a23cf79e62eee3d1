/* Tests of base/resolved: how long answers are used, and their order. */
#include "base/resolved.h"

#include <stdio.h>
#include <string.h>
#include "helpers.h"

enum { NOW = 1000000 };

static struct address
address_of(const char *host)
{
	char text[80];
	struct address address;

	snprintf(text, sizeof text, strchr(host, ':') ? "[%s]:0" : "%s:0", host);
	assert_true(address_parse(&address, text));
	return address;
}

/* Of hosts with a space between them. */
static struct answer
answer_of(const char *hosts)
{
	struct answer answer = {0};
	char copy[256], *rest, *host;

	snprintf(copy, sizeof copy, "%s", hosts);
	for (host = strtok_r(copy, " ", &rest); host; host = strtok_r(NULL, " ", &rest)) {
		struct address address = address_of(host);

		answer_add(&answer, &address);
	}
	return answer;
}

static void
learn(struct resolved *resolved, const char *hosts, uint64_t now_ms)
{
	struct answer answer = answer_of(hosts);

	snprintf(answer.why, sizeof answer.why, "%s", answer.count == 0 ? "why" : "");
	resolved_learn(resolved, &answer, now_ms);
}

static const char *
order(const struct resolved *resolved, uint64_t now_ms)
{
	static char all[1024];
	struct address out[RESOLVED_MOST];
	size_t count = resolved_order(resolved, now_ms, 443, out), used = 0;
	char host[ADDRESS_TEXT];

	all[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(address_port(&out[i]), 443);
		used += (size_t)snprintf(all + used, sizeof all - used, "%s%s", i > 0 ? " " : "",
		    address_host_text(&out[i], host));
	}
	return all;
}

static void
families_take_turns_and_failed_addresses_come_last(void **state)
{
	static const struct { const char *found, *failed, *tried; } cases[] = {
		{"192.0.2.1", "", "192.0.2.1"},
		{"2001:db8::1", "2001:db8::1", "2001:db8::1"},
		{"2001:db8::1 2001:db8::2 192.0.2.1 192.0.2.2", "",
		    "2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2"},
		{"192.0.2.1 192.0.2.2 192.0.2.3 2001:db8::1", "",
		    "192.0.2.1 2001:db8::1 192.0.2.2 192.0.2.3"},
		{"192.0.2.1 2001:db8::1 2001:db8::2 2001:db8::3", "",
		    "192.0.2.1 2001:db8::1 2001:db8::2 2001:db8::3"},
		{"192.0.2.3 192.0.2.1 192.0.2.2", "", "192.0.2.3 192.0.2.1 192.0.2.2"},
		{"2001:db8::1 192.0.2.1", "2001:db8::1", "192.0.2.1 2001:db8::1"},
		{"2001:db8::1 2001:db8::2 192.0.2.1 192.0.2.2", "2001:db8::1 192.0.2.1",
		    "2001:db8::2 192.0.2.2 2001:db8::1 192.0.2.1"},
		{"2001:db8::1 2001:db8::2 192.0.2.1", "192.0.2.1",
		    "2001:db8::1 2001:db8::2 192.0.2.1"},
		{"192.0.2.1 192.0.2.2", "192.0.2.1 192.0.2.2", "192.0.2.1 192.0.2.2"},
		{"::ffff:192.0.2.1 192.0.2.1", "", "192.0.2.1"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct resolved resolved = {0};
		struct answer failed = answer_of(cases[i].failed);

		learn(&resolved, cases[i].found, NOW);
		for (size_t at = 0; at < failed.count; at++)
			assert_true(resolved_blame(&resolved, &failed.addresses[at], NOW));
		assert_string_equal(order(&resolved, NOW + 29999), cases[i].tried);
	}
}

static void
an_answer_is_known_then_stale_then_forgotten(void **state)
{
	static const struct { uint64_t after_ms; enum resolved_use use; } cases[] = {
		{0, RESOLVED_KNOWN}, {29999, RESOLVED_KNOWN}, {30000, RESOLVED_STALE},
		{329999, RESOLVED_STALE}, {330000, RESOLVED_UNKNOWN},
	};
	struct resolved resolved = {0};

	(void)state;
	assert_int_equal(resolved_use(&resolved, NOW), RESOLVED_UNKNOWN);
	learn(&resolved, "192.0.2.1", NOW);
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(resolved_use(&resolved, NOW + cases[i].after_ms), cases[i].use);
}

/* A refresh that fails leaves the addresses, and is not tried again for a second. */
static void
a_failure_leaves_what_may_still_be_used(void **state)
{
	struct resolved resolved = {0};

	(void)state;
	learn(&resolved, "192.0.2.1", NOW);
	learn(&resolved, "", NOW + 31000);
	assert_int_equal(resolved_use(&resolved, NOW + 31999), RESOLVED_KNOWN);
	assert_int_equal(resolved_use(&resolved, NOW + 32000), RESOLVED_STALE);
	assert_string_equal(order(&resolved, NOW + 32000), "192.0.2.1");
	learn(&resolved, "", NOW + 330000);
	assert_int_equal(resolved_use(&resolved, NOW + 330999), RESOLVED_FAILURE);
	assert_string_equal(resolved.answer.why, "why");
	assert_int_equal(resolved.answer.count, 0);
	assert_int_equal(resolved_use(&resolved, NOW + 331000), RESOLVED_UNKNOWN);
	learn(&resolved, "192.0.2.2", NOW + 331000);
	assert_int_equal(resolved_use(&resolved, NOW + 331000), RESOLVED_KNOWN);
}

static void
blame_outlives_a_new_answer_but_not_half_a_minute(void **state)
{
	struct resolved resolved = {0};
	struct address first = address_of("192.0.2.1"), foreign = address_of("192.0.2.9");

	(void)state;
	learn(&resolved, "192.0.2.1 192.0.2.2", NOW);
	assert_false(resolved_blame(&resolved, &foreign, NOW));
	assert_true(resolved_blame(&resolved, &first, NOW));
	learn(&resolved, "192.0.2.3 192.0.2.1 192.0.2.4", NOW + 10);
	assert_string_equal(order(&resolved, NOW + 10), "192.0.2.3 192.0.2.4 192.0.2.1");
	assert_string_equal(order(&resolved, NOW + 30000), "192.0.2.3 192.0.2.1 192.0.2.4");
	learn(&resolved, "192.0.2.3", NOW + 20);
	learn(&resolved, "192.0.2.1 192.0.2.3", NOW + 30);
	assert_string_equal(order(&resolved, NOW + 30), "192.0.2.1 192.0.2.3");
}

static void
takes_sixteen_addresses_each_once(void **state)
{
	struct answer answer = {0};
	struct address address;
	char host[32];

	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		snprintf(host, sizeof host, "192.0.2.%u", i / 2);
		address = address_of(host);
		answer_add(&answer, &address);
		assert_int_equal(answer.count, i / 2 < RESOLVED_MOST ? i / 2 + 1 : RESOLVED_MOST);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(families_take_turns_and_failed_addresses_come_last),
	cmocka_unit_test(an_answer_is_known_then_stale_then_forgotten),
	cmocka_unit_test(a_failure_leaves_what_may_still_be_used),
	cmocka_unit_test(blame_outlives_a_new_answer_but_not_half_a_minute),
	cmocka_unit_test(takes_sixteen_addresses_each_once),
};

RUN_TESTS("resolved", tests)
