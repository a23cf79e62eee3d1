/*
 * One session with a relay.
 */
#include "agent/relay_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/announcer.h"
#include "agent/context.h"
#include "agent/peer_check.h"
#include "agent/channel_pool.h"
#include "agent/session_ref.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/socket.h"
#include "tunnel/session.h"

enum {
	DIAL_MS = 10000,
	GREETING_MS = 10000,
	ALERT_UNRECOGNIZED_NAME = 112,
	ALERT_NO_APPLICATION_PROTOCOL = 120,
};

struct relay_session {
	const struct agent_context *context;
	const char *target;
	char host[254];
	struct credentials *credentials;	/* those of the beginning */
	struct connector *connector;
	struct session *session;
	struct peer_check judge;
	bool is_up, has_stopped_dialling, is_retired;
	char relay[SHORT_TEXT];
	struct session_ref *ref;
	struct channel_pool pool;
	struct timer refill;
	struct announcer *announcer;
	struct relay_session_end end;
	void (*on_event)(void *arg, struct relay_session *, enum relay_session_event);
	void *arg;
};

/* ---- why a session is over ---- */

/* Refusals that are about the agent's own certificate, and the cure. */
static const struct {
	enum code code;
	const char *cure;
} ours[] = {
    {CODE_CERTIFICATE_REFUSED, "the relay does not accept this certificate: is its issuer in the"
			       " relay's connect.agent_cas, and was it issued for an agent?"},
    {CODE_CERTIFICATE_REVOKED, "it was revoked: have a new one issued"},
    {CODE_CERTIFICATE_EXPIRED, "it has expired: have it renewed"},
    {CODE_SOURCE_REFUSED, "if that is to be allowed, have one issued whose grant says so"},
};

/* The certificate of the relay did not please us. */
static void
explain_judgement(struct relay_session_end *end, const struct peer_check *judge)
{
	end->is_permanent = true;
	end->word = verify_code_word(judge->verdict.code);
	end->key =
	    judge->verdict.code == VERIFY_NAME_MISMATCH ? "agent.connect_url" : "agent.connect_cas";
	snprintf(end->sentence, sizeof end->sentence, "the relay's certificate is refused: %s",
	    judge->verdict.sentence);
	if (judge->identity) {
		snprintf(
		    end->subject, sizeof end->subject, "%s", identity_subject(judge->identity));
		snprintf(end->issuer, sizeof end->issuer, "%s", identity_issuer(judge->identity));
		snprintf(end->fingerprint, sizeof end->fingerprint, "%s",
		    identity_fingerprint(judge->identity));
		return;
	}
	snprintf(end->subject, sizeof end->subject, "%s", judge->subject);
	snprintf(end->issuer, sizeof end->issuer, "%s", judge->issuer);
	snprintf(end->fingerprint, sizeof end->fingerprint, "%s", judge->fingerprint);
}

static void
explain_ours(struct relay_session_end *end, const char *cure, const char *said,
    const struct credentials *credentials)
{
	const struct cert_facts *facts = &credentials->certificate;

	end->key = "agent.certificate";
	snprintf(end->sentence, sizeof end->sentence, "the relay says: %.300s; %s: %s", said,
	    credentials->certificate_path, cure);
	snprintf(end->subject, sizeof end->subject, "%s", facts->subject);
	snprintf(end->issuer, sizeof end->issuer, "%s", facts->issuer);
	snprintf(end->fingerprint, sizeof end->fingerprint, "%s", facts->fingerprint);
}

/* Somebody is there, but not the relay of agent.connect_url. */
static void
explain_stranger(struct relay_session_end *end, const char *word, const char *sentence)
{
	end->is_permanent = true;
	end->word = word;
	end->key = "agent.connect_url";
	snprintf(end->sentence, sizeof end->sentence, "%s", sentence);
}

/* Sessions that step aside end as replaced, too, but then nobody asks why.  Whoever has taken over
 * this one would be replaced by our next, and so on. */
static void
explain_rival(struct relay_session_end *end, const char *said)
{
	end->is_permanent = true;
	end->key = "agent.connect_url";
	snprintf(end->sentence, sizeof end->sentence,
	    "%.300s; if two of agent.connect_url lead to this one relay, or two agents have"
	    " copies of one state_dir, keep one", said);
}

/* From what the relay said, what TLS said, and what we think of the relay's certificate. */
static void
explain(struct relay_session_end *end, struct session *session,
    const struct peer_check *judge, const struct credentials *credentials)
{
	enum code code = session_over_code(session);
	const char *said = session_error(session);
	const struct tls *tls = session_tls(session);

	if (judge->has_refused) {
		explain_judgement(end, judge);
		return;
	}
	end->is_permanent = code_is_permanent(code);
	end->word = code == CODE_NONE ? "session-lost" : code_word(code);
	snprintf(end->sentence, sizeof end->sentence, "%s", said);
	end->is_busy = code == CODE_BUSY || code == CODE_DRAINING || code == CODE_SESSION_LIMIT;
	if (code == CODE_REPLACED)
		explain_rival(end, said);
	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
		if (ours[i].code == code)
			explain_ours(end, ours[i].cure, said, credentials);
	if (tls_alert_received(tls) == ALERT_UNRECOGNIZED_NAME)
		explain_stranger(end, "connect-name-unknown",
		    "nobody there has this connect name: is the"
		    " relay's connect.server_name the host of agent.connect_url?");
	else if (tls_alert_sent(tls) == ALERT_NO_APPLICATION_PROTOCOL)
		explain_stranger(
		    end, "not-a-relay", "what answers there speaks TLS but is no Valise relay");
	else if (tls_heard_no_tls(tls))
		explain_stranger(end, "not-a-relay",
		    "what answers there speaks no TLS: are host and port of agent.connect_url those"
		    " of a relay?");
}

static void
over(struct relay_session *rs)
{
	rs->end.was_up = rs->is_up;
	rs->is_up = false;
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

static void
dial(struct relay_session *rs, unsigned count)
{
	unsigned ordered = agent_workers_dial(rs->context->workers, rs->ref, count);

	for (; ordered < count; ordered++)
		channel_pool_failed(&rs->pool, clock_ms());
}

static void
fill_pool(struct relay_session *rs)
{
	uint64_t now = clock_ms(), pause_ms;

	if (rs->has_stopped_dialling)
		return;
	dial(rs, channel_pool_refill(&rs->pool, now));
	pause_ms = channel_pool_pause_ms(&rs->pool, now);
	if (pause_ms > 0)
		timer_set(&rs->refill, pause_ms);
}

static void
on_refill(void *arg)
{
	fill_pool(arg);
}

void
relay_session_on_report(struct session_ref *ref, enum channel_report report, const char *error)
{
	struct relay_session *rs = ref->relay_session;

	if (!rs)
		return;	/* its session is over */
	switch (report) {
	case CHANNEL_REPORT_PARKED:
		channel_pool_parked(&rs->pool, clock_ms());
		break;
	case CHANNEL_REPORT_FAILED:
		channel_pool_failed(&rs->pool, clock_ms());
		log_event(rs->pool.backoff.failures == 1 ? LOG_WARNING : LOG_DEBUG,
		    "channel-failed", error, log_str("relay", rs->relay));
		break;
	case CHANNEL_REPORT_OPENED:
	case CHANNEL_REPORT_LOST:
		channel_pool_left(&rs->pool);
		break;
	}
	fill_pool(rs);
}

/* ---- the session ---- */

static bool
come_up(struct relay_session *rs, const struct frame_welcome *welcome)
{
	const struct agent_context *context = rs->context;

	memcpy(rs->relay, welcome->relay, sizeof rs->relay);
	rs->ref = session_ref_new(rs->target, rs->host, welcome,
	    rs->session, rs->credentials->channel,
	    rs->judge.identity);
	rs->announcer =
	    announcer_new(context->loop, rs->session, rs->relay);
	if (!rs->ref || !rs->announcer ||
	    !announcer_show(rs->announcer, context->endpoint_table))
		return false;
	rs->ref->relay_session = rs;
	rs->is_up = true;
	session_set_tolerance(rs->session, (uint32_t)context->tolerance_ms);
	channel_pool_init(&rs->pool, welcome->pool_least, welcome->pool_most,
	    context->pool_least, context->pool_most);
	log_event(LOG_DEBUG, "pool", "channels are dialled", log_str("relay", rs->relay),
	    log_u64("least", rs->pool.least), log_u64("most", rs->pool.most));
	fill_pool(rs);
	return true;
}

static void
on_welcome(struct relay_session *rs, const struct frame_welcome *welcome)
{
	if (come_up(rs, welcome))
		rs->on_event(rs->arg, rs, RELAY_SESSION_UP);
	else
		session_goodbye(rs->session, CODE_INTERNAL, "memory is short");
}

static void
on_refused(struct relay_session *rs, const struct frame_refused *refused)
{
	if (refused->endpoint == 0 || !rs->announcer)
		return;	/* the session's end follows, with the same words */
	announcer_refused(
	    rs->announcer, refused->endpoint, refused->code, refused->sentence);
	if (code_is_permanent(refused->code))
		rs->on_event(rs->arg, rs, RELAY_SESSION_REFUSED);
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
		if (rs->announcer)
			announcer_accepted(rs->announcer, frame->accepted.endpoint);
		break;
	case SESSION_REFUSED:
		on_refused(rs, &frame->refused);
		break;
	case SESSION_NEED:
		if (rs->is_up && !rs->has_stopped_dialling) {
			channel_pool_need(&rs->pool, frame->need.channels);
			fill_pool(rs);
		}
		break;
	case SESSION_DRAIN:
		rs->on_event(rs->arg, rs, RELAY_SESSION_DRAIN);
		break;
	case SESSION_OVER:
		explain(&rs->end, rs->session,
		    &rs->judge, rs->credentials);
		/* One that was good once may have a renewed certificate already. */
		rs->end.is_permanent &=
		    !(rs->is_up && rs->judge.has_refused);
		over(rs);
		break;
	case SESSION_HELLO:
	case SESSION_ANNOUNCE:
	case SESSION_WITHDRAW:
	case SESSION_PONG:
		break;	/* the relay's */
	}
}

static void
on_connected(void *arg, int fd, const char *error)
{
	struct relay_session *rs = arg;
	const struct tls_hooks hooks = { .judge = peer_check_chain, .arg = &rs->judge };
	struct stream *stream;
	struct tls *tls;

	rs->connector = NULL;
	if (fd < 0) {
		fail(rs, "unreachable", error);
		return;
	}
	stream = stream_socket(fd);
	tls = stream ? tls_client(
			   rs->credentials->session, stream, rs->host, &hooks)
		     : NULL;
	if (tls)
		rs->session = session_new(rs->context->loop, SESSION_AGENT,
		    tls, GREETING_MS, on_session, rs);
	if (rs->session)
		session_set_hello(rs->session, &rs->context->hello);
	else
		fail(rs, "memory-short", "memory is short");
}

/* ---- life ---- */

struct relay_session *
relay_session_new(const struct agent_context *context, const char *target,
    void (*on_event)(void *arg, struct relay_session *, enum relay_session_event), void *arg)
{
	struct relay_session *rs = calloc(1, sizeof *rs);
	char error[URL_ERROR];

	if (!rs)
		return NULL;
	rs->context = context;
	rs->target = target;
	rs->on_event = on_event;
	rs->arg = arg;
	url_relay(rs->host, target, error);
	rs->credentials = credentials_hold(context->credentials);
	rs->judge.trust = rs->credentials->relays;
	rs->judge.role = ROLE_RELAY;
	rs->judge.host = rs->host;
	timer_init(&rs->refill, context->loop, on_refill, rs);
	rs->connector = connector_new(
	    context->loop, context->resolver, target, DIAL_MS, on_connected, rs);
	if (rs->connector)
		return rs;
	relay_session_free(rs);
	return NULL;
}

void
relay_session_stop_dialling(struct relay_session *rs)
{
	rs->has_stopped_dialling = true;
	timer_clear(&rs->refill);
}

bool
relay_session_has_stopped_dialling(const struct relay_session *rs)
{
	return rs->has_stopped_dialling;
}

/* No more channels, parked ones included. */
static void
retire(struct relay_session *rs)
{
	if (rs->ref && !rs->is_retired)
		agent_workers_drop(rs->context->workers, rs->ref);
	rs->is_retired = true;
	relay_session_stop_dialling(rs);
}

void
relay_session_free(struct relay_session *rs)
{
	if (!rs)
		return;
	retire(rs);
	if (rs->ref)
		rs->ref->relay_session = NULL;
	session_ref_release(rs->ref);
	if (rs->connector)
		connector_free(rs->connector);
	announcer_free(rs->announcer);
	session_free(rs->session);
	peer_check_wipe(&rs->judge);
	credentials_release(rs->credentials);
	free(rs);
}

bool
relay_session_is_up(const struct relay_session *rs)
{
	return rs->is_up;
}

const char *
relay_session_relay(const struct relay_session *rs)
{
	return rs->relay;
}

const struct relay_session_end *
relay_session_end(const struct relay_session *rs)
{
	return &rs->end;
}

void
relay_session_refresh(struct relay_session *rs)
{
	if (rs->announcer &&
	    !announcer_show(rs->announcer, rs->context->endpoint_table))
		log_event(
		    LOG_ERROR, "memory-short", "memory is short: a relay was not told of a change");
}

void
relay_session_judge_again(struct relay_session *rs, int64_t now_s)
{
	struct verdict verdict;

	if (!rs->is_up || !rs->judge.identity ||
	    identity_judge_again(rs->judge.identity,
		rs->context->credentials->relays, now_s, &verdict))
		return;
	rs->judge.has_refused = true;
	rs->judge.verdict = verdict;
	session_goodbye(rs->session, CODE_CERTIFICATE_REFUSED, verdict.sentence);
}

void
relay_session_drain(struct relay_session *rs, uint32_t deadline_ms)
{
	if (rs->is_up)
		session_drain(rs->session, deadline_ms);
}

void
relay_session_goodbye(struct relay_session *rs, enum code code, const char *sentence)
{
	retire(rs);
	if (rs->session)
		session_goodbye(rs->session, code, sentence);
}
