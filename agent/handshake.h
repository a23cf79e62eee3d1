/*
 * Drives a TLS handshake on a loop, under one absolute deadline.  Lives inside
 * its owner; the TLS object stays the owner's all the time.
 *
 *	handshake_start --> on_done, once, never inside the start
 */
#ifndef AGENT_HANDSHAKE_H
#define AGENT_HANDSHAKE_H

#include "base/loop.h"
#include "tunnel/tls.h"

struct handshake {
	struct loop *loop;
	struct tls *tls;
	struct watch watch;
	struct timer deadline;
	struct task first;	/* bytes may be at hand that no descriptor will announce */
	void (*on_done)(void *arg, enum io end);
	void *arg;
};

/* end: IO_OK, or how it failed; IO_WRITE stands for the deadline. */
void handshake_start(struct handshake *, struct loop *, struct tls *, uint64_t deadline_ms,
    void (*on_done)(void *arg, enum io end), void *arg);
/* No call any more; harmless twice and on {0}. */
void handshake_wipe(struct handshake *);

#endif
