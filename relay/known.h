/*
 * Where agents have come from lately: blocks of addresses (/32, /48) from which
 * one authenticated within the last hour.  Their handshakes have slots of their
 * own, so that a flood of strangers cannot lock out those who were here before.
 */
#ifndef RELAY_KNOWN_H
#define RELAY_KNOWN_H

#include <stdbool.h>
#include "base/address.h"

struct known;

enum { KNOWN_MOST = 4096, KNOWN_MS = 3600 * 1000 };

/* NULL when memory is short. */
struct known *known_new(void);
void known_free(struct known *);
/* From any thread. At most KNOWN_MOST: the one that was longest silent is forgotten. */
void known_add(struct known *, const struct prefix *);
bool known_has(struct known *, const struct prefix *);

#endif
