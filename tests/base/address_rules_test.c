/* Tests of base/address_rules: whom two lists of prefixes let in. */
#include "base/address_rules.h"

#include <stdlib.h>
#include <string.h>
#include "helpers.h"

enum { TEXTS = 4 };

/* Of texts up to the first NULL. */
static struct address_list
list_of(const char *const texts[TEXTS], struct prefix prefixes[TEXTS])
{
	struct address_list list = { prefixes, 0 };

	for (; list.count < TEXTS && texts[list.count]; list.count++)
		assert_true(prefix_parse(&prefixes[list.count], texts[list.count]));
	return list;
}

static struct address_rules *
rules_of(const char *const allow[TEXTS], const char *const deny[TEXTS])
{
	struct prefix a[TEXTS], b[TEXTS];
	struct address_rules *rules = address_rules_new(list_of(allow, a), list_of(deny, b));

	assert_non_null(rules);
	return rules;
}

static bool
is_let_in(const struct address_rules *rules, const char *text)
{
	struct address address;

	assert_true(address_parse(&address, text));
	return address_rules_admit(rules, &address);
}

static void
deny_wins_and_allow_shuts_out_everybody_else(void **state)
{
	static const struct {
		const char *allow[TEXTS], *deny[TEXTS], *client;
		bool is_let_in;
	} cases[] = {
		{ { NULL }, { NULL }, "192.0.2.1:1", true },
		{ { NULL }, { NULL }, "unix:/run/x", true },
		{ { "192.0.2.0/24" }, { NULL }, "192.0.2.0:1", true },
		{ { "192.0.2.0/24" }, { NULL }, "192.0.2.255:1", true },
		{ { "192.0.2.0/24" }, { NULL }, "192.0.1.255:1", false },
		{ { "192.0.2.0/24" }, { NULL }, "192.0.3.0:1", false },
		{ { "192.0.2.0/24" }, { NULL }, "[::ffff:192.0.2.7]:1", true },
		{ { "192.0.2.0/24" }, { NULL }, "[2001:db8::1]:1", false },
		{ { "192.0.2.0/24" }, { NULL }, "unix:/run/x", false },
		{ { "::ffff:192.0.2.0/120" }, { NULL }, "192.0.2.7:1", true },
		{ { "::/0" }, { NULL }, "192.0.2.7:1", false },
		{ { "::/0" }, { NULL }, "[::1]:1", true },
		{ { "0.0.0.0/0" }, { NULL }, "[::1]:1", false },
		{ { "0.0.0.0/0", "::/0" }, { NULL }, "unix:/run/x", false },
		{ { NULL }, { "192.0.2.0/24" }, "192.0.2.7:1", false },
		{ { NULL }, { "192.0.2.0/24" }, "192.0.3.7:1", true },
		{ { NULL }, { "192.0.2.0/24" }, "[2001:db8::1]:1", true },
		{ { NULL }, { "192.0.2.0/24" }, "unix:/run/x", false },
		{ { NULL }, { "0.0.0.0/0" }, "[::1]:1", true },
		/* more precise or not */
		{ { "192.0.2.0/24" }, { "192.0.2.7" }, "192.0.2.7:1", false },
		{ { "192.0.2.0/24" }, { "192.0.2.7" }, "192.0.2.8:1", true },
		{ { "192.0.2.7" }, { "192.0.2.0/24" }, "192.0.2.7:1", false },
		{ { "192.0.2.7" }, { "192.0.2.7" }, "192.0.2.7:1", false },
		/* within each other, behind each other, in any order */
		{ { "10.1.2.3", "10.0.0.0/8" }, { NULL }, "10.200.0.1:1", true },
		{ { "10.0.0.0/8", "10.0.0.0/24", "10.0.0.0" }, { NULL }, "10.0.0.1:1", true },
		{ { "10.0.0.0/8", "10.255.255.255", "9.0.0.0/8" }, { NULL }, "10.255.255.254:1", true },
		{ { "2001:db8:1::/48", "10.0.0.0/8", "2001:db8::/64" }, { NULL }, "[2001:db8:0:0:1::]:1", true },
		{ { "2001:db8:1::/48", "10.0.0.0/8", "2001:db8::/64" }, { NULL }, "[2001:db8:0:1::]:1", false },
		{ { "2001:db8:1::/48", "10.0.0.0/8", "2001:db8::/64" }, { NULL }, "[2001:db8:1:ffff::]:1", true },
		/* the first and the last address that there is */
		{ { "255.255.255.255", "0.0.0.0" }, { NULL }, "255.255.255.255:1", true },
		{ { "255.255.255.255", "0.0.0.0" }, { NULL }, "0.0.0.0:1", true },
		{ { "255.255.255.255", "0.0.0.0" }, { NULL }, "0.0.0.1:1", false },
		{ { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" }, { NULL },
		    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:1", true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct address_rules *rules = rules_of(cases[i].allow, cases[i].deny);

		if (is_let_in(rules, cases[i].client) != cases[i].is_let_in)
			fail_msg("case %zu, %s", i, cases[i].client);
		address_rules_release(rules);
	}
	assert_true(is_let_in(NULL, "unix:/run/x"));
}

static void
lists_that_mean_the_same_are_the_same(void **state)
{
	static const char *const a[TEXTS] = { "10.0.0.0/8", "2001:db8::/32" }, *const none[TEXTS] = { NULL },
				 *const b[TEXTS] = { "2001:db8::/32", "10.1.0.0/16", "10.0.0.0/8", "10.0.0.0/8" },
				 *const c[TEXTS] = { "10.0.0.0/9", "2001:db8::/32" };
	struct address_rules *of[] = { rules_of(a, none), rules_of(b, none), rules_of(c, none), rules_of(none, a),
		rules_of(none, none) };

	(void)state;
	assert_true(address_rules_equal(of[0], of[1]));
	assert_int_equal(address_rules_allow(of[1]).count, 2);
	assert_int_equal(address_rules_deny(of[3]).count, 2);
	for (size_t i = 1; i < COUNT(of); i++)
		for (size_t k = i + 1; k < COUNT(of); k++)
			assert_false(address_rules_equal(of[i], of[k]));
	assert_true(address_rules_equal(of[4], NULL));
	assert_true(address_rules_equal(NULL, NULL));
	assert_false(address_rules_equal(of[0], NULL));
	for (size_t i = 0; i < COUNT(of); i++)
		address_rules_release(of[i]);
}

/* ---- all that one may list, against a look at each of them ---- */

/* Few enough different octets that many prefixes lie in each other. */
static struct prefix
random_prefix(void)
{
	uint8_t octets[16];
	bool is_v4 = arc4random_uniform(2);
	struct prefix prefix;

	for (size_t i = 0; i < sizeof octets; i++)
		octets[i] = (uint8_t)(arc4random_uniform(3) * 127);
	octets[0] |= 0x20;
	assert_true(prefix_from(&prefix, octets, is_v4 ? 4 : 16, arc4random_uniform(is_v4 ? 33 : 129)));
	return prefix;
}

static bool
any_holds(const struct prefix *prefixes, size_t count, const struct address *address)
{
	for (size_t i = 0; i < count; i++)
		if (prefix_holds(&prefixes[i], address))
			return true;
	return false;
}

static struct address
address_of_prefix(const struct prefix *prefix)
{
	struct address address = { 0 };

	if (prefix->family == AF_INET) {
		address.bytes = sizeof address.as.v4;
		memcpy(&address.as.v4.sin_addr, prefix->bytes, 4);
	} else {
		address.bytes = sizeof address.as.v6;
		memcpy(&address.as.v6.sin6_addr, prefix->bytes, 16);
	}
	address.as.any.sa_family = (sa_family_t)prefix->family;
	return address;
}

static void
a_search_finds_what_a_look_at_each_one_does(void **state)
{
	struct prefix prefixes[ADDRESS_RULES_MOST];

	(void)state;
	for (size_t round = 0; round < 200; round++) {
		size_t allowed = arc4random_uniform(ADDRESS_RULES_MOST), denied = arc4random_uniform(20);
		struct prefix *deny = prefixes + allowed;
		struct address_rules *rules;

		denied = denied > ADDRESS_RULES_MOST - allowed ? 0 : denied;
		for (size_t i = 0; i < allowed + denied; i++)
			prefixes[i] = random_prefix();
		rules = address_rules_new((struct address_list){ prefixes, allowed },
		    (struct address_list){ deny, denied });
		assert_non_null(rules);
		for (size_t k = 0; k < 200; k++) {
			const struct prefix around = random_prefix();
			const struct address client = address_of_prefix(&around);
			bool wanted = !any_holds(deny, denied, &client) &&
			    (allowed == 0 || any_holds(prefixes, allowed, &client));

			assert_int_equal(address_rules_admit(rules, &client), wanted);
		}
		address_rules_release(rules);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(deny_wins_and_allow_shuts_out_everybody_else),
	cmocka_unit_test(lists_that_mean_the_same_are_the_same),
	cmocka_unit_test(a_search_finds_what_a_look_at_each_one_does),
};

RUN_TESTS("base/address_rules", tests)
