#include "tunnel/link.h"

#include <assert.h>
#include <stdlib.h>

#include "tunnel/link_private.h"

enum { QUEUE_MOST = 64 * 1024 };

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
	link->state = LINK_SHAKING;
	link_attach(link, loop, on_event, arg);
	timer_set(&link->timer, handshake_ms);
	return link;
}

void
link_free(struct link *link)
{
	if (!link || link->is_freed)
		return;
	link_leave(link);
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
	if (link->state > LINK_UP || link->write_failed)
		return false;
	if (!buffer_add(queue, frame, bytes))
		return false;
	if (!buffer_add(queue, raw, raw_bytes)) {
		queue->bytes -= bytes;
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
link_expect(struct link *link, size_t bytes)
{
	assert(!link->raw.data && bytes > 0);
	link->raw.data = malloc(bytes);
	link->raw.room = link->raw.data ? bytes : 0;
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
link_close(struct link *link)
{
	if (link->state > LINK_UP)
		return;
	if (link->state == LINK_SHAKING)
		link->error = "closed during the handshake";
	link_move(link, link->state == LINK_UP ? LINK_CLOSING : LINK_BROKEN);
	loop_later(link->loop, &link->task);
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

struct stream *
link_release(struct link *link)
{
	struct buffer *queue = &link->queue;
	struct stream *stream = tls_stream(link->tls);
	if (!link_keep_rest(link) || !stream_unread(stream, link->kept.data, link->kept.bytes))
		return NULL;
	if (!link_is_flushed(link) &&
	    !tls_write_behind(link->tls, buffer_front(queue), buffer_left(queue)))
		return NULL;
	link_leave(link);
	link->tls = NULL;
	link->state = LINK_ENDED;
	return stream;
}

void
link_detach(struct link *link)
{
	if (!link_keep_rest(link))
		tls_alert(link->tls, 80);	/* internal_error: frames are lost, so it must
						 * end */
	link->has_moved = true;
	link_leave(link);
	loop_forget(link->loop, &link->task);
	link->loop = NULL;
}

void
link_attach(struct link *link, struct loop *loop, void (*on_event)(void *, enum link_event),
    void *arg)
{
	link->loop = loop;
	link->on_event = on_event;
	link->arg = arg;
	watch_init(&link->watch, loop, tls_stream(link->tls)->fd, link_on_ready, link);
	timer_init(&link->timer, loop, link_on_time, link);
	task_init(&link->task, link_on_task, link);
	loop_later(loop, &link->task);
}
