/* What loop.c shares with loop_advance.c. */
#ifndef BASE_LOOP_PRIVATE_H
#define BASE_LOOP_PRIVATE_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdatomic.h>
#include "base/heap.h"
#include "base/loop.h"

enum { LOOP_SIGNALS = 8 };

struct signal_handler {
	struct loop *loop;
	void (*on_signal)(void *arg, int signal);
	void *arg;
	struct event event;
};

struct task_queue {
	struct task *first, **end;
};

struct loop {
	struct event_base *base;
	struct heap timers;     /* the first is due first */
	uint64_t timers_set;    /* ever */
	struct event wait;      /* ends the wait for descriptors ... */
	uint64_t wait_until_us; /* ... at this time; 0: never */
	struct task_queue later, running;
	struct heavy_queues heavy;
	int wake_fd;
	struct event wake;
	_Atomic(struct call *) inbox; /* newest first */
	bool has_called_itself;       /* and nobody else looks into the inbox for that */
	uint64_t gather_ms;           /* loop_gather(); 0: never */
	struct timer gather;
	struct call gathering; /* in the inbox while it gathers, so that nobody wakes the loop */
	atomic_bool stopping;
	uint64_t moves; /* handlers called so far: a turn without any was a quiet one */
	struct signal_handler signals[LOOP_SIGNALS];
	int signal_count;
};

/* One turn.  It waits for something to do only where it may, and never while a task or a timer is due. */
void loop_turn(struct loop *, bool may_wait);
/* The timer that is due first, or NULL. */
struct timer *loop_first_timer(struct loop *);
/* Takes a loop_stop() that came. */
bool loop_was_stopped(struct loop *);

#endif
