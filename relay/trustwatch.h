/*
 * Whom to believe at this moment: the trust set of `connect.agent_cas` and
 * `agent_crls`, swapped as a whole when a file changes.  The control thread
 * loads, any thread asks.
 */
#ifndef RELAY_TRUSTWATCH_H
#define RELAY_TRUSTWATCH_H

#include <stdbool.h>
#include "pki/trust.h"

struct settings;
struct trustwatch;

/* Empty: NULL from trustwatch_trust() until the first load. NULL when memory is short. */
struct trustwatch *trustwatch_new(void);
void trustwatch_free(struct trustwatch *);

/* Held for the caller; NULL without connect.agent_cas. Any thread. */
struct trust *trustwatch_trust(struct trustwatch *);

/* Control thread only. Loads by these settings without swapping; NULL with a sentence. */
struct trust *trustwatch_load(
    struct trustwatch *, const struct settings *, char error[TRUST_ERROR]);
/* The first one at a start, which may have to wait for the clock (trust_doubt). */
struct trust *trustwatch_start(
    struct trustwatch *, const struct settings *, char error[TRUST_ERROR]);
/* What a start would load, for a check: state_dir is read and not written. NULL with a sentence. */
struct trust *trustwatch_check(const struct settings *, char error[TRUST_ERROR]);
/* Adopts (NULL: nobody is believed any more). */
void trustwatch_swap(struct trustwatch *, struct trust *);
/* Whether a file has changed since this was last asked. */
bool trustwatch_files_changed(struct trustwatch *, const struct settings *);
/* Keeps the revocations found over a restart, every second and at the end; tells the log if it cannot. */
void trustwatch_keep_revoked(struct trustwatch *);
/* From now on state_dir, which another process has, is read and not written; or it is ours again. */
void trustwatch_keep_nothing(struct trustwatch *, bool keeps_nothing);
/* The files count as changed the next time, whatever they are. */
void trustwatch_forget_files(struct trustwatch *);

#endif
