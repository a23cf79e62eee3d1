/*
 * Bytes of any length from one process of ours to another: a message with a head, and with it a
 * file without a name that holds the rest.
 *
 * Nobody believes a file that comes from elsewhere: it is read once, into memory of one's own, if
 * it is one that cannot keep its reader waiting and is not too long.  It is overwritten then.
 */
#ifndef BASE_PARCEL_H
#define BASE_PARCEL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/secret.h"

/* Never waits.  False with errno; EAGAIN: the other side is behind. */
bool parcel_send(int socket, const void *head, size_t head_bytes, const void *data, size_t bytes);
/* Adopts a descriptor of pass_receive().  A NUL is put behind the bytes.  False when it is no
 * such file, or longer, or memory is short. */
bool parcel_read(int fd, size_t most, struct secret *out);

#endif
