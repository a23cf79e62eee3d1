#include "tunnel/session.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum state { SHAKING, GREETING, JUDGED, UP, ENDING, OVER, STATES };
static const unsigned may_move[STATES] = {
	[SHAKING] = 1u << GREETING | 1u << ENDING | 1u << OVER,
	[GREETING] = 1u << JUDGED | 1u << UP | 1u << ENDING | 1u << OVER,
	[JUDGED] = 1u << UP | 1u << ENDING | 1u << OVER,
	[UP] = 1u << ENDING | 1u << OVER,
	[ENDING] = 1u << OVER,
};

struct session {
	struct loop *loop;
	struct link *link;
	enum session_side side;
	enum state state;
	struct timer timer;	/* greeting, then the heartbeat */
	struct task reaper;
	bool is_freed;
	void (*on_event)(void *arg, enum session_event, const union session_frame *);
	void *arg;
	struct frame_hello *hello;	/* agent: until it has been sent */

	uint64_t heartbeat_ms, tolerance_ms, last_frame_ms, next_ping_ms;
	uint32_t sequence, probe;
	uint64_t rtt_us;

	enum code code;
	char error[SENTENCE_TEXT];
};

/* Who may send what to whom, and when.  The rest is a protocol error. */
enum { TO_RELAY = 1u << SESSION_RELAY, TO_AGENT = 1u << SESSION_AGENT, TO_BOTH = TO_RELAY | TO_AGENT };
static const struct rule {
	unsigned receivers, states;
	enum session_event event;
} rules[] = {
	[FRAME_HELLO] = { TO_RELAY, 1u << GREETING, SESSION_HELLO },
	[FRAME_WELCOME] = { TO_AGENT, 1u << GREETING, SESSION_WELCOME },
	[FRAME_ANNOUNCE] = { TO_RELAY, 1u << UP, SESSION_ANNOUNCE },
	[FRAME_WITHDRAW] = { TO_RELAY, 1u << UP, SESSION_WITHDRAW },
	[FRAME_ACCEPTED] = { TO_AGENT, 1u << UP, SESSION_ACCEPTED },
	[FRAME_REFUSED] = { TO_AGENT, 1u << GREETING | 1u << UP, SESSION_REFUSED },
	[FRAME_PING] = { TO_BOTH, 1u << UP, SESSION_OVER },
	[FRAME_PONG] = { TO_BOTH, 1u << UP, SESSION_PONG },
	[FRAME_NEED] = { TO_AGENT, 1u << UP, SESSION_NEED },
	[FRAME_DRAIN] = { TO_BOTH, 1u << UP, SESSION_DRAIN },
	[FRAME_GOODBYE] = { TO_BOTH, 1u << GREETING | 1u << JUDGED | 1u << UP, SESSION_OVER },
};
static const unsigned rule_count = sizeof rules / sizeof *rules;

static void
move(struct session *s, enum state to)
{
	assert(may_move[s->state] & 1u << to);
	s->state = to;
	if (to != GREETING)
		timer_clear(&s->timer);
}

static void
emit(struct session *s, enum session_event event, const union session_frame *frame)
{
	s->on_event(s->arg, event, frame);
}

/* The first reason is the true one. */
static void
explain(struct session *s, enum code code, const char *sentence)
{
	if (s->error[0])
		return;
	s->code = code;
	snprintf(s->error, sizeof s->error, "%s", sentence);
}

/* A queue that overflows belongs to a peer that does not read. */
static void
send_frame(struct session *s, const uint8_t *frame, size_t bytes)
{
	if (s->state >= ENDING || link_send(s->link, frame, bytes))
		return;
	explain(s, CODE_NONE, "the peer does not take what is sent to it");
	move(s, ENDING);
	link_close(s->link);
}

/* What belongs between the welcome and the end; otherwise it is too early or too late to be said. */
static void
send_up(struct session *s, const uint8_t *frame, size_t bytes)
{
	if (s->state == UP)
		send_frame(s, frame, bytes);
}

/* Says a last word and closes. */
static void
end_with(struct session *s, const uint8_t *frame, size_t bytes, enum code code, const char *sentence)
{
	if (s->state >= ENDING)
		return;
	explain(s, code, sentence);
	if (s->state != SHAKING)
		send_frame(s, frame, bytes);
	if (s->state < ENDING)
		move(s, ENDING);
	link_close(s->link);
}

static struct frame_goodbye
farewell(enum code code, const char *sentence)
{
	struct frame_goodbye goodbye = { .code = code };
	snprintf(goodbye.sentence, sizeof goodbye.sentence, "%s", sentence);
	return goodbye;
}

void
session_goodbye(struct session *s, enum code code, const char *sentence)
{
	uint8_t out[FRAME_BYTES];
	const struct frame_goodbye goodbye = farewell(code, sentence);
	end_with(s, out, frame_encode_goodbye(out, &goodbye), code, goodbye.sentence);
}

static void
protocol_error(struct session *s, enum frame_type type, const char *what)
{
	char sentence[SENTENCE_TEXT];
	snprintf(sentence, sizeof sentence, "frame type %u %s", (unsigned)type, what);
	session_goodbye(s, CODE_PROTOCOL_ERROR, sentence);
}

static void
send_ping(struct session *s)
{
	uint8_t out[FRAME_BYTES];
	const struct frame_ping ping = { ++s->sequence, clock_us() };
	send_frame(s, out, frame_encode_ping(out, &ping));
}

/* Sleeps until the next ping is due or the peer has been silent for too long. */
static void
set_heartbeat(struct session *s, uint64_t now)
{
	uint64_t dead = s->last_frame_ms + s->heartbeat_ms + s->tolerance_ms;
	uint64_t next = dead < s->next_ping_ms ? dead : s->next_ping_ms;
	timer_set(&s->timer, next > now ? next - now : 0);
}

static void
beat(struct session *s)
{
	uint64_t now = clock_ms();
	if (now >= s->last_frame_ms + s->heartbeat_ms + s->tolerance_ms) {
		session_goodbye(s, CODE_HEARTBEAT_LOST, "no sign of life from the peer");
		return;
	}
	if (now >= s->next_ping_ms) {
		s->next_ping_ms = now + s->heartbeat_ms;
		send_ping(s);
	}
	if (s->state == UP)
		set_heartbeat(s, now);
}

static void
on_time(void *arg)
{
	struct session *s = arg;
	if (s->state == UP) {
		beat(s);
		return;
	}
	explain(s, CODE_NONE, s->side == SESSION_AGENT ? "no welcome in time" : "no hello in time");
	move(s, ENDING);
	link_close(s->link);
}

static void
rise(struct session *s, const struct frame_welcome *welcome)
{
	move(s, UP);
	s->heartbeat_ms = welcome->heartbeat_ms;
	s->tolerance_ms = welcome->tolerance_ms;
	s->last_frame_ms = clock_ms();
	s->next_ping_ms = s->last_frame_ms + s->heartbeat_ms;
	set_heartbeat(s, s->last_frame_ms);
}

static bool
decode(enum frame_type type, struct cursor body, union session_frame *out)
{
	switch (type) {
	case FRAME_HELLO:
		return frame_decode_hello(body, &out->hello);
	case FRAME_WELCOME:
		return frame_decode_welcome(body, &out->welcome);
	case FRAME_ANNOUNCE:
		return frame_decode_announce(body, &out->announce);
	case FRAME_WITHDRAW:
		return frame_decode_withdraw(body, &out->withdraw);
	case FRAME_ACCEPTED:
		return frame_decode_accepted(body, &out->accepted);
	case FRAME_REFUSED:
		return frame_decode_refused(body, &out->refused);
	case FRAME_NEED:
		return frame_decode_need(body, &out->need);
	case FRAME_DRAIN:
		return frame_decode_drain(body, &out->drain);
	case FRAME_GOODBYE:
		return frame_decode_goodbye(body, &out->goodbye);
	case FRAME_PING:
	case FRAME_PONG:
		return frame_decode_ping(body, &out->ping);
	case FRAME_OPEN:
	case FRAME_READY:
	case FRAME_FAIL:
	case FRAME_OPTIONAL:
		break;
	}
	return false;
}

static void
on_hello(struct session *s, const union session_frame *frame)
{
	const struct frame_hello *hello = &frame->hello;
	if (hello->oldest > PROTOCOL_NEWEST || hello->newest < PROTOCOL_OLDEST) {
		char sentence[128];
		snprintf(sentence, sizeof sentence, "the relay speaks protocol %d to %d, the agent %u to %u",
		    PROTOCOL_OLDEST, PROTOCOL_NEWEST, hello->oldest, hello->newest);
		session_refuse(s, CODE_VERSION, sentence);
		return;
	}
	move(s, JUDGED);
	emit(s, SESSION_HELLO, frame);
}

static void
on_welcome(struct session *s, const union session_frame *frame)
{
	const struct frame_welcome *welcome = &frame->welcome;
	if (welcome->version < PROTOCOL_OLDEST || welcome->version > PROTOCOL_NEWEST) {
		session_goodbye(s, CODE_VERSION, "the relay chose a version that was not offered");
		return;
	}
	rise(s, welcome);
	emit(s, SESSION_WELCOME, frame);
}

/* The peer has ended the session: what it said is why. */
static void
on_end(struct session *s, enum code code, const char *sentence)
{
	explain(s, code, *sentence ? sentence : code_word(code));
	move(s, ENDING);
	link_close(s->link);
}

static void
on_refused(struct session *s, const union session_frame *frame)
{
	const struct frame_refused *refused = &frame->refused;
	bool is_mine = refused->endpoint == 0;
	if (!is_mine && s->state != UP) {
		protocol_error(s, FRAME_REFUSED, "names an endpoint before the welcome");
		return;
	}
	if (is_mine)
		on_end(s, refused->code, refused->sentence);
	emit(s, SESSION_REFUSED, frame);
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
	emit(s, SESSION_PONG, NULL);
}

static void
answer_ping(struct session *s, const struct frame_ping *ping)
{
	uint8_t out[FRAME_BYTES];
	send_frame(s, out, frame_encode_pong(out, ping));
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
	case FRAME_OPTIONAL:
		emit(s, rules[type].event, frame);
	}
}

static void
on_frame(struct session *s)
{
	const struct frame *in = link_frame(s->link);
	union session_frame frame;
	if (s->state >= ENDING)
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
	else if (!decode(in->type, cursor_over(in->body, in->body_bytes), &frame))
		protocol_error(s, in->type, "is malformed");
	else
		handle(s, in->type, &frame);
}

static void
send_hello(struct session *s)
{
	uint8_t out[FRAME_BYTES];
	if (!s->hello || s->state != GREETING)
		return;
	send_frame(s, out, frame_encode_hello(out, s->hello));
	free(s->hello);
	s->hello = NULL;
}

/* In TLS 1.3 the relay judges the agent after the agent's handshake is done, so its verdict comes as an alert. */
static enum code
code_of_alert(unsigned alert)
{
	switch (alert) {
	case 42:	/* bad_certificate */
	case 43:	/* unsupported_certificate */
	case 46:	/* certificate_unknown */
	case 48:	/* unknown_ca */
	case 49:	/* access_denied */
	case 116:	/* certificate_required */
		return CODE_CERTIFICATE_REFUSED;
	case 44:	/* certificate_revoked */
		return CODE_CERTIFICATE_REVOKED;
	case 45:	/* certificate_expired */
		return CODE_CERTIFICATE_EXPIRED;
	case 70:	/* protocol_version */
	case 120:	/* no_application_protocol */
		return CODE_VERSION;
	}
	return CODE_NONE;
}

static void
on_link(void *arg, enum link_event event)
{
	struct session *s = arg;
	switch (event) {
	case LINK_OPEN:
		if (s->state == SHAKING)
			move(s, GREETING);
		send_hello(s);
		break;
	case LINK_FRAME:
		on_frame(s);
		break;
	case LINK_RAW:
		break;
	case LINK_OVER:
		explain(s, code_of_alert(tls_alert_received(link_tls(s->link))), link_error(s->link));
		move(s, OVER);
		emit(s, SESSION_OVER, NULL);
		break;
	}
}

static void
reap(void *arg)
{
	free(arg);
}

struct session *
session_new(struct loop *loop, enum session_side side, struct tls *tls, uint64_t handshake_ms,
    void (*on_event)(void *arg, enum session_event, const union session_frame *), void *arg)
{
	struct session *s = calloc(1, sizeof *s);
	if (!s) {
		stream_free(tls_stream(tls));
		return NULL;
	}
	s->loop = loop;
	s->side = side;
	s->on_event = on_event;
	s->arg = arg;
	s->link = link_new(loop, tls, handshake_ms, on_link, s);
	if (!s->link) {
		free(s);
		return NULL;
	}
	task_init(&s->reaper, reap, s);
	timer_init(&s->timer, loop, on_time, s);
	timer_set(&s->timer, handshake_ms);
	return s;
}

void
session_free(struct session *s)
{
	if (!s || s->is_freed)
		return;
	s->is_freed = true;
	s->state = OVER;
	timer_clear(&s->timer);
	link_free(s->link);
	free(s->hello);
	loop_later(s->loop, &s->reaper);
}

void
session_set_hello(struct session *s, const struct frame_hello *hello)
{
	if (!s->hello)
		s->hello = malloc(sizeof *hello);
	if (!s->hello) {
		session_goodbye(s, CODE_INTERNAL, "memory is short");
		return;
	}
	*s->hello = *hello;
	send_hello(s);
}

void
session_welcome(struct session *s, const struct frame_welcome *welcome)
{
	uint8_t out[FRAME_BYTES];
	if (s->state != JUDGED)
		return;
	rise(s, welcome);
	send_frame(s, out, frame_encode_welcome(out, welcome));
}

void
session_refuse(struct session *s, enum code code, const char *sentence)
{
	uint8_t out[FRAME_BYTES];
	struct frame_refused refused = { .code = code };
	snprintf(refused.sentence, sizeof refused.sentence, "%s", sentence);
	end_with(s, out, frame_encode_refused(out, &refused), code, refused.sentence);
}

void
session_announce(struct session *s, const struct frame_announce *announce)
{
	uint8_t out[FRAME_BYTES];
	send_up(s, out, frame_encode_announce(out, announce));
}

void
session_withdraw(struct session *s, uint32_t endpoint)
{
	uint8_t out[FRAME_BYTES];
	send_up(s, out, frame_encode_withdraw(out, &(struct frame_withdraw){ endpoint }));
}

void
session_accept(struct session *s, uint32_t endpoint)
{
	uint8_t out[FRAME_BYTES];
	send_up(s, out, frame_encode_accepted(out, &(struct frame_accepted){ endpoint }));
}

void
session_refuse_endpoint(struct session *s, uint32_t endpoint, enum code code, const char *sentence)
{
	uint8_t out[FRAME_BYTES];
	struct frame_refused refused = { .endpoint = endpoint, .code = code };
	snprintf(refused.sentence, sizeof refused.sentence, "%s", sentence);
	send_up(s, out, frame_encode_refused(out, &refused));
}

void
session_need(struct session *s, uint16_t channels)
{
	uint8_t out[FRAME_BYTES];
	send_up(s, out, frame_encode_need(out, &(struct frame_need){ channels }));
}

void
session_drain(struct session *s, uint32_t deadline_ms)
{
	uint8_t out[FRAME_BYTES];
	send_up(s, out, frame_encode_drain(out, &(struct frame_drain){ deadline_ms }));
}

void
session_probe(struct session *s)
{
	send_ping(s);
	s->probe = s->sequence;
}

void
session_set_tolerance(struct session *s, uint32_t tolerance_ms)
{
	if (s->state != UP)
		return;
	s->tolerance_ms = tolerance_ms;
	set_heartbeat(s, clock_ms());
}

bool
session_is_up(const struct session *s)
{
	return s->state == UP;
}

uint64_t
session_rtt_us(const struct session *s)
{
	return s->rtt_us;
}

enum code
session_over_code(const struct session *s)
{
	return s->code;
}

const char *
session_error(const struct session *s)
{
	return s->error;
}

struct tls *
session_tls(struct session *s)
{
	return link_tls(s->link);
}
