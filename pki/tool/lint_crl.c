/* The rules for CRLs, and the table of them. */
#include "pki/crl.h"
#include "pki/tool/dn.h"
#include "pki/tool/lint.h"
#include "pki/tool/profile.h"

struct linted_crl {
	const struct crl *crl;
	struct der whole;
	int64_t now;
};

/* TBSCertList; the version is read if there is one. */
static struct cursor
enter_list(struct der whole, bool *has_version)
{
	struct cursor outer = der_over(whole), in = der_enter(&outer, DER_SEQUENCE),
		      part = der_enter(&in, DER_SEQUENCE);

	*has_version = der_peek(&part) == DER_INTEGER;
	if (*has_version)
		der_read(&part, DER_INTEGER);
	return part;
}

bool
lint_next_time_is_odd(struct cursor *in)
{
	static const int64_t year_2050 = 2524608000;
	bool generalized = der_peek(in) == DER_GENERALIZED_TIME;
	int64_t time = der_time(in);

	return generalized && !in->failed && time < year_2050;
}

static bool
version_1(const struct linted_crl *l)
{
	bool has_version;

	enter_list(l->whole, &has_version);
	return !has_version;
}

static bool
time_form(const struct linted_crl *l)
{
	bool ignored, odd;
	struct cursor in = enter_list(l->whole, &ignored);

	der_read(&in, DER_SEQUENCE);
	der_read(&in, DER_SEQUENCE);
	odd = lint_next_time_is_odd(&in);
	odd = lint_next_time_is_odd(&in) || odd;
	if (der_peek(&in) != DER_SEQUENCE)
		return odd;
	struct cursor list = der_enter(&in, DER_SEQUENCE);
	while (!odd && list.left && !list.failed) {
		struct cursor entry = der_enter(&list, DER_SEQUENCE);

		der_read(&entry, DER_INTEGER);
		odd = lint_next_time_is_odd(&entry);
	}
	return odd;
}

static bool
issuer_not_text(const struct linted_crl *l)
{
	struct der issuer = crl_issuer(l->crl);

	return issuer.bytes == 2 || !dn_is_sound(issuer);
}

static bool
ended(const struct linted_crl *l)
{
	return crl_next_update(l->crl) <= l->now;
}

static bool
not_begun(const struct linted_crl *l)
{
	return crl_this_update(l->crl) > l->now;
}

static bool
number_absent(const struct linted_crl *l)
{
	return crl_number(l->crl).bytes == 0;
}

static bool
key_id_absent(const struct linted_crl *l)
{
	return crl_authority_key(l->crl).bytes == 0;
}

static bool
too_long(const struct linted_crl *l)
{
	return crl_next_update(l->crl) - crl_this_update(l->crl) > 100 * DAY_S;
}

static const struct crl_rule {
	const char *word;
	enum finding_weight weight;
	bool (*breaks)(const struct linted_crl *);
	const char *sentence;
} rules[] = {
	{ "crl-version-1", FINDING_WRONG, version_1, "it is of version 1, which Go refuses" },
	{ "crl-time-form", FINDING_WRONG, time_form,
	    "one of its times before 2050 is a GeneralizedTime, where RFC 5280 wants UTCTime" },
	{ "crl-issuer-not-text", FINDING_WRONG, issuer_not_text,
	    "its issuer is empty, or has a control character or one that its type of string does not "
	    "have; OpenSSL or Go cannot read it" },
	{ "crl-ended", FINDING_EXPIRED, ended, "its nextUpdate is over" },
	{ "crl-not-begun", FINDING_WRONG, not_begun, "its thisUpdate is in the future" },
	{ "crl-number-absent", FINDING_WARNING, number_absent, "an older one could be slipped in" },
	{ "crl-key-id-absent", FINDING_WARNING, key_id_absent, "strict verifiers refuse it" },
	{ "crl-long", FINDING_WARNING, too_long,
	    "with more than 100 days an old one helps a thief for long" },
};

int
lint_crl(struct findings *findings, const char *label, struct der data, int64_t now)
{
	const char *why = "";
	struct crl *crl = crl_parse(data.data, data.bytes, &why);
	struct linted_crl linted = { crl, data, now };
	int code = 0;

	if (!crl || !crl_index(crl, &why))
		code = findings_add(
		    findings, FINDING_WRONG, "%s: crl-refused: the CRL %s", label, why);
	for (size_t i = 0; !code && crl && i < sizeof rules / sizeof *rules; i++)
		if (rules[i].breaks(&linted))
			code = findings_add(findings, rules[i].weight, "%s: %s: %s", label,
			    rules[i].word, rules[i].sentence);
	crl_free(crl);
	return code;
}
