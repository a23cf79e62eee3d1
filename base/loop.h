/*
 * One event loop a thread: descriptors, timers, work for the end of the turn,
 * heavy work, of which each turn does a little, and calls from other threads.
 * This is the only module that knows epoll.  What is waited for is embedded in
 * the objects of its owners.
 *
 * Everything but loop_call(), loop_ask() and loop_stop() belongs to the loop's
 * own thread.
 *
 * A handler never frees the object that called it: it asks with loop_later()
 * and the end of the turn reaps.
 *
 * Timers follow clock_us().  While a test holds the clocks (clock_fake.h) a
 * loop waits for descriptors and calls only, and a timer fires when the test
 * has moved the clock to it; loop_advance.h does both together.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include "base/heap.h"
#include "base/heavy.h"

struct loop;

enum { TIMER_NUMBER_BITS = 63 };

enum watch_mask { WATCH_NOTHING = 0, WATCH_READ = 1, WATCH_WRITE = 2 };

/*
 * A descriptor that somebody waits for; one watch a descriptor at a time.  Level-triggered, unless
 * watch_set_edge() says otherwise.  The kernel hears of changes before the loop waits again, so that
 * those that are taken back in the same turn cost nothing.  Therefore a descriptor that shares its
 * socket with others (dup) is closed one turn later than its watch was wiped: closing does not end the
 * kernel's watch of what is still open elsewhere.
 *
 * An edge is told once, so that who waits for one has taken all that there was before: has read or
 * written until the kernel had no more (EAGAIN, or a part of what was asked of a socket).  Where
 * urgent data (MSG_OOB) have come, at which the kernel cuts reads short, a watch is level-triggered
 * from then on.  An edge is told late rather than never: when nobody wanted it, then as soon as somebody
 * does.  An end and an error
 * are told for as long as they are wanted.  What the kernel was told once is not taken back, so that
 * the whole life of a descriptor costs one call, or two where it waits for writing later.
 *
 * Where the kernel refuses to watch (memory is short, fs.epoll.max_user_watches) that is told by the log
 * (watch-failed), the descriptor is looked at every 100 ms, and the kernel is asked again: what waits
 * is slow then, and not lost.  Where memory is too short to note a descriptor whose number is higher than
 * all before, that is told, too, and the watch is called for nothing until it wants something else.
 */
struct watch {
	struct loop *loop;
	int fd;            /* borrowed: the watch never closes it */
	unsigned mask : 8; /* what is wanted now */
	bool is_edge : 1;
	void (*on_ready)(void *arg, unsigned ready);
	void *arg;
};

/* A one-shot timer.  Its place in the loop's heap is in itself, so that setting it cannot fail. */
struct timer {
	struct loop *loop;
	void (*on_time)(void *arg);
	void *arg;
	struct heap_node node;
	uint64_t due_us; /* of clock_us() */
	/* Of those that the loop ever set: decides between equal deadlines. */
	uint64_t number : TIMER_NUMBER_BITS;
	bool armed : 1;
};

/* Work for the end of the turn, embedded in its owner.  Queued once at most. */
struct task {
	struct task *next; /* NULL: not queued */
	void (*run)(void *arg);
	void *arg;
};

/*
 * A call in another thread's loop, embedded in what it is about, so that calling
 * cannot fail.  It is the loops' own from the call until its function begins; from
 * then on the storage may be used again or freed.
 */
struct call {
	struct call *next;
	void (*function)(void *data);
	void *data;
};

/* A call that is answered: it is the loops' own until the reply begins. */
struct question {
	struct call call;
	void (*function)(void *data);
	void *data;
	struct loop *asker;
	void (*reply)(void *data);
};

/* NULL when the system refuses. */
struct loop *loop_new(void);
/* Runs the calls and tasks that are still queued, so that what they hold is freed, and then frees
 * the loop. */
void loop_free(struct loop *);
/* Turns until loop_stop(). */
void loop_run(struct loop *);
/* From any thread: loop_run() returns at the end of the current turn. */
void loop_stop(struct loop *);

/* The watch begins with nothing armed. */
void watch_init(
    struct watch *, struct loop *, int fd, void (*on_ready)(void *, unsigned), void *arg);
/* Edge-triggered from now on; said before anything is wanted. */
void watch_set_edge(struct watch *);
/* Level-triggered again, for who stops to take all that there is; at any time. */
void watch_set_level(struct watch *);
/* Says what is waited for from now on; free of charge when nothing changes. */
void watch_want(struct watch *, unsigned mask);
/* Disarms and forgets the descriptor; harmless twice and on {0}. */
void watch_wipe(struct watch *);
/* The same, for a descriptor that stays open, so that another watch may go on with it in this turn ... */
void watch_hand_on(struct watch *);
/* ... which begins so instead of with watch_init(): what the kernel was told holds for it, and an edge
 * that nobody has wanted yet is told to it.  Where nothing was handed on it is the same as watch_init().
 * The first watch of a new descriptor begins with watch_init(). */
void watch_go_on(
    struct watch *, struct loop *, int fd, void (*on_ready)(void *, unsigned), void *arg);
/* A descriptor that nobody watches any more was closed just now.  This saves the call that would take
 * back what the kernel was told of it. */
void loop_closed(struct loop *, int fd);

void timer_init(struct timer *, struct loop *, void (*on_time)(void *), void *arg);
/*
 * (Re)starts the timer, `ms` milliseconds from now.  Those that are due fire in the order of their
 * deadlines, equal deadlines in the order in which they were set.  What a handler sets fires in
 * the next turn at the earliest, also after 0 ms.
 */
void timer_set(struct timer *, uint64_t ms);
/* Harmless when not armed and on {0}. */
void timer_clear(struct timer *);

void task_init(struct task *, void (*run)(void *), void *arg);
/* Runs the task once at the end of this turn; a second call before that does nothing. */
void loop_later(struct loop *, struct task *);
/* Takes a queued task back; harmless when it is not queued. */
void loop_forget(struct loop *, struct task *);

/* Runs it at the end of this turn or of a later one, when its turn has come (heavy.h). */
void loop_heavy(struct loop *, struct heavy *);
/* Takes it back; harmless when it is not queued. */
void loop_forget_heavy(struct loop *, struct heavy *);

/*
 * From any thread: function(data) runs in the thread of that loop.  What one thread calls in one
 * loop runs in the order of the calls.  The loop must live; one that was stopped still runs it,
 * at the latest while it is freed.
 */
void loop_call(struct loop *, struct call *, void (*function)(void *data), void *data);
/* From now on calls that other threads make within `ms` of one that has run are run together then, at
 * the end of that time: for a loop that hears much and is in no hurry.  The first one after a pause runs
 * at once. */
void loop_gather(struct loop *, uint64_t ms);
/* The same as loop_call(), and when the function has returned, reply(data) runs in the asker's loop, which
 * must outlive the answer. */
void loop_ask(struct loop *, struct question *, void (*function)(void *data), void *data,
    struct loop *asker, void (*reply)(void *data));

/* Calls on_signal in the loop's thread for SIGHUP, SIGTERM, SIGINT ... (one loop a process). */
bool loop_on_signal(struct loop *, int signal, void (*on_signal)(void *arg, int signal), void *arg);

#endif
