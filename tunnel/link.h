/*
 * A link: TLS on a loop that carries frames.  Does the handshake, cuts what
 * comes into frames, queues what goes (bounded: a peer that does not read is
 * ended), and in the end either closes or gives its stream away to a pump.
 * Sessions and channels stand on it.
 *
 *	handshake --> open --> closing --> over
 */
#ifndef TUNNEL_LINK_H
#define TUNNEL_LINK_H

#include "base/loop.h"
#include "tunnel/frame.h"
#include "tunnel/tls.h"

struct link;

enum link_event {
	LINK_OPEN,	/* the handshake is done */
	LINK_FRAME,	/* link_frame() has one */
	LINK_OVER,	/* nothing more will come; the owner frees with link_free() (it is safe in the handler:
			 * the link reaps itself at the end of the turn) */
};

/* Adopts `tls`. The handshake is bounded by handshake_ms. NULL when memory is short (tls is freed). */
struct link *link_new(struct loop *, struct tls *, uint64_t handshake_ms,
    void (*on_event)(void *arg, enum link_event), void *arg);
/* Drops the connection (without close_notify unless link_close() has done it). NULL is fine. */
void link_free(struct link *);

/* In LINK_FRAME: the frame at hand, borrowed until the handler returns. */
const struct frame *link_frame(const struct link *);
/* Queues; false if the queue (64 KiB) is full or the link is over: the owner then ends it. */
bool link_send(struct link *, const void *frame, size_t bytes);
/* What is queued goes out, then close_notify and FIN; LINK_OVER follows within a second or two. */
void link_close(struct link *);
/* In LINK_OVER: why, as a sentence. Borrowed. */
const char *link_error(const struct link *);
struct tls *link_tls(struct link *);
struct loop *link_loop(struct link *);

/* The frames end here: inside LINK_FRAME (or when idle) take the stream; all that has come behind the frame
 * at hand is put back into it. What is queued to be sent must be out (true from link_is_flushed()). */
bool link_is_flushed(const struct link *);
struct stream *link_release(struct link *);	/* then link_free() */

/* Moves an open link to another loop: detach in the old thread, attach in the new. */
void link_detach(struct link *);
void link_attach(struct link *, struct loop *, void (*on_event)(void *, enum link_event), void *arg);

#endif
