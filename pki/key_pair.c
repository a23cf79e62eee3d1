/* Two files, judged one after the other and then together. */
#include "pki/key_pair.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/file.h"
#include "pki/content.h"
#include "pki/pem.h"
#include "pki/x509.h"

enum { PEM_MOST = 1 << 20, KEY_ID = 32 };

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

/* ---- the key ---- */

static const char *
cure_for_key(struct content_facts facts)
{
	switch (facts.kind) {
	case CONTENT_KEY:
		return "convert it: openssl pkey -inform DER -in FILE";
	case CONTENT_ENCRYPTED_KEY:
		return "nobody is here to type its password: decrypt it (openssl pkey -in FILE), or "
		       "issue it without --encrypt-key";
	case CONTENT_OPENSSH_KEY:
		return "convert it: ssh-keygen -p -m PKCS8 -f FILE";
	case CONTENT_PKCS12:
		return "take the key out: openssl pkcs12 -nocerts -noenc -in FILE";
	case CONTENT_CERTIFICATE:
		return "are the two files swapped?";
	default:
		return "give the private key in PEM";
	}
}

static bool
judge_key_content(const struct secret *key, const char *path, char *error)
{
	char holds[CONTENT_TEXT];
	struct content_facts facts = content_of_key_file(key->data, key->bytes);
	return (facts.is_pem && facts.kind == CONTENT_KEY) ||
	    fail(error, path, "holds %s where an unencrypted private key in PEM must be; %s",
		content_text(facts, holds), cure_for_key(facts));
}

/* Who may read the file matters only if there is a key in it, so that what is no key is told first. */
static bool
read_key(struct secret *out, const char *path, char *error)
{
	char ignored[FILE_ERROR];
	struct secret any = { 0 };
	if (file_read_key(out, path, PEM_MOST, error))
		return judge_key_content(out, path, error);
	if (file_read(&any, path, PEM_MOST, ignored))
		judge_key_content(&any, path, error);
	secret_wipe(&any);
	return false;
}

static bool
explain_key(const struct secret *key, const char *path, int result, char *error)
{
	gnutls_datum_t pem = { key->data, (unsigned)key->bytes }, der = { 0 };
	char text[KEY_FAULT];
	const char *curve = NULL;
	if (gnutls_pem_base64_decode2("EC PRIVATE KEY", &pem, &der) >= 0 ||
	    gnutls_pem_base64_decode2("PRIVATE KEY", &pem, &der) >= 0)
		curve = content_odd_curve(der.data, der.size, text);
	if (der.data)
		bytes_wipe(der.data, der.size);
	gnutls_free(der.data);
	if (curve)
		return fail(error, path,
		    "holds an EC key on %s, which TLS does not use; make one on P-256 "
		    "(openssl ecparam -name prime256v1 -genkey)",
		    curve);
	return fail(error, path,
	    "holds a private key that cannot be read (%s); make it anew, on P-256, "
	    "Ed25519 or with RSA",
	    gnutls_strerror(result));
}

/* The identifier of the key's public half. */
static bool
id_of_key(const struct secret *key, const char *path, uint8_t id[KEY_ID], char *error)
{
	gnutls_datum_t pem = { key->data, (unsigned)key->bytes };
	gnutls_x509_privkey_t private = NULL;
	size_t bytes = KEY_ID;
	int result = gnutls_x509_privkey_init(&private);
	if (result >= 0)
		result = gnutls_x509_privkey_import2(private, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (result >= 0)
		result =
		    gnutls_x509_privkey_get_key_id(private, GNUTLS_KEYID_USE_SHA256, id, &bytes);
	gnutls_x509_privkey_deinit(private);
	return result >= 0 || explain_key(key, path, result, error);
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
	if (!read_key(&pair->key, key_path, error) || !id_of_key(&pair->key, key_path, id, error))
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
