/*
 * Why a session is over.
 */
#include "agent/relay_session_end.h"

#include <stdio.h>

#include "agent/credentials.h"
#include "agent/peer_check.h"
#include "base/clock.h"
#include "tunnel/session.h"

enum { ALERT_UNRECOGNIZED_NAME = 112, ALERT_NO_APPLICATION_PROTOCOL = 120 };

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

void
relay_session_end_explain(struct relay_session_end *end, struct session *session,
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
