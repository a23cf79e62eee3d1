/* Tests of base/upstream_url: each way to write one, and what is said of others. */
#include "base/upstream_url.h"

#include <string.h>

#include "helpers.h"

static const char forms[] = "tcp://HOST:PORT";

static void
reads_upstreams_as_what_to_dial(void **state)
{
	static const struct {
		const char *text;
		bool fine;
		bool is_short;
		enum upstream_kind kind;
		const char *target, *host;
	} cases[] = {
	    {"tcp://127.0.0.1:8080", true, false, UPSTREAM_TCP, "127.0.0.1:8080", "127.0.0.1"},
	    {"tls://db.internal:5433", true, false, UPSTREAM_TLS, "db.internal:5433", "db.internal"},
	    {"tcp://[::1]:80", true, false, UPSTREAM_TCP, "[::1]:80", "::1"},
	    {"unix:/run/app.sock", true, false, UPSTREAM_UNIX, "unix:/run/app.sock", ""},
	    {"app:8080", true, true, UPSTREAM_TCP, "app:8080", "app"},
	    {"8080", true, true, UPSTREAM_TCP, "localhost:8080", "localhost"},
	    {"tcp://8080", true, true, UPSTREAM_TCP, "localhost:8080", "localhost"},
	    {"TCP://h:1", true, false, UPSTREAM_TCP, "h:1", "h"},
	    {"UNIX:/run/x", true, false, UPSTREAM_UNIX, "unix:/run/x", ""},
	    {"0", false, false, 0, NULL, NULL},
	    {"65536", false, false, 0, NULL, NULL},
	    {"tcp://app", false, false, 0, NULL, NULL},
	    {"tcp://app:0", false, false, 0, NULL, NULL},
	    {"tcp://app:80/x", false, false, 0, NULL, NULL},
	    {"http://app:80", false, false, 0, NULL, NULL},
	    {"unix:app.sock", false, false, 0, NULL, NULL},
	    {"unix:", false, false, 0, NULL, NULL},
	    {"", false, false, 0, NULL, NULL},
	    {"tls://", false, false, 0, NULL, NULL},
	    {"tls://tcp://app:80", false, false, 0, NULL, NULL},
	};
	struct upstream_url url;
	char error[UPSTREAM_URL_ERROR];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		if (upstream_url_parse(&url, cases[i].text, forms, error) != cases[i].fine)
			fail_msg("\"%s\" is judged wrongly", cases[i].text);
		if (!cases[i].fine)
			continue;
		assert_int_equal(url.is_short, cases[i].is_short);
		assert_int_equal(url.kind, cases[i].kind);
		assert_string_equal(url.target, cases[i].target);
		assert_string_equal(url.host, cases[i].host);
	}
}

static void
refuses_a_unix_path_that_no_socket_can_have(void **state)
{
	struct upstream_url url;
	char text[160] = "unix:/", error[UPSTREAM_URL_ERROR];

	(void)state;
	memset(text + 6, 'a', 106);
	assert_true(upstream_url_parse(&url, text, forms, error));	/* 107 with the slash */
	text[6 + 106] = 'a';
	assert_false(upstream_url_parse(&url, text, forms, error));
	assert_non_null(strstr(error, "107"));
}

static void
says_what_the_caller_takes(void **state)
{
	struct upstream_url url;
	char error[UPSTREAM_URL_ERROR];

	(void)state;
	assert_false(upstream_url_parse(&url, "http://app:80", forms, error));
	assert_string_equal(error, "is not a valid upstream; write tcp://HOST:PORT");
	assert_false(upstream_url_refuse("unix:/PATH", error));
	assert_string_equal(error, "is not a valid upstream; write unix:/PATH");
}

static void
knows_what_stays_on_this_host(void **state)
{
	static const struct {
		const char *target;
		bool is_local;
	} cases[] = {
		{ "unix:/run/app.sock", true }, { "127.0.0.1:80", true }, { "127.9.9.9:80", true },
		{ "[::1]:80", true }, { "localhost:80", true }, { "LocalHost:80", true },
		{ "126.0.0.1:80", false }, { "128.0.0.1:80", false }, { "10.0.0.1:80", false },
		{ "[::]:80", false }, { "[::2]:80", false }, { "app.internal:80", false },
		{ "localhost.example.com:80", false }, { "127.0.0.1.example.com:80", false },
		{ "{1}.internal:80", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		if (upstream_url_is_local(cases[i].target) != cases[i].is_local)
			fail_msg("%s", cases[i].target);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(reads_upstreams_as_what_to_dial),
	cmocka_unit_test(refuses_a_unix_path_that_no_socket_can_have),
	cmocka_unit_test(says_what_the_caller_takes),
	cmocka_unit_test(knows_what_stays_on_this_host),
};
RUN_TESTS("base/upstream_url", tests)
