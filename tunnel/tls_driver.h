/*
 * Drives one step function of TLS on a loop, under one absolute deadline:
 * tls_handshake(), or tls_linger() after a failure.  Lives inside its owner;
 * the TLS object stays the owner's all the time.
 *
 *	tls_driver_start --> on_done, once, never inside the start
 *
 * The step is called as soon as its turn comes (bytes may be at hand that no
 * descriptor will announce), and again in its turn whenever what it waits for is
 * there: steps are heavy work of the loop (base/heavy.h).  When the driver
 * calls on_done it is idle again, and may be started with another step or be
 * freed with its owner.
 */
#ifndef TUNNEL_TLS_DRIVER_H
#define TUNNEL_TLS_DRIVER_H

#include "base/loop.h"
#include "tunnel/tls.h"

/* How long a peer has to read our alert and to close. */
enum { TLS_LINGER_MS = 1000 };

struct tls_driver {
	struct loop *loop; /* NULL: idle */
	struct tls *tls;
	enum io (*step)(struct tls *);
	struct watch watch;
	struct timer deadline;
	struct heavy turn;
	void (*on_done)(void *arg, enum io end);
	void *arg;
};

/* The driver is idle or {0}.  end: the step's last answer, or IO_WRITE, which stands for the
 * deadline. */
void tls_driver_start(struct tls_driver *, struct loop *, struct tls *,
    enum io (*step)(struct tls *), uint64_t deadline_ms, void (*on_done)(void *arg, enum io end),
    void *arg);
/* No call any more; harmless twice and on {0}. */
void tls_driver_wipe(struct tls_driver *);

#endif
