/* Keys in files and on tokens. */
#include "pki/tool/key.h"

#include <gnutls/crypto.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "pki/tool/encode.h"
#include "pki/tool/say.h"
#include "pki/tool/store.h"
#include "pki/tool/token.h"

enum { KEY_FILE_MOST = 64 * 1024, SALT = 16, BLOCK = 16, KEY_BYTES = 32 };

static const struct {
	const char *word;
	gnutls_pk_algorithm_t algorithm;
	unsigned bits;
} types[KEY_TYPES] = {
	[KEY_P256] = { "p256", GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1) },
	[KEY_ED25519] = { "ed25519", GNUTLS_PK_EDDSA_ED25519, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_ED25519) },
	[KEY_RSA2048] = { "rsa2048", GNUTLS_PK_RSA, 2048 },
	[KEY_RSA3072] = { "rsa3072", GNUTLS_PK_RSA, 3072 },
};

int
key_type_parse(const char *word, enum key_type *type)
{
	*type = KEY_P256;
	for (size_t i = 0; word && i < KEY_TYPES; i++)
		if (strcmp(word, types[i].word) == 0) {
			*type = (enum key_type)i;
			return 0;
		}
	return word ? say_fail(EX_USAGE, "--key-type '%s': give p256, ed25519, rsa2048 or rsa3072", word) : 0;
}

void
key_type_facts(enum key_type type, gnutls_pk_algorithm_t *algorithm, unsigned *bits)
{
	*algorithm = types[type].algorithm;
	*bits = types[type].bits;
}

int
key_generate(enum key_type type, gnutls_x509_privkey_t *out)
{
	int problem = gnutls_x509_privkey_init(out);

	if (problem >= 0)
		problem = gnutls_x509_privkey_generate(*out, types[type].algorithm, types[type].bits, 0);
	return problem < 0 ? say_fail(EX_SOFTWARE, "a key cannot be made: %s", gnutls_strerror(problem)) : 0;
}

/* EncryptedPrivateKeyInfo { PBES2 { PBKDF2 { salt, rounds, HMAC-SHA-256 }, AES-256-CBC { iv } }, data } */
static void
encode_encrypted(struct encoding *out, const uint8_t salt[SALT], const uint8_t iv[BLOCK], const uint8_t *data, size_t bytes)
{
	static const uint8_t pbes2[] = { 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13 };
	static const uint8_t pbkdf2[] = { 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 12 };
	static const uint8_t hmac_sha256[] = { 0x30, 12, 6, 8, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 9, 5, 0 };
	static const uint8_t aes256_cbc[] = { 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 42 };
	size_t algorithm, mark;

	encode_octets(out, data, bytes);
	algorithm = mark = encode_mark(out);
	encode_octets(out, iv, BLOCK);
	encode_raw(out, aes256_cbc, sizeof(aes256_cbc));
	encode_wrap(out, DER_SEQUENCE, mark);
	mark = encode_mark(out);
	encode_raw(out, hmac_sha256, sizeof(hmac_sha256));
	encode_number(out, KEY_ROUNDS);
	encode_octets(out, salt, SALT);
	encode_wrap(out, DER_SEQUENCE, mark);
	encode_raw(out, pbkdf2, sizeof(pbkdf2));
	encode_wrap(out, DER_SEQUENCE, mark);
	encode_wrap(out, DER_SEQUENCE, algorithm);
	encode_raw(out, pbes2, sizeof(pbes2));
	encode_wrap(out, DER_SEQUENCE, algorithm);
	encode_wrap(out, DER_SEQUENCE, 0);
}

/* data has room for the padding: the next whole block. */
static int
cbc_encrypt(const char *passphrase, const uint8_t salt[SALT], uint8_t iv[BLOCK], uint8_t *data, size_t bytes)
{
	uint8_t derived[KEY_BYTES];
	const gnutls_datum_t secret = { (unsigned char *)(uintptr_t)passphrase, (unsigned)strlen(passphrase) };
	const gnutls_datum_t salted = { (unsigned char *)(uintptr_t)salt, SALT }, key = { derived, KEY_BYTES };
	const gnutls_datum_t start = { iv, BLOCK };
	gnutls_cipher_hd_t cipher = NULL;
	int problem = gnutls_pbkdf2(GNUTLS_MAC_SHA256, &secret, &salted, KEY_ROUNDS, derived, KEY_BYTES);

	if (problem >= 0)
		problem = gnutls_cipher_init(&cipher, GNUTLS_CIPHER_AES_256_CBC, &key, &start);
	if (problem >= 0)
		problem = gnutls_cipher_encrypt(cipher, data, bytes);
	if (cipher)
		gnutls_cipher_deinit(cipher);
	bytes_wipe(derived, sizeof(derived));
	return problem;
}

static int
armour(const char *label, const uint8_t *data, size_t bytes, struct secret *pem)
{
	const gnutls_datum_t der = { (unsigned char *)(uintptr_t)data, (unsigned)bytes };
	gnutls_datum_t text = { 0 };
	bool kept;

	if (!data || gnutls_pem_base64_encode2(label, &der, &text) < 0)
		return say_no_memory();
	kept = secret_init(pem, text.data, text.size);
	bytes_wipe(text.data, text.size);
	gnutls_free(text.data);
	return kept ? 0 : say_no_memory();
}

static int
encrypt(const gnutls_datum_t *clear, const char *passphrase, struct secret *pem)
{
	size_t bytes = (clear->size / BLOCK + 1) * BLOCK;
	uint8_t salt[SALT], iv[BLOCK], *data = gnutls_malloc(bytes);
	struct encoding out = { 0 };
	int code, problem;

	if (!data)
		return say_no_memory();
	memcpy(data, clear->data, clear->size);
	memset(data + clear->size, (int)(bytes - clear->size), bytes - clear->size);
	bytes_random(salt, sizeof(salt));
	bytes_random(iv, sizeof(iv));
	problem = cbc_encrypt(passphrase, salt, iv, data, bytes);
	if (problem < 0) {
		code = say_fail(EX_SOFTWARE, "a key cannot be encrypted: %s", gnutls_strerror(problem));
	} else {
		encode_encrypted(&out, salt, iv, data, bytes);
		code = armour("ENCRYPTED PRIVATE KEY", encode_finish(&out), out.bytes, pem);
	}
	encode_wipe(&out);
	bytes_wipe(data, bytes);
	gnutls_free(data);
	return code;
}

int
key_encode(gnutls_x509_privkey_t key, const char *passphrase, struct secret *pem)
{
	gnutls_datum_t clear = { 0 };
	int code, problem = gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_DER, NULL, GNUTLS_PKCS_PLAIN, &clear);

	if (problem < 0)
		return say_fail(EX_SOFTWARE, "a key cannot be written: %s", gnutls_strerror(problem));
	code = passphrase ? encrypt(&clear, passphrase, pem) : armour("PRIVATE KEY", clear.data, clear.size, pem);
	bytes_wipe(clear.data, clear.size);
	gnutls_free(clear.data);
	return code;
}

static int
import(const struct secret *file, const char *path, struct passphrase *passphrase, gnutls_x509_privkey_t key)
{
	const gnutls_datum_t pem = { file->data, (unsigned)file->bytes };
	bool encrypted = memmem(file->data, file->bytes, "ENCRYPTED", 9) != NULL;
	int code, problem;

	if (encrypted && (code = passphrase_need(passphrase, path, false)))
		return code;
	problem = gnutls_x509_privkey_import2(key, &pem, GNUTLS_X509_FMT_PEM,
	    encrypted ? passphrase_text(passphrase) : NULL, encrypted ? 0 : GNUTLS_PKCS_PLAIN);
	if (problem == GNUTLS_E_DECRYPTION_FAILED)
		return say_fail(EX_NOPERM, "%s: this is not its passphrase", path);
	return problem < 0 ? say_fail(EX_DATAERR, "%s: no private key that can be read: %s", path, gnutls_strerror(problem)) : 0;
}

int
key_load(const struct store *store, const char *path, struct passphrase *passphrase, gnutls_x509_privkey_t *out)
{
	char whole[PATH_MAX], error[FILE_ERROR];
	struct secret file = { 0 };
	int code;

	if (*path != '/')
		path = store_path(store, path, whole);
	if (!file_read_key(&file, path, KEY_FILE_MOST, error))
		return say_fail(EX_NOINPUT, "%s", error);
	code = gnutls_x509_privkey_init(out) < 0 ? say_no_memory() : import(&file, path, passphrase, *out);
	secret_wipe(&file);
	return code;
}

int
key_abstract(gnutls_x509_privkey_t key, gnutls_privkey_t *out)
{
	if (gnutls_privkey_init(out) < 0 || gnutls_privkey_import_x509(*out, key, GNUTLS_PRIVKEY_IMPORT_COPY) < 0)
		return say_no_memory();
	return 0;
}

int
key_open(const struct store *store, const char *where, struct passphrase *passphrase, gnutls_privkey_t *out)
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
	return problem < 0 ? say_fail(EX_SOFTWARE, "a key's public half cannot be read: %s", gnutls_strerror(problem)) : 0;
}
