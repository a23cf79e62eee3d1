/*
 * How the agent gets out of its network: from which of its addresses, by a proxy or not, and by whom one of
 * https:// is believed.
 * Counted and immutable, for all threads.  A reload makes others; sessions keep the one that they began
 * with, and so do their channels.
 *
 *	egress_fill(egress, &options) -> proxy_dial_new(..., &options, ...)
 */
#ifndef AGENT_EGRESS_H
#define AGENT_EGRESS_H

#include <stdbool.h>

#include "base/connect_source.h"
#include "base/fetch_proxy.h"
#include "tunnel/proxy_dial.h"

struct egress;

enum { EGRESS_ERROR = 768 };

/* Of settings that were checked; without a proxy, if they have none.  sources: as connect_source_add() takes
 * them.  label: of the key of the proxy's CAs, for messages.  NULL with a sentence. */
struct egress *egress_new(const struct fetch_proxy_settings *, const struct conf_texts *sources,
    const char *label, char error[EGRESS_ERROR]);
struct egress *egress_hold(struct egress *);
/* NULL is fine. */
void egress_release(struct egress *);

/* NULL: none.  Borrowed, as the source is. */
const struct fetch_proxy *egress_proxy(const struct egress *);
const struct connect_source *egress_source(const struct egress *);
bool egress_equals(const struct egress *, const struct egress *);
/* The same without the proxy, for hosts that it is not for.  NULL when memory is short. */
struct egress *egress_new_direct(const struct egress *);
/* Sets what is about proxy and source; the egress must be held while the dial lives.  NULL has none. */
void egress_fill(struct egress *, struct proxy_dial_options *);

#endif
