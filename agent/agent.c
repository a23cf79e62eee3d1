/*
 * The life of the agent: start, signals, ticks, drain, stop.
 */
#include "agent/agent.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "agent/acme.h"
#include "agent/challenge.h"
#include "agent/agent_confine.h"
#include "agent/endpoint_health.h"
#include "agent/forward_sockets.h"
#include "agent/metrics_web.h"
#include "agent/listing.h"
#include "agent/live_block.h"
#include "agent/metrics.h"
#include "agent/page_view.h"
#include "agent/relay_path.h"
#include "agent/relay_session.h"
#include "agent/renew.h"
#include "agent/reload.h"
#include "agent/sources.h"
#include "agent/status.h"
#include "base/admin.h"
#include "base/admin_reload.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/mistakes.h"
#include "base/opener.h"
#include "base/processes.h"
#include "base/socket.h"
#include "base/ready.h"
#include "base/record_lookup.h"
#include "base/sandbox.h"
#include "base/watchdog.h"
#include "enrol/crl_refresh.h"
#include "keys/key_process.h"

enum {
	TICK_MS = 1000,
	DRAIN_TICK_MS = 50,
	GATHER_MS = 2, /* what workers say of their channels, three times a flow */
	REFRESH_MS = 10,
	JUDGE_TICKS = 30,
	DAY_S = 86400,
	STATUS_TEXT = 160 + RELOAD_FAULTS_TEXT + RENEWAL_TEXT
};

/*
 *	serving --> draining --> leaving (goodbye is on its way)
 *
 * With --once a refusal for good leads from serving to leaving.
 */
enum state { SERVING, DRAINING, LEAVING, STATES };

struct agent {
	bool once;
	const struct processes *processes;
	struct agent_live live;
	struct timer tick, drain;
	uint64_t drain_until_ms;
	bool was_ready;        /* one relay has served every endpoint, since the start */
	unsigned shown_faults; /* of how many changes people have been told */
	enum state state;
	unsigned tick_count;
	struct memory_tide flows;
	int exit_code;
	struct admin *admin; /* NULL: nobody can ask */
	struct agent_web web;
	struct admin_group admin_group;
	struct listings listings;
	struct watchdog *watchdog;
	struct forward_sockets *sockets; /* until the forwards have them */
	struct timer refresh;            /* armed: relays are to hear of what has changed */
	int64_t since_s;
	int64_t warned_s; /* of what ends, by the wall clock */
};

/* ---- what people and the service manager see ---- */

static json_t *
status_of(const struct agent *agent)
{
	return agent_status(&(struct agent_status_sources){
	    .since_s = agent->since_s,
	    .state = agent->state == SERVING ? "running" : "draining",
	    .settings = &agent->live.settings,
	    .links = &agent->live.links,
	    .forwards = agent->live.forwards,
	    .probes = agent->live.probes,
	    .acme = agent->live.acme,
	    .faults = &agent->live.faults,
	    .renewal = agent->live.renew.renewal,
	    .crl_refresh = agent->live.crl_refresh,
	    .context = &agent->live.context,
	});
}

/* Where a person looks on. */
static void
show_block(const struct agent *agent)
{
	unsigned columns = agent->live.settings.log.format == LOG_JSON ? 0 : log_columns();
	struct shares_load loads[AGENT_LOADS];
	struct agent_metrics_sums sums;
	char text[LOG_FOOTER];
	json_t *status;

	if (columns == 0)
		return;
	status = status_of(agent);
	agent_workers_sum(agent->live.context.workers, &sums, loads);
	live_block_text(text, columns, status, sums.flows);
	log_footer(text);
	json_decref(status);
}

static uint64_t
flow_count(const struct agent *agent)
{
	return agent_workers_flow_count(agent->live.context.workers) +
	    forwards_flow_count(agent->live.forwards);
}

static void
show_status(struct agent *agent, const char *state)
{
	char status[STATUS_TEXT], refused[RELOAD_FAULTS_TEXT], renewal[RENEWAL_TEXT];

	snprintf(status, sizeof status,
	    "%zu of %zu relays connected, %zu endpoints, %llu flows%s%s%s",
	    relay_links_up_count(&agent->live.links), agent->live.links.count,
	    agent->live.context.endpoint_table->count, (unsigned long long)flow_count(agent),
	    relay_links_serve_all(&agent->live.links) ? "" : ", no relay serves all of them",
	    reload_faults_text(&agent->live.faults, refused),
	    renewal_text(agent->live.renew.renewal, renewal));
	agent->shown_faults = agent->live.faults.changes;
	ready_tell(state, status);
}

static void
tell_start(struct agent *agent)
{
	const struct endpoint_table *table = agent->live.context.endpoint_table;

	if (geteuid() == 0)
		log_event(LOG_WARNING, "running-as-root",
		    "the agent needs no privilege: run it as a user of its own (the systemd unit "
		    "does)");
	relay_paths_tell(agent->live.context.paths);
	sources_warn(agent->live.context.credentials->relays, "agent.connect_cas");
	for (size_t i = 0; i < table->count; i++)
		if (table->endpoints[i]->clients)
			sources_warn(table->endpoints[i]->clients, table->endpoints[i]->name);
	agent_reload_warn_expiry(&agent->live);
	agent_reload_warn_endpoints(&agent->live.settings);
	agent_reload_tell_states(&agent->live);
	log_audit(LOG_INFO, "start", "the agent runs", log_str("version", VALISE_VERSION),
	    log_u64("descriptors", agent->live.limits.descriptors),
	    log_u64("flows", agent->live.limits.flows),
	    log_u64("relays", agent->live.settings.connect_url.count),
	    log_u64("endpoints", table->count),
	    log_u64("forwards", agent->live.settings.forwards.count),
	    log_u64("workers", agent_settings_workers(&agent->live.settings)),
	    log_i64("pid", getpid()));
}

/* ---- the end ---- */

static void
move(struct agent *agent, enum state to)
{
	static const unsigned may_move[STATES] = {
		[SERVING] = 1u << DRAINING | 1u << LEAVING,
		[DRAINING] = 1u << LEAVING,
	};
	static const char *const state_name[STATES] = { "serving", "draining", "leaving" };

	assert(may_move[agent->state] & 1u << to);
	log_move("agent", log_i64("pid", getpid()), state_name[agent->state], state_name[to]);
	agent->state = to;
}

static void
leave(struct agent *agent)
{
	move(agent, LEAVING);
	relay_links_goodbye(&agent->live.links);
	if (relay_links_up_count(&agent->live.links) > 0)
		timer_set(&agent->drain, AGENT_GOODBYE_MS);
	else
		loop_stop(agent->live.context.loop);
}

static void
on_drain(void *arg)
{
	struct agent *agent = arg;
	bool late = clock_ms() >= agent->drain_until_ms;
	uint64_t flows = flow_count(agent);

	if (agent->state == LEAVING) {
		loop_stop(agent->live.context.loop);
		return;
	}
	if (!late && flows > 0) {
		timer_set(&agent->drain, DRAIN_TICK_MS);
		return;
	}
	if (flows > 0)
		log_audit(LOG_WARNING, "drain-timeout", "the time is up: open flows are cut",
		    log_u64("flows", flows));
	leave(agent);
}

static void
drain(struct agent *agent)
{
	move(agent, DRAINING);
	agent->live.is_draining = true;
	agent->web.obstacle = "it is draining";
	log_audit(LOG_INFO, "drain",
	    "new flows are refused, open ones may finish; a second signal cuts them",
	    log_u64("flows", flow_count(agent)));
	show_status(agent, "STOPPING=1");
	relay_links_drain(&agent->live.links, AGENT_DRAIN_MS);
	agent_workers_drain(agent->live.context.workers);
	forwards_drain(agent->live.forwards);
	probes_free(agent->live.probes);
	agent->live.probes = NULL;
	agent_acme_free(agent->live.acme);
	agent->live.acme = NULL;
	agent->drain_until_ms = clock_ms() + AGENT_DRAIN_MS;
	timer_set(&agent->drain, DRAIN_TICK_MS);
}

static void
on_reload_step(void *arg, bool is_over)
{
	struct agent *agent = arg;

	if (agent->state == SERVING)
		show_status(agent, is_over ? "READY=1" : "RELOADING=1");
}

static void
on_signal(void *arg, int number)
{
	struct agent *agent = arg;
	bool is_serving = agent->state == SERVING;

	if (number == SIGHUP && is_serving)
		agent_reload_begin(&agent->live, NULL);
	else if (number != SIGHUP && is_serving)
		drain(agent);
	else if (number != SIGHUP && agent->state == DRAINING)
		leave(agent);
	else if (number != SIGHUP)
		loop_stop(agent->live.context.loop);
}

/* ---- events ---- */

/* Once: what comes and goes after that has lines of its own. */
static void
note_ready(struct agent *agent)
{
	if (agent->was_ready || !relay_links_serve_all(&agent->live.links))
		return;
	agent->was_ready = true;
	log_event(LOG_INFO, "ready", "a relay serves every endpoint",
	    log_u64("endpoints", agent->live.context.endpoint_table->count));
}

static void
on_relay(void *arg, enum relay_event event)
{
	struct agent *agent = arg;

	if (event == RELAY_CHANGED) {
		note_ready(agent);
		show_status(agent, NULL);
		if (agent->state == LEAVING && relay_links_up_count(&agent->live.links) == 0)
			loop_stop(agent->live.context.loop);
		return;
	}
	if (!agent->once || agent->state != SERVING)
		return;
	agent->exit_code = EX_NOPERM;
	agent_workers_drain(agent->live.context.workers);
	leave(agent);
}

static void
on_renewal(void *arg)
{
	show_status(arg, NULL);
}

static void
on_refresh(void *arg)
{
	struct agent *agent = arg;

	relay_links_refresh(&agent->live.links, clock_wall_s());
}

/* Very many endpoints may have one upstream, whose health is found out one by one. */
static void
on_health(void *arg)
{
	struct agent *agent = arg;

	if (!agent->refresh.armed)
		timer_set(&agent->refresh, REFRESH_MS);
}

/* Relays hear of a challenge as they do of endpoints. */
static void
on_challenges(void *arg)
{
	on_refresh(arg);
}

/* Once a day, by the clock that says when things end; the start has warned. */
static void
warn_daily(struct agent *agent)
{
	int64_t now_s = clock_wall_s();

	if (now_s >= agent->warned_s && now_s - agent->warned_s < DAY_S)
		return;
	agent->warned_s = now_s;
	agent_reload_warn_expiry(&agent->live);
	agent_reload_warn_crls(&agent->live);
	agent_reload_warn_ends(&agent->live.settings);
}

static void
on_tick(void *arg)
{
	struct agent *agent = arg;

	timer_set(&agent->tick, TICK_MS);
	agent->tick_count++;
	agent_reload_files(&agent->live);
	if (agent->live.faults.changes != agent->shown_faults)
		show_status(agent, NULL);
	if (agent->live.acme)
		agent_acme_tick(agent->live.acme, relay_links_up_count(&agent->live.links) > 0);
	if (agent->live.is_health_behind)
		agent_reload_watch_health(&agent->live);
	if (agent->live.is_refresh_behind)
		agent_reload_refresh_crls(&agent->live);
	agent_reload_obey_descriptors(&agent->live);
	agent_workers_bound_memory(agent->live.context.workers, agent->live.limits.memory);
	endpoint_table_watch(agent->live.context.endpoint_table, clock_wall_s(), clock_ms());
	endpoint_table_keep_revoked(agent->live.context.endpoint_table);
	forwards_keep_revoked(agent->live.forwards);
	if (memory_has_ebbed(&agent->flows, agent_workers_flow_count(agent->live.context.workers)))
		memory_give_back();
	show_block(agent);
	relay_links_move_over(&agent->live.links, clock_wall_s());
	if (agent->tick_count % JUDGE_TICKS == 0)
		relay_links_judge_again(&agent->live.links, clock_wall_s());
	warn_daily(agent);
}

/* ---- what the operator asks ---- */

static void
on_status(void *arg, struct admin_question *question, const json_t *document)
{
	(void)document;
	admin_answer(question, status_of(arg));
}

/* Who asks by the admin socket. */
struct reload_asked {
	struct agent_reload_request request;
	struct admin_reload *reload;
};

static void
on_reload_done(void *arg, bool is_fine)
{
	struct reload_asked *asked = arg;

	admin_reload_end(asked->reload, is_fine);
	free(asked);
}

static void
on_reload(void *arg, struct admin_question *question, const json_t *document)
{
	struct agent *agent = arg;
	struct reload_asked *asked;

	(void)document;
	if (agent->state != SERVING) {
		admin_reload_refuse(question, "agent");
		return;
	}
	asked = calloc(1, sizeof *asked);
	if (!asked) {
		admin_answer(question, NULL);
		return;
	}
	asked->reload = admin_reload_begin(question);
	if (!asked->reload) {
		free(asked);
		return;
	}
	asked->request.asker = admin_reload_asker(asked->reload);
	asked->request.on_done = on_reload_done;
	asked->request.arg = asked;
	agent_reload_begin(&agent->live, &asked->request);
}

static void
on_acme_rekey(void *arg, struct admin_question *question, const json_t *document)
{
	const struct agent *agent = arg;
	size_t count = agent->live.acme ? agent_acme_change_keys(agent->live.acme) : 0;

	(void)document;
	if (count > 0)
		admin_answer(question,
		    json_pack("{s:s}", "message",
			"the keys of the accounts are changed one after the other; the log says "
			"acme-key-changed for each"));
	else
		admin_refuse(question, "acme-none",
		    "the configuration has no endpoint with acme, or the agent is stopping", NULL);
}

static void
on_endpoints(void *arg, struct admin_question *question, const json_t *document)
{
	struct agent *agent = arg;

	(void)document;
	agent_listing_endpoints(question, &agent->listings, &agent->live);
}

static void
on_flows(void *arg, struct admin_question *question, const json_t *document)
{
	struct agent *agent = arg;

	(void)document;
	agent_listing_flows(question, &agent->listings, &agent->live);
}

static const struct admin_word admin_words[] = {
	{ "status", on_status, ADMIN_LOOKS },
	{ "endpoints", on_endpoints, ADMIN_LOOKS },
	{ "flows", on_flows, ADMIN_LOOKS },
	{ "reload", on_reload, ADMIN_CHANGES },
	{ "acme-rekey", on_acme_rekey, ADMIN_CHANGES },
	{ 0 },
};

/* The agent does not start without a socket that was asked for; it can work without the usual
 * one. */
static int
listen_to_operator(struct agent *agent, char error[ENDPOINT_ERROR])
{
	const struct agent_settings *settings = &agent->live.settings;
	char path[ADMIN_PATH];
	int code = 0;

	if (!settings->state_dir && !settings->admin_socket)
		return 0;
	if (settings->admin_socket)
		code = admin_lock(settings->admin_socket, error);
	if (code != 0)
		return code;
	if (!admin_group_find(&agent->admin_group, settings->admin_group, error))
		return EX_CONFIG;
	memory_begin();
	agent->admin = admin_new(agent->live.context.loop,
	    admin_path(settings->admin_socket, settings->state_dir, path), admin_words, agent,
	    error);
	if (agent->admin)
		return admin_let_look(agent->admin, &agent->admin_group, error) ? 0 : EX_CANTCREAT;
	if (settings->admin_socket)
		return memory_exit_code(EX_CANTCREAT);
	log_event(LOG_WARNING, "admin-unavailable", error);
	return 0;
}

/* ---- start and end ---- */

static const char refused[] = "the system refuses a loop, a thread or memory";

/* Before the first key is asked for. */
static int
settle_keys(const struct agent_settings *settings, char error[ENDPOINT_ERROR])
{
	if (key_process_settle(settings->has_key_process))
		return 0;
	snprintf(error, ENDPOINT_ERROR,
	    "the process for private keys cannot be started: %s; key_process: off does without",
	    strerror(errno));
	return EX_OSERR;
}

/* 0, or the exit code with a sentence. */
static int
load(struct agent *agent, char error[ENDPOINT_ERROR])
{
	struct agent_context *context = &agent->live.context;
	int wrong = agent->live.config_path ? EX_CONFIG : EX_DATAERR;
	int code = settle_keys(&agent->live.settings, error);

	if (code == 0)
		code = agent_state_open(&agent->live.state, agent->live.settings.state_dir, error);
	if (code != 0)
		return code;
	agent->live.settings.waits_for_clock = true;
	if (!agent_reload_note_stamps(&agent->live))
		return EX_OSERR;
	agent_renew_mend(&agent->live.settings);
	agent_acme_mend(&agent->live.settings);
	memory_begin();
	context->paths = relay_paths_new(&agent->live.settings, error);
	if (!context->paths)
		return memory_exit_code(wrong);
	context->proxy = egress_proxy(context->paths->egress);
	agent->live.settings.egress = egress_hold(context->paths->egress);
	context->credentials = credentials_new(&agent->live.settings, NULL, error);
	if (!context->credentials)
		return memory_exit_code(wrong);
	context->endpoint_table = endpoint_table_new(
	    &agent->live.settings, context->credentials->relays, NULL, NULL, error);
	return context->endpoint_table ? 0 : memory_exit_code(wrong);
}

static void
on_crl_fault(void *arg, const char *part, const char *sentence)
{
	struct agent *agent = arg;

	if (sentence)
		reload_faults_note(&agent->live.faults, part, sentence, clock_wall_s());
	else
		reload_faults_mend(&agent->live.faults, part);
}

/* One-shot there is no directory to keep anything, and no key that would name a URL. */
static bool
start_fetching(struct agent *agent)
{
	struct agent_context *context = &agent->live.context;
	const struct crl_refresh_options options = {
		.loop = context->loop,
		.fetcher = context->fetcher,
		.state_dir = agent->live.settings.state_dir ? agent->live.settings.state_dir : "",
		.on_fault = on_crl_fault,
		.arg = agent,
	};

	agent->live.crl_refresh = crl_refresh_new(&options);
	if (agent->live.crl_refresh)
		agent_reload_refresh_crls(&agent->live);
	return agent->live.crl_refresh != NULL;
}

/* Last, so that nobody is accepted before all else stands. */
static int
start_forwards(struct agent *agent, char error[ENDPOINT_ERROR])
{
	struct forward_plan *plan;
	int code = EX_OSERR;

	plan = forwards_plan(agent->live.forwards, &agent->live.settings, error, &code);
	if (!plan)
		return code == EX_CONFIG && !agent->live.config_path ? EX_DATAERR : code;
	forwards_take(agent->live.forwards, plan, &agent->live.settings);
	return 0;
}

/* What is there before the sandbox: no thread, and all that is to listen. */
static int
prepare(struct agent *agent, char error[ENDPOINT_ERROR])
{
	struct agent_context *context = &agent->live.context;
	int code;

	agent->live.descriptors = socket_raise_limit();
	snprintf(error, ENDPOINT_ERROR, "%s", refused);
	context->loop = loop_new();
	if (!context->loop)
		return EX_OSERR;
	loop_gather(context->loop, GATHER_MS);
	code = listen_to_operator(agent, error);
	if (code == 0)
		code = agent_web_open(&agent->web, &agent->live, error);
	if (code != 0)
		return code;
	context->metrics = &agent->web.sessions;
	agent->sockets = forward_sockets_open(&agent->live.settings, error);
	return agent->sockets ? 0 : EX_UNAVAILABLE;
}

static int
enter_sandbox(struct agent *agent, char error[ENDPOINT_ERROR])
{
	struct sandbox *sandbox =
	    agent_confine_plan(&agent->live.settings, agent->live.config_path);

	agent->live.sandbox = sandbox;
	if (!sandbox)
		snprintf(error, ENDPOINT_ERROR, "memory is short");
	else if (!opener_start(sandbox))
		snprintf(error, ENDPOINT_ERROR, "the system refuses a process to open files with");
	else if (sandbox_enter(sandbox, error))
		return 0;
	return EX_OSERR;
}

static bool
start_watchdog(struct agent *agent)
{
	struct agent_workers *workers = agent->live.context.workers;
	struct watchdog *watchdog = watchdog_new(agent->live.context.loop);
	struct loop *loop;

	agent->watchdog = watchdog;
	for (unsigned i = 0; watchdog && (loop = agent_workers_loop(workers, i)); i++)
		if (!watchdog_add(watchdog, loop))
			return false;
	if (!watchdog || !watchdog_add(watchdog, forwards_loop(agent->live.forwards)))
		return false;
	watchdog_start(watchdog);
	return true;
}

static int
seal_sandbox(struct agent *agent, char error[ENDPOINT_ERROR])
{
	return !agent->live.sandbox || sandbox_seal(agent->live.sandbox, error) ? 0 : EX_OSERR;
}

static bool
start_loop(struct agent *agent)
{
	static const int signals[] = { SIGHUP, SIGTERM, SIGINT };
	struct loop *loop = agent->live.context.loop;

	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		if (!loop_on_signal(loop, signals[i], on_signal, agent))
			return false;
	timer_init(&agent->tick, loop, on_tick, agent);
	timer_init(&agent->drain, loop, on_drain, agent);
	timer_init(&agent->refresh, loop, on_refresh, agent);
	agent_reload_init(&agent->live, on_reload_step, agent);
	timer_set(&agent->tick, TICK_MS);
	key_process_watch(loop);
	return true;
}

/* What asks the processes beside the agent. */
static bool
start_asking(struct agent *agent)
{
	struct agent_context *context = &agent->live.context;

	context->resolver = resolver_new_in(agent->processes->resolver);
	if (!context->resolver)
		return false;
	context->fetcher = fetcher_new(context->loop, context->resolver, agent->processes->fetch);
	context->records = record_lookups_new(context->loop, agent->processes->resolver);
	agent->live.forwards = forwards_new(context->resolver);
	return context->fetcher && context->records && agent->live.forwards;
}

static int
set_up(struct agent *agent, char error[ENDPOINT_ERROR])
{
	struct agent_context *context = &agent->live.context;
	int code;

	snprintf(error, ENDPOINT_ERROR, "%s", refused);
	if (!start_asking(agent))
		return EX_OSERR;
	forwards_adopt(agent->live.forwards, agent->sockets);
	agent->sockets = NULL;
	context->workers = agent_workers_new(agent_settings_workers(&agent->live.settings),
	    context->loop, context->resolver, context->endpoint_table, relay_session_on_report);
	if (!context->workers)
		return EX_OSERR;
	context->challenges = challenges_new(context->loop);
	if (!context->challenges)
		return EX_OSERR;
	challenges_set_owner(context->challenges, on_challenges, agent);
	agent_workers_set_challenges(context->workers, context->challenges);
	if (!start_loop(agent))
		return EX_OSERR;
	agent_context_configure(context, &agent->live.settings, &agent->live.state);
	agent_reload_set_limits(&agent->live);
	relay_links_init(&agent->live.links, context, on_relay, agent);
	agent->live.health =
	    endpoint_health_new(context->loop, context->resolver, on_health, agent);
	if (!agent->live.health)
		return EX_OSERR;
	agent_reload_watch_health(&agent->live);
	agent->live.probes = probes_new(context->loop, context->resolver, &agent->live.settings);
	agent->live.acme = agent_acme_new(context, &agent->live.settings);
	if (!agent->live.probes || !agent->live.acme ||
	    !relay_links_set(&agent->live.links, &context->paths->labels))
		return EX_OSERR;
	probes_set(agent->live.probes, context->endpoint_table);
	agent_acme_set(agent->live.acme);
	if (!start_fetching(agent) ||
	    !agent_renew_start(
		&agent->live.renew, context, &agent->live.settings, on_renewal, agent))
		return EX_OSERR;
	code = start_forwards(agent, error);
	if (code != 0 || web_start(agent->web.web))
		return code;
	snprintf(error, ENDPOINT_ERROR, "the system refuses a thread");
	return EX_OSERR;
}

static void
tear_down(struct agent *agent)
{
	struct agent_context *context = &agent->live.context;

	admin_free(agent->admin);
	web_stop(agent->web.web);
	agent_page_view_free(agent->web.page);
	agent_reload_stop(&agent->live);
	agent_renew_stop(&agent->live.renew);
	endpoint_health_free(agent->live.health);
	probes_free(agent->live.probes);
	agent_acme_free(agent->live.acme);
	crl_refresh_free(agent->live.crl_refresh);
	relay_links_wipe(&agent->live.links);
	agent_workers_free(context->workers);
	challenges_free(context->challenges);
	if (agent->live.forwards)
		forwards_keep_revoked(agent->live.forwards);
	forwards_free(agent->live.forwards);
	forward_sockets_free(agent->sockets);
	watchdog_free(agent->watchdog);
	listing_abandon_all(&agent->listings);
	if (context->loop) {
		timer_clear(&agent->tick);
		timer_clear(&agent->drain);
		timer_clear(&agent->refresh);
	}
	fetcher_free(context->fetcher);
	record_lookups_free(context->records);
	relay_paths_free(context->paths);
	resolver_free(context->resolver);
	key_process_stop();
	opener_stop();
	loop_free(context->loop);
	web_free(agent->web.web);
	if (context->endpoint_table)
		endpoint_table_keep_revoked(context->endpoint_table);
	endpoint_table_release(context->endpoint_table);
	credentials_release(context->credentials);
	free(agent->live.endpoint_stamps);
	reload_faults_wipe(&agent->live.faults);
	agent_settings_wipe(&agent->live.settings);
	sandbox_free(agent->live.sandbox);
}

int
agent_run(const struct agent_options *options)
{
	struct agent agent = {
		.once = options->once,
		.processes = options->processes,
		.live = { .config_path = options->config_path,
		    .settings = *options->settings,
		    .in_force_s = clock_wall_s() },
		.since_s = clock_wall_s(),
		.web.since_s = clock_wall_s(),
		.warned_s = clock_wall_s(),
	};
	char error[ENDPOINT_ERROR] = "memory is short";
	int code;

	log_hold();
	code = load(&agent, error);
	if (code == 0)
		code = prepare(&agent, error);
	if (code == 0 && options->has_no_sandbox)
		sandbox_tell_off();
	else if (code == 0)
		code = enter_sandbox(&agent, error);
	if (code == 0) {
		log_start();
		code = set_up(&agent, error);
	}
	if (code == 0 && !start_watchdog(&agent))
		code = EX_OSERR;
	if (code == 0)
		code = seal_sandbox(&agent, error);
	agent.live.settings.waits_for_clock = false;
	if (code == 0) {
		tell_start(&agent);
		show_status(&agent, "READY=1");
		loop_run(agent.live.context.loop);
		log_audit(LOG_INFO, "stop", "the agent stops", log_i64("exit", agent.exit_code));
	} else
		log_audit(LOG_ERROR, "start-failed", error, log_i64("exit", code));
	tear_down(&agent);
	return code ? code : agent.exit_code;
}
