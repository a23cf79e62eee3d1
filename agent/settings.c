/* The rows of valise-agent.yml(5), and the rules that span several keys. */
#include "agent/settings.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "agent/egress.h"
#include "agent/settings_private.h"
#include "base/admin.h"
#include "base/admin_client.h"
#include "base/conf_once.h"
#include "base/connect_source.h"
#include "base/fetch.h"
#include "base/memory.h"
#include "base/paths.h"
#include "base/proxy.h"
#include "base/units.h"
#include "pki/crl_catalogue.h"
#include "pki/spki_pin.h"
#include "tunnel/frame.h"

#define AT(type, member) offsetof(struct type, member)
#define SECONDS(n) ((n)*UINT64_C(1000))
#define MILLION UINT64_C(1000000)

/* ---- one value ---- */

static bool
is_endpoint_url(const char *text, char error[256])
{
	char name[NAME_SIZE];

	return url_endpoint(name, text, error);
}

static bool
is_upstream_url(const char *text, char error[256])
{
	struct upstream_url url;

	return url_upstream(&url, text, error);
}

static bool
is_relay(const char *text, char error[256])
{
	char host[254];

	return url_relay(host, text, error);
}

static bool
is_source(const char *text, char error[256])
{
	struct connect_source source = { 0 };

	return connect_source_add(&source, text, error);
}

static bool
is_relay_name(const char *text, char error[256])
{
	char name[NAME_SIZE];

	if (!url_host_is_literal(text) && name_normalise(name, text, strlen(text)))
		return true;
	snprintf(error, 256,
	    "is not a valid host name; write the connect name of the relay, which its certificate has");
	return false;
}

/* Printable, not empty, and short enough for the protocol. */
static bool
is_short_text(const char *text, char error[256])
{
	size_t bytes = strlen(text);

	for (size_t i = 0; i < bytes; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			bytes = SHORT_TEXT;
	if (bytes > 0 && bytes < SHORT_TEXT)
		return true;
	snprintf(error, 256, "is not a valid name; give 1 to %d bytes without control characters",
	    SHORT_TEXT - 1);
	return false;
}

static bool
is_label(const char *text, char error[256])
{
	const char *equals = strchr(text, '=');

	if (equals && equals > text && equals - text < SHORT_TEXT &&
	    strlen(equals + 1) < SHORT_TEXT)
		return true;
	snprintf(error, 256, "is not a valid label; write key=value, each up to %d bytes",
	    SHORT_TEXT - 1);
	return false;
}

bool
agent_settings_is_name(const char *text, char error[256])
{
	return is_short_text(text, error);
}

unsigned
agent_settings_workers(const struct agent_settings *settings)
{
	return daemon_rows_workers(settings->workers);
}

/* ---- the rows ---- */

const char *const agent_settings_eof_words[] = { "reset", "fin", NULL };
static const char *const tls_words[] = { "1.2", "1.3", NULL }; /* enum settings_tls */

static const struct conf_row upstream_rows[] = {
	DAEMON_UPSTREAM_ROWS(struct upstream_settings, is_upstream_url, "4s", SETTINGS_CONNECT_MS),
	{ "proxy_client_certificate", CONF_BOOL, AT(upstream_settings, proxy_client_certificate),
	    .mark_offset = AT(upstream_settings, proxy_client_certificate_mark) },
	{ "proxy_header_bytes", CONF_SIZE, AT(upstream_settings, proxy_header_bytes),
	    .fallback = "4KiB", .least = PROXY_V1_MOST, .most = PROXY_MOST,
	    .mark_offset = AT(upstream_settings, proxy_header_bytes_mark) },
	{ "cas", CONF_TEXTS, AT(upstream_settings, cas), .check = daemon_rows_is_path },
	{ "crls", CONF_TEXTS, AT(upstream_settings, crls), .check = daemon_rows_is_path },
	{ "crl_url", CONF_TEXTS, AT(upstream_settings, crl_url), .check = fetch_is_url },
	{ "server_name", CONF_TEXT, AT(upstream_settings, server_name),
	    .mark_offset = AT(upstream_settings, server_name_mark) },
	{ "certificate", CONF_TEXT, AT(upstream_settings, certificate),
	    .check = daemon_rows_is_path, .mark_offset = AT(upstream_settings, certificate_mark) },
	{ "private_key", CONF_TEXT, AT(upstream_settings, private_key),
	    .check = daemon_rows_is_path, .mark_offset = AT(upstream_settings, private_key_mark) },
	{ "spki", CONF_TEXTS, AT(upstream_settings, spki), .check = spki_pin_is },
	{ "tls_min", CONF_WORD, AT(upstream_settings, tls_min), .words = tls_words,
	    .mark_offset = AT(upstream_settings, tls_min_mark) },
	{ "insecure_skip_verify", CONF_BOOL, AT(upstream_settings, is_unverified),
	    .mark_offset = AT(upstream_settings, is_unverified_mark) },
	{ 0 },
};

static const struct conf_row endpoint_rows[] = {
	{ "name", CONF_TEXT, AT(endpoint_settings, name), .required = true, .check = is_short_text,
	    .mark_offset = AT(endpoint_settings, name_mark) },
	{ "url", CONF_TEXT, AT(endpoint_settings, url), .required = true, .check = is_endpoint_url,
	    .mark_offset = AT(endpoint_settings, url_mark) },
	{ "agent_tls_termination", CONF_MAPPING, AT(endpoint_settings, termination),
	    .table = agent_settings_termination_rows,
	    .mark_offset = AT(endpoint_settings, termination_mark) },
	{ "upstream", CONF_MAPPING, AT(endpoint_settings, upstream), .required = true,
	    .table = upstream_rows, .scalar = "url" },
	ADDRESS_ROWS(struct endpoint_settings, addresses),
	{ "weight", CONF_NUMBER, AT(endpoint_settings, weight), .fallback = "100", .least = 1,
	    .most = 1000 },
	{ "balance", CONF_WORD, AT(endpoint_settings, balance), .words = balance_words },
	{ "priority", CONF_NUMBER, AT(endpoint_settings, priority), .fallback = "0",
	    .most = UINT8_MAX },
	{ "carrier", CONF_WORD, AT(endpoint_settings, carrier), .words = carrier_words,
	    .mark_offset = AT(endpoint_settings, carrier_mark) },
	{ "trust_unsealed_address", CONF_BOOL, AT(endpoint_settings, trusts_unsealed_address),
	    .mark_offset = AT(endpoint_settings, trusts_unsealed_mark) },
	{ "eof_without_close_notify", CONF_WORD, AT(endpoint_settings, eof_without_close_notify),
	    .words = agent_settings_eof_words },
	SETTINGS_PATIENCE_ROWS(struct endpoint_settings), { 0 }
};

static const struct conf_row relay_rows[] = { { "dial", CONF_TEXT, AT(relay_settings, dial),
						  .required = true, .check = is_relay,
						  .mark_offset = AT(relay_settings, dial_mark) },
	{ "name", CONF_TEXT, AT(relay_settings, name), .check = is_relay_name },
	{ "proxy", CONF_MAPPING, AT(relay_settings, proxy), .table = fetch_proxy_rows,
	    .scalar = "url", .mark_offset = AT(relay_settings, proxy.mark) },
	{ 0 } };

static const struct conf_row probe_rows[] = {
	{ "interval", CONF_DURATION, AT(probe_settings, interval_ms), .required = true,
	    .least = SECONDS(1), .most = SETTINGS_PATIENCE_MOST_MS },
	{ "address", CONF_TEXT, AT(probe_settings, address), .check = agent_settings_is_address },
	{ "spki", CONF_TEXTS, AT(probe_settings, spki), .check = spki_pin_is }, { 0 }
};

const struct conf_row agent_settings_admin_rows[] = {
	{ "agent.state_dir", CONF_TEXT, AT(admin_place, state_dir), .fallback = paths_agent_state,
	    .has_variable = true },
	{ "admin.socket", CONF_TEXT, AT(admin_place, socket), .check = admin_is_path,
	    .has_variable = true },
	{ 0 }
};

static const struct conf_row rows[] = { { "version", CONF_NUMBER, AT(agent_settings, version),
					    .required = true, .least = 1, .most = 1 },
	DAEMON_WORKERS_ROW(struct agent_settings, workers, workers_mark),
	{ "key_process", CONF_BOOL, AT(agent_settings, has_key_process), .fallback = "on" },
	{ "agent.connect_url", CONF_MAPPINGS, AT(agent_settings, connect_url), .least = 1,
	    .table = relay_rows, .item_bytes = sizeof(struct relay_settings), .scalar = "dial" },
	{ "agent.connect_cas", CONF_TEXTS, AT(agent_settings, connect_cas), .least = 1,
	    .check = daemon_rows_is_path, .has_variable = true },
	{ "agent.connect_crls", CONF_TEXTS, AT(agent_settings, connect_crls),
	    .check = daemon_rows_is_path },
	{ "agent.connect_crl_url", CONF_TEXTS, AT(agent_settings, connect_crl_url),
	    .check = fetch_is_url },
	TRUST_CRL_ROWS("agent.connect_crl", struct agent_settings, connect_crl),
	{ "agent.certificate", CONF_TEXT, AT(agent_settings, certificate),
	    .check = daemon_rows_is_path, .has_variable = true,
	    .mark_offset = AT(agent_settings, certificate_mark) },
	{ "agent.private_key", CONF_TEXT, AT(agent_settings, private_key),
	    .check = daemon_rows_is_path, .has_variable = true,
	    .mark_offset = AT(agent_settings, private_key_mark) },
	RENEWAL_ROW("agent.renew", struct agent_settings, renew),
	{ "agent.heartbeat_interval", CONF_DURATION, AT(agent_settings, heartbeat_ms),
	    .fallback = "10s", .least = SECONDS(1), .most = SECONDS(60) },
	{ "agent.heartbeat_tolerance", CONF_DURATION, AT(agent_settings, tolerance_ms),
	    .fallback = "15s", .least = SECONDS(1), .most = SECONDS(300) },
	{ "agent.proxy", CONF_MAPPING, AT(agent_settings, proxy), .table = fetch_proxy_rows,
	    .scalar = "url", .mark_offset = AT(agent_settings, proxy.mark) },
	{ "agent.source", CONF_TEXTS, AT(agent_settings, sources), .check = is_source },
	{ "agent.region", CONF_TEXT, AT(agent_settings, region), .check = is_short_text },
	{ "agent.labels", CONF_TEXTS, AT(agent_settings, labels), .check = is_label },
	{ "agent.state_dir", CONF_TEXT, AT(agent_settings, state_dir),
	    .fallback = paths_agent_state, .check = daemon_rows_is_path, .has_variable = true },
	{ "agent.pool.least", CONF_NUMBER, AT(agent_settings, pool_least), .fallback = "0",
	    .least = 0, .most = 4096, .mark_offset = AT(agent_settings, pool_mark) },
	{ "agent.pool.most", CONF_NUMBER, AT(agent_settings, pool_most), .fallback = "256",
	    .least = 1, .most = 65535 },
	{ "endpoints", CONF_MAPPINGS, AT(agent_settings, endpoints), .least = 1,
	    .table = endpoint_rows, .item_bytes = sizeof(struct endpoint_settings) },
	{ "forwards", CONF_MAPPINGS, AT(agent_settings, forwards), .least = 1,
	    .table = agent_settings_forward_rows, .item_bytes = sizeof(struct forward_settings) },
	{ "probe", CONF_MAPPING, AT(agent_settings, probe), .table = probe_rows,
	    .scalar = "interval", .mark_offset = AT(agent_settings, probe.mark) },
	{ "limits.flows", CONF_NUMBER, AT(agent_settings, limits.flows), .fallback = "0",
	    .least = 0, .most = 100 * MILLION },
	{ "limits.handshakes", CONF_NUMBER, AT(agent_settings, limits.handshakes),
	    .fallback = "256", .least = 1, .most = MILLION },
	DAEMON_MEMORY_ROW(struct agent_settings, limits.memory),
	{ "admin.socket", CONF_TEXT, AT(agent_settings, admin_socket), .check = admin_is_path,
	    .has_variable = true },
	{ "admin.group", CONF_TEXT, AT(agent_settings, admin_group), .check = admin_is_group_name,
	    .mark_offset = AT(agent_settings, admin_group_mark) },
	WEB_ROWS(struct agent_settings, web), DAEMON_LOG_ROWS(struct agent_settings, log), { 0 } };

/* ---- what the settings must be together ---- */

static struct conf_mark
mark_of_list(const struct conf_texts *texts)
{
	return texts->count > 0 ? texts->marks[0] : (struct conf_mark){ 0 };
}

static struct conf_mark
mark_of_relays(const struct agent_settings *settings)
{
	return settings->connect_url.count > 0 ? agent_settings_relay(settings, 0)->dial_mark
					       : (struct conf_mark){ 0 };
}

/* What only a tls:// upstream has. */
static void
check_no_tls(const struct upstream_settings *upstream, struct conf_report *report)
{
	const struct {
		const char *key;
		struct conf_mark mark;
	} keys[] = {
		{ "cas", mark_of_list(&upstream->cas) },
		{ "crls", mark_of_list(&upstream->crls) },
		{ "crl_url", mark_of_list(&upstream->crl_url) },
		{ "server_name", upstream->server_name_mark },
		{ "certificate", upstream->certificate_mark },
		{ "private_key", upstream->private_key_mark },
		{ "spki", mark_of_list(&upstream->spki) },
		{ "tls_min", upstream->tls_min_mark },
		{ "insecure_skip_verify", upstream->is_unverified_mark },
	};

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (keys[i].mark.line > 0)
			conf_error(report, keys[i].mark,
			    "%s is only for a tls:// upstream, and this is %s", keys[i].key,
			    upstream->url.items[0]);
}

static void
check_tls(const struct upstream_settings *upstream, struct conf_report *report)
{
	if (upstream->certificate && !upstream->private_key)
		conf_error(report, upstream->certificate_mark,
		    "certificate without private_key: give the file of its key, too");
	if (upstream->private_key && !upstream->certificate)
		conf_error(report, upstream->private_key_mark,
		    "private_key without certificate: give the file of its certificate, too");
	if (!upstream->is_unverified)
		return;
	if (upstream->cas.count > 0)
		conf_error(report, upstream->cas.marks[0],
		    "with insecure_skip_verify nobody would look at cas; take one of the two away");
	if (upstream->crls.count > 0)
		conf_error(report, upstream->crls.marks[0],
		    "with insecure_skip_verify nobody would look at crls; take one of the two away");
	if (upstream->crl_url.count > 0)
		conf_error(report, upstream->crl_url.marks[0],
		    "with insecure_skip_verify nobody would look at what crl_url has; take one of the "
		    "two away");
}

/* Of one kind, tls:// or not.  False if there is none, or one that its row has reported already. */
static bool
check_kind(struct upstream_settings *upstream, struct conf_report *report)
{
	struct upstream_url url;
	char error[URL_ERROR];

	for (size_t i = 0; i < upstream->url.count; i++) {
		if (!url_upstream(&url, upstream->url.items[i], error))
			return false;
		if (i == 0)
			upstream->kind = url.kind;
		else if ((url.kind == UPSTREAM_TLS) != (upstream->kind == UPSTREAM_TLS))
			conf_error(report, upstream->url.marks[i],
			    "%s and %s are not of one kind; write tls:// for all of them or for "
			    "none",
			    upstream->url.items[i], upstream->url.items[0]);
	}
	return upstream->url.count > 0;
}

/* What is passed through has a name of its own in each hello, but a check has none to take it from. */
static void
check_health(const struct endpoint_settings *endpoint, struct conf_report *report)
{
	const struct upstream_settings *upstream = &endpoint->upstream;

	if (upstream->health.check == HEALTH_TLS && endpoint->terminates &&
	    upstream->kind != UPSTREAM_TLS)
		conf_error(report, upstream->health_mark,
		    "check: tls is for an upstream that speaks TLS, and with agent_tls_termination "
		    "%s gets plain bytes; write tcp",
		    upstream->url.items[0]);
}

static void
check_proxy_header(const struct endpoint_settings *endpoint, struct conf_report *report)
{
	const struct upstream_settings *upstream = &endpoint->upstream;
	bool has_tlvs = upstream->proxy_protocol == 2 && upstream->proxy_tlvs == PROXY_TLVS_ALL;
	bool asks = endpoint->terminates && endpoint->termination.mutual_tls != MUTUAL_OFF;

	daemon_rows_check_proxy_tlvs(upstream->proxy_protocol, upstream->proxy_tlvs_mark, report);
	if (upstream->proxy_header_bytes_mark.line > 0 && upstream->proxy_protocol == 0)
		conf_error(report, upstream->proxy_header_bytes_mark,
		    "proxy_header_bytes bounds a header that nobody sends without "
		    "proxy_protocol; remove it");
	if (upstream->proxy_client_certificate && !(has_tlvs && asks))
		conf_error(report, upstream->proxy_client_certificate_mark,
		    "proxy_client_certificate needs %s",
		    has_tlvs
			? "clients that are asked for one; give mutual_tls_certificate_authorities"
			: "proxy_protocol: 2 with its TLVs, where it travels");
}

static void
check_upstream(struct endpoint_settings *endpoint, struct conf_report *report)
{
	struct upstream_settings *upstream = &endpoint->upstream;

	if (!check_kind(upstream, report))
		return;
	daemon_rows_check_upstreams(&upstream->url, report);
	check_health(endpoint, report);
	if (upstream->kind == UPSTREAM_TLS) {
		if (!endpoint->terminates)
			conf_error(report, upstream->url_mark,
			    "%s without agent_tls_termination would wrap sealed bytes in TLS "
			    "again; write tcp:// (the upstream holds the key) or terminate",
			    upstream->url.items[0]);
		check_tls(upstream, report);
		return;
	}
	if (endpoint->terminates && upstream->starttls != STARTTLS_NONE)
		conf_error(report, upstream->url_mark,
		    "starttls asks an upstream for TLS, and with agent_tls_termination %s gets plain "
		    "bytes; remove it, or write tls://",
		    upstream->url.items[0]);
	check_no_tls(upstream, report);
}

/* Whoever alters a bare connection may take over the flow of a client, and its address with it. */
static void
check_carrier(const struct endpoint_settings *endpoint, struct conf_report *report)
{
	bool is_handoff = endpoint->carrier == CARRIER_HANDOFF;

	if (is_handoff && endpoint->upstream.proxy_protocol > 0 &&
	    !endpoint->trusts_unsealed_address)
		conf_error(report, endpoint->carrier_mark,
		    "carrier: handoff with upstream.proxy_protocol: who alters the way from the "
		    "relay may come under a client's address, and the upstream is told to trust "
		    "it; write sealed, or trust_unsealed_address: true if nobody authorises by "
		    "that address");
	if (is_handoff && address_rows_are_given(&endpoint->addresses) &&
	    !endpoint->trusts_unsealed_address)
		conf_error(report, endpoint->carrier_mark,
		    "carrier: handoff with allow or deny: who alters the way from the relay may come "
		    "under an address that is let in; write sealed, or trust_unsealed_address: true "
		    "if the lists need not hold against that");
	if (endpoint->trusts_unsealed_address && !is_handoff)
		conf_error(report, endpoint->trusts_unsealed_mark,
		    "trust_unsealed_address is only for carrier: handoff; take it away");
}

const char *
agent_settings_unsealed_warning(const struct endpoint_settings *endpoint)
{
	if (!endpoint->trusts_unsealed_address)
		return NULL;
	if (address_rows_are_given(&endpoint->addresses))
		return "trust_unsealed_address: who alters the way from the relay, and knows a client's "
		       "hello, may come under that client's address where TLS 1.3 does not forbid it, "
		       "and past allow and deny";
	return "trust_unsealed_address: who alters the way from the relay, and knows a client's "
	       "hello, may come under that client's address where TLS 1.3 does not forbid it; "
	       "let nobody authorise by the address";
}

static bool
is_on_this_host(const struct upstream_settings *upstream)
{
	struct upstream_url url;
	char error[URL_ERROR];

	for (size_t i = 0; i < upstream->url.count; i++)
		if (url_upstream(&url, upstream->url.items[i], error) &&
		    !upstream_url_is_local(url.target))
			return false;
	return true;
}

const char *
agent_settings_header_warning(const struct endpoint_settings *endpoint)
{
	const struct upstream_settings *upstream = &endpoint->upstream;

	if (upstream->proxy_protocol == 0 || is_on_this_host(upstream))
		return NULL;
	return "the PROXY header leaves this host before any TLS, also where the upstream is "
	       "tls://: whoever is on the way can read and alter what it says of the client; "
	       "keep the way to yourself, or put the upstream on this host";
}

const char *
agent_settings_unverified_warning(const struct upstream_settings *upstream)
{
	if (!upstream->is_unverified)
		return NULL;
	if (upstream->spki.count > 0)
		return "insecure_skip_verify: of the upstream's certificate only the key is looked "
		       "at (spki), not its names, its issuer or its dates; give cas instead, if "
		       "you can";
	return "insecure_skip_verify: whoever answers at the upstream's address gets all that the "
	       "clients send, whatever certificate it shows; give cas or spki instead";
}

static void
check_endpoint(struct endpoint_settings *endpoint, struct conf_report *report)
{
	char error[URL_ERROR];

	endpoint->terminates = endpoint->termination_mark.line != 0 ||
	    agent_settings_certificate_count(&endpoint->termination) > 0;
	if (endpoint->url)
		url_endpoint(endpoint->server_name, endpoint->url, error);
	check_upstream(endpoint, report);
	address_rows_check(&endpoint->addresses, report);
	check_carrier(endpoint, report);
	if (endpoint->terminates)
		agent_settings_check_termination(endpoint, report);
	check_proxy_header(endpoint, report);
}

/* A name is served once, and each endpoint has a name of its own for people. */
static void
check_unlike(const struct agent_settings *settings, struct conf_report *report)
{
	struct conf_once *hosts = conf_once_new(settings->endpoints.count);
	struct conf_once *names = conf_once_new(settings->endpoints.count);

	if (!hosts || !names)
		conf_error(report, (struct conf_mark){ 1, 1 }, "cannot be judged: memory is short");
	for (size_t i = 0; hosts && names && i < settings->endpoints.count; i++) {
		const struct endpoint_settings *here = agent_settings_endpoint(settings, i);
		struct conf_mark host = { 0 }, name = { 0 };

		if (here->server_name[0] != '\0')
			host = conf_once_note(hosts, here->server_name, here->url_mark);
		if (here->name)
			name = conf_once_note(names, here->name, here->name_mark);
		if (host.line > 0)
			conf_error(report, here->url_mark,
			    "%s stands at line %u too; one agent serves a name once", here->url,
			    host.line);
		if (name.line > 0)
			conf_error(report, here->name_mark,
			    "the name '%s' stands at line %u too; give each endpoint its own",
			    here->name, name.line);
	}
	conf_once_free(hosts);
	conf_once_free(names);
}

static void
check_sources(const struct conf_texts *texts, struct conf_report *report)
{
	struct connect_source source = { 0 };
	char error[256];

	for (size_t i = 0; i < texts->count; i++)
		if (!connect_source_add(&source, texts->items[i], error))
			conf_error(
			    report, texts->marks[i], "agent.source: %s %s", texts->items[i], error);
}

static void
label_relay(struct relay_settings *relay)
{
	char host[254] = "";
	uint16_t port;

	if (relay->dial)
		host_port_split(relay->dial, host, &port);
	snprintf(relay->label, sizeof relay->label, "%s%s%s", relay->name ? relay->name : "",
	    relay->name ? "@" : "", relay->dial ? relay->dial : "");
	if (relay->name && relay->dial && strcasecmp(relay->name, host) == 0)
		snprintf(relay->label, sizeof relay->label, "%s", relay->dial);
}

/* Upper and lower case are one. */
static void
check_unlike_relays(const struct agent_settings *settings, struct conf_report *report)
{
	size_t count = settings->connect_url.count;
	char(*labels)[RELAY_LABEL] = calloc(count + 1, sizeof *labels);
	struct conf_once *once = conf_once_new(count);

	if (!labels || !once)
		conf_error(report, (struct conf_mark){ 1, 1 }, "cannot be judged: memory is short");
	for (size_t i = 0; labels && once && i < count; i++) {
		const struct relay_settings *relay = agent_settings_relay(settings, i);

		for (size_t k = 0; relay->label[k] != '\0'; k++)
			labels[i][k] = (char)tolower((unsigned char)relay->label[k]);
		if (conf_once_note(once, labels[i], relay->dial_mark).line > 0)
			conf_error(report, relay->dial_mark, "%s is listed twice; once is enough",
			    relay->label);
	}
	conf_once_free(once);
	free(labels);
}

static void
check_relays(const struct agent_settings *settings, struct conf_report *report)
{
	for (size_t i = 0; i < settings->connect_url.count; i++) {
		struct relay_settings *relay = agent_settings_relay(settings, i);

		label_relay(relay);
		fetch_proxy_check(&relay->proxy, report);
	}
	check_unlike_relays(settings, report);
	if (settings->labels.count > LABELS_MOST)
		conf_error(report, settings->labels.marks[LABELS_MOST],
		    "more than %d labels; take some away", LABELS_MOST);
}

/* What an agent needs that serves endpoints; one that only forwards has no relays. */
static void
check_agent(const struct agent_settings *settings, struct conf_report *report)
{
	const struct {
		const char *key;
		bool is_given;
		struct conf_mark mark;
	} keys[] = {
		{ "agent.connect_url", settings->connect_url.count > 0, mark_of_relays(settings) },
		{ "agent.connect_cas", settings->connect_cas.count > 0,
		    mark_of_list(&settings->connect_cas) },
		{ "agent.certificate", settings->certificate != NULL, settings->certificate_mark },
		{ "agent.private_key", settings->private_key != NULL, settings->private_key_mark },
	};
	bool serves = settings->endpoints.count > 0, forwards = settings->forwards.count > 0;
	const struct conf_mark top = { 1, 1 };

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (serves && !keys[i].is_given)
			conf_error(report, agent_settings_endpoint(settings, 0)->name_mark,
			    "missing key \"%s\", which endpoints need; add it", keys[i].key);
		else if (!serves && forwards && keys[i].is_given)
			conf_error(report, keys[i].mark,
			    "%s is for endpoints, and forwards need no relay; add \"endpoints\", or take "
			    "it away",
			    keys[i].key);
	if (!serves && settings->probe.interval_ms > 0)
		conf_error(report, settings->probe.mark,
		    "probe without endpoints has no name to look at; take it away");
	if (!serves && !forwards)
		conf_error(
		    report, top, "missing key \"endpoints\"; add it, or \"forwards\", or both");
}

/* Nobody but the agent's user may enter the state directory. */
static void
check_admin(const struct agent_settings *settings, struct conf_report *report)
{
	if (settings->admin_group && !settings->admin_socket)
		conf_error(report, settings->admin_group_mark,
		    "admin.group needs admin.socket: a group cannot enter agent.state_dir; write "
		    "socket: /run/valise-agent/admin.sock");
}

void
agent_settings_check(struct agent_settings *settings, struct conf_report *report)
{
	check_agent(settings, report);
	renewal_rows_check(&settings->renew, settings->certificate, settings->private_key, report);
	check_relays(settings, report);
	fetch_proxy_check(&settings->proxy, report);
	check_sources(&settings->sources, report);
	agent_settings_check_forwards(settings, report);
	for (size_t i = 0; i < settings->endpoints.count; i++) {
		check_endpoint(agent_settings_endpoint(settings, i), report);
		agent_settings_check_acme(settings, agent_settings_endpoint(settings, i), report);
	}
	agent_settings_check_accounts(settings, report);
	check_unlike(settings, report);
	web_rows_check(&settings->web, report);
	check_admin(settings, report);
	if (settings->pool_least > settings->pool_most)
		conf_error(report, settings->pool_mark,
		    "agent.pool.least %llu is above agent.pool.most %llu",
		    (unsigned long long)settings->pool_least,
		    (unsigned long long)settings->pool_most);
}

/* ---- the whole ---- */

int
agent_settings_read(struct agent_settings *settings, const char *path, FILE *messages)
{
	struct conf_report report = {
		.out = messages, .path = path, .answers = agent_settings_answers
	};

	memset(settings, 0, sizeof *settings);
	memory_begin();
	if (!conf_read(settings, rows, path, &report))
		return memory_exit_code(report.unreadable ? EX_NOINPUT : EX_CONFIG);
	agent_settings_check(settings, &report);
	return report.errors == 0 ? 0 : memory_exit_code(EX_CONFIG);
}

void
agent_settings_compare(const struct agent_settings *before, const struct agent_settings *after,
    struct conf_changes *changes)
{
	conf_changes_find(changes, rows, before, after);
}

void
agent_settings_wipe(struct agent_settings *settings)
{
	conf_wipe(settings, rows);
	crl_catalogue_free(settings->catalogue);
	egress_release(settings->egress);
	free(settings->acme_dir);
	memset(settings, 0, sizeof *settings);
}
