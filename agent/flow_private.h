/*
 * Internal to flows: the object, for flow.c (the life), flow_client.c (the handshake
 * with the client of an endpoint that terminates), flow_header.c (what an upstream is
 * told of it first) and flow_share.c (the places that a flow takes, and what happens when
 * somebody else needs them).
 */
#ifndef AGENT_FLOW_PRIVATE_H
#define AGENT_FLOW_PRIVATE_H

#include "agent/flow.h"
#include "agent/peer_check.h"
#include "base/address.h"
#include "tunnel/code.h"
#include "tunnel/frame.h"
#include "tunnel/standstill.h"
#include "tunnel/tls_driver.h"

struct agent_session_ref;
struct endpoint;
struct pump;
struct shares_place;
struct upstream_dial;

enum {
	DETAIL_TEXT = 768,
	ALERT_ACCESS_DENIED = 49,
	ALERT_INTERNAL_ERROR = 80,
	ALERT_UNRECOGNIZED_NAME = 112,
	ALERT_NO_APPLICATION_PROTOCOL = 120
};

enum agent_flow_state {
	FLOW_OPENED,
	FLOW_HANDSHAKING,
	FLOW_DIALLING,
	FLOW_JOINED,
	FLOW_LINGERING,
	FLOW_OVER,
	FLOW_STATES
};

/* Needed only until the two sides are joined: joined flows are many, and last. */
struct agent_flow_setup {
	struct frame_open open;
	struct pooled_channel *pooled; /* until its stream is released */
	struct stream *channel;        /* then, until TLS or the pump owns it */
	struct tls *client;            /* terminate: the client's TLS, until the pump owns it */
	struct tls_config *challenge;  /* held: it is to be answered with that; NULL: as always */
	struct shares_place *handshake;
	struct tls_driver driver; /* of the client's TLS: the handshake, then the linger */
	struct peer_check client_check;
	struct upstream_dial *dial;
	uint32_t tried;           /* of the upstream's targets, a bit each */
	uint64_t dial_until_ms;   /* for all of them */
	char detail[DETAIL_TEXT]; /* a sentence about the failure */
};

struct agent_flow {
	LIST_ENTRY(agent_flow) link;
	const struct agent_flow_context *context;
	struct agent_flow_setup *setup; /* NULL: joined */
	uint8_t id[FLOW_ID_BYTES];
	struct ip_address address; /* the client's, as the relay says */
	int32_t ready_ms;          /* from `open` to the join; -1 before */
	uint8_t state;             /* enum agent_flow_state */
	uint8_t carrier;           /* as the relay says */
	bool is_resumed;           /* the client came back by a ticket */
	uint8_t target;            /* of the upstream: the last one that was dialled */
	bool is_counted;           /* there */
	struct endpoint *endpoint; /* held; NULL if the relay named one that does not exist */
	struct agent_session_ref *ref;
	struct pump *pump;
	struct shares_place *place;
	struct standstill standstill;
	struct identity *identity; /* of the client's certificate */
	const char *version;       /* of the client's TLS */
	const char *reason;        /* why it ended, a stable word */
	uint64_t opened_at_ms;
	uint64_t admitted_by; /* the rules on clients, client_rules_id(); 0: none */
	struct task reap;
	char server_name[];
};

/* While the client's TLS is not the pump's yet; NULL: it is, or there is none. */
static inline struct tls *
agent_flow_client_tls(const struct agent_flow *flow)
{
	return flow->setup ? flow->setup->client : NULL;
}

/* ---- flow.c ---- */

void agent_flow_move(struct agent_flow *, enum agent_flow_state);
const char *agent_flow_state_name(const struct agent_flow *);
/* Where it went, or was to go; NULL: it has no endpoint. */
const char *agent_flow_upstream(const struct agent_flow *);
/* Over, at the end of the turn, before which an answer of the upstream may be on its way; the first
 * reason counts. */
void agent_flow_end(struct agent_flow *, const char *reason, const char *detail);
/* Ends a flow whose client can still be told why: with an alert (0: TLS has sent its own), then a
 * lingering close. */
void agent_flow_refuse_client(
    struct agent_flow *, unsigned alert, const char *reason, const char *detail);
/* Tells the relay; the flow is over when the channel is closed. */
void agent_flow_fail(struct agent_flow *, enum code, const char *sentence, const char *detail);
/* The same with a reason of its own in the log. */
void agent_flow_fail_as(struct agent_flow *, enum code, const char *reason, const char *sentence);
/* Answers `ready`; the channel becomes the stream of the client's bytes. False: it is lost. */
bool agent_flow_release_channel(struct agent_flow *);
void agent_flow_dial(struct agent_flow *);
/* The client's address is the relay's word, so relays have their turns before clients have. */
struct heavy_party agent_flow_party(const struct agent_flow *);

/* ---- flow_header.c ---- */

struct agent_flow_header {
	uint8_t *data; /* the caller's to free; NULL: the upstream wants none */
	size_t bytes;
};
/* What its upstream is told of it, once all is known.  False: more than the upstream takes, or memory
 * is short, and the flow is being ended. */
bool agent_flow_make_header(struct agent_flow *, struct agent_flow_header *);

/* ---- flow_client.c ---- */

/* Until agent_flow_dial(), or an end. */
void agent_flow_start_handshake(struct agent_flow *);
/* Why a client with a good certificate stays outside. */
extern const char agent_flow_denied[];
enum { DENIAL_TEXT = 384 };
/* Whether the rules that are in force now let its client in; false with a sentence. */
bool agent_flow_is_admitted(struct agent_flow *, char sentence[DENIAL_TEXT]);
/* The same before the upstream is dialled; false: its client is being told. */
bool agent_flow_admit(struct agent_flow *);
/* The CAs and CRLs that are in force now; they may have changed since the flow was opened. */
struct trust *agent_flow_client_trust(const struct agent_flow *);

/* ---- flow_metrics.c ---- */

/* Each is called once where the thing happens; without metrics in the flow's context they do nothing. */
void agent_flow_count_begun(const struct agent_flow *);
void agent_flow_count_shaken(const struct agent_flow *);
void agent_flow_count_joined(const struct agent_flow *);
void agent_flow_count_closed(const struct agent_flow *);

/* ---- flow_share.c ---- */

/* Why the flow ends, where it is for another's sake. */
extern const char agent_flow_displaced[];
/* A place among all flows.  False: there is none, and the relay is told. */
bool agent_flow_take_place(struct agent_flow *);
/* And one among the handshakes.  False: memory is short. */
bool agent_flow_take_handshake(struct agent_flow *);

#endif
