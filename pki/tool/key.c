/* Keys in files and on tokens. */
#include "pki/tool/key.h"

#include <limits.h>

#include "base/file.h"
#include "pki/content.h"
#include "pki/ec_key.h"
#include "pki/tool/message.h"
#include "pki/tool/store.h"
#include "pki/tool/token.h"

enum { KEY_FILE_MOST = 64 * 1024 };

int
key_parse_type(const char *word, enum key_type *type)
{
	return key_type_parse(word, type)
	    ? 0
	    : message_fail(EX_USAGE, "--key-type '%s': give " KEY_TYPE_WORDS, word);
}

int
key_generate(enum key_type type, gnutls_x509_privkey_t *out)
{
	int problem = key_type_generate(type, out);

	return problem < 0
	    ? message_fail(EX_SOFTWARE, "a key cannot be made: %s", gnutls_strerror(problem))
	    : 0;
}

int
key_encode(gnutls_x509_privkey_t key, const char *passphrase, struct secret *pem)
{
	gnutls_datum_t text = { 0 };
	int problem = gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, passphrase,
	    passphrase ? GNUTLS_PKCS_PBES2_AES_256 : GNUTLS_PKCS_PLAIN, &text);
	bool kept;

	if (problem < 0)
		return message_fail(
		    EX_SOFTWARE, "a key cannot be written: %s", gnutls_strerror(problem));
	kept = secret_init(pem, text.data, text.size);
	bytes_wipe(text.data, text.size);
	gnutls_free(text.data);
	return kept ? 0 : message_no_memory();
}

static int
import(const struct secret *file, const char *path, struct passphrase *passphrase,
    gnutls_x509_privkey_t key)
{
	const gnutls_datum_t pem = { file->data, (unsigned)file->bytes };
	bool encrypted = content_of_key_file(file->data, file->bytes).kind == CONTENT_ENCRYPTED_KEY;
	int code, problem;

	if (encrypted && (code = passphrase_need(passphrase, path, false)))
		return code;
	problem = gnutls_x509_privkey_import2(key, &pem, GNUTLS_X509_FMT_PEM,
	    encrypted ? passphrase_text(passphrase) : NULL, encrypted ? 0 : GNUTLS_PKCS_PLAIN);
	if (problem == GNUTLS_E_DECRYPTION_FAILED)
		return message_fail(EX_NOPERM, "%s: this is not its passphrase", path);
	return problem < 0
	    ? message_fail(EX_DATAERR, "%s is not a private key that can be read: %s", path,
		  gnutls_strerror(problem))
	    : 0;
}

int
key_load(const struct store *store, const char *path, struct passphrase *passphrase,
    gnutls_x509_privkey_t *out)
{
	char whole[PATH_MAX], error[FILE_ERROR];
	struct secret file = { 0 };
	int code;

	if (*path != '/')
		path = store_path(store, path, whole);
	if (!file_read_key(&file, path, KEY_FILE_MOST, error))
		return message_fail(EX_NOINPUT, "%s", error);
	code = gnutls_x509_privkey_init(out) < 0 ? message_no_memory()
						 : import(&file, path, passphrase, *out);
	secret_wipe(&file);
	return code || ec_key_normalise(out) ? code : message_no_memory();
}

int
key_abstract(gnutls_x509_privkey_t key, gnutls_privkey_t *out)
{
	if (gnutls_privkey_init(out) < 0 ||
	    gnutls_privkey_import_x509(*out, key, GNUTLS_PRIVKEY_IMPORT_COPY) < 0)
		return message_no_memory();
	return 0;
}

int
key_open(const struct store *store, const char *where, struct passphrase *passphrase,
    gnutls_privkey_t *out)
{
	gnutls_x509_privkey_t key = NULL;
	int code;

	if (token_is_uri(where))
		return token_open(where, passphrase, out);
	code = key_load(store, where, passphrase, &key);
	if (!code)
		code = key_abstract(key, out);
	gnutls_x509_privkey_deinit(key);
	return code;
}

int
key_public(gnutls_privkey_t key, gnutls_pubkey_t *out)
{
	int problem = gnutls_pubkey_init(out);

	if (problem >= 0)
		problem = gnutls_pubkey_import_privkey(*out, key, 0, 0);
	return problem < 0 ? message_fail(EX_SOFTWARE, "a key's public half cannot be read: %s",
				 gnutls_strerror(problem))
			   : 0;
}
