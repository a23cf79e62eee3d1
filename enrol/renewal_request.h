/*
 * What an authority is asked to certify: a key, and a certificate request (RFC 2986)
 * for it that has subject and subjectAltName of the certificate in force, as RFC 7030, 4.2.2,
 * wants a re-enrolment.  The request is signed with the key that it is for, which proves possession
 * and gives no right.
 */
#ifndef ENROL_RENEWAL_REQUEST_H
#define ENROL_RENEWAL_REQUEST_H

#include <stdbool.h>

#include "base/secret.h"

enum { RENEWAL_REQUEST_ERROR = 256 };

/* A new key, PKCS#8 in PEM, of the kind and size of another one; where valise-pki makes none such, P-256. */
bool renewal_request_key(
    struct secret *key, const struct secret *like, char error[RENEWAL_REQUEST_ERROR]);
/* DER.  Both are PEM; of the certificates the first one counts. */
bool renewal_request_make(struct secret *request, const struct secret *certificate,
    const struct secret *key, char error[RENEWAL_REQUEST_ERROR]);

#endif
