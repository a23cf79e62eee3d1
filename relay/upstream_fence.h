/*
 * Where an upstream may lie that a client's name decides (route_template.h): in one
 * of the blocks that its route lists.  It is asked for each address that the name
 * has, before the connect, and what it allows is what is connected to: a name
 * server that answers otherwise the next time changes nothing.
 *
 * Addresses of this host, loopback, link-local (where clouds keep their metadata),
 * multicast and reserved ones are refused even in a block that holds them: only a
 * block that lies within that range allows them.  Our own listeners are
 * refused unless a block is that very address: a flow to them would come back
 * for ever.
 */
#ifndef RELAY_UPSTREAM_FENCE_H
#define RELAY_UPSTREAM_FENCE_H

#include <stdbool.h>
#include <stddef.h>
#include "base/address.h"
#include "base/socket.h"

struct settings;

/* If not, `why` completes "it ...".  `entry` is the listener that the flow has come in by, NULL if
 * that is not known.  May ask the kernel whether an address is this host's. */
bool upstream_fence_allows(const struct prefix *blocks, size_t count, const struct settings *,
    const struct ip_address *entry, const struct address *, char why[CONNECT_WHY]);

#endif
