/* Counts who goes without, and says when to tell. */
#include "base/shortage.h"

#include <errno.h>
#include <stddef.h>
#include "base/clock.h"
#include "base/numbers.h"
#include "base/outage.h"

bool
shortage_begins(struct shortage *shortage)
{
	uint64_t now = clock_ms();

	if (atomic_load(&shortage->count) == 0) {
		atomic_store(&shortage->began_ms, now);
		atomic_store(&shortage->told_again, 0);
	}
	atomic_store(&shortage->last_ms, now);
	return atomic_fetch_add(&shortage->count, 1) == 0;
}

/* Of threads that see at once that it is due, one tells. */
bool
shortage_is_due(struct shortage *shortage)
{
	uint64_t lasted_ms = difference(clock_ms(), atomic_load(&shortage->began_ms));
	unsigned before = atomic_load(&shortage->told_again), now = before;

	while (lasted_ms >= outage_again_ms(OUTAGE_HOURLY, now))
		now++;
	return now > before && atomic_compare_exchange_strong(&shortage->told_again, &before, now);
}

uint64_t
shortage_lasted_s(const struct shortage *shortage)
{
	return difference(atomic_load(&shortage->last_ms), atomic_load(&shortage->began_ms)) / 1000;
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
