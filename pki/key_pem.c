/* Keys from GnuTLS to PEM and back. */
#include "pki/key_pem.h"

int
key_pem_read(const struct secret *pem, gnutls_x509_privkey_t *out)
{
	const gnutls_datum_t text = { pem->data, (unsigned)pem->bytes };
	int problem = gnutls_x509_privkey_init(out);

	return problem < 0 ? problem
			   : gnutls_x509_privkey_import2(*out, &text, GNUTLS_X509_FMT_PEM, NULL, 0);
}

/* What the library has made, if it has, is wiped and freed. */
static int
take(struct secret *out, gnutls_datum_t *made, int problem)
{
	*out = (struct secret){ 0 };
	if (problem >= 0 && !secret_init(out, made->data, made->size))
		problem = GNUTLS_E_MEMORY_ERROR;
	if (made->data)
		bytes_wipe(made->data, made->size);
	gnutls_free(made->data);
	return problem;
}

int
key_pem_write(struct secret *pem, gnutls_x509_privkey_t key)
{
	gnutls_datum_t text = { 0 };
	int problem = gnutls_x509_privkey_export2_pkcs8(
	    key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &text);

	return take(pem, &text, problem);
}

int
key_pem_sign(const struct secret *pem, gnutls_x509_crq_t request, struct secret *der)
{
	gnutls_x509_privkey_t key = NULL;
	gnutls_datum_t made = { 0 };
	int problem = key_pem_read(pem, &key);

	if (problem >= 0)
		problem = gnutls_x509_crq_set_key(request, key);
	if (problem >= 0)
		problem = gnutls_x509_crq_sign2(request, key, GNUTLS_DIG_UNKNOWN, 0);
	if (problem >= 0)
		problem = gnutls_x509_crq_export2(request, GNUTLS_X509_FMT_DER, &made);
	gnutls_x509_privkey_deinit(key);
	return take(der, &made, problem);
}

int
key_pem_make(struct secret *pem, enum key_type type)
{
	gnutls_x509_privkey_t key = NULL;
	int problem = key_type_generate(type, &key);

	*pem = (struct secret){ 0 };
	if (problem >= 0)
		problem = key_pem_write(pem, key);
	gnutls_x509_privkey_deinit(key);
	return problem;
}

bool
key_pem_pin(struct spki_pin *pin, const struct secret *pem)
{
	gnutls_x509_privkey_t key = NULL;
	size_t bytes = sizeof pin->digest;
	bool is_key = key_pem_read(pem, &key) >= 0 &&
	    gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, pin->digest, &bytes) >= 0;

	gnutls_x509_privkey_deinit(key);
	return is_key;
}
