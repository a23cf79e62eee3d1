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
takes_every_kind_of_upstream(void **state)
{
	struct upstream_url url;
	char error[URL_ERROR];

	(void)state;
	assert_true(url_upstream(&url, "8080", error));
	assert_true(url_upstream(&url, "tls://db.internal:5433", error));
	assert_int_equal(url.kind, UPSTREAM_TLS);
	assert_false(url_upstream(&url, "http://app:80", error));
	assert_non_null(strstr(error, "tls://HOST:PORT"));
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
	cmocka_unit_test(takes_every_kind_of_upstream),
	cmocka_unit_test(asks_by_name_only_for_names),
};
RUN_TESTS("agent/url", tests)
