/*
 * The link to one relay: when it dials, which of its sessions stays, and what is logged.
 */
#include "agent/relay_link.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/announcer.h"
#include "agent/backoff.h"
#include "agent/context.h"
#include "agent/reconnect.h"
#include "agent/relay_session.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/numbers.h"
#include "base/outage.h"
#include "base/units.h"

enum {
	RENEW_SPREAD_MS = 2000,
	MOVE_BEFORE_S =
	    86400,         /* the end of a relay's certificate, or a third of what is left of it */
	MOVE_LEAST_S = 20, /* what is left then must be worth it */
	STRAY_MS = 30000,  /* a relay that stands still for longer has lost more than that */
	SETTLE_LOOK_MS = 20,
	SETTLE_LOOKS = 250, /* then the previous session ends, whatever was answered by then */
};

enum relay_link_state { WAITING, CONNECTING, UP, STOPPED, STATES };

static const unsigned may_move[STATES] = {
	[WAITING] = 1u << CONNECTING | 1u << WAITING | 1u << STOPPED,
	[CONNECTING] = 1u << UP | 1u << WAITING | 1u << STOPPED,
	[UP] = 1u << WAITING | 1u << CONNECTING | 1u << STOPPED,
	[STOPPED] = 1u << STOPPED,
};
static const char *const state_name[STATES] = {
	[WAITING] = "waiting",
	[CONNECTING] = "connecting",
	[UP] = "up",
	[STOPPED] = "stopped",
};

struct relay_link {
	const struct agent_context *context;
	char *target;
	uint8_t owner;
	enum relay_link_state state;
	struct relay_session *current, *previous;
	struct relay_session *second; /* UP: beside the current one, which is silent */
	uint64_t stray_until_ms; /* the relay may still take one that was given up for the newest */
	struct announcer_past past; /* of all of them */
	struct reconnect reconnect;
	struct timer timer;  /* WAITING: it dials; UP: it tries again with a second session */
	struct timer settle; /* UP: until the previous session is not needed any more */
	unsigned settle_looks;
	uint64_t due_ms;       /* WAITING: when it dials */
	bool awaits_drain;     /* WAITING: for its place in the time of a drain */
	struct outage outage;  /* of attempts, by the words of their ends */
	int64_t since_s;       /* up, or not up */
	int64_t move_at_s;     /* UP: when to make another session */
	const char *last_word; /* of the last end; NULL: none since it was up */
	char last_error[RELAY_SESSION_SENTENCE];
	void (*on_event)(void *arg, enum relay_event);
	void *arg;
};

static void
move(struct relay_link *link, enum relay_link_state state)
{
	assert(may_move[link->state] & 1u << state);
	log_move(
	    "relay", log_str("relay", link->target), state_name[link->state], state_name[state]);
	timer_clear(&link->timer);
	if ((state == UP) != (link->state == UP))
		link->since_s = clock_wall_s();
	link->state = state;
}

static void
wait_for(struct relay_link *link, uint64_t ms)
{
	move(link, WAITING);
	link->awaits_drain = false;
	link->due_ms = clock_ms() + ms;
	timer_set(&link->timer, ms);
}

/* A session that was given up before it was up may be welcomed all the same, and replaces the others then. */
static void
note_stray(struct relay_link *link)
{
	link->stray_until_ms = clock_ms() + STRAY_MS;
}

static bool
is_by_stray(const struct relay_link *link, const struct relay_session_end *end)
{
	return clock_ms() < link->stray_until_ms &&
	    strcmp(end->word, code_word(CODE_REPLACED)) == 0;
}

static bool
is_permanent(const struct relay_link *link, const struct relay_session_end *end)
{
	return end->needs_cure && end->is_proven && !is_by_stray(link, end);
}

/* ---- the log ---- */

static void
log_end(struct relay_link *link, const struct relay_session_end *end, uint64_t wait_ms)
{
	uint64_t now = clock_ms();
	bool is_for_good = is_permanent(link, end);
	enum log_level level = !outage_fail(&link->outage, end->word, now) ? LOG_DEBUG
	    : is_for_good                                                  ? LOG_ERROR
									   : LOG_WARNING;

	log_audit(level,
	    is_for_good           ? "relay-refused"
		: end->was_up     ? "relay-down"
		: end->is_busy    ? "relay-busy"
		: end->needs_cure ? "relay-unproven"
				  : "relay-unreachable",
	    end->sentence, log_str("relay", link->target), log_str("code", end->word),
	    log_str("subject", end->subject[0] ? end->subject : NULL),
	    log_str("issuer", end->issuer[0] ? end->issuer : NULL),
	    log_str("sha256", end->fingerprint[0] ? end->fingerprint : NULL),
	    log_str("see", end->key), log_u64("retry_ms", wait_ms), log_outage(&link->outage, now));
}

/* As loudly as it was told that the relay is away. */
static void
log_up(struct relay_link *link)
{
	struct outage past;
	enum log_level level = outage_end(&link->outage, &past) ? LOG_WARNING : LOG_INFO;

	log_audit(level, "relay-up", "connected", log_str("relay", link->target),
	    log_str("name", relay_session_relay(link->current)), log_outage(&past, clock_ms()));
}

/* ---- sessions ---- */

static void on_session(void *arg, struct relay_session *, enum relay_session_event);

/* One relay has the places of one pool, also while it drains a session and has another one. */
static void
share_pool(struct relay_link *link)
{
	unsigned most = link->context->pool_most, kept = 0;

	if (link->previous && relay_session_keeps_channels(link->previous)) {
		kept = most / 2;
		relay_session_share_pool(link->previous, kept);
	}
	if (link->current)
		relay_session_share_pool(link->current, most - kept);
}

static void
connect_now(struct relay_link *link)
{
	move(link, CONNECTING);
	link->current =
	    relay_session_new(link->context, link->target, link->owner, on_session, link);
	if (link->current) {
		relay_session_remember(link->current, &link->past);
	} else {
		memory_short("an attempt to connect to a relay");
		wait_for(link, reconnect_failed(&link->reconnect, clock_ms()));
	}
	share_pool(link);
}

/* Its share of the pool is what the silent one leaves when it goes. */
static void
connect_beside(struct relay_link *link)
{
	link->second =
	    relay_session_new(link->context, link->target, link->owner, on_session, link);
	if (link->second) {
		relay_session_remember(link->second, &link->past);
		return;
	}
	memory_short("a second session beside a silent one");
	timer_set(&link->timer, reconnect_failed(&link->reconnect, clock_ms()));
}

static void
on_time(void *arg)
{
	struct relay_link *link = arg;

	if (link->state == UP)
		connect_beside(link);
	else
		connect_now(link);
}

/* The sessions of many agents end with the same certificate, so each moves at a time of its own. */
static void
plan_move(struct relay_link *link)
{
	int64_t end_s = relay_session_not_after(link->current),
		before_s = (end_s - clock_wall_s()) / 3;

	if (before_s > MOVE_BEFORE_S)
		before_s = MOVE_BEFORE_S;
	link->move_at_s = before_s < MOVE_LEAST_S
	    ? INT64_MAX
	    : end_s - before_s + (int64_t)backoff_spread((uint64_t)before_s / 2);
}

/* A relay that has another process take its place has names there from the moment on in which they are
 * accepted; until then those of the previous session serve. */
static void
on_settle_time(void *arg)
{
	struct relay_link *link = arg;

	if (!link->current || !link->previous)
		return;
	if (!relay_session_is_settled(link->current) && ++link->settle_looks < SETTLE_LOOKS)
		timer_set(&link->settle, SETTLE_LOOK_MS);
	else
		relay_session_goodbye(
		    link->previous, CODE_REPLACED, "a newer session has taken over");
}

static void
leave_previous(struct relay_link *link)
{
	link->settle_looks = 0;
	on_settle_time(link);
}

/* The current session is up. */
static void
on_up(struct relay_link *link)
{
	uint16_t place;

	plan_move(link);
	reconnect_up(&link->reconnect, clock_ms());
	if (relay_session_place(link->current, &place))
		reconnect_set_place(&link->reconnect, place);
	link->last_word = NULL;
	log_up(link);
	/* The previous session is not needed any more, unless its relay drains: then it may have
	 * flows left for the parked channels, and ends the session itself. */
	if (link->previous && !relay_session_has_stopped_dialling(link->previous))
		leave_previous(link);
	link->on_event(link->arg, RELAY_CHANGED);
}

static uint64_t
wait_after(struct relay_link *link, const struct relay_session_end *end)
{
	return end->was_up ? reconnect_lost(&link->reconnect, clock_ms())
			   : reconnect_failed(&link->reconnect, clock_ms());
}

static void
on_over(struct relay_link *link)
{
	struct relay_session *relay_session = link->current;
	const struct relay_session_end *end = relay_session_end(relay_session);
	bool is_for_good = is_permanent(link, end);
	uint64_t wait_ms = is_for_good ? backoff_permanent() : wait_after(link, end);

	if (!end->was_up)
		note_stray(link);
	link->current = NULL;
	link->last_word = end->word;
	snprintf(link->last_error, sizeof link->last_error, "%s", end->sentence);
	if (link->state != STOPPED) {
		log_end(link, end, wait_ms);
		wait_for(link, wait_ms);
	}
	relay_session_free(relay_session);
	link->on_event(link->arg, RELAY_CHANGED);
	if (is_for_good)
		link->on_event(link->arg, RELAY_REFUSED);
}

/* ---- a second one beside a silent one ---- */

static void
drop_second(struct relay_link *link)
{
	timer_clear(&link->timer);
	if (link->second)
		note_stray(link);
	relay_session_free(link->second);
	link->second = NULL;
}

static void
on_silent(struct relay_link *link)
{
	if (link->state != UP || link->second || link->timer.armed)
		return;
	log_event(LOG_WARNING, "relay-silent",
	    "nothing is heard of it: a second session is made, and replaces this one when it is welcomed",
	    log_str("relay", link->target));
	timer_set(&link->timer, reconnect_doubted(&link->reconnect, clock_ms()));
}

static void
on_heard(struct relay_link *link)
{
	if (link->state != UP)
		return;
	log_event(LOG_INFO, "relay-heard", "it was only slow: its session goes on",
	    log_str("relay", link->target));
	outage_end(&link->outage, NULL);
	drop_second(link);
}

static void
take_second(struct relay_link *link)
{
	relay_session_free(link->previous);
	link->previous = link->current;
	link->current = link->second;
	link->second = NULL;
	share_pool(link);
	on_up(link);
	/* It began with the trust of then, and nobody has judged it since. */
	relay_session_judge_again(link->current, clock_wall_s());
}

/* The silent one has ended.  What it said at the end is no refusal, whatever it was: it may be that the relay
 * has welcomed the second one, which has not heard of that yet. */
static void
rely_on_second(struct relay_link *link)
{
	struct relay_session *ended = link->current;

	log_audit(LOG_INFO, "relay-down", "the silent session is over; another one is under way",
	    log_str("relay", link->target), log_str("code", relay_session_end(ended)->word));
	reconnect_gone(&link->reconnect, clock_ms());
	link->current = link->second;
	link->second = NULL;
	move(link, CONNECTING);
	relay_session_free(ended);
	link->on_event(link->arg, RELAY_CHANGED);
}

static void
on_second_over(struct relay_link *link)
{
	const struct relay_session_end *end = relay_session_end(link->second);
	uint64_t wait_ms = is_permanent(link, end) ? backoff_permanent()
						   : reconnect_failed(&link->reconnect, clock_ms());

	log_end(link, end, wait_ms);
	drop_second(link);
	timer_set(&link->timer, wait_ms);
}

static void
on_second(struct relay_link *link, enum relay_session_event event)
{
	if (event == RELAY_SESSION_UP)
		take_second(link);
	else if (event == RELAY_SESSION_OVER)
		on_second_over(link);
}

/* ---- another one in its place ---- */

/* A new session follows; the current one lives on until the new one is up, or its relay ends it. */
static void
replace_session(struct relay_link *link, uint64_t wait_ms)
{
	drop_second(link);
	timer_clear(&link->settle);
	relay_session_free(link->previous);
	link->previous = link->current;
	link->current = NULL;
	wait_for(link, wait_ms);
}

/* A relay that drains every session as soon as it is up gets new ones as slowly as one that ends them. */
static void
on_drain(struct relay_link *link)
{
	log_event(LOG_INFO, "relay-drains", "a new session is made; flows go on",
	    log_str("relay", link->target));
	relay_session_stop_dialling(link->current);
	replace_session(link,
	    reconnect_drained(&link->reconnect, clock_ms(), relay_session_drain_ms(link->current)));
	link->awaits_drain = true;
	link->on_event(link->arg, RELAY_CHANGED);
}

/* Before or after the time that it had named. */
static void
on_drained(struct relay_link *link)
{
	uint64_t now = clock_ms(), wait_ms;

	if (!link->awaits_drain || link->state != WAITING)
		return;
	wait_ms = reconnect_gone(&link->reconnect, now);
	if (wait_ms < difference(link->due_ms, now))
		wait_for(link, wait_ms);
}

static void
on_move(struct relay_link *link)
{
	log_event(LOG_INFO, "relay-moves",
	    "another process of this relay takes over: the next session is made, and then this one ends",
	    log_str("relay", link->target));
	replace_session(link,
	    reconnect_drained(&link->reconnect, clock_ms(), relay_session_drain_ms(link->current)));
	link->on_event(link->arg, RELAY_CHANGED);
}

static void
on_session(void *arg, struct relay_session *relay_session, enum relay_session_event event)
{
	struct relay_link *link = arg;

	if (relay_session == link->previous) {
		if (event != RELAY_SESSION_OVER)
			return;
		link->previous = NULL;
		relay_session_free(relay_session);
		share_pool(link);
		on_drained(link);
		return;
	}
	if (relay_session == link->second) {
		on_second(link, event);
		return;
	}
	switch (event) {
	case RELAY_SESSION_UP:
		move(link, UP);
		on_up(link);
		break;
	case RELAY_SESSION_SERVES:
		link->on_event(link->arg, RELAY_CHANGED);
		break;
	case RELAY_SESSION_SILENT:
		on_silent(link);
		break;
	case RELAY_SESSION_HEARD:
		on_heard(link);
		break;
	case RELAY_SESSION_DRAIN:
		if (link->state == UP)
			on_drain(link);
		break;
	case RELAY_SESSION_MOVE:
		if (link->state == UP)
			on_move(link);
		break;
	case RELAY_SESSION_REFUSED:
		link->on_event(link->arg, RELAY_REFUSED);
		break;
	case RELAY_SESSION_OVER:
		if (link->second)
			rely_on_second(link);
		else
			on_over(link);
		break;
	}
}

/* ---- life ---- */

struct relay_link *
relay_link_new(const struct agent_context *context, const char *target, uint8_t owner,
    void (*on_event)(void *arg, enum relay_event), void *arg)
{
	struct relay_link *link = calloc(1, sizeof *link);

	if (!link)
		return NULL;
	link->context = context;
	link->owner = owner;
	link->on_event = on_event;
	link->arg = arg;
	link->since_s = clock_wall_s();
	reconnect_init(&link->reconnect, clock_ms());
	timer_init(&link->timer, context->loop, on_time, link);
	timer_init(&link->settle, context->loop, on_settle_time, link);
	link->target = strdup(target);
	if (link->target) {
		wait_for(link, 0);
		return link;
	}
	relay_link_free(link);
	return NULL;
}

void
relay_link_free(struct relay_link *link)
{
	if (!link)
		return;
	drop_second(link);
	timer_clear(&link->settle);
	relay_session_free(link->current);
	relay_session_free(link->previous);
	announcer_past_wipe(&link->past);
	free(link->target);
	free(link);
}

void
relay_link_wait(struct relay_link *link, uint64_t ms)
{
	wait_for(link, ms);
}

const char *
relay_link_target(const struct relay_link *link)
{
	return link->target;
}

bool
relay_link_is_up(const struct relay_link *link)
{
	return link->current && relay_session_is_up(link->current);
}

bool
relay_link_serves_all(const struct relay_link *link)
{
	return link->current && relay_session_serves_all(link->current);
}

uint8_t
relay_link_owner(const struct relay_link *link)
{
	return link->owner;
}

const char *
relay_link_endpoint_state(const struct relay_link *link, uint32_t endpoint, enum code *refused)
{
	*refused = CODE_NONE;
	return relay_link_is_up(link)
	    ? relay_session_endpoint_state(link->current, endpoint, refused)
	    : "down";
}

void
relay_link_describe(const struct relay_link *link, struct relay_link_description *out)
{
	bool is_up = relay_link_is_up(link);

	*out = (struct relay_link_description){
		.target = link->target,
		.state = state_name[link->state],
		.since_s = link->since_s,
		.endpoints = is_up ? relay_session_accepted_count(link->current) : 0,
		.rtt_us = is_up ? relay_session_rtt_us(link->current) : 0,
		.channels = is_up ? relay_session_parked(link->current) : 0,
		.relay = is_up ? relay_session_relay(link->current) : NULL,
		.code = link->last_word,
		.error = link->last_word ? link->last_error : NULL,
	};
}

void
relay_link_renew(struct relay_link *link)
{
	switch (link->state) {
	case WAITING:
		outage_tell_anew(&link->outage);
		wait_for(link, 0);
		break;
	case CONNECTING:
		note_stray(link);
		relay_session_free(link->current);
		link->current = NULL;
		wait_for(link, 0);
		break;
	case UP:
		replace_session(link, backoff_spread(RENEW_SPREAD_MS));
		break;
	case STOPPED:
	case STATES:
		break;
	}
}

void
relay_link_refresh(struct relay_link *link, int64_t now_s)
{
	if (link->current)
		relay_session_refresh(link->current);
	if (link->previous)
		relay_session_refresh(link->previous);
	relay_link_judge_again(link, now_s);
}

void
relay_link_judge_again(struct relay_link *link, int64_t now_s)
{
	if (link->current)
		relay_session_judge_again(link->current, now_s);
	if (link->previous)
		relay_session_judge_again(link->previous, now_s);
}

void
relay_link_move_over(struct relay_link *link, int64_t now_s)
{
	char ends[TIME_TEXT];

	if (link->state != UP || now_s < link->move_at_s)
		return;
	log_event(LOG_INFO, "relay-certificate-ends",
	    "a new session is made, to see the relay's next certificate; flows go on",
	    log_str("relay", link->target),
	    log_str("ends", time_text(relay_session_not_after(link->current), ends)));
	replace_session(link, backoff_spread(RENEW_SPREAD_MS));
}

void
relay_link_drain(struct relay_link *link, uint32_t deadline_ms)
{
	if (link->state == CONNECTING) {
		relay_session_free(link->current);
		link->current = NULL;
	}
	drop_second(link);
	move(link, STOPPED);
	if (link->current)
		relay_session_drain(link->current, deadline_ms);
	if (link->previous)
		relay_session_drain(link->previous, deadline_ms);
}

void
relay_link_goodbye(struct relay_link *link)
{
	relay_link_drain(link, 0);
	if (link->current)
		relay_session_goodbye(link->current, CODE_SHUTDOWN, "the agent stops");
	if (link->previous)
		relay_session_goodbye(link->previous, CODE_SHUTDOWN, "the agent stops");
}
