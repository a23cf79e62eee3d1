/*
 * The pump: bytes between two streams until both directions have ended.  Two
 * half-machines, each
 *
 *	flowing --> finishing (EOF read, the rest and the FIN go out) --> done
 *	flowing, finishing --> cut (bytes were lost on their way out)
 *
 * All bytes, in order, unchanged.  Backpressure by not reading: a half reads
 * only when all it has read before has been written.  Half-close goes through
 * in both orders; a reset on one side becomes a reset on the other, once.
 *
 * A half whose writes fail is cut.  The other half goes on, since the last words
 * of the broken side may stand there, and so does the truth about its end.  A
 * flow with a cut half ends as a reset: nobody may take for whole what was
 * truncated.  It may take `silent_ms` without a byte moving; and when the other half
 * came to its end, as long again for its reader's kernel to get all of that.  Where
 * TLS has failed and has told its peer why, the pump lingers (at most 1 s) for that
 * alert to be read, and resets the other side at once.
 *
 * When both halves are done, a TLS below may still have its close_notify unread: the
 * pump settles (at most 5 s) before it is over, because closing then would reset the
 * connection. While one side takes nothing, the other is not read, and its reset is
 * found only after some seconds of standstill, in which its last words may still be
 * taken. A peer may pause for as long as it likes, but its kernel must answer ours.
 * Nothing is allocated per read: reads go to the thread's scratch buffer, and only
 * what the other side did not take at once is kept (and freed when it is gone).  A direction
 * between two bare sockets that moves 64 KiB in large reads splices from then on: through a
 * pipe of its loop's (pipes.h), 64 KiB at once and twice as many after each pipe that its
 * reader has emptied soon.  It copies again where reads become small, where there is no
 * pipe, and where its reader has kept one too long; then what is in the pipe is kept as above.
 * While both sides take what comes, a pump is 248 bytes and a stream over a socket is 24; neither it
 * nor an idle one has a buffer or a pipe.
 */
#ifndef TUNNEL_PUMP_H
#define TUNNEL_PUMP_H

#include "base/loop.h"
#include "tunnel/stalls.h"
#include "tunnel/stream.h"

struct pump;

enum pump_end {
	PUMP_FINISHED, /* both directions ended with FIN */
	PUMP_RESET_A,
	PUMP_RESET_B,     /* that side reset or broke; the other was reset */
	PUMP_HALF_CLOSED, /* one direction ended and the other was silent for too long */
	PUMP_IDLE,        /* idle_ms without a byte */
	PUMP_SILENT,      /* a peer's kernel has not answered for too long; both were reset */
	PUMP_STALLED,     /* a peer has taken nothing for stall_ms; both were reset */
	PUMP_STOPPED,     /* pump_stop() */
	PUMP_ENDS
};
const char *pump_end_word(enum pump_end);

struct pump_settings {
	uint64_t half_closed_ms; /* 0: for ever */
	uint64_t idle_ms;        /* 0: none */
	uint64_t silent_ms;      /* for socket_health(), and what a cut flow may take; 0: 60 s; four
				  * hours at most */
	uint64_t stall_ms;       /* how long a peer may take nothing of what there is for it; 0: for
				  * ever; kept to within two seconds */
	struct stalls *stalls; /* of this loop, by pump_stalls_init(); NULL: nobody keeps count, and
				  * all is copied */
};

/* Makes what a loop's pumps share: its pipes, and the list in which they stand while somebody does not
 * take his bytes.  on_held (may be NULL) is told, with the pump's arg, what a standstill of two seconds or
 * more holds in our own buffers and in the kernel's (SO_MEMINFO of both sockets); again each second, and
 * twice 0 when all was taken or the flow is over. */
void pump_stalls_init(struct stalls *, struct loop *,
    void (*on_held)(void *arg, uint64_t own_bytes, uint64_t kernel_bytes));

/* Adopts both streams. on_over is called once, never inside this call; the owner then calls
 * pump_free(). NULL when memory is short (both are reset and freed). */
struct pump *pump_new(struct loop *, struct stream *a, struct stream *b,
    const struct pump_settings *, void (*on_over)(void *arg, enum pump_end), void *arg);
/* Resets both sides; on_over is not called any more. Safe inside on_over. NULL is fine. */
void pump_free(struct pump *);
/* Resets both sides; on_over(PUMP_STOPPED) follows at the end of the turn. */
void pump_stop(struct pump *);

/* After PUMP_SILENT: the word that is given for the side whose kernel it was.  After any other end, and of
 * NULL, NULL. */
const char *pump_silent_side(const struct pump *, const char *a, const char *b);
/* After PUMP_RESET_A or PUMP_RESET_B: stream_fault() of that side.  Until pump_free(). */
const char *pump_fault(const struct pump *);

/* How long one of the two peers has taken nothing of what there is for it; 0: both have all. */
uint64_t pump_stalled_ms(const struct pump *);

uint64_t pump_bytes_from_a(const struct pump *); /* read from a and written to b */
uint64_t pump_bytes_from_b(const struct pump *);

#endif
