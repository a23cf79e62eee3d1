/*
 * One contact with a relay.
 */
#include "agent/contact.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/announcer.h"
#include "agent/contact_end.h"
#include "agent/peer_check.h"
#include "agent/leg.h"
#include "agent/place.h"
#include "agent/pool.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/socket.h"
#include "tunnel/session.h"

enum { DIAL_MS = 10000, GREETING_MS = 10000 };

struct contact {
	const struct place *place;
	const char *target;
	char host[254];
	struct credentials *credentials;	/* those of the beginning */
	struct connector *connector;
	struct session *session;
	struct peer_check judge;
	bool is_up, is_retired;
	char relay[SHORT_TEXT];
	struct leg *leg;
	struct pool pool;
	struct timer refill;
	struct announcer *announcer;
	struct contact_end end;
	void (*on_event)(void *arg, struct contact *, enum contact_event);
	void *arg;
};

static void
over(struct contact *contact)
{
	contact->end.was_up = contact->is_up;
	contact->is_up = false;
	contact->on_event(contact->arg, contact, CONTACT_OVER);
}

static void
fail(struct contact *contact, const char *word, const char *sentence)
{
	contact->end.word = word;
	snprintf(contact->end.sentence, sizeof contact->end.sentence, "%s", sentence);
	over(contact);
}

/* ---- the pool ---- */

static void
dial(struct contact *contact, unsigned count)
{
	unsigned ordered = crew_dial(contact->place->crew, contact->leg, count);

	for (; ordered < count; ordered++)
		pool_failed(&contact->pool, clock_ms());
}

static void
fill_pool(struct contact *contact)
{
	uint64_t now = clock_ms(), pause_ms;

	if (contact->is_retired)
		return;
	dial(contact, pool_refill(&contact->pool, now));
	pause_ms = pool_pause_ms(&contact->pool, now);
	if (pause_ms > 0)
		timer_set(&contact->refill, pause_ms);
}

static void
on_refill(void *arg)
{
	fill_pool(arg);
}

void
contact_on_report(struct leg *leg, enum hand_report report, const char *error)
{
	struct contact *contact = leg->contact;

	if (!contact)
		return;	/* its session is over */
	switch (report) {
	case HAND_PARKED:
		pool_parked(&contact->pool, clock_ms());
		break;
	case HAND_FAILED:
		pool_failed(&contact->pool, clock_ms());
		log_event(contact->pool.backoff.failures == 1 ? LOG_WARNING : LOG_DEBUG,
		    "channel-failed", error, log_str("relay", contact->relay));
		break;
	case HAND_OPENED:
	case HAND_LOST:
		pool_left(&contact->pool);
		break;
	}
	fill_pool(contact);
}

/* ---- the session ---- */

static bool
rise(struct contact *contact, const struct frame_welcome *welcome)
{
	const struct place *place = contact->place;

	memcpy(contact->relay, welcome->relay, sizeof contact->relay);
	contact->leg = leg_new(contact->target, contact->host, welcome, contact->session,
	    contact->credentials->channel, contact->judge.identity);
	contact->announcer = announcer_new(place->loop, contact->session, contact->relay);
	if (!contact->leg || !contact->announcer || !announcer_show(contact->announcer, place->roster))
		return false;
	contact->leg->contact = contact;
	contact->is_up = true;
	session_set_tolerance(contact->session, (uint32_t)place->tolerance_ms);
	pool_init(&contact->pool, welcome->pool_least, welcome->pool_most, place->pool_least,
	    place->pool_most);
	log_event(LOG_DEBUG, "pool", "channels are dialled", log_str("relay", contact->relay),
	    log_u64("least", contact->pool.least), log_u64("most", contact->pool.most));
	fill_pool(contact);
	return true;
}

static void
on_welcome(struct contact *contact, const struct frame_welcome *welcome)
{
	if (rise(contact, welcome))
		contact->on_event(contact->arg, contact, CONTACT_UP);
	else
		session_goodbye(contact->session, CODE_INTERNAL, "memory is short");
}

static void
on_refused(struct contact *contact, const struct frame_refused *refused)
{
	if (refused->endpoint == 0 || !contact->announcer)
		return;	/* the session's end follows, with the same words */
	announcer_refused(contact->announcer, refused->endpoint, refused->code, refused->sentence);
	if (code_is_permanent(refused->code))
		contact->on_event(contact->arg, contact, CONTACT_REFUSED);
}

static void
on_session(void *arg, enum session_event event, const union session_frame *frame)
{
	struct contact *contact = arg;

	switch (event) {
	case SESSION_WELCOME:
		on_welcome(contact, &frame->welcome);
		break;
	case SESSION_ACCEPTED:
		if (contact->announcer)
			announcer_accepted(contact->announcer, frame->accepted.endpoint);
		break;
	case SESSION_REFUSED:
		on_refused(contact, &frame->refused);
		break;
	case SESSION_NEED:
		if (contact->is_up && !contact->is_retired) {
			pool_need(&contact->pool, frame->need.channels);
			fill_pool(contact);
		}
		break;
	case SESSION_DRAIN:
		contact->on_event(contact->arg, contact, CONTACT_DRAIN);
		break;
	case SESSION_OVER:
		contact_end_explain(&contact->end, contact->session, &contact->judge, contact->credentials);
		/* One that was good once may have a renewed certificate already. */
		contact->end.is_permanent &= !(contact->is_up && contact->judge.has_refused);
		over(contact);
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
	struct contact *contact = arg;
	const struct tls_hooks hooks = { .judge = peer_check_chain, .arg = &contact->judge };
	struct stream *stream;
	struct tls *tls;

	contact->connector = NULL;
	if (fd < 0) {
		fail(contact, "unreachable", error);
		return;
	}
	stream = stream_socket(fd);
	tls = stream ? tls_client(contact->credentials->session, stream, contact->host, &hooks) : NULL;
	if (tls)
		contact->session = session_new(contact->place->loop, SESSION_AGENT, tls, GREETING_MS,
		    on_session, contact);
	if (contact->session)
		session_set_hello(contact->session, &contact->place->hello);
	else
		fail(contact, "memory-short", "memory is short");
}

/* ---- life ---- */

struct contact *
contact_new(const struct place *place, const char *target,
    void (*on_event)(void *arg, struct contact *, enum contact_event), void *arg)
{
	struct contact *contact = calloc(1, sizeof *contact);
	char error[URL_ERROR];

	if (!contact)
		return NULL;
	contact->place = place;
	contact->target = target;
	contact->on_event = on_event;
	contact->arg = arg;
	url_relay(contact->host, target, error);
	contact->credentials = credentials_hold(place->credentials);
	contact->judge.trust = contact->credentials->relays;
	contact->judge.role = ROLE_RELAY;
	contact->judge.host = contact->host;
	timer_init(&contact->refill, place->loop, on_refill, contact);
	contact->connector = connector_new(place->loop, place->resolver, target, DIAL_MS, on_connected,
	    contact);
	if (contact->connector)
		return contact;
	contact_free(contact);
	return NULL;
}

void
contact_free(struct contact *contact)
{
	if (!contact)
		return;
	contact_retire(contact);
	if (contact->leg)
		contact->leg->contact = NULL;
	leg_release(contact->leg);
	if (contact->connector)
		connector_free(contact->connector);
	announcer_free(contact->announcer);
	session_free(contact->session);
	peer_check_wipe(&contact->judge);
	credentials_release(contact->credentials);
	free(contact);
}

bool
contact_is_up(const struct contact *contact)
{
	return contact->is_up;
}

const char *
contact_relay(const struct contact *contact)
{
	return contact->relay;
}

const struct contact_end *
contact_end(const struct contact *contact)
{
	return &contact->end;
}

void
contact_refresh(struct contact *contact)
{
	if (contact->announcer && !announcer_show(contact->announcer, contact->place->roster))
		log_event(LOG_ERROR, "memory-short", "memory is short: a relay was not told of a change");
}

void
contact_judge_again(struct contact *contact, int64_t now_s)
{
	struct verdict verdict;

	if (!contact->is_up || !contact->judge.identity ||
	    identity_judge_again(contact->judge.identity, contact->place->credentials->relays, now_s,
	        &verdict))
		return;
	contact->judge.has_refused = true;
	contact->judge.verdict = verdict;
	session_goodbye(contact->session, CODE_CERTIFICATE_REFUSED, verdict.sentence);
}

void
contact_retire(struct contact *contact)
{
	if (contact->leg && !contact->is_retired)
		crew_drop(contact->place->crew, contact->leg);
	contact->is_retired = true;
	timer_clear(&contact->refill);
}

void
contact_drain(struct contact *contact, uint32_t deadline_ms)
{
	if (contact->is_up)
		session_drain(contact->session, deadline_ms);
}

void
contact_goodbye(struct contact *contact, enum code code, const char *sentence)
{
	contact_retire(contact);
	if (contact->session)
		session_goodbye(contact->session, code, sentence);
}
