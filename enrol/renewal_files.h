/*
 * The files of a certificate that is renewed: the certificate, its private key, and beside the key, as
 * long as a renewal is under way, the next one, `KEY.next`.  The next key is on the disk before anybody is
 * asked to certify it, so that an answer that is lost can be had again.
 *
 * The certificate is replaced first and the key after it, each at once.  Whoever dies between the two leaves
 * a certificate beside its key's file: renewal_files_mend() finishes that at the next start, before
 * anybody loads them.  In the thread that loads the files nobody sees one without the other.
 *
 * Links are followed: what they lead to is replaced.
 */
#ifndef ENROL_RENEWAL_FILES_H
#define ENROL_RENEWAL_FILES_H

#include <limits.h>
#include <stdbool.h>

#include "base/file.h"
#include "base/secret.h"
#include "keys/key_message.h"

/* Borrowed. */
struct renewal_files {
	const char *certificate, *private_key;
};

/* Whether they are two files, and this user may replace them: directories, since files are renamed.  False
 * with a sentence. */
bool renewal_files_may_replace(const struct renewal_files *, bool with_key, char error[FILE_ERROR]);

/* Whether there is room for the next certificate: what is issued for a full disk is lost.  False with a
 * sentence. */
bool renewal_files_have_room(const struct renewal_files *, char error[FILE_ERROR]);

/* The next key: the one that is there, or a new one like the one in force.  One that cannot be read
 * is replaced.  Where it is, and the SHA-256 of its SubjectPublicKeyInfo; false with a sentence. */
bool renewal_files_next_key(const struct renewal_files *, char path[PATH_MAX],
    uint8_t digest[KEY_DIGEST], char error[FILE_ERROR]);
/* Puts a certificate (with the CAs behind it, PEM) in force, and with_key the next key. */
bool renewal_files_replace(const struct renewal_files *, const struct secret *certificate,
    bool with_key, char error[FILE_ERROR]);

enum renewal_mended { RENEWAL_NOTHING_TO_MEND, RENEWAL_MENDED, RENEWAL_NOT_MENDED };
/* At a start: where the certificate in force belongs to the next key, that one takes its place.
 * RENEWAL_NOT_MENDED comes with a sentence. */
enum renewal_mended renewal_files_mend(const struct renewal_files *, char error[FILE_ERROR]);

#endif
