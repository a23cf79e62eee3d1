/*
 * The sessions that are up, over all workers: by their channels' PSK identity
 * (for the handshakes of channels) and by identity and instance (for takeover).
 * The channel keys live here and nowhere else; leaving the table wipes them.
 *
 * Shared by:     all agents, and all workers under one lock.
 * Bound:         an entry for each session that counts in its usage (relay/usage.h), and for those
 *                that have lost their place and are being told.
 * Who leaves:    nobody here: who may stay is decided by the usage, and takes its entry along.
 */
#ifndef RELAY_SESSION_TABLE_H
#define RELAY_SESSION_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include "base/secret.h"
#include "relay/session_ref.h"

struct session_table;

/* NULL when memory is short. */
struct session_table *session_table_new(void);
/* Everybody must have left. */
void session_table_free(struct session_table *);

/* Holds the session_ref until session_table_remove(); copies the key. False when memory is short. */
bool session_table_add(struct session_table *, struct session_ref *, const struct secret *key);
/* How many there are. */
size_t session_table_count(struct session_table *);
/* Harmless twice. */
void session_table_remove(struct session_table *, struct session_ref *);

/* A session of this identity (identity_key()) and instance, but not `except`; held, NULL if there is none.
 * Where clones share an instance, one of the process that began at `start` is preferred: it is that
 * process's own ghost; then one that counts in the limits (session_ref_has_place()). */
struct session_ref *session_table_find_twin(struct session_table *, const uint8_t *identity_key,
    const uint8_t *instance, const uint8_t *start, const struct session_ref *except);
/* The session whose channels say this PSK identity; held, NULL if there is none. */
struct session_ref *session_table_find_channel(
    struct session_table *, const char *channel_identity);
/* The same question for a handshake (tls_settings.find_key; `table` is a struct session_table). */
bool session_table_find_key(void *table, const char *channel_identity, struct secret *key);

#endif
