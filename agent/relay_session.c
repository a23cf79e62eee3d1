/*
 * One session with a relay.
 */
#include "agent/relay_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/announcer.h"
#include "agent/context.h"
#include "agent/peer_check.h"
#include "agent/pool.h"
#include "agent/relay_session_end.h"
#include "agent/session_ref.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/socket.h"
#include "tunnel/session.h"

enum { DIAL_MS = 10000, GREETING_MS = 10000 };

struct relay_session {
	const struct context *context;
	const char *target;
	char host[254];
	struct credentials *credentials;	/* those of the beginning */
	struct connector *connector;
	struct session *session;
	struct peer_check judge;
	bool is_up, is_resting, is_retired;
	char relay[SHORT_TEXT];
	struct session_ref *ref;
	struct pool pool;
	struct timer refill;
	struct announcer *announcer;
	struct relay_session_end end;
	void (*on_event)(void *arg, struct relay_session *, enum relay_session_event);
	void *arg;
};

static void
over(struct relay_session *relay_session)
{
	relay_session->end.was_up = relay_session->is_up;
	relay_session->is_up = false;
	relay_session->on_event(relay_session->arg, relay_session, RELAY_SESSION_OVER);
}

static void
fail(struct relay_session *relay_session, const char *word, const char *sentence)
{
	relay_session->end.word = word;
	snprintf(relay_session->end.sentence, sizeof relay_session->end.sentence, "%s", sentence);
	over(relay_session);
}

/* ---- the pool ---- */

static void
dial(struct relay_session *relay_session, unsigned count)
{
	unsigned ordered = workers_dial(relay_session->context->workers, relay_session->ref, count);

	for (; ordered < count; ordered++)
		pool_failed(&relay_session->pool, clock_ms());
}

static void
fill_pool(struct relay_session *relay_session)
{
	uint64_t now = clock_ms(), pause_ms;

	if (relay_session->is_resting)
		return;
	dial(relay_session, pool_refill(&relay_session->pool, now));
	pause_ms = pool_pause_ms(&relay_session->pool, now);
	if (pause_ms > 0)
		timer_set(&relay_session->refill, pause_ms);
}

static void
on_refill(void *arg)
{
	fill_pool(arg);
}

void
relay_session_on_report(struct session_ref *ref, enum flow_worker_report report, const char *error)
{
	struct relay_session *relay_session = ref->relay_session;

	if (!relay_session)
		return;	/* its session is over */
	switch (report) {
	case FLOW_WORKER_PARKED:
		pool_parked(&relay_session->pool, clock_ms());
		break;
	case FLOW_WORKER_FAILED:
		pool_failed(&relay_session->pool, clock_ms());
		log_event(relay_session->pool.backoff.failures == 1 ? LOG_WARNING : LOG_DEBUG,
		    "channel-failed", error, log_str("relay", relay_session->relay));
		break;
	case FLOW_WORKER_OPENED:
	case FLOW_WORKER_LOST:
		pool_left(&relay_session->pool);
		break;
	}
	fill_pool(relay_session);
}

/* ---- the session ---- */

static bool
rise(struct relay_session *relay_session, const struct frame_welcome *welcome)
{
	const struct context *context = relay_session->context;

	memcpy(relay_session->relay, welcome->relay, sizeof relay_session->relay);
	relay_session->ref = session_ref_new(relay_session->target, relay_session->host, welcome,
	    relay_session->session, relay_session->credentials->channel,
	    relay_session->judge.identity);
	relay_session->announcer =
	    announcer_new(context->loop, relay_session->session, relay_session->relay);
	if (!relay_session->ref || !relay_session->announcer ||
	    !announcer_show(relay_session->announcer, context->roster))
		return false;
	relay_session->ref->relay_session = relay_session;
	relay_session->is_up = true;
	session_set_tolerance(relay_session->session, (uint32_t)context->tolerance_ms);
	pool_init(&relay_session->pool, welcome->pool_least, welcome->pool_most,
	    context->pool_least, context->pool_most);
	log_event(LOG_DEBUG, "pool", "channels are dialled", log_str("relay", relay_session->relay),
	    log_u64("least", relay_session->pool.least), log_u64("most", relay_session->pool.most));
	fill_pool(relay_session);
	return true;
}

static void
on_welcome(struct relay_session *relay_session, const struct frame_welcome *welcome)
{
	if (rise(relay_session, welcome))
		relay_session->on_event(relay_session->arg, relay_session, RELAY_SESSION_UP);
	else
		session_goodbye(relay_session->session, CODE_INTERNAL, "memory is short");
}

static void
on_refused(struct relay_session *relay_session, const struct frame_refused *refused)
{
	if (refused->endpoint == 0 || !relay_session->announcer)
		return;	/* the session's end follows, with the same words */
	announcer_refused(
	    relay_session->announcer, refused->endpoint, refused->code, refused->sentence);
	if (code_is_permanent(refused->code))
		relay_session->on_event(relay_session->arg, relay_session, RELAY_SESSION_REFUSED);
}

static void
on_session(void *arg, enum session_event event, const union session_frame *frame)
{
	struct relay_session *relay_session = arg;

	switch (event) {
	case SESSION_WELCOME:
		on_welcome(relay_session, &frame->welcome);
		break;
	case SESSION_ACCEPTED:
		if (relay_session->announcer)
			announcer_accepted(relay_session->announcer, frame->accepted.endpoint);
		break;
	case SESSION_REFUSED:
		on_refused(relay_session, &frame->refused);
		break;
	case SESSION_NEED:
		if (relay_session->is_up && !relay_session->is_resting) {
			pool_need(&relay_session->pool, frame->need.channels);
			fill_pool(relay_session);
		}
		break;
	case SESSION_DRAIN:
		relay_session->on_event(relay_session->arg, relay_session, RELAY_SESSION_DRAIN);
		break;
	case SESSION_OVER:
		relay_session_end_explain(&relay_session->end, relay_session->session,
		    &relay_session->judge, relay_session->credentials);
		/* One that was good once may have a renewed certificate already. */
		relay_session->end.is_permanent &=
		    !(relay_session->is_up && relay_session->judge.has_refused);
		over(relay_session);
		break;
	case SESSION_HELLO:
	case SESSION_ANNOUNCE:
	case SESSION_WITHDRAW:
	case SESSION_PONG:
		break;	/* the relay's */
	}
}

static void
on_connected(void *arg, int fd, const char *error)
{
	struct relay_session *relay_session = arg;
	const struct tls_hooks hooks = { .judge = peer_check_chain, .arg = &relay_session->judge };
	struct stream *stream;
	struct tls *tls;

	relay_session->connector = NULL;
	if (fd < 0) {
		fail(relay_session, "unreachable", error);
		return;
	}
	stream = stream_socket(fd);
	tls = stream ? tls_client(
			   relay_session->credentials->session, stream, relay_session->host, &hooks)
		     : NULL;
	if (tls)
		relay_session->session = session_new(relay_session->context->loop, SESSION_AGENT,
		    tls, GREETING_MS, on_session, relay_session);
	if (relay_session->session)
		session_set_hello(relay_session->session, &relay_session->context->hello);
	else
		fail(relay_session, "memory-short", "memory is short");
}

/* ---- life ---- */

struct relay_session *
relay_session_new(const struct context *context, const char *target,
    void (*on_event)(void *arg, struct relay_session *, enum relay_session_event), void *arg)
{
	struct relay_session *relay_session = calloc(1, sizeof *relay_session);
	char error[URL_ERROR];

	if (!relay_session)
		return NULL;
	relay_session->context = context;
	relay_session->target = target;
	relay_session->on_event = on_event;
	relay_session->arg = arg;
	url_relay(relay_session->host, target, error);
	relay_session->credentials = credentials_hold(context->credentials);
	relay_session->judge.trust = relay_session->credentials->relays;
	relay_session->judge.role = ROLE_RELAY;
	relay_session->judge.host = relay_session->host;
	timer_init(&relay_session->refill, context->loop, on_refill, relay_session);
	relay_session->connector = connector_new(
	    context->loop, context->resolver, target, DIAL_MS, on_connected, relay_session);
	if (relay_session->connector)
		return relay_session;
	relay_session_free(relay_session);
	return NULL;
}

void
relay_session_rest(struct relay_session *relay_session)
{
	relay_session->is_resting = true;
	timer_clear(&relay_session->refill);
}

bool
relay_session_is_resting(const struct relay_session *relay_session)
{
	return relay_session->is_resting;
}

/* No more channels, parked ones included. */
static void
retire(struct relay_session *relay_session)
{
	if (relay_session->ref && !relay_session->is_retired)
		workers_drop(relay_session->context->workers, relay_session->ref);
	relay_session->is_retired = true;
	relay_session_rest(relay_session);
}

void
relay_session_free(struct relay_session *relay_session)
{
	if (!relay_session)
		return;
	retire(relay_session);
	if (relay_session->ref)
		relay_session->ref->relay_session = NULL;
	session_ref_release(relay_session->ref);
	if (relay_session->connector)
		connector_free(relay_session->connector);
	announcer_free(relay_session->announcer);
	session_free(relay_session->session);
	peer_check_wipe(&relay_session->judge);
	credentials_release(relay_session->credentials);
	free(relay_session);
}

bool
relay_session_is_up(const struct relay_session *relay_session)
{
	return relay_session->is_up;
}

const char *
relay_session_relay(const struct relay_session *relay_session)
{
	return relay_session->relay;
}

const struct relay_session_end *
relay_session_end(const struct relay_session *relay_session)
{
	return &relay_session->end;
}

void
relay_session_refresh(struct relay_session *relay_session)
{
	if (relay_session->announcer &&
	    !announcer_show(relay_session->announcer, relay_session->context->roster))
		log_event(
		    LOG_ERROR, "memory-short", "memory is short: a relay was not told of a change");
}

void
relay_session_judge_again(struct relay_session *relay_session, int64_t now_s)
{
	struct verdict verdict;

	if (!relay_session->is_up || !relay_session->judge.identity ||
	    identity_judge_again(relay_session->judge.identity,
		relay_session->context->credentials->relays, now_s, &verdict))
		return;
	relay_session->judge.has_refused = true;
	relay_session->judge.verdict = verdict;
	session_goodbye(relay_session->session, CODE_CERTIFICATE_REFUSED, verdict.sentence);
}

void
relay_session_drain(struct relay_session *relay_session, uint32_t deadline_ms)
{
	if (relay_session->is_up)
		session_drain(relay_session->session, deadline_ms);
}

void
relay_session_goodbye(struct relay_session *relay_session, enum code code, const char *sentence)
{
	retire(relay_session);
	if (relay_session->session)
		session_goodbye(relay_session->session, code, sentence);
}
