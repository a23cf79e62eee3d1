/*
 * All forwards of the agent (valise-agent.yml(5), `forwards:`).  The main thread loads them and
 * opens their listeners; one thread of their own accepts, dials and pumps, so that they and
 * the flows of the agent's relays never wait for each other.
 *
 * All functions belong to the main thread.
 *
 *	forwards_new
 *	at the start and at each reload: forwards_plan --> forwards_take (nothing can fail any more)
 *	                                              `--> forward_plan_free
 *	when files have changed: forwards_plan_again --> forwards_put_in_force
 */
#ifndef AGENT_FORWARDS_H
#define AGENT_FORWARDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct agent_settings;
struct crl_catalogue;
struct forward;
struct forward_plan;
struct forward_sockets;
struct forwards;
struct listing_source;
struct loop;
struct resolver;

enum { FORWARDS_ERROR = 1024 };

/* NULL when memory is short. */
struct forwards *forwards_new(struct resolver *);
/* Takes sockets that the first plan finds. */
void forwards_adopt(struct forwards *, struct forward_sockets *);
/* Ends all connections.  NULL is fine. */
void forwards_free(struct forwards *);

/* Loads those of the settings, and listens where nobody listens yet, for which it waits until the
 * thread has closed what earlier plans have dropped.  NULL with a sentence and the exit code
 * that it is worth. */
struct forward_plan *forwards_plan(
    struct forwards *, const struct agent_settings *, char error[FORWARDS_ERROR], int *code);
/* Puts it in force, takes it, and tells what must be told.  Those that are gone accept nothing any more,
 * and their connections live on. */
void forwards_take(struct forwards *, struct forward_plan *, const struct agent_settings *);
/* NULL is fine. */
void forward_plan_free(struct forward_plan *);

/* Of the forward at this place in the settings of the last plan: what reload.c asks each second. */
/* True once for each state of its files that differs from the one last seen; whether CAs and CRLs are among
 * them goes to *trust_changed. */
bool forwards_files_changed(
    struct forwards *, const struct agent_settings *, size_t index, bool *trust_changed);
/* Whether another CRL file of the agent has a newer CRL for its trust set. */
bool forwards_is_behind(
    const struct forwards *, size_t index, const struct crl_catalogue *, int64_t now_s);
/* NULL, or why its trust set believes nobody before the clock is right. */
const char *forwards_doubt(const struct forwards *, size_t index);
/* What its trust set refused of its CRLs, as trust_refusals(). */
size_t forwards_refusals(const struct forwards *, size_t index, const char **sentence);
/* All files count as changed from now on. */
void forwards_forget_stamps(struct forwards *);

/* Those whose files have changed, and who hears of those that cannot be loaded. */
struct forward_reload {
	const bool *stale;       /* one for each forward of the settings */
	const bool *trust_stale; /* the same: of these the CAs and CRLs, too */
	void (*on_refused)(void *arg, size_t index, const char *sentence);
	void (*on_lent)(void *arg, size_t index); /* refused, but CAs and CRLs are new */
	void *arg;
};
/* Loads the stale ones again; one that cannot be loaded stays as it was, its CAs and CRLs aside.  NULL
 * when memory is short.  forwards_put_in_force() takes it. */
struct forward_plan *forwards_plan_again(
    struct forwards *, const struct agent_settings *, const struct forward_reload *);
void forwards_put_in_force(struct forwards *, struct forward_plan *);
/* Keeps the revocations that were found over a restart: every second and at the end. */
void forwards_keep_revoked(const struct forwards *);
/* No more connections are accepted. */
void forwards_drain(struct forwards *);
/* The part of a listing that has its connections; how many parts that are, 0 or 1. */
unsigned forwards_source(const struct forwards *, struct listing_source *);
/* That of their thread, until forwards_free(); NULL: there was nothing to forward yet. */
struct loop *forwards_loop(const struct forwards *);
/* Connections at this moment. */
uint64_t forwards_flow_count(const struct forwards *);

#endif
