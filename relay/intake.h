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
 */
#ifndef RELAY_INTAKE_H
#define RELAY_INTAKE_H

#include <stdbool.h>
#include "base/address.h"

struct intake;
struct worker_context;

/* Takes fd. is_proxied: a PROXY header must come first. The listener is kept as a pointer (conn.h). */
void intake_start(struct worker_context *, int fd, const struct address *peer, bool is_proxied,
    bool speaks_postgres, const struct ip_address *listener);
/* Closes all of the worker's at once, without a word. */
void intake_cut_all(struct worker_context *);

#endif
