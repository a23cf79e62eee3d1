/*
 * An upstream that flows cannot reach, told by base/outage.h: upstream-down, and upstream-up when
 * it takes connections again.  For those that no checks watch; of the others health.h tells.
 *
 * Clients bring the dials about, and the upstream may take one and refuse the next; so it is up
 * again when one has come through and none has failed for OUTAGE_CALM_MS.
 *
 * What is known of an upstream costs a pointer while it works.  From any thread.
 */
#ifndef BASE_UPSTREAM_OUTAGE_H
#define BASE_UPSTREAM_OUTAGE_H

#include <stdatomic.h>
#include <stdint.h>

struct outage;

struct upstream_outage {
	_Atomic(struct outage *) outage; /* NULL: it works.  Under the module's lock. */
};

/* A dial to `target` has failed with this sentence, or, where that is NULL, come through.  `name` is
 * whose upstream it is. */
void upstream_outage_note(struct upstream_outage *, const char *target, const char *name,
    const char *error, uint64_t now_ms);
/* Nobody notes anything any more. */
void upstream_outage_wipe(struct upstream_outage *);

#endif
