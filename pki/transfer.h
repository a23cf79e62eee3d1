/*
 * The bodies of EST: DER in base64 (RFC 8951, 2.1).  What is read may have white space
 * anywhere; what is written is one line without an end, since strongSwan 5.9 decodes
 * nothing else.  A header that speaks of the encoding is neither needed nor looked at.
 */
#ifndef PKI_TRANSFER_H
#define PKI_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/secret.h"
#include "pki/der.h"

/* The text, with a NUL behind it that is not counted.  False when memory is short. */
bool transfer_encode(struct der, struct secret *text);
/* False if it is not base64, or nothing, or memory is short. */
bool transfer_decode(const void *text, size_t bytes, struct secret *out);

#endif
