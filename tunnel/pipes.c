/* Lends pipes, opens them when they are wanted and closes them when they are not. */
#include "tunnel/pipes.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/numbers.h"
#include "base/socket.h"

/* Of the process; the kernel counts what all of them have. */
static _Atomic unsigned pools;

static void
shut(struct pipe *pipe)
{
	close(pipe->fd[0]);
	close(pipe->fd[1]);
	pipe->room = 0;
}

/* The kernel gives the lowest numbers that are free, so this one tells how many are in use. */
static bool
leaves_enough(int fd)
{
	return (uint64_t)fd < socket_limit() / 4 * 3;
}

/* Past a user's part the kernel refuses a size, or gives a pipe of 8 KiB without a word. */
static bool
make(struct pipe *pipe)
{
	static const int wanted[] = { PIPE_BYTES, PIPE_BYTES_LEAST };
	int got = -1;

	if (pipe2(pipe->fd, O_CLOEXEC | O_NONBLOCK) < 0)
		return false;
	for (unsigned i = 0; leaves_enough(pipe->fd[1]) && i < 2 && got < PIPE_BYTES_LEAST; i++)
		if (fcntl(pipe->fd[1], F_SETPIPE_SZ, wanted[i]) >= 0)
			got = fcntl(pipe->fd[1], F_GETPIPE_SZ);
	if (got < PIPE_BYTES_LEAST) {
		shut(pipe);
		return false;
	}
	pipe->room = (uint32_t)got;
	pipe->bytes = 0;
	return true;
}

static uint64_t
part_of_one(uint64_t loops)
{
	return larger_of(PIPES_OF_PROCESS / larger_of(loops, 1), 1);
}

unsigned
pipes_part(void)
{
	return (unsigned)part_of_one(atomic_load(&pools));
}

uint64_t
pipes_descriptors(uint64_t loops)
{
	return 2 * loops * part_of_one(loops);
}

static void
make_one(struct pipes *pipes)
{
	struct pipe *pipe = pipes->all, *end = pipes->all + pipes_part();

	while (pipe < end && pipe->room > 0)
		pipe++;
	if (pipe == end || clock_ms() < pipes->retry_ms)
		return;
	if (make(pipe))
		TAILQ_INSERT_HEAD(&pipes->spare, pipe, link);
	else
		pipes->retry_ms = clock_ms() + PIPES_HOLD_MS;
}

static bool
has_waited(const struct pipe *pipe, uint64_t ms)
{
	return pipe && clock_ms() - pipe->since_ms >= ms;
}

/* A borrower that cannot return it goes to the end of the queue. */
static void
claim(struct pipes *pipes, struct pipe *pipe)
{
	TAILQ_REMOVE(&pipes->lent, pipe, link);
	TAILQ_INSERT_TAIL(&pipes->lent, pipe, link);
	pipe->since_ms = clock_ms();
	pipes->claim(pipe->borrower);
}

static void
close_spare(struct pipes *pipes)
{
	for (struct pipe *pipe; (pipe = TAILQ_FIRST(&pipes->spare));) {
		TAILQ_REMOVE(&pipes->spare, pipe, link);
		shut(pipe);
	}
}

static void
on_time(void *arg)
{
	struct pipes *pipes = arg;
	struct pipe *first;

	while (has_waited(TAILQ_FIRST(&pipes->lent), PIPES_HOLD_MS))
		claim(pipes, TAILQ_FIRST(&pipes->lent));
	first = TAILQ_FIRST(&pipes->lent);
	if (first)
		timer_set(&pipes->timer, first->since_ms + PIPES_HOLD_MS - clock_ms());
	else if (pipes->was_wanted)
		timer_set(&pipes->timer, PIPES_HOLD_MS);
	else
		close_spare(pipes);
	pipes->was_wanted = false;
}

void
pipes_init(struct pipes *pipes, struct loop *loop, void (*on_claim)(void *borrower))
{
	atomic_fetch_add(&pools, 1);
	*pipes = (struct pipes){ .claim = on_claim };
	TAILQ_INIT(&pipes->spare);
	TAILQ_INIT(&pipes->lent);
	timer_init(&pipes->timer, loop, on_time, pipes);
}

void
pipes_wipe(struct pipes *pipes)
{
	if (!pipes->claim || pipes->is_over)
		return;
	pipes->is_over = true;
	atomic_fetch_sub(&pools, 1);
	timer_clear(&pipes->timer);
	close_spare(pipes);
}

static struct pipe *
find(struct pipes *pipes)
{
	if (TAILQ_EMPTY(&pipes->spare))
		make_one(pipes);
	if (TAILQ_EMPTY(&pipes->spare) && has_waited(TAILQ_FIRST(&pipes->lent), PIPES_CLAIM_MS))
		claim(pipes, TAILQ_FIRST(&pipes->lent));
	return TAILQ_FIRST(&pipes->spare);
}

struct pipe *
pipes_take(struct pipes *pipes, void *borrower)
{
	struct pipe *pipe = pipes->is_over ? NULL : find(pipes);

	if (!pipe)
		return NULL;
	TAILQ_REMOVE(&pipes->spare, pipe, link);
	TAILQ_INSERT_TAIL(&pipes->lent, pipe, link);
	pipe->borrower = borrower;
	pipe->since_ms = clock_ms();
	pipes->was_wanted = true;
	pipes->lent_count++;
	if (!pipes->timer.armed)
		timer_set(&pipes->timer, PIPES_HOLD_MS);
	return pipe;
}

/* The one used last is the next one: the processor still knows it. */
void
pipes_return(struct pipes *pipes, struct pipe *pipe)
{
	TAILQ_REMOVE(&pipes->lent, pipe, link);
	if (pipe->bytes > 0 || pipes->is_over)
		shut(pipe);
	else
		TAILQ_INSERT_HEAD(&pipes->spare, pipe, link);
}
