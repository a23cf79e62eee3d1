/*
 * Heavy work of one loop: steps of TLS handshakes, which cost the CPU 0.3 to
 * 1.2 ms each, while a flow's bytes cost microseconds.  What is ready to go waits
 * in queues; the loop (loop_heavy() in loop.h) runs it at the end of each turn for
 * HEAVY_TURN_US at most, and the rest after the next look at its descriptors.  So
 * a flow waits for handshakes no longer than that, or than one step.
 *
 * Shared by:     all handshakes of one worker.  Each is done for a party: a group (in
 *                the agent: through which relay, in the relay: known or unknown peers) and
 *                a client block in it (IPv4 /32, IPv6 /64).  Groups have their turns one
 *                after the other, and within a group its clients (stochastic fairness
 *                queueing, McKenney 1990: a hash with a secret key chooses among
 *                HEAVY_CLIENTS queues).  Groups are numbered by who makes them, and
 *                HEAVY_GROUPS that follow one another never share a queue.
 * Bound:         a place for each handshake, embedded in it; the bounds on handshakes hold
 *                them.
 * Who leaves:    nobody.
 */
#ifndef BASE_HEAVY_H
#define BASE_HEAVY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct address;

enum { HEAVY_TURN_US = 500, HEAVY_GROUPS = 16, HEAVY_CLIENTS = 64 };

/* For whom the work is done.  {0}: nobody in particular. */
struct heavy_party {
	uint64_t block;
	unsigned group;
};

/* Embedded in its owner.  Queued once at most. */
struct heavy {
	TAILQ_ENTRY(heavy) link;
	struct heavy_group *group; /* NULL: not queued */
	unsigned client;           /* its queue there */
	struct heavy_party party;
	void (*run)(void *arg);
	void *arg;
};

TAILQ_HEAD(heavy_queue, heavy);

struct heavy_group {
	struct heavy_queue clients[HEAVY_CLIENTS];
	unsigned next; /* whose turn it is */
	size_t count;
};

struct heavy_queues {
	struct heavy_group groups[HEAVY_GROUPS];
	unsigned next;
	size_t count;
	uint8_t key[16];
};

/* The client's block is taken from its address. */
struct heavy_party heavy_party_of(unsigned group, const struct address *client);
void heavy_init(struct heavy *, const struct heavy_party *, void (*run)(void *arg), void *arg);

void heavy_queues_init(struct heavy_queues *);
/* Puts it behind the others of its party; one that is queued stays where it is. */
void heavy_add(struct heavy_queues *, struct heavy *);
/* Harmless when it is not queued and on {0}. */
void heavy_remove(struct heavy_queues *, struct heavy *);
/* Runs what was queued when it was called, in fair order, until HEAVY_TURN_US have passed.  Each has
 * left its queue when it runs, and may be freed by that.  Returns how many ran. */
size_t heavy_run(struct heavy_queues *);

#endif
