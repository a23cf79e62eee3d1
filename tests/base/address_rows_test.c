/* Tests of base/address_rows: the keys `allow` and `deny`, and what is said of mistakes in them. */
#include "base/address_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "helpers.h"

struct some_settings {
	uint64_t version;
	struct address_settings addresses;
};

static const struct conf_row rows[] = {
	{ "version", CONF_NUMBER, offsetof(struct some_settings, version), .most = 1 },
	ADDRESS_ROWS(struct some_settings, addresses),
	{ 0 },
};

/* What is said of them; "": they are fine. */
static const char *
read_text(struct some_settings *settings, const char *text)
{
	static char said[20000];
	FILE *messages = fmemopen(said, sizeof said, "w");
	struct conf_report report = { .out = messages, .path = "x.yml" };

	assert_non_null(messages);
	memset(settings, 0, sizeof *settings);
	said[0] = '\0';
	if (conf_read_bytes(settings, rows, text, strlen(text), &report))
		address_rows_check(&settings->addresses, &report);
	fclose(messages);
	assert_true((report.errors == 0) == (said[0] == '\0'));
	return said;
}

static void
lists_become_rules(void **state)
{
	struct some_settings settings;
	struct address_rules *rules;
	struct address client;

	(void)state;
	assert_string_equal(read_text(&settings, "{allow: [10.0.0.0/8, '2001:db8::/32'], deny: 10.9.0.0/16}"), "");
	assert_true(address_rows_are_given(&settings.addresses));
	assert_true(address_rows_make(&settings.addresses, &rules));
	assert_true(address_parse(&client, "10.1.2.3:4") && address_rules_admit(rules, &client));
	assert_true(address_parse(&client, "10.9.2.3:4") && !address_rules_admit(rules, &client));
	assert_true(address_parse(&client, "[2001:db8:9::]:4") && address_rules_admit(rules, &client));
	address_rules_release(rules);
	conf_wipe(&settings, rows);
}

static void
no_list_is_no_rule(void **state)
{
	struct some_settings settings;
	struct address_rules *rules;

	(void)state;
	assert_string_equal(read_text(&settings, "{version: 1}"), "");
	assert_false(address_rows_are_given(&settings.addresses));
	assert_true(address_rows_make(&settings.addresses, &rules));
	assert_null(rules);
	conf_wipe(&settings, rows);
}

static void
says_where_and_what_to_do(void **state)
{
	static const char *const cases[][2] = {
		{ "allow: []", "x.yml:1:8: allow is empty; list at least one block" },
		{ "deny:", "deny is empty; list at least one block" },
		{ "deny: [10.0.0.1/8]", "\"10.0.0.1/8\" has bits beyond its length" },
		{ "allow: [10.0.0.0/33]", "\"10.0.0.0/33\" is not a valid block of addresses" },
		{ "allow: ['10.0.0.0/8 ']", "is not a valid block of addresses" },
		{ "allow: [host.example]", "is not a valid block of addresses" },
		{ "allow: ['fe80::1%eth0']", "is not a valid block of addresses" },
		{ "{deny: 0.0.0.0/0, allow: [192.0.2.1, '::1', 10.0.0.0/8]}",
		    "x.yml:1:27: 192.0.2.1 lets nobody in, because deny has 0.0.0.0/0 in line 1, and deny wins" },
		{ "{deny: 0.0.0.0/0, allow: [192.0.2.1, '::1', 10.0.0.0/8]}", "x.yml:1:45: 10.0.0.0/8 lets nobody in" },
		{ "{allow: 10.0.0.0/8, deny: '::ffff:10.0.0.0/104'}", "10.0.0.0/8 lets nobody in" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct some_settings settings;
		const char *said = read_text(&settings, cases[i][0]);

		if (!strstr(said, cases[i][1]))
			fail_msg("wanted '%s', got: %s", cases[i][1], said);
		conf_wipe(&settings, rows);
	}
}

static void
both_together_have_a_bound(void **state)
{
	enum { ONE = 14 };
	static char text[64 + (ADDRESS_RULES_MOST + 1) * ONE];
	struct some_settings settings;

	(void)state;
	for (size_t denied = ADDRESS_RULES_MOST; denied <= ADDRESS_RULES_MOST + 1; denied++) {
		size_t at = (size_t)snprintf(text, sizeof text, "allow: 192.0.2.0/24\ndeny:\n");

		for (size_t i = 1; i < denied; i++)
			at += (size_t)snprintf(text + at, sizeof text - at, "- 10.0.%zu.%zu\n", i / 200, i % 200);
		if (denied == ADDRESS_RULES_MOST)
			assert_string_equal(read_text(&settings, text), "");
		else
			assert_non_null(strstr(read_text(&settings, text),
			    "x.yml:258:3: allow and deny have 257 blocks of addresses together, and may have 256"));
		conf_wipe(&settings, rows);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(lists_become_rules),
	cmocka_unit_test(no_list_is_no_rule),
	cmocka_unit_test(says_where_and_what_to_do),
	cmocka_unit_test(both_together_have_a_bound),
};

RUN_TESTS("base/address_rows", tests)
