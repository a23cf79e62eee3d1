/*
 * A private key in a file: PEM, not encrypted, and fit to be a key file (base/file.h).  It is read
 * here and nowhere else in a daemon, and, unless `key_process: off` is set, only in its key process,
 * so that each mistake has one sentence, which names the file, what it holds instead, and the cure.
 */
#ifndef KEYS_KEY_FILE_H
#define KEYS_KEY_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include <gnutls/x509.h>

#include "base/secret.h"

enum { KEY_FILE_ERROR = 768, KEY_FILE_DIGEST = 32 };

/* {0} is empty. */
struct key_file {
	gnutls_x509_privkey_t key;
	int algorithm; /* gnutls_pk_algorithm_t */
	unsigned bits;
	uint8_t digest[KEY_FILE_DIGEST]; /* SHA-256 of its SubjectPublicKeyInfo */
};

/* Negative, one of GnuTLS's errors, if it is no key in PEM; wipe in any case. */
int key_file_take(struct key_file *, const struct secret *pem);
/* False with a sentence; wipe in any case. */
bool key_file_load(struct key_file *, const char *path, char error[KEY_FILE_ERROR]);
void key_file_wipe(struct key_file *);

#endif
