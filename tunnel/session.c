#include "tunnel/session.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "tunnel/session_private.h"

static const unsigned may_move[SESSION_STATES] = {
	[SESSION_SHAKING] = 1u << SESSION_GREETING | 1u << SESSION_ENDING | 1u << SESSION_ENDED,
	[SESSION_GREETING] =
	    1u << SESSION_JUDGED | 1u << SESSION_UP | 1u << SESSION_ENDING | 1u << SESSION_ENDED,
	[SESSION_JUDGED] = 1u << SESSION_UP | 1u << SESSION_ENDING | 1u << SESSION_ENDED,
	[SESSION_UP] = 1u << SESSION_ENDING | 1u << SESSION_ENDED,
	[SESSION_ENDING] = 1u << SESSION_ENDED,
};

void
session_move(struct session *s, enum session_state to)
{
	assert(may_move[s->state] & 1u << to);
	s->state = to;
	if (to != SESSION_GREETING)
		timer_clear(&s->timer);
}

void
session_emit(struct session *s, enum session_event event, const union session_frame *frame)
{
	s->on_event(s->arg, event, frame);
}

void
session_explain(struct session *s, enum code code, const char *sentence)
{
	if (s->error[0])
		return;
	s->code = code;
	snprintf(s->error, sizeof s->error, "%s", sentence);
}

void
session_transmit(struct session *s, const uint8_t *frame, size_t bytes)
{
	if (s->state >= SESSION_ENDING || link_send(s->link, frame, bytes))
		return;
	session_explain(s, CODE_NONE, "the peer does not take what is sent to it");
	session_move(s, SESSION_ENDING);
	link_close(s->link);
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
		session_ping(s);
	}
	if (s->state == SESSION_UP)
		set_heartbeat(s, now);
}

static void
on_time(void *arg)
{
	struct session *s = arg;
	if (s->state == SESSION_UP) {
		beat(s);
		return;
	}
	session_explain(s, CODE_NONE, s->side == SESSION_AGENT
	    ? "no welcome in time" : "no hello in time");
	session_move(s, SESSION_ENDING);
	link_close(s->link);
}

void
session_rise(struct session *s, const struct frame_welcome *welcome)
{
	session_move(s, SESSION_UP);
	s->heartbeat_ms = welcome->heartbeat_ms;
	s->tolerance_ms = welcome->tolerance_ms;
	s->last_frame_ms = clock_ms();
	s->next_ping_ms = s->last_frame_ms + s->heartbeat_ms;
	set_heartbeat(s, s->last_frame_ms);
}

static void
send_hello(struct session *s)
{
	uint8_t out[FRAME_BYTES];
	if (!s->hello || s->state != SESSION_GREETING)
		return;
	session_transmit(s, out, frame_encode_hello(out, s->hello));
	free(s->hello);
	s->hello = NULL;
}

/* In TLS 1.3 the relay judges the agent after the agent's handshake is done, so its verdict comes
 * as an alert. */
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
		if (s->state == SESSION_SHAKING)
			session_move(s, SESSION_GREETING);
		send_hello(s);
		break;
	case LINK_FRAME:
		session_hear(s);
		break;
	case LINK_RAW:
		break;
	case LINK_OVER:
		session_explain(s, code_of_alert(tls_alert_received(link_tls(s->link))),
		    link_error(s->link));
		session_move(s, SESSION_ENDED);
		session_emit(s, SESSION_OVER, NULL);
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
	s->state = SESSION_ENDED;
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
session_set_tolerance(struct session *s, uint32_t tolerance_ms)
{
	if (s->state != SESSION_UP)
		return;
	s->tolerance_ms = tolerance_ms;
	set_heartbeat(s, clock_ms());
}

bool
session_is_up(const struct session *s)
{
	return s->state == SESSION_UP;
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
