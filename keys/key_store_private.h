/*
 * Internal to the store: what key_store.c (open keys), key_jws.c (accounts), key_making.c (files and
 * requests) and key_adopting.c (files of before) share.
 */
#ifndef KEYS_KEY_STORE_PRIVATE_H
#define KEYS_KEY_STORE_PRIVATE_H

#include <gnutls/abstract.h>
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
/* Makes the folder of the file where the parent of that is there. */
void key_make_folder(const char *path);

/* What the key of this name, or of what it is a link to, is for. */
enum key_use {
	KEY_USE_TLS,
	KEY_USE_REQUEST, /* it waits for its certificate */
	KEY_USE_JWS,
};
enum key_use key_use_of(const char *path);
/* Whether another key is to take its place. */
bool key_waits(const char *path);

/* Of an account's key: answers with x and y, 32 octets each; false after a sentence if it is no key on
 * P-256. */
bool key_jws_describe(const struct key_file *, const char *path, struct key_saying *);
/* Answers with r and s, 32 octets each. */
void key_jws_sign(gnutls_privkey_t, const struct key_question *, struct key_saying *);

/* Verbs; the store is not used. */
void key_making_make(struct key_store *, const struct key_question *, struct key_saying *);
void key_making_next(struct key_store *, const struct key_question *, struct key_saying *);
void key_making_request(struct key_store *, const struct key_question *, struct key_saying *);
void key_making_may_replace(struct key_store *, const struct key_question *, struct key_saying *);
void key_making_put(struct key_store *, const struct key_question *, struct key_saying *);
void key_making_drop(struct key_store *, const struct key_question *, struct key_saying *);
void key_adopting_adopt(struct key_store *, const struct key_question *, struct key_saying *);

#endif
