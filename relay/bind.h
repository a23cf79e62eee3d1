/*
 * Binds the listeners of the settings at the start: sockets that come from the relay
 * that we take over from, or from the service manager, are used, the others are made.
 * Every worker gets one of each, so that the kernel shares new connections out among them.
 */
#ifndef RELAY_BIND_H
#define RELAY_BIND_H

#include <stdbool.h>
#include <stddef.h>

struct bound;
struct settings;
struct takeover;
struct worker;

/*
 * Every address is tried before one is bound, so that a relay that cannot have all of them disturbs nobody.
 * The takeover may be NULL.  0 or, after a line in the log, the exit code; *bound is to be freed in any
 * case.  It starts no thread, and is the last to need a capability.
 */
int bind_listeners(
    struct bound **, const struct settings *, struct takeover *, unsigned worker_count);
/* Gives all of them to workers, which keep those that they have got by the time that it fails. */
int bound_give(struct bound *, struct worker *const *workers, unsigned worker_count);
/* NULL is fine. */
void bound_free(struct bound *);

/* For `check`: whether one of the listeners could be bound now, as a start would, which disturbs nobody.
 * False with a sentence (START_CHECK_ERROR of base/start_check.h). */
bool bind_may_listen(const struct settings *, size_t index, char *error);

#endif
