/* One certificate, from DER to facts. */
#include "pki/x509.h"

#include <stdio.h>
#include <string.h>

#include <gnutls/x509.h>
#include <nettle/sha2.h>

#include "base/units.h"
#include "pki/oid.h"

/* ---- extensions: each reads its own value ---- */

static bool
read_basic_constraints(struct x509 *x, struct cursor in)
{
	struct cursor inside = der_enter(&in, DER_SEQUENCE);
	x->is_ca = der_default_false(&inside, DER_BOOLEAN);
	if (der_peek(&inside) == DER_INTEGER)
		x->path_length = (int)der_unsigned(&inside, DER_INTEGER, INT32_MAX);
	return cursor_end(&inside) && cursor_end(&in);
}

static bool
read_key_usage(struct x509 *x, struct cursor in)
{
	struct der bits = der_read(&in, DER_BIT_STRING);
	if (bits.bytes < 2 || bits.data[0] > 7)
		return false;
	x->has_usage = true;
	x->usage = bits.data[1];
	return cursor_end(&in);
}

static bool
read_purposes(struct x509 *x, struct cursor in)
{
	x->has_purposes = true;
	x->purposes = der_read(&in, DER_SEQUENCE);
	struct cursor list = der_over(x->purposes);
	while (list.left > 0 && !list.failed)
		der_read(&list, DER_OID);
	return !list.failed && x->purposes.bytes > 0 && cursor_end(&in);
}

static bool
read_names(struct x509 *x, struct cursor in)
{
	x->names = der_read(&in, DER_SEQUENCE);
	struct cursor list = der_over(x->names);
	while (list.left > 0 && !list.failed)
		der_any(&list, NULL);
	return !list.failed && x->names.bytes > 0 && cursor_end(&in);
}

static bool
read_constraints(struct x509 *x, struct cursor in)
{
	x->has_constraints = true;
	x->constraints = der_read(&in, DER_SEQUENCE);
	return cursor_end(&in);
}

static bool
read_key_id(struct x509 *x, struct cursor in)
{
	x->key_id = der_read(&in, DER_OCTET_STRING);
	return cursor_end(&in);
}

static bool
read_issuer_key_id(struct x509 *x, struct cursor in)
{
	struct cursor inside = der_enter(&in, DER_SEQUENCE);
	der_optional(&inside, DER_CONTEXT, &x->issuer_key_id);
	return !inside.failed && cursor_end(&in);
}

static bool
read_grant(struct x509 *x, struct cursor in)
{
	x->has_grant = true;
	x->grant = (struct der){ in.at, in.left };
	return in.left > 0;
}

static bool
read_policies(struct x509 *x, struct cursor in)
{
	struct der qualifiers;
	x->has_policies = true;
	x->policies = der_read(&in, DER_SEQUENCE);
	struct cursor list = der_over(x->policies);
	while (list.left > 0 && !list.failed) {
		struct cursor one = der_enter(&list, DER_SEQUENCE);
		der_read(&one, DER_OID);
		der_optional(&one, DER_SEQUENCE, &qualifiers);
		list.failed = list.failed || !cursor_end(&one);
	}
	return !list.failed && x->policies.bytes > 0 && cursor_end(&in);
}

static bool
read_policy_mappings(struct x509 *x, struct cursor in)
{
	x->mappings = der_read(&in, DER_SEQUENCE);
	struct cursor list = der_over(x->mappings);
	while (list.left > 0 && !list.failed) {
		struct cursor one = der_enter(&list, DER_SEQUENCE);
		der_read(&one, DER_OID);
		der_read(&one, DER_OID);
		list.failed = list.failed || !cursor_end(&one);
	}
	return !list.failed && x->mappings.bytes > 0 && cursor_end(&in);
}

static bool
read_policy_constraints(struct x509 *x, struct cursor in)
{
	enum { REQUIRE = DER_CONTEXT, INHIBIT = DER_CONTEXT | 1 };
	struct cursor inside = der_enter(&in, DER_SEQUENCE);
	if (der_peek(&inside) == REQUIRE)
		x->require_policy = (int)der_unsigned(&inside, REQUIRE, INT32_MAX);
	if (der_peek(&inside) == INHIBIT)
		x->inhibit_mapping = (int)der_unsigned(&inside, INHIBIT, INT32_MAX);
	return cursor_end(&inside) && cursor_end(&in);
}

static bool
read_inhibit_any(struct x509 *x, struct cursor in)
{
	x->inhibit_any = (int)der_unsigned(&in, DER_INTEGER, INT32_MAX);
	return cursor_end(&in);
}

/* Nobody follows them, so any places will do. */
static bool
read_crl_points(struct x509 *x, struct cursor in)
{
	bool is_there = in.left > 0;
	struct der points = der_read(&in, DER_SEQUENCE);
	if (!in.failed)
		x->crl_points = points;
	return is_there;
}

static const struct extension {
	const char *oid;
	bool (*read)(struct x509 *, struct cursor value);
	const char *fault;
} extensions[] = {
	{ "2.5.29.19", read_basic_constraints, "has malformed basicConstraints" },
	{ "2.5.29.15", read_key_usage, "has a malformed keyUsage" },
	{ "2.5.29.37", read_purposes, "has a malformed extKeyUsage" },
	{ "2.5.29.17", read_names, "has a malformed subjectAltName" },
	{ "2.5.29.30", read_constraints, "has malformed nameConstraints" },
	{ "2.5.29.14", read_key_id, "has a malformed subjectKeyIdentifier" },
	{ "2.5.29.35", read_issuer_key_id, "has a malformed authorityKeyIdentifier" },
	{ "2.5.29.32", read_policies, "has malformed certificatePolicies" },
	{ "2.5.29.33", read_policy_mappings, "has malformed policyMappings" },
	{ "2.5.29.36", read_policy_constraints, "has malformed policyConstraints" },
	{ "2.5.29.54", read_inhibit_any, "has a malformed inhibitAnyPolicy" },
	{ "2.5.29.31", read_crl_points, "has empty cRLDistributionPoints" },
	{ OID_GRANT, read_grant, "has an empty grant" },
};
enum { EXTENSIONS = sizeof extensions / sizeof *extensions };

static const char *
read_extension(struct x509 *x, struct cursor *list, unsigned *seen)
{
	struct der oid;
	bool critical;
	struct cursor value = der_extension(list, &oid, &critical);
	if (list->failed)
		return "has malformed extensions";
	for (size_t i = 0; i < EXTENSIONS; i++) {
		if (!der_oid_is(oid, extensions[i].oid))
			continue;
		if (*seen & 1u << i)
			return "has an extension twice";
		*seen |= 1u << i;
		return extensions[i].read(x, value) ? NULL : extensions[i].fault;
	}
	if (critical && x->unknown.bytes == 0)
		x->unknown = oid;
	return NULL;
}

/* The first fault, but all of them are read, so that what a certificate says is known even if it is
 * refused. */
static const char *
read_extensions(struct x509 *x, struct cursor wrapped)
{
	struct cursor list = der_enter(&wrapped, DER_SEQUENCE);
	unsigned seen = 0;
	const char *fault = NULL;
	while (list.left > 0 && !list.failed) {
		const char *found = read_extension(x, &list, &seen);
		fault = fault ? fault : found;
	}
	return fault ? fault : cursor_end(&wrapped) ? NULL : "has malformed extensions";
}

/* Absent, it is version 1. */
static bool
is_version_3(struct cursor *in)
{
	if (der_peek(in) != DER_CONTEXT_SEQUENCE)
		return false;
	struct cursor version = der_enter(in, DER_CONTEXT_SEQUENCE);
	return der_unsigned(&version, DER_INTEGER, 2) == 2 && cursor_end(&version);
}

static const char *
read_signed_part(struct x509 *x, struct cursor in)
{
	struct der ignored, extended = { 0 };
	bool version_3 = is_version_3(&in);
	bool has_serial = serial_of(&x->serial, der_read(&in, DER_INTEGER));
	struct der algorithm = der_whole(&in, DER_SEQUENCE);
	x->issuer = der_whole(&in, DER_SEQUENCE);
	struct cursor validity = der_enter(&in, DER_SEQUENCE);
	x->not_before = der_time(&validity);
	x->not_after = der_time(&validity);
	x->subject = der_whole(&in, DER_SEQUENCE);
	x->spki = der_whole(&in, DER_SEQUENCE);
	der_optional(&in, DER_CONTEXT | 1, &ignored);
	der_optional(&in, DER_CONTEXT | 2, &ignored);
	bool has_extensions = der_optional(&in, DER_CONTEXT_SEQUENCE | 3, &extended);
	if (!cursor_end(&validity) || !cursor_end(&in))
		return "is malformed";
	const char *fault = has_extensions ? read_extensions(x, der_over(extended)) : NULL;
	if (!version_3)
		return "is not of version 3";
	if (!has_serial)
		return "has a serial number of more than 20 octets";
	if (!der_equal(algorithm, x->algorithm))
		return "names two signature algorithms";
	return fault;
}

bool
x509_parse(struct x509 *x, struct der whole, const char **why)
{
	*x = (struct x509){ .whole = whole,
		.path_length = -1,
		.require_policy = -1,
		.inhibit_mapping = -1,
		.inhibit_any = -1 };
	struct cursor outer = der_over(whole), in = der_enter(&outer, DER_SEQUENCE);
	x->signed_part = der_whole(&in, DER_SEQUENCE);
	x->algorithm = der_whole(&in, DER_SEQUENCE);
	x->signature = der_bits(&in);
	struct cursor part = der_over(x->signed_part);
	if (!cursor_end(&in) || !cursor_end(&outer))
		*why = "is malformed";
	else
		*why = read_signed_part(x, der_enter(&part, DER_SEQUENCE));
	return !*why;
}

bool
x509_has_purpose(const struct x509 *x, const char *oid)
{
	struct cursor list = der_over(x->purposes);
	while (list.left > 0 && !list.failed)
		if (der_oid_is(der_read(&list, DER_OID), oid))
			return true;
	return false;
}

bool
x509_names_issuer(const struct x509 *x, const struct x509 *issuer)
{
	return der_equal(x->issuer, issuer->subject) &&
	    (x->issuer_key_id.bytes == 0 || issuer->key_id.bytes == 0 ||
		der_equal(x->issuer_key_id, issuer->key_id));
}

bool
x509_is_self_issued(const struct x509 *x)
{
	return der_equal(x->subject, x->issuer);
}

bool
x509_may(const struct x509 *x, enum x509_usage usage)
{
	return !x->has_usage || (x->usage & (unsigned)usage) != 0;
}

bool
x509_next_name(struct cursor *names, unsigned *tag, struct der *value)
{
	if (names->left == 0 || names->failed)
		return false;
	*value = der_any(names, tag);
	return !names->failed;
}

bool
x509_next_name_of(struct cursor *names, enum general_name kind, struct der *value)
{
	unsigned tag;
	while (x509_next_name(names, &tag, value))
		if (tag == (unsigned)kind)
			return true;
	return false;
}

/* ---- texts ---- */

/* Copies what is printable, escapes the rest as \xHH, ends with "..." if it is too long. */
static void
copy_safely(char *out, size_t out_bytes, const uint8_t *text, size_t bytes)
{
	size_t at = 0;
	for (size_t i = 0; i < bytes; i++) {
		bool plain = text[i] >= 0x20 && text[i] < 0x7f;
		if (at + (plain ? 1 : 4) + 4 > out_bytes) {
			memcpy(out + at, "...", 4);
			return;
		}
		if (plain)
			out[at++] = (char)text[i];
		else
			at += (size_t)snprintf(out + at, out_bytes - at, "\\x%02x", text[i]);
	}
	out[at] = '\0';
}

const char *
x509_name_text(struct der name, char *out, size_t out_bytes)
{
	gnutls_datum_t der = { (unsigned char *)(uintptr_t)name.data, (unsigned)name.bytes },
		       text = { 0 };
	gnutls_x509_dn_t dn = NULL;
	if (gnutls_x509_dn_init(&dn) >= 0 && gnutls_x509_dn_import(dn, &der) >= 0 &&
	    gnutls_x509_dn_get_str2(dn, &text, 0) >= 0 && text.size > 0)
		copy_safely(out, out_bytes, text.data, text.size);
	else
		snprintf(out, out_bytes, "(no name)");
	gnutls_free(text.data);
	if (dn)
		gnutls_x509_dn_deinit(dn);
	return out;
}

const char *
x509_fingerprint(struct der whole, char out[65])
{
	struct sha256_ctx sha;
	uint8_t digest[SHA256_DIGEST_SIZE];
	sha256_init(&sha);
	sha256_update(&sha, whole.bytes, whole.data);
	sha256_digest(&sha, sizeof digest, digest);
	return hex_encode(out, digest, sizeof digest);
}
