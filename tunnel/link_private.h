/*
 * What the files of link.h share: link.c (life and what the owner asks for) and
 * link_run.c (what the loop calls for).
 */
#ifndef TUNNEL_LINK_PRIVATE_H
#define TUNNEL_LINK_PRIVATE_H

#include "tunnel/buffer.h"
#include "tunnel/link.h"

enum link_state { LINK_SHAKING, LINK_UP, LINK_CLOSING, LINK_BROKEN, LINK_ENDED, LINK_STATES };

struct link {
	struct loop *loop;
	struct tls *tls;
	struct watch watch;
	struct timer timer;
	struct task task;
	enum link_state state;
	bool is_freed, is_paused, write_failed;
	bool has_moved;		/* whole frames may stand in `kept` */
	void (*on_event)(void *arg, enum link_event);
	void *arg;
	const struct frame *frame;
	struct buffer kept;	/* read, not yet a frame */
	struct buffer raw;	/* room: how much is expected */
	struct buffer queue;
	const char *error;
};

/* The only writer of ->state; sets and clears the state's deadline. */
void link_move(struct link *, enum link_state);
/* What the loop calls. */
void link_on_ready(void *link, unsigned ready);
void link_on_task(void *link);
void link_on_time(void *link);
/* Ends the call at hand, if there is one, before it touches the link again, and stops all
 * others. */
void link_leave(struct link *);
/* What the call at hand has read beyond its frame goes where the next reader finds it. False:
 * memory. */
bool link_keep_rest(struct link *);

#endif
