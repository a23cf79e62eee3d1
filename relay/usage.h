/*
 * What one agent's identity has at the moment, over all of its sessions and all
 * workers: limits of a grant count here, per (issuer, name) and not per
 * certificate.  A usage lives as long as somebody holds it.
 */
#ifndef RELAY_USAGE_H
#define RELAY_USAGE_H

#include <stdbool.h>
#include <stdint.h>

struct usage_table;
struct usage;

enum { USAGE_KEY_BYTES = 32 };
enum usage_kind { USAGE_SESSIONS, USAGE_FLOWS, USAGE_PARKED, USAGE_KINDS };

/* NULL when memory is short. */
struct usage_table *usage_table_new(void);
void usage_table_free(struct usage_table *);

/* The usage of this identity, held; NULL when memory is short. */
struct usage *usage_of(struct usage_table *, const uint8_t key[USAGE_KEY_BYTES]);
struct usage *usage_hold(struct usage *);
void usage_release(struct usage *);

/* Counts one more unless there are `most` already; 0 is no limit. */
bool usage_enter(struct usage *, enum usage_kind, uint64_t most);
void usage_leave(struct usage *, enum usage_kind);
uint64_t usage_count(const struct usage *, enum usage_kind);

#endif
