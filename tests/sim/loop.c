/*
 * loop.h over the simulated kernel.  The order of loops, and of descriptors that
 * are ready together, is drawn; timers and calls keep the order that loop.h promises.
 */
#include "base/loop.h"

#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/hash.h"
#include "arena.h"
#include "sim.h"

enum { WATCHES = 512, LOOPS = 12, WORD_BITS = 64 };

struct task_queue {
	struct task *first, **end;
};

struct loop {
	int process;
	unsigned number; /* of loops[] */
	struct heap timers;
	uint64_t timers_set;
	struct task_queue later, running;
	struct heavy_queue heavy; /* what it costs is not simulated */
	struct call *inbox, **inbox_end;
	struct watch *watches[WATCHES];
	unsigned watch_count;
	/* A bit for each watch that may be ready: it was when somebody looked last, or something has
	 * happened since.  The others need not be looked at. */
	uint64_t perhaps[WATCHES / WORD_BITS];
	unsigned perhaps_count;
	bool is_stopped;
};

static struct loop *loops[LOOPS];
/* Of each: when its first timer is due (UINT64_MAX: none), and a bit if it may have something to
 * do now. */
static uint64_t due_us[LOOPS] = { [0 ... LOOPS - 1] = UINT64_MAX };
static uint32_t busy;
/* Who waits for which descriptor; nobody waits twice. */
static struct watch *watch_of[SIM_FDS];
/* Where the watch of each descriptor stands in its loop, and what it may be ready for that no watch was
 * told yet. */
static unsigned place_of[SIM_FDS];
static unsigned edges_of[SIM_FDS];

static bool
is_due_before(const struct heap_node *a, const struct heap_node *b)
{
	const struct timer *one = container_of(a, struct timer, node);
	const struct timer *another = container_of(b, struct timer, node);

	return one->due_us != another->due_us ? one->due_us < another->due_us
					      : one->number < another->number;
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

struct loop *
loop_new(void)
{
	struct loop *loop = arena_take_zeroed(1, sizeof *loop);
	unsigned i = 0;

	while (loops[i])
		i++;
	loops[i] = loop;
	loop->number = i;
	due_us[i] = UINT64_MAX;
	loop->process = sim_self;
	heap_init(&loop->timers, is_due_before);
	queue_init(&loop->later);
	queue_init(&loop->running);
	TAILQ_INIT(&loop->heavy);
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
		next = call->next;
		call->function(call->data); /* may free it */
	}
	return list != NULL;
}

static unsigned *
edges_at(int fd)
{
	return &edges_of[fd - SIM_FIRST_FD];
}

static unsigned
ready_mask(const struct watch *watch)
{
	unsigned ready = 0;

	if (watch->mask & WATCH_READ && kernel_readable(watch->fd))
		ready |= WATCH_READ;
	if (watch->mask & WATCH_WRITE && kernel_writable(watch->fd))
		ready |= WATCH_WRITE;
	if (watch->is_edge && !kernel_is_over(watch->fd))
		ready &= *edges_at(watch->fd);
	return ready;
}

static unsigned *
place_at(int fd)
{
	return &place_of[fd - SIM_FIRST_FD];
}

static void
set_perhaps(struct loop *loop, unsigned place, bool it_may)
{
	uint64_t *word = &loop->perhaps[place / WORD_BITS], bit = UINT64_C(1) << place % WORD_BITS;

	if (((*word & bit) != 0) == it_may)
		return;
	*word ^= bit;
	loop->perhaps_count += it_may ? 1u : -1u;
	busy |= 1u << loop->number;
}

static void
look_at(int fd)
{
	struct watch *watch = watch_of[fd - SIM_FIRST_FD];

	if (watch)
		set_perhaps(watch->loop, *place_at(fd), true);
}

void
loops_touch(int fd)
{
	*edges_at(fd) = WATCH_READ | WATCH_WRITE;
	look_at(fd);
}

/* Those that are ready, in the order of their places. */
static unsigned
find_ready(struct loop *loop, struct watch *ready[WATCHES])
{
	unsigned count = 0;

	for (unsigned word = 0; word <= loop->watch_count / WORD_BITS && loop->perhaps_count > 0; word++) {
		for (uint64_t left = loop->perhaps[word]; left != 0; left &= left - 1) {
			unsigned place = word * WORD_BITS + (unsigned)__builtin_ctzll(left);

			if (ready_mask(loop->watches[place]))
				ready[count++] = loop->watches[place];
			else
				set_perhaps(loop, place, false);
		}
	}
	return count;
}

/* A handler may wipe any other watch, so each is looked for again before it is called. */
static bool
run_watches(struct loop *loop)
{
	struct watch *ready[WATCHES];
	int fds[WATCHES];
	unsigned count = find_ready(loop, ready);

	for (unsigned i = 0; i < count; i++)
		fds[i] = ready[i]->fd;
	for (unsigned left = count; left > 0; left--) {
		unsigned i = sim_below(left);
		struct watch *watch = ready[i];
		bool is_there = watch_of[fds[i] - SIM_FIRST_FD] == watch && watch->loop == loop;
		unsigned mask = is_there ? ready_mask(watch) : 0;

		ready[i] = ready[left - 1];
		fds[i] = fds[left - 1];
		if (mask == 0)
			continue;
		*edges_at(watch->fd) &= ~mask;
		watch->on_ready(watch->arg, mask);
	}
	return count > 0;
}

static struct timer *
first_timer(struct loop *loop)
{
	return loop->timers.first ? container_of(loop->timers.first, struct timer, node) : NULL;
}

static void
note_due(struct loop *loop)
{
	due_us[loop->number] = loop->timers.first ? first_timer(loop)->due_us : UINT64_MAX;
	if (due_us[loop->number] <= clock_us())
		busy |= 1u << loop->number;
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

static bool
run_tasks(struct loop *loop)
{
	bool ran = !queue_is_empty(&loop->later);

	loop->running = loop->later;
	if (!ran)
		queue_init(&loop->running);
	queue_init(&loop->later);
	while (!queue_is_empty(&loop->running)) {
		struct task *task = loop->running.first;

		queue_remove(&loop->running, task);
		task->run(task->arg);
	}
	return ran;
}

static struct heavy_group queued;

static bool
run_heavy(struct loop *loop)
{
	struct heavy *heavy;
	unsigned most = 0, ran = 0;

	TAILQ_FOREACH(heavy, &loop->heavy, link)
		most++;
	while (ran < most && (heavy = TAILQ_FIRST(&loop->heavy))) {
		loop_forget_heavy(loop, heavy);
		heavy->run(heavy->arg);
		ran++;
	}
	return ran > 0;
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
	ran |= run_heavy(loop);
	sim_self = before;
	if (!loop->inbox && queue_is_empty(&loop->later) && TAILQ_EMPTY(&loop->heavy) &&
	    loop->perhaps_count == 0 && due_us[loop->number] > clock_us())
		busy &= ~(1u << loop->number);
	return ran;
}

static void
mark_due(uint64_t now)
{
	static uint64_t before;

	if (now == before)
		return;
	before = now;
	for (unsigned i = 0; i < LOOPS; i++)
		busy |= (due_us[i] <= now ? 1u : 0u) << i;
}

bool
loops_turn(void)
{
	unsigned first = sim_below(LOOPS);
	uint64_t now = clock_us();
	bool ran = false;

	mark_due(now);
	for (unsigned i = 0; i < LOOPS && busy != 0; i++) {
		unsigned number = first + i < LOOPS ? first + i : first + i - LOOPS;

		if (busy >> number & 1 && now >= sim_processes[loops[number]->process].stopped_until_us)
			ran |= turn(loops[number]);
	}
	return ran;
}

uint64_t
loops_next_us(void)
{
	uint64_t next = UINT64_MAX, now = clock_us();

	for (int i = 0; i < LOOPS; i++) {
		uint64_t resumes = loops[i] ? sim_processes[loops[i]->process].stopped_until_us : 0;
		uint64_t due = resumes > now ? resumes : due_us[i];

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
	loops[loop->number] = NULL;
	due_us[loop->number] = UINT64_MAX;
	busy &= ~(1u << loop->number);
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
watch_go_on(
    struct watch *watch, struct loop *loop, int fd, void (*on_ready)(void *, unsigned), void *arg)
{
	*watch = (struct watch){ .loop = loop, .fd = fd, .on_ready = on_ready, .arg = arg };
}

/* A new watch is told of what there is already. */
void
watch_init(
    struct watch *watch, struct loop *loop, int fd, void (*on_ready)(void *, unsigned), void *arg)
{
	watch_go_on(watch, loop, fd, on_ready, arg);
	*edges_at(fd) = WATCH_READ | WATCH_WRITE;
}

void
watch_set_edge(struct watch *watch)
{
	watch->is_edge = true;
}

void
watch_set_level(struct watch *watch)
{
	watch->is_edge = false;
}

static void
begin_to_watch(struct watch *watch)
{
	struct loop *loop = watch->loop;

	if (loop->watch_count == WATCHES)
		sim_violated("more than %d descriptors are watched in one loop", WATCHES);
	if (watch_of[watch->fd - SIM_FIRST_FD])
		sim_violated("two wait for descriptor %d", watch->fd);
	watch_of[watch->fd - SIM_FIRST_FD] = watch;
	*place_at(watch->fd) = loop->watch_count;
	loop->watches[loop->watch_count++] = watch;
}

/* The last one takes its place. */
static void
unwatch(struct watch *watch)
{
	struct loop *loop = watch->loop;
	unsigned place = *place_at(watch->fd), end = --loop->watch_count;
	uint64_t end_bit = loop->perhaps[end / WORD_BITS] >> end % WORD_BITS & 1;

	watch_of[watch->fd - SIM_FIRST_FD] = NULL;
	set_perhaps(loop, place, end_bit != 0);
	set_perhaps(loop, end, false);
	loop->watches[place] = loop->watches[end];
	*place_at(loop->watches[place]->fd) = place;
}

void
watch_want(struct watch *watch, unsigned mask)
{
	if (mask != WATCH_NOTHING && !kernel_is_open(watch->fd))
		sim_violated("somebody waits for descriptor %d, which is not open", watch->fd);
	if (watch->mask == WATCH_NOTHING && mask != WATCH_NOTHING)
		begin_to_watch(watch);
	if (watch->mask != WATCH_NOTHING && mask == WATCH_NOTHING)
		unwatch(watch);
	watch->mask = mask & 0xff;
	if (mask != WATCH_NOTHING)
		look_at(watch->fd);
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

/* It may not go on, and then the next one begins with watch_init(). */
void
watch_hand_on(struct watch *watch)
{
	watch_wipe(watch);
}

void
loop_closed(struct loop *loop, int fd)
{
	(void)loop;
	if (watch_of[fd - SIM_FIRST_FD])
		sim_violated("descriptor %d is closed, and somebody waits for it", fd);
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
	timer->number = timer->loop->timers_set++ & UINT64_MAX >> (64 - TIMER_NUMBER_BITS);
	timer->armed = true;
	heap_add(&timer->loop->timers, &timer->node);
	note_due(timer->loop);
}

void
timer_clear(struct timer *timer)
{
	if (!timer->armed)
		return;
	timer->armed = false;
	heap_remove(&timer->loop->timers, &timer->node);
	note_due(timer->loop);
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
	busy |= 1u << loop->number;
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
	if (heavy->group)
		return;
	heavy->group = &queued;
	TAILQ_INSERT_TAIL(&loop->heavy, heavy, link);
	busy |= 1u << loop->number;
}

void
loop_forget_heavy(struct loop *loop, struct heavy *heavy)
{
	if (!heavy->group)
		return;
	heavy->group = NULL;
	TAILQ_REMOVE(&loop->heavy, heavy, link);
}

void
loop_gather(struct loop *loop, uint64_t ms)
{
	(void)loop;
	(void)ms;
}

void
loop_call(struct loop *loop, struct call *call, void (*function)(void *), void *data)
{
	*call = (struct call){ .function = function, .data = data };
	*loop->inbox_end = call;
	loop->inbox_end = &call->next;
	busy |= 1u << loop->number;
}
