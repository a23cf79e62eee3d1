/*
 * One session with a relay: its life, and its pool.
 */
#include "agent/relay_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/announcer.h"
#include "agent/context.h"
#include "agent/metrics.h"
#include "agent/peer_check.h"
#include "agent/relay_path.h"
#include "agent/session_ref.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/numbers.h"
#include "base/socket.h"
#include "base/units.h"
#include "tunnel/session.h"

enum {
	DIAL_MS = 10000,
	GREETING_MS = 10000,
	UNABLE_MS = 100,
};

struct relay_session {
	const struct agent_context *context;
	const char *target;
	char address[ADDRESS_TEXT]; /* where the connection has led to */
	uint8_t owner;
	struct relay_path path;          /* a copy, with its own hold of the egress */
	struct credentials *credentials; /* held from the beginning, whatever is reloaded */
	struct proxy_dial *dial;
	struct session *session;
	struct peer_check relay_check;
	uint64_t unable_at_ms; /* when the relay was last told so */
	bool is_up, serves_all, has_stopped_dialling, has_dropped_channels, has_place;
	uint16_t place;
	unsigned pool_share;
	uint32_t drain_ms;
	uint64_t begun_us;
	char relay[SHORT_TEXT];
	struct agent_session_ref *ref;
	struct timer refill;
	struct announcer *announcer;
	struct announcer_past *past; /* NULL: none */
	struct relay_session_end end;
	void (*on_event)(void *arg, struct relay_session *, enum relay_session_event);
	void *arg;
};

/* ---- what is counted ---- */

enum count { COUNT_CHANNEL_FAILED, COUNT_CHANNEL_LOST, COUNT_UP };

static void
count(struct relay_session *rs, enum count what)
{
	struct agent_session_metrics *metrics = rs->context->metrics;

	if (!metrics)
		return;
	switch (what) {
	case COUNT_CHANNEL_FAILED:
		counter_add(&metrics->channels_failed, 1);
		break;
	case COUNT_CHANNEL_LOST:
		counter_add(&metrics->channels_lost, 1);
		break;
	case COUNT_UP:
		counter_add(&metrics->sessions, 1);
		histogram_add(&metrics->handshake, HISTOGRAM_SHORT, clock_us() - rs->begun_us);
		session_count_rtt(rs->session, &metrics->rtt);
		break;
	}
}

/* ---- its end ---- */

static void
over(struct relay_session *rs)
{
	rs->end.was_up = rs->is_up;
	rs->is_up = false;
	if (rs->context->metrics)
		word_counts_add(&rs->context->metrics->session_ends, rs->end.word);
	rs->on_event(rs->arg, rs, RELAY_SESSION_OVER);
}

static void
fail(struct relay_session *rs, const char *word, const char *sentence)
{
	rs->end.word = word;
	snprintf(rs->end.sentence, sizeof rs->end.sentence, "%s", sentence);
	over(rs);
}

/* ---- the pool ---- */

/* False: some could not be ordered, which counts as a failed dial. */
static bool
dial(struct relay_session *rs, unsigned count)
{
	unsigned ordered = agent_workers_dial(rs->context->workers, rs->ref, count);

	for (unsigned i = ordered; i < count; i++)
		channel_pool_failed(&rs->ref->pool, clock_ms());
	return ordered == count;
}

static void
fill_pool(struct relay_session *rs)
{
	uint64_t now = clock_ms(), pause_ms;
	bool are_ordered;

	if (rs->has_stopped_dialling)
		return;
	are_ordered = dial(rs, channel_pool_refill(&rs->ref->pool, now));
	pause_ms = channel_pool_pause_ms(&rs->ref->pool, now);
	if (pause_ms > 0 || !are_ordered)
		timer_set(&rs->refill, pause_ms);
}

/* A burst of dials fails together. */
static void
tell_unable(struct relay_session *rs)
{
	uint64_t now = clock_ms();

	if (rs->is_up && now >= rs->unable_at_ms + UNABLE_MS) {
		rs->unable_at_ms = now;
		session_unable(rs->session);
	}
}

static void
on_refill(void *arg)
{
	fill_pool(arg);
}

void
relay_session_on_report(
    struct agent_session_ref *ref, enum channel_report report, const char *error)
{
	struct relay_session *rs = ref->relay_session;

	if (!rs)
		return; /* the session is over */
	switch (report) {
	case CHANNEL_REPORT_UNABLE:
	case CHANNEL_REPORT_FAILED:
		if (report == CHANNEL_REPORT_UNABLE)
			tell_unable(rs);
		count(rs, COUNT_CHANNEL_FAILED);
		log_event(channel_pool_failed(&rs->ref->pool, clock_ms()) ? LOG_WARNING : LOG_DEBUG,
		    "channel-failed", error, log_str("relay", rs->relay));
		break;
	case CHANNEL_REPORT_LOST:
		count(rs, COUNT_CHANNEL_LOST);
		if (channel_pool_lost(&rs->ref->pool, clock_ms()))
			log_event(LOG_DEBUG, "channel-lost",
			    "soon after it was parked: has the relay a place for it?",
			    log_str("relay", rs->relay));
		break;
	}
	fill_pool(rs);
}

static void
on_wanted(struct agent_session_ref *ref)
{
	if (ref->relay_session)
		fill_pool(ref->relay_session);
}

/* ---- the session ---- */

static void
note_place(struct relay_session *rs, struct facts facts)
{
	struct cursor place;

	rs->has_place = facts_find(facts, FACT_PLACE, &place);
	if (rs->has_place)
		rs->place = cursor_u16(&place);
}

/* A name may have the addresses of several relays, and only this one knows the session.  A proxy is told the
 * name, for it alone can resolve it. */
static const char *
channel_target(const struct relay_session *rs)
{
	return egress_proxy(rs->path.egress) ? rs->path.target : rs->address;
}

static bool
come_up(struct relay_session *rs, const struct frame_welcome *welcome)
{
	const struct agent_context *context = rs->context;

	memcpy(rs->relay, welcome->relay, sizeof rs->relay);
	note_place(rs, welcome->facts);
	rs->ref = agent_session_ref_new(channel_target(rs), rs->path.server_name, welcome,
	    rs->session, rs->credentials->channel, rs->relay_check.identity);
	if (!rs->ref ||
	    !announcer_begin(rs->announcer, context->endpoint_table, welcome->is_resuming))
		return false;
	rs->ref->egress = egress_hold(rs->path.egress);
	rs->ref->relay_session = rs;
	rs->ref->on_wanted = on_wanted;
	rs->ref->owner = rs->owner;
	rs->is_up = true;
	session_set_tolerance(rs->session, (uint32_t)context->tolerance_ms);
	session_watch_silence(
	    rs->session, (uint32_t)larger_of(RELAY_SESSION_SILENT_MS, welcome->heartbeat_ms / 2));
	channel_pool_init(&rs->ref->pool, welcome->pool_least, welcome->pool_most,
	    context->pool_least, rs->pool_share);
	log_event(LOG_DEBUG, "pool", "channels are dialled", log_str("relay", rs->relay),
	    log_u64("least", rs->ref->pool.least), log_u64("most", rs->ref->pool.most));
	fill_pool(rs);
	return true;
}

/* After anything that may have changed that. */
static void
look_at_service(struct relay_session *rs)
{
	bool serves_all =
	    rs->is_up && relay_session_accepted_count(rs) == rs->context->endpoint_table->count;

	if (serves_all == rs->serves_all)
		return;
	rs->serves_all = serves_all;
	rs->on_event(rs->arg, rs, RELAY_SESSION_SERVES);
}

static void
on_welcome(struct relay_session *rs, const struct frame_welcome *welcome)
{
	if (come_up(rs, welcome)) {
		count(rs, COUNT_UP);
		rs->on_event(rs->arg, rs, RELAY_SESSION_UP);
		look_at_service(rs);
	} else
		session_goodbye(rs->session, CODE_INTERNAL, "memory is short");
}

static void
on_accepted(struct relay_session *rs, const struct session_answer *answer)
{
	if (!rs->announcer)
		return;
	announcer_accepted(rs->announcer, answer);
	look_at_service(rs);
}

static void
on_refused(struct relay_session *rs, const struct session_answer *answer)
{
	if (answer->endpoints.first == 0 || !rs->announcer)
		return; /* it is about the session, whose end follows with the same words */
	if (announcer_refused(rs->announcer, answer) && code_is_permanent(answer->code))
		rs->on_event(rs->arg, rs, RELAY_SESSION_REFUSED);
	look_at_service(rs);
}

static void
on_drain(struct relay_session *rs, const struct frame_drain *drain)
{
	struct cursor nothing;
	bool is_move = facts_find(drain->facts, FACT_MOVE, &nothing);

	rs->drain_ms = drain->deadline_ms;
	rs->on_event(rs->arg, rs, is_move ? RELAY_SESSION_MOVE : RELAY_SESSION_DRAIN);
}

static void
on_session(void *arg, enum session_event event, const union session_frame *frame)
{
	struct relay_session *rs = arg;

	switch (event) {
	case SESSION_WELCOME:
		on_welcome(rs, &frame->welcome);
		break;
	case SESSION_ACCEPTED:
		on_accepted(rs, &frame->answer);
		break;
	case SESSION_REFUSED:
		on_refused(rs, &frame->answer);
		break;
	case SESSION_AGAIN:
		if (rs->announcer)
			announcer_again(rs->announcer, frame->again.code);
		break;
	case SESSION_RESUMED:
		if (rs->announcer && !announcer_resumed(rs->announcer, frame->resumed.is_resumed))
			session_goodbye(rs->session, CODE_INTERNAL, "memory is short");
		break;
	case SESSION_NEED:
		if (rs->is_up && !rs->has_stopped_dialling) {
			channel_pool_need(&rs->ref->pool, frame->need.channels);
			fill_pool(rs);
		}
		break;
	case SESSION_DRAIN:
		on_drain(rs, &frame->drain);
		break;
	case SESSION_SILENT:
		rs->on_event(rs->arg, rs, RELAY_SESSION_SILENT);
		break;
	case SESSION_HEARD:
		rs->on_event(rs->arg, rs, RELAY_SESSION_HEARD);
		break;
	case SESSION_OVER:
		relay_session_end_explain(&rs->end, rs->session, &rs->relay_check, rs->credentials);
		/* A relay that was accepted once may have a renewed certificate by now. */
		rs->end.needs_cure &= !(rs->is_up && rs->relay_check.has_refused);
		over(rs);
		break;
	case SESSION_HELLO:
	case SESSION_ANNOUNCE:
	case SESSION_WITHDRAW:
	case SESSION_UNABLE:
	case SESSION_PONG:
		break; /* only a relay gets these */
	}
}

/* Inside the TLS of a proxy nothing can go on in the bare. */
static bool
may_hand_off(const struct relay_session *rs)
{
	const struct fetch_proxy *proxy = egress_proxy(rs->path.egress);

	return !proxy || proxy->kind != FETCH_PROXY_HTTPS;
}

/* With the offer to go on with what a session before has announced. */
static void
say_hello(struct relay_session *rs)
{
	const struct agent_context *context = rs->context;
	struct frame_hello hello = context->hello;
	uint8_t digest[RESUME_BYTES], storage[FRAME_BYTES];
	struct writer w = writer_over(storage, sizeof storage);

	if (!may_hand_off(rs))
		hello.features &= ~(uint32_t)FEATURE_HANDOFF;
	announcer_remember(rs->announcer, rs->past);
	if (announcer_offer(rs->announcer, context->endpoint_table, digest)) {
		writer_bytes(&w, hello.facts.at, hello.facts.bytes);
		facts_put(&w, FACT_RESUME, digest, sizeof digest);
		hello.facts = facts_of(&w);
	}
	session_set_hello(rs->session, &hello);
}

static void
on_connected(void *arg, struct stream *stream, const char *error)
{
	struct relay_session *rs = arg;
	const struct tls_hooks hooks = { .judge = peer_check_chain, .arg = &rs->relay_check };
	struct address peer;
	struct tls *tls;

	if (!stream) {
		const char *word = proxy_dial_is_short(rs->dial) ? "connect-short"
		    : egress_proxy(rs->path.egress)              ? "proxy-failed"
								 : "unreachable";

		rs->dial = NULL;
		fail(rs, word, error);
		return;
	}
	rs->dial = NULL;
	socket_keep_alive(stream->fd);
	socket_allow_no_pauses(stream->fd);
	peer = socket_peer(stream->fd);
	address_text(&peer, rs->address);
	tls = tls_client(rs->credentials->own->session, stream, rs->path.server_name, &hooks);
	if (tls)
		rs->session =
		    session_new(rs->context->loop, SESSION_AGENT, tls, GREETING_MS, on_session, rs);
	if (rs->session)
		rs->announcer = announcer_new(
		    rs->context->loop, rs->session, rs->relay, rs->context->challenges);
	if (rs->announcer)
		say_hello(rs);
	else
		fail(rs, "memory-short", "memory is short");
}

/* ---- life ---- */

/* A relay that the settings do not have, as in tests, is dialled as its label says. */
static void
find_path(struct relay_session *rs)
{
	const struct relay_path *path = relay_paths_find(rs->context->paths, rs->target);
	char error[URL_ERROR];

	if (path) {
		rs->path = *path;
		egress_hold(path->egress);
		return;
	}
	snprintf(rs->path.target, sizeof rs->path.target, "%s", rs->target);
	url_relay(rs->path.server_name, rs->target, error);
}

static bool
dial_relay(struct relay_session *rs)
{
	struct proxy_dial_options options = { .target = rs->path.target, .timeout_ms = DIAL_MS };

	egress_fill(rs->path.egress, &options);
	rs->dial =
	    proxy_dial_new(rs->context->loop, rs->context->resolver, &options, on_connected, rs);
	return rs->dial != NULL;
}

struct relay_session *
relay_session_new(const struct agent_context *context, const char *target, uint8_t owner,
    void (*on_event)(void *arg, struct relay_session *, enum relay_session_event), void *arg)
{
	struct relay_session *rs = calloc(1, sizeof *rs);

	if (!rs)
		return NULL;
	rs->context = context;
	rs->begun_us = clock_us();
	rs->target = target;
	rs->owner = owner;
	rs->pool_share = context->pool_most;
	rs->on_event = on_event;
	rs->arg = arg;
	find_path(rs);
	rs->credentials = credentials_hold(context->credentials);
	rs->relay_check.trust = rs->credentials->relays;
	rs->relay_check.role = ROLE_RELAY;
	rs->relay_check.host = rs->path.server_name;
	timer_init(&rs->refill, context->loop, on_refill, rs);
	if (dial_relay(rs))
		return rs;
	relay_session_free(rs);
	return NULL;
}

void
relay_session_remember(struct relay_session *rs, struct announcer_past *past)
{
	rs->past = past;
}

void
relay_session_stop_dialling(struct relay_session *rs)
{
	rs->has_stopped_dialling = true;
	if (rs->ref)
		channel_pool_stop(&rs->ref->pool);
	timer_clear(&rs->refill);
}

bool
relay_session_has_stopped_dialling(const struct relay_session *rs)
{
	return rs->has_stopped_dialling;
}

bool
relay_session_keeps_channels(const struct relay_session *rs)
{
	return rs->has_stopped_dialling && !rs->has_dropped_channels;
}

void
relay_session_share_pool(struct relay_session *rs, unsigned share)
{
	rs->pool_share = share;
	if (!rs->is_up)
		return;
	channel_pool_set_share(&rs->ref->pool, share);
	agent_workers_shed(rs->context->workers);
	fill_pool(rs);
}

/* No more channels, and the parked ones are closed. */
static void
drop_channels(struct relay_session *rs)
{
	if (rs->ref && !rs->has_dropped_channels)
		agent_workers_drop(rs->context->workers, rs->ref);
	rs->has_dropped_channels = true;
	relay_session_stop_dialling(rs);
}

void
relay_session_free(struct relay_session *rs)
{
	if (!rs)
		return;
	drop_channels(rs);
	if (rs->ref)
		rs->ref->relay_session = NULL;
	agent_session_ref_release(rs->ref);
	proxy_dial_free(rs->dial);
	egress_release(rs->path.egress);
	announcer_free(rs->announcer);
	session_free(rs->session);
	peer_check_wipe(&rs->relay_check);
	credentials_release(rs->credentials);
	free(rs);
}

bool
relay_session_is_up(const struct relay_session *rs)
{
	return rs->is_up;
}

bool
relay_session_is_settled(const struct relay_session *rs)
{
	return rs->announcer && announcer_is_settled(rs->announcer);
}

size_t
relay_session_accepted_count(const struct relay_session *rs)
{
	return rs->is_up ? announcer_accepted_count(rs->announcer) : 0;
}

const char *
relay_session_endpoint_state(const struct relay_session *rs, uint32_t endpoint, enum code *refused)
{
	*refused = CODE_NONE;
	return rs->is_up ? announcer_state(rs->announcer, endpoint, refused) : "down";
}

bool
relay_session_serves_all(const struct relay_session *rs)
{
	return rs->is_up && rs->serves_all;
}

const char *
relay_session_relay(const struct relay_session *rs)
{
	return rs->relay;
}

uint64_t
relay_session_rtt_us(const struct relay_session *rs)
{
	return rs->session ? session_rtt_us(rs->session) : 0;
}

unsigned
relay_session_parked(const struct relay_session *rs)
{
	return rs->ref ? channel_pool_count(&rs->ref->pool) : 0;
}

const struct relay_session_end *
relay_session_end(const struct relay_session *rs)
{
	return &rs->end;
}

bool
relay_session_place(const struct relay_session *rs, uint16_t *place)
{
	*place = rs->place;
	return rs->has_place;
}

uint32_t
relay_session_drain_ms(const struct relay_session *rs)
{
	return rs->drain_ms;
}

int64_t
relay_session_not_after(const struct relay_session *rs)
{
	return rs->relay_check.identity ? identity_not_after(rs->relay_check.identity) : INT64_MAX;
}

void
relay_session_refresh(struct relay_session *rs)
{
	if (rs->announcer && !announcer_show(rs->announcer, rs->context->endpoint_table))
		memory_short("a change of the endpoints, of which a relay was not told");
	look_at_service(rs);
}

void
relay_session_judge_again(struct relay_session *rs, int64_t now_s)
{
	struct verdict verdict;

	if (!rs->is_up || !rs->relay_check.identity ||
	    identity_judge_again(
		rs->relay_check.identity, rs->context->credentials->relays, now_s, &verdict))
		return;
	rs->relay_check.has_refused = true;
	rs->relay_check.verdict = verdict;
	session_goodbye(rs->session, CODE_CERTIFICATE_REFUSED, verdict.sentence);
}

void
relay_session_drain(struct relay_session *rs, uint32_t deadline_ms)
{
	if (rs->is_up)
		session_drain(rs->session, &(struct frame_drain){ .deadline_ms = deadline_ms });
}

void
relay_session_goodbye(struct relay_session *rs, enum code code, const char *sentence)
{
	drop_channels(rs);
	if (rs->session)
		session_goodbye(rs->session, code, sentence);
}
