/* All or nothing: what is new is complete before anything of the old is given up. */
#include "relay/reload.h"

#include <string.h>
#include "base/admin.h"
#include "base/clock.h"
#include "base/conf_changes.h"
#include "base/host.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/mistakes.h"
#include "base/resolver.h"
#include "base/shares.h"
#include "base/socket.h"
#include "base/units.h"
#include "enrol/crl_refresh.h"
#include "pki/cert.h"
#include "relay/arrival.h"
#include "relay/flow_wait.h"
#include "relay/known_names.h"
#include "relay/resumption.h"
#include "relay/route.h"
#include "relay/route_health.h"
#include "relay/rules.h"
#include "relay/shared.h"
#include "relay/trustwatch.h"
#include "relay/usage.h"
#include "relay/worker.h"

enum { RETRY_TICKS = 5 /* a second each */, DAY_S = 86400 };

static const char old_configuration[] = "the old configuration",
		  kept_crls[] = "the CRLs that were in force in the place of those refused";
/* Of what is loaded, by the configuration's keys. */
static const char configuration_part[] = "configuration",
		  certificate_part[] = "connect.certificate", trust_part[] = "connect.agent_cas";

void
reload_warn(struct reload *reload, const struct trust *trust)
{
	const char *warning, *refusal, *doubt = trust_doubt(trust);

	if (doubt) {
		log_audit(LOG_ERROR, "clock-doubted", doubt, log_str("part", trust_part));
		reload_faults_note(&reload->faults, trust_part, doubt, clock_wall_s());
	}
	if (trust_refusals(trust, &refusal) > 0) {
		log_audit(LOG_ERROR, "trust-refused", refusal, log_str("kept", kept_crls));
		reload_faults_note(&reload->faults, trust_part, refusal, clock_wall_s());
	}
	for (size_t i = 0; (warning = trust_warning(trust, i)); i++)
		log_event(LOG_WARNING, "trust-warning", warning);
}

static void
warn_of_certificate(const char *path, const struct cert_facts *facts, int64_t now_s)
{
	int64_t left_s = facts->not_after - now_s;
	char sentence[CERT_ERROR], ends[TIME_TEXT];

	if (cert_is_early(facts, path, now_s, sentence))
		log_event(LOG_WARNING, "clock-doubted", sentence, log_str("file", path));
	if (cert_ends_soon(facts, now_s))
		log_event(left_s > 0 ? LOG_WARNING : LOG_ERROR, "certificate-expires",
		    left_s > 0
			? "connect.certificate expires soon; a renewed file is taken up by itself"
			: "connect.certificate has expired, and no agent comes; a renewed file is "
			  "taken up by itself",
		    log_str("file", path), log_i64("days", left_s / DAY_S),
		    log_str("ends", time_text(facts->not_after, ends)));
}

void
reload_warn_certificate(struct reload *reload)
{
	const struct settings *settings = &reload->rules->settings;
	struct cert_facts facts;
	char ignored[CERT_ERROR];

	reload->certificate_ends_s = 0;
	if (!settings->connect_name)
		return;
	if (cert_load(&facts, settings->certificate, ignored)) {
		reload->certificate_begins_s = facts.not_before;
		reload->certificate_ends_s = facts.not_after;
		warn_of_certificate(settings->certificate, &facts, clock_wall_s());
	}
	cert_wipe(&facts);
}

void
reload_stamp(struct reload *reload)
{
	const struct settings *settings = &reload->rules->settings;

	if (!settings->connect_name)
		return;
	reload->certificate = file_stamp_of(settings->certificate);
	reload->private_key = file_stamp_of(settings->private_key);
}

static void
tell_trust(struct reload *reload)
{
	struct trust *trust = trustwatch_trust(reload->shared->trustwatch);

	for (unsigned i = 0; i < reload->shared->worker_count; i++)
		worker_post_trust(reload->shared->workers[i], trust);
	if (trust)
		trust_release(trust);
}

static struct rules *
read_rules(struct reload *reload, const struct reload_asker *asker)
{
	enum rules_failure failure;
	struct mistakes mistakes;
	struct rules *rules;

	mistakes_open(&mistakes);
	rules = rules_load(
	    reload->path, reload->shared->session_table, reload->sandbox, mistakes.out, &failure);
	mistakes_close(&mistakes, rules != NULL, old_configuration, asker);
	return rules;
}

static void
use_certificate(struct reload *reload)
{
	reload_faults_mend(&reload->faults, certificate_part);
	reload_warn_certificate(reload);
	log_audit(LOG_INFO, "certificate-reloaded", "new sessions are shown the new certificate");
}

static void
reload_certificate(struct reload *reload)
{
	struct reload_fault_listener listener;
	struct mistakes mistakes;
	bool is_fine, has_no_memory;

	reload_stamp(reload); /* before, so that a change during the load is seen next time */
	reload_faults_listen(&listener, &reload->faults, certificate_part, NULL);
	mistakes_open(&mistakes);
	memory_begin();
	is_fine = rules_renew(reload->rules, mistakes.out);
	has_no_memory = !is_fine && memory_has_failed();
	mistakes_close(&mistakes, is_fine, "what was loaded before", &listener.asker);
	if (is_fine)
		use_certificate(reload);
	if (has_no_memory)
		reload->certificate = (struct file_stamp){ 0 }; /* the next tick tries again */
}

/* Warns of settings that only a restart can change. */
static void
tell_unchanged(const struct settings *old, const struct settings *fresh)
{
	char before[ADMIN_PATH], after[ADMIN_PATH];
	bool same = old->listeners.count == fresh->listeners.count &&
	    strcmp(old->workers, fresh->workers) == 0;

	for (size_t i = 0; same && i < fresh->listeners.count; i++)
		same = strcmp(settings_listener_at(old, i)->address,
			   settings_listener_at(fresh, i)->address) == 0;
	if (!same)
		log_event(LOG_WARNING, "restart-needed",
		    "workers and listeners change only by a restart");
	if (old->has_key_process != fresh->has_key_process)
		log_event(LOG_WARNING, "restart-needed", "key_process changes only by a restart");
	else if (fresh->has_key_process && !old->connect_name && fresh->connect_name)
		log_event(LOG_WARNING, "restart-needed",
		    "there is no key process yet: connect.private_key is in the relay's own memory until a restart");
	if (strcmp(admin_path(old->admin_socket, old->state_dir, before),
		admin_path(fresh->admin_socket, fresh->state_dir, after)) != 0)
		log_event(LOG_WARNING, "restart-needed",
		    "admin.socket and state_dir change only by a restart");
	if (!web_rows_equal(&old->web, &fresh->web))
		log_event(LOG_WARNING, "restart-needed",
		    "admin.http, admin.http_hosts and admin.health change only by a restart");
	if (strcmp(old->admin_group ? old->admin_group : "",
		fresh->admin_group ? fresh->admin_group : "") != 0)
		log_event(LOG_WARNING, "restart-needed", "admin.group changes only by a restart");
}

void
reload_set_bounds(const struct reload *reload)
{
	const struct settings_limits *limits = &reload->rules->settings.limits;
	const struct limits *derived = &reload->rules->limits;
	struct shared *shared = reload->shared;
	struct shares_bounds flows = { derived->flows, limits->flows_per_client };
	struct shares_bounds hellos = { derived->hellos, limits->hellos_per_client };
	struct shares_bounds hello_bytes = { derived->hello_memory / SHARED_UNIT_BYTES, 0 };
	struct shares_bounds agent_hellos = { derived->agent_hellos, 0 };
	struct shares_bounds agent_hello_bytes = { derived->agent_hello_memory / SHARED_UNIT_BYTES,
		0 };
	struct shares_bounds handshakes = { derived->peer_handshakes, 0 };
	struct shares_bounds channels = { derived->channel_handshakes, 0 };
	struct shares_bounds lingers = { derived->lingers, 0 };
	struct shares_bounds strange_lookups = { RESOLVER_STRANGE_ASKERS, 0 };
	struct shares_bounds waits = { WAITS_MOST, WAITS_A_CLIENT };
	struct usage_bounds usage = {
		.per_identity = { [USAGE_SESSIONS] = limits->sessions_per_identity,
		    [USAGE_FLOWS] = limits->flows_per_identity,
		    [USAGE_PARKED] = limits->channels_per_identity },
		.in_all = { [USAGE_SESSIONS] = derived->sessions,
		    [USAGE_FLOWS] = derived->flows,
		    [USAGE_PARKED] = derived->channels,
		    [USAGE_ENDPOINTS] = limits->endpoints },
	};

	usage_set_bounds(shared->usage_table, &usage);
	arrival_set_bounds(shared->rates, limits);
	resumptions_set_bound(shared->resumptions,
	    derived->memory > 0 ? derived->memory / RESUMPTION_PART : RESUMPTION_BYTES);
	shares_set_bounds(shared->flows, &flows);
	shares_set_bounds(shared->hellos, &hellos);
	shares_set_bounds(shared->hello_bytes, &hello_bytes);
	shares_set_bounds(shared->agent_hellos, &agent_hellos);
	shares_set_bounds(shared->agent_hello_bytes, &agent_hello_bytes);
	shares_set_bounds(shared->unknown_peers, &handshakes);
	shares_set_bounds(shared->known_peers, &handshakes);
	shares_set_bounds(shared->channels, &channels);
	shares_set_bounds(shared->lingers, &lingers);
	shares_set_bounds(shared->strange_lookups, &strange_lookups);
	shares_set_bounds(shared->waits, &waits);
	known_names_set_bound(shared->known_names, limits->endpoints_per_session);
	atomic_store(&shared->kept_from, derived->kept_from);
}

void
reload_obey_descriptors(struct reload *reload)
{
	struct rules *rules = reload->rules;
	uint64_t before = rules->limits.descriptors, now = socket_limit();

	if (now == before)
		return;
	limits_derive(&rules->limits, &rules->settings, now, host_memory());
	reload_set_bounds(reload);
	log_event(LOG_WARNING, "descriptors-changed",
	    "the system allows another number of descriptors than before: they are shared out anew",
	    log_u64("descriptors", now), log_u64("flows", rules->limits.flows));
}

void
reload_watch_health(struct reload *reload)
{
	reload->is_health_behind = !route_health_watch(reload->health, reload->rules);
	if (reload->is_health_behind)
		memory_short("health checks, which begin later");
}

void
reload_refresh_crls(struct reload *reload)
{
	const struct settings *settings = &reload->rules->settings;
	struct renewal_crl authority;
	const struct crl_refresh_subject subjects[] = {
		{ "connect.agent_cas", &settings->agent_cas, &settings->agent_crl_url,
		    renewal_rows_dial(&settings->renew, &settings->agent_crl_url) },
		{ "connect.renew.cas", &settings->renew.cas,
		    renewal_rows_crl(&authority, settings->renew.url), settings->renew.address },
	};

	reload->is_refresh_behind =
	    !crl_refresh_set(reload->crl_refresh, subjects, settings->renew.url ? 2 : 1, NULL);
	if (reload->is_refresh_behind)
		memory_short("CRLs that are fetched, which begins later");
}

static void
use_rules(struct reload *reload, struct rules *rules)
{
	renew_follow(&reload->renew, &rules->settings);
	rules_release(reload->rules);
	reload->rules = rules;
	reload->in_force_s = clock_wall_s();
	reload_set_bounds(reload);
	reload_watch_health(reload);
	reload_refresh_crls(reload);
	log_init("valise-relay", (enum log_level)rules->settings.log.level,
	    (enum log_format)rules->settings.log.format);
	for (unsigned i = 0; i < reload->shared->worker_count; i++)
		worker_post_rules(reload->shared->workers[i], rules);
}

/* What all of a reload comes to. */
struct outcome {
	struct rules *rules;
	struct trust *trust; /* NULL: there are no agents */
	bool has_new_trust_files;
};

static bool
load_trust(struct reload *reload, struct outcome *outcome, const struct reload_asker *asker)
{
	const struct settings *settings = &outcome->rules->settings;
	char error[TRUST_ERROR];

	if (!settings->connect_name)
		return true;
	outcome->has_new_trust_files =
	    trustwatch_files_changed(reload->shared->trustwatch, settings);
	outcome->trust = trustwatch_load(reload->shared->trustwatch, settings, error);
	if (!outcome->trust)
		mistakes_tell(error, old_configuration, asker);
	return outcome->trust != NULL;
}

static bool
certificate_changed(const struct reload *reload)
{
	const struct settings *settings = &reload->rules->settings;
	struct file_stamp certificate = file_stamp_of(settings->certificate);
	struct file_stamp private_key = file_stamp_of(settings->private_key);

	return !file_stamp_equals(&certificate, &reload->certificate) ||
	    !file_stamp_equals(&private_key, &reload->private_key);
}

static void
find_changes(
    const struct reload *reload, const struct outcome *outcome, struct conf_changes *changes)
{
	const struct rules *old = reload->rules, *fresh = outcome->rules;

	settings_compare(&old->settings, &fresh->settings, changes);
	if (old->routes_digest != fresh->routes_digest)
		conf_changes_add(changes, "routes");
	if (fresh->settings.connect_name && old->settings.connect_name &&
	    certificate_changed(reload))
		conf_changes_add(changes, certificate_part);
	if (outcome->has_new_trust_files)
		conf_changes_add(changes, trust_part);
}

/* All of it has been judged.  Adopts it. */
static void
put_in_force(struct reload *reload, const struct outcome *outcome)
{
	struct conf_changes changes = { 0 };
	char changed[CONF_CHANGES_TEXT];

	find_changes(reload, outcome, &changes);
	reload_faults_mend(&reload->faults, NULL);
	tell_unchanged(&reload->rules->settings, &outcome->rules->settings);
	if (outcome->trust)
		reload_warn(reload, outcome->trust);
	trustwatch_swap(reload->shared->trustwatch, outcome->trust);
	use_rules(reload, outcome->rules);
	reload_stamp(reload);
	tell_trust(reload);
	reload_warn_certificate(reload);
	log_audit(LOG_INFO, "reloaded", "the new configuration is in force",
	    log_str("changed", conf_changes_text(&changes, changed)));
}

bool
reload_all(struct reload *reload)
{
	struct reload_fault_listener listener;
	struct outcome outcome = { 0 };
	struct rules *rules;

	reload_faults_listen(&listener, &reload->faults, configuration_part, reload->asker);
	outcome.rules = rules = read_rules(reload, &listener.asker);
	if (rules && load_trust(reload, &outcome, &listener.asker)) {
		route_health_adopt(rules, reload->rules);
		if (route_set_static(reload->shared->routes, rules->settings.connect_pattern,
			rules->static_route, rules->static_count)) {
			put_in_force(reload, &outcome);
			return true;
		}
		mistakes_tell("memory is short", old_configuration, &listener.asker);
	}
	/* A file that has changed is still to be loaded for the old configuration, at the next tick. */
	if (rules)
		trustwatch_forget_files(reload->shared->trustwatch);
	if (outcome.trust)
		trust_release(outcome.trust);
	rules_release(rules);
	return false;
}

/* It judges agents from now on, or it waits for the clock as the one before does. */
static void
use_trust(struct reload *reload, struct trust *trust)
{
	struct trustwatch *watch = reload->shared->trustwatch;
	const char *refusal;

	if (trust_refusals(trust, &refusal) == 0) {
		reload_faults_mend(&reload->faults, trust_part);
		log_audit(LOG_INFO, "trust-reloaded",
		    "agents' CAs or CRLs have changed; all sessions and flows are judged again",
		    log_u64("cas", trust_ca_count(trust)), log_u64("crls", trust_crl_count(trust)));
	}
	reload_warn(reload, trust);
	trustwatch_swap(watch, trust);
	tell_trust(reload);
}

/* It was tried again without a change, and is no better than the one in force. */
static bool
is_as_before(const struct reload *reload, const struct trust *trust)
{
	struct trust *before = trustwatch_trust(reload->shared->trustwatch);
	const char *refusal;
	size_t refused = trust_refusals(before, &refusal);

	if (before)
		trust_release(before);
	return trust_doubt(trust) || (refused > 0 && trust_refusals(trust, &refusal) >= refused);
}

/* Without a change it is tried again, and only a success is worth a word. */
static void
reload_trust(struct reload *reload, bool is_retry)
{
	struct trustwatch *watch = reload->shared->trustwatch;
	char error[TRUST_ERROR];
	struct trust *trust;

	memory_begin();
	trust = trustwatch_load(watch, &reload->rules->settings, error);
	if (trust && is_retry && is_as_before(reload, trust)) {
		trust_release(trust);
	} else if (trust) {
		use_trust(reload, trust);
	} else if (memory_has_failed()) {
		/* A revocation must not wait until the files change again. */
		trustwatch_forget_files(watch);
		log_audit(LOG_ERROR, "trust-refused", error);
	} else if (!is_retry) {
		log_audit(LOG_ERROR, "trust-refused", error);
		reload_faults_note(&reload->faults, trust_part, error, clock_wall_s());
	}
}

void
reload_poll_trust(struct reload *reload)
{
	const struct settings *settings = &reload->rules->settings;

	if (!settings->connect_name)
		return;
	if (trustwatch_files_changed(reload->shared->trustwatch, settings))
		reload_trust(reload, false);
	else if (reload_faults_have(&reload->faults, trust_part) &&
	    ++reload->retries % RETRY_TICKS == 0)
		reload_trust(reload, true);
}

static void
warn_of_crls(const struct reload *reload, int64_t now_s)
{
	struct trust *trust = trustwatch_trust(reload->shared->trustwatch);
	char sentence[TRUST_ERROR];

	if (trust && trust_crl_warning(trust, now_s, sentence))
		log_event(LOG_WARNING, "trust-warning", sentence);
	if (trust)
		trust_release(trust);
}

/* Once a day, by the clock that says when things end. */
static void
warn_daily(struct reload *reload)
{
	int64_t now_s = clock_wall_s();

	if (now_s >= reload->warned_s && now_s - reload->warned_s < DAY_S)
		return;
	if (reload->warned_s != 0) {
		reload_warn_certificate(reload);
		warn_of_crls(reload, now_s);
	}
	reload->warned_s = now_s;
}

void
reload_poll(struct reload *reload)
{
	warn_daily(reload);
	if (reload->rules->settings.connect_name && certificate_changed(reload))
		reload_certificate(reload);
	reload_poll_trust(reload);
}
