/* PEM labels and the first elements of DER. */
#include "pki/content.h"

#include <stdio.h>
#include <string.h>

#include "pki/der.h"
#include "pki/pem.h"

static const struct {
	const char *label;
	enum content kind;
} labels[] = {
	{ "CERTIFICATE REQUEST", CONTENT_REQUEST },
	{ "NEW CERTIFICATE REQUEST", CONTENT_REQUEST },
	{ "CERTIFICATE", CONTENT_CERTIFICATE },
	{ "X509 CERTIFICATE", CONTENT_CERTIFICATE },
	{ "TRUSTED CERTIFICATE", CONTENT_CERTIFICATE },
	{ "X509 CRL", CONTENT_CRL },
	{ "ENCRYPTED PRIVATE KEY", CONTENT_ENCRYPTED_KEY },
	{ "PRIVATE KEY", CONTENT_KEY },
	{ "EC PRIVATE KEY", CONTENT_KEY },
	{ "RSA PRIVATE KEY", CONTENT_KEY },
	{ "DSA PRIVATE KEY", CONTENT_KEY },
	{ "OPENSSH PRIVATE KEY", CONTENT_OPENSSH_KEY },
	{ "PUBLIC KEY", CONTENT_PUBLIC_KEY },
	{ "RSA PUBLIC KEY", CONTENT_PUBLIC_KEY },
	{ "PKCS7", CONTENT_PKCS7 },
	{ "PKCS12", CONTENT_PKCS12 },
};

static const char *const words[CONTENTS] = {
	[CONTENT_EMPTY] = "nothing",
	[CONTENT_CERTIFICATE] = "a certificate",
	[CONTENT_KEY] = "a private key",
	[CONTENT_ENCRYPTED_KEY] = "an encrypted private key",
	[CONTENT_PUBLIC_KEY] = "a public key",
	[CONTENT_REQUEST] = "a certificate signing request",
	[CONTENT_CRL] = "a CRL",
	[CONTENT_PKCS7] = "PKCS#7",
	[CONTENT_PKCS12] = "PKCS#12",
	[CONTENT_OPENSSH_KEY] = "a key in the form of OpenSSH",
	[CONTENT_OTHER] = "something else",
};

/* ---- PEM ---- */

/* A traditional PEM key says so in a header of its own (RFC 1421). */
static bool
is_encrypted(struct der body)
{
	return memmem(body.data, body.bytes, "Proc-Type: 4,ENCRYPTED", 22) != NULL;
}

enum content
content_of_part(const struct pem_part *part)
{
	for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
		if (strlen(labels[i].label) != part->label_bytes ||
		    memcmp(part->label, labels[i].label, part->label_bytes) != 0)
			continue;
		return labels[i].kind == CONTENT_KEY && is_encrypted(part->body)
		    ? CONTENT_ENCRYPTED_KEY
		    : labels[i].kind;
	}
	return CONTENT_OTHER;
}

static bool
is_known(enum content kind)
{
	return kind != CONTENT_OTHER;
}

static bool
is_private_key(enum content kind)
{
	return kind == CONTENT_KEY || kind == CONTENT_ENCRYPTED_KEY || kind == CONTENT_OPENSSH_KEY;
}

/* The kind of the first block whose kind is wanted, also of one that has no end; else CONTENT_OTHER. */
static enum content
pem_find(const void *data, size_t bytes, bool (*is_wanted)(enum content))
{
	struct pem_text text = pem_over(data, bytes);
	struct pem_part part;
	const char *why;
	while (pem_next(&text, &part, &why) || why) {
		enum content kind = content_of_part(&part);
		if (is_wanted(kind))
			return kind;
		if (why)
			break;
	}
	return CONTENT_OTHER;
}

/* ---- DER ---- */

/* SEQUENCE { what is signed, AlgorithmIdentifier, BIT STRING }. */
static enum content
signed_kind_of(struct cursor part)
{
	bool numbered = der_peek(&part) == DER_INTEGER;
	if (der_peek(&part) == DER_CONTEXT_SEQUENCE) /* a version */
		return CONTENT_CERTIFICATE;
	if (numbered) /* a version, or the serial of a first version */
		der_read(&part, DER_INTEGER);
	der_read(&part, DER_SEQUENCE);
	der_read(&part, DER_SEQUENCE);
	if (numbered && cursor_end(&part)) /* some leave out attributes that are empty */
		return CONTENT_REQUEST;
	switch (der_peek(&part)) {
	case DER_UTC_TIME:
	case DER_GENERALIZED_TIME:
		return CONTENT_CRL;
	case DER_CONTEXT_SEQUENCE:
		return CONTENT_REQUEST;
	case DER_SEQUENCE:
		return CONTENT_CERTIFICATE;
	default:
		return CONTENT_OTHER;
	}
}

/* What begins with a number: keys of three forms, and PKCS#12. */
static enum content
numbered_kind_of(struct cursor in)
{
	uint64_t version = der_unsigned(&in, DER_INTEGER, 3);
	unsigned next = der_peek(&in);
	if (in.failed)
		return CONTENT_OTHER;
	if (version == 3 && next == DER_SEQUENCE)
		return CONTENT_PKCS12;
	return next == DER_INTEGER || next == DER_OCTET_STRING || next == DER_SEQUENCE
	    ? CONTENT_KEY
	    : CONTENT_OTHER;
}

/* BER without lengths, which DER excludes: PKCS#7 and PKCS#12 are often written so. */
static bool
is_without_lengths(struct der der)
{
	return der.bytes > 2 && der.data[0] == DER_SEQUENCE && der.data[1] == 0x80;
}

enum content
content_of_der(struct der der)
{
	if (is_without_lengths(der))
		return der.data[2] == DER_OID    ? CONTENT_PKCS7
		    : der.data[2] == DER_INTEGER ? CONTENT_PKCS12
						 : CONTENT_OTHER;
	struct cursor outer = der_over(der), in = der_enter(&outer, DER_SEQUENCE);
	if (der_peek(&in) == DER_INTEGER)
		return numbered_kind_of(in);
	if (der_peek(&in) == DER_OID)
		return CONTENT_PKCS7;
	struct cursor part = der_enter(&in, DER_SEQUENCE);
	switch (der_peek(&in)) {
	case DER_SEQUENCE:
		return signed_kind_of(part);
	case DER_BIT_STRING:
		return CONTENT_PUBLIC_KEY;
	case DER_OCTET_STRING:
		return CONTENT_ENCRYPTED_KEY;
	default:
		return CONTENT_OTHER;
	}
}

/* ---- both ---- */

static bool
is_blank(const char *text, size_t bytes)
{
	while (bytes > 0 && strchr(" \t\r\n", text[bytes - 1]) && text[bytes - 1] != '\0')
		bytes--;
	return bytes == 0;
}

struct content_facts
content_of(const void *data, size_t bytes)
{
	const char *text = data;
	if (is_blank(text, bytes))
		return (struct content_facts){ CONTENT_EMPTY, false };
	if (pem_is_text(data, bytes))
		return (struct content_facts){ pem_find(data, bytes, is_known), true };
	return (struct content_facts){ content_of_der((struct der){ data, bytes }), false };
}

struct content_facts
content_of_key_file(const void *data, size_t bytes)
{
	struct content_facts facts = content_of(data, bytes);
	enum content key = facts.is_pem ? pem_find(data, bytes, is_private_key) : CONTENT_OTHER;
	if (key != CONTENT_OTHER)
		facts.kind = key;
	return facts;
}

const char *
content_text(struct content_facts facts, char out[CONTENT_TEXT])
{
	bool in_der = !facts.is_pem && facts.kind != CONTENT_EMPTY && facts.kind != CONTENT_OTHER &&
	    facts.kind != CONTENT_PKCS12;
	snprintf(out, CONTENT_TEXT, "%s%s", words[facts.kind], in_der ? " in DER" : "");
	return out;
}

/* ---- curves ---- */

const char *
content_odd_curve(const uint8_t *der, size_t bytes, char out[KEY_FAULT])
{
	struct cursor outer = der_over((struct der){ der, bytes }),
		      in = der_enter(&outer, DER_SEQUENCE);
	der_unsigned(&in, DER_INTEGER, 1);
	if (der_peek(&in) == DER_SEQUENCE) { /* PKCS#8 */
		struct cursor algorithm = der_enter(&in, DER_SEQUENCE);
		bool on_a_curve = der_oid_is(der_read(&algorithm, DER_OID), "1.2.840.10045.2.1");
		return on_a_curve ? key_odd_curve(algorithm, out) : NULL;
	}
	der_read(&in, DER_OCTET_STRING); /* SEC 1 */
	struct cursor parameters = der_enter(&in, DER_CONTEXT_SEQUENCE);
	return parameters.failed ? NULL : key_odd_curve(parameters, out);
}
