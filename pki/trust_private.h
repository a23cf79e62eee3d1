/* What only the files of this folder may ask a trust for. */
#ifndef PKI_TRUST_PRIVATE_H
#define PKI_TRUST_PRIVATE_H

struct trust;
struct ca_list;
struct revocation;

const struct ca_list *trust_ca_list(const struct trust *);
/* NULL if no CRLs are configured. */
struct revocation *trust_revocation(const struct trust *);
const char *trust_label(const struct trust *);

#endif
