/*
 * Private keys, and what may be done with them: all answers are made here.  The store is the key
 * process's; with `key_process: off` each daemon has one of its own.  No answer has anything of a
 * private key.
 *
 * Where a key lies says what it is for: NAME.account is that of an account at an ACME server and
 * signs nothing but what a JSON Web Signature is made over (RFC 7515, 5.1), which is looked at;
 * PATH.next is a key that waits for its certificate and signs nothing but the request for it, which
 * is composed here; all others sign for TLS, and their requests.
 *
 * Shared by:  all threads of the daemon.
 * Bound:      KEY_STORE_MOST keys that are open.
 * Who leaves: nobody; a further one is refused, and its certificate not loaded.
 */
#ifndef KEYS_KEY_STORE_H
#define KEYS_KEY_STORE_H

#include "base/secret.h"
#include "keys/key_message.h"

enum { KEY_STORE_MOST = 1 << 17 };

struct key_store;

/* NULL when memory is short. */
struct key_store *key_store_new(void);
/* One that has no files: what it signs with it is given by key_store_keep(). */
struct key_store *key_store_new_closed(void);
/* What is opened as `name` from now on is this key; nothing is copied but it.  False: it is no key
 * in PEM, or memory is short. */
bool key_store_keep(struct key_store *, const char *name, const struct secret *pem);
/* NULL is fine; no thread is in key_store_answer(). */
void key_store_free(struct key_store *);

/* Any thread.  What the answer borrows is in `storage`. */
void key_store_answer(struct key_store *, const struct key_question *, struct key_answer *,
    uint8_t storage[KEY_DATA_MOST]);

#endif
