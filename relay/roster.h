/*
 * The sessions that are up, over all workers: by their channels' PSK identity
 * (for the handshakes of channels) and by identity and instance (for takeover).
 * The channel keys live here and nowhere else; leaving the roster wipes them.
 */
#ifndef RELAY_ROSTER_H
#define RELAY_ROSTER_H

#include <stdbool.h>
#include "base/secret.h"
#include "relay/member.h"

struct roster;

/* NULL when memory is short. */
struct roster *roster_new(void);
/* Everybody must have left. */
void roster_free(struct roster *);

/* Holds the member until roster_remove(); copies the key. False when memory is short. */
bool roster_add(struct roster *, struct member *, const struct secret *key);
/* Harmless twice. */
void roster_remove(struct roster *, struct member *);

/* Another session of the same identity and instance, held; NULL if there is none. */
struct member *roster_find_twin(struct roster *, const struct member *);
/* Whose channel says so; held, NULL if nobody's. */
struct member *roster_find_channel(struct roster *, const char *channel_identity);
/* The same question for a handshake (tls_settings.find_key; `roster` is a struct roster). */
bool roster_find_key(void *roster, const char *channel_identity, struct secret *key);
unsigned roster_count(struct roster *);

#endif
