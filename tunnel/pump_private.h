/*
 * Internal to the pump: the object that pump.c and pump_stall.c share.
 */
#ifndef TUNNEL_PUMP_PRIVATE_H
#define TUNNEL_PUMP_PRIVATE_H

#include "tunnel/buffer.h"
#include "tunnel/pump.h"

enum half_state { FLOWING, FINISHING, DONE, CUT, STATES };

/* Invariant: a half reads only while `kept` is empty and all that `to` holds has been flushed. */
struct half {
	struct pump *pump;
	struct stream *from, *to;
	enum half_state state : 8;
	enum io read_wait : 8, write_wait : 8; /* what it waits for on `from` and on `to`; IO_OK:
						 * nothing */
	bool is_flushed;    /* `to` holds nothing from before that waits for our write */
	bool has_more;      /* stopped by the turn's budget, not by a stream */
	struct buffer kept; /* read, not yet taken by `to` */
	uint64_t count;
	struct stall stall; /* entered while it waits for `to` with something to write */
};

struct pump {
	struct loop *loop;
	struct half half[2];   /* from a, from b */
	struct watch watch[2]; /* a, b */
	struct timer timer;
	struct task task;
	struct pump_settings settings;
	uint64_t active_ms; /* when the last byte moved */
	bool is_probing;    /* the timer is set for a standstill */
	bool is_watchful;   /* something was written that may not have been answered yet */
	bool is_settling, is_delivering, is_over, is_freed;
	bool is_held;           /* stalls->on_held knows of it */
	struct half *lingering; /* whose stream's alert may still be read; all else is over */
	enum pump_end end;
	void (*on_over)(void *arg, enum pump_end);
	void *arg;
};

/* The flow breaks off without an orderly end: both sides are told by a reset. */
void pump_break_off(struct pump *, enum pump_end why);

/* pump_stall.c: after a half has run, or will not run any more. */
void pump_keep_stall(struct half *, bool has_moved);
void pump_leave_stalls(struct pump *);

#endif
