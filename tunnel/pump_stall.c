/* What a pump does about a peer that takes nothing: it is listed, looked at, and ended if it may not
 * stand still for so long. */
#include "tunnel/pump_private.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/socket.h"

/* A look leaves what the kernel had, plus one, in ->queued. */
static bool
was_looked_at(const struct half *half)
{
	return half->stall.queued > 0;
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
		own += pump->half[i].kept.room;
		kernel += socket_memory(pump->half[i].from->fd);
	}
	if (pump->settings.stalls->on_held)
		pump->settings.stalls->on_held(pump->arg, own, kernel);
}

static void
leave(struct half *half)
{
	bool was_held = was_looked_at(half);
	stall_leave(half->pump->settings.stalls, &half->stall);
	if (was_held)
		tell_held(half->pump);
}

/* A half that moves and waits again stays in the list, and what it holds stays counted: a reader that
 * takes a little every few seconds holds as much as one that takes nothing. */
void
pump_keep_stall(struct half *half, bool has_moved)
{
	struct stalls *stalls = half->pump->settings.stalls;
	if (!stalls)
		return;
	if (half->write_wait == IO_OK)
		leave(half);
	else if (half->stall.since_ms == 0)
		stall_enter(stalls, &half->stall);
	else if (has_moved)
		stall_move(stalls, &half->stall);
}

void
pump_leave_stalls(struct pump *pump)
{
	for (int i = 0; i < 2 && pump->settings.stalls; i++)
		leave(&pump->half[i]);
}

/* Our writes come through only when the kernel has got rid of 64 KiB, so it is asked what it still
 * has: a slow reader moves. The first look only takes note. */
static void
look(struct stall *stall, uint64_t waited_ms)
{
	struct half *half = container_of(stall, struct half, stall);
	struct pump *pump = half->pump;
	uint64_t queued = socket_queued(half->to->fd) + 1, before = stall->queued;
	if (queued < before)
		stall_move(pump->settings.stalls, stall);
	else if (before > 0 && pump->settings.stall_ms && waited_ms >= pump->settings.stall_ms) {
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
	stalls->on_held = on_held;
}

uint64_t
pump_stalled_ms(const struct pump *pump)
{
	uint64_t first = UINT64_MAX;
	for (int i = 0; i < 2; i++) {
		uint64_t since = pump->half[i].stall.since_ms;
		if (since > 0 && since < first)
			first = since;
	}
	return first < UINT64_MAX ? clock_ms() - first : 0;
}
