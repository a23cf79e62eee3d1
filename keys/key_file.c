/* Reads the file, and says what is wrong with it. */
#include "keys/key_file.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <gnutls/gnutls.h>

#include "base/file.h"
#include "pki/content.h"

enum { PEM_MOST = 1 << 20 };

__attribute__((format(printf, 3, 4))) static bool
fail(char *error, const char *path, const char *format, ...)
{
	size_t used = (size_t)snprintf(error, KEY_FILE_ERROR, "%.256s: ", path);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error + used, KEY_FILE_ERROR - used, format, arguments);
	va_end(arguments);
	return false;
}

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

int
key_file_take(struct key_file *out, const struct secret *pem)
{
	const gnutls_datum_t text = { pem->data, (unsigned)pem->bytes };
	size_t bytes = sizeof out->digest;
	int result = gnutls_x509_privkey_init(&out->key);

	if (result >= 0)
		result = gnutls_x509_privkey_import2(out->key, &text, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (result >= 0)
		result = gnutls_x509_privkey_get_key_id(
		    out->key, GNUTLS_KEYID_USE_SHA256, out->digest, &bytes);
	if (result >= 0)
		result = out->algorithm =
		    gnutls_x509_privkey_get_pk_algorithm2(out->key, &out->bits);
	return result;
}

bool
key_file_load(struct key_file *out, const char *path, char error[KEY_FILE_ERROR])
{
	struct secret pem = { 0 };
	bool is_fine;
	int result;

	*out = (struct key_file){ 0 };
	is_fine = read_key(&pem, path, error);
	if (is_fine && (result = key_file_take(out, &pem)) < 0)
		is_fine = explain_key(&pem, path, result, error);
	secret_wipe(&pem);
	return is_fine;
}

void
key_file_wipe(struct key_file *file)
{
	gnutls_x509_privkey_deinit(file->key);
	*file = (struct key_file){ 0 };
}
