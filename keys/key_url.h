/*
 * Private keys that are not here, for GnuTLS and what is built on it: a key is named by a URL,
 * `valise-key:PATH`, which the library is taught to turn into a key whose signatures are made where
 * keys are (gnutls_register_custom_url, gnutls_privkey_import_ext4).  Wherever a private key is
 * wanted as PEM such a URL may stand in its place: in struct tls_settings, and in a fetch.
 *
 * A key that was opened so is the one that was in the file then.  If the key process has begun anew it is
 * opened again, and only if it is the same one.
 *
 * No such key decrypts anything, so that static RSA is not to be had.
 */
#ifndef KEYS_KEY_URL_H
#define KEYS_KEY_URL_H

#include <stdbool.h>

#include "base/secret.h"

#define KEY_URL "valise-key:"

enum { KEY_URL_ERROR = 768 };

/* Teaches the library, the first time; before other threads use it. */
void key_url_register(void);
/* The URL of a key, with a NUL behind it.  False with a sentence: memory. */
bool key_url_make(struct secret *url, const char *path, char error[KEY_URL_ERROR]);

#endif
