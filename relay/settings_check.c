/* The rules that span several keys of valise-relay.yml(5), and what is derived from the values. */
#include "relay/settings_check.h"

#include <stdlib.h>
#include <string.h>
#include "base/conf_once.h"
#include "base/hash.h"
#include "relay/settings.h"

/* For each worker. */
enum { FLOWS_PER_SECOND = 5000, SESSIONS_PER_SECOND = 400 };

/* ---- listeners ---- */

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

static void
check_listener(
    struct settings_listener *listener, struct conf_once *once, struct conf_report *report)
{
	address_parse(&listener->parsed, listener->address);
	listener->proxies = address_rows_prefixes(&listener->trusted_proxies);
	check_protocols(listener, report);
	if (!listener->proxies)
		conf_error(report, listener->address_mark, "cannot be kept: memory is short");
	if (conf_once_note_bytes(
		once, &listener->parsed.as, listener->parsed.bytes, listener->address_mark)
		.line > 0)
		conf_error(report, listener->address_mark, "'%s' is listened on twice; remove one",
		    listener->address);
}

static void
check_listeners(struct settings *settings, struct conf_report *report)
{
	struct conf_once *once = conf_once_new(settings->listeners.count);

	if (!once)
		conf_error(report, (struct conf_mark){ 0 }, "cannot be kept: memory is short");
	for (size_t i = 0; once && i < settings->listeners.count; i++)
		check_listener(settings_listener_at(settings, i), once, report);
	conf_once_free(once);
}

/* ---- routes ---- */

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
	const char *url = settings_route_template(route);

	if (!url) {
		if (upstream->fence_mark.line > 0)
			conf_error(report, upstream->fence_mark,
			    "a fence is for an upstream with {1}, and '%s' has none; remove it",
			    upstream->url.items[0]);
		return;
	}
	if (upstream->url.count > 1)
		conf_error(report, upstream->url_mark,
		    "'%s' leads where the client's name says, so it is the only one; remove the "
		    "others",
		    url);
	if (upstream->health.check != HEALTH_NONE)
		conf_error(report, upstream->health_mark,
		    "clients decide where '%s' leads, so there is nothing to be checked; remove "
		    "health",
		    url);
	if (upstream->fence.count == 0)
		conf_error(report, upstream->url_mark,
		    "clients decide where '%s' leads; list in upstream.fence the blocks of "
		    "addresses that it may lead to",
		    url);
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
	daemon_rows_check_proxy_tlvs(
	    route->upstream.proxy_protocol, route->upstream.proxy_tlvs_mark, report);
	if (route->any_depth && !name_is_wildcard(route->server_name))
		conf_error(report, route->depth_mark,
		    "depth is for wildcards, and '%s' is not one; remove it", route->server_name);
	if (strcmp(route->server_name, settings->connect_pattern) == 0)
		conf_error(report, route->server_name_mark,
		    "'%s' is the connect name, where agents arrive; route another name",
		    route->server_name);
	check_conditions(settings, route, report);
	address_rows_check(&route->addresses, report);
	daemon_rows_check_upstreams(&route->upstream.url, report);
	check_template(route, report);
}

/* ---- agents, refusals, bounds ---- */

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
	struct conf_mark any = settings->agent_crls_mark.line > 0 ? settings->agent_crls_mark
								  : settings->agent_crl_url_mark;
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
		    (!found || settings_route_template(route)))
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
	else if (settings_route_template(route))
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

/* Nobody but the relay's user may enter the state directory. */
static void
check_admin(const struct settings *settings, struct conf_report *report)
{
	if (settings->admin_group && !settings->admin_socket)
		conf_error(report, settings->admin_group_mark,
		    "admin.group needs admin.socket: a group cannot enter state_dir; write "
		    "socket: /run/valise-relay/admin.sock");
}

void
settings_check(struct settings *settings, struct conf_report *report)
{
	check_connect(settings, report);
	renewal_rows_check(&settings->renew, settings->certificate, settings->private_key, report);
	check_listeners(settings, report);
	for (size_t i = 0; i < settings->routes.count; i++)
		check_route(settings, i, report);
	check_same_names(settings, report);
	for (enum refusal reason = 0; reason < REFUSALS; reason++)
		check_refusal(settings, reason, report);
	check_bounds(settings, report);
	web_rows_check(&settings->web, report);
	check_admin(settings, report);
}
