/*
 * Certificate revocation lists, version 2 (RFC 5280 5), written by ourselves:
 * GnuTLS cannot write reason codes and needs minutes for what takes
 * milliseconds here.  crl_writer_begin(), any number of crl_writer_add(), crl_writer_sign().
 */
#ifndef PKI_TOOL_CRL_WRITER_H
#define PKI_TOOL_CRL_WRITER_H

#include <gnutls/abstract.h>
#include <gnutls/x509.h>

#include "pki/crl.h"
#include "pki/tool/encode.h"

struct crl_writer {
	struct encoding list;
	size_t end;               /* mark behind the entries */
	gnutls_x509_crt_t issuer; /* borrowed */
};

/* {0} before; crl_writer_wipe() after, whatever happened. */
int crl_writer_begin(struct crl_writer *, gnutls_x509_crt_t issuer, uint64_t number);
/* In any order; the last added stands first. */
void crl_writer_add(struct crl_writer *, const uint8_t *serial, size_t bytes, int64_t revoked_at,
    enum crl_reason reason);
/* The whole CertificateList, to be freed with gnutls_free(). */
int crl_writer_sign(struct crl_writer *, gnutls_privkey_t, int64_t this_update, int64_t next_update,
    gnutls_datum_t *out);
void crl_writer_wipe(struct crl_writer *);

#endif
