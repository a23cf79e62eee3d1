/*
 * libmicrohttpd in a loop of ours: its epoll descriptor is watched, and its deadlines are a timer.
 * The daemon is made with MHD_USE_EPOLL, MHD_USE_NO_LISTEN_SOCKET and MHD_ALLOW_SUSPEND_RESUME;
 * who has accepted a connection gives it with MHD_add_connection().
 *
 *	http_turns_begin(&turns, loop, daemon)
 *	MHD_add_connection(), MHD_resume_connection() ... http_turns_soon(&turns)
 *	http_turns_end(&turns)		no connection may be suspended any more
 *
 * Belongs to the loop's thread.
 */
#ifndef BASE_HTTP_TURNS_H
#define BASE_HTTP_TURNS_H

#include <microhttpd.h>
#include <stdbool.h>
#include "base/loop.h"

struct http_turns {
	struct loop *loop;
	struct MHD_Daemon *daemon; /* borrowed until the end, which stops it */
	struct watch watch;
	struct timer deadline;
	struct task run;
	size_t idle_turns; /* of the library, since something has happened */
};

/* False: the library has no epoll descriptor; nothing has begun, and the daemon is the caller's. */
bool http_turns_begin(struct http_turns *, struct loop *, struct MHD_Daemon *);
/* Something was done to the daemon: it has a turn at the end of this one of the loop. */
void http_turns_soon(struct http_turns *);
/* Stops the daemon, which closes its connections and tells of their ends.  Harmless on {0}. */
void http_turns_end(struct http_turns *);

#endif
