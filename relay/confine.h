/*
 * What the relay may touch once it serves (base/sandbox.h): the folders that its configuration names at the
 * start, and nothing else.
 */
#ifndef RELAY_CONFINE_H
#define RELAY_CONFINE_H

struct sandbox;
struct settings;

/* The plan of a relay with these settings, that were read from this file.  NULL when memory is short. */
struct sandbox *confine_plan(const struct settings *, const char *config_path);
/* The same without what only a restart changes: for a reload. */
struct sandbox *confine_plan_reload(const struct settings *, const char *config_path);

#endif
