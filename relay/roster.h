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

/* A session of this identity (identity_key()) and instance, but not `except`; held, NULL if there is none.
 * Where clones share an instance, one of the process that began at `start` is preferred: it is that
 * process's own ghost. */
struct member *roster_find_twin(struct roster *, const uint8_t *identity_key, const uint8_t *instance,
    const uint8_t *start, const struct member *except);
/* Whose channel says so; held, NULL if nobody's. */
struct member *roster_find_channel(struct roster *, const char *channel_identity);
/* The same question for a handshake (tls_settings.find_key; `roster` is a struct roster). */
bool roster_find_key(void *roster, const char *channel_identity, struct secret *key);

#endif
