/*
 * A flow: one client's connection, from the relay's `open` to the close.
 *
 *	passthrough: opened --> reaching (upstream dialled) -----------> joined --> over
 *	terminate:   opened --> shaking (client judged) --> reaching --> joined --> over
 *	                            \-----------------------\--> lingering -------> over
 *	any answer of `fail`: opened --> over
 *
 * In terminate mode the client's handshake is done and its certificate judged
 * before the upstream is dialled, so that a stranger opens no upstream socket.
 * Each flow lives on one worker and ends with one line in the log.
 */
#ifndef AGENT_FLOW_H
#define AGENT_FLOW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/loop.h"

struct pooled_channel;
struct flow;
struct resolver;
struct roster;
LIST_HEAD(flow_list, flow);

enum { FLOW_SHAKE_MS = 10000 };

/* What a flow needs of its worker; `roster` is the one of now. */
struct flow_context {
	struct loop *loop;
	struct resolver *resolver;
	struct roster *roster;
	bool is_draining;
};

/* Takes the pooled, whose channel has just been opened. on_over is called once, never inside this
 * call; the owner then calls flow_free(). The context is borrowed while the flow lives. NULL when
 * memory is short. */
struct flow *flow_new(const struct flow_context *, struct pooled_channel *, struct flow_list *,
    void (*on_over)(void *arg, struct flow *), void *arg);
/* One that is not over yet is reset, and logged as agent-stopped. */
void flow_free(struct flow *);
struct flow *flow_next(struct flow *);

/* Ends it if its client's or its relay's certificate is not good any more by the roster of now. */
void flow_judge_again(struct flow *, int64_t now_s);

#endif
