/*
 * A look at the peer's key before GnuTLS uses it: in TLS 1.3 it does so for CertificateVerify before
 * it asks anybody about the chain, and a key that it cannot read fails the handshake with an error
 * of DER.  The caller's judge can say what is wrong with that one.
 */
#include "tunnel/tls_private.h"

#include <gnutls/abstract.h>
#include <gnutls/x509.h>

#include "base/cursor.h"

enum { CHAIN_MOST = 16 };

enum key_use { KEY_USABLE, KEY_UNREADABLE, KEY_LONG, KEY_UNKNOWN };

static int
refuse(struct tls *tls, unsigned alert, const char *error)
{
	tls->judgement = (uint8_t)alert;
	tls->error = error;
	return GNUTLS_E_CERTIFICATE_ERROR;
}

/* The chain in a Certificate message (RFC 8446 4.4.2; before 1.3 without a context and extensions);
 * no more of it than CHAIN_MOST, nor than there is. */
static size_t
read_chain(const gnutls_datum_t *message, bool is_13, struct tls_certificate chain[CHAIN_MOST])
{
	struct cursor in = cursor_over(message->data, message->size);
	size_t count = 0;
	if (is_13)
		cursor_sub(&in, cursor_u8(&in));
	struct cursor list = cursor_sub(&in, cursor_u24(&in));
	while (list.left > 0 && count < CHAIN_MOST) {
		size_t bytes = cursor_u24(&list);
		const uint8_t *data = cursor_bytes(&list, bytes);
		if (is_13)
			cursor_sub(&list, cursor_u16(&list));
		if (list.failed)
			break;
		chain[count++] = (struct tls_certificate){ data, bytes };
	}
	return count;
}

/* Both numbers of an RSA key cost time: with 56 000 bits each, one signature takes 11 s. */
static enum key_use
key_of(gnutls_x509_crt_t certificate)
{
	enum { MODULUS_MOST = 16384 / 8 + 1, EXPONENT_MOST = 8 + 1 }; /* and an octet of sign */
	gnutls_datum_t modulus = { 0 }, exponent = { 0 };
	gnutls_pubkey_t key;
	if (gnutls_pubkey_init(&key) < 0)
		return KEY_UNKNOWN;
	bool is_read = gnutls_pubkey_import_x509(key, certificate, 0) >= 0;
	bool is_rsa = is_read && gnutls_pubkey_export_rsa_raw2(key, &modulus, &exponent, 0) >= 0;
	bool is_long = is_rsa && (modulus.size > MODULUS_MOST || exponent.size > EXPONENT_MOST);
	gnutls_free(modulus.data);
	gnutls_free(exponent.data);
	gnutls_pubkey_deinit(key);
	return !is_read ? KEY_UNREADABLE : is_long ? KEY_LONG : KEY_USABLE;
}

/* What GnuTLS cannot read as a certificate it says itself. */
static enum key_use
key_in(const struct tls_certificate *leaf)
{
	gnutls_datum_t der = { (uint8_t *)(uintptr_t)leaf->data, (unsigned)leaf->bytes };
	gnutls_x509_crt_t certificate;
	if (gnutls_x509_crt_init(&certificate) < 0)
		return KEY_UNKNOWN;
	enum key_use key = gnutls_x509_crt_import(certificate, &der, GNUTLS_X509_FMT_DER) < 0
	    ? KEY_USABLE
	    : key_of(certificate);
	gnutls_x509_crt_deinit(certificate);
	return key;
}

int
tls_look_at_key(struct tls *tls, const gnutls_datum_t *message)
{
	struct tls_certificate chain[CHAIN_MOST];
	bool is_13 = gnutls_protocol_get_version(tls->session) == GNUTLS_TLS1_3;
	if (tls_peer_is_large(message, is_13))
		return refuse(tls, GNUTLS_A_BAD_CERTIFICATE,
		    "the peer's certificates have more names and extensions than are read here");
	size_t count = read_chain(message, is_13, chain);
	enum key_use key = count == 0 ? KEY_USABLE : key_in(&chain[0]);
	unsigned alert = 0;
	if (key == KEY_USABLE)
		return 0;
	if (key == KEY_UNKNOWN)
		return GNUTLS_E_MEMORY_ERROR;
	/* Nobody has proved yet to hold the key; but the judge vouches for none that cannot be read. */
	if (key == KEY_UNREADABLE && tls->hooks.judge)
		alert = tls->hooks.judge(tls->hooks.arg, chain, count);
	if (alert) /* and the judge has said why */
		return refuse(tls, alert, tls->error);
	return refuse(tls, GNUTLS_A_BAD_CERTIFICATE,
	    key == KEY_LONG
		? "the peer's RSA key is too long, or its exponent"
		: "the peer's key is of a kind or on a curve that is not used in TLS here");
}
