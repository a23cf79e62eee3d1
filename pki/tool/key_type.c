/* The table of the key types that this program makes. */
#include "pki/tool/key_type.h"

#include <gnutls/abstract.h>
#include <stddef.h>
#include <string.h>

#include "pki/tool/message.h"

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

int
key_type_parse(const char *word, enum key_type *type)
{
	*type = KEY_P256;
	for (size_t i = 0; word && i < KEY_TYPES; i++)
		if (strcmp(word, types[i].word) == 0) {
			*type = (enum key_type)i;
			return 0;
		}
	return word ? message_fail(
			  EX_USAGE, "--key-type '%s': give p256, ed25519, rsa2048 or rsa3072", word)
		    : 0;
}

void
key_type_facts(enum key_type type, gnutls_pk_algorithm_t *algorithm, unsigned *bits)
{
	*algorithm = types[type].algorithm;
	*bits = types[type].bits;
}
