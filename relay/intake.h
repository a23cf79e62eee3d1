/*
 * One accepted connection until its hello has a verdict.
 *
 *	proxy --> preface --> hello --> gone
 *	   `---------------->
 *
 * From a trusted proxy the PROXY header comes first.  Where PostgreSQL is spoken, too, a
 * client may ask for TLS next (postgres.h); it is told yes only if not a byte has come behind its
 * question, because what is sent in front of the yes can be anybody's.  Then the hello is
 * gathered, under one deadline that counts from accept and within the bounds
 * of all hellos in progress, and the connection becomes a flow, a session or
 * a channel handshake, or is turned away.
 *
 * Shared by:     all clients; those who come from where agents are have places of their own.  The
 *                memory also with what has come of flows that are not joined (flow_hello.h).
 *                A connection whose PROXY header has not come counts as the proxy's.
 * Bound:         limits.hellos, and limits.hello_memory for what has come of them, SHARED_UNIT_BYTES
 *                each at least (where agents are: what limits.c derives from both).
 * Who leaves:    the oldest hello of the host with most, in the network with most: most hellos when
 *                there are too many, most bytes when these are (base/shares.h).  It is read once
 *                more first, and one that came from where agents are goes on among those of clients.
 */
#ifndef RELAY_INTAKE_H
#define RELAY_INTAKE_H

#include <stdbool.h>
#include "base/address.h"

struct conn;
struct intake;
struct worker_context;

/* Takes fd. is_proxied: a PROXY header must come first. The listener is kept as a pointer (conn.h). */
void intake_start(struct worker_context *, int fd, const struct address *peer, bool is_proxied,
    bool speaks_postgres, const struct ip_address *listener);
/* A connection that another process has accepted and read the hello of.  Taken. */
void intake_go_on(struct worker_context *, struct conn *);
/* Closes all of the worker's at once, without a word. */
void intake_cut_all(struct worker_context *);

#endif
