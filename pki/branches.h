/*
 * Whether one CA can issue what another of the same trust means to be its own: which name
 * stands in a certificate is said by whoever issues it.
 */
#ifndef PKI_BRANCHES_H
#define PKI_BRANCHES_H

#include <stdbool.h>

struct trust;

/* True where chains may lead to CAs that are listed side by side: several roots, or several
 * sub-CAs which narrow them.  A root that is narrowed counts by its sub-CAs, and one key with
 * one name is one CA, however many certificates it has. */
bool branches_are_several(const struct trust *);

#endif
