/*
 * What belongs to one CA of the authority, from the files that it publishes: the texts of
 * cas/ or crls/, those of the CA itself and of all CAs above it and, of CRLs, of all below
 * it, too.  It is what the bundles of publish.h hold, made without the inventory.
 */
#ifndef PKI_TOOL_CA_BUNDLE_H
#define PKI_TOOL_CA_BUNDLE_H

#include <stdbool.h>

#include "base/secret.h"

enum ca_bundle_kind { CA_BUNDLE_CERTIFICATES, CA_BUNDLE_CRLS };

/* PEM: what is below first, the root last.  False if there is no such CA, a file of it cannot be read, or
 * memory is short. */
bool ca_bundle_read(
    const char *directory, const char *name, enum ca_bundle_kind, struct secret *out);

#endif
