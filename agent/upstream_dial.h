/*
 * A dial to an upstream, for one flow: dial, PROXY header, and for tls:// a
 * verified handshake; all of it within one deadline.
 *
 *	dialling --> greeting (header goes out) --> shaking (tls only) --> on_done
 */
#ifndef AGENT_UPSTREAM_DIAL_H
#define AGENT_UPSTREAM_DIAL_H

#include "agent/upstream.h"
#include "base/address.h"
#include "base/loop.h"
#include "tunnel/stream.h"

struct upstream_dial;
struct resolver;

enum { UPSTREAM_DIAL_MS = 4000, UPSTREAM_DIAL_ERROR = 768 };

struct upstream_dial_options {		/* borrowed while the dial lives */
	const struct upstream *upstream;
	const struct address *client, *listener;	/* for the PROXY header */
	const char *alpn;	/* what the client's side speaks; "" for nothing said */
	bool forgives_truncation;
};

/* on_done is called once, never inside this call: a stream (given) that what the client sends may
 * be written to, or NULL with a sentence (borrowed).  The owner then calls upstream_dial_free().
 * NULL when memory is short. */
struct upstream_dial *upstream_dial_new(struct loop *, struct resolver *,
    const struct upstream_dial_options *,
    void (*on_done)(void *arg, struct stream *, const char *error), void *arg);
/* Gives up silently; safe inside on_done, NULL is fine. */
void upstream_dial_free(struct upstream_dial *);

#endif
