/*
 * An endpoint that is ready to serve, with its credentials loaded.  Counted,
 * shared by the workers, and immutable but for what is atomic.  When one of its
 * files or settings changes, another one is made with the same number; flows
 * keep the one that they began with.
 */
#ifndef AGENT_ENDPOINT_H
#define AGENT_ENDPOINT_H

#include <stdatomic.h>

#include "agent/client_rules.h"
#include "agent/server_certificate.h"
#include "agent/sources.h"
#include "agent/upstream.h"
#include "base/address_rules.h"
#include "tunnel/frame.h"
#include "tunnel/pump.h"

enum { ENDPOINT_ERROR = 1024 };

struct endpoint {
	_Atomic unsigned references;
	uint32_t number;        /* on the wire */
	uint32_t former_number; /* before relays had to hear something new about it; 0: none */
	char name[SHORT_TEXT];
	char server_name[NAME_SIZE]; /* exact or wildcard */
	uint8_t carriers;            /* bit set */
	uint16_t weight;
	uint8_t balance;  /* enum balance */
	uint8_t priority; /* 0 is first */
	bool terminates;
	struct server_certificate *certificates; /* terminate */
	size_t certificate_count;
	struct endpoint *lender; /* held: whose certificates these are; NULL: our own */
	bool has_tls13;
	/* For those who come back; NULL where clients are asked for certificates.  Goes on at a reload as
	 * long as the digest, of all that a client can notice of TLS here, is the same. */
	struct tls_tickets *tickets;
	uint8_t tls_digest[32];
	enum tls_client_certificate client_certificate;
	struct trust *clients;      /* judges client certificates; NULL: none is asked for */
	struct client_rules *rules; /* who of them may come in; NULL: all */
	struct upstream upstream;
	struct address_rules *addresses; /* that clients may come from; NULL: any */
	bool forgives_truncation;
	struct pump_settings bounds;
	_Atomic uint64_t denied; /* clients that `addresses` refused, before a reload, too */
};

/* NULL with a sentence that begins with the endpoint's name.  previous (may be NULL): the same
 * endpoint before the reload, whose trust sets hand on what they remember of CRLs. */
struct endpoint *endpoint_new(const struct endpoint_settings *, uint32_t number,
    const struct agent_settings *, const struct endpoint *previous, char error[ENDPOINT_ERROR]);
/* The same settings, after a certificate of theirs could not be loaded: those of `previous` are lent,
 * that for the upstream, too, and all else is loaded again, so that no CRL waits for a key.  NULL with a
 * sentence. */
struct endpoint *endpoint_new_lent(const struct endpoint_settings *, const struct agent_settings *,
    struct endpoint *previous, char error[ENDPOINT_ERROR]);
struct endpoint *endpoint_hold(struct endpoint *);
void endpoint_release(struct endpoint *);

/* What to answer this client with, by the name that its flow has and what its (complete) hello offers.
 * Borrowed.  NULL: the endpoint has no certificate for the name. */
struct tls_config *endpoint_tls(
    const struct endpoint *, const char *server_name, const uint8_t *hello, size_t bytes);

/* Whether it answers challenges (challenge.h) itself: what is passed through is its upstream's to answer. */
bool endpoint_answers_challenges(const struct endpoint *);

/* Every second, on one thread: tells of certificates whose clients get no OCSP response, and replaces what
 * tickets are sealed under when it is too old. */
void endpoint_watch(struct endpoint *, int64_t now_s, uint64_t now_ms);

/* Whether one of the certificates that it shows has this key. */
bool endpoint_has_key(const struct endpoint *, const struct spki_pin *);

/* Sealed is always allowed: a relay may know nothing else. */
uint8_t endpoint_carriers(const struct endpoint_settings *);

/* The state of the files that one was loaded from. */
struct endpoint_stamp {
	struct sources_stamp certificates;
	struct trust_stamp clients;
	struct upstream_stamp upstream;
};
/* True once for each state of the files that differs from the one last seen. */
bool endpoint_files_changed(
    const struct endpoint_settings *, const struct agent_settings *, struct endpoint_stamp *seen);
/* Whether two stamps differ in files of CAs and CRLs. */
bool endpoint_trust_changed(const struct endpoint_stamp *, const struct endpoint_stamp *);

/* Whether another CRL file of the agent has a newer CRL for one of its trust sets. */
bool endpoint_is_behind(const struct endpoint *, const struct crl_catalogue *, int64_t now_s);

/* NULL, or why one of its trust sets believes nobody, as trust_doubt(). */
const char *endpoint_doubt(const struct endpoint *);
/* What all of its trust sets refused of their CRLs, as trust_refusals(). */
size_t endpoint_refusals(const struct endpoint *, const char **sentence);

#endif
