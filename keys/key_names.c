/* Names as bytes, and into a request. */
#include "keys/key_names.h"

#include <string.h>

enum { DN_SIZE = 4096, NAME_SIZE_MOST = 256 };

void
key_names_begin(struct writer *out, const char *dn, const char *common_name)
{
	writer_text16(out, dn);
	writer_text8(out, common_name);
}

void
key_names_add(
    struct writer *out, gnutls_x509_subject_alt_name_t type, const void *value, size_t bytes)
{
	if (bytes > UINT8_MAX)
		out->failed = true;
	writer_u8(out, (uint8_t)type);
	writer_u8(out, (uint8_t)bytes);
	writer_bytes(out, value, bytes);
}

static int
set_subject(struct cursor *in, gnutls_x509_crq_t request)
{
	char dn[DN_SIZE], common_name[NAME_SIZE_MOST];
	const char *at;
	int problem = 0;

	cursor_text16(in, dn, sizeof dn);
	cursor_text8(in, common_name, sizeof common_name);
	if (in->failed)
		return GNUTLS_E_PARSING_ERROR;
	if (*dn)
		problem = gnutls_x509_crq_set_dn(request, dn, &at);
	if (problem >= 0 && *common_name)
		problem = gnutls_x509_crq_set_dn_by_oid(request, GNUTLS_OID_X520_COMMON_NAME, 0,
		    common_name, (unsigned)strlen(common_name));
	return problem;
}

static int
add_name(struct cursor *in, gnutls_x509_crq_t request)
{
	gnutls_x509_subject_alt_name_t type = cursor_u8(in);
	size_t bytes = cursor_u8(in);
	const uint8_t *value = cursor_bytes(in, bytes);

	if (in->failed || bytes == 0 ||
	    (type != GNUTLS_SAN_DNSNAME && type != GNUTLS_SAN_IPADDRESS))
		return GNUTLS_E_PARSING_ERROR;
	return gnutls_x509_crq_set_subject_alt_name(
	    request, type, value, (unsigned)bytes, GNUTLS_FSAN_APPEND);
}

int
key_names_fill(struct cursor in, gnutls_x509_crq_t request)
{
	int problem = gnutls_x509_crq_set_version(request, 1);

	if (problem >= 0)
		problem = set_subject(&in, request);
	while (problem >= 0 && in.left > 0)
		problem = add_name(&in, request);
	return problem;
}
