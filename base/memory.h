/*
 * When memory is short.  Whoever finds NULL where an allocation was meant carries
 * on without it and tells its caller, who may know more; but what was lost must
 * stand in the log, where an operator sees it, even if the caller can only close
 * something.  So the place that first knows what is lost says it here, once.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* Logs `memory-short` at level error, limited as if all came from one client; needs no memory itself.
 * `lost` completes "lost=", as in "a flow". */
void memory_short(const char *lost);

/* Whether something has failed because memory was short: then it is worth another try, and the service
 * manager may start us again.  A failure may come through libraries that do not say why, so errno tells: an
 * allocation that fails sets it, and nothing may overwrite it on the way back.  Call memory_begin() before
 * what may fail. */
void memory_begin(void);
bool memory_has_failed(void);
/* EX_OSERR if so, else `otherwise`. */
int memory_exit_code(int otherwise);

/* Bytes that are allocated at the moment, in all threads and by libraries, too; what was freed does
 * not count.  It walks through what is free, so ask seldom. */
uint64_t memory_used(void);

/* How many of what takes most memory there were since memory was given back last; begins as {0}. */
struct memory_tide {
	struct memory_ebb {
		uint64_t most;
		unsigned seconds; /* since a third of them is gone */
	} all, risen;
	uint64_t last;
};
/* The C library keeps what was freed, because it may be wanted again: what has gone, and what setting up
 * so many took.  Called once a second with how many there are now; true when for ten seconds a third of the
 * most were gone, and 500 at least, or when for ten seconds they rose by so much less.  So what is kept for
 * longer is no more than half of what is in use. */
bool memory_has_ebbed(struct memory_tide *, uint64_t count);
/* Gives pages without anything in them back to the system, after very many small things were freed. It
 * stops whoever allocates meanwhile. */
void memory_give_back(void);

#endif
