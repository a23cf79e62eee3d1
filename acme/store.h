/*
 * What an ACME client keeps, in the directory `acme` of state_dir (0700):
 *
 *	account-ID.url      the account, and the CA's name in CAA records, a line each; ID is of the CA's
 *	                    directory (and the CA's key_id, if any)
 *	NAME.crt            the chain in force, replaced at once
 *	NAME.from           of which account and type of key that is
 *	NAME.wait           when nothing is tried before, and why, so that a restart asks no CA more
 * often;
 *	                    other settings are tried at once
 *
 * and, where the key process alone reads and writes (keys/key_store.h), in `keys`:
 *
 *	acme-ID.account         the account's key
 *	acme-ID.account.next    the key that it is being changed to
 *	acme-NAME.key           the key of the chain in force
 *	acme-NAME.key.next      the key of a certificate that is being ordered: it is there before it is
 *	                        used, so that no crash loses the key of a certificate that was issued
 *
 * The chain is replaced first and its key after it; store_mend() finishes what a crash between the
 * two has left.
 *
 * Whoever calls knows that NAME is a host name in its normal form.  The files belong to one thread
 * of one process, but that one-shot agents may share the directory: what is made is never replaced
 * by another's.
 */
#ifndef ACME_STORE_H
#define ACME_STORE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "acme/schedule.h"
#include "base/file.h"
#include "base/secret.h"
#include "keys/key_message.h"
#include "pki/der.h"
#include "pki/key_type.h"

struct account_key;

enum {
	STORE_ID = 17,
	STORE_SETTINGS = 17,
	STORE_URL = 1024,
	STORE_IDENTITY = 256,
	STORE_WHY = 512
};

/* The path of NAME.crt, and that of its key; return out. */
const char *store_certificate_path(const char *state_dir, const char *name, char out[PATH_MAX]);
const char *store_key_path(const char *state_dir, const char *name, char out[PATH_MAX]);

/* At a start, before they are loaded: finishes an exchange in whose middle the last process died,
 * and takes over what an older version kept, the key with its chain in NAME.pem.  False with a
 * sentence. */
bool store_mend(const char *state_dir, const char *name, char error[FILE_ERROR]);

/* For a certificate: CAs issue so many of a name in a week, and none is to be lost to a full disk.  False
 * with a sentence. */
bool store_has_room(const char *state_dir, const char *name, char error[FILE_ERROR]);
/* Makes the directory, and those that it is in.  False with a sentence. */
bool store_open(const char *state_dir, char error[FILE_ERROR]);

/* ID of an account; key_id may be NULL. */
void store_account_id(const char *directory, const char *key_id, char id[STORE_ID]);
/* The key, made if there is none.  NULL with a sentence. */
struct account_key *store_account_key(
    const char *state_dir, const char *id, char error[FILE_ERROR]);
/* "" where it is not registered, or cannot be read. */
void store_account_url(
    const char *state_dir, const char *id, char url[STORE_URL], char identity[STORE_IDENTITY]);
bool store_keep_account_url(const char *state_dir, const char *id, const char *url,
    const char *identity, char error[FILE_ERROR]);

/* The key that the account is being changed to: one that was begun before is gone on with, if
 * `is_begun` only that. NULL with a sentence, which is empty where there is none. */
struct account_key *store_fresh_key(
    const char *state_dir, const char *id, bool is_begun, char error[FILE_ERROR]);
/* It is the account's now, or it is not and is forgotten. */
bool store_settle_key(const char *state_dir, const char *id, bool is_fresh, char error[FILE_ERROR]);

/* The key for the next certificate, made if there is none of this type: its path, and the SHA-256 of its
 * SubjectPublicKeyInfo. */
bool store_order_key(const char *state_dir, const char *name, enum key_type, char path[PATH_MAX],
    uint8_t digest[KEY_DIGEST], char error[FILE_ERROR]);
/* Puts the chain and that key in force; id is of the account. */
bool store_certificate(const char *state_dir, const char *name, const char *id, enum key_type,
    struct der chain, char error[FILE_ERROR]);
/* Whether the certificate in force is of this account and type of key, so that it need not be
 * exchanged. */
bool store_is_from(const char *state_dir, const char *name, const char *id, enum key_type);

/* What a schedule knows of failures, over a restart; `settings` is a digest of those that have
 * failed, and for others nothing is known.  Both are silent where a file cannot be read or written:
 * it is only a courtesy. */
void store_keep_wait(const char *state_dir, const char *name, const char settings[STORE_SETTINGS],
    const struct schedule *, const char *why);
void store_read_wait(const char *state_dir, const char *name, const char settings[STORE_SETTINGS],
    struct schedule *, char why[STORE_WHY]);

#endif
