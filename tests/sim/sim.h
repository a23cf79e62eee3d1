/*
 * A deterministic simulation of relays and agents.
 *
 * The state machines are the real ones: everything of relay/, agent/ and tunnel/
 * that has a state runs unchanged.  What they stand on is replaced when the
 * program is linked: the kernel's sockets (kernel.c), the event loop (loop.c), TLS
 * (tls.c), certificates, names and settings (stand_ins.c), and the allocator
 * (memory.c, arena.c).  One thread, one clock, one source of randomness: the same
 * seed gives the same schedule.
 *
 * So this is not covered here, and has tests of its own:
 *	- base/loop.c: its order of calls, timers and tasks is written a second time in loop.c
 *	- relay/worker.c and relay/relay.c: daemons.c makes the context of a worker, and does in
 *	  its own words what these do when a relay accepts, drains, ends and says goodbye;
 *	  there is no listener, no pause for want of descriptors, no reload, no revocation
 *	- agent/agent.c: signals, reloading, the drain that waits for flows
 *	- base/resolver.c, base/connector.c and the registry: names are known, one address each
 *	- races: what two threads do at once happens here one after the other, whole turns in a
 *	  drawn order (that is what the thread sanitizer is for)
 *	- termination in the agent, and PROXY headers
 *
 * Who runs is a process: one relay, one agent, all clients, all upstreams.  A
 * process owns loops and sockets; it can be stopped for a while, and it can crash.
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include "base/address.h"
#include "base/heap.h"

struct loop;

/* ---- randomness ---- */

void sim_seed(uint64_t seed);
uint64_t sim_random(void);
/* 0 <= result < bound */
uint32_t sim_below(uint32_t bound);
/* True once in n. */
static inline bool
sim_one_in(uint32_t n)
{
	return sim_below(n) == 0;
}

/* ---- findings ---- */

/* An invariant does not hold: tells the seed, the moment and the sentence, and ends the program. */
_Noreturn void sim_violated(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A line of the story, where SEED=n asks for it. */
void sim_tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool sim_is_telling(void);
void sim_tell_all(void);

/* ---- processes ---- */

enum { SIM_PROCESSES = 12 };

struct sim_process {
	const char *name;
	bool alive;
	uint64_t stopped_until_us;	/* nothing of it runs before */
	uint8_t octet;			/* of its address, 10.0.0.octet */
};

extern struct sim_process sim_processes[SIM_PROCESSES];
/* Whose code runs at the moment: what is made belongs to it. */
extern int sim_self;

/* ---- kernel.c ---- */

struct sim_event {
	struct heap_node node;
	uint64_t due_us, number;
	void (*happen)(struct sim_event *);
};

void kernel_start(void);
/* Frees what is left; every descriptor must have been closed. */
void kernel_stop(void);
/* In the future. The event may be in the storage of its owner, who keeps it until it happens. */
void kernel_at(struct sim_event *, uint64_t due_us, void (*happen)(struct sim_event *));
void kernel_forget(struct sim_event *);
/* UINT64_MAX: nothing is to come. */
uint64_t kernel_next_us(void);
/* All that is due at this moment. True when there was something. */
bool kernel_run(void);

/* Somebody listens; the handler gets a connected descriptor, as its own process. NULL takes it back. */
void kernel_listen(const char *target, int process, void (*on_accept)(void *, int fd, const struct address *),
    void *arg);
/* A connection from sim_self, to the listener's name or address. -1: refused. The other side accepts after half of the delay. */
int kernel_connect(const char *target, uint64_t *established_us);

enum kernel_fault { KERNEL_RESET, KERNEL_BLACK_HOLE };
/* Faults of one connection, chosen at random among those that are open, from either side; false: there is none. */
bool kernel_hurt(enum kernel_fault);
/* Whatever this process has dialled at others of these, a bit each, is swallowed from now on; new connections
 * pass: a NAT that has lost its memory. */
void kernel_forget_nat(int process, unsigned towards);
/* The process's network is cut: whatever is sent to it or by it waits, new connections do not come about; or it is
 * mended, and what has waited goes on unless TCP has given up meanwhile. */
void kernel_cut(int process, bool is_cut);
/* How many connections between these two are open at both ends and carry something. */
unsigned kernel_ways(int process, int other);
/* The process is dead: it sends nothing any more. Its peers are reset, or, silently, hear nothing again. Its
 * descriptors still want to be closed. */
void kernel_kill(int process, bool silently);
/* New connections to this process take as long, and one in `loss` never comes about (0: all do). */
void kernel_weather(uint64_t most_delay_us, uint32_t loss);

/* Grows whenever a descriptor of this process may have become ready. */
uint64_t kernel_moves(int process);
bool kernel_readable(int fd);
/* Its peer's end was heard, or an error is there to be told. */
bool kernel_is_over(int fd);
bool kernel_writable(int fd);
bool kernel_is_open(int fd);
/* An error waits to be told. */
bool kernel_is_broken(int fd);
unsigned kernel_open_count(int process);
struct address kernel_local(int fd);
struct address kernel_peer(int fd);

/* The system calls, as errno and the return value say. Also what recv(), send() ... are linked to. */
ssize_t kernel_recv(int fd, void *, size_t);
ssize_t kernel_send(int fd, const void *, size_t);
int kernel_shutdown(int fd);
int kernel_close(int fd);
void kernel_reset_on_close(int fd);

enum { SIM_FIRST_FD = 1000, SIM_FDS = 2048 };

/* ---- loop.c ---- */

/* Every loop that can do something does one turn, in random order. False: nobody had anything to do. */
bool loops_turn(void);
/* The earliest timer of all loops that may run. */
uint64_t loops_next_us(void);
/* Turns this loop until nothing is left to do at this moment. */
void loop_settle(struct loop *);
/* What is waited for at this descriptor may be there now. */
void loops_touch(int fd);
/* Loops that were not freed. */
unsigned loops_count(void);

/* ---- hello.c ---- */

enum { SIM_HELLO_MOST = 512, SIM_RANDOM_BYTES = 32 };
/* A real ClientHello of one record; returns its length. `random` identifies it. */
size_t sim_hello(uint8_t wire[SIM_HELLO_MOST], const char *server_name, const char *alpn,
    const uint8_t random[SIM_RANDOM_BYTES], bool early_data);

#endif
