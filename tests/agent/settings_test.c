/* Tests of agent/settings: defaults, rules between keys, and messages. */
#include "agent/settings.h"

#include <sysexits.h>
#include <time.h>

#include "helpers.h"
#include "tunnel/frame.h"

#define AGENT \
	"version: 1\n" \
	"agent: {connect_url: 'relay.test:443', connect_cas: ca, certificate: c, private_key: k}\n"
#define ENDPOINT "endpoints:\n  - name: a\n    url: tls://a.test\n"
#define SOURCES(sources) \
	"version: 1\nagent: {connect_url: 'r:1', connect_cas: ca, certificate: c, private_key: k, source: " sources \
	"}\n" ENDPOINT "    upstream: 80\n"
#define RELAYS(relays) \
	"version: 1\nagent: {connect_url: " relays \
	", connect_cas: ca, certificate: c, private_key: k}\n" ENDPOINT "    upstream: 80\n"

/* Reads a text as a file; the messages come back in *told (to free()). */
static int
read_text(struct agent_settings *settings, const char *text, char **told)
{
	char path[] = "/tmp/valise-settings-XXXXXX";
	int fd = mkstemp(path), code;
	size_t bytes;
	FILE *messages = open_memstream(told, &bytes);

	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	code = agent_settings_read(settings, path, messages);
	fclose(messages);
	unlink(path);
	return code;
}

/* Comparing each with all before it would take some seconds. */
static void
judges_lists_of_very_many(void **state)
{
	enum { MANY = 20000 };
	struct agent_settings settings = { 0 };
	char *text, *told;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);
	clock_t began;

	(void)state;
	fputs("version: 1\nagent:\n  connect_cas: ca\n  certificate: c\n  private_key: k\n"
	      "  connect_url:\n",
	    out);
	for (unsigned i = 0; i < MANY; i++)
		fprintf(out, "  - r%u:1\n", i);
	fputs("endpoints:\n", out);
	for (unsigned i = 0; i < MANY; i++)
		fprintf(out,
		    "  - {name: e%u, url: 'tls://e%u.test', upstream: 80, agent_tls_termination: {acme: "
		    "{contact: a@b.test, terms_agreed: true}}}\n",
		    i, i);
	fputs("forwards:\n", out);
	for (unsigned i = 0; i < MANY; i++)
		fprintf(out,
		    "  - {name: f%u, listen: '127.0.%u.%u:1', url: 'tls://f.test', cas: ca, certificate: c, "
		    "private_key: k}\n",
		    i, i / 200, i % 200 + 1);
	fclose(out);
	began = clock();
	read_text(&settings, text, &told);
	printf("# %.2f s\n", (double)(clock() - began) / CLOCKS_PER_SEC);
	assert_string_equal(told, "");
	assert_true(clock() - began < 3 * CLOCKS_PER_SEC);
	free(told);
	free(text);
	agent_settings_wipe(&settings);
}

static void
takes_relays_as_texts_and_as_mappings(void **state)
{
	static const char *const labels[] = { "r:1", "connect.test@203.0.113.7:8443", "s:2" };
	struct agent_settings settings;
	char *told;

	(void)state;
	assert_int_equal(
	    read_text(&settings,
		RELAYS(
		    "['r:1', {dial: '203.0.113.7:8443', name: connect.test, proxy: 'http://p:1'}, "
		    "{dial: 's:2', name: s}]"),
		&told),
	    0);
	assert_string_equal(told, "");
	free(told);
	assert_int_equal(settings.connect_url.count, 3);
	for (size_t i = 0; i < COUNT(labels); i++)
		assert_string_equal(agent_settings_relay(&settings, i)->label, labels[i]);
	assert_null(agent_settings_relay(&settings, 0)->proxy.url);
	assert_string_equal(agent_settings_relay(&settings, 1)->proxy.url, "http://p:1");
	agent_settings_wipe(&settings);
}

static void
fills_in_the_defaults(void **state)
{
	struct agent_settings settings;
	struct endpoint_settings *endpoint;
	char *told;

	(void)state;
	assert_int_equal(
	    read_text(&settings, AGENT ENDPOINT "    upstream: tcp://127.0.0.1:80\n", &told), 0);
	assert_string_equal(told, "");
	free(told);
	assert_int_equal(settings.heartbeat_ms, 10000);
	assert_int_equal(settings.tolerance_ms, 15000);
	assert_int_equal(settings.pool_least, 0);
	assert_int_equal(settings.pool_most, 256);
	assert_true(strstr(settings.state_dir, "/lib/valise-agent") != NULL);
	assert_true(agent_settings_workers(&settings) >= 1);
	assert_int_equal(settings.connect_url.count, 1);
	endpoint = agent_settings_endpoint(&settings, 0);
	assert_false(endpoint->terminates);
	assert_string_equal(endpoint->server_name, "a.test");
	assert_int_equal(endpoint->weight, 100);
	assert_int_equal(endpoint->balance, BALANCE_LEAST);
	assert_int_equal(endpoint->priority, 0);
	assert_int_equal(endpoint->half_closed_ms, 60000);
	assert_int_equal(endpoint->idle_ms, 0);
	assert_int_equal(endpoint->eof_without_close_notify, EOF_RESET);
	assert_int_equal(endpoint->upstream.proxy_protocol, 0);
	assert_int_equal(endpoint->upstream.tls_min, SETTINGS_TLS_1_2);
	assert_int_equal(endpoint->upstream.connect_ms, 4000);
	assert_null(agent_settings_unverified_warning(&endpoint->upstream));
	assert_int_equal(endpoint->carrier, CARRIER_SEALED);
	assert_null(agent_settings_unsealed_warning(endpoint));
	assert_int_equal(endpoint->upstream.kind, UPSTREAM_TCP);
	assert_int_equal(endpoint->upstream.url.count, 1);
	assert_string_equal(endpoint->upstream.url.items[0], "tcp://127.0.0.1:80");
	assert_int_equal(endpoint->upstream.health.check, HEALTH_NONE);
	agent_settings_wipe(&settings);
}

static void
asks_for_client_certificates_as_told_or_as_the_cas_say(void **state)
{
	static const struct {
		const char *keys;
		int mutual_tls;
	} cases[] = {
		{ "", MUTUAL_OFF },
		{ ", mutual_tls: off", MUTUAL_OFF },
		{ ", mutual_tls_certificate_authorities: ca", MUTUAL_REQUIRE },
		{ ", mutual_tls_certificate_authorities: [a, b], mutual_tls: request",
		    MUTUAL_REQUEST },
		{ ", mutual_tls_certificate_authorities: ca, mutual_tls: require", MUTUAL_REQUIRE },
	};
	struct agent_settings settings;
	char text[1024], *told;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		snprintf(text, sizeof text,
		    AGENT ENDPOINT "    agent_tls_termination: {server_certificate: c,"
				   " server_private_key: k%s}\n    upstream: {url: 'unix:/s'}\n",
		    cases[i].keys);
		assert_int_equal(read_text(&settings, text, &told), 0);
		assert_true(agent_settings_endpoint(&settings, 0)->terminates);
		assert_int_equal(agent_settings_endpoint(&settings, 0)->termination.mutual_tls,
		    cases[i].mutual_tls);
		free(told);
		agent_settings_wipe(&settings);
	}
}

#define TERMINATED(keys) \
	AGENT ENDPOINT \
	    "    agent_tls_termination: {server_certificate: c, server_private_key: k" keys "}\n"

static void
several_certificates_are_a_list_behind_the_first_or_without_one(void **state)
{
	static const struct {
		const char *keys, *first, *second;
	} cases[] = {
		{ "server_certificate: a, server_private_key: k", "a", NULL },
		{ "server_certificates: {server_certificate: a, server_private_key: k}", "a",
		    NULL },
		{ "server_certificate: a, server_private_key: k, server_certificates: "
		  "[{server_certificate: b, server_private_key: l}]",
		    "a", "b" },
		{ "server_certificates: [{server_certificate: a, server_private_key: k}, "
		  "{server_certificate: b, server_private_key: l}]",
		    "a", "b" },
	};
	struct agent_settings settings;
	char text[1024], *told;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct termination_settings *termination;

		snprintf(text, sizeof text,
		    AGENT ENDPOINT "    agent_tls_termination: {%s}\n    upstream: 80\n",
		    cases[i].keys);
		assert_int_equal(read_text(&settings, text, &told), 0);
		free(told);
		assert_true(agent_settings_endpoint(&settings, 0)->terminates);
		termination = &agent_settings_endpoint(&settings, 0)->termination;
		assert_int_equal(
		    agent_settings_certificate_count(termination), cases[i].second ? 2 : 1);
		assert_string_equal(
		    agent_settings_certificate(termination, 0)->certificate, cases[i].first);
		if (cases[i].second)
			assert_string_equal(agent_settings_certificate(termination, 1)->certificate,
			    cases[i].second);
		agent_settings_wipe(&settings);
	}
}

static void
an_address_is_trusted_unsealed_only_where_that_is_said(void **state)
{
	struct agent_settings settings;
	struct endpoint_settings *endpoint;
	char *told;

	(void)state;
	assert_int_equal(
	    read_text(&settings,
		AGENT ENDPOINT "    upstream: {url: 80, proxy_protocol: 2}\n    carrier: handoff\n"
			       "    trust_unsealed_address: true\n",
		&told),
	    0);
	assert_string_equal(told, "");
	free(told);
	endpoint = agent_settings_endpoint(&settings, 0);
	assert_int_equal(endpoint->carrier, CARRIER_HANDOFF);
	assert_non_null(agent_settings_unsealed_warning(endpoint));
	agent_settings_wipe(&settings);
}

#define PIN "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void
an_upstream_is_unverified_only_where_that_is_said(void **state)
{
	struct agent_settings settings;
	struct upstream_settings *upstream;
	char *told;

	(void)state;
	assert_int_equal(
	    read_text(&settings,
		TERMINATED("") "    upstream: {url: 'tls://up:1', tls_min: 1.3, certificate:"
			       " c, private_key: k, spki: [" PIN ", " PIN
			       "], connect_timeout: 500ms}\n",
		&told),
	    0);
	assert_string_equal(told, "");
	free(told);
	upstream = &agent_settings_endpoint(&settings, 0)->upstream;
	assert_null(agent_settings_unverified_warning(upstream));
	assert_int_equal(upstream->tls_min, SETTINGS_TLS_1_3);
	assert_int_equal(upstream->connect_ms, 500);
	assert_int_equal(upstream->spki.count, 2);
	upstream->is_unverified = true;
	assert_non_null(strstr(agent_settings_unverified_warning(upstream), "only the key"));
	upstream->spki.count = 0;
	assert_non_null(strstr(agent_settings_unverified_warning(upstream), "whoever answers"));
	upstream->spki.count = 2;
	agent_settings_wipe(&settings);
}

#define FORWARD(listen, name) \
	"  - {name: " name ", url: 'tls://a.test', cas: ca, certificate: c, listen: '" listen \
	"', private_key: k}\n"
#define ACME(name, contact) \
	"  - {name: " name ", url: 'tls://" name \
	".test', upstream: 80, agent_tls_termination: {acme: " \
	"{contact: " contact ", terms_agreed: true}}}\n"
#define FORWARDS(listen, name) \
	"version: 1\nforwards:\n" FORWARD(listen, "a") FORWARD("127.0.0.1:2", name)

static void
an_agent_may_only_forward(void **state)
{
	struct agent_settings settings;
	const struct forward_settings *forward;
	char *told;

	(void)state;
	assert_int_equal(read_text(&settings, FORWARDS("unix:/run/a", "b"), &told), 0);
	assert_string_equal(told, "");
	free(told);
	assert_int_equal(settings.forwards.count, 2);
	forward = agent_settings_forward(&settings, 1);
	assert_string_equal(forward->upstream.parsed.target, "a.test:443");
	assert_int_equal(forward->upstream.connect_ms, 10000);
	assert_int_equal(forward->half_closed_ms, 60000);
	assert_int_equal(forward->flows, 1000);
	agent_settings_wipe(&settings);
}

static void
a_header_says_all_unless_it_is_told_not_to(void **state)
{
	static const char text[] = TERMINATED(", mutual_tls_certificate_authorities: c");
	static const char upstreams[] =
	    "    upstream: {url: 80, proxy_protocol: 2, proxy_client_certificate: true,"
	    " proxy_header_bytes: 8KiB}\n"
	    "  - {name: b, url: 'tls://b.test', upstream: {url: 81, proxy_protocol: 2}}\n";
	struct agent_settings settings;
	const struct upstream_settings *upstream;
	char *told, whole[sizeof text + sizeof upstreams];

	(void)state;
	snprintf(whole, sizeof whole, "%s%s", text, upstreams);
	assert_int_equal(read_text(&settings, whole, &told), 0);
	assert_string_equal(told, "");
	free(told);
	upstream = &agent_settings_endpoint(&settings, 0)->upstream;
	assert_int_equal(upstream->proxy_tlvs, PROXY_TLVS_ALL);
	assert_true(upstream->proxy_client_certificate);
	assert_int_equal(upstream->proxy_header_bytes, 8192);
	upstream = &agent_settings_endpoint(&settings, 1)->upstream;
	assert_false(upstream->proxy_client_certificate);
	assert_int_equal(upstream->proxy_header_bytes, 4096);
	agent_settings_wipe(&settings);
}

static void
several_upstreams_are_a_list_by_itself_or_in_the_mapping(void **state)
{
	static const char *const texts[] = {
		"[tcp://a:1, 'tcp://b:2']",
		"{url: [tcp://a:1, 'tcp://b:2'], health: {check: tcp, interval: 1s, rise: 1, fall: 5}}"
	};
	struct agent_settings settings;
	struct upstream_settings *upstream;
	char text[1024], *told;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		snprintf(text, sizeof text, AGENT ENDPOINT "    upstream: %s\n", texts[i]);
		assert_int_equal(read_text(&settings, text, &told), 0);
		assert_string_equal(told, "");
		free(told);
		upstream = &agent_settings_endpoint(&settings, 0)->upstream;
		assert_int_equal(upstream->url.count, 2);
		assert_string_equal(upstream->url.items[1], "tcp://b:2");
		assert_int_equal(upstream->health.check, i == 0 ? HEALTH_NONE : HEALTH_TCP);
		if (i == 1) {
			assert_int_equal(upstream->health.interval_ms, 1000);
			assert_int_equal(upstream->health.timeout_ms, 2000);
			assert_int_equal(upstream->health.rise, 1);
			assert_int_equal(upstream->health.fall, 5);
		}
		agent_settings_wipe(&settings);
	}
}

static void
a_probe_is_an_interval_or_a_mapping(void **state)
{
	struct agent_settings settings;
	char *told;

	(void)state;
	assert_int_equal(read_text(&settings, AGENT ENDPOINT "    upstream: 80\n", &told), 0);
	assert_int_equal(settings.probe.interval_ms, 0);
	free(told);
	agent_settings_wipe(&settings);
	assert_int_equal(
	    read_text(&settings, AGENT ENDPOINT "    upstream: 80\nprobe: 10m\n", &told), 0);
	assert_int_equal(settings.probe.interval_ms, 600000);
	assert_null(settings.probe.address);
	free(told);
	agent_settings_wipe(&settings);
	assert_int_equal(
	    read_text(&settings,
		AGENT ENDPOINT "    upstream: 80\nprobe: {interval: 1h, address: '192.0.2.1:443', "
			       "spki: " PIN "}\n",
		&told),
	    0);
	assert_string_equal(settings.probe.address, "192.0.2.1:443");
	assert_int_equal(settings.probe.spki.count, 1);
	free(told);
	agent_settings_wipe(&settings);
}

static void
refuses_what_does_not_go_together(void **state)
{
	static const struct {
		const char *text, *context, *said;
	} cases[] = {
		{ AGENT ENDPOINT "    upstream: tls://up:443\n",
		    ":6:15:", "without agent_tls_termination" },
		{ AGENT ENDPOINT "    upstream: {url: 'tcp://up:443', cas: ca}\n",
		    ":6:42:", "cas is only for" },
		{ AGENT ENDPOINT "    upstream: {url: 'tcp://up:443', server_name: x}\n",
		    ":6:50:", "server_name is only for" },
		{ TERMINATED("") "    upstream: {url: tcp://h:5432, starttls: postgres}\n",
		    ":7:21:", "starttls asks an upstream for TLS" },
		{ AGENT ENDPOINT "    upstream: [tcp://a:1, 'tcp://b:2', 'tcp://a:1']\n",
		    ":6:40:", "tcp://a:1 is listed twice" },
		{ TERMINATED("") "    upstream: [tcp://a:1, 'tls://b:2']\n",
		    ":7:27:", "not of one kind" },
		{ AGENT ENDPOINT
		    "    upstream: [80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93,"
		    " 94, 95, 96]\n",
		    ":6:80:", "more than 16" },
		{ AGENT ENDPOINT "    upstream: []\n", ":6:15:", "empty" },
		{ AGENT ENDPOINT "    upstream: {url: 80, health: {interval: 5s}}\n",
		    ":6:33:", "\"check\"" },
		{ AGENT ENDPOINT "    upstream: {url: 80, health: {check: http}}\n",
		    ":6:41:", "tls" },
		{ AGENT ENDPOINT "    upstream: {url: 80, health: {check: tcp, interval: 500ms}}\n",
		    ":6:56:", "interval" },
		{ TERMINATED("") "    upstream: {url: 80, health: tls}\n",
		    ":7:33:", "check: tls is for an upstream that speaks TLS" },
		{ AGENT ENDPOINT "    upstream: {url: 'tcp://up:443', certificate: c}\n",
		    ":6:50:", "certificate is only for" },
		{ AGENT ENDPOINT "    upstream: {url: 'tcp://up:443', private_key: k}\n",
		    ":6:50:", "private_key is only for" },
		{ AGENT ENDPOINT "    upstream: {url: 'unix:/up', spki: [" PIN "]}\n",
		    ":6:40:", "spki is only for" },
		{ AGENT ENDPOINT "    upstream: {url: 'tcp://up:443', tls_min: 1.3}\n",
		    ":6:46:", "tls_min is only for" },
		{ AGENT ENDPOINT
		    "    upstream: {url: 'tcp://up:443', insecure_skip_verify: false}\n",
		    ":6:59:", "insecure_skip_verify is only for" },
		{ TERMINATED("") "    upstream: {url: 'tls://up:443', certificate: c}\n",
		    ":7:50:", "certificate without private_key" },
		{ TERMINATED("") "    upstream: {url: 'tls://up:443', private_key: k}\n",
		    ":7:50:", "private_key without certificate" },
		{ TERMINATED("") "    upstream: {url: 'tls://up:443', spki: " PIN "0}\n",
		    ":7:43:", "64 hexadecimal digits" },
		{ TERMINATED("") "    upstream: {url: 'tls://up:443', tls_min: 1.1}\n",
		    ":7:46:", "1.3" },
		{ TERMINATED(
		      "") "    upstream: {url: 'tls://up:443', insecure_skip_verify: on, cas: ca}\n",
		    ":7:68:", "nobody would look at cas" },
		{ TERMINATED(
		      "") "    upstream: {url: 'tls://up:443', insecure_skip_verify: on, crls: c}\n",
		    ":7:69:", "nobody would look at crls" },
		{ AGENT ENDPOINT "    upstream: {url: 80, connect_timeout: 5s}\n",
		    ":6:42:", "connect_timeout" },
		{ AGENT ENDPOINT "    upstream: {url: 80, connect_timeout: 99ms}\n",
		    ":6:42:", "connect_timeout" },
		{ AGENT ENDPOINT "    upstream: {url: 'tcp://up:443', proxy_protocol: 3}\n",
		    ":6:53:", "range" },
		{ TERMINATED(", mutual_tls: require") "    upstream: 80\n",
		    ":6:87:", "without CAs" },
		{ TERMINATED(", mutual_tls_crls: x") "    upstream: 80\n",
		    ":6:92:", "mutual_tls_crls without" },
		{ TERMINATED(
		      ", mutual_tls: off, mutual_tls_certificate_authorities: x") "    upstream: 80\n",
		    ":6:87:", "mutual_tls is off" },
		{ TERMINATED(", clients: {cn: a}") "    upstream: 80\n",
		    ":6:84:", "none is required here" },
		{ TERMINATED(", mutual_tls_certificate_authorities: ca, mutual_tls: request,"
			     " clients: {cn: a}") "    upstream: 80\n",
		    ":6:145:", "none is required here" },
		{ TERMINATED(
		      ", mutual_tls_certificate_authorities: ca, clients: [{cn: a}, {}]") "    upstream: 80\n",
		    ":6:124:", "entry 2 has no key" },
		{ AGENT ENDPOINT "    upstream: 80\n    clients: {cn: a}\n",
		    ":7:5:", "unknown key" },
		{ TERMINATED(", alpn: [H2, http/1.1]") "    upstream: 80\n", ":6:82:", "write h2" },
		{ TERMINATED(", alpn: [h2, http/1.1, h2]") "    upstream: 80\n",
		    ":6:96:", "h2 is listed twice" },
		{ TERMINATED(", alpn: 'h2,http/1.1'") "    upstream: 80\n",
		    ":6:81:", "as a list: [h2, http/1.1]" },
		{ TERMINATED(", alpn: [a, b, c, d, e, f, g, h, i]") "    upstream: 80\n",
		    ":6:106:", "more than 8" },
		{ TERMINATED(", tls_min: 1.3, tls_max: 1.2") "    upstream: 80\n",
		    ":6:98:", "no version would be left" },
		{ TERMINATED(", tls_min: 1.1") "    upstream: 80\n", ":6:84:", "1.2, 1.3" },
		{ TERMINATED(", tls_max: TLSv1.3") "    upstream: 80\n", ":6:84:", "1.3, 1.2" },
		{ TERMINATED(", crl: {expired: 'grace 3'}") "    upstream: 80\n",
		    ":6:90:", "policy" },
		{ AGENT ENDPOINT "    agent_tls_termination: {}\n    upstream: 80\n",
		    ":6:28:", "without a certificate" },
		{ AGENT ENDPOINT
		    "    agent_tls_termination: {server_certificate: c}\n    upstream: 80\n",
		    ":6:49:", "without server_private_key" },
		{ AGENT ENDPOINT
		    "    agent_tls_termination: {server_private_key: k, server_certificates:"
		    " {server_certificate: c, server_private_key: k}}\n    upstream: 80\n",
		    ":6:49:", "without server_certificate" },
		{ TERMINATED(
		      ", server_certificates: [{server_certificate: d}]") "    upstream: 80\n",
		    ":6:97:", "server_private_key" },
		{ TERMINATED(
		      ", server_certificates: [{server_certificate: d, server_private_key: "
		      "k}, {server_certificate: c, server_private_key: l}]") "    upstream: 80\n",
		    ":6:166:", "c is listed twice" },
		{ AGENT ENDPOINT
		    "    upstream: 80\n  - name: b\n    url: tls://A.test.\n    upstream: 80\n",
		    ":8:10:", "line 5 too" },
		{ AGENT ENDPOINT
		    "    upstream: 80\n  - name: a\n    url: tls://b.test\n    upstream: 80\n",
		    ":7:11:", "line 4 too" },
		{ AGENT "endpoints:\n  - {name: a, url: 'tls://a_b.test', upstream: 80, "
			"agent_tls_termination:"
			" {server_certificate: c, server_private_key: k}}\n",
		    ":4:20:", "'_'" },
		{ AGENT "endpoints:\n  - {name: a, url: 'tls://a.test:443', upstream: 80}\n",
		    ":4:20:", "port" },
		{ "version: 2\n" ENDPOINT "    upstream: 80\n", ":1:10:", "version" },
		{ AGENT ENDPOINT "    upstream: 80\n    wieght: 3\n", ":7:5:", "weight" },
		{ AGENT ENDPOINT "    upstream: 80\n    balance: sticky\n", ":7:14:", "source" },
		{ AGENT ENDPOINT "    upstream: 80\n    priority: 256\n", ":7:15:", "255" },
		{ AGENT ENDPOINT "    upstream: 80\n    priority: -1\n", ":7:15:", "priority" },
		{ AGENT "endpoints: []\n", ":3:12:", "empty" },
		{ AGENT, ":1:1:", "missing key \"endpoints\"" },
		{ AGENT "forwards:\n" FORWARD("unix:/a", "a"),
		    ":2:22:", "agent.connect_url is for endpoints" },
		{ "version: 1\n", ":1:1:", "missing key \"endpoints\"" },
		{ SOURCES("[10.0.0.1, 10.0.0.2]"), ":2:97:", "second address of one family" },
		{ SOURCES("10.0.0.1/8"), ":2:86:", "neither an address" },
		{ RELAYS("{name: r.test}"), ":2:22:", "missing key \"dial\"" },
		{ RELAYS("['r:1', {dial: r}]"), ":2:37:", "is not a valid relay" },
		{ RELAYS("{dial: 'r:1', name: 192.0.2.1}"), ":2:42:", "is not a valid host name" },
		{ RELAYS("[{dial: 'r:1', name: s}, {dial: 'r:1', name: S}]"),
		    ":2:54:", "S@r:1 is listed twice" },
		{ RELAYS("[{dial: 'r:1', name: R}, 'r:1']"), ":2:47:", "r:1 is listed twice" },
		{ RELAYS("['r:1', ~]"), ":2:30:", "takes a list of mappings" },
		{ RELAYS("{dial: 'r:1', proxy: {no_proxy: a}}"), ":2:43:", "missing key \"url\"" },
		{ RELAYS("{dial: 'r:1', proxy: {url: 'http://p:1', username: u}}"),
		    ":2:73:", "without password_file" },
		{ "version: 1\n" ENDPOINT "    upstream: 80\n",
		    ":3:11:", "missing key \"agent.connect_url\"" },
		{ "version: 1\nagent: {connect_url: [], connect_cas: ca}\n" ENDPOINT
		  "    upstream: 80\n",
		    ":2:22:", "empty" },
		{ "version: 1\nagent: {connect_url: 'r:1', connect_cas: ca, certificate: c}\n" ENDPOINT
		  "    upstream: 80\n",
		    ":4:11:", "missing key \"agent.private_key\"" },
		{ "version: 1\nforwards: []\n", ":2:11:", "empty" },
		{ FORWARDS("127.0.0.1:1", "b") "probe: 10m\n", ":5:8:", "no name to look at" },
		{ AGENT ENDPOINT "    upstream: 80\nprobe: {address: 'a:1'}\n",
		    ":7:8:", "interval" },
		{ AGENT ENDPOINT "    upstream: 80\nprobe: 100ms\n", ":7:8:", "range" },
		{ AGENT ENDPOINT "    upstream: 80\nprobe: {interval: 1h, address: a}\n",
		    ":7:32:", "HOST:PORT" },
		{ AGENT "endpoints:\n" ACME("a", "a@b.test") ACME("b", "a@b.test")
			ACME("c", "c@b.test"),
		    ":6:80:", "that of line 4, too" },
		{ FORWARDS("0.0.0.0:1", "b") "", ":3:69:", "other hosts" },
		{ FORWARDS("127.0.0.1:1", "a") "", ":4:12:", "line 3 too" },
		{ FORWARDS("127.0.0.1:2", "b") "", ":4:69:", "line 3 too" },
		{ AGENT ENDPOINT
		    "    upstream: {url: 80, proxy_protocol: 1}\n    carrier: handoff\n",
		    ":7:14:", "trust_unsealed_address: true" },
		{ AGENT ENDPOINT
		    "    upstream: {url: 80, proxy_protocol: 1}\n    carrier: handoff\n"
		    "    trust_unsealed_address: false\n",
		    ":7:14:", "trust_unsealed_address: true" },
		{ AGENT ENDPOINT "    upstream: 80\n    allow: '::1'\n    carrier: handoff\n",
		    ":8:14:", "carrier: handoff with allow or deny" },
		{ AGENT ENDPOINT "    upstream: 80\n    deny: '::1'\n    carrier: handoff\n",
		    ":8:14:", "trust_unsealed_address: true" },
		{ AGENT ENDPOINT "    upstream: 80\n    deny: []\n", ":7:11:", "deny is empty" },
		{ AGENT ENDPOINT "    upstream: 80\n    allow: 10.0.0.1/8\n",
		    ":7:12:", "has bits beyond its length" },
		{ AGENT ENDPOINT "    upstream: 80\n    trust_unsealed_address: true\n",
		    ":7:29:", "only for carrier: handoff" },
		{ AGENT ENDPOINT "    upstream: 80\n    carrier: bare\n", ":7:14:", "handoff" },
		{ AGENT ENDPOINT "    upstream: {url: 80, proxy_tlvs: none}\n",
		    ":6:37:", "is for proxy_protocol: 2" },
		{ AGENT ENDPOINT "    upstream: {url: 80, proxy_protocol: 1, proxy_tlvs: all}\n",
		    ":6:56:", "is for proxy_protocol: 2" },
		{ AGENT ENDPOINT "    upstream: {url: 80, proxy_header_bytes: 4KiB}\n",
		    ":6:45:", "without proxy_protocol" },
		{ AGENT ENDPOINT
		    "    upstream: {url: 80, proxy_protocol: 2, proxy_header_bytes: 106}\n",
		    ":6:64:", "107" },
		{ AGENT ENDPOINT
		    "    upstream: {url: 80, proxy_protocol: 2, proxy_header_bytes: 65KiB}\n",
		    ":6:64:", "64KiB" },
		{ AGENT ENDPOINT
		    "    upstream: {url: 80, proxy_protocol: 2, proxy_client_certificate: true}\n",
		    ":6:70:", "mutual_tls_certificate_authorities" },
		{ TERMINATED("") "    upstream: {url: 80, proxy_protocol: 2,"
				 " proxy_client_certificate: true}\n",
		    ":7:70:", "mutual_tls_certificate_authorities" },
		{ TERMINATED(
		      ", mutual_tls_certificate_authorities: c") "    upstream:"
								 " {url: 80, proxy_protocol: 1, proxy_client_certificate: true}\n",
		    ":7:70:", "needs proxy_protocol: 2" },
		{ TERMINATED(
		      ", mutual_tls_certificate_authorities: c") "    upstream:"
								 " {url: 80, proxy_protocol: 2, proxy_tlvs: none,"
								 " proxy_client_certificate: true}\n",
		    ":7:88:", "needs proxy_protocol: 2 with its TLVs" },
	};
	struct agent_settings settings;
	char *told;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(read_text(&settings, cases[i].text, &told), EX_CONFIG);
		if (!strstr(told, cases[i].context) || !strstr(told, cases[i].said))
			fail_msg("case %zu: not %s %s but:\n%s", i, cases[i].context, cases[i].said,
			    told);
		free(told);
		agent_settings_wipe(&settings);
	}
}

static void
tells_a_missing_file_from_a_wrong_one(void **state)
{
	struct agent_settings settings;
	char *told;
	size_t bytes;
	FILE *messages = open_memstream(&told, &bytes);

	(void)state;
	assert_int_equal(
	    agent_settings_read(&settings, "/nonexistent/agent.yml", messages), EX_NOINPUT);
	fclose(messages);
	assert_non_null(strstr(told, "/nonexistent/agent.yml"));
	free(told);
	agent_settings_wipe(&settings);
}

static void
reads_the_policy_for_expired_crls(void **state)
{
	static const struct {
		const char *text;
		bool fine;
		enum crl_expired policy;
		int64_t grace_s;
	} cases[] = {
		{ "reject", true, CRL_EXPIRED_REJECT, 0 },
		{ "allow", true, CRL_EXPIRED_ALLOW, 0 },
		{ "grace", true, CRL_EXPIRED_GRACE, 86400 },
		{ "grace 90m", true, CRL_EXPIRED_GRACE, 5400 },
		{ "grace90m", false, 0, 0 },
		{ "grace 90", false, 0, 0 },
		{ "", false, 0, 0 },
		{ "gracious", false, 0, 0 },
	};
	enum crl_expired policy;
	int64_t grace_s;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(
		    trust_rows_expired(cases[i].text, &policy, &grace_s), cases[i].fine);
		if (!cases[i].fine)
			continue;
		assert_int_equal(policy, cases[i].policy);
		assert_int_equal(grace_s, cases[i].grace_s);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(fills_in_the_defaults),
	cmocka_unit_test(takes_relays_as_texts_and_as_mappings),
	cmocka_unit_test(judges_lists_of_very_many),
	cmocka_unit_test(asks_for_client_certificates_as_told_or_as_the_cas_say),
	cmocka_unit_test(several_certificates_are_a_list_behind_the_first_or_without_one),
	cmocka_unit_test(an_address_is_trusted_unsealed_only_where_that_is_said),
	cmocka_unit_test(a_header_says_all_unless_it_is_told_not_to),
	cmocka_unit_test(an_upstream_is_unverified_only_where_that_is_said),
	cmocka_unit_test(an_agent_may_only_forward),
	cmocka_unit_test(several_upstreams_are_a_list_by_itself_or_in_the_mapping),
	cmocka_unit_test(a_probe_is_an_interval_or_a_mapping),
	cmocka_unit_test(refuses_what_does_not_go_together),
	cmocka_unit_test(tells_a_missing_file_from_a_wrong_one),
	cmocka_unit_test(reads_the_policy_for_expired_crls),
};
RUN_TESTS("agent/settings", tests)
