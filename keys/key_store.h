/*
 * Private keys, and what may be done with them: all answers are made here.  The store is the key
 * process's; with `key_process: off` each daemon has one of its own.  No answer has anything of a
 * private key.
 *
 * Where a key lies says what it is for: PATH.next is a key that waits for its certificate and signs
 * nothing but the request for it, which is composed here; all others sign for TLS.
 *
 * Shared by:  all threads of the daemon.
 * Bound:      KEY_STORE_MOST keys that are open.
 * Who leaves: nobody; a further one is refused, and its certificate not loaded.
 */
#ifndef KEYS_KEY_STORE_H
#define KEYS_KEY_STORE_H

#include "keys/key_message.h"

enum { KEY_STORE_MOST = 1 << 17 };

struct key_store;

/* NULL when memory is short. */
struct key_store *key_store_new(void);
/* NULL is fine; no thread is in key_store_answer(). */
void key_store_free(struct key_store *);

/* Any thread.  What the answer borrows is in `storage`. */
void key_store_answer(struct key_store *, const struct key_question *, struct key_answer *,
    uint8_t storage[KEY_DATA_MOST]);

#endif
