/* Tests of relay/settings: the documented example, and each refusal. */
#include "relay/settings.h"

#include <string.h>
#include <unistd.h>
#include "relay/helpers.h"

static char path[] = "/tmp/valise-settings.XXXXXX";
static struct settings settings;

/* True when it is accepted; what was said is in *said, to be freed. */
static bool
read_text(const char *text, char **said)
{
	size_t bytes;
	FILE *file = fopen(path, "w"), *messages = open_memstream(said, &bytes);
	bool fine;

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	fine = settings_read(&settings, path, messages, NULL);
	fclose(messages);
	return fine;
}

static int
set_up(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	return unlink(path);
}

static const char example[] =
    "version: 1\n"
    "workers: auto\n"
    "listeners:\n"
    "  - address: \"[::]:443\"\n"
    "    trusted_proxies: [192.0.2.0/24]\n"
    "connect:\n"
    "  server_name: connect.example.net\n"
    "  certificate: /etc/valise/relay.crt\n"
    "  private_key: /etc/valise/relay.key\n"
    "  agent_cas: [/etc/valise/agents-ca.crt]\n"
    "  agent_crls: [/etc/valise/agents.crl]\n"
    "routes:\n"
    "  - server_name: \"*.Legacy.example.org\"\n"
    "    upstream: {url: tcp://10.0.0.5:8443, proxy_protocol: 2}\n"
    "refuse: {unknown_name: alert, no_name: \"route:*.legacy.example.org\", not_tls: close}\n"
    "limits: {flows: 100000, flows_per_client: 0, hello_timeout: 3s, hello_bytes: 16KiB}\n"
    "admin: {socket: /run/valise/relay.sock, http: 127.0.0.1:9180}\n"
    "log: {level: info, format: json}\n";

/* Wherever somebody may want to put it, by whatever name other programs have for it. */
static void
has_no_place_for_an_endpoints_key(void **state)
{
	static const char *const names[] = { "private_key", "server_private_key", "key", "certificate",
		"server_certificate", "agent_tls_termination", "tls_termination", "tls", "pem", "pkcs12" };
	static const struct {
		const char *before, *behind;
	} places[] = {
		{ "version: 1\nlisteners: [{address: \"[::]:443\", ", "}]\n" },
		{ "version: 1\nlisteners: [{address: \"[::]:443\"}]\nroutes: [{server_name: a.example, ",
		    ", upstream: {url: tcp://10.0.0.5:443}}]\n" },
		{ "version: 1\nlisteners: [{address: \"[::]:443\"}]\nroutes: [{server_name: a.example, upstream: {",
		    ", url: tcp://10.0.0.5:443}}]\n" },
		{ "version: 1\nlisteners: [{address: \"[::]:443\"}]\n", "\n" },
	};
	char text[400], *said;

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		for (size_t j = 0; j < sizeof places / sizeof *places; j++) {
			snprintf(text, sizeof text, "%s%s: /etc/valise/a.pem%s", places[j].before,
			    names[i], places[j].behind);
			if (read_text(text, &said))
				fail_msg("accepted: %s", text);
			if (!strstr(said, names[i]) || !strstr(said, "unknown key"))
				fail_msg("%s: %s", text, said);
			settings_wipe(&settings);
			free(said);
		}
}

static void
takes_the_documented_example(void **state)
{
	const struct settings_route *route;
	struct upstream_url url;
	char *said;

	(void)state;
	if (!read_text(example, &said))
		fail_msg("%s", said);
	route = settings_route_at(&settings, 0);
	assert_string_equal(route->server_name, "*.legacy.example.org");
	settings_parse_upstream(route, 0, &url);
	assert_string_equal(url.target, "10.0.0.5:8443");
	assert_int_equal(route->upstream.proxy_protocol, 2);
	assert_int_equal(settings.rules[REFUSE_NO_NAME].action, REFUSE_BY_ROUTE);
	assert_int_equal(settings.rules[REFUSE_TIMEOUT].action, REFUSE_BY_CLOSE);
	assert_int_equal(settings.limits.hello_ms, 3000);
	assert_int_equal(settings.limits.hellos, 4096);
	assert_int_equal(settings.agent_crl.missing, CRL_MISSING_REJECT);
	assert_string_equal(settings.agent_crl.expired, "grace 24h");
	assert_int_equal(settings.drain_ms, 30000);
	assert_int_equal(settings_listener_at(&settings, 0)->proxies[0].bits, 24);
	settings_wipe(&settings);
	free(said);
}

#define HEAD "version: 1\nlisteners: {address: \"127.0.0.1:1\"}\n"
#define LABELS_10 "{1}.{1}.{1}.{1}.{1}.{1}.{1}.{1}.{1}.{1}."
#define LABELS_80                                                                            \
	LABELS_10 LABELS_10 LABELS_10 LABELS_10 LABELS_10 LABELS_10 LABELS_10 LABELS_10
#define DYNAMIC(name, url) \
	"routes: {server_name: \"" name "\", upstream: {url: \"" url "\", fence: 10.0.0.0/8}}\n"
#define ROUTE "routes: {server_name: a.example, upstream: tcp://127.0.0.1:1}\n"

static void
says_where_and_what_to_do(void **state)
{
	static const char *const rows[][2] = {
		{ "version: 2\n" ROUTE, ":1:10: " },
		{ HEAD, "neither connect (for agents) nor a static route" },
		{ HEAD ROUTE "worker: 2\n", ":4:1: unknown key \"worker\"; did you mean \"workers\"?" },
		{ HEAD ROUTE "workers: 0\n", ":4:10: workers: \"0\" is not a number of workers; write auto" },
		{ "version: 1\nlisteners: {address: \"localhost:1\"}\n" ROUTE, ":2:22: " },
		{ "version: 1\nlisteners: {address: \"1.2.3.4:1\", trusted_proxies: 192.0.2.1/24}\n" ROUTE,
		  "\"192.0.2.1/24\" has bits beyond its length" },
		{ "version: 1\nlisteners: {address: \"1.2.3.4:1\", protocols: [tls, mysql]}\n" ROUTE,
		  "\"mysql\" is not known here; write tls, or [tls, postgres]" },
		{ "version: 1\nlisteners: {address: \"1.2.3.4:1\", protocols: postgres}\n" ROUTE,
		  ":2:46: tls is not among the protocols" },
		{ HEAD "routes: {server_name: a.example, upstream: {url: tcp://h:1, starttls: smtp}}\n", "starttls" },
		{ "version: 1\nlisteners: {address: \"unix:/x\"}\n" ROUTE, "is not a valid address to listen on" },
		{ "version: 1\nlisteners: [{address: \"1.2.3.4:1\"}, {address: \"1.2.3.4:1\"}]\n" ROUTE,
		  "listened on twice" },
		{ "version: 1\nlisteners: [{address: \"[::1]:1\"}, {address: \"[0:0::1]:1\"}]\n" ROUTE,
		  "'[0:0::1]:1' is listened on twice" },
		{ HEAD "routes: {server_name: a.example, upstream: {url: tcp://h:1, proxy_tlvs: none}}\n",
		  "proxy_tlvs is for proxy_protocol: 2" },
		{ HEAD "routes: {server_name: a.example, upstream: tls://h:1}\n", "would wrap bytes that are sealed" },
		{ HEAD "routes: {server_name: a.example, upstream: h:1}\n", "write tcp://HOST:PORT or unix:/PATH" },
		{ HEAD "routes: {server_name: \"a b\", upstream: tcp://h:1}\n", "is not a valid server name" },
		{ HEAD "routes: {server_name: a.example, depth: any, upstream: tcp://h:1}\n",
		  "depth is for wildcards" },
		{ HEAD "routes:\n- {server_name: a.example, upstream: tcp://h:1}\n"
		  "- {server_name: A.example., upstream: tcp://h:2}\n", ":5:17: 'a.example' is routed in line 4" },
		{ HEAD "routes: {server_name: a.example, sources: 192.0.2.1/24, upstream: tcp://h:1}\n",
		  "has bits beyond its length" },
		{ HEAD "routes: {server_name: a.example, sources: [], upstream: tcp://h:1}\n",
		  ":3:43: sources is empty; list at least one" },
		{ HEAD "routes: {server_name: a.example, alpn: [], upstream: tcp://h:1}\n", "alpn is empty" },
		{ HEAD "routes: {server_name: a.example, allow: [], upstream: tcp://h:1}\n", "allow is empty" },
		{ HEAD "routes: {server_name: a.example, deny: 192.0.2.1/24, upstream: tcp://h:1}\n",
		  ":3:40: deny: \"192.0.2.1/24\" has bits beyond its length" },
		{ HEAD "routes:\n- {server_name: a.example, allow: 192.0.2.0/24, upstream: tcp://h:1}\n"
		  "- {server_name: a.example, upstream: tcp://h:2}\n", ":5:17: 'a.example' is routed in line 4" },
		{ HEAD "routes: {server_name: a.example, listeners: [], upstream: tcp://h:1}\n", "listeners is empty" },
		{ HEAD "routes: {server_name: a.example, listeners: [127.0.0.1:1, 127.0.0.1:2], upstream: tcp://h:1}\n",
		  ":3:59: there is no listener with the address '127.0.0.1:2'" },
		{ HEAD "routes:\n- {server_name: a.example, sources: \"::1\", upstream: tcp://h:1}\n"
		  "- {server_name: a.example, upstream: tcp://h:2}\n"
		  "- {server_name: a.example, alpn: h2, upstream: tcp://h:3}\n", ":6:17: 'a.example' is routed in line 5" },
		{ HEAD "routes: {server_name: \"*.a.example\", upstream: \"tcp://{1}.int:1\"}\n",
		  ":3:48: clients decide where 'tcp://{1}.int:1' leads; list in upstream.fence" },
		{ HEAD DYNAMIC("a.example", "tcp://{1}.int:1"), "stands for, and 'a.example' has none" },
		{ HEAD DYNAMIC("*.a.example\", depth: \"any", "tcp://{1}.int:1"), "{1} is one label" },
		{ HEAD DYNAMIC("*.a.example", "tcp://{2}.int:1"), "has braces that are not {1}" },
		{ HEAD DYNAMIC("*.a.example", "tcp://" LABELS_80 "x:443"), "is too long" },
		{ HEAD DYNAMIC("*.a.example", "tcp://int:{1}"), "write HOST:PORT with a port" },
		{ HEAD DYNAMIC("*.a.example", "{1}.int:1"), "write tcp://HOST:PORT" },
		{ HEAD DYNAMIC("*.a.example", "unix:/run/{1}"), "has {1} where no label can be" },
		{ HEAD DYNAMIC("*.a.example", "tls://{1}.int:1"), "would wrap bytes" },
		{ HEAD DYNAMIC("*.a.example", "tcp://a.int:1"), "a fence is for an upstream with {1}" },
		{ HEAD DYNAMIC("*.a.example", "tcp://{1}.int:1") "refuse: {no_name: \"route:*.a.example\"}\n",
		  ":4:19: '*.a.example' leads where the client's name says" },
		{ HEAD ROUTE "refuse: {malformed: \"route:a.example\"}\n", "a malformed hello is never routed" },
		{ HEAD ROUTE "refuse: {no_name: \"route:b.example\"}\n", ":4:19: no static route has server_name" },
		{ HEAD ROUTE "refuse: {no_name: drop}\n", "\"drop\" is not a valid answer" },
		{ HEAD ROUTE "connect: {server_name: c.example}\n", "connect.certificate is missing" },
		{ HEAD ROUTE "connect: {server_name: a.example, certificate: x, private_key: y, agent_cas: z}\n",
		  "is the connect name, where agents arrive" },
		{ HEAD ROUTE "connect: {crl: {expired: soon}}\n", "write reject, grace 24h or allow" },
		{ HEAD ROUTE "limits: {hello_bytes: 65KiB}\n", "hello_bytes" },
		{ HEAD ROUTE "limits: {hello_timeout: 3}\n", "hello_timeout" },
		{ HEAD ROUTE "pool: {least: 5, most: 4}\n", "pool.least is above pool.most" },
		{ HEAD ROUTE "---\nversion: 1\n", "document" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *said;

		if (read_text(rows[i][0], &said))
			fail_msg("accepted: %s", rows[i][0]);
		if (strncmp(said, path, strlen(path)) != 0 || !strstr(said, rows[i][1]))
			fail_msg("wanted '%s', got: %s", rows[i][1], said);
		settings_wipe(&settings);
		free(said);
	}
}

/* Between connect and hello a client may decrypt its key, on a machine that has other things to do, too. */
static void
a_client_has_10_s_to_begin_unless_somebody_says_otherwise(void **state)
{
	char *said;

	(void)state;
	assert_true(read_text(HEAD ROUTE, &said));
	assert_int_equal(settings.limits.hello_ms, 10000);
	settings_wipe(&settings);
	free(said);
}

static void
a_pattern_may_stand_twice_if_the_first_asks_for_an_alpn(void **state)
{
	struct upstream_url url;
	char *said;

	(void)state;
	assert_true(read_text(HEAD "routes:\n- {server_name: a.example, alpn: h2, upstream: tcp://h:1}\n"
	    "- {server_name: a.example, upstream: unix:/run/x}\n", &said));
	settings_parse_upstream(settings_route_at(&settings, 1), 0, &url);
	assert_string_equal(url.target, "unix:/run/x");
	settings_wipe(&settings);
	free(said);
}

static void
a_template_keeps_its_place_for_the_label(void **state)
{
	struct upstream_url url;
	char *said;

	(void)state;
	if (!read_text(HEAD DYNAMIC("*.a.example", "tcp://app-{1}.internal:443"), &said))
		fail_msg("%s", said);
	settings_parse_upstream(settings_route_at(&settings, 0), 0, &url);
	assert_string_equal(url.target, "app-{1}.internal:443");
	settings_wipe(&settings);
	free(said);
}

static void
an_absent_file_is_not_a_bad_one(void **state)
{
	bool unreadable = false;

	(void)state;
	assert_false(settings_read(&settings, "/nonexistent/relay.yml", NULL, &unreadable));
	assert_true(unreadable);
	settings_wipe(&settings);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_the_documented_example),
		cmocka_unit_test(has_no_place_for_an_endpoints_key),
		cmocka_unit_test(says_where_and_what_to_do),
		cmocka_unit_test(a_client_has_10_s_to_begin_unless_somebody_says_otherwise),
		cmocka_unit_test(a_pattern_may_stand_twice_if_the_first_asks_for_an_alpn),
		cmocka_unit_test(a_template_keeps_its_place_for_the_label),
		cmocka_unit_test(an_absent_file_is_not_a_bad_one),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("relay/settings", tests, set_up, tear_down);
}
