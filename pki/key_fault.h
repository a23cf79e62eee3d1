/*
 * Which public keys are accepted in certificates and requests, and in words why one is not: its
 * curve, its size or its kind.
 */
#ifndef PKI_KEY_FAULT_H
#define PKI_KEY_FAULT_H

#include <stdbool.h>

#include "pki/der.h"

/* For what reads "use ". */
#define KEYS_ACCEPTED "P-256, Ed25519 or RSA of 2048 to 16384 bits"

/* As GnuTLS tells them: a gnutls_pk_algorithm_t, or negative if it cannot read the key. */
bool key_is_accepted(int algorithm, unsigned bits);

enum { KEY_FAULT = 96 };
/* "a key on secp256k1", "an RSA key of 1024 bits", after "has "; of a SubjectPublicKeyInfo.  Returns out. */
const char *key_fault(int algorithm, unsigned bits, struct der spki, char out[KEY_FAULT]);

/* The curve of an elliptic key, by its parameters (RFC 5480, 2.1.1), in words that read after "on ":
 * "secp256k1", "a curve given by explicit parameters", "the unknown curve 1.2.3".  NULL if it is
 * one that certificates may have; else out. */
const char *key_odd_curve(struct cursor parameters, char out[KEY_FAULT]);

#endif
