/*
 * A forward that is ready for use: where it listens, the public name that it leads to, the
 * certificate to show there, and whom to believe.  Counted and immutable; a reload makes another
 * one, and flows keep the one that they began with.
 *
 * The server is an upstream (upstream.h), dialled as any tls:// upstream is (upstream_dial.h).
 */
#ifndef AGENT_FORWARD_H
#define AGENT_FORWARD_H

#include <stdatomic.h>

#include "agent/settings.h"
#include "agent/upstream.h"
#include "tunnel/frame.h"
#include "tunnel/pump.h"

enum { FORWARD_ERROR = 1024 };

struct forward {
	_Atomic unsigned references;
	char name[SHORT_TEXT];
	struct address listener;
	char server_name[NAME_SIZE];
	struct upstream upstream;
	struct egress *egress; /* held; NULL: the name is dialled directly */
	char alpn[33];         /* "": none */
	bool forgives_truncation;
	struct pump_settings bounds; /* without stalls */
	uint64_t flows_most;
};

/* NULL with a sentence that begins with the forward's name.  previous (may be NULL): the same forward
 * before the reload, whose trust set hands on what it remembers of CRLs. */
struct forward *forward_new(const struct forward_settings *, const struct agent_settings *,
    const struct forward *previous, char error[FORWARD_ERROR]);
/* The same settings, after their certificate could not be loaded: that of `previous` is lent, and all else is
 * loaded again, so that no CRL waits for a key. */
struct forward *forward_new_lent(const struct forward_settings *, const struct agent_settings *,
    const struct forward *previous, char error[FORWARD_ERROR]);
struct forward *forward_hold(struct forward *);
/* NULL is fine. */
void forward_release(struct forward *);

/* What must be told at the start and after each reload. */
void forward_warn(const struct forward_settings *, const struct forward *);

#endif
