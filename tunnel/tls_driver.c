/*
 * Calls a step of TLS again and again, in its turn, whenever the loop finds the
 * descriptor ready.
 */
#include "tunnel/tls_driver.h"

static void
end(struct tls_driver *d, enum io how)
{
	tls_driver_wipe(d);
	d->on_done(d->arg, how);
}

static void
on_turn(void *arg)
{
	struct tls_driver *d = arg;
	enum io io = d->step(d->tls);
	if (io_must_wait(io))
		watch_want(&d->watch, io == IO_READ ? WATCH_READ : WATCH_WRITE);
	else
		end(d, io);
}

/* One that waits for its turn already is not to be told again. */
static void
on_ready(void *arg, unsigned ready)
{
	struct tls_driver *d = arg;
	(void)ready;
	if (d->turn.group)
		watch_want(&d->watch, WATCH_NOTHING);
	loop_heavy(d->loop, &d->turn);
}

static void
on_deadline(void *arg)
{
	end(arg, IO_WRITE);
}

void
tls_driver_start(struct tls_driver *d, struct loop *loop, struct tls *tls,
    enum io (*step)(struct tls *), uint64_t deadline_ms, void (*on_done)(void *arg, enum io end),
    void *arg)
{
	d->loop = loop;
	d->tls = tls;
	d->step = step;
	d->on_done = on_done;
	d->arg = arg;
	watch_init(&d->watch, loop, tls_stream(tls)->fd, on_ready, d);
	timer_init(&d->deadline, loop, on_deadline, d);
	timer_set(&d->deadline, deadline_ms);
	heavy_init(&d->turn, tls_party(tls), on_turn, d);
	loop_heavy(loop, &d->turn);
}

void
tls_driver_wipe(struct tls_driver *d)
{
	if (!d->loop)
		return;
	watch_wipe(&d->watch);
	timer_clear(&d->deadline);
	loop_forget_heavy(d->loop, &d->turn);
	d->loop = NULL;
}
