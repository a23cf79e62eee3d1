/* Names inside permitted subtrees, and grants below ceilings. */
#include "pki/tool/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pki/tool/ceiling.h"

static void
a_name_is_within_its_permitted_subtree(void **state)
{
	static const struct {
		const char *pattern, *permitted;
		bool within;
	} cases[] = {
		{ "a.example", "a.example", true },
		{ "x.a.example", "a.example", true },
		{ "y.x.a.example", "a.example", true },
		{ "*.a.example", "a.example", true },
		{ "*.x.a.example", "a.example", true },
		{ "xa.example", "a.example", false },
		{ "example", "a.example", false },
		{ "*.example", "a.example", false },
		{ "a.example.evil", "a.example", false },
		{ "b.example", "a.example", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(names_is_within(cases[i].pattern, cases[i].permitted),
		    cases[i].within);
}

static void
the_same_name_is_there_once(void **state)
{
	struct names *names = test_calloc(1, sizeof *names);
	char text[64];

	(void)state;
	assert_int_equal(names_add(names, GNUTLS_SAN_DNSNAME, "a.example"), 0);
	assert_int_equal(names_add(names, GNUTLS_SAN_DNSNAME, "a.example"), 0);
	assert_int_equal(names_add(names, GNUTLS_SAN_URI, "x:a.example"), 0);
	assert_int_equal(names->count, 2);
	names_join(names, text, sizeof text);
	assert_string_equal(text, "a.example x:a.example");
	names_join(names, text, 5);
	assert_string_equal(text, "a.ex");
	test_free(names);
}

static void
hostile_bytes_of_a_name_are_replaced(void **state)
{
	unsigned char bytes[] = "foo\0.evil\n\x1b\xff";
	struct names *names = test_calloc(1, sizeof *names);

	(void)state;
	assert_int_equal(names_add_raw(names, GNUTLS_SAN_DNSNAME,
	    &(gnutls_datum_t){ bytes, sizeof bytes - 1 }), 0);
	assert_string_equal(names->at[0].text, "foo?.evil???");
	test_free(names);
}

static void
a_grant_fits_below_its_ceiling_or_is_refused(void **state)
{
	struct grant ceiling = { .name = "ca", .max_flows = 100, .region_count = 1,
	    .regions = { "eu" }, .source_count = 1 };
	static const struct {
		const char *from, *region;
		uint32_t flows;
		bool shared, any_depth, fits;
	} cases[] = {
		{ .fits = true },
		{ .flows = 100, .fits = true },
		{ .flows = 101 },
		{ .shared = true },
		{ .any_depth = true },
		{ .region = "eu", .fits = true },
		{ .region = "us" },
		{ .from = "192.0.2.0/24", .fits = true },
		{ .from = "192.0.2.128/25", .fits = true },
		{ .from = "192.0.2.1", .fits = true },
		{ .from = "192.0.0.0/16" },
		{ .from = "2001:db8::/32" },
		{ .from = "198.51.100.0/24" },
	};

	(void)state;
	assert_true(prefix_parse_exact(&ceiling.sources[0], "192.0.2.0/24"));
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct grant grant = { .name = "x", .max_flows = cases[i].flows,
		    .shared = cases[i].shared, .any_depth = cases[i].any_depth };

		if (cases[i].from)
			assert_true(prefix_parse_exact(&grant.sources[grant.source_count++],
			    cases[i].from));
		if (cases[i].region)
			strcpy(grant.regions[grant.region_count++], cases[i].region);
		assert_int_equal(ceiling_fit(&grant, &ceiling) == 0, cases[i].fits);
		if (cases[i].fits) {
			assert_int_equal(grant.max_flows, 100);
			assert_int_equal(grant.source_count, 1);
			assert_string_equal(grant.regions[0], "eu");
			assert_string_equal(grant.name, "x");
		}
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_within_its_permitted_subtree),
		cmocka_unit_test(the_same_name_is_there_once),
		cmocka_unit_test(hostile_bytes_of_a_name_are_replaced),
		cmocka_unit_test(a_grant_fits_below_its_ceiling_or_is_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("pki/tool/names", tests, NULL, NULL);
}
