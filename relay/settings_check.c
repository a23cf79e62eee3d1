/*
 * What no single row can know: values parsed once more into what the program
 * works with, and the rules between keys.
 */
#include "relay/settings.h"

#include <stdlib.h>
#include <string.h>

#include "base/units.h"

bool
settings_expired_parse(const char *text, enum settings_expired *policy, int64_t *grace_s)
{
	static const char grace[] = "grace";
	uint64_t ms = UINT64_C(24) * 3600 * 1000;

	*grace_s = 0;
	if (strcmp(text, "reject") == 0) {
		*policy = SETTINGS_EXPIRED_REJECT;
		return true;
	}
	if (strcmp(text, "allow") == 0) {
		*policy = SETTINGS_EXPIRED_ALLOW;
		return true;
	}
	if (strncmp(text, grace, strlen(grace)) != 0)
		return false;
	text += strlen(grace);
	if (*text != '\0' && (*text != ' ' || !duration_parse(text + strspn(text, " "), &ms)))
		return false;
	*policy = SETTINGS_EXPIRED_GRACE;
	*grace_s = (int64_t)(ms / 1000);
	return true;
}

bool
settings_upstream_parse(const char *url, const char **target, char error[256])
{
	static const char tcp[] = "tcp://", tls[] = "tls://", local[] = "unix:";
	struct address address;
	char host[254];
	uint16_t port;

	*target = url;
	if (strncmp(url, tls, strlen(tls)) == 0) {
		snprintf(error, 256, "would wrap bytes that are sealed already; write tcp://HOST:PORT");
		return false;
	}
	if (strncmp(url, local, strlen(local)) == 0) {
		if (url[strlen(local)] == '/' && address_parse(&address, url))
			return true;
		snprintf(error, 256, "is no socket; write unix:/PATH, absolute and at most 107 bytes");
		return false;
	}
	if (strncmp(url, tcp, strlen(tcp)) == 0 && host_port_split(url + strlen(tcp), host, &port)) {
		*target = url + strlen(tcp);
		return true;
	}
	snprintf(error, 256, "is no upstream; write tcp://HOST:PORT or unix:/PATH");
	return false;
}

static void
check_listener(struct settings *settings, size_t index, struct conf_report *report)
{
	struct settings_listener *listener = settings_listener_at(settings, index);
	size_t count = listener->trusted_proxies.count;

	address_parse(&listener->parsed, listener->address);
	listener->proxies = calloc(count + 1, sizeof(struct prefix));
	for (size_t i = 0; i < count && listener->proxies != NULL; i++)
		prefix_parse(&listener->proxies[i], listener->trusted_proxies.items[i]);
	if (listener->proxies == NULL)
		conf_error(report, listener->address_mark, "cannot be kept: memory is short");
	for (size_t i = 0; i < index; i++) {
		if (strcmp(settings_listener_at(settings, i)->address, listener->address) == 0)
			conf_error(report, listener->address_mark, "'%s' is listened on twice; remove one",
			    listener->address);
	}
}

/* One pattern may stand in several routes, as long as all but the last of them ask for an ALPN. */
static void
check_same_name(struct settings *settings, size_t index, struct conf_report *report)
{
	const struct settings_route *route = settings_route_at(settings, index), *earlier;

	for (size_t i = 0; i < index; i++) {
		earlier = settings_route_at(settings, i);
		if (earlier->alpn.count == 0 && strcmp(earlier->pattern, route->pattern) == 0)
			conf_error(report, route->server_name_mark,
			    "'%s' is routed in line %u already, for every ALPN; remove one or give that one alpn",
			    route->pattern, earlier->server_name_mark.line);
	}
}

static void
check_route(struct settings *settings, size_t index, struct conf_report *report)
{
	struct settings_route *route = settings_route_at(settings, index);
	char error[256];

	name_normalise_pattern(route->pattern, route->server_name, strlen(route->server_name));
	settings_upstream_parse(route->upstream.url, &route->upstream.target, error);
	if (route->any_depth && !name_is_wildcard(route->pattern))
		conf_error(report, route->depth_mark, "depth is for wildcards, and '%s' is none; remove it",
		    route->pattern);
	if (strcmp(route->pattern, settings->connect_pattern) == 0)
		conf_error(report, route->server_name_mark,
		    "'%s' is the connect name, where agents arrive; route another name", route->pattern);
	check_same_name(settings, index, report);
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
	enum { KEYS = sizeof(keys) / sizeof(keys[0]) };

	for (unsigned i = 0; i < KEYS; i++) {
		if (keys[i].mark.line > 0)
			any = keys[i].mark;
	}
	for (unsigned i = 0; i < KEYS && any.line > 0; i++) {
		if (!keys[i].given)
			conf_error(report, any, "connect.%s is missing; agents cannot come without it", keys[i].key);
	}
	if (settings->connect_name != NULL)
		name_normalise(settings->connect_pattern, settings->connect_name, strlen(settings->connect_name));
	if (any.line == 0 && settings->routes.count == 0)
		conf_error(report, (struct conf_mark){ 0 },
		    "there is neither connect (for agents) nor a static route; give one of them");
}

static bool
is_routed(const struct settings *settings, const char *pattern)
{
	for (size_t i = 0; i < settings->routes.count; i++) {
		if (strcmp(settings_route_at(settings, i)->pattern, pattern) == 0)
			return true;
	}
	return false;
}

static void
check_refusal(struct settings *settings, enum refusal reason, struct conf_report *report)
{
	struct refuse_rule *rule = &settings->rules[reason];
	struct conf_mark mark = settings->refuse_mark[reason];
	char error[256];

	refuse_rule_parse(rule, settings->refuse[reason], error);
	if (rule->action != REFUSE_BY_ROUTE)
		return;
	if (reason == REFUSE_MALFORMED)
		conf_error(report, mark, "what is malformed is never routed; write alert, close or reset");
	else if (!is_routed(settings, rule->route))
		conf_error(report, mark, "no static route has server_name '%s'; add it to routes", rule->route);
}

static void
check_bounds(struct settings *settings, struct conf_report *report)
{
	if (settings->pool_least > settings->pool_most)
		conf_error(report, (struct conf_mark){ 0 },
		    "pool.least is above pool.most; lower the first or raise the second");
}

void
settings_check(struct settings *settings, struct conf_report *report)
{
	check_connect(settings, report);
	settings_expired_parse(settings->crl_expired, &settings->expired, &settings->grace_s);
	for (size_t i = 0; i < settings->listeners.count; i++)
		check_listener(settings, i, report);
	for (size_t i = 0; i < settings->routes.count; i++)
		check_route(settings, i, report);
	for (enum refusal reason = 0; reason < REFUSALS; reason++)
		check_refusal(settings, reason, report);
	check_bounds(settings, report);
}

void
settings_check_wipe(struct settings *settings)
{
	for (size_t i = 0; i < settings->listeners.count; i++)
		free(settings_listener_at(settings, i)->proxies);
}
