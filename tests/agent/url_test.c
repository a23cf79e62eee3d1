/* Tests of agent/url: endpoints and upstreams as they are written. */
#include "agent/url.h"

#include "helpers.h"

static void
reads_endpoints_as_normalised_names(void **state)
{
	static const struct {
		const char *text, *name; /* NULL: refused */
	} cases[] = {
		{ "tls://app.example.com", "app.example.com" },
		{ "TLS://App.Example.COM.", "app.example.com" },
		{ "tls://*.example.com", "*.example.com" },
		{ "tls://_sip.example.com", "_sip.example.com" },
		{ "tls://app.example.com:443", NULL },
		{ "tls://app.example.com/", NULL },
		{ "tls://app.example.com/x", NULL },
		{ "tls://", NULL },
		{ "tls://.", NULL },
		{ "https://app.example.com", NULL },
		{ "app.example.com", NULL },
		{ "", NULL },
		{ "tls://a..b", NULL },
		{ "tls://a.*.b", NULL },
		{ "tls://[::1]", NULL },
		{ "tls:// app", NULL },
	};
	char name[NAME_SIZE], error[URL_ERROR];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		bool fine = url_endpoint(name, cases[i].text, error);

		if (fine != (cases[i].name != NULL))
			fail_msg("\"%s\" is judged wrongly", cases[i].text);
		assert_string_equal(name, fine ? cases[i].name : "");
	}
}

static void
reads_upstreams_as_what_to_dial(void **state)
{
	static const struct {
		const char *text;
		bool fine;
		enum upstream_kind kind;
		const char *target, *host;
	} cases[] = {
		{ "tcp://127.0.0.1:8080", true, UPSTREAM_TCP, "127.0.0.1:8080", "127.0.0.1" },
		{ "tls://db.internal:5433", true, UPSTREAM_TLS, "db.internal:5433", "db.internal" },
		{ "tcp://[::1]:80", true, UPSTREAM_TCP, "[::1]:80", "::1" },
		{ "unix:/run/app.sock", true, UPSTREAM_UNIX, "unix:/run/app.sock", "" },
		{ "app:8080", true, UPSTREAM_TCP, "app:8080", "app" },
		{ "8080", true, UPSTREAM_TCP, "localhost:8080", "localhost" },
		{ "0", false, 0, NULL, NULL },
		{ "65536", false, 0, NULL, NULL },
		{ "tcp://app", false, 0, NULL, NULL },
		{ "tcp://app:0", false, 0, NULL, NULL },
		{ "tcp://app:80/x", false, 0, NULL, NULL },
		{ "http://app:80", false, 0, NULL, NULL },
		{ "unix:app.sock", false, 0, NULL, NULL },
		{ "unix:", false, 0, NULL, NULL },
		{ "", false, 0, NULL, NULL },
		{ "tls://", false, 0, NULL, NULL },
		{ "tls://tcp://app:80", false, 0, NULL, NULL },
	};
	struct upstream_url url;
	char error[URL_ERROR];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		if (url_upstream(&url, cases[i].text, error) != cases[i].fine)
			fail_msg("\"%s\" is judged wrongly", cases[i].text);
		if (!cases[i].fine)
			continue;
		assert_int_equal(url.kind, cases[i].kind);
		assert_string_equal(url.target, cases[i].target);
		assert_string_equal(url.host, cases[i].host);
	}
}

static void
refuses_a_unix_path_that_no_socket_can_have(void **state)
{
	struct upstream_url url;
	char text[160] = "unix:/", error[URL_ERROR];

	(void)state;
	memset(text + 6, 'a', 106);
	assert_true(url_upstream(&url, text, error)); /* 107 with the slash */
	text[6 + 106] = 'a';
	assert_false(url_upstream(&url, text, error));
	assert_non_null(strstr(error, "107"));
}

static void
asks_by_name_only_for_names(void **state)
{
	(void)state;
	assert_true(url_host_is_literal("192.0.2.1"));
	assert_true(url_host_is_literal("2001:db8::1"));
	assert_false(url_host_is_literal("db.internal"));
	assert_false(url_host_is_literal("192.0.2.1.nip.io"));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(reads_endpoints_as_normalised_names),
	cmocka_unit_test(reads_upstreams_as_what_to_dial),
	cmocka_unit_test(refuses_a_unix_path_that_no_socket_can_have),
	cmocka_unit_test(asks_by_name_only_for_names),
};
RUN_TESTS("agent/url", tests)
