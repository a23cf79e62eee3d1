/*
 * What an EST server sends as certificates: which one is for a request's key, which of the others
 * lead from it to the root, and which roots have the key that somebody vouched for.
 */
#ifndef ENROL_EST_CHAIN_H
#define ENROL_EST_CHAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/secret.h"
#include "pki/der.h"
#include "pki/spki_pin.h"

struct certs_only;

/* The SubjectPublicKeyInfo of a certificate request (PKCS#10 in DER), borrowed from it; empty if that
 * cannot be read. */
struct der est_chain_request_key(struct der request);

/* In PEM: the certificate of `issued` that has this key (SubjectPublicKeyInfo) and then its issuers, as
 * far as they are at hand, without the root.  Signatures are for whoever judges the chain.  False with the
 * reason in *why, which reads after "the message ". */
bool est_chain_build(const struct certs_only *issued, const struct certs_only *cas, struct der key,
    struct secret *pem, const char **why);

/* In PEM: the CA certificates that are signed by their own key, which is this one.  False if there is
 * none, or memory is short. */
bool est_chain_roots(const struct certs_only *cas, const struct spki_pin *key, struct secret *pem);

#endif
