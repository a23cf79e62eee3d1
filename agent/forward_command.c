/* `valise-agent forward`: turns a command line into the settings of one forward. */
#include "agent/forward_command.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "agent/command.h"
#include "agent/settings.h"
#include "base/log.h"
#include "pki/spki_pin.h"

static const char command[] = "forward";

enum forward_option {
	CRT,
	KEY,
	CAS,
	CRLS,
	PIN,
	ADDRESS,
	ALPN,
	PROXY_URL,
	PROXY_USER,
	PROXY_PASSWORD,
	OPTIONS
};

const struct program_option forward_command_options[OPTIONS + 1] = {
	[CRT] = { "crt", 0, "FILE", "the certificate that is shown", NULL, true, true },
	[KEY] = { "key", 0, "FILE", "its key", NULL, true, true },
	[CAS] = { "cas", 0, "FILE", "the CAs that the server is judged by", NULL, true, true },
	[CRLS] = { "crls", 0, "FILE", "their CRLs", NULL, false, true },
	[PIN] = PROGRAM_OPTION("pin", "SPKI[,SPKI]...", "the keys that the server may have"),
	[ADDRESS] = PROGRAM_OPTION(
	    "address", "HOST:PORT", "where the name is reached, instead of by its own addresses"),
	[ALPN] = PROGRAM_OPTION("alpn", "NAME", "the protocol that is asked for"),
	[PROXY_URL] = PROGRAM_OPTION(
	    "proxy", "URL", "reach it by this proxy; environment: by that of the environment"),
	[PROXY_USER] = { "proxy-user", 0, "NAME", "who asks the proxy", "proxy-password-file",
	    false, false },
	[PROXY_PASSWORD] = { "proxy-password-file", 0, "FILE", "with which password", "proxy-user",
	    false, true },
};

enum forward_word { LISTEN, NAME, WORDS };

static const struct program_command command_line = { command, "LISTEN tls://NAME[:PORT]", "",
	forward_command_options, NULL };

static const char *const wanted[] = { "where to LISTEN, for example unix:/run/user/1000/app.sock",
	"the public name, for example tls://app.example.com", NULL };

static struct command_proxy
proxy_of(const char *values[OPTIONS])
{
	return (
	    struct command_proxy){ values[PROXY_URL], values[PROXY_USER], values[PROXY_PASSWORD] };
}

static void
fill_forward(
    struct forward_settings *forward, const char *values[OPTIONS], const char *words[WORDS])
{
	forward->name = command_copy(command);
	forward->listen = command_copy(words[LISTEN]);
	forward->url = command_copy(words[NAME]);
	forward->address = command_copy(values[ADDRESS]);
	forward->upstream.certificate = command_copy(values[CRT]);
	forward->upstream.private_key = command_copy(values[KEY]);
	command_list(&forward->upstream.cas, values[CAS], "");
	command_list(&forward->upstream.crls, values[CRLS], "");
	command_list(&forward->upstream.spki, values[PIN], ",");
	forward->upstream.connect_ms = FORWARD_CONNECT_MS;
	forward->alpn = command_copy(values[ALPN]);
	forward->flows = FORWARD_FLOWS;
	forward->half_closed_ms = FORWARD_HALF_CLOSED_MS;
}

static void
fill(struct agent_settings *settings, const char *values[OPTIONS], const char *words[WORDS])
{
	const struct command_proxy proxy = proxy_of(values);

	settings->version = 1;
	command_fill_proxy(&settings->proxy, &proxy);
	settings->workers = command_copy("1"); /* it has no flows but those of the forward */
	settings->has_key_process = true;
	settings->pool_most = 1;
	settings->limits.handshakes = 1;
	settings->log.level = LOG_INFO;
	settings->log.format = LOG_AUTO;
	settings->forwards.items = calloc(1, sizeof(struct forward_settings));
	if (!settings->forwards.items)
		abort();
	settings->forwards.count = 1;
	fill_forward(settings->forwards.items, values, words);
}

/* By the checks of the configuration's rows. */
static int
check_values(const struct forward_settings *forward)
{
	const struct {
		const char *key, *option, *text;
	} values[] = {
		{ "listen", "", forward->listen },
		{ "url", "", forward->url },
		{ "address", "--address ", forward->address },
		{ "alpn", "--alpn ", forward->alpn },
	};
	char error[256];

	for (size_t i = 0; i < sizeof values / sizeof *values; i++)
		if (values[i].text &&
		    !agent_settings_is_forward_value(values[i].key, values[i].text, error))
			return command_fail(
			    command, EX_USAGE, "%s%s %s", values[i].option, values[i].text, error);
	for (size_t i = 0; i < forward->upstream.spki.count; i++)
		if (!spki_pin_is(forward->upstream.spki.items[i], error))
			return command_fail(command, EX_USAGE, "--pin %s %s",
			    forward->upstream.spki.items[i], error);
	return 0;
}

int
forward_command_read(struct agent_settings *settings, int count, char **arguments)
{
	struct conf_report report = { .out = stderr, .path = "valise-agent: forward" };
	const char *values[OPTIONS] = { 0 }, *words[WORDS] = { 0 };
	struct command_proxy proxy;
	int code = program_read(&command_line, count, arguments, values, wanted, words);

	memset(settings, 0, sizeof *settings);
	if (code != 0)
		return code;
	proxy = proxy_of(values);
	fill(settings, values, words);
	code = check_values(agent_settings_forward(settings, 0));
	if (code == 0)
		code = command_check_proxy(command, &proxy);
	if (code != 0)
		return code;
	agent_settings_check(settings, &report);
	return report.errors == 0 ? 0 : EX_USAGE;
}
