/*
 * Threads, each with its own loop.
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <stdbool.h>
#include "base/loop.h"

struct thread;

/* Starts a thread that calls run(arg, loop); run sets up its things and calls loop_run() itself.
 * All signals but faults are blocked in it.  NULL when the system refuses. */
struct thread *thread_start(const char *name, void (*run)(void *arg, struct loop *), void *arg);
struct loop *thread_loop(struct thread *);
/* Waits for run to return, then frees the loop. */
void thread_join(struct thread *);
/* Cores that this process may use, at least 1. */
unsigned thread_cores(void);

#endif
