/*
 * Private keys on PKCS#11 tokens: made there, never leaving it.  The PIN is the
 * authority's passphrase; a URI that carries one is refused, because command
 * lines can be read by everybody.
 */
#ifndef PKI_TOOL_TOKEN_H
#define PKI_TOOL_TOKEN_H

#include <gnutls/abstract.h>
#include <stdbool.h>

#include "pki/key_type.h"
#include "pki/tool/passphrase.h"

bool token_is_uri(const char *where);
/* Opens the key that the URI names. */
int token_open(const char *uri, struct passphrase *, gnutls_privkey_t *out);
/* A new key on the token that the URI names; `place` becomes the key's own URI. */
int token_generate(const char *uri, const char *label, enum key_type, struct passphrase *,
    char *place, size_t place_size, gnutls_privkey_t *out);

#endif
