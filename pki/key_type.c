/* The table of the key types, and a key of each. */
#include "pki/key_type.h"

#include <string.h>

#include "pki/ec_key.h"

static const struct {
	const char *word;
	gnutls_pk_algorithm_t algorithm;
	unsigned bits;
} types[KEY_TYPES] = {
	[KEY_P256] = { "p256", GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1) },
	[KEY_ED25519] = { "ed25519", GNUTLS_PK_EDDSA_ED25519,
	    GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_ED25519) },
	[KEY_RSA2048] = { "rsa2048", GNUTLS_PK_RSA, 2048 },
	[KEY_RSA3072] = { "rsa3072", GNUTLS_PK_RSA, 3072 },
};

bool
key_type_parse(const char *word, enum key_type *type)
{
	*type = KEY_P256;
	for (size_t i = 0; word && i < KEY_TYPES; i++)
		if (strcmp(word, types[i].word) == 0) {
			*type = (enum key_type)i;
			return true;
		}
	return !word;
}

const char *
key_type_word(enum key_type type)
{
	return types[type].word;
}

gnutls_pk_algorithm_t
key_type_algorithm(enum key_type type, unsigned *bits)
{
	*bits = types[type].bits;
	return types[type].algorithm;
}

int
key_type_generate(enum key_type type, gnutls_x509_privkey_t *out)
{
	int problem = gnutls_x509_privkey_init(out);

	if (problem >= 0)
		problem =
		    gnutls_x509_privkey_generate(*out, types[type].algorithm, types[type].bits, 0);
	if (problem >= 0 && !ec_key_normalise(out))
		problem = GNUTLS_E_MEMORY_ERROR;
	return problem;
}
