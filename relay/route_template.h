/*
 * Upstreams that the name decides: in "{1}.internal:443" the label that the `*` of
 * a route's server name stands for takes the place of each {1}.  Pure functions.
 *
 * What a client can put there is one LDH label (RFC 5890, section 2.3.1): 1 to 63
 * of a-z, 0-9 and -, which is neither first nor last.  So it changes neither the
 * number of labels nor the port.  It may well make an address of the whole, or the
 * name of a host that nobody meant: that is what the fence is for (upstream_fence.h).
 */
#ifndef RELAY_ROUTE_TEMPLATE_H
#define RELAY_ROUTE_TEMPLATE_H

#include <stdbool.h>
#include "base/upstream_url.h"

enum { TEMPLATE_LABEL = 64 };

/* Whether there are braces in it. */
bool route_template_is(const char *text);
/* The label of `name` that the pattern's `*` stands for; false when it is not LDH, or the pattern is not a
 * wildcard that covers the name with one label. Both are normalised. */
bool route_template_label(char label[TEMPLATE_LABEL], const char *pattern, const char *name);
/* Puts the label in. False when braces are left, or it becomes too long for a target. */
bool route_template_fill(char out[UPSTREAM_URL_TARGET], const char *text, const char *label);
/* The same for a target, "host:port"; false also when the host is no name any more: too long. */
bool route_template_expand(char out[UPSTREAM_URL_TARGET], const char *target, const char *label);

#endif
