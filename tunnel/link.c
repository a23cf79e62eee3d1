/*
 * How a link shakes hands, cuts frames out of what comes, sends what is queued, and
 * ends: first the calls of the loop, then the calls of its owner.
 */
#include "tunnel/link.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

#include "base/log.h"
#include "base/memory.h"
#include "tunnel/buffer.h"

enum {
	QUEUE_MOST = 64 * 1024,
	/* From here on nothing more is read that might ask for answers. */
	QUEUE_BUSY = QUEUE_MOST / 8,
	CLOSING_MS = 2000, /* for the peer to take what is left and to close too */
	READS_A_TURN = 16,
	READ_BYTES = 2 * FRAME_BYTES,
};

enum link_state { LINK_SHAKING, LINK_UP, LINK_CLOSING, LINK_BROKEN, LINK_ENDED, LINK_STATES };

struct link {
	struct loop *loop;
	struct tls *tls;
	struct watch watch;
	struct timer timer;
	struct task task;
	struct heavy turn; /* while shaking */
	enum link_state state;
	bool is_freed, is_paused, write_failed;
	bool is_hushed, is_bare; /* what we say has ended, what the peer says has */
	bool has_frames; /* whole ones may stand in `kept`: it has moved, rested or been busy */
	void (*on_event)(void *arg, enum link_event);
	void *arg;
	const struct frame *frame;
	struct buffer kept; /* read, not yet a frame */
	struct buffer raw;  /* room: how much is expected */
	struct buffer queue;
	const char *error;
};

static const unsigned may_move[LINK_STATES] = {
	[LINK_SHAKING] = 1u << LINK_UP | 1u << LINK_BROKEN | 1u << LINK_ENDED,
	[LINK_UP] = 1u << LINK_CLOSING | 1u << LINK_BROKEN | 1u << LINK_ENDED,
	[LINK_CLOSING] = 1u << LINK_BROKEN | 1u << LINK_ENDED,
	[LINK_BROKEN] = 1u << LINK_ENDED,
};
static const char *const state_name[LINK_STATES] = {
	[LINK_SHAKING] = "shaking",
	[LINK_UP] = "up",
	[LINK_CLOSING] = "closing",
	[LINK_BROKEN] = "broken",
	[LINK_ENDED] = "ended",
};

/* One call from the loop, on its stack. A handler may free, release or detach the link, and then
 * another thread may have it, so after each event the call looks here and not into the link. */
struct link_call {
	const struct link *link;
	bool is_gone;
	const uint8_t *rest; /* read, but behind the frame at hand */
	size_t rest_bytes;
};

/* The link whose handler is being called in this thread; calls from one loop do not nest. */
static thread_local struct link_call *current;

static struct link_call *
call_of(const struct link *link)
{
	return current && current->link == link ? current : NULL;
}

static void
move(struct link *link, enum link_state to)
{
	assert(may_move[link->state] & 1u << to);
	log_move("link", log_object("link", link), state_name[link->state], state_name[to]);
	link->state = to;
	timer_clear(&link->timer);
	if (to == LINK_CLOSING || to == LINK_BROKEN)
		timer_set(&link->timer, CLOSING_MS);
}

static void
emit(struct link *link, enum link_event event)
{
	link->on_event(link->arg, event);
}

static bool
keep(struct buffer *buffer, const void *data, size_t bytes)
{
	if (buffer_add(buffer, data, bytes))
		return true;
	memory_short("frames between relay and agent");
	return false;
}

/* The owner may take its time to free the link; the peer, who waits for our end, need not. */
static void
end(struct link *link, const char *error)
{
	if (!link->error)
		link->error = error;
	move(link, LINK_ENDED);
	if (!link->is_hushed)
		stream_finish(tls_stream(link->tls));
	watch_want(&link->watch, WATCH_NOTHING);
	emit(link, LINK_OVER);
}

static unsigned
mask_of(enum io io)
{
	return io == IO_READ ? WATCH_READ : io == IO_WRITE ? WATCH_WRITE : WATCH_NOTHING;
}

/* After a failure of TLS: lets the peer read our alert, if there can be one, and then ends the link. */
static void
linger(struct link *link)
{
	enum io io = link->is_hushed ? IO_OK : tls_linger(link->tls);
	if (mask_of(io))
		watch_want(&link->watch, mask_of(io));
	else
		end(link, tls_error(link->tls));
}

static void
fail(struct link *link, enum io io)
{
	const char *error = tls_error(link->tls);
	if (io == IO_EOF)
		error = "the peer closed the connection";
	else if (!*error)
		error = stream_was_silent(tls_stream(link->tls))
		    ? "the peer's system does not answer any more"
		    : "the connection was reset";
	if (io != IO_FAILED) {
		end(link, error);
		return;
	}
	if (!link->error)
		link->error = error;
	move(link, LINK_BROKEN);
}

/* Behind link_expect(): as many of the bytes as are missing. */
static size_t
collect(struct link *link, struct link_call *call, const uint8_t *data, size_t bytes)
{
	size_t missing = link->raw.room - link->raw.bytes;
	size_t piece = bytes < missing ? bytes : missing;
	memcpy(link->raw.data + link->raw.bytes, data, piece);
	link->raw.bytes += (uint32_t)piece;
	call->rest = data + piece;
	call->rest_bytes = bytes - piece;
	link->is_paused = piece == missing;
	if (link->is_paused) {
		if (!link->write_failed)
			timer_clear(&link->timer);
		emit(link, LINK_RAW);
	}
	return piece;
}

/* Hands out one frame or one piece of what is expected; returns how many bytes are used up, 0 when
 * more must come. */
static size_t
deal(struct link *link, struct link_call *call, const uint8_t *data, size_t bytes)
{
	struct frame frame;
	if (link->raw.bytes < link->raw.room)
		return collect(link, call, data, bytes);
	switch (frame_next(data, bytes, &frame)) {
	case FRAME_INCOMPLETE:
		return 0;
	case FRAME_MALFORMED:
		tls_alert(link->tls, 50); /* decode_error */
		link->error = "a frame's length is out of range";
		fail(link, IO_FAILED);
		return 0;
	case FRAME_COMPLETE:
		break;
	}
	call->rest = data + frame.bytes;
	call->rest_bytes = bytes - frame.bytes;
	link->frame = &frame;
	emit(link, LINK_FRAME);
	if (!call->is_gone)
		link->frame = NULL;
	return frame.bytes;
}

/* A peer that asks faster than it takes our answers has to wait for them. */
static bool
is_busy(const struct link *link)
{
	return buffer_left(&link->queue) > QUEUE_BUSY;
}

static bool
may_cut(const struct link *link)
{
	return link->state == LINK_UP && !link->is_paused && !is_busy(link);
}

/* Cuts data into frames and keeps the rest. False when the link is not ours any more. */
static bool
cut(struct link *link, struct link_call *call, const uint8_t *data, size_t bytes)
{
	size_t used = 0, piece = 1;
	while (used < bytes && piece > 0 && may_cut(link)) {
		piece = deal(link, call, data + used, bytes - used);
		if (call->is_gone)
			return false;
		used += piece;
	}
	link->has_frames |= used < bytes && piece > 0;
	if (!keep(&link->kept, data + used, bytes - used)) {
		end(link, "memory is short");
		return false;
	}
	return !call->is_gone;
}

/* Frames that were read before the link moved. */
static bool
cut_kept(struct link *link, struct link_call *call)
{
	struct buffer kept = link->kept;
	link->kept = (struct buffer){ 0 };
	link->has_frames = false;
	bool is_ours = cut(link, call, kept.data, kept.bytes);
	free(kept.data);
	return is_ours;
}

static bool
has_raw(const struct link *link)
{
	return link->raw.room > 0 && link->raw.bytes == link->raw.room;
}

/* Behind the expected bytes, or at the end. Where TLS has ended nothing may come: a byte is IO_FAILED. */
static enum io
read_behind(struct link *link, uint8_t *data, size_t bytes, size_t *done)
{
	return link->is_bare ? tls_await_bare(link->tls)
			     : stream_read(tls_stream(link->tls), data, bytes, done);
}

/* Behind the expected bytes only the end is of interest; further bytes are for the next reader. */
static void
await_end(struct link *link, unsigned *mask)
{
	uint8_t buffer[FRAME_BYTES];
	size_t done;
	if (link->kept.bytes > 0)
		return;
	if (tls_stream(link->tls)->is_dry) {
		*mask |= WATCH_READ;
		return;
	}
	enum io io = read_behind(link, buffer, sizeof buffer, &done);
	*mask |= mask_of(io);
	if (mask_of(io))
		return;
	if (link->is_bare && io == IO_FAILED)
		link->error = "the relay did not wait for the answer to its open";
	if (io != IO_OK)
		fail(link, io);
	else if (!keep(&link->kept, buffer, done))
		end(link, "memory is short");
}

/* Reads until the stream has no more, a frame ends the reading, or others should have their turn.  One
 * that is dry, from an earlier turn too, is not asked before its descriptor has called. */
static void
read_in(struct link *link, struct link_call *call, unsigned *mask)
{
	uint8_t buffer[READ_BYTES];
	if (link->has_frames && may_cut(link) && !cut_kept(link, call))
		return;
	for (int i = 0; i < READS_A_TURN; i++) {
		size_t kept = link->kept.bytes, done;
		if (link->state == LINK_UP && has_raw(link))
			await_end(link, mask);
		if (!may_cut(link)) {
			*mask |= is_busy(link) ? WATCH_WRITE : WATCH_NOTHING;
			return;
		}
		if (tls_stream(link->tls)->is_dry) {
			*mask |= WATCH_READ;
			return;
		}
		assert(kept < FRAME_BYTES);
		if (kept)
			memcpy(buffer, link->kept.data, kept);
		enum io io =
		    stream_read(tls_stream(link->tls), buffer + kept, sizeof buffer - kept, &done);
		*mask |= mask_of(io);
		if (mask_of(io))
			return;
		if (io != IO_OK) {
			fail(link, io);
			return;
		}
		buffer_drop(&link->kept);
		if (!cut(link, call, buffer, kept + done))
			return;
	}
	loop_later(link->loop, &link->task);
}

/* A failure to write is not told at once: the reason, an alert perhaps, may wait to be read. */
static void
write_out(struct link *link, unsigned *mask)
{
	struct buffer *queue = &link->queue;
	size_t done;
	while (buffer_left(queue) > 0) {
		enum io io = stream_write(
		    tls_stream(link->tls), buffer_front(queue), buffer_left(queue), &done);
		*mask |= mask_of(io);
		if (mask_of(io))
			return;
		if (io != IO_OK) {
			link->write_failed = true;
			if (!link->timer.armed)
				timer_set(&link->timer, CLOSING_MS);
			buffer_drop(queue);
			return;
		}
		buffer_take(queue, done);
	}
	if (link->is_hushed)
		tls_hush(link->tls);
}

static void
shake(struct link *link)
{
	enum io io = tls_handshake(link->tls);
	if (mask_of(io))
		watch_want(&link->watch, mask_of(io));
	else if (io != IO_OK)
		fail(link, io);
	else {
		move(link, LINK_UP);
		emit(link, LINK_OPEN);
	}
}

/* Sends the queue, close_notify and FIN; then throws away what the peer still says until it closes,
 * too. */
static void
close_down(struct link *link)
{
	unsigned mask = WATCH_NOTHING;
	uint8_t waste[FRAME_BYTES];
	size_t done;
	write_out(link, &mask);
	enum io io = mask ? IO_WRITE : stream_finish(tls_stream(link->tls));
	mask |= mask_of(io);
	io = IO_OK;
	for (int i = 0; i < READS_A_TURN && io == IO_OK; i++)
		io = read_behind(link, waste, sizeof waste, &done);
	if (io == IO_OK)
		loop_later(link->loop, &link->task);
	else if (mask_of(io))
		watch_want(&link->watch, mask | mask_of(io));
	else
		end(link, "closed");
}

static void
step(struct link *link, struct link_call *call)
{
	unsigned mask = WATCH_NOTHING;
	if (link->state == LINK_SHAKING)
		shake(link);
	if (call->is_gone || link->state == LINK_SHAKING || link->state == LINK_ENDED)
		return;
	if (link->state == LINK_UP) {
		write_out(link, &mask);
		read_in(link, call, &mask);
		if (call->is_gone)
			return;
	}
	if (link->state == LINK_UP)
		watch_want(&link->watch, mask);
	else if (link->state == LINK_CLOSING)
		close_down(link);
	else if (link->state == LINK_BROKEN)
		linger(link);
}

/* Every call from the loop comes through here. */
static void
enter(struct link *link, void (*what)(struct link *, struct link_call *))
{
	struct link_call call = { .link = link };
	current = &call;
	if (link->state != LINK_ENDED)
		what(link, &call);
	current = NULL;
}

static void
on_turn(void *arg)
{
	enter(arg, step);
}

/* A handshake has to wait for its turn. */
static void
go_on(struct link *link)
{
	if (link->state == LINK_SHAKING)
		loop_heavy(link->loop, &link->turn);
	else
		enter(link, step);
}

static void
on_ready(void *arg, unsigned ready)
{
	struct link *link = arg;
	if (ready & WATCH_READ)
		tls_stream(link->tls)->is_dry = false;
	if (link->turn.group) /* it waits already, and is not to be told again */
		watch_want(&link->watch, WATCH_NOTHING);
	go_on(link);
}

static void
on_task(void *arg)
{
	struct link *link = arg;
	if (link->is_freed)
		free(link);
	else
		go_on(link);
}

static void
expire(struct link *link, struct link_call *call)
{
	(void)call;
	end(link,
	    link->state == LINK_SHAKING            ? "the handshake took too long"
		: link->state == LINK_CLOSING      ? "closed"
		: link->raw.bytes < link->raw.room ? "the rest of a hello did not come in time"
						   : "the connection was reset");
}

static void
on_time(void *arg)
{
	enter(arg, expire);
}

static void
leave(struct link *link)
{
	struct link_call *call = call_of(link);
	if (call)
		call->is_gone = true;
	link->frame = NULL;
	watch_wipe(&link->watch);
	timer_clear(&link->timer);
	if (link->loop)
		loop_forget_heavy(link->loop, &link->turn);
}

static bool
keep_rest(struct link *link)
{
	const struct link_call *call = call_of(link);
	return !call || keep(&link->kept, call->rest, call->rest_bytes);
}

/* ---- what the owner asks for ---- */

struct link *
link_new(struct loop *loop, struct tls *tls, uint64_t handshake_ms,
    void (*on_event)(void *arg, enum link_event), void *arg)
{
	struct link *link = calloc(1, sizeof *link);
	if (!link) {
		stream_free(tls_stream(tls));
		return NULL;
	}
	link->tls = tls;
	link_attach(link, loop, on_event, arg);
	timer_set(&link->timer, handshake_ms);
	return link;
}

void
link_free(struct link *link)
{
	if (!link || link->is_freed)
		return;
	leave(link);
	if (link->tls && link->is_hushed)
		stream_reset(tls_stream(link->tls));
	if (link->tls)
		stream_free(tls_stream(link->tls));
	link->tls = NULL;
	buffer_drop(&link->kept);
	buffer_drop(&link->raw);
	buffer_drop(&link->queue);
	link->is_freed = true;
	if (link->loop)
		loop_later(link->loop, &link->task);
	else
		free(link);
}

const struct frame *
link_frame(const struct link *link)
{
	return link->frame;
}

bool
link_send_raw(struct link *link, const void *frame, size_t bytes, const void *raw, size_t raw_bytes)
{
	struct buffer *queue = &link->queue;
	if (link_has_failed(link))
		return false;
	if (!keep(queue, frame, bytes))
		return false;
	if (!keep(queue, raw, raw_bytes)) {
		queue->bytes -= (uint32_t)bytes;
		return false;
	}
	loop_later(link->loop, &link->task);
	return true;
}

bool
link_send(struct link *link, const void *frame, size_t bytes)
{
	return buffer_left(&link->queue) + bytes <= QUEUE_MOST &&
	    link_send_raw(link, frame, bytes, NULL, 0);
}

bool
link_expect(struct link *link, size_t bytes, uint64_t within_ms)
{
	assert(!link->raw.data && bytes > 0);
	timer_set(&link->timer, within_ms);
	link->raw.data = malloc(bytes);
	link->raw.room = link->raw.data ? (uint32_t)bytes : 0;
	if (!link->raw.data)
		memory_short("a hello that the relay passes on");
	return link->raw.data;
}

const uint8_t *
link_raw(const struct link *link)
{
	return link->raw.data;
}

void
link_pause(struct link *link)
{
	link->is_paused = true;
}

void
link_resume(struct link *link)
{
	link->is_paused = false;
	loop_later(link->loop, &link->task);
}

void
link_close(struct link *link)
{
	if (link->state > LINK_UP)
		return;
	if (link->state == LINK_SHAKING)
		link->error = "closed during the handshake";
	move(link, link->state == LINK_UP && !link->is_hushed ? LINK_CLOSING : LINK_BROKEN);
	buffer_drop(&link->raw);
	loop_later(link->loop, &link->task);
}

bool
link_has_failed(const struct link *link)
{
	return link->state > LINK_UP || link->write_failed;
}

const char *
link_error(const struct link *link)
{
	return link->error ? link->error : "";
}

struct tls *
link_tls(struct link *link)
{
	return link->tls;
}

struct loop *
link_loop(struct link *link)
{
	return link->loop;
}

bool
link_is_flushed(const struct link *link)
{
	return buffer_left(&link->queue) == 0;
}

static bool
write_behind(struct link *link)
{
	const struct buffer *queue = &link->queue;
	return link_is_flushed(link) ||
	    tls_write_behind(link->tls, buffer_front(queue), buffer_left(queue));
}

static struct stream *
give_away(struct link *link, struct stream *stream)
{
	leave(link);
	link->tls = NULL;
	move(link, LINK_ENDED);
	return stream;
}

struct stream *
link_release(struct link *link)
{
	struct stream *stream = tls_stream(link->tls);
	if (!keep_rest(link) || !stream_unread(stream, link->kept.data, link->kept.bytes) ||
	    !write_behind(link))
		return NULL;
	return give_away(link, stream);
}

void
link_hush(struct link *link)
{
	link->is_hushed = true;
}

bool
link_is_at_border(const struct link *link)
{
	const struct link_call *call = call_of(link);
	return (!call || call->rest_bytes == 0) && link->kept.bytes == 0 &&
	    (!link->is_hushed || link_is_flushed(link)) && tls_is_at_border(link->tls);
}

bool
link_await_bare(struct link *link)
{
	link->is_bare = true;
	return tls_await_bare(link->tls) != IO_FAILED;
}

struct stream *
link_unwrap(struct link *link)
{
	struct stream *stream =
	    link_is_at_border(link) && write_behind(link) ? tls_unwrap(link->tls) : NULL;
	if (stream)
		return give_away(link, stream);
	/* What is out may be an answer, behind which FIN would be an end. */
	stream_reset(tls_stream(link->tls));
	return NULL;
}

void
link_detach(struct link *link)
{
	if (!keep_rest(link))
		tls_alert(link->tls, 80); /* internal_error: frames are lost, so it must
						 * end */
	link->has_frames = true;
	leave(link);
	loop_forget(link->loop, &link->task);
	link->loop = NULL;
}

void
link_attach(
    struct link *link, struct loop *loop, void (*on_event)(void *, enum link_event), void *arg)
{
	link->loop = loop;
	link->on_event = on_event;
	link->arg = arg;
	watch_init(&link->watch, loop, tls_stream(link->tls)->fd, on_ready, link);
	timer_init(&link->timer, loop, on_time, link);
	task_init(&link->task, on_task, link);
	heavy_init(&link->turn, tls_party(link->tls), on_turn, link);
	loop_later(loop, &link->task);
}
