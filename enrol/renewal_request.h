/*
 * What an authority is asked to certify: a certificate request (RFC 2986) that has subject and subjectAltName
 * of the certificate in force, as RFC 7030, 4.2.2, wants a re-enrolment.  The request is signed with
 * the key that it is for, which proves possession and gives no right.
 */
#ifndef ENROL_RENEWAL_REQUEST_H
#define ENROL_RENEWAL_REQUEST_H

#include <stdbool.h>

#include "base/secret.h"

enum { RENEWAL_REQUEST_ERROR = 768 };

/* DER.  certificate: PEM, of which the first one counts; key: the file of the key. */
bool renewal_request_make(struct secret *request, const struct secret *certificate, const char *key,
    char error[RENEWAL_REQUEST_ERROR]);

#endif
