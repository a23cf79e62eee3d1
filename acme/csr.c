/* Keys and requests, both made by GnuTLS. */
#include "acme/csr.h"

#include <string.h>

#include <gnutls/x509.h>

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

bool
csr_key_new(enum key_type type, struct secret *pem)
{
	gnutls_x509_privkey_t key = NULL;
	gnutls_datum_t text = { 0 };
	bool is_fine = key_type_generate(type, &key) >= 0 &&
	    gnutls_x509_privkey_export2_pkcs8(
		key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &text) >= 0;

	gnutls_x509_privkey_deinit(key);
	return take(pem, &text) && is_fine;
}

/* Deinitialise it in any case. */
static bool
import(gnutls_x509_privkey_t *key, const struct secret *pem)
{
	const gnutls_datum_t text = { pem->data, (unsigned)pem->bytes };

	*key = NULL;
	return gnutls_x509_privkey_init(key) >= 0 &&
	    gnutls_x509_privkey_import2(*key, &text, GNUTLS_X509_FMT_PEM, NULL, 0) >= 0;
}

bool
csr_key_pin(const struct secret *pem, struct spki_pin *pin)
{
	gnutls_x509_privkey_t key;
	size_t bytes = sizeof pin->digest;
	bool is_fine = import(&key, pem) &&
	    gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, pin->digest, &bytes) >= 0;

	gnutls_x509_privkey_deinit(key);
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
	gnutls_x509_privkey_t key;
	gnutls_x509_crq_t request = NULL;
	gnutls_datum_t made = { 0 };
	bool is_fine = import(&key, key_pem) && gnutls_x509_crq_init(&request) >= 0 &&
	    fill(request, key, name) &&
	    gnutls_x509_crq_export2(request, GNUTLS_X509_FMT_DER, &made) >= 0;

	gnutls_x509_crq_deinit(request);
	gnutls_x509_privkey_deinit(key);
	return take(der, &made) && is_fine;
}
