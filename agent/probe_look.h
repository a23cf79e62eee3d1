/*
 * One look at who answers for a name: connects, does a TLS handshake like any client,
 * and tells the public key that the other side has proven to hold.  The certificate is not judged:
 * only its key matters here.
 *
 * It is a dial of an upstream (upstream_dial.h) without a verdict, so a look at the upstream of an endpoint
 * that passes through is asked for as that is: with its PROXY header (from nowhere), and TLS the way it
 * wants.
 */
#ifndef AGENT_PROBE_LOOK_H
#define AGENT_PROBE_LOOK_H

#include "agent/settings.h"
#include "base/address.h"
#include "pki/spki_pin.h"

struct egress;
struct loop;
struct probe_look;
struct resolver;

enum { PROBE_LOOK_MS = 10000 };

/* `from` (borrowed for the call) says where and how: which of its urls (0 where it has none), and its PROXY
 * header and starttls if any; asks for `name`.  egress: the way to it, held; NULL: directly.  on_done is
 * called once, never inside this call, with the key, or with NULL and a sentence that says why nothing is
 * known (both borrowed); the owner then calls probe_look_free().  NULL when memory is short. */
struct probe_look *probe_look_new(struct loop *, struct resolver *, struct egress *,
    const struct upstream_settings *from, unsigned target, const char *name,
    void (*on_done)(void *arg, const struct spki_pin *key, const char *error), void *arg);
/* In on_done, with a key: whether the certificate that was shown is for the name. */
bool probe_look_is_for_name(const struct probe_look *);
/* In on_done, with a key: who has shown it; an address of 0 bytes where a proxy stands between. */
struct address probe_look_peer(const struct probe_look *);
/* Gives up without a call; safe inside on_done, NULL is fine. */
void probe_look_free(struct probe_look *);

#endif
