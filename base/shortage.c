/* Counts who goes without, and says when to tell. */
#include "base/shortage.h"

#include <errno.h>
#include <stddef.h>
#include "base/clock.h"
#include "base/numbers.h"

bool
shortage_begins(struct shortage *shortage)
{
	atomic_store(&shortage->last_ms, clock_ms());
	return atomic_fetch_add(&shortage->count, 1) == 0;
}

uint64_t
shortage_ends(struct shortage *shortage)
{
	if (atomic_load(&shortage->count) == 0 ||
	    difference(clock_ms(), atomic_load(&shortage->last_ms)) < SHORTAGE_CALM_MS)
		return 0;
	return atomic_exchange(&shortage->count, 0);
}

bool
shortage_is(int error)
{
	static const int errors[] = { EMFILE, ENFILE, ENOMEM, ENOBUFS, EADDRNOTAVAIL };

	for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
		if (errors[i] == error)
			return true;
	}
	return false;
}
