/*
 * A place of the web: its connections and what they ask.  A question is
 *
 *	begun (its header has come) --> asked --> [waiting for a snapshot] --> answered
 *
 * and may end at any time, because its client goes.
 */
#include "base/web_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/socket.h"
#include "base/web_guard.h"

enum {
	IDLE_S = 30,
	REQUEST_MS = 30000, /* for a request, and again for its answer */
	HURRIED_MS = 5000,  /* ... when all places are taken */
	SWEEP_MS = 500,
	POOL_BYTES = 16 * 1024, /* for the header of a request, and a part of its answer */
	SPARE = 8,              /* connections that the library has not cleaned up yet */
};

struct web_server {
	struct web *web;
	enum web_place place;
	int fd; /* of the listener */
	struct listener *listener;
	struct MHD_Daemon *daemon;
	struct http_turns turns;
	struct timer sweep;
	struct web_connections connections;
	size_t count;
	bool is_full, is_ending;
};

/* ---- connections ---- */

static void
set_full(struct web_server *server, bool is_full)
{
	server->is_full = is_full;
	if (server->listener)
		(is_full ? listener_pause : listener_resume)(server->listener);
}

/* The library notices the end, and cleans up. */
static void
cut(struct web_connection *connection)
{
	shutdown(connection->fd, SHUT_RDWR);
	connection->is_cut = true;
}

/* What waits for a snapshot gets its answer in time. */
static bool
is_late(const struct web_server *server, const struct web_connection *connection, uint64_t now)
{
	const struct web_question *question = connection->question;
	bool is_hurried = server->is_full && !(question && question->has_asked);

	if (connection->is_cut || (question && (question->stream || question->is_waiting)))
		return false;
	return now - connection->since_ms >= (is_hurried ? HURRIED_MS : REQUEST_MS);
}

static void
sweep(void *arg)
{
	struct web_server *server = arg;
	struct web_connection *connection;
	uint64_t now = clock_ms();

	TAILQ_FOREACH(connection, &server->connections, link)
		if (is_late(server, connection, now))
			cut(connection);
	if (server->count > 0)
		timer_set(&server->sweep, SWEEP_MS);
}

static void
connection_begin(struct web_server *server, struct MHD_Connection *mhd, void **context)
{
	struct web_connection *connection = calloc(1, sizeof *connection);
	const struct sockaddr *peer =
	    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;

	*context = connection;
	if (!connection)
		return; /* it is closed when it asks */
	connection->fd =
	    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	connection->since_ms = clock_ms();
	address_from(&connection->client, peer,
	    peer->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
	TAILQ_INSERT_TAIL(&server->connections, connection, link);
	if (server->count++ == 0)
		timer_set(&server->sweep, SWEEP_MS);
}

static void
connection_end(struct web_server *server, struct web_connection *connection)
{
	if (!connection)
		return;
	TAILQ_REMOVE(&server->connections, connection, link);
	free(connection);
	server->count--;
	if (server->is_full && !server->is_ending)
		set_full(server, false);
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
	struct web_server *server = arg;

	/* Who cannot be let in is closed. */
	MHD_add_connection(server->daemon, fd, &peer->as.any, peer->bytes);
	http_turns_soon(&server->turns);
	if (server->count >= WEB_CONNECTIONS && !server->is_full)
		set_full(server, true);
}

/* ---- questions ---- */

static const struct web_path *
find_path(const struct web_server *server, const char *wanted)
{
	const struct web_path *path = server->web->options.paths;

	while (path->path && (!(path->places & server->place) || strcmp(path->path, wanted) != 0))
		path++;
	return path->path ? path : NULL;
}

static const char *
refusal(const struct web_question *question)
{
	const struct web_server *server = question->server;
	const struct web_guard_header header = { web_question_header(question, "Host"),
		web_question_header(question, "Origin"),
		web_question_header(question, "Sec-Fetch-Site") };

	return web_guard_refusal(&header, server->place == WEB_HTTP ? &server->web->hosts : NULL);
}

static void
refuse(struct web_question *question, const char *sentence)
{
	const struct address *client = &question->connection->client;
	char text[ADDRESS_TEXT];

	log_limited(LOG_WARNING, "http-refused", client,
	    "a page of others asks, or by a name that is not this host's",
	    log_str("client", address_text(client, text)),
	    log_str("host", web_question_header(question, "Host")),
	    log_str("origin", web_question_header(question, "Origin")));
	web_answer_sentence(question, MHD_HTTP_FORBIDDEN, sentence);
}

static void
ask(struct web_question *question)
{
	const struct web_path *path = question->path;
	const char *sentence = refusal(question);

	if (sentence)
		refuse(question, sentence);
	else if (!question->is_read_only)
		web_answer_read_only(question);
	else if (!path)
		web_answer_sentence(question, MHD_HTTP_NOT_FOUND, "There is nothing here.\n");
	else if (path->file)
		web_answer_file(question, path->file);
	else if (path->is_stream)
		web_stream_begin(question);
	else
		web_ask(question->server->web, question);
}

static enum MHD_Result
begin(struct web_server *server, struct MHD_Connection *mhd, const char *method, const char *path,
    void **context)
{
	struct web_connection *connection =
	    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
	struct web_question *question = connection ? calloc(1, sizeof *question) : NULL;

	if (!question)
		return MHD_NO;
	question->server = server;
	question->connection = connection;
	question->mhd = mhd;
	question->path = find_path(server, path);
	question->is_read_only = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
	connection->question = question;
	*context = question;
	return MHD_YES;
}

/* A body is read and thrown away. */
static enum MHD_Result
on_part(void *arg, struct MHD_Connection *mhd, const char *path, const char *method,
    const char *version, const char *upload, size_t *upload_bytes, void **context)
{
	struct web_question *question = *context;

	(void)version;
	(void)upload;
	if (!question)
		return begin(arg, mhd, method, path, context);
	if (*upload_bytes > 0) {
		*upload_bytes = 0;
		return MHD_YES;
	}
	if (!question->has_asked) {
		question->has_asked = true;
		question->connection->since_ms = clock_ms();
		ask(question);
	}
	if (!question->is_waiting)
		return web_answer_tell(question);
	web_question_sleep(question);
	return MHD_YES;
}

static void
on_over(void *arg, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode how)
{
	struct web_server *server = arg;
	struct web_question *question = *context;

	(void)mhd;
	(void)how;
	if (!question)
		return;
	if (question->is_waiting)
		TAILQ_REMOVE(&server->web->waiting, question, link);
	if (question->response)
		MHD_destroy_response(question->response);
	web_stream_free(question->stream);
	question->connection->question = NULL;
	question->connection->since_ms = clock_ms();
	free(question);
	*context = NULL;
}

void
web_question_sleep(struct web_question *question)
{
	question->is_suspended = true;
	MHD_suspend_connection(question->mhd);
}

void
web_question_wake(struct web_question *question)
{
	if (!question->is_suspended)
		return;
	question->is_suspended = false;
	MHD_resume_connection(question->mhd);
	http_turns_soon(&question->server->turns);
}

/* What the kernel still has for it is dropped, too. */
void
web_question_cut(struct web_question *question)
{
	socket_reset_on_close(question->connection->fd);
	cut(question->connection);
	web_question_wake(question);
}

enum web_place
web_question_place(const struct web_question *question)
{
	return question->server->place;
}

const char *
web_question_value(const struct web_question *question, const char *name)
{
	return MHD_lookup_connection_value(question->mhd, MHD_GET_ARGUMENT_KIND, name);
}

struct stray {
	const char *const *names;
	const char *found;
};

static enum MHD_Result
look_for_stray(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct stray *stray = arg;
	bool is_known = false;

	(void)kind;
	for (size_t i = 0; stray->names[i] && value; i++)
		is_known |= strcmp(stray->names[i], name) == 0;
	if (!is_known)
		stray->found = name;
	return is_known ? MHD_YES : MHD_NO;
}

const char *
web_question_stray(const struct web_question *question, const char *const *names)
{
	struct stray stray = { .names = names };

	MHD_get_connection_values(question->mhd, MHD_GET_ARGUMENT_KIND, look_for_stray, &stray);
	return stray.found;
}

const char *
web_question_header(const struct web_question *question, const char *name)
{
	return MHD_lookup_connection_value(question->mhd, MHD_HEADER_KIND, name);
}

/* ---- the place ---- */

/* A quarter for one address, so that one stranger does not keep a load balancer out. */
static struct MHD_Daemon *
start(struct web_server *server)
{
	unsigned per_address = server->place == WEB_HEALTH ? WEB_CONNECTIONS / 4 : 0;

	return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME,
	    0, NULL, NULL, on_part, server, MHD_OPTION_CONNECTION_LIMIT,
	    (unsigned)WEB_CONNECTIONS + SPARE, MHD_OPTION_PER_IP_CONNECTION_LIMIT, per_address,
	    MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	    (size_t)POOL_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_SIGPIPE_HANDLED_BY_APP,
	    1, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_NOTIFY_COMPLETED,
	    on_over, server, MHD_OPTION_END);
}

struct web_server *
web_server_new(struct web *web, enum web_place place, int fd, char error[WEB_ERROR])
{
	struct web_server *server = calloc(1, sizeof *server);

	if (server) {
		server->web = web;
		server->place = place;
		server->fd = fd;
		TAILQ_INIT(&server->connections);
		server->daemon = start(server);
	}
	if (server && server->daemon)
		return server;
	snprintf(error, WEB_ERROR, "memory is short");
	free(server);
	close(fd);
	return NULL;
}

int
web_server_descriptor(const struct web_server *server)
{
	return server->fd;
}

struct web *
web_server_web(const struct web_server *server)
{
	return server->web;
}

bool
web_server_begin(struct web_server *server, struct loop *loop)
{
	timer_init(&server->sweep, loop, sweep, server);
	if (!http_turns_begin(&server->turns, loop, server->daemon))
		return false;
	server->listener = listener_new(loop, server->fd, on_accept, server);
	if (!server->listener)
		server->fd = -1;
	return server->listener != NULL;
}

void
web_server_stop_listening(struct web_server *server)
{
	listener_free(server->listener);
	server->listener = NULL;
	server->fd = -1;
}

void
web_server_end(struct web_server *server)
{
	server->is_ending = true;
	web_server_stop_listening(server);
	http_turns_end(&server->turns);
	server->daemon = NULL;
	timer_clear(&server->sweep);
}

/* One that never began still has what it was made of. */
void
web_server_free(struct web_server *server)
{
	if (!server)
		return;
	if (server->daemon)
		MHD_stop_daemon(server->daemon);
	if (server->fd >= 0)
		close(server->fd);
	free(server);
}
