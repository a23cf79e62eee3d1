/* Two half-machines that run when their streams are ready, their patience, and how a flow ends. */
#include "tunnel/pump.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/numbers.h"
#include "base/socket.h"
#include "tunnel/pump_private.h"

enum {
	/* How long the pump settles: the peers' FINs may stand behind their close_notify. */
	SETTLE_MS = 5000,
	/* After a standstill of this length a side that is not read is asked whether it lives, and
	 * the last words of a broken one are given up. */
	PROBE_MS = 3000,
	/* How long a peer has to read our alert. */
	LINGER_MS = 1000,
	SILENT_MS = 60000,
	/* How often a slow reader is looked at, who has not got the whole of an answer yet. */
	DELIVERY_STEP_MS = 50,
};

const char *
pump_end_word(enum pump_end end)
{
	static const char *const words[PUMP_ENDS] = {
		[PUMP_FINISHED] = "finished",
		[PUMP_RESET_A] = "reset-a",
		[PUMP_RESET_B] = "reset-b",
		[PUMP_HALF_CLOSED] = "half-closed",
		[PUMP_IDLE] = "idle",
		[PUMP_SILENT] = "peer-silent",
		[PUMP_STALLED] = "stalled",
		[PUMP_STOPPED] = "stopped",
	};
	return words[end];
}

static unsigned
mask_of(enum io io)
{
	return io == IO_READ ? WATCH_READ : io == IO_WRITE ? WATCH_WRITE : WATCH_NOTHING;
}

/* What broke a side may have been nobody: its kernel was asked, by keepalive or by what was sent, and has
 * not answered. */
static bool
was_silent(const struct pump *pump, enum pump_end why)
{
	struct stream *broken = pump->half[why == PUMP_RESET_B].from;
	return (why == PUMP_RESET_A || why == PUMP_RESET_B) && broken && stream_was_silent(broken);
}

/* The streams stay until pump_free(), which closes them; nothing happens to them any more. */
static void
end(struct pump *pump, enum pump_end why)
{
	if (was_silent(pump, why)) {
		pump->silent_second = why == PUMP_RESET_B;
		why = PUMP_SILENT;
	}
	pump->is_over = true;
	pump->end = why;
	pump_drop_held(pump);
	for (int i = 0; i < 2; i++)
		if (pump->watch[i].loop)
			watch_want(&pump->watch[i], WATCH_NOTHING);
	timer_clear(&pump->timer);
	loop_later(pump->timer.loop, &pump->task);
}

void
pump_break_off(struct pump *pump, enum pump_end why)
{
	for (int i = 0; i < 2; i++)
		if (pump->half[i].from)
			stream_reset(pump->half[i].from);
	end(pump, why);
}

/* The side that this half reads from has reset, or broken. */
static enum pump_end
reset_of(const struct half *half)
{
	return half->is_second ? PUMP_RESET_B : PUMP_RESET_A;
}

static void
close_stream(struct pump *pump, int i)
{
	struct stream *stream = pump->half[i].from;
	if (!stream)
		return;
	int fd = stream->fd;
	watch_wipe(&pump->watch[i]);
	stream_free(stream);
	loop_closed(pump->timer.loop, fd);
	pump->half[i].from = NULL;
}

/* The peer has had the alert when it has closed, too. */
static void
linger(struct pump *pump)
{
	struct half *half = &pump->half[pump->lingers_second];
	enum io io = stream_linger(half->from);
	if (io_must_wait(io))
		watch_want(&pump->watch[half->is_second], mask_of(io));
	else if (io == IO_OK)
		end(pump, reset_of(half));
	else
		pump_break_off(pump, reset_of(half));
}

/* Resets the other side at once: only the peer with the alert needs time. */
static void
start_lingering(struct half *half)
{
	struct pump *pump = pump_of(half);
	struct half *back = pump_other_half(half);
	pump->is_lingering = true;
	pump->lingers_second = half->is_second;
	pump_drop_held(pump);
	half->read_wait = half->write_wait = back->read_wait = back->write_wait = IO_OK;
	stream_reset(back->from);
	close_stream(pump, back->is_second);
	timer_set(&pump->timer, LINGER_MS);
	watch_set_level(&pump->watch[half->is_second]);
	linger(pump);
}

void
pump_break_reading(struct half *half, enum io io)
{
	if (io == IO_FAILED && io_must_wait(stream_linger(half->from)))
		start_lingering(half);
	else
		pump_break_off(pump_of(half), reset_of(half));
}

static void
run_half(struct half *half)
{
	uint64_t before = half->count;
	pump_move_bytes(half);
	if (!pump_of(half)->is_over && !pump_of(half)->is_lingering)
		pump_keep_stall(half, half->count != before);
}

static void
watch_on(struct pump *pump)
{
	const struct half *a = &pump->half[0], *b = &pump->half[1];
	watch_want(&pump->watch[0], mask_of(a->read_wait) | mask_of(b->write_wait));
	watch_want(&pump->watch[1], mask_of(b->read_wait) | mask_of(a->write_wait));
	if (a->has_more || b->has_more)
		loop_later(pump->timer.loop, &pump->task);
}

/* The half whose bytes are lost, if any. */
static struct half *
find_cut(struct pump *pump)
{
	for (int i = 0; i < 2; i++)
		if (pump->half[i].state == CUT)
			return &pump->half[i];
	return NULL;
}

/* How long the flow may still be silent, as things stand; 0: for ever. */
static uint64_t
patience_ms(struct pump *pump, enum pump_end *why)
{
	uint64_t idle = pump->idle_ms, half = pump->half_closed_ms;
	bool is_half = pump->half[0].state != FLOWING || pump->half[1].state != FLOWING;
	struct half *cut = find_cut(pump);
	if (cut) {
		*why = reset_of(pump_other_half(cut));
		return pump->silent_ms;
	}
	*why = PUMP_IDLE;
	if (!is_half || !half || (idle && idle < half))
		return idle;
	*why = PUMP_HALF_CLOSED;
	return half;
}

/* Whether nobody watches this side, because the other one does not take its bytes: a reset of it
 * would never be heard. */
static bool
is_paused(const struct pump *pump, int i)
{
	return pump->half[i].state == FLOWING && io_must_wait(pump->half[i].write_wait) &&
	    pump->watch[i].mask == WATCH_NOTHING;
}

/* The timer is not moved with every byte: when it fires, it looks how long the silence really
 * was. */
static void
keep_time(struct pump *pump)
{
	enum pump_end why;
	uint64_t patience = patience_ms(pump, &why), silent, ms;
	bool pauses = is_paused(pump, 0) || is_paused(pump, 1);
	if (pump->timer.armed ? !pauses || pump->is_probing
			      : !pauses && !patience && !pump->is_watchful)
		return;
	silent = clock_ms() - pump->active_ms;
	ms = !patience ? UINT64_MAX : patience > silent ? patience - silent : 1;
	if (pump->is_watchful)
		ms = smaller_of(pump->silent_ms / 2u, ms);
	if (pauses && ms > PROBE_MS)
		ms = silent < PROBE_MS ? PROBE_MS - silent : PROBE_MS;
	pump->is_probing = pauses;
	timer_set(&pump->timer, ms);
}

/* The last words of a broken side are of use only to a side that takes them. */
static struct half *
find_broken(struct pump *pump)
{
	for (int i = 0; i < 2; i++)
		if (is_paused(pump, i) && stream_is_broken(pump->half[i].from))
			return &pump->half[i];
	return NULL;
}

/* Most flows are over before it has anything to say, so it waits for the first look at the time, half of
 * `silent_ms` after bytes have moved at the latest. */
static void
keep_alive(struct pump *pump)
{
	for (int i = 0; i < 2 && !pump->is_kept_alive; i++)
		socket_keep_alive(pump->half[i].from->fd);
	pump->is_kept_alive = true;
}

/* Asks after the bytes that were written, unless all of them have been answered. */
static bool
is_silent(struct pump *pump)
{
	pump->is_watchful = false;
	for (int i = 0; i < 2; i++) {
		enum socket_health health = socket_health(pump->half[i].from->fd, pump->silent_ms);
		pump->silent_second = i == 1;
		if (health == SOCKET_SILENT)
			return true;
		pump->is_watchful |= health == SOCKET_PENDING;
	}
	return false;
}

/* One direction is whole, to its end, and the other was cut. The reset that tells of it would drop
 * what waits in our kernel for a slow reader, so that goes out first. */
static void
deliver(struct pump *pump, struct half *cut)
{
	struct stream *reader = cut->from;
	enum pump_end why;
	uint64_t patience = patience_ms(pump, &why);
	if (!pump->is_delivering)
		pump->active_ms = clock_ms();
	pump->is_delivering = true;
	if (stream_is_broken(reader) || clock_ms() - pump->active_ms >= patience ||
	    socket_health(reader->fd, pump->silent_ms) != SOCKET_PENDING) {
		pump_break_off(pump, why);
		return;
	}
	for (int i = 0; i < 2; i++)
		watch_want(&pump->watch[i], WATCH_NOTHING);
	timer_set(&pump->timer, DELIVERY_STEP_MS);
}

static void
on_time(void *arg)
{
	struct pump *pump = arg;
	struct half *broken = NULL;
	enum pump_end why;
	uint64_t patience = patience_ms(pump, &why), silent = clock_ms() - pump->active_ms;
	if (pump->is_settling) {
		end(pump, PUMP_FINISHED);
		return;
	}
	if (pump->is_lingering) {
		pump_break_off(pump, reset_of(&pump->half[pump->lingers_second]));
		return;
	}
	if (pump->is_delivering) {
		deliver(pump, find_cut(pump));
		return;
	}
	pump->is_probing = false;
	keep_alive(pump);
	if (silent >= PROBE_MS)
		broken = find_broken(pump);
	if (broken)
		pump_break_reading(broken, IO_RESET);
	else if (patience && silent >= patience)
		pump_break_off(pump, why);
	else if (is_silent(pump))
		pump_break_off(pump, PUMP_SILENT);
	else
		keep_time(pump);
}

/* Both directions are done; what follows is only about closing without destroying what is on its
 * way.  A turn takes a part of what comes, so edges would not do. */
static void
settle(struct pump *pump)
{
	unsigned waits = 0;
	if (!pump->is_settling) {
		pump->is_settling = true;
		timer_set(&pump->timer, SETTLE_MS);
		for (int i = 0; i < 2; i++)
			watch_set_level(&pump->watch[i]);
	}
	for (int i = 0; i < 2; i++) {
		unsigned mask = mask_of(stream_settle(pump->half[i].from));
		watch_want(&pump->watch[i], mask);
		waits |= mask;
	}
	if (!waits)
		end(pump, PUMP_FINISHED);
}

/* Goes on to the end when nothing is left to be pumped; true then. */
static bool
wind_up(struct pump *pump)
{
	struct half *cut = find_cut(pump);
	if (cut && pump_other_half(cut)->state == CUT)
		pump_break_off(pump, reset_of(pump_other_half(cut)));
	else if (cut && pump_other_half(cut)->state == DONE)
		deliver(pump, cut);
	else if (pump->half[0].state == DONE && pump->half[1].state == DONE)
		settle(pump);
	else
		return false;
	return true;
}

/* The halves to be run, as a bit set. */
static void
run(struct pump *pump, unsigned halves)
{
	uint64_t before = pump->half[0].count + pump->half[1].count;
	enum half_state was[2] = { pump->half[0].state, pump->half[1].state };
	for (int i = 0; i < 2 && !pump->is_over && !pump->is_lingering; i++)
		if (halves & 1u << i)
			run_half(&pump->half[i]);
	if (pump->is_over || pump->is_lingering || wind_up(pump))
		return;
	bool has_moved = was[0] != pump->half[0].state || was[1] != pump->half[1].state;
	if (before != pump->half[0].count + pump->half[1].count || has_moved) {
		pump->active_ms = clock_ms();
		pump->is_watchful = true;
	}
	if (has_moved)
		timer_clear(&pump->timer); /* another time-out holds from now on */
	watch_on(pump);
	keep_time(pump);
}

/* Stream i is ready: its own half may be waiting to read it, the other one to write to it. */
static void
on_ready(struct pump *pump, int i, unsigned ready)
{
	unsigned halves = 0;
	if (pump->is_settling) {
		settle(pump);
		return;
	}
	if (pump->is_lingering) {
		linger(pump);
		return;
	}
	if (ready & mask_of(pump->half[i].read_wait))
		halves |= 1u << i;
	if (ready & mask_of(pump->half[!i].write_wait))
		halves |= 1u << !i;
	run(pump, halves);
}

static void
on_a(void *arg, unsigned ready)
{
	on_ready(arg, 0, ready);
}

static void
on_b(void *arg, unsigned ready)
{
	on_ready(arg, 1, ready);
}

static void
on_task(void *arg)
{
	struct pump *pump = arg;
	if (pump->is_freed)
		free(pump);
	else if (pump->is_over)
		pump->on_over(pump->arg, pump->end);
	else if (!pump->is_lingering)
		run(pump, (pump->half[0].has_more ? 1u : 0) | (pump->half[1].has_more ? 2u : 0));
}

static void
init_half(struct pump *pump, bool is_second, struct stream *from)
{
	pump->half[is_second] =
	    (struct half){ .from = from, .is_second = is_second, .has_more = true };
}

static const uint64_t most_ms = UINT64_MAX >> (64 - PUMP_TIME_BITS);
static const uint64_t most_silent_ms = UINT64_MAX >> (64 - PUMP_SILENT_BITS);

static void
set_times(struct pump *pump, const struct pump_settings *settings)
{
	uint64_t silent_ms = settings->silent_ms ? settings->silent_ms : SILENT_MS;
	pump->half_closed_ms = smaller_of(most_ms, settings->half_closed_ms) & most_ms;
	pump->silent_ms = smaller_of(most_silent_ms, silent_ms) & most_silent_ms;
	pump->idle_ms = smaller_of(most_ms, settings->idle_ms) & most_ms;
	pump->stall_ms = smaller_of(most_ms, settings->stall_ms) & most_ms;
}

struct pump *
pump_new(struct loop *loop, struct stream *a, struct stream *b,
    const struct pump_settings *settings, void (*on_over)(void *arg, enum pump_end), void *arg)
{
	struct pump *pump = calloc(1, sizeof *pump);
	if (!pump) {
		memory_short("a flow that was to be joined");
		stream_reset(a);
		stream_reset(b);
		stream_free(a);
		stream_free(b);
		return NULL;
	}
	pump->stalls = settings->stalls;
	set_times(pump, settings);
	pump->on_over = on_over;
	pump->arg = arg;
	pump->active_ms = clock_ms();
	/* A handshake was, at least on one side, and there may never be more. */
	pump->is_watchful = true;
	init_half(pump, false, a);
	init_half(pump, true, b);
	watch_go_on(&pump->watch[0], loop, a->fd, on_a, pump);
	watch_go_on(&pump->watch[1], loop, b->fd, on_b, pump);
	watch_set_edge(&pump->watch[0]);
	watch_set_edge(&pump->watch[1]);
	timer_init(&pump->timer, loop, on_time, pump);
	task_init(&pump->task, on_task, pump);
	loop_later(loop, &pump->task);
	return pump;
}

void
pump_free(struct pump *pump)
{
	if (!pump || pump->is_freed)
		return;
	if (!pump->is_over)
		pump_break_off(pump, PUMP_STOPPED);
	close_stream(pump, 0);
	close_stream(pump, 1);
	pump->is_freed = true;
	loop_later(pump->timer.loop, &pump->task);
}

void
pump_stop(struct pump *pump)
{
	if (!pump->is_over)
		pump_break_off(pump, PUMP_STOPPED);
}

const char *
pump_silent_side(const struct pump *pump, const char *a, const char *b)
{
	if (!pump || !pump->is_over || pump->end != PUMP_SILENT)
		return NULL;
	return pump->silent_second ? b : a;
}

const char *
pump_fault(const struct pump *pump)
{
	bool is_one = pump->end == PUMP_RESET_A || pump->end == PUMP_RESET_B;
	const struct stream *broken = is_one ? pump->half[pump->end == PUMP_RESET_B].from : NULL;
	return pump->is_over && broken ? stream_fault(broken) : NULL;
}

uint64_t
pump_bytes_from_a(const struct pump *pump)
{
	return pump->half[0].count;
}

uint64_t
pump_bytes_from_b(const struct pump *pump)
{
	return pump->half[1].count;
}
