/*
 * Internal to reloads: what reload.c (the configuration) and reload_files.c (the files behind
 * it) both need.
 */
#ifndef AGENT_RELOAD_PRIVATE_H
#define AGENT_RELOAD_PRIVATE_H

#include "agent/reload.h"

#include "base/conf_changes.h"
#include "base/mistakes.h"

enum { PART_TEXT = 160 };

/* What a whole configuration needs; loaded, and then put in force at once. */
struct agent_loaded {
	struct mistakes mistakes; /* of the file */
	bool is_read;             /* there are none */
	bool is_fine;             /* and all files behind it are loaded */
	char error[ENDPOINT_ERROR];
	struct conf_changes changes;
	struct agent_settings settings;
	struct trust_stamp crl_stamp;
	struct credentials_stamp credentials_stamp;
	struct endpoint_stamp *endpoint_stamps;
	struct credentials *credentials;
	struct endpoint_table *endpoint_table;
	struct endpoint_table *retired; /* held: that of before */
	struct relay_paths *paths;
};

/* Begins as {0}.  Any thread, while nothing of what is in force is replaced. */
void agent_reload_load(struct agent_live *, struct agent_loaded *);
/* In the loop: puts it in force, or tells why not.  What was in force before is in its place then, but for
 * what belongs to the loop. */
bool agent_reload_take(struct agent_live *, struct agent_loaded *, const struct reload_asker *);
/* In the loop, instead: nothing of it is wanted any more. */
void agent_reload_drop(struct agent_loaded *);
/* Any thread, at last. */
void agent_reload_wipe(struct agent_loaded *);

/* How the log and the reload faults name an endpoint or a forward of the settings in force. */
void agent_reload_part_of_endpoint(const struct agent_live *, size_t index, char part[PART_TEXT]);
void agent_reload_part_of_forward(const struct agent_live *, size_t index, char part[PART_TEXT]);

/* Gives the new table to everybody who works by the old one. */
void agent_reload_publish(struct agent_live *, struct endpoint_table *);
/* Whether the agent shows another certificate now. */
bool agent_reload_is_renewed(const struct credentials *before, const struct credentials *now);

#endif
