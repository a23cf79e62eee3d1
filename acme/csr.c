/* Requests for one name each, made by GnuTLS. */
#include "acme/csr.h"

#include <string.h>

#include <gnutls/x509.h>

#include "pki/key_pem.h"

/* What the library has made is wiped and freed. */
static bool
take(struct secret *out, gnutls_datum_t *made)
{
	bool is_fine = made->data && secret_init(out, made->data, made->size);

	if (made->data)
		bytes_wipe(made->data, made->size);
	gnutls_free(made->data);
	return is_fine;
}

static bool
fill(gnutls_x509_crq_t request, gnutls_x509_privkey_t key, const char *name)
{
	return gnutls_x509_crq_set_version(request, 1) >= 0 &&
	    gnutls_x509_crq_set_subject_alt_name(
		request, GNUTLS_SAN_DNSNAME, name, (unsigned)strlen(name), GNUTLS_FSAN_SET) >= 0 &&
	    gnutls_x509_crq_set_key(request, key) >= 0 &&
	    gnutls_x509_crq_sign2(request, key, GNUTLS_DIG_SHA256, 0) >= 0;
}

bool
csr_make(const struct secret *key_pem, const char *name, struct secret *der)
{
	gnutls_x509_privkey_t key = NULL;
	gnutls_x509_crq_t request = NULL;
	gnutls_datum_t made = { 0 };
	bool is_fine = key_pem_read(key_pem, &key) >= 0 && gnutls_x509_crq_init(&request) >= 0 &&
	    fill(request, key, name) &&
	    gnutls_x509_crq_export2(request, GNUTLS_X509_FMT_DER, &made) >= 0;

	gnutls_x509_crq_deinit(request);
	gnutls_x509_privkey_deinit(key);
	return take(der, &made) && is_fine;
}
