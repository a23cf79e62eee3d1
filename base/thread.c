/* A thread and its loop, made together and ended together. */
#include "base/thread.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/process.h"

struct thread {
	pthread_t thread;
	char name[16]; /* as the kernel keeps it */
	struct loop *loop;
	void (*run)(void *arg, struct loop *);
	void *arg;
};

static void *
begin(void *arg)
{
	struct thread *thread = arg;

	/* For another thread this would open a file, which a sandbox forbids. */
	pthread_setname_np(pthread_self(), thread->name);
	thread->run(thread->arg, thread->loop);
	return NULL;
}

static bool
start_thread(struct thread *thread)
{
	sigset_t before;
	int why;

	process_block_signals(&before);
	why = pthread_create(&thread->thread, NULL, begin, thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return why == 0;
}

struct thread *
thread_start(const char *name, void (*run)(void *, struct loop *), void *arg)
{
	struct thread *thread = calloc(1, sizeof *thread);

	if (!thread)
		return NULL;
	thread->run = run;
	thread->arg = arg;
	snprintf(thread->name, sizeof thread->name, "%.15s", name);
	thread->loop = loop_new();
	if (!thread->loop || !start_thread(thread)) {
		loop_free(thread->loop);
		free(thread);
		return NULL;
	}
	return thread;
}

struct loop *
thread_loop(struct thread *thread)
{
	return thread->loop;
}

void
thread_join(struct thread *thread)
{
	if (!thread)
		return;
	pthread_join(thread->thread, NULL);
	loop_free(thread->loop);
	free(thread);
}

unsigned
thread_cores(void)
{
	cpu_set_t set;
	int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;

	return count > 0 ? (unsigned)count : 1;
}
