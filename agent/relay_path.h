/*
 * How each relay of agent.connect_url is reached: where to dial, which name its certificate must be for,
 * and by which proxy; and the agent's own way out, for all else.  Made of settings, and never changed.
 */
#ifndef AGENT_RELAY_PATH_H
#define AGENT_RELAY_PATH_H

#include "agent/egress.h"
#include "agent/settings.h"

struct relay_path {
	char label[RELAY_LABEL];   /* what logs and people call the relay */
	char target[RELAY_TARGET]; /* host:port */
	char server_name[254];
	struct egress *egress; /* held; without a proxy where that is not for the host */
};

struct relay_paths {
	struct egress *egress; /* of the agent; held */
	struct relay_path *paths;
	struct conf_texts labels; /* of all, without marks */
	size_t count;
};

/* Of settings that were checked; reads the proxies' files.  NULL with a sentence. */
struct relay_paths *relay_paths_new(const struct agent_settings *, char error[EGRESS_ERROR]);
void relay_paths_free(struct relay_paths *);
/* Logs which proxies are used, and what must be told of them. */
void relay_paths_tell(const struct relay_paths *);
/* NULL: there is none (paths may be NULL). */
const struct relay_path *relay_paths_find(const struct relay_paths *, const char *label);
/* Whether sessions with some relay would be made in another way by one than by the other. */
bool relay_paths_differ(const struct relay_paths *, const struct relay_paths *);

#endif
