/*
 * Where agents are, or were lately: blocks of addresses (/32, /48) from which one that
 * has authenticated has a session, or had one within the last hour.  Their handshakes
 * have slots of their own, so that a flood of unknown peers cannot lock out those who
 * were here before.
 *
 * Shared by:     all agents.  A block without a session counts for the tenant (relay/usage.h)
 *                whose agent came from it last.
 * Bound:         a block for each session, and RECENT_PEERS_MOST without one.
 * Who leaves:    of the tenant that has most of those without one, the block whose last
 *                session has ended first; none that has one.
 *
 *	peer = recent_peers_enter(peers, &block, tenant) --> recent_peers_leave(peers, peer)
 */
#ifndef RELAY_RECENT_PEERS_H
#define RELAY_RECENT_PEERS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/address.h"
#include "base/heavy.h"

struct recent_peer;
struct recent_peers;

enum { RECENT_PEERS_MOST = 4096, RECENT_PEERS_MS = 3600 * 1000 };

/* NULL when memory is short. */
struct recent_peers *recent_peers_new(void);
/* Every session must have left. */
void recent_peers_free(struct recent_peers *);
/* From any thread, for each session: it is here now.  The tenant's key has IDENTITY_KEY_BYTES.  NULL when
 * memory is short. */
struct recent_peer *recent_peers_enter(
    struct recent_peers *, const struct prefix *, const uint8_t *tenant_key);
/* It has gone; NULL is fine. */
void recent_peers_leave(struct recent_peers *, struct recent_peer *);
bool recent_peers_has(struct recent_peers *, const struct prefix *);
/* Whether this address is in such a block. */
bool recent_peers_know(struct recent_peers *, const struct address *);
/* For whom a handshake with this one is done: known and unknown peers have their turns one after the
 * other. */
struct heavy_party recent_peers_party(bool is_known, const struct address *);

#endif
