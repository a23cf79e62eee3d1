/*
 * The agent's own certificate, renewed in time (`agent.renew`, enrol/renewal.h).  The files that a
 * renewal replaces are taken up as any file that has changed (agent/reload.h), which moves the sessions over.
 */
#ifndef AGENT_RENEW_H
#define AGENT_RENEW_H

#include <stdbool.h>

#include "enrol/renewal_est.h"

struct agent_context;
struct agent_settings;

struct agent_renew {
	struct renewal_est est;
	struct renewal *renewal; /* NULL before agent_renew_start() */
};

/* Before the certificate is first loaded: finishes a renewal in whose middle the last process died. */
void agent_renew_mend(const struct agent_settings *);
/* Begins; on_change is called when the status for people has changed.  The settings are borrowed until the
 * next ones.  False when memory is short. */
bool agent_renew_start(struct agent_renew *, const struct agent_context *,
    const struct agent_settings *, void (*on_change)(void *arg), void *arg);
/* Other settings are in force, or another proxy in the context. */
void agent_renew_follow(
    struct agent_renew *, const struct agent_context *, const struct agent_settings *);
void agent_renew_stop(struct agent_renew *);
/* For `check`: whether a renewal will be possible; false with a sentence.  True if none is configured. */
bool agent_renew_is_possible(const struct agent_settings *, char error[RENEWAL_ERROR]);

#endif
