/*
 * Challenges of ACME that this agent answers (tls-alpn-01, RFC 8737).  An ACME server gives the
 * certificate of a name to who can show, at the name's public address and for the one protocol
 * acme-tls/1, a certificate of his own making that has a digest in it.  That address is the relays', which
 * pass such hellos to the agent that has asked for them (valise-protocol(7), the fact pending).
 *
 *	challenge = challenge_start(challenges, name, digest, on_ready, arg, error)
 *	on_ready(arg)            every relay that is connected has accepted: the server may be told
 *	challenge_end(challenge) valid, invalid, or given up
 *
 * Until its end each flow of that name whose hello offers acme-tls/1 alone is shown the challenge's
 * certificate, as often and from as many places as servers like, and ends with the handshake: no
 * upstream hears of it, no list of addresses or clients is asked.  Otherwise, without a challenge, such
 * a hello gets the alert no_application_protocol where TLS is ended here.
 *
 * on_ready comes once, in the loop's thread, never within one of these calls.  A relay that connects after
 * that accepts as soon as it can, too.  What it is that keeps it away, challenge_obstacle() says; somebody
 * must bound the time.
 *
 * Shared by:     the endpoints of one agent.
 * Bound:         CHALLENGES_MOST at a time, one for each name.
 * Who leaves:    nobody; the newcomer is refused.
 */
#ifndef AGENT_CHALLENGE_H
#define AGENT_CHALLENGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "agent/challenge_certificate.h"

struct challenge;
struct challenges;
struct loop;
struct tls_config;

enum { CHALLENGES_MOST = 64 };

/* In the main thread.  NULL when memory is short. */
struct challenges *challenges_new(struct loop *);
/* All have ended, nobody looks at them any more.  NULL is fine. */
void challenges_free(struct challenges *);
/* on_change: which ones there are has changed, and relays are to hear of it. */
void challenges_set_owner(struct challenges *, void (*on_change)(void *arg), void *arg);

/* For the exact, normalised server name of an endpoint that terminates; of a name that no endpoint has no
 * relay is told.  NULL with a sentence. */
struct challenge *challenge_start(struct challenges *, const char *name,
    const uint8_t digest[CHALLENGE_DIGEST], void (*on_ready)(void *arg), void *arg,
    char error[CHALLENGE_ERROR]);
/* NULL is fine. */
void challenge_end(struct challenge *);
/* A sentence that says which relay has not accepted, and why.  False: all that are connected have. */
bool challenge_obstacle(const struct challenge *, char why[CHALLENGE_ERROR]);

/* ---- for flows, in any thread ---- */

/* Whether there are any; `challenges` may be NULL here and below. */
bool challenges_are_any(struct challenges *);
/* What a server is answered with for this name, held for the caller; NULL: there is no challenge. */
struct tls_config *challenges_find(struct challenges *, const char *name);

/* ---- for those who tell relays of them, in the main thread ---- */

/* A relay that is connected. */
struct challenge_relay {
	LIST_ENTRY(challenge_relay) link;
	/* Whether it has accepted the one with this number; if not, `why` is a sentence. */
	bool (*has_accepted)(void *arg, uint32_t number, char why[CHALLENGE_ERROR]);
	void *arg;
};

void challenges_join(struct challenges *, struct challenge_relay *);
/* Harmless on {0}. */
void challenges_leave(struct challenges *, struct challenge_relay *);
/* A relay has answered. */
void challenges_look(struct challenges *);

/* In any order; NULL: the first, none.  A number is never used again for another one, nor for an
 * endpoint. */
const struct challenge *challenges_next(const struct challenges *, const struct challenge *);
const struct challenge *challenges_numbered(const struct challenges *, uint32_t number);
uint32_t challenge_number(const struct challenge *);
const char *challenge_name(const struct challenge *);

#endif
