/*
 * Judges a relay's `open`.  The relay has routed by its own reading of the
 * ClientHello; the agent reads it again with the same parser, so that a relay
 * in error (or in bad faith) cannot make an endpoint serve another name.
 * Pure but for the clock: no socket, no log, no allocation.
 */
#ifndef AGENT_OPEN_CHECK_H
#define AGENT_OPEN_CHECK_H

#include <stdint.h>

#include "tunnel/code.h"
#include "tunnel/frame.h"

struct endpoint;

/* endpoint: the one that the frame names, NULL if there is none.  hello: open->hello_bytes of them.
 * CODE_NONE, or why the flow is refused, with a sentence. */
enum code open_check(const struct frame_open *, const struct endpoint *, const uint8_t *hello,
    char sentence[SENTENCE_TEXT]);

#endif
