/*
 * How PostgreSQL's clients and servers come to speak TLS (its documentation, "Message
 * Flow", "SSL Session Encryption"; the same words since version 3.0 of the protocol).
 * Pure functions.
 *
 *	client: 00000008 04d2162f  SSLRequest       server: S, then TLS; or N, and no TLS
 *	client: 00000008 04d21630  GSSENCRequest    server: N, and the client may ask for TLS
 *	client: 00000010 04d2162e  CancelRequest    carries no name, nothing is answered
 *	client: length   00030000  StartupMessage   a client that will not do TLS
 *
 * What comes behind a request and in front of its answer can be anybody's, and so can what comes behind
 * an S: neither side may go on then (CVE-2021-23214, CVE-2021-23222).
 */
#ifndef BASE_POSTGRES_H
#define BASE_POSTGRES_H

#include <stddef.h>
#include <stdint.h>

enum { POSTGRES_REQUEST_BYTES = 8 }; /* of the two that are answered */

enum postgres_request {
	POSTGRES_INCOMPLETE,
	POSTGRES_SSL,
	POSTGRES_GSSENC,
	POSTGRES_CANCEL,
	POSTGRES_PLAIN,
	POSTGRES_NONE, /* something else: a ClientHello, perhaps */
};

/* Of what has come so far; more bytes never change an answer but INCOMPLETE. */
enum postgres_request postgres_request_read(const uint8_t *wire, size_t bytes);

/* What a client sends. */
extern const uint8_t postgres_ssl_request[POSTGRES_REQUEST_BYTES];
/* NULL when these bytes are the server's yes; else a sentence.  None: it has closed. */
const char *postgres_answer_error(const uint8_t *answer, size_t bytes);

#endif
