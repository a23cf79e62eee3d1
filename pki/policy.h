/*
 * Certificate policies along one chain (RFC 5280, 6.1), with no policy asked for: any will do,
 * but a CA may demand that there is one which every certificate below the root has
 * (policyConstraints).  Of the valid_policy_tree only its lowest depth is kept, since
 * nobody asks which policies stood above; so the work is bounded by POLICY_MOST squared for
 * each certificate, where a tree may grow without end (CVE-2023-0464).
 */
#ifndef PKI_POLICY_H
#define PKI_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "pki/path.h"

/* At one depth; looked at only where a CA of the chain demands a policy. */
enum { POLICY_MOST = 64 };

/* False with the certificate at fault in *position, and the reason in *why, a constant that reads
 * after "certificate 2 ".  As the root is an anchor, its own policies count for nothing. */
bool policy_allows(const struct path *, size_t *position, const char **why);

#endif
