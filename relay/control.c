/* The main thread. */
#include "relay/control.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>
#include "base/log.h"
#include "base/ready.h"
#include "relay/control_parts.h"
#include "relay/member.h"
#include "relay/relay.h"
#include "relay/rules.h"
#include "relay/station.h"
#include "relay/trustwatch.h"

enum { TICK_MS = 1000 };

/* ---- stopping ---- */

static void
stop(struct control *control)
{
	if (control->is_stopping)
		return;
	control->is_stopping = true;
	timer_clear(&control->tick);
	timer_clear(&control->deadline);
	for (unsigned i = 0; i < control->relay.station_count; i++)
		station_stop(control->relay.stations[i]);
	loop_stop(control->loop);
}

static void
on_deadline(void *arg)
{
	log_event(LOG_WARNING, "drain-timeout", "flows are still open; they are cut now");
	stop(arg);
}

/* Each step of the drain is over when every station has reported it. */
static void
on_progress(struct control *control, enum station_event event)
{
	struct relay *relay = &control->relay;

	if (control->is_stopping || ++control->reports[event] < relay->station_count)
		return;
	if (event == STATION_EMPTY) {
		stop(control);
		return;
	}
	for (unsigned i = 0; i < relay->station_count; i++)
		station_post_goodbye(relay->stations[i]);
}

struct report {
	struct message message;
	struct control *control;
	enum station_event event;
};

static void
deliver_report(struct message *message)
{
	struct report *report = container_of(message, struct report, message);

	on_progress(report->control, report->event);
	free(report);
}

static void
on_station(void *arg, enum station_event event)
{
	struct report *report = calloc(1, sizeof(*report));
	struct control *control = arg;

	if (report == NULL)
		return;	/* the drain's deadline ends it */
	*report = (struct report){ .message.deliver = deliver_report, .control = control, .event = event };
	loop_post(control->loop, &report->message);
}

static void
drain(struct control *control)
{
	uint64_t ms = control->rules->settings.drain_ms;

	control->is_draining = true;
	log_event(LOG_INFO, "draining", "nothing new is taken; what runs may finish", log_u64("timeout_ms", ms));
	ready_tell("STOPPING=1", "draining");
	timer_set(&control->deadline, ms);
	for (unsigned i = 0; i < control->relay.station_count; i++)
		station_post_drain(control->relay.stations[i], ms);
}

/* ---- signals and the clock ---- */

static void
on_stop_signal(void *arg, int number)
{
	struct control *control = arg;

	if (!control->is_draining) {
		drain(control);
		return;
	}
	log_event(LOG_WARNING, "stopping-now", "a second signal: open flows are cut", log_i64("signal", number));
	stop(control);
}

static void
on_reload_signal(void *arg, int number)
{
	struct control *control = arg;

	(void)number;
	if (control->is_draining)
		return;
	ready_tell("RELOADING=1", "reloading");
	control_reload(control);
	ready_tell("READY=1", "running");
}

/* What still runs in a drain may be revoked; nobody new will be shown a certificate. */
static void
on_tick(void *arg)
{
	struct control *control = arg;

	if (control->is_draining)
		control_look_at_trust(control);
	else
		control_look(control);
	timer_set(&control->tick, TICK_MS);
}

/* What is ignored before is ignored again when the loop is gone: one signal more at the very end must not
 * turn an orderly exit into a death. */
static bool
watch_signals(struct control *control)
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
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		signal(signals[i].number, SIG_IGN);
		if (!loop_on_signal(control->loop, signals[i].number, signals[i].on_signal, control))
			return false;
	}
	return true;
}

/* ---- the whole ---- */

static bool
start_stations(struct control *control)
{
	struct relay *relay = &control->relay;

	for (unsigned i = 0; i < relay->station_count; i++) {
		if (!station_start(relay->stations[i], i))
			return false;
	}
	return true;
}

static void
warn_of_root(void)
{
	if (geteuid() == 0)
		log_event(LOG_WARNING, "running-as-root",
		    "the relay needs no such power; run it as its own user with CAP_NET_BIND_SERVICE");
}

static void
warn_of_admin(const struct settings *settings)
{
	if (settings->admin_http != NULL)
		log_event(LOG_WARNING, "admin-http-not-served", "this version answers no admin.http; remove the key",
		    log_str("admin.http", settings->admin_http));
}

static int
serve(struct control *control)
{
	char status[128];

	if (!watch_signals(control) || !start_stations(control)) {
		log_event(LOG_ERROR, "start-failed", "the system refused a thread or a signal handler");
		stop(control);
		return EX_OSERR;
	}
	timer_init(&control->tick, control->loop, on_tick, control);
	timer_init(&control->deadline, control->loop, on_deadline, control);
	timer_set(&control->tick, TICK_MS);
	snprintf(status, sizeof(status), "running, %u workers", control->relay.station_count);
	log_event(LOG_INFO, "relay-up", NULL, log_u64("workers", control->relay.station_count),
	    log_str("version", VALISE_VERSION), log_i64("pid", getpid()));
	ready_tell("READY=1", status);
	loop_run(control->loop);
	log_event(LOG_INFO, "relay-down", NULL);
	return EX_OK;
}

int
control_run(const char *path)
{
	struct control control = { .path = path };
	int code = control_open(&control, on_station);

	if (code == EX_OK) {
		warn_of_root();
		warn_of_admin(&control.rules->settings);
		code = serve(&control);
	}
	control_close(&control);
	return code;
}
