/* The bounds of keys, and the curves by their names. */
#include "pki/key_fault.h"

#include <stdio.h>

#include <gnutls/gnutls.h>

enum { RSA_LEAST = 2048, RSA_MOST = 16384, CURVE_LEAST = 256 };

#define OID_ELLIPTIC "1.2.840.10045.2.1"

bool
key_is_accepted(int algorithm, unsigned bits)
{
	switch (algorithm) {
	case GNUTLS_PK_RSA:
	case GNUTLS_PK_RSA_PSS:
		return bits >= RSA_LEAST && bits <= RSA_MOST; /* a longer one would cost us hours */
	case GNUTLS_PK_ECDSA:
		return bits >= CURVE_LEAST;
	case GNUTLS_PK_EDDSA_ED25519:
	case GNUTLS_PK_EDDSA_ED448:
		return true;
	default:
		return false;
	}
}

static const struct {
	const char *oid, *name; /* NULL: fine */
} curves[] = {
	{ "1.2.840.10045.3.1.7", NULL }, /* P-256 */
	{ "1.3.132.0.34", NULL },        /* P-384 */
	{ "1.3.132.0.35", NULL },        /* P-521 */
	{ "1.2.840.10045.3.1.1", "P-192" },
	{ "1.3.132.0.33", "P-224" },
	{ "1.3.132.0.10", "secp256k1" },
	{ "1.3.36.3.3.2.8.1.1.7", "brainpoolP256r1" },
	{ "1.3.36.3.3.2.8.1.1.11", "brainpoolP384r1" },
	{ "1.3.36.3.3.2.8.1.1.13", "brainpoolP512r1" },
};
enum { CURVES = sizeof curves / sizeof *curves };

const char *
key_odd_curve(struct cursor parameters, char out[KEY_FAULT])
{
	const char *name = "a curve given by explicit parameters";
	char oid[64];
	if (der_peek(&parameters) != DER_SEQUENCE) {
		struct der named = der_read(&parameters, DER_OID);
		size_t i = 0;
		while (i < CURVES && !der_oid_is(named, curves[i].oid))
			i++;
		if (i == CURVES) {
			snprintf(out, KEY_FAULT, "the unknown curve %s",
			    der_oid_text(named, oid, sizeof oid));
			return out;
		}
		name = curves[i].name;
	}
	if (!name)
		return NULL;
	snprintf(out, KEY_FAULT, "%s", name);
	return out;
}

static bool
is_elliptic(struct der spki, struct cursor *parameters)
{
	struct cursor outer = der_over(spki), in = der_enter(&outer, DER_SEQUENCE);
	*parameters = der_enter(&in, DER_SEQUENCE);
	return der_oid_is(der_read(parameters, DER_OID), OID_ELLIPTIC);
}

const char *
key_fault(int algorithm, unsigned bits, struct der spki, char out[KEY_FAULT])
{
	struct cursor parameters;
	char curve[KEY_FAULT];
	if (is_elliptic(spki, &parameters) && key_odd_curve(parameters, curve))
		snprintf(out, KEY_FAULT, "a key on %.80s", curve);
	else if (algorithm == GNUTLS_PK_RSA || algorithm == GNUTLS_PK_RSA_PSS)
		snprintf(out, KEY_FAULT, "an RSA key of %u bits, which is too %s", bits,
		    bits < RSA_LEAST ? "weak" : "long");
	else
		snprintf(
		    out, KEY_FAULT, "a key that is malformed or of a kind that is not accepted");
	return out;
}
