/*
 * libmicrohttpd in our loop (base/http_turns.h); connections are accepted by base/socket.h and handed
 * to it.
 */
#include "pki/tool/http_server.h"

#include <assert.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/http_turns.h"
#include "base/socket.h"
#include "pki/tool/http_private.h"

enum {
	LISTENERS_MOST = 16,
	IDLE_S = 15,
	REQUEST_MS = 30000,     /* for a whole request */
	HURRIED_MS = 5000,      /* ... when all places are taken */
	CONNECTION_MS = 300000, /* in all */
	SWEEP_MS = 500,
	POOL_BYTES = 24 * 1024, /* for the header of one request, and what is read of its body */
	SPARE = 8,              /* connections that the library has not cleaned up yet */
};

/* The client's order, so that the first key share is taken: a retry request costs a round trip, and
 * strongSwan 5.9 fails now and then when one comes. */
static const char priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%NO_TICKETS";

struct http_server {
	struct loop *loop;
	struct http_options options;
	struct http_turns turns;
	struct timer sweep;
	struct listener *listeners[LISTENERS_MOST];
	size_t listener_count;
	struct http_connections connections; /* the oldest first */
	size_t count, unanswered;
	bool is_full, is_ending;
	struct http_credentials *credentials;
};

/* ---- connections ---- */

static void
pause_listeners(struct http_server *server, bool pause)
{
	server->is_full = pause;
	for (size_t i = 0; i < server->listener_count; i++)
		(pause ? listener_pause : listener_resume)(server->listeners[i]);
}

/* The library notices the end, and cleans up. */
static void
cut(struct http_connection *connection)
{
	shutdown(connection->fd, SHUT_RDWR);
	connection->is_cut = true;
}

/* When all places are taken, who is not being answered has had a turn, or has not asked: a stranger could
 * hold every place by a small request now and then. */
static uint64_t
patience_ms(const struct http_server *server, const struct http_connection *connection)
{
	bool is_served = connection->request && connection->request->has_asked;

	if (server->is_full && !is_served)
		return HURRIED_MS;
	return connection->has_asked ? CONNECTION_MS : REQUEST_MS;
}

static void
sweep(void *arg)
{
	struct http_server *server = arg;
	struct http_connection *connection;
	uint64_t now = clock_ms();

	TAILQ_FOREACH(connection, &server->connections, link) {
		if (!connection->is_cut &&
		    now - connection->since_ms >= patience_ms(server, connection))
			cut(connection);
	}
	if (server->count > 0)
		timer_set(&server->sweep, SWEEP_MS);
}

static void
connection_begin(struct http_server *server, struct MHD_Connection *mhd, void **context)
{
	const union MHD_ConnectionInfo *fd =
	    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	const union MHD_ConnectionInfo *peer =
	    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	struct http_connection *connection = calloc(1, sizeof *connection);

	*context = connection;
	if (!connection)
		return; /* the handshake will find no certificate */
	connection->fd = fd->connect_fd;
	connection->since_ms = clock_ms();
	address_from(&connection->client, peer->client_addr,
	    peer->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
						     : sizeof(struct sockaddr_in));
	connection->credentials = http_credentials_hold(server->credentials);
	TAILQ_INSERT_TAIL(&server->connections, connection, link);
	if (server->count++ == 0)
		timer_set(&server->sweep, SWEEP_MS);
}

static void
connection_end(struct http_server *server, struct http_connection *connection)
{
	if (!connection)
		return;
	TAILQ_REMOVE(&server->connections, connection, link);
	http_credentials_release(connection->credentials);
	free(connection);
	server->count--;
	if (server->is_full && !server->is_ending)
		pause_listeners(server, false);
}

static void
on_connection(
    void *arg, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode what)
{
	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		connection_begin(arg, mhd, context);
	else
		connection_end(arg, *context);
}

static void
on_accept(void *arg, int fd, const struct address *peer)
{
	struct http_server *server = arg;

	/* Who cannot be let in is closed. */
	MHD_add_connection(server->turns.daemon, fd, &peer->as.any, peer->bytes);
	http_turns_soon(&server->turns);
	if (server->count >= server->options.connections && !server->is_full)
		pause_listeners(server, true);
}

/* ---- requests ---- */

static struct http_connection *
connection_of(struct MHD_Connection *mhd)
{
	return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* One whose body would be too long to be read to its end is refused at once. */
static enum MHD_Result
begin(struct http_server *server, struct MHD_Connection *mhd, const char *method, const char *path,
    void **context)
{
	struct http_connection *connection = connection_of(mhd);
	struct http_request *request = connection ? calloc(1, sizeof *request) : NULL;

	if (!request || !(request->path = strdup(path))) {
		free(request);
		return MHD_NO;
	}
	request->server = server;
	request->connection = connection;
	connection->request = request;
	request->mhd = mhd;
	request->method = strcmp(method, "HEAD") == 0 ? "GET" : method;
	*context = request;
	if (http_request_announces(request) <= HTTP_BODY_MOST + HTTP_REST_MOST)
		return MHD_YES;
	http_answer_too_long(request);
	return http_request_tell(request);
}

/* Everything has come.  The owner answers at once, or the connection sleeps until it does. */
static enum MHD_Result
ask(struct http_server *server, struct http_request *request)
{
	request->has_asked = request->connection->has_asked = true;
	server->unanswered++;
	if (request->is_too_long)
		http_answer_too_long(request);
	else
		server->options.on_request(server->options.arg, request);
	if (request->is_answered)
		return http_request_tell(request);
	request->is_suspended = true;
	MHD_suspend_connection(request->mhd);
	return MHD_YES;
}

static enum MHD_Result
on_part(void *arg, struct MHD_Connection *mhd, const char *path, const char *method,
    const char *version, const char *upload, size_t *upload_bytes, void **context)
{
	struct http_request *request = *context;
	bool is_kept;

	(void)version;
	if (!request)
		return begin(arg, mhd, method, path, context);
	if (*upload_bytes > 0) {
		is_kept = http_request_take(request, upload, *upload_bytes);
		*upload_bytes = 0;
		return is_kept ? MHD_YES : MHD_NO;
	}
	return request->has_asked ? http_request_tell(request) : ask(arg, request);
}

static void
on_over(void *arg, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode how)
{
	struct http_server *server = arg;
	struct http_request *request = *context;

	(void)mhd;
	(void)how;
	if (request && request->has_asked && !request->is_answered)
		server->unanswered--;
	http_request_free(request);
	*context = NULL;
}

void
http_answer(struct http_request *request, unsigned status, struct http_page *page)
{
	struct http_server *server = request->server;

	assert(!request->is_answered);
	request->is_answered = true;
	request->status = status;
	request->page = page ? http_page_hold(page) : NULL;
	if (request->has_asked)
		server->unanswered--;
	if (!request->is_suspended)
		return;
	request->is_suspended = false;
	MHD_resume_connection(request->mhd);
	http_turns_soon(&server->turns);
}

/* ---- the server ---- */

static struct MHD_Daemon *
start(struct http_server *server)
{
	return MHD_start_daemon(
	    MHD_USE_TLS | MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0,
	    NULL, NULL, on_part, server, MHD_OPTION_HTTPS_CERT_CALLBACK2, http_credentials_choose,
	    MHD_OPTION_HTTPS_PRIORITIES, priorities, MHD_OPTION_CONNECTION_LIMIT,
	    (unsigned)server->options.connections + SPARE, MHD_OPTION_CONNECTION_TIMEOUT,
	    (unsigned)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_BYTES,
	    MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
	    MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_NOTIFY_COMPLETED,
	    on_over, server, MHD_OPTION_END);
}

struct http_server *
http_server_new(const struct http_options *options)
{
	struct http_server *server = calloc(1, sizeof *server);
	struct MHD_Daemon *daemon;

	if (!server)
		return NULL;
	server->options = *options;
	server->loop = options->loop;
	TAILQ_INIT(&server->connections);
	daemon = start(server);
	if (!daemon || !http_turns_begin(&server->turns, server->loop, daemon)) {
		if (daemon)
			MHD_stop_daemon(daemon);
		free(server);
		return NULL;
	}
	timer_init(&server->sweep, server->loop, sweep, server);
	return server;
}

bool
http_server_set_credentials(
    struct http_server *server, const struct der *chain, size_t count, const struct secret *key_url)
{
	struct http_credentials *credentials = http_credentials_new(chain, count, key_url);

	if (!credentials)
		return false;
	http_credentials_release(server->credentials);
	server->credentials = credentials;
	return true;
}

bool
http_server_listen(struct http_server *server, int fd)
{
	struct listener *listener = server->listener_count < LISTENERS_MOST
	    ? listener_new(server->loop, fd, on_accept, server)
	    : NULL;

	if (listener)
		server->listeners[server->listener_count++] = listener;
	return listener != NULL;
}

void
http_server_stop(struct http_server *server)
{
	for (size_t i = 0; i < server->listener_count; i++)
		listener_free(server->listeners[i]);
	server->listener_count = 0;
}

size_t
http_server_unanswered(const struct http_server *server)
{
	return server->unanswered;
}

/* The library must not be stopped while connections sleep. */
static void
wake_all(struct http_server *server)
{
	struct http_connection *connection;

	TAILQ_FOREACH(connection, &server->connections, link) {
		if (connection->request && connection->request->is_suspended)
			http_answer(connection->request, 0, NULL);
	}
}

void
http_server_free(struct http_server *server)
{
	if (!server)
		return;
	server->is_ending = true;
	http_server_stop(server);
	wake_all(server);
	http_turns_end(&server->turns);
	timer_clear(&server->sweep);
	http_credentials_release(server->credentials);
	free(server);
}
