/*
 * What of a relay ends by the calendar: its certificate, and the CAs and CRLs by which it judges agents.
 */
#ifndef RELAY_METRICS_ENDINGS_H
#define RELAY_METRICS_ENDINGS_H

#include <stddef.h>
#include "base/ending.h"

struct reload;

enum { RELAY_ENDINGS_MOST = 64 };

/* How many there are, of which those beyond RELAY_ENDINGS_MOST are not told.  In the main thread; what is in
 * force counts, whatever the files say by now. */
size_t relay_metrics_endings(const struct reload *, struct ending endings[RELAY_ENDINGS_MOST]);

#endif
