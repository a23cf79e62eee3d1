/*
 * What the files of flow.h share: flow.c (life), flow_open.c (what the relay's
 * `open` must be), flow_join.c (from the client's handshake to the pump).
 */
#ifndef AGENT_FLOW_PRIVATE_H
#define AGENT_FLOW_PRIVATE_H

#include "agent/endpoint.h"
#include "agent/flow.h"
#include "agent/handshake.h"
#include "agent/lingering.h"
#include "agent/peer_check.h"
#include "agent/upstream_dial.h"
#include "tunnel/code.h"
#include "tunnel/frame.h"
#include "tunnel/pump.h"

enum flow_state {
	FLOW_OPENED,
	FLOW_SHAKING,
	FLOW_REACHING,
	FLOW_JOINED,
	FLOW_LINGERING,
	FLOW_OVER,
	FLOW_STATES
};

enum { FLOW_DETAIL = 768 };

/* Needed only until the two sides are joined; a joined flow is small. */
struct flow_setup {
	struct handshake handshake;
	struct lingering lingering;
	struct peer_check judge;
	struct upstream_dial *dial;
	char detail[FLOW_DETAIL];	/* a sentence about the failure */
};

struct flow {
	LIST_ENTRY(flow) link;
	enum flow_state state;
	const struct flow_context *context;
	struct frame_open open;
	struct endpoint *endpoint;	/* held; NULL if the relay named none of ours */
	struct session_ref *ref;
	struct pooled_channel *pooled;		/* until its stream is released */
	struct stream *sealed;		/* the client's side until a pump or TLS has it */
	struct tls *client; /* terminate: TLS over `sealed`; the pump has it once joined */
	struct flow_setup *setup;
	struct pump *pump;
	struct identity *identity;	/* of the client's certificate */
	const char *version;		/* of the client's TLS */
	const char *reason;		/* why it ended, a stable word */
	uint64_t opened_at_ms, joined_at_ms;
	uint64_t bytes_in, bytes_out;	/* from the client, to it */
	struct task reap;
	void (*on_over)(void *arg, struct flow *);
	void *arg;
};

/* The only writer of ->state. */
void flow_move(struct flow *, enum flow_state);
/* Over, at the end of the turn; the first reason counts. */
void flow_end(struct flow *, const char *reason, const char *detail);

/* CODE_NONE, or why the flow is refused, with a sentence. */
enum code flow_check_open(struct flow *, const uint8_t *hello, char sentence[SENTENCE_TEXT]);

/* From OPENED on. */
void flow_begin(struct flow *);
/* Ends a flow whose client can still be told: the alert, a lingering close. */
void flow_refuse_client(struct flow *, unsigned alert, const char *reason, const char *detail);

#endif
