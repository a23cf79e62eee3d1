/*
 * What a daemon and the process that fetches for it say to each other, over one socket of whole
 * messages:
 *
 *	number u64, FETCH_ORDERED	to the process: an order is in the file that comes along (parcel.h)
 *	number u64, FETCH_KEY		the way to the key of that order, before it
 *	number u64, FETCH_CANCELLED
 *	number u64			to the daemon: the answer is in the file
 *
 * Texts are u32, the octets and a NUL, the length of which counts it; 0 is NULL.  Octets are u32
 * and so many. The process reads what servers send, so that the daemon believes none of it; and the
 * process believes no order, beyond asking for what it is told.  The functions are pure; what is
 * decoded borrows from the message.
 */
#ifndef BASE_FETCH_MESSAGE_H
#define BASE_FETCH_MESSAGE_H

#include "base/cursor.h"
#include "base/fetch.h"

enum fetch_word { FETCH_ORDERED = 1, FETCH_KEY, FETCH_CANCELLED };

enum {
	FETCH_MESSAGE = 9, /* octets of a message */
	FETCH_ORDER_BYTES = 16 << 20,
	FETCH_ERROR = 1024,
	FETCH_CHAIN = 512 << 10, /* of what a server presents; more of it is not read */
	FETCH_ANSWER_REST = FETCH_HEADERS + FETCH_CHAIN + 8192, /* of an answer, beside its body */
	FETCH_HEADERS_GIVEN = 16,
};

struct fetch_order {
	struct fetch_request request;                        /* without its proxy */
	const char *proxy_url, *proxy_user, *proxy_password; /* NULL: no proxy */
	const char *proxy_cas;                               /* PEM; NULL: the system's */
	/* Whom a connection is made to: the URL's host, the proxy, or whom to dial. */
	const char *contact_host;
	uint16_t contact_port;
	const char *addresses; /* of that host: "192.0.2.1,[2001:db8::1]"; NULL: it is an address */
	/* What the request's point at, where it was decoded. */
	const char *headers[FETCH_HEADERS_GIVEN + 1];
};

/* Bytes that grow, and are wiped in the end; {0}. */
struct fetch_buffer {
	char *data; /* a NUL is behind what is in it; NULL: nothing was ever */
	size_t bytes, room;
};

/* False when memory is short. */
bool fetch_buffer_append(struct fetch_buffer *, const void *data, size_t bytes);
void fetch_buffer_wipe(struct fetch_buffer *);

/* All but the addresses and the time, which are appended when they are known.  False when memory is short. */
bool fetch_order_encode(struct fetch_buffer *, const struct fetch_order *);
bool fetch_order_finish(struct fetch_buffer *, const char *addresses, uint64_t left_ms);
/* The request's deadline_ms is what is left. */
bool fetch_order_decode(struct cursor, struct fetch_order *out);

/* `header_bytes`: those of its headers, the last NUL not counted. */
bool fetch_answer_encode(struct fetch_buffer *, const struct fetch_answer *, size_t header_bytes);
bool fetch_answer_decode(struct cursor, struct fetch_answer *out);

/* A sentence that begins with the URL, in which no octet would hurt a terminal. */
void fetch_sentence(char out[FETCH_ERROR], const char *url, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
