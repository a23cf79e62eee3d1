/* The service manager, and the lock that keeps a second instance out. */
#include "base/ready.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/socket.h"

enum { PASSED_MOST = 64, LOCK_ERROR = 512 };

void
ready_tell(const char *state, const char *status)
{
	/* MONOTONIC_USEC goes with RELOADING=1 (sd_notify(3)) and says nothing otherwise. */
	sd_notifyf(0, "%s%s%s\nMONOTONIC_USEC=%" PRIu64, state != NULL ? state : "",
	    status != NULL ? "\nSTATUS=" : "", status != NULL ? status : "", clock_us());
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
	int bytes = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	/* For people; the lock itself is what counts. */
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)bytes, 0) < 0)
		return;
}

bool
ready_lock(const char *path, long *holder_pid, char *error)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
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
