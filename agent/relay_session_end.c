/*
 * Why a session with a relay is over, and the words that lead to the cure.
 */
#include "agent/relay_session_end.h"

#include <stdio.h>
#include <string.h>

#include "agent/credentials.h"
#include "agent/peer_check.h"
#include "base/clock.h"
#include "base/units.h"
#include "tunnel/session.h"

enum {
	ALERT_INTERNAL_ERROR = 80,
	ALERT_UNRECOGNIZED_NAME = 112,
	ALERT_NO_APPLICATION_PROTOCOL = 120,
};

/* Refusals that are about the agent's own certificate, and the cure. */
static const struct {
	enum code code;
	const char *cure;
} own_certificate[] = {
	{ CODE_CERTIFICATE_REFUSED,
	    "the relay does not accept this certificate: is its issuer in the relay's "
	    "connect.agent_cas, and was it issued for an agent?" },
	{ CODE_CERTIFICATE_REVOKED, "it was revoked: have a new one issued" },
	{ CODE_CERTIFICATE_EXPIRED, "it has expired: have it renewed" },
	{ CODE_SOURCE_REFUSED, "if that is to be allowed, have one issued whose grant says so" },
};

/* Time may cure it without anybody, and the clock may be set at any moment. */
static bool
is_of_clock(enum verify_code code)
{
	return code == VERIFY_CLOCK_DOUBTED || code == VERIFY_NOT_YET_VALID;
}

/* The agent has refused the relay's certificate, which may have two causes. */
static void
explain_relay_certificate(struct relay_session_end *end, const struct peer_check *check)
{
	enum verify_code code = check->verdict.code;

	end->needs_cure = code != VERIFY_INTERNAL && !is_of_clock(code);
	end->word = verify_code_word(code);
	end->key = code == VERIFY_NAME_MISMATCH ? "agent.connect_url" : "agent.connect_cas";
	if (is_of_clock(code))
		snprintf(end->sentence, sizeof end->sentence,
		    "the certificate that was shown as the relay's is not accepted yet: %s",
		    check->verdict.sentence);
	else
		snprintf(end->sentence, sizeof end->sentence,
		    "the certificate that was shown as the relay's is refused: %s; either %s is wrong, "
		    "or somebody in between answers in the relay's place: compare issuer and SHA-256 "
		    "with whoever runs the relay before you change anything",
		    check->verdict.sentence, end->key);
	if (check->identity) {
		snprintf(
		    end->subject, sizeof end->subject, "%s", identity_subject(check->identity));
		snprintf(end->issuer, sizeof end->issuer, "%s", identity_issuer(check->identity));
		snprintf(end->fingerprint, sizeof end->fingerprint, "%s",
		    identity_fingerprint(check->identity));
		return;
	}
	snprintf(end->subject, sizeof end->subject, "%s", check->subject);
	snprintf(end->issuer, sizeof end->issuer, "%s", check->issuer);
	snprintf(end->fingerprint, sizeof end->fingerprint, "%s", check->fingerprint);
}

static void
explain_own_certificate(struct relay_session_end *end, const char *cure, const char *why,
    const struct credentials *credentials)
{
	const struct cert_facts *facts = &credentials->own->facts;

	end->key = "agent.certificate";
	snprintf(end->sentence, sizeof end->sentence, "%s: %.300s; %s: %s",
	    end->is_proven ? "the relay says" : "whoever answers there says", why,
	    credentials->own->path, cure);
	snprintf(end->subject, sizeof end->subject, "%s", facts->subject);
	snprintf(end->issuer, sizeof end->issuer, "%s", facts->issuer);
	snprintf(end->fingerprint, sizeof end->fingerprint, "%s", facts->fingerprint);
}

/* Somebody answers there, but it is not the relay of agent.connect_url. */
static void
explain_wrong_peer(struct relay_session_end *end, const char *word, const char *sentence)
{
	end->needs_cure = true;
	end->word = word;
	end->key = "agent.connect_url";
	snprintf(end->sentence, sizeof end->sentence, "%s", sentence);
}

/* It is the relay's own trouble, and passes. */
static void
explain_unable_relay(struct relay_session_end *end)
{
	size_t used = strlen(end->sentence);

	snprintf(end->sentence + used, sizeof end->sentence - used,
	    "; it cannot judge this agent's certificate at the moment, for want of CRLs, of the right "
	    "time or of memory: its log says which");
}

/* Another process has taken over the current session.  It is permanent, because the next session
 * would replace that one in turn, and so on for ever.  (A session that we replace ourselves ends
 * with this code too, but nobody asks why.) */
static void
explain_replaced(struct relay_session_end *end, const char *why)
{
	end->needs_cure = true;
	end->key = "agent.connect_url";
	snprintf(end->sentence, sizeof end->sentence,
	    "%.300s; if two of agent.connect_url lead to this one relay, or two agents have "
	    "copies of one state_dir, keep one",
	    why);
}

static bool
has_expired(const struct credentials *credentials)
{
	return credentials->own->facts.not_after < clock_wall_s();
}

/* The relay finds that the certificate is out of its time, and we do not: it may be of a CA that has
 * ended, but also one of the two clocks, so it is no reason to give up. */
static void
explain_other_clock(struct relay_session_end *end, const struct credentials *credentials)
{
	const struct cert_facts *facts = &credentials->own->facts;
	char begins[TIME_TEXT], ends[TIME_TEXT], clock[TIME_TEXT];
	size_t used = strlen(end->sentence);

	end->needs_cure = false;
	snprintf(end->sentence + used, sizeof end->sentence - used,
	    "; by the clock here, which says %s, it holds from %s to %s: is the clock right, here and there?",
	    time_text(clock_wall_s(), clock), time_text(facts->not_before, begins),
	    time_text(facts->not_after, ends));
}

/* Before the handshake is done anybody on the way can say anything. */
static void
tell_doubt(struct relay_session_end *end)
{
	size_t used = strlen(end->sentence);

	if (end->needs_cure && !end->is_proven)
		snprintf(end->sentence + used, sizeof end->sentence - used,
		    " (nothing proves that the relay says so; somebody in between may)");
}

/* The reason is found in the judgement of the relay's certificate, the relay's words, and TLS. */
void
relay_session_end_explain(struct relay_session_end *end, struct session *session,
    const struct peer_check *check, const struct credentials *credentials)
{
	enum code code = session_over_code(session);
	const char *why = session_error(session);
	const struct tls *tls = session_tls(session);

	if (check->has_refused) {
		explain_relay_certificate(end, check);
		return;
	}
	end->is_proven = session_is_proven(session) ||
	    (code == CODE_CERTIFICATE_EXPIRED && has_expired(credentials));
	end->needs_cure = code_is_permanent(code);
	end->word = code == CODE_NONE ? "session-lost" : code_word(code);
	snprintf(end->sentence, sizeof end->sentence, "%s", why);
	end->is_busy = code == CODE_BUSY || code == CODE_DRAINING || code == CODE_SESSION_LIMIT;
	if (code == CODE_REPLACED)
		explain_replaced(end, why);
	for (size_t i = 0; i < sizeof own_certificate / sizeof *own_certificate; i++)
		if (own_certificate[i].code == code)
			explain_own_certificate(end, own_certificate[i].cure, why, credentials);
	if (code == CODE_CERTIFICATE_EXPIRED && session_is_proven(session) &&
	    !has_expired(credentials))
		explain_other_clock(end, credentials);
	if (tls_alert_received(tls) == ALERT_UNRECOGNIZED_NAME)
		explain_wrong_peer(end, "connect-name-unknown",
		    "nobody there has this connect name: is the relay's connect.server_name the "
		    "host of agent.connect_url?");
	else if (tls_alert_received(tls) == ALERT_INTERNAL_ERROR)
		explain_unable_relay(end);
	else if (tls_alert_sent(tls) == ALERT_NO_APPLICATION_PROTOCOL)
		explain_wrong_peer(
		    end, "not-a-relay", "what answers there speaks TLS but is not a Valise relay");
	else if (tls_heard_no_tls(tls))
		explain_wrong_peer(end, "not-a-relay",
		    "what answers there does not speak TLS: are host and port of "
		    "agent.connect_url those of a relay?");
	tell_doubt(end);
}
