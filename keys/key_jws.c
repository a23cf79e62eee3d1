/*
 * The key of an account at an ACME server: looks at what is to be signed, and writes numbers in full
 * length, as ES256 (RFC 7518, 3.4) has them.
 */
#include <ctype.h>
#include <string.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "keys/key_store_private.h"

enum { NUMBER = 32 };

/* A number in full length, whatever the library has put before it or left out. */
static bool
put_number(uint8_t out[NUMBER], gnutls_datum_t number)
{
	while (number.size > 0 && *number.data == 0) {
		number.data++;
		number.size--;
	}
	if (number.size == 0 || number.size > NUMBER)
		return false;
	memset(out, 0, NUMBER - number.size);
	memcpy(out + NUMBER - number.size, number.data, number.size);
	return true;
}

/* False: one of the two is none. */
static bool
give_two(struct key_saying *saying, gnutls_datum_t one, gnutls_datum_t other)
{
	if (!put_number(saying->storage, one) || !put_number(saying->storage + NUMBER, other))
		return false;
	saying->answer->data = saying->storage;
	saying->answer->bytes = 2 * NUMBER;
	return true;
}

bool
key_jws_describe(const struct key_file *file, const char *path, struct key_saying *saying)
{
	gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;
	gnutls_datum_t x = { 0 }, y = { 0 };
	bool is_fine = file->algorithm == GNUTLS_PK_ECDSA &&
	    gnutls_x509_privkey_export_ecc_raw(file->key, &curve, &x, &y, NULL) >= 0 &&
	    curve == GNUTLS_ECC_CURVE_SECP256R1 && give_two(saying, x, y);

	gnutls_free(x.data);
	gnutls_free(y.data);
	if (!is_fine)
		key_answer_say(saying, KEY_REFUSED,
		    "%.300s: not a private key on P-256, as an ACME account's is; remove it to make a new account",
		    path);
	return is_fine;
}

/* RFC 7515, 5.1: the protected header, a dot, and the payload, in base64url (RFC 4648, 5).  Ours
 * begins with the algorithm: {"alg":"ES256", */
static bool
is_signing_input(const uint8_t *text, size_t bytes)
{
	static const char head[] = "eyJhbGciOiJFUzI1NiIs";
	size_t dots = 0;

	if (bytes < sizeof head - 1 || memcmp(text, head, sizeof head - 1) != 0)
		return false;
	for (size_t i = 0; i < bytes; i++) {
		dots += text[i] == '.';
		if (text[i] != '.' && text[i] != '-' && text[i] != '_' &&
		    !(text[i] < 0x80 && isalnum(text[i])))
			return false;
	}
	return dots == 1;
}

static int
give_signature(const gnutls_datum_t *der, struct key_saying *saying)
{
	gnutls_datum_t r = { 0 }, s = { 0 };
	int problem = gnutls_decode_rs_value(der, &r, &s);

	if (problem >= 0 && !give_two(saying, r, s))
		problem = GNUTLS_E_INTERNAL_ERROR;
	gnutls_free(r.data);
	gnutls_free(s.data);
	return problem;
}

void
key_jws_sign(gnutls_privkey_t key, const struct key_question *question, struct key_saying *saying)
{
	const gnutls_datum_t text = { (uint8_t *)(uintptr_t)question->data,
		(unsigned)question->bytes };
	gnutls_datum_t der = { 0 };
	int problem;

	if (!is_signing_input(question->data, question->bytes)) {
		key_answer_say(saying, KEY_FORBIDDEN,
		    "the key of an account signs nothing but JSON Web Signatures");
		return;
	}
	problem = gnutls_privkey_sign_data2(key, GNUTLS_SIGN_ECDSA_SHA256, 0, &text, &der);
	if (problem >= 0)
		problem = give_signature(&der, saying);
	gnutls_free(der.data);
	if (problem < 0)
		key_answer_say(saying, KEY_FAILED, "%s", gnutls_strerror(problem));
}
