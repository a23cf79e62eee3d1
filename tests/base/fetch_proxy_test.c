/* Tests of base/fetch_proxy: its keys, its password, for whom it is. */
#include "base/fetch_proxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "helpers.h"

struct proxy_keys {
	struct fetch_proxy_settings proxy;
};

static const struct conf_row rows[] = { { "proxy", CONF_MAPPING, offsetof(struct proxy_keys, proxy),
					    .table = fetch_proxy_rows, .scalar = "url",
					    .mark_offset = offsetof(struct proxy_keys, proxy.mark) },
	{ 0 } };

static struct proxy_keys settings;
static char said[4096];

static bool
read_text(const char *text)
{
	struct conf_report report = { .path = "x.yml" };
	bool is_fine;

	memset(&settings, 0, sizeof settings);
	report.out = fmemopen(said, sizeof said, "w");
	assert_non_null(report.out);
	is_fine = conf_read_bytes(&settings, rows, text, strlen(text), &report);
	if (is_fine)
		fetch_proxy_check(&settings.proxy, &report);
	fclose(report.out);
	return report.errors == 0;
}

static void
says_what_is_wrong_with_its_keys(void **state)
{
	static const struct {
		const char *text, *why; /* NULL: nothing */
	} cases[] = {
		{ "proxy: http://proxy.example.net:3128", NULL },
		{ "proxy: {url: 'https://[::1]:3128/'}", NULL },
		{ "proxy: {url: socks5://127.0.0.1:1080, no_proxy: [example.net, 10.0.0.0/8]}", NULL },
		{ "proxy: {url: http://p:1, username: me, password_file: /x}", NULL },
		{ "proxy: {username: me, password_file: /x}", "url" },
		{ "proxy: ftp://p:1", "is not a proxy" },
		{ "proxy: http://p", "is not a proxy" },
		{ "proxy: http://me:word@p:1", "keys of their own" },
		{ "proxy: http://p:1/path", "is not a proxy" },
		{ "proxy: {url: http://p:1, username: me}", "without password_file" },
		{ "proxy: {url: http://p:1, password_file: /x}", "without username" },
		{ "proxy: {url: http://p:1, username: 'a:b', password_file: /x}", "is not a user" },
		{ "proxy: {url: http://p:1, no_proxy: 10.0.0.1/8}", "neither a host nor" },
		{ "proxy: {url: http://p:1, no_proxy: '*'}", "neither a host nor" },
		{ "proxy: {url: http://p:1, password: x}", "unknown key" },
		{ "proxy: environment", NULL },
		{ "proxy: {url: environment, cas: /x}", NULL },
		{ "proxy: {url: environment, username: me, password_file: /x}", "has its user in its URL" },
		{ "proxy: {url: environment, no_proxy: a}", "the variable no_proxy" },
		{ "proxy: {url: https://p:1, cas: [/x, /y]}", NULL },
		{ "proxy: {url: http://p:1, cas: /x}", "cas is for a proxy of https://" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		bool is_fine = read_text(cases[i].text);

		if (is_fine != !cases[i].why || (cases[i].why && !strstr(said, cases[i].why)))
			fail_msg("%s: %s", cases[i].text, said);
		conf_wipe(&settings, rows);
	}
}

static struct fetch_proxy *
load(const char *text)
{
	struct fetch_proxy *proxy;
	char error[FILE_ERROR];

	assert_true(read_text(text));
	if (!fetch_proxy_load(&settings.proxy, &proxy, error))
		fail_msg("%s", error);
	return proxy;
}

static void
is_for_all_but_some(void **state)
{
	static const struct {
		const char *host;
		bool is_for;
	} cases[] = {
		{ "other.example.org", true },
		{ "example.net", false },
		{ "www.EXAMPLE.net", false },
		{ "badexample.net", true },
		{ "internal", false },
		{ "a.internal", false },
		{ "10.1.2.3", false },
		{ "11.1.2.3", true },
		{ "2001:db8::1", false },
		{ "2001:db9::1", true },
		{ "192.0.2.7", false },
	};
	struct fetch_proxy *proxy = load(
	    "proxy: {url: http://p:1, no_proxy: [example.net, .internal, 10.0.0.0/8, "
	    "'2001:db8::/32', 192.0.2.7]}");

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		if (fetch_proxy_is_for(proxy, cases[i].host) != cases[i].is_for)
			fail_msg("%s", cases[i].host);
	fetch_proxy_free(proxy);
	conf_wipe(&settings, rows);
}

static void
is_nothing_where_no_proxy_is_given(void **state)
{
	(void)state;
	assert_null(load("{}"));
	conf_wipe(&settings, rows);
}

static void
write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	chmod(path, 0600);
}

static void
reads_a_password_of_one_line(void **state)
{
	static const char *const bad[] = { "", "\n", "two\nlines\n", "a\tb" };
	char directory[] = "/tmp/valise-proxy.XXXXXX", path[64], text[257], error[FILE_ERROR];
	struct fetch_proxy *proxy;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof path, "%s/word", directory);
	snprintf(text, sizeof text, "proxy: {url: http://p:81, username: me, password_file: %s}", path);
	write_file(path, "s3cret word\r\n");
	proxy = load(text);
	assert_string_equal((char *)proxy->password.data, "s3cret word");
	assert_string_equal(proxy->username, "me");
	assert_string_equal(proxy->host, "p");
	assert_int_equal(proxy->port, 81);
	fetch_proxy_free(proxy);
	for (size_t i = 0; i < COUNT(bad); i++) {
		write_file(path, bad[i]);
		assert_false(fetch_proxy_load(&settings.proxy, &proxy, error));
		assert_null(proxy);
		assert_non_null(strstr(error, path));
	}
	conf_wipe(&settings, rows);
	snprintf(text, sizeof text, "proxy: {url: socks5://p:81, username: me, password_file: %s}", path);
	assert_true(read_text(text));
	memset(text, 'x', sizeof text);
	text[255] = '\0';
	write_file(path, text);
	assert_true(fetch_proxy_load(&settings.proxy, &proxy, error));
	fetch_proxy_free(proxy);
	text[255] = 'x';
	text[256] = '\0';
	write_file(path, text);
	assert_false(fetch_proxy_load(&settings.proxy, &proxy, error));
	assert_non_null(strstr(error, "the most that SOCKS5 takes"));
	chmod(path, 0644);
	write_file(path, "fine\n");
	chmod(path, 0644);
	assert_false(fetch_proxy_load(&settings.proxy, &proxy, error));
	conf_wipe(&settings, rows);
	unlink(path);
	rmdir(directory);
}

static void
warns_of_a_password_in_clear(void **state)
{
	struct fetch_proxy proxy = { .username = (char *)(uintptr_t)"me" };

	(void)state;
	proxy.kind = FETCH_PROXY_HTTP;
	assert_non_null(fetch_proxy_warning(&proxy));
	proxy.kind = FETCH_PROXY_SOCKS5;
	assert_non_null(fetch_proxy_warning(&proxy));
	proxy.kind = FETCH_PROXY_HTTPS;
	assert_null(fetch_proxy_warning(&proxy));
	proxy = (struct fetch_proxy){ .kind = FETCH_PROXY_HTTP };
	assert_null(fetch_proxy_warning(&proxy));
	assert_null(fetch_proxy_warning(NULL));
}

/* ---- the environment ---- */

static const char *const variables[] = { "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy",
	"NO_PROXY" };

static void
forget_variables(void)
{
	for (size_t i = 0; i < COUNT(variables); i++)
		unsetenv(variables[i]);
}

static void
reads_a_proxy_of_the_environment(void **state)
{
	static const struct {
		const char *name, *value;
		enum fetch_proxy_kind kind;
		const char *url, *user, *password;
	} cases[] = {
		{ "https_proxy", "http://p.example.net:3128", FETCH_PROXY_HTTP, "http://p.example.net:3128",
		  NULL, NULL },
		{ "HTTPS_PROXY", "p:3128/", FETCH_PROXY_HTTP, "http://p:3128", NULL, NULL },
		{ "all_proxy", "SOCKS5H://joe:a%40b%3A%25@[2001:db8::1]:1080", FETCH_PROXY_SOCKS5,
		  "socks5://[2001:db8::1]:1080", "joe", "a@b:%" },
		{ "ALL_PROXY", "https://joe@p:1/", FETCH_PROXY_HTTPS, "https://p:1", "joe", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fetch_proxy *proxy;

		forget_variables();
		setenv(cases[i].name, cases[i].value, 1);
		proxy = load("proxy: environment");
		assert_non_null(proxy);
		assert_int_equal(proxy->kind, cases[i].kind);
		assert_string_equal(proxy->url, cases[i].url);
		assert_int_equal(!proxy->username, !cases[i].user);
		if (cases[i].user) {
			assert_string_equal(proxy->username, cases[i].user);
			assert_string_equal((char *)proxy->password.data, cases[i].password);
			assert_int_equal(proxy->password.bytes, strlen(cases[i].password));
		}
		fetch_proxy_free(proxy);
		conf_wipe(&settings, rows);
	}
	forget_variables();
}

static void
has_no_proxy_where_the_environment_has_none(void **state)
{
	static const char *const values[][2] = { { NULL, NULL }, { "", NULL }, { "http://p:1", "*" } };

	(void)state;
	for (size_t i = 0; i < COUNT(values); i++) {
		forget_variables();
		if (values[i][0])
			setenv("https_proxy", values[i][0], 1);
		if (values[i][1])
			setenv("NO_PROXY", values[i][1], 1);
		assert_null(load("proxy: environment"));
		conf_wipe(&settings, rows);
	}
	forget_variables();
}

static void
heeds_no_proxy_of_the_environment(void **state)
{
	struct fetch_proxy *proxy;

	(void)state;
	forget_variables();
	setenv("https_proxy", "http://p:1", 1);
	setenv("no_proxy", " localhost, *.internal ,.example.net,10.0.0.0/8,what is this?,::1,", 1);
	proxy = load("proxy: {url: environment}");
	assert_false(fetch_proxy_is_for(proxy, "localhost"));
	assert_false(fetch_proxy_is_for(proxy, "a.internal"));
	assert_false(fetch_proxy_is_for(proxy, "b.example.net"));
	assert_false(fetch_proxy_is_for(proxy, "10.9.8.7"));
	assert_false(fetch_proxy_is_for(proxy, "::1"));
	assert_true(fetch_proxy_is_for(proxy, "example.org"));
	fetch_proxy_free(proxy);
	conf_wipe(&settings, rows);
	forget_variables();
}

/* The value may have a password in it. */
static void
does_not_repeat_a_variable_that_is_wrong(void **state)
{
	static const char *const bad[] = { "ftp://joe:word@p:1", "http://joe:word@p", "joe:word@p:1/path",
		"http://joe:wo%0ard@p:1", "http://joe:wo%zzrd@p:1", "http://joe:wo%00rd@p:1",
		"http://joe:wo%", "http://:word@p:1" };
	char error[FILE_ERROR];

	(void)state;
	assert_true(read_text("proxy: environment"));
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct fetch_proxy *proxy;

		forget_variables();
		setenv("HTTPS_PROXY", bad[i], 1);
		if (fetch_proxy_load(&settings.proxy, &proxy, error) || strstr(error, "wo") ||
		    !strstr(error, "HTTPS_PROXY"))
			fail_msg("%s: %s", bad[i], error);
	}
	forget_variables();
	conf_wipe(&settings, rows);
}

static void
knows_what_is_the_same(void **state)
{
	static const char *const texts[] = { "proxy: http://p:1", "proxy: https://p:1", "proxy: http://p:2",
		"proxy: {url: http://p:1, no_proxy: a}", "proxy: {url: http://p:1, no_proxy: b}",
		"proxy: {url: http://p:1, no_proxy: 10.0.0.0/8}" };

	(void)state;
	assert_true(fetch_proxy_equals(NULL, NULL));
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct fetch_proxy *here = load(texts[i]);

		conf_wipe(&settings, rows);
		assert_false(fetch_proxy_equals(here, NULL));
		for (size_t j = 0; j < COUNT(texts); j++) {
			struct fetch_proxy *there = load(texts[j]);

			conf_wipe(&settings, rows);
			assert_int_equal(fetch_proxy_equals(here, there), i == j);
			fetch_proxy_free(there);
		}
		fetch_proxy_free(here);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(says_what_is_wrong_with_its_keys),
	cmocka_unit_test(is_for_all_but_some),
	cmocka_unit_test(is_nothing_where_no_proxy_is_given),
	cmocka_unit_test(reads_a_password_of_one_line),
	cmocka_unit_test(warns_of_a_password_in_clear),
	cmocka_unit_test(reads_a_proxy_of_the_environment),
	cmocka_unit_test(has_no_proxy_where_the_environment_has_none),
	cmocka_unit_test(heeds_no_proxy_of_the_environment),
	cmocka_unit_test(does_not_repeat_a_variable_that_is_wrong),
	cmocka_unit_test(knows_what_is_the_same),
};

RUN_TESTS("base/fetch_proxy", tests)
