/*
 * What the programs of bench/load share: sockets of the loopback and one epoll loop.
 * They are one thread each, they trust their arguments, and whatever fails at start ends them.
 */
#ifndef LOOP_H
#define LOOP_H

#include <stdbool.h>
#include <stdint.h>

/* Stands first in what is watched. The loop never frees it: see loop_free_later(). */
struct load_watch {
	void (*on_event)(struct load_watch *watch, unsigned events); /* of EPOLLIN, EPOLLOUT, ... */
	int fd;
	unsigned events; /* what it waits for now; 0: it is not registered */
};

/* Ends the program, telling what failed and errno. */
_Noreturn void loop_die(const char *what);

/* Level-triggered but for EPOLLET. Asks the kernel only where it changes something. */
void loop_want(struct load_watch *watch, unsigned events);
/* Edge-triggered: tells once more what is there. */
void loop_again(struct load_watch *watch);
/* Closes the descriptor; nothing more is heard of it from the next turn on. */
void loop_close(struct load_watch *watch);
/* Frees the object at the end of the turn, since events for it may be waiting in this one. */
void loop_free_later(void *object);
/* Waits for events, at most so long, and delivers them. */
void loop_turn(int timeout_ms);

uint64_t loop_now_us(void);

/* On 127.0.0.1, not blocking, without Nagle's delay. */
int loop_listen(const char *port);
/* Returns -1 when none is to be had, or none waits. */
int loop_accept(int listener);
/* window: the receive buffer in bytes; 0: as the kernel likes. */
int loop_dial(const char *port, int window);

#endif
