/* The life of a session: its states, its heartbeat, its end, and all that we send in it. */
#include "tunnel/session.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/numbers.h"
#include "tunnel/session_private.h"

static const unsigned may_move[SESSION_STATES] = {
	[SESSION_SHAKING] = 1u << SESSION_GREETING | 1u << SESSION_ENDING | 1u << SESSION_ENDED,
	[SESSION_GREETING] =
	    1u << SESSION_JUDGED | 1u << SESSION_UP | 1u << SESSION_ENDING | 1u << SESSION_ENDED,
	[SESSION_JUDGED] = 1u << SESSION_UP | 1u << SESSION_ENDING | 1u << SESSION_ENDED,
	[SESSION_UP] = 1u << SESSION_ENDING | 1u << SESSION_ENDED,
	[SESSION_ENDING] = 1u << SESSION_ENDED,
};
static const char *const state_name[SESSION_STATES] = {
	[SESSION_SHAKING] = "shaking",
	[SESSION_GREETING] = "greeting",
	[SESSION_JUDGED] = "judged",
	[SESSION_UP] = "up",
	[SESSION_ENDING] = "ending",
	[SESSION_ENDED] = "ended",
};

void
session_move(struct session *s, enum session_state to)
{
	assert(may_move[s->state] & 1u << to);
	log_move("session", log_object("session", s), state_name[s->state], state_name[to]);
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

static void
send_now(struct session *s, const uint8_t *frame, size_t bytes)
{
	if (s->state >= SESSION_ENDING || link_send(s->link, frame, bytes) ||
	    link_has_failed(s->link))
		return;
	session_explain(s, CODE_NONE, "the peer does not take what is sent to it");
	session_move(s, SESSION_ENDING);
	link_close(s->link);
}

/* Sends the frame of several as it is now. */
static void
flush(void *arg)
{
	struct session *s = arg;
	size_t bytes = s->several_bytes;
	s->several_bytes = 0;
	if (bytes > 0)
		send_now(s, s->several, bytes);
	free(s->several);
	s->several = NULL;
}

void
session_transmit(struct session *s, const uint8_t *frame, size_t bytes)
{
	flush(s);
	send_now(s, frame, bytes);
}

/* ---- heartbeat ---- */

static void
ping(struct session *s)
{
	uint8_t out[FRAME_BYTES];
	const struct frame_ping question = { ++s->sequence, clock_us() };
	if (!s->is_asked)
		s->asked_ms = clock_ms();
	s->is_asked = true;
	session_transmit(s, out, frame_encode_ping(out, &question));
}

static uint64_t
ping_every_ms(const struct session *s)
{
	return s->silent_ms > 0 ? smaller_of(s->heartbeat_ms, s->silent_ms / 2) : s->heartbeat_ms;
}

/* When the silence is long enough.  A loop that has slept for as long asks first: what the peer said
 * meanwhile is still to be read. */
static uint64_t
silent_at(const struct session *s)
{
	enum { ANSWER_MS = 1000 };
	if (s->silent_ms == 0 || s->is_silent || !s->is_asked)
		return UINT64_MAX;
	return larger_of(s->last_frame_ms + s->silent_ms, s->asked_ms + ANSWER_MS);
}

/* Sleeps until the next ping is due or the peer has been silent for too long. */
static void
set_heartbeat(struct session *s, uint64_t now)
{
	uint64_t dead = s->last_frame_ms + s->heartbeat_ms + s->tolerance_ms;
	uint64_t next = smaller_of(smaller_of(dead, s->next_ping_ms), silent_at(s));
	timer_set(&s->timer, difference(next, now));
}

static void
tell_silence(struct session *s)
{
	s->is_silent = true;
	session_emit(s, SESSION_SILENT, NULL);
}

static void
beat(struct session *s)
{
	uint64_t now = clock_ms();
	if (now >= s->last_frame_ms + s->heartbeat_ms + s->tolerance_ms) {
		session_goodbye(s, CODE_HEARTBEAT_LOST, "no sign of life from the peer");
		return;
	}
	if (now >= silent_at(s))
		tell_silence(s);
	if (s->state != SESSION_UP)
		return; /* the owner has ended it */
	if (now >= s->next_ping_ms) {
		s->next_ping_ms = now + ping_every_ms(s);
		ping(s);
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
	session_goodbye(s, CODE_HEARTBEAT_LOST,
	    s->side == SESSION_AGENT ? "no welcome in time" : "no hello in time");
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

void
session_drop_hello(struct session *s)
{
	free(s->hello);
	s->hello = NULL;
}

void
session_keep_hello(struct session *s, const struct frame_hello *hello)
{
	size_t bytes = hello->facts.bytes;
	session_drop_hello(s);
	s->hello = malloc(sizeof *hello + bytes);
	if (!s->hello) {
		session_goodbye(s, CODE_INTERNAL, "memory is short");
		return;
	}
	*s->hello = *hello;
	s->hello->facts.at = (const uint8_t *)(s->hello + 1);
	if (bytes > 0)
		memcpy(s->hello + 1, hello->facts.at, bytes);
}

static void
send_hello(struct session *s)
{
	uint8_t out[FRAME_BYTES];
	if (!s->hello || s->state != SESSION_GREETING)
		return;
	s->oldest = s->hello->oldest;
	s->newest = s->hello->newest;
	if (s->oldest < PROTOCOL_FACTS && s->hello->facts.bytes > 0)
		session_transmit(s, out, frame_encode_facts(out, s->hello));
	session_transmit(s, out, frame_encode_hello(out, s->hello));
	session_drop_hello(s);
}

/* In TLS 1.3 the relay judges the agent after the agent's handshake is done, so its verdict comes
 * as an alert. */
static enum code
code_of_alert(unsigned alert)
{
	switch (alert) {
	case 42:  /* bad_certificate */
	case 43:  /* unsupported_certificate */
	case 46:  /* certificate_unknown */
	case 48:  /* unknown_ca */
	case 49:  /* access_denied */
	case 116: /* certificate_required */
		return CODE_CERTIFICATE_REFUSED;
	case 44: /* certificate_revoked */
		return CODE_CERTIFICATE_REVOKED;
	case 45: /* certificate_expired */
		return CODE_CERTIFICATE_EXPIRED;
	case 70:  /* protocol_version */
	case 120: /* no_application_protocol */
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
		s->is_proven = true;
		if (s->state == SESSION_SHAKING)
			session_move(s, SESSION_GREETING);
		send_hello(s);
		break;
	case LINK_FRAME:
		session_receive(s);
		break;
	case LINK_RAW:
		break;
	case LINK_OVER:
		session_explain(
		    s, code_of_alert(tls_alert_received(link_tls(s->link))), link_error(s->link));
		session_move(s, SESSION_ENDED);
		session_emit(s, SESSION_OVER, NULL);
		break;
	}
}

static void
on_rested(void *arg)
{
	struct session *s = arg;
	if (!s->is_held)
		link_resume(s->link);
}

static void send_need(void *session);

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
	s->version = PROTOCOL_OLDEST;
	s->on_event = on_event;
	s->arg = arg;
	s->link = link_new(loop, tls, handshake_ms, on_link, s);
	if (!s->link) {
		free(s);
		return NULL;
	}
	task_init(&s->reaper, reap, s);
	task_init(&s->flush, flush, s);
	timer_init(&s->rest, loop, on_rested, s);
	timer_init(&s->need, loop, send_need, s);
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
	if (s->state != SESSION_ENDED)
		session_move(s, SESSION_ENDED);
	timer_clear(&s->timer);
	timer_clear(&s->rest);
	timer_clear(&s->need);
	loop_forget(s->loop, &s->flush);
	link_free(s->link);
	session_drop_hello(s);
	free(s->several);
	loop_later(s->loop, &s->reaper);
}

void
session_set_hello(struct session *s, const struct frame_hello *hello)
{
	session_keep_hello(s, hello);
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

void
session_watch_silence(struct session *s, uint32_t silent_ms)
{
	uint64_t now = clock_ms();
	if (s->state != SESSION_UP)
		return;
	s->silent_ms = silent_ms;
	s->next_ping_ms = smaller_of(s->next_ping_ms, now + ping_every_ms(s));
	set_heartbeat(s, now);
}

unsigned
session_common_version(unsigned oldest, unsigned newest)
{
	unsigned version = newest < PROTOCOL_NEWEST ? newest : PROTOCOL_NEWEST;
	return version >= oldest && version >= PROTOCOL_OLDEST ? version : 0;
}

unsigned
session_version(const struct session *s)
{
	return s->version;
}

bool
session_withdraws_many(const struct session *s)
{
	return s->takes_withdraw_many;
}

void
session_hold(struct session *s)
{
	s->is_held = true;
	link_pause(s->link);
}

void
session_go_on(struct session *s)
{
	s->is_held = false;
	if (!s->rest.armed)
		link_resume(s->link);
}

bool
session_is_up(const struct session *s)
{
	return s->state == SESSION_UP;
}

bool
session_is_proven(const struct session *s)
{
	return s->is_proven;
}

uint64_t
session_rtt_us(const struct session *s)
{
	return s->rtt_us;
}

void
session_count_rtt(struct session *s, struct histogram *rtt)
{
	s->rtt = rtt;
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

/* ---- what we say ---- */

/* Such frames belong between the welcome and the end; before and after that they are not sent. */
static void
send_up(struct session *s, const uint8_t *frame, size_t bytes)
{
	if (s->state == SESSION_UP)
		session_transmit(s, frame, bytes);
}

/* Says a last word and closes. */
static void
end_with(
    struct session *s, const uint8_t *frame, size_t bytes, enum code code, const char *sentence)
{
	if (s->state >= SESSION_ENDING)
		return;
	session_explain(s, code, sentence);
	if (s->state != SESSION_SHAKING)
		session_transmit(s, frame, bytes);
	if (s->state < SESSION_ENDING)
		session_move(s, SESSION_ENDING);
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

void
session_welcome(struct session *s, const struct frame_welcome *welcome)
{
	uint8_t out[FRAME_BYTES];
	struct frame_welcome ours = *welcome;
	if (s->state != SESSION_JUDGED)
		return;
	ours.version = (uint8_t)s->version;
	ours.frames_per_second = SESSION_FRAMES_PER_SECOND;
	ours.takes_withdraw_many = true;
	session_rise(s, &ours);
	session_transmit(s, out, frame_encode_welcome(out, &ours));
}

void
session_refuse(struct session *s, enum code code, const char *sentence)
{
	uint8_t out[FRAME_BYTES];
	struct frame_refused refused = { .code = code };
	snprintf(refused.sentence, sizeof refused.sentence, "%s", sentence);
	end_with(s, out, frame_encode_refused(out, &refused), code, refused.sentence);
}

/* ---- what may share a frame ---- */

/* In version 1, and when memory is short, each has a frame of its own. */
static bool
may_share(struct session *s)
{
	if (s->version < PROTOCOL_FACTS || s->state != SESSION_UP)
		return false;
	if (!s->several)
		s->several = malloc(FRAME_BYTES);
	if (!s->several)
		memory_short("nothing: what would share a frame has one of its own");
	return s->several;
}

/* What frame_add_...() returned.  False: the frame takes no more and has gone out; an empty one
 * will. */
static bool
grew(struct session *s, size_t bytes)
{
	if (bytes == 0) {
		flush(s);
		return false;
	}
	s->several_bytes = bytes;
	loop_later(s->loop, &s->flush);
	return true;
}

void
session_announce(struct session *s, const struct frame_announce *announce)
{
	uint8_t out[FRAME_BYTES];
	while (may_share(s))
		if (grew(s, frame_add_announce(s->several, s->several_bytes, announce)))
			return;
	send_up(s, out, frame_encode_announce(out, s->version, announce));
}

size_t
session_announce_room(const struct session *s)
{
	bool is_begun = s->several_bytes > 0 && s->several[2] == FRAME_ANNOUNCE_MANY;
	return is_begun ? FRAME_BYTES - s->several_bytes : 0;
}

void
session_accept(struct session *s, uint32_t endpoint)
{
	uint8_t out[FRAME_BYTES];
	while (may_share(s))
		if (grew(s, frame_add_accepted(s->several, s->several_bytes, endpoint)))
			return;
	send_up(s, out, frame_encode_accepted(out, &(struct frame_accepted){ endpoint }));
}

void
session_refuse_endpoint(struct session *s, uint32_t endpoint, enum code code, const char *sentence)
{
	uint8_t out[FRAME_BYTES];
	struct frame_refused refused = { .endpoint = endpoint, .code = code };
	snprintf(refused.sentence, sizeof refused.sentence, "%s", sentence);
	while (may_share(s))
		if (grew(s, frame_add_refused(s->several, s->several_bytes, &refused)))
			return;
	send_up(s, out, frame_encode_refused(out, &refused));
}

void
session_withdraw(struct session *s, uint32_t endpoint)
{
	uint8_t out[FRAME_BYTES];
	while (s->takes_withdraw_many && may_share(s))
		if (grew(s, frame_add_withdraw(s->several, s->several_bytes, endpoint)))
			return;
	send_up(s, out, frame_encode_withdraw(out, &(struct frame_withdraw){ endpoint }));
}

/* ---- what stands alone ---- */

/* These follow the flows, and would use up the peer's budget: half of it has to do. */
static void
send_need(void *arg)
{
	enum { PACE_MS = 2 * 1000 / SESSION_FRAMES_PER_SECOND };
	struct session *s = arg;
	uint8_t out[FRAME_BYTES];
	uint16_t channels = s->needed < UINT16_MAX ? (uint16_t)s->needed : UINT16_MAX;
	if (channels == 0)
		return;
	s->needed -= channels;
	timer_set(&s->need, PACE_MS);
	send_up(s, out, frame_encode_need(out, &(struct frame_need){ channels }));
}

void
session_need(struct session *s, unsigned channels)
{
	s->needed += channels;
	if (!s->need.armed)
		send_need(s);
}

void
session_drain(struct session *s, const struct frame_drain *drain)
{
	uint8_t out[FRAME_BYTES];
	send_up(s, out, frame_encode_drain(out, s->version, drain));
}

void
session_probe(struct session *s)
{
	ping(s);
	if (s->probe == 0) /* else the answer to the first one is on its way, and says the same */
		s->probe = s->sequence;
}

void
session_again(struct session *s, enum code code)
{
	uint8_t out[FRAME_BYTES];
	send_up(s, out, frame_encode_again(out, &(struct frame_again){ code }));
}

void
session_resumed(struct session *s, bool is_resumed)
{
	uint8_t out[FRAME_BYTES];
	send_up(s, out, frame_encode_resumed(out, &(struct frame_resumed){ is_resumed }));
}

void
session_unable(struct session *s)
{
	uint8_t out[FRAME_BYTES];
	send_up(s, out, frame_encode_unable(out));
}
