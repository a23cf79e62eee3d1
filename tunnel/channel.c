/* A channel, from the handshake to its stream. */
#include "tunnel/channel.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

enum { HELLO_MS = 5000 }; /* which the relay has; it gives up by then itself */
enum channel_state { SHAKING, PARKED, OPENING, HELLO, OPENED, RELEASED, OVER, STATES };
/* OPENING is the relay's wait for an answer; HELLO the agent's for the hello behind `open`. */
static const unsigned may_move[STATES] = {
	[SHAKING] = 1u << PARKED | 1u << OVER,
	[PARKED] = 1u << OPENING | 1u << HELLO | 1u << OVER,
	[OPENING] = 1u << OPENED | 1u << OVER,
	[HELLO] = 1u << OPENED | 1u << OVER,
	[OPENED] = 1u << RELEASED | 1u << OVER,
};
static const char *const state_name[STATES] = {
	[SHAKING] = "shaking",
	[PARKED] = "parked",
	[OPENING] = "opening",
	[HELLO] = "hello",
	[OPENED] = "opened",
	[RELEASED] = "released",
	[OVER] = "over",
};

/* Only while a flow is being opened; a parked channel has none. */
struct opening {
	struct frame_open open;
	struct frame_goodbye fail;
	uint8_t facts[]; /* of `open` */
};

struct channel {
	struct loop *loop;
	struct link *link;
	bool is_relay, is_freed, is_worked_on, has_answered;
	unsigned version;
	enum channel_state state;
	void (*on_event)(void *arg, enum channel_event);
	void *arg;
	struct opening *opening;
	const struct frame_ready *ready; /* in CHANNEL_READY */
	struct task reaper;
	uint32_t sequence;
	const char *error;
};

static void
move(struct channel *c, enum channel_state to)
{
	assert(may_move[c->state] & 1u << to);
	log_move("channel", log_object("channel", c), state_name[c->state], state_name[to]);
	c->state = to;
}

static void
emit(struct channel *c, enum channel_event event)
{
	c->on_event(c->arg, event);
}

static void
protocol_error(struct channel *c, const char *error)
{
	c->error = error;
	link_close(c->link);
}

/* Whether its flow will be bare. */
static bool
is_handoff(const struct channel *c)
{
	return c->opening && c->opening->open.carrier == CARRIER_HANDOFF;
}

static bool
keep_open(struct channel *c, const struct frame_open *open)
{
	free(c->opening);
	c->opening = calloc(1, sizeof *c->opening + open->facts.bytes);
	if (!c->opening) {
		memory_short("a channel that was to be opened");
		return false;
	}
	c->opening->open = *open;
	c->opening->open.facts.at = c->opening->facts;
	if (open->facts.bytes > 0)
		memcpy(c->opening->facts, open->facts.at, open->facts.bytes);
	return true;
}

/* Relay: `fail` has come. No byte has reached an upstream; the peer closes. */
static void
on_fail(struct channel *c, struct cursor body)
{
	if (!frame_decode_goodbye(body, &c->opening->fail)) {
		protocol_error(c, "the agent's fail is malformed");
		return;
	}
	c->error = c->opening->fail.sentence;
	link_close(c->link);
	emit(c, CHANNEL_FAIL);
}

/* Agent: the hello follows `open`; an empty one is a bug of the relay. */
static void
expect_hello(struct channel *c)
{
	uint32_t bytes = c->opening->open.hello_bytes;
	if (bytes == 0) {
		protocol_error(c, "the relay's open is malformed");
		return;
	}
	move(c, HELLO);
	if (link_expect(c->link, bytes, HELLO_MS))
		emit(c, CHANNEL_HELLO);
	else
		protocol_error(c, "memory is short");
}

static void
on_open(struct channel *c, struct cursor body)
{
	struct frame_open open;
	switch (frame_decode_open(body, c->version, &open)) {
	case FRAME_WRONG:
		protocol_error(c, "the relay's open is malformed");
		break;
	case FRAME_FINE:
		if (keep_open(c, &open))
			expect_hello(c);
		else
			protocol_error(c, "memory is short");
		break;
	case FRAME_NOT_UNDERSTOOD:
		c->error = "the relay's open has a fact that this agent does not know";
		channel_fail(c, CODE_NOT_UNDERSTOOD, c->error);
		break;
	}
}

/* Either side may ask the other for a sign of life while the channel is parked.  One that crosses our
 * `open` is not answered: behind the hello, a pong would be taken for the flow's bytes. */
static void
on_ping(struct channel *c, const struct frame_ping *ping)
{
	uint8_t out[FRAME_BYTES];
	if (c->state == PARKED && !link_send(c->link, out, frame_encode_pong(out, ping)))
		link_close(c->link);
}

static void
on_pong(struct channel *c, const struct frame_ping *pong)
{
	if (c->state == PARKED && pong->sequence == c->sequence)
		emit(c, CHANNEL_PONG);
}

static void
on_ready(struct channel *c, const struct frame_ready *ready)
{
	if (is_handoff(c) && !link_is_at_border(c->link)) {
		protocol_error(c, "the agent's ready is not the last of what it says in TLS");
		return;
	}
	move(c, OPENED);
	link_pause(c->link);
	c->ready = ready;
	emit(c, CHANNEL_READY);
	c->ready = NULL;
}

static void
on_frame(struct channel *c, const struct frame *in)
{
	struct cursor body = cursor_over(in->body, in->body_bytes);
	struct frame_ping ping;
	struct frame_ready ready;
	if (in->type == FRAME_PING && frame_decode_ping(body, &ping))
		on_ping(c, &ping);
	else if (in->type == FRAME_PONG && frame_decode_ping(body, &ping))
		on_pong(c, &ping);
	else if (in->type == FRAME_OPEN && !c->is_relay)
		on_open(c, body);
	else if (in->type == FRAME_READY && c->state == OPENING &&
	    frame_decode_ready(body, c->version, &ready) == FRAME_FINE)
		on_ready(c, &ready);
	else if (in->type == FRAME_WORKING && c->version >= PROTOCOL_FACTS && c->state == OPENING &&
	    frame_decode_working(body))
		c->is_worked_on = true;
	else if (in->type == FRAME_FAIL && c->state == OPENING)
		on_fail(c, body);
	else if (in->type < FRAME_OPTIONAL)
		protocol_error(c, "the peer sent a frame that does not belong here");
}

static void
on_hello(struct channel *c)
{
	if (is_handoff(c) && !(link_is_at_border(c->link) && link_await_bare(c->link))) {
		protocol_error(c, "the relay says more behind the hello of an open");
		return;
	}
	move(c, OPENED);
	emit(c, CHANNEL_OPEN);
}

static void
on_link(void *arg, enum link_event event)
{
	struct channel *c = arg;
	switch (event) {
	case LINK_OPEN:
		move(c, PARKED);
		emit(c, CHANNEL_PARKED);
		break;
	case LINK_FRAME:
		on_frame(c, link_frame(c->link));
		break;
	case LINK_RAW:
		on_hello(c);
		break;
	case LINK_OVER:
		move(c, OVER);
		emit(c, CHANNEL_OVER);
		break;
	}
}

static void
reap(void *arg)
{
	struct channel *c = arg;
	free(c->opening);
	free(c);
}

struct channel *
channel_new(struct loop *loop, bool is_relay, struct tls *tls, uint64_t handshake_ms,
    void (*on_event)(void *arg, enum channel_event), void *arg)
{
	struct channel *c = calloc(1, sizeof *c);
	if (!c) {
		stream_free(tls_stream(tls));
		return NULL;
	}
	c->loop = loop;
	c->is_relay = is_relay;
	c->version = PROTOCOL_OLDEST;
	c->on_event = on_event;
	c->arg = arg;
	task_init(&c->reaper, reap, c);
	c->link = link_new(loop, tls, handshake_ms, on_link, c);
	if (!c->link) {
		free(c);
		return NULL;
	}
	return c;
}

void
channel_free(struct channel *c)
{
	if (!c || c->is_freed)
		return;
	c->is_freed = true;
	link_free(c->link);
	if (c->loop)
		loop_later(c->loop, &c->reaper);
	else
		reap(c);
}

void
channel_set_version(struct channel *c, unsigned version)
{
	c->version = version;
}

const char *
channel_peer_identity(const struct channel *c)
{
	struct tls *tls = link_tls(c->link);
	return tls && c->is_relay ? tls_identity(tls) : "";
}

bool
channel_open(struct channel *c, const struct frame_open *open, const uint8_t *hello)
{
	uint8_t out[FRAME_BYTES];
	if (c->state != PARKED || !keep_open(c, open))
		return false;
	if (!link_send_raw(
		c->link, out, frame_encode_open(out, c->version, open), hello, open->hello_bytes))
		return false;
	if (is_handoff(c))
		link_hush(c->link);
	move(c, OPENING);
	return true;
}

bool
channel_ping(struct channel *c)
{
	uint8_t out[FRAME_BYTES];
	const struct frame_ping ping = { ++c->sequence, clock_us() };
	return c->state == PARKED && link_send(c->link, out, frame_encode_ping(out, &ping));
}

bool
channel_is_worked_on(const struct channel *c)
{
	return c->is_worked_on;
}

enum code
channel_fail_code(const struct channel *c)
{
	return c->opening ? c->opening->fail.code : CODE_NONE;
}

const char *
channel_error(const struct channel *c)
{
	return c->error ? c->error : link_error(c->link);
}

const struct frame_open *
channel_open_frame(const struct channel *c)
{
	return &c->opening->open;
}

const struct frame_ready *
channel_ready_frame(const struct channel *c)
{
	return c->ready;
}

const uint8_t *
channel_hello(const struct channel *c)
{
	return link_raw(c->link);
}

bool
channel_working(struct channel *c)
{
	uint8_t out[FRAME_BYTES];
	if (c->version < PROTOCOL_FACTS)
		return true;
	return (c->state == HELLO || c->state == OPENED) && !c->has_answered &&
	    link_send(c->link, out, frame_encode_working(out));
}

bool
channel_ready(struct channel *c, const struct frame_ready *ready)
{
	uint8_t out[FRAME_BYTES];
	c->has_answered = true;
	return c->state == OPENED &&
	    link_send(c->link, out, frame_encode_ready(out, c->version, ready));
}

void
channel_fail(struct channel *c, enum code code, const char *sentence)
{
	uint8_t out[FRAME_BYTES];
	struct frame_goodbye fail = { .code = code };
	snprintf(fail.sentence, sizeof fail.sentence, "%s", sentence);
	c->has_answered = true;
	link_send(c->link, out, frame_encode_fail(out, &fail));
	link_close(c->link);
}

struct stream *
channel_release(struct channel *c)
{
	struct stream *stream;
	if (c->state != OPENED)
		return NULL;
	stream = is_handoff(c) ? link_unwrap(c->link) : link_release(c->link);
	if (!stream)
		return NULL;
	move(c, RELEASED);
	if (c->is_relay || stream_unread(stream, link_raw(c->link), c->opening->open.hello_bytes))
		return stream;
	stream_reset(stream);
	stream_free(stream);
	return NULL;
}

void
channel_detach(struct channel *c)
{
	assert(c->state == PARKED);
	link_detach(c->link);
	c->loop = NULL;
}

void
channel_attach(
    struct channel *c, struct loop *loop, void (*on_event)(void *, enum channel_event), void *arg)
{
	c->loop = loop;
	c->on_event = on_event;
	c->arg = arg;
	link_attach(c->link, loop, on_link, c);
}
