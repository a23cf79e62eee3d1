/*
 * A server of HTTP for tests, on a thread of its own: it reads one request of each connection, notes it,
 * lets the test answer, and closes.
 */
#ifndef TESTS_HTTP_SERVER_H
#define TESTS_HTTP_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

enum { HTTP_HEARD = 16384 };

struct http_server {
	void (*answer)(int fd, const char *request); /* in its thread */
	int listening;
	uint16_t port;
	pthread_t thread;
	pthread_mutex_t lock;
	char heard[HTTP_HEARD]; /* the last request, under the lock */
	unsigned requests;      /* the same */
};

/* Of a request without NULs before its body. */
static bool
http_is_whole(const char *text, size_t bytes)
{
	const char *end = strstr(text, "\r\n\r\n"), *length = strstr(text, "Content-Length: ");

	return end &&
	    (!length || bytes - (size_t)(end + 4 - text) >= strtoul(length + 16, NULL, 10));
}

static void
http_serve(struct http_server *server, int fd)
{
	static char request[HTTP_HEARD];
	size_t used = 0;
	ssize_t got;

	do {
		got = read(fd, request + used, sizeof request - used - 1);
		used += got > 0 ? (size_t)got : 0;
		request[used] = '\0';
	} while (got > 0 && !http_is_whole(request, used));
	pthread_mutex_lock(&server->lock);
	memcpy(server->heard, request, used + 1);
	server->requests++;
	pthread_mutex_unlock(&server->lock);
	if (used > 0)
		server->answer(fd, request);
	close(fd);
}

static void *
http_run(void *arg)
{
	struct http_server *server = arg;
	int fd;

	while ((fd = accept(server->listening, NULL, NULL)) >= 0)
		http_serve(server, fd);
	return NULL;
}

/* On a free port of loopback; -1 when the system refuses. */
static int
http_listen(uint16_t *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t bytes = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&at, bytes) < 0 || listen(fd, 64) < 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &bytes) < 0)
		return -1;
	*port = ntohs(at.sin_port);
	return fd;
}

static bool
http_start(struct http_server *server, void (*answer)(int fd, const char *request))
{
	memset(server, 0, sizeof *server);
	server->answer = answer;
	pthread_mutex_init(&server->lock, NULL);
	server->listening = http_listen(&server->port);
	return server->listening >= 0 && pthread_create(&server->thread, NULL, http_run, server) == 0;
}

/* Clients must have let go of it. */
static void
http_stop(struct http_server *server)
{
	shutdown(server->listening, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->listening);
	pthread_mutex_destroy(&server->lock);
}

static bool
http_heard(struct http_server *server, const char *part)
{
	bool is_there;

	pthread_mutex_lock(&server->lock);
	is_there = strstr(server->heard, part) != NULL;
	pthread_mutex_unlock(&server->lock);
	return is_there;
}

static unsigned
http_requests(struct http_server *server)
{
	unsigned count;

	pthread_mutex_lock(&server->lock);
	count = server->requests;
	pthread_mutex_unlock(&server->lock);
	return count;
}

#pragma GCC diagnostic pop

#endif
