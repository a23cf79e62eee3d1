/*
 * Of which sockets of one loop the kernel takes 2 MiB more than their readers have been
 * sent (base/socket.h), because these have shown how fast they are.  One who stops then
 * leaves that much with the kernel, where others leave 128 KiB; so there are few.
 *
 *	ahead_begin() --> ahead_end() (he is not fast any more) --> ahead_leave() (closed)
 *
 * Shared by:     all joined flows of one loop that splice; everything belongs to its thread.
 * Bound:         as many as there are pipes (pipes.h), of the process and of one loop.
 * Who leaves:    a socket that has 128 KiB or less to be sent, whose place the next one takes.
 *                Nobody who has more, since what the kernel has taken it does not give back;
 *                who finds no place goes on as before, and his bytes cost up to a fifth more time.
 */
#ifndef TUNNEL_AHEAD_H
#define TUNNEL_AHEAD_H

#include "tunnel/pipes.h"

struct ahead {
	int fds[PIPES_OF_PROCESS];
	unsigned count;
};

/* {0} is empty.  At most `most` have places, PIPES_OF_PROCESS or less. */
void ahead_begin(struct ahead *, unsigned most, int fd);
/* This and the next do nothing to a socket that has no place.  It keeps its place. */
void ahead_end(struct ahead *, int fd);
void ahead_leave(struct ahead *, int fd);

#endif
