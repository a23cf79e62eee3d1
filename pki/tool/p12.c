/* The structures of RFC 7292, from the last field to the first, and what they are encrypted with. */
#include "pki/tool/p12.h"

#include <stdlib.h>
#include <string.h>

#include <nettle/aes.h>
#include <nettle/cbc.h>
#include <nettle/hmac.h>
#include <nettle/pbkdf2.h>
#include <nettle/sha2.h>

#include "base/utf8.h"
#include "pki/tool/encode.h"
#include "pki/tool/message.h"

enum { SALT_BYTES = 16, BMP_STRING = 0x1e, MAC_KEY = 3 /* RFC 7292, B.3 */ };

/* With their headers. */
static const uint8_t oid_data[] = { 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1 };
static const uint8_t oid_encrypted_data[] = { 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 6 };
static const uint8_t oid_key_bag[] = { 6, 11, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1, 2 };
static const uint8_t oid_cert_bag[] = { 6, 11, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1,
	3 };
static const uint8_t oid_x509[] = { 6, 10, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 22, 1 };
static const uint8_t oid_friendly_name[] = { 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 20 };
static const uint8_t oid_local_key_id[] = { 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 21 };
static const uint8_t oid_pbes2[] = { 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13 };
static const uint8_t oid_pbkdf2[] = { 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 12 };
static const uint8_t oid_aes256_cbc[] = { 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 42 };
static const uint8_t hmac_sha256[] = { 0x30, 12, 6, 8, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 9, 5,
	0 };
static const uint8_t sha256[] = { 0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0 };

struct p12 {
	const struct identity_bundle *bundle;
	const char *passphrase;
	struct secret wide; /* the passphrase as a BMPString, with a NUL behind it */
	uint32_t rounds;
	uint8_t key_id[64];
	size_t key_id_bytes;
};

/* What is encrypted, and with what; the text is malloc()ed. */
struct sealed {
	uint8_t salt[SALT_BYTES], iv[AES_BLOCK_SIZE];
	uint8_t *text;
	size_t bytes;
};

/* ---- cryptography ---- */

/* UTF-16, as everybody writes a BMPString; two octets a byte are enough.  False if it is not UTF-8. */
static bool
widen(const char *text, uint8_t *out, size_t *bytes)
{
	size_t left = strlen(text);
	uint32_t point;

	*bytes = 0;
	for (unsigned length; left; text += length, left -= length) {
		uint32_t high = 0;

		length = utf8_decode(text, left, &point);
		if (length == 0)
			return false;
		if (point >= 0x10000) {
			high = 0xd800 + ((point - 0x10000) >> 10);
			point = 0xdc00 + ((point - 0x10000) & 0x3ff);
			out[(*bytes)++] = (uint8_t)(high >> 8);
			out[(*bytes)++] = (uint8_t)high;
		}
		out[(*bytes)++] = (uint8_t)(point >> 8);
		out[(*bytes)++] = (uint8_t)point;
	}
	return true;
}

/* Repeated to a multiple of the hash's block. */
static void
fill_blocks(struct sha256_ctx *sha, const uint8_t *data, size_t bytes)
{
	size_t left = (bytes + SHA256_BLOCK_SIZE - 1) / SHA256_BLOCK_SIZE * SHA256_BLOCK_SIZE;

	for (size_t piece; left; left -= piece) {
		piece = bytes < left ? bytes : left;
		sha256_update(sha, piece, data);
	}
}

/* RFC 7292, B.2, for as many octets as the hash has. */
static void
derive_mac_key(
    const struct p12 *p12, const uint8_t salt[SALT_BYTES], uint8_t key[SHA256_DIGEST_SIZE])
{
	uint8_t diversifier[SHA256_BLOCK_SIZE];
	struct sha256_ctx sha;

	memset(diversifier, MAC_KEY, sizeof diversifier);
	sha256_init(&sha);
	sha256_update(&sha, sizeof diversifier, diversifier);
	fill_blocks(&sha, salt, SALT_BYTES);
	fill_blocks(&sha, p12->wide.data, p12->wide.bytes);
	sha256_digest(&sha, SHA256_DIGEST_SIZE, key);
	for (uint32_t i = 1; i < p12->rounds; i++) {
		sha256_update(&sha, SHA256_DIGEST_SIZE, key);
		sha256_digest(&sha, SHA256_DIGEST_SIZE, key);
	}
	bytes_wipe(&sha, sizeof sha);
}

/* PBES2 of RFC 8018, with the padding of its 6.1.1. */
static bool
seal(const struct p12 *p12, const uint8_t *data, size_t bytes, struct sealed *out)
{
	uint8_t key[AES256_KEY_SIZE], iv[AES_BLOCK_SIZE];
	size_t padding = AES_BLOCK_SIZE - bytes % AES_BLOCK_SIZE;
	struct aes256_ctx aes;

	out->bytes = bytes + padding;
	out->text = malloc(out->bytes);
	if (!out->text)
		return false;
	arc4random_buf(out->salt, sizeof out->salt);
	arc4random_buf(out->iv, sizeof out->iv);
	pbkdf2_hmac_sha256(strlen(p12->passphrase), (const uint8_t *)p12->passphrase, p12->rounds,
	    sizeof out->salt, out->salt, sizeof key, key);
	memcpy(out->text, data, bytes);
	memset(out->text + bytes, (int)padding, padding);
	memcpy(iv, out->iv, sizeof iv);
	aes256_set_encrypt_key(&aes, key);
	cbc_encrypt(&aes, (nettle_cipher_func *)aes256_encrypt, sizeof iv, iv, out->bytes,
	    out->text, out->text);
	bytes_wipe(key, sizeof key);
	bytes_wipe(&aes, sizeof aes);
	return true;
}

/* ---- structures ---- */

static void
put_octets(struct encoding *out, const void *data, size_t bytes)
{
	size_t mark = encode_mark(out);

	encode_raw(out, data, bytes);
	encode_wrap(out, DER_OCTET_STRING, mark);
}

/* SEQUENCE { OID, [0] what was written since the mark }: ContentInfo, and the front of a SafeBag. */
static void
wrap_content(struct encoding *out, const uint8_t *oid, size_t oid_bytes, size_t mark)
{
	encode_wrap(out, DER_CONTEXT_SEQUENCE, mark);
	encode_raw(out, oid, oid_bytes);
	encode_wrap(out, DER_SEQUENCE, mark);
}

static void
put_pbes2(struct encoding *out, const struct p12 *p12, const struct sealed *sealed)
{
	size_t all = encode_mark(out), mark = all;

	put_octets(out, sealed->iv, sizeof sealed->iv);
	encode_raw(out, oid_aes256_cbc, sizeof oid_aes256_cbc);
	encode_wrap(out, DER_SEQUENCE, mark);
	mark = encode_mark(out);
	encode_raw(out, hmac_sha256, sizeof hmac_sha256);
	encode_number(out, p12->rounds);
	put_octets(out, sealed->salt, sizeof sealed->salt);
	encode_wrap(out, DER_SEQUENCE, mark);
	encode_raw(out, oid_pbkdf2, sizeof oid_pbkdf2);
	encode_wrap(out, DER_SEQUENCE, mark);
	encode_wrap(out, DER_SEQUENCE, all);
	encode_raw(out, oid_pbes2, sizeof oid_pbes2);
	encode_wrap(out, DER_SEQUENCE, all);
}

/* Attribute { type, SET { what was written since the mark } }. */
static void
wrap_attribute(struct encoding *out, const uint8_t *oid, size_t oid_bytes, size_t mark)
{
	encode_wrap(out, DER_SET, mark);
	encode_raw(out, oid, oid_bytes);
	encode_wrap(out, DER_SEQUENCE, mark);
}

/* By which readers find the certificate of the key. */
static void
put_attributes(struct encoding *out, const struct p12 *p12)
{
	uint8_t name[2 * CA_NAME];
	size_t all = encode_mark(out), mark = all, bytes;

	put_octets(out, p12->key_id, p12->key_id_bytes);
	wrap_attribute(out, oid_local_key_id, sizeof oid_local_key_id, mark);
	mark = encode_mark(out);
	widen(p12->bundle->record.name, name, &bytes);
	encode_raw(out, name, bytes);
	encode_wrap(out, BMP_STRING, mark);
	wrap_attribute(out, oid_friendly_name, sizeof oid_friendly_name, mark);
	encode_wrap(out, DER_SET, all);
}

static int
put_certificate(struct encoding *out, const struct p12 *p12, size_t index)
{
	gnutls_datum_t der = { 0 };
	size_t all = encode_mark(out), mark;

	if (gnutls_x509_crt_export2(p12->bundle->chain[index], GNUTLS_X509_FMT_DER, &der) < 0)
		return message_no_memory();
	if (index == 0)
		put_attributes(out, p12);
	mark = encode_mark(out);
	put_octets(out, der.data, der.size);
	wrap_content(out, oid_x509, sizeof oid_x509, mark);
	encode_wrap(out, DER_CONTEXT_SEQUENCE, mark);
	encode_raw(out, oid_cert_bag, sizeof oid_cert_bag);
	encode_wrap(out, DER_SEQUENCE, all);
	gnutls_free(der.data);
	return 0;
}

/* ContentInfo of the certificates, encrypted. */
static int
put_certificates(struct encoding *out, const struct p12 *p12)
{
	struct encoding bags = { 0 };
	struct sealed sealed = { 0 };
	size_t mark = encode_mark(out);
	int code = 0;

	for (size_t i = p12->bundle->chain_count; !code && i-- > 0;)
		code = put_certificate(&bags, p12, i);
	encode_wrap(&bags, DER_SEQUENCE, 0);
	if (!code &&
	    (!encode_finish(&bags) || !seal(p12, encode_finish(&bags), bags.bytes, &sealed)))
		code = message_no_memory();
	encode_wipe(&bags);
	if (code)
		return code;
	encode_raw(out, sealed.text, sealed.bytes);
	encode_wrap(out, DER_CONTEXT, mark);
	put_pbes2(out, p12, &sealed);
	encode_raw(out, oid_data, sizeof oid_data);
	encode_wrap(out, DER_SEQUENCE, mark);
	encode_number(out, 0);
	encode_wrap(out, DER_SEQUENCE, mark);
	wrap_content(out, oid_encrypted_data, sizeof oid_encrypted_data, mark);
	free(sealed.text);
	return 0;
}

/* ContentInfo of the key, which is encrypted by itself. */
static int
put_key(struct encoding *out, const struct p12 *p12)
{
	gnutls_datum_t der = { 0 };
	struct sealed sealed = { 0 };
	size_t all = encode_mark(out), mark;
	bool kept = gnutls_x509_privkey_export2_pkcs8(p12->bundle->key, GNUTLS_X509_FMT_DER, NULL,
			GNUTLS_PKCS_PLAIN, &der) >= 0 &&
	    seal(p12, der.data, der.size, &sealed);

	if (der.data)
		bytes_wipe(der.data, der.size);
	gnutls_free(der.data);
	if (!kept)
		return message_no_memory();
	put_attributes(out, p12);
	mark = encode_mark(out);
	put_octets(out, sealed.text, sealed.bytes);
	put_pbes2(out, p12, &sealed);
	encode_wrap(out, DER_SEQUENCE, mark);
	encode_wrap(out, DER_CONTEXT_SEQUENCE, mark);
	encode_raw(out, oid_key_bag, sizeof oid_key_bag);
	encode_wrap(out, DER_SEQUENCE, all);
	encode_wrap(out, DER_SEQUENCE, all);
	encode_wrap(out, DER_OCTET_STRING, all);
	wrap_content(out, oid_data, sizeof oid_data, all);
	free(sealed.text);
	return 0;
}

/* MacData over the authenticated safe. */
static void
put_mac(struct encoding *out, const struct p12 *p12, const uint8_t *safe, size_t bytes)
{
	uint8_t salt[SALT_BYTES], key[SHA256_DIGEST_SIZE], mac[SHA256_DIGEST_SIZE];
	struct hmac_sha256_ctx hmac;
	size_t all = encode_mark(out), mark;

	arc4random_buf(salt, sizeof salt);
	derive_mac_key(p12, salt, key);
	hmac_sha256_set_key(&hmac, sizeof key, key);
	hmac_sha256_update(&hmac, bytes, safe);
	hmac_sha256_digest(&hmac, sizeof mac, mac);
	bytes_wipe(key, sizeof key);
	bytes_wipe(&hmac, sizeof hmac);
	encode_number(out, p12->rounds);
	put_octets(out, salt, sizeof salt);
	mark = encode_mark(out);
	put_octets(out, mac, sizeof mac);
	encode_raw(out, sha256, sizeof sha256);
	encode_wrap(out, DER_SEQUENCE, mark);
	encode_wrap(out, DER_SEQUENCE, all);
}

/* PFX. */
static void
put_file(struct encoding *out, const struct p12 *p12, const uint8_t *safe, size_t bytes)
{
	size_t mark;

	put_mac(out, p12, safe, bytes);
	mark = encode_mark(out);
	put_octets(out, safe, bytes);
	wrap_content(out, oid_data, sizeof oid_data, mark);
	encode_number(out, 3);
	encode_wrap(out, DER_SEQUENCE, 0);
}

static int
encode_all(const struct p12 *p12, struct secret *out)
{
	struct encoding safe = { 0 }, file = { 0 };
	int code = put_key(&safe, p12);

	if (!code)
		code = put_certificates(&safe, p12);
	encode_wrap(&safe, DER_SEQUENCE, 0);
	if (!code && encode_finish(&safe))
		put_file(&file, p12, encode_finish(&safe), safe.bytes);
	if (!code &&
	    (!encode_finish(&safe) || !encode_finish(&file) ||
		!secret_init(out, encode_finish(&file), file.bytes)))
		code = message_no_memory();
	encode_wipe(&safe);
	encode_wipe(&file);
	return code;
}

int
p12_encode(const struct identity_bundle *bundle, const char *passphrase, uint32_t rounds,
    struct secret *out)
{
	struct p12 p12 = { .bundle = bundle, .passphrase = passphrase, .rounds = rounds };
	size_t most = 2 * strlen(passphrase) + 2;
	int code = 0;

	p12.wide = (struct secret){ calloc(1, most), most };
	p12.key_id_bytes = sizeof p12.key_id;
	if (!p12.wide.data ||
	    gnutls_x509_crt_get_key_id(bundle->chain[0], 0, p12.key_id, &p12.key_id_bytes) < 0)
		code = message_no_memory();
	else if (!widen(passphrase, p12.wide.data, &p12.wide.bytes))
		code = message_fail(EX_DATAERR,
		    "the passphrase is not UTF-8; programs would disagree about what it is");
	p12.wide.bytes += 2; /* the NUL */
	if (!code)
		code = encode_all(&p12, out);
	p12.wide.bytes = most;
	secret_wipe(&p12.wide);
	return code;
}
