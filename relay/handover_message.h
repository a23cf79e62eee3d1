/*
 * What a relay and the one that takes over from it say to each other, over a socket of whole
 * messages (base/pass.h) that the older one makes and the newer one gets in answer to its question at the
 * admin socket.  One message each, with one descriptor at most:
 *
 *	older				newer
 *	LOCK + descriptor		the lock of state_dir and of the admin socket
 *	ADMIN + descriptor		the admin socket
 *	LISTENER + descriptor		each listening socket
 *	ALL				that was everything
 *					READY: it can take connections
 *	CONN + descriptor		an agent's or a client's, with what has been read of it
 *	ACCEPT				every agent has moved, or time is up
 *					ACCEPTING: what comes from now on is its own
 *	CONN + descriptor		as long as the older one lives
 *
 * CANCEL from the older one ends it as long as it has not heard ACCEPTING, which the newer one then cannot
 * say any more, and so it never accepts.  The end of the socket ends it, too: the newer one accepts
 * only when the older process itself has ended, since the older one may have closed it for lack of room for
 * the word CANCEL.
 * A byte says which it is; only CONN has more.  Pure functions: no socket, no allocation.
 */
#ifndef RELAY_HANDOVER_MESSAGE_H
#define RELAY_HANDOVER_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/address.h"
#include "tunnel/frame.h"

enum {
	HANDOVER_VERSION = 1, /* of all this; told with the question and with its answer */
	HANDOVER_HEAD =
	    3 * 129 + 16, /* of a CONN, at most: three addresses as texts, and numbers */
	HANDOVER_BYTES = HANDOVER_HEAD + HELLO_BYTES_MOST + 16384, /* of any message */
};

enum handover_kind {
	HANDOVER_LOCK = 1,
	HANDOVER_ADMIN = 2,
	HANDOVER_LISTENER = 3,
	HANDOVER_ALL = 4,
	HANDOVER_READY = 5,
	HANDOVER_CONN = 6,
	HANDOVER_ACCEPT = 7,
	HANDOVER_ACCEPTING = 8,
	HANDOVER_CANCEL = 9,
	HANDOVER_KINDS
};

/* A connection whose hello is whole (relay/conn.h). */
struct handover_conn {
	struct address client, listener; /* it came in by */
	struct address told;             /* bytes 0: none */
	uint64_t accepted_us;            /* of the clock that both processes have */
	bool is_counted;
	const uint8_t *wire; /* borrowed */
	size_t wire_bytes;
};

/* The front of a CONN, behind which its wire bytes follow; 0: it does not fit. */
size_t handover_encode_conn(uint8_t out[HANDOVER_HEAD], const struct handover_conn *);
/* 0: it is none. */
enum handover_kind handover_decode(const void *data, size_t bytes, struct handover_conn *);

#endif
