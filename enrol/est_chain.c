/* Sorts the certificates that came in one message. */
#include "enrol/est_chain.h"

#include <stdlib.h>
#include <string.h>

#include <gnutls/gnutls.h>

#include "pki/certs_only.h"
#include "pki/signature.h"
#include "pki/verdict.h"
#include "pki/x509.h"

/* CertificationRequest of RFC 2986, 4. */
struct der
est_chain_request_key(struct der request)
{
	struct cursor outer = der_over(request), whole = der_enter(&outer, DER_SEQUENCE);
	struct cursor info = der_enter(&whole, DER_SEQUENCE);

	der_read(&info, DER_INTEGER);
	der_read(&info, DER_SEQUENCE);
	struct der spki = der_whole(&info, DER_SEQUENCE);
	return info.failed ? (struct der){ 0 } : spki;
}

/* ---- PEM ---- */

static bool
add(struct secret *pem, struct der certificate)
{
	const gnutls_datum_t der = { (unsigned char *)(uintptr_t)certificate.data,
		(unsigned)certificate.bytes };
	gnutls_datum_t text = { 0 };
	uint8_t *more;

	if (gnutls_pem_base64_encode2("CERTIFICATE", &der, &text) < 0)
		return false;
	more = realloc(pem->data, pem->bytes + text.size);
	if (more) {
		memcpy(more + pem->bytes, text.data, text.size);
		*pem = (struct secret){ more, pem->bytes + text.size };
	}
	gnutls_free(text.data);
	return more != NULL;
}

bool
est_chain_build(const struct certs_only *issued, const struct certs_only *cas, struct der key,
    struct secret *pem, const char **why)
{
	struct der chain[VERIFY_CHAIN];
	size_t count = certs_only_chain(issued, cas, key, chain, VERIFY_CHAIN);

	*why = "has no certificate for the key of the request";
	for (size_t i = 0; i < count; i++)
		if (!add(pem, chain[i])) {
			*why = "cannot be kept: memory is short";
			return false;
		}
	return count > 0;
}

/* ---- roots ---- */

/* By its own key. */
static bool
is_root(const struct x509 *facts)
{
	return facts->is_ca && x509_names_issuer(facts, facts) &&
	    signature_verifies(facts->spki, facts->algorithm, facts->signed_part, facts->signature);
}

bool
est_chain_roots(const struct certs_only *cas, const struct spki_pin *key, struct secret *pem)
{
	struct spki_pin other;
	struct x509 facts;
	const char *ignored;

	for (size_t i = 0; i < cas->count; i++)
		if (spki_pin_of(&other, cas->certificates[i]) && spki_pin_equals(&other, key) &&
		    x509_parse(&facts, cas->certificates[i], &ignored) && is_root(&facts) &&
		    !add(pem, cas->certificates[i]))
			return false;
	return pem->bytes > 0;
}
