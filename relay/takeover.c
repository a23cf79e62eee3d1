/* Takes over from a running relay. */
#include "relay/takeover.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/pass.h"
#include "base/socket.h"

enum {
	PATIENCE_MS = 10000, /* for the answer, and then for each message */
	ANSWER_BYTES = 4096,
	LISTENERS_MOST = 4096,
	TURN_MOST = 64,  /* connections that are taken in a turn */
	DEATH_MS = 2000, /* between the end of a process's sockets and its own */
};

struct takeover {
	int fd; /* to the older one */
	long pid;
	int lock, admin;
	int *listeners;
	size_t listener_count;
	struct watch watch;
	int process; /* the older one's, as a descriptor that is readable when it has ended; -1: unknown */
	struct watch death;
	struct timer patience;
	struct loop *loop;
	bool may_accept, is_over;
	void (*on_event)(void *arg, enum takeover_event);
	void *arg;
	int conn_fd; /* -1: taken */
	struct handover_conn conn;
	uint8_t data[HANDOVER_BYTES];
};

void
takeover_free(struct takeover *takeover)
{
	if (!takeover)
		return;
	watch_wipe(&takeover->watch);
	watch_wipe(&takeover->death);
	timer_clear(&takeover->patience);
	if (takeover->process >= 0)
		close(takeover->process);
	for (size_t i = 0; i < takeover->listener_count; i++)
		if (takeover->listeners[i] >= 0)
			close(takeover->listeners[i]);
	free(takeover->listeners);
	if (takeover->lock >= 0)
		close(takeover->lock);
	if (takeover->admin >= 0)
		close(takeover->admin);
	if (takeover->fd >= 0)
		close(takeover->fd);
	free(takeover);
}

/* ---- the question ---- */

__attribute__((format(printf, 3, 4))) static int
fail(int code, char error[TAKEOVER_ERROR], const char *format, ...)
{
	va_list more;

	va_start(more, format);
	vsnprintf(error, TAKEOVER_ERROR, format, more);
	va_end(more);
	return code;
}

static bool
is_readable(int fd)
{
	struct pollfd one = { .fd = fd, .events = POLLIN };
	uint64_t until = clock_ms() + PATIENCE_MS;
	int count;

	do
		count = poll(&one, 1, PATIENCE_MS);
	while (count < 0 && errno == EINTR && clock_ms() < until);
	return count > 0;
}

/* -1 with EX_OK: nobody listens there. */
static int
connect_to(const char *path, int *fd, char error[TAKEOVER_ERROR])
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	*fd = -1;
	if (strlen(path) >= sizeof address.sun_path)
		return EX_OK;
	memcpy(address.sun_path, path, strlen(path));
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0)
		return fail(
		    EX_OSERR, error, "no socket for the running relay: %s", strerror(errno));
	if (connect(*fd, (struct sockaddr *)&address, sizeof address) == 0)
		return EX_OK;
	close(*fd);
	*fd = -1;
	if (errno == ECONNREFUSED || errno == ENOENT)
		return EX_OK;
	return fail(errno == EACCES || errno == EPERM ? EX_NOPERM : EX_UNAVAILABLE, error,
	    "%.200s: %s; take over as the user that the running relay has, or as root", path,
	    strerror(errno));
}

static int
judge_peer(struct takeover *takeover, int fd, const char *path, char error[TAKEOVER_ERROR])
{
	struct ucred peer;

	if (!pass_peer(fd, &peer) || !pass_is_ours(&peer))
		return fail(EX_NOPERM, error,
		    "%.200s: whoever listens there is neither root nor our own user, and is not believed",
		    path);
	takeover->pid = peer.pid;
	return EX_OK;
}

/* What stands in the way, in the words of the running relay. */
static int
judge_answer(const char *text, size_t bytes, int fd, char error[TAKEOVER_ERROR])
{
	json_error_t why;
	json_t *answer = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &why);
	const json_t *refused = json_object_get(answer, "error");
	const char *code = json_string_value(json_object_get(refused, "code"));
	const char *message = json_string_value(json_object_get(refused, "message"));
	int result = EX_OK;

	if (code && strcmp(code, "admin-command-unknown") == 0)
		result = fail(EX_UNAVAILABLE, error,
		    "the running relay is too old to be taken over from; restart it once");
	else if (refused)
		result = fail(EX_UNAVAILABLE, error, "the running relay refuses: %.300s",
		    message ? message : "no reason given");
	else if (json_integer_value(json_object_get(answer, "takeover")) != HANDOVER_VERSION ||
	    fd < 0)
		result = fail(EX_UNAVAILABLE, error,
		    "the running relay hands over in a way that this version does not know; restart it once");
	json_decref(answer);
	return result;
}

static int
ask(struct takeover *takeover, int fd, char error[TAKEOVER_ERROR])
{
	char text[ANSWER_BYTES];
	int bytes = snprintf(text, sizeof text,
	    "{\"command\": \"takeover\", \"takeover\": %d, \"version\": \"%s\"}\n",
	    HANDOVER_VERSION, VALISE_VERSION);
	size_t have = 0;
	ssize_t got;
	int passed;

	if (send(fd, text, (size_t)bytes, MSG_NOSIGNAL) != bytes)
		return fail(EX_UNAVAILABLE, error, "the running relay does not listen: %s",
		    strerror(errno));
	do {
		got = is_readable(fd) ? pass_receive(fd, text + have, sizeof text - have, &passed)
				      : -1;
		if (got > 0 && passed >= 0 && takeover->fd < 0)
			takeover->fd = passed;
		else if (got > 0 && passed >= 0)
			close(passed);
		have += got > 0 ? (size_t)got : 0;
	} while (got > 0 && have < sizeof text && !memchr(text, '\n', have));
	if (!memchr(text, '\n', have))
		return fail(EX_UNAVAILABLE, error,
		    "no answer came from the running relay; is it overloaded, or stopping?");
	return judge_answer(text, have, takeover->fd, error);
}

/* ---- what is handed over ---- */

static void
keep_one(int *place, int fd)
{
	if (*place >= 0)
		close(*place);
	*place = fd;
}

static bool
keep_listener(struct takeover *takeover, int fd)
{
	int *listeners =
	    reallocarray(takeover->listeners, takeover->listener_count + 1, sizeof *listeners);

	if (!listeners || takeover->listener_count >= LISTENERS_MOST) {
		if (listeners)
			takeover->listeners = listeners;
		close(fd);
		return false;
	}
	takeover->listeners = listeners;
	listeners[takeover->listener_count++] = fd;
	return true;
}

/* True until everything has come, or is wrong. */
static bool
take_one(struct takeover *takeover, enum handover_kind kind, int fd, bool *is_fine)
{
	if (kind == HANDOVER_ALL && fd < 0)
		return false;
	*is_fine = fd >= 0;
	if (fd < 0)
		return false;
	if (kind == HANDOVER_LISTENER)
		return *is_fine = keep_listener(takeover, fd);
	if (kind == HANDOVER_LOCK || kind == HANDOVER_ADMIN) {
		keep_one(kind == HANDOVER_LOCK ? &takeover->lock : &takeover->admin, fd);
		return true;
	}
	close(fd);
	return *is_fine = false;
}

static int
collect(struct takeover *takeover, char error[TAKEOVER_ERROR])
{
	bool is_fine = true, goes_on = true;

	while (goes_on) {
		ssize_t got = -1;
		int fd = -1;

		if (is_readable(takeover->fd))
			got =
			    pass_receive(takeover->fd, takeover->data, sizeof takeover->data, &fd);
		if (got <= 0)
			return fail(EX_UNAVAILABLE, error,
			    "the running relay did not hand everything over; it goes on");
		goes_on = take_one(takeover,
		    handover_decode(takeover->data, (size_t)got, &takeover->conn), fd, &is_fine);
	}
	if (!is_fine || takeover->lock < 0 || takeover->admin < 0)
		return fail(EX_UNAVAILABLE, error,
		    "what the running relay handed over is not what was asked for; it goes on");
	return EX_OK;
}

/* The socket was made by the older process, whoever began to listen at the admin socket. */
static void
find_process(struct takeover *takeover)
{
	struct ucred maker;

	if (pass_peer(takeover->fd, &maker)) {
		takeover->pid = maker.pid;
		takeover->process = (int)syscall(SYS_pidfd_open, maker.pid, 0);
	}
}

int
takeover_ask(struct takeover **out, const char *path, char error[TAKEOVER_ERROR])
{
	struct takeover *takeover;
	int fd, code = connect_to(path, &fd, error);

	*out = NULL;
	if (code != EX_OK || fd < 0)
		return code;
	takeover = calloc(1, sizeof *takeover);
	if (!takeover) {
		close(fd);
		return fail(EX_OSERR, error, "memory is short");
	}
	takeover->fd = takeover->lock = takeover->admin = takeover->conn_fd = -1;
	takeover->process = -1;
	code = judge_peer(takeover, fd, path, error);
	if (code == EX_OK)
		code = ask(takeover, fd, error);
	if (code == EX_OK)
		code = collect(takeover, error);
	close(fd);
	if (code == EX_OK) {
		find_process(takeover);
		*out = takeover;
	} else {
		takeover_free(takeover);
	}
	return code;
}

long
takeover_pid(const struct takeover *takeover)
{
	return takeover->pid;
}

static int
given(int *place)
{
	int fd = *place;

	*place = -1;
	return fd;
}

int
takeover_lock(struct takeover *takeover)
{
	return given(&takeover->lock);
}

int
takeover_admin(struct takeover *takeover)
{
	return given(&takeover->admin);
}

int
takeover_listener(struct takeover *takeover, const struct address *address)
{
	for (size_t i = 0; takeover && i < takeover->listener_count; i++)
		if (takeover->listeners[i] >= 0 &&
		    socket_listens_at(takeover->listeners[i], address))
			return given(&takeover->listeners[i]);
	return -1;
}

void
takeover_close_others(struct takeover *takeover)
{
	char text[ADDRESS_TEXT];

	for (size_t i = 0; i < takeover->listener_count; i++) {
		struct address local;

		if (takeover->listeners[i] < 0)
			continue;
		local = socket_local(takeover->listeners[i]);
		log_audit(LOG_WARNING, "takeover-descriptor-refused",
		    "this configuration has no such listener; it is closed",
		    log_str("address", address_text(&local, text)));
		close(given(&takeover->listeners[i]));
	}
}

/* ---- in the loop ---- */

bool
takeover_ready(struct takeover *takeover)
{
	const uint8_t byte = HANDOVER_READY;

	return pass_send(takeover->fd, &byte, 1, -1) == 1;
}

bool
takeover_accepting(struct takeover *takeover)
{
	const uint8_t byte = HANDOVER_ACCEPTING;

	takeover->may_accept = pass_send(takeover->fd, &byte, 1, -1) == 1;
	return takeover->may_accept;
}

int
takeover_take_conn(struct takeover *takeover, struct handover_conn *conn)
{
	*conn = takeover->conn;
	return given(&takeover->conn_fd);
}

static void
end(struct takeover *takeover, enum takeover_event event)
{
	takeover->is_over = true;
	watch_want(&takeover->watch, WATCH_NOTHING);
	watch_wipe(&takeover->death);
	timer_clear(&takeover->patience);
	takeover->on_event(takeover->arg, event);
}

static void
on_death(void *arg, unsigned ready)
{
	(void)ready;
	end(arg, TAKEOVER_OVER);
}

static void
on_alive(void *arg)
{
	end(arg, TAKEOVER_CANCELLED);
}

/* It may have closed the socket only, and go on. */
static void
on_socket_end(struct takeover *takeover)
{
	if (takeover->may_accept || takeover->process < 0) {
		end(takeover, TAKEOVER_OVER);
		return;
	}
	watch_want(&takeover->watch, WATCH_NOTHING);
	watch_init(&takeover->death, takeover->loop, takeover->process, on_death, takeover);
	watch_want(&takeover->death, WATCH_READ);
	timer_init(&takeover->patience, takeover->loop, on_alive, takeover);
	timer_set(&takeover->patience, DEATH_MS);
}

static void
hear(struct takeover *takeover, enum handover_kind kind, int fd)
{
	if (kind == HANDOVER_CONN && fd >= 0) {
		takeover->conn_fd = fd;
		takeover->on_event(takeover->arg, TAKEOVER_CONN);
		fd = given(&takeover->conn_fd);
	} else if (kind == HANDOVER_ACCEPT) {
		takeover->on_event(takeover->arg, TAKEOVER_ACCEPT);
	} else if (kind == HANDOVER_CANCEL) {
		end(takeover, TAKEOVER_CANCELLED);
	}
	if (fd >= 0)
		close(fd);
}

static void
on_readable(void *arg, unsigned ready)
{
	struct takeover *takeover = arg;

	(void)ready;
	for (int i = 0; i < TURN_MOST && !takeover->is_over; i++) {
		int fd;
		ssize_t got =
		    pass_receive(takeover->fd, takeover->data, sizeof takeover->data, &fd);

		if (got < 0 && errno == EAGAIN)
			return;
		if (got < 0 && (errno == EMSGSIZE || errno == EMFILE || errno == ENFILE))
			continue;
		if (got <= 0) {
			on_socket_end(takeover);
			return;
		}
		hear(takeover, handover_decode(takeover->data, (size_t)got, &takeover->conn), fd);
	}
}

void
takeover_follow(struct takeover *takeover, struct loop *loop,
    void (*on_event)(void *, enum takeover_event), void *arg)
{
	takeover->on_event = on_event;
	takeover->arg = arg;
	takeover->loop = loop;
	watch_init(&takeover->watch, loop, takeover->fd, on_readable, takeover);
	watch_want(&takeover->watch, WATCH_READ);
}
