/*
 * Certificate signing requests: only the key is taken from them, and only when
 * whoever asks has proved to hold it.  Extensions count for nothing unless they
 * are allowed one by one.
 */
#ifndef PKI_TOOL_CSR_H
#define PKI_TOOL_CSR_H

#include <gnutls/abstract.h>
#include <gnutls/x509.h>

#include "pki/der.h"
#include "pki/tool/names.h"
#include "pki/tool/options.h"

/* PEM or DER; the key, the signature and its algorithm are checked, and that extensions are asked for
 * once. */
int csr_load(const char *path, gnutls_x509_crq_t *out);
/* The same of one in DER that a peer has sent; messages call it "the request". */
int csr_take(struct der, gnutls_x509_crq_t *out);
/* Whether a request in DER is signed by its own key. */
bool csr_proves_possession(struct der);
/* Why nobody could tell which extensions a request in DER asks for: libraries read the first list, or
 * all, and know two attributes for it.  NULL if they can. */
const char *csr_ambiguity(struct der);
int csr_public(gnutls_x509_crq_t, gnutls_pubkey_t *out);
/* Its subjectAltName, as `profile` may have it, if `allow` lists that extension; tells
 * of those that it ignores. */
int csr_take_names(
    gnutls_x509_crq_t, const struct texts *allow, const struct profile *, struct names *);
/* Whatever names it asks for, for `show`. */
int csr_names(gnutls_x509_crq_t, struct names *);

#endif
