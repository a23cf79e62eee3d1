/* How every frame is begun and ended; for frame.c and frame_many.c. */
#ifndef TUNNEL_FRAME_PRIVATE_H
#define TUNNEL_FRAME_PRIVATE_H

#include "tunnel/frame.h"

/* In out[FRAME_BYTES]; the body is written behind room for the header, which frame_end() fills in. */
struct writer frame_begin(uint8_t *out, enum frame_type);
/* The bytes of the whole frame. What did not fit is a bug of ours (assert). */
size_t frame_end(struct writer *);
/* The storage of a text bounds it on both ends, so what we could encode the peer can decode. */
void frame_text(struct writer *, const char *string, size_t storage);

#endif
