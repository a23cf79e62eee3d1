/* Reads certificate signing requests and judges what they prove and ask for. */
#include "pki/tool/csr.h"

#include <string.h>

#include "base/file.h"
#include "pki/oid.h"
#include "pki/tool/profile.h"
#include "pki/tool/message.h"

enum { CSR_MOST = 256 * 1024 };

#define OID_SUBJECT_ALT_NAME "2.5.29.17"

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

static int
check(gnutls_x509_crq_t request, const char *path)
{
	unsigned bits = 0;
	int algorithm = gnutls_x509_crq_get_pk_algorithm(request, &bits);
	int problem = gnutls_x509_crq_verify(request, 0);

	if (problem < 0)
		return message_fail(EX_DATAERR,
		    "%s: its signature does not prove that whoever asks holds the key (%s); "
		    "make the request again",
		    path, gnutls_strerror(problem));
	if (gnutls_pk_bits_to_sec_param((gnutls_pk_algorithm_t)algorithm, bits) <
	    GNUTLS_SEC_PARAM_MEDIUM)
		return message_fail(EX_DATAERR,
		    "%s: its key (%s, %u bits) is too weak; use P-256, Ed25519 or RSA from 2048 "
		    "bits on",
		    path, gnutls_pk_get_name((gnutls_pk_algorithm_t)algorithm), bits);
	return 0;
}

int
csr_load(const char *path, gnutls_x509_crq_t *out)
{
	char error[FILE_ERROR];
	struct secret file = { 0 };
	gnutls_datum_t data;
	int problem;

	if (!file_read(&file, path, CSR_MOST, error))
		return message_fail(EX_NOINPUT, "%s", error);
	data = (gnutls_datum_t){ file.data, (unsigned)file.bytes };
	problem = gnutls_x509_crq_init(out);
	if (problem >= 0)
		problem = gnutls_x509_crq_import(*out, &data,
		    memmem(file.data, file.bytes, "-----BEGIN", 10) ? GNUTLS_X509_FMT_PEM
								    : GNUTLS_X509_FMT_DER);
	secret_wipe(&file);
	return problem < 0 ? message_fail(EX_DATAERR, "%s is not a certificate signing request: %s",
				 path, gnutls_strerror(problem))
			   : check(*out, path);
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
