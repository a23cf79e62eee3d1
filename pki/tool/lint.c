/* A certificate, read for the rules. */
#include "pki/tool/lint.h"

#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#include "pki/oid.h"
#include "pki/tool/extension.h"
#include "pki/tool/lint_rule.h"
#include "pki/tool/message.h"

/* The parts that struct x509 has no use for. */
static void
read_parts(struct lint_subject *s)
{
	struct cursor outer = der_over(s->facts.signed_part), in = der_enter(&outer, DER_SEQUENCE);
	struct der ignored, extended = { 0 };

	der_optional(&in, DER_CONTEXT_SEQUENCE, &ignored);
	der_read(&in, DER_INTEGER);
	der_read(&in, DER_SEQUENCE);
	der_read(&in, DER_SEQUENCE);
	s->validity = der_read(&in, DER_SEQUENCE);
	der_read(&in, DER_SEQUENCE);
	der_read(&in, DER_SEQUENCE);
	der_optional(&in, DER_CONTEXT | 1, &ignored);
	der_optional(&in, DER_CONTEXT | 2, &ignored);
	if (!der_optional(&in, DER_CONTEXT_SEQUENCE | 3, &extended))
		return;
	struct cursor wrapped = der_over(extended);
	s->extensions = der_read(&wrapped, DER_SEQUENCE);
}

static void
read_extensions(struct lint_subject *s)
{
	s->has_basic_constraints = extension_find(s->extensions, "2.5.29.19", &s->basic_critical);
	extension_find(s->extensions, OID_GRANT, &s->grant_critical);
}

/* A point that is not on its curve is only found when somebody computes with it. */
static bool
is_key_readable(gnutls_x509_crt_t certificate)
{
	gnutls_pubkey_t key = NULL;
	bool readable = gnutls_pubkey_init(&key) >= 0 &&
	    gnutls_pubkey_import_x509(key, certificate, 0) >= 0 &&
	    gnutls_pubkey_verify_params(key) >= 0;

	gnutls_pubkey_deinit(key);
	return readable;
}

static void
read_constraints(struct lint_subject *s)
{
	gnutls_x509_name_constraints_t constraints;
	gnutls_datum_t name;
	unsigned type;

	if (gnutls_x509_name_constraints_init(&constraints) < 0)
		return;
	if (gnutls_x509_crt_get_name_constraints(s->certificate, constraints, 0, NULL) >= 0) {
		s->excludes =
		    gnutls_x509_name_constraints_get_excluded(constraints, 0, &type, &name) >= 0;
		for (unsigned i = 0;
		     gnutls_x509_name_constraints_get_permitted(constraints, i, &type, &name) >= 0;
		     i++) {
			s->permits_names |= type == GNUTLS_SAN_DNSNAME;
			s->permits_uris |= type == GNUTLS_SAN_URI;
		}
	}
	gnutls_x509_name_constraints_deinit(constraints);
}

static int
read_subject(struct lint_subject *s, struct der issuer)
{
	const char *why;

	s->has_issuer = issuer.bytes && x509_parse(&s->issuer, issuer, &why) &&
	    x509_names_issuer(&s->facts, &s->issuer);
	s->is_root = der_equal(s->facts.issuer, s->facts.subject);
	s->key = (gnutls_pk_algorithm_t)gnutls_x509_crt_get_pk_algorithm(s->certificate, &s->bits);
	s->agent = x509_has_purpose(&s->facts, OID_AGENT_PURPOSE);
	s->server = x509_has_purpose(&s->facts, OID_SERVER_AUTH);
	s->client = x509_has_purpose(&s->facts, OID_CLIENT_AUTH);
	s->any = x509_has_purpose(&s->facts, GNUTLS_KP_ANY);
	s->grant_readable = s->facts.has_grant &&
	    grant_decode(&s->grant, s->facts.grant.data, s->facts.grant.bytes, &why);
	s->key_readable = is_key_readable(s->certificate);
	read_extensions(s);
	read_constraints(s);
	return names_of_certificate(&s->names, s->certificate);
}

static int
apply(struct findings *findings, const char *label, const struct lint_subject *s)
{
	const struct lint_rule *rule;
	int code = 0;

	for (size_t i = 0; !code && (rule = lint_rule_at(i)); i++)
		if (rule->breaks(s))
			code = findings_add(findings, rule->weight, "%s: %s: %s", label, rule->word,
			    rule->sentence);
	return code;
}

/* Why nothing else can be said of it; NULL if all of it is known then. */
static const char *
read_certificate(struct lint_subject *s, struct der whole)
{
	const gnutls_datum_t der = { (unsigned char *)(uintptr_t)whole.data,
		(unsigned)whole.bytes };
	const char *why = "";
	bool twins = false;

	if (!x509_parse(&s->facts, whole, &why))
		return why;
	read_parts(s);
	if (!extension_list_read(s->extensions, &twins))
		return "has malformed extensions";
	if (twins)
		return "has an extension twice";
	return gnutls_x509_crt_import(s->certificate, &der, GNUTLS_X509_FMT_DER) < 0
	    ? "is refused by GnuTLS"
	    : NULL;
}

int
lint_certificate(struct findings *findings, const char *label, struct der certificate,
    struct der issuer, int64_t now)
{
	struct lint_subject *s = calloc(1, sizeof *s);
	const char *why;
	int code;

	if (!s || gnutls_x509_crt_init(&s->certificate) < 0) {
		free(s);
		return message_no_memory();
	}
	s->now = now;
	why = read_certificate(s, certificate);
	code = why ? findings_add(findings, FINDING_WRONG, "%s: unreadable: it %s", label, why)
		   : read_subject(s, issuer);
	if (!code && !why)
		code = apply(findings, label, s);
	gnutls_x509_crt_deinit(s->certificate);
	free(s);
	return code;
}
