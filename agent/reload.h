/*
 * What changes while the agent runs: its configuration at SIGHUP, and each file
 * behind it whenever it changes.  Everything is parsed and verified first and
 * replaced then; on any error the old stays in force, the log says why, and `status` until it is mended.
 *
 * A configuration may have very many endpoints.  So a thread of its own reads and loads it, while the agent
 * goes on with the old one; then all of it is put in force in one turn of the loop, and what was in force
 * before is freed by that thread.
 */
#ifndef AGENT_RELOAD_H
#define AGENT_RELOAD_H

#include <stdbool.h>
#include <sys/queue.h>

#include "agent/context.h"
#include "agent/forwards.h"
#include "agent/limits.h"
#include "agent/probes.h"
#include "agent/relay_links.h"
#include "agent/renew.h"
#include "agent/settings.h"
#include "agent/state.h"
#include "base/reload_faults.h"

struct agent_acme;
struct agent_reload_job;
struct crl_refresh;
struct endpoint_health;
struct reload_asker;
struct sandbox;

/* Who wants the configuration to be read again, and hears of it in the loop; the caller's until then. */
struct agent_reload_request {
	STAILQ_ENTRY(agent_reload_request) link;
	const struct reload_asker *asker;
	void (*on_done)(void *arg, bool is_fine);
	void *arg;
};
STAILQ_HEAD(agent_reload_requests, agent_reload_request);

/* What a reload replaces in a running agent, and what it does that with. */
struct agent_live {
	const char *config_path; /* NULL: one-shot, only the files are loaded again */
	struct sandbox *sandbox; /* entered, and nothing of it changes; NULL: there is none */
	struct agent_settings settings;
	struct agent_state state;
	struct agent_context context;
	struct relay_links links;
	struct forwards *forwards;
	struct probes *probes;
	struct agent_acme *acme;
	struct trust_stamp crl_stamp; /* of the CRL files of all keys */
	struct credentials_stamp credentials_stamp;
	uint64_t descriptors;                   /* how many the process may have */
	struct agent_limits limits;             /* in force */
	struct endpoint_stamp *endpoint_stamps; /* one for each endpoint of the settings */
	struct reload_faults faults;            /* what is not as the files say */
	struct agent_renew renew;
	int64_t in_force_s; /* since when the settings are, by the wall clock */
	unsigned retries;
	struct endpoint_health *health;
	bool is_health_behind; /* it does not know the endpoint table in force */
	struct crl_refresh *crl_refresh;
	bool is_refresh_behind; /* it does not know the settings in force */
	/* reload_job.c; {0} where everything is loaded in the loop. */
	struct thread *loader;                      /* NULL: nothing was loaded yet */
	struct agent_reload_job *job;               /* under way; NULL: none */
	struct agent_reload_requests requests;      /* that wait for the next one */
	bool is_signalled;                          /* somebody wants it who hears only the log */
	bool is_draining;                           /* nothing is put in force any more */
	void (*on_reload)(void *arg, bool is_over); /* a reload begins, or is over */
	void *on_reload_arg;
};

/* Notes the state of all files, once, before they are first loaded.  False when memory is short. */
bool agent_reload_note_stamps(struct agent_live *);

/* Before the first reload. */
void agent_reload_init(
    struct agent_live *, void (*on_reload)(void *arg, bool is_over), void *on_reload_arg);
/* At SIGHUP (request NULL), and when the operator asks.  A request hears of a reload that begins after it
 * was made. */
void agent_reload_begin(struct agent_live *, struct agent_reload_request *);
/* Waits until nothing is loaded any more.  The loop, which is freed soon, answers requests. */
void agent_reload_stop(struct agent_live *);
/* The same at once, in the loop.  False: the old configuration stays in force.  asker may be NULL. */
bool agent_reload_settings(struct agent_live *, const struct reload_asker *);
/* Every second: loads again what has changed, and every few seconds what was refused.  Not while a
 * configuration is being loaded. */
void agent_reload_files(struct agent_live *);
/* Tells which trust sets wait for the clock, and which go on with CRLs from before. */
void agent_reload_tell_states(struct agent_live *);

/* Has the upstreams of the table in force checked; every second, where memory was short for that. */
void agent_reload_watch_health(struct agent_live *);

/* Has the CRLs of the settings in force fetched; every second, where memory was short for that. */
void agent_reload_refresh_crls(struct agent_live *);

/* Lets the limits of the settings hold. */
void agent_reload_set_limits(struct agent_live *);
/* Every second: the same where the system allows another number of descriptors than before. */
void agent_reload_obey_descriptors(struct agent_live *);
/* Warns if the agent's certificate expires soon. */
void agent_reload_warn_expiry(const struct agent_live *);
/* Warns of CRLs that end soon, of all that the agent judges by but its forwards. */
void agent_reload_warn_crls(const struct agent_live *);
/* Warns of certificates of endpoints, upstreams and forwards that end soon or have ended. */
void agent_reload_warn_ends(const struct agent_settings *);
/* The same, and of client certificates that a shared upstream lets others get round, and of what was switched
 * off in words. */
void agent_reload_warn_endpoints(const struct agent_settings *);

#endif
