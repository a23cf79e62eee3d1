/* Bounds what a client's certificates and key may cost, before they are used. */
#include "pki/tool/http_peer.h"

#include <gnutls/abstract.h>

#include "base/cursor.h"
#include "pki/key_fault.h"
#include "pki/x509.h"

enum { EXPONENT_MOST = 8 + 1 /* octets, and one of sign */ };

/* The first certificate; empty if there is none.  False if the message is malformed. */
static bool
find_leaf(struct der message, bool is_13, struct der *leaf)
{
	struct cursor in = cursor_over(message.data, message.bytes), list;

	*leaf = (struct der){ 0 };
	if (is_13)
		cursor_sub(&in, cursor_u8(&in));
	list = cursor_sub(&in, cursor_u24(&in));
	if (in.failed || list.left == 0)
		return !in.failed;
	leaf->bytes = cursor_u24(&list);
	leaf->data = cursor_bytes(&list, leaf->bytes);
	return leaf->data != NULL;
}

/* Both numbers of an RSA key cost time. */
static bool
is_short(gnutls_pubkey_t key)
{
	gnutls_datum_t modulus = { 0 }, exponent = { 0 };
	unsigned bits = 0;
	int algorithm = gnutls_pubkey_get_pk_algorithm(key, &bits);
	bool is_rsa = gnutls_pubkey_export_rsa_raw2(key, &modulus, &exponent, 0) >= 0;
	bool fits = key_is_accepted(algorithm, bits) && (!is_rsa || exponent.size <= EXPONENT_MOST);

	gnutls_free(modulus.data);
	gnutls_free(exponent.data);
	return fits;
}

static bool
has_fit_key(struct der leaf)
{
	gnutls_datum_t spki;
	gnutls_pubkey_t key;
	struct x509 facts;
	const char *why;
	bool fits;

	if (!x509_parse(&facts, leaf, &why) || gnutls_pubkey_init(&key) < 0)
		return false;
	spki = (gnutls_datum_t){ (unsigned char *)(uintptr_t)facts.spki.data,
		(unsigned)facts.spki.bytes };
	fits = gnutls_pubkey_import(key, &spki, GNUTLS_X509_FMT_DER) >= 0 && is_short(key);
	gnutls_pubkey_deinit(key);
	return fits;
}

bool
http_peer_is_fit(struct der message, bool is_13)
{
	struct der leaf;

	return message.bytes <= HTTP_PEER_BYTES && find_leaf(message, is_13, &leaf) &&
	    (leaf.bytes == 0 || has_fit_key(leaf));
}
