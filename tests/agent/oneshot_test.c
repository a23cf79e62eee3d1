/* Tests of agent/oneshot: command lines that become settings. */
#include "agent/oneshot.h"

#include <sysexits.h>

#include "command_line.h"
#include "helpers.h"

/* Any file that can be read will do: oneshot_read() looks no further. */
#define FILES "--relay-ca", "/dev/null", "--agent-crt", "/dev/null", "--agent-key", "/dev/null"
#define NEEDED "--url", "tls://app.test", "--relay", "relay.test:443", FILES

static int
read_words(struct agent_settings *settings, const char *const *words)
{
	return read_command_line(oneshot_read, settings, words);
}

static void
makes_a_passthrough_endpoint_of_the_least_that_is_needed(void **state)
{
	const char *const words[] = { "tls", "8443", NEEDED, NULL };
	struct agent_settings settings;

	(void)state;
	assert_int_equal(read_words(&settings, words), 0);
	assert_int_equal(settings.endpoints.count, 1);
	assert_string_equal(agent_settings_endpoint(&settings, 0)->server_name, "app.test");
	assert_false(agent_settings_endpoint(&settings, 0)->terminates);
	assert_int_equal(agent_settings_endpoint(&settings, 0)->upstream.url.count, 1);
	assert_string_equal(agent_settings_endpoint(&settings, 0)->upstream.url.items[0], "8443");
	assert_null(settings.state_dir);
	assert_int_equal(settings.connect_crls.count, 0);
	agent_settings_wipe(&settings);
}

static void
takes_every_option_in_any_order(void **state)
{
	const char *const words[] = { "tls", NEEDED, "--crt", "/dev/null", "--relay-crl",
		"/dev/null", "--mutual-tls-crls", "/dev/null", "--mutual-tls-cas", "/dev/null",
		"tls://up:443", "--key", "/dev/null", "--upstream-proxy-protocol=2", NULL };
	struct agent_settings settings;
	const struct endpoint_settings *endpoint;

	(void)state;
	assert_int_equal(read_words(&settings, words), 0);
	endpoint = agent_settings_endpoint(&settings, 0);
	assert_true(endpoint->terminates);
	assert_int_equal(endpoint->termination.mutual_tls, MUTUAL_REQUIRE);
	assert_int_equal(endpoint->termination.crls.count, 1);
	assert_int_equal(endpoint->upstream.proxy_protocol, 2);
	assert_int_equal(endpoint->upstream.kind, UPSTREAM_TLS);
	assert_int_equal(settings.connect_crls.count, 1);
	agent_settings_wipe(&settings);
}

static void
has_its_certificate_by_acme(void **state)
{
	const char *const words[] = { "tls", "8080", NEEDED, "--acme", "you@example.com",
		"--state-dir", "/state", NULL };
	struct agent_settings settings;
	const struct termination_settings *termination;

	(void)state;
	assert_int_equal(read_words(&settings, words), 0);
	assert_null(settings.state_dir);
	assert_true(agent_settings_endpoint(&settings, 0)->terminates);
	termination = &agent_settings_endpoint(&settings, 0)->termination;
	assert_true(termination->acme.has_agreed);
	assert_string_equal(termination->acme.contact.items[0], "you@example.com");
	assert_string_equal(termination->acme.directory, ACME_USUAL_DIRECTORY);
	assert_string_equal(termination->first.certificate, "/state/acme/app.test.crt");
	agent_settings_wipe(&settings);
}

static void
goes_by_a_proxy(void **state)
{
	const char *const words[] = { "tls", "8080", NEEDED, "--proxy", "socks5://p.test:1080",
		"--proxy-user", "joe", "--proxy-password-file", "/dev/null", NULL };
	struct agent_settings settings;

	(void)state;
	assert_int_equal(read_words(&settings, words), 0);
	assert_string_equal(settings.proxy.url, "socks5://p.test:1080");
	assert_string_equal(settings.proxy.username, "joe");
	assert_string_equal(settings.proxy.password_file, "/dev/null");
	assert_string_equal(agent_settings_relay(&settings, 0)->label, "relay.test:443");
	agent_settings_wipe(&settings);
}

static void
refuses_what_makes_no_sense(void **state)
{
	static const struct {
		int code;
		const char *words[ARGUMENTS_MOST];
	} cases[] = {
		{ EX_USAGE, { "tls", NULL } },
		{ EX_USAGE, { "tls", "8080", NULL } },
		{ EX_USAGE, { "tls", NEEDED, NULL } },
		{ EX_USAGE, { "tls", "8080", "8081", NEEDED, NULL } },
		{ EX_USAGE, { "tls", "8080", NEEDED, "--url", "tls://b.test", NULL } },
		{ EX_USAGE, { "tls", "8080", NEEDED, "--frobnicate", NULL } },
		{ EX_USAGE, { "tls", "8080", NEEDED, "--crt", NULL } },
		{ EX_USAGE, { "tls", "8080", NEEDED, "--crt", "/dev/null", NULL } },
		{ EX_USAGE, { "tls", "8080", NEEDED, "--key", "/dev/null", NULL } },
		{ EX_USAGE, { "tls", "8080", NEEDED, "--mutual-tls-cas", "/dev/null", NULL } },
		{ EX_USAGE,
		    { "tls", "8080", NEEDED, "--crt", "/dev/null", "--key", "/dev/null",
			"--mutual-tls-crls", "/dev/null", NULL } },
		{ EX_USAGE, { "tls", "tls://up:443", NEEDED, NULL } },
		{ EX_USAGE, { "tls", "http://up:443", NEEDED, NULL } },
		{ EX_USAGE, { "tls", "8080", NEEDED, "--upstream-proxy-protocol", "3", NULL } },
		{ EX_USAGE, { "tls", "8080", "--url", "app.test", "--relay", "r:1", FILES, NULL } },
		{ EX_USAGE,
		    { "tls", "8080", "--url", "tls://app.test", "--relay", "r", FILES, NULL } },
		{ EX_USAGE, { "tls", "8080", NEEDED, "--acme", "nobody", NULL } },
		{ EX_USAGE, { "tls", "8080", NEEDED, "--state-dir", "/state", NULL } },
		{ EX_USAGE,
		    { "tls", "8080", NEEDED, "--acme", "a@b.test", "--acme-directory", "http://ca/",
			NULL } },
		{ EX_USAGE,
		    { "tls", "8080", NEEDED, "--acme", "a@b.test", "--crt", "/dev/null", "--key",
			"/dev/null", "--state-dir", "/state", NULL } },
		{ EX_USAGE, { "tls", "8080", NEEDED, "--proxy", "ftp://p:1", NULL } },
		{ EX_USAGE,
		    { "tls", "8080", NEEDED, "--proxy", "http://p:1", "--proxy-user", "joe",
			NULL } },
		{ EX_USAGE,
		    { "tls", "8080", NEEDED, "--proxy-user", "joe", "--proxy-password-file",
			"/dev/null", NULL } },
		{ EX_USAGE,
		    { "tls", "8080", NEEDED, "--proxy", "http://p:1", "--proxy-user", "j:e",
			"--proxy-password-file", "/dev/null", NULL } },
		{ EX_NOINPUT, { "tls", "8080", NEEDED, "--relay-crl", "/nonexistent", NULL } },
	};
	struct agent_settings settings;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int code = read_words(&settings, cases[i].words);

		if (code != cases[i].code)
			fail_msg("case %zu gives %d", i, code);
		agent_settings_wipe(&settings);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(makes_a_passthrough_endpoint_of_the_least_that_is_needed),
	cmocka_unit_test(takes_every_option_in_any_order),
	cmocka_unit_test(has_its_certificate_by_acme),
	cmocka_unit_test(goes_by_a_proxy),
	cmocka_unit_test(refuses_what_makes_no_sense),
};
RUN_TESTS("agent/oneshot", tests)
