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
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/numbers.h"
#include "base/pass.h"
#include "base/socket.h"
#include "base/units.h"

enum {
	FIRST_PASSED = 3,
	PASSED_MOST = 1024,
	LOCK_ERROR = 512,
	READY_TEXT = 2200,
	READY_PATIENCE_MS = 100
};

static int lock_fd = -1; /* of the lock taken last */

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

/* -1: there is none.  A state is worth a moment of waiting. */
static int
connect_manager(void)
{
	const struct timeval patience = { .tv_usec = READY_PATIENCE_MS * 1000 };
	struct sockaddr_un name;
	socklen_t name_bytes;
	int fd;

	if (!find_manager(&name, &name_bytes))
		return -1;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	if (connect(fd, (struct sockaddr *)&name, name_bytes) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Not by sd_notify(3), which waits without end for a manager that has stopped reading.  A status for people
 * is not worth any waiting; either may be lost. */
void
ready_tell(const char *state, const char *status)
{
	char text[READY_TEXT];
	int fd = connect_manager(), bytes;

	if (fd < 0)
		return;
	/* MONOTONIC_USEC goes with RELOADING=1 (sd_notify(3)) and says nothing otherwise. */
	bytes = snprintf(text, sizeof text, "%s%s%.2000s\nMONOTONIC_USEC=%" PRIu64,
	    state ? state : "", status ? "\nSTATUS=" : "", status ? status : "", clock_us());
	send(fd, text, (size_t)bytes, MSG_NOSIGNAL | (!state ? MSG_DONTWAIT : 0));
	close(fd);
}

/* ---- sockets that outlive us ---- */

static const char store[] = "FDSTORE=1\nFDNAME=" READY_STORED,
		  forget[] = "FDSTOREREMOVE=1\nFDNAME=" READY_STORED;

/* What the variable says for us: the manager names the process that it is for.  NULL: nothing. */
static const char *
passed_to_us(const char *variable)
{
	const char *pid = getenv("LISTEN_PID");
	uint64_t number;

	return pid && number_parse(pid, &number) && number == (uint64_t)getpid() ? getenv(variable)
										 : NULL;
}

/* How many sockets were passed, from FIRST_PASSED on; they are nobody's but ours. */
static int
passed_count(void)
{
	const char *text = passed_to_us("LISTEN_FDS");
	uint64_t count;

	if (!text || !number_parse(text, &count))
		return 0;
	count = smaller_of(count, PASSED_MOST);
	for (int fd = FIRST_PASSED; fd < FIRST_PASSED + (int)count; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	return (int)count;
}

/* Of the socket at this place; names stand between colons. */
static bool
is_passed_as(int place, const char *name)
{
	const char *at = passed_to_us("LISTEN_FDNAMES");

	for (; at && place > 0; place--)
		at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL;
	return at && strcspn(at, ":") == strlen(name) && strncmp(at, name, strlen(name)) == 0;
}

/* Whether the manager has it from elsewhere than from us: of a socket unit. */
static bool
is_of_a_socket_unit(int fd)
{
	int place = fd - FIRST_PASSED;

	return place >= 0 && place < passed_count() && !is_passed_as(place, READY_STORED);
}

void
ready_store(int fd)
{
	int manager = is_of_a_socket_unit(fd) ? -1 : connect_manager();

	if (manager < 0)
		return;
	pass_send_patiently(manager, store, sizeof store - 1, fd);
	close(manager);
}

void
ready_store_forget(void)
{
	int manager = connect_manager();

	if (manager < 0)
		return;
	pass_send_patiently(manager, forget, sizeof forget - 1, -1);
	close(manager);
}

int
ready_listener(const struct address *address)
{
	static bool taken[PASSED_MOST];
	int count = passed_count();

	for (int i = 0; i < count; i++) {
		int fd = FIRST_PASSED + i;

		if (taken[i] || !socket_listens_at(fd, address))
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

/* Of a lock of this kind the kernel does not say who holds it, so the file does. */
static long
read_pid(int fd)
{
	char text[32] = "";

	if (pread(fd, text, sizeof text - 1, 0) <= 0)
		return -1;
	return strtol(text, NULL, 10) > 0 ? strtol(text, NULL, 10) : -1;
}

static long
holder_of(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
		return 0;
	return lock.l_pid > 0 ? lock.l_pid : read_pid(fd);
}

static void
explain_lock(const char *path, long holder, const char *why, char *error)
{
	char who[32] = "pid unknown";

	if (holder > 0)
		snprintf(who, sizeof who, "pid %ld", holder);
	if (holder != 0)
		snprintf(error, LOCK_ERROR,
		    "%.256s: another instance (%s) holds this lock; stop it first", path, who);
	else
		snprintf(error, LOCK_ERROR,
		    "%.256s: cannot lock: %s; check the directory and who may write there", path,
		    why);
}

long
ready_lock_holder(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	long holder = fd >= 0 ? holder_of(fd) : 0;

	if (fd >= 0)
		close(fd);
	return holder;
}

/* The lock is the open file's and not the process's, so that it can be passed on without a moment in
 * which nobody has it. */
bool
ready_lock(const char *path, long *holder_pid, char *error)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int why;

	*holder_pid = 0;
	if (fd >= 0 && fcntl(fd, F_OFD_SETLK, &lock) == 0) {
		write_pid(fd);
		lock_fd = fd;
		return true;
	}
	why = errno;
	if (fd >= 0 && (why == EACCES || why == EAGAIN))
		*holder_pid = holder_of(fd);
	explain_lock(path, *holder_pid, strerror(why), error);
	if (fd >= 0)
		close(fd);
	return false;
}

int
ready_lock_descriptor(void)
{
	return lock_fd;
}

/* Who has the open file has the lock, so that asking for it again is granted to nobody else. */
bool
ready_lock_adopt(int fd, const char *path)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat here, there;

	if (fstat(fd, &here) < 0 || lstat(path, &there) < 0 || !S_ISREG(there.st_mode) ||
	    here.st_dev != there.st_dev || here.st_ino != there.st_ino ||
	    fcntl(fd, F_OFD_SETLK, &lock) < 0) {
		close(fd);
		return false;
	}
	write_pid(fd);
	lock_fd = fd;
	return true;
}

void
ready_lock_forget(void)
{
	if (lock_fd >= 0)
		close(lock_fd);
	lock_fd = -1;
}
