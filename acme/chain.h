/*
 * What an ACME server has issued: judged before it replaces anything, since a CA may be wrong, and
 * our clock, too.  Whether clients believe the CA is another question, that of who chose it.
 */
#ifndef ACME_CHAIN_H
#define ACME_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/secret.h"
#include "keys/key_message.h"
#include "pki/der.h"

enum { CHAIN_ERROR = 768, CHAIN_ID = 256, CHAIN_CERTIFICATES = 10 };

/* Of the first certificate of a file. */
struct chain_facts {
	int64_t not_before_s, not_after_s;
	/* As RFC 9773, 4.1 names it; "" where it has no key identifier of its issuer. */
	char id[CHAIN_ID];
	char issuer[256];
};

/* False: it is not a certificate in PEM, or memory is short. */
bool chain_read(struct chain_facts *, struct der pem);

enum chain_fault {
	CHAIN_FINE,
	CHAIN_WRONG, /* it is not what was ordered */
	CHAIN_CLOCK, /* it is, but not by our clock */
};

/* Whether the first certificate is for this name and this key (SHA-256 of its SubjectPublicKeyInfo),
 * and in force now; else with a sentence. */
enum chain_fault chain_judge(struct der pem, const char *name, const uint8_t key[KEY_DIGEST],
    int64_t now_s, char error[CHAIN_ERROR]);

/* The certificates of a chain that was judged, in PEM, and nothing else that came along: a text of
 * the CA's could be a key, or spoil the file.  False with a
 * sentence: one cannot be loaded, or they are more than CHAIN_CERTIFICATES. */
bool chain_write(struct secret *out, struct der pem, char error[CHAIN_ERROR]);

#endif
