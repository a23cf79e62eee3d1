/* `valise-agent tls`: turns a command line into the settings of one endpoint. */
#include "agent/oneshot.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "agent/command.h"
#include "agent/settings.h"
#include "base/log.h"
#include "base/paths.h"
#include "base/proxy.h"
#include "base/units.h"
#include "pki/crl_store.h"

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
	ACME,
	ACME_DIRECTORY,
	ACME_CAS,
	STATE_DIR,
	PROXY_URL,
	PROXY_USER,
	PROXY_PASSWORD,
	CONFIG,
	OPTIONS
};

const struct program_option oneshot_options[OPTIONS + 1] = {
	[URL] = { "url", 0, "tls://NAME", "the public name", NULL, true, false },
	[RELAY] = { "relay", 0, "HOST:PORT",
	    "where the relay is, instead of what the configuration says", "relay-ca", false,
	    false },
	[RELAY_CA] = { "relay-ca", 0, "FILE", "the CAs that the relay is judged by", "agent-crt",
	    false, true },
	[RELAY_CRL] = { "relay-crl", 0, "FILE", "their CRLs", "relay", false, true },
	[AGENT_CRT] = { "agent-crt", 0, "FILE", "this agent's certificate", "agent-key", false,
	    true },
	[AGENT_KEY] = { "agent-key", 0, "FILE", "and its key", "relay", false, true },
	[CRT] = { "crt", 0, "FILE", "terminate TLS here, with this certificate", "key", false,
	    true },
	[KEY] = { "key", 0, "FILE", "and this key", "crt", false, true },
	[MUTUAL_CAS] = { "mutual-tls-cas", 0, "FILE", "ask clients for certificates of these CAs",
	    "crt", false, true },
	[MUTUAL_CRLS] = { "mutual-tls-crls", 0, "FILE", "that these CRLs do not revoke",
	    "mutual-tls-cas", false, true },
	[PROXY] =
	    PROGRAM_OPTION("upstream-proxy-protocol", "1|2", "tell the upstream who the client is"),
	[ACME] = PROGRAM_OPTION("acme", "ADDRESS",
	    "terminate TLS here, with a certificate by ACME; an address of mail"),
	[ACME_DIRECTORY] = { "acme-directory", 0, "URL", "of the ACME server", "acme", false,
	    false },
	[ACME_CAS] = { "acme-cas", 0, "FILE", "the CAs that the ACME server is judged by", "acme",
	    false, true },
	[STATE_DIR] = { "state-dir", 0, "DIR", "where account and certificate are kept", "acme",
	    false, false },
	[PROXY_URL] = PROGRAM_OPTION("proxy", "URL",
	    "reach the relay by this proxy; environment: by that of the environment"),
	[PROXY_USER] = { "proxy-user", 0, "NAME", "who asks it", "proxy-password-file", false,
	    false },
	[PROXY_PASSWORD] = { "proxy-password-file", 0, "FILE", "with which password", "proxy-user",
	    false, true },
	[CONFIG] = { "config", 'c', "FILE",
	    "who the agent is, and where its relays are, as join writes it", NULL, false, true },
};

static const struct program_command command_line = { "tls", "UPSTREAM", "", oneshot_options, NULL };

static const char *const wanted[] = { "the UPSTREAM, for example tcp://127.0.0.1:8080", NULL };

/* ---- the settings ---- */

static struct command_proxy
proxy_of(const char *values[OPTIONS])
{
	return (
	    struct command_proxy){ values[PROXY_URL], values[PROXY_USER], values[PROXY_PASSWORD] };
}

/* Who types an address of mail there agrees to the terms of the CA that is asked with it. */
static void
fill_acme(struct acme_settings *acme, const char *values[OPTIONS])
{
	if (!values[ACME])
		return;
	acme->mark = (struct conf_mark){ 1, 1 };
	acme->directory =
	    command_copy(values[ACME_DIRECTORY] ? values[ACME_DIRECTORY] : ACME_USUAL_DIRECTORY);
	acme->has_agreed = true;
	command_list(&acme->contact, values[ACME], "");
	command_list(&acme->cas, values[ACME_CAS], "");
}

/* A certificate that were ordered anew at each start would soon be refused by its CA. */
static char *
state_dir_of(const char *values[OPTIONS])
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	char *path = NULL;

	if (!values[ACME])
		return NULL;
	if (values[STATE_DIR])
		return command_copy(values[STATE_DIR]);
	if (geteuid() == 0 || ((!state || !state[0]) && (!home || !home[0])))
		return command_copy(paths_agent_state);
	if (state && state[0] ? asprintf(&path, "%s/valise-agent", state) < 0
			      : asprintf(&path, "%s/.local/state/valise-agent", home) < 0)
		abort(); /* only start-up may do this */
	return path;
}

static void
fill_endpoint(struct endpoint_settings *endpoint, const char *values[OPTIONS], const char *upstream)
{
	endpoint->name = command_copy("tls");
	endpoint->url = command_copy(values[URL]);
	endpoint->weight = 100;
	endpoint->half_closed_ms = 60000;
	command_list(&endpoint->upstream.url, upstream, "");
	endpoint->upstream.proxy_header_bytes = PROXY_USUAL_MOST;
	endpoint->upstream.connect_ms = SETTINGS_CONNECT_MS;
	if (values[PROXY])
		number_parse(values[PROXY], &endpoint->upstream.proxy_protocol);
	endpoint->termination.first.certificate = command_copy(values[CRT]);
	endpoint->termination.first.private_key = command_copy(values[KEY]);
	fill_acme(&endpoint->termination.acme, values);
	endpoint->termination_mark = endpoint->termination.acme.mark;
	endpoint->termination.tells_ca_names = true;
	command_list(&endpoint->termination.cas, values[MUTUAL_CAS], "");
	command_list(&endpoint->termination.crls, values[MUTUAL_CRLS], "");
}

static void
fill_relay(struct conf_items *relays, const char *values[OPTIONS])
{
	struct relay_settings *relay = calloc(1, sizeof *relay);

	if (!relay)
		abort();
	relay->dial = command_copy(values[RELAY]);
	*relays = (struct conf_items){ relay, 1 };
}

/* Who the agent is, and where its relays are. */
static int
fill_identity(struct agent_settings *settings, const char *values[OPTIONS])
{
	settings->version = 1;
	settings->workers = command_copy("auto");
	settings->has_key_process = true;
	fill_relay(&settings->connect_url, values);
	command_list(&settings->connect_cas, values[RELAY_CA], "");
	command_list(&settings->connect_crls, values[RELAY_CRL], "");
	settings->certificate = command_copy(values[AGENT_CRT]);
	settings->private_key = command_copy(values[AGENT_KEY]);
	settings->heartbeat_ms = 10000;
	settings->tolerance_ms = 15000;
	settings->pool_most = 256;
	settings->limits.handshakes = 256;
	return 0;
}

/* The CRLs that the service fetches and keeps are files like any others here. */
static int
use_kept_crls(struct agent_settings *settings)
{
	struct conf_texts *urls = &settings->connect_crl_url, *crls = &settings->connect_crls;
	size_t count = crls->count + urls->count;
	char path[PATH_MAX];

	crls->items = reallocarray(crls->items, count, sizeof *crls->items);
	crls->marks = reallocarray(crls->marks, count, sizeof *crls->marks);
	if (count > 0 && (!crls->items || !crls->marks))
		abort(); /* only start-up may do this */
	for (size_t i = 0; i < urls->count; i++) {
		crl_store_path(settings->state_dir, urls->items[i], path);
		if (access(path, R_OK) < 0)
			return command_fail("tls", EX_NOINPUT,
			    "%s, the CRLs of agent.connect_crl_url: %s; valise-agent run fetches them",
			    path, strerror(errno));
		crls->items[crls->count] = command_copy(path);
		crls->marks[crls->count++] = urls->marks[i];
	}
	return 0;
}

#define TAKE(member) \
	do { \
		settings->member = whole->member; \
		memset(&whole->member, 0, sizeof whole->member); \
	} while (0)

/* Who the agent is, and how it reaches its relays; all else is the service's own, which may run beside
 * this. */
static void
take_identity(struct agent_settings *settings, struct agent_settings *whole)
{
	TAKE(version);
	TAKE(workers);
	TAKE(has_key_process);
	TAKE(connect_url);
	TAKE(connect_cas);
	TAKE(connect_crls);
	TAKE(connect_crl);
	TAKE(certificate);
	TAKE(private_key);
	TAKE(heartbeat_ms);
	TAKE(tolerance_ms);
	TAKE(sources);
	TAKE(proxy);
	TAKE(region);
	TAKE(labels);
	TAKE(pool_least);
	TAKE(pool_most);
	TAKE(limits.handshakes);
}

static int
read_identity(struct agent_settings *settings, const char *values[OPTIONS])
{
	const char *path = values[CONFIG] ? values[CONFIG] : paths_usual_agent_config();
	struct agent_settings whole = { 0 };
	int code;

	if (access(path, F_OK) < 0)
		return command_fail("tls", EX_USAGE,
		    "give --relay, --relay-ca, --agent-crt and --agent-key; they would else come "
		    "from %s, which valise-agent join writes, and is not there",
		    path);
	code = agent_settings_read(&whole, path, stderr);
	if (code == 0 && whole.connect_url.count == 0)
		code = command_fail(
		    "tls", EX_CONFIG, "%s names no relay (agent.connect_url); add it", path);
	if (code == 0)
		code = use_kept_crls(&whole);
	if (code == 0)
		take_identity(settings, &whole);
	agent_settings_wipe(&whole);
	return code;
}

static int
fill(struct agent_settings *settings, const char *values[OPTIONS], const char *upstream)
{
	const struct command_proxy proxy = proxy_of(values);
	int code =
	    values[RELAY] ? fill_identity(settings, values) : read_identity(settings, values);

	if (code != 0)
		return code;
	settings->acme_dir = state_dir_of(values);
	if (proxy.url)
		command_fill_proxy(&settings->proxy, &proxy);
	settings->log.level = LOG_INFO;
	settings->log.format = LOG_AUTO;
	settings->endpoints.items = calloc(1, sizeof(struct endpoint_settings));
	if (!settings->endpoints.items)
		abort();
	settings->endpoints.count = 1;
	fill_endpoint(settings->endpoints.items, values, upstream);
	return 0;
}

static int
check_values(const char *values[OPTIONS], const char *upstream)
{
	const struct command_proxy proxy = proxy_of(values);
	char error[URL_ERROR], name[NAME_SIZE], host[254];
	struct upstream_url url;

	if (!url_endpoint(name, values[URL], error))
		return command_fail("tls", EX_USAGE, "--url %s %s", values[URL], error);
	if (values[CONFIG] && values[RELAY])
		return command_fail("tls", EX_USAGE,
		    "--config says where the relay is; take --relay away, or --config");
	if (values[RELAY] && !url_relay(host, values[RELAY], error))
		return command_fail("tls", EX_USAGE, "--relay %s %s", values[RELAY], error);
	if (!url_upstream(&url, upstream, error))
		return command_fail("tls", EX_USAGE, "%s %s", upstream, error);
	if (values[PROXY] && strcmp(values[PROXY], "1") != 0 && strcmp(values[PROXY], "2") != 0)
		return command_fail("tls", EX_USAGE,
		    "--upstream-proxy-protocol is 1 or 2, not '%s'", values[PROXY]);
	if (values[ACME] && !acme_settings_is_contact(values[ACME], error))
		return command_fail("tls", EX_USAGE, "--acme %s %s", values[ACME], error);
	if (values[ACME_DIRECTORY] && !acme_settings_is_directory(values[ACME_DIRECTORY], error))
		return command_fail(
		    "tls", EX_USAGE, "--acme-directory %s %s", values[ACME_DIRECTORY], error);
	return command_check_proxy("tls", &proxy);
}

int
oneshot_read(struct agent_settings *settings, int count, char **arguments)
{
	struct conf_report report = { .out = stderr, .path = "valise-agent: tls" };
	const char *values[OPTIONS] = { 0 }, *upstream = NULL;
	int code = program_read(&command_line, count, arguments, values, wanted, &upstream);

	memset(settings, 0, sizeof *settings);
	if (code == 0)
		code = check_values(values, upstream);
	if (code == 0)
		code = fill(settings, values, upstream);
	if (code != 0)
		return code;
	agent_settings_check(settings, &report);
	return report.errors == 0 ? 0 : EX_USAGE;
}
