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
reads_public_names_with_or_without_a_port(void **state)
{
	static const struct {
		const char *text, *name, *target;
	} cases[] = {
		{ "tls://app.example.com", "app.example.com", "app.example.com:443" },
		{ "TLS://App.Example.COM.:8443", "app.example.com", "app.example.com:8443" },
		{ "tls://a_b.example.com:1", "a_b.example.com", "a_b.example.com:1" },
		{ "tls://app.example.com:", NULL, NULL },
		{ "tls://app.example.com:0", NULL, NULL },
		{ "tls://app.example.com:65536", NULL, NULL },
		{ "tls://app.example.com/x", NULL, NULL },
		{ "tls://*.example.com", NULL, NULL },
		{ "tls://192.0.2.1", NULL, NULL },
		{ "tls://192.0.2.1:443", NULL, NULL },
		{ "tls://[::1]:443", NULL, NULL },
		{ "tls://", NULL, NULL },
		{ "tls://:443", NULL, NULL },
		{ "tcp://app.example.com:443", NULL, NULL },
		{ "app.example.com", NULL, NULL },
	};
	struct url_public url;
	char error[URL_ERROR];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		if (url_public(&url, cases[i].text, error) != (cases[i].name != NULL))
			fail_msg("\"%s\" is judged wrongly", cases[i].text);
		assert_string_equal(url.name, cases[i].name ? cases[i].name : "");
		assert_string_equal(url.target, cases[i].target ? cases[i].target : "");
	}
}

/* A name that was cut would be another one. */
static void
never_cuts_a_public_name(void **state)
{
	struct url_public url;
	char error[URL_ERROR], text[6 + 320 + 5];

	(void)state;
	for (size_t bytes = 1; bytes <= 320; bytes++) {
		for (size_t with_port = 0; with_port < 2; with_port++) {
			strcpy(text, "tls://");
			for (size_t i = 0; i < bytes; i++)
				text[6 + i] = i % 50 == 49 && i + 1 < bytes ? '.' : 'a';
			strcpy(text + 6 + bytes, with_port ? ":443" : "");
			if (url_public(&url, text, error) != (bytes <= 253))
				fail_msg("a name of %zu bytes is judged wrongly", bytes);
			assert_int_equal(strlen(url.name), bytes <= 253 ? bytes : 0);
		}
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
	cmocka_unit_test(reads_public_names_with_or_without_a_port),
	cmocka_unit_test(never_cuts_a_public_name),
	cmocka_unit_test(takes_every_kind_of_upstream),
	cmocka_unit_test(asks_by_name_only_for_names),
};
RUN_TESTS("agent/url", tests)
