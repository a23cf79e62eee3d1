/*
 * A turn is: wait and run what the kernel has ready (descriptors, signals, the
 * eventfd behind which calls stand), then the timers that are due, then the calls
 * that the loop has from itself by now, then the tasks that were queued up to now,
 * then heavy work for a while.  Tasks queued by tasks and heavy work that is left
 * belong to the next turn, which then does not wait.
 *
 * All timers are in one heap; libevent's single one only ends the wait.
 */
#include "base/loop.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <threads.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/clock_private.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/loop_private.h"
#include "base/numbers.h"

static_assert(sizeof(struct event) <= LOOP_EVENT_BYTES, "LOOP_EVENT_BYTES is too small");
static_assert(_Alignof(struct event) <= 8, "loop_event is not aligned enough");

enum {
	OWN_CALLS = 2, /* a question of this loop's to itself, and the answer */
	LAST_PASSES = 1000,
};

static struct event *
event_in(struct loop_event *storage)
{
	return (struct event *)(void *)storage->bytes;
}

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

/* What stands in the inbox lets others believe that the loop will look into it, which it does in time. */
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

/* A clock that stands still would never come to the end of it. */
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

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	uint64_t count;
	struct loop *loop = arg;

	(void)what;
	if (read((int)fd, &count, sizeof count) < 0)
		return; /* somebody else's wake-up was already taken */
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

/* The wait ended; the turn looks at the timers itself. */
static void
on_wait_over(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;

	(void)fd;
	(void)what;
	loop->wait_until_us = 0;
}

/* libevent's heap was given room for its one entry at the start, so adding cannot fail. */
static void
set_wait(struct loop *loop, uint64_t until_us, uint64_t now)
{
	uint64_t left = difference(until_us, now);
	const struct timeval after = { .tv_sec = (time_t)(left / 1000000),
		.tv_usec = (suseconds_t)(left % 1000000) };

	if (until_us == loop->wait_until_us)
		return;
	if (until_us == 0)
		event_del(&loop->wait);
	else
		event_add(&loop->wait, &after);
	loop->wait_until_us = until_us;
}

/* False when there is work already.  Otherwise the wait ends with the first deadline, but a fake
 * clock does not pass by waiting. */
static bool
prepare_wait(struct loop *loop)
{
	const struct timer *first = loop_first_timer(loop);
	uint64_t now;

	if (!queue_is_empty(&loop->later) || loop->heavy.count > 0 || loop->has_called_itself)
		return false;
	if (!first) {
		set_wait(loop, 0, 0);
		return true;
	}
	now = clock_us();
	if (first->due_us <= now)
		return false;
	set_wait(loop, clock_is_fake() ? 0 : first->due_us, now);
	return true;
}

/* libevent itself would write to standard error, where each thread would wait for the reader. */
static void
on_library_message(int severity, const char *message)
{
	/* What the kernel says of a change comes when the turn is over. */
	if (severity >= EVENT_LOG_WARN && strncmp(message, "Epoll ", 6) == 0)
		log_limited(LOG_ERROR, "watch-failed", NULL, message);
	log_limited(
	    severity >= EVENT_LOG_WARN ? LOG_WARNING : LOG_DEBUG, "loop-warning", NULL, message);
}

static struct event_base *
new_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (!config)
		return NULL;
	event_set_log_callback(on_library_message);
	/* Our own inbox is the only thing that other threads touch; a deadline counts from the
	 * moment of the call and not from the beginning of a long turn; what a turn changes about
	 * its watches is told to the kernel before the next wait, as far as it is still so. */
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	event_config_set_flag(config, EVENT_BASE_FLAG_NO_CACHE_TIME);
	event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
	base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

static bool
add_events(struct loop *loop)
{
	const struct timeval some_time = { .tv_sec = 1 };

	if (event_assign(
		&loop->wake, loop->base, loop->wake_fd, EV_READ | EV_PERSIST, on_wake, loop) < 0 ||
	    event_add(&loop->wake, NULL) < 0 ||
	    event_assign(&loop->wait, loop->base, -1, 0, on_wait_over, loop) < 0 ||
	    event_add(&loop->wait, &some_time) < 0)
		return false;
	event_del(&loop->wait);
	return true;
}

static void
release(struct loop *loop)
{
	if (loop->base)
		event_base_free(loop->base);
	if (loop->wake_fd >= 0)
		close(loop->wake_fd);
	free(loop);
}

struct loop *
loop_new(void)
{
	struct loop *loop = calloc(1, sizeof *loop);

	if (!loop)
		return NULL;
	heap_init(&loop->timers, is_due_before);
	queue_init(&loop->later);
	queue_init(&loop->running);
	heavy_queues_init(&loop->heavy);
	timer_init(&loop->gather, loop, on_gathered, loop);
	loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	loop->base = new_base();
	if (loop->wake_fd >= 0 && loop->base && add_events(loop))
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
	for (int i = 0; i < loop->signal_count; i++)
		event_del(&loop->signals[i].event);
	event_del(&loop->wait);
	event_del(&loop->wake);
	release(loop);
}

void
loop_turn(struct loop *loop, bool may_wait)
{
	bool waits = prepare_wait(loop) && may_wait;

	turned = loop;
	/* Only a descriptor of ours that somebody else closed brings this about. */
	if (event_base_loop(loop->base, EVLOOP_ONCE | (waits ? 0 : EVLOOP_NONBLOCK)) < 0) {
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

static void
on_watch(evutil_socket_t fd, short what, void *arg)
{
	struct watch *watch = arg;
	unsigned ready = (what & EV_READ ? WATCH_READ : 0u) | (what & EV_WRITE ? WATCH_WRITE : 0u);

	(void)fd;
	watch->loop->moves++;
	watch->on_ready(watch->arg, ready);
}

void
watch_init(
    struct watch *watch, struct loop *loop, int fd, void (*on_ready)(void *, unsigned), void *arg)
{
	*watch = (struct watch){ .loop = loop, .fd = fd, .on_ready = on_ready, .arg = arg };
}

void
watch_want(struct watch *watch, unsigned mask)
{
	struct event *event = event_in(&watch->event);
	short what = EV_PERSIST;

	if (mask == watch->mask)
		return;
	if (watch->mask != WATCH_NOTHING)
		event_del(event);
	watch->mask = mask;
	if (mask == WATCH_NOTHING)
		return;
	what |= (short)(mask & WATCH_READ ? EV_READ : 0);
	what |= (short)(mask & WATCH_WRITE ? EV_WRITE : 0);
	if (event_assign(event, watch->loop->base, watch->fd, what, on_watch, watch) < 0 ||
	    event_add(event, NULL) < 0) {
		watch->mask = WATCH_NOTHING;
		log_limited(LOG_ERROR, "watch-failed", NULL,
		    "the kernel refused to watch a descriptor", log_i64("fd", watch->fd));
	}
}

void
watch_wipe(struct watch *watch)
{
	if (!watch->loop)
		return;
	watch_want(watch, WATCH_NOTHING);
	watch->loop = NULL;
	watch->fd = -1;
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

static void
on_signal_event(evutil_socket_t number, short what, void *arg)
{
	struct signal_handler *handler = arg;

	(void)what;
	handler->loop->moves++;
	handler->on_signal(handler->arg, (int)number);
}

bool
loop_on_signal(struct loop *loop, int number, void (*on_signal)(void *arg, int signal), void *arg)
{
	struct signal_handler *handler;

	if (loop->signal_count == LOOP_SIGNALS)
		return false;
	handler = &loop->signals[loop->signal_count];
	handler->loop = loop;
	handler->on_signal = on_signal;
	handler->arg = arg;
	/* This is put back when the loop ends: a second signal does not kill a program that is stopping. */
	signal(number, SIG_IGN);
	if (evsignal_assign(&handler->event, loop->base, number, on_signal_event, handler) < 0 ||
	    evsignal_add(&handler->event, NULL) < 0)
		return false;
	loop->signal_count++;
	return true;
}
