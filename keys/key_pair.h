/*
 * A certificate chain and its private key, from two files of one's own: both must be PEM,
 * the key fit to be a key file (keys/key_file.h), the certificate of the key first in its file.
 * The one place where daemons load them, so that each mistake has one sentence, which names
 * the file that is wrong, what it holds instead, and the cure.  The key itself is not loaded: it stays
 * where keys are.
 */
#ifndef KEYS_KEY_PAIR_H
#define KEYS_KEY_PAIR_H

#include <stdbool.h>

#include "base/secret.h"

enum { KEY_PAIR_ERROR = 768 };

/* What a TLS library is given: PEM, and the URL of the key (key_url.h).  {0} is empty. */
struct key_pair {
	struct secret certificate, key;
};

/* Which of the two is to be replaced. */
enum key_pair_fault { KEY_PAIR_FINE, KEY_PAIR_CERTIFICATE, KEY_PAIR_KEY };

/* With a sentence unless it returns KEY_PAIR_FINE; wipe in any case. */
enum key_pair_fault key_pair_load(struct key_pair *, const char *certificate_path,
    const char *key_path, char error[KEY_PAIR_ERROR]);
void key_pair_wipe(struct key_pair *);

#endif
