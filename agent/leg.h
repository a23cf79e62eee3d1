/*
 * A session as its channels see it: where to dial, with which key.  Made after
 * the welcome, counted, shared by the workers, and immutable but for what is
 * the main thread's.  A channel and the flow on it hold one, and with it the
 * identity of the relay, which is judged again when CAs or CRLs change.
 */
#ifndef AGENT_LEG_H
#define AGENT_LEG_H

#include <stdatomic.h>

#include "base/secret.h"
#include "tunnel/session.h"

struct contact;
struct identity;

struct leg {
	_Atomic unsigned references;
	char *target;			/* host:port */
	char *server_name;		/* what is asked for by SNI */
	char relay[SHORT_TEXT];		/* what it calls itself */
	char identity[CHANNEL_IDENTITY];
	struct secret key;
	struct tls_config *tls;
	struct identity *peer;		/* the relay */
	struct contact *contact;	/* main thread only; NULL once the session is over */
};

/* NULL when memory is short or the session gives no key. */
struct leg *leg_new(const char *target, const char *server_name, const struct frame_welcome *,
    struct session *, struct tls_config *channel, struct identity *peer);
struct leg *leg_hold(struct leg *);
void leg_release(struct leg *);

#endif
