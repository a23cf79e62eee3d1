/*
 * Binds the listeners of the settings at the start: sockets that come from the relay
 * that we take over from, or from the service manager, are used, the others are made.
 * Every worker gets one of each, so that the kernel shares new connections out among them.
 */
#ifndef RELAY_BIND_H
#define RELAY_BIND_H

#include <stdbool.h>
#include <stddef.h>

struct settings;
struct takeover;
struct worker;

/*
 * Every address is tried before one is bound, so that a relay that cannot have all
 * of them disturbs nobody.  The takeover may be NULL.  0 or, after a line in the log, the exit code; the
 * workers keep what they got by then.
 */
int bind_listeners(const struct settings *, struct takeover *, struct worker *const *workers,
    unsigned worker_count);

/* For `check`: whether one of the listeners could be bound now, as a start would, which disturbs nobody.
 * False with a sentence (START_CHECK_ERROR of base/start_check.h). */
bool bind_may_listen(const struct settings *, size_t index, char *error);

#endif
