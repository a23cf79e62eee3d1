/*
 * Both ends on one loop in one thread; run_until() turns it until a claim holds.
 */
#ifndef TESTS_TUNNEL_LOOPED_H
#define TESTS_TUNNEL_LOOPED_H

#include <stdio.h>

#include "base/loop.h"
#include "tunnel/link.h"
#include "tunnel/peer.h"

static struct loop *loop;
static struct timer watchdog, ticker;
static bool (*claim)(void *);
static void *claim_arg;
static bool is_late;
static unsigned fine[3];

static void
on_watchdog(void *arg)
{
	(void)arg;
	is_late = true;
	loop_stop(loop);
}

static void
on_tick(void *arg)
{
	(void)arg;
	if (claim && claim(claim_arg))
		loop_stop(loop);
	else
		timer_set(&ticker, 1);
}

/* False when it does not come true within `ms`. */
static UNUSED bool
comes_true(bool (*holds)(void *), void *arg, uint64_t ms)
{
	claim = holds;
	claim_arg = arg;
	is_late = false;
	timer_init(&watchdog, loop, on_watchdog, NULL);
	timer_init(&ticker, loop, on_tick, NULL);
	timer_set(&watchdog, ms);
	timer_set(&ticker, 1);
	loop_run(loop);
	timer_clear(&watchdog);
	timer_clear(&ticker);
	return !is_late;
}

static UNUSED bool
never(void *arg)
{
	(void)arg;
	return false;
}

static UNUSED void
turn_for(uint64_t ms)
{
	assert_false(comes_true(never, NULL, ms));
}

static UNUSED struct tls *
end_of(enum tls_purpose purpose, int fd)
{
	static const struct tls_hooks hooks = { .judge = judge_by, .arg = fine };
	struct tls_config *config = config_for(purpose);
	bool is_client = purpose == TLS_SESSION_AGENT || purpose == TLS_CHANNEL_AGENT;
	struct tls *tls = is_client ? tls_client(config, stream_socket(fd), "relay.test", &hooks)
	    : tls_server(config, stream_socket(fd), &hooks);
	assert_non_null(tls);
	tls_config_release(config);
	return tls;
}

/* A link whose owner only keeps a diary, to play a peer that does not keep the rules. */
struct diary {
	struct link *link;
	char events[256];
	uint8_t last[FRAME_BYTES];
	size_t last_bytes;
	bool is_over;
};

static UNUSED void
on_diary(void *arg, enum link_event event)
{
	struct diary *d = arg;
	const struct frame *frame = event == LINK_FRAME ? link_frame(d->link) : NULL;
	size_t at = strlen(d->events);
	if (frame) {
		memcpy(d->last, frame->body, frame->body_bytes);
		d->last_bytes = frame->body_bytes;
		if (at < sizeof d->events - 8)
			snprintf(d->events + at, sizeof d->events - at, "%u ",
			    (unsigned)frame->type);
		return;
	}
	snprintf(d->events + at, sizeof d->events - at, "%s ",
	    event == LINK_OPEN ? "open" : event == LINK_RAW ? "raw" : "over");
	d->is_over |= event == LINK_OVER;
}

static UNUSED void
diary_start(struct diary *d, enum tls_purpose purpose, int fd)
{
	*d = (struct diary){ 0 };
	d->link = link_new(loop, end_of(purpose, fd), 2000, on_diary, d);
	assert_non_null(d->link);
}

static UNUSED bool
diary_is_over(void *arg)
{
	return ((struct diary *)arg)->is_over;
}

static UNUSED int
set_up(void **state)
{
	(void)state;
	if (!tls_start() || !(loop = loop_new()))
		return -1;
	make_credentials(&credentials, "relay.test");
	return 0;
}

static UNUSED int
tear_down(void **state)
{
	(void)state;
	wipe_credentials(&credentials);
	loop_free(loop);
	return 0;
}

#endif
