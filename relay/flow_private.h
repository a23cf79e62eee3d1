/*
 * Internal to flows: the object that flow.c and flow_agent.c share.
 */
#ifndef RELAY_FLOW_PRIVATE_H
#define RELAY_FLOW_PRIVATE_H

#include "base/loop.h"
#include "base/upstream_url.h"
#include "relay/flow.h"
#include "relay/refuse.h"
#include "relay/route.h"
#include "relay/worker_context.h"
#include "relay/conn.h"
#include "sni/ja4.h"
#include "tunnel/frame.h"

struct flow_stall;
struct stream;

enum flow_state {
	FLOW_LOOKING,
	FLOW_WAITING,
	FLOW_TAKING,
	FLOW_OPENING,
	FLOW_CONNECTING,
	FLOW_JOINED,
	FLOW_OVER,
	FLOW_STATES
};

/* What a flow needs only until it is joined; then it goes, since joined flows are many and last. */
struct flow_way {
	struct rules *rules; /* held: those it began under */
	struct task reap;    /* of the flow, if it ends before it is joined */
	struct conn conn;
	char route[NAME_SIZE];       /* the pattern, "" before the look-up */
	struct connector *connector; /* to a static upstream */
	uint32_t tried_upstreams;    /* of several, a bit each */
	struct shares_place *asking; /* flow_dynamic.c: while its upstream's name is looked up */
	uint32_t endpoint;
	struct pool_request *request;
	struct channel *channel;
	struct session_ref *tried[ROUTE_TRIED_MOST]; /* held */
	bool excluded[ROUTE_TRIED_MOST];
	unsigned tried_count;
	bool at_limit;         /* some agent could not for its limit */
	unsigned denied_count; /* of those tried, whose lists refuse the client's address */
	unsigned failed_count; /* attempts that were answered by `fail`, or never opened */
	struct shares_place *hello_place; /* flow_hello.c; NULL: what has come is little */
	struct route_request *looking;    /* the registry will answer */
	uint64_t arrivals;                /* flow_wait_arrivals() before the last look-up */
	TAILQ_ENTRY(flow) waiting;        /* flow_wait.c */
	uint64_t wait_until_ms;           /* 0: it has not waited yet */
	struct shares_place *wait_place;  /* among those who wait, and among those for its name */
	struct name_flows_place *wait_name;
	char trouble[SENTENCE_TEXT]; /* what went wrong last, for the log */
	bool asks_upstream;          /* flow_starttls.c: with the two below */
	int upstream_fd;
	struct watch upstream;
	struct watch client;
	struct timer attempt, whole;
	/* Of the attempt: when it ends, when its channel was asked for or opened, when that is doubted. */
	uint64_t attempt_until_ms, waits_from_ms, doubts_at_ms;
};

struct flow {
	LIST_ENTRY(flow) link;
	struct worker_context *worker;
	struct flow_way *way; /* NULL: joined */
	struct pump *pump;    /* joined */
	uint8_t state;        /* enum flow_state */
	uint8_t attempts;
	bool is_handoff;  /* its carrier, while it has a session */
	uint8_t upstream; /* of several: the index of the one that counts it, and one; 0: none */
	uint32_t hello_bytes; /* on the wire */
	uint32_t proxy_bytes; /* of our header in what is pumped, in front of the client's bytes */
	int32_t ready_ms;     /* from the accept to the join; -1 before */
	struct ip_address client;
	uint64_t accepted_us;
	struct shares_place *place;          /* in limits.flows; NULL: refused by it */
	struct name_flows_place *name_place; /* from the first look-up on; it has the pattern */
	struct route_static *static_route;   /* held */
	struct session_ref *session_ref;     /* held, a flow counted in it */
	struct flow_stall *stall;            /* flow_stall.c; NULL: it does not stand still */
	const char *reason;                  /* why it was ended by us */
	uint8_t id[FLOW_ID_BYTES];
	char names[]; /* the server name, and behind its end mark the JA4 */
};

static inline const char *
flow_server_name(const struct flow *flow)
{
	return flow->names;
}

struct address flow_client(const struct flow *);
extern const char *const flow_state_name[FLOW_STATES];

/* flow_log.c */
extern const char flow_displaced[], flow_displaced_sentence[];
/* Whose agent it is over; NULL: nobody's. */
const struct identity *flow_identity(const struct flow *);
/* The pattern of its route; "" or NULL: none yet. */
const char *flow_route(const struct flow *);
/* From the client and to it, so far. */
uint64_t flow_bytes_in(const struct flow *);
uint64_t flow_bytes_out(const struct flow *);
/* Texts are NULL where there is none; `filled` may be what is returned. */
const char *flow_upstream(const struct flow *, char filled[UPSTREAM_URL_TARGET]);
const char *flow_carrier(const struct flow *);
const char *flow_ja4(const struct flow *);
void flow_log_closed(const struct flow *, const char *reason);
void flow_log_refused(const struct flow *, enum refusal, uint8_t alert);
void flow_log_retry(const struct flow *, const char *why);

/* flow_agent.c: the way over an agent. */
void flow_agent_begin(struct flow *, const struct route_answer *);
/* Lets go of the session that the flow is counted in. */
void flow_agent_leave(struct flow *);
/* What the client is told when none of those tried was any good. */
enum refusal flow_agent_refusal(const struct flow *);
/* Gives this agent up and tries the next one, if that is safe. */
void flow_agent_give_up(struct flow *, const char *why);

/* flow_static.c: the other way, to a static upstream. Takes over the answer's route. */
void flow_static_begin(struct flow *, const struct route_answer *);
/* The upstream that was tried last is not to be had: the next one of several, or the client is refused. */
void flow_static_failed(struct flow *, const char *why);
/* The upstream counts it no more. */
void flow_static_leave(struct flow *);

/* The operator ends it: both sides are reset.  False: it is ending anyway. */
bool flow_kick(struct flow *);
void flow_move(struct flow *, enum flow_state);
void flow_look_up(struct flow *);
void flow_refuse(struct flow *, enum refusal);
/* The same, and the log says what the trouble was. */
void flow_refuse_because(struct flow *, enum refusal, const char *trouble);
/* Takes the far stream (NULL: it was lost, or memory is short; the client is refused); `front` goes to it
 * before anything else, then what is held behind `from`. */
void flow_join(
    struct flow *, struct stream *far, const void *front, size_t front_bytes, size_t from);

#endif
