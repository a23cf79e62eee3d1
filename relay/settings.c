/*
 * The rows of valise-relay.yml(5); then what no single row can know: values
 * parsed once more into what the program works with, and the rules between keys.
 */
#include "relay/settings.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "base/admin.h"
#include "base/admin_client.h"
#include "base/daemon_rows.h"
#include "base/hash.h"
#include "base/units.h"
#include "relay/route_template.h"
#include "tunnel/frame.h"

#define AT(type, member) offsetof(struct type, member)
#define SECONDS(n) ((n)*UINT64_C(1000))
#define HOURS(n) SECONDS((n)*UINT64_C(3600))
#define MILLION UINT64_C(1000000)

/* For each worker. */
enum { FLOWS_PER_SECOND = 5000, SESSIONS_PER_SECOND = 400 };

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
is_prefix(const char *text, char error[256])
{
	struct prefix prefix;

	if (prefix_parse(&prefix, text))
		return true;
	snprintf(error, 256, "is not a valid block of addresses; write it as 192.0.2.0/24");
	return false;
}

/* Where somebody means an address and writes a network, more would be let in than he meant. */
static bool
is_exact_prefix(const char *text, char error[256])
{
	struct prefix prefix;

	if (!is_prefix(text, error))
		return false;
	if (prefix_parse_exact(&prefix, text))
		return true;
	snprintf(error, 256,
	    "has bits beyond its length; write the block's first address, or the address alone");
	return false;
}

static bool
is_host_name(const char *text, char error[256])
{
	char name[NAME_SIZE];

	if (name_normalise(name, text, strlen(text)))
		return true;
	snprintf(error, 256,
	    "is not a valid server name; write letters, digits and - in labels of at most 63");
	return false;
}

static bool
is_pattern(const char *text, char error[256])
{
	char name[NAME_SIZE];

	if (name_normalise_pattern(name, text, strlen(text)))
		return true;
	snprintf(
	    error, 256, "is not a valid server name; write app.example.com or \"*.example.com\"");
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

static const char state_dir[] = VALISE_LOCALSTATEDIR "/lib/valise-relay";

const struct conf_row settings_admin_rows[] = {
	{ "state_dir", CONF_TEXT, AT(admin_place, state_dir), .fallback = state_dir },
	{ "admin.socket", CONF_TEXT, AT(admin_place, socket), .check = admin_is_path }, { 0 }
};

static const char *const depth_words[] = { "one", "any", NULL };

static const struct conf_row listener_rows[] = {
	{ "address", CONF_TEXT, AT(settings_listener, address), .required = true,
	    .check = is_listener, .mark_offset = AT(settings_listener, address_mark) },
	{ "protocols", CONF_TEXTS, AT(settings_listener, protocols), .fallback = "tls",
	    .check = is_first_protocol, .mark_offset = AT(settings_listener, protocols_mark) },
	{ "trusted_proxies", CONF_TEXTS, AT(settings_listener, trusted_proxies),
	    .check = is_exact_prefix },
	{ 0 }
};

static const struct conf_row upstream_rows[] = { DAEMON_UPSTREAM_ROWS(
						     struct settings_upstream, is_upstream),
	{ "fence", CONF_TEXTS, AT(settings_upstream, fence), .check = is_exact_prefix,
	    .mark_offset = AT(settings_upstream, fence_mark) },
	{ 0 } };

static const struct conf_row route_rows[] = {
	{ "server_name", CONF_TEXT, AT(settings_route, server_name), .required = true,
	    .check = is_pattern, .mark_offset = AT(settings_route, server_name_mark) },
	{ "depth", CONF_WORD, AT(settings_route, any_depth), .words = depth_words,
	    .mark_offset = AT(settings_route, depth_mark) },
	{ "alpn", CONF_TEXTS, AT(settings_route, alpn), .check = is_protocol,
	    .mark_offset = AT(settings_route, alpn_mark) },
	{ "sources", CONF_TEXTS, AT(settings_route, sources), .check = is_exact_prefix,
	    .mark_offset = AT(settings_route, sources_mark) },
	{ "listeners", CONF_TEXTS, AT(settings_route, listeners), .check = is_listener,
	    .mark_offset = AT(settings_route, listeners_mark) },
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
	{ "listeners", CONF_MAPPINGS, AT(settings, listeners), .required = true,
	    .table = listener_rows, .item_bytes = sizeof(struct settings_listener) },
	{ "connect.server_name", CONF_TEXT, AT(settings, connect_name), .check = is_host_name,
	    .mark_offset = AT(settings, connect_name_mark) },
	{ "connect.certificate", CONF_TEXT, AT(settings, certificate),
	    .mark_offset = AT(settings, certificate_mark) },
	{ "connect.private_key", CONF_TEXT, AT(settings, private_key),
	    .mark_offset = AT(settings, private_key_mark) },
	{ "connect.agent_cas", CONF_TEXTS, AT(settings, agent_cas),
	    .mark_offset = AT(settings, agent_cas_mark) },
	{ "connect.agent_crls", CONF_TEXTS, AT(settings, agent_crls),
	    .mark_offset = AT(settings, agent_crls_mark) },
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
	{ "state_dir", CONF_TEXT, AT(settings, state_dir), .fallback = state_dir },
	{ "admin.socket", CONF_TEXT, AT(settings, admin_socket), .check = admin_is_path },
	{ "admin.http", CONF_TEXT, AT(settings, admin_http),
	    .mark_offset = AT(settings, admin_http_mark) },
	DAEMON_LOG_ROWS(struct settings, log), { 0 }
};

/* ---- values once more, and rules between keys ---- */

/* What asks for TLS first goes on with it, so there is no listener without it. */
static void
check_protocols(struct settings_listener *listener, struct conf_report *report)
{
	bool speaks_tls = false;

	for (size_t i = 0; i < listener->protocols.count; i++) {
		speaks_tls |= strcmp(listener->protocols.items[i], "tls") == 0;
		listener->speaks_postgres |= strcmp(listener->protocols.items[i], "postgres") == 0;
	}
	if (!speaks_tls)
		conf_error(report, listener->protocols_mark,
		    "tls is not among the protocols; write [tls, postgres]");
}

struct prefix *
settings_prefixes(const struct conf_texts *texts)
{
	struct prefix *prefixes = calloc(texts->count + 1, sizeof *prefixes);

	for (size_t i = 0; prefixes && i < texts->count; i++)
		prefix_parse(&prefixes[i], texts->items[i]);
	return prefixes;
}

static void
check_listener(struct settings *settings, size_t index, struct conf_report *report)
{
	struct settings_listener *listener = settings_listener_at(settings, index);

	address_parse(&listener->parsed, listener->address);
	listener->proxies = settings_prefixes(&listener->trusted_proxies);
	check_protocols(listener, report);
	if (!listener->proxies)
		conf_error(report, listener->address_mark, "cannot be kept: memory is short");
	for (size_t i = 0; i < index; i++) {
		if (address_equals(&settings_listener_at(settings, i)->parsed, &listener->parsed))
			conf_error(report, listener->address_mark,
			    "'%s' is listened on twice; remove one", listener->address);
	}
}

bool
settings_route_takes_all(const struct settings_route *route)
{
	return route->alpn.count + route->sources.count + route->listeners.count == 0;
}

/* The routes that take every client, by name. */
struct catch_all {
	struct hash_link link;
	const struct settings_route *route;
};

static bool
has_name(const struct hash_link *at, const void *name)
{
	return strcmp(container_of(at, const struct catch_all, link)->route->server_name, name) ==
	    0;
}

/* One name may stand in several routes, as long as all but the last of them have conditions. */
static void
check_same_name(struct table *names, struct catch_all *entry, struct conf_report *report)
{
	const struct settings_route *route = entry->route, *earlier;
	uint64_t hash = table_hash(names, route->server_name, strlen(route->server_name));
	struct hash_link *at = table_find(names, hash, has_name, route->server_name);

	if (at) {
		earlier = container_of(at, struct catch_all, link)->route;
		conf_error(report, route->server_name_mark,
		    "'%s' is routed in line %u already, for every client; remove one or give that "
		    "one alpn, sources or listeners",
		    route->server_name, earlier->server_name_mark.line);
	} else if (settings_route_takes_all(route)) {
		table_add(names, &entry->link, hash);
	}
}

static void
check_same_names(struct settings *settings, struct conf_report *report)
{
	size_t count = settings->routes.count;
	struct catch_all *entries = calloc(count + 1, sizeof *entries);
	struct table names = { 0 };

	if (!entries || !table_init(&names))
		conf_error(report, (struct conf_mark){ 0 }, "cannot be kept: memory is short");
	for (size_t i = 0; i < count && entries && names.slots; i++) {
		entries[i].route = settings_route_at(settings, i);
		check_same_name(&names, &entries[i], report);
	}
	table_wipe(&names);
	free(entries);
}

/* In its place: no name is longer when it is normal. */
static void
normalise(char *server_name)
{
	char name[NAME_SIZE];

	if (name_normalise_pattern(name, server_name, strlen(server_name)))
		memcpy(server_name, name, strlen(name) + 1);
}

/* An empty list would let everybody in. */
static void
check_condition(const char *key, const struct conf_texts *texts, struct conf_mark mark,
    struct conf_report *report)
{
	if (mark.line > 0 && texts->count == 0)
		conf_error(report, mark, "%s is empty; list at least one, or remove the key", key);
}

static void
check_route_listeners(
    struct settings *settings, const struct conf_texts *texts, struct conf_report *report)
{
	for (size_t i = 0; i < texts->count; i++) {
		struct address address;
		bool is_there = false;

		address_parse(&address, texts->items[i]);
		for (size_t k = 0; k < settings->listeners.count && !is_there; k++)
			is_there =
			    address_equals(&settings_listener_at(settings, k)->parsed, &address);
		if (!is_there)
			conf_error(report, texts->marks[i],
			    "there is no listener with the address '%s'; write one of listeners",
			    texts->items[i]);
	}
}

static void
check_conditions(
    struct settings *settings, const struct settings_route *route, struct conf_report *report)
{
	check_condition("alpn", &route->alpn, route->alpn_mark, report);
	check_condition("sources", &route->sources, route->sources_mark, report);
	check_condition("listeners", &route->listeners, route->listeners_mark, report);
	check_route_listeners(settings, &route->listeners, report);
}

/* An upstream that the client's name decides needs one label of it, and a fence. */
static void
check_template(const struct settings_route *route, struct conf_report *report)
{
	const struct settings_upstream *upstream = &route->upstream;

	if (!route_template_is(upstream->url)) {
		if (upstream->fence_mark.line > 0)
			conf_error(report, upstream->fence_mark,
			    "a fence is for an upstream with {1}, and '%s' has none; remove it",
			    upstream->url);
		return;
	}
	if (upstream->fence.count == 0)
		conf_error(report, upstream->url_mark,
		    "clients decide where '%s' leads; list in upstream.fence the blocks of "
		    "addresses that it may lead to",
		    upstream->url);
	if (!name_is_wildcard(route->server_name))
		conf_error(report, upstream->url_mark,
		    "{1} is what the * of server_name stands for, and '%s' has none",
		    route->server_name);
	if (route->any_depth)
		conf_error(report, route->depth_mark,
		    "{1} is one label, and depth allows several; remove it");
}

static void
check_route(struct settings *settings, size_t index, struct conf_report *report)
{
	struct settings_route *route = settings_route_at(settings, index);

	normalise(route->server_name);
	if (route->any_depth && !name_is_wildcard(route->server_name))
		conf_error(report, route->depth_mark,
		    "depth is for wildcards, and '%s' is not one; remove it", route->server_name);
	if (strcmp(route->server_name, settings->connect_pattern) == 0)
		conf_error(report, route->server_name_mark,
		    "'%s' is the connect name, where agents arrive; route another name",
		    route->server_name);
	check_conditions(settings, route, report);
	check_template(route, report);
}

static void
check_connect(struct settings *settings, struct conf_report *report)
{
	const struct {
		const char *key;
		bool given;
		struct conf_mark mark;
	} keys[] = {
		{ "server_name", settings->connect_name != NULL, settings->connect_name_mark },
		{ "certificate", settings->certificate != NULL, settings->certificate_mark },
		{ "private_key", settings->private_key != NULL, settings->private_key_mark },
		{ "agent_cas", settings->agent_cas.count > 0, settings->agent_cas_mark },
	};
	struct conf_mark any = settings->agent_crls_mark;
	enum { KEYS = sizeof keys / sizeof keys[0] };

	for (unsigned i = 0; i < KEYS; i++) {
		if (keys[i].mark.line > 0)
			any = keys[i].mark;
	}
	for (unsigned i = 0; i < KEYS && any.line > 0; i++) {
		if (!keys[i].given)
			conf_error(report, any,
			    "connect.%s is missing; agents cannot come without it", keys[i].key);
	}
	if (settings->connect_name)
		name_normalise(settings->connect_pattern, settings->connect_name,
		    strlen(settings->connect_name));
	if (any.line == 0 && settings->routes.count == 0)
		conf_error(report, (struct conf_mark){ 0 },
		    "there is neither connect (for agents) nor a static route; give one of them");
}

/* The route of this name, one that the client's name decides if there is one; NULL if there is none. */
static const struct settings_route *
find_route(const struct settings *settings, const char *name)
{
	const struct settings_route *found = NULL;

	for (size_t i = 0; i < settings->routes.count; i++) {
		const struct settings_route *route = settings_route_at(settings, i);

		if (strcmp(route->server_name, name) == 0 &&
		    (!found || route_template_is(route->upstream.url)))
			found = route;
	}
	return found;
}

static void
check_refusal(struct settings *settings, enum refusal reason, struct conf_report *report)
{
	struct refuse_rule *rule = &settings->rules[reason];
	struct conf_mark mark = settings->refuse_mark[reason];
	const struct settings_route *route;
	char error[256];

	refuse_rule_parse(rule, settings->refuse[reason], error);
	if (rule->action != REFUSE_BY_ROUTE)
		return;
	route = find_route(settings, rule->route);
	if (reason == REFUSE_MALFORMED)
		conf_error(
		    report, mark, "a malformed hello is never routed; write alert, close or reset");
	else if (!route)
		conf_error(report, mark, "no static route has server_name '%s'; add it to routes",
		    rule->route);
	else if (route_template_is(route->upstream.url))
		conf_error(report, mark,
		    "'%s' leads where the client's name says, and here it says nothing; name another "
		    "route",
		    rule->route);
}

/* Rates cost time on all cores. */
static void
derive_rates(struct settings *settings)
{
	struct settings_limits *limits = &settings->limits;
	unsigned workers = settings_worker_count(settings);

	if (limits->flows_per_second_mark.line == 0)
		limits->flows_per_second = FLOWS_PER_SECOND * workers;
	if (limits->sessions_per_second_mark.line == 0)
		limits->sessions_per_second = SESSIONS_PER_SECOND * workers;
}

static void
check_bounds(struct settings *settings, struct conf_report *report)
{
	if (settings->pool_least > settings->pool_most)
		conf_error(report, (struct conf_mark){ 0 },
		    "pool.least is above pool.most; lower the first or raise the second");
	if (settings->limits.flows_per_identity == 0)
		settings->limits.flows_per_identity = settings->limits.flows;
	if (settings->workers)
		derive_rates(settings);
}

static void
check_all(struct settings *settings, struct conf_report *report)
{
	check_connect(settings, report);
	for (size_t i = 0; i < settings->listeners.count; i++)
		check_listener(settings, i, report);
	for (size_t i = 0; i < settings->routes.count; i++)
		check_route(settings, i, report);
	check_same_names(settings, report);
	for (enum refusal reason = 0; reason < REFUSALS; reason++)
		check_refusal(settings, reason, report);
	check_bounds(settings, report);
}

void
settings_parse_upstream(const struct settings_route *route, struct upstream_url *url)
{
	static const char scheme[] = "tcp://";
	char error[256];

	if (!route_template_is(route->upstream.url)) {
		parse_upstream(url, route->upstream.url, error);
		return;
	}
	*url = (struct upstream_url){ .kind = UPSTREAM_TCP };
	snprintf(url->target, sizeof url->target, "%s", route->upstream.url + strlen(scheme));
}

static void
wipe_checked(struct settings *settings)
{
	for (size_t i = 0; i < settings->listeners.count; i++)
		free(settings_listener_at(settings, i)->proxies);
}

/* ---- the whole ---- */

bool
settings_read(struct settings *settings, const char *path, FILE *messages, bool *unreadable)
{
	struct conf_report report = { .out = messages, .path = path };

	memset(settings, 0, sizeof *settings);
	if (conf_read(settings, rows, path, &report))
		check_all(settings, &report);
	if (unreadable)
		*unreadable = report.unreadable;
	return report.errors == 0;
}

void
settings_wipe(struct settings *settings)
{
	wipe_checked(settings);
	conf_wipe(settings, rows);
	memset(settings, 0, sizeof *settings);
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
