/*
 * A session as its channels see it: where to dial, with which key, and how many.  It is
 * made after the welcome, counted, shared by the workers, and immutable but for
 * what is atomic, the pool, which has a lock, or the main thread's own.  Each channel and each flow holds
 * one, and with it the identity of the relay, which is judged again when CAs or
 * CRLs change.
 */
#ifndef AGENT_SESSION_REF_H
#define AGENT_SESSION_REF_H

#include <stdatomic.h>
#include <stdbool.h>

#include "agent/channel_pool.h"
#include "base/loop.h"
#include "base/secret.h"
#include "tunnel/session.h"

struct egress;
struct relay_session;
struct identity;

struct agent_session_ref {
	_Atomic unsigned references;
	_Atomic bool is_over; /* the session is: no new channel is dialled */
	char *target;         /* that of the session: a name may have addresses of several relays */
	char *server_name;    /* for SNI */
	struct egress *egress;  /* held; NULL: the target is dialled as any other */
	char relay[SHORT_TEXT]; /* the name that the relay gives itself */
	char identity[CHANNEL_IDENTITY];
	struct secret key;
	unsigned version; /* of the protocol */
	uint8_t owner;    /* the relay's number among those of this agent, for base/shares.h */
	struct tls_config *tls;
	struct identity *peer; /* the relay's */
	struct channel_pool pool;
	/* Called in the main thread, by a worker: the pool wants more than one for one, or there is a
	 * pause to be waited for. */
	void (*on_wanted)(struct agent_session_ref *);
	struct call wanted;
	_Atomic bool is_called;
	struct relay_session *relay_session; /* main thread only; NULL once the session is over */
};

/* With an empty pool, for channel_pool_init(). NULL when memory is short or the session gives no key. */
struct agent_session_ref *agent_session_ref_new(const char *target, const char *server_name,
    const struct frame_welcome *, struct session *, struct tls_config *channel,
    struct identity *peer);
struct agent_session_ref *agent_session_ref_hold(struct agent_session_ref *);
void agent_session_ref_release(struct agent_session_ref *);

#endif
