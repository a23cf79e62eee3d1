/*
 * What a daemon asks of its keys, wherever they are: in the key process, or with `key_process: off`
 * in this process.  Any thread; each call waits for its answer.
 *
 * A sentence in `error` names the file and says what to do.
 */
#ifndef KEYS_KEY_ASK_H
#define KEYS_KEY_ASK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/secret.h"
#include "keys/key_message.h"
#include "pki/key_type.h"

enum { KEY_ASK_ERROR = 768 };

/* What is wrong, of an answer that is not KEY_DONE. */
void key_ask_explain(const struct key_answer *, const char *path, char error[KEY_ASK_ERROR]);

/* The SHA-256 of the SubjectPublicKeyInfo of the key in this file. */
bool key_ask_look(const char *path, uint8_t digest[KEY_DIGEST], char error[KEY_ASK_ERROR]);

/* A new key in a new file; its folder is made if the parent of that is there.  PATH.next stays if it
 * is a good key of this type. */
bool key_ask_make(
    const char *path, enum key_type, uint8_t digest[KEY_DIGEST], char error[KEY_ASK_ERROR]);
/* PATH.next is there from now on: the good key that was there, or a new one like the one in force,
 * of a kind that valise-pki makes. */
bool key_ask_make_next(const char *path, uint8_t digest[KEY_DIGEST], char error[KEY_ASK_ERROR]);
/* The request for its certificate (RFC 2986), DER, signed with the key; names are of key_names.h. */
bool key_ask_request(const char *path, const void *names, size_t bytes, struct secret *request,
    char error[KEY_ASK_ERROR]);
/* Whether this user may put another file in its place. */
bool key_ask_may_replace(const char *path, char error[KEY_ASK_ERROR]);
/* PATH.next takes the place of PATH, which need not be there, or is removed. */
bool key_ask_put_next(const char *path, char error[KEY_ASK_ERROR]);
bool key_ask_drop_next(const char *path, char error[KEY_ASK_ERROR]);
/* A key that ACME kept in `old` moves to PATH.  What stood around it there is the caller's to wipe;
 * empty: nothing did, or there is no such file. */
bool key_ask_adopt(
    const char *path, const char *old, struct secret *around, char error[KEY_ASK_ERROR]);

#endif
