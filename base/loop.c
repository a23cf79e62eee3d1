/*
 * A turn is: wait and run what the kernel has ready (descriptors, and the
 * eventfd behind which signals and calls stand), then the timers that are due,
 * then the calls that the loop has from itself by now, then the tasks that were
 * queued up to now, then heavy work for a while.  Tasks queued by tasks and heavy
 * work that is left belong to the next turn, which then does not wait.
 *
 * The watches are in loop_watch.c.
 */
#include "base/loop.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <threads.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/clock_private.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/loop_private.h"
#include "base/numbers.h"

enum {
	OWN_CALLS = 2, /* a question of this loop's to itself, and the answer */
	LAST_PASSES = 1000,
};

/* Stands behind the last task of each queue, so that whatever is queued has a next. */
static struct task queue_end;

static void
queue_init(struct task_queue *queue)
{
	queue->first = &queue_end;
	queue->end = &queue->first;
}

static bool
queue_is_empty(const struct task_queue *queue)
{
	return queue->first == &queue_end;
}

static void
queue_move(struct task_queue *to, struct task_queue *from)
{
	queue_init(to);
	if (queue_is_empty(from))
		return;
	*to = *from;
	queue_init(from);
}

static bool
queue_remove(struct task_queue *queue, struct task *task)
{
	struct task **at = &queue->first;

	while (*at != &queue_end && *at != task)
		at = &(*at)->next;
	if (*at == &queue_end)
		return false;
	*at = task->next;
	if (queue->end == &task->next)
		queue->end = at;
	task->next = NULL;
	return true;
}

static void
run_tasks(struct loop *loop)
{
	queue_move(&loop->running, &loop->later);
	while (!queue_is_empty(&loop->running)) {
		struct task *task = loop->running.first;

		queue_remove(&loop->running, task);
		loop->moves++;
		task->run(task->arg); /* may free the task */
	}
}

static void
wake(struct loop *loop)
{
	const uint64_t one = 1;

	/* This fails only when the counter is full, and then the loop is awake anyhow. */
	if (write(loop->wake_fd, &one, sizeof one) < 0)
		return;
}

/* The loop that this thread turns at the moment. */
static thread_local struct loop *turned;

static void
put_in_inbox(struct loop *loop, struct call *call)
{
	struct call *newest = atomic_load(&loop->inbox);

	do
		call->next = newest;
	while (!atomic_compare_exchange_weak(&loop->inbox, &newest, call));
	/* Whoever found the inbox empty wakes the loop; the others know that it will look, and so
	 * does the loop itself. */
	if (loop == turned)
		loop->has_called_itself = true;
	else if (!newest)
		wake(loop);
}

/* The inbox is a stack, so that senders need no lock; turning it round gives their order back. */
static struct call *
take_inbox(struct loop *loop)
{
	struct call *stack = atomic_exchange(&loop->inbox, NULL), *list = NULL;

	loop->has_called_itself = false;
	while (stack) {
		struct call *call = stack;

		stack = call->next;
		call->next = list;
		list = call;
	}
	return list;
}

static void
do_nothing(void *unused)
{
	(void)unused;
}

/* Other threads wake the loop only when they find its inbox empty.  So one call of our own stands there
 * while calls gather, and nobody wakes us. */
static void
keep_gathering(struct loop *loop)
{
	bool has_called_itself = loop->has_called_itself;

	loop->gathering = (struct call){ .function = do_nothing };
	put_in_inbox(loop, &loop->gathering);
	loop->has_called_itself = has_called_itself;
}

/* True if there were any. */
static bool
run_calls(struct loop *loop)
{
	bool has_run = false;

	for (struct call *call = take_inbox(loop), *next; call; call = next) {
		next = call->next;
		if (call == &loop->gathering)
			continue;
		has_run = true;
		loop->moves++;
		call->function(call->data); /* may free the call */
	}
	if (loop->gather.armed)
		keep_gathering(loop);
	return has_run;
}

/* From now on calls wait until gather_ms are over.  Not while a test holds the clocks: the time would
 * never be over. */
static void
gather(struct loop *loop)
{
	if (loop->gather_ms == 0 || loop->gather.armed || clock_is_fake())
		return;
	timer_set(&loop->gather, loop->gather_ms);
	keep_gathering(loop);
}

static void
on_gathered(void *arg)
{
	struct loop *loop = arg;

	if (run_calls(loop))
		gather(loop);
}

/* ---- signals ---- */

/* The one loop of the process that hears of signals, and the bits of those that came. */
static _Atomic(struct loop *) signalled;
static atomic_uint_fast64_t raised;

static void
on_raised(int number)
{
	int before = errno;
	struct loop *loop = atomic_load(&signalled);

	atomic_fetch_or(&raised, UINT64_C(1) << number);
	if (loop)
		wake(loop);
	errno = before;
}

static void
run_signals(struct loop *loop)
{
	uint64_t numbers = loop == atomic_load(&signalled) ? atomic_exchange(&raised, 0) : 0;

	for (int i = 0; i < loop->signal_count && numbers != 0; i++) {
		struct signal_handler *handler = &loop->signals[i];

		if ((numbers >> handler->number & 1) == 0)
			continue;
		loop->moves++;
		handler->on_signal(handler->arg, handler->number);
	}
}

/* A second signal does not kill a program that is stopping. */
static void
ignore_signals(struct loop *loop)
{
	for (int i = 0; i < loop->signal_count; i++)
		signal(loop->signals[i].number, SIG_IGN);
	if (loop->signal_count > 0)
		atomic_store(&signalled, NULL);
}

bool
loop_on_signal(struct loop *loop, int number, void (*on_signal)(void *arg, int signal), void *arg)
{
	const struct sigaction action = { .sa_handler = on_raised, .sa_flags = SA_RESTART };

	if (loop->signal_count == LOOP_SIGNALS)
		return false;
	loop->signals[loop->signal_count++] = (struct signal_handler){ on_signal, arg, number };
	atomic_store(&signalled, loop);
	return sigaction(number, &action, NULL) == 0;
}

/* ---- the turn ---- */

static void
on_wake(void *arg, unsigned ready)
{
	uint64_t count;
	struct loop *loop = arg;

	(void)ready;
	if (read(loop->wake_fd, &count, sizeof count) < 0)
		return; /* somebody else's wake-up was already taken */
	run_signals(loop);
	run_calls(loop);
	gather(loop);
}

static bool
is_due_before(const struct heap_node *a, const struct heap_node *b)
{
	const struct timer *one = container_of(a, struct timer, node);
	const struct timer *other = container_of(b, struct timer, node);

	if (one->due_us != other->due_us)
		return one->due_us < other->due_us;
	return one->number < other->number;
}

struct timer *
loop_first_timer(struct loop *loop)
{
	struct heap_node *first = loop->timers.first;

	return first ? container_of(first, struct timer, node) : NULL;
}

/* Timers that are set meanwhile wait for the next turn, so that none can keep the loop to itself. */
static void
run_timers(struct loop *loop)
{
	uint64_t set_before = loop->timers_set;
	struct timer *timer = loop_first_timer(loop);
	uint64_t now = timer ? clock_us() : 0;

	while (timer && timer->due_us <= now && timer->number < set_before) {
		timer_clear(timer);
		loop->moves++;
		timer->on_time(timer->arg); /* may free the timer */
		timer = loop_first_timer(loop);
	}
}

/* 0 when there is work already.  Otherwise the wait ends with the first deadline (-1: there is none), but
 * a fake clock does not pass by waiting. */
static int
wait_ms(struct loop *loop)
{
	const struct timer *first = loop_first_timer(loop);
	uint64_t now, ms;

	if (!queue_is_empty(&loop->later) || loop->heavy.count > 0 || loop->has_called_itself)
		return 0;
	if (!first)
		return -1;
	now = clock_us();
	if (first->due_us <= now)
		return 0;
	if (clock_is_fake())
		return -1;
	ms = units_for(first->due_us - now, 1000);
	return ms < INT_MAX ? (int)ms : INT_MAX;
}

static void
release(struct loop *loop)
{
	loop_watches_wipe(&loop->watches);
	if (loop->wake_fd >= 0)
		close(loop->wake_fd);
	free(loop);
}

struct loop *
loop_new(void)
{
	struct loop *loop = calloc(1, sizeof *loop);
	bool has_watches;

	if (!loop)
		return NULL;
	heap_init(&loop->timers, is_due_before);
	queue_init(&loop->later);
	queue_init(&loop->running);
	heavy_queues_init(&loop->heavy);
	timer_init(&loop->gather, loop, on_gathered, loop);
	has_watches = loop_watches_init(loop);
	loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	watch_init(&loop->wake, loop, loop->wake_fd, on_wake, loop);
	if (has_watches && loop->wake_fd >= 0)
		watch_want(&loop->wake, WATCH_READ);
	if (loop->wake.mask == WATCH_READ)
		return loop;
	release(loop);
	return NULL;
}

static bool
has_work(struct loop *loop)
{
	return !queue_is_empty(&loop->later) || atomic_load(&loop->inbox);
}

void
loop_free(struct loop *loop)
{
	if (!loop)
		return;
	timer_clear(&loop->gather);
	for (int pass = 0; pass < LAST_PASSES && has_work(loop); pass++) {
		run_calls(loop);
		run_tasks(loop);
	}
	ignore_signals(loop);
	watch_wipe(&loop->wake);
	release(loop);
}

void
loop_turn(struct loop *loop, bool may_wait)
{
	turned = loop;
	/* Only a descriptor of ours that somebody else closed brings this about. */
	if (!loop_watches_turn(loop, may_wait ? wait_ms(loop) : 0)) {
		log_event(LOG_ERROR, "loop-failed", "the kernel refused to wait");
		abort();
	}
	run_timers(loop);
	for (int pass = 0; pass < OWN_CALLS && loop->has_called_itself; pass++)
		run_calls(loop);
	run_tasks(loop);
	loop->moves += heavy_run(&loop->heavy);
	turned = NULL;
}

bool
loop_was_stopped(struct loop *loop)
{
	return atomic_exchange(&loop->stopping, false);
}

void
loop_run(struct loop *loop)
{
	while (!loop_was_stopped(loop))
		loop_turn(loop, true);
}

void
loop_stop(struct loop *loop)
{
	atomic_store(&loop->stopping, true);
	wake(loop);
}

void
timer_init(struct timer *timer, struct loop *loop, void (*on_time)(void *), void *arg)
{
	*timer = (struct timer){ .loop = loop, .on_time = on_time, .arg = arg };
}

void
timer_set(struct timer *timer, uint64_t ms)
{
	uint64_t now = clock_us(), room = UINT64_MAX - now;

	timer_clear(timer);
	timer->due_us = ms < room / 1000 ? now + ms * 1000 : UINT64_MAX;
	timer->number = timer->loop->timers_set++ & UINT64_MAX >> (64 - TIMER_NUMBER_BITS);
	timer->armed = true;
	heap_add(&timer->loop->timers, &timer->node);
}

void
timer_clear(struct timer *timer)
{
	if (!timer->armed)
		return;
	timer->armed = false;
	heap_remove(&timer->loop->timers, &timer->node);
}

void
task_init(struct task *task, void (*run)(void *), void *arg)
{
	*task = (struct task){ .run = run, .arg = arg };
}

void
loop_later(struct loop *loop, struct task *task)
{
	if (task->next)
		return;
	task->next = &queue_end;
	*loop->later.end = task;
	loop->later.end = &task->next;
}

void
loop_forget(struct loop *loop, struct task *task)
{
	if (!task->next)
		return;
	if (!queue_remove(&loop->running, task))
		queue_remove(&loop->later, task);
}

void
loop_heavy(struct loop *loop, struct heavy *heavy)
{
	heavy_add(&loop->heavy, heavy);
}

void
loop_forget_heavy(struct loop *loop, struct heavy *heavy)
{
	heavy_remove(&loop->heavy, heavy);
}

void
loop_call(struct loop *loop, struct call *call, void (*function)(void *), void *data)
{
	*call = (struct call){ .function = function, .data = data };
	put_in_inbox(loop, call);
}

void
loop_gather(struct loop *loop, uint64_t ms)
{
	loop->gather_ms = ms;
}
