/*
 * CRLs that the owner of a CA's key has issued, of a CA made by `sub --csr`: they are published with
 * those that are issued here.
 */
#ifndef PKI_TOOL_CRL_IMPORT_H
#define PKI_TOOL_CRL_IMPORT_H

#include "pki/tool/authority.h"

/* Takes the one of this CA out of the file, whose number must be higher than of the one at hand, in a
 * change of its own.  *ca is what the inventory says afterwards. */
int crl_import(struct authority *, const char *name, const char *path, struct ca *);

#endif
