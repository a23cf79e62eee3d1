/* Talks to the service manager, and takes the lock that keeps a second instance out. */
#include "base/ready.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/socket.h"

enum { PASSED_MOST = 64, LOCK_ERROR = 512, READY_TEXT = 2200, READY_PATIENCE_MS = 100 };

/* Where the manager listens; '@' stands for the NUL of an abstract name. */
static bool
find_manager(struct sockaddr_un *name, socklen_t *bytes)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t length = path ? strlen(path) : 0;

	*name = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (length < 2 || length >= sizeof name->sun_path || (path[0] != '/' && path[0] != '@'))
		return false;
	memcpy(name->sun_path, path, length);
	if (path[0] == '@')
		name->sun_path[0] = 0;
	*bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	return true;
}

/* Not by sd_notify(3), which waits without end for a manager that has stopped reading. */
void
ready_tell(const char *state, const char *status)
{
	const struct timeval patience = { .tv_usec = READY_PATIENCE_MS * 1000 };
	struct sockaddr_un name;
	socklen_t name_bytes;
	char text[READY_TEXT];
	int fd, bytes;

	if (!find_manager(&name, &name_bytes))
		return;
	/* MONOTONIC_USEC goes with RELOADING=1 (sd_notify(3)) and says nothing otherwise. */
	bytes = snprintf(text, sizeof text, "%s%s%.2000s\nMONOTONIC_USEC=%" PRIu64,
	    state ? state : "", status ? "\nSTATUS=" : "", status ? status : "", clock_us());
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* A state is worth a moment of waiting, a status for people is not; either may be lost. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	sendto(fd, text, (size_t)bytes, MSG_NOSIGNAL | (!state ? MSG_DONTWAIT : 0),
	    (struct sockaddr *)&name, name_bytes);
	close(fd);
}

static bool
listens_at(int fd, const struct address *address)
{
	char wanted[ADDRESS_TEXT], text[ADDRESS_TEXT];
	struct address local;

	if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
		return false;
	local = socket_local(fd);
	return strcmp(address_text(address, wanted), address_text(&local, text)) == 0;
}

int
ready_listener(const struct address *address)
{
	static bool taken[PASSED_MOST];
	int count = sd_listen_fds(0);

	for (int i = 0; i < count && i < PASSED_MOST; i++) {
		int fd = SD_LISTEN_FDS_START + i;

		if (taken[i] || !listens_at(fd, address))
			continue;
		taken[i] = true;
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
		return fd;
	}
	return -1;
}

static void
write_pid(int fd)
{
	char text[32];
	int bytes = snprintf(text, sizeof text, "%ld\n", (long)getpid());

	/* The pid is for people; only the lock counts. */
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)bytes, 0) < 0)
		return;
}

bool
ready_lock(const char *path, long *holder_pid, char *error)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	*holder_pid = 0;
	if (fd >= 0 && fcntl(fd, F_SETLK, &lock) == 0) {
		write_pid(fd);
		return true;
	}
	if (fd >= 0 && (errno == EACCES || errno == EAGAIN) && fcntl(fd, F_GETLK, &lock) == 0)
		*holder_pid = lock.l_pid;
	if (*holder_pid > 0)
		snprintf(error, LOCK_ERROR,
		    "%.256s: another instance (pid %ld) holds this lock; stop it first", path,
		    *holder_pid);
	else
		snprintf(error, LOCK_ERROR,
		    "%.256s: cannot lock: %s; check the directory and who may write there", path,
		    strerror(errno));
	if (fd >= 0)
		close(fd);
	return false;
}
