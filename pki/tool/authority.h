/*
 * What every command but init begins with: the authority that --ca or VALISE_CA
 * names, its store and the passphrase of its keys.
 */
#ifndef PKI_TOOL_AUTHORITY_H
#define PKI_TOOL_AUTHORITY_H

#include <stdint.h>

#include "pki/tool/record.h"
#include "pki/tool/options.h"
#include "pki/tool/passphrase.h"
#include "pki/tool/store.h"

struct authority {
	const struct common *common; /* borrowed */
	struct store store;
	struct passphrase passphrase;
	int64_t now;
	bool reads;  /* the command only looks: the directory need not be one that can be written */
	bool silent; /* no warnings, as the command reports the same itself */
};

/* --ca or VALISE_CA; NULL after a message. */
const char *authority_directory(const struct common *);
/* {0} before, but for `reads` and `silent`; close in any case. Warns of CRLs and CAs that end soon. */
int authority_open(struct authority *, const struct common *);
void authority_close(struct authority *);

/* Below a third of the CRL's life, or behind its end. */
bool authority_crl_is_due(const struct ca *, int64_t now);
/* What to do about it. */
const char *authority_crl_cure(const struct ca *);

#endif
