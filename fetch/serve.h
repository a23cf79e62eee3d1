/*
 * Serves the daemon at the other end of `way` (fetch_message.h): takes orders, has libcurl carry
 * them out beside each other in one thread, and sends what comes.
 *
 * Shared by:     what the daemon fetches.
 * Bound:         FETCH_MOST orders at a time, and one way to a key, the newest.
 * Who leaves:    nobody; what is more than that is thrown away, and the daemon never asks for more.  An older
 *                order that still needs its key is unreachable then, and is tried again.
 */
#ifndef FETCH_SERVE_H
#define FETCH_SERVE_H

/* Until the daemon has gone, or nothing was to be done for half a minute: 0.  Else an exit code. */
int serve(int way);

#endif
