/*
 * What an authority has sent, judged before it takes any file's place.
 */
#ifndef ENROL_RENEWAL_ANSWER_H
#define ENROL_RENEWAL_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/conf.h"
#include "base/secret.h"
#include "pki/verdict.h"

/* What the new certificate must be; borrowed. */
struct renewal_answer_wanted {
	enum role role;
	const char *host;             /* of a relay: what agents will ask for; NULL for an agent */
	const struct conf_texts *cas; /* files of the roots that it must come from */
	const struct secret *certificate; /* the one in force, PEM */
	const uint8_t *key; /* it must be for this one: SHA-256 of its SubjectPublicKeyInfo */
	const char *path;   /* of the one in force, for messages */
};

enum { RENEWAL_ANSWER_ERROR = 768 };

/*
 * Whether a chain (PEM, the leaf first) may take the place of the certificate in force: our key is
 * in it, it comes from the roots and is good for its role now, it has every name that the old one has, and
 * ends later.  False with a sentence.
 */
bool renewal_answer_judge(const struct renewal_answer_wanted *, const struct secret *chain,
    char error[RENEWAL_ANSWER_ERROR]);

/* Whether the roots can be read; false with a sentence. */
bool renewal_answer_has_roots(const struct conf_texts *cas, char error[RENEWAL_ANSWER_ERROR]);

#endif
