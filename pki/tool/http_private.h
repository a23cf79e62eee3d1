/*
 * What the files of http_server.h share: connections, requests, and what clients are shown.
 */
#ifndef PKI_TOOL_HTTP_PRIVATE_H
#define PKI_TOOL_HTTP_PRIVATE_H

#include <gnutls/abstract.h>
#include <microhttpd.h>
#include <sys/queue.h>

#include "pki/tool/http_server.h"

struct http_connection {
	TAILQ_ENTRY(http_connection) link;
	int fd; /* the library's */
	struct address client;
	uint64_t since_ms;
	bool has_asked; /* a whole request has come */
	bool is_cut;
	struct http_credentials *credentials; /* those of its handshake, held; NULL: none */
	struct http_request *request;         /* the one that is under way */
};

TAILQ_HEAD(http_connections, http_connection);

struct http_request {
	struct http_server *server;
	struct http_connection *connection;
	struct MHD_Connection *mhd;
	const char *method; /* the library's, or a constant */
	char *path;
	struct secret body;
	size_t body_room, dropped;
	bool is_too_long;
	bool has_asked, is_suspended, is_answered;
	unsigned status;
	struct http_page *page; /* held */
};

/* ---- http_request.c ---- */

/* How long its header says that the body is; 0: it does not. */
uint64_t http_request_announces(const struct http_request *);
/* Keeps a part of the body, or drops it when that is too long; false: it is far too long, or memory is
 * short. */
bool http_request_take(struct http_request *, const char *data, size_t bytes);
/* 413 */
void http_answer_too_long(struct http_request *);
/* Gives the answer to the library. */
enum MHD_Result http_request_tell(struct http_request *);
void http_request_free(struct http_request *);

/* ---- http_credentials.c ---- */

/* Counted, since a handshake goes on with what it began with. */
struct http_credentials *http_credentials_new(
    const struct der *chain, size_t count, const struct secret *key_url);
struct http_credentials *http_credentials_hold(struct http_credentials *);
void http_credentials_release(struct http_credentials *);
/* GnuTLS asks, in each handshake, for those of the connection. */
int http_credentials_choose(gnutls_session_t, const struct gnutls_cert_retr_st *,
    gnutls_pcert_st **certificates, unsigned *count, gnutls_ocsp_data_st **staples,
    unsigned *staple_count, gnutls_privkey_t *key, unsigned *flags);

#endif
