/* Algorithms by their OIDs, and one call of GnuTLS. */
#include "pki/signature.h"

#include <stdio.h>

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#define ECDSA_ANY "1.2.840.10045.4."
#define ECDSA ECDSA_ANY "3."
#define PKCS1 "1.2.840.113549.1.1."

enum hash_size { NO_PARAMETERS, SHA256 = 32, SHA384 = 48, SHA512 = 64 };

static const struct algorithm {
	const char *oid;
	gnutls_sign_algorithm_t id;
	enum hash_size pss; /* RSASSA-PSS: the hash its parameters must name */
} algorithms[] = {
	{ ECDSA "2", GNUTLS_SIGN_ECDSA_SHA256, NO_PARAMETERS },
	{ ECDSA "3", GNUTLS_SIGN_ECDSA_SHA384, NO_PARAMETERS },
	{ ECDSA "4", GNUTLS_SIGN_ECDSA_SHA512, NO_PARAMETERS },
	{ PKCS1 "11", GNUTLS_SIGN_RSA_SHA256, NO_PARAMETERS },
	{ PKCS1 "12", GNUTLS_SIGN_RSA_SHA384, NO_PARAMETERS },
	{ PKCS1 "13", GNUTLS_SIGN_RSA_SHA512, NO_PARAMETERS },
	{ PKCS1 "10", GNUTLS_SIGN_RSA_PSS_SHA256, SHA256 },
	{ PKCS1 "10", GNUTLS_SIGN_RSA_PSS_SHA384, SHA384 },
	{ PKCS1 "10", GNUTLS_SIGN_RSA_PSS_SHA512, SHA512 },
	{ "1.3.101.112", GNUTLS_SIGN_EDDSA_ED25519, NO_PARAMETERS },
	{ "1.3.101.113", GNUTLS_SIGN_EDDSA_ED448, NO_PARAMETERS },
};

/* AlgorithmIdentifier of SHA-2 by its size; parameters are absent or NULL. */
static bool
is_hash(struct cursor in, enum hash_size size)
{
	const char *oid = size == SHA256 ? "2.16.840.1.101.3.4.2.1"
	    : size == SHA384             ? "2.16.840.1.101.3.4.2.2"
					 : "2.16.840.1.101.3.4.2.3";
	return der_oid_is(der_read(&in, DER_OID), oid);
}

/* RSASSA-PSS-params (RFC 4055) with one hash for both uses and a salt of its size. */
static bool
is_pss(struct cursor in, enum hash_size size)
{
	struct cursor parameters = der_enter(&in, DER_SEQUENCE);
	struct cursor hash = der_enter(&parameters, DER_CONTEXT_SEQUENCE);
	struct cursor mask = der_enter(&parameters, DER_CONTEXT_SEQUENCE | 1);
	struct cursor salt = der_enter(&parameters, DER_CONTEXT_SEQUENCE | 2);
	struct cursor generator = der_enter(&mask, DER_SEQUENCE);
	bool good = is_hash(der_enter(&hash, DER_SEQUENCE), size) &&
	    der_oid_is(der_read(&generator, DER_OID), PKCS1 "8") &&
	    is_hash(der_enter(&generator, DER_SEQUENCE), size) &&
	    der_unsigned(&salt, DER_INTEGER, 64) == (uint64_t)size;
	return good && cursor_end(&parameters) && cursor_end(&salt);
}

static gnutls_sign_algorithm_t
algorithm_of(struct der der)
{
	struct cursor outer = der_over(der), in = der_enter(&outer, DER_SEQUENCE);
	struct der oid = der_read(&in, DER_OID);
	for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++) {
		const struct algorithm *a = &algorithms[i];
		if (der_oid_is(oid, a->oid) && (a->pss == NO_PARAMETERS || is_pss(in, a->pss)))
			return a->id;
	}
	return GNUTLS_SIGN_UNKNOWN;
}

bool
signature_is_strong(struct der algorithm)
{
	return algorithm_of(algorithm) != GNUTLS_SIGN_UNKNOWN;
}

static const struct weak {
	const char *oid, *text;
	gnutls_sign_algorithm_t id;
	bool sha1;
} weak[] = {
	{ ECDSA_ANY "1", "ECDSA with SHA-1", GNUTLS_SIGN_ECDSA_SHA1, true },
	{ PKCS1 "5", "RSA with SHA-1", GNUTLS_SIGN_RSA_SHA1, true },
	{ "1.2.840.10040.4.3", "DSA with SHA-1", GNUTLS_SIGN_DSA_SHA1, true },
	{ PKCS1 "4", "RSA with MD5", GNUTLS_SIGN_RSA_MD5, false },
	{ PKCS1 "2", "RSA with MD2", GNUTLS_SIGN_RSA_MD2, false },
	{ PKCS1 "10", "RSASSA-PSS with odd parameters", GNUTLS_SIGN_UNKNOWN, false },
	{ "2.16.840.1.101.3.4.3.2", "DSA with SHA-256", GNUTLS_SIGN_DSA_SHA256, false },
};

static const struct weak *
weak_of(struct der oid)
{
	for (size_t i = 0; i < sizeof weak / sizeof *weak; i++)
		if (der_oid_is(oid, weak[i].oid))
			return &weak[i];
	return NULL;
}

static struct der
oid_of(struct der algorithm)
{
	struct cursor outer = der_over(algorithm), in = der_enter(&outer, DER_SEQUENCE);
	return der_read(&in, DER_OID);
}

bool
signature_has_sha1(struct der algorithm)
{
	const struct weak *found = weak_of(oid_of(algorithm));
	return found && found->sha1;
}

const char *
signature_text(struct der algorithm, char out[SIGNATURE_TEXT])
{
	const struct weak *found = weak_of(oid_of(algorithm));
	char dotted[SIGNATURE_TEXT - 16];
	if (found)
		snprintf(out, SIGNATURE_TEXT, "%s", found->text);
	else
		snprintf(out, SIGNATURE_TEXT, "the algorithm %s",
		    der_oid_text(oid_of(algorithm), dotted, sizeof dotted));
	return out;
}

static gnutls_datum_t
datum(struct der der)
{
	return (gnutls_datum_t){ (unsigned char *)(uintptr_t)der.data, (unsigned)der.bytes };
}

static bool
verifies(gnutls_sign_algorithm_t id, unsigned flags, struct der spki, struct der data,
    struct der signature)
{
	gnutls_datum_t key_der = datum(spki), signed_data = datum(data), sign = datum(signature);
	gnutls_pubkey_t key;
	if (id == GNUTLS_SIGN_UNKNOWN || gnutls_pubkey_init(&key) < 0)
		return false;
	bool good = gnutls_pubkey_import(key, &key_der, GNUTLS_X509_FMT_DER) >= 0 &&
	    gnutls_pubkey_verify_data2(key, id, flags, &signed_data, &sign) >= 0;
	gnutls_pubkey_deinit(key);
	return good;
}

bool
signature_verifies(struct der spki, struct der algorithm, struct der data, struct der signature)
{
	return verifies(algorithm_of(algorithm), 0, spki, data, signature);
}

bool
signature_is_intact(struct der spki, struct der algorithm, struct der data, struct der signature)
{
	const struct weak *found = weak_of(oid_of(algorithm));
	return signature_verifies(spki, algorithm, data, signature) ||
	    (found && verifies(found->id, GNUTLS_VERIFY_ALLOW_BROKEN, spki, data, signature));
}
