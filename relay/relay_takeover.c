/*
 * What the relay does to take over from a running one (relay/takeover.h): asks it, begins with what it
 * gets, takes the connections that are passed, and accepts when it is told to.
 */
#include <sysexits.h>
#include "base/admin.h"
#include "base/log.h"
#include "base/ready.h"
#include "base/sandbox.h"
#include "base/web.h"
#include "relay/relay.h"
#include "relay/relay_private.h"
#include "relay/rules.h"
#include "relay/takeover.h"

static const char gone[] = "the running relay has gone; its end is heard next";

int
relay_ask_for_takeover(struct relay *relay)
{
	const struct settings *settings = &relay->reload.rules->settings;
	char path[ADMIN_PATH], error[TAKEOVER_ERROR];
	int code = takeover_ask(
	    &relay->takeover, admin_path(settings->admin_socket, settings->state_dir, path), error);

	if (code != EX_OK)
		return relay_fail(code, error);
	if (relay->takeover) {
		log_audit(LOG_INFO, "taking-over",
		    "the running relay has handed over its listeners",
		    log_i64("pid", takeover_pid(relay->takeover)));
	} else {
		relay_move(relay, RELAY_SERVING);
		log_event(LOG_INFO, "takeover-from-nobody",
		    "no relay runs with this configuration; this is an ordinary start");
	}
	return EX_OK;
}

int
relay_take_lock(struct relay *relay)
{
	char path[RELAY_PATH];

	if (ready_lock_adopt(takeover_lock(relay->takeover),
		relay_lock_path(&relay->reload.rules->settings, path)))
		return EX_OK;
	return relay_fail(EX_UNAVAILABLE,
	    "the lock that the running relay has handed over is not that of this configuration");
}

static void
take_admin(struct relay *relay)
{
	const struct settings *settings = &relay->reload.rules->settings;
	char path[ADMIN_PATH], error[ADMIN_ERROR];

	relay->admin = admin_adopt(relay->loop, takeover_admin(relay->takeover),
	    admin_path(settings->admin_socket, settings->state_dir, path), relay_admin_words, relay,
	    error);
	if (!relay->admin || !admin_let_look(relay->admin, &relay->admin_group, error))
		log_event(LOG_WARNING, "admin-unavailable", error);
	if (relay->sandbox && !sandbox_stop_listening(relay->sandbox, error))
		log_event(LOG_ERROR, "sandbox-partial", error);
}

/* False: it is stopping, or has done so before. */
static bool
accept_all(struct relay *relay, const char *how)
{
	if (relay->state != RELAY_TAKING_OVER)
		return false;
	relay_move(relay, RELAY_SERVING);
	take_admin(relay);
	if (!web_start(relay->web))
		memory_short("the thread of admin.http and admin.health");
	for (unsigned i = 0; i < relay->shared.worker_count; i++)
		worker_post_accept(relay->shared.workers[i]);
	log_audit(LOG_INFO, "taken-over", how, log_i64("pid", takeover_pid(relay->takeover)));
	if (relay->reports[WORKER_LISTENS] == relay->shared.worker_count)
		relay_tell_start(relay);
	return true;
}

static void
on_cancelled(struct relay *relay)
{
	if (relay->state != RELAY_TAKING_OVER)
		return;
	log_audit(LOG_ERROR, "start-failed",
	    "the running relay did not wait any longer, or stops; it keeps its listeners");
	relay->code = EX_UNAVAILABLE;
	relay_stop(relay);
}

static void
take_conn(struct relay *relay)
{
	struct handover_conn conn;
	int fd = takeover_take_conn(relay->takeover, &conn);
	unsigned count = relay->shared.worker_count;

	if (!worker_post_conn(relay->shared.workers[relay->next_worker++ % count], &conn, fd))
		memory_short("a connection that another process has accepted");
}

static void
on_takeover(void *arg, enum takeover_event event)
{
	struct relay *relay = arg;

	switch (event) {
	case TAKEOVER_CONN:
		take_conn(relay);
		break;
	case TAKEOVER_ACCEPT:
		if (relay->state == RELAY_TAKING_OVER && takeover_accepting(relay->takeover))
			accept_all(relay, "every connection is accepted here from now on");
		break;
	case TAKEOVER_CANCELLED:
		on_cancelled(relay);
		break;
	case TAKEOVER_OVER:
		accept_all(relay, "the running relay has died; every connection is accepted here");
		log_event(LOG_INFO, "takeover-over", "the process that handed over has ended",
		    log_i64("pid", takeover_pid(relay->takeover)));
		break;
	}
}

void
relay_follow_takeover(struct relay *relay)
{
	takeover_close_others(relay->takeover);
	takeover_follow(relay->takeover, relay->loop, on_takeover, relay);
}

void
relay_tell_takeover_ready(struct relay *relay)
{
	if (!takeover_ready(relay->takeover))
		log_event(LOG_DEBUG, "takeover-gone", gone);
}
