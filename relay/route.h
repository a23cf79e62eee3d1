/*
 * Which way a server name goes: to a static upstream, to one of the agents that
 * announce it here, or to another relay.  Shared by all workers.
 *
 * Exact beats wildcard, a longer wildcard beats a shorter one.  Of static routes with one pattern the first
 * one is taken whose conditions all hold; if there is none, the search goes on as if the pattern did not
 * exist, only that nobody can announce it.  A look-up costs
 * one probe of each table for an exact name and one more for each label (under a
 * microsecond with 100 000 static routes, which take less than 200 bytes each), waits for no lock,
 * and allocates nothing as long as the answer is here.  Only when
 * nobody here can serve the name is the registry asked, if there is one
 * (registry.h); then the question is copied and the answer comes later.
 *
 * Who may announce a name (design: authority is in the certificate):
 *	- the connect name and the patterns of static routes: nobody
 *	- else the identity's SANs must cover it
 *	- endpoints of one name form a set within one identity, or when all say shared
 *	- otherwise an exact SAN displaces a wildcard SAN, whoever came first;
 *	  between equals the first one stays
 * A set has one endpoint of each session: the announcer sees to that.  Joining
 * and leaving a set cost the same whatever its size, unless it has priorities.
 *
 * Which one of a set gets a flow (valise-agent.yml(5), balance and priority):
 *	1. whoever has not failed this flow yet and is not suspected to be dead or mute, before others
 *	2. of these whoever is not held back, before who is
 *	3. of these the endpoints of the lowest priority
 *	4. of these the one that the client's block is led to (rendezvous.h), if one of them
 *	   wants it so; else the one of two, drawn evenly, that has fewer flows for its weight
 *
 * Held back is who comes again where others, of a higher priority number, have stood in for
 * all like him: until his session has been up for ROUTE_HELD_BACK_MS, so that a link that comes and
 * goes does not take flows with it each time.  A session that continues another one is as old
 * (session_ref.h).
 *
 * The first three cost nothing in a set in which all have priority 0 and are well; else, and
 * with `source`, a look-up looks at each endpoint of the set.
 *
 * A name whose last endpoint has left is known for another minute.  These names
 * are shared by all tenants (usage.h): there are at most ROUTE_KNOWN_MOST of them.
 * When there are more, the tenant that served most of them last loses its oldest.
 * known_names.h keeps them over a restart.
 */
#ifndef RELAY_ROUTE_H
#define RELAY_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/address.h"
#include "base/loop.h"
#include "relay/registry.h"
#include "sni/name.h"
#include "tunnel/code.h"
#include "tunnel/frame.h"

struct address_rules;
struct session_ref;
struct routes;
struct upstream_group;
struct upstream_outage;

enum { ROUTE_KNOWN_MS = 60000, ROUTE_KNOWN_MOST = 131072, ROUTE_HELD_BACK_MS = 30000 };

/* A static route: immutable, counted, so that flows may keep one over a reload. */
struct route_static;
/* Which clients it is for. Of each list that is not empty one must fit. */
struct route_conditions {
	const char *const *alpn; /* that the client offers */
	size_t alpn_count;
	const struct prefix *sources; /* that hold the client's address */
	size_t source_count;
	const struct ip_address *listeners; /* where it came in, as they are configured */
	size_t listener_count;
};
struct route_static_settings {
	const char *pattern; /* normalised */
	const char *target;  /* "host:port" or "unix:/path" */
	/* Held; the targets, if there are several or somebody checks them; else NULL. */
	struct upstream_group *group;
	const struct route_conditions *when; /* NULL: for all */
	/* Not NULL: the target is a template (route_template.h), and leads within this. */
	const struct prefix *fence;
	uint32_t fence_count;
	struct address_rules *addresses; /* whom it lets in; NULL: everybody */
	bool any_depth;
	bool asks_for_tls;     /* as PostgreSQL wants it, before the hello */
	uint8_t proxy_version; /* 0 none */
	bool has_proxy_tlvs;   /* version 2 */
	uint16_t connect_ms;   /* what a connection to the upstream may take */
	uint64_t idle_ms, stall_ms;
};
/* Copies; NULL when memory is short. */
struct route_static *route_static_new(const struct route_static_settings *);
struct route_static *route_static_hold(struct route_static *);
void route_static_release(struct route_static *);
const struct route_static_settings *route_static_config(const struct route_static *);
/* What is known of its target's failures, where there is no group. */
struct upstream_outage *route_static_outage(struct route_static *);
/* Another group of the same targets takes the place of its own, before anybody else knows the route. */
void route_static_adopt(struct route_static *, struct upstream_group *);

/* NULL when memory is short. */
struct routes *route_table_new(void);
/* All claims must have been given back, all questions answered or cancelled. */
void route_table_free(struct routes *);
/* Before the first question; false when memory is short. The ops and arg must outlive the table. */
bool route_set_registry(struct routes *, const struct registry_ops *, void *arg);
/* The registry, to which its answers are addressed; NULL without one. */
struct registry *route_registry(struct routes *);

/* Sets all static routes at once (start, reload); each is held, and those of one pattern are tried
 * in this order.  The connect name is "" if there is none.  False when memory is short; then
 * nothing has changed. */
bool route_set_static(struct routes *, const char *connect_name,
    struct route_static *const *static_route, size_t count);
/* Whether a static route or the connect name has this very pattern. */
bool route_is_reserved(struct routes *, const char *pattern);

/* ---- announcing ---- */

/*
 * A claim is an endpoint as the routes have it.  It belongs to its announcer, and
 * everything about it happens in the announcer's loop:
 *
 *	asked --> up --> lost (displaced)
 *	   `---> refused
 *
 * In every state it is given back by route_withdraw().
 */
struct route_claim;

struct route_announcement {
	struct session_ref *session_ref;
	uint32_t endpoint;
	const char *pattern; /* as announced; normalised here */
	uint16_t weight;
	uint8_t balance;  /* enum balance */
	uint8_t priority; /* 0 is first */
	uint8_t carriers;
	struct address_rules *addresses; /* whom its agent lets in; NULL: everybody */
	struct loop *loop;
	/* The answer that route_announce() did not have at once: CODE_NONE, or the refusal with a
	 * sentence. */
	void (*on_answer)(void *arg, enum code, const char *sentence);
	/* The claim was up, and had to make room for an exact SAN. */
	void (*on_lost)(void *arg);
	void *arg;
};

struct route_refusal {
	enum code code;
	char sentence[SENTENCE_TEXT];
};

/* The claim; it is up now if route_claim_is_up() says so, else on_answer() comes. NULL: refused. */
struct route_claim *route_announce(
    struct routes *, const struct route_announcement *, struct route_refusal *);
bool route_claim_is_up(const struct route_claim *);
/* Whether route_announce() would make a claim that comes up here, if it were asked now; else why not.
 * Nothing changes, and no registry is asked. */
bool route_would_accept(struct routes *, const struct route_announcement *, struct route_refusal *);

/*
 * Gives the claim back, whatever has become of it: on_answer() and on_lost() do not come any more,
 * and nobody here finds it from now on.  NULL is fine.  If on_released is not NULL, it is called in
 * the claim's loop once the registry has let go, too; true means that it has already, and no call
 * comes.  An announcer that does not want to wait any longer withdraws once more.
 */
bool route_withdraw(
    struct routes *, struct route_claim *, void (*on_released)(void *arg), void *arg);

/* The same, when another claim of its session stands in its place: nobody waits for this one. */
void route_withdraw_replaced(struct routes *, struct route_claim *);

/* ---- the names that agents serve, or did within the last minute ---- */

struct route_name {
	const char *name; /* normalised; may be a wildcard */
	/* IDENTITY_KEY_BYTES: of one who serves it, or who did last. */
	const uint8_t *identity_key, *tenant_key;
};
/* Any thread.  Changes with each name that comes or is forgotten, not where one is only served again. */
uint64_t route_names_version(const struct routes *);
/* To be called each second: what passes without it is not counted as a name's minute, because the relay stood
 * still and nobody could come back to it.  Never called, all time counts. */
void route_names_tick(struct routes *);
/* Forgets those whose minute is over, of which nothing else need tell. */
void route_names_tidy(struct routes *);
/* `take` is called under a lock that announcers may wait for; what it is given ends with the call.  A
 * name that comes or goes meanwhile may be missed, or come twice. */
void route_names_each(
    struct routes *, void (*take)(void *arg, const struct route_name *), void *arg);
/* As if its last agent had left at this moment. */
void route_names_remember(struct routes *, const struct route_name *);

/* ---- asking ---- */

enum {
	ROUTE_TRIED_MOST = 8,
	ROUTE_ALPN_MOST = 4096, /* bytes; what a client offers beyond them does not count */
};

struct route_question {
	const char *name;    /* normalised */
	const uint8_t *alpn; /* what the client offers, 8-bit length each, as on the wire */
	size_t alpn_bytes;   /* at most ROUTE_ALPN_MOST */
	struct ip_address client;
	const struct ip_address *listener; /* outlives the question; NULL: of no route's */
	bool only_static;                  /* agents are not asked */
	/* Agents that failed this flow: they come last or, with `excluded`, not at all. */
	struct session_ref *tried[ROUTE_TRIED_MOST];
	bool excluded[ROUTE_TRIED_MOST];
	unsigned tried_count;
	struct loop *loop; /* where a late answer comes */
};

enum route_verdict {
	ROUTE_STATIC, /* static_route is held for the caller */
	ROUTE_AGENT,  /* session_ref is held for the caller */
	ROUTE_RELAY,  /* another relay holds it */
	ROUTE_NONE,   /* `reason` says why */
	ROUTE_LATER,  /* on_answer() will be called in the asker's loop */
};

enum route_reason {
	ROUTE_UNKNOWN, /* nobody has served this name within the last minute */
	ROUTE_UNMET,   /* the same, but there are static routes, which are not for this client */
	ROUTE_DENIED, /* the address lists of all who serve it, or did a minute ago, refuse this client */
	ROUTE_NOBODY,  /* it is known, but nobody serves it now: its agents are away, or stop */
	ROUTE_IN_VAIN, /* it is known, but its agents have failed this flow or are let in no more */
	ROUTE_LIMIT,   /* memory, or a limit of the registry's */
};

struct route_answer {
	enum route_verdict verdict; /* never ROUTE_LATER */
	enum route_reason reason;   /* ROUTE_NONE */
	char pattern[NAME_SIZE];    /* also where nobody can serve; "": another relay's, or none */
	struct route_static *static_route;
	struct session_ref *session_ref;
	uint32_t endpoint;
	uint8_t carriers;
	struct registry_relay relay;
};

/* A question that is answered later. */
struct route_request;

/*
 * Fills *answer and returns its verdict; or returns ROUTE_LATER and sets *request, and then on_answer()
 * is called once, in question->loop, unless route_cancel() comes before it.  The question is the
 * caller's again when this returns.  The request is gone when on_answer() is called.
 */
enum route_verdict route_find(struct routes *, const struct route_question *, struct route_answer *,
    void (*on_answer)(void *arg, const struct route_answer *), void *arg,
    struct route_request **request);
/* Whether a client that asks for the name (normalised), and of whom nothing else is known, would be served
 * here; where that depends on the client's address, some are, or were a minute ago.  No registry is asked.
 * Any thread. */
bool route_serves(struct routes *, const char *name);
/* How many claims have come up and static routes been set so far: while it is what it was before a question
 * was asked, that question would have the same answer if it was ROUTE_NOBODY.  Any thread. */
uint64_t route_arrivals(const struct routes *);
/* In the asker's thread. NULL is fine. Must not be called after the answer. */
void route_cancel(struct route_request *);

#endif
