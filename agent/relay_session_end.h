/*
 * Why a session with a relay is over: in words for people, and what would cure it.
 */
#ifndef AGENT_RELAY_SESSION_END_H
#define AGENT_RELAY_SESSION_END_H

#include <stdbool.h>

struct credentials;
struct peer_check;
struct session;

enum { RELAY_SESSION_SENTENCE = 1024 };

struct relay_session_end {
	/* The next attempt would end in the same way, until somebody changes something. */
	bool needs_cure;
	/* It is the word of a relay whose certificate was verified, or a fact about our own files.
	 * What is not proven may be the word of somebody in between, so it puts nothing to rest. */
	bool is_proven;
	bool was_up;
	bool is_busy;     /* the relay is there but takes no session at present */
	const char *word; /* the stable code */
	char sentence[RELAY_SESSION_SENTENCE];
	/* The configuration key that would cure it, and the certificate that is at fault; NULL and
	 * "" if there is none. */
	const char *key;
	char subject[256], issuer[256], fingerprint[65];
};

/* Fills one of {0} from a session that is over: by how its relay's certificate was judged, what the
 * relay has said, and what TLS tells; the credentials are those that it was begun with.  `word` and
 * `key` are constants. */
void relay_session_end_explain(struct relay_session_end *, struct session *,
    const struct peer_check *, const struct credentials *);

#endif
