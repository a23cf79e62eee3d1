/* Tests of agent/forward_command: command lines that become forwards. */
#include "agent/forward_command.h"

#include <sysexits.h>

#include "command_line.h"
#include "helpers.h"

#define LISTEN "unix:/run/app.sock"
#define NAME "tls://app.test"
/* Any file that can be read will do: no file is looked into here. */
#define FILES "--crt", "/dev/null", "--key", "/dev/null", "--cas", "/dev/null"
#define NEEDED LISTEN, NAME, FILES
#define PIN "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static int
read_words(struct agent_settings *settings, const char *const *words)
{
	return read_command_line(forward_command_read, settings, words);
}

static void
makes_a_forward_of_the_least_that_is_needed(void **state)
{
	const char *const words[] = { "forward", NEEDED, NULL };
	struct agent_settings settings;
	const struct forward_settings *forward;

	(void)state;
	assert_int_equal(read_words(&settings, words), 0);
	assert_int_equal(settings.endpoints.count, 0);
	assert_int_equal(settings.connect_url.count, 0);
	assert_int_equal(settings.forwards.count, 1);
	assert_null(settings.state_dir);
	forward = agent_settings_forward(&settings, 0);
	assert_int_equal(forward->listener.as.any.sa_family, AF_UNIX);
	assert_string_equal(forward->server_name, "app.test");
	assert_int_equal(forward->upstream.parsed.kind, UPSTREAM_TLS);
	assert_string_equal(forward->upstream.parsed.target, "app.test:443");
	assert_string_equal(forward->upstream.parsed.host, "app.test");
	assert_false(forward->upstream.is_unverified);
	assert_int_equal(forward->upstream.crls.count, 0);
	assert_int_equal(forward->flows, 1000);
	assert_null(agent_settings_lent_warning(forward));
	agent_settings_wipe(&settings);
}

static void
takes_every_option_in_any_order(void **state)
{
	const char *const words[] = { "forward", "--pin", PIN "," PIN, "[::1]:5000", "--crls",
		"/dev/null", FILES, "--alpn=h2", "tls://app.test:8443", "--address",
		"192.0.2.1:444", NULL };
	struct agent_settings settings;
	const struct forward_settings *forward;

	(void)state;
	assert_int_equal(read_words(&settings, words), 0);
	forward = agent_settings_forward(&settings, 0);
	assert_int_equal(forward->upstream.spki.count, 2);
	assert_string_equal(forward->upstream.spki.items[1], PIN);
	assert_int_equal(forward->upstream.crls.count, 1);
	assert_string_equal(forward->alpn, "h2");
	assert_string_equal(forward->upstream.parsed.target, "192.0.2.1:444");
	assert_string_equal(forward->upstream.parsed.host, "app.test");
	assert_non_null(agent_settings_lent_warning(forward));
	agent_settings_wipe(&settings);
}

static void
goes_by_a_proxy(void **state)
{
	const char *const words[] = { "forward", NEEDED, "--proxy", "environment", NULL };
	struct agent_settings settings;

	(void)state;
	assert_int_equal(read_words(&settings, words), 0);
	assert_string_equal(settings.proxy.url, "environment");
	agent_settings_wipe(&settings);
}

static void
refuses_what_makes_no_sense(void **state)
{
	static const struct {
		int code;
		const char *words[ARGUMENTS_MOST];
	} cases[] = {
		{ EX_USAGE, { "forward", NULL } },
		{ EX_USAGE, { "forward", LISTEN, FILES, NULL } },
		{ EX_USAGE, { "forward", LISTEN, NAME, NAME, FILES, NULL } },
		{ EX_USAGE,
		    { "forward", LISTEN, NAME, "--crt", "/dev/null", "--key", "/dev/null", NULL } },
		{ EX_USAGE,
		    { "forward", LISTEN, NAME, "--crt", "/dev/null", "--cas", "/dev/null", NULL } },
		{ EX_USAGE, { "forward", NEEDED, "--crt", "/dev/null", NULL } },
		{ EX_USAGE, { "forward", NEEDED, "--frobnicate", NULL } },
		{ EX_USAGE, { "forward", "0.0.0.0:80", NAME, FILES, NULL } },
		{ EX_USAGE, { "forward", "192.0.2.1:80", NAME, FILES, NULL } },
		{ EX_USAGE, { "forward", "[::]:80", NAME, FILES, NULL } },
		{ EX_USAGE, { "forward", "[2001:db8::1]:80", NAME, FILES, NULL } },
		{ EX_USAGE, { "forward", "[::ffff:192.0.2.1]:80", NAME, FILES, NULL } },
		{ EX_USAGE, { "forward", "127.0.0.1:0", NAME, FILES, NULL } },
		{ EX_USAGE, { "forward", "localhost:80", NAME, FILES, NULL } },
		{ EX_USAGE, { "forward", "app.sock", NAME, FILES, NULL } },
		{ EX_USAGE, { "forward", "unix:app.sock", NAME, FILES, NULL } },
		{ EX_USAGE, { "forward", LISTEN, "tls://*.app.test", FILES, NULL } },
		{ EX_USAGE, { "forward", LISTEN, "tls://192.0.2.1", FILES, NULL } },
		{ EX_USAGE, { "forward", LISTEN, "tcp://app.test:80", FILES, NULL } },
		{ EX_USAGE, { "forward", NEEDED, "--address", "192.0.2.1", NULL } },
		{ EX_USAGE, { "forward", NEEDED, "--pin", "0123", NULL } },
		{ EX_USAGE, { "forward", NEEDED, "--pin", PIN ",", NULL } },
		{ EX_USAGE, { "forward", NEEDED, "--alpn", "", NULL } },
		{ EX_USAGE, { "forward", NEEDED, "--alpn", "H2", NULL } },
		{ EX_NOINPUT, { "forward", NEEDED, "--crls", "/nonexistent", NULL } },
	};
	struct agent_settings settings;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		if (read_words(&settings, cases[i].words) != cases[i].code)
			fail_msg("case %zu is judged wrongly", i);
		agent_settings_wipe(&settings);
	}
}

static void
listens_anywhere_on_the_loopback(void **state)
{
	static const char *const listeners[] = { "127.0.0.1:1", "127.200.0.1:65535", "[::1]:1",
		"[::ffff:127.0.0.1]:1" };
	struct agent_settings settings;

	(void)state;
	for (size_t i = 0; i < COUNT(listeners); i++) {
		const char *const words[] = { "forward", listeners[i], NAME, FILES, NULL };

		assert_int_equal(read_words(&settings, words), 0);
		agent_settings_wipe(&settings);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(makes_a_forward_of_the_least_that_is_needed),
	cmocka_unit_test(takes_every_option_in_any_order),
	cmocka_unit_test(goes_by_a_proxy),
	cmocka_unit_test(refuses_what_makes_no_sense),
	cmocka_unit_test(listens_anywhere_on_the_loopback),
};
RUN_TESTS("agent/forward_command", tests)
