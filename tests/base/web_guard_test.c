/* Which requests a page without a password answers. */
#include "base/web_guard.h"

#include "base/conf.h"
#include "helpers.h"

static char listed_name[] = "status.example.net";
static char *names[] = { listed_name };
static const struct conf_texts hosts = { .items = names, .count = 1 };

static bool
is_answered(const char *host, const char *origin, const char *fetch_site)
{
	const struct web_guard_header header = { host, origin, fetch_site };

	return !web_guard_refusal(&header, &hosts);
}

static void
answers_only_to_local_and_listed_hosts(void **state)
{
	static const struct {
		const char *host;
		bool is_answered;
	} cases[] = {
		{ "localhost", true },
		{ "LocalHost:9180", true },
		{ "localhost.:9180", true },
		{ "127.0.0.1:9180", true },
		{ "127.3.2.1", true },
		{ "[::1]:9180", true },
		{ "[::1]", true },
		{ "status.example.net", true },
		{ "STATUS.example.net:443", true },
		{ "status.example.net.", true },
		{ "rebound.example", false },
		{ "localhost.example", false },
		{ "xlocalhost", false },
		{ "192.0.2.1:9180", false },
		{ "[2001:db8::1]:9180", false },
		{ "0.0.0.0:9180", false },
		{ "127.0.0.1.nip.example", false },
		{ "2130706433", false },
		{ "0x7f.1", false },
		{ "[::ffff:192.0.2.1]", false },
		{ "localhost:9180:1", false },
		{ "localhost:http", false },
		{ "localhost/", false },
		{ "localhost@x", false },
		{ " localhost", false },
		{ "[::1", false },
		{ "[::1]x", false },
		{ ":9180", false },
		{ "", false },
		{ NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		if (is_answered(cases[i].host, NULL, NULL) != cases[i].is_answered)
			fail_msg("Host: %s", cases[i].host ? cases[i].host : "(none)");
	}
}

static void
answers_no_page_of_others(void **state)
{
	static const struct {
		const char *host, *origin, *fetch_site;
		bool is_answered;
	} cases[] = {
		{ "localhost:9180", "http://localhost:9180", "same-origin", true },
		{ "localhost:9180", NULL, "none", true },
		{ "localhost:9180", NULL, "same-origin", true },
		{ "status.example.net", "https://STATUS.example.net", NULL, true },
		{ "localhost:9180", NULL, "cross-site", false },
		{ "localhost:9180", NULL, "same-site", false },
		{ "localhost:9180", NULL, "", false },
		{ "localhost:9180", "http://localhost:3000", NULL, false },
		{ "localhost:9180", "http://localhost", NULL, false },
		{ "localhost:9180", "http://evil.example", "same-origin", false },
		{ "localhost:9180", "http://localhost:9180.evil.example", NULL, false },
		{ "localhost:9180", "null", NULL, false },
		{ "localhost:9180", "localhost:9180", NULL, false },
		{ "localhost:9180", "file://", NULL, false },
		{ "localhost:9180", "", NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		if (is_answered(cases[i].host, cases[i].origin, cases[i].fetch_site) !=
		    cases[i].is_answered)
			fail_msg("case %zu", i);
}

static void
without_a_list_any_host_will_do_but_no_page_of_others(void **state)
{
	const struct web_guard_header plain = { "10.0.0.7:9181", NULL, NULL }, none = { 0 };
	const struct web_guard_header led = { "10.0.0.7:9181", NULL, "cross-site" };
	const struct web_guard_header other = { NULL, "http://evil.example", NULL };

	(void)state;
	assert_null(web_guard_refusal(&plain, NULL));
	assert_null(web_guard_refusal(&none, NULL));
	assert_non_null(web_guard_refusal(&led, NULL));
	assert_non_null(web_guard_refusal(&other, NULL));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(answers_only_to_local_and_listed_hosts),
	cmocka_unit_test(answers_no_page_of_others),
	cmocka_unit_test(without_a_list_any_host_will_do_but_no_page_of_others),
};

RUN_TESTS("web_guard", tests)
