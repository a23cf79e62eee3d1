/* `valise-agent check`: what is asked of each file, and how the findings are told. */
#include "agent/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "agent/acme.h"
#include "agent/credentials.h"
#include "agent/crl_urls.h"
#include "agent/crossing.h"
#include "agent/endpoint_table.h"
#include "agent/forward.h"
#include "agent/limits.h"
#include "agent/renew.h"
#include "agent/sources.h"
#include "base/clock.h"
#include "agent/relay_path.h"
#include "base/fetch.h"
#include "base/host.h"
#include "base/memory.h"
#include "base/socket.h"
#include "pki/cert.h"
#include "sni/name.h"

enum { DAY_S = 86400, BROKEN = 1, EXPIRED = 1, SOON = 2 };

struct agent_check {
	const char *path;
	const struct agent_settings *settings;
	unsigned warnings, errors;
	bool has_expired, is_broken, ends_soon, doubts_clock;
	int start_code; /* why a start would fail on this host; 0: it would not */
	int64_t now_s;
	/* One for each endpoint: its server certificates, none if it passes through. */
	struct endpoint_facts {
		struct cert_facts *items;
		size_t count;
	} * certificates;
};

__attribute__((format(printf, 4, 0))) static void
tell(const struct agent_check *check, struct conf_mark mark, const char *weight, const char *format,
    va_list arguments)
{
	if (mark.line > 0)
		fprintf(stderr, "%s:%u:%u: %s", check->path, mark.line, mark.column, weight);
	else
		fprintf(stderr, "%s: %s", check->path, weight);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
}

__attribute__((format(printf, 3, 4))) static void
warn(struct agent_check *check, struct conf_mark mark, const char *format, ...)
{
	va_list arguments;

	check->warnings++;
	va_start(arguments, format);
	tell(check, mark, "warning: ", format, arguments);
	va_end(arguments);
}

/* The agent starts with it, but the other side refuses it, or it does nothing. */
__attribute__((format(printf, 3, 4))) static void
tell_broken(struct agent_check *check, struct conf_mark mark, const char *format, ...)
{
	va_list arguments;

	check->is_broken = true;
	va_start(arguments, format);
	tell(check, mark, "", format, arguments);
	va_end(arguments);
}

static void
warn_trust(struct agent_check *check, struct conf_mark mark, const struct trust *trust)
{
	const char *sentence = trust_doubt(trust);

	check->doubts_clock |= sentence != NULL;
	check->is_broken |= trust_outlook(trust) == TRUST_LACKS;
	check->has_expired |= trust_outlook(trust) == TRUST_HAS_ENDED;
	check->ends_soon |= trust_outlook(trust) == TRUST_ENDS_SOON;
	if (sentence)
		warn(check, mark, "nobody is believed before the clock is right: %s", sentence);
	for (size_t i = 0; (sentence = trust_warning(trust, i)); i++)
		warn(check, mark, "%s", sentence);
}

/* `key` names the CAs.  The agent starts with others' all the same. */
static void
check_fit(struct agent_check *check, struct conf_mark mark, const char *key,
    const struct trust *trust, enum role role)
{
	char sentence[TRUST_ERROR];

	if (!trust_fits(trust, role, sentence))
		tell_broken(check, mark, "%s: %s", key, sentence);
}

/* ---- one certificate ---- */

static void
check_end(struct agent_check *check, struct conf_mark mark, const char *path,
    const struct cert_facts *facts, bool ends_soon)
{
	int64_t left_s = facts->not_after - check->now_s;
	char sentence[CERT_ERROR];

	if (left_s <= 0) {
		check->has_expired = true;
		warn(check, mark, "%s has expired %lld days ago; have it renewed", path,
		    (long long)(-left_s / DAY_S));
	} else if (ends_soon) {
		check->ends_soon = true;
		warn(check, mark, "%s expires in %lld days; have it renewed", path,
		    (long long)(left_s / DAY_S));
	}
	if (*facts->refused)
		tell_broken(check, mark, "%s %s: who sees it refuses it; have it issued anew", path,
		    facts->refused);
	if (cert_is_early(facts, path, check->now_s, sentence)) {
		check->doubts_clock = true;
		warn(check, mark, "%s", sentence);
	}
}

static void
check_certificate(struct agent_check *check, struct conf_mark mark, const char *path,
    const struct cert_facts *facts)
{
	check_end(check, mark, path, facts, cert_ends_soon(facts, check->now_s));
}

static void
check_key(struct agent_check *check, struct conf_mark mark, const char *path,
    const struct cert_facts *facts)
{
	if (strcmp(facts->key_type, "rsa") == 0)
		warn(check, mark,
		    "%s has an RSA key, whose handshakes cost several times those of ECDSA P-256",
		    path);
}

/* As cert_covers(), but the grant may let a wildcard stand for names of any depth. */
static bool
agent_covers(const struct cert_facts *facts, const char *name)
{
	const char *plain = name_is_wildcard(name) ? name + 2 : name;

	if (cert_covers(facts, name))
		return true;
	for (size_t i = 0; facts->has_grant && facts->grant.any_depth && i < facts->san_count; i++)
		if (name_is_wildcard(facts->sans[i]) && name_matches(facts->sans[i], plain, true))
			return true;
	return false;
}

/* ---- the agent and its endpoints ---- */

/* The agent's own certificate; one that renews itself may wait for its time. */
static void
check_renewal(struct agent_check *check, const struct cert_facts *facts)
{
	const struct renewal_settings *renew = &check->settings->renew;
	bool ends_soon = renew->url
	    ? renewal_rows_is_late(renew, facts->not_before, facts->not_after, check->now_s)
	    : cert_ends_soon(facts, check->now_s);
	char error[RENEWAL_ERROR];

	check_end(check, check->settings->certificate_mark, check->settings->certificate, facts,
	    ends_soon);
	if (!agent_renew_is_possible(check->settings, error))
		warn(check, renew->mark, "it could not be renewed: %s", error);
}

/* Who hands out new certificates and CRLs must be reached after the old ones have ended. */
static void
check_way(struct agent_check *check, struct conf_mark mark, const char *url)
{
	char host[254], name[NAME_SIZE];

	if (!url || !fetch_url_host(url, host) || !name_normalise(name, host, strlen(host)))
		return;
	for (size_t i = 0; i < check->settings->endpoints.count; i++) {
		const struct endpoint_settings *endpoint =
		    agent_settings_endpoint(check->settings, i);

		if (name_matches(endpoint->server_name, name, false))
			warn(check, mark,
			    "%s is behind endpoint %s of this very agent: once its certificate or the CRLs have "
			    "ended no relay takes the agent, and nothing new comes this way; have the relay forward "
			    "%s by a static route",
			    url, endpoint->name, name);
	}
}

static void
check_ways(struct agent_check *check)
{
	const struct conf_texts *urls = &check->settings->connect_crl_url;

	check_way(check, check->settings->renew.mark, check->settings->renew.url);
	for (size_t i = 0; i < urls->count; i++)
		check_way(check, urls->marks[i], urls->items[i]);
}

static struct conf_mark
mark_of_cas(const struct agent_settings *settings)
{
	return settings->connect_cas.count > 0 ? settings->connect_cas.marks[0]
					       : (struct conf_mark){ 0 };
}

static void
check_agent(struct agent_check *check, const struct credentials *credentials)
{
	const struct conf_mark nowhere = { 0, 0 };
	const struct cert_facts *facts = &credentials->own->facts;

	check_renewal(check, facts);
	check_ways(check);
	check_key(check, nowhere, check->settings->certificate, facts);
	if (!facts->has_grant || !facts->agent)
		tell_broken(check, nowhere,
		    "%s is not an agent's certificate (no grant or not the purpose): relays will "
		    "refuse it; issue one with `valise-pki issue agent`",
		    check->settings->certificate);
	warn_trust(check, nowhere, credentials->relays);
	check_fit(check, mark_of_cas(check->settings), "agent.connect_cas", credentials->relays,
	    ROLE_RELAY);
	for (size_t i = 0; i < check->settings->endpoints.count; i++) {
		const struct endpoint_settings *endpoint =
		    agent_settings_endpoint(check->settings, i);

		if (!agent_covers(facts, endpoint->server_name))
			tell_broken(check, endpoint->url_mark,
			    "%s does not cover %s: relays will refuse the endpoint "
			    "(name-not-granted)",
			    check->settings->certificate, endpoint->server_name);
	}
}

/* What clients demand is more than a warning. */
static void
check_staple(struct agent_check *check, const struct server_certificate *certificate,
    const struct certificate_settings *settings)
{
	const struct ocsp_staple *staple = &certificate->staple;
	char error[OCSP_ERROR];
	const char *why = server_certificate_unstapled(certificate, check->now_s, error);
	struct conf_mark mark =
	    settings->staple ? settings->staple_mark : settings->certificate_mark;
	struct conf_report report = { .out = stderr, .path = check->path };

	if (why && certificate->must_staple) {
		conf_error(&report, mark,
		    "%s; %s demands one (RFC 7633), and clients that know of this will refuse it without",
		    why, settings->certificate);
		check->errors++;
	} else if (why)
		warn(check, mark, "%s", why);
	else if (staple->data &&
	    staple->until_s - check->now_s < (staple->until_s - staple->from_s) / 3)
		warn(check, mark, "%s ends in %lld hours; have it fetched anew", settings->staple,
		    (long long)((staple->until_s - check->now_s) / 3600));
}

/* False when memory is short. */
static bool
check_server_certificate(struct agent_check *check, const struct endpoint *endpoint,
    const struct certificate_settings *settings, size_t index, struct cert_facts *facts)
{
	const char *path = settings->certificate;
	char error[CERT_ERROR];

	memory_begin();
	if (!cert_load(facts, path, error)) {
		if (memory_has_failed())
			return false;
		warn(check, settings->certificate_mark, "%s", error);
		return true;
	}
	check_certificate(check, settings->certificate_mark, path, facts);
	/* Beside another it is for clients that know nothing else. */
	if (endpoint->certificate_count == 1)
		check_key(check, settings->certificate_mark, path, facts);
	if (endpoint->certificates[index].name_count == 0)
		(endpoint->certificate_count == 1 ? tell_broken : warn)(check,
		    settings->certificate_mark,
		    "%s does not cover %s: clients will refuse it, so it is shown to nobody", path,
		    endpoint->server_name);
	check_staple(check, &endpoint->certificates[index], settings);
	if (facts->has_purposes && !facts->server)
		tell_broken(check, settings->certificate_mark,
		    "%s is not for servers (extended key usage): clients will refuse it", path);
	return true;
}

static bool
covers_all(const struct endpoint_facts *facts, const char *name)
{
	for (size_t i = 0; i < facts->count; i++)
		if (cert_covers(&facts->items[i], name))
			return true;
	return false;
}

/* False when memory is short. */
static bool
check_termination(struct agent_check *check, size_t index, const struct endpoint *endpoint)
{
	const struct endpoint_settings *settings = agent_settings_endpoint(check->settings, index);
	struct endpoint_facts *facts = &check->certificates[index];

	facts->items = calloc(endpoint->certificate_count + 1, sizeof *facts->items);
	if (!facts->items)
		return false;
	while (facts->count < endpoint->certificate_count) {
		size_t i = facts->count++;

		if (!check_server_certificate(check, endpoint,
			agent_settings_certificate(&settings->termination, i), i, &facts->items[i]))
			return false;
	}
	if (name_is_wildcard(endpoint->server_name) && !covers_all(facts, endpoint->server_name))
		warn(check, settings->url_mark,
		    "no certificate of endpoint %s covers all of %s: flows to a name without one "
		    "fail (no-certificate)",
		    endpoint->name, endpoint->server_name);
	return true;
}

static bool
offers_http2(const struct endpoint_settings *endpoint)
{
	for (size_t i = 0; i < endpoint->termination.alpn.count; i++)
		if (strcmp(endpoint->termination.alpn.items[i], "h2") == 0)
			return true;
	return false;
}

/* RFC 9113, 9.1.1: a browser sends requests for the other name over this one's connection. */
static void
check_coalescing(struct agent_check *check, size_t index, size_t number)
{
	const struct endpoint_settings *here = agent_settings_endpoint(check->settings, index);
	const struct certificate_settings *certificate =
	    agent_settings_certificate(&here->termination, number);

	for (size_t i = 0; i < check->settings->endpoints.count; i++) {
		const struct endpoint_settings *other = agent_settings_endpoint(check->settings, i);

		if (i != index &&
		    cert_covers(&check->certificates[index].items[number], other->server_name))
			warn(check, certificate->certificate_mark,
			    "this certificate covers %s of endpoint %s too: HTTP/2 clients may "
			    "send its requests here, past its own policy; use a certificate for "
			    "each endpoint",
			    other->server_name, other->name);
	}
}

static void
check_acme(struct agent_check *check, size_t index)
{
	const struct endpoint_settings *endpoint = agent_settings_endpoint(check->settings, index);
	const struct acme_settings *acme = &endpoint->termination.acme;
	char sentence[ACME_WARNING];

	if (acme->mark.line == 0)
		return;
	if (!file_stamp_of(endpoint->termination.first.certificate).exists)
		warn(check, acme->mark,
		    "endpoint %s has no certificate yet, and serves nobody until the agent has one from %s",
		    endpoint->name, acme->directory);
	if (!acme->has_agreed)
		warn(check, acme->mark,
		    "without terms_agreed: true a CA that has terms of service refuses; read them first");
	if (agent_acme_warning(check->settings, index, sentence))
		warn(check, acme->mark, "%s", sentence);
}

static void
check_rules(struct agent_check *check, const struct termination_settings *termination)
{
	if (termination->clients_mark.line > 0 && termination->clients.count == 0)
		warn(check, termination->clients_mark,
		    "clients has no entry, so nobody is let in; write who is, or remove it");
}

static void
check_http2(struct agent_check *check, size_t index)
{
	bool offers = offers_http2(agent_settings_endpoint(check->settings, index));

	for (size_t i = 0; offers && i < check->certificates[index].count; i++)
		check_coalescing(check, index, i);
}

static void
check_crossing(struct agent_check *check, const struct crossing *crossing, size_t index)
{
	char sentence[CROSSING_SENTENCE];

	if (crossing_warning(crossing, index, sentence))
		warn(check, agent_settings_endpoint(check->settings, index)->upstream.url_mark,
		    "%s", sentence);
}

static void
check_unsealed(struct agent_check *check, const struct endpoint_settings *endpoint)
{
	const char *sentence = agent_settings_unsealed_warning(endpoint);

	if (sentence)
		warn(check, endpoint->trusts_unsealed_mark, "%s", sentence);
}

static void
check_header(struct agent_check *check, const struct endpoint_settings *endpoint)
{
	const char *sentence = agent_settings_header_warning(endpoint);

	if (sentence)
		warn(check, endpoint->upstream.url_mark, "%s", sentence);
}

static void
check_unverified(struct agent_check *check, const struct upstream_settings *upstream)
{
	const char *sentence = agent_settings_unverified_warning(upstream);

	if (sentence)
		warn(check, upstream->is_unverified_mark, "%s", sentence);
}

/* The agent's own, which it shows to the upstream.  False when memory is short. */
static bool
check_own(struct agent_check *check, const struct upstream_settings *upstream)
{
	struct cert_facts facts = { 0 };
	char error[CERT_ERROR];
	bool is_done = true;

	if (!upstream->certificate)
		return true;
	memory_begin();
	if (cert_load(&facts, upstream->certificate, error)) {
		check_certificate(check, upstream->certificate_mark, upstream->certificate, &facts);
		if (facts.has_purposes && !facts.client)
			tell_broken(check, upstream->certificate_mark,
			    "%s is not for clients (extended key usage): the upstream will refuse "
			    "it",
			    upstream->certificate);
	} else if (memory_has_failed())
		is_done = false;
	else
		warn(check, upstream->certificate_mark, "%s", error);
	cert_wipe(&facts);
	return is_done;
}

static void
wipe_facts(struct endpoint_facts *facts)
{
	for (size_t i = 0; i < facts->count; i++)
		cert_wipe(&facts->items[i]);
	free(facts->items);
}

/* False when memory is short. */
static bool
check_endpoints(struct agent_check *check, const struct endpoint_table *table)
{
	struct crossing *crossing = crossing_new(check->settings);
	size_t count = check->settings->endpoints.count;
	bool is_done = crossing != NULL;

	check->certificates = calloc(count + 1, sizeof *check->certificates);
	if (!check->certificates)
		is_done = false;
	for (size_t i = 0; is_done && i < count; i++) {
		const struct endpoint *endpoint = table->endpoints[i]; /* numbered in this order */
		const struct endpoint_settings *settings =
		    agent_settings_endpoint(check->settings, i);

		check_unsealed(check, settings);
		check_header(check, settings);
		if (!endpoint->terminates)
			continue;
		is_done =
		    check_termination(check, i, endpoint) && check_own(check, &settings->upstream);
		check_unverified(check, &settings->upstream);
		check_http2(check, i);
		check_crossing(check, crossing, i);
		check_acme(check, i);
		check_rules(check, &settings->termination);
		if (endpoint->clients) {
			warn_trust(check, settings->termination_mark, endpoint->clients);
			check_fit(check, settings->termination_mark,
			    "mutual_tls_certificate_authorities", endpoint->clients, ROLE_CLIENT);
		}
		/* No warnings about the system's CAs: nobody chose them for this endpoint. */
		if (endpoint->upstream.trust && settings->upstream.cas.count > 0) {
			warn_trust(check, settings->upstream.url_mark, endpoint->upstream.trust);
			check_fit(check, settings->upstream.cas.marks[0], "upstream.cas",
			    endpoint->upstream.trust, ROLE_SERVER);
		}
	}
	for (size_t i = 0; check->certificates && i < count; i++)
		wipe_facts(&check->certificates[i]);
	free(check->certificates);
	crossing_free(crossing);
	return is_done;
}

/* ---- forwards ---- */

static void
check_client_certificate(struct agent_check *check, const struct upstream_settings *settings)
{
	struct cert_facts facts = { 0 };
	char why[CERT_ERROR];

	if (cert_load(&facts, settings->certificate, why)) {
		check_certificate(check, settings->certificate_mark, settings->certificate, &facts);
		if (facts.has_purposes && !facts.client)
			tell_broken(check, settings->certificate_mark,
			    "%s is not for clients (extended key usage): servers will refuse it",
			    settings->certificate);
	} else
		warn(check, settings->certificate_mark, "%s", why);
	cert_wipe(&facts);
}

/* False with a sentence. */
static bool
check_forward(struct agent_check *check, const struct forward_settings *settings, char *error)
{
	struct forward *forward = forward_new(settings, check->settings, NULL, error);
	const char *lent = agent_settings_lent_warning(settings);

	if (!forward)
		return false;
	check_client_certificate(check, &settings->upstream);
	if (lent)
		warn(check, settings->listen_mark, "%s: %s", settings->listen, lent);
	warn_trust(check, settings->url_mark, forward->upstream.trust);
	check_fit(check, settings->url_mark, "cas", forward->upstream.trust, ROLE_SERVER);
	forward_release(forward);
	return true;
}

static bool
check_forwards(struct agent_check *check, char *error)
{
	for (size_t i = 0; i < check->settings->forwards.count; i++)
		if (!check_forward(check, agent_settings_forward(check->settings, i), error))
			return false;
	return true;
}

/* The worst of it. */
static int
verdict(const struct agent_check *check, const char **word)
{
	const struct {
		bool is_so;
		const char *word;
		int code;
	} all[] = {
		{ check->errors > 0, "wrong", EX_CONFIG },
		{ check->start_code != 0, "no start here", check->start_code },
		{ check->is_broken, "broken", BROKEN },
		{ check->has_expired, "expired", EXPIRED },
		{ check->doubts_clock, "not now", EX_TEMPFAIL },
		{ check->ends_soon, "soon", SOON },
		{ true, "fine", 0 },
	};
	size_t i = 0;

	while (!all[i].is_so)
		i++;
	*word = all[i].word;
	return all[i].code;
}

static void
check_proxy_variable(struct agent_check *check)
{
	char sentence[FETCH_PROXY_IGNORED];

	if (fetch_proxy_is_ignored(&check->settings->proxy, sentence))
		warn(check, (struct conf_mark){ 0 }, "%s", sentence);
}

static int
check_loaded(struct agent_check *check, const struct credentials *credentials,
    const struct endpoint_table *table)
{
	struct agent_limits limits;
	const char *word;
	int code;

	if (check->settings->certificate)
		check_agent(check, credentials);
	check_proxy_variable(check);
	agent_limits_derive(&limits, check->settings, socket_raise_limit(), host_memory());
	agent_limits_print(&limits, check->settings, stdout);
	if (!crl_urls_advise(check->settings, stdout) || !check_endpoints(check, table)) {
		fprintf(stderr, "%s: memory is short\n", check->path);
		return EX_OSERR;
	}
	check->start_code = agent_check_start(check->settings);
	code = verdict(check, &word);
	printf("%s: %s; endpoints: %zu, relays: %zu, forwards: %zu, warnings: %u\n", check->path,
	    word, check->settings->endpoints.count, check->settings->connect_url.count,
	    check->settings->forwards.count, check->warnings);
	return code;
}

/* False with a sentence. */
static bool
check_proxies(struct agent_check *check, char *error)
{
	struct relay_paths *paths = relay_paths_new(check->settings, error);
	const char *warning;

	if (!paths)
		return false;
	warning = fetch_proxy_warning(egress_proxy(paths->egress));
	if (warning)
		warn(check, check->settings->proxy.url_mark, "%s", warning);
	for (size_t i = 0; i < paths->count; i++) {
		const struct relay_settings *relay = agent_settings_relay(check->settings, i);

		warning = fetch_proxy_warning(egress_proxy(paths->paths[i].egress));
		if (warning && relay->proxy.url)
			warn(check, relay->proxy.url_mark, "%s", warning);
	}
	relay_paths_free(paths);
	return true;
}

static int
check_files(const char *path, const struct agent_settings *settings)
{
	struct agent_check check = { .path = path, .settings = settings, .now_s = clock_wall_s() };
	char error[ENDPOINT_ERROR];
	struct credentials *credentials;
	struct endpoint_table *table = NULL;
	int code;

	memory_begin();
	credentials = credentials_new(settings, NULL, error);
	if (credentials)
		table = endpoint_table_new(settings, credentials->relays, NULL, NULL, error);
	if (table && check_proxies(&check, error) && check_forwards(&check, error))
		code = check_loaded(&check, credentials, table);
	else {
		code = memory_exit_code(EX_CONFIG);
		agent_check_tell(path, settings, error);
	}
	endpoint_table_release(table);
	credentials_release(credentials);
	return code;
}

int
agent_check_read(struct agent_settings *settings, const char *config_path)
{
	int code = agent_settings_read(settings, config_path, stderr);

	settings->keeps_nothing = settings->waits_for_clock = true;
	if (code != 0)
		return code;
	memory_begin();
	if (!sources_catalogue(settings, &(struct trust_stamp){ 0 }) && memory_has_failed())
		return EX_OSERR; /* it has said so */
	return 0;
}

int
agent_check_run(const char *config_path)
{
	struct agent_settings settings;
	int code = agent_check_read(&settings, config_path);

	if (code == 0)
		code = check_files(config_path, &settings);
	agent_settings_wipe(&settings);
	return code;
}
