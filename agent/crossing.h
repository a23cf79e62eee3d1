/*
 * Client certificates that can be got round.  HTTP names the site in Host,
 * which is sealed until the upstream sees it, so the agent cannot compare it: a
 * client of one endpoint may ask a shared upstream for the site of another
 * endpoint, whose clients must show certificates.
 */
#ifndef AGENT_CROSSING_H
#define AGENT_CROSSING_H

#include <stddef.h>

struct agent_settings;
struct crossing;

enum { CROSSING_SENTENCE = 1024 };

/* Looks for them in settings that live as long.  NULL when memory is short. */
struct crossing *crossing_new(const struct agent_settings *);
void crossing_free(struct crossing *); /* NULL is fine */
/* About the endpoint of this index, once for all others: NULL, or a sentence with the cure that
 * begins "the clients of endpoint ...". `sentence` is the storage. */
const char *crossing_warning(
    const struct crossing *, size_t index, char sentence[CROSSING_SENTENCE]);

#endif
