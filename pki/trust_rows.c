/* Words to a policy, lists to sources. */
#include "pki/trust_rows.h"

#include <stdio.h>
#include <string.h>

#include "base/units.h"

const char *const trust_rows_missing[] = { "reject", "allow", NULL };

_Static_assert(CRL_MISSING_REJECT == 0 && CRL_MISSING_ALLOW == 1,
    "trust_rows_missing follows enum crl_missing");

/* "grace", or "grace" and a duration behind a space. */
static bool
read_grace(const char *text, int64_t *grace_s)
{
	static const char grace[] = "grace";
	uint64_t ms = UINT64_C(1000) * CRL_GRACE_S;
	if (strncmp(text, grace, strlen(grace)) != 0)
		return false;
	text += strlen(grace);
	if (*text != '\0' && (*text != ' ' || !duration_parse(text + strspn(text, " "), &ms)))
		return false;
	*grace_s = (int64_t)(ms / 1000);
	return true;
}

bool
trust_rows_expired(const char *text, enum crl_expired *expired, int64_t *grace_s)
{
	*grace_s = 0;
	if (strcmp(text, "reject") == 0)
		*expired = CRL_EXPIRED_REJECT;
	else if (strcmp(text, "allow") == 0)
		*expired = CRL_EXPIRED_ALLOW;
	else if (read_grace(text, grace_s))
		*expired = CRL_EXPIRED_GRACE;
	else
		return false;
	return true;
}

bool
trust_rows_is_expired(const char *text, char error[256])
{
	enum crl_expired expired;
	int64_t grace_s;
	if (trust_rows_expired(text, &expired, &grace_s))
		return true;
	snprintf(error, 256, "is not a policy; write reject, grace 24h or allow");
	return false;
}

void
trust_rows_fill(struct trust_sources *sources, const struct conf_texts *cas,
    const struct conf_texts *crls, const struct conf_texts *crl_urls,
    const struct crl_policy_settings *policy)
{
	*sources = (struct trust_sources){
		.ca_files = (const char *const *)cas->items,
		.ca_count = cas->count,
		.crl_files = (const char *const *)crls->items,
		.crl_count = crls->count,
		.crl_urls = (const char *const *)crl_urls->items,
		.crl_url_count = crl_urls->count,
		.crls_configured = crls->count + crl_urls->count > 0,
		.expired = CRL_EXPIRED_GRACE,
		.grace_s = CRL_GRACE_S,
	};
	if (!policy)
		return;
	sources->missing = (enum crl_missing)policy->missing;
	if (policy->expired)
		trust_rows_expired(policy->expired, &sources->expired, &sources->grace_s);
}
