/* A thread and its loop, made together and ended together. */
#include "base/worker.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct worker {
	pthread_t thread;
	struct loop *loop;
	void (*run)(void *arg, struct loop *);
	void *arg;
};

static void *
begin(void *arg)
{
	struct worker *worker = arg;

	worker->run(worker->arg, worker->loop);
	return NULL;
}

/* Signals belong to the loop that asked for them, in the main thread. */
static bool
start_thread(struct worker *worker, const char *name)
{
	char short_name[16];
	sigset_t all, before;
	int why;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	why = pthread_create(&worker->thread, NULL, begin, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (why != 0)
		return false;
	snprintf(short_name, sizeof(short_name), "%.15s", name);
	pthread_setname_np(worker->thread, short_name);
	return true;
}

struct worker *
worker_start(const char *name, void (*run)(void *, struct loop *), void *arg)
{
	struct worker *worker = calloc(1, sizeof(*worker));

	if (worker == NULL)
		return NULL;
	worker->run = run;
	worker->arg = arg;
	worker->loop = loop_new();
	if (worker->loop == NULL || !start_thread(worker, name)) {
		loop_free(worker->loop);
		free(worker);
		return NULL;
	}
	return worker;
}

struct loop *
worker_loop(struct worker *worker)
{
	return worker->loop;
}

void
worker_join(struct worker *worker)
{
	if (worker == NULL)
		return;
	pthread_join(worker->thread, NULL);
	loop_free(worker->loop);
	free(worker);
}

unsigned
worker_cores(void)
{
	cpu_set_t set;
	int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	return count > 0 ? (unsigned)count : 1;
}
