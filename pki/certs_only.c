/* Sets of certificates from CMS to values and back, by libtasn1. */
#include "pki/certs_only.h"

#include <libtasn1.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pki/x509.h"

#define OID_DATA "1.2.840.113549.1.7.1"
#define OID_SIGNED_DATA "1.2.840.113549.1.7.2"

extern const asn1_static_node certs_only_asn1_tab[]; /* made from pki/certs_only.asn */

static asn1_node module;
static pthread_once_t module_once = PTHREAD_ONCE_INIT;

static void
module_load(void)
{
	if (asn1_array2tree(certs_only_asn1_tab, &module, NULL) != ASN1_SUCCESS)
		module = NULL;
}

static asn1_node
element_new(void)
{
	asn1_node element = NULL;

	pthread_once(&module_once, module_load);
	if (!module || asn1_create_element(module, "CMS.ContentInfo", &element) != ASN1_SUCCESS)
		return NULL;
	return element;
}

/* ---- encoding ---- */

static bool
put(asn1_node element, const char *field, const void *value, size_t bytes)
{
	return asn1_write_value(element, field, value, (int)bytes) == ASN1_SUCCESS;
}

static bool
put_certificates(asn1_node element, const struct der *certificates, size_t count)
{
	static const char set[] = "content.certificates", last[] = "content.certificates.?LAST";

	for (size_t i = 0; i < count; i++)
		if (!put(element, set, "NEW", 1) || !put(element, last, "any", 1) ||
		    !put(element, "content.certificates.?LAST.any", certificates[i].data,
			certificates[i].bytes))
			return false;
	return true;
}

static bool
fill(asn1_node element, const struct der *certificates, size_t count)
{
	return put(element, "contentType", OID_SIGNED_DATA, 1) &&
	    put(element, "content.version", "\x01", 1) &&
	    put(element, "content.encapContentInfo.eContentType", OID_DATA, 1) &&
	    put(element, "content.encapContentInfo.eContent", NULL, 0) &&
	    put(element, "content.crls", NULL, 0) && put_certificates(element, certificates, count);
}

static bool
take_der(asn1_node element, struct secret *out)
{
	int bytes = 0;

	if (asn1_der_coding(element, "", NULL, &bytes, NULL) != ASN1_MEM_ERROR || bytes <= 0)
		return false;
	out->data = malloc((size_t)bytes);
	out->bytes = out->data ? (size_t)bytes : 0;
	return out->data && asn1_der_coding(element, "", out->data, &bytes, NULL) == ASN1_SUCCESS;
}

bool
certs_only_encode(const struct der *certificates, size_t count, struct secret *out)
{
	asn1_node element = count <= CERTS_ONLY_MOST ? element_new() : NULL;
	bool done;

	*out = (struct secret){ 0 };
	done = element && fill(element, certificates, count) && take_der(element, out) &&
	    out->bytes <= CERTS_ONLY_BYTES;
	asn1_delete_structure(&element);
	if (!done)
		secret_wipe(out);
	return done;
}

/* ---- decoding ---- */

static bool
is_signed_data(asn1_node element)
{
	char oid[64] = "";
	int bytes = sizeof oid;

	return asn1_read_value(element, "contentType", oid, &bytes) == ASN1_SUCCESS &&
	    strcmp(oid, OID_SIGNED_DATA) == 0;
}

/* Where the nth member lies in the message. */
static bool
find_member(asn1_node element, const struct secret *message, int n, struct der *out)
{
	char field[64];
	int start = 0, end = 0;

	snprintf(field, sizeof field, "content.certificates.?%d.any", n);
	if (asn1_der_decoding_startEnd(
		element, message->data, (int)message->bytes, field, &start, &end) != ASN1_SUCCESS ||
	    start < 0 || end < start || (size_t)end >= message->bytes)
		return false;
	*out = (struct der){ message->data + start, (size_t)(end - start) + 1 };
	return true;
}

static const char *
take_members(struct certs_only *out, asn1_node element)
{
	int count = 0;

	if (asn1_number_of_elements(element, "content.certificates", &count) != ASN1_SUCCESS)
		return "holds no certificates";
	if (count > CERTS_ONLY_MOST)
		return "holds more than 64 certificates";
	for (int n = 1; n <= count; n++) {
		struct der member;

		if (!find_member(element, &out->message, n, &member))
			return "is malformed";
		if (member.data[0] == DER_SEQUENCE)
			out->certificates[out->count++] = member;
	}
	return out->count ? NULL : "holds no certificates";
}

static const char *
decode(struct certs_only *out)
{
	asn1_node element = element_new();
	const char *why = NULL;

	if (!element)
		return "cannot be read: memory is short";
	if (asn1_der_decoding(&element, out->message.data, (int)out->message.bytes, NULL) !=
		ASN1_SUCCESS ||
	    !is_signed_data(element))
		why = "is not a valid certs-only CMS";
	else
		why = take_members(out, element);
	asn1_delete_structure(&element);
	return why;
}

bool
certs_only_decode(struct certs_only *out, struct der message, const char **why)
{
	*out = (struct certs_only){ 0 };
	if (message.bytes > CERTS_ONLY_BYTES)
		*why = "is longer than 512 KiB";
	else if (!secret_init(&out->message, message.data, message.bytes))
		*why = "cannot be read: memory is short";
	else
		*why = decode(out);
	return !*why;
}

void
certs_only_wipe(struct certs_only *certs)
{
	secret_wipe(&certs->message);
	*certs = (struct certs_only){ 0 };
}

/* ---- chains ---- */

static bool
find_by_key(const struct certs_only *certs, struct der spki, struct x509 *out)
{
	const char *why;

	for (size_t i = 0; i < certs->count; i++)
		if (x509_parse(out, certs->certificates[i], &why) && der_equal(out->spki, spki))
			return true;
	return false;
}

static bool
find_issuer(const struct certs_only *certs, const struct x509 *of, struct x509 *out)
{
	const char *why;

	for (size_t i = 0; certs && i < certs->count; i++)
		if (x509_parse(out, certs->certificates[i], &why) && out->is_ca &&
		    x509_names_issuer(of, out))
			return true;
	return false;
}

/* Ends at the root, and at `most`, since two CAs may name each other. */
size_t
certs_only_chain(const struct certs_only *certs, const struct certs_only *others, struct der spki,
    struct der *chain, size_t most)
{
	struct x509 at, issuer;
	size_t count = 0;

	if (!find_by_key(certs, spki, &at))
		return 0;
	while (count < most) {
		chain[count++] = at.whole;
		if (!find_issuer(certs, &at, &issuer) && !find_issuer(others, &at, &issuer))
			break;
		if (x509_is_self_issued(&issuer))
			break;
		at = issuer;
	}
	return count;
}
