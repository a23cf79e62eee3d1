/* The relay's main thread: signals, the clock, what the operator asks, and how it stops. */
#include "relay/relay.h"

#include <assert.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>
#include "base/admin.h"
#include "base/admin_reload.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/ready.h"
#include "base/sandbox.h"
#include "base/shares.h"
#include "base/watchdog.h"
#include "base/web.h"
#include "enrol/crl_refresh.h"
#include "keys/key_process.h"
#include "relay/kick.h"
#include "relay/listing.h"
#include "relay/relay_private.h"
#include "relay/reload.h"
#include "relay/renew.h"
#include "relay/resumption.h"
#include "relay/route.h"
#include "relay/rules.h"
#include "relay/session_lines.h"
#include "relay/shared.h"
#include "relay/status.h"
#include "relay/trustwatch.h"
#include "relay/worker.h"

enum {
	TICK_MS = 1000,
	STATUS_TEXT = 64 + RELOAD_FAULTS_TEXT + RENEWAL_TEXT,
};

static const char *const state_name[RELAY_STATES] = { "taking-over", "serving", "handing-over",
	"draining", "cut-short", "stopping" };

/* ---- stopping ---- */

void
relay_move(struct relay *relay, enum relay_state to)
{
	static const unsigned may_move[RELAY_STATES] = {
		[RELAY_TAKING_OVER] =
		    1u << RELAY_SERVING | 1u << RELAY_DRAINING | 1u << RELAY_STOPPING,
		[RELAY_SERVING] =
		    1u << RELAY_HANDING_OVER | 1u << RELAY_DRAINING | 1u << RELAY_STOPPING,
		[RELAY_HANDING_OVER] =
		    1u << RELAY_SERVING | 1u << RELAY_DRAINING | 1u << RELAY_STOPPING,
		[RELAY_DRAINING] = 1u << RELAY_CUT_SHORT | 1u << RELAY_STOPPING,
		[RELAY_CUT_SHORT] = 1u << RELAY_STOPPING,
	};

	assert(may_move[relay->state] & 1u << to);
	log_move("relay", log_i64("pid", getpid()), state_name[relay->state], state_name[to]);
	relay->state = to;
}

void
relay_stop(struct relay *relay)
{
	if (relay->state == RELAY_STOPPING)
		return;
	relay_move(relay, RELAY_STOPPING);
	timer_clear(&relay->tick);
	timer_clear(&relay->deadline);
	for (unsigned i = 0; i < relay->shared.worker_count; i++)
		worker_stop(relay->shared.workers[i]);
	loop_stop(relay->loop);
}

static void
say_goodbye(struct relay *relay)
{
	for (unsigned i = 0; i < relay->shared.worker_count; i++)
		worker_post_goodbye(relay->shared.workers[i], relay->state == RELAY_CUT_SHORT);
}

/* Cuts the flows and says goodbye to the agents, which takes a moment. One more signal does not
 * wait even for that. */
static void
cut_short(struct relay *relay)
{
	timer_clear(&relay->deadline);
	if (relay->state != RELAY_DRAINING) {
		relay_stop(relay);
		return;
	}
	relay_move(relay, RELAY_CUT_SHORT);
	say_goodbye(relay);
}

static void
on_deadline(void *arg)
{
	log_audit(LOG_WARNING, "drain-timeout", "flows are still open; they are cut now");
	cut_short(arg);
}

/* Each step is over when every worker has reported it. */
static bool
is_reported_by_all(struct relay *relay, enum worker_event event)
{
	return ++relay->reports[event] == relay->shared.worker_count;
}

static void
log_up(const struct relay *relay)
{
	const struct limits *limits = &relay->reload.rules->limits;

	log_audit(LOG_INFO, "relay-up", NULL, log_u64("workers", relay->shared.worker_count),
	    log_str("version", VALISE_VERSION), log_i64("pid", getpid()),
	    log_u64("agent_descriptors", limits->agent_descriptors),
	    log_u64("client_descriptors", limits->client_descriptors),
	    log_u64("flows", limits->flows), log_u64("sessions", limits->sessions),
	    log_u64("channels", limits->channels), log_u64("memory_mib", limits->memory >> 20));
}

void
relay_show_status(struct relay *relay, const char *state)
{
	char status[STATUS_TEXT], refused[RELOAD_FAULTS_TEXT], renewal[RENEWAL_TEXT];

	snprintf(status, sizeof status, "running, %u workers%s%s", relay->shared.worker_count,
	    reload_faults_text(&relay->reload.faults, refused),
	    renewal_text(relay->reload.renew.renewal, renewal));
	relay->shown_faults = relay->reload.faults.changes;
	ready_tell(state, status);
}

void
relay_tell_start(struct relay *relay)
{
	log_up(relay);
	relay_show_status(relay, "READY=1");
}

void
relay_on_worker(void *arg, enum worker_event event)
{
	struct relay *relay = arg;

	if (relay->state == RELAY_STOPPING)
		return;
	switch (event) {
	case WORKER_IDLE:
		if (is_reported_by_all(relay, event)) {
			timer_clear(&relay->deadline); /* there are no flows left to be cut */
			say_goodbye(relay);
		}
		break;
	case WORKER_EMPTY:
		if (is_reported_by_all(relay, event))
			relay_stop(relay);
		break;
	case WORKER_LISTENS:
		if (!is_reported_by_all(relay, event))
			break;
		if (relay->state == RELAY_TAKING_OVER)
			relay_tell_takeover_ready(relay);
		else if (relay->state == RELAY_SERVING)
			relay_tell_start(relay);
		break;
	case WORKER_FAILED:
		log_audit(LOG_ERROR, "start-failed",
		    "memory is short: a worker cannot watch its listeners");
		relay->code = EX_OSERR;
		relay_stop(relay);
		break;
	case WORKER_EVENTS:
		break;
	}
}

/* A manager that hears of the stop would bound it by a time of its own; where another process goes on, there
 * is no need for that. */
static void
tell_drain(const struct relay *relay)
{
	char status[STATUS_TEXT];

	if (relay->state != RELAY_HANDING_OVER) {
		ready_tell("STOPPING=1", "draining");
		return;
	}
	snprintf(status, sizeof status, "handed over to process %ld; open flows may finish",
	    relay->handover_pid);
	ready_tell(NULL, status);
}

void
relay_drain(struct relay *relay)
{
	uint64_t ms = relay->reload.rules->settings.drain_ms;

	tell_drain(relay);
	relay_move(relay, RELAY_DRAINING);
	log_audit(LOG_INFO, "draining", "new connections are refused; open flows may finish",
	    log_u64("timeout_ms", ms));
	timer_set(&relay->deadline, ms);
	for (unsigned i = 0; i < relay->shared.worker_count; i++)
		worker_post_drain(relay->shared.workers[i], ms);
}

/* ---- signals and the clock ---- */

static void
on_stop_signal(void *arg, int number)
{
	struct relay *relay = arg;

	if (relay_hasten_handover(relay))
		return;
	if (relay->state == RELAY_SERVING || relay->state == RELAY_HANDING_OVER ||
	    relay->state == RELAY_TAKING_OVER) {
		relay_cancel_handover(relay);
		if (relay->state != RELAY_DRAINING)
			relay_drain(relay);
		return;
	}
	log_audit(LOG_WARNING, "stopping-now", "a second signal: open flows are cut",
	    log_i64("signal", number));
	cut_short(relay);
}

static bool
reload(struct relay *relay)
{
	bool is_fine;

	ready_tell("RELOADING=1", "reloading");
	is_fine = reload_all(&relay->reload);
	relay_show_status(relay, "READY=1");
	return is_fine;
}

static void
on_reload_signal(void *arg, int number)
{
	struct relay *relay = arg;

	(void)number;
	if (relay->state == RELAY_SERVING)
		reload(relay);
}

static void
poll_files(struct relay *relay)
{
	reload_poll(&relay->reload);
	if (relay->reload.faults.changes != relay->shown_faults)
		relay_show_status(relay, NULL);
}

/* During a drain agents may still be revoked, but nobody will be shown our certificate any more. */
static void
on_tick(void *arg)
{
	struct relay *relay = arg;

	if (relay->state != RELAY_SERVING)
		reload_poll_trust(&relay->reload);
	else
		poll_files(relay);
	if (relay->reload.is_health_behind)
		reload_watch_health(&relay->reload);
	if (relay->reload.is_refresh_behind)
		reload_refresh_crls(&relay->reload);
	reload_obey_descriptors(&relay->reload);
	standstills_set_bound(&relay->shared.standstills, relay->reload.rules->limits.memory);
	trustwatch_keep_revoked(relay->shared.trustwatch);
	session_lines_tick(relay->shared.session_lines);
	route_names_tick(relay->shared.routes);
	resumptions_tidy(relay->shared.resumptions);
	if (memory_has_ebbed(&relay->flows, shares_count(relay->shared.flows)))
		memory_give_back();
	timer_set(&relay->tick, TICK_MS);
}

/* Signals that were ignored before are ignored again when the loop is gone: one more signal at the
 * very end must not turn an orderly exit into a death. */
static bool
watch_signals(struct relay *relay)
{
	static const struct {
		int number;
		void (*on_signal)(void *arg, int number);
	} signals[] = {
		{ SIGHUP, on_reload_signal },
		{ SIGTERM, on_stop_signal },
		{ SIGINT, on_stop_signal },
	};

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
		signal(signals[i].number, SIG_IGN);
		if (!loop_on_signal(relay->loop, signals[i].number, signals[i].on_signal, relay))
			return false;
	}
	return true;
}

/* ---- what the operator asks ---- */

const char *
relay_state_word(const struct relay *relay)
{
	return relay->state == RELAY_SERVING     ? "running"
	    : relay->state == RELAY_HANDING_OVER ? "handing-over"
						 : "draining";
}

static void
on_status(void *arg, struct admin_question *question, const json_t *document)
{
	struct relay *relay = arg;

	(void)document;
	status_answer(question, &relay->shared, relay->reload.rules, relay->since_s,
	    relay_state_word(relay), &relay->reload.faults, relay->reload.crl_refresh,
	    relay->reload.renew.renewal);
}

static bool
reload_asked(void *arg, const struct reload_asker *asker)
{
	struct relay *relay = arg;
	bool is_fine;

	relay->reload.asker = asker;
	is_fine = reload(relay);
	relay->reload.asker = NULL;
	return is_fine;
}

static void
on_reload(void *arg, struct admin_question *question, const json_t *document)
{
	struct relay *relay = arg;

	(void)document;
	if (relay->state != RELAY_SERVING)
		admin_reload_refuse(question, "relay");
	else
		admin_reload(question, reload_asked, relay);
}

static struct listing_place
place_of(struct relay *relay)
{
	return (struct listing_place){ &relay->listings, relay->loop, &relay->shared,
		relay->reload.rules };
}

static void
on_agents(void *relay, struct admin_question *question, const json_t *document)
{
	const struct listing_place place = place_of(relay);

	listing_agents(question, &place, document);
}

static void
on_routes(void *relay, struct admin_question *question, const json_t *document)
{
	const struct listing_place place = place_of(relay);

	listing_routes(question, &place, document);
}

static void
on_flows(void *relay, struct admin_question *question, const json_t *document)
{
	const struct listing_place place = place_of(relay);

	listing_flows(question, &place, document);
}

static void
on_kick(void *relay, struct admin_question *question, const json_t *document)
{
	const struct listing_place place = place_of(relay);

	kick(question, &place, document);
}

/* As the signal does. */
static void
on_drain(void *arg, struct admin_question *question, const json_t *document)
{
	struct relay *relay = arg;
	char message[128];

	(void)document;
	if (relay->state != RELAY_SERVING) {
		admin_refuse(question, "draining",
		    "the relay drains already, or hands over to another process", NULL);
		return;
	}
	snprintf(message, sizeof message,
	    "the relay takes nothing new; %" PRIu64 " open flows may finish within %" PRIu64 " s",
	    shares_count(relay->shared.flows), relay->reload.rules->settings.drain_ms / 1000);
	relay_drain(relay);
	admin_answer(question, json_pack("{s:s}", "message", message));
}

const struct admin_word relay_admin_words[] = {
	{ "status", on_status, ADMIN_LOOKS },
	{ "agents", on_agents, ADMIN_LOOKS },
	{ "routes", on_routes, ADMIN_LOOKS },
	{ "flows", on_flows, ADMIN_LOOKS },
	{ "kick", on_kick, ADMIN_CHANGES },
	{ "drain", on_drain, ADMIN_CHANGES },
	{ "reload", on_reload, ADMIN_CHANGES },
	{ "takeover", relay_on_takeover, ADMIN_CHANGES },
	{ 0 },
};

/* ---- the whole ---- */

static bool
start_workers(struct relay *relay)
{
	struct shared *shared = &relay->shared;

	for (unsigned i = 0; i < shared->worker_count; i++) {
		if (relay->takeover)
			worker_hold_back(shared->workers[i]);
		if (!worker_start(shared->workers[i], i))
			return false;
	}
	return true;
}

static void
warn_of_root(void)
{
	if (geteuid() == 0)
		log_event(LOG_WARNING, "running-as-root",
		    "the relay does not need the rights of root; run it as its own user with CAP_NET_BIND_SERVICE");
}

static bool
start_watchdog(struct relay *relay)
{
	relay->watchdog = watchdog_new(relay->loop);
	for (unsigned i = 0; relay->watchdog && i < relay->shared.worker_count; i++)
		if (!watchdog_add(relay->watchdog, worker_loop(relay->shared.workers[i])))
			return false;
	if (relay->watchdog)
		watchdog_start(relay->watchdog);
	return relay->watchdog != NULL;
}

/* EX_OK, or the exit code after a line in the log. */
static int
start_threads(struct relay *relay)
{
	if (watch_signals(relay) && start_workers(relay) && start_watchdog(relay) &&
	    (relay->takeover || web_start(relay->web)))
		return relay_seal_sandbox(relay);
	return relay_fail(EX_OSERR, "the system refused a thread, a signal handler or memory");
}

static void
serve(struct relay *relay)
{
	relay->code = start_threads(relay);
	if (relay->code != EX_OK) {
		relay_stop(relay);
		return;
	}
	timer_init(&relay->tick, relay->loop, on_tick, relay);
	timer_init(&relay->deadline, relay->loop, on_deadline, relay);
	timer_set(&relay->tick, TICK_MS);
	key_process_watch(relay->loop);
	reload_watch_health(&relay->reload);
	reload_refresh_crls(&relay->reload);
	renew_follow(&relay->reload.renew, &relay->reload.rules->settings);
	if (relay->takeover)
		relay_follow_takeover(relay);
	loop_run(relay->loop);
	log_audit(LOG_INFO, "relay-down", NULL);
}

int
relay_run(const struct relay_options *options)
{
	struct relay relay = { .reload.path = options->path,
		.processes = options->processes,
		.since_s = clock_wall_s(),
		.state = options->takes_over ? RELAY_TAKING_OVER : RELAY_SERVING };

	log_hold();
	relay.reload.shared = &relay.shared;
	relay.code = relay_open(&relay, options->takes_over);
	if (relay.code == EX_OK && options->has_no_sandbox)
		sandbox_tell_off();
	else if (relay.code == EX_OK)
		relay.code = relay_enter_sandbox(&relay);
	if (relay.code == EX_OK) {
		log_start(); /* from here on nobody waits for whoever reads the log */
		relay.code = relay_make(&relay);
	}
	if (relay.code == EX_OK) {
		warn_of_root();
		serve(&relay);
	}
	relay_close(&relay);
	return relay.code;
}
