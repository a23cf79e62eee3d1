/*
 * Internal to reloads: what reload.c (the configuration) and reload_files.c (the files behind
 * it) both need.
 */
#ifndef AGENT_RELOAD_PRIVATE_H
#define AGENT_RELOAD_PRIVATE_H

#include "agent/reload.h"

enum { PART_TEXT = 160 };

/* How the log and the reload faults name an endpoint or a forward of the settings in force. */
void agent_reload_part_of_endpoint(const struct agent_live *, size_t index, char part[PART_TEXT]);
void agent_reload_part_of_forward(const struct agent_live *, size_t index, char part[PART_TEXT]);

/* Gives the new table to everybody who works by the old one. */
void agent_reload_publish(struct agent_live *, struct endpoint_table *);
/* Whether the agent shows another certificate now. */
bool agent_reload_is_renewed(const struct credentials *before, const struct credentials *now);

#endif
