/* Reads certificate signing requests and judges what they prove and ask for. */
#include "pki/tool/csr.h"

#include <string.h>

#include "base/file.h"
#include "pki/content.h"
#include "pki/key_fault.h"
#include "pki/oid.h"
#include "pki/pem.h"
#include "pki/signature.h"
#include "pki/tool/extension.h"
#include "pki/tool/profile.h"
#include "pki/tool/message.h"

enum {
	CSR_MOST = 64 * 1024,  /* a key of 16384 bits needs a tenth */
	EXPONENT_MOST = 8 + 1, /* octets, and one of sign */
};

#define OID_SUBJECT_ALT_NAME "2.5.29.17"
#define OID_EXTENSION_REQUEST "1.2.840.113549.1.9.14"
#define OID_MICROSOFT_EXTENSIONS "1.3.6.1.4.1.311.2.1.14"

static const char malformed[] = "a malformed certificate signing request; make it again";

/* Extensions with a name; only those that can be allowed are marked. */
static const struct {
	const char *oid, *word;
	bool allowable;
} extensions[] = {
	{ OID_SUBJECT_ALT_NAME, "subjectAltName", true },
	{ "2.5.29.19", "basicConstraints", false },
	{ "2.5.29.15", "keyUsage", false },
	{ "2.5.29.37", "extendedKeyUsage", false },
	{ "2.5.29.30", "nameConstraints", false },
	{ "2.5.29.14", "subjectKeyIdentifier", false },
	{ OID_GRANT, "grant", false },
};

struct request_facts {
	struct der info, spki, attributes, algorithm, signature;
};

/* CertificationRequest of RFC 2986, 4. */
static bool
read_facts(struct der whole, struct request_facts *out)
{
	struct cursor outer = der_over(whole), in = der_enter(&outer, DER_SEQUENCE);

	*out = (struct request_facts){ 0 };
	out->info = der_whole(&in, DER_SEQUENCE);
	out->algorithm = der_whole(&in, DER_SEQUENCE);
	out->signature = der_bits(&in);
	struct cursor wrapped = der_over(out->info), info = der_enter(&wrapped, DER_SEQUENCE);
	der_read(&info, DER_INTEGER);
	der_read(&info, DER_SEQUENCE);
	out->spki = der_whole(&info, DER_SEQUENCE);
	der_optional(&info, DER_CONTEXT_SEQUENCE, &out->attributes);
	return cursor_end(&in) && cursor_end(&info) && cursor_end(&outer);
}

/* Over the bytes as they came: GnuTLS checks what it would have written itself, with the
 * attributes in the order of DER. */
bool
csr_proves_possession(struct der whole)
{
	struct request_facts facts;

	return read_facts(whole, &facts) &&
	    signature_verifies(facts.spki, facts.algorithm, facts.info, facts.signature);
}

/* How a request asks for extensions. */
struct asking {
	size_t lists;
	bool twins, in_another_form;
};

/* One Attribute; false if it is malformed. */
static bool
read_attribute(struct cursor *all, struct asking *asking)
{
	struct cursor one = der_enter(all, DER_SEQUENCE);
	struct der type = der_read(&one, DER_OID);
	struct cursor values = der_enter(&one, DER_SET);
	bool microsoft = der_oid_is(type, OID_MICROSOFT_EXTENSIONS);
	bool asks = microsoft || der_oid_is(type, OID_EXTENSION_REQUEST);

	asking->in_another_form = asking->in_another_form || microsoft;
	while (asks && values.left && !values.failed) {
		asking->lists++;
		if (!extension_list_read(der_read(&values, DER_SEQUENCE), &asking->twins))
			return false;
	}
	return cursor_end(&one) && !values.failed;
}

const char *
csr_ambiguity(struct der whole)
{
	struct request_facts facts;
	struct asking asking = { 0 };

	if (!read_facts(whole, &facts))
		return malformed;
	for (struct cursor all = der_over(facts.attributes); all.left;)
		if (!read_attribute(&all, &asking))
			return malformed;
	if (asking.lists > 1 || asking.twins)
		return "it asks for extensions in more than one place, or for one of them twice; "
		       "make the request again with one list";
	return asking.in_another_form
	    ? "it asks for extensions by an attribute of Microsoft's (" OID_MICROSOFT_EXTENSIONS
	      "), which is not read; make the request again with extensionRequest of PKCS#9"
	    : NULL;
}

static int
refuse_malformed(const char *path)
{
	return message_fail(EX_DATAERR, "%s: %s", path, malformed);
}

/* With 16384 bits in both numbers of a key, each look at the request would take most of a second. */
static bool
has_long_exponent(gnutls_x509_crq_t request)
{
	gnutls_datum_t modulus = { 0 }, exponent = { 0 };
	gnutls_pubkey_t key = NULL;
	bool is_long = csr_public(request, &key) == 0 &&
	    gnutls_pubkey_export_rsa_raw2(key, &modulus, &exponent, 0) >= 0 &&
	    exponent.size > EXPONENT_MOST;

	gnutls_free(modulus.data);
	gnutls_free(exponent.data);
	gnutls_pubkey_deinit(key);
	return is_long;
}

static int
check(gnutls_x509_crq_t request, struct der whole, const char *path)
{
	struct request_facts facts;
	char text[KEY_FAULT];
	const char *ambiguity = csr_ambiguity(whole);
	unsigned bits = 0;
	int algorithm = gnutls_x509_crq_get_pk_algorithm(request, &bits);

	if (!read_facts(whole, &facts))
		return refuse_malformed(path);
	if (!key_is_accepted(algorithm, bits))
		return message_fail(EX_DATAERR, "%s: it has %s; use %s", path,
		    key_fault(algorithm, bits, facts.spki, text), KEYS_ACCEPTED);
	if (has_long_exponent(request))
		return message_fail(EX_DATAERR,
		    "%s: the public exponent of its RSA key has more than 64 bits; make a key "
		    "with the usual one, 65537",
		    path);
	if (!signature_is_strong(facts.algorithm))
		return message_fail(EX_DATAERR,
		    "%s: it is signed with %s, which is not accepted; make the request again with "
		    "SHA-256",
		    path, signature_text(facts.algorithm, text));
	if (!csr_proves_possession(whole))
		return message_fail(EX_DATAERR,
		    "%s: its signature does not prove that whoever asks holds the key; make the "
		    "request again",
		    path);
	return ambiguity ? message_fail(EX_DATAERR, "%s: %s", path, ambiguity) : 0;
}

/* The first request of a file in PEM, decoded where it stands, or all of one in DER. */
static struct der
find_request(const struct secret *file)
{
	struct pem_text text = pem_over(file->data, file->bytes);
	struct der der = { file->data, 0 };
	struct pem_part part;
	const char *why;

	if (!pem_is_text(file->data, file->bytes))
		return (struct der){ file->data, file->bytes };
	while (pem_next(&text, &part, &why))
		if (content_of_part(&part) == CONTENT_REQUEST)
			return pem_base64(part.body, file->data, &der.bytes) ? der
									     : (struct der){ 0 };
	return (struct der){ 0 };
}

static bool
import(gnutls_x509_crq_t request, struct der der)
{
	const gnutls_datum_t data = { (unsigned char *)(uintptr_t)der.data, (unsigned)der.bytes };

	return gnutls_x509_crq_import(request, &data, GNUTLS_X509_FMT_DER) >= 0;
}

static int
read_request(const char *path, const struct secret *file, gnutls_x509_crq_t request)
{
	struct content_facts content = content_of(file->data, file->bytes);
	struct der der = find_request(file);
	char text[CONTENT_TEXT];
	int code;

	if (import(request, der))
		code = check(request, der, path);
	else if (content.kind == CONTENT_REQUEST)
		code = refuse_malformed(path);
	else
		code =
		    message_fail(EX_DATAERR, "%s is not a certificate signing request: it holds %s",
			path, content_text(content, text));
	return code;
}

int
csr_load(const char *path, gnutls_x509_crq_t *out)
{
	char error[FILE_ERROR];
	struct secret file = { 0 };
	int code;

	if (!file_read(&file, path, CSR_MOST, error))
		return message_fail(EX_NOINPUT, "%s", error);
	code =
	    gnutls_x509_crq_init(out) < 0 ? message_no_memory() : read_request(path, &file, *out);
	secret_wipe(&file);
	return code;
}

int
csr_take(struct der der, gnutls_x509_crq_t *out)
{
	static const char label[] = "the request";

	if (gnutls_x509_crq_init(out) < 0)
		return message_no_memory();
	return import(*out, der) ? check(*out, der, label) : refuse_malformed(label);
}

int
csr_public(gnutls_x509_crq_t request, gnutls_pubkey_t *out)
{
	if (gnutls_pubkey_init(out) < 0 || gnutls_pubkey_import_x509_crq(*out, request, 0) < 0)
		return message_fail(EX_DATAERR, "the request's key cannot be used");
	return 0;
}

static bool
is_allowed(const struct texts *allow, const char *word)
{
	for (size_t i = 0; i < allow->count; i++)
		if (strcmp(allow->at[i], word) == 0)
			return true;
	return false;
}

static int
check_allow(const struct texts *allow)
{
	for (size_t i = 0; i < allow->count; i++) {
		const char *why = "not an extension that is known here";

		for (size_t j = 0; j < sizeof extensions / sizeof *extensions; j++)
			if (strcmp(allow->at[i], extensions[j].word) == 0)
				why = extensions[j].allowable ? NULL
							      : "set by the kind of certificate";
		if (why)
			return message_fail(EX_USAGE,
			    "--allow '%s' is %s; only subjectAltName can be allowed", allow->at[i],
			    why);
	}
	return 0;
}

static void
report_ignored(gnutls_x509_crq_t request, const struct texts *allow)
{
	char oid[128];
	size_t bytes = sizeof oid;

	for (unsigned i = 0; gnutls_x509_crq_get_extension_info(request, i, oid, &bytes, NULL) >= 0;
	     i++, bytes = sizeof oid) {
		const char *word = oid;

		for (size_t j = 0; j < sizeof extensions / sizeof *extensions; j++)
			if (strcmp(oid, extensions[j].oid) == 0)
				word = extensions[j].word;
		if (!is_allowed(allow, word))
			message_note("the request's %s is ignored", word);
	}
}

static int
add_name(struct names *names, const struct profile *profile, gnutls_x509_subject_alt_name_t type,
    const char *text, size_t bytes)
{
	if (strlen(text) != bytes)
		return message_fail(EX_DATAERR, "the request asks for a name with a NUL inside");
	if (type == GNUTLS_SAN_DNSNAME)
		return names_add_host(names, profile, text);
	if (type == GNUTLS_SAN_RFC822NAME && !profile->granted)
		return names_add_email(names, text);
	if (type == GNUTLS_SAN_URI && !profile->granted)
		return names_add_uri(names, text);
	return message_fail(EX_DATAERR,
	    "the request asks for a kind of name that a certificate for %s %s cannot hold here",
	    *profile->kind == 'a' ? "an" : "a", profile->kind);
}

static int
read_names(gnutls_x509_crq_t request, const struct profile *profile, struct names *names)
{
	char value[NAMES_TEXT];
	size_t bytes = sizeof value - 1;
	unsigned type = 0;
	int code = 0, found;

	for (unsigned i = 0; !code; i++, bytes = sizeof value - 1) {
		found =
		    gnutls_x509_crq_get_subject_alt_name(request, i, value, &bytes, &type, NULL);
		if (found == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return 0;
		if (found < 0)
			return message_fail(EX_DATAERR,
			    "the request's subjectAltName cannot be read: %s",
			    gnutls_strerror(found));
		value[bytes] = '\0';
		if (found == GNUTLS_SAN_IPADDRESS && (!profile || profile->serves))
			code = names_add_raw(names, GNUTLS_SAN_IPADDRESS,
			    &(gnutls_datum_t){ (unsigned char *)value, (unsigned)bytes });
		else if (!profile)
			code = names_add_raw(names, (gnutls_x509_subject_alt_name_t)found,
			    &(gnutls_datum_t){ (unsigned char *)value, (unsigned)bytes });
		else
			code = add_name(
			    names, profile, (gnutls_x509_subject_alt_name_t)found, value, bytes);
	}
	return code;
}

int
csr_take_names(gnutls_x509_crq_t request, const struct texts *allow, const struct profile *profile,
    struct names *names)
{
	int code = check_allow(allow);

	if (code)
		return code;
	report_ignored(request, allow);
	return is_allowed(allow, "subjectAltName") ? read_names(request, profile, names) : 0;
}

int
csr_names(gnutls_x509_crq_t request, struct names *names)
{
	return read_names(request, NULL, names);
}
