/*
 * The facts of one certificate (RFC 5280, section 4) that our own judgement needs,
 * read from its DER; GnuTLS reads it a second time when it checks signatures.
 * Everything aliases the DER given.
 */
#ifndef PKI_X509_H
#define PKI_X509_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pki/der.h"

enum x509_usage { /* KeyUsage, first bit first */
	USAGE_DIGITAL_SIGNATURE = 0x80,
	USAGE_SIGN_CERTIFICATES = 0x04,
	USAGE_SIGN_CRLS = 0x02,
};

struct x509 {
	struct der whole;
	struct der signed_part, signature;
	struct serial serial;
	struct der algorithm;       /* AlgorithmIdentifier of its signature */
	struct der issuer, subject; /* Name */
	struct der spki;            /* SubjectPublicKeyInfo */
	int64_t not_before, not_after;
	bool is_ca;
	int path_length; /* -1: no limit */
	bool has_usage;
	unsigned usage; /* enum x509_usage */
	bool has_purposes;
	struct der purposes; /* contents of ExtKeyUsageSyntax */
	struct der names;    /* contents of subjectAltName's GeneralNames */
	bool has_constraints;
	struct der constraints; /* contents of NameConstraints */
	bool has_policies;
	struct der policies; /* contents of CertificatePolicies */
	struct der mappings; /* contents of PolicyMappings */
	int require_policy;  /* requireExplicitPolicy; -1: absent, as in the next two */
	int inhibit_mapping; /* inhibitPolicyMapping */
	int inhibit_any;     /* inhibitAnyPolicy */
	bool has_grant;
	struct der grant;         /* Grant */
	struct der crl_points;    /* contents of CRLDistributionPoints, or empty */
	struct der key_id;        /* subjectKeyIdentifier, or empty */
	struct der issuer_key_id; /* authorityKeyIdentifier, or empty */
	struct der unknown;       /* the first critical extension that nobody here knows, its OID */
};

/* False with the reason in *why, a constant that reads after "it ". */
bool x509_parse(struct x509 *, struct der whole, const char **why);

/* Whether its extKeyUsage is there and lists this very purpose. */
bool x509_has_purpose(const struct x509 *, const char *oid);
/* Whether the name and the key identifiers say that `issuer` issued it; signatures are another matter. */
bool x509_names_issuer(const struct x509 *, const struct x509 *issuer);
/* Whether subject and issuer are one name (RFC 5280, 3.2): a CA's new key signed by its old one, say. */
bool x509_is_self_issued(const struct x509 *);
/* keyUsage is absent or has this bit. */
bool x509_may(const struct x509 *, enum x509_usage);

/* One GeneralName off the list: its tag ([2] is DER_CONTEXT | 2) and contents. */
enum general_name {
	NAME_EMAIL = DER_CONTEXT | 1,
	NAME_DNS = DER_CONTEXT | 2,
	NAME_DIRECTORY = DER_CONTEXT_SEQUENCE | 4,
	NAME_URI = DER_CONTEXT | 6,
	NAME_ADDRESS = DER_CONTEXT | 7,
};
/* Takes the next name, of any kind or of one, off a list that begins as der_over(x->names); false
 * when there is none left. */
bool x509_next_name(struct cursor *names, unsigned *tag, struct der *value);
bool x509_next_name_of(struct cursor *names, enum general_name, struct der *value);

/* "CN=a,O=b" (RFC 4514) of a Name, hostile bytes escaped, shortened with "..." if
 * it does not fit; returns out. */
const char *x509_name_text(struct der name, char *out, size_t out_bytes);
/* Lower-case hexadecimal of the SHA-256; returns out. */
const char *x509_fingerprint(struct der whole, char out[65]);

#endif
