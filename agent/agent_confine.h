/*
 * What the agent may touch once it serves (base/sandbox.h): the folders that its configuration or its command
 * line names at the start, and nothing else.
 */
#ifndef AGENT_AGENT_CONFINE_H
#define AGENT_AGENT_CONFINE_H

struct agent_settings;
struct sandbox;

/* The plan of an agent with these settings, that were read from this file (NULL: one-shot).  NULL when memory
 * is short. */
struct sandbox *agent_confine_plan(const struct agent_settings *, const char *config_path);
/* The same without what only a restart changes: for a reload. */
struct sandbox *agent_confine_plan_reload(const struct agent_settings *, const char *config_path);

#endif
