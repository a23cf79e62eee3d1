/*
 * The newer relay's side of a takeover (relay/handover_message.h): it asks the running one at its admin
 * socket for the listening sockets, the lock and the admin socket, becomes ready, and gets connections
 * passed until it accepts itself.
 *
 *	takeover_ask (waits) --> takeover_lock, takeover_listener ... --> takeover_follow
 *	--> takeover_ready --> TAKEOVER_CONN ... --> TAKEOVER_ACCEPT --> takeover_accepting
 *	--> TAKEOVER_CONN ... --> TAKEOVER_OVER
 *
 * Only the same user or root is believed, on both sides (SO_PEERCRED).  What comes is judged: a listening
 * socket must be of the configuration, or it is closed and told.  As long as it has not said
 * takeover_accepting() it may end at any moment, and the older one goes on.
 */
#ifndef RELAY_TAKEOVER_H
#define RELAY_TAKEOVER_H

#include <stdbool.h>
#include "base/address.h"
#include "base/loop.h"
#include "relay/handover_message.h"

struct takeover;

enum { TAKEOVER_ERROR = 512 };

enum takeover_event {
	TAKEOVER_CONN,      /* passed: take it with takeover_take_conn() */
	TAKEOVER_ACCEPT,    /* accept from now on, and say so with takeover_accepting() */
	TAKEOVER_CANCELLED, /* by the older one, which goes on as before */
	TAKEOVER_OVER, /* the older one has ended; before TAKEOVER_ACCEPT its process has died */
};

/* EX_OK with NULL: no relay runs there.  EX_OK: all has come.  Else the exit code with a sentence.  It waits
 * for some seconds at most. */
int takeover_ask(struct takeover **, const char *admin_path, char error[TAKEOVER_ERROR]);
/* NULL is fine. */
void takeover_free(struct takeover *);

/* Of the older process; 0: that cannot be told. */
long takeover_pid(const struct takeover *);
/* Each is given to the caller, once; -1: there is none (any more). */
int takeover_lock(struct takeover *);
int takeover_admin(struct takeover *);
/* The next one that listens at this address.  NULL has none. */
int takeover_listener(struct takeover *, const struct address *);
/* Closes the listening sockets that nobody wanted, and tells the log of each. */
void takeover_close_others(struct takeover *);

/* From now on it is heard in the loop.  on_event may not free the takeover. */
void takeover_follow(
    struct takeover *, struct loop *, void (*on_event)(void *arg, enum takeover_event), void *arg);
/* During TAKEOVER_CONN: what was passed, borrowed, and its descriptor, which is the caller's. */
int takeover_take_conn(struct takeover *, struct handover_conn *);
bool takeover_ready(struct takeover *);
/* Before anything is accepted.  False: the older one has cancelled or ended, which is told next. */
bool takeover_accepting(struct takeover *);

#endif
