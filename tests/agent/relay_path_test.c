/* Tests of agent/relay_path: what connect_url leads to. */
#include "agent/relay_path.h"

#include <string.h>

#include "helpers.h"

static struct agent_settings settings;
static struct relay_settings relays[3];
static char dials[3][64], names[3][64], urls[4][64];

static void
want(size_t i, const char *dial, const char *name, const char *proxy)
{
	relays[i] = (struct relay_settings){ .dial = strcpy(dials[i], dial) };
	snprintf(relays[i].label, sizeof relays[i].label, "%s", dial);
	if (name)
		relays[i].name = strcpy(names[i], name);
	if (proxy)
		relays[i].proxy.url = strcpy(urls[i], proxy);
	settings.connect_url = (struct conf_items){ relays, i + 1 };
}

static struct relay_paths *
make(void)
{
	char error[EGRESS_ERROR];
	struct relay_paths *paths = relay_paths_new(&settings, error);

	if (!paths)
		fail_msg("%s", error);
	return paths;
}

static const char *
proxy_of(const struct relay_paths *paths, const char *label)
{
	const struct fetch_proxy *proxy = egress_proxy(relay_paths_find(paths, label)->egress);

	return proxy ? proxy->url : "none";
}

static void
finds_name_and_proxy_of_each(void **state)
{
	static char *near[] = { (char *)(uintptr_t) "near.test" };
	struct relay_paths *paths;

	(void)state;
	memset(&settings, 0, sizeof settings);
	settings.proxy.url = strcpy(urls[3], "http://proxy.test:3128");
	settings.proxy.no_proxy = (struct conf_texts){ .items = near, .count = 1 };
	want(0, "relay.test:443", NULL, NULL);
	want(1, "203.0.113.7:8443", "connect.test", "socks5://other.test:1080/");
	want(2, "a.near.test:443", NULL, NULL);
	paths = make();
	assert_int_equal(paths->count, 3);
	assert_int_equal(paths->labels.count, 3);
	assert_string_equal(relay_paths_find(paths, "relay.test:443")->server_name, "relay.test");
	assert_string_equal(
	    relay_paths_find(paths, "203.0.113.7:8443")->server_name, "connect.test");
	assert_string_equal(
	    relay_paths_find(paths, "203.0.113.7:8443")->target, "203.0.113.7:8443");
	assert_string_equal(proxy_of(paths, "relay.test:443"), "http://proxy.test:3128");
	assert_string_equal(proxy_of(paths, "203.0.113.7:8443"), "socks5://other.test:1080");
	assert_string_equal(proxy_of(paths, "a.near.test:443"), "none");
	assert_null(relay_paths_find(paths, "relay.test:444"));
	assert_null(relay_paths_find(NULL, "relay.test:443"));
	relay_paths_free(paths);
	relay_paths_free(NULL);
}

static void
hands_on_where_connections_come_from(void **state)
{
	static char *sources[] = { (char *)(uintptr_t) "192.0.2.1", (char *)(uintptr_t) "eth1" },
		    *near[] = { (char *)(uintptr_t) "near.test" };
	struct relay_paths *paths, *others;

	(void)state;
	memset(&settings, 0, sizeof settings);
	settings.sources = (struct conf_texts){ .items = sources, .count = 2 };
	settings.proxy.url = strcpy(urls[3], "http://proxy.test:3128");
	settings.proxy.no_proxy = (struct conf_texts){ .items = near, .count = 1 };
	want(0, "relay.test:443", NULL, NULL);
	want(1, "a.near.test:443", NULL, NULL);
	want(2, "other.test:443", NULL, "http://p.test:1");
	paths = make();
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(egress_source(paths->paths[i].egress)->interface, "eth1");
	settings.sources.count = 1;
	others = make();
	assert_true(relay_paths_differ(paths, others));
	relay_paths_free(others);
	relay_paths_free(paths);
}

static void
differs_where_a_relay_has_another_proxy(void **state)
{
	struct relay_paths *before, *after;

	(void)state;
	memset(&settings, 0, sizeof settings);
	want(0, "relay.test:443", NULL, NULL);
	before = make();
	after = make();
	assert_false(relay_paths_differ(before, after));
	relay_paths_free(after);
	want(1, "other.test:443", NULL, "http://p.test:1"); /* a new one has no session to move */
	after = make();
	assert_false(relay_paths_differ(before, after));
	relay_paths_free(before);
	settings.proxy.url = strcpy(urls[3], "http://p.test:1");
	before = make();
	assert_true(relay_paths_differ(before, after));
	relay_paths_free(before);
	relay_paths_free(after);
}

static void
says_which_file_cannot_be_read(void **state)
{
	char error[EGRESS_ERROR];

	(void)state;
	memset(&settings, 0, sizeof settings);
	want(0, "relay.test:443", NULL, "http://p.test:1");
	relays[0].proxy.username = names[0];
	relays[0].proxy.password_file = strcpy(names[1], "/nonexistent/word");
	assert_null(relay_paths_new(&settings, error));
	assert_non_null(strstr(error, "/nonexistent/word"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_name_and_proxy_of_each),
		cmocka_unit_test(hands_on_where_connections_come_from),
		cmocka_unit_test(differs_where_a_relay_has_another_proxy),
		cmocka_unit_test(says_which_file_cannot_be_read),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("agent/relay_path", tests, NULL, NULL);
}
