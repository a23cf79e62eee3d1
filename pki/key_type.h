/*
 * The types of keys that the programs make, in files and on tokens, under the words of --key-type.
 */
#ifndef PKI_KEY_TYPE_H
#define PKI_KEY_TYPE_H

#include <stdbool.h>

#include <gnutls/x509.h>

enum key_type { KEY_P256, KEY_ED25519, KEY_RSA2048, KEY_RSA3072, KEY_TYPES };
/* All words, for messages. */
#define KEY_TYPE_WORDS "p256, ed25519, rsa2048 or rsa3072"
/* The same, as a table of options has them (base/program.h). */
#define KEY_TYPE_CHOICES "p256|ed25519|rsa2048|rsa3072"

/* NULL: P-256.  False if no type has this word. */
bool key_type_parse(const char *word, enum key_type *);
const char *key_type_word(enum key_type);
/* The size is as GnuTLS counts it. */
gnutls_pk_algorithm_t key_type_algorithm(enum key_type, unsigned *bits);
/* Makes a key, in full length (pki/ec_key.h).  Negative, one of GnuTLS's errors, if there is none;
 * *out is to be deinitialised in any case. */
int key_type_generate(enum key_type, gnutls_x509_privkey_t *out);

#endif
