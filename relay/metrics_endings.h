/*
 * What of a relay ends by the calendar.
 */
#ifndef RELAY_METRICS_ENDINGS_H
#define RELAY_METRICS_ENDINGS_H

#include <stddef.h>
#include "base/ending.h"

struct reload;

enum { RELAY_ENDINGS_MOST = 4 };

/* How many there are.  In the main thread; what is in force counts, whatever the files say by now. */
size_t relay_metrics_endings(const struct reload *, struct ending endings[RELAY_ENDINGS_MOST]);

#endif
