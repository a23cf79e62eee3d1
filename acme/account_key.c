/* GnuTLS for files, nettle for signatures. */
#include "acme/account_key.h"

#include <stdlib.h>
#include <string.h>

#include <gnutls/x509.h>
#include <nettle/bignum.h>
#include <nettle/dsa.h>
#include <nettle/ecc-curve.h>
#include <nettle/ecc.h>
#include <nettle/ecdsa.h>
#include <nettle/sha2.h>

#include "acme/base64url.h"
#include "pki/key_pem.h"

enum { COORDINATE = 32 };

struct account_key {
	gnutls_x509_privkey_t file;
	uint8_t x[COORDINATE], y[COORDINATE];
	struct ecc_scalar secret;
};

/* A number in full length, whatever the library has put before it or left out. */
static bool
take_number(uint8_t out[COORDINATE], const gnutls_datum_t *number)
{
	size_t zeros = 0, bytes;

	while (zeros < number->size && number->data[zeros] == 0)
		zeros++;
	bytes = number->size - zeros;
	if (bytes == 0 || bytes > COORDINATE)
		return false;
	memset(out, 0, COORDINATE - bytes);
	memcpy(out + COORDINATE - bytes, number->data + zeros, bytes);
	return true;
}

static bool
take_secret(struct account_key *key, const gnutls_datum_t *number)
{
	uint8_t bytes[COORDINATE];
	mpz_t value;
	bool is_fine = take_number(bytes, number);

	if (!is_fine)
		return false;
	nettle_mpz_init_set_str_256_u(value, sizeof bytes, bytes);
	is_fine = ecc_scalar_set(&key->secret, value) == 1;
	bytes_wipe(mpz_limbs_modify(value, 1), mpz_size(value) * sizeof(mp_limb_t));
	mpz_clear(value);
	bytes_wipe(bytes, sizeof bytes);
	return is_fine;
}

/* The library's own copies of the numbers are freed. */
static bool
take_numbers(struct account_key *key)
{
	gnutls_ecc_curve_t curve;
	gnutls_datum_t x = { 0 }, y = { 0 }, secret = { 0 };
	bool is_fine =
	    gnutls_x509_privkey_export_ecc_raw(key->file, &curve, &x, &y, &secret) >= 0 &&
	    curve == GNUTLS_ECC_CURVE_SECP256R1 && take_number(key->x, &x) &&
	    take_number(key->y, &y) && take_secret(key, &secret);

	if (secret.data)
		bytes_wipe(secret.data, secret.size);
	gnutls_free(x.data);
	gnutls_free(y.data);
	gnutls_free(secret.data);
	return is_fine;
}

static struct account_key *
make(gnutls_x509_privkey_t file)
{
	struct account_key *key = calloc(1, sizeof *key);

	if (!key) {
		gnutls_x509_privkey_deinit(file);
		return NULL;
	}
	key->file = file;
	ecc_scalar_init(&key->secret, nettle_get_secp_256r1());
	if (take_numbers(key))
		return key;
	account_key_free(key);
	return NULL;
}

struct account_key *
account_key_new(void)
{
	gnutls_x509_privkey_t file = NULL;

	if (key_type_generate(KEY_P256, &file) >= 0)
		return make(file);
	gnutls_x509_privkey_deinit(file);
	return NULL;
}

struct account_key *
account_key_import(const struct secret *pem)
{
	gnutls_x509_privkey_t file = NULL;

	if (key_pem_read(pem, &file) >= 0 &&
	    gnutls_x509_privkey_get_pk_algorithm(file) == GNUTLS_PK_ECDSA)
		return make(file);
	gnutls_x509_privkey_deinit(file);
	return NULL;
}

bool
account_key_export(const struct account_key *key, struct secret *pem)
{
	return key_pem_write(pem, key->file) >= 0;
}

void
account_key_free(struct account_key *key)
{
	if (!key)
		return;
	gnutls_x509_privkey_deinit(key->file);
	ecc_scalar_clear(&key->secret);
	bytes_wipe(key, sizeof *key);
	free(key);
}

json_t *
account_key_public(const struct account_key *key)
{
	char *x = base64url_encode(key->x, sizeof key->x),
	     *y = base64url_encode(key->y, sizeof key->y);
	json_t *public = x && y
	    ? json_pack("{s:s, s:s, s:s, s:s}", "crv", "P-256", "kty", "EC", "x", x, "y", y)
	    : NULL;

	free(x);
	free(y);
	return public;
}

/* RFC 7638, 3.3: the members in this order, with nothing between. */
char *
account_key_thumbprint(const struct account_key *key)
{
	json_t *public = account_key_public(key);
	char *text = json_dumps(public, JSON_COMPACT | JSON_SORT_KEYS), *thumbprint = NULL;
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx sha;

	if (text) {
		sha256_init(&sha);
		sha256_update(&sha, strlen(text), (const uint8_t *)text);
		sha256_digest(&sha, sizeof digest, digest);
		thumbprint = base64url_encode(digest, sizeof digest);
	}
	free(text);
	json_decref(public);
	return thumbprint;
}

static void
random_bytes(void *context, size_t bytes, uint8_t *out)
{
	(void)context;
	arc4random_buf(out, bytes);
}

void
account_key_sign(const struct account_key *key, const void *data, size_t bytes,
    uint8_t signature[ACCOUNT_KEY_SIGNATURE])
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct dsa_signature numbers;
	struct sha256_ctx sha;

	sha256_init(&sha);
	sha256_update(&sha, bytes, data);
	sha256_digest(&sha, sizeof digest, digest);
	dsa_signature_init(&numbers);
	ecdsa_sign(&key->secret, NULL, random_bytes, sizeof digest, digest, &numbers);
	nettle_mpz_get_str_256(COORDINATE, signature, numbers.r);
	nettle_mpz_get_str_256(COORDINATE, signature + COORDINATE, numbers.s);
	dsa_signature_clear(&numbers);
}
