/*
 * The HTTPS server of `valise-pki serve`: libmicrohttpd on GnuTLS, driven by a loop of ours.
 * It knows nothing of EST: whole requests go to one function, which answers at once or later,
 * each request once.
 *
 *	server = http_server_new(&options)
 *	http_server_set_credentials(...)         again whenever they change
 *	http_server_listen(server, fd)           for each socket
 *	on_request(request) ... http_answer(request, status, page)
 *	http_server_stop(server); http_server_free(server)
 *
 * TLS 1.3, or 1.2 for EST clients that know no more.  Every client is asked for a certificate,
 * and need not have one; possession of its key is proven by the handshake, and nothing else is
 * judged here.  No resumption and no renegotiation: what was proven holds for one connection.
 *
 * Shared by:  all clients.
 * Bound:      `connections` of them, a few dozen KiB each; a body of HTTP_BODY_MOST; of what is
 *             longer, HTTP_REST_MOST is read and dropped, so that the client can read the 413.
 * Who leaves: who has not sent a whole request within 30 s.  When all places are taken, while newcomers
 *             wait in the kernel: who has been here for 5 s and is not being answered.  Any connection
 *             ends after 5 minutes.
 */
#ifndef PKI_TOOL_HTTP_SERVER_H
#define PKI_TOOL_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/loop.h"
#include "base/secret.h"
#include "pki/der.h"

enum { HTTP_BODY_MOST = 32 * 1024, HTTP_REST_MOST = 256 * 1024, HTTP_CHAIN_MOST = 8 };

struct http_server;
struct http_request;
struct http_page;

struct http_options {
	struct loop *loop;
	size_t connections; /* at once */
	void (*on_request)(void *arg, struct http_request *);
	void *arg;
};

/* One in a process, since GnuTLS' callback for certificates has no argument.  NULL when the library
 * refuses. */
struct http_server *http_server_new(const struct http_options *);
/* What clients that come from now on are shown: the chain, leaf first, and its key by a URL of
 * keys/key_url.h. False if they cannot be used. */
bool http_server_set_credentials(
    struct http_server *, const struct der *chain, size_t count, const struct secret *key_url);
/* Adopts a listening socket.  False when memory is short. */
bool http_server_listen(struct http_server *, int fd);
/* Lets nobody in any more; how many requests are without an answer. */
void http_server_stop(struct http_server *);
size_t http_server_unanswered(const struct http_server *);
/* Requests without an answer are cut off; nobody may answer them afterwards. */
void http_server_free(struct http_server *);

/* ---- a request, until it is answered ---- */

/* "GET", "POST"; HEAD is told as GET. */
const char *http_request_method(const struct http_request *);
/* Decoded, without the query. */
const char *http_request_path(const struct http_request *);
/* NULL: it has none. */
const char *http_request_header(const struct http_request *, const char *name);
struct der http_request_body(const struct http_request *);
const struct address *http_request_client(const struct http_request *);
/* The certificates that the client has shown, leaf first; 0 without any. */
size_t http_request_chain(const struct http_request *, struct der chain[HTTP_CHAIN_MOST]);
/* Whether who shows a certificate in this connection is who speaks in it: TLS 1.3, or the extended
 * master secret of RFC 7627. */
bool http_request_is_bound(const struct http_request *);

/* ---- answers ---- */

/* What is sent, by any number of answers.  Counted: whoever made it releases it once. NULL when memory
 * is short. */
struct http_page *http_page_new(const char *type, const void *data, size_t bytes);
/* One more header; false when memory is short. */
bool http_page_add(struct http_page *, const char *name, const char *value);
struct http_page *http_page_hold(struct http_page *);
void http_page_release(struct http_page *);

/* Borrows the page; without one (memory is short) the connection is closed.  The request may be gone
 * when this returns. */
void http_answer(struct http_request *, unsigned status, struct http_page *);

#endif
