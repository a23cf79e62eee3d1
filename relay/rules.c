/* Makes one configuration ready for use: TLS credentials and static routes from settings. */
#include "relay/rules.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/host.h"
#include "base/memory.h"
#include "base/sandbox.h"
#include "base/socket.h"
#include "pki/cert.h"
#include "keys/key_pair.h"
#include "keys/key_process.h"
#include "relay/confine.h"
#include "relay/session_table.h"
#include "relay/renew.h"
#include "relay/route.h"
#include "tunnel/tls.h"

enum { MANY_ROUTES = 1000 };

struct counted {
	atomic_uint held;
	pthread_mutex_t lock;           /* of session_tls */
	struct tls_config *session_tls; /* NULL without a connect name */
	struct rules rules;
};

static struct tls_config *
session_config(const struct settings *settings, struct conf_report *report)
{
	struct tls_settings tls = { .purpose = TLS_SESSION_RELAY };
	char error[KEY_PAIR_ERROR], tls_error[TLS_ERROR];
	struct tls_config *config = NULL;
	struct key_pair pair;
	enum key_pair_fault fault =
	    key_pair_load(&pair, settings->certificate, settings->private_key, error);

	tls.certificate = &pair.certificate;
	tls.private_key = &pair.key;
	if (fault != KEY_PAIR_FINE)
		conf_error(report,
		    fault == KEY_PAIR_KEY ? settings->private_key_mark : settings->certificate_mark,
		    "%s", error);
	else if (!(config = tls_config_new(&tls, tls_error)))
		conf_error(report, settings->certificate_mark, "%s, %s: %s", settings->certificate,
		    settings->private_key, tls_error);
	key_pair_wipe(&pair);
	return config;
}

/* The agents will ask for the connect name, so a certificate without it helps nobody. */
static void
check_certificate(const struct settings *settings, struct conf_report *report)
{
	char error[CERT_ERROR];
	struct cert_facts facts = { 0 };

	if (!cert_load(&facts, settings->certificate, error))
		conf_error(report, settings->certificate_mark, "%s", error);
	else if (!cert_covers(&facts, settings->connect_pattern))
		conf_error(report, settings->certificate_mark,
		    "%s is not for '%s'; issue one with that name, or change connect.server_name",
		    settings->certificate, settings->connect_pattern);
	cert_wipe(&facts);
}

static struct counted *
counted_of(struct rules *rules)
{
	return container_of(rules, struct counted, rules);
}

/* Judges both files before anything is swapped. */
static bool
load_certificate(struct rules *rules, struct conf_report *report)
{
	struct counted *counted = counted_of(rules);
	struct tls_config *old, *new;

	new = session_config(&rules->settings, report);
	if (new)
		check_certificate(&rules->settings, report);
	if (!new || report->errors > 0) {
		tls_config_release(new);
		return false;
	}
	pthread_mutex_lock(&counted->lock);
	old = counted->session_tls;
	counted->session_tls = new;
	pthread_mutex_unlock(&counted->lock);
	tls_config_release(old);
	return true;
}

bool
rules_renew(struct rules *rules, FILE *messages)
{
	struct conf_report report = { .out = messages, .path = rules->path };

	return load_certificate(rules, &report);
}

struct tls_config *
rules_session_tls(struct rules *rules)
{
	struct counted *counted = counted_of(rules);
	struct tls_config *config;

	pthread_mutex_lock(&counted->lock);
	config = tls_config_hold(counted->session_tls);
	pthread_mutex_unlock(&counted->lock);
	return config;
}

/* Before the first key is asked for, which the first rules decide.  A check has no table, and speaks with
 * nobody. */
static bool
settle_keys(
    const struct rules *rules, const struct session_table *table, struct conf_report *report)
{
	if (!table ||
	    key_process_settle(rules->settings.has_key_process && rules->settings.connect_name))
		return true;
	conf_error(report, (struct conf_mark){ 0 },
	    "the process for private keys cannot be started: %s; key_process: off does without",
	    strerror(errno));
	return false;
}

static bool
load_tls(struct rules *rules, struct session_table *table, struct conf_report *report)
{
	struct tls_settings channel = { .purpose = TLS_CHANNEL_RELAY,
		.find_key = session_table_find_key,
		.find_key_arg = table };
	char error[TLS_ERROR];

	if (!rules->settings.connect_name)
		return true;
	rules->channel_tls = tls_config_new(&channel, error);
	if (!rules->channel_tls)
		conf_error(report, (struct conf_mark){ 0 }, "%s", error);
	return load_certificate(rules, report) && rules->channel_tls;
}

/* NULL when memory is short. */
static struct ip_address *
parse_addresses(const struct conf_texts *texts)
{
	struct ip_address *addresses = calloc(texts->count + 1, sizeof *addresses);

	for (size_t i = 0; addresses && i < texts->count; i++) {
		struct address address;

		address_parse(&address, texts->items[i]);
		addresses[i] = ip_address_of(&address);
	}
	return addresses;
}

/* Of a route with several upstreams, or one that is checked; *group is NULL for any other.  False when memory
 * is short. */
static bool
make_group(const struct settings_route *route, struct upstream_group **group)
{
	const struct settings_upstream *upstream = &route->upstream;
	struct upstream_url urls[UPSTREAMS_MOST];
	char *targets[UPSTREAMS_MOST];

	*group = NULL;
	if (upstream->url.count == 1 && upstream->health.check == HEALTH_NONE)
		return true;
	for (size_t i = 0; i < upstream->url.count; i++) {
		settings_parse_upstream(route, i, &urls[i]);
		targets[i] = urls[i].target;
	}
	*group =
	    upstream_group_new(route->server_name, targets, upstream->url.count, &upstream->health);
	return *group != NULL;
}

static struct route_static *
new_route(const struct settings_route *route, const struct route_conditions *when,
    const struct prefix *fence, struct address_rules *addresses, struct upstream_group *group)
{
	struct upstream_url url;
	const struct route_static_settings facts = { .pattern = route->server_name,
		.any_depth = route->any_depth != 0,
		.when = settings_route_takes_all(route) ? NULL : when,
		.target = url.target,
		.group = group,
		.connect_ms = (uint16_t)route->upstream.connect_ms,
		.fence = route->upstream.fence.count > 0 ? fence : NULL,
		.fence_count = (uint32_t)route->upstream.fence.count,
		.addresses = addresses,
		.idle_ms = route->idle_ms,
		.stall_ms = route->stall_ms,
		.asks_for_tls = route->upstream.starttls == STARTTLS_POSTGRES,
		.proxy_version = (uint8_t)route->upstream.proxy_protocol,
		.has_proxy_tlvs = route->upstream.proxy_tlvs == PROXY_TLVS_ALL };

	settings_parse_upstream(route, 0, &url);
	return route_static_new(&facts);
}

static struct route_static *
make_route(const struct settings_route *route)
{
	struct prefix *sources = address_rows_prefixes(&route->sources);
	struct prefix *fence = address_rows_prefixes(&route->upstream.fence);
	struct ip_address *listeners = parse_addresses(&route->listeners);
	struct address_rules *addresses = NULL;
	const struct route_conditions when = { .alpn = (const char *const *)route->alpn.items,
		.alpn_count = route->alpn.count,
		.sources = sources,
		.source_count = route->sources.count,
		.listeners = listeners,
		.listener_count = route->listeners.count };
	struct upstream_group *group = NULL;
	struct route_static *made = NULL;

	if (sources && listeners && fence && address_rows_make(&route->addresses, &addresses) &&
	    make_group(route, &group))
		made = new_route(route, &when, fence, addresses, group);
	upstream_group_release(group);
	address_rules_release(addresses);
	free(fence);
	free(sources);
	free(listeners);
	return made;
}

static bool
load_routes(struct rules *rules, struct conf_report *report)
{
	size_t count = rules->settings.routes.count;

	rules->static_route = calloc(count + 1, sizeof *rules->static_route);
	for (; rules->static_route && rules->static_count < count; rules->static_count++) {
		const struct settings_route *route =
		    settings_route_at(&rules->settings, rules->static_count);

		rules->static_route[rules->static_count] = make_route(route);
		if (!rules->static_route[rules->static_count])
			break;
	}
	rules->routes_digest = settings_routes_digest(&rules->settings);
	if (rules->static_route && rules->static_count == count) {
		settings_drop_routes(&rules->settings);
		if (count >= MANY_ROUTES)
			memory_give_back();
		return true;
	}
	conf_error(report, (struct conf_mark){ 0 }, "memory is short");
	return false;
}

/* What is out of reach would be told as a lack of rights, for which nobody would find the reason. */
static bool
is_in_reach(
    const struct sandbox *sandbox, const struct settings *settings, struct conf_report *report)
{
	struct sandbox *wanted = sandbox ? confine_plan_reload(settings, report->path) : NULL;
	char sentence[SANDBOX_ERROR];

	if (wanted && sandbox_misses(sandbox, wanted, sentence))
		conf_error(report, (struct conf_mark){ 0 }, "%s", sentence);
	sandbox_free(wanted);
	return report->errors == 0;
}

struct rules *
rules_load(const char *path, struct session_table *table, const struct sandbox *sandbox,
    FILE *messages, enum rules_failure *failure)
{
	struct counted *counted = calloc(1, sizeof *counted);
	struct conf_report report = { .out = messages, .path = path };
	bool unreadable = false, is_read;

	*failure = RULES_BAD;
	if (!counted) {
		conf_error(&report, (struct conf_mark){ 0 }, "memory is short");
		return NULL;
	}
	atomic_init(&counted->held, 1);
	pthread_mutex_init(&counted->lock, NULL);
	counted->rules.path = path;
	is_read = settings_read(&counted->rules.settings, path, messages, &unreadable) &&
	    is_in_reach(sandbox, &counted->rules.settings, &report) &&
	    settle_keys(&counted->rules, table, &report);
	if (is_read && table)
		renew_mend(&counted->rules.settings);
	if (is_read && load_tls(&counted->rules, table, &report) &&
	    load_routes(&counted->rules, &report)) {
		limits_derive(&counted->rules.limits, &counted->rules.settings,
		    socket_raise_limit(), host_memory());
		*failure = RULES_FINE;
		return &counted->rules;
	}
	if (unreadable)
		*failure = RULES_UNREADABLE;
	rules_release(&counted->rules);
	return NULL;
}

struct rules *
rules_hold(struct rules *rules)
{
	atomic_fetch_add(&counted_of(rules)->held, 1);
	return rules;
}

void
rules_release(struct rules *rules)
{
	struct counted *counted;

	if (!rules)
		return;
	counted = counted_of(rules);
	if (atomic_fetch_sub(&counted->held, 1) > 1)
		return;
	for (size_t i = 0; i < rules->static_count; i++)
		route_static_release(rules->static_route[i]);
	free(rules->static_route);
	tls_config_release(counted->session_tls);
	tls_config_release(rules->channel_tls);
	pthread_mutex_destroy(&counted->lock);
	settings_wipe(&rules->settings);
	free(counted);
}
