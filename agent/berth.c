/*
 * A channel on its worker.
 */
#include "agent/berth.h"

#include <stdio.h>
#include <stdlib.h>

#include "agent/leg.h"
#include "base/resolver.h"
#include "base/socket.h"
#include "tunnel/channel.h"

enum { DIAL_MS = 10000, SHAKE_MS = 10000, ERROR_TEXT = 320 };

struct berth {
	LIST_ENTRY(berth) link;
	bool is_listed, is_parked;
	struct loop *loop;
	struct leg *leg;
	struct connector *connector;
	struct channel *channel;
	char error[ERROR_TEXT];
	void (*on_event)(void *arg, struct berth *, enum berth_event);
	void *arg;
};

static void
unlist(struct berth *berth)
{
	if (berth->is_listed)
		LIST_REMOVE(berth, link);
	berth->is_listed = false;
}

static void
over(struct berth *berth, const char *why)
{
	snprintf(berth->error, sizeof berth->error, "%s", why && why[0] ? why : "it was closed");
	berth->on_event(berth->arg, berth, BERTH_OVER);
}

static void
on_channel(void *arg, enum channel_event event)
{
	struct berth *berth = arg;

	switch (event) {
	case CHANNEL_PARKED:
		berth->is_parked = true;
		berth->on_event(berth->arg, berth, BERTH_PARKED);
		break;
	case CHANNEL_OPEN:
		berth->on_event(berth->arg, berth, BERTH_OPENED);
		break;
	case CHANNEL_OVER:
		over(berth, channel_error(berth->channel));
		break;
	case CHANNEL_READY:
	case CHANNEL_FAIL:
	case CHANNEL_PONG:
		break;	/* the relay's */
	}
}

static void
on_connected(void *arg, int fd, const char *error)
{
	struct berth *berth = arg;
	struct stream *stream;
	struct tls *tls;

	berth->connector = NULL;
	if (fd < 0) {
		over(berth, error);
		return;
	}
	stream = stream_socket(fd);
	tls = stream ? tls_client(berth->leg->tls, stream, berth->leg->server_name, NULL) : NULL;
	if (tls && !tls_set_key(tls, berth->leg->identity, &berth->leg->key)) {
		stream_free(tls_stream(tls));
		tls = NULL;
	}
	if (tls)
		berth->channel = channel_new(berth->loop, false, tls, SHAKE_MS, on_channel, berth);
	if (!berth->channel)
		over(berth, "memory is short");
}

struct berth *
berth_new(struct loop *loop, struct resolver *resolver, struct leg *leg, struct berth_list *list,
    void (*on_event)(void *arg, struct berth *, enum berth_event), void *arg)
{
	struct berth *berth = calloc(1, sizeof *berth);

	if (!berth)
		return NULL;
	berth->loop = loop;
	berth->leg = leg_hold(leg);
	berth->on_event = on_event;
	berth->arg = arg;
	LIST_INSERT_HEAD(list, berth, link);
	berth->is_listed = true;
	berth->connector = connector_new(loop, resolver, leg->target, DIAL_MS, on_connected, berth);
	if (berth->connector)
		return berth;
	berth_free(berth);
	return NULL;
}

void
berth_free(struct berth *berth)
{
	if (!berth)
		return;
	unlist(berth);
	if (berth->connector)
		connector_free(berth->connector);
	channel_free(berth->channel);
	leg_release(berth->leg);
	free(berth);
}

struct berth *
berth_next(struct berth *berth)
{
	return LIST_NEXT(berth, link);
}

void
berth_give(struct berth *berth, void (*on_event)(void *arg, struct berth *, enum berth_event),
    void *arg)
{
	unlist(berth);
	berth->on_event = on_event;
	berth->arg = arg;
}

struct leg *
berth_leg(const struct berth *berth)
{
	return berth->leg;
}

struct channel *
berth_channel(const struct berth *berth)
{
	return berth->channel;
}

bool
berth_is_parked(const struct berth *berth)
{
	return berth->is_parked;
}

const char *
berth_error(const struct berth *berth)
{
	return berth->error;
}
