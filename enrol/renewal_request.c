/* Key and request for a certificate that takes the place of another. */
#include "enrol/renewal_request.h"

#include <stdio.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "pki/key_pem.h"

enum { NAME_BYTES = 1024, RSA_SMALL_BITS = 2048 };

static bool
fail(char *error, const char *what, int problem)
{
	snprintf(error, RENEWAL_REQUEST_ERROR, "%s: %s", what, gnutls_strerror(problem));
	return false;
}

static gnutls_datum_t
datum(const struct secret *bytes)
{
	return (gnutls_datum_t){ bytes->data, (unsigned)bytes->bytes };
}

/* ---- the key ---- */

static enum key_type
type_of(gnutls_x509_privkey_t key)
{
	unsigned bits = 0;

	switch (gnutls_x509_privkey_get_pk_algorithm2(key, &bits)) {
	case GNUTLS_PK_EDDSA_ED25519:
		return KEY_ED25519;
	case GNUTLS_PK_RSA:
		return bits > RSA_SMALL_BITS ? KEY_RSA3072 : KEY_RSA2048;
	default:
		return KEY_P256;
	}
}

bool
renewal_request_key(
    struct secret *out, const struct secret *like, char error[RENEWAL_REQUEST_ERROR])
{
	gnutls_x509_privkey_t old = NULL;
	int problem = key_pem_read(like, &old);

	*out = (struct secret){ 0 };
	if (problem >= 0)
		problem = key_pem_make(out, type_of(old));
	gnutls_x509_privkey_deinit(old);
	return problem >= 0 || fail(error, "a new key cannot be made", problem);
}

/* ---- the request ---- */

static int
copy_subject(gnutls_x509_crq_t request, gnutls_x509_crt_t certificate)
{
	gnutls_datum_t dn = { 0 };
	const char *at;
	int problem = gnutls_x509_crt_get_dn3(certificate, &dn, 0);

	if (problem >= 0 && dn.size > 0)
		problem = gnutls_x509_crq_set_dn(request, (const char *)dn.data, &at);
	gnutls_free(dn.data);
	return problem == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE ? 0 : problem;
}

static int
copy_names(gnutls_x509_crq_t request, gnutls_x509_crt_t certificate)
{
	char name[NAME_BYTES];
	int problem = 0;

	for (unsigned i = 0; problem >= 0; i++) {
		size_t bytes = sizeof name;
		int type = gnutls_x509_crt_get_subject_alt_name(certificate, i, name, &bytes, NULL);

		if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return 0;
		if (type < 0)
			return type;
		if (type == GNUTLS_SAN_DNSNAME || type == GNUTLS_SAN_IPADDRESS)
			problem = gnutls_x509_crq_set_subject_alt_name(request,
			    (gnutls_x509_subject_alt_name_t)type, name, (unsigned)bytes,
			    GNUTLS_FSAN_APPEND);
	}
	return problem;
}

static int
fill(gnutls_x509_crq_t request, const struct secret *pem)
{
	gnutls_x509_crt_t certificate = NULL;
	gnutls_datum_t data = datum(pem);
	int problem = gnutls_x509_crt_init(&certificate);

	if (problem >= 0)
		problem = gnutls_x509_crt_import(certificate, &data, GNUTLS_X509_FMT_PEM);
	if (problem >= 0)
		problem = gnutls_x509_crq_set_version(request, 1);
	if (problem >= 0)
		problem = copy_subject(request, certificate);
	if (problem >= 0)
		problem = copy_names(request, certificate);
	gnutls_x509_crt_deinit(certificate);
	return problem;
}

bool
renewal_request_make(struct secret *out, const struct secret *certificate, const struct secret *key,
    char error[RENEWAL_REQUEST_ERROR])
{
	gnutls_x509_crq_t request = NULL;
	int problem = gnutls_x509_crq_init(&request);

	*out = (struct secret){ 0 };
	if (problem >= 0)
		problem = fill(request, certificate);
	if (problem >= 0)
		problem = key_pem_sign(key, request, out);
	gnutls_x509_crq_deinit(request);
	return problem >= 0 || fail(error, "the request cannot be made", problem);
}
