/* The names of a certificate, for a request that is composed where the key is. */
#include "enrol/renewal_request.h"

#include <stdio.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "keys/key_ask.h"
#include "keys/key_names.h"

enum { NAME_BYTES = 1024, NAMES_BYTES = 32 << 10 };

static int
copy_subject(struct writer *out, gnutls_x509_crt_t certificate)
{
	gnutls_datum_t dn = { 0 };
	int problem = gnutls_x509_crt_get_dn3(certificate, &dn, 0);

	if (problem == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
		problem = 0;
	if (problem >= 0)
		key_names_begin(out, dn.data ? (const char *)dn.data : "", "");
	gnutls_free(dn.data);
	return problem;
}

static int
copy_names(struct writer *out, gnutls_x509_crt_t certificate)
{
	char name[NAME_BYTES];

	for (unsigned i = 0;; i++) {
		size_t bytes = sizeof name;
		int type = gnutls_x509_crt_get_subject_alt_name(certificate, i, name, &bytes, NULL);

		if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return 0;
		if (type < 0)
			return type;
		if (type == GNUTLS_SAN_DNSNAME || type == GNUTLS_SAN_IPADDRESS)
			key_names_add(out, (gnutls_x509_subject_alt_name_t)type, name, bytes);
	}
}

static int
read_names(struct writer *out, const struct secret *pem)
{
	gnutls_x509_crt_t certificate = NULL;
	const gnutls_datum_t data = { pem->data, (unsigned)pem->bytes };
	int problem = gnutls_x509_crt_init(&certificate);

	if (problem >= 0)
		problem = gnutls_x509_crt_import(certificate, &data, GNUTLS_X509_FMT_PEM);
	if (problem >= 0)
		problem = copy_subject(out, certificate);
	if (problem >= 0)
		problem = copy_names(out, certificate);
	gnutls_x509_crt_deinit(certificate);
	return problem >= 0 && out->failed ? GNUTLS_E_SHORT_MEMORY_BUFFER : problem;
}

bool
renewal_request_make(struct secret *out, const struct secret *certificate, const char *key,
    char error[RENEWAL_REQUEST_ERROR])
{
	uint8_t storage[NAMES_BYTES];
	struct writer names = writer_over(storage, sizeof storage);
	int problem = read_names(&names, certificate);

	*out = (struct secret){ 0 };
	if (problem >= 0)
		return key_ask_request(key, storage, names.bytes, out, error);
	snprintf(error, RENEWAL_REQUEST_ERROR, "the request cannot be made: %s",
	    gnutls_strerror(problem));
	return false;
}
