/*
 * The rules of lint: what is looked at, and the table.
 */
#ifndef PKI_TOOL_LINT_RULE_H
#define PKI_TOOL_LINT_RULE_H

#include <gnutls/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pki/grant.h"
#include "pki/tool/finding.h"
#include "pki/tool/names.h"
#include "pki/x509.h"

/* Everything that a rule may look at. */
struct lint_subject {
	struct x509 facts, issuer;
	struct der validity, extensions; /* contents, of Validity and Extensions */
	bool has_issuer, is_root;
	gnutls_x509_crt_t certificate;
	gnutls_pk_algorithm_t key;
	unsigned bits;
	bool agent, server, client, any; /* purposes */
	bool has_basic_constraints, basic_critical, grant_critical, key_readable;
	struct grant grant;
	bool grant_readable;
	bool excludes, permits_names, permits_uris;
	struct names names;
	int64_t now;
};

struct lint_rule {
	const char *word;
	enum finding_weight weight;
	bool (*breaks)(const struct lint_subject *);
	const char *sentence;
};

/* NULL behind the last. */
const struct lint_rule *lint_rule_at(size_t index);

#endif
