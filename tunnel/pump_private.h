/*
 * Internal to the pump: the object that pump.c, pump_half.c, pump_splice.c and pump_stall.c share.
 */
#ifndef TUNNEL_PUMP_PRIVATE_H
#define TUNNEL_PUMP_PRIVATE_H

#include <assert.h>
#include "base/hash.h"
#include "tunnel/buffer.h"
#include "tunnel/pump.h"

enum half_state { FLOWING, FINISHING, DONE, CUT, STATES };

/* What a half has only while it waits with something to write: idle flows are many. */
struct held {
	struct half *half;
	struct stall stall;
	/* Read, not yet taken by the other stream: in our memory, or in a pipe; NULL: none. */
	struct buffer kept;
	struct pipe *pipe;
};

enum { HALF_COUNT_BITS = 52 };

/* Writes to the stream that the other half reads from. Invariant: a half reads only while nothing is
 * kept and all that the other stream holds has been flushed. */
struct half {
	struct stream *from;
	uint64_t count : HALF_COUNT_BITS; /* of the bytes that it has written: up to 4 PB */
	enum half_state state : 3;
	/* What it waits for on `from` and on the other stream; IO_OK: nothing. */
	enum io read_wait : 3, write_wait : 3;
	bool is_flushed : 1; /* the other stream waits with nothing from before for our write */
	bool has_more : 1;   /* stopped by the turn's budget, not by a stream */
	bool is_second : 1;
};
static_assert(sizeof(struct half) == 16, "a half is small");

/* 34 years in milliseconds, and four hours for `silent_ms`. */
enum { PUMP_TIME_BITS = 40, PUMP_SILENT_BITS = 24 };

/* Kept small, since joined flows are many and mostly idle. */
struct pump {
	struct half half[2];   /* from a, from b */
	struct held *held;     /* two, one for each half; NULL: neither half has anything there */
	struct watch watch[2]; /* a, b */
	struct timer timer;
	struct task task;
	struct stalls *stalls; /* may be NULL */
	uint64_t active_ms;    /* when the last byte moved */
	void (*on_over)(void *arg, enum pump_end);
	void *arg;
	/* The settings. */
	uint64_t half_closed_ms : PUMP_TIME_BITS, silent_ms : PUMP_SILENT_BITS;
	uint64_t idle_ms : PUMP_TIME_BITS;
	int8_t pace[2]; /* of each half, pump_splice.c */
	uint64_t stall_ms : PUMP_TIME_BITS;
	bool is_probing : 1;  /* the timer is set for a standstill */
	bool is_watchful : 1; /* something was written that may not have been answered yet */
	bool is_settling : 1, is_delivering : 1, is_over : 1, is_freed : 1;
	bool is_kept_alive : 1;
	bool is_held : 1;        /* stalls->on_held knows of it */
	bool is_lingering : 1;   /* one stream's alert may still be read; all else is over */
	bool lingers_second : 1; /* it is b's */
	bool silent_second : 1;  /* the end is PUMP_SILENT, and it was b's kernel */
	enum pump_end end : 8;
};
static_assert(sizeof(struct pump) <= 248, "256 bytes with what malloc() adds");

static inline struct pump *
pump_of(struct half *half)
{
	return container_of(half - half->is_second, struct pump, half);
}

static inline struct half *
pump_other_half(struct half *half)
{
	return half->is_second ? half - 1 : half + 1;
}

/* The stream that this half writes to. */
static inline struct stream *
pump_to(struct half *half)
{
	return pump_other_half(half)->from;
}

/* The flow breaks off without an orderly end: both sides are told by a reset. */
void pump_break_off(struct pump *, enum pump_end why);
/* The same because the half cannot read any more, but for IO_FAILED: TLS has failed, and perhaps told
 * its peer why; a reset would destroy the alert. */
void pump_break_reading(struct half *, enum io);

/* pump_half.c: moves what can be moved now, or what a turn allows. The half then waits, has more, or has
 * another state; or the pump is over or lingers. */
void pump_move_bytes(struct half *);

static inline struct held *
pump_held(struct half *half)
{
	struct held *held = pump_of(half)->held;
	return held ? &held[half->is_second] : NULL;
}

/* pump_stall.c: the same, made if need be; NULL when memory is short. */
struct held *pump_hold(struct half *);
/* After a half has run. */
void pump_keep_stall(struct half *, bool has_moved);
/* Neither half will run any more: what they hold is dropped. */
void pump_drop_held(struct pump *);

/* pump_half.c: so many bytes went out. */
void pump_count(struct half *, size_t bytes);

/* pump_splice.c.  A half that moves a lot borrows a pipe for what it reads next and, if that is not
 * taken at once, for as long as some of it is left:
 *
 *	pump_borrow_pipe() --> pump_pull() --> pump_push(), and again --> IO_OK, or it has failed
 *
 * Each of the two gives the pipe back unless it still has bytes; pump_push() then holds it.  When it is
 * wanted back before, the bytes are kept as those of a copying half. */
enum { PUMP_LARGE_BYTES = 16 * 1024 };
/* A pace below PACE_BULK copies.  Each large read that was taken at once is worth as many steps as it
 * has PUMP_LARGE_BYTES; from PACE_BULK on each step doubles what goes through a pipe at once, as long as
 * the reader takes that soon, and so what a reader who stops may leave with us.  At PACE_FULL the kernel
 * may take more ahead, too.  Who has left a pipe standing begins anew, and from further below. */
enum { PACE_SLOW = -12, PACE_BULK = 4, PACE_FULL = 8 };
/* NULL: it copies, because it moves little, or there is no pipe, or not both streams are bare. */
struct pipe *pump_borrow_pipe(struct half *);
/* How much it may pull. */
size_t pump_pull_bytes(struct half *, const struct pipe *);
enum io pump_pull(struct half *, struct pipe *, size_t asked, size_t *bytes);
enum io pump_push(struct half *, struct pipe *);
/* Bytes in it are lost. */
void pump_drop_pipe(struct half *);
/* So many bytes were copied, and all or not all of them taken at once. */
void pump_note_read(struct half *, size_t bytes, bool is_taken);
/* Neither half will run any more. */
void pump_leave_ahead(struct pump *);
void pump_splice_init(struct stalls *, struct loop *);

#endif
