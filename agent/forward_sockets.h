/*
 * The listening sockets of forwards: opened at the start, while there are no threads and capabilities have
 * not been given up, and one by one at reloads.
 */
#ifndef AGENT_FORWARD_SOCKETS_H
#define AGENT_FORWARD_SOCKETS_H

#include <stdbool.h>

#include "agent/settings.h"

enum { FORWARD_SOCKETS_ERROR = 1024 };

struct forward_sockets;

/* Those of all forwards.  NULL with a sentence. */
struct forward_sockets *forward_sockets_open(
    const struct agent_settings *, char error[FORWARD_SOCKETS_ERROR]);
/* The one that listens at this address is the caller's, once.  -1: there is none (any more).  NULL has
 * none. */
int forward_sockets_take(struct forward_sockets *, const struct address *, bool *owns_file);
/* Closes those that nobody took.  NULL is fine. */
void forward_sockets_free(struct forward_sockets *);

/* With the service manager's socket, if it has passed one; else *owns_file, and a local one is removed
 * with its socket.  -1 with a sentence. */
int forward_sockets_listen(
    const struct forward_settings *, bool *owns_file, char error[FORWARD_SOCKETS_ERROR]);
/* -1 is fine. */
void forward_sockets_close(int fd, bool owns_file, const struct address *);

#endif
