/*
 * What is said between a daemon and its key process, a packet each: one question, one answer.  The
 * process believes nothing of a question, since the daemon may have been taken over; the daemon
 * believes answers.
 *
 * Pure functions.  Integers are big-endian, texts have their length before them.
 */
#ifndef KEYS_KEY_MESSAGE_H
#define KEYS_KEY_MESSAGE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"

enum {
	/* Ed25519 signs whole messages; the longest is the transcript of a TLS 1.2 handshake. */
	KEY_DATA_MOST = 64 << 10,
	KEY_MESSAGE_BYTES = KEY_DATA_MOST + PATH_MAX + 64,
};

enum key_verb {
	KEY_LOOK,        /* path: which key is in the file */
	KEY_OPEN,        /* path: for KEY_SIGN, until KEY_CLOSE */
	KEY_SIGN,        /* key, algorithm, data: a digest, or of Ed25519 and Ed448 the message */
	KEY_CLOSE,       /* key */
	KEY_SIGN_JWS,    /* key, data: what a JSON Web Signature is made over */
	KEY_MAKE,        /* path, type: a new key in a new file */
	KEY_MAKE_NEXT,   /* path: a key like that one in PATH.next, unless a good one is there */
	KEY_REQUEST,     /* path, data (key_names.h): a certificate request for the key, DER */
	KEY_MAY_REPLACE, /* path: whether the file can be replaced */
	KEY_PUT_NEXT,    /* path: PATH.next takes its place */
	KEY_DROP_NEXT,   /* path: PATH.next is removed */
	KEY_ADOPT,       /* path, data: a path where ACME kept the key before it had a folder */
	KEY_VERBS
};

struct key_question {
	uint32_t number; /* comes back in the answer */
	enum key_verb verb;
	uint64_t key;
	uint32_t algorithm; /* gnutls_sign_algorithm_t */
	uint8_t type;       /* enum key_type */
	char path[PATH_MAX];
	const uint8_t *data; /* borrowed */
	size_t bytes;
};

enum key_code {
	KEY_DONE,
	KEY_REFUSED,   /* with a sentence: the file, or what it holds */
	KEY_UNKNOWN,   /* no such key is open (any more) */
	KEY_FORBIDDEN, /* with a sentence: not with this key */
	KEY_FAILED,    /* with a sentence: memory, or the library */
	/* Never said, but what the asking side tells of no answer. */
	KEY_LATE,
	KEY_GONE,
	KEY_CODES
};

enum { KEY_DIGEST = 32 };

struct key_answer {
	uint32_t number;
	enum key_code code;
	uint64_t key;
	uint32_t algorithm, bits;   /* of the key: gnutls_pk_algorithm_t */
	uint8_t digest[KEY_DIGEST]; /* SHA-256 of its SubjectPublicKeyInfo */
	/* Borrowed: the signature or the request; x and y of an account's key that was opened; what
	 * stood around a key that was adopted; else the sentence. */
	const uint8_t *data;
	size_t bytes;
};

/* False if it does not fit. */
bool key_question_encode(const struct key_question *, struct writer *);
bool key_answer_encode(const struct key_answer *, struct writer *);
/* False if it is none; what is borrowed is part of the input. */
bool key_question_decode(struct cursor, struct key_question *);
bool key_answer_decode(struct cursor, struct key_answer *);

#endif
