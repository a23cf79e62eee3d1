/* Makes keys, and requests that prove that their key is at hand. */
#include "enrol/key_request.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include <gnutls/x509.h>

#include "pki/key_pem.h"

/* Returns the exit code, with a sentence. */
static int
fail(int problem, const char *what, char error[KEY_REQUEST_ERROR])
{
	if (problem == GNUTLS_E_MEMORY_ERROR) {
		snprintf(error, KEY_REQUEST_ERROR, "memory is short; nothing was made");
		return EX_OSERR;
	}
	snprintf(error, KEY_REQUEST_ERROR, "%s: %s", what, gnutls_strerror(problem));
	return EX_SOFTWARE;
}

static int
digest_key(struct key_request *out, gnutls_x509_privkey_t key)
{
	size_t bytes = sizeof out->digest;

	return gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, out->digest, &bytes);
}

int
key_request_new_key(struct key_request *out, enum key_type type, char error[KEY_REQUEST_ERROR])
{
	gnutls_x509_privkey_t key = NULL;
	int problem = key_type_generate(type, &key);

	if (problem >= 0)
		problem = digest_key(out, key);
	if (problem >= 0)
		problem = key_pem_write(&out->key, key);
	gnutls_x509_privkey_deinit(key);
	return problem < 0 ? fail(problem, "the key cannot be made", error) : 0;
}

int
key_request_take_key(
    struct key_request *out, const struct secret *pem, char error[KEY_REQUEST_ERROR])
{
	gnutls_x509_privkey_t key = NULL;
	int problem = key_pem_read(pem, &key), code = 0;

	if (problem < 0 && problem != GNUTLS_E_MEMORY_ERROR) {
		snprintf(error, KEY_REQUEST_ERROR,
		    "it is not a private key in PEM without a passphrase: %s",
		    gnutls_strerror(problem));
		code = EX_DATAERR;
	} else {
		if (problem >= 0)
			problem = digest_key(out, key);
		if (problem >= 0 && !secret_init(&out->key, pem->data, pem->bytes))
			problem = GNUTLS_E_MEMORY_ERROR;
		code = problem < 0 ? fail(problem, "the key cannot be used", error) : 0;
	}
	gnutls_x509_privkey_deinit(key);
	return code;
}

static int
fill(gnutls_x509_crq_t request, const struct key_request_names *names)
{
	int problem = gnutls_x509_crq_set_version(request, 1);

	if (problem >= 0 && names->name)
		problem = gnutls_x509_crq_set_dn_by_oid(request, GNUTLS_OID_X520_COMMON_NAME, 0,
		    names->name, (unsigned)strlen(names->name));
	for (size_t i = 0; problem >= 0 && i < names->host_count; i++)
		problem = gnutls_x509_crq_set_subject_alt_name(request, GNUTLS_SAN_DNSNAME,
		    names->hosts[i], (unsigned)strlen(names->hosts[i]),
		    i ? GNUTLS_FSAN_APPEND : GNUTLS_FSAN_SET);
	return problem;
}

int
key_request_sign(
    struct key_request *out, const struct key_request_names *names, char error[KEY_REQUEST_ERROR])
{
	gnutls_x509_crq_t request = NULL;
	int problem = gnutls_x509_crq_init(&request);

	if (problem >= 0)
		problem = fill(request, names);
	if (problem >= 0)
		problem = key_pem_sign(&out->key, request, &out->request);
	gnutls_x509_crq_deinit(request);
	return problem < 0 ? fail(problem, "the request cannot be made", error) : 0;
}

void
key_request_wipe(struct key_request *out)
{
	secret_wipe(&out->key);
	secret_wipe(&out->request);
}
