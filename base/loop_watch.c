/*
 * Watches over one epoll instance.  The loop keeps a table of descriptors by their numbers: who waits for
 * each, and what the kernel was told of it.  It has 24 bytes for each number up to the highest that the
 * loop has met, so that the limit on descriptors bounds it.  Changes gather in a list until the loop waits.
 *
 * Every registration carries a number of its own (generation), so that an event which the kernel told of a
 * descriptor is not taken for one of the next descriptor that has the same number.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "base/loop_private.h"

enum { DESCRIPTORS_FIRST = 64, LIST_END = -1, NOT_IN_LIST = -2, AGAIN_MS = 100 };

/* The masks are of enum watch_mask. */
struct descriptor {
	struct watch *watch; /* NULL: nobody waits */
	uint32_t generation;
	int next_changed;   /* LIST_END, NOT_IN_LIST */
	uint8_t told;       /* what the kernel watches for */
	uint8_t edges;      /* that were told by the kernel, and not yet to a watch */
	uint8_t lasting;    /* an end or an error was met: edges that are always told */
	bool is_edge : 1;   /* so the kernel was told */
	bool is_unsure : 1; /* it may have been closed, and another one have its number */
	bool is_urgent : 1; /* urgent data were met, at which the kernel cuts reads short */
	bool is_handed_on : 1;
	bool is_refused : 1; /* by the kernel, what it was told last */
};

static_assert(sizeof(struct descriptor) == 24, "as the head of this file says");

static void ask_again(void *loop);

bool
loop_watches_init(struct loop *loop)
{
	struct loop_watches *watches = &loop->watches;

	timer_init(&watches->again, loop, ask_again, loop);
	watches->changed = LIST_END;
	watches->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return watches->epoll_fd >= 0;
}

void
loop_watches_wipe(struct loop_watches *watches)
{
	timer_clear(&watches->again);
	if (watches->epoll_fd >= 0)
		close(watches->epoll_fd);
	free(watches->descriptors);
}

static bool
grow(struct loop_watches *watches, int fd)
{
	size_t count = watches->descriptor_count ? watches->descriptor_count : DESCRIPTORS_FIRST;
	struct descriptor *more;

	while (count <= (size_t)fd)
		count *= 2;
	more = reallocarray(watches->descriptors, count, sizeof *more);
	if (!more)
		return false;
	for (size_t i = watches->descriptor_count; i < count; i++)
		more[i] = (struct descriptor){ .next_changed = NOT_IN_LIST };
	watches->descriptors = more;
	watches->descriptor_count = count;
	return true;
}

/* NULL when nothing was ever said of it. */
static struct descriptor *
find(struct loop_watches *watches, int fd)
{
	return (size_t)fd < watches->descriptor_count ? &watches->descriptors[fd] : NULL;
}

static void
note_change(struct loop_watches *watches, int fd)
{
	struct descriptor *descriptor = &watches->descriptors[fd];

	if (descriptor->next_changed != NOT_IN_LIST)
		return;
	descriptor->next_changed = watches->changed;
	watches->changed = fd;
}

static void
forget(struct descriptor *descriptor)
{
	descriptor->generation++;
	descriptor->edges = descriptor->lasting = WATCH_NOTHING;
	descriptor->is_unsure = descriptor->told != WATCH_NOTHING;
	descriptor->is_handed_on = false;
	descriptor->is_urgent = false;
}

void
watch_go_on(
    struct watch *watch, struct loop *loop, int fd, void (*on_ready)(void *, unsigned), void *arg)
{
	*watch = (struct watch){ .loop = loop, .fd = fd, .on_ready = on_ready, .arg = arg };
}

/* What was handed on may have been closed instead. */
void
watch_init(
    struct watch *watch, struct loop *loop, int fd, void (*on_ready)(void *, unsigned), void *arg)
{
	struct descriptor *descriptor = find(&loop->watches, fd);

	watch_go_on(watch, loop, fd, on_ready, arg);
	if (descriptor && descriptor->is_handed_on)
		forget(descriptor);
}

void
watch_set_edge(struct watch *watch)
{
	watch->is_edge = true;
}

void
watch_set_level(struct watch *watch)
{
	if (watch->is_edge && watch->mask != WATCH_NOTHING)
		note_change(&watch->loop->watches, watch->fd);
	watch->is_edge = false;
}

static void
tell_failure(int fd, int error)
{
	log_limited(LOG_ERROR, "watch-failed", NULL, "the kernel refused to watch a descriptor",
	    log_i64("fd", fd), log_str("error", strerror(error)));
}

/* Nobody waits for the descriptor any more.  Unless it is handed on, it may be another one when the kernel
 * hears of it next. */
static void
leave(struct watch *watch, bool is_handed_on)
{
	struct descriptor *descriptor = watch->loop ? find(&watch->loop->watches, watch->fd) : NULL;

	if (!descriptor || descriptor->watch != watch)
		return;
	descriptor->watch = NULL;
	note_change(&watch->loop->watches, watch->fd);
	if (is_handed_on && !descriptor->is_unsure && descriptor->told != WATCH_NOTHING)
		descriptor->is_handed_on = true;
	else
		forget(descriptor);
}

void
watch_want(struct watch *watch, unsigned mask)
{
	struct loop_watches *watches = &watch->loop->watches;
	struct descriptor *descriptor;

	if (mask == watch->mask)
		return;
	if (!find(watches, watch->fd) && !grow(watches, watch->fd)) {
		tell_failure(watch->fd, ENOMEM);
		return;
	}
	descriptor = find(watches, watch->fd);
	assert(!descriptor->watch || descriptor->watch == watch);
	descriptor->watch = watch;
	watch->mask = mask & 0xff;
	note_change(watches, watch->fd);
	if (mask == WATCH_NOTHING && !watch->is_edge)
		leave(watch, false);
}

void
watch_hand_on(struct watch *watch)
{
	leave(watch, true);
	*watch = (struct watch){ .fd = -1 };
}

void
watch_wipe(struct watch *watch)
{
	leave(watch, false);
	*watch = (struct watch){ .fd = -1 };
}

void
loop_closed(struct loop *loop, int fd)
{
	struct descriptor *descriptor = find(&loop->watches, fd);

	if (!descriptor)
		return;
	assert(!descriptor->watch);
	descriptor->told = WATCH_NOTHING;
	forget(descriptor);
}

/* ---- what the kernel is told ---- */

static struct epoll_event
event_of(const struct descriptor *descriptor, int fd)
{
	return (struct epoll_event){ .data.u64 =
					 (uint64_t)descriptor->generation << 32 | (uint32_t)fd };
}

static bool
wants_edges(const struct descriptor *descriptor)
{
	return descriptor->watch && descriptor->watch->is_edge && !descriptor->is_urgent;
}

static bool
control(struct loop_watches *watches, int fd, int operation, unsigned mask)
{
	const struct descriptor *descriptor = &watches->descriptors[fd];
	bool is_edge = wants_edges(descriptor);
	struct epoll_event event = event_of(descriptor, fd);

	if (is_edge)
		event.events |= EPOLLET;
	if (mask & WATCH_READ)
		event.events |= is_edge ? EPOLLIN | EPOLLPRI | EPOLLRDHUP : EPOLLIN;
	if (mask & WATCH_WRITE)
		event.events |= EPOLLOUT;
	return epoll_ctl(watches->epoll_fd, operation, fd, &event) == 0;
}

static void
note_refusal(struct loop_watches *watches, int fd, int error)
{
	tell_failure(fd, error);
	if (!watches->again.armed)
		timer_set(&watches->again, AGAIN_MS);
}

/* The kernel answers that it watches no such descriptor when the one of which it was told is closed. */
static void
tell(struct loop_watches *watches, int fd, unsigned mask)
{
	struct descriptor *descriptor = &watches->descriptors[fd];
	bool was_told = descriptor->told != WATCH_NOTHING;
	int operation = mask == WATCH_NOTHING ? EPOLL_CTL_DEL
	    : was_told                        ? EPOLL_CTL_MOD
					      : EPOLL_CTL_ADD;
	bool is_done = control(watches, fd, operation, mask);

	if (!is_done && operation == EPOLL_CTL_MOD && errno == ENOENT)
		is_done = control(watches, fd, EPOLL_CTL_ADD, mask);
	descriptor->is_refused = !is_done && operation != EPOLL_CTL_DEL;
	if (descriptor->is_refused)
		note_refusal(watches, fd, errno);
	descriptor->told = (uint8_t)(is_done ? mask : WATCH_NOTHING);
	descriptor->is_edge = wants_edges(descriptor);
	descriptor->is_unsure = false;
}

/* What is wanted of a descriptor, with what the kernel need not be told not to watch. */
static unsigned
wanted(const struct descriptor *descriptor)
{
	const struct watch *watch = descriptor->watch;
	bool stays = wants_edges(descriptor) && descriptor->is_edge && !descriptor->is_unsure;

	return (watch ? watch->mask : WATCH_NOTHING) | (stays ? descriptor->told : WATCH_NOTHING);
}

/* What was handed on and not gone on with may have been closed, and what is known of it is not true of the
 * next one with its number. */
static void
settle_change(struct loop_watches *watches, int fd)
{
	struct descriptor *descriptor = &watches->descriptors[fd];
	unsigned mask = wanted(descriptor);
	bool has_other_trigger = wants_edges(descriptor) != descriptor->is_edge;

	if (descriptor->is_handed_on && !descriptor->watch)
		forget(descriptor);
	descriptor->is_handed_on = false;
	if (mask != descriptor->told || descriptor->is_unsure ||
	    (mask != WATCH_NOTHING && has_other_trigger))
		tell(watches, fd, mask);
}

/* The edges that a watch is still to be told of. */
static unsigned
due(const struct descriptor *descriptor)
{
	return descriptor->watch
	    ? (descriptor->edges | descriptor->lasting) & descriptor->watch->mask
	    : WATCH_NOTHING;
}

/* Edges that are due stand in front of what the kernel will tell.  Where there are too many of them, the
 * others wait for the next turn. */
static void
settle_changes(struct loop_watches *watches)
{
	int fd = watches->changed;

	watches->changed = LIST_END;
	watches->event_count = 0;
	while (fd != LIST_END) {
		struct descriptor *descriptor = &watches->descriptors[fd];
		int next = descriptor->next_changed;

		descriptor->next_changed = NOT_IN_LIST;
		settle_change(watches, fd);
		if (due(descriptor) != WATCH_NOTHING && watches->event_count == LOOP_EVENTS / 2)
			note_change(watches, fd);
		else if (due(descriptor) != WATCH_NOTHING)
			watches->events[watches->event_count++] = event_of(descriptor, fd);
		fd = next;
	}
}

/* ---- what the kernel tells ---- */

static uint8_t
lasting_of(unsigned events)
{
	if (events & (EPOLLHUP | EPOLLERR))
		return WATCH_READ | WATCH_WRITE;
	return events & EPOLLRDHUP ? WATCH_READ : WATCH_NOTHING;
}

static uint8_t
ready_of(unsigned events)
{
	unsigned ready = lasting_of(events);

	ready |= events & EPOLLIN ? WATCH_READ : WATCH_NOTHING;
	ready |= events & EPOLLOUT ? WATCH_WRITE : WATCH_NOTHING;
	return (uint8_t)ready;
}

/* What of it the watch is to be told now. */
static unsigned
take_ready(struct descriptor *descriptor, unsigned events)
{
	unsigned ready;

	if (!descriptor->is_edge)
		return descriptor->watch ? ready_of(events) & descriptor->watch->mask : 0u;
	descriptor->edges |= ready_of(events);
	descriptor->lasting |= lasting_of(events);
	ready = due(descriptor);
	descriptor->edges = (uint8_t)(descriptor->edges & ~ready);
	return ready;
}

/* A watch that could not make an end of it, or took a part of what came for all, is told again. */
static void
remind(struct loop_watches *watches, int fd, uint32_t generation)
{
	const struct descriptor *descriptor = &watches->descriptors[fd];

	if (descriptor->generation == generation && due(descriptor) != WATCH_NOTHING)
		note_change(watches, fd);
}

/* A read that ends there comes short although more may have come, and no edge will tell of that. */
static void
note_urgent(struct loop_watches *watches, int fd)
{
	watches->descriptors[fd].is_urgent = true;
	note_change(watches, fd);
}

static void
handle(struct loop *loop, const struct epoll_event *event)
{
	int fd = (int)(uint32_t)event->data.u64;
	uint32_t generation = (uint32_t)(event->data.u64 >> 32);
	struct descriptor *descriptor = &loop->watches.descriptors[fd];
	unsigned ready;

	if (descriptor->generation != generation)
		return;
	if (event->events & EPOLLPRI)
		note_urgent(&loop->watches, fd);
	ready = take_ready(descriptor, event->events);
	if (ready == WATCH_NOTHING)
		return;
	loop->moves++;
	descriptor->watch->on_ready(descriptor->watch->arg, ready); /* may end the watch */
	remind(&loop->watches, fd, generation);
}

/* What is there of what a watch wants that the kernel refuses to tell. */
static unsigned
look_at(const struct watch *watch)
{
	struct pollfd asked = { .fd = watch->fd };

	asked.events |= watch->mask & WATCH_READ ? POLLIN : 0;
	asked.events |= watch->mask & WATCH_WRITE ? POLLOUT : 0;
	return poll(&asked, 1, 0) > 0 ? ready_of((unsigned)asked.revents) & watch->mask : 0u;
}

/* Until the kernel consents, descriptors that it has refused are looked at now and then. */
static void
ask_again(void *arg)
{
	struct loop *loop = arg;
	struct loop_watches *watches = &loop->watches;

	for (size_t fd = 0; fd < watches->descriptor_count; fd++) {
		const struct watch *watch = watches->descriptors[fd].watch;
		unsigned ready;

		if (!watches->descriptors[fd].is_refused)
			continue;
		watches->descriptors[fd].is_refused = false;
		if (!watch)
			continue;
		note_change(watches, (int)fd);
		ready = look_at(watch);
		if (ready != WATCH_NOTHING)
			watch->on_ready(watch->arg, ready); /* may end this watch and others */
	}
}

bool
loop_watches_turn(struct loop *loop, int wait_ms)
{
	struct loop_watches *watches = &loop->watches;
	int count;

	settle_changes(watches);
	/* It may have been set just now. */
	if (watches->again.armed && (wait_ms < 0 || wait_ms > AGAIN_MS))
		wait_ms = AGAIN_MS;
	count = epoll_wait(watches->epoll_fd, watches->events + watches->event_count,
	    LOOP_EVENTS - watches->event_count, watches->event_count > 0 ? 0 : wait_ms);
	if (count < 0 && errno != EINTR)
		return false;
	watches->event_count += count > 0 ? count : 0;
	for (int i = 0; i < watches->event_count; i++)
		handle(loop, &watches->events[i]);
	return true;
}
