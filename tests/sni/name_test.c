/* The one normaliser and the one matcher. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hello.h"
#include "sni/clienthello.h"
#include "sni/name.h"

#define L63 "abcdefghijklmnopqrstuvwxyz0123456789-_abcdefghijklmnopqrstuvwxy"
#define L61 "abcdefghijklmnopqrstuvwxyz0123456789-_abcdefghijklmnopqrstuvw"
#define L59 "abcdefghijklmnopqrstuvwxyz0123456789-_abcdefghijklmnopqrstu"
#define NAME_253 L63 "." L63 "." L63 "." L61

static const struct {
	const char *text, *name;	/* NULL: not a host name */
} host_names[] = {
	{ "app.example.com", "app.example.com" },
	{ "App.EXAMPLE.Com", "app.example.com" },
	{ "app.example.com.", "app.example.com" },
	{ "intranet", "intranet" },
	{ "_sip._tls.example.com", "_sip._tls.example.com" },
	{ "-a-.example", "-a-.example" },
	{ "xn--bcher-kva.example", "xn--bcher-kva.example" },
	{ "192.0.2.55", "192.0.2.55" },
	{ "AZ09az", "az09az" },
	{ L63, L63 },
	{ L63 ".", L63 },
	{ NAME_253, NAME_253 },
	{ NAME_253 ".", NAME_253 },
	{ "", NULL },
	{ ".", NULL },
	{ "..", NULL },
	{ "a..", NULL },
	{ "a..b", NULL },
	{ ".a", NULL },
	{ "*.example.com", NULL },
	{ "a.*.com", NULL },
	{ "2001:db8::55", NULL },
	{ "[::1]", NULL },
	{ "two words", NULL },
	{ "a/b", NULL },
	{ "a@b", NULL },
	{ "a\nb", NULL },
	{ "b\xc3\xbc" "cher.example", NULL },
	{ "a`b", NULL }, { "a{b", NULL }, { "a[b", NULL }, { "a,b", NULL },
	{ L63 "x", NULL },
	{ L63 "x.com", NULL },
	{ "a." L63 "x", NULL },
	{ NAME_253 "x", NULL },
	{ NAME_253 "x.", NULL },
	{ NAME_253 "..", NULL },
};

static void
normalises_host_names_and_nothing_else(void **state)
{
	char out[NAME_SIZE];

	(void)state;
	assert_int_equal(strlen(NAME_253), 253);
	for (size_t i = 0; i < sizeof host_names / sizeof *host_names; i++) {
		const char *text = host_names[i].text, *name = host_names[i].name;

		memset(out, 'x', sizeof out);
		if (name_normalise(out, text, strlen(text)) != (name != NULL))
			fail_msg("\"%s\" is taken for %s", text, name ? "no name" : out);
		assert_string_equal(out, name ? name : "");
	}
}

static void
an_endpoint_is_served_under_no_ipv4_literal(void **state)
{
	static const struct {
		const char *text, *name;
	} cases[] = {
		{ "App.example.", "app.example" },
		{ "*.App.example.", "*.app.example" },
		{ "192.0.2.1.example", "192.0.2.1.example" },
		{ "192.0.2", "192.0.2" },
		{ "*.0.2.1", "*.0.2.1" },
		{ "192.0.2.1", NULL },
		{ "192.0.2.1.", NULL },
		{ "2001:db8::1", NULL },
		{ "a..example", NULL },
		{ "", NULL },
	};
	char out[NAME_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *text = cases[i].text, *name = cases[i].name;

		memset(out, 'x', sizeof out);
		assert_int_equal(name_normalise_served(out, text, strlen(text)), name != NULL);
		assert_string_equal(out, name ? name : "");
	}
}

static void
never_cuts_a_name_at_a_nul(void **state)
{
	char out[NAME_SIZE];

	(void)state;
	assert_false(name_normalise(out, "good.example\0.evil.example", 26));
	assert_false(name_normalise(out, "good.example\0", 13));
	assert_true(name_normalise(out, "good.example.evil", 12));
	assert_string_equal(out, "good.example");
}

static void
normalises_patterns(void **state)
{
	char out[NAME_SIZE];
	static const struct {
		const char *text, *pattern;
	} rows[] = {
		{ "*.Example.COM.", "*.example.com" },
		{ "App.example.com", "app.example.com" },
		{ "*.com", "*.com" },
		{ "*.", NULL }, { "*", NULL }, { "", NULL }, { "*..com", NULL },
		{ "*.*.com", NULL },
		{ "**.com", NULL }, { "a*.com", NULL }, { "*a.com", NULL }, { "a.*", NULL },
		{ "*." L63 "." L63 "." L63 "." L59, "*." L63 "." L63 "." L63 "." L59 },
		{ "*." L63 "." L63 "." L63 "." L59 "v", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (name_normalise_pattern(out, rows[i].text, strlen(rows[i].text)) !=
		    (rows[i].pattern != NULL))
			fail_msg("\"%s\" is taken wrongly", rows[i].text);
		assert_string_equal(out, rows[i].pattern ? rows[i].pattern : "");
		if (rows[i].pattern)
			assert_int_equal(name_is_wildcard(out), rows[i].text[0] == '*');
	}
}

static void
matches_one_label_or_any_depth(void **state)
{
	static const struct {
		const char *pattern, *name;
		bool one, any;
	} rows[] = {
		{ "a.example", "a.example", true, true },
		{ "a.example", "b.example", false, false },
		{ "a.example", "b.a.example", false, false },
		{ "*.example", "a.example", true, true },
		{ "*.example", "b.a.example", false, true },
		{ "*.example", "example", false, false },
		{ "*.example", "aexample", false, false },
		{ "*.example", "a.examples", false, false },
		{ "*.example", "a.b", false, false },
		{ "*.a.example", "a.example", false, false },
		{ "*.a.example", "xa.example", false, false },
		{ "*.example", "*.example", true, true },	/* a grant's own pattern */
		{ "*.example", "*.a.example", false, true },
		{ "*.a.example", "*.example", false, false },
		{ "a.example", "*.example", false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (name_matches(rows[i].pattern, rows[i].name, false) != rows[i].one ||
		    name_matches(rows[i].pattern, rows[i].name, true) != rows[i].any)
			fail_msg("%s and %s", rows[i].pattern, rows[i].name);
}

static void
gives_each_parent_in_turn(void **state)
{
	(void)state;
	assert_string_equal(name_parent("a.b.example"), "b.example");
	assert_string_equal(name_parent("*.example"), "example");
	assert_null(name_parent("example"));
}

/* ---- the property: one flow, one name, whoever looks it up ---- */

/* The same name as a client may write it: any case, with or without the dot. */
static void
disguise(char *out, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < n; i++)
		out[i] = name[i] >= 'a' && name[i] <= 'z' && random() % 2 ?
		    (char)(name[i] - 32) : name[i];
	out[n] = 0;
	if (random() % 2)
		strcat(out, ".");
}

static void
random_name(char *out)
{
	static const char *const labels[] = { "a", "b", "app", "_x", "example", "com", "x-1" };
	size_t count = 1 + (size_t)random() % 4;

	*out = 0;
	for (size_t i = 0; i < count; i++) {
		strcat(out, i ? "." : "");
		strcat(out, labels[(size_t)random() % 7]);
	}
}

/* As a route table searches: the name, then `*.` of each parent. */
static const char *
by_parents(char (*patterns)[NAME_SIZE], size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(patterns[i], name) == 0)
			return patterns[i];
	for (const char *parent = name_parent(name); parent; parent = name_parent(parent))
		for (size_t i = 0; i < count; i++)
			if (name_is_wildcard(patterns[i]) && strcmp(patterns[i] + 2, parent) == 0)
				return patterns[i];
	return NULL;
}

/* As a policy list searches: every pattern, the exact and the longest winning. */
static const char *
by_matching(char (*patterns)[NAME_SIZE], size_t count, const char *name)
{
	const char *best = NULL;

	for (size_t i = 0; i < count; i++) {
		if (!name_matches(patterns[i], name, true))
			continue;
		if (!best || (name_is_wildcard(best) && (!name_is_wildcard(patterns[i]) ||
		    strlen(patterns[i]) > strlen(best))))
			best = patterns[i];
	}
	return best;
}

static void
routes_a_flow_by_the_name_its_policy_is_looked_up_by(void **state)
{
	char patterns[8][NAME_SIZE], name[NAME_SIZE], written[NAME_SIZE + 2], policy[NAME_SIZE];

	(void)state;
	srandom(2);
	for (int round = 0; round < 20000; round++) {
		struct clienthello hello;
		const char *route, *rule;
		struct built b;

		for (size_t i = 0; i < 8; i++) {
			random_name(name);
			snprintf(written, sizeof written, "%s%s", random() % 2 ? "*." : "", name);
			assert_true(name_normalise_pattern(patterns[i], written, strlen(written)));
		}
		random_name(name);
		disguise(written, name);
		clienthello_init(&hello, CLIENTHELLO_DEFAULT_BYTES);
		b = build_named(written);
		assert_int_equal(clienthello_read(&hello, b.wire, b.bytes), CLIENTHELLO_COMPLETE);
		disguise(written, name);
		assert_true(name_normalise(policy, written, strlen(written)));
		assert_string_equal(hello.server_name, policy);
		route = by_parents(patterns, 8, hello.server_name);
		rule = by_matching(patterns, 8, policy);
		assert_true((!route) == (!rule));
		if (route)
			assert_string_equal(route, rule);
	}
}

static void
changes_nothing_that_is_normalised(void **state)
{
	char once[NAME_SIZE], twice[NAME_SIZE], text[300];

	(void)state;
	srandom(3);
	for (int round = 0; round < 200000; round++) {
		static const char bytes[] = "aZ0-_.*\0 ~\xff";
		size_t n = (size_t)random() % 24;

		for (size_t i = 0; i < n; i++)
			text[i] = bytes[random() % 100 < 90 ? random() % 6 : random() % 11];
		if (!name_normalise_pattern(once, text, n))
			continue;
		assert_true(name_normalise_pattern(twice, once, strlen(once)));
		assert_string_equal(once, twice);
		assert_true(name_matches(once, twice, false));
	}
}

static void
knows_a_subtree(void **state)
{
	static const struct {
		const char *name, *domain;
		bool under, under_or_itself;
	} cases[] = {
		{ "a.example", "example", true, true }, { "a.b.example", "example", true, true },
		{ "a.b.example", "b.example", true, true }, { "example", "example", false, true },
		{ "aexample", "example", false, false }, { "example", "a.example", false, false },
		{ "a.example", "b.example", false, false }, { "x.example.net", "example", false, false },
		{ "ab.example", "b.example", false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(name_is_under(cases[i].name, cases[i].domain, false), cases[i].under);
		assert_int_equal(name_is_under(cases[i].name, cases[i].domain, true), cases[i].under_or_itself);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(normalises_host_names_and_nothing_else),
		cmocka_unit_test(an_endpoint_is_served_under_no_ipv4_literal),
		cmocka_unit_test(never_cuts_a_name_at_a_nul),
		cmocka_unit_test(normalises_patterns),
		cmocka_unit_test(matches_one_label_or_any_depth),
		cmocka_unit_test(gives_each_parent_in_turn),
		cmocka_unit_test(knows_a_subtree),
		cmocka_unit_test(routes_a_flow_by_the_name_its_policy_is_looked_up_by),
		cmocka_unit_test(changes_nothing_that_is_normalised),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
