/*
 * One end of a connection, bare or with TLS by GnuTLS, without blocking.
 */
#ifndef TRANSPORT_H
#define TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct transport {
	int fd;                           /* the caller's */
	struct gnutls_session_int *tls;   /* NULL: bare */
	struct gnutls_session_int *outer; /* around tls; NULL: there is one layer */
};

/* Besides these: a number of bytes; 0 from transport_receive() is the end. */
enum { TRANSPORT_AGAIN = -1, TRANSPORT_BROKEN = -2 };

/* Once, before the others. Only AES-128-GCM, X25519 and TLS 1.3 are offered, so that all peers do the same work. */
void transport_client_start(const char *server_name);
void transport_server_start(const char *certificate, const char *key);
/* Then, for mutual TLS: what a client shows, and what a server judges its clients by, who are refused without. */
void transport_client_shows(const char *certificate, const char *key);
void transport_server_judges(const char *cas, const char *crls);

bool transport_open_client(struct transport *transport, int fd, bool resume);
bool transport_open_server(struct transport *transport, int fd);
/* After a handshake: a second layer of TLS in the first one; it has a handshake of its own. */
bool transport_open_server_inside(struct transport *transport);
/* The descriptor stays open. */
void transport_close(struct transport *transport);

/* 1: it is done, and the peer is whom it has to be. */
int transport_handshake(struct transport *transport);
/* Whether what made it say TRANSPORT_AGAIN waits for room to write. */
bool transport_wants_to_write(const struct transport *transport);
ssize_t transport_send(struct transport *transport, const void *data, size_t bytes);
ssize_t transport_receive(struct transport *transport, void *data, size_t most);
/* What came is not wanted: as transport_receive(), but the data may be left uncopied. */
ssize_t transport_discard(struct transport *transport, void *scratch, size_t most);
/* Bytes that the descriptor will not tell of. */
bool transport_has_pending(const struct transport *transport);
/* close_notify and the end, as a server says them. */
void transport_finish(struct transport *transport);

/* Keeps the ticket of this connection for those opened with resume, unless there is one. */
void transport_keep_ticket(struct transport *transport);
bool transport_was_resumed(const struct transport *transport);

#endif
