/*
 * The names that agents have served lately, kept in state_dir over a restart: until their agents are back
 * their clients are held as those of an agent that is away for a moment (flow_wait.h), and not told that
 * nobody has the name.
 *
 * The file, known-names, has the names that are served and those that were within the last minute.
 * A thread of its own writes it when they have changed, at most every KNOWN_NAMES_PAUSE_MS, and at
 * the end.  Names that were read count as if their agent had left at that moment, so for a minute
 * (ROUTE_KNOWN_MS).
 *
 * It is a hint: who could write into state_dir would make clients wait 5 s in vain, nothing else.
 *
 * Shared by:     all tenants (usage.h).
 * Bound:         ROUTE_KNOWN_MOST names, and of one identity limits.endpoints_per_session.
 * Who leaves:    the oldest of the tenant that has most; of an identity the last ones by the alphabet.
 *
 *	known_names_new (reads) --> known_names_start --> known_names_free (writes)
 */
#ifndef RELAY_KNOWN_NAMES_H
#define RELAY_KNOWN_NAMES_H

#include <stdbool.h>
#include <stdint.h>

struct known_names;
struct routes;

enum { KNOWN_NAMES_PAUSE_MS = 10000 };

/* Reads what was known before, before anybody asks.  The routes must outlive it.  NULL when memory is
 * short. */
struct known_names *known_names_new(
    struct routes *, const char *state_dir, uint64_t most_of_identity);
/* From now on its thread writes.  False when the system refuses a thread. */
bool known_names_start(struct known_names *);
/* What the thread does every second: writes if there is something new and it is time. */
void known_names_look(struct known_names *);
/* Any thread; NULL is fine. */
void known_names_set_bound(struct known_names *, uint64_t most_of_identity);
/* Writes a last time and never again: somebody else has state_dir from now on.  The thread ends.  NULL is
 * fine, and so is twice. */
void known_names_give_up(struct known_names *);
/* The same, and frees it.  NULL is fine. */
void known_names_free(struct known_names *);

#endif
