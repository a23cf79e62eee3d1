/* A session with a relay for the sake of what it says: certificates, the time, and each endpoint. */
#include "agent/diagnose_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/announcer.h"
#include "agent/context.h"
#include "agent/peer_check.h"
#include "agent/relay_session.h"
#include "base/clock.h"
#include "base/units.h"
#include "pki/trust.h"
#include "tunnel/session.h"

enum {
	CONNECT_MS = 10000,
	GREETING_MS = 10000,
	ANSWERS_MS = 15000, /* of as many endpoints as are announced at a time */
	SKEW_S = 60,        /* beyond, certificates that were just issued are refused */
};

/* What the relay has said of an endpoint. */
struct dry_answer {
	bool is_there;
	enum code code;
	char sentence[SENTENCE_TEXT];
};

struct rehearsal {
	struct diagnosis *diagnosis;
	const struct relay_path *path;
	struct session *session;
	struct peer_check check;
	struct frame_welcome welcome;
	bool was_welcome, has_pong, is_held, has_lasted;
	uint64_t held_from_ms;
	struct dry_answer *answers; /* one for each endpoint of the table */
	size_t missing, next;       /* answers; the first endpoint that is not announced yet */
	struct timer timer;         /* for the answers, then for the hold */
	struct relay_session_end end;
	char unreachable[PROXY_DIAL_ERROR];
};

/* ---- the session ---- */

static void
finish(struct rehearsal *rehearsal)
{
	timer_clear(&rehearsal->timer);
	session_goodbye(rehearsal->session, CODE_SHUTDOWN, "the diagnosis is done");
}

static void
hold_or_finish(struct rehearsal *rehearsal)
{
	if (rehearsal->missing > 0 || !rehearsal->has_pong || rehearsal->is_held)
		return;
	if (rehearsal->diagnosis->hold_ms == 0) {
		finish(rehearsal);
		return;
	}
	rehearsal->is_held = true;
	rehearsal->held_from_ms = clock_ms();
	timer_set(&rehearsal->timer, rehearsal->diagnosis->hold_ms);
}

static void
on_timer(void *arg)
{
	struct rehearsal *rehearsal = arg;

	rehearsal->has_lasted = rehearsal->is_held;
	finish(rehearsal);
}

/* When all before them are answered, as many as the session's queue has room for, however long their lists of
 * addresses are. */
static void
announce_more(struct rehearsal *rehearsal)
{
	const struct endpoint_table *table = rehearsal->diagnosis->table;
	size_t bytes = 0;

	if (rehearsal->next + rehearsal->missing > table->count)
		return;
	if (rehearsal->next < table->count)
		timer_set(&rehearsal->timer, ANSWERS_MS);
	while (rehearsal->next < table->count && bytes < ANNOUNCER_BYTES)
		bytes += announcer_say(rehearsal->session, table->endpoints[rehearsal->next++]);
}

static void
on_welcome(struct rehearsal *rehearsal, const struct frame_welcome *welcome)
{
	rehearsal->was_welcome = true;
	rehearsal->welcome = *welcome;
	timer_set(&rehearsal->timer, ANSWERS_MS);
	session_probe(rehearsal->session);
	announce_more(rehearsal);
}

/* A table that was just made numbers its endpoints from 1 on, in their order. */
static void
on_answer(struct rehearsal *rehearsal, const struct session_answer *answer)
{
	uint32_t last = answer->endpoints.last;

	for (uint32_t number = answer->endpoints.first; number <= last && number <= rehearsal->next;
	     number++) {
		struct dry_answer *one = &rehearsal->answers[number - 1];

		if (one->is_there)
			continue;
		one->is_there = true;
		one->code = answer->code;
		memcpy(one->sentence, answer->sentence, sizeof one->sentence);
		rehearsal->missing--;
	}
	announce_more(rehearsal);
	hold_or_finish(rehearsal);
}

static void
on_over(struct rehearsal *rehearsal)
{
	timer_clear(&rehearsal->timer);
	relay_session_end_explain(&rehearsal->end, rehearsal->session, &rehearsal->check,
	    rehearsal->diagnosis->credentials);
	loop_stop(rehearsal->diagnosis->loop);
}

static void
on_session(void *arg, enum session_event event, const union session_frame *frame)
{
	struct rehearsal *rehearsal = arg;

	switch (event) {
	case SESSION_WELCOME:
		on_welcome(rehearsal, &frame->welcome);
		break;
	case SESSION_ACCEPTED:
	case SESSION_REFUSED:
		if (frame->answer.endpoints.first != 0)
			on_answer(rehearsal, &frame->answer);
		break;
	case SESSION_PONG:
		rehearsal->has_pong = true;
		hold_or_finish(rehearsal);
		break;
	case SESSION_OVER:
		on_over(rehearsal);
		break;
	default:
		break; /* nothing is served */
	}
}

/* What the agent itself would say, but as a process of its own, so that the agent's session is left alone. */
static void
introduce(struct rehearsal *rehearsal)
{
	uint8_t storage[8];
	struct writer w = writer_over(storage, sizeof storage);
	struct agent_context context = { 0 };
	struct agent_state state;
	char error[FILE_ERROR];

	agent_state_open(&state, NULL, error);
	agent_context_configure(&context, rehearsal->diagnosis->settings, &state);
	facts_put(&w, FACT_DRY_RUN, NULL, 0);
	context.hello.facts = facts_of(&w);
	context.hello.oldest = PROTOCOL_FACTS; /* who skips facts is not to welcome it */
	session_set_hello(rehearsal->session, &context.hello);
}

static void
on_connected(void *arg, struct stream *stream, const char *error)
{
	struct rehearsal *rehearsal = arg;
	struct diagnosis *diagnosis = rehearsal->diagnosis;
	const struct tls_hooks hooks = { .judge = peer_check_chain, .arg = &rehearsal->check };
	struct tls *tls = stream ? tls_client(diagnosis->credentials->own->session, stream,
				       rehearsal->path->server_name, &hooks)
				 : NULL;

	if (tls)
		rehearsal->session = session_new(
		    diagnosis->loop, SESSION_AGENT, tls, GREETING_MS, on_session, rehearsal);
	if (rehearsal->session) {
		introduce(rehearsal);
		return;
	}
	snprintf(rehearsal->unreachable, sizeof rehearsal->unreachable, "%s",
	    error ? error : "memory is short");
	loop_stop(diagnosis->loop);
}

/* ---- what is told ---- */

static json_t *
presented(const struct relay_session_end *end)
{
	return json_pack("{s:s, s:s, s:s, s:s}", "subject", end->subject, "issuer", end->issuer,
	    "sha256", end->fingerprint, "code", end->word);
}

/* What opens TLS on the way shows a certificate of its own CA. */
static bool
is_intercepted(const struct rehearsal *rehearsal)
{
	const struct peer_check *check = &rehearsal->check;

	return check->has_refused && check->verdict.code == VERIFY_UNKNOWN_CA;
}

/* What the certificate that was shown has been looked up in. */
static void
tell_crls(struct diagnosis *diagnosis)
{
	const struct trust *trust = diagnosis->credentials->relays;
	size_t count = trust_crl_count(trust);
	char until[TIME_TEXT], sentence[TRUST_ERROR];

	if (count == 0)
		findings_add(&diagnosis->findings, FINDING_WARNING, "crl", NULL,
		    "no CRL says whether the relay's certificate was revoked; give agent.connect_crls or "
		    "agent.connect_crl_url");
	else if (trust_crl_warning(trust, clock_wall_s(), sentence))
		findings_add(&diagnosis->findings, FINDING_WARNING, "crl", NULL, "%s", sentence);
	else
		findings_add(&diagnosis->findings, FINDING_OK, "crl", NULL,
		    "the relay's certificate is not revoked; the first of %zu CRLs ends %s", count,
		    time_text(trust_next_update(trust), until));
}

static void
tell_certificate(struct rehearsal *rehearsal)
{
	struct diagnosis_findings *findings = &rehearsal->diagnosis->findings;
	const struct relay_session_end *end = &rehearsal->end;
	const struct identity *identity = rehearsal->check.identity;
	char until[TIME_TEXT];

	if (is_intercepted(rehearsal))
		findings_add(findings, FINDING_FAILED, "tls", presented(end),
		    "the certificate is not the relay's: subject \"%s\", issuer \"%s\", SHA-256 %s. Either a middlebox on "
		    "the way opens TLS: ask the network team to exempt %s from TLS inspection; or "
		    "agent.connect_cas is not the CA of this relay: compare the SHA-256 with whoever runs it",
		    end->subject, end->issuer, end->fingerprint, rehearsal->path->target);
	else if (rehearsal->check.has_refused)
		findings_add(findings, FINDING_FAILED, "tls", presented(end),
		    "%s (subject \"%s\", issuer \"%s\", SHA-256 %s)", end->sentence, end->subject,
		    end->issuer, end->fingerprint);
	else if (identity) {
		findings_add(findings, FINDING_OK, "tls",
		    json_pack("{s:s, s:s, s:s}", "subject", identity_subject(identity), "issuer",
			identity_issuer(identity), "sha256", identity_fingerprint(identity)),
		    "the relay's certificate holds until %s: subject \"%s\", issuer \"%s\", SHA-256 %s",
		    time_text(identity_not_after(identity), until), identity_subject(identity),
		    identity_issuer(identity), identity_fingerprint(identity));
		tell_crls(rehearsal->diagnosis);
	}
}

static void
tell_clock(struct rehearsal *rehearsal)
{
	struct diagnosis_findings *findings = &rehearsal->diagnosis->findings;
	int64_t ahead_s = clock_wall_s() - rehearsal->welcome.clock_s;

	if (rehearsal->welcome.clock_s == 0)
		findings_add(findings, FINDING_WARNING, "clock", NULL,
		    "the relay, which is of an older version, does not say what time it is there");
	else if (ahead_s > SKEW_S || ahead_s < -SKEW_S)
		findings_add(findings, FINDING_FAILED, "clock", NULL,
		    "this host's clock is %" PRId64
		    " s %s that of the relay: certificates and CRLs are judged "
		    "by it; set the one that is wrong, and keep both by NTP",
		    ahead_s > 0 ? ahead_s : -ahead_s, ahead_s > 0 ? "ahead of" : "behind");
	else
		findings_add(findings, FINDING_OK, "clock", NULL,
		    "that of the relay differs by %" PRId64 " s", ahead_s > 0 ? ahead_s : -ahead_s);
}

static void
tell_answers(struct rehearsal *rehearsal)
{
	const struct endpoint_table *table = rehearsal->diagnosis->table;
	struct diagnosis_findings *findings = &rehearsal->diagnosis->findings;

	for (size_t i = 0; i < table->count; i++) {
		const struct endpoint *endpoint = table->endpoints[i];
		const struct dry_answer *answer = &rehearsal->answers[i];

		if (!answer->is_there)
			findings_add(findings, FINDING_FAILED, "endpoint", NULL,
			    "%s (%s): the relay has not answered within %d s", endpoint->name,
			    endpoint->server_name, ANSWERS_MS / 1000);
		else if (answer->code != CODE_NONE)
			findings_add(findings, FINDING_FAILED, "endpoint",
			    json_pack("{s:s}", "code", code_word(answer->code)), "%s (%s): %s: %s",
			    endpoint->name, endpoint->server_name, code_word(answer->code),
			    answer->sentence);
		else
			findings_add(findings, FINDING_OK, "endpoint", NULL,
			    "%s (%s) would be accepted", endpoint->name, endpoint->server_name);
	}
}

static void
tell_hold(struct rehearsal *rehearsal)
{
	struct diagnosis_findings *findings = &rehearsal->diagnosis->findings;
	uint64_t held_s = (clock_ms() - rehearsal->held_from_ms) / 1000;

	if (!rehearsal->is_held)
		return;
	if (!rehearsal->has_lasted)
		findings_add(findings, FINDING_FAILED, "hold",
		    json_pack("{s:I}", "seconds", (json_int_t)held_s),
		    "the connection was ended after %" PRIu64
		    " s, although both ends had something to say all the time: "
		    "%s; a proxy or firewall on the way ends connections that last: ask for an exception for %s",
		    held_s, rehearsal->end.sentence, rehearsal->path->target);
	else
		findings_add(findings, FINDING_OK, "hold",
		    json_pack("{s:I}", "seconds", (json_int_t)held_s),
		    "the connection has lasted %" PRIu64 " s", held_s);
}

static void
tell_welcome(struct rehearsal *rehearsal)
{
	uint64_t rtt_us = session_rtt_us(rehearsal->session);

	findings_add(&rehearsal->diagnosis->findings, FINDING_OK, "session",
	    json_pack("{s:s, s:i, s:I}", "relay", rehearsal->welcome.relay, "protocol",
		rehearsal->welcome.version, "rtt_us", (json_int_t)rtt_us),
	    "%s takes this agent; protocol version %d, round trip %.1f ms",
	    rehearsal->welcome.relay, rehearsal->welcome.version, (double)rtt_us / 1000);
	tell_clock(rehearsal);
	tell_answers(rehearsal);
	tell_hold(rehearsal);
}

/* A relay that knows no dry run has judged both certificates before it says so. */
static void
tell_refusal(struct rehearsal *rehearsal)
{
	const struct relay_session_end *end = &rehearsal->end;
	bool is_old = strcmp(end->word, code_word(CODE_NOT_UNDERSTOOD)) == 0 ||
	    strcmp(end->word, code_word(CODE_VERSION)) == 0;

	if (rehearsal->check.has_refused)
		return;
	if (is_old)
		findings_add(&rehearsal->diagnosis->findings, FINDING_WARNING, "session",
		    presented(end),
		    "the relay takes this agent's certificate, but is of an older version that knows no dry run: "
		    "what it says to the endpoints is seen only when the agent runs");
	else
		findings_add(&rehearsal->diagnosis->findings, FINDING_FAILED, "session",
		    presented(end), "%s: %s", end->word, end->sentence);
}

static void
tell(struct rehearsal *rehearsal)
{
	struct diagnosis_findings *findings = &rehearsal->diagnosis->findings;
	const struct fetch_proxy *proxy = egress_proxy(rehearsal->path->egress);

	if (!rehearsal->session) {
		findings_add(findings, FINDING_FAILED, proxy ? "proxy" : "session", NULL, "%s",
		    rehearsal->unreachable);
		return;
	}
	if (proxy)
		findings_add(findings, FINDING_OK, "proxy", NULL, "%s has connected to %s",
		    proxy->url, rehearsal->path->target);
	tell_certificate(rehearsal);
	if (rehearsal->was_welcome)
		tell_welcome(rehearsal);
	else
		tell_refusal(rehearsal);
}

static bool
dial_relay(struct rehearsal *rehearsal)
{
	struct diagnosis *diagnosis = rehearsal->diagnosis;
	struct proxy_dial_options options = { .target = rehearsal->path->target,
		.timeout_ms = CONNECT_MS };

	egress_fill(rehearsal->path->egress, &options);
	return proxy_dial_new(
	    diagnosis->loop, diagnosis->resolver, &options, on_connected, rehearsal);
}

void
diagnose_session(struct diagnosis *diagnosis, const struct relay_path *path)
{
	size_t count = diagnosis->table->count;
	struct rehearsal rehearsal = { .diagnosis = diagnosis,
		.path = path,
		.missing = count,
		.check = { .trust = diagnosis->credentials->relays,
		    .role = ROLE_RELAY,
		    .host = path->server_name },
		.answers = calloc(count + 1, sizeof *rehearsal.answers) };

	timer_init(&rehearsal.timer, diagnosis->loop, on_timer, &rehearsal);
	if (rehearsal.answers && dial_relay(&rehearsal)) {
		loop_run(diagnosis->loop);
		tell(&rehearsal);
	} else
		findings_add(
		    &diagnosis->findings, FINDING_FAILED, "session", NULL, "memory is short");
	session_free(rehearsal.session);
	peer_check_wipe(&rehearsal.check);
	free(rehearsal.answers);
}
