/* Reads what a host asks for, and compares it with what it is to get. */
#include "pki/tool/enrol_request.h"

#include <arpa/inet.h>
#include <string.h>

#include <gnutls/x509.h>
#include <nettle/sha2.h>

#include "pki/attribute.h"
#include "pki/x509.h"
#include "pki/tool/csr.h"
#include "pki/tool/message.h"

#define OID_CHALLENGE_PASSWORD "1.2.840.113549.1.9.7"
#define OID_EXTENSION_REQUEST "1.2.840.113549.1.9.14"
#define OID_SUBJECT_ALT_NAME "2.5.29.17"

enum { OID_TEXT = 128, SUBJECT_TEXT = 160 };

static int
refuse_malformed(void)
{
	return message_fail(EX_DATAERR, "the request is malformed; make it again");
}

static int
refuse_oid(const char *what, struct der oid)
{
	char text[OID_TEXT];

	return message_fail(EX_NOPERM,
	    "the request has the %s %s; only subjectAltName may be asked for, leave it out", what,
	    der_oid_text(oid, text, sizeof text));
}

static int
take_extension(struct cursor *list, struct enrol_request *out)
{
	struct der oid = { 0 };
	bool critical;
	struct cursor value = der_extension(list, &oid, &critical);

	if (list->failed)
		return refuse_malformed();
	if (!der_oid_is(oid, OID_SUBJECT_ALT_NAME))
		return refuse_oid("extension", oid);
	out->names = der_read(&value, DER_SEQUENCE);
	out->has_names = true;
	return cursor_end(&value) ? 0 : refuse_malformed();
}

static int
take_extensions(struct cursor *values, struct enrol_request *out)
{
	struct cursor list = der_enter(values, DER_SEQUENCE);
	int code = 0;

	while (!code && list.left && !list.failed)
		code = take_extension(&list, out);
	return code || (!list.failed && cursor_end(values)) ? code : refuse_malformed();
}

static int
take_attribute(struct cursor *all, struct enrol_request *out)
{
	struct cursor one = der_enter(all, DER_SEQUENCE);
	struct der oid = der_read(&one, DER_OID);
	struct cursor values = der_enter(&one, DER_SET);

	if (all->failed || !cursor_end(&one))
		return refuse_malformed();
	if (der_oid_is(oid, OID_EXTENSION_REQUEST))
		return take_extensions(&values, out);
	return der_oid_is(oid, OID_CHALLENGE_PASSWORD) ? 0 : refuse_oid("attribute", oid);
}

/* One key has one form here, or the same one could be certified for somebody else, or once more after it
 * was revoked: with parameters left out, numbers padded, or an RSA key as one for RSASSA-PSS only. */
static int
judge_form(const struct enrol_request *request, struct der spki)
{
	gnutls_datum_t usual = { 0 };
	bool same = gnutls_pubkey_get_pk_algorithm(request->key, NULL) != GNUTLS_PK_RSA_PSS &&
	    gnutls_pubkey_export2(request->key, GNUTLS_X509_FMT_DER, &usual) >= 0 &&
	    der_equal((struct der){ usual.data, usual.size }, spki);

	gnutls_free(usual.data);
	return same ? 0
		    : message_fail(EX_DATAERR,
			  "the request's key is not written in its usual form (an RSA key: "
			  "rsaEncryption, with NULL for parameters); make the request again");
}

/* CertificationRequest of RFC 2986, 4; its signature was checked over these octets. */
static int
take_facts(struct der whole, struct enrol_request *out)
{
	struct cursor outer = der_over(whole), in = der_enter(&outer, DER_SEQUENCE);
	struct cursor info = der_enter(&in, DER_SEQUENCE);
	struct der spki, attributes = { 0 };
	struct sha256_ctx sha;
	int code = 0;

	der_read(&info, DER_INTEGER);
	out->subject = der_whole(&info, DER_SEQUENCE);
	spki = der_whole(&info, DER_SEQUENCE);
	der_optional(&info, DER_CONTEXT_SEQUENCE, &attributes);
	if (!cursor_end(&info))
		return refuse_malformed();
	code = judge_form(out, spki);
	sha256_init(&sha);
	sha256_update(&sha, spki.bytes, spki.data);
	sha256_digest(&sha, sizeof out->pin.digest, out->pin.digest);
	for (struct cursor all = der_over(attributes); !code && all.left;)
		code = take_attribute(&all, out);
	return code;
}

int
enrol_request_read(struct der whole, struct enrol_request *out)
{
	gnutls_x509_crq_t request = NULL;
	int code = csr_take(whole, &request);

	if (!code)
		code = csr_public(request, &out->key);
	gnutls_x509_crq_deinit(request);
	return code ? code : take_facts(whole, out);
}

static bool
is_subject(struct der subject, const char *name)
{
	struct attributes all = attributes_of(subject);
	struct attribute one, other;

	return attributes_next(&all, &one) && der_oid_is(one.oid, OID_COMMON_NAME) &&
	    attribute_is(&one, name) && !attributes_next(&all, &other) && attributes_end(&all);
}

static int
judge_subject(const struct enrol_request *request, const char *name, bool may_be_silent)
{
	struct cursor whole = der_over(request->subject);
	char text[SUBJECT_TEXT];

	if (may_be_silent && der_read(&whole, DER_SEQUENCE).bytes == 0)
		return 0;
	return is_subject(request->subject, name)
	    ? 0
	    : message_fail(EX_NOPERM, "the request is for the subject '%s', not for 'CN=%s'%s",
		  x509_name_text(request->subject, text, sizeof text), name,
		  may_be_silent ? "; leave the subject empty" : "");
}

static bool
is_address(const char *text, struct der value)
{
	uint8_t octets[16];

	return (value.bytes == 4 && inet_pton(AF_INET, text, octets) == 1 &&
		   memcmp(octets, value.data, 4) == 0) ||
	    (value.bytes == 16 && inet_pton(AF_INET6, text, octets) == 1 &&
		memcmp(octets, value.data, 16) == 0);
}

static bool
is_name(const struct name *name, unsigned tag, struct der value)
{
	struct der text = { (const uint8_t *)name->text, strlen(name->text) };
	char normal[NAME_SIZE];

	if (name->type == GNUTLS_SAN_DNSNAME)
		return tag == NAME_DNS &&
		    name_normalise_pattern(normal, (const char *)value.data, value.bytes) &&
		    strcmp(normal, name->text) == 0;
	if (name->type == GNUTLS_SAN_IPADDRESS)
		return tag == NAME_ADDRESS && is_address(name->text, value);
	return der_equal(text, value) &&
	    tag == (name->type == GNUTLS_SAN_URI ? NAME_URI : NAME_EMAIL);
}

static bool
mark(const struct names *names, bool *asked, unsigned tag, struct der value)
{
	for (size_t i = 0; i < names->count; i++)
		if (is_name(&names->at[i], tag, value))
			return asked[i] = true;
	return false;
}

static int
judge_names(const struct enrol_request *request, const char *name, const struct names *names)
{
	bool asked[NAMES_MOST] = { false }, same = true;
	struct cursor list = der_over(request->names);
	struct der value;
	unsigned tag;

	while (same && x509_next_name(&list, &tag, &value))
		same = mark(names, asked, tag, value);
	for (size_t i = 0; i < names->count; i++)
		same = same && asked[i];
	return same && cursor_end(&list)
	    ? 0
	    : message_fail(EX_NOPERM,
		  "the names that the request asks for are not exactly those of '%s'", name);
}

int
enrol_request_judge(const struct enrol_request *request, const char *name,
    const struct names *names, bool may_be_silent)
{
	int code = judge_subject(request, name, may_be_silent);

	if (code || (may_be_silent && !request->has_names))
		return code;
	return judge_names(request, name, names);
}

void
enrol_request_wipe(struct enrol_request *request)
{
	gnutls_pubkey_deinit(request->key);
	*request = (struct enrol_request){ 0 };
}
