/* The rules of lint, one function each, and the table of them. */
#include "pki/tool/lint_rule.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "pki/key_fault.h"
#include "pki/oid.h"
#include "pki/signature.h"
#include "pki/tool/dn.h"
#include "pki/tool/extension.h"
#include "pki/tool/lint.h"
#include "pki/tool/profile.h"

static bool
is_leaf(const struct lint_subject *s)
{
	return !s->facts.is_ca;
}

static bool
is_agent(const struct lint_subject *s)
{
	return is_leaf(s) && (s->agent || s->facts.has_grant);
}

static bool
has_name(const struct lint_subject *s, gnutls_x509_subject_alt_name_t type)
{
	for (size_t i = 0; i < s->names.count; i++)
		if (s->names.at[i].type == type)
			return true;
	return false;
}

/* Whether any dNSName has what `wrong` looks for. */
static bool
any_host(const struct lint_subject *s, bool (*wrong)(const char *))
{
	for (size_t i = 0; i < s->names.count; i++)
		if (s->names.at[i].type == GNUTLS_SAN_DNSNAME && wrong(s->names.at[i].text))
			return true;
	return false;
}

static int64_t
life_of(const struct lint_subject *s)
{
	return s->facts.not_after - s->facts.not_before - BACKDATE_S;
}

static bool
serial_negative(const struct lint_subject *s)
{
	return s->facts.serial.data[0] & 0x80;
}

static bool
serial_zero(const struct lint_subject *s)
{
	return s->facts.serial.bytes == 1 && s->facts.serial.data[0] == 0;
}

static bool
serial_short(const struct lint_subject *s)
{
	return s->facts.serial.bytes < 8 && !s->is_root && !serial_zero(s);
}

static bool
time_form(const struct lint_subject *s)
{
	struct cursor times = der_over(s->validity);

	return lint_next_time_is_odd(&times) || lint_next_time_is_odd(&times);
}

static bool
never_valid(const struct lint_subject *s)
{
	return s->facts.not_after < s->facts.not_before;
}

static bool
is_empty(struct der name)
{
	return name.bytes == 2; /* the header */
}

static bool
issuer_empty(const struct lint_subject *s)
{
	return is_empty(s->facts.issuer);
}

static bool
subject_empty(const struct lint_subject *s)
{
	return is_empty(s->facts.subject) && (s->facts.is_ca || s->facts.names.bytes == 0);
}

static bool
is_critical(const struct lint_subject *s, const char *oid)
{
	bool critical = false;

	return extension_find(s->extensions, oid, &critical) && critical;
}

static bool
names_not_critical(const struct lint_subject *s)
{
	return is_leaf(s) && is_empty(s->facts.subject) && s->facts.names.bytes > 0 &&
	    !is_critical(s, "2.5.29.17");
}

static bool
key_id_critical(const struct lint_subject *s)
{
	return is_critical(s, "2.5.29.14") || is_critical(s, "2.5.29.35");
}

static bool
key_unreadable(const struct lint_subject *s)
{
	return !s->key_readable;
}

static bool
path_length_misplaced(const struct lint_subject *s)
{
	return is_leaf(s) && s->facts.path_length >= 0;
}

/* What IA5String may hold, without what nobody can see. */
static bool
is_ia5(struct der text)
{
	for (size_t i = 0; i < text.bytes; i++)
		if (text.data[i] <= ' ' || text.data[i] > '~')
			return false;
	return text.bytes > 0;
}

static bool
is_uri(struct der text)
{
	const uint8_t *colon = memchr(text.data, ':', text.bytes);

	return is_ia5(text) && colon && colon != text.data && isalpha(text.data[0]);
}

/* factor: 1 for an address, 2 for an address with its mask. */
static bool
is_sound_name(unsigned tag, struct der value, size_t factor)
{
	switch (tag) {
	case NAME_EMAIL:
	case NAME_DNS:
		return is_ia5(value) || (factor == 2 && value.bytes == 0);
	case NAME_URI:
		return factor == 2 ? is_ia5(value) : is_uri(value);
	case NAME_ADDRESS:
		return value.bytes == 4 * factor || value.bytes == 16 * factor;
	case NAME_DIRECTORY:
		return dn_is_sound(value);
	default:
		return true;
	}
}

static bool
name_malformed(const struct lint_subject *s)
{
	struct cursor names = der_over(s->facts.names);
	struct der value;
	unsigned tag;

	while (x509_next_name(&names, &tag, &value))
		if (!is_sound_name(tag, value, 1))
			return true;
	return false;
}

/* Ones before zeros. */
static bool
is_mask(const uint8_t *octets, size_t bytes)
{
	bool over = false;

	for (size_t bit = 0; bit < 8 * bytes; bit++) {
		bool one = octets[bit / 8] & 0x80 >> bit % 8;

		if (one && over)
			return false;
		over = !one;
	}
	return true;
}

static bool
has_odd_subtree(struct der subtrees)
{
	struct cursor list = der_over(subtrees);
	struct der base;
	unsigned tag;

	while (list.left && !list.failed) {
		struct cursor one = der_enter(&list, DER_SEQUENCE);

		if (!x509_next_name(&one, &tag, &base) || !is_sound_name(tag, base, 2) ||
		    (tag == NAME_ADDRESS && !is_mask(base.data + base.bytes / 2, base.bytes / 2)))
			return true;
	}
	return list.failed;
}

static bool
constraint_malformed(const struct lint_subject *s)
{
	struct cursor in = der_over(s->facts.constraints);
	struct der permitted = { 0 }, excluded = { 0 };

	der_optional(&in, DER_CONTEXT_SEQUENCE, &permitted);
	der_optional(&in, DER_CONTEXT_SEQUENCE | 1, &excluded);
	return !cursor_end(&in) || has_odd_subtree(permitted) || has_odd_subtree(excluded);
}

static bool
signature_weak(const struct lint_subject *s)
{
	return !signature_is_strong(s->facts.algorithm);
}

static bool
key_weak(const struct lint_subject *s)
{
	return !key_is_accepted((int)s->key, s->bits);
}

static bool
key_rsa(const struct lint_subject *s)
{
	return is_leaf(s) && s->server && s->key == GNUTLS_PK_RSA;
}

static bool
key_ed25519_client(const struct lint_subject *s)
{
	return is_leaf(s) && s->client && !is_agent(s) && s->key == GNUTLS_PK_EDDSA_ED25519;
}

static bool
ca_cannot_sign(const struct lint_subject *s)
{
	return s->facts.is_ca &&
	    (!s->facts.has_usage || !(s->facts.usage & USAGE_SIGN_CERTIFICATES));
}

static bool
ca_cannot_sign_crls(const struct lint_subject *s)
{
	return s->facts.is_ca && (!s->facts.has_usage || !(s->facts.usage & USAGE_SIGN_CRLS));
}

static bool
leaf_signs(const struct lint_subject *s)
{
	return is_leaf(s) && s->facts.has_usage && s->facts.usage & USAGE_SIGN_CERTIFICATES;
}

static bool
leaf_cannot_sign_handshakes(const struct lint_subject *s)
{
	return is_leaf(s) && s->facts.has_usage && !(s->facts.usage & USAGE_DIGITAL_SIGNATURE);
}

static bool
basic_constraints_absent(const struct lint_subject *s)
{
	return is_leaf(s) && !s->has_basic_constraints;
}

static bool
basic_constraints_not_critical(const struct lint_subject *s)
{
	return s->facts.is_ca && !s->basic_critical;
}

static bool
path_length_absent(const struct lint_subject *s)
{
	return s->facts.is_ca && !s->is_root && s->facts.path_length < 0;
}

static bool
purpose_absent(const struct lint_subject *s)
{
	return is_leaf(s) && !s->facts.has_purposes;
}

static bool
purpose_malformed(const struct lint_subject *s)
{
	struct cursor list = der_over(s->facts.purposes);

	while (list.left && !list.failed)
		if (!der_oid_is_sound(der_read(&list, DER_OID)))
			return true;
	return list.failed;
}

static bool
purpose_any(const struct lint_subject *s)
{
	return s->any;
}

static bool
agent_is_server(const struct lint_subject *s)
{
	return s->agent && s->server && is_leaf(s);
}

static bool
agent_no_client(const struct lint_subject *s)
{
	return s->agent && !s->client && is_leaf(s);
}

static bool
agent_without_grant(const struct lint_subject *s)
{
	return is_leaf(s) && s->agent && !s->facts.has_grant;
}

static bool
grant_without_purpose(const struct lint_subject *s)
{
	return is_leaf(s) && s->facts.has_grant && !s->agent;
}

static bool
grant_unreadable(const struct lint_subject *s)
{
	return s->facts.has_grant && !s->grant_readable;
}

static bool
grant_critical(const struct lint_subject *s)
{
	return s->grant_critical;
}

static bool
host_absent(const struct lint_subject *s)
{
	return (is_agent(s) || (is_leaf(s) && s->server)) && !has_name(s, GNUTLS_SAN_DNSNAME) &&
	    !(s->server && has_name(s, GNUTLS_SAN_IPADDRESS));
}

static bool
common_name_only(const struct lint_subject *s)
{
	char name[256], normal[NAME_SIZE];
	size_t bytes = sizeof name;

	if (!is_leaf(s) || !s->server ||
	    gnutls_x509_crt_get_dn_by_oid(
		s->certificate, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &bytes) < 0)
		return false;
	if (!strchr(name, '.') || !name_normalise_pattern(normal, name, strlen(name)))
		return false;
	for (size_t i = 0; i < s->names.count; i++)
		if (strcmp(s->names.at[i].text, normal) == 0)
			return false;
	return true;
}

static bool
agent_other_names(const struct lint_subject *s)
{
	return is_agent(s) &&
	    (has_name(s, GNUTLS_SAN_IPADDRESS) || has_name(s, GNUTLS_SAN_URI) ||
		has_name(s, GNUTLS_SAN_RFC822NAME));
}

static bool
is_underscored(const char *host)
{
	return strchr(host, '_') != NULL;
}

static bool
underscore(const struct lint_subject *s)
{
	return any_host(s, is_underscored);
}

static bool
is_not_normal(const char *host)
{
	char normal[NAME_SIZE];

	return !name_normalise_pattern(normal, host, strlen(host)) || strcasecmp(normal, host) != 0;
}

static bool
name_not_normal(const struct lint_subject *s)
{
	return any_host(s, is_not_normal);
}

static bool
is_broad(const char *host)
{
	return name_is_wildcard(host) && !strchr(host + 2, '.');
}

static bool
wildcard_broad(const struct lint_subject *s)
{
	return any_host(s, is_broad);
}

static bool
server_long(const struct lint_subject *s)
{
	return is_leaf(s) && s->server && life_of(s) > SERVER_MOST_S;
}

static bool
client_long(const struct lint_subject *s)
{
	return is_leaf(s) && s->client && !s->server && life_of(s) > 397 * DAY_S;
}

static bool
ended(const struct lint_subject *s)
{
	return s->facts.not_after <= s->now;
}

static bool
not_begun(const struct lint_subject *s)
{
	return s->facts.not_before > s->now;
}

static bool
key_id_absent(const struct lint_subject *s)
{
	return s->facts.key_id.bytes == 0 || (!s->is_root && s->facts.issuer_key_id.bytes == 0);
}

static bool
excluded_names(const struct lint_subject *s)
{
	return s->excludes;
}

static bool
uri_constraint(const struct lint_subject *s)
{
	return s->permits_uris;
}

static bool
ceiling_without_names(const struct lint_subject *s)
{
	return s->facts.is_ca && s->facts.has_grant && !s->permits_names;
}

static bool
names_without_ceiling(const struct lint_subject *s)
{
	return s->facts.is_ca && s->agent && s->permits_names && !s->facts.has_grant;
}

static bool
critical_unknown(const struct lint_subject *s)
{
	return s->facts.unknown.bytes > 0;
}

static bool
subject_not_text(const struct lint_subject *s)
{
	return !dn_is_sound(s->facts.subject) || !dn_is_sound(s->facts.issuer);
}

static bool
issuer_purpose(const struct lint_subject *s)
{
	const struct x509 *issuer = &s->issuer;

	if (!s->has_issuer || !issuer->has_purposes)
		return false;
	return (s->agent && !x509_has_purpose(issuer, OID_AGENT_PURPOSE)) ||
	    (s->server && !x509_has_purpose(issuer, OID_SERVER_AUTH)) ||
	    (s->client && !x509_has_purpose(issuer, OID_CLIENT_AUTH));
}

static bool
outlives_issuer(const struct lint_subject *s)
{
	return s->has_issuer && s->facts.not_after > s->issuer.not_after;
}

static const struct lint_rule rules[] = {
	{ "serial-negative", FINDING_WRONG, serial_negative,
	    "its serial number is negative; programs disagree about which one it is" },
	{ "serial-zero", FINDING_WRONG, serial_zero,
	    "its serial number is 0; RFC 5280 wants a positive one, and many cannot revoke this" },
	{ "serial-short", FINDING_WARNING, serial_short,
	    "its serial number has less than 64 bits and can be guessed" },
	{ "signature-weak", FINDING_WRONG, signature_weak,
	    "its signature uses an algorithm that nobody accepts any more" },
	{ "key-weak", FINDING_WRONG, key_weak,
	    "its key is too short, or of a kind or on a curve that is refused; take P-256" },
	{ "key-unreadable", FINDING_WRONG, key_unreadable,
	    "its key is damaged: nobody can compute with it" },
	{ "key-rsa", FINDING_WARNING, key_rsa,
	    "an RSA key makes handshakes five times as dear; take P-256" },
	{ "key-ed25519-client", FINDING_WARNING, key_ed25519_client,
	    "Ed25519 client certificates fail in TLS 1.2 and in browsers; take P-256" },
	{ "ca-cannot-sign", FINDING_WRONG, ca_cannot_sign,
	    "a CA whose keyUsage lacks keyCertSign cannot issue anything" },
	{ "ca-cannot-sign-crls", FINDING_WARNING, ca_cannot_sign_crls,
	    "a CA whose keyUsage lacks cRLSign cannot revoke anything" },
	{ "leaf-signs", FINDING_WRONG, leaf_signs, "a leaf whose keyUsage has keyCertSign" },
	{ "leaf-cannot-sign-handshakes", FINDING_WRONG, leaf_cannot_sign_handshakes,
	    "its keyUsage lacks digitalSignature, which TLS 1.3 needs" },
	{ "basic-constraints-absent", FINDING_WARNING, basic_constraints_absent,
	    "a leaf should say CA:FALSE" },
	{ "basic-constraints-not-critical", FINDING_WARNING, basic_constraints_not_critical,
	    "a CA's basicConstraints must be critical (RFC 5280 4.2.1.9)" },
	{ "path-length-absent", FINDING_WARNING, path_length_absent,
	    "an intermediate without a path length can make CAs of its own" },
	{ "path-length-misplaced", FINDING_WRONG, path_length_misplaced,
	    "a path length belongs to CAs; strict verifiers refuse it on a leaf" },
	{ "purpose-absent", FINDING_WRONG, purpose_absent,
	    "without an extendedKeyUsage it would pass for every purpose; Valise refuses it" },
	{ "purpose-malformed", FINDING_WRONG, purpose_malformed,
	    "one of its purposes is not in the form of an OID; Go refuses the certificate" },
	{ "purpose-any", FINDING_WRONG, purpose_any,
	    "anyExtendedKeyUsage passes for every purpose elsewhere; Valise refuses it" },
	{ "agent-is-server", FINDING_WRONG, agent_is_server, "an agent must not be a server too" },
	{ "agent-no-client", FINDING_WRONG, agent_no_client,
	    "an agent needs clientAuth beside the agent purpose" },
	{ "agent-without-grant", FINDING_WRONG, agent_without_grant,
	    "an agent's certificate needs a grant" },
	{ "grant-without-purpose", FINDING_WRONG, grant_without_purpose,
	    "a grant belongs to agents, and this has not their purpose" },
	{ "grant-unreadable", FINDING_WRONG, grant_unreadable,
	    "its grant is not in the one form that is accepted" },
	{ "grant-critical", FINDING_WRONG, grant_critical,
	    "its grant is critical; OpenSSL and Go refuse the certificate" },
	{ "host-absent", FINDING_WRONG, host_absent, "it has no host name to serve" },
	{ "common-name-only", FINDING_WARNING, common_name_only,
	    "its common name is a host name that its subjectAltName lacks; it counts for nothing" },
	{ "agent-other-names", FINDING_WARNING, agent_other_names,
	    "an agent's addresses, URIs and mail addresses count for nothing" },
	{ "underscore", FINDING_WARNING, underscore,
	    "a name with an underscore can be routed but not terminated by an agent" },
	{ "name-malformed", FINDING_WRONG, name_malformed,
	    "an address, URI or name in its subjectAltName is malformed; Go refuses the certificate" },
	{ "name-not-normal", FINDING_WRONG, name_not_normal,
	    "one of its names is not a server name as clients send it (IDN: write A-labels)" },
	{ "wildcard-broad", FINDING_WARNING, wildcard_broad,
	    "a wildcard over a whole top-level domain" },
	{ "server-long", FINDING_WARNING, server_long,
	    "Apple's clients refuse server certificates of more than 825 days" },
	{ "client-long", FINDING_WARNING, client_long,
	    "a client that lives for more than 397 days outlives most people's memory of it" },
	{ "time-form", FINDING_WRONG, time_form,
	    "one of its times before 2050 is a GeneralizedTime, where RFC 5280 wants UTCTime" },
	{ "never-valid", FINDING_WRONG, never_valid, "it ends before it begins" },
	{ "ended", FINDING_EXPIRED, ended, "it has ended" },
	{ "not-begun", FINDING_WARNING, not_begun, "it is not valid yet" },
	{ "key-id-absent", FINDING_WARNING, key_id_absent,
	    "it lacks a subject or authority key identifier; strict verifiers refuse it" },
	{ "key-id-critical", FINDING_WARNING, key_id_critical,
	    "a key identifier must not be critical; strict verifiers refuse it" },
	{ "excluded-names", FINDING_WRONG, excluded_names,
	    "excluded names do not stop a wildcard in GnuTLS, OpenSSL and Go; permit names instead" },
	{ "uri-constraint", FINDING_WARNING, uri_constraint,
	    "permitted URIs are not enforced by GnuTLS" },
	{ "constraint-malformed", FINDING_WRONG, constraint_malformed,
	    "a name in its nameConstraints is malformed; Go refuses the certificate" },
	{ "ceiling-without-names", FINDING_WARNING, ceiling_without_names,
	    "a CA with a ceiling that may certify any name" },
	{ "names-without-ceiling", FINDING_WARNING, names_without_ceiling,
	    "a CA of agents with permitted names and no ceiling grant" },
	{ "critical-unknown", FINDING_WRONG, critical_unknown,
	    "a critical extension that nobody here knows; it is refused" },
	{ "subject-not-text", FINDING_WRONG, subject_not_text,
	    "its subject or issuer has a control character, or one that its type of string does not "
	    "have, or a type that is read nowhere; OpenSSL or Go cannot read it" },
	{ "issuer-empty", FINDING_WRONG, issuer_empty, "its issuer is empty; nobody can be found" },
	{ "subject-empty", FINDING_WRONG, subject_empty,
	    "its subject is empty, where a CA needs one, and a leaf needs one or a subjectAltName" },
	{ "names-not-critical", FINDING_WARNING, names_not_critical,
	    "with an empty subject its subjectAltName must be critical; strict verifiers refuse it" },
	{ "issuer-purpose", FINDING_WRONG, issuer_purpose,
	    "its CA's extendedKeyUsage lacks a purpose that it has" },
	{ "outlives-issuer", FINDING_WARNING, outlives_issuer, "it ends after its CA" },
};

const struct lint_rule *
lint_rule_at(size_t index)
{
	return index < sizeof rules / sizeof *rules ? &rules[index] : NULL;
}
