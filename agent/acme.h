/*
 * The certificates that endpoints have by ACME (`acme` of agent_tls_termination): ordered, renewed
 * and put where the endpoints load them from, so that a new one is in force like any other file
 * that has changed (agent/reload_files.c).  tls-alpn-01 proves the name through the blind relays,
 * see agent/challenge.h.
 *
 *	acme = agent_acme_new(&context, &settings);
 *	agent_acme_set(acme)         at the start and after each reload
 *	agent_acme_tick(acme, ...)   every second
 *
 * Whoever owns the public address of a name, and a relay does, can have a certificate for it,
 * too.  A CAA record with accounturi forbids it (RFC 8657); until the DNS shows one that is said at
 * the start, by `check` and in the status.  It is looked for again every CAA_AGAIN_S.
 *
 * Endpoints with one CA share an account, which does one thing after the other: change of its key,
 * certificates, when to renew.  An endpoint that has no certificate yet serves nobody, and says so.
 *
 * Belongs to the main thread.
 */
#ifndef AGENT_ACME_H
#define AGENT_ACME_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct agent_acme;
struct agent_context;
struct agent_settings;

enum { CAA_AGAIN_S = 6 * 3600 };

/* At a start, before the certificates are loaded: what a crash or an older version has left is put
 * in order. */
void agent_acme_mend(const struct agent_settings *);
/* Both are borrowed for ever; settings may change before each agent_acme_set().  NULL when memory
 * is short. */
struct agent_acme *agent_acme_new(struct agent_context *, const struct agent_settings *);
/* What is under way is given up.  NULL is fine. */
void agent_acme_free(struct agent_acme *);
/* The settings have changed; those of before are still there.  What was under way begins anew.  NULL
 * is fine. */
void agent_acme_set(struct agent_acme *);
/* is_connected: to a relay at least, through which a CA could reach us. */
void agent_acme_tick(struct agent_acme *, bool is_connected);

/* The keys of all accounts are changed, one after the other, as soon as each is free; how many. */
size_t agent_acme_change_keys(struct agent_acme *);

/* What is known of a name, for people; NULL: it has no certificate by ACME, or memory is short. */
json_t *agent_acme_describe(const struct agent_acme *, const char *server_name);

/* Whether the DNS pins the name to the agent's account (caa_words); NULL: it has no certificate by ACME. */
const char *agent_acme_pin(const struct agent_acme *, const char *server_name);

/* For `check`, which asks nobody: what the agent that ran last has seen of the CAA records of a
 * name, as a sentence; NULL: they pin it. */
enum { ACME_WARNING = 2048 };
const char *agent_acme_warning(
    const struct agent_settings *, size_t endpoint, char out[ACME_WARNING]);

#endif
