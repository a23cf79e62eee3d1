/*
 * The certificate of the relay's connect name, renewed in time (`connect.renew`, enrol/renewal.h).  The
 * files that a renewal replaces are taken up as any file that has changed (relay/reload.h).
 */
#ifndef RELAY_RENEW_H
#define RELAY_RENEW_H

#include <stdbool.h>

#include "enrol/renewal_est.h"

struct settings;

struct renew {
	struct renewal_est est;
	struct renewal *renewal; /* NULL before renew_init() */
};

/* Before the certificate is first loaded: finishes a renewal in whose middle the last process died. */
void renew_mend(const struct settings *);
/* Not begun yet; on_change is called when the status for people has changed.  False when memory is short. */
bool renew_init(
    struct renew *, struct loop *, struct fetcher *, void (*on_change)(void *arg), void *arg);
/* At the start and after each reload: these settings are in force; borrowed until the next ones. */
void renew_follow(struct renew *, const struct settings *);
void renew_wipe(struct renew *);
/* For `check`: whether a renewal will be possible; false with a sentence.  True if none is configured. */
bool renew_is_possible(const struct settings *, char error[RENEWAL_ERROR]);

#endif
