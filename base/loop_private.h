/* What the loop's files share. */
#ifndef BASE_LOOP_PRIVATE_H
#define BASE_LOOP_PRIVATE_H

#include <stdatomic.h>
#include <stddef.h>
#include <sys/epoll.h>
#include "base/heap.h"
#include "base/loop.h"

enum { LOOP_SIGNALS = 8, LOOP_EVENTS = 128 };

struct signal_handler {
	void (*on_signal)(void *arg, int signal);
	void *arg;
	int number;
};

struct task_queue {
	struct task *first, **end;
};

/* loop_watch.c: what the loop knows of its descriptors, and the kernel's last answer. */
struct loop_watches {
	int epoll_fd;                   /* -1: none */
	struct descriptor *descriptors; /* by their numbers */
	size_t descriptor_count;
	int changed; /* the first of those of which the kernel may have to hear */
	int event_count;
	struct timer again; /* while the kernel has refused to watch some */
	struct epoll_event events[LOOP_EVENTS];
};

struct loop {
	struct loop_watches watches;
	struct heap timers;  /* the first is due first */
	uint64_t timers_set; /* ever */
	struct task_queue later, running;
	struct heavy_queues heavy;
	int wake_fd;
	struct watch wake;
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

/* False when the system refuses; loop_watches_wipe() is due anyhow. */
bool loop_watches_init(struct loop *);
void loop_watches_wipe(struct loop_watches *);
/* Tells the kernel what has changed, waits (-1: for ever) and calls the watches that are ready.  False:
 * the kernel refuses to wait. */
bool loop_watches_turn(struct loop *, int wait_ms);

/* One turn.  It waits for something to do only where it may, and never while a task or a timer is due. */
void loop_turn(struct loop *, bool may_wait);
/* The timer that is due first, or NULL. */
struct timer *loop_first_timer(struct loop *);
/* Takes a loop_stop() that came. */
bool loop_was_stopped(struct loop *);

#endif
