/*
 * The pipes of one loop, through which pumps splice.  Bytes that go from socket to
 * socket through a pipe are not copied, but a pipe costs two descriptors and a part of
 * what the kernel lets a user keep in pipes (64 MiB of all processes, see pipe(7)).  So
 * there are few and large ones, and a direction of a flow borrows one only while bytes
 * are in it.
 *
 *	pipes_take() --> bytes go in --> bytes go out --> pipes_return()
 *	                             `-> claim(borrower), which returns it
 *
 * Whoever gets none copies: a pipe makes bytes cheaper and is never needed.  That holds for
 * a kernel that gives small pipes only, or none, which is asked again a second later, and where
 * the pipe would take one of the last quarter of the descriptors, which are for connections.
 * Who splices ignores SIGPIPE, which splice() raises as write() does.
 *
 * Shared by:     all joined flows of one loop; everything belongs to its thread.
 * Bound:         PIPES_OF_PROCESS of PIPE_BYTES each, in equal parts for the loops of the process, and
 *                one at least for each.  A flow that is busy both ways may have two at a time.
 * Who leaves:    who has had a pipe for PIPES_HOLD_MS, and who has had one longest, and for
 *                PIPES_CLAIM_MS at least, when another one asks and all are lent.  The bytes in it
 *                are then its own to keep.  Client blocks are not looked at, since nothing is
 *                taken from who has no pipe: he is copied at once, which costs the worker some
 *                twice the time for his bytes, and time of the worker is shared by its turns.
 *
 * Pipes that nobody has wanted for a second or two are closed.
 */
#ifndef TUNNEL_PIPES_H
#define TUNNEL_PIPES_H

#include <sys/queue.h>

#include "base/loop.h"

enum {
	PIPES_OF_PROCESS = 48,
	PIPE_BYTES = 1 << 20,
	/* A smaller one is no better than copying. */
	PIPE_BYTES_LEAST = 1 << 18,
	PIPES_HOLD_MS = 1000,
	/* To take one back costs more than it brings where its borrower would have emptied it soon. */
	PIPES_CLAIM_MS = 100,
};

struct pipe {
	TAILQ_ENTRY(pipe) link;
	void *borrower;
	uint64_t since_ms; /* clock_ms() when it was lent */
	uint32_t room;     /* the size that the kernel has given it; 0: it is not open */
	uint32_t bytes;    /* what is in it; the borrower keeps count */
	int fd[2];         /* to read from, to write to */
};
TAILQ_HEAD(pipe_list, pipe);

struct pipes {
	struct pipe all[PIPES_OF_PROCESS];
	struct pipe_list spare, lent; /* the one lent first is the first */
	struct timer timer;
	void (*claim)(void *borrower);
	uint64_t retry_ms;   /* no pipe is made before */
	uint64_t lent_count; /* how often one was lent */
	bool was_wanted, is_over;
};

/* claim() has the borrower take the bytes out and return the pipe; if it cannot, it is asked again. It
 * is called by the timer, and inside another's pipes_take(). */
void pipes_init(struct pipes *, struct loop *, void (*claim)(void *borrower));
/* No more are lent; those that are may still be returned. Harmless on {0}. */
void pipes_wipe(struct pipes *);

/* How many pipes the pool of each of the loops that there are now may have. */
unsigned pipes_part(void);
/* How many descriptors the pools of so many loops may have. */
uint64_t pipes_descriptors(uint64_t loops);

/* An empty pipe; NULL: there is none. */
struct pipe *pipes_take(struct pipes *, void *borrower);
/* One with bytes in it is closed. */
void pipes_return(struct pipes *, struct pipe *);

#endif
