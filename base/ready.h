/*
 * What the service manager is told, and what it gives us: sd_notify(3), sd_listen_fds(3).  Where there
 * is no manager, nothing is told and there are no sockets.  Both protocols are a few lines, and libsystemd
 * would bring six more libraries into every program.
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
/* Gives the manager a copy of a listening socket to keep (sd_pid_notify_with_fds(3), FDSTORE=1), so
 * that the next process of this service gets it by ready_listener(), whatever becomes of this one.
 * Not of one that came from a socket unit, which keeps it anyway.  Where the manager keeps none,
 * nothing happens. */
void ready_store(int fd);
/* The manager keeps none of them any more. */
void ready_store_forget(void);
#define READY_STORED "listener" /* what they are called there */
/* Takes an exclusive lock on the file, whose descriptor stays open for the life of the process.
 * False with a sentence in `error` (512 bytes) and the holder's pid (-1: it cannot be told) when another
 * instance has it, 0 when the file cannot be had.  A child that goes on after fork(2) holds it, too. */
bool ready_lock(const char *path, long *holder_pid, char *error);
/* Who has that lock, as above; 0: nobody, or the file cannot be read.  Takes nothing. */
long ready_lock_holder(const char *path);
/* Borrowed: of the lock that was taken last; -1: none.  Another process that gets it has the lock as well. */
int ready_lock_descriptor(void);
/* Takes fd, of the process that had the lock on this file.  False: it is not that. */
bool ready_lock_adopt(int fd, const char *path);
/* It is another process's from now on, without a moment in which it is nobody's. */
void ready_lock_forget(void);

#endif
