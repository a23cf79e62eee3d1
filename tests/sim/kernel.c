/*
 * Sockets in memory.  A connection has two ends; what one sends reaches the
 * other after its delay, in order.  The answers follow Linux: a reset is told once,
 * by whichever call comes first, and after that reading ends and writing breaks.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/hash.h"
#include "arena.h"
#include "sim.h"

enum {
	WINDOW = 32768,
	LISTENERS = 16,
	SMALL = 512,
	DEAD_US = 60 * 1000 * 1000,	/* TCP keepalive and TCP_USER_TIMEOUT notice it by then */
};

enum segment_kind { DATA, FIN, RST };

struct segment {
	struct sim_event event;
	TAILQ_ENTRY(segment) link;
	struct end *to;
	enum segment_kind kind;
	size_t at, bytes;		/* what was read of it; what is left */
	uint8_t data[];
};

TAILQ_HEAD(segments, segment);

struct end {
	struct connection *connection;
	int fd, process;		/* -1: closed */
	struct segments received;	/* and not read */
	size_t bytes;			/* of them */
	struct segments segments;	/* towards this end */
	size_t on_its_way;		/* bytes of those */
	uint64_t last_us;		/* nothing overtakes what was sent before */
	bool fin_came, shut, resets_on_close, is_broken;
	int error;
	struct address address;
};

struct connection {
	LIST_ENTRY(connection) link;
	struct end ends[2];
	uint64_t delay_us;
	bool is_black_hole; /* for good */
	bool is_cut;        /* as long as the process of either end is */
	struct sim_event accept, death;
	struct listening *listening;
};

struct listening {
	const char *target;
	int process;
	void (*on_accept)(void *, int, const struct address *);
	void *arg;
};

static struct heap events;
static uint64_t event_number;
static LIST_HEAD(, connection) connections;
static struct listening listeners[LISTENERS];
static struct end *fds[SIM_FDS];
static int lowest_free;			/* none is free below ... */
static int end_of_fds;			/* ... and none was used from here on */
static uint64_t most_delay_us;
static uint32_t loss;
static uint64_t moves[SIM_PROCESSES];
static bool cut[SIM_PROCESSES];
static unsigned next_port;

/* ---- events ---- */

static bool
comes_before(const struct heap_node *a, const struct heap_node *b)
{
	const struct sim_event *one = container_of(a, struct sim_event, node);
	const struct sim_event *other = container_of(b, struct sim_event, node);

	return one->due_us != other->due_us ? one->due_us < other->due_us : one->number < other->number;
}

void
kernel_at(struct sim_event *event, uint64_t due_us, void (*happen)(struct sim_event *))
{
	event->due_us = due_us;
	event->number = event_number++;
	event->happen = happen;
	heap_add(&events, &event->node);
}

void
kernel_forget(struct sim_event *event)
{
	if (event->happen)
		heap_remove(&events, &event->node);
	event->happen = NULL;
}

static struct sim_event *
first_event(void)
{
	return events.first ? container_of(events.first, struct sim_event, node) : NULL;
}

uint64_t
kernel_next_us(void)
{
	struct sim_event *event = first_event();

	return event ? event->due_us : UINT64_MAX;
}

bool
kernel_run(void)
{
	struct sim_event *event;
	bool ran = false;

	while ((event = first_event()) && event->due_us <= clock_us()) {
		void (*happen)(struct sim_event *) = event->happen;

		heap_remove(&events, &event->node);
		event->happen = NULL;
		happen(event);
		ran = true;
	}
	return ran;
}

/* ---- connections ---- */

/* What this end's owner waits for may be there now. */
static void
touch(const struct end *end)
{
	if (end->fd < 0)
		return;
	moves[end->process]++;
	loops_touch(end->fd);
}

uint64_t
kernel_moves(int process)
{
	return moves[process];
}

static struct end *
other(struct end *end)
{
	struct connection *connection = end->connection;

	return end == &connection->ends[0] ? &connection->ends[1] : &connection->ends[0];
}

static struct end *
end_of(int fd)
{
	struct end *end = fd >= SIM_FIRST_FD && fd < SIM_FIRST_FD + SIM_FDS ? fds[fd - SIM_FIRST_FD] : NULL;

	if (!end)
		sim_violated("descriptor %d is used and was never open, or is closed", fd);
	return end;
}

/* The lowest free number, as a kernel gives it: whoever keeps a closed one meets somebody else's. */
static void
give_fd(struct end *end, int process)
{
	int i = lowest_free;

	while (i < SIM_FDS && fds[i])
		i++;
	assert(i < SIM_FDS);
	lowest_free = i + 1;
	if (end_of_fds <= i)
		end_of_fds = i + 1;
	fds[i] = end;
	end->fd = SIM_FIRST_FD + i;
	end->process = process;
}

static void
drop(struct segments *segments)
{
	struct segment *segment;

	while ((segment = TAILQ_FIRST(segments))) {
		TAILQ_REMOVE(segments, segment, link);
		kernel_forget(&segment->event);
		free(segment);
	}
}

static void
drop_segments(struct end *end)
{
	drop(&end->segments);
	end->on_its_way = 0;
}

static void
free_connection(struct connection *connection)
{
	kernel_forget(&connection->accept);
	kernel_forget(&connection->death);
	for (int i = 0; i < 2; i++) {
		drop(&connection->ends[i].segments);
		drop(&connection->ends[i].received);
	}
	LIST_REMOVE(connection, link);
	free(connection);
}

static void
tidy(struct connection *connection)
{
	bool waits = connection->accept.happen != NULL;

	if (connection->ends[0].fd < 0 && connection->ends[1].fd < 0 && !waits &&
	    TAILQ_EMPTY(&connection->ends[0].segments) && TAILQ_EMPTY(&connection->ends[1].segments))
		free_connection(connection);
}

static void
break_end(struct end *end, int error)
{
	end->error = error;
	end->is_broken = true;
	end->fin_came = true;
	drop_segments(end);
	touch(end);
	touch(other(end));		/* there is room again */
}

static void put_on_its_way(struct end *to, enum segment_kind, const void *data, size_t bytes);

static void
arrive(struct sim_event *event)
{
	struct segment *segment = container_of(event, struct segment, event);
	struct end *end = segment->to;
	struct connection *connection = end->connection;

	TAILQ_REMOVE(&end->segments, segment, link);
	end->on_its_way -= segment->bytes;
	if (end->fd < 0 && !connection->accept.happen) {
		/* Nobody is there: the answer to data is a reset. */
		if (segment->kind == DATA && !other(end)->is_broken && other(end)->fd >= 0)
			put_on_its_way(other(end), RST, NULL, 0);
	} else if (segment->kind == RST) {
		free(segment);
		/* In CLOSE_WAIT Linux tells EPIPE, else ECONNRESET. */
		break_end(end, end->fin_came ? EPIPE : ECONNRESET);
		tidy(connection);
		return;
	} else if (segment->kind == FIN) {
		end->fin_came = true;
	} else {
		end->bytes += segment->bytes;
		TAILQ_INSERT_TAIL(&end->received, segment, link);
		segment = NULL;
	}
	free(segment);
	touch(end);
	touch(other(end));
	tidy(connection);
}

static void
put_on_its_way(struct end *to, enum segment_kind kind, const void *data, size_t bytes)
{
	struct connection *connection = to->connection;
	struct segment *segment;
	uint64_t due_us;

	if (to->is_broken)
		return;
	segment = arena_take(sizeof *segment + bytes);
	*segment = (struct segment){ .to = to, .kind = kind, .bytes = bytes };
	if (bytes > 0)
		memcpy(segment->data, data, bytes);
	to->on_its_way += bytes;
	due_us = clock_us() + connection->delay_us + sim_below(1 + (uint32_t)connection->delay_us / 4);
	if (due_us < to->last_us)
		due_us = to->last_us;
	to->last_us = due_us;
	TAILQ_INSERT_TAIL(&to->segments, segment, link);
	if (!connection->is_black_hole && !connection->is_cut)
		kernel_at(&segment->event, due_us, arrive);
}

/* ---- connecting ---- */

void
kernel_weather(uint64_t delay_us, uint32_t one_in)
{
	most_delay_us = delay_us;
	loss = one_in;
}

void
kernel_listen(const char *target, int process, void (*on_accept)(void *, int, const struct address *), void *arg)
{
	struct listening *free_one = NULL;

	for (int i = 0; i < LISTENERS; i++) {
		if (listeners[i].target && strcmp(listeners[i].target, target) == 0) {
			listeners[i] = (struct listening){ target, process, on_accept, arg };
			return;
		}
		if (!listeners[i].target && !free_one)
			free_one = &listeners[i];
	}
	assert(free_one != NULL);
	*free_one = (struct listening){ target, process, on_accept, arg };
}

/* By its name, or its process's address. */
static bool
listens_at(const struct listening *listening, const char *target)
{
	char address[ADDRESS_TEXT];

	snprintf(address, sizeof address, "10.0.0.%u:443", sim_processes[listening->process].octet);
	return strcmp(listening->target, target) == 0 || strcmp(address, target) == 0;
}

static struct listening *
find_listening(const char *target)
{
	for (int i = 0; i < LISTENERS; i++) {
		if (listeners[i].target && listeners[i].on_accept && listens_at(&listeners[i], target))
			return &listeners[i];
	}
	return NULL;
}

static void
be_accepted(struct sim_event *event)
{
	struct connection *connection = container_of(event, struct connection, accept);
	struct listening *listening = connection->listening;
	struct end *end = &connection->ends[1];
	int before = sim_self;

	if (!listening->on_accept || !sim_processes[listening->process].alive) {
		if (connection->ends[0].fd >= 0)
			put_on_its_way(&connection->ends[0], RST, NULL, 0);
		tidy(connection);
		return;
	}
	give_fd(end, listening->process);
	touch(end);
	sim_self = listening->process;
	listening->on_accept(listening->arg, end->fd, &connection->ends[0].address);
	sim_self = before;
}

static void
die(struct sim_event *event)
{
	struct connection *connection = container_of(event, struct connection, death);

	for (int i = 0; i < 2; i++)
		break_end(&connection->ends[i], ETIMEDOUT);
	tidy(connection);
}

/* Nothing that is on its way arrives. */
static void
hold_segments(struct connection *connection)
{
	for (int i = 0; i < 2; i++) {
		struct segment *segment;

		TAILQ_FOREACH(segment, &connection->ends[i].segments, link)
			kernel_forget(&segment->event);
	}
	if (!connection->death.happen)
		kernel_at(&connection->death, clock_us() + DEAD_US, die);
}

static void
make_black_hole(struct connection *connection)
{
	connection->is_black_hole = true;
	hold_segments(connection);
}

static void
let_segments_go(struct connection *connection)
{
	kernel_forget(&connection->death);
	for (int i = 0; i < 2; i++) {
		struct segment *segment;

		TAILQ_FOREACH(segment, &connection->ends[i].segments, link)
			kernel_at(&segment->event, clock_us() + connection->delay_us, arrive);
	}
}

/* The one that has connected, or the one that listens there. */
static int
process_of(const struct connection *connection, int end)
{
	return end == 0 ? connection->ends[0].process : connection->listening->process;
}

static void
fill_address(struct address *address, uint8_t octet, unsigned port)
{
	*address = address_any_v4((uint16_t)port);
	address->as.v4.sin_addr.s_addr = htonl(0x0a000000u | octet);
}

int
kernel_connect(const char *target, uint64_t *established_us)
{
	struct listening *listening = find_listening(target);
	struct connection *connection;

	if (!listening || !sim_processes[listening->process].alive)
		return -1;
	connection = arena_take_zeroed(1, sizeof *connection);
	LIST_INSERT_HEAD(&connections, connection, link);
	connection->listening = listening;
	connection->delay_us = 50 + sim_below((uint32_t)most_delay_us + 1);
	for (int i = 0; i < 2; i++) {
		connection->ends[i].connection = connection;
		connection->ends[i].fd = -1;
		TAILQ_INIT(&connection->ends[i].received);
		TAILQ_INIT(&connection->ends[i].segments);
	}
	fill_address(&connection->ends[0].address, sim_processes[sim_self].octet, 10000 + next_port++ % 50000);
	fill_address(&connection->ends[1].address, sim_processes[listening->process].octet, 443);
	give_fd(&connection->ends[0], sim_self);
	*established_us = clock_us() + 2 * connection->delay_us;
	connection->is_cut = cut[sim_self] || cut[listening->process];
	if (connection->is_cut || (loss > 0 && sim_one_in(loss)))
		*established_us = UINT64_MAX;
	else
		kernel_at(&connection->accept, clock_us() + connection->delay_us, be_accepted);
	return connection->ends[0].fd;
}

/* ---- faults ---- */

bool
kernel_hurt(enum kernel_fault fault)
{
	struct connection *connection, *chosen = NULL;
	uint32_t seen = 0;

	LIST_FOREACH(connection, &connections, link) {
		if (connection->ends[0].fd >= 0 && connection->ends[1].fd >= 0 && sim_one_in(++seen))
			chosen = connection;
	}
	if (!chosen)
		return false;
	sim_tell("the network %s the connection %s -> %s", fault == KERNEL_RESET ? "resets" : "swallows",
	    sim_processes[chosen->ends[0].process].name, sim_processes[chosen->ends[1].process].name);
	if (fault == KERNEL_BLACK_HOLE) {
		make_black_hole(chosen);
		return true;
	}
	for (int i = 0; i < 2; i++) {
		if (!chosen->ends[i].is_broken)
			break_end(&chosen->ends[i], ECONNRESET);
	}
	return true;
}

static bool
is_of(const struct connection *connection, int process)
{
	return process_of(connection, 0) == process || process_of(connection, 1) == process;
}

void
kernel_forget_nat(int process, unsigned towards)
{
	struct connection *connection;

	LIST_FOREACH(connection, &connections, link) {
		const struct end *dialler = &connection->ends[0];

		if (dialler->fd >= 0 && dialler->process == process &&
		    towards & 1u << connection->listening->process && !connection->is_black_hole)
			make_black_hole(connection);
	}
}

/* A connection that never came about has nothing to go on with. */
static void
look_at_cut(struct connection *connection)
{
	bool is_cut = cut[process_of(connection, 0)] || cut[process_of(connection, 1)];

	if (is_cut == connection->is_cut)
		return;
	connection->is_cut = is_cut;
	if (is_cut)
		hold_segments(connection);
	else if (!connection->is_black_hole)
		let_segments_go(connection);
}

void
kernel_cut(int process, bool is_cut)
{
	struct connection *connection;

	cut[process] = is_cut;
	LIST_FOREACH(connection, &connections, link)
		look_at_cut(connection);
}

unsigned
kernel_ways(int process, int other_process)
{
	struct connection *connection;
	unsigned count = 0;

	LIST_FOREACH(connection, &connections, link)
		count += is_of(connection, process) && is_of(connection, other_process) &&
		    connection->ends[0].fd >= 0 && connection->ends[1].fd >= 0 &&
		    !connection->is_black_hole && !connection->is_cut;
	return count;
}

void
kernel_kill(int process, bool silently)
{
	for (int i = 0; i < end_of_fds; i++) {
		struct end *end = fds[i];

		if (!end || end->process != process)
			continue;
		if (silently)
			make_black_hole(end->connection);
		else if (!end->is_broken && !(end->shut && end->fin_came))
			put_on_its_way(other(end), RST, NULL, 0);
		break_end(end, 0);
	}
}

/* ---- system calls ---- */

bool
kernel_is_open(int fd)
{
	return fd >= SIM_FIRST_FD && fd < SIM_FIRST_FD + SIM_FDS && fds[fd - SIM_FIRST_FD];
}

unsigned
kernel_open_count(int process)
{
	unsigned count = 0;

	for (int i = 0; i < end_of_fds; i++)
		count += fds[i] && fds[i]->process == process;
	return count;
}

bool
kernel_readable(int fd)
{
	struct end *end = end_of(fd);

	return end->bytes > 0 || end->fin_came || end->error != 0;
}

bool
kernel_is_over(int fd)
{
	struct end *end = end_of(fd);

	return end->fin_came || end->error != 0 || end->is_broken;
}

static size_t
room_towards(const struct end *to)
{
	size_t taken = to->on_its_way + to->bytes;

	return taken < WINDOW ? WINDOW - taken : 0;
}

bool
kernel_writable(int fd)
{
	struct end *end = end_of(fd);

	return end->is_broken || end->shut || room_towards(other(end)) >= WINDOW / 3;
}

static int
fail(int error)
{
	errno = error;
	return -1;
}

static void
take_received(struct end *end, uint8_t *to, size_t bytes)
{
	end->bytes -= bytes;
	while (bytes > 0) {
		struct segment *segment = TAILQ_FIRST(&end->received);
		size_t part = bytes < segment->bytes ? bytes : segment->bytes;

		memcpy(to, segment->data + segment->at, part);
		to += part;
		bytes -= part;
		segment->at += part;
		segment->bytes -= part;
		if (segment->bytes > 0)
			continue;
		TAILQ_REMOVE(&end->received, segment, link);
		free(segment);
	}
}

ssize_t
kernel_recv(int fd, void *data, size_t bytes)
{
	struct end *end = end_of(fd);
	int error = end->error;

	if (end->bytes > 0) {
		/* Segmentation is arbitrary: a reader gets any part. */
		size_t got = bytes < end->bytes ? bytes : end->bytes;

		if (sim_one_in(4) && got > 1)
			got = 1 + sim_below((uint32_t)got);
		take_received(end, data, got);
		touch(other(end));
		if (end->bytes > 0) /* which came a moment later */
			touch(end);
		return (ssize_t)got;
	}
	if (error != 0) {
		end->error = 0;
		return fail(error);
	}
	return end->fin_came ? 0 : fail(EAGAIN);
}

ssize_t
kernel_send(int fd, const void *data, size_t bytes)
{
	struct end *end = end_of(fd), *to = other(end);
	int error = end->error;
	size_t room = room_towards(to);

	if (error != 0) {
		end->error = 0;
		return fail(error);
	}
	if (end->is_broken || end->shut)
		return fail(EPIPE);
	if (room == 0)
		return fail(EAGAIN);
	if (bytes > room)
		bytes = room;
	/* A kernel with room takes a few bytes whole. */
	if (sim_one_in(6) && bytes > SMALL)
		bytes = SMALL + sim_below((uint32_t)bytes - SMALL);
	put_on_its_way(to, DATA, data, bytes);
	return (ssize_t)bytes;
}

int
kernel_shutdown(int fd)
{
	struct end *end = end_of(fd);

	if (end->is_broken)
		return fail(ENOTCONN);
	if (!end->shut)
		put_on_its_way(other(end), FIN, NULL, 0);
	end->shut = true;
	return 0;
}

void
kernel_reset_on_close(int fd)
{
	end_of(fd)->resets_on_close = true;
}

int
kernel_close(int fd)
{
	struct end *end = end_of(fd);
	struct connection *connection = end->connection;

	fds[fd - SIM_FIRST_FD] = NULL;
	if (fd - SIM_FIRST_FD < lowest_free)
		lowest_free = fd - SIM_FIRST_FD;
	end->fd = -1;
	if (!end->is_broken) {
		if (end->resets_on_close || end->bytes > 0) {
							drop_segments(other(end));	/* a reset throws away what the kernel has not sent yet */
			put_on_its_way(other(end), RST, NULL, 0);
		} else if (!end->shut) {
			put_on_its_way(other(end), FIN, NULL, 0);
		}
	}
	if (end == &connection->ends[0])
		end->shut = true;
	tidy(connection);
	return 0;
}

/* ---- life ---- */

void
kernel_start(void)
{
	heap_init(&events, comes_before);
	event_number = 0;
	next_port = 0;
	LIST_INIT(&connections);
	memset(listeners, 0, sizeof listeners);
	memset(fds, 0, sizeof fds);
	memset(cut, 0, sizeof cut);
	lowest_free = end_of_fds = 0;
	kernel_weather(1000, 0);
}

void
kernel_stop(void)
{
	for (int i = 0; i < end_of_fds; i++) {
		if (fds[i])
			sim_violated("descriptor %d of %s was never closed", i + SIM_FIRST_FD,
			    sim_processes[fds[i]->process].name);
	}
	while (!LIST_EMPTY(&connections))
		free_connection(LIST_FIRST(&connections));
}

bool
kernel_is_broken(int fd)
{
	return end_of(fd)->error != 0;
}

struct address
kernel_local(int fd)
{
	return end_of(fd)->address;
}

struct address
kernel_peer(int fd)
{
	return other(end_of(fd))->address;
}
