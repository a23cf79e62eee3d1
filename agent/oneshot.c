/* `valise-agent tls`: turns a command line into the settings of one endpoint. */
#include "agent/oneshot.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "agent/command.h"
#include "agent/settings.h"
#include "base/log.h"
#include "base/units.h"

enum oneshot_option {
	URL,
	RELAY,
	RELAY_CA,
	RELAY_CRL,
	AGENT_CRT,
	AGENT_KEY,
	CRT,
	KEY,
	MUTUAL_CAS,
	MUTUAL_CRLS,
	PROXY,
	OPTIONS
};

static const struct tls_option {
	const char *name;
	bool required, is_file;
	int needs; /* the option that must be given, too; itself: no other */
} option_rows[OPTIONS] = {
	[URL] = { "url", true, false, URL },
	[RELAY] = { "relay", true, false, RELAY },
	[RELAY_CA] = { "relay-ca", true, true, RELAY_CA },
	[RELAY_CRL] = { "relay-crl", false, true, RELAY_CRL },
	[AGENT_CRT] = { "agent-crt", true, true, AGENT_CRT },
	[AGENT_KEY] = { "agent-key", true, true, AGENT_KEY },
	[CRT] = { "crt", false, true, KEY },
	[KEY] = { "key", false, true, CRT },
	[MUTUAL_CAS] = { "mutual-tls-cas", false, true, CRT },
	[MUTUAL_CRLS] = { "mutual-tls-crls", false, true, MUTUAL_CAS },
	[PROXY] = { "upstream-proxy-protocol", false, false, PROXY },
};

/* ---- the command line ---- */

/* Each option has one value; *upstream is the argument that is no option. */
static int
scan(int count, char **arguments, const char *values[OPTIONS], const char **upstream)
{
	struct option options[OPTIONS + 1] = { 0 };
	int got;

	for (int i = 0; i < OPTIONS; i++)
		options[i] = (struct option){ option_rows[i].name, required_argument, NULL, i };
	optind = 1;
	opterr = 0;
	while ((got = getopt_long(count, arguments, ":", options, NULL)) != -1) {
		if (got == ':')
			return command_fail(
			    "tls", EX_USAGE, "%s needs a value", arguments[optind - 1]);
		if (got == '?')
			return command_fail(
			    "tls", EX_USAGE, "%s is not an option here", arguments[optind - 1]);
		if (values[got])
			return command_fail(
			    "tls", EX_USAGE, "--%s is given twice", option_rows[got].name);
		values[got] = optarg;
	}
	if (count - optind != 1)
		return command_fail("tls", EX_USAGE,
		    count == optind ? "give the UPSTREAM, for example tcp://127.0.0.1:8080"
				    : "one UPSTREAM, not several");
	*upstream = arguments[optind];
	return 0;
}

static int
check_together(const char *values[OPTIONS])
{
	for (int i = 0; i < OPTIONS; i++) {
		const struct tls_option *row = &option_rows[i];

		if (row->required && !values[i])
			return command_fail("tls", EX_USAGE, "--%s is missing", row->name);
		if (values[i] && !values[row->needs])
			return command_fail("tls", EX_USAGE, "--%s needs --%s beside it", row->name,
			    option_rows[row->needs].name);
		if (values[i] && row->is_file && access(values[i], R_OK) < 0)
			return command_fail("tls", EX_NOINPUT, "--%s %s: %s", row->name, values[i],
			    strerror(errno));
	}
	return 0;
}

/* ---- the settings ---- */

static char *
copy(const char *text)
{
	char *made = text ? strdup(text) : NULL;

	if (text && !made)
		abort(); /* only start-up may do this */
	return made;
}

static struct conf_texts
one_text(const char *text)
{
	struct conf_texts texts = { 0 };

	if (!text)
		return texts;
	texts.items = calloc(1, sizeof *texts.items);
	texts.marks = calloc(1, sizeof *texts.marks);
	if (!texts.items || !texts.marks)
		abort();
	texts.items[0] = copy(text);
	texts.count = 1;
	return texts;
}

static void
fill_endpoint(struct endpoint_settings *endpoint, const char *values[OPTIONS], const char *upstream)
{
	endpoint->name = copy("tls");
	endpoint->url = copy(values[URL]);
	endpoint->weight = 100;
	endpoint->half_closed_ms = 60000;
	endpoint->upstream.url = copy(upstream);
	if (values[PROXY])
		number_parse(values[PROXY], &endpoint->upstream.proxy_protocol);
	endpoint->termination.certificate = copy(values[CRT]);
	endpoint->termination.private_key = copy(values[KEY]);
	endpoint->termination.cas = one_text(values[MUTUAL_CAS]);
	endpoint->termination.crls = one_text(values[MUTUAL_CRLS]);
}

static void
fill(struct agent_settings *settings, const char *values[OPTIONS], const char *upstream)
{
	settings->version = 1;
	settings->workers = copy("auto");
	settings->connect_url = one_text(values[RELAY]);
	settings->connect_cas = one_text(values[RELAY_CA]);
	settings->connect_crls = one_text(values[RELAY_CRL]);
	settings->certificate = copy(values[AGENT_CRT]);
	settings->private_key = copy(values[AGENT_KEY]);
	settings->heartbeat_ms = 10000;
	settings->tolerance_ms = 15000;
	settings->pool_most = 256;
	settings->limits.handshakes = 256;
	settings->log.level = LOG_INFO;
	settings->log.format = LOG_AUTO;
	settings->endpoints.items = calloc(1, sizeof(struct endpoint_settings));
	if (!settings->endpoints.items)
		abort();
	settings->endpoints.count = 1;
	fill_endpoint(settings->endpoints.items, values, upstream);
}

static int
check_values(const char *values[OPTIONS], const char *upstream)
{
	char error[URL_ERROR], name[NAME_SIZE], host[254];
	struct upstream_url url;

	if (!url_endpoint(name, values[URL], error))
		return command_fail("tls", EX_USAGE, "--url %s %s", values[URL], error);
	if (!url_relay(host, values[RELAY], error))
		return command_fail("tls", EX_USAGE, "--relay %s %s", values[RELAY], error);
	if (!url_upstream(&url, upstream, error))
		return command_fail("tls", EX_USAGE, "%s %s", upstream, error);
	if (values[PROXY] && strcmp(values[PROXY], "1") != 0 && strcmp(values[PROXY], "2") != 0)
		return command_fail("tls", EX_USAGE,
		    "--upstream-proxy-protocol is 1 or 2, not '%s'", values[PROXY]);
	return 0;
}

int
oneshot_read(struct agent_settings *settings, int count, char **arguments)
{
	struct conf_report report = { .out = stderr, .path = "valise-agent: tls" };
	const char *values[OPTIONS] = { 0 }, *upstream = NULL;
	int code = scan(count, arguments, values, &upstream);

	memset(settings, 0, sizeof *settings);
	if (code == 0)
		code = check_together(values);
	if (code == 0)
		code = check_values(values, upstream);
	if (code != 0)
		return code;
	fill(settings, values, upstream);
	agent_settings_check(settings, &report);
	return report.errors == 0 ? 0 : EX_USAGE;
}
