/* How a pump's direction splices: when it is worth a pipe, how much goes through it at once, and what
 * becomes of the bytes when the pipe is wanted back. */
#include "tunnel/pump_private.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/numbers.h"
#include "base/socket.h"

enum {
	PULL_BYTES = 64 * 1024, /* at PACE_BULK */
	SOON_MS = 4,
	/* Where many flows share a machine, each of them waits for the others: that makes no reader slow. */
	LATE_MS = 50,
};

static int8_t *
pace_of(struct half *half)
{
	return &pump_of(half)->pace[half->is_second];
}

static void
set_pace(struct half *half, int pace)
{
	struct stalls *stalls = pump_of(half)->stalls;
	int before = *pace_of(half);
	*pace_of(half) = (int8_t)pace;
	if (before != PACE_FULL && pace == PACE_FULL)
		ahead_begin(&stalls->ahead, pipes_part(), pump_to(half)->fd);
	else if (before == PACE_FULL && pace != PACE_FULL)
		ahead_end(&stalls->ahead, pump_to(half)->fd);
}

/* What is worth less than a pipe. */
static void
start_over(struct half *half)
{
	set_pace(half, *pace_of(half) < 0 ? PACE_SLOW : 0);
}

void
pump_note_read(struct half *half, size_t bytes, bool is_taken)
{
	int pace = *pace_of(half);
	size_t steps = bytes / PUMP_LARGE_BYTES;
	if (!is_taken || steps == 0)
		start_over(half);
	else if (pace < PACE_BULK)
		set_pace(half, (int)smaller_of(steps, (size_t)(PACE_BULK - pace)) + pace);
}

struct pipe *
pump_borrow_pipe(struct half *half)
{
	struct pump *pump = pump_of(half);
	if (*pace_of(half) < PACE_BULK || !pump->stalls || !stream_is_bare(half->from) ||
	    !stream_is_bare(pump_to(half)) || stream_is_unix(pump_to(half)))
		return NULL;
	return pipes_take(&pump->stalls->pipes, half);
}

size_t
pump_pull_bytes(struct half *half, const struct pipe *pipe)
{
	return smaller_of(pipe->room, (size_t)PULL_BYTES << (*pace_of(half) - PACE_BULK));
}

static void
give_back(struct half *half, struct pipe *pipe)
{
	struct held *held = pump_held(half);
	pipes_return(&pump_of(half)->stalls->pipes, pipe);
	if (held)
		held->pipe = NULL;
}

enum io
pump_pull(struct half *half, struct pipe *pipe, size_t asked, size_t *bytes)
{
	enum io io = stream_pull(half->from, pipe->fd[1], asked, bytes);
	pipe->bytes = (uint32_t)*bytes;
	if (io != IO_OK)
		give_back(half, pipe);
	else if (*bytes < PUMP_LARGE_BYTES && *bytes < asked)
		start_over(half);
	return io;
}

static void
note_emptied(struct half *half, const struct pipe *pipe)
{
	int pace = *pace_of(half);
	uint64_t ms = clock_ms() - pipe->since_ms;
	if (ms <= SOON_MS && pace >= PACE_BULK && pace < PACE_FULL)
		set_pace(half, pace + 1);
	else if (ms >= LATE_MS && pace > PACE_BULK)
		set_pace(half, pace - 1);
}

static bool
hold(struct half *half, struct pipe *pipe)
{
	struct held *held = pump_hold(half);
	if (held)
		held->pipe = pipe;
	return held != NULL;
}

/* A socket that takes less than all is full. */
enum io
pump_push(struct half *half, struct pipe *pipe)
{
	size_t done;
	enum io io = stream_push(pump_to(half), pipe->fd[0], pipe->bytes, &done);
	pump_count(half, done);
	pipe->bytes -= (uint32_t)done;
	if (io == IO_OK && pipe->bytes > 0)
		io = IO_WRITE;
	if (io == IO_WRITE && hold(half, pipe))
		return io;
	if (io == IO_WRITE) {
		memory_short("a flow, as its reader is slow");
		io = IO_FAILED;
	}
	if (io == IO_OK)
		note_emptied(half, pipe);
	give_back(half, pipe);
	return io;
}

void
pump_drop_pipe(struct half *half)
{
	struct held *held = pump_held(half);
	if (held && held->pipe)
		give_back(half, held->pipe);
}

/* The pipe has all of them, so that reading them cannot stop halfway. */
static void
read_back(void *borrower)
{
	struct half *half = borrower;
	struct held *held = pump_held(half);
	struct pipe *pipe = held->pipe;
	uint8_t *room = buffer_extend(&held->kept, pipe->bytes);
	set_pace(half, PACE_SLOW);
	if (!room)
		return;
	while (pipe->bytes > 0) {
		ssize_t got = read(pipe->fd[0], room, pipe->bytes);
		assert(got > 0);
		room += got;
		pipe->bytes -= (uint32_t)got;
	}
	give_back(half, pipe);
}

void
pump_leave_ahead(struct pump *pump)
{
	for (int i = 0; i < 2 && pump->stalls; i++)
		if (pump->half[i].from)
			ahead_leave(&pump->stalls->ahead, pump->half[i].from->fd);
}

void
pump_splice_init(struct stalls *stalls, struct loop *loop)
{
	pipes_init(&stalls->pipes, loop, read_back);
}
