/* What the peer says in a session. */
#include <stdio.h>

#include "base/clock.h"
#include "base/histogram.h"
#include "base/numbers.h"
#include "tunnel/session_private.h"

/* Frames as they come; the owner gets a union session_frame. */
union received {
	union session_frame owners;
	struct frame_accepted accepted;
	struct frame_refused refused;
	struct frame_announce_many announce_many;
	struct frame_withdraw_many withdraw_many;
	struct frame_accepted_many accepted_many;
	struct frame_refused_many refused_many;
	struct frame_ping ping;
	struct frame_goodbye goodbye;
};

/* Who may send what to whom, when, and from which version on.  The rest is a protocol error.  The
 * event is what the owner may hear of it, SESSION_OVER where that is nothing. */
enum {
	TO_RELAY = 1u << SESSION_RELAY,
	TO_AGENT = 1u << SESSION_AGENT,
	TO_BOTH = TO_RELAY | TO_AGENT
};
enum { GREETING = 1u << SESSION_GREETING, JUDGED = 1u << SESSION_JUDGED, UP = 1u << SESSION_UP };
static const struct frame_rule {
	unsigned receivers, states, version;
	enum session_event event;
} rules[] = {
	[FRAME_HELLO] = { TO_RELAY, GREETING, 1, SESSION_HELLO },
	[FRAME_WELCOME] = { TO_AGENT, GREETING, 1, SESSION_WELCOME },
	[FRAME_ANNOUNCE] = { TO_RELAY, UP, 1, SESSION_ANNOUNCE },
	[FRAME_WITHDRAW] = { TO_RELAY, UP, 1, SESSION_WITHDRAW },
	[FRAME_ACCEPTED] = { TO_AGENT, UP, 1, SESSION_ACCEPTED },
	[FRAME_REFUSED] = { TO_AGENT, GREETING | UP, 1, SESSION_REFUSED },
	[FRAME_PING] = { TO_BOTH, UP, 1, SESSION_OVER },
	[FRAME_PONG] = { TO_BOTH, UP, 1, SESSION_PONG },
	[FRAME_NEED] = { TO_AGENT, UP, 1, SESSION_NEED },
	[FRAME_DRAIN] = { TO_BOTH, UP, 1, SESSION_DRAIN },
	[FRAME_GOODBYE] = { TO_BOTH, GREETING | JUDGED | UP, 1, SESSION_OVER },
	[FRAME_ANNOUNCE_MANY] = { TO_RELAY, UP, 2, SESSION_ANNOUNCE },
	[FRAME_ACCEPTED_MANY] = { TO_AGENT, UP, 2, SESSION_ACCEPTED },
	[FRAME_REFUSED_MANY] = { TO_AGENT, UP, 2, SESSION_REFUSED },
	[FRAME_AGAIN] = { TO_AGENT, UP, 1, SESSION_AGAIN },
	[FRAME_FACTS] = { TO_RELAY, GREETING, 1, SESSION_HELLO },
	[FRAME_RESUMED] = { TO_AGENT, UP, 2, SESSION_RESUMED },
	[FRAME_WITHDRAW_MANY] = { TO_RELAY, UP, 2, SESSION_WITHDRAW },
	[FRAME_UNABLE] = { TO_RELAY, UP, 1, SESSION_UNABLE },
};

/* NULL when this type does not belong into a session, or not yet in this version. */
static const struct frame_rule *
find_rule(const struct session *s, enum frame_type type)
{
	if ((size_t)type >= sizeof rules / sizeof *rules || !rules[type].receivers)
		return NULL;
	return rules[type].version <= s->version ? &rules[type] : NULL;
}

static void
protocol_error(struct session *s, enum frame_type type, const char *what)
{
	char sentence[SENTENCE_TEXT];
	snprintf(sentence, sizeof sentence, "frame type %u %s", (unsigned)type, what);
	session_goodbye(s, CODE_PROTOCOL_ERROR, sentence);
}

static enum frame_sense
fine(bool is_fine)
{
	return is_fine ? FRAME_FINE : FRAME_WRONG;
}

static enum frame_sense
decode(struct session *s, enum frame_type type, struct cursor body, union received *out)
{
	union session_frame *owners = &out->owners;
	switch (type) {
	case FRAME_HELLO:
		return frame_decode_hello(body, &owners->hello);
	case FRAME_FACTS:
		owners->hello = (struct frame_hello){ 0 };
		return frame_decode_facts(body, &owners->hello);
	case FRAME_WELCOME:
		return frame_decode_welcome(body, &owners->welcome);
	case FRAME_ANNOUNCE:
		return frame_decode_announce(body, s->version, &owners->announce);
	case FRAME_DRAIN:
		return frame_decode_drain(body, s->version, &owners->drain);
	case FRAME_WITHDRAW:
		return fine(frame_decode_withdraw(body, &owners->withdraw));
	case FRAME_NEED:
		return fine(frame_decode_need(body, &owners->need));
	case FRAME_AGAIN:
		return fine(frame_decode_again(body, &owners->again));
	case FRAME_UNABLE:
		return fine(frame_decode_unable(body));
	case FRAME_ACCEPTED:
		return fine(frame_decode_accepted(body, &out->accepted));
	case FRAME_REFUSED:
		return fine(frame_decode_refused(body, &out->refused));
	case FRAME_RESUMED:
		return fine(frame_decode_resumed(body, &owners->resumed));
	case FRAME_ANNOUNCE_MANY:
		return fine(frame_decode_announce_many(body, &out->announce_many));
	case FRAME_WITHDRAW_MANY:
		return fine(frame_decode_withdraw_many(body, &out->withdraw_many));
	case FRAME_ACCEPTED_MANY:
		return fine(frame_decode_accepted_many(body, &out->accepted_many));
	case FRAME_REFUSED_MANY:
		return fine(frame_decode_refused_many(body, &out->refused_many));
	case FRAME_GOODBYE:
		return fine(frame_decode_goodbye(body, &out->goodbye));
	case FRAME_PING:
	case FRAME_PONG:
		return fine(frame_decode_ping(body, &out->ping));
	case FRAME_OPEN:
	case FRAME_READY:
	case FRAME_FAIL:
	case FRAME_WORKING:
	case FRAME_OPTIONAL:
		break; /* a channel's */
	}
	return FRAME_WRONG;
}

/* ---- the greeting ---- */

/* A hello begins with its two version octets in every version; what follows has the layout of the
 * oldest one named.  So they are judged before the rest is read; a range that ends before it begins
 * is malformed. */
static bool
is_of_another_version(struct session *s, enum frame_type type, struct cursor body)
{
	char sentence[128];
	uint8_t oldest = cursor_u8(&body), newest = cursor_u8(&body);
	if (type != FRAME_HELLO || body.failed || oldest < 1 || newest < oldest)
		return false;
	if (session_common_version(oldest, newest))
		return false;
	snprintf(sentence, sizeof sentence,
	    "the relay speaks protocol %d to %d, the agent %u to %u", PROTOCOL_OLDEST,
	    PROTOCOL_NEWEST, oldest, newest);
	session_refuse(s, CODE_VERSION, sentence);
	return true;
}

static void
on_facts(struct session *s, const struct frame_hello *facts)
{
	if (s->hello)
		protocol_error(s, FRAME_FACTS, "comes twice");
	else
		session_keep_hello(s, facts);
}

static void
on_hello(struct session *s, union session_frame *frame)
{
	struct frame_hello *hello = &frame->hello;
	if (s->hello && hello->oldest >= PROTOCOL_FACTS) {
		protocol_error(s, FRAME_FACTS, "stands before a hello that has room for them");
		return;
	}
	s->version = session_common_version(hello->oldest, hello->newest);
	session_move(s, SESSION_JUDGED);
	if (s->hello)
		hello->facts = s->hello->facts;
	session_emit(s, SESSION_HELLO, frame);
	session_drop_hello(s);
}

static void
on_welcome(struct session *s, const union session_frame *frame)
{
	const struct frame_welcome *welcome = &frame->welcome;
	if (welcome->version < s->oldest || welcome->version > s->newest) {
		session_goodbye(s, CODE_VERSION, "the relay chose a version that was not offered");
		return;
	}
	s->version = welcome->version;
	s->takes_withdraw_many = welcome->takes_withdraw_many;
	session_rise(s, welcome);
	session_emit(s, SESSION_WELCOME, frame);
}

/* ---- endpoints ---- */

static void
refuse_strange(struct session *s, uint32_t endpoint)
{
	session_refuse_endpoint(s, endpoint, CODE_NOT_UNDERSTOOD,
	    "the announcement has a fact that this relay does not know");
}

static void
on_announce_many(struct session *s, struct cursor announcements)
{
	union session_frame one;
	enum frame_sense sense;
	while (s->state == SESSION_UP &&
	    (sense = frame_next_announce(&announcements, &one.announce)) != FRAME_WRONG)
		if (sense == FRAME_FINE)
			session_emit(s, SESSION_ANNOUNCE, &one);
		else
			refuse_strange(s, one.announce.endpoint);
}

static void
on_withdraw_many(struct session *s, struct cursor ranges)
{
	struct frame_range range;
	union session_frame one;
	while (frame_next_range(&ranges, &range))
		for (uint32_t i = 0; s->state == SESSION_UP && i <= range.last - range.first; i++) {
			one.withdraw.endpoint = range.first + i;
			session_emit(s, SESSION_WITHDRAW, &one);
		}
}

static void
on_accepted(struct session *s, uint32_t first, uint32_t last)
{
	const union session_frame frame = { .answer = { .endpoints = { first, last } } };
	session_emit(s, SESSION_ACCEPTED, &frame);
}

static void
on_accepted_many(struct session *s, struct cursor ranges)
{
	struct frame_range range;
	while (s->state == SESSION_UP && frame_next_range(&ranges, &range))
		on_accepted(s, range.first, range.last);
}

/* The peer has ended the session: what it said is why. */
static void
on_end(struct session *s, enum code code, const char *sentence)
{
	session_explain(s, code, *sentence ? sentence : code_word(code));
	session_move(s, SESSION_ENDING);
	link_close(s->link);
}

static void
on_refused(struct session *s, const struct frame_refused *refused)
{
	union session_frame frame = { .answer = {
					  .endpoints = { refused->endpoint, refused->endpoint },
					  .code = refused->code } };
	if (refused->endpoint != 0 && s->state != SESSION_UP) {
		protocol_error(s, FRAME_REFUSED, "names an endpoint before the welcome");
		return;
	}
	snprintf(frame.answer.sentence, SENTENCE_TEXT, "%s", refused->sentence);
	if (refused->endpoint == 0)
		on_end(s, refused->code, refused->sentence);
	session_emit(s, SESSION_REFUSED, &frame);
}

static void
on_refused_many(struct session *s, struct frame_refused_many *refused)
{
	union session_frame frame = { .answer.code = refused->code };
	snprintf(frame.answer.sentence, SENTENCE_TEXT, "%s", refused->sentence);
	while (
	    s->state == SESSION_UP && frame_next_range(&refused->ranges, &frame.answer.endpoints))
		session_emit(s, SESSION_REFUSED, &frame);
}

/* ---- signs of life ---- */

static void
on_pong(struct session *s, const struct frame_ping *pong)
{
	uint64_t now = clock_us();
	if (pong->sent_at_us <= now) {
		s->rtt_us = now - pong->sent_at_us;
		if (s->rtt)
			histogram_add(s->rtt, HISTOGRAM_SHORT, s->rtt_us);
	}
	if (s->probe == 0 || pong->sequence != s->probe)
		return;
	s->probe = 0;
	session_emit(s, SESSION_PONG, NULL);
}

static void
answer_ping(struct session *s, const struct frame_ping *ping)
{
	uint8_t out[FRAME_BYTES];
	session_transmit(s, out, frame_encode_pong(out, ping));
}

/* ---- all of them ---- */

/* A frame that the rules allow. */
static void
handle(struct session *s, enum frame_type type, union received *in)
{
	const union session_frame *owners = &in->owners;
	switch (type) {
	case FRAME_HELLO:
		on_hello(s, &in->owners);
		break;
	case FRAME_FACTS:
		on_facts(s, &owners->hello);
		break;
	case FRAME_WELCOME:
		on_welcome(s, owners);
		break;
	case FRAME_ANNOUNCE_MANY:
		on_announce_many(s, in->announce_many.announcements);
		break;
	case FRAME_WITHDRAW_MANY:
		on_withdraw_many(s, in->withdraw_many.ranges);
		break;
	case FRAME_ACCEPTED:
		on_accepted(s, in->accepted.endpoint, in->accepted.endpoint);
		break;
	case FRAME_ACCEPTED_MANY:
		on_accepted_many(s, in->accepted_many.ranges);
		break;
	case FRAME_REFUSED:
		on_refused(s, &in->refused);
		break;
	case FRAME_REFUSED_MANY:
		on_refused_many(s, &in->refused_many);
		break;
	case FRAME_PING:
		answer_ping(s, &in->ping);
		break;
	case FRAME_PONG:
		on_pong(s, &in->ping);
		break;
	case FRAME_ANNOUNCE:
	case FRAME_WITHDRAW:
	case FRAME_NEED:
	case FRAME_DRAIN:
	case FRAME_AGAIN:
	case FRAME_RESUMED:
	case FRAME_UNABLE:
		session_emit(s, rules[type].event, owners);
		break;
	case FRAME_GOODBYE:
		on_end(s, in->goodbye.code, in->goodbye.sentence);
		break;
	case FRAME_OPEN:
	case FRAME_READY:
	case FRAME_FAIL:
	case FRAME_WORKING:
	case FRAME_OPTIONAL:
		break; /* a channel's */
	}
}

/* A fact must be understood and is not. In an announcement that costs the endpoint, in any other
 * frame the session. */
static void
on_strange(struct session *s, enum frame_type type, const union received *in)
{
	char sentence[SENTENCE_TEXT];
	snprintf(sentence, sizeof sentence, "frame type %u has a fact that this end does not know",
	    (unsigned)type);
	if (type == FRAME_ANNOUNCE)
		refuse_strange(s, in->owners.announce.endpoint);
	else if (s->state == SESSION_GREETING && s->side == SESSION_RELAY)
		session_refuse(s, CODE_NOT_UNDERSTOOD, sentence);
	else
		session_goodbye(s, CODE_NOT_UNDERSTOOD, sentence);
}

static void
receive(struct session *s, enum frame_type type, struct cursor body)
{
	union received in;
	switch (decode(s, type, body, &in)) {
	case FRAME_WRONG:
		protocol_error(s, type, "is malformed");
		break;
	case FRAME_FINE:
		handle(s, type, &in);
		break;
	case FRAME_NOT_UNDERSTOOD:
		on_strange(s, type, &in);
		break;
	}
}

static bool
is_of_several(enum frame_type type)
{
	return type == FRAME_ANNOUNCE_MANY || type == FRAME_ACCEPTED_MANY ||
	    type == FRAME_REFUSED_MANY || type == FRAME_WITHDRAW_MANY;
}

/* A sign of life, at this moment or, while we rest, in the future. */
static void
hear(struct session *s, uint64_t at_ms)
{
	s->last_frame_ms = at_ms;
	s->is_asked = false;
}

/* A last word is no sign that the session goes on. */
static void
end_silence(struct session *s)
{
	if (!s->is_silent || s->state != SESSION_UP)
		return;
	s->is_silent = false;
	session_emit(s, SESSION_HEARD, NULL);
}

/* A rest that took longer than it should, as timers do, makes the next one shorter. */
static uint64_t
rest_of_several(struct session *s, uint64_t now)
{
	enum { PACE_MS = 1000 / SESSION_FRAMES_PER_SECOND };
	uint64_t late_ms = difference(now, s->rested_ms);
	s->rested_ms = now + PACE_MS - (late_ms < PACE_MS ? late_ms : 0);
	return s->rested_ms - now;
}

/* Counts one more frame of this second. While we rest, the peer is not silent. A frame of several counts as
 * one, but takes as long as all that is in it: others have their turn before the next one is read. */
static void
count(struct session *s, enum frame_type type)
{
	enum { SECOND_MS = 1000 };
	uint64_t now = clock_ms(), rest_ms = 0;
	hear(s, now);
	if (now >= s->second_began_ms + SECOND_MS) {
		s->second_began_ms = now;
		s->frames = 0;
	}
	if (++s->frames >= SESSION_FRAMES_PER_SECOND) {
		hear(s, s->second_began_ms + SECOND_MS);
		rest_ms = s->last_frame_ms - now;
	} else if (is_of_several(type)) {
		rest_ms = rest_of_several(s, now);
	} else {
		return;
	}
	timer_set(&s->rest, rest_ms);
	link_pause(s->link);
}

void
session_receive(struct session *s)
{
	const struct frame *in = link_frame(s->link);
	struct cursor body = cursor_over(in->body, in->body_bytes);
	const struct frame_rule *rule = find_rule(s, in->type);
	if (s->state >= SESSION_ENDING)
		return;
	count(s, in->type);
	if (!rule && in->type >= FRAME_OPTIONAL)
		return;
	if (!rule)
		protocol_error(s, in->type, "is unknown");
	else if (!(rule->receivers & 1u << s->side))
		protocol_error(s, in->type, "is not for this side");
	else if (!(rule->states & 1u << s->state))
		protocol_error(s, in->type, "comes at the wrong time");
	else if (!is_of_another_version(s, in->type, body))
		receive(s, in->type, body);
	end_silence(s);
}
