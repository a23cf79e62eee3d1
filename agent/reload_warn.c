/*
 * What the log warns of at the start and at reloads.
 */
#include "agent/reload.h"

#include "agent/crossing.h"
#include "agent/sources.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/units.h"

enum { DAY_S = 86400 };

/* Nobody will accept it yet, if the clock is right. */
static void
warn_early(const struct cert_facts *facts, const char *path)
{
	char sentence[CERT_ERROR];

	if (cert_is_early(facts, path, clock_wall_s(), sentence))
		log_event(LOG_WARNING, "clock-doubted", sentence, log_str("file", path));
}

void
agent_reload_warn_expiry(const struct agent_live *live)
{
	const struct own_certificate *own = live->context.credentials->own;
	const struct cert_facts *facts = own ? &own->facts : NULL;
	char ends[TIME_TEXT];
	int64_t left_s;

	if (!facts)
		return;
	left_s = facts->not_after - clock_wall_s();
	warn_early(facts, live->settings.certificate);
	/* A renewal speaks for itself while there is time. */
	if (live->settings.renew.url &&
	    !renewal_rows_is_late(
		&live->settings.renew, facts->not_before, facts->not_after, clock_wall_s()))
		return;
	if (cert_ends_soon(facts, clock_wall_s()))
		log_event(left_s > 0 ? LOG_WARNING : LOG_ERROR, "certificate-expires",
		    left_s > 0
			? "agent.certificate expires soon; a renewed file is taken up by itself"
			: "agent.certificate has expired; a renewed file is taken up by itself",
		    log_str("file", live->settings.certificate), log_i64("days", left_s / DAY_S),
		    log_str("ends", time_text(facts->not_after, ends)));
}

void
agent_reload_warn_crls(const struct agent_live *live)
{
	const struct endpoint_table *table = live->context.endpoint_table;

	sources_warn_of_end(live->context.credentials->relays, "agent.connect_cas");
	for (size_t i = 0; i < table->count; i++) {
		sources_warn_of_end(table->endpoints[i]->clients, table->endpoints[i]->name);
		sources_warn_of_end(table->endpoints[i]->upstream.trust, table->endpoints[i]->name);
	}
}

/* A certificate that the agent shows to others than its relays. */
struct shown_certificate {
	const char *path, *endpoint, *forward; /* one of the latter is NULL */
	const char *soon, *ended;
	bool renews_itself;
};

/* One that renews itself has lines of its own, as long as it has not ended. */
static void
warn_end(const struct shown_certificate *shown, const struct cert_facts *facts, int64_t now_s)
{
	bool has_ended = facts->not_after <= now_s;
	char ends[TIME_TEXT];

	if (!has_ended && (shown->renews_itself || !cert_ends_soon(facts, now_s)))
		return;
	log_event(has_ended ? LOG_ERROR : LOG_WARNING, "certificate-expires",
	    has_ended ? shown->ended : shown->soon, log_str("file", shown->path),
	    log_str("endpoint", shown->endpoint), log_str("forward", shown->forward),
	    log_i64("days", (facts->not_after - now_s) / DAY_S),
	    log_str("ends", time_text(facts->not_after, ends)));
}

static void
warn_certificate(const struct shown_certificate *shown)
{
	struct cert_facts facts = { 0 };
	char ignored[CERT_ERROR];

	if (shown->path && cert_load(&facts, shown->path, ignored)) {
		warn_early(&facts, shown->path);
		warn_end(shown, &facts, clock_wall_s());
	}
	cert_wipe(&facts);
}

static void
warn_endpoint_certificates(const struct endpoint_settings *endpoint)
{
	const struct termination_settings *termination = &endpoint->termination;
	struct shown_certificate shown = { .endpoint = endpoint->name,
		.renews_itself = termination->acme.mark.line > 0,
		.soon =
		    "the certificate of an endpoint expires soon; a renewed file is taken up by itself",
		.ended =
		    "the certificate of an endpoint has expired: its clients refuse it; a renewed "
		    "file is taken up by itself" };

	for (size_t i = 0; i < agent_settings_certificate_count(termination); i++) {
		shown.path = agent_settings_certificate(termination, i)->certificate;
		warn_certificate(&shown);
	}
	warn_certificate(&(struct shown_certificate){ .path = endpoint->upstream.certificate,
	    .endpoint = endpoint->name,
	    .soon =
		"the certificate for an upstream expires soon; a renewed file is taken up by itself",
	    .ended =
		"the certificate for an upstream has expired: it refuses the agent; a renewed file "
		"is taken up by itself" });
}

static void
warn_forward_certificate(const struct forward_settings *forward)
{
	warn_certificate(&(struct shown_certificate){ .path = forward->upstream.certificate,
	    .forward = forward->name,
	    .soon =
		"the certificate of a forward expires soon; a renewed file is taken up by itself",
	    .ended =
		"the certificate of a forward has expired: its server refuses it; a renewed file is "
		"taken up by itself" });
}

void
agent_reload_warn_ends(const struct agent_settings *settings)
{
	for (size_t i = 0; i < settings->endpoints.count; i++)
		warn_endpoint_certificates(agent_settings_endpoint(settings, i));
	for (size_t i = 0; i < settings->forwards.count; i++)
		warn_forward_certificate(agent_settings_forward(settings, i));
}

static void
warn_endpoint(const struct agent_settings *settings, const struct crossing *crossing, size_t index)
{
	const struct endpoint_settings *endpoint = agent_settings_endpoint(settings, index);
	const char *unsealed = agent_settings_unsealed_warning(endpoint);
	const char *unverified = agent_settings_unverified_warning(&endpoint->upstream);
	char sentence[CROSSING_SENTENCE];

	if (crossing && crossing_warning(crossing, index, sentence))
		log_event(
		    LOG_WARNING, "upstream-shared", sentence, log_str("endpoint", endpoint->name));
	if (unsealed)
		log_event(
		    LOG_WARNING, "address-unsealed", unsealed, log_str("endpoint", endpoint->name));
	if (unverified)
		log_event(LOG_WARNING, "upstream-unverified", unverified,
		    log_str("endpoint", endpoint->name),
		    log_str("upstream", endpoint->upstream.url.items[0]));
}

void
agent_reload_warn_endpoints(const struct agent_settings *settings)
{
	struct crossing *crossing = crossing_new(settings);
	char ignored[FETCH_PROXY_IGNORED];

	if (!crossing)
		memory_short("a look for client certificates that a shared upstream gets round");
	for (size_t i = 0; i < settings->endpoints.count; i++)
		warn_endpoint(settings, crossing, i);
	crossing_free(crossing);
	agent_reload_warn_ends(settings);
	if (fetch_proxy_is_ignored(&settings->proxy, ignored))
		log_event(LOG_WARNING, "proxy-ignored", ignored, log_str("see", "agent.proxy"));
}
