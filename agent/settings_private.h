/*
 * Internal to settings: what settings.c (the agent, its endpoints), settings_termination.c (where an endpoint
 * ends TLS), settings_forward.c (`forwards:`) and settings_answers.c (keys of others) share.
 */
#ifndef AGENT_SETTINGS_PRIVATE_H
#define AGENT_SETTINGS_PRIVATE_H

#include "agent/settings.h"

/* settings_answers.c: to keys of ngrok, and of a relay's configuration. */
extern const struct conf_answer agent_settings_answers[];

/* Checks of one value that several tables share. */
bool agent_settings_is_name(const char *text, char error[256]);
bool agent_settings_is_address(const char *text, char error[256]);

/* How long a flow may stand still, of a `type` with the members idle_ms, stall_ms and half_closed_ms. */
/* clang-format off */
#define SETTINGS_PATIENCE_ROWS(type) \
	{ "idle_timeout", CONF_DURATION, offsetof(type, idle_ms), .fallback = "0", \
	    .most = SETTINGS_PATIENCE_MOST_MS }, \
	{ "stall_timeout", CONF_DURATION, offsetof(type, stall_ms), .fallback = "0", \
	    .most = SETTINGS_PATIENCE_MOST_MS }, \
	{ "half_close_timeout", CONF_DURATION, offsetof(type, half_closed_ms), .fallback = "60s", \
	    .most = SETTINGS_PATIENCE_MOST_MS }
/* clang-format on */
#define SETTINGS_PATIENCE_MOST_MS (UINT64_C(365) * 24 * 3600 * 1000)

extern const char *const agent_settings_eof_words[];

/* settings_forward.c: the table of the list, and what spans keys and items. */
extern const struct conf_row agent_settings_forward_rows[];
void agent_settings_check_forwards(const struct agent_settings *, struct conf_report *);

/* Where the certificate by ACME lies, after agent_settings_check_termination(). */
void agent_settings_check_acme(
    const struct agent_settings *, struct endpoint_settings *, struct conf_report *);

/* Those that share an account, after the former for all. */
void agent_settings_check_accounts(const struct agent_settings *, struct conf_report *);

/* settings_termination.c: the rows of struct termination_settings, and what spans them; it settles
 * mutual_tls. */
extern const struct conf_row agent_settings_termination_rows[];
void agent_settings_check_termination(struct endpoint_settings *, struct conf_report *);

#endif
