/*
 * What the service manager is told, and what it gives us: sd_notify(3), sd_listen_fds(3).  Where there
 * is no manager, nothing is told and there are no sockets.
 */
#ifndef BASE_READY_H
#define BASE_READY_H

#include <stdbool.h>
#include "base/address.h"

/* state: "READY=1", "RELOADING=1", "STOPPING=1"; status is for people.
 * Never waits for longer than 100 ms, and then what it says is lost. */
void ready_tell(const char *state, const char *status);
/* A listening socket that the manager passed for this address (sd_listen_fds), or -1.  Each socket is given
 * out once. */
int ready_listener(const struct address *);
/* Takes an exclusive lock on the file, whose descriptor stays open for the life of the process.
 * False with a sentence in `error` (512 bytes) and the holder's pid when another instance has it,
 * 0 when the file cannot be had. */
bool ready_lock(const char *path, long *holder_pid, char *error);

#endif
