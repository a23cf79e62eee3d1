/* CertificateList, from its last extension to its first field. */
#include "pki/tool/crl_writer.h"

#include <string.h>

#include "pki/tool/message.h"

static const uint8_t oid_crl_number[] = { 0x06, 3, 0x55, 0x1d, 0x14 };
static const uint8_t oid_authority_key_id[] = { 0x06, 3, 0x55, 0x1d, 0x23 };
static const uint8_t oid_reason_code[] = { 0x06, 3, 0x55, 0x1d, 0x15 };

static const uint8_t ecdsa_sha256[] = { 0x30, 10, 0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2 };
static const uint8_t rsa_sha256[] = { 0x30, 13, 0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1,
	11, 5, 0 };
static const uint8_t ed25519[] = { 0x30, 5, 0x06, 3, 0x2b, 0x65, 0x70 };

static const struct crl_algorithm {
	gnutls_pk_algorithm_t key;
	gnutls_sign_algorithm_t sign;
	const uint8_t *identifier;
	size_t bytes;
} algorithms[] = {
	{ GNUTLS_PK_ECDSA, GNUTLS_SIGN_ECDSA_SHA256, ecdsa_sha256, sizeof ecdsa_sha256 },
	{ GNUTLS_PK_RSA, GNUTLS_SIGN_RSA_SHA256, rsa_sha256, sizeof rsa_sha256 },
	{ GNUTLS_PK_EDDSA_ED25519, GNUTLS_SIGN_EDDSA_ED25519, ed25519, sizeof ed25519 },
};

static const struct crl_algorithm *
algorithm_of(gnutls_privkey_t key)
{
	int type = gnutls_privkey_get_pk_algorithm(key, NULL);

	for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++)
		if ((int)algorithms[i].key == type)
			return &algorithms[i];
	return NULL;
}

/* Extension ::= SEQUENCE { extnID, extnValue OCTET STRING } around what was written
 * since the mark. */
static void
wrap_extension(struct encoding *encoding, const uint8_t oid[5], size_t mark)
{
	encode_wrap(encoding, DER_OCTET_STRING, mark);
	encode_raw(encoding, oid, 5);
	encode_wrap(encoding, DER_SEQUENCE, mark);
}

int
crl_writer_begin(struct crl_writer *writer, gnutls_x509_crt_t issuer, uint64_t number)
{
	struct encoding *encoding = &writer->list;
	uint8_t key_id[64];
	size_t bytes = sizeof key_id, all = encode_mark(encoding), mark;

	if (gnutls_x509_crt_get_subject_key_id(issuer, key_id, &bytes, NULL) < 0)
		return message_fail(EX_DATAERR,
		    "a CA certificate has no subject key identifier; it cannot issue a CRL");
	mark = encode_mark(encoding);
	encode_raw(encoding, key_id, bytes);
	encode_wrap(encoding, 0x80, mark); /* keyIdentifier [0] */
	encode_wrap(encoding, DER_SEQUENCE, mark);
	wrap_extension(encoding, oid_authority_key_id, mark);
	mark = encode_mark(encoding);
	encode_number(encoding, number);
	wrap_extension(encoding, oid_crl_number, mark);
	encode_wrap(encoding, DER_SEQUENCE, all);
	encode_wrap(encoding, DER_CONTEXT_SEQUENCE, all); /* crlExtensions [0] */
	writer->end = encode_mark(encoding);
	writer->issuer = issuer;
	return 0;
}

void
crl_writer_add(struct crl_writer *writer, const uint8_t *serial, size_t bytes, int64_t revoked_at,
    enum crl_reason reason)
{
	struct encoding *encoding = &writer->list;
	size_t entry = encode_mark(encoding);

	/* "SHOULD be absent instead of unspecified" (5.3.1) */
	if (reason != CRL_UNSPECIFIED) {
		const uint8_t code = (uint8_t)reason;

		encode_raw(encoding, &code, 1);
		encode_wrap(encoding, DER_ENUMERATED, entry);
		wrap_extension(encoding, oid_reason_code, entry);
		encode_wrap(encoding, DER_SEQUENCE, entry);
	}
	encode_time(encoding, revoked_at);
	encode_magnitude(encoding, serial, bytes);
	encode_wrap(encoding, DER_SEQUENCE, entry);
}

static int
sign_to_be_signed(const struct encoding *tbs, gnutls_privkey_t key,
    const struct crl_algorithm *algorithm, gnutls_datum_t *out)
{
	gnutls_datum_t data = { (unsigned char *)(uintptr_t)encode_finish(tbs),
		(unsigned)tbs->bytes },
		       signature = { 0 };
	struct encoding whole = { 0 };
	int problem;

	if (!data.data)
		return message_no_memory();
	problem = gnutls_privkey_sign_data2(key, algorithm->sign, 0, &data, &signature);
	if (problem < 0)
		return message_fail(
		    EX_SOFTWARE, "the CA's key cannot sign: %s", gnutls_strerror(problem));
	encode_raw(&whole, signature.data, signature.size);
	encode_raw(&whole, "", 1); /* no unused bits */
	encode_wrap(&whole, DER_BIT_STRING, 0);
	encode_raw(&whole, algorithm->identifier, algorithm->bytes);
	encode_raw(&whole, data.data, data.size);
	encode_wrap(&whole, DER_SEQUENCE, 0);
	gnutls_free(signature.data);
	out->data = encode_finish(&whole) ? gnutls_malloc(whole.bytes) : NULL;
	if (out->data) {
		memcpy(out->data, encode_finish(&whole), whole.bytes);
		out->size = (unsigned)whole.bytes;
	}
	encode_wipe(&whole);
	return out->data ? 0 : message_no_memory();
}

int
crl_writer_sign(struct crl_writer *writer, gnutls_privkey_t key, int64_t this_update,
    int64_t next_update, gnutls_datum_t *out)
{
	const struct crl_algorithm *algorithm = algorithm_of(key);
	struct encoding *encoding = &writer->list;
	gnutls_datum_t name = { 0 };

	if (!algorithm)
		return message_fail(EX_UNAVAILABLE,
		    "the CA's key is of a kind that cannot sign CRLs here; use P-256, Ed25519 or "
		    "RSA");
	if (gnutls_x509_crt_get_raw_dn(writer->issuer, &name) < 0)
		return message_no_memory();
	/* revokedCertificates is never an empty list (5.1.2.6) */
	if (encode_mark(encoding) > writer->end)
		encode_wrap(encoding, DER_SEQUENCE, writer->end);
	encode_time(encoding, next_update);
	encode_time(encoding, this_update);
	encode_raw(encoding, name.data, name.size);
	encode_raw(encoding, algorithm->identifier, algorithm->bytes);
	encode_number(encoding, 1); /* v2 */
	encode_wrap(encoding, DER_SEQUENCE, 0);
	gnutls_free(name.data);
	return sign_to_be_signed(encoding, key, algorithm, out);
}

void
crl_writer_wipe(struct crl_writer *writer)
{
	encode_wipe(&writer->list);
}
