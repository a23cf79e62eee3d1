/*
 * From settings to the sources of trust sets, and whether a file has changed.
 *
 *	sources_catalogue(&settings, &seen) before trust sets are loaded by these settings, and every second
 *	sources_fill(&sources, &keys, &settings, label) -> trust_load(&sources, ...)
 */
#ifndef AGENT_SOURCES_H
#define AGENT_SOURCES_H

#include <stdbool.h>

#include "agent/settings.h"
#include "base/file.h"
#include "pki/trust.h"

#define SOURCES_SYSTEM_CAS "/etc/ssl/certs/ca-certificates.crt"

/* The keys of one trust set.  cas empty: the CAs of the system.  policy NULL: the default. */
struct sources_keys {
	const struct conf_texts *cas, *crls, *crl_urls;
	const struct crl_policy_settings *policy;
};

/* Fills `out`, which borrows from the settings.  agent NULL: there are no other CRL files, and nothing
 * is kept. */
void sources_fill(struct trust_sources *out, const struct sources_keys *,
    const struct agent_settings *agent, const char *label);

/* Looks at the CRL files of all keys and, if they are in another state than the one last seen, reads
 * into settings->catalogue what stands in them.  True if it did. */
bool sources_catalogue(struct agent_settings *, struct trust_stamp *seen);

/* True once for each state of the file that differs from the one last seen. */
bool sources_file_changed(const char *path, struct file_stamp *seen);

/* The state of any number of files, as a plain value; {0} is that of none. */
struct sources_stamp {
	uint8_t digest[32];
};
void sources_stamp_add(struct sources_stamp *, const char *path);
/* True if the two differ; *seen is what is now. */
bool sources_stamp_replace(struct sources_stamp *seen, const struct sources_stamp *now);

/* Keeps the revocations that it has found over a restart (NULL is fine); tells the log if it cannot. */
void sources_keep_revoked(struct trust *);
/* Logs the warnings of a trust set (NULL is fine), one line each. */
void sources_warn(const struct trust *, const char *label);
/* Once a day: the same of the CRL that ends first, if that is soon. */
void sources_warn_of_end(const struct trust *, const char *label);

#endif
