/*
 * A static upstream that must be asked for TLS before the client's hello may go
 * there: PostgreSQL (base/postgres.h).
 */
#ifndef RELAY_FLOW_STARTTLS_H
#define RELAY_FLOW_STARTTLS_H

#include <stddef.h>

struct flow;

/* Takes fd, which is connected.  Sends `front` and the request, and joins the flow when the upstream says
 * yes, or refuses it; the flow's own deadline counts. */
void flow_starttls_begin(struct flow *, int fd, const void *front, size_t front_bytes);
/* Gives the upstream up. */
void flow_starttls_wipe(struct flow *);

#endif
