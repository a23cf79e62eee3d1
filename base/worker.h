/*
 * Threads, each with its own loop.
 */
#ifndef BASE_WORKER_H
#define BASE_WORKER_H

#include <stdbool.h>
#include "base/loop.h"

struct worker;

/* Starts a thread that calls run(arg, loop); run sets up its things and calls loop_run() itself.
 * All signals are blocked in it.  NULL when the system refuses. */
struct worker *worker_start(const char *name, void (*run)(void *arg, struct loop *), void *arg);
struct loop *worker_loop(struct worker *);
/* Waits for run to return, then frees the loop. */
void worker_join(struct worker *);
/* Cores that this process may use, at least 1. */
unsigned worker_cores(void);

#endif
