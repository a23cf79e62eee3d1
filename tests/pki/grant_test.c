/* Tests of pki/grant: its canonical form, its ranges, and ceilings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pki/grant.h"

static struct grant
full_grant(void)
{
	struct grant grant = { .name = "Shop in Berlin, 2nd floor", .shared = true, .any_depth = true,
		.max_flows = UINT32_MAX, .max_sessions = 128, .source_count = GRANT_LIST,
		.region_count = GRANT_LIST };
	for (int i = 0; i < GRANT_LIST; i++) {
		char text[PREFIX_TEXT];
		snprintf(text, sizeof text, i % 2 ? "2001:db8:%x::/48" : "10.%d.0.0/16", i);
		assert_true(prefix_parse_exact(&grant.sources[i], text));
		snprintf(grant.regions[i], sizeof grant.regions[i], "region-%02d-of-many.and_long.names", i);
	}
	return grant;
}

static void
round_trip(const struct grant *grant)
{
	uint8_t der[GRANT_DER_BYTES];
	size_t bytes;
	struct grant again;
	const char *why;
	assert_true(grant_encode(grant, der, sizeof der, &bytes));
	if (!grant_decode(&again, der, bytes, &why))
		fail_msg("%s", why);
	assert_memory_equal(grant, &again, sizeof again);
	for (size_t shorter = 0; shorter < bytes; shorter++)
		assert_false(grant_decode(&again, der, shorter, &why));
	assert_false(grant_encode(grant, der, bytes - 1, &bytes));
}

static void
comes_back_as_it_went(void **state)
{
	static const uint32_t limits[] = { 0, 1, 127, 128, 255, 256, 65535, 1u << 24, 0x7fffffff, 0x80000000 };
	struct grant small = { .name = "a" }, full = full_grant();
	(void)state;
	round_trip(&small);
	round_trip(&full);
	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
		small.max_flows = limits[i];
		small.max_sessions = limits[9 - i];
		round_trip(&small);
	}
}

static void
encodes_nothing_out_of_range(void **state)
{
	uint8_t der[GRANT_DER_BYTES];
	size_t bytes;
	const char *why;
	struct grant bad[] = { { .name = "" }, { .name = " a" }, { .name = "a " }, { .name = "a\nb" },
		{ .name = "m\xc3\xbc" }, { .name = "a", .region_count = 1 },
		{ .name = "a", .region_count = 1, .regions = { "Berlin" } },
		{ .name = "a", .region_count = GRANT_LIST + 1 },
		{ .name = "a", .source_count = 1 },
		{ .name = "a", .source_count = 1, .sources = { { AF_INET, 8, { 10, 1 } } } },
		{ .name = "a", .source_count = 1, .sources = { { AF_INET, 33, { 10 } } } },
		{ .name = "a", .source_count = 1, .sources = { { AF_UNIX, 8, { 10 } } } } };
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_false(grant_encode(&bad[i], der, sizeof der, &bytes));
		assert_false(grant_is_valid(&bad[i], &why));
		assert_non_null(why);
	}
}

/* What libtasn1 would let pass. */
static void
decodes_the_canonical_form_only(void **state)
{
	static const struct {
		const char *what, *der;
		size_t bytes;
	} rows[] = {
		{ "trailing octets", "\x30\x03\x0c\x01" "a\x00", 6 },
		{ "a false flag spelt out", "\x30\x06\x0c\x01" "a\x80\x01\x00", 8 },
		{ "a flag of 1", "\x30\x06\x0c\x01" "a\x80\x01\x01", 8 },
		{ "a limit of 0", "\x30\x06\x0c\x01" "a\x82\x01\x00", 8 },
		{ "a limit with a zero before it", "\x30\x07\x0c\x01" "a\x82\x02\x00\x01", 9 },
		{ "a negative limit", "\x30\x06\x0c\x01" "a\x82\x01\x80", 8 },
		{ "a limit of 2^32", "\x30\x0a\x0c\x01" "a\x82\x05\x01\x00\x00\x00\x00", 12 },
		{ "a limit of 2^64", "\x30\x0e\x0c\x01" "a\x82\x09\x01\x00\x00\x00\x00\x00\x00\x00\x00", 16 },
		{ "an empty list", "\x30\x05\x0c\x01" "a\xa4\x00", 7 },
		{ "a source of 3 octets", "\x30\x0a\x0c\x01" "a\xa4\x05\x04\x03\x0a\x00\x08", 12 },
		{ "host bits in a source", "\x30\x0c\x0c\x01" "a\xa4\x07\x04\x05\x0a\x01\x00\x00\x08", 14 },
		{ "a long length", "\x30\x81\x03\x0c\x01" "a", 6 },
		{ "an indefinite length", "\x30\x80\x0c\x01" "a\x00\x00", 7 },
		{ "a NUL in the name", "\x30\x05\x0c\x03" "a\x00" "b", 7 },
		{ "another string type", "\x30\x03\x13\x01" "a", 5 },
		{ "fields in another order", "\x30\x09\x0c\x01" "a\x81\x01\xff\x80\x01\xff", 11 },
		{ "a field that nobody knows", "\x30\x06\x0c\x01" "a\x86\x01\xff", 8 },
		{ "a name of 65 octets", "\x30\x43\x0c\x41"
		    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 69 },
	};
	struct grant grant;
	const char *why;
	(void)state;
	assert_true(grant_decode(&grant, (const uint8_t *)"\x30\x03\x0c\x01" "a", 5, &why));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (grant_decode(&grant, (const uint8_t *)rows[i].der, rows[i].bytes, &why))
			fail_msg("took %s", rows[i].what);
		assert_non_null(why);
	}
}

static void
refuses_a_list_of_65(void **state)
{
	struct grant grant;
	const char *why;
	(void)state;
	for (size_t count = 64; count <= 65; count++) {
		uint8_t der[256] = { 0x30, 0x81, (uint8_t)(6 + 3 * count), 0x0c, 1, 'a',
			0xa5, 0x81, (uint8_t)(3 * count) };
		for (size_t i = 0; i < count; i++)
			memcpy(der + 9 + 3 * i, "\x0c\x01" "b", 3);
		assert_int_equal(grant_decode(&grant, der, 9 + 3 * count, &why), count == 64);
	}
}

static struct grant
grant_with(const char *const *sources, const char *const *regions)
{
	struct grant grant = { .name = "x" };
	for (; sources && *sources; sources++)
		assert_true(prefix_parse_exact(&grant.sources[grant.source_count++], *sources));
	for (; regions && *regions; regions++)
		snprintf(grant.regions[grant.region_count++], GRANT_REGION_BYTES + 1, "%s", *regions);
	return grant;
}

static void
narrows_to_the_minimum(void **state)
{
	struct grant a = { .name = "a", .shared = true, .any_depth = true, .max_flows = 10, .max_sessions = 0 };
	struct grant b = { .name = "b", .shared = true, .max_flows = 0, .max_sessions = 3 };
	(void)state;
	assert_true(grant_limits_apply(&a, &b));
	assert_string_equal(a.name, "a");
	assert_true(a.shared);
	assert_false(a.any_depth);
	assert_int_equal(a.max_flows, 10);
	assert_int_equal(a.max_sessions, 3);
	b.max_flows = 4;
	b.shared = false;
	assert_true(grant_limits_apply(&a, &b));
	assert_int_equal(a.max_flows, 4);
	assert_false(a.shared);
}

static void
narrows_lists_to_what_both_have(void **state)
{
	const char *home[] = { "10.0.0.0/8", "2001:db8::/32", NULL }, *office[] = { "10.1.0.0/16", "192.0.2.1", NULL };
	const char *two[] = { "berlin", "paris", NULL }, *one[] = { "paris", "tokyo", NULL };
	const char *else_where[] = { "11.0.0.0/8", NULL };
	char text[PREFIX_TEXT];
	(void)state;
	struct grant a = grant_with(home, two), b = grant_with(office, one), c = grant_with(else_where, NULL);
	assert_true(grant_limits_apply(&a, &b));
	assert_int_equal(a.source_count, 1);
	assert_string_equal(prefix_text(&a.sources[0], text), "10.1.0.0/16");
	assert_int_equal(a.region_count, 1);
	assert_string_equal(a.regions[0], "paris");
	assert_false(grant_limits_apply(&a, &c));
	struct grant free = { .name = "free" };
	assert_true(grant_limits_apply(&free, &b));	/* none of its own: takes the ceiling's */
	assert_int_equal(free.source_count, 2);
	assert_int_equal(free.region_count, 2);
	struct grant open = { .name = "open" };
	assert_true(grant_limits_apply(&b, &open));	/* a ceiling without a list sets none */
	assert_int_equal(b.source_count, 2);
}

static bool
holds(const char *network, const char *address)
{
	struct prefix source;
	struct address from;
	assert_true(prefix_parse_exact(&source, network));
	assert_true(address_parse(&from, address));
	return prefix_holds(&source, &from);
}

static void
parses_networks(void **state)
{
	static const char *const bad[] = { "", "10.0.0.0/", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/-1",
		"10.0.0/8", "::/129", "x", "10.0.0.0/8 ", "10.0.0.0/ 8", "::1/127x" };
	struct prefix source;
	(void)state;
	assert_true(holds("0.0.0.0/0", "127.0.0.1:1"));
	assert_false(holds("0.0.0.0/0", "[3031::1]:1"));
	assert_true(holds("10.64.0.0/10", "10.127.0.1:1"));
	assert_false(holds("10.64.0.0/10", "10.128.0.1:1"));
	assert_true(prefix_parse_exact(&source, "::1"));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(prefix_parse_exact(&source, bad[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back_as_it_went),
		cmocka_unit_test(encodes_nothing_out_of_range),
		cmocka_unit_test(decodes_the_canonical_form_only),
		cmocka_unit_test(refuses_a_list_of_65),
		cmocka_unit_test(narrows_to_the_minimum),
		cmocka_unit_test(narrows_lists_to_what_both_have),
		cmocka_unit_test(parses_networks),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("grant", tests, NULL, NULL);
}
