/* Loads a trust from memory, through files that are in memory, too. */
#include "enrol/est_trust.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/memory_file.h"
#include "pki/trust.h"

/* Writes the sentence with the name that people know in the place of our own file's. */
static void
tell(const char *sentence, const struct memory_file *file, const char *known,
    char error[EST_TRUST_ERROR])
{
	const char *at = file->fd >= 0 ? strstr(sentence, file->path) : NULL;

	if (at)
		snprintf(error, EST_TRUST_ERROR, "%.*s%.200s%s", (int)(at - sentence), sentence,
		    known, at + strlen(file->path));
	else
		snprintf(error, EST_TRUST_ERROR, "%s", sentence);
}

static struct trust *
load(const struct est_trust_sources *sources, const struct memory_file *cas,
    const struct memory_file *crls, char error[EST_TRUST_ERROR])
{
	const char *const ca_file = cas->path, *const crl_file = crls->path;
	char sentence[TRUST_ERROR], half[EST_TRUST_ERROR];
	struct trust *trust = trust_load(
	    &(struct trust_sources){
		.ca_files = &ca_file,
		.ca_count = 1,
		.crl_files = &crl_file,
		.crl_count = sources->crls ? 1 : 0,
		.crls_configured = sources->crls != NULL,
		.missing = CRL_MISSING_REJECT,
		.expired = CRL_EXPIRED_GRACE,
		.grace_s = CRL_GRACE_S,
		.label = sources->label,
	    },
	    NULL, sentence, sizeof sentence);

	if (trust)
		return trust;
	tell(sentence, crls, sources->crls_from, half);
	tell(half, cas, sources->cas_from, error);
	return NULL;
}

struct trust *
est_trust_load(const struct est_trust_sources *sources, char error[EST_TRUST_ERROR])
{
	struct memory_file cas = { .fd = -1 }, crls = { .fd = -1 };
	struct trust *trust = NULL;

	if (memory_file_open(&cas, sources->cas->data, sources->cas->bytes) &&
	    (!sources->crls || memory_file_open(&crls, sources->crls->data, sources->crls->bytes)))
		trust = load(sources, &cas, &crls, error);
	else
		snprintf(error, EST_TRUST_ERROR, "%s cannot be kept in memory: %s", sources->label,
		    strerror(errno));
	memory_file_close(&cas);
	memory_file_close(&crls);
	return trust;
}
