/*
 * loop.h over the simulated kernel.  The order of loops, and of descriptors that
 * are ready together, is drawn; timers and calls keep the order that loop.h promises.
 */
#include "base/loop.h"

#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/hash.h"
#include "memory.h"
#include "sim.h"

enum { WATCHES = 512, LOOPS = 12 };

struct task_queue {
	struct task *first, **end;
};

struct loop {
	int process;
	struct heap timers;
	uint64_t timers_set;
	struct task_queue later, running;
	struct call *inbox, **inbox_end;
	struct watch *watches[WATCHES];
	unsigned watch_count;
	uint64_t moves_seen; /* of the kernel, when nothing was ready ... */
	bool is_quiet;       /* ... and nobody has begun to wait for more since */
	bool is_stopped;
};

static struct loop *loops[LOOPS];

static bool
is_due_before(const struct heap_node *a, const struct heap_node *b)
{
	const struct timer *one = container_of(a, struct timer, node);
	const struct timer *another = container_of(b, struct timer, node);

	return one->due_us != another->due_us ? one->due_us < another->due_us
					      : one->number < another->number;
}

static void
queue_init(struct task_queue *queue)
{
	queue->first = NULL;
	queue->end = &queue->first;
}

struct loop *
loop_new(void)
{
	struct loop *loop = __real_calloc(1, sizeof *loop);
	int i = 0;

	while (loops[i])
		i++;
	loops[i] = loop;
	loop->process = sim_self;
	heap_init(&loop->timers, is_due_before);
	queue_init(&loop->later);
	queue_init(&loop->running);
	loop->inbox_end = &loop->inbox;
	return loop;
}

unsigned
loops_count(void)
{
	unsigned count = 0;

	for (int i = 0; i < LOOPS; i++)
		count += loops[i] != NULL;
	return count;
}

/* ---- one turn ---- */

static bool
run_calls(struct loop *loop)
{
	struct call *list = loop->inbox;

	loop->inbox = NULL;
	loop->inbox_end = &loop->inbox;
	for (struct call *call = list, *next; call; call = next) {
		struct loop *asker = call->asker;

		next = call->next;
		call->function(call->data); /* may free it, where no answer is wanted */
		if (asker)
			loop_call(asker, call, call->reply, call->data);
	}
	return list != NULL;
}

static unsigned
ready_mask(const struct watch *watch)
{
	unsigned ready = 0;

	if (watch->mask & WATCH_READ && kernel_readable(watch->fd))
		ready |= WATCH_READ;
	if (watch->mask & WATCH_WRITE && kernel_writable(watch->fd))
		ready |= WATCH_WRITE;
	return ready;
}

static bool
still_watches(const struct loop *loop, const struct watch *watch)
{
	for (unsigned i = 0; i < loop->watch_count; i++) {
		if (loop->watches[i] == watch)
			return true;
	}
	return false;
}

/* A handler may wipe any other watch, so each is looked for again before it is called. */
static bool
run_watches(struct loop *loop)
{
	struct watch *ready[WATCHES];
	unsigned count = 0;

	if (loop->is_quiet && loop->moves_seen == kernel_moves(loop->process))
		return false;
	loop->moves_seen = kernel_moves(loop->process);
	for (unsigned i = 0; i < loop->watch_count; i++) {
		if (ready_mask(loop->watches[i]))
			ready[count++] = loop->watches[i];
	}
	loop->is_quiet = count == 0;
	for (unsigned left = count; left > 0; left--) {
		unsigned i = sim_below(left);
		struct watch *watch = ready[i];
		unsigned mask;

		ready[i] = ready[left - 1];
		if (still_watches(loop, watch) && (mask = ready_mask(watch)) != 0)
			watch->on_ready(watch->arg, mask);
	}
	return count > 0;
}

static struct timer *
first_timer(struct loop *loop)
{
	return loop->timers.first ? container_of(loop->timers.first, struct timer, node)
					  : NULL;
}

static bool
run_timers(struct loop *loop)
{
	uint64_t set_before = loop->timers_set, now = clock_us();
	struct timer *timer = first_timer(loop);
	bool ran = false;

	while (timer && timer->due_us <= now && timer->number < set_before) {
		timer_clear(timer);
		timer->on_time(timer->arg);
		timer = first_timer(loop);
		ran = true;
	}
	return ran;
}

static bool
queue_remove(struct task_queue *queue, struct task *task)
{
	struct task **at = &queue->first;

	while (*at && *at != task)
		at = &(*at)->next;
	if (!*at)
		return false;
	*at = task->next;
	if (!task->next)
		queue->end = at;
	return true;
}

static bool
run_tasks(struct loop *loop)
{
	struct task *task = loop->later.first;
	bool ran = task != NULL;

	loop->running = loop->later;
	if (!ran)
		queue_init(&loop->running);
	queue_init(&loop->later);
	while ((task = loop->running.first)) {
		queue_remove(&loop->running, task);
		task->queued = false;
		task->run(task->arg);
	}
	return ran;
}

static bool
turn(struct loop *loop)
{
	int before = sim_self;
	bool ran;

	sim_self = loop->process;
	ran = run_calls(loop);
	ran |= run_watches(loop);
	ran |= run_timers(loop);
	ran |= run_tasks(loop);
	sim_self = before;
	return ran;
}

static bool
has_work(struct loop *loop, uint64_t now)
{
	struct timer *timer = first_timer(loop);

	return loop->inbox || loop->later.first ||
	       (timer && timer->due_us <= now) || !loop->is_quiet ||
	       loop->moves_seen != kernel_moves(loop->process);
}

bool
loops_turn(void)
{
	unsigned first = sim_below(LOOPS);
	uint64_t now = clock_us();
	bool ran = false;

	for (unsigned i = 0; i < LOOPS; i++) {
		struct loop *loop = loops[(first + i) % LOOPS];

		if (loop && now >= sim_processes[loop->process].stopped_until_us &&
		    has_work(loop, now))
			ran |= turn(loop);
	}
	return ran;
}

uint64_t
loops_next_us(void)
{
	uint64_t next = UINT64_MAX, now = clock_us();

	for (int i = 0; i < LOOPS; i++) {
		struct timer *timer = loops[i] ? first_timer(loops[i]) : NULL;
		uint64_t resumes, due;

		if (!loops[i])
			continue;
		resumes = sim_processes[loops[i]->process].stopped_until_us;
		due = timer ? timer->due_us : UINT64_MAX;
		if (resumes > now)
			due = resumes;
		if (due < next)
			next = due;
	}
	return next;
}

void
loop_settle(struct loop *loop)
{
	while (turn(loop))
		;
}

void
loop_free(struct loop *loop)
{
	if (!loop)
		return;
	while (run_calls(loop) || run_tasks(loop))
		;
	if (loop->watch_count > 0 || loop->timers.first)
		sim_violated("a loop of %s is freed and something still waits in it",
		    sim_processes[loop->process].name);
	for (int i = 0; i < LOOPS; i++) {
		if (loops[i] == loop)
			loops[i] = NULL;
	}
	free(loop);
}

/* The simulation turns it. */
void
loop_run(struct loop *loop)
{
	(void)loop;
}

void
loop_stop(struct loop *loop)
{
	loop->is_stopped = true;
}

/* ---- watches ---- */

void
watch_init(
    struct watch *watch, struct loop *loop, int fd, void (*on_ready)(void *, unsigned), void *arg)
{
	*watch = (struct watch){ .loop = loop, .fd = fd, .on_ready = on_ready, .arg = arg };
}

static void
unwatch(struct watch *watch)
{
	struct loop *loop = watch->loop;

	for (unsigned i = 0; i < loop->watch_count; i++) {
		if (loop->watches[i] == watch) {
			loop->watches[i] = loop->watches[--loop->watch_count];
			return;
		}
	}
}

void
watch_want(struct watch *watch, unsigned mask)
{
	if (mask != WATCH_NOTHING && !kernel_is_open(watch->fd))
		sim_violated("somebody waits for descriptor %d, which is not open", watch->fd);
	if (watch->mask == WATCH_NOTHING && mask != WATCH_NOTHING) {
		if (watch->loop->watch_count == WATCHES)
			sim_violated("more than %d descriptors are watched in one loop", WATCHES);
		watch->loop->watches[watch->loop->watch_count++] = watch;
	}
	if (watch->mask != WATCH_NOTHING && mask == WATCH_NOTHING)
		unwatch(watch);
	watch->mask = mask;
	watch->loop->is_quiet = false;
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

/* ---- timers, tasks, calls ---- */

void
timer_init(struct timer *timer, struct loop *loop, void (*on_time)(void *), void *arg)
{
	*timer = (struct timer){ .loop = loop, .on_time = on_time, .arg = arg };
}

void
timer_set(struct timer *timer, uint64_t ms)
{
	timer_clear(timer);
	timer->due_us = clock_us() + ms * 1000;
	timer->number = timer->loop->timers_set++;
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
loop_ask(struct loop *loop, struct call *call, void (*function)(void *), void *data,
    struct loop *asker, void (*reply)(void *))
{
	*call = (struct call){ .function = function, .data = data, .asker = asker, .reply = reply };
	*loop->inbox_end = call;
	loop->inbox_end = &call->next;
}

void
loop_call(struct loop *loop, struct call *call, void (*function)(void *), void *data)
{
	loop_ask(loop, call, function, data, NULL, NULL);
}
