/*
 * Drives a TLS handshake.
 */
#include "agent/handshake.h"

static void
end(struct handshake *h, enum io how)
{
	handshake_wipe(h);
	h->on_done(h->arg, how);
}

static void
advance(struct handshake *h)
{
	enum io result = tls_handshake(h->tls);

	if (result == IO_READ || result == IO_WRITE)
		watch_want(&h->watch, result == IO_READ ? WATCH_READ : WATCH_WRITE);
	else
		end(h, result);
}

static void
on_ready(void *arg, unsigned ready)
{
	(void)ready;
	advance(arg);
}

static void
on_first(void *arg)
{
	advance(arg);
}

static void
on_deadline(void *arg)
{
	end(arg, IO_WRITE);
}

void
handshake_start(struct handshake *h, struct loop *loop, struct tls *tls, uint64_t deadline_ms,
    void (*on_done)(void *arg, enum io end), void *arg)
{
	h->loop = loop;
	h->tls = tls;
	h->on_done = on_done;
	h->arg = arg;
	watch_init(&h->watch, loop, tls_stream(tls)->fd, on_ready, h);
	timer_init(&h->deadline, loop, on_deadline, h);
	timer_set(&h->deadline, deadline_ms);
	task_init(&h->first, on_first, h);
	loop_later(loop, &h->first);
}

void
handshake_wipe(struct handshake *h)
{
	if (!h->loop)
		return;
	watch_wipe(&h->watch);
	timer_clear(&h->deadline);
	loop_forget(h->loop, &h->first);
	h->loop = NULL;
}
