/*
 * The lingering close of a refused client: an alert, FIN, and then what it still sends is
 * thrown away for about a second before the descriptor is closed.  Without
 * that the kernel answers unread bytes with RST, and the client never sees the alert.
 */
#ifndef RELAY_LINGERING_H
#define RELAY_LINGERING_H

#include <stdint.h>
#include "relay/refuse.h"

struct lingering;
struct station;
struct visit;

/* Closes all of the station's at once. */
void lingering_cut_all(struct station *);

/*
 * Turns a client away as `refuse` in the settings says for this reason: alert,
 * close, reset, or a static route.  Takes the visit; logs nothing.
 */
void lingering_refuse(struct station *, struct visit *, enum refusal, uint8_t alert);

#endif
