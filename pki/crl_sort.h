/*
 * Puts the entries of a CRL into the order of serial_compare(), in place and in linear
 * time whatever an issuer chose as serials.
 */
#ifndef PKI_CRL_SORT_H
#define PKI_CRL_SORT_H

#include <stddef.h>

#include "pki/crl.h"

/* The octets of the serials before `index` are the same in all entries. */
void crl_sort_entries(struct crl_entry *, size_t count, size_t index);

#endif
