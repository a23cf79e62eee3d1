/*
 * From settings to the sources of trust sets.
 */
#include "agent/sources.h"

#include "base/log.h"

static const char *const system_cas[] = { SOURCES_SYSTEM_CAS };

void
sources_fill(struct trust_sources *out, const struct conf_texts *cas, const struct conf_texts *crls,
    const struct crl_policy_settings *policy, const char *state_dir, const char *label)
{
	trust_rows_fill(out, cas, crls, policy);
	out->label = label;
	if (cas->count == 0) {
		out->ca_files = system_cas;
		out->ca_count = 1;
		out->label = "the system's CAs";
	}
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

void
sources_keep_revoked(struct trust *trust)
{
	char error[TRUST_ERROR];

	if (trust && !trust_keep_revoked(trust, error))
		log_event(LOG_WARNING, "trust-warning", error);
}
