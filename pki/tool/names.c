/* Reads the names that options give, and writes them as subjectAltName. */
#include "pki/tool/names.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "pki/tool/profile.h"
#include "pki/tool/message.h"

enum { NAME_MOST = 64 }; /* ub-common-name */

int
names_add(struct names *names, gnutls_x509_subject_alt_name_t type, const char *text)
{
	struct name *name;

	for (size_t i = 0; i < names->count; i++)
		if (names->at[i].type == type && strcmp(names->at[i].text, text) == 0)
			return 0;
	if (names->count == NAMES_MOST || strlen(text) >= NAMES_TEXT)
		return message_fail(
		    EX_DATAERR, "'%.60s...' is too long, or one name too many", text);
	name = &names->at[names->count++];
	name->type = type;
	snprintf(name->text, sizeof name->text, "%s", text);
	return 0;
}

static bool
is_address(const char *text, uint8_t octets[16], unsigned *bytes)
{
	*bytes = 4;
	if (inet_pton(AF_INET, text, octets) == 1)
		return true;
	*bytes = 16;
	return inet_pton(AF_INET6, text, octets) == 1;
}

/* Names are refused as they are typed rather than mapped: two mappings of IDNA are in use. */
static int
refuse_host(const char *host)
{
	gnutls_datum_t mapped = { 0 };
	int code;

	for (const char *at = host; *at; at++)
		if ((unsigned char)*at >= 0x80 &&
		    gnutls_idna_map(host, (unsigned)strlen(host), &mapped, 0) >= 0)
			break;
	code = mapped.data
	    ? message_fail(EX_DATAERR, "--host '%s' is not ASCII; write its A-label, probably %s",
		  host, (char *)mapped.data)
	    : message_fail(EX_DATAERR,
		  "--host '%s' is not a server name; give one like app.example.com or *.example.com",
		  host);
	gnutls_free(mapped.data);
	return code;
}

int
names_add_host(struct names *names, const struct profile *profile, const char *host)
{
	char normal[NAME_SIZE];
	uint8_t octets[16];
	unsigned bytes;

	if (is_address(host, octets, &bytes)) {
		if (!profile->serves)
			return message_fail(EX_DATAERR,
			    "--host %s: %s %s certificate holds names, not addresses", host,
			    *profile->kind == 'a' ? "an" : "a", profile->kind);
		return names_add(names, GNUTLS_SAN_IPADDRESS, host);
	}
	if (!name_normalise_pattern(normal, host, strlen(host)))
		return refuse_host(host);
	return names_add(names, GNUTLS_SAN_DNSNAME, normal);
}

static bool
is_plain(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text > '~')
			return false;
	return true;
}

int
names_add_email(struct names *names, const char *email)
{
	const char *at = strchr(email, '@');
	char normal[NAME_SIZE];

	if (!at || at == email || !is_plain(email) ||
	    !name_normalise(normal, at + 1, strlen(at + 1)))
		return message_fail(EX_DATAERR,
		    "--email '%s' is not an address of the form who@example.com", email);
	return names_add(names, GNUTLS_SAN_RFC822NAME, email);
}

int
names_add_uri(struct names *names, const char *uri)
{
	const char *colon = strchr(uri, ':');

	if (!colon || colon == uri || !colon[1] || !is_plain(uri))
		return message_fail(EX_DATAERR,
		    "--uri '%s' is not a URI with a scheme, like spiffe://example.com/job", uri);
	return names_add(names, GNUTLS_SAN_URI, uri);
}

int
names_add_raw(struct names *names, gnutls_x509_subject_alt_name_t type, const gnutls_datum_t *value)
{
	char text[NAMES_TEXT];
	unsigned bytes = value->size < sizeof text ? value->size : sizeof text - 1;

	if (type == GNUTLS_SAN_IPADDRESS && (value->size == 4 || value->size == 16)) {
		inet_ntop(value->size == 4 ? AF_INET : AF_INET6, value->data, text, sizeof text);
		return names_add(names, type, text);
	}
	if (type != GNUTLS_SAN_DNSNAME && type != GNUTLS_SAN_RFC822NAME && type != GNUTLS_SAN_URI)
		return 0;
	for (unsigned i = 0; i < bytes; i++)
		text[i] =
		    value->data[i] > ' ' && value->data[i] <= '~' ? (char)value->data[i] : '?';
	text[bytes] = '\0';
	return names_add(names, type, text);
}

int
names_of_certificate(struct names *names, gnutls_x509_crt_t certificate)
{
	gnutls_x509_subject_alt_name_t type;
	char value[NAMES_TEXT];
	size_t bytes = sizeof value;
	int code = 0, found;

	for (unsigned i = 0; !code; i++, bytes = sizeof value) {
		found = gnutls_x509_crt_get_subject_alt_name2(
		    certificate, i, value, &bytes, &type, NULL);
		if (found == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return 0;
		if (found < 0)
			return message_fail(EX_DATAERR, "a subjectAltName cannot be read: %s",
			    gnutls_strerror(found));
		code = names_add_raw(
		    names, type, &(gnutls_datum_t){ (unsigned char *)value, (unsigned)bytes });
	}
	return code;
}

int
names_put(const struct names *names, gnutls_x509_crt_t certificate)
{
	for (size_t i = 0; i < names->count; i++) {
		const struct name *name = &names->at[i];
		const void *data = name->text;
		unsigned bytes = (unsigned)strlen(name->text);
		uint8_t octets[16];
		int problem;

		if (name->type == GNUTLS_SAN_IPADDRESS) {
			is_address(name->text, octets, &bytes);
			data = octets;
		}
		problem = gnutls_x509_crt_set_subject_alt_name(
		    certificate, name->type, data, bytes, GNUTLS_FSAN_APPEND);
		if (problem < 0)
			return message_fail(EX_DATAERR, "'%s' cannot be put into a certificate: %s",
			    name->text, gnutls_strerror(problem));
	}
	return 0;
}

void
names_join(const struct names *names, char *out, size_t out_size)
{
	size_t used = 0;

	*out = '\0';
	for (size_t i = 0; i < names->count && used < out_size; i++)
		used += (size_t)snprintf(
		    out + used, out_size - used, "%s%s", i ? " " : "", names->at[i].text);
}

bool
names_is_within(const char *pattern, const char *permitted)
{
	return name_is_under(name_is_wildcard(pattern) ? pattern + 2 : pattern, permitted, true);
}

static bool
is_all_hex(const char *text)
{
	return text[strspn(text, "0123456789abcdefABCDEF")] == '\0';
}

int
names_check_label(const char *name)
{
	static const char may[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@-";
	size_t length = strlen(name);

	if (length == 0 || length > NAME_MOST || name[strspn(name, may)] != '\0' ||
	    strchr(".-", *name))
		return message_fail(EX_USAGE,
		    "the name '%s' cannot be a file's name; give 1 to %d letters, digits and ._@-, "
		    "a letter or digit first",
		    name, NAME_MOST);
	if (length >= 16 && is_all_hex(name))
		return message_fail(
		    EX_USAGE, "the name '%s' looks like a serial number; give another", name);
	return 0;
}
