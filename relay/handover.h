/*
 * The older relay's side of a takeover (relay/handover_message.h): a newer process has asked for
 * the listening sockets, and gets them, while this one goes on accepting.
 *
 *	idle --> asked (READY is awaited) --> passing (agents move; ACCEPTING is awaited) --> given
 *	  ^-------'-------------------------------'
 *
 * From passing on a connection for which nobody here is right goes to the newer one, as a descriptor with
 * what was read of it: agents' sessions, channels of sessions that are not here, and clients whose agent
 * is not here (any more).  So each agent may move when it likes, and no client notices.
 *
 * If the newer one fails before it accepts, all is as it was before, and so it is if it is cancelled, which
 * never leaves two that accept: whether the newer one's word came first is decided by the kernel.
 *
 * Shared by:     the connections of all threads that are on their way to the newer one.
 * Bound:         what the kernel keeps for the socket, 1 MiB if it lets us.
 * Who leaves:    nobody: one that finds it full is not passed, and all is as if there were no newer one.
 *
 * Everything but handover_is_on() and handover_send() belongs to the main thread.
 */
#ifndef RELAY_HANDOVER_H
#define RELAY_HANDOVER_H

#include <stdbool.h>
#include "base/loop.h"
#include "relay/handover_message.h"

struct conn;
struct handover;

enum handover_event {
	HANDOVER_IS_READY, /* the newer one: connections may be passed, agents told to move */
	HANDOVER_IS_DONE,  /* it accepts; nothing is to be accepted or written here any more */
	HANDOVER_FAILED,   /* it is gone before that: nothing has changed */
};

/* NULL when memory is short. */
struct handover *handover_new(void);
void handover_free(struct handover *);

/*
 * Begins one.  *theirs is the socket for the newer process, the caller's to pass and to close.  on_event
 * is called in the loop; after HANDOVER_FAILED another one may begin.  False: one is under way, or the
 * system refuses.
 */
bool handover_begin(struct handover *, struct loop *, int *theirs,
    void (*on_event)(void *arg, enum handover_event), void *arg);
/* Passes this descriptor, which stays the caller's (-1: none).  False: the newer one is gone, or does not
 * read. */
bool handover_tell(struct handover *, enum handover_kind, int fd);
/*
 * Ends it, and tells the newer one why; without HANDOVER_FAILED.  A newer one that says HANDOVER_ACCEPTING
 * later finds that it cannot, and does not accept.  False: it has said so before, and HANDOVER_IS_DONE
 * comes (during the call).
 */
bool handover_cancel(struct handover *);
/* Stops to look for the newer one, before the loop goes. */
void handover_stop(struct handover *);

/* From any thread: whether there is a newer one that takes connections.  NULL has none. */
bool handover_is_on(const struct handover *);
/*
 * From any thread: passes the connection, whose hello is whole.  False: there is nobody, or he does not
 * take it at the moment, and all is as before.  Otherwise nothing may be read of it or written to it any
 * more, and once its watch is out of the loop or handed on, handover_let_go() is called.
 */
bool handover_send(struct handover *, const struct conn *);
/* In the connection's own loop: closes our descriptor when the kernel watches it no more, and frees. */
void handover_let_go(struct loop *, struct conn *);

#endif
