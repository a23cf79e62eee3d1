/*
 * Which way a server name goes: to a static upstream, or to one of the agents
 * that announce it.  Shared by all workers and the only thing that knows who
 * holds which name, so that a registry of many relays can stand behind it.
 *
 * Exact beats wildcard, a longer wildcard beats a shorter one.  A look-up costs
 * one probe for an exact name and one more for each label.
 *
 * Who may announce a name (design: authority is in the certificate):
 *	- the connect name and the patterns of static routes: nobody
 *	- else the identity's SANs must cover it
 *	- endpoints of one name form a set within one identity, or when all say shared
 *	- otherwise an exact SAN displaces a wildcard SAN, whoever came first;
 *	  between equals the first one stays
 */
#ifndef RELAY_ROUTE_H
#define RELAY_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sni/name.h"
#include "tunnel/code.h"
#include "tunnel/frame.h"

struct session_ref;
struct routes;

/* A static route: immutable, counted, so that flows may keep one over a reload. */
struct route_static;
struct route_static_settings {
	const char *pattern;		/* normalised */
	bool any_depth;
	const char *const *alpn;	/* any of these must be offered; alpn_count 0: all the same */
	size_t alpn_count;
	const char *target;		/* "host:port" or "unix:/path" */
	int proxy_version;		/* 0 none */
	uint64_t idle_ms;
};
/* Copies; NULL when memory is short. */
struct route_static *route_static_new(const struct route_static_settings *);
struct route_static *route_static_hold(struct route_static *);
void route_static_release(struct route_static *);
const struct route_static_settings *route_static_config(const struct route_static *);

/* NULL when memory is short. */
struct routes *route_table_new(void);
/* All announced endpoints must have been withdrawn. */
void route_table_free(struct routes *);

/* The whole set at once (start, reload); "" for no connect name. Each is held. False when memory is
 * short: then nothing has changed. The order counts among those of one pattern. */
bool route_set_static(struct routes *, const char *connect_name, struct route_static *const *static_route, size_t count);
/* Whether a static route or the connect name has this very pattern. */
bool route_is_reserved(struct routes *, const char *pattern);

/* What displaced endpoints are told. */
struct route_loss {
	struct session_ref *session_ref;		/* held, given to the callee */
	uint32_t endpoint;
};

struct route_announcement {
	struct session_ref *session_ref;
	uint32_t endpoint;
	const char *pattern;		/* as announced; normalised here */
	uint16_t weight;
	uint8_t carriers;
};

/* CODE_NONE: announced. Else the refusal, with a sentence. on_loss is called for every endpoint
 * that had to go, under no lock. */
enum code route_announce(struct routes *, const struct route_announcement *, char sentence[SENTENCE_TEXT],
    void (*on_loss)(const struct route_loss *));
/* Harmless when it is not there. pattern: normalised. */
void route_withdraw(struct routes *, const struct session_ref *, const char *pattern, uint32_t endpoint);

enum { ROUTE_TRIED_MOST = 4 };

struct route_question {
	const char *name;		/* normalised */
	bool (*offers)(void *arg, const char *alpn);	/* does the client? */
	void *arg;
	bool only_static;		/* agents are not asked */
	/* Agents that failed this flow: avoided, or with `excluded` excluded. */
	const struct session_ref *tried[ROUTE_TRIED_MOST];
	bool excluded[ROUTE_TRIED_MOST];
	unsigned tried_count;
};

enum route_verdict {
	ROUTE_STATIC,		/* static_route is held for the caller */
	ROUTE_AGENT,		/* session_ref is held for the caller */
	ROUTE_NO_AGENT,		/* the name is announced, but nobody (left) who could serve it */
	ROUTE_NONE,
	ROUTE_LATER,		/* on_answer will be called in the asker's loop */
};

struct route_answer {
	enum route_verdict verdict;	/* never ROUTE_LATER */
	char pattern[NAME_SIZE];	/* which route it was */
	struct route_static *static_route;
	struct session_ref *session_ref;
	uint32_t endpoint;
	uint8_t carriers;
};

/*
 * Fills *answer and returns its verdict; or returns ROUTE_LATER when somebody
 * else must be asked first, and on_answer comes once (the embedded table never
 * needs that).  The asker keeps `arg` until the answer has come.
 */
enum route_verdict route_find(struct routes *, const struct route_question *, struct route_answer *,
    void (*on_answer)(void *arg, const struct route_answer *), void *arg);

#endif
