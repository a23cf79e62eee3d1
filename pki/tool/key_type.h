/*
 * The types of keys that this program makes, in files and on tokens.
 */
#ifndef PKI_TOOL_KEY_TYPE_H
#define PKI_TOOL_KEY_TYPE_H

#include <gnutls/gnutls.h>

enum key_type { KEY_P256, KEY_ED25519, KEY_RSA2048, KEY_RSA3072, KEY_TYPES };

/* The word of --key-type; NULL: P-256. */
int key_type_parse(const char *word, enum key_type *);
/* Algorithm and size, as GnuTLS counts it. */
void key_type_facts(enum key_type, gnutls_pk_algorithm_t *, unsigned *bits);

#endif
