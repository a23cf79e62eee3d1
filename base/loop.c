/*
 * A turn is: wait and run what the kernel has ready (descriptors, timers,
 * signals, the eventfd behind which messages stand), then run the tasks that
 * were queued up to now.  Tasks queued by tasks belong to the next turn, which
 * then does not wait.
 */
#include "base/loop.h"

#include <assert.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "base/log.h"

static_assert(sizeof(struct event) <= LOOP_EVENT_BYTES, "LOOP_EVENT_BYTES is too small");
static_assert(_Alignof(struct event) <= 16, "loop_event is not aligned enough");

enum { SIGNALS = 8, LAST_PASSES = 1000 };

struct signal_handler {
	void (*on_signal)(void *arg, int signal);
	void *arg;
	struct event event;
};

struct queue {
	struct task *first, **end;
};

struct loop {
	struct event_base *base;
	struct queue later, running;
	int wake_fd;
	struct event wake;
	_Atomic(struct message *) inbox;	/* newest first */
	atomic_bool stopping;
	struct signal_handler signals[SIGNALS];
	int signal_count;
};

static struct event *
event_in(struct loop_event *storage)
{
	return (struct event *)(void *)storage->bytes;
}

static void
queue_init(struct queue *queue)
{
	queue->first = NULL;
	queue->end = &queue->first;
}

static void
queue_move(struct queue *to, struct queue *from)
{
	queue_init(to);
	if (from->first == NULL)
		return;
	*to = *from;
	queue_init(from);
}

static bool
queue_remove(struct queue *queue, struct task *task)
{
	struct task **at = &queue->first;

	while (*at != NULL && *at != task)
		at = &(*at)->next;
	if (*at == NULL)
		return false;
	*at = task->next;
	if (task->next == NULL)
		queue->end = at;
	return true;
}

static void
run_tasks(struct loop *loop)
{
	queue_move(&loop->running, &loop->later);
	while (loop->running.first != NULL) {
		struct task *task = loop->running.first;

		queue_remove(&loop->running, task);
		task->queued = false;
		task->run(task->arg);	/* may free the task */
	}
}

/* The inbox is a stack, so that senders need no lock; turning it round gives their order back. */
static void
deliver_messages(struct loop *loop)
{
	struct message *stack = atomic_exchange(&loop->inbox, NULL), *list = NULL;

	while (stack != NULL) {
		struct message *message = stack;

		stack = message->next;
		message->next = list;
		list = message;
	}
	while (list != NULL) {
		struct message *message = list;

		list = message->next;
		message->deliver(message);
	}
}

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	uint64_t count;
	struct loop *loop = arg;

	(void)what;
	if (read((int)fd, &count, sizeof(count)) < 0)
		return;	/* somebody else's wake-up was already taken */
	deliver_messages(loop);
}

static void
wake(struct loop *loop)
{
	const uint64_t one = 1;

	/* It fails only when the counter is full, and then the loop is awake anyhow. */
	if (write(loop->wake_fd, &one, sizeof(one)) < 0)
		return;
}

static struct event_base *
new_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config == NULL)
		return NULL;
	/* Our own inbox is the only thing that other threads touch; a deadline counts from the
	 * moment of the call and not from the beginning of a long turn. */
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	event_config_set_flag(config, EVENT_BASE_FLAG_NO_CACHE_TIME);
	base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

struct loop *
loop_new(void)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (loop == NULL)
		return NULL;
	queue_init(&loop->later);
	queue_init(&loop->running);
	loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	loop->base = new_base();
	if (loop->wake_fd < 0 || loop->base == NULL ||
	    event_assign(
		&loop->wake, loop->base, loop->wake_fd, EV_READ | EV_PERSIST, on_wake, loop) < 0 ||
	    event_add(&loop->wake, NULL) < 0) {
		if (loop->base != NULL)
			event_base_free(loop->base);
		if (loop->wake_fd >= 0)
			close(loop->wake_fd);
		free(loop);
		return NULL;
	}
	return loop;
}

static bool
has_work(struct loop *loop)
{
	return loop->later.first != NULL || atomic_load(&loop->inbox) != NULL;
}

void
loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	for (int pass = 0; pass < LAST_PASSES && has_work(loop); pass++) {
		deliver_messages(loop);
		run_tasks(loop);
	}
	for (int i = 0; i < loop->signal_count; i++)
		event_del(&loop->signals[i].event);
	event_del(&loop->wake);
	event_base_free(loop->base);
	close(loop->wake_fd);
	free(loop);
}

void
loop_run(struct loop *loop)
{
	while (!atomic_exchange(&loop->stopping, false)) {
		int wait = loop->later.first != NULL ? EVLOOP_NONBLOCK : 0;

		/* Only a descriptor of ours that somebody else closed brings this about. */
		if (event_base_loop(loop->base, EVLOOP_ONCE | wait) < 0) {
			log_event(LOG_ERROR, "loop-failed", "the kernel refused to wait");
			abort();
		}
		run_tasks(loop);
	}
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
	watch->on_ready(watch->arg, ready);
}

void
watch_init(
    struct watch *watch, struct loop *loop, int fd, void (*on_ready)(void *, unsigned), void *arg)
{
	*watch = (struct watch){.loop = loop, .fd = fd, .on_ready = on_ready, .arg = arg};
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
		log_event(LOG_ERROR, "watch-failed", "the kernel refused to watch a descriptor",
		    log_i64("fd", watch->fd));
	}
}

void
watch_wipe(struct watch *watch)
{
	if (watch->loop == NULL)
		return;
	watch_want(watch, WATCH_NOTHING);
	watch->loop = NULL;
	watch->fd = -1;
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct timer *timer = arg;

	(void)fd;
	(void)what;
	timer->armed = false;
	timer->on_time(timer->arg);
}

void
timer_init(struct timer *timer, struct loop *loop, void (*on_time)(void *), void *arg)
{
	*timer = (struct timer){.loop = loop, .on_time = on_time, .arg = arg};
	event_assign(event_in(&timer->event), loop->base, -1, 0, on_timer, timer);
}

void
timer_set(struct timer *timer, uint64_t ms)
{
	const struct timeval after = {
	    .tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};

	timer->armed = event_add(event_in(&timer->event), &after) == 0;
	if (!timer->armed)
		log_event(LOG_ERROR, "timer-failed", "memory is short: a deadline cannot be kept");
}

void
timer_clear(struct timer *timer)
{
	if (!timer->armed)
		return;
	timer->armed = false;
	event_del(event_in(&timer->event));
}

void
task_init(struct task *task, void (*run)(void *), void *arg)
{
	*task = (struct task){.run = run, .arg = arg};
}

void
loop_later(struct loop *loop, struct task *task)
{
	if (task->queued)
		return;
	task->queued = true;
	task->next = NULL;
	*loop->later.end = task;
	loop->later.end = &task->next;
}

void
loop_forget(struct loop *loop, struct task *task)
{
	if (!task->queued)
		return;
	task->queued = false;
	if (!queue_remove(&loop->running, task))
		queue_remove(&loop->later, task);
}

void
loop_post(struct loop *loop, struct message *message)
{
	struct message *newest = atomic_load(&loop->inbox);

	do
		message->next = newest;
	while (!atomic_compare_exchange_weak(&loop->inbox, &newest, message));
	/* Whoever found the inbox empty wakes the loop; the others know that it will look. */
	if (newest == NULL)
		wake(loop);
}

static void
on_signal_event(evutil_socket_t number, short what, void *arg)
{
	struct signal_handler *handler = arg;

	(void)what;
	handler->on_signal(handler->arg, (int)number);
}

bool
loop_on_signal(struct loop *loop, int number, void (*on_signal)(void *arg, int signal), void *arg)
{
	struct signal_handler *handler;

	if (loop->signal_count == SIGNALS)
		return false;
	handler = &loop->signals[loop->signal_count];
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
