/* The rows of valise-relay.yml(5), and what is valid in each of them. */
#include "relay/settings.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "base/admin.h"
#include "base/admin_client.h"
#include "base/daemon_rows.h"
#include "base/fetch.h"
#include "base/paths.h"
#include "base/units.h"
#include "pki/name_fault.h"
#include "relay/route_template.h"
#include "relay/settings_check.h"
#include "tunnel/frame.h"

#define AT(type, member) offsetof(struct type, member)
#define SECONDS(n) ((n)*UINT64_C(1000))
#define HOURS(n) SECONDS((n)*UINT64_C(3600))
#define MILLION UINT64_C(1000000)

/* ---- one value ---- */

static bool
is_listener(const char *text, char error[256])
{
	struct address address;

	if (address_parse(&address, text) && address.as.any.sa_family != AF_UNIX)
		return true;
	snprintf(
	    error, 256, "is not a valid address to listen on; write ADDRESS:PORT, as \"[::]:443\"");
	return false;
}

static bool
is_host_name(const char *text, char error[256])
{
	char name[NAME_SIZE];

	if (!name_is_address(text) && name_normalise(name, text, strlen(text)))
		return true;
	name_fault(text,
	    "is not a valid server name; write letters, digits and - in labels of at most 63",
	    error);
	return false;
}

static bool
is_pattern(const char *text, char error[256])
{
	char name[NAME_SIZE];

	if (!name_is_address(text) && name_normalise_pattern(name, text, strlen(text)))
		return true;
	name_fault(
	    text, "is not a valid server name; write app.example.com or \"*.example.com\"", error);
	return false;
}

static bool
parse_upstream(struct upstream_url *url, const char *text, char error[256])
{
	static const char forms[] = "tcp://HOST:PORT or unix:/PATH";

	if (!upstream_url_parse(url, text, forms, error))
		return false;
	if (url->kind == UPSTREAM_TLS) {
		snprintf(
		    error, 256, "would wrap bytes that are sealed already; write tcp://HOST:PORT");
		return false;
	}
	return !url->is_short || upstream_url_refuse(forms, error);
}

/* What a label makes of it must be a host and a port. */
static bool
is_template(const char *text, char error[256])
{
	char filled[UPSTREAM_URL_TARGET], again[UPSTREAM_URL_TARGET];
	struct upstream_url url;

	if (strlen(text) >= UPSTREAM_URL_TARGET) {
		snprintf(error, 256, "is too long; it has up to %d bytes", UPSTREAM_URL_TARGET - 1);
		return false;
	}
	if (!route_template_fill(filled, text, "x")) {
		snprintf(
		    error, 256, "has braces that are not {1}; write as in tcp://{1}.internal:443");
		return false;
	}
	if (!parse_upstream(&url, filled, error))
		return false;
	if (url.kind == UPSTREAM_TCP && route_template_expand(again, url.target, "x"))
		return true;
	snprintf(error, 256, "has {1} where no label can be; write as in tcp://{1}.internal:443");
	return false;
}

static bool
is_upstream(const char *text, char error[256])
{
	struct upstream_url url;

	return route_template_is(text) ? is_template(text, error)
				       : parse_upstream(&url, text, error);
}

static bool
is_first_protocol(const char *text, char error[256])
{
	if (strcmp(text, "tls") == 0 || strcmp(text, "postgres") == 0)
		return true;
	snprintf(error, 256, "is not known here; write tls, or [tls, postgres]");
	return false;
}

static bool
is_protocol(const char *text, char error[256])
{
	if (text[0] != '\0' && strlen(text) < 256)
		return true;
	snprintf(error, 256,
	    "is not a valid ALPN protocol of 1 to 255 bytes; write one such as h2 or http/1.1");
	return false;
}

static bool
is_refusal(const char *text, char error[256])
{
	struct refuse_rule rule;

	return refuse_rule_parse(&rule, text, error);
}

static bool
is_short_text(const char *text, char error[256])
{
	if (strlen(text) < SHORT_TEXT)
		return true;
	snprintf(error, 256, "is too long; write at most %d bytes", SHORT_TEXT - 1);
	return false;
}

/* ---- the rows ---- */

const struct conf_row settings_admin_rows[] = {
	{ "state_dir", CONF_TEXT, AT(admin_place, state_dir), .fallback = paths_relay_state,
	    .has_variable = true },
	{ "admin.socket", CONF_TEXT, AT(admin_place, socket), .check = admin_is_path,
	    .has_variable = true },
	{ 0 }
};

static const char *const depth_words[] = { "one", "any", NULL };

static const struct conf_row listener_rows[] = {
	{ "address", CONF_TEXT, AT(settings_listener, address), .required = true,
	    .check = is_listener, .mark_offset = AT(settings_listener, address_mark) },
	{ "protocols", CONF_TEXTS, AT(settings_listener, protocols), .fallback = "tls",
	    .check = is_first_protocol, .mark_offset = AT(settings_listener, protocols_mark) },
	{ "trusted_proxies", CONF_TEXTS, AT(settings_listener, trusted_proxies),
	    .check = address_rows_is_prefix },
	{ 0 }
};

static const struct conf_row upstream_rows[] = { DAEMON_UPSTREAM_ROWS(struct settings_upstream,
						     is_upstream, "5s", SECONDS(10)),
	{ "fence", CONF_TEXTS, AT(settings_upstream, fence), .check = address_rows_is_prefix,
	    .mark_offset = AT(settings_upstream, fence_mark) },
	{ 0 } };

static const struct conf_row route_rows[] = {
	{ "server_name", CONF_TEXT, AT(settings_route, server_name), .required = true,
	    .check = is_pattern, .mark_offset = AT(settings_route, server_name_mark) },
	{ "depth", CONF_WORD, AT(settings_route, any_depth), .words = depth_words,
	    .mark_offset = AT(settings_route, depth_mark) },
	{ "alpn", CONF_TEXTS, AT(settings_route, alpn), .check = is_protocol,
	    .mark_offset = AT(settings_route, alpn_mark) },
	{ "sources", CONF_TEXTS, AT(settings_route, sources), .check = address_rows_is_prefix,
	    .mark_offset = AT(settings_route, sources_mark) },
	{ "listeners", CONF_TEXTS, AT(settings_route, listeners), .check = is_listener,
	    .mark_offset = AT(settings_route, listeners_mark) },
	ADDRESS_ROWS(struct settings_route, addresses),
	{ "upstream", CONF_MAPPING, AT(settings_route, upstream), .required = true,
	    .table = upstream_rows, .scalar = "url" },
	{ "idle_timeout", CONF_DURATION, AT(settings_route, idle_ms), .fallback = "0", .least = 0,
	    .most = HOURS(24 * 365) },
	{ "stall_timeout", CONF_DURATION, AT(settings_route, stall_ms), .fallback = "0", .least = 0,
	    .most = HOURS(24 * 365) },
	{ 0 }
};

#define ROUTES_ROW \
	{ \
		"routes", CONF_MAPPINGS, AT(settings, routes), \
		    .table = route_rows, .item_bytes = sizeof(struct settings_route) \
	}
/* settings_drop_routes() */
static const struct conf_row routes_row[] = { ROUTES_ROW, { 0 } };

#define REFUSE_ROW(word, reason, answer) \
	{ \
		"refuse." word, CONF_TEXT, AT(settings, refuse[reason]), \
		    .fallback = answer, .check = is_refusal, \
		    .mark_offset = AT(settings, refuse_mark[reason]) \
	}
#define LIMIT_ROW(word, type, member, usual, low, high) \
	{ \
		"limits." word, type, AT(settings, limits.member), .fallback = usual, \
								   .least = low, .most = high \
	}

static const struct conf_row rows[] = {
	{ "version", CONF_NUMBER, AT(settings, version), .required = true, .least = 1, .most = 1 },
	DAEMON_WORKERS_ROW(struct settings, workers, workers_mark),
	{ "key_process", CONF_BOOL, AT(settings, has_key_process), .fallback = "on" },
	{ "listeners", CONF_MAPPINGS, AT(settings, listeners), .required = true,
	    .table = listener_rows, .item_bytes = sizeof(struct settings_listener) },
	{ "connect.server_name", CONF_TEXT, AT(settings, connect_name), .check = is_host_name,
	    .mark_offset = AT(settings, connect_name_mark) },
	{ "connect.certificate", CONF_TEXT, AT(settings, certificate), .check = daemon_rows_is_path,
	    .has_variable = true, .mark_offset = AT(settings, certificate_mark) },
	{ "connect.private_key", CONF_TEXT, AT(settings, private_key), .check = daemon_rows_is_path,
	    .has_variable = true, .mark_offset = AT(settings, private_key_mark) },
	RENEWAL_ROW("connect.renew", struct settings, renew),
	{ "connect.agent_cas", CONF_TEXTS, AT(settings, agent_cas), .check = daemon_rows_is_path,
	    .has_variable = true, .mark_offset = AT(settings, agent_cas_mark) },
	{ "connect.agent_crls", CONF_TEXTS, AT(settings, agent_crls), .check = daemon_rows_is_path,
	    .mark_offset = AT(settings, agent_crls_mark) },
	{ "connect.agent_crl_url", CONF_TEXTS, AT(settings, agent_crl_url), .check = fetch_is_url,
	    .mark_offset = AT(settings, agent_crl_url_mark) },
	TRUST_CRL_ROWS("connect.crl", struct settings, agent_crl),
	{ "connect.heartbeat_tolerance", CONF_DURATION, AT(settings, tolerance_ms),
	    .fallback = "15s", .least = SECONDS(1), .most = SECONDS(300) },
	{ "region", CONF_TEXT, AT(settings, region), .check = is_short_text }, ROUTES_ROW,
	REFUSE_ROW("no_name", REFUSE_NO_NAME, "alert"),
	REFUSE_ROW("unknown_name", REFUSE_UNKNOWN_NAME, "alert"),
	REFUSE_ROW("malformed", REFUSE_MALFORMED, "alert"),
	REFUSE_ROW("no_agent", REFUSE_NO_AGENT, "alert"),
	REFUSE_ROW("over_limit", REFUSE_OVER_LIMIT, "alert"),
	REFUSE_ROW("denied", REFUSE_DENIED, "alert"),
	REFUSE_ROW("foreign_alpn", REFUSE_FOREIGN_ALPN, "alert"),
	REFUSE_ROW("not_tls", REFUSE_NOT_TLS, "close"),
	REFUSE_ROW("timeout", REFUSE_TIMEOUT, "close"),
	LIMIT_ROW("flows", CONF_NUMBER, flows, "100000", 1, 100 * MILLION),
	LIMIT_ROW("flows_per_client", CONF_NUMBER, flows_per_client, "0", 0, 100 * MILLION),
	LIMIT_ROW("hello_timeout", CONF_DURATION, hello_ms, "10s", 100, SECONDS(60)),
	LIMIT_ROW("hello_bytes", CONF_SIZE, hello_bytes, "16KiB", 512, 65536),
	LIMIT_ROW("hellos", CONF_NUMBER, hellos, "4096", 1, MILLION),
	LIMIT_ROW("hellos_per_client", CONF_NUMBER, hellos_per_client, "0", 0, MILLION),
	LIMIT_ROW("hello_memory", CONF_SIZE, hello_memory, "64MiB", 1 << 20, UINT64_C(1) << 40),
	LIMIT_ROW("handshakes", CONF_NUMBER, handshakes, "256", 2, MILLION),
	LIMIT_ROW("channel_handshakes", CONF_NUMBER, channel_handshakes, "1024", 1, MILLION),
	LIMIT_ROW("handshake_timeout", CONF_DURATION, handshake_ms, "5s", 100, SECONDS(60)),
	LIMIT_ROW("sessions", CONF_NUMBER, sessions, "10000", 1, MILLION),
	LIMIT_ROW("sessions_per_identity", CONF_NUMBER, sessions_per_identity, "256", 1, MILLION),
	LIMIT_ROW("channels", CONF_NUMBER, channels, "50000", 1, 100 * MILLION),
	LIMIT_ROW("channels_per_identity", CONF_NUMBER, channels_per_identity, "1024", 1, MILLION),
	LIMIT_ROW("flows_per_identity", CONF_NUMBER, flows_per_identity, "0", 0, 100 * MILLION),
	LIMIT_ROW("endpoints", CONF_NUMBER, endpoints, "100000", 1, 100 * MILLION),
	LIMIT_ROW("endpoints_per_session", CONF_NUMBER, endpoints_per_session, "1000", 1, MILLION),
	{ "limits.flows_per_second", CONF_NUMBER, AT(settings, limits.flows_per_second), .least = 0,
	    .most = MILLION, .mark_offset = AT(settings, limits.flows_per_second_mark) },
	LIMIT_ROW("flows_per_client_per_second", CONF_NUMBER, flows_per_client_per_second, "0", 0,
	    MILLION),
	LIMIT_ROW("flows_per_name", CONF_NUMBER, flows_per_name, "0", 0, 100 * MILLION),
	LIMIT_ROW(
	    "flows_per_name_per_second", CONF_NUMBER, flows_per_name_per_second, "0", 0, MILLION),
	{ "limits.sessions_per_second", CONF_NUMBER, AT(settings, limits.sessions_per_second),
	    .least = 0, .most = MILLION,
	    .mark_offset = AT(settings, limits.sessions_per_second_mark) },
	LIMIT_ROW("agent_descriptors", CONF_NUMBER, agent_descriptors, "0", 0, 100 * MILLION),
	DAEMON_MEMORY_ROW(struct settings, limits.memory),
	{ "pool.least", CONF_NUMBER, AT(settings, pool_least), .fallback = "4", .least = 0,
	    .most = 65535 },
	{ "pool.most", CONF_NUMBER, AT(settings, pool_most), .fallback = "256", .least = 1,
	    .most = 65535 },
	{ "pool.ping_interval", CONF_DURATION, AT(settings, pool_ping_ms), .fallback = "20s",
	    .least = SECONDS(1), .most = HOURS(1) },
	{ "half_close_timeout", CONF_DURATION, AT(settings, half_closed_ms), .fallback = "60s",
	    .least = 0, .most = HOURS(24 * 365) },
	{ "stall_timeout", CONF_DURATION, AT(settings, stall_ms), .fallback = "0", .least = 0,
	    .most = HOURS(24 * 365) },
	{ "drain_timeout", CONF_DURATION, AT(settings, drain_ms), .fallback = "30s", .least = 0,
	    .most = HOURS(24) },
	{ "state_dir", CONF_TEXT, AT(settings, state_dir), .fallback = paths_relay_state,
	    .check = daemon_rows_is_path, .has_variable = true },
	{ "admin.socket", CONF_TEXT, AT(settings, admin_socket), .check = admin_is_path,
	    .has_variable = true },
	{ "admin.group", CONF_TEXT, AT(settings, admin_group), .check = admin_is_group_name,
	    .mark_offset = AT(settings, admin_group_mark) },
	WEB_ROWS(struct settings, web), DAEMON_LOG_ROWS(struct settings, log), { 0 }
};

/* ---- the whole ---- */

bool
settings_read(struct settings *settings, const char *path, FILE *messages, bool *unreadable)
{
	static const char agents[] =
	    "this looks like an agent's configuration (valise-agent.yml(5)), and "
	    "valise-relay has one of its own: give that with -c";
	static const struct conf_answer answers[] = { { "agent", agents, true },
		{ "endpoints", agents, true }, { "forwards", agents, true },
		{ "probe", agents, true }, { 0 } };
	struct conf_report report = { .out = messages, .path = path, .answers = answers };

	memset(settings, 0, sizeof *settings);
	if (conf_read(settings, rows, path, &report))
		settings_check(settings, &report);
	if (unreadable)
		*unreadable = report.unreadable;
	return report.errors == 0;
}

void
settings_wipe(struct settings *settings)
{
	for (size_t i = 0; i < settings->listeners.count; i++)
		free(settings_listener_at(settings, i)->proxies);
	conf_wipe(settings, rows);
	memset(settings, 0, sizeof *settings);
}

uint64_t
settings_routes_digest(const struct settings *settings)
{
	return conf_digest(routes_row, settings);
}

void
settings_compare(
    const struct settings *before, const struct settings *after, struct conf_changes *changes)
{
	conf_changes_find(changes, rows, before, after);
}

void
settings_drop_routes(struct settings *settings)
{
	conf_wipe(settings, routes_row);
}

struct settings_listener *
settings_listener_at(const struct settings *settings, size_t index)
{
	return (struct settings_listener *)settings->listeners.items + index;
}

struct settings_route *
settings_route_at(const struct settings *settings, size_t index)
{
	return (struct settings_route *)settings->routes.items + index;
}

unsigned
settings_worker_count(const struct settings *settings)
{
	return daemon_rows_workers(settings->workers);
}

const char *
settings_route_template(const struct settings_route *route)
{
	for (size_t i = 0; i < route->upstream.url.count; i++)
		if (route_template_is(route->upstream.url.items[i]))
			return route->upstream.url.items[i];
	return NULL;
}

bool
settings_route_takes_all(const struct settings_route *route)
{
	return route->alpn.count + route->sources.count + route->listeners.count == 0;
}

void
settings_parse_upstream(const struct settings_route *route, size_t index, struct upstream_url *url)
{
	static const char scheme[] = "tcp://";
	const char *text = route->upstream.url.items[index];
	char error[256];

	if (!route_template_is(text)) {
		parse_upstream(url, text, error);
		return;
	}
	*url = (struct upstream_url){ .kind = UPSTREAM_TCP };
	snprintf(url->target, sizeof url->target, "%s", text + strlen(scheme));
}
