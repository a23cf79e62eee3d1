/*
 * Reading without a lock: a reader walks shared structures between
 * grace_enter() and grace_leave() and waits for nobody; a writer (under a lock
 * of his own) publishes new things by an atomic store with release order, takes
 * old ones out, and gives them to grace_retire(), which frees them when no
 * reader can see them any more.
 *
 *	reader:  grace_enter() --> atomic loads, holds what it keeps --> grace_leave()
 *	writer:  unlinks the object --> grace_retire(&object->grace, release)
 *
 * It is read-copy-update of liburcu, in the flavour that registers threads by
 * itself, so that a thread that somebody forgot cannot read what is freed.  A
 * reader must not wait for anything between the two calls.
 */
#ifndef RELAY_GRACE_H
#define RELAY_GRACE_H

#include <stdbool.h>

/* Embedded in what is retired; its bytes are liburcu's until `release` is called. */
struct grace {
	void *words[2];
	void (*release)(struct grace *);
};

/* Starts the thread that frees. Before the first grace_retire(); harmless twice. */
void grace_start(void);

void grace_enter(void);
void grace_leave(void);

/* Any thread. release() is called later, in a thread of its own: it may free and give back, not more. */
void grace_retire(struct grace *, void (*release)(struct grace *));
/* Waits until all that was retired before has been released; not between enter and leave. */
void grace_wait(void);

#endif
