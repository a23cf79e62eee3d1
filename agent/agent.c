/*
 * The life of the agent.
 */
#include "agent/agent.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "agent/agent_private.h"
#include "agent/relay_session.h"
#include "agent/sources.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/socket.h"
#include "base/ready.h"

enum {
	TICK_MS = 1000,
	DRAIN_TICK_MS = 50,
	JUDGE_TICKS = 30,
	EXPIRY_TICKS = 86400,
	STATUS_TEXT = 160
};

/* ---- what people and managers see ---- */

void
agent_show_status(struct agent *agent, const char *state)
{
	char status[STATUS_TEXT];
	size_t up = 0;

	for (size_t i = 0; i < agent->link_count; i++)
		up += relay_link_is_up(agent->links[i]);
	snprintf(status, sizeof status, "%zu of %zu relays connected, %zu endpoints, %llu flows",
	    up, agent->link_count, agent->context.roster->count,
	    (unsigned long long)workers_flow_count(agent->context.workers));
	ready_tell(state, status);
}

static void
say_start(const struct agent *agent)
{
	const struct roster *roster = agent->context.roster;

	if (geteuid() == 0)
		log_event(LOG_WARNING, "running-as-root",
		    "the agent needs no privilege: run it as a user of"
		    " its own (the systemd unit does)");
	sources_warn(agent->context.credentials->relays, "agent.connect_cas");
	for (size_t i = 0; i < roster->count; i++)
		if (roster->endpoints[i]->clients)
			sources_warn(roster->endpoints[i]->clients, roster->endpoints[i]->name);
	reload_warn_expiry(agent);
	log_event(LOG_INFO, "start", "the agent runs", log_str("version", VALISE_VERSION),
	    log_u64("relays", agent->settings.connect_url.count),
	    log_u64("endpoints", roster->count),
	    log_u64("workers", settings_workers(&agent->settings)), log_i64("pid", getpid()));
}

/* ---- the end ---- */

static bool
anyone_is_up(const struct agent *agent)
{
	for (size_t i = 0; i < agent->link_count; i++)
		if (relay_link_is_up(agent->links[i]))
			return true;
	return false;
}

static void
leave(struct agent *agent)
{
	agent->stage = AGENT_LEAVING;
	for (size_t i = 0; i < agent->link_count; i++)
		relay_link_goodbye(agent->links[i]);
	if (anyone_is_up(agent))
		timer_set(&agent->drain, AGENT_GOODBYE_MS);
	else
		loop_stop(agent->context.loop);
}

static void
on_drain(void *arg)
{
	struct agent *agent = arg;
	bool late = clock_ms() >= agent->drain_until_ms;

	if (agent->stage == AGENT_LEAVING) {
		loop_stop(agent->context.loop);
		return;
	}
	if (!late && workers_flow_count(agent->context.workers) > 0) {
		timer_set(&agent->drain, DRAIN_TICK_MS);
		return;
	}
	if (late)
		log_event(LOG_WARNING, "drain-timeout", "the time is up: what runs is cut",
		    log_u64("flows", workers_flow_count(agent->context.workers)));
	leave(agent);
}

static void
drain(struct agent *agent)
{
	agent->stage = AGENT_DRAINING;
	log_event(LOG_INFO, "drain",
	    "nothing new is taken, what runs may finish; a second signal is now",
	    log_u64("flows", workers_flow_count(agent->context.workers)));
	agent_show_status(agent, "STOPPING=1");
	for (size_t i = 0; i < agent->link_count; i++)
		relay_link_drain(agent->links[i], AGENT_DRAIN_MS);
	workers_drain(agent->context.workers);
	agent->drain_until_ms = clock_ms() + AGENT_DRAIN_MS;
	timer_set(&agent->drain, DRAIN_TICK_MS);
}

static void
on_signal(void *arg, int number)
{
	struct agent *agent = arg;

	if (number == SIGHUP) {
		if (agent->stage == AGENT_SERVING)
			reload_settings(agent);
		return;
	}
	if (agent->stage == AGENT_SERVING)
		drain(agent);
	else
		loop_stop(agent->context.loop);
}

/* ---- what happens ---- */

static void
on_relay(void *arg, enum relay_event event)
{
	struct agent *agent = arg;

	if (event == RELAY_CHANGED) {
		agent_show_status(agent, NULL);
		if (agent->stage == AGENT_LEAVING && !anyone_is_up(agent))
			loop_stop(agent->context.loop);
		return;
	}
	if (!agent->wish.once || agent->stage != AGENT_SERVING)
		return;
	agent->exit_code = EX_NOPERM;
	workers_drain(agent->context.workers);
	leave(agent);
}

static void
on_tick(void *arg)
{
	struct agent *agent = arg;

	timer_set(&agent->tick, TICK_MS);
	agent->tick_count++;
	reload_files(agent);
	if (agent->tick_count % JUDGE_TICKS == 0)
		for (size_t i = 0; i < agent->link_count; i++)
			relay_link_judge_again(agent->links[i], clock_wall_s());
	if (agent->tick_count % EXPIRY_TICKS == 0)
		reload_warn_expiry(agent);
}

/* ---- making ---- */

static void
fill_labels(struct frame_hello *hello, const struct conf_texts *labels)
{
	for (size_t i = 0; i < labels->count && i < LABELS_MOST; i++) {
		const char *equals = strchr(labels->items[i], '=');
		struct label *label = &hello->labels[hello->label_count++];

		snprintf(label->key, sizeof label->key, "%.*s", (int)(equals - labels->items[i]),
		    labels->items[i]);
		snprintf(label->value, sizeof label->value, "%s", equals + 1);
	}
}

void
agent_fill_place(struct agent *agent)
{
	const struct settings *settings = &agent->settings;
	struct frame_hello *hello = &agent->context.hello;

	memset(hello, 0, sizeof *hello);
	hello->oldest = PROTOCOL_OLDEST;
	hello->newest = PROTOCOL_NEWEST;
	snprintf(hello->software, sizeof hello->software, "valise-agent %s", VALISE_VERSION);
	memcpy(hello->instance, agent->state.instance, sizeof hello->instance);
	memcpy(hello->start, agent->state.start, sizeof hello->start);
	if (settings->region)
		snprintf(hello->region, sizeof hello->region, "%s", settings->region);
	hello->heartbeat_ms = (uint32_t)settings->heartbeat_ms;
	fill_labels(hello, &settings->labels);
	agent->context.pool_least = (unsigned)settings->pool_least;
	agent->context.pool_most = (unsigned)settings->pool_most;
	agent->context.tolerance_ms = settings->tolerance_ms;
}

static struct relay_link *
take_link(struct agent *agent, const char *target)
{
	for (size_t i = 0; i < agent->link_count; i++) {
		struct relay_link *link = agent->links[i];

		if (link && strcmp(relay_link_target(link), target) == 0) {
			agent->links[i] = NULL;
			return link;
		}
	}
	return relay_link_new(&agent->context, target, on_relay, agent);
}

bool
agent_make_links(struct agent *agent)
{
	const struct conf_texts *wanted = &agent->settings.connect_url;
	struct relay_link **links = calloc(wanted->count + 1, sizeof(struct relay_link *));
	size_t count = 0;

	if (!links)
		return false;
	for (size_t i = 0; i < wanted->count; i++) {
		links[count] = take_link(agent, wanted->items[i]);
		count += links[count] != NULL;
	}
	for (size_t i = 0; i < agent->link_count; i++)
		relay_link_free(agent->links[i]);
	free(agent->links);
	agent->links = links;
	agent->link_count = count;
	return count == wanted->count;
}

/* 0 or the exit code with a sentence. */
static int
load(struct agent *agent, char error[ENDPOINT_ERROR])
{
	struct context *context = &agent->context;
	int wrong = agent->wish.config_path ? EX_CONFIG : EX_DATAERR;
	int code = state_open(&agent->state, agent->settings.state_dir, error);

	if (code != 0)
		return code;
	if (!reload_note_stamps(agent))
		return EX_OSERR;
	context->credentials = credentials_new(&agent->settings, NULL, error);
	if (!context->credentials)
		return wrong;
	context->roster =
	    roster_new(&agent->settings, context->credentials->relays, NULL, NULL, error);
	return context->roster ? 0 : wrong;
}

static int
set_up(struct agent *agent, char error[ENDPOINT_ERROR])
{
	static const int signals[] = { SIGHUP, SIGTERM, SIGINT };
	struct context *context = &agent->context;

	socket_raise_limit();
	snprintf(error, ENDPOINT_ERROR, "the system refuses a loop, a thread or memory");
	context->loop = loop_new();
	context->resolver = resolver_new();
	if (!context->loop || !context->resolver)
		return EX_OSERR;
	context->workers = workers_new(settings_workers(&agent->settings), context->loop,
	    context->resolver, context->roster, relay_session_on_report);
	if (!context->workers)
		return EX_OSERR;
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		if (!loop_on_signal(context->loop, signals[i], on_signal, agent))
			return EX_OSERR;
	timer_init(&agent->tick, context->loop, on_tick, agent);
	timer_init(&agent->drain, context->loop, on_drain, agent);
	timer_set(&agent->tick, TICK_MS);
	agent_fill_place(agent);
	return agent_make_links(agent) ? 0 : EX_OSERR;
}

static void
tear_down(struct agent *agent)
{
	struct context *context = &agent->context;

	for (size_t i = 0; i < agent->link_count; i++)
		relay_link_free(agent->links[i]);
	free(agent->links);
	workers_free(context->workers);
	if (context->loop) {
		timer_clear(&agent->tick);
		timer_clear(&agent->drain);
	}
	resolver_free(context->resolver);
	loop_free(context->loop);
	roster_release(context->roster);
	credentials_release(context->credentials);
	free(agent->endpoint_stamps);
	settings_wipe(&agent->settings);
}

int
agent_run(const struct agent_wish *wish)
{
	struct agent agent = { .wish = *wish, .settings = *wish->settings };
	char error[ENDPOINT_ERROR] = "memory is short";
	int code = load(&agent, error);

	if (code == 0)
		code = set_up(&agent, error);
	if (code == 0) {
		say_start(&agent);
		agent_show_status(&agent, "READY=1");
		loop_run(agent.context.loop);
		log_event(LOG_INFO, "stop", "the agent stops", log_i64("exit", agent.exit_code));
	} else
		log_event(LOG_ERROR, "start-failed", error, log_i64("exit", code));
	tear_down(&agent);
	return code ? code : agent.exit_code;
}
