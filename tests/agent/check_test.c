/* Tests of agent/check: what it warns of, and its exit code. */
#include "agent/check.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sysexits.h>

#include "mint.h"

static struct test_mint mint;
static char told[8192];

/* Each `@` becomes the mint's directory. */
static void
write_config(const char *text)
{
	char body[4096];
	size_t bytes = 0;

	for (; *text && bytes + sizeof mint.dir < sizeof body; text++) {
		if (*text == '@')
			bytes += (size_t)snprintf(body + bytes, sizeof mint.dir, "%s", mint.dir);
		else
			body[bytes++] = *text;
	}
	mint_write(&mint, "agent.yml", body, bytes);
}

/* Checks this configuration; its output goes to `told`. */
static int
check_text(const char *text)
{
	char path[128], said[128];
	int kept_out, kept_error, fd, code;
	ssize_t got;

	write_config(text);
	fd = open(mint_path(&mint, "said", said), O_CREAT | O_TRUNC | O_RDWR, 0600);
	assert_true(fd >= 0);
	fflush(stdout);
	kept_out = dup(STDOUT_FILENO);
	kept_error = dup(STDERR_FILENO);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	code = agent_check_run(mint_path(&mint, "agent.yml", path));
	fflush(stdout);
	dup2(kept_out, STDOUT_FILENO);
	dup2(kept_error, STDERR_FILENO);
	close(kept_out);
	close(kept_error);
	got = pread(fd, told, sizeof told - 1, 0);
	told[got > 0 ? got : 0] = '\0';
	close(fd);
	return code;
}

#define HEAD \
	"version: 1\nagent: {connect_url: 'r:1', connect_cas: @/root.crt," \
	" certificate: @/agent.crt, private_key: @/agent.key}\nendpoints:\n"

#define FORWARD(listen, certificate) \
	"version: 1\nforwards:\n  - {name: f, url: 'tls://app.test', cas: @/root.crt, listen: " listen \
	",\n     certificate: @/" certificate ".crt, private_key: @/" certificate ".key}\n"

static void
assert_told(const char *words)
{
	if (!strstr(told, words))
		fail_msg("\"%s\" is not in:\n%s", words, told);
}

static void
says_no_to_certificates_that_do_not_fit(void **state)
{
	(void)state;
	assert_int_equal(
	    check_text(
		HEAD "  - {name: a, url: 'tls://b.test', upstream: 80, agent_tls_termination:"
		     " {server_certificate: @/app.crt, server_private_key: @/app.key}}\n"),
	    1);
	assert_told("agent.yml:4:20: ");
	assert_told("does not cover b.test: relays will refuse the endpoint");
	assert_told("does not cover b.test: clients will refuse it");
	assert_null(strstr(told, "is not an agent's certificate"));
	assert_told("broken; endpoints: 1, relays: 1");
	assert_int_equal(
	    check_text("version: 1\nagent: {connect_url: 'r:1', connect_cas: @/root.crt,"
		       " certificate: @/client.crt, private_key: @/client.key}\nendpoints:\n"
		       "  - {name: a, url: 'tls://app.test', upstream: 80}\n"),
	    1);
	assert_told("is not an agent's certificate");
}

#define FETCHING(url, name) \
	"version: 1\nagent: {connect_url: 'r:1', connect_cas: @/root.crt, certificate: @/agent.crt," \
	" private_key: @/agent.key,\n    state_dir: @, connect_crl_url: 'http://crls.test/a.crl'," \
	" renew: {url: '" url "', cas: @/root.crt}}\nendpoints:\n" \
	"  - {name: a, url: 'tls://" name "', upstream: 80}\n"

static void
warns_of_an_authority_behind_the_agent_itself(void **state)
{
	(void)state;
	assert_int_equal(check_text(FETCHING("https://pki.test", "app.test")), 0);
	assert_null(strstr(told, "of this very agent"));
	check_text(FETCHING("https://APP.test:8443", "app.test"));
	assert_told("agent.yml:3:");
	assert_told("https://APP.test:8443 is behind endpoint a of this very agent");
	assert_told("have the relay forward app.test by a static route");
	check_text(FETCHING("https://pki.test", "*.test"));
	assert_told("https://pki.test is behind endpoint a of this very agent");
	assert_told("http://crls.test/a.crl is behind endpoint a of this very agent");
}

#define SERVED(name) \
	HEAD "  - {name: a, url: 'tls://app.test', upstream: 80, agent_tls_termination:" \
	     " {server_certificate: @/" name ".crt, server_private_key: @/" name ".key}}\n"

static void
says_no_to_what_clients_refuse(void **state)
{
	(void)state;
	mint_leaf_with(&mint, "weak", "app.test",
	    &(struct mint_options){ .algorithm = GNUTLS_PK_RSA, .bits = 1024 });
	mint_leaf_with(&mint, "sha1", "app.test", &(struct mint_options){ .sha1 = true });
	assert_int_equal(check_text(SERVED("weak")), 1);
	assert_told("weak.crt has an RSA key of 1024 bits, which is too weak");
	assert_int_equal(check_text(SERVED("sha1")), 1);
	assert_told("sha1.crt is signed with ECDSA with SHA-1");
	assert_int_equal(check_text(SERVED("client")), 1);
	assert_told("client.crt is not for servers");
	assert_int_equal(check_text(SERVED("app")), 0);
}

/* A client asks for no purpose where none is said. */
static void
says_nothing_of_a_certificate_without_purposes(void **state)
{
	(void)state;
	mint_leaf_with(&mint, "any", "app.test", &(struct mint_options){ .purpose = "" });
	assert_int_equal(check_text(SERVED("any")), 0);
	assert_null(strstr(told, "any.crt"));
	assert_int_equal(check_text(FORWARD("'unix:/run/f'", "any")), 0);
	assert_null(strstr(told, "any.crt"));
}

static void
judges_forwards_by_their_files(void **state)
{
	(void)state;
	mint_leaf(&mint, "vendor", "vendor", GNUTLS_KP_TLS_WWW_CLIENT);
	assert_int_equal(check_text(FORWARD("'unix:/run/f'", "vendor")), 0);
	assert_told("fine; endpoints: 0, relays: 0, forwards: 1");
	assert_null(strstr(told, "every user"));
	assert_int_equal(check_text(FORWARD("'127.0.0.1:1'", "app")), 1);
	assert_told("agent.yml:3:91: warning: 127.0.0.1:1: every user");
	assert_told("agent.yml:4:19: ");
	assert_told("app.crt is not for clients");
	assert_told("forwards.cas: no CRLs are configured");
	assert_int_equal(check_text(FORWARD("'unix:/run/f'", "none")), EX_CONFIG);
	assert_told("agent.yml:4:19: forward f: ");
}

static void
warns_of_names_for_which_a_list_has_no_certificate(void **state)
{
	static const char listed[] = HEAD
	    "  - {name: a, url: 'tls://*.app.test', upstream: 80, agent_tls_termination:\n"
	    "     {server_certificates: [{server_certificate: @/one.crt, server_private_key: @/one.key},"
	    " {server_certificate: @/%s.crt, server_private_key: @/%s.key}]}}\n";
	char text[1024];

	(void)state;
	mint_leaf(&mint, "one", "one.app.test", GNUTLS_KP_TLS_WWW_SERVER);
	mint_leaf(&mint, "all", "*.app.test", GNUTLS_KP_TLS_WWW_SERVER);
	snprintf(text, sizeof text, listed, "app", "app");
	assert_int_equal(check_text(text), 0);
	assert_told("no certificate of endpoint a covers all of *.app.test");
	assert_told("agent.yml:5:");
	assert_told("app.crt does not cover *.app.test: clients will refuse it");
	assert_null(strstr(told, "one.crt does not"));
	snprintf(text, sizeof text, listed, "all", "all");
	assert_int_equal(check_text(text), 0);
	assert_null(strstr(told, "no certificate of"));
	snprintf(text, sizeof text, listed, "all", "app");
	assert_int_equal(check_text(text), EX_CONFIG);
	assert_told("all.crt, ");
	assert_told("the private key does not belong to the certificate");
}

static void
warns_when_http2_may_carry_another_endpoints_requests(void **state)
{
	static const char two[] =
	    HEAD "  - {name: a, url: 'tls://app.test', upstream: 80, agent_tls_termination:"
		 " {server_certificate: @/wide.crt, server_private_key: @/wide.key, alpn: [h2, "
		 "http/1.1]}}\n"
		 "  - {name: b, url: 'tls://www.app.test', upstream: 80, agent_tls_termination:"
		 " {server_certificate: @/wide.crt, server_private_key: @/wide.key}}\n";

	(void)state;
	mint_leaf_with(
	    &mint, "wide", "*.app.test", &(struct mint_options){ .second_host = "app.test" });
	assert_int_equal(check_text(two), 0);
	assert_told("covers www.app.test of endpoint b too: HTTP/2 clients");
}

static const char crossed[] =
    HEAD "  - {name: a, url: 'tls://app.test', upstream: %s, agent_tls_termination:"
	 " {server_certificate: @/both.crt, server_private_key: @/both.key, %s}}\n"
	 "  - {name: b, url: 'tls://www.app.test', upstream: %s%s}\n";

static bool
is_crossed(const char *ours, const char *mutual, const char *theirs, const char *termination)
{
	char text[4096];

	snprintf(text, sizeof text, crossed, ours, mutual, theirs, termination);
	assert_int_equal(check_text(text), 0);
	return strstr(told, "and may ask it for app.test in the HTTP Host") != NULL;
}

static void
warns_when_a_shared_upstream_lets_others_past_client_certificates(void **state)
{
	static const char require[] = "mutual_tls_certificate_authorities: @/root.crt",
			  request[] = "mutual_tls_certificate_authorities: @/root.crt, "
				      "mutual_tls: request";
	static const char likewise[] =
	    ", agent_tls_termination: {server_certificate: @/both.crt, server_private_key: @/both.key,"
	    " mutual_tls_certificate_authorities: @/root.crt}";

	(void)state;
	assert_true(is_crossed("80", require, "'tcp://127.0.0.1:80'", ""));
	assert_true(is_crossed("unix:/run/a", require, "unix:/run/a", ""));
	assert_false(is_crossed("80", require, "81", ""));
	assert_false(is_crossed("80", require, "80", likewise));
	assert_false(is_crossed("80", request, "80", ""));
}

/* The same CAs, but not the same people. */
static void
warns_when_a_shared_upstream_lets_others_past_rules_on_clients(void **state)
{
#define CAS "mutual_tls_certificate_authorities: @/root.crt"
#define TERMINATED(keys) \
	", agent_tls_termination: {server_certificate: @/both.crt, server_private_key: @/both.key," \
	" " CAS keys "}"
	static const char ruled[] = CAS ", clients: [{cn: a}]";

	(void)state;
	assert_true(is_crossed("80", ruled, "80", TERMINATED("")));
	assert_true(is_crossed("80", ruled, "80", TERMINATED(", clients: [{cn: b}]")));
	assert_false(is_crossed("80", ruled, "80", TERMINATED(", clients: [{cn: a}]")));
	assert_false(is_crossed("80", CAS, "80", TERMINATED(", clients: [{cn: a}]")));
}

#define ENDED(upstream) \
	HEAD \
	    "  - {name: a, url: 'tls://app.test', agent_tls_termination: {server_certificate: " \
	    "@/app.crt, server_private_key: @/app.key},\n     upstream: {url: 'tls://up:443', " upstream \
	    "}}\n"

static void
judges_the_certificate_that_an_upstream_is_shown(void **state)
{
	(void)state;
	mint_leaf_until(&mint, "gone", "app.test", GNUTLS_KP_TLS_WWW_CLIENT, -60);
	assert_int_equal(check_text(ENDED("cas: @/root.crt, certificate: @/agent.crt,"
					  " private_key: @/agent.key")),
	    0);
	assert_null(strstr(told, "is not for clients"));
	assert_int_equal(check_text(ENDED("cas: @/root.crt, certificate: @/app.crt,"
					  " private_key: @/app.key")),
	    1);
	assert_told("agent.yml:5:96: ");
	assert_told("app.crt is not for clients");
	assert_int_equal(check_text(ENDED("cas: @/root.crt, certificate: @/gone.crt,"
					  " private_key: @/gone.key")),
	    1);
	assert_told("gone.crt has expired");
	assert_int_equal(check_text(ENDED("cas: @/root.crt, certificate: @/agent.crt,"
					  " private_key: @/gone.key")),
	    EX_CONFIG);
	assert_told("agent.yml:5:96: endpoint a: ");
	assert_told("the private key does not belong to the certificate");
	assert_int_equal(check_text(ENDED("cas: @/root.crt, certificate: @/none.crt,"
					  " private_key: @/app.key")),
	    EX_CONFIG);
	assert_told("none.crt");
}

static void
warns_of_an_upstream_that_nobody_verifies(void **state)
{
	(void)state;
	assert_int_equal(check_text(ENDED("insecure_skip_verify: true")), 0);
	assert_told("agent.yml:5:60: warning: insecure_skip_verify: whoever answers");
}

static void
says_no_when_a_certificate_has_expired(void **state)
{
	(void)state;
	mint_leaf_until(&mint, "old", "app.test", GNUTLS_KP_TLS_WWW_SERVER, -60);
	assert_int_equal(
	    check_text(
		HEAD "  - {name: a, url: 'tls://app.test', upstream: 80, agent_tls_termination:"
		     " {server_certificate: @/old.crt, server_private_key: @/old.key}}\n"),
	    1);
	assert_told("has expired");
	assert_told("expired; endpoints: 1");
}

static void
warns_in_the_last_third_of_a_life(void **state)
{
	(void)state;
	mint_leaf_until(&mint, "late", "app.test", GNUTLS_KP_TLS_WWW_SERVER, 3000);
	assert_int_equal(
	    check_text(
		HEAD "  - {name: a, url: 'tls://app.test', upstream: 80, agent_tls_termination:"
		     " {server_certificate: @/late.crt, server_private_key: @/late.key}}\n"),
	    2);
	assert_told("late.crt expires in 0 days");
	assert_told("soon; endpoints: 1");
}

static void
tells_a_file_that_cannot_be_used(void **state)
{
	(void)state;
	assert_int_equal(
	    check_text(
		HEAD "  - {name: a, url: 'tls://app.test', upstream: 80, agent_tls_termination:"
		     " {server_certificate: @/none.crt, server_private_key: @/app.key}}\n"),
	    EX_CONFIG);
	assert_told("endpoint a: ");
	assert_told("none.crt");
	assert_int_equal(
	    check_text(
		HEAD "  - {name: a, url: 'tls://app.test', upstream: 80, agent_tls_termination:"
		     " {server_certificate: @/app.crt, server_private_key: @/agent.key}}\n"),
	    EX_CONFIG);
	assert_told("agent.yml:4:96: endpoint a: ");
	assert_told("app.crt, ");
	assert_told("agent.key: the private key does not belong to the certificate; ");
	assert_int_equal(
	    check_text(
		"version: 1\nagent:\n  connect_url: 'r:1'\n  connect_cas: /nonexistent/ca.crt\n"
		"  certificate: @/agent.crt\n  private_key: @/agent.key\n"
		"endpoints: [{name: a, url: 'tls://app.test', upstream: 80}]\n"),
	    EX_CONFIG);
	assert_told("agent.yml:4:16: /nonexistent/ca.crt: cannot read");
	assert_int_equal(agent_check_run("/nonexistent/agent.yml"), EX_NOINPUT);
}

static int
set_up(void **state)
{
	(void)state;
	mint_open(&mint);
	mint_leaf(&mint, "app", "app.test", GNUTLS_KP_TLS_WWW_SERVER);
	mint_leaf_with(
	    &mint, "both", "app.test", &(struct mint_options){ .second_host = "www.app.test" });
	mint_leaf_with(&mint, "agent", "app.test",
	    &(struct mint_options){ .purpose = GNUTLS_KP_TLS_WWW_CLIENT,
		.grant = "shop",
		.second_host = "*.app.test" });
	mint_leaf(&mint, "client", "app.test", GNUTLS_KP_TLS_WWW_CLIENT);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	mint_close(&mint);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_no_to_certificates_that_do_not_fit),
		cmocka_unit_test(warns_of_an_authority_behind_the_agent_itself),
		cmocka_unit_test(says_no_to_what_clients_refuse),
		cmocka_unit_test(says_nothing_of_a_certificate_without_purposes),
		cmocka_unit_test(warns_of_names_for_which_a_list_has_no_certificate),
		cmocka_unit_test(judges_forwards_by_their_files),
		cmocka_unit_test(warns_when_http2_may_carry_another_endpoints_requests),
		cmocka_unit_test(warns_when_a_shared_upstream_lets_others_past_client_certificates),
		cmocka_unit_test(warns_when_a_shared_upstream_lets_others_past_rules_on_clients),
		cmocka_unit_test(judges_the_certificate_that_an_upstream_is_shown),
		cmocka_unit_test(warns_of_an_upstream_that_nobody_verifies),
		cmocka_unit_test(says_no_when_a_certificate_has_expired),
		cmocka_unit_test(warns_in_the_last_third_of_a_life),
		cmocka_unit_test(tells_a_file_that_cannot_be_used),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("agent/check", tests, set_up, tear_down);
}
