/*
 * What a daemon and its resolver's process say to each other, one message each:
 *
 *	question	number u64, host text8
 *	answer		number u64, unanswered u8 (0 or 1), why text16, count u8, and each address:
 *			family u8 (4 or 6), 4 or 16 octets, scope u32
 *
 * The process reads what name servers send, so that the daemon believes none of its octets.
 */
#ifndef BASE_LOOKUP_MESSAGE_H
#define BASE_LOOKUP_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/resolved.h"

enum { LOOKUP_MESSAGE = 1024 };

struct lookup_question {
	uint64_t number;
	char host[HOST_BYTES];
};

struct lookup_answer {
	uint64_t number;
	struct answer answer;
};

void lookup_question_encode(struct writer *, uint64_t number, const char *host);
bool lookup_question_decode(struct cursor, struct lookup_question *out);
void lookup_answer_encode(struct writer *, uint64_t number, const struct answer *);
/* An answer without an address says why. */
bool lookup_answer_decode(struct cursor, struct lookup_answer *out);

#endif
