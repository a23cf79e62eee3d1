/*
 * What the relay does when another process takes over from it (relay/handover.h): hands out what it has,
 * stops to write, has the agents move, and drains when the other one accepts.
 */
#include <stdio.h>
#include <unistd.h>
#include "base/admin.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/ready.h"
#include "base/web.h"
#include "enrol/crl_refresh.h"
#include "enrol/renewal.h"
#include "relay/handover.h"
#include "relay/known_names.h"
#include "relay/relay_private.h"
#include "relay/rules.h"
#include "relay/session_table.h"
#include "relay/trustwatch.h"

enum {
	READY_MS = 60000,      /* what the other process may take to get ready */
	SPREAD_LEAST_MS = 500, /* over which agents move, and more where there are many */
	SPREAD_MOST_MS = 8000,
	SESSIONS_A_MS = 2,
	MOVE_MS = 5000,    /* what the last one may take then */
	ACCEPT_MS = 10000, /* what the other process may take to say that it accepts */
	LOOK_MS = 50,
	LISTENERS_MOST = 4096,
};

/* ---- who writes ---- */

/* Nothing that is fetched or renewed is kept any more, and no revocation that is found: the other process
 * finds it, too. */
static void
stop_writing(struct relay *relay)
{
	trustwatch_keep_revoked(relay->shared.trustwatch);
	trustwatch_keep_nothing(relay->shared.trustwatch, true);
	crl_refresh_set(relay->reload.crl_refresh, NULL, 0, NULL);
	renewal_set(relay->reload.renew.renewal, NULL);
	known_names_give_up(relay->shared.known_names);
}

static void
go_on_writing(struct relay *relay)
{
	trustwatch_keep_nothing(relay->shared.trustwatch, false);
	reload_refresh_crls(&relay->reload);
	renew_follow(&relay->reload.renew, &relay->reload.rules->settings);
	known_names_free(relay->shared.known_names);
	relay->shared.known_names = NULL;
	relay_know_names(relay);
}

/* ---- the steps ---- */

/* As if nobody had asked. */
static void
go_on(struct relay *relay)
{
	timer_clear(&relay->handover);
	relay_move(relay, RELAY_SERVING);
	go_on_writing(relay);
	log_audit(LOG_WARNING, "takeover-failed",
	    "the process that wanted to take over has gone, or took too long; this one goes on",
	    log_i64("pid", relay->handover_pid));
}

/* It hangs, or is far too slow: agents come back here. */
static void
give_up(struct relay *relay)
{
	if (handover_cancel(relay->shared.handover))
		go_on(relay);
}

/* There may be no room for the word behind the connections that are passed; then it is said at the next
 * look. */
static void
tell_to_accept(struct relay *relay)
{
	if (clock_ms() < relay->handover_ms && session_table_count(relay->shared.session_table) > 0)
		return;
	relay->handover_is_told = handover_tell(relay->shared.handover, HANDOVER_ACCEPT, -1);
}

static void
on_look(void *arg)
{
	struct relay *relay = arg;
	uint64_t late_ms = relay->handover_ms + (relay->handover_is_ready ? ACCEPT_MS : 0);

	if (clock_ms() >= late_ms) {
		give_up(relay);
		return;
	}
	if (relay->handover_is_ready && !relay->handover_is_told)
		tell_to_accept(relay);
	timer_set(&relay->handover, LOOK_MS);
}

static void
begin_moving(struct relay *relay)
{
	uint64_t sessions = session_table_count(relay->shared.session_table);
	uint64_t spread_ms = SPREAD_LEAST_MS + sessions * SESSIONS_A_MS;

	if (spread_ms > SPREAD_MOST_MS)
		spread_ms = SPREAD_MOST_MS;
	log_audit(LOG_INFO, "moving",
	    "the process that takes over is ready; agents make their next sessions there",
	    log_i64("pid", relay->handover_pid), log_u64("sessions", sessions),
	    log_u64("spread_ms", spread_ms));
	relay->handover_is_ready = true;
	relay->handover_ms = clock_ms() + spread_ms + MOVE_MS;
	for (unsigned i = 0; i < relay->shared.worker_count; i++)
		worker_post_move(relay->shared.workers[i], spread_ms);
	on_look(relay);
}

/* The other process accepts, so that closing our descriptors refuses nobody. */
static void
give_away(struct relay *relay)
{
	timer_clear(&relay->handover);
	ready_lock_forget();
	ready_store_forget();
	if (relay->admin)
		admin_give_away(relay->admin);
	web_give_away(relay->web);
	log_audit(LOG_INFO, "handed-over",
	    "another process has taken over; open flows may finish here",
	    log_i64("pid", relay->handover_pid),
	    log_u64("sessions", session_table_count(relay->shared.session_table)));
	relay_drain(relay);
}

static void
on_handover(void *arg, enum handover_event event)
{
	struct relay *relay = arg;

	if (relay->state != RELAY_HANDING_OVER)
		return; /* it is to stop, and does */
	switch (event) {
	case HANDOVER_IS_READY:
		begin_moving(relay);
		break;
	case HANDOVER_IS_DONE:
		give_away(relay);
		break;
	case HANDOVER_FAILED:
		go_on(relay);
		break;
	}
}

bool
relay_hasten_handover(struct relay *relay)
{
	if (relay->state != RELAY_HANDING_OVER || !relay->handover_is_ready ||
	    relay->handover_is_told)
		return false;
	relay->handover_ms = clock_ms();
	on_look(relay);
	return true;
}

void
relay_cancel_handover(struct relay *relay)
{
	timer_clear(&relay->handover);
	if (!handover_cancel(relay->shared.handover))
		return;
	if (relay->state == RELAY_HANDING_OVER)
		trustwatch_keep_nothing(relay->shared.trustwatch, false);
}

/* ---- the question ---- */

static bool
hand_out_listeners(struct relay *relay)
{
	struct handover *handover = relay->shared.handover;
	int fds[LISTENERS_MOST];

	for (unsigned i = 0; i < relay->shared.worker_count; i++) {
		size_t count = worker_listeners(relay->shared.workers[i], fds, LISTENERS_MOST);

		for (size_t n = 0; n < count && n < LISTENERS_MOST; n++)
			if (!handover_tell(handover, HANDOVER_LISTENER, fds[n]))
				return false;
	}
	return true;
}

/* A relay that knows of no such listener closes them. */
static bool
hand_out_web(struct relay *relay)
{
	static const enum web_place places[] = { WEB_HTTP, WEB_HEALTH };

	for (size_t i = 0; i < 2; i++) {
		int fd = web_descriptor(relay->web, places[i]);

		if (fd >= 0 && !handover_tell(relay->shared.handover, HANDOVER_LISTENER, fd))
			return false;
	}
	return true;
}

static bool
hand_out_all(struct relay *relay)
{
	struct handover *handover = relay->shared.handover;

	return handover_tell(handover, HANDOVER_LOCK, ready_lock_descriptor()) &&
	    handover_tell(handover, HANDOVER_ADMIN, admin_descriptor(relay->admin)) &&
	    hand_out_listeners(relay) && hand_out_web(relay) &&
	    handover_tell(handover, HANDOVER_ALL, -1);
}

/* NULL: nothing. */
static const char *
find_obstacle(const struct relay *relay, const json_t *question)
{
	if (relay->state == RELAY_HANDING_OVER)
		return "another process is taking over already";
	if (relay->state != RELAY_SERVING)
		return "it is stopping";
	if (json_integer_value(json_object_get(question, "takeover")) != HANDOVER_VERSION)
		return "it hands over in another way, since it is of another version; restart it";
	return NULL;
}

void
relay_on_takeover(void *arg, struct admin_question *question, const json_t *document)
{
	struct relay *relay = arg;
	const char *obstacle = find_obstacle(relay, document);
	int theirs = -1;

	if (!obstacle &&
	    !handover_begin(relay->shared.handover, relay->loop, &theirs, on_handover, relay))
		obstacle = "the system refuses a socket";
	if (!obstacle && !hand_out_all(relay)) {
		obstacle = "the system refuses to pass all its listeners at once";
		handover_cancel(relay->shared.handover);
		close(theirs);
	}
	if (obstacle) {
		log_audit(LOG_WARNING, "takeover-refused", obstacle,
		    log_i64("pid", admin_asker(question)));
		admin_refuse(question, "takeover-refused", obstacle, NULL);
		return;
	}
	relay->handover_pid = admin_asker(question);
	relay->handover_is_ready = relay->handover_is_told = false;
	relay->handover_ms = clock_ms() + READY_MS;
	log_audit(LOG_INFO, "takeover",
	    "another process takes over: it has the listeners, the lock and state_dir from now on",
	    log_i64("pid", relay->handover_pid),
	    log_str("version", json_string_value(json_object_get(document, "version"))));
	relay_move(relay, RELAY_HANDING_OVER);
	stop_writing(relay);
	timer_init(&relay->handover, relay->loop, on_look, relay);
	timer_set(&relay->handover, LOOK_MS);
	admin_answer_with(question, json_pack("{s:i}", "takeover", HANDOVER_VERSION), theirs);
}
