/*
 * The request of a host that enrols (RFC 2986; RFC 7030, 4.2).  Only its key is used.  Whatever else
 * it asks for must be what the host gets anyway, so that nobody takes a certificate for something
 * else than it is; attributes and extensions that we know nothing of are refused, and a challenge
 * password is not read.
 */
#ifndef PKI_TOOL_ENROL_REQUEST_H
#define PKI_TOOL_ENROL_REQUEST_H

#include <gnutls/abstract.h>

#include "pki/der.h"
#include "pki/spki_pin.h"
#include "pki/tool/names.h"

/* {0} before, wipe in any case. */
struct enrol_request {
	gnutls_pubkey_t key;
	struct spki_pin pin; /* of that key */
	struct der subject;  /* Name, borrowed from the request as the next */
	struct der names;    /* contents of subjectAltName's GeneralNames */
	bool has_names;
};

/* EX_DATAERR if it is malformed, not signed by its key, or has a key or a signature that is not accepted;
 * EX_NOPERM if something in it is refused. */
int enrol_request_read(struct der, struct enrol_request *);
/* Whether subject and names are these: the subject is the common name alone.  If it may be silent, it need
 * not have them.  Else EX_NOPERM. */
int enrol_request_judge(
    const struct enrol_request *, const char *name, const struct names *, bool may_be_silent);
void enrol_request_wipe(struct enrol_request *);

#endif
