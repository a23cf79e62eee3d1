/*
 * Both ends on one loop in one thread, with the clocks in the test's hand:
 * happens() waits for what needs no time, comes_true() lets time pass for it.
 */
#ifndef TESTS_TUNNEL_LOOPED_H
#define TESTS_TUNNEL_LOOPED_H

#include <sched.h>
#include <stdio.h>

#include "base/clock_fake.h"
#include "base/loop.h"
#include "base/loop_advance.h"
#include "tunnel/link.h"
#include "tunnel/peer.h"

enum { REAL_SECONDS_MOST = 60 };

static struct loop *loop;
static unsigned fine[3];

/* The clocks stand still.  What is under way in the kernel or in another thread is waited for, and
 * so is false only for what does not happen at all. */
static UNUSED bool
happens(bool (*holds)(void *), void *arg)
{
	struct timespec began, now;
	clock_gettime(CLOCK_MONOTONIC, &began);
	do {
		assert_true(loop_advance(loop, 0));
		if (holds(arg))
			return true;
		sched_yield();
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - began.tv_sec < REAL_SECONDS_MOST);
	return false;
}

/* False when it does not come true within `ms`. */
static UNUSED bool
comes_true(bool (*holds)(void *), void *arg, uint64_t ms)
{
	assert_true(loop_advance(loop, 0));
	for (; !holds(arg) && ms > 0; ms--)
		assert_true(loop_advance(loop, 1));
	return holds(arg);
}

static UNUSED void
turn_for(uint64_t ms)
{
	assert_true(loop_advance(loop, ms));
}

/* Real certificates are judged by real time. */
static UNUSED void
hold_clocks(void)
{
	clock_fake(1000000000, (int64_t)time(NULL) * 1000000);
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
	hold_clocks();
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
