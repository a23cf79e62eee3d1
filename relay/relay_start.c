/* Builds the relay, so that a second instance stops before it disturbs the first, and takes it apart. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include "base/clock.h"
#include "base/fetch.h"
#include "base/log.h"
#include "base/opener.h"
#include "base/processes.h"
#include "base/ready.h"
#include "base/sandbox.h"
#include "base/watchdog.h"
#include "base/web.h"
#include "enrol/crl_refresh.h"
#include "keys/key_process.h"
#include "relay/bind.h"
#include "relay/confine.h"
#include "relay/handover.h"
#include "relay/known_names.h"
#include "relay/metrics_web.h"
#include "relay/page_view.h"
#include "relay/relay.h"
#include "relay/relay_private.h"
#include "relay/route.h"
#include "relay/route_health.h"
#include "relay/rules.h"
#include "relay/takeover.h"
#include "relay/trustwatch.h"

enum { SENTENCE = 512 };

int
relay_fail(int code, const char *sentence)
{
	log_audit(LOG_ERROR, "start-failed", sentence);
	return code;
}

static void
on_crl_fault(void *arg, const char *part, const char *sentence)
{
	struct relay *relay = arg;

	if (sentence)
		reload_faults_note(&relay->reload.faults, part, sentence, clock_wall_s());
	else
		reload_faults_mend(&relay->reload.faults, part);
}

static void
on_renewal(void *arg)
{
	relay_show_status(arg, NULL);
}

static bool
make_refresh(struct relay *relay)
{
	struct crl_refresh_options options = {
		.loop = relay->loop,
		.state_dir = relay->reload.rules->settings.state_dir,
		.on_fault = on_crl_fault,
		.arg = relay,
	};

	options.fetcher = relay->fetcher =
	    fetcher_new(relay->loop, relay->shared.resolver, relay->processes->fetch);
	if (relay->fetcher)
		relay->reload.crl_refresh = crl_refresh_new(&options);
	return relay->reload.crl_refresh &&
	    renew_init(&relay->reload.renew, relay->loop, relay->fetcher, on_renewal, relay);
}

static bool
make_shared(struct relay *relay)
{
	const struct rules *rules = relay->reload.rules;
	struct shared *shared = &relay->shared;

	if (!shared_make(shared, relay->processes->resolver))
		return false;
	relay->reload.health = route_health_new(relay->loop, shared->resolver);
	if (!relay->reload.health || !make_refresh(relay))
		return false;
	reload_set_bounds(&relay->reload);
	return route_set_static(shared->routes, rules->settings.connect_pattern,
	    rules->static_route, rules->static_count);
}

const char *
relay_lock_path(const struct settings *settings, char path[RELAY_PATH])
{
	if (settings->admin_socket)
		snprintf(path, RELAY_PATH, "%s.lock", settings->admin_socket);
	else
		snprintf(path, RELAY_PATH, "%s/lock", settings->state_dir);
	return path;
}

static int
make_state_dir(const struct settings *settings)
{
	char error[SENTENCE];

	if (mkdir(settings->state_dir, 0700) == 0 || errno == EEXIST)
		return EX_OK;
	snprintf(error, sizeof error, "%.300s cannot be made: %s; make it, or change state_dir",
	    settings->state_dir, strerror(errno));
	return relay_fail(EX_CANTCREAT, error);
}

/* The state directory is made if its parent is there. */
static int
lock_out_others(const struct settings *settings)
{
	char path[RELAY_PATH], error[SENTENCE];
	long holder;
	int code = make_state_dir(settings);

	if (code != EX_OK)
		return code;
	if (settings->admin_socket) {
		code = admin_lock(settings->admin_socket, error);
		return code == 0 ? EX_OK : relay_fail(code, error);
	}
	if (ready_lock(relay_lock_path(settings, path), &holder, error))
		return EX_OK;
	return relay_fail(holder != 0 ? EX_UNAVAILABLE : EX_CANTCREAT, error);
}

static int
load_trust(struct relay *relay)
{
	struct trustwatch *watch = relay->shared.trustwatch;
	const struct settings *settings = &relay->reload.rules->settings;
	char error[TRUST_ERROR];
	struct trust *trust;

	if (!settings->connect_name)
		return EX_OK;
	memory_begin();
	trust = trustwatch_start(watch, settings, error);
	if (!trust)
		return relay_fail(memory_exit_code(EX_CONFIG), error);
	reload_warn(&relay->reload, trust);
	reload_warn_certificate(&relay->reload);
	trustwatch_swap(watch, trust);
	return EX_OK;
}

/* Without it names are only not known after a restart. */
void
relay_know_names(struct relay *relay)
{
	const struct settings *settings = &relay->reload.rules->settings;
	struct shared *shared = &relay->shared;

	if (!settings->connect_name)
		return;
	shared->known_names = known_names_new(
	    shared->routes, settings->state_dir, settings->limits.endpoints_per_session);
	if (!shared->known_names || !known_names_start(shared->known_names))
		memory_short(
		    "the names that were known before the restart, or will be after the next");
}

static bool
make_workers(struct relay *relay)
{
	struct shared *shared = &relay->shared;
	unsigned count = settings_worker_count(&relay->reload.rules->settings);

	shared->workers = calloc(count, sizeof(struct worker *));
	for (; shared->workers && shared->worker_count < count; shared->worker_count++) {
		shared->workers[shared->worker_count] =
		    worker_new(shared, relay->reload.rules, relay->loop, relay_on_worker, relay);
		if (!shared->workers[shared->worker_count])
			return false;
	}
	return shared->workers != NULL;
}

/* Without a socket that was asked for the relay does not start; without the usual one it can do its work. */
static int
listen_to_operator(struct relay *relay)
{
	const struct settings *settings = &relay->reload.rules->settings;
	char path[ADMIN_PATH], error[ADMIN_ERROR];

	memory_begin();
	relay->admin =
	    admin_new(relay->loop, admin_path(settings->admin_socket, settings->state_dir, path),
		relay_admin_words, relay, error);
	if (relay->admin)
		return admin_let_look(relay->admin, &relay->admin_group, error)
		    ? EX_OK
		    : relay_fail(EX_CANTCREAT, error);
	if (settings->admin_socket)
		return relay_fail(memory_exit_code(EX_CANTCREAT), error);
	log_event(LOG_WARNING, "admin-unavailable", error);
	return EX_OK;
}

static int
load_rules(struct relay *relay)
{
	enum rules_failure failure;

	memory_begin();
	relay->reload.rules =
	    rules_load(relay->reload.path, relay->shared.session_table, NULL, stderr, &failure);
	relay->reload.in_force_s = clock_wall_s();
	if (relay->reload.rules)
		return EX_OK;
	return memory_exit_code(failure == RULES_UNREADABLE ? EX_NOINPUT : EX_CONFIG);
}

static void
warn_of_descriptors(const struct rules *rules)
{
	if (rules->limits.flows < rules->settings.limits.flows)
		log_event(LOG_WARNING, "descriptors-few",
		    "each flow takes two descriptors: raise the hard limit "
		    "(LimitNOFILE= of the service, ulimit -Hn), or lower limits.flows",
		    log_u64("descriptors", rules->limits.descriptors),
		    log_u64("limits.flows", rules->settings.limits.flows),
		    log_u64("flows", rules->limits.flows));
}

int
relay_open(struct relay *relay, bool takes_over)
{
	const struct settings *settings;
	char error[ADMIN_ERROR];
	int code;

	if (!shared_init(&relay->shared))
		return relay_fail(EX_OSERR, "memory is short");
	if ((code = load_rules(relay)) != EX_OK)
		return code;
	settings = &relay->reload.rules->settings;
	log_init("valise-relay", (enum log_level)settings->log.level,
	    (enum log_format)settings->log.format);
	warn_of_descriptors(relay->reload.rules);
	if (!admin_group_find(&relay->admin_group, settings->admin_group, error))
		return relay_fail(EX_CONFIG, error);
	if (takes_over && (code = relay_ask_for_takeover(relay)) != EX_OK)
		return code;
	code = relay->takeover ? relay_take_lock(relay) : lock_out_others(settings);
	if (code != EX_OK)
		return code;
	if (!(relay->loop = loop_new()))
		return relay_fail(EX_OSERR, "memory is short");
	if ((code = load_trust(relay)) != EX_OK)
		return code;
	reload_stamp(&relay->reload);
	code = bind_listeners(
	    &relay->bound, settings, relay->takeover, settings_worker_count(settings));
	if (code == EX_OK)
		code = relay_web_open(relay);
	return code != EX_OK || relay->takeover ? code : listen_to_operator(relay);
}

int
relay_make(struct relay *relay)
{
	struct shared *shared = &relay->shared;
	int code;

	if (!make_shared(relay) || !make_workers(relay))
		return relay_fail(EX_OSERR, "memory is short");
	relay_know_names(relay);
	code = bound_give(relay->bound, shared->workers, shared->worker_count);
	bound_free(relay->bound);
	relay->bound = NULL;
	return code;
}

/* ---- the sandbox ---- */

/* Who takes over begins to listen at the admin socket when it is his. */
int
relay_enter_sandbox(struct relay *relay)
{
	struct sandbox *sandbox = confine_plan(&relay->reload.rules->settings, relay->reload.path);
	char error[SANDBOX_ERROR];

	if (!sandbox)
		return relay_fail(EX_OSERR, "memory is short");
	if (relay->takeover)
		sandbox_listening(sandbox, "takeover");
	relay->sandbox = sandbox;
	relay->reload.sandbox = sandbox;
	if (!opener_start(sandbox))
		return relay_fail(EX_OSERR, "the system refuses a process to open files with");
	return sandbox_enter(sandbox, error) ? EX_OK : relay_fail(EX_OSERR, error);
}

int
relay_seal_sandbox(struct relay *relay)
{
	char error[SANDBOX_ERROR];

	if (!relay->sandbox || sandbox_seal(relay->sandbox, error))
		return EX_OK;
	return relay_fail(EX_OSERR, error);
}

/* ---- the end ---- */

void
relay_close(struct relay *relay)
{
	struct shared *shared = &relay->shared;

	admin_free(relay->admin);
	web_stop(relay->web);
	page_view_free(relay->page);
	bound_free(relay->bound);
	handover_stop(shared->handover);
	takeover_free(relay->takeover);
	route_health_free(relay->reload.health);
	crl_refresh_free(relay->reload.crl_refresh);
	renew_wipe(&relay->reload.renew);
	fetcher_free(relay->fetcher);
	for (unsigned i = 0; i < shared->worker_count; i++)
		worker_join(shared->workers[i]);
	watchdog_free(relay->watchdog);
	listing_abandon_all(&relay->listings);
	key_process_stop();
	opener_stop();
	loop_free(relay->loop); /* their last reports are delivered here */
	web_free(relay->web);
	for (unsigned i = 0; i < shared->worker_count; i++)
		worker_free(shared->workers[i]);
	free(shared->workers);
	known_names_free(shared->known_names);
	trustwatch_keep_revoked(shared->trustwatch);
	rules_release(relay->reload.rules);
	reload_faults_wipe(&relay->reload.faults);
	sandbox_free(relay->sandbox);
	shared_wipe(shared);
}
