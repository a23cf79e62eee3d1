/* What only the files of pki/ see of a trust. */
#ifndef PKI_INSIDE_H
#define PKI_INSIDE_H

struct trust;
struct authority;
struct revocation;

const struct authority *trust_authority(const struct trust *);
/* NULL if no CRLs are configured. */
struct revocation *trust_revocation(const struct trust *);
const char *trust_label(const struct trust *);

#endif
