/*
 * Judges a relay's `open`.  The relay has routed by its own reading of the
 * ClientHello; the agent reads it again with the same parser, so that a relay
 * in error (or in bad faith) cannot make an endpoint serve another name.
 * Pure but for the clock: no socket, no log, no allocation.
 */
#ifndef AGENT_OPEN_CHECK_H
#define AGENT_OPEN_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "tunnel/code.h"
#include "tunnel/frame.h"

struct endpoint;

/* Whether the hello, of open->hello_bytes, is that of an ACME server which looks for the answer to a
 * challenge: it offers CHALLENGE_PROTOCOL alone (RFC 8737, 3). */
bool open_is_for_challenge(const struct frame_open *, const uint8_t *hello);
/* endpoint: the one that the frame names, NULL if there is none.  Who is answered by a challenge need not be
 * on any list, and no upstream need be there.  CODE_NONE, or why the flow is refused, with a sentence. */
enum code open_check(const struct frame_open *, const struct endpoint *, const uint8_t *hello,
    bool is_challenge, char sentence[SENTENCE_TEXT]);

#endif
