/* One direction of a pump: what moves its bytes, by copying them or through a pipe, and its states. */
#include "tunnel/pump_private.h"

#include <threads.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/numbers.h"

enum {
	SCRATCH_BYTES = 64 * 1024,
	/* Where there is TLS: what it can put into four records, of which each fits into one of a TLS
	 * below. With eight of them the kernel takes three times as much for a reader who stops,
	 * because it sees more taken at once. */
	SEALED_BYTES = 4 * (16384 - 32),
	/* The most bytes that are copied in one turn, or four times as many that are spliced, which
	 * takes as long; then the other flows of this loop have theirs. */
	TURN_BYTES = 256 * 1024,
	SPLICED_FOR_ONE = 4,
};

static const unsigned may_move[STATES] = {
	[FLOWING] = 1u << FINISHING | 1u << CUT,
	[FINISHING] = 1u << DONE | 1u << CUT,
};
static const char *const state_name[STATES] = {
	[FLOWING] = "flowing",
	[FINISHING] = "finishing",
	[DONE] = "done",
	[CUT] = "cut",
};

static thread_local uint8_t scratch[SCRATCH_BYTES];

static void
move(struct half *half, enum half_state to)
{
	assert(may_move[half->state] & 1u << to);
	log_move("half", log_object("half", half), state_name[half->state], state_name[to]);
	half->state = to;
}

void
pump_count(struct half *half, size_t bytes)
{
	struct stalls *stalls = pump_of(half)->stalls;

	half->count = (half->count + bytes) & UINT64_MAX >> (64 - HALF_COUNT_BITS);
	if (stalls)
		counter_add(&stalls->moved[half->is_second], bytes);
}

/* Writes what is kept, and then what is in a pipe; IO_OK once all of it is gone. */
static enum io
write_held(struct half *half)
{
	struct held *held = pump_held(half);
	struct buffer nothing = { 0 }, *kept = held ? &held->kept : &nothing;
	size_t done;
	while (buffer_left(kept) > 0 || !half->is_flushed) {
		enum io io =
		    stream_write(pump_to(half), buffer_front(kept), buffer_left(kept), &done);
		if (io != IO_OK)
			return io;
		half->is_flushed = true;
		pump_count(half, done);
		buffer_take(kept, done);
	}
	return held && held->pipe ? pump_push(half, held->pipe) : IO_OK;
}

static bool
keep(struct half *half, const uint8_t *data, size_t bytes)
{
	struct held *held = pump_hold(half);
	return held && buffer_add(&held->kept, data, bytes);
}

/* Writes from the scratch buffer straight to the other side; what it does not take is kept. */
static enum io
write_fresh(struct half *half, size_t bytes)
{
	size_t at = 0, done;
	enum io io = IO_OK;
	while (at < bytes && io == IO_OK) {
		io = stream_write(pump_to(half), scratch + at, bytes - at, &done);
		pump_count(half, done);
		at += done;
	}
	if (io_must_wait(io) && !keep(half, scratch + at, bytes - at)) {
		memory_short("a flow, as its reader is slow");
		return IO_FAILED;
	}
	return io;
}

/* Bytes are lost. What the peer said before it stopped listening may still stand in its stream: a
 * server's answer to a request that it did not want to read to the end. So the other half goes on,
 * until it has read how that ends. */
static void
break_writing(struct half *half)
{
	move(half, CUT);
	half->read_wait = half->write_wait = IO_OK;
}

/* A peer that cannot be told of our end has lost no byte by that. Whether it has ended, too, or
 * has reset, is for the other half to read. */
static void
finish(struct half *half)
{
	struct stream *to = pump_to(half);
	/* The pump is over then, and closes both. */
	bool is_last = pump_other_half(half)->state == DONE && stream_has_ended(to) &&
	    stream_has_ended(half->from);
	enum io io = is_last ? IO_OK : stream_finish(to);
	if (io_must_wait(io))
		half->write_wait = io;
	else if (io == IO_FAILED)
		break_writing(half);
	else
		move(half, DONE);
}

/* Reading has come to something else than bytes. */
static void
stop_reading(struct half *half, enum io io)
{
	if (io == IO_EOF)
		move(half, FINISHING);
	else if (io_must_wait(io))
		half->read_wait = io;
	else
		pump_break_reading(half, io);
}

/* False when the half has to wait or has ended. */
static bool
may_write_on(struct half *half, enum io io)
{
	if (io_must_wait(io))
		half->write_wait = io;
	else if (io != IO_OK)
		break_writing(half);
	return io == IO_OK;
}

/* A stream that gave a few bytes only and is dry has no more: to ask again would only say so. False: the
 * half has to wait. */
static bool
may_read_on(struct half *half, size_t bytes, bool is_dry)
{
	if (is_dry && bytes < PUMP_LARGE_BYTES)
		half->read_wait = IO_READ;
	return half->read_wait == IO_OK;
}

static size_t
read_most(struct half *half)
{
	bool is_bare = stream_is_bare(half->from) && stream_is_bare(pump_to(half));
	return is_bare ? SCRATCH_BYTES : SEALED_BYTES;
}

/* Reads once, at most `budget` bytes of what a turn may copy, and passes them on. *spent says how much
 * of it that took, *taken how the other side took it. False when reading has come to something else. */
static bool
pass_read(struct half *half, size_t budget, size_t *spent, enum io *taken)
{
	enum io io = stream_read(half->from, scratch, smaller_of(budget, read_most(half)), spent);
	if (io != IO_OK) {
		stop_reading(half, io);
		return false;
	}
	*taken = write_fresh(half, *spent);
	return true;
}

/* False when the half has to wait or has ended, or the pump is over. */
static bool
copy(struct half *half, size_t budget, size_t *spent)
{
	enum io taken;
	if (!pass_read(half, budget, spent, &taken))
		return false;
	pump_note_read(half, *spent, taken == IO_OK);
	return may_write_on(half, taken) && may_read_on(half, *spent, half->from->is_dry);
}

/* The same through a pipe, which may be full with less than was asked for. A splice cannot pass urgent
 * bytes (MSG_OOB): it says that there is nothing, or that the end is there, and a read knows better. */
static bool
splice_through(struct half *half, struct pipe *pipe, size_t budget, size_t *spent)
{
	size_t asked = smaller_of(pump_pull_bytes(half, pipe), budget * SPLICED_FOR_ONE), bytes;
	enum io io = pump_pull(half, pipe, asked, &bytes), taken;
	*spent = units_for(bytes, SPLICED_FOR_ONE);
	if (io == IO_EOF || (io == IO_READ && budget == TURN_BYTES))
		return pass_read(half, budget, spent, &taken) && may_write_on(half, taken);
	if (io != IO_OK) {
		stop_reading(half, io);
		return false;
	}
	return may_write_on(half, pump_push(half, pipe)) && may_read_on(half, bytes, false);
}

static bool
pass(struct half *half, size_t budget, size_t *spent)
{
	struct pipe *pipe = pump_borrow_pipe(half);
	return pipe ? splice_through(half, pipe, budget, spent) : copy(half, budget, spent);
}

void
pump_move_bytes(struct half *half)
{
	size_t budget = TURN_BYTES, spent = 0;
	half->read_wait = half->write_wait = IO_OK;
	half->has_more = false;
	if (half->state == DONE || half->state == CUT)
		return;
	if (!may_write_on(half, write_held(half)))
		return;
	while (half->state == FLOWING && budget >= SEALED_BYTES && pass(half, budget, &spent))
		budget -= spent;
	half->has_more = half->state == FLOWING && budget < SEALED_BYTES;
	if (half->state == FINISHING)
		finish(half);
}
