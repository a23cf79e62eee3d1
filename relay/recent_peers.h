/*
 * Where agents have come from lately: blocks of addresses (/32, /48) from which one
 * authenticated within the last hour.  Their handshakes have slots of their own, so
 * that a flood of unknown peers cannot lock out those who were here before.
 */
#ifndef RELAY_RECENT_PEERS_H
#define RELAY_RECENT_PEERS_H

#include <stdbool.h>
#include "base/address.h"

struct recent_peers;

enum { RECENT_PEERS_MOST = 4096, RECENT_PEERS_MS = 3600 * 1000 };

/* NULL when memory is short. */
struct recent_peers *recent_peers_new(void);
void recent_peers_free(struct recent_peers *);
/* From any thread. There are at most RECENT_PEERS_MOST: the one that was silent for longest is
 * forgotten. */
void recent_peers_add(struct recent_peers *, const struct prefix *);
bool recent_peers_has(struct recent_peers *, const struct prefix *);

#endif
