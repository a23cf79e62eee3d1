/*
 * Bare sockets and GnuTLS sessions behind one set of functions, see transport.h.
 */
#include "bench/load/transport.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <gnutls/gnutls.h>

static const char offered[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM"
			      ":-GROUP-ALL:+GROUP-X25519:%SERVER_PRECEDENCE";
static gnutls_certificate_credentials_t credentials;
static gnutls_priority_t priority;
static gnutls_datum_t ticket, ticket_key;
static const char *name;
static bool judges; /* a server its clients */

static void
must(int result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "%s: %s\n", what, gnutls_strerror(result));
	exit(1);
}

void
transport_client_start(const char *server_name)
{
	name = server_name;
	must(gnutls_certificate_allocate_credentials(&credentials), "credentials");
	must(gnutls_priority_init(&priority, offered, NULL), "priority");
}

void
transport_server_start(const char *certificate, const char *key)
{
	transport_client_start(NULL);
	must(gnutls_certificate_set_x509_key_file(
		 credentials, certificate, key, GNUTLS_X509_FMT_PEM),
	    certificate);
	must(gnutls_session_ticket_key_generate(&ticket_key), "ticket key");
}

static bool
open_session(struct transport *transport, int fd, unsigned flags)
{
	transport->fd = fd;
	if (gnutls_init(&transport->tls, flags | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0)
		return false;
	gnutls_priority_set(transport->tls, priority);
	gnutls_credentials_set(transport->tls, GNUTLS_CRD_CERTIFICATE, credentials);
	gnutls_transport_set_int(transport->tls, fd);
	gnutls_handshake_set_timeout(transport->tls, 0);
	return true;
}

void
transport_client_shows(const char *certificate, const char *key)
{
	must(gnutls_certificate_set_x509_key_file(
		 credentials, certificate, key, GNUTLS_X509_FMT_PEM),
	    certificate);
}

void
transport_server_judges(const char *cas, const char *crls)
{
	must(gnutls_certificate_set_x509_trust_file(credentials, cas, GNUTLS_X509_FMT_PEM), cas);
	must(gnutls_certificate_set_x509_crl_file(credentials, crls, GNUTLS_X509_FMT_PEM), crls);
	judges = true;
}

bool
transport_open_client(struct transport *transport, int fd, bool resume)
{
	if (!open_session(transport, fd, GNUTLS_CLIENT))
		return false;
	gnutls_server_name_set(transport->tls, GNUTLS_NAME_DNS, name, strlen(name));
	if (resume && ticket.data)
		gnutls_session_set_data(transport->tls, ticket.data, ticket.size);
	return true;
}

bool
transport_open_server(struct transport *transport, int fd)
{
	if (!open_session(transport, fd, GNUTLS_SERVER))
		return false;
	if (!judges)
		return gnutls_session_ticket_enable_server(transport->tls, &ticket_key) >= 0;
	gnutls_certificate_server_set_request(transport->tls, GNUTLS_CERT_REQUIRE);
	return true;
}

static ssize_t
again_or_broken(gnutls_session_t inner, ssize_t result)
{
	if (result >= 0)
		return result;
	gnutls_transport_set_errno(inner, gnutls_error_is_fatal((int)result) ? EIO : EAGAIN);
	return -1;
}

static ssize_t
push_outwards(gnutls_transport_ptr_t transport_, const void *data, size_t bytes)
{
	struct transport *transport = transport_;
	return again_or_broken(transport->tls, gnutls_record_send(transport->outer, data, bytes));
}

static ssize_t
pull_inwards(gnutls_transport_ptr_t transport_, void *data, size_t most)
{
	struct transport *transport = transport_;
	return again_or_broken(transport->tls, gnutls_record_recv(transport->outer, data, most));
}

bool
transport_open_server_inside(struct transport *transport)
{
	transport->outer = transport->tls;
	if (!transport_open_server(transport, transport->fd))
		return false;
	gnutls_transport_set_ptr(transport->tls, transport);
	gnutls_transport_set_push_function(transport->tls, push_outwards);
	gnutls_transport_set_pull_function(transport->tls, pull_inwards);
	return true;
}

void
transport_close(struct transport *transport)
{
	if (transport->tls)
		gnutls_deinit(transport->tls);
	if (transport->outer)
		gnutls_deinit(transport->outer);
	transport->tls = transport->outer = NULL;
}

static ssize_t
tls_result(ssize_t result)
{
	if (result >= 0)
		return result;
	return gnutls_error_is_fatal((int)result) ? TRANSPORT_BROKEN : TRANSPORT_AGAIN;
}

static ssize_t
socket_result(ssize_t result)
{
	if (result >= 0)
		return result;
	return errno == EAGAIN || errno == EINTR ? TRANSPORT_AGAIN : TRANSPORT_BROKEN;
}

static bool
is_believed(gnutls_session_t tls)
{
	unsigned faults;

	return gnutls_certificate_verify_peers2(tls, &faults) == 0 && faults == 0;
}

int
transport_handshake(struct transport *transport)
{
	if (!transport->tls)
		return 1;
	int result;
	do { /* of what the outer layer has decrypted, no event will tell */
		result = (int)tls_result(gnutls_handshake(transport->tls));
	} while (result == TRANSPORT_AGAIN && transport->outer &&
	    gnutls_record_check_pending(transport->outer) > 0);
	if (result != 0)
		return result;
	return !judges || is_believed(transport->tls) ? 1 : TRANSPORT_BROKEN;
}

bool
transport_wants_to_write(const struct transport *transport)
{
	return transport->tls && gnutls_record_get_direction(transport->tls) == 1;
}

/* As many as go: what GnuTLS has taken and could not write, it writes first at the next call. */
static ssize_t
send_records(gnutls_session_t tls, const char *data, size_t bytes)
{
	size_t sent = 0;
	ssize_t result = 0;
	while (sent < bytes && (result = gnutls_record_send(tls, data + sent, bytes - sent)) >= 0)
		sent += (size_t)result;
	return sent ? (ssize_t)sent : tls_result(result);
}

ssize_t
transport_send(struct transport *transport, const void *data, size_t bytes)
{
	if (transport->tls)
		return send_records(transport->tls, data, bytes);
	return socket_result(send(transport->fd, data, bytes, MSG_NOSIGNAL));
}

ssize_t
transport_receive(struct transport *transport, void *data, size_t most)
{
	if (transport->tls)
		return tls_result(gnutls_record_recv(transport->tls, data, most));
	return socket_result(recv(transport->fd, data, most, 0));
}

ssize_t
transport_discard(struct transport *transport, void *scratch, size_t most)
{
	if (transport->tls)
		return transport_receive(transport, scratch, most);
	return socket_result(recv(transport->fd, NULL, most, MSG_TRUNC));
}

bool
transport_has_pending(const struct transport *transport)
{
	return transport->tls &&
	    (gnutls_record_check_pending(transport->tls) > 0 ||
		(transport->outer && gnutls_record_check_pending(transport->outer) > 0));
}

void
transport_finish(struct transport *transport)
{
	if (transport->tls)
		gnutls_bye(transport->tls, GNUTLS_SHUT_WR);
	if (transport->outer)
		gnutls_bye(transport->outer, GNUTLS_SHUT_WR);
	shutdown(transport->fd, SHUT_WR);
}

void
transport_keep_ticket(struct transport *transport)
{
	if (transport->tls && !ticket.data)
		gnutls_session_get_data2(transport->tls, &ticket);
}

bool
transport_was_resumed(const struct transport *transport)
{
	return transport->tls && gnutls_session_is_resumed(transport->tls);
}
