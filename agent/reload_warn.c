/*
 * What the log warns of at the start and at reloads.
 */
#include "agent/reload.h"

#include "agent/crossing.h"
#include "agent/sources.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

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
		log_event(LOG_WARNING, "certificate-expires",
		    left_s > 0
			? "agent.certificate expires soon; a renewed file is taken up by itself"
			: "agent.certificate has expired; a renewed file is taken up by itself",
		    log_str("file", live->settings.certificate), log_i64("days", left_s / DAY_S));
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

static void
warn_endpoint_certificate(const char *path)
{
	struct cert_facts facts;
	char ignored[CERT_ERROR];

	if (cert_load(&facts, path, ignored))
		warn_early(&facts, path);
	cert_wipe(&facts);
}

static void
warn_endpoint_certificates(const struct endpoint_settings *endpoint)
{
	const struct termination_settings *termination = &endpoint->termination;

	for (size_t i = 0; i < agent_settings_certificate_count(termination); i++)
		warn_endpoint_certificate(agent_settings_certificate(termination, i)->certificate);
}

static void
warn_endpoint(const struct agent_settings *settings, const struct crossing *crossing, size_t index)
{
	const struct endpoint_settings *endpoint = agent_settings_endpoint(settings, index);
	const char *unsealed = agent_settings_unsealed_warning(endpoint);
	const char *unverified = agent_settings_unverified_warning(&endpoint->upstream);
	char sentence[CROSSING_SENTENCE];

	warn_endpoint_certificates(endpoint);
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

	if (!crossing)
		memory_short("a look for client certificates that a shared upstream gets round");
	for (size_t i = 0; i < settings->endpoints.count; i++)
		warn_endpoint(settings, crossing, i);
	crossing_free(crossing);
}
