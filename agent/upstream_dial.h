/*
 * Dials an upstream for one flow: connects, sends the PROXY header, asks PostgreSQL
 * for TLS (base/postgres.h) where that is configured, and for tls:// does a verified
 * handshake, all of it within one deadline.
 *
 *	connecting --> sending the header --> asking --> handshaking (tls only) --> on_done
 *	                                 `--------->
 */
#ifndef AGENT_UPSTREAM_DIAL_H
#define AGENT_UPSTREAM_DIAL_H

#include "agent/upstream.h"
#include "base/loop.h"
#include "tunnel/stream.h"

struct egress;
struct upstream_dial;
struct resolver;
struct upstream_judge;

enum { UPSTREAM_DIAL_ERROR = 768 };

/* What is pointed at is borrowed while the dial lives, but for the header, which is copied. */
struct upstream_dial_options {
	const struct upstream *upstream;
	unsigned target;       /* the index of the one to be dialled */
	struct egress *egress; /* by which a host is reached; NULL: directly */
	uint64_t timeout_ms;   /* for all of it */
	const void *header;    /* PROXY; goes out first */
	size_t header_bytes;
	const char *alpn; /* what the endpoint and its client have agreed on; "" if nothing */
	bool forgives_truncation;
	struct heavy_party party; /* for whom its TLS is done */
};

/* on_done is called once, never inside this call, with a stream that the owner takes and may write
 * to at once, or with NULL and a sentence (borrowed).  The owner then calls upstream_dial_free().
 * NULL when memory is short. */
struct upstream_dial *upstream_dial_new(struct loop *, struct resolver *,
    const struct upstream_dial_options *,
    void (*on_done)(void *arg, struct stream *, const char *error), void *arg);
/* For tls://, from on_done to upstream_dial_free(): how the server's certificate was judged, and the TLS
 * that the stream belongs to, which lives as long as that. */
const struct upstream_judge *upstream_dial_judge(const struct upstream_dial *);
struct tls *upstream_dial_tls(const struct upstream_dial *);
/* In on_done, without a stream: this host was short of a descriptor, a port or memory (CONNECT_SHORT of
 * base/socket.h), and the upstream is not to blame. */
bool upstream_dial_is_short(const struct upstream_dial *);
/* Gives up without a call; safe inside on_done, NULL is fine. */
void upstream_dial_free(struct upstream_dial *);

#endif
