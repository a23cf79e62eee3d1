/*
 * Frees what readers without a lock may still see, after all of them have left.
 *
 * ThreadSanitizer cannot see that a grace period lies between a reader and the
 * release, because liburcu is not compiled with it; it is told so here, in the
 * terms that liburcu promises: whatever a reader did before it left, and whatever
 * the writer did before he retired, happens before the release.
 */
#include "relay/grace.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <urcu/urcu-bp.h>
#include "base/process.h"

#if defined(__SANITIZE_THREAD__)
#define TELLS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TELLS_TSAN 1
#endif
#endif

#ifdef TELLS_TSAN
#include <sanitizer/tsan_interface.h>
static char period;
#define HAPPENS_BEFORE() __tsan_release(&period)
#define HAPPENS_AFTER() __tsan_acquire(&period)
#else
#define HAPPENS_BEFORE() ((void)0)
#define HAPPENS_AFTER() ((void)0)
#endif

static_assert(sizeof(struct rcu_head) <= offsetof(struct grace, release), "liburcu's link fits");

/* The thread inherits our mask: signals are for the main thread. */
void
grace_start(void)
{
	sigset_t before;

	process_block_signals(&before);
	urcu_bp_get_default_call_rcu_data();
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void
grace_enter(void)
{
	urcu_bp_read_lock();
}

void
grace_leave(void)
{
	HAPPENS_BEFORE();
	urcu_bp_read_unlock();
}

static void
on_end(struct rcu_head *head)
{
	struct grace *grace = (struct grace *)(void *)head;

	HAPPENS_AFTER();
	grace->release(grace);
	HAPPENS_BEFORE();
}

void
grace_retire(struct grace *grace, void (*release)(struct grace *))
{
	grace->release = release;
	HAPPENS_BEFORE();
	urcu_bp_call_rcu((struct rcu_head *)(void *)grace, on_end);
}

void
grace_wait(void)
{
	urcu_bp_barrier();
	HAPPENS_AFTER();
}
