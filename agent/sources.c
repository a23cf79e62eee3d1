/*
 * From settings to the sources of trust sets.
 */
#include "agent/sources.h"

#include <string.h>

#include "base/log.h"

static const char *const system_cas[] = { SOURCES_SYSTEM_CAS };

void
sources_fill(struct trust_sources *out, const struct conf_texts *cas, const struct conf_texts *crls,
    const struct crl_policy_settings *policy, const char *state_dir, const char *label)
{
	static const enum crl_expired kind[] = {
		[EXPIRED_REJECT] = CRL_EXPIRED_REJECT,
		[EXPIRED_GRACE] = CRL_EXPIRED_GRACE,
		[EXPIRED_ALLOW] = CRL_EXPIRED_ALLOW,
	};
	enum expired_policy expired = EXPIRED_GRACE;

	memset(out, 0, sizeof *out);
	out->ca_files = (const char *const *)cas->items;
	out->ca_count = cas->count;
	out->label = label;
	if (cas->count == 0) {
		out->ca_files = system_cas;
		out->ca_count = 1;
		out->label = "the system's CAs";
	}
	out->crl_files = (const char *const *)crls->items;
	out->crl_count = crls->count;
	out->crls_configured = crls->count > 0;
	out->grace_s = CRL_GRACE_S;
	if (policy) {
		out->missing =
		    policy->missing == MISSING_ALLOW ? CRL_MISSING_ALLOW : CRL_MISSING_REJECT;
		if (policy->expired)
			agent_settings_expired(policy->expired, &expired, &out->grace_s);
	}
	out->expired = kind[expired];
	out->state_dir = state_dir;
}

bool
sources_file_changed(const char *path, struct file_stamp *seen)
{
	struct file_stamp now = file_stamp_of(path);

	if (file_stamp_equals(&now, seen))
		return false;
	*seen = now;
	return true;
}

void
sources_warn(const struct trust *trust, const char *label)
{
	const char *sentence;

	for (size_t i = 0; (sentence = trust_warning(trust, i)); i++)
		log_event(LOG_WARNING, "trust-warning", sentence, log_str("key", label));
}
