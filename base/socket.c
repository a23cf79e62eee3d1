/* Sockets and the options that ours carry. */
#include "base/socket.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	BACKLOG = 4096,
	KEEPALIVE_IDLE_S = 30,
	KEEPALIVE_INTERVAL_S = 10,
	KEEPALIVE_COUNT = 3,
	USER_TIMEOUT_MS = 30000,
	UNSENT_BYTES = 128 * 1024,
	UNSENT_BYTES_FAST = 2 * 1024 * 1024,
	LISTEN_ERROR = 512,
};

static const char *
cure_for(int error)
{
	switch (error) {
	case EADDRINUSE:
		return "; another program listens there: stop it or choose another address";
	case EADDRNOTAVAIL:
		return "; no interface of this host has that address";
	case EACCES:
	case EPERM:
		return "; ports below 1024 need CAP_NET_BIND_SERVICE, a local path needs a "
		       "writable directory";
	case ENOENT:
		return "; create the directory";
	case EAFNOSUPPORT:
		return "; this kernel has no such family: choose another address";
	}
	return "";
}

static int
fail(int fd, const struct address *address, char *error)
{
	char text[ADDRESS_TEXT];
	int why = errno;

	snprintf(error, LISTEN_ERROR, "cannot listen on %s: %s%s", address_text(address, text),
	    strerror(why), cure_for(why));
	if (fd >= 0)
		close(fd);
	errno = why;
	return -1;
}

static bool
set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

/* A local socket outlives the program that made it; one that nobody answers at is in the way. */
static void
remove_stale(const struct address *address)
{
	const char *path = address->as.local.sun_path;
	struct stat st;
	int fd;

	if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	if (connect(fd, &address->as.any, address->bytes) < 0 && errno == ECONNREFUSED)
		unlink(path);
	close(fd);
}

/* bind() gives the file the mode of the socket. */
static bool
prepare_local(int fd, const struct address *address, unsigned flags)
{
	remove_stale(address);
	return !(flags & LISTEN_OWN_USER) || fchmod(fd, 0600) == 0;
}

static bool
prepare_network(int fd, unsigned flags)
{
	return set(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
	    (!(flags & LISTEN_SHARED) || set(fd, SOL_SOCKET, SO_REUSEPORT, 1));
}

int
socket_bind(const struct address *address, unsigned flags, char *error)
{
	int family = address->bytes == 0 ? AF_UNSPEC : address->as.any.sa_family;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 && errno == EAFNOSUPPORT && family == AF_INET6 && address_is_any(address) &&
	    !(flags & LISTEN_V6_ONLY)) {
		struct address v4 = address_any_v4(address_port(address));

		return socket_bind(&v4, flags, error);
	}
	if (fd < 0)
		return fail(fd, address, error);
	if (!(family == AF_UNIX ? prepare_local(fd, address, flags) : prepare_network(fd, flags)))
		return fail(fd, address, error);
	if (family == AF_INET6 &&
	    !set(fd, IPPROTO_IPV6, IPV6_V6ONLY, (flags & LISTEN_V6_ONLY) != 0))
		return fail(fd, address, error);
	if (bind(fd, &address->as.any, address->bytes) < 0)
		return fail(fd, address, error);
	return fd;
}

int
socket_listen(const struct address *address, unsigned flags, char *error)
{
	int fd = socket_bind(address, flags, error);

	return fd >= 0 && listen(fd, BACKLOG) < 0 ? fail(fd, address, error) : fd;
}

void
socket_prepare(int fd)
{
	/* On a local socket each of these fails, and nothing is lost. */
	if (!set(fd, IPPROTO_TCP, TCP_NODELAY, 1))
		return;
	set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_BYTES);
}

void
socket_keep_alive(int fd)
{
	set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	set(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
	set(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT);
}

void
socket_set_fast(int fd, bool is_fast)
{
	set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, is_fast ? UNSENT_BYTES_FAST : UNSENT_BYTES);
}

void
socket_allow_no_pauses(int fd)
{
	set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
}

/* Because of keepalive the last answer on an idle connection is never old when the first segment
 * goes unanswered. */
enum socket_health
socket_health(int fd, uint64_t silent_ms)
{
	struct tcp_info info = { 0 };
	socklen_t bytes = sizeof info;
	int pending = 0;

	if (ioctl(fd, SIOCOUTQ, &pending) < 0 || pending == 0 ||
	    getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) < 0)
		return SOCKET_QUIET;
	if (info.tcpi_unacked == 0)
		silent_ms = silent_ms * 5 / 2;
	else if (info.tcpi_retransmits == 0)
		return SOCKET_PENDING;
	return info.tcpi_last_ack_recv > silent_ms ? SOCKET_SILENT : SOCKET_PENDING;
}

uint64_t
socket_queued(int fd)
{
	int queued = 0;

	return ioctl(fd, SIOCOUTQ, &queued) == 0 && queued > 0 ? (uint64_t)queued : 0;
}

uint64_t
socket_memory(int fd)
{
	uint32_t held[SK_MEMINFO_VARS] = { 0 };
	socklen_t bytes = sizeof held;

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, held, &bytes) < 0)
		return 0;
	return (uint64_t)held[SK_MEMINFO_RMEM_ALLOC] + held[SK_MEMINFO_WMEM_QUEUED] +
	    held[SK_MEMINFO_FWD_ALLOC] + held[SK_MEMINFO_BACKLOG];
}

uint64_t
socket_receive_most(int fd)
{
	int most = 0;
	socklen_t bytes = sizeof most;

	if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &most, &bytes) < 0)
		return 0;
	return (uint64_t)most;
}

uint64_t
socket_limit(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

uint64_t
socket_raise_limit(void)
{
	struct rlimit most;

	if (getrlimit(RLIMIT_NOFILE, &most) < 0)
		return 0;
	most.rlim_cur = most.rlim_max;
	setrlimit(RLIMIT_NOFILE, &most);
	return socket_limit();
}

void
socket_reset_on_close(int fd)
{
	const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

static struct address
name_of(int fd, int (*get)(int, struct sockaddr *, socklen_t *))
{
	struct sockaddr_storage storage;
	socklen_t bytes = sizeof storage;
	struct address address = { 0 };

	if (get(fd, (struct sockaddr *)&storage, &bytes) == 0)
		address_from(&address, (struct sockaddr *)&storage, bytes);
	return address;
}

static int
get_peer(int fd, struct sockaddr *name, socklen_t *bytes)
{
	return getpeername(fd, name, bytes);
}

static int
get_local(int fd, struct sockaddr *name, socklen_t *bytes)
{
	return getsockname(fd, name, bytes);
}

struct address
socket_peer(int fd)
{
	return name_of(fd, get_peer);
}

struct address
socket_local(int fd)
{
	return name_of(fd, get_local);
}

static int
option_of(int fd, int option)
{
	int value = -1;
	socklen_t bytes = sizeof value;

	return getsockopt(fd, SOL_SOCKET, option, &value, &bytes) == 0 ? value : -1;
}

bool
socket_listens_at(int fd, const struct address *address)
{
	char wanted[ADDRESS_TEXT], text[ADDRESS_TEXT];
	struct address local;

	if (option_of(fd, SO_TYPE) != SOCK_STREAM || option_of(fd, SO_ACCEPTCONN) != 1)
		return false;
	local = socket_local(fd);
	return strcmp(address_text(address, wanted), address_text(&local, text)) == 0;
}

bool
socket_is_one_of_several(int fd)
{
	return option_of(fd, SO_REUSEPORT) == 1;
}
