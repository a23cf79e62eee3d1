/*
 * Descriptors that go from one process to another over a local socket (SCM_RIGHTS, unix(7)), one a
 * message, and who is at the other end of it.
 */
#ifndef BASE_PASS_H
#define BASE_PASS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

/* One message, and with it a copy of the descriptor, which stays the caller's (-1: none).  What send(2)
 * gives; it never waits. */
ssize_t pass_send(int socket, const void *data, size_t bytes, int fd);
/* The same, but it waits as the socket does (SO_SNDTIMEO). */
ssize_t pass_send_patiently(int socket, const void *data, size_t bytes, int fd);
/* As the first, of several parts, all or nothing; false with errno. */
bool pass_send_parts(int socket, struct iovec *parts, size_t count, int fd);
/* What recv(2) gives; *fd is the caller's then, close-on-exec, or -1.  A message that does not fit, and one
 * with more descriptors than one, is -1 with EMSGSIZE, and nothing of it stays open. */
ssize_t pass_receive(int socket, void *data, size_t bytes, int *fd);
/* A pair of sockets of whole messages, for one process each; close-on-exec, and they never wait.  False with
 * errno. */
bool pass_pair(int pair[2]);

/* Who was there when the connection was made: for the side that connected, the one that had begun to
 * listen.  False when the kernel does not say. */
bool pass_peer(int socket, struct ucred *);
/* Whether that is root, or the user that we run as. */
bool pass_is_ours(const struct ucred *);
/* Whether he was in this group when the connection was made, as his first or as one of his others. */
bool pass_is_in_group(int socket, const struct ucred *, gid_t);

#endif
