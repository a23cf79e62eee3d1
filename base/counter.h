/*
 * A number that one thread counts up and any thread may read: no lock, and no more than an addition for
 * who counts.  What is read may be a moment old.
 */
#ifndef BASE_COUNTER_H
#define BASE_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

struct thread_counter {
	_Atomic uint64_t value;
};

/* In the one thread that counts. */
static inline void
counter_add(struct thread_counter *counter, uint64_t more)
{
	uint64_t value = atomic_load_explicit(&counter->value, memory_order_relaxed);

	atomic_store_explicit(&counter->value, value + more, memory_order_relaxed);
}

static inline uint64_t
counter_read(const struct thread_counter *counter)
{
	return atomic_load_explicit(&counter->value, memory_order_relaxed);
}

#endif
