/* The table of keys, and above it a reader and a comparison for each. */
#include "agent/client_key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "pki/attribute.h"
#include "pki/x509.h"
#include "sni/name.h"

enum {
	TEXT_MOST = 256, /* cn, ou */
	LOCAL_MOST = 64, /* RFC 5321, 4.5.3.1.1 */
	EMAIL_SIZE = LOCAL_MOST + 1 + NAME_SIZE,
	URI_MOST = 2048, /* SPIFFE-ID, 2.3 */
};

static bool
keep_text(struct client_value *value, const char *text, const char **why)
{
	value->text = strdup(text);
	if (!value->text)
		*why = "cannot be kept: memory is short";
	return value->text != NULL;
}

/* ---- dns: a dNSName of the certificate; a common name never counts ---- */

static bool
parse_dns(struct client_value *value, const char *text, const char **why)
{
	char name[NAME_SIZE];

	*why = "is not a host name; write one, or *.name for any one label in front of it";
	return name_normalise_served(name, text, strlen(text)) && keep_text(value, name, why);
}

static bool
matches_dns(const struct client_value *value, const struct identity *identity)
{
	const char *name;

	for (size_t i = 0; (name = identity_san(identity, i)); i++)
		if (!name_is_wildcard(name) && name_matches(value->text, name, false))
			return true;
	return false;
}

/* ---- email: an rfc822Name, the host in any case (RFC 5280, 7.5) ---- */

static bool
is_of(const char *text, size_t bytes, const char *marks)
{
	for (size_t i = 0; i < bytes; i++) {
		bool is_alphanumeric = (text[i] >= 'a' && text[i] <= 'z') ||
		    (text[i] >= 'A' && text[i] <= 'Z') || (text[i] >= '0' && text[i] <= '9');

		if (!is_alphanumeric && (text[i] == '\0' || !strchr(marks, text[i])))
			return false;
	}
	return bytes > 0;
}

/* No quotes and no wildcard in front of the first @, and behind it a host's name. */
static bool
normalise_email(char out[EMAIL_SIZE], const char *text, size_t bytes)
{
	const char *at = memchr(text, '@', bytes);
	size_t local = at ? (size_t)(at - text) : 0;

	if (!at || local > LOCAL_MOST || !is_of(text, local, "!#$%&'+-/=?^_`{|}~."))
		return false;
	memcpy(out, text, local + 1);
	return name_normalise(out + local + 1, at + 1, bytes - local - 1);
}

static bool
parse_email(struct client_value *value, const char *text, const char **why)
{
	char address[EMAIL_SIZE];

	*why = "is not an e-mail address; write a whole one, since here no wildcard is known";
	return normalise_email(address, text, strlen(text)) && keep_text(value, address, why);
}

static bool
matches_email(const struct client_value *value, const struct identity *identity)
{
	struct cursor names = der_over(identity_alternative_names(identity));
	struct der name;
	char address[EMAIL_SIZE];

	while (x509_next_name_of(&names, NAME_EMAIL, &name))
		if (normalise_email(address, (const char *)name.data, name.bytes) &&
		    strcmp(address, value->text) == 0)
			return true;
	return false;
}

/* ---- uri: the one uniformResourceIdentifier, in the form of a SPIFFE ID ---- */

static size_t
span(const char *at, const char *end, bool has_capitals, const char *marks)
{
	const char *from = at;

	while (at < end && is_of(at, 1, marks) && (has_capitals || *at < 'A' || *at > 'Z'))
		at++;
	return (size_t)(at - from);
}

static bool
is_segment(const char *at, size_t bytes)
{
	return bytes > 0 && !(bytes == 1 && at[0] == '.') &&
	    !(bytes == 2 && at[0] == '.' && at[1] == '.');
}

/* The segments of a path, each with its slash. A rule's may be a mere *. */
static bool
is_path(const char *at, const char *end, bool is_rule)
{
	while (at < end && *at == '/') {
		bool is_wild = is_rule && end - at > 1 && at[1] == '*';
		size_t bytes = is_wild ? 1 : span(at + 1, end, true, "-._");

		if (!is_segment(at + 1, bytes))
			return false;
		at += 1 + bytes;
	}
	return at == end;
}

/* scheme://domain/segment/..., which leaves no room for %, queries, fragments, users and ports
 * (SPIFFE-ID, 2). */
static bool
is_uri(const char *text, size_t bytes, bool is_rule)
{
	const char *end = text + bytes, *at = text + span(text, end, false, "+-.");
	size_t domain;

	if (bytes > URI_MOST || at == text || end - at < 3 || memcmp(at, "://", 3) != 0)
		return false;
	at += 3;
	domain = span(at, end, false, "-._");
	return domain > 0 && at + domain < end && is_path(at + domain, end, is_rule);
}

static bool
parse_uri(struct client_value *value, const char *text, const char **why)
{
	*why = "is not a URI as rules have it: scheme://domain/segment/..., the first two in lower "
	       "case, of letters, digits and -._ only, where * may be a whole segment behind the "
	       "domain; no segment is empty, . or .., and there is no %, query or fragment";
	return is_uri(text, strlen(text), true) && keep_text(value, text, why);
}

/* Both have the form of is_uri(), so a * is a segment of the rule, and the URI has none that is empty. */
static bool
uri_matches(const char *rule, const char *at, const char *end)
{
	for (; *rule != '\0'; rule++) {
		if (*rule == '*')
			at += span(at, end, true, "-._");
		else if (at == end || *at++ != *rule)
			return false;
	}
	return at == end;
}

/* A SPIFFE certificate has one URI and no other (X509-SVID, 2). */
static bool
matches_uri(const struct client_value *value, const struct identity *identity)
{
	struct cursor names = der_over(identity_alternative_names(identity));
	struct der name, another;

	if (!x509_next_name_of(&names, NAME_URI, &name) ||
	    x509_next_name_of(&names, NAME_URI, &another))
		return false;
	return is_uri((const char *)name.data, name.bytes, false) &&
	    uri_matches(value->text, (const char *)name.data, (const char *)name.data + name.bytes);
}

/* ---- cn, ou: texts of the subject ---- */

static bool
parse_text(struct client_value *value, const char *text, const char **why)
{
	size_t bytes = strlen(text);

	*why = "is not a text to compare with; write it as the certificate has it, with 1 to 256 "
	       "bytes, no control characters, and no *, since here no wildcard is known";
	for (size_t i = 0; i < bytes; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f || text[i] == '*')
			return false;
	return bytes > 0 && bytes <= TEXT_MOST && keep_text(value, text, why);
}

/* How many attributes of this kind the subject has, and how many of them are the text; nothing is in a
 * malformed one. */
struct hits {
	size_t all, equal;
};

static struct hits
count_hits(const struct identity *identity, const char *oid, const char *text)
{
	struct attributes attributes = attributes_of(identity_subject_name(identity));
	struct attribute attribute;
	struct hits hits = { 0, 0 };

	while (attributes_next(&attributes, &attribute)) {
		if (!der_oid_is(attribute.oid, oid))
			continue;
		hits.all++;
		hits.equal += attribute_is(&attribute, text);
	}
	return attributes_end(&attributes) ? hits : (struct hits){ 0, 0 };
}

/* Readers differ on which of several common names is meant. */
static bool
matches_cn(const struct client_value *value, const struct identity *identity)
{
	struct hits hits = count_hits(identity, OID_COMMON_NAME, value->text);

	return hits.all == 1 && hits.equal == 1;
}

static bool
matches_ou(const struct client_value *value, const struct identity *identity)
{
	return count_hits(identity, OID_ORGANIZATIONAL_UNIT, value->text).equal > 0;
}

/* ---- spki, serial, issuer: numbers ---- */

static bool
parse_spki(struct client_value *value, const char *text, const char **why)
{
	*why = "is not the SHA-256 of a public key; write its 64 hexadecimal digits";
	return hex_decode(value->digest, sizeof value->digest, text) && keep_text(value, text, why);
}

static bool
matches_spki(const struct client_value *value, const struct identity *identity)
{
	return memcmp(value->digest, identity_spki(identity, 0), IDENTITY_KEY_BYTES) == 0;
}

/* As people and programs write them: without the octet of the sign, and perhaps without a leading 0. */
static bool
parse_serial(struct client_value *value, const char *text, const char **why)
{
	char digits[2 * SERIAL_BYTES + 1];
	uint8_t octets[1 + SERIAL_BYTES] = { 0 };
	size_t count = strlen(text);

	*why = "is not a serial number; write 1 to 40 hexadecimal digits";
	if (count == 0 || count > 40)
		return false;
	snprintf(digits, sizeof digits, "%s%s", count % 2 ? "0" : "", text);
	count = strlen(digits) / 2;
	return hex_decode(octets + 1, count, digits) &&
	    serial_of(&value->serial, (struct der){ octets, 1 + count }) &&
	    keep_text(value, text, why);
}

static bool
matches_serial(const struct client_value *value, const struct identity *identity)
{
	return serial_compare(&value->serial, identity_serial_number(identity)) == 0;
}

static bool
parse_issuer(struct client_value *value, const char *text, const char **why)
{
	value->is_any = strcmp(text, "any") == 0;
	if (value->is_any)
		return keep_text(value, text, why);
	*why =
	    "is neither the SHA-256 of a CA's public key, 64 hexadecimal digits, nor the word any";
	return hex_decode(value->digest, sizeof value->digest, text) && keep_text(value, text, why);
}

static bool
matches_issuer(const struct client_value *value, const struct identity *identity)
{
	const uint8_t *key;

	for (size_t level = 1; (key = identity_spki(identity, level)); level++) {
		if (value->is_any || memcmp(value->digest, key, IDENTITY_KEY_BYTES) == 0)
			return true;
		if (value->is_direct)
			break;
	}
	return false;
}

/* ---- the keys ---- */

const struct client_key_row client_key_rows[CLIENT_KEYS] = {
	[CLIENT_DNS] = { "dns", parse_dns, matches_dns, "matches none of its DNS names" },
	[CLIENT_EMAIL] = { "email", parse_email, matches_email,
	    "matches none of its e-mail addresses" },
	[CLIENT_URI] = { "uri", parse_uri, matches_uri, "is not its one URI" },
	[CLIENT_CN] = { "cn", parse_text, matches_cn, "is not its one common name" },
	[CLIENT_OU] = { "ou", parse_text, matches_ou, "matches none of its organizational units" },
	[CLIENT_SPKI] = { "spki", parse_spki, matches_spki, "is not its key" },
	[CLIENT_SERIAL] = { "serial", parse_serial, matches_serial, "is not its serial number" },
	[CLIENT_ISSUER] = { "issuer", parse_issuer, matches_issuer,
	    "is the key of no CA on its path, or beside serial not of the one that issued it" },
};
