/*
 * HTTP CONNECT (RFC 9110, 9.3.6): the request by which a proxy is asked to carry bytes, and the head of its
 * answer.  Pure: no socket, no allocation.
 *
 * Behind the head of a 2xx the bytes are the target's, whatever Content-Length or Transfer-Encoding say.
 */
#ifndef BASE_HTTP_CONNECT_H
#define BASE_HTTP_CONNECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"

enum {
	HTTP_CONNECT_REQUEST = 4096, /* no request is longer, whoever its user is */
	HTTP_CONNECT_REASON = 80,
	HTTP_CONNECT_SCHEMES = 64,
};

/* target: "host:port".  username NULL: none is told.  The length; `out` holds a secret then, and is the
 * caller's to wipe.  0: it does not fit. */
size_t http_connect_encode(uint8_t out[HTTP_CONNECT_REQUEST], const char *target,
    const char *username, const struct secret *password);

enum http_connect_verdict {
	HTTP_CONNECT_INCOMPLETE,
	HTTP_CONNECT_COMPLETE,
	HTTP_CONNECT_MALFORMED
};

struct http_connect_answer {
	size_t head_bytes;                  /* with the empty line */
	unsigned status;                    /* 100 to 599 */
	char reason[HTTP_CONNECT_REASON];   /* printable; cut where it is longer */
	char schemes[HTTP_CONNECT_SCHEMES]; /* of Proxy-Authenticate: "Basic, NTLM" */
	bool offers_basic;
	const char *fault; /* of a malformed one: the rest of a sentence; else NULL */
};

/* More bytes never change a verdict but INCOMPLETE.  The caller bounds what it waits for. */
enum http_connect_verdict http_connect_decode(
    const uint8_t *data, size_t bytes, struct http_connect_answer *);

#endif
