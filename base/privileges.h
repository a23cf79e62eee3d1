/*
 * Capabilities (capabilities(7)): what the start of a daemon may need, a port below 1024 say, and nothing
 * after it does.
 */
#ifndef BASE_PRIVILEGES_H
#define BASE_PRIVILEGES_H

#include <stdbool.h>

/* Gives up all capabilities of this thread for good, the bounding and the ambient set included, and
 * forbids that a program it might execute has more rights than it has itself (PR_SET_NO_NEW_PRIVS).
 * Root is then a user like any other.  Called while there are no other threads: they would keep theirs.
 * False with errno. */
bool privileges_drop(void);

/* Whether this thread has any capability. */
bool privileges_any(void);

#endif
