/* What a pump does about a peer that takes nothing: it is listed, looked at, and ended if it may not
 * stand still for so long. */
#include "tunnel/pump_private.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/socket.h"

/* A look leaves what the kernel had, plus one, in ->queued. */
static bool
was_looked_at(struct half *half)
{
	const struct held *held = pump_held(half);
	return held && held->stall.queued > 0;
}

static void
tell_held(struct pump *pump)
{
	bool is_held = was_looked_at(&pump->half[0]) || was_looked_at(&pump->half[1]);
	uint64_t own = 0, kernel = 0;
	if (!is_held && !pump->is_held)
		return;
	pump->is_held = is_held;
	for (int i = 0; i < 2 && is_held; i++) {
		own += pump->held[i].kept.room + stream_held(pump->half[i].from);
		kernel += pump->held[i].pipe ? pump->held[i].pipe->bytes : 0;
		kernel += socket_memory(pump->half[i].from->fd);
	}
	if (pump->stalls->on_held)
		pump->stalls->on_held(pump->arg, own, kernel);
}

struct held *
pump_hold(struct half *half)
{
	struct pump *pump = pump_of(half);
	if (pump->held)
		return pump_held(half);
	pump->held = calloc(2, sizeof *pump->held);
	for (int i = 0; i < 2 && pump->held; i++)
		pump->held[i].half = &pump->half[i];
	return pump_held(half);
}

static bool
is_empty(const struct held *held)
{
	return held->stall.since_ms == 0 && !held->kept.data && !held->pipe;
}

static void
drop(struct half *half)
{
	struct pump *pump = pump_of(half);
	struct held *held = pump_held(half);
	bool was_held = was_looked_at(half);
	if (!held)
		return;
	stall_leave(pump->stalls, &held->stall);
	buffer_drop(&held->kept);
	pump_drop_pipe(half);
	if (was_held)
		tell_held(pump);
	if (is_empty(&pump->held[0]) && is_empty(&pump->held[1])) {
		free(pump->held);
		pump->held = NULL;
	}
}

/* A half that moves and waits again stays in the list, and what it holds stays counted: a reader that
 * takes a little every few seconds holds as much as one that takes nothing. One that only waits to
 * finish is not listed while memory is short. */
void
pump_keep_stall(struct half *half, bool has_moved)
{
	struct stalls *stalls = pump_of(half)->stalls;
	if (half->write_wait == IO_OK)
		drop(half);
	else if (!stalls || !pump_hold(half))
		return;
	else if (pump_held(half)->stall.since_ms == 0)
		stall_enter(stalls, &pump_held(half)->stall);
	else if (has_moved)
		stall_move(stalls, &pump_held(half)->stall);
}

void
pump_drop_held(struct pump *pump)
{
	for (int i = 0; i < 2; i++)
		drop(&pump->half[i]);
	pump_leave_ahead(pump);
}

/* Our writes come through only when the kernel has got rid of 64 KiB, so it is asked what it still
 * has: a slow reader moves. The first look only takes note. */
static void
look(struct stall *stall, uint64_t waited_ms)
{
	struct half *half = container_of(stall, struct held, stall)->half;
	struct pump *pump = pump_of(half);
	uint64_t queued = socket_queued(pump_to(half)->fd) + 1, before = stall->queued;
	if (queued < before)
		stall_move(pump->stalls, stall);
	else if (before > 0 && pump->stall_ms && waited_ms >= pump->stall_ms) {
		pump_break_off(pump, PUMP_STALLED);
		return;
	}
	stall->queued = queued;
	tell_held(pump);
}

void
pump_stalls_init(struct stalls *stalls, struct loop *loop,
    void (*on_held)(void *arg, uint64_t own_bytes, uint64_t kernel_bytes))
{
	stalls_init(stalls, loop, look);
	pump_splice_init(stalls, loop);
	stalls->on_held = on_held;
}

uint64_t
pump_stalled_ms(const struct pump *pump)
{
	uint64_t first = UINT64_MAX;
	for (int i = 0; i < 2; i++) {
		uint64_t since = pump->held ? pump->held[i].stall.since_ms : 0;
		if (since > 0 && since < first)
			first = since;
	}
	return first < UINT64_MAX ? clock_ms() - first : 0;
}
