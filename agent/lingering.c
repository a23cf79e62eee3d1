/*
 * Drives tls_linger().
 */
#include "agent/lingering.h"

static void
end(struct lingering *f)
{
	lingering_wipe(f);
	f->on_done(f->arg);
}

static void
advance(struct lingering *f)
{
	enum io result = tls_linger(f->tls);

	if (result == IO_READ || result == IO_WRITE)
		watch_want(&f->watch, result == IO_READ ? WATCH_READ : WATCH_WRITE);
	else
		end(f);
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
	end(arg);
}

void
lingering_start(
    struct lingering *f, struct loop *loop, struct tls *tls, void (*on_done)(void *), void *arg)
{
	f->loop = loop;
	f->tls = tls;
	f->on_done = on_done;
	f->arg = arg;
	watch_init(&f->watch, loop, tls_stream(tls)->fd, on_ready, f);
	timer_init(&f->deadline, loop, on_deadline, f);
	timer_set(&f->deadline, LINGERING_MS);
	task_init(&f->first, on_first, f);
	loop_later(loop, &f->first);
}

void
lingering_wipe(struct lingering *f)
{
	if (!f->loop)
		return;
	watch_wipe(&f->watch);
	timer_clear(&f->deadline);
	loop_forget(f->loop, &f->first);
	f->loop = NULL;
}
