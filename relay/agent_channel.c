/* Shakes hands with a channel, parks it, pings it, and gives it away or ends it. */
#include "relay/agent_channel.h"

#include <stdlib.h>
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/shares.h"
#include "relay/agent_fields.h"
#include "relay/session_ref.h"
#include "relay/pool.h"
#include "relay/shared.h"
#include "relay/session_table.h"
#include "relay/rules.h"
#include "relay/worker_context.h"
#include "relay/conn.h"
#include "relay/recent_peers.h"
#include "tunnel/channel.h"
#include "tunnel/tls.h"

enum { PONG_MS = 5000, RETIRES_MS = 600000 };

struct agent_channel {
	LIST_ENTRY(agent_channel) link;
	struct worker_context *worker;
	struct pool_entry entry;
	struct channel *channel;         /* NULL: given away, or lost */
	struct shares_place *place;      /* while shaking */
	struct session_ref *session_ref; /* held, from parking on */
	struct ip_address client;
	bool awaits_pong, is_gone;
	uint64_t retires_at_ms;
	struct timer ping;
	struct task reap;
};

static void
reap(void *arg)
{
	struct agent_channel *self = arg;

	session_ref_release(self->session_ref);
	free(self);
}

/* Takes everything out of the loop and asks for the reaping; the entry must be out of the pool. */
static void
go(struct agent_channel *self)
{
	if (self->is_gone)
		return;
	self->is_gone = true;
	LIST_REMOVE(self, link);
	timer_clear(&self->ping);
	shares_leave(self->place);
	self->place = NULL;
	if (!pool_is_asking(&self->entry))
		loop_later(self->worker->loop, &self->reap);
	worker_shrank(self->worker);
}

/* The channel is lost. If somebody has just taken its entry, he hears of that from give(). */
static void
lose(struct agent_channel *self)
{
	channel_free(self->channel);
	self->channel = NULL;
	timer_clear(&self->ping);
	if (pool_lost(&self->entry))
		go(self);
}

void
agent_channel_cut_all(struct worker_context *worker)
{
	struct agent_channel *next;

	for (struct agent_channel *self = LIST_FIRST(&worker->channels); self; self = next) {
		next = LIST_NEXT(self, link);
		lose(self);
	}
}

static const char no_room[] =
    "a parked channel that nobody needed is closed: there is no room for others";

static void
log_refused(const struct agent_channel *self, const char *code, const char *why)
{
	const struct address from = address_of_ip(&self->client);
	char client[ADDRESS_TEXT];

	log_limited(LOG_DEBUG, "channel-refused", &from, why, log_str("code", code),
	    log_str("client", address_text(&from, client)),
	    log_agent(self->session_ref ? session_ref_identity(self->session_ref) : NULL));
}

static struct channel *
give(struct pool_entry *entry)
{
	struct agent_channel *self = container_of(entry, struct agent_channel, entry);
	struct channel *channel = self->channel;

	self->channel = NULL;
	if (channel)
		channel_detach(channel);
	go(self);
	return channel;
}

static void
drop(struct pool_entry *entry)
{
	struct agent_channel *self = container_of(entry, struct agent_channel, entry);

	if (!entry->request && !session_ref_is_retired(self->session_ref))
		log_refused(self, "pool-full", no_room);
	channel_free(self->channel);
	self->channel = NULL;
	go(self);
}

/* A time from half to one and a half of the interval, so that channels that came together do not
 * stay together. */
static void
plan_ping(struct agent_channel *self)
{
	uint64_t interval = self->worker->rules->settings.pool_ping_ms;

	timer_set(&self->ping, interval / 2 + arc4random_uniform((uint32_t)interval));
}

/* It was needed once, and now others are. */
static bool
is_in_the_way(const struct agent_channel *self)
{
	return pool_is_too_big(
	    session_ref_pool(self->session_ref), self->worker->rules->settings.pool_least);
}

/* Its time is over, and its place is filled: where there is no more than the least, another one is asked
 * for, and it stays until that has come. */
static bool
may_retire(struct agent_channel *self)
{
	if (clock_ms() < self->retires_at_ms)
		return false;
	if (pool_parked(session_ref_pool(self->session_ref)) >
	    self->worker->rules->settings.pool_least)
		return true;
	session_ref_need(self->session_ref, 1);
	return false;
}

static void
ping(struct agent_channel *self)
{
	if (self->awaits_pong || !channel_ping(self->channel)) {
		log_refused(self, "channel-silent", "a parked channel did not answer in time");
		lose(self);
		return;
	}
	self->awaits_pong = true;
	timer_set(&self->ping, PONG_MS);
}

static void
on_ping_time(void *arg)
{
	struct agent_channel *self = arg;

	if (!self->awaits_pong && is_in_the_way(self)) {
		log_refused(self, "pool-full", no_room);
		lose(self);
	} else if (!self->awaits_pong && may_retire(self)) {
		log_refused(self, "channel-old",
		    "a parked channel has had its time, and others are parked");
		lose(self);
	} else {
		ping(self);
	}
}

/* A ping that is on its way already will do. */
static void
ask(struct pool_entry *entry)
{
	struct agent_channel *self = container_of(entry, struct agent_channel, entry);

	if (self->is_gone)
		loop_later(self->worker->loop, &self->reap);
	else if (self->channel && !self->awaits_pong)
		ping(self);
}

static const struct pool_entry_kind entry_kind = { give, drop, ask };

static void
park(struct agent_channel *self)
{
	static const struct {
		const char *code, *why;
	} reasons[] = {
		[POOL_PARKED] = { "", "" },
		[POOL_FULL] = { "pool-full", "this session has pool.most channels parked" },
		[POOL_REFUSED] = { "pool-full", NULL },
		[POOL_CLOSED] = { "session-gone", "its session has ended" },
	};
	struct shared *shared = self->worker->shared;
	char why[USAGE_WHY];
	enum pool_verdict verdict;

	shares_leave(self->place);
	self->place = NULL;
	self->session_ref =
	    session_table_find_channel(shared->session_table, channel_peer_identity(self->channel));
	if (self->session_ref)
		channel_set_version(self->channel, session_ref_version(self->session_ref));
	verdict = self->session_ref
	    ? pool_park(session_ref_pool(self->session_ref), &self->entry, why)
	    : POOL_CLOSED;
	if (verdict != POOL_PARKED) {
		log_refused(self, reasons[verdict].code,
		    verdict == POOL_REFUSED ? why : reasons[verdict].why);
		lose(self);
		return;
	}
	session_ref_set_mute(self->session_ref, false);
	self->retires_at_ms = clock_ms() + RETIRES_MS + arc4random_uniform(RETIRES_MS);
	plan_ping(self);
}

static void
on_channel(void *arg, enum channel_event event)
{
	struct agent_channel *self = arg;

	switch (event) {
	case CHANNEL_PARKED:
		park(self);
		break;
	case CHANNEL_PONG:
		self->awaits_pong = false;
		session_ref_set_mute(self->session_ref, false);
		pool_verified(&self->entry);
		plan_ping(self);
		break;
	case CHANNEL_OVER:
		lose(self);
		break;
	case CHANNEL_HELLO:
	case CHANNEL_OPEN:
	case CHANNEL_READY:
	case CHANNEL_FAIL:
		break; /* these come only after it was opened */
	}
}

static void
on_evicted(void *arg)
{
	struct agent_channel *self = arg;

	log_refused(self, "over-limit",
	    "limits.channel_handshakes is reached, and most of them come from here");
	lose(self);
}

static bool
shake(struct agent_channel *self, struct conn *conn)
{
	const struct address from = address_of_ip(&self->client);
	struct worker_context *worker = self->worker;
	struct shares_entrant entrant = { worker->loop, &from, 0, on_evicted, self };
	enum shares_verdict verdict;
	struct stream *stream = stream_socket(conn->fd);
	struct heavy_party party = recent_peers_party(conn->is_known_peer, &from);
	struct tls *tls;

	conn->fd = -1;
	if (!stream || !stream_unread(stream, conn->wire, conn->bytes)) {
		stream_free(stream);
		return false;
	}
	tls = tls_server(worker->rules->channel_tls, stream, NULL);
	if (!tls)
		return false;
	tls_set_party(tls, &party);
	self->channel = channel_new(
	    worker->loop, true, tls, worker->rules->settings.limits.handshake_ms, on_channel, self);
	self->place = shares_enter(worker->shared->channels, &entrant, &verdict);
	return self->channel && self->place;
}

static const char lost_channel[] = "an agent's channel that was just accepted";

void
agent_channel_start(struct worker_context *worker, struct conn *conn)
{
	struct agent_channel *self = calloc(1, sizeof *self);

	if (!self) {
		memory_short(lost_channel);
		conn_wipe(conn);
		return;
	}
	self->worker = worker;
	self->client = conn->client;
	self->entry = (struct pool_entry){ .kind = &entry_kind, .loop = worker->loop };
	LIST_INSERT_HEAD(&worker->channels, self, link);
	task_init(&self->reap, reap, self);
	timer_init(&self->ping, worker->loop, on_ping_time, self);
	if (!shake(self, conn)) {
		memory_short(lost_channel);
		lose(self);
	}
	conn_wipe(conn);
}
