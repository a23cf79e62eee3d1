/*
 * One signature over borrowed bytes, checked by GnuTLS with an algorithm from a
 * list of our own: SHA-1, MD5, DSA and whatever else is weak are not on it.
 */
#ifndef PKI_SIGNATURE_H
#define PKI_SIGNATURE_H

#include <stdbool.h>

#include "pki/der.h"

/* Both in DER with their headers: SubjectPublicKeyInfo and AlgorithmIdentifier. */
bool signature_verifies(
    struct der spki, struct der algorithm, struct der data, struct der signature);

/* The same, and weak algorithms count: whether something is as it was signed, not who has signed it. */
bool signature_is_intact(
    struct der spki, struct der algorithm, struct der data, struct der signature);

/* Whether this AlgorithmIdentifier is on the list. */
bool signature_is_strong(struct der algorithm);

bool signature_has_sha1(struct der algorithm);

enum { SIGNATURE_TEXT = 64 };
/* "ECDSA with SHA-1", or its OID; returns out. */
const char *signature_text(struct der algorithm, char out[SIGNATURE_TEXT]);

#endif
