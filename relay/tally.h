/*
 * What one agent's identity has at the moment, over all of its sessions and all
 * workers: limits of a grant count here, per (issuer, name) and not per
 * certificate.  A tally lives as long as somebody holds it.
 */
#ifndef RELAY_TALLY_H
#define RELAY_TALLY_H

#include <stdbool.h>
#include <stdint.h>

struct tallies;
struct tally;

enum { TALLY_KEY_BYTES = 32 };
enum tally_kind { TALLY_SESSIONS, TALLY_FLOWS, TALLY_PARKED, TALLY_KINDS };

/* NULL when memory is short. */
struct tallies *tally_all_new(void);
void tally_all_free(struct tallies *);

/* The tally of this identity, held; NULL when memory is short. */
struct tally *tally_of(struct tallies *, const uint8_t key[TALLY_KEY_BYTES]);
struct tally *tally_hold(struct tally *);
void tally_release(struct tally *);

/* Counts one more unless there are `most` already; 0 is no limit. */
bool tally_enter(struct tally *, enum tally_kind, uint64_t most);
void tally_leave(struct tally *, enum tally_kind);
uint64_t tally_count(const struct tally *, enum tally_kind);

#endif
