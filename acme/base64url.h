/*
 * Base64 for URLs without padding (RFC 4648, section 5), as JOSE writes all of its octets (RFC
 * 7515).
 */
#ifndef ACME_BASE64URL_H
#define ACME_BASE64URL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/secret.h"

/* Text that the caller frees; NULL when memory is short. */
char *base64url_encode(const void *data, size_t bytes);
/* Padding may be there or not.  False if it is not such a text, or when memory is short; wipe after
 * true. */
bool base64url_decode(struct secret *out, const char *text);

#endif
