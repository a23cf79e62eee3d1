/*
 * Internal to the store: what key_store.c (open keys) and key_making.c (files and requests) share.
 */
#ifndef KEYS_KEY_STORE_PRIVATE_H
#define KEYS_KEY_STORE_PRIVATE_H

#include <gnutls/x509.h>

#include "keys/key_file.h"
#include "keys/key_store.h"

enum { KEY_SENTENCE = 1024 };

/* An answer in the making. */
struct key_saying {
	struct key_answer *answer;
	uint8_t *storage;
};

void key_answer_say(struct key_saying *, enum key_code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What the library has made, or why it has not: negative, one of GnuTLS's errors. */
void key_answer_give(struct key_saying *, const gnutls_datum_t *made, int problem);
/* Which key it is about. */
void key_answer_describe(struct key_answer *, const struct key_file *);

/* Where the file is, behind all links; false after a sentence. */
bool key_find(const char *path, char found[PATH_MAX], struct key_saying *);
/* Whether the key of this name waits for its certificate. */
bool key_waits(const char *path);

/* Verbs; the store is not used. */
void key_making_make(struct key_store *, const struct key_question *, struct key_saying *);
void key_making_next(struct key_store *, const struct key_question *, struct key_saying *);
void key_making_request(struct key_store *, const struct key_question *, struct key_saying *);
void key_making_may_replace(struct key_store *, const struct key_question *, struct key_saying *);
void key_making_put(struct key_store *, const struct key_question *, struct key_saying *);

#endif
