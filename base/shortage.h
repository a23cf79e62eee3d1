/*
 * Something of this host that has run out: descriptors, memory of the kernel, local ports.
 * It is told when somebody first goes without, again at the times of outage.h, and when it is
 * over: when what was wanted is had again, and nobody has gone without for SHORTAGE_CALM_MS.
 * What comes and goes faster than that is one shortage.
 *
 *	{0}
 *	if (shortage_begins(&shortage) || shortage_is_due(&shortage)) log ...
 *	went_without = shortage_ends(&shortage); if (went_without > 0) log ...
 *
 * Shared by the threads that want the same; both calls may come from any of them.
 */
#ifndef BASE_SHORTAGE_H
#define BASE_SHORTAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { SHORTAGE_CALM_MS = 1000 };

struct shortage {
	_Atomic uint64_t count, began_ms, last_ms;
	_Atomic unsigned told_again;
};

/* Somebody goes without.  True: nobody did before, so that it is to be told. */
bool shortage_begins(struct shortage *);
/* After that: it goes on, and is to be told again. */
bool shortage_is_due(struct shortage *);
/* For how long it goes on, or the last one did. */
uint64_t shortage_lasted_s(const struct shortage *);
/* Somebody gets what he wants.  0, unless it is over with this: how often one has gone without meanwhile. */
uint64_t shortage_ends(struct shortage *);
/* Whether this errno says that the process or the host has run out of something: a descriptor, memory, a
 * local port.  The other side is not to blame then. */
bool shortage_is(int error);

#endif
