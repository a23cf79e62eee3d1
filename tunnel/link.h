/*
 * A link: TLS on a loop that carries frames.  Does the handshake, cuts what
 * comes into frames, queues what goes (bounded: a peer that does not read is
 * ended), and in the end either closes or gives its stream away to a pump.
 * Sessions and channels stand on it.
 *
 *	handshake --> open --> closing --> over
 *
 * The steps of the handshake are heavy work of the loop (base/heavy.h), done for
 * the party of `tls`.
 *
 * `closing` covers the orderly end (link_close()) and the moments after a TLS
 * failure in which the peer may still read the alert; both are bounded.
 */
#ifndef TUNNEL_LINK_H
#define TUNNEL_LINK_H

#include "base/loop.h"
#include "tunnel/frame.h"
#include "tunnel/tls.h"

struct link;

enum link_event {
	LINK_OPEN,  /* the handshake is done */
	LINK_FRAME, /* link_frame() has one */
	LINK_RAW,   /* all bytes of link_expect() are there; from now on only the peer's end is
			 * awaited, which is LINK_OVER (other bytes are kept for
			 * link_release()) */
	LINK_OVER,  /* nothing more will come; the owner frees with link_free() (it is safe in
			 * the handler: the link reaps itself at the end of the turn) */
};

/* Adopts `tls`. The handshake is bounded by handshake_ms. NULL when memory is short (tls is
 * freed). */
struct link *link_new(struct loop *, struct tls *, uint64_t handshake_ms,
    void (*on_event)(void *arg, enum link_event), void *arg);
/* Drops the connection (without close_notify unless link_close() has done it). NULL is fine. */
void link_free(struct link *);

/* In LINK_FRAME: the frame at hand, borrowed until the handler returns. */
const struct frame *link_frame(const struct link *);
/* Queues; nothing is read while more than an eighth of the queue waits. False if the queue (64 KiB) is
 * full, memory is short or the link has failed: the owner then ends it. */
bool link_send(struct link *, const void *frame, size_t bytes);
/* The same for a frame and the raw bytes behind it (`open` and the hello), together or not at all;
 * these do not count towards the 64 KiB. */
bool link_send_raw(
    struct link *, const void *frame, size_t bytes, const void *raw, size_t raw_bytes);
/* In LINK_FRAME: the next `bytes` bytes are no frames. They are collected until LINK_RAW; when they do
 * not come in time, the link is over. False: memory. */
bool link_expect(struct link *, size_t bytes, uint64_t within_ms);
/* From LINK_RAW on, borrowed until link_close() or link_free(). */
const uint8_t *link_raw(const struct link *);
/* In LINK_FRAME: reads no more until link_resume(), or not at all if the rest is for
 * link_release(). */
void link_pause(struct link *);
void link_resume(struct link *);
/* What is queued goes out, then close_notify and FIN; LINK_OVER follows within a second or two. */
void link_close(struct link *);
/* Its end is on its way, or was: LINK_OVER says why, which nobody else knows better. */
bool link_has_failed(const struct link *);
/* In LINK_OVER: why, as a sentence. Borrowed. */
const char *link_error(const struct link *);
struct tls *link_tls(struct link *);
struct loop *link_loop(struct link *);

bool link_is_flushed(const struct link *);
/* The frames end here: inside a handler (or when idle, or paused) take the stream; all that has
 * come behind the frame at hand is put back into it. What is still queued goes into the stream,
 * encrypted, and out with its next write. Then link_free(). NULL when memory is short. */
struct stream *link_release(struct link *);

/*
 * The carrier handoff: TLS ends before the connection does (tls.h).
 */
/* What is queued is the last. From now on nothing else is written, and the link ends by a reset. */
void link_hush(struct link *);
/* In LINK_FRAME and LINK_RAW: all that was sent in TLS has been read, and all that was queued by a
 * hushed link is out: the next byte is a bare one. */
bool link_is_at_border(const struct link *);
/* In LINK_RAW, at the border: now only the peer's end is awaited, in the bare, and a byte is an error;
 * false when one is there already. */
bool link_await_bare(struct link *);
/* As link_release(), but the stream is the one below TLS. NULL also when this is not at the border. */
struct stream *link_unwrap(struct link *);

/* Moves an open link to another loop: detach in the old thread (inside a handler too), attach in
 * the new, which reads at once what may have come. */
void link_detach(struct link *);
void link_attach(
    struct link *, struct loop *, void (*on_event)(void *, enum link_event), void *arg);

#endif
