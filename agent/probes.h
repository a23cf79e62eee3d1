/*
 * The agent looks at its public names from outside, like any client (valise-agent.yml(5), `probe`), and
 * compares the key that answers with its own or, where an endpoint passes through, with the one
 * that its upstream shows.  The relay owns the public address: should it, or somebody else, have had a
 * certificate made for the name, this is where it shows.
 *
 * One name after the other, one look at a time.  For each:
 *
 *	resting --> looking (at who answers) --> comparing (not the known key of an upstream: a look there)
 *	   ^         ^    |                        |
 *	   |         |    v                        |  the keys differ: once more, in a moment;
 *	   |         `- waiting <------------------'  or the next name
 *	   `-- match, unknown, or a mismatch that was confirmed, of the last name
 *
 * A match proves one connection, since the relay could recognise the probe.  Who cannot be reached is
 * unknown.  Nothing else depends on what is found: who spoofs the DNS could switch us off.
 *
 * Belongs to the main thread.
 */
#ifndef AGENT_PROBES_H
#define AGENT_PROBES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct agent_settings;
struct endpoint_table;
struct loop;
struct probes;
struct resolver;

/* `settings` are borrowed for ever, and may change before each probes_set().  NULL when memory is short. */
struct probes *probes_new(struct loop *, struct resolver *, const struct agent_settings *settings);
/* NULL is fine. */
void probes_free(struct probes *);
/* What holds now, at the start and after each change: the settings, and the endpoints made of them.
 * probes may be NULL, and are then left alone. */
void probes_set(struct probes *, struct endpoint_table *);

/* "match", "mismatch", "unknown" or "not-yet", and when that was found; NULL: the name is not probed. */
const char *probes_result(const struct probes *, const char *server_name, int64_t *at_s);
/* What is known of a name, for people; NULL: it is not probed (none is, where probes is NULL), or memory
 * is short. */
json_t *probes_describe(const struct probes *, const char *server_name);
/* Whether the last probe of it found another key than ours, and the one that was to confirm that, too.  NULL
 * is fine. */
bool probes_found_other(const struct probes *, const char *server_name);

#endif
