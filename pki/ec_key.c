/* Writes an EC key as an ECPrivateKey (RFC 5915) and has GnuTLS read it. */
#include "pki/ec_key.h"

#include <stdint.h>
#include <string.h>

#include "base/cursor.h"
#include "base/secret.h"
#include "pki/der.h"

enum { KEY_BYTES_MOST = 320, SIZE_MOST = 66 /* P-521 */, OID_MOST = 8 };

static const struct curve {
	gnutls_ecc_curve_t id;
	uint8_t oid_bytes, oid[OID_MOST];
} curves[] = {
	{ GNUTLS_ECC_CURVE_SECP224R1, 5, { 0x2b, 0x81, 0x04, 0x00, 0x21 } },
	{ GNUTLS_ECC_CURVE_SECP256R1, 8, { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 } },
	{ GNUTLS_ECC_CURVE_SECP384R1, 5, { 0x2b, 0x81, 0x04, 0x00, 0x22 } },
	{ GNUTLS_ECC_CURVE_SECP521R1, 5, { 0x2b, 0x81, 0x04, 0x00, 0x23 } },
};

/* What a key is made of; the numbers are big-endian, of any length. */
struct ec_key {
	const struct curve *curve;
	size_t size; /* octets of a number in full length */
	gnutls_datum_t x, y, secret;
};

static const struct curve *
find_curve(gnutls_ecc_curve_t id)
{
	for (size_t i = 0; i < sizeof curves / sizeof *curves; i++)
		if (curves[i].id == id)
			return &curves[i];
	return NULL;
}

static void
put_header(struct writer *out, uint8_t tag, size_t bytes)
{
	writer_u8(out, tag);
	if (bytes >= 0x100) {
		writer_u8(out, 0x82);
		writer_u16(out, (uint16_t)bytes);
		return;
	}
	if (bytes >= 0x80)
		writer_u8(out, 0x81);
	writer_u8(out, (uint8_t)bytes);
}

static size_t
with_header(size_t bytes)
{
	return bytes + (bytes < 0x80 ? 2 : bytes < 0x100 ? 3 : 4);
}

static void
put_number(struct writer *out, gnutls_datum_t number, size_t size)
{
	static const uint8_t zeros[SIZE_MOST];
	while (number.size > size && *number.data == 0) {
		number.data++;
		number.size--;
	}
	if (number.size > size) {
		out->failed = true;
		return;
	}
	writer_bytes(out, zeros, size - number.size);
	writer_bytes(out, number.data, number.size);
}

static void
encode(struct writer *out, const struct ec_key *key)
{
	size_t oid = with_header(key->curve->oid_bytes), point = 2 + 2 * key->size;
	put_header(out, DER_SEQUENCE,
	    3 + with_header(key->size) + with_header(oid) + with_header(with_header(point)));
	writer_bytes(out, "\x02\x01\x01", 3);
	put_header(out, DER_OCTET_STRING, key->size);
	put_number(out, key->secret, key->size);
	put_header(out, DER_CONTEXT_SEQUENCE, oid);
	put_header(out, DER_OID, key->curve->oid_bytes);
	writer_bytes(out, key->curve->oid, key->curve->oid_bytes);
	put_header(out, DER_CONTEXT_SEQUENCE | 1, with_header(point));
	put_header(out, DER_BIT_STRING, point);
	writer_bytes(out, "\0\x04", 2); /* no unused bits, not compressed */
	put_number(out, key->x, key->size);
	put_number(out, key->y, key->size);
}

static bool
exchange(gnutls_x509_privkey_t *key, const struct ec_key *parts)
{
	uint8_t storage[KEY_BYTES_MOST];
	struct writer out = writer_over(storage, sizeof storage);
	gnutls_x509_privkey_t full = NULL;
	encode(&out, parts);
	gnutls_datum_t der = { storage, (unsigned)out.bytes };
	bool good = !out.failed && gnutls_x509_privkey_init(&full) >= 0 &&
	    gnutls_x509_privkey_import(full, &der, GNUTLS_X509_FMT_DER) >= 0;
	bytes_wipe(storage, sizeof storage);
	gnutls_x509_privkey_deinit(good ? *key : full);
	if (good)
		*key = full;
	return good;
}

static void
datum_wipe(gnutls_datum_t *datum)
{
	if (datum->data)
		bytes_wipe(datum->data, datum->size);
	gnutls_free(datum->data);
}

bool
ec_key_normalise(gnutls_x509_privkey_t *key)
{
	struct ec_key parts = { 0 };
	gnutls_ecc_curve_t id;
	if (gnutls_x509_privkey_get_pk_algorithm(*key) != GNUTLS_PK_ECDSA)
		return true;
	if (gnutls_x509_privkey_export_ecc_raw(*key, &id, &parts.x, &parts.y, &parts.secret) < 0)
		return false;
	parts.curve = find_curve(id);
	parts.size = (size_t)gnutls_ecc_curve_get_size(id);
	bool good = !parts.curve || exchange(key, &parts);
	gnutls_free(parts.x.data);
	gnutls_free(parts.y.data);
	datum_wipe(&parts.secret);
	return good;
}
