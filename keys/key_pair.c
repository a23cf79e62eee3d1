/* The certificate is read here, the key where keys are; the two are judged together. */
#include "keys/key_pair.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/file.h"
#include "keys/key_ask.h"
#include "keys/key_url.h"
#include "pki/content.h"
#include "pki/pem.h"
#include "pki/x509.h"

enum { PEM_MOST = 1 << 20, KEY_ID = KEY_DIGEST };

__attribute__((format(printf, 3, 4))) static bool
fail(char *error, const char *path, const char *format, ...)
{
	size_t used = (size_t)snprintf(error, KEY_PAIR_ERROR, "%.256s: ", path);
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(error + used, KEY_PAIR_ERROR - used, format, arguments);
	va_end(arguments);
	return false;
}

/* ---- the certificate ---- */

/* What to do about each kind of content in the certificate's place. */
static const char *
cure_for_certificate(struct content_facts facts)
{
	switch (facts.kind) {
	case CONTENT_CERTIFICATE: /* in PEM it is OpenSSL's TRUSTED CERTIFICATE */
		return facts.is_pem ? "convert it: openssl x509 -in FILE"
				    : "convert it: openssl x509 -inform DER -in FILE";
	case CONTENT_PKCS12:
		return "take the certificate out: openssl pkcs12 -nokeys -in FILE";
	case CONTENT_PKCS7:
		return "take the certificates out: openssl pkcs7 -print_certs -in FILE";
	case CONTENT_REQUEST:
		return "have a CA sign it, and give what comes back";
	case CONTENT_KEY:
	case CONTENT_ENCRYPTED_KEY:
		return "are the two files swapped?";
	default:
		return "give the certificate in PEM, and behind it the CAs that issued it";
	}
}

static bool
read_certificate(struct secret *out, const char *path, char *error)
{
	char holds[CONTENT_TEXT];
	if (!file_read(out, path, PEM_MOST, error))
		return false;
	struct content_facts facts = content_of(out->data, out->bytes);
	/* A key may stand beside its certificate in one file. */
	bool has_one = memmem(out->data, out->bytes, "-----BEGIN CERTIFICATE-", 23) ||
	    memmem(out->data, out->bytes, "-----BEGIN X509 CERTIFICATE-", 28);
	return has_one ||
	    fail(error, path, "holds %s where a certificate in PEM must be; %s",
		content_text(facts, holds), cure_for_certificate(facts));
}

/* ---- the two together ---- */

static bool
has_id(struct der certificate, const uint8_t id[KEY_ID])
{
	gnutls_datum_t der = { (unsigned char *)(uintptr_t)certificate.data,
		(unsigned)certificate.bytes };
	gnutls_x509_crt_t crt = NULL;
	uint8_t own[KEY_ID];
	size_t bytes = sizeof own;
	bool has = gnutls_x509_crt_init(&crt) >= 0 &&
	    gnutls_x509_crt_import(crt, &der, GNUTLS_X509_FMT_DER) >= 0 &&
	    gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, own, &bytes) >= 0 &&
	    memcmp(own, id, KEY_ID) == 0;
	gnutls_x509_crt_deinit(crt);
	return has;
}

static bool
judge_pair(const struct pem_file *file, const uint8_t id[KEY_ID], const char *certificate_path,
    const char *key_path, char *error)
{
	if (has_id(pem_block(file, 0), id))
		return true;
	for (size_t i = 1; i < file->count; i++)
		if (has_id(pem_block(file, i), id))
			return fail(error, certificate_path,
			    "its certificates are in the wrong order: the one "
			    "of the private key is number %zu of %zu; put it first, and behind each "
			    "certificate the one of its issuer",
			    i + 1, file->count);
	snprintf(error, KEY_PAIR_ERROR,
	    "%.250s, %.250s: the private key does not belong to the certificate; "
	    "give the two that were made together",
	    certificate_path, key_path);
	return false;
}

static bool
judge_certificate(
    const char *certificate_path, const char *key_path, const uint8_t id[KEY_ID], char *error)
{
	struct pem_file file;
	struct x509 facts;
	const char *why;
	if (!pem_load(&file, certificate_path, PEM_CERTIFICATE, error))
		return false;
	bool fine = x509_parse(&facts, pem_block(&file, 0), &why);
	if (!fine)
		fail(error, certificate_path, "its first certificate %s; issue it anew", why);
	else
		fine = judge_pair(&file, id, certificate_path, key_path, error);
	pem_wipe(&file);
	return fine;
}

enum key_pair_fault
key_pair_load(struct key_pair *pair, const char *certificate_path, const char *key_path,
    char error[KEY_PAIR_ERROR])
{
	uint8_t id[KEY_ID];

	*pair = (struct key_pair){ 0 };
	if (!read_certificate(&pair->certificate, certificate_path, error))
		return KEY_PAIR_CERTIFICATE;
	if (!key_ask_look(key_path, id, error) || !key_url_make(&pair->key, key_path, error))
		return KEY_PAIR_KEY;
	return judge_certificate(certificate_path, key_path, id, error) ? KEY_PAIR_FINE
									: KEY_PAIR_CERTIFICATE;
}

void
key_pair_wipe(struct key_pair *pair)
{
	secret_wipe(&pair->certificate);
	secret_wipe(&pair->key);
}
