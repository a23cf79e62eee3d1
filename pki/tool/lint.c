/* A certificate or CRL, read for the rules. */
#include "pki/tool/lint.h"

#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#include "pki/crl.h"
#include "pki/oid.h"
#include "pki/tool/lint_rule.h"
#include "pki/tool/profile.h"
#include "pki/tool/message.h"

static void
read_extensions(struct lint_subject *s)
{
	char oid[128];
	size_t bytes = sizeof oid;
	unsigned critical;

	for (unsigned i = 0;
	     gnutls_x509_crt_get_extension_info(s->certificate, i, oid, &bytes, &critical) >= 0;
	     i++, bytes = sizeof oid) {
		if (strcmp(oid, "2.5.29.19") == 0) {
			s->has_basic_constraints = true;
			s->basic_critical = critical;
		} else if (strcmp(oid, OID_GRANT) == 0) {
			s->grant_critical = critical;
		}
	}
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

int
lint_certificate(struct findings *findings, const char *label, struct der certificate,
    struct der issuer, int64_t now)
{
	const gnutls_datum_t der = { (unsigned char *)(uintptr_t)certificate.data,
		(unsigned)certificate.bytes };
	struct lint_subject *s = calloc(1, sizeof *s);
	const char *why = "";
	bool is_readable = false;
	int code;

	if (!s || gnutls_x509_crt_init(&s->certificate) < 0) {
		free(s);
		return message_no_memory();
	}
	s->now = now;
	if (!x509_parse(&s->facts, certificate, &why))
		code = findings_add(findings, FINDING_WRONG, "%s: unreadable: it %s", label, why);
	else if (gnutls_x509_crt_import(s->certificate, &der, GNUTLS_X509_FMT_DER) < 0)
		code = findings_add(
		    findings, FINDING_WRONG, "%s: unreadable: GnuTLS refuses it", label);
	else {
		code = read_subject(s, issuer);
		is_readable = true;
	}
	if (!code && is_readable)
		code = apply(findings, label, s);
	gnutls_x509_crt_deinit(s->certificate);
	free(s);
	return code;
}

int
lint_crl(struct findings *findings, const char *label, struct der data, int64_t now)
{
	const char *why = "";
	struct crl *crl = crl_parse(data.data, data.bytes, &why);
	int code = 0;

	if (!crl || !crl_index(crl, &why))
		code = findings_add(
		    findings, FINDING_WRONG, "%s: crl-refused: the CRL %s", label, why);
	if (!code && crl && crl_next_update(crl) <= now)
		code = findings_add(
		    findings, FINDING_EXPIRED, "%s: crl-ended: its nextUpdate is over", label);
	if (!code && crl && crl_this_update(crl) > now)
		code = findings_add(findings, FINDING_WRONG,
		    "%s: crl-not-begun: its thisUpdate is in the future", label);
	if (!code && crl && crl_number(crl).bytes == 0)
		code = findings_add(findings, FINDING_WARNING,
		    "%s: crl-number-absent: an older one could be slipped in", label);
	if (!code && crl && crl_authority_key(crl).bytes == 0)
		code = findings_add(findings, FINDING_WARNING,
		    "%s: crl-key-id-absent: strict verifiers refuse it", label);
	if (!code && crl && crl_next_update(crl) - crl_this_update(crl) > 100 * DAY_S)
		code = findings_add(findings, FINDING_WARNING,
		    "%s: crl-long: with more than 100 days an old one helps a thief for long",
		    label);
	crl_free(crl);
	return code;
}
