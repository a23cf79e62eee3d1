#include <stdio.h>

#include "base/clock.h"
#include "tunnel/session_private.h"

/* Who may send what to whom, and when.  The rest is a protocol error. */
enum { TO_RELAY = 1u << SESSION_RELAY, TO_AGENT = 1u << SESSION_AGENT,
    TO_BOTH = TO_RELAY | TO_AGENT };
static const struct rule {
	unsigned receivers, states;
	enum session_event event;
} rules[] = {
	[FRAME_HELLO] = { TO_RELAY, 1u << SESSION_GREETING, SESSION_HELLO },
	[FRAME_WELCOME] = { TO_AGENT, 1u << SESSION_GREETING, SESSION_WELCOME },
	[FRAME_ANNOUNCE] = { TO_RELAY, 1u << SESSION_UP, SESSION_ANNOUNCE },
	[FRAME_WITHDRAW] = { TO_RELAY, 1u << SESSION_UP, SESSION_WITHDRAW },
	[FRAME_ACCEPTED] = { TO_AGENT, 1u << SESSION_UP, SESSION_ACCEPTED },
	[FRAME_REFUSED] = { TO_AGENT, 1u << SESSION_GREETING | 1u << SESSION_UP, SESSION_REFUSED },
	[FRAME_PING] = { TO_BOTH, 1u << SESSION_UP, SESSION_OVER },
	[FRAME_PONG] = { TO_BOTH, 1u << SESSION_UP, SESSION_PONG },
	[FRAME_NEED] = { TO_AGENT, 1u << SESSION_UP, SESSION_NEED },
	[FRAME_DRAIN] = { TO_BOTH, 1u << SESSION_UP, SESSION_DRAIN },
	[FRAME_GOODBYE] = { TO_BOTH,
	    1u << SESSION_GREETING | 1u << SESSION_JUDGED | 1u << SESSION_UP, SESSION_OVER },
};
static const unsigned rule_count = sizeof rules / sizeof *rules;

static void
protocol_error(struct session *s, enum frame_type type, const char *what)
{
	char sentence[SENTENCE_TEXT];
	snprintf(sentence, sizeof sentence, "frame type %u %s", (unsigned)type, what);
	session_goodbye(s, CODE_PROTOCOL_ERROR, sentence);
}

static bool
decode(enum frame_type type, struct cursor body, union session_frame *out)
{
	switch (type) {
	case FRAME_HELLO:
		return frame_decode_hello(body, &out->hello) == FRAME_FINE;
	case FRAME_WELCOME:
		return frame_decode_welcome(body, &out->welcome) == FRAME_FINE;
	case FRAME_ANNOUNCE:
		return frame_decode_announce(body, 1, &out->announce) == FRAME_FINE;
	case FRAME_WITHDRAW:
		return frame_decode_withdraw(body, &out->withdraw);
	case FRAME_ACCEPTED:
		return frame_decode_accepted(body, &out->accepted);
	case FRAME_REFUSED:
		return frame_decode_refused(body, &out->refused);
	case FRAME_NEED:
		return frame_decode_need(body, &out->need);
	case FRAME_DRAIN:
		return frame_decode_drain(body, 1, &out->drain) == FRAME_FINE;
	case FRAME_GOODBYE:
		return frame_decode_goodbye(body, &out->goodbye);
	case FRAME_PING:
	case FRAME_PONG:
		return frame_decode_ping(body, &out->ping);
	case FRAME_OPEN:
	case FRAME_READY:
	case FRAME_FAIL:
	case FRAME_ANNOUNCE_MANY:
	case FRAME_ACCEPTED_MANY:
	case FRAME_REFUSED_MANY:
	case FRAME_WORKING:
	case FRAME_AGAIN:
	case FRAME_FACTS:
		break;
	}
	return false;
}

/* A hello begins with its two version octets in every version; what follows has the layout of the
 * oldest one named.  So they are judged before the rest is read. */
static bool
is_of_another_version(struct session *s, enum frame_type type, struct cursor body)
{
	char sentence[128];
	uint8_t oldest = cursor_u8(&body), newest = cursor_u8(&body);
	if (type != FRAME_HELLO || body.failed)
		return false;
	if (oldest <= PROTOCOL_NEWEST && newest >= PROTOCOL_OLDEST)
		return false;
	snprintf(sentence, sizeof sentence, "the relay speaks protocol %d to %d, the agent %u to %u",
	    PROTOCOL_OLDEST, PROTOCOL_NEWEST, oldest, newest);
	session_refuse(s, CODE_VERSION, sentence);
	return true;
}

static void
on_hello(struct session *s, const union session_frame *frame)
{
	session_move(s, SESSION_JUDGED);
	session_emit(s, SESSION_HELLO, frame);
}

static void
on_welcome(struct session *s, const union session_frame *frame)
{
	const struct frame_welcome *welcome = &frame->welcome;
	if (welcome->version < PROTOCOL_OLDEST || welcome->version > PROTOCOL_NEWEST) {
		session_goodbye(s, CODE_VERSION, "the relay chose a version that was not offered");
		return;
	}
	session_rise(s, welcome);
	session_emit(s, SESSION_WELCOME, frame);
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
on_refused(struct session *s, const union session_frame *frame)
{
	const struct frame_refused *refused = &frame->refused;
	bool is_mine = refused->endpoint == 0;
	if (!is_mine && s->state != SESSION_UP) {
		protocol_error(s, FRAME_REFUSED, "names an endpoint before the welcome");
		return;
	}
	if (is_mine)
		on_end(s, refused->code, refused->sentence);
	session_emit(s, SESSION_REFUSED, frame);
}

static void
on_pong(struct session *s, const struct frame_ping *pong)
{
	uint64_t now = clock_us();
	if (pong->sent_at_us <= now)
		s->rtt_us = now - pong->sent_at_us;
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

/* A frame that the rules allow. */
static void
handle(struct session *s, enum frame_type type, const union session_frame *frame)
{
	switch (type) {
	case FRAME_HELLO:
		on_hello(s, frame);
		break;
	case FRAME_WELCOME:
		on_welcome(s, frame);
		break;
	case FRAME_REFUSED:
		on_refused(s, frame);
		break;
	case FRAME_PING:
		answer_ping(s, &frame->ping);
		break;
	case FRAME_PONG:
		on_pong(s, &frame->ping);
		break;
	case FRAME_GOODBYE:
		on_end(s, frame->goodbye.code, frame->goodbye.sentence);
		break;
	case FRAME_ANNOUNCE:
	case FRAME_WITHDRAW:
	case FRAME_ACCEPTED:
	case FRAME_NEED:
	case FRAME_DRAIN:
	case FRAME_OPEN:
	case FRAME_READY:
	case FRAME_FAIL:
	case FRAME_ANNOUNCE_MANY:
	case FRAME_ACCEPTED_MANY:
	case FRAME_REFUSED_MANY:
	case FRAME_WORKING:
	case FRAME_AGAIN:
	case FRAME_FACTS:
		session_emit(s, rules[type].event, frame);
	}
}

void
session_hear(struct session *s)
{
	const struct frame *in = link_frame(s->link);
	struct cursor body = cursor_over(in->body, in->body_bytes);
	union session_frame frame;
	if (s->state >= SESSION_ENDING)
		return;
	s->last_frame_ms = clock_ms();
	if (in->type >= FRAME_OPTIONAL)
		return;
	if (in->type >= rule_count || !rules[in->type].receivers)
		protocol_error(s, in->type, "is unknown");
	else if (!(rules[in->type].receivers & 1u << s->side))
		protocol_error(s, in->type, "is not for this side");
	else if (!(rules[in->type].states & 1u << s->state))
		protocol_error(s, in->type, "comes at the wrong time");
	else if (is_of_another_version(s, in->type, body))
		return;
	else if (!decode(in->type, body, &frame))
		protocol_error(s, in->type, "is malformed");
	else
		handle(s, in->type, &frame);
}
