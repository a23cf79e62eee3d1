/*
 * What of an agent ends by the calendar: its own certificate, those that its endpoints show, and the CRLs by
 * which it judges relays and clients.
 *
 * Bound: AGENT_ENDINGS_MOST; the rest of very many endpoints is not told.
 */
#ifndef AGENT_METRICS_ENDINGS_H
#define AGENT_METRICS_ENDINGS_H

#include <stddef.h>
#include "base/ending.h"

struct agent_context;

enum { AGENT_ENDINGS_MOST = 2000 };

/* How many there are, and an array for the caller to free; NULL when memory is short.  In the main thread;
 * what is in force counts, whatever the files say by now. */
struct ending *agent_metrics_endings(const struct agent_context *, size_t *count);

#endif
