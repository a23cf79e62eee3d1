/*
 * Drives tls_linger() on a loop for at most a second, so that the last alert
 * arrives (lore: stunnel 5.68).  Lives inside its owner; the TLS object stays
 * the owner's.
 */
#ifndef AGENT_LINGERING_H
#define AGENT_LINGERING_H

#include "base/loop.h"
#include "tunnel/tls.h"

enum { LINGERING_MS = 1000 };

struct lingering {
	struct loop *loop;
	struct tls *tls;
	struct watch watch;
	struct timer deadline;
	struct task first;
	void (*on_done)(void *arg);
	void *arg;
};

/* on_done is called once, never inside the start. */
void lingering_start(
    struct lingering *, struct loop *, struct tls *, void (*on_done)(void *), void *arg);
/* No call any more; harmless twice and on {0}. */
void lingering_wipe(struct lingering *);

#endif
