/*
 * A channel on its worker: the dial, the handshake, and its events.
 */
#include "agent/pooled_channel.h"

#include <stdio.h>
#include <stdlib.h>

#include "agent/egress.h"
#include "agent/session_ref.h"
#include "base/memory.h"
#include "base/numbers.h"
#include "base/resolver.h"
#include "base/shares.h"
#include "base/socket.h"
#include "tunnel/channel.h"

/* Most channels are used before KEEP_MS are over, and need no keepalive. */
enum { DIAL_MS = 10000, SHAKE_MS = 10000, KEEP_MS = 2000, WORKING_MS = 300, ERROR_TEXT = 320 };

struct pooled_channel {
	bool is_parked, is_short;
	struct loop *loop;
	struct agent_session_ref *ref;
	struct proxy_dial *dial;
	struct channel *channel;
	int fd; /* the channel's, borrowed */
	struct timer keep, working;
	struct shares *hellos;      /* of all */
	struct shares_place *hello; /* from `open` on */
	char error[ERROR_TEXT];
	void (*on_event)(void *arg, struct pooled_channel *, enum pooled_channel_event);
	void *arg;
};

static void
over(struct pooled_channel *pooled, const char *why)
{
	snprintf(pooled->error, sizeof pooled->error, "%s", why && why[0] ? why : "it was closed");
	pooled->on_event(pooled->arg, pooled, POOLED_OVER);
}

/* ---- the share of its hello ---- */

const char pooled_channel_displaced[] =
    "the memory for hellos under way is used up, most of it by what came through this relay";

static void
leave(struct pooled_channel *pooled)
{
	shares_leave(pooled->hello);
	pooled->hello = NULL;
}

static void
on_hello_evicted(void *arg)
{
	struct pooled_channel *pooled = arg;

	leave(pooled);
	channel_fail(pooled->channel, CODE_FLOW_LIMIT, pooled_channel_displaced);
	pooled->on_event(pooled->arg, pooled, POOLED_DISPLACED);
}

static bool
enter(struct pooled_channel *pooled)
{
	const struct frame_open *open = channel_open_frame(pooled->channel);
	uint32_t units = (uint32_t)units_for(open->hello_bytes, POOLED_HELLO_UNIT);
	struct shares_entrant entrant = {
		.loop = pooled->loop,
		.client = &open->client,
		.owner = pooled->ref->owner,
		.on_evict = on_hello_evicted,
		.arg = pooled,
	};
	enum shares_verdict verdict;

	pooled->hello = shares_enter(pooled->hellos, &entrant, &verdict);
	if (pooled->hello && units > 1)
		shares_weigh(pooled->hello, units);
	return pooled->hello;
}

/* Its flow has neither released it nor failed. */
static void
on_working(void *arg)
{
	struct pooled_channel *pooled = arg;

	channel_working(pooled->channel);
}

static void
on_hello(struct pooled_channel *pooled)
{
	timer_set(&pooled->working, WORKING_MS);
	if (enter(pooled))
		return;
	memory_short("the place of a hello");
	channel_fail(pooled->channel, CODE_INTERNAL, "memory is short");
}

/* ---- its events ---- */

static void
on_channel(void *arg, enum channel_event event)
{
	struct pooled_channel *pooled = arg;

	switch (event) {
	case CHANNEL_PARKED:
		pooled->is_parked = true;
		pooled->on_event(pooled->arg, pooled, POOLED_PARKED);
		break;
	case CHANNEL_HELLO:
		on_hello(pooled);
		break;
	case CHANNEL_OPEN:
		pooled->on_event(pooled->arg, pooled, POOLED_OPENED);
		break;
	case CHANNEL_OVER:
		over(pooled, channel_error(pooled->channel));
		break;
	case CHANNEL_READY:
	case CHANNEL_FAIL:
	case CHANNEL_PONG:
		break; /* the relay's */
	}
}

/* The relay pings parked channels, and gives up those that do not answer.  If its reset is lost on the
 * way, nothing but TCP's own probes tells us: the channel would hold its place in the pool as long as its
 * session lives. */
static void
on_keep(void *arg)
{
	const struct pooled_channel *pooled = arg;

	socket_keep_alive(pooled->fd);
}

static void
on_connected(void *arg, struct stream *stream, const char *error)
{
	struct pooled_channel *pooled = arg;
	struct tls *tls;

	pooled->is_short = !stream && proxy_dial_is_short(pooled->dial);
	pooled->dial = NULL;
	if (!stream) {
		over(pooled, error);
		return;
	}
	pooled->fd = stream->fd;
	tls = tls_client(pooled->ref->tls, stream, pooled->ref->server_name, NULL);
	if (tls && !tls_set_key(tls, pooled->ref->identity, &pooled->ref->key)) {
		stream_free(tls_stream(tls));
		tls = NULL;
	}
	if (tls)
		pooled->channel =
		    channel_new(pooled->loop, false, tls, SHAKE_MS, on_channel, pooled);
	if (pooled->channel) {
		channel_set_version(pooled->channel, pooled->ref->version);
		timer_set(&pooled->keep, KEEP_MS);
	} else {
		memory_short("a channel that was just dialled");
		over(pooled, "memory is short");
	}
}

static bool
dial(struct pooled_channel *pooled, struct resolver *resolver)
{
	struct proxy_dial_options options = { .target = pooled->ref->target,
		.timeout_ms = DIAL_MS };

	egress_fill(pooled->ref->egress, &options);
	pooled->dial = proxy_dial_new(pooled->loop, resolver, &options, on_connected, pooled);
	return pooled->dial != NULL;
}

struct pooled_channel *
pooled_channel_new(struct loop *loop, struct resolver *resolver, struct shares *hellos,
    struct agent_session_ref *ref,
    void (*on_event)(void *arg, struct pooled_channel *, enum pooled_channel_event), void *arg)
{
	struct pooled_channel *pooled = calloc(1, sizeof *pooled);

	if (!pooled)
		return NULL;
	pooled->loop = loop;
	pooled->hellos = hellos;
	pooled->ref = agent_session_ref_hold(ref);
	pooled->on_event = on_event;
	pooled->arg = arg;
	timer_init(&pooled->keep, loop, on_keep, pooled);
	timer_init(&pooled->working, loop, on_working, pooled);
	if (dial(pooled, resolver))
		return pooled;
	pooled_channel_free(pooled);
	return NULL;
}

void
pooled_channel_free(struct pooled_channel *pooled)
{
	if (!pooled)
		return;
	proxy_dial_free(pooled->dial);
	timer_clear(&pooled->keep);
	timer_clear(&pooled->working);
	leave(pooled);
	channel_free(pooled->channel);
	agent_session_ref_release(pooled->ref);
	free(pooled);
}

void
pooled_channel_hand_over(struct pooled_channel *pooled,
    void (*on_event)(void *arg, struct pooled_channel *, enum pooled_channel_event), void *arg)
{
	pooled->on_event = on_event;
	pooled->arg = arg;
}

struct agent_session_ref *
pooled_channel_session(const struct pooled_channel *pooled)
{
	return pooled->ref;
}

struct channel *
pooled_channel_channel(const struct pooled_channel *pooled)
{
	return pooled->channel;
}

bool
pooled_channel_is_parked(const struct pooled_channel *pooled)
{
	return pooled->is_parked;
}

const char *
pooled_channel_error(const struct pooled_channel *pooled)
{
	return pooled->error;
}

bool
pooled_channel_is_short(const struct pooled_channel *pooled)
{
	return pooled->is_short;
}
