/*
 * Which sessions have lines in the log.  Lines about agents are audit events, which
 * log_limited() does not bound, and an agent that connects again and again brings them
 * about as fast as it may connect.  So a tenant (relay/usage.h) has lines of so many sessions
 * a minute as it takes to replace all that it has, and SESSION_LINES_FREE more; how
 * many more there were is told when the minute is over (session-lines-suppressed).
 *
 * Shared by:     all workers and all tenants.
 * Bound:         SESSION_LINES_MOST tenants that came within the last minute, which hold
 *                the identity of their first session so long.
 * Who leaves:    nobody: when it is full, the other tenants count together, and what
 *                exceeds is told without a name.
 */
#ifndef RELAY_SESSION_LINES_H
#define RELAY_SESSION_LINES_H

#include <stdbool.h>
#include <stdint.h>

struct identity;
struct session_lines;
struct usage;

enum { SESSION_LINES_MOST = 4096, SESSION_LINES_FREE = 60, SESSION_LINES_MS = 60000 };

/* NULL when memory is short. */
struct session_lines *session_lines_new(void);
/* Tells what was not told yet. */
void session_lines_free(struct session_lines *);

/* One more session has come (or been refused): whether it has lines. Any thread. */
bool session_lines_take(struct session_lines *, struct identity *, const struct usage *);
/* Tells what is over; to be called every second. */
void session_lines_tick(struct session_lines *);

#endif
