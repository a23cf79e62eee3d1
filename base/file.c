/* Reads and writes whole files. Every sentence names the file and the cure. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEMPORARY_TRIES = 100 };

static const char *
cure_for(int error)
{
	switch (error) {
	case ENOENT:
		return "; create it or correct the path";
	case EACCES:
	case EPERM:
		return "; give the user that runs this program access to it";
	case ENOSPC:
	case EDQUOT:
		return "; make room on that file system";
	}
	return "";
}

__attribute__((format(printf, 3, 4))) static bool
fail(char error[FILE_ERROR], const char *path, const char *format, ...)
{
	size_t used = (size_t)snprintf(error, FILE_ERROR, "%.256s: ", path);
	va_list args;

	va_start(args, format);
	vsnprintf(error + used, FILE_ERROR - used, format, args);
	va_end(args);
	return false;
}

static bool
fail_errno(char error[FILE_ERROR], const char *path, const char *what, int number)
{
	return fail(error, path, "cannot %s: %s%s", what, strerror(number), cure_for(number));
}

/* Reads to the end into `room` bytes; -1 with errno. */
static ssize_t
read_all(int fd, uint8_t *data, size_t room)
{
	size_t bytes = 0;

	while (bytes < room) {
		ssize_t n = read(fd, data + bytes, room - bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		bytes += (size_t)n;
	}
	return (ssize_t)bytes;
}

static bool
read_regular(struct secret *out, const char *path, int fd, const struct stat *st, size_t most,
    char error[FILE_ERROR])
{
	size_t expected = (size_t)st->st_size;
	ssize_t bytes;

	if (!S_ISREG(st->st_mode))
		return fail(error, path, "is not a regular file; give the path of one");
	if (st->st_size < 0 || expected > most)
		return fail(error, path, "is larger than %zu bytes; is it the right file?", most);
	out->data = malloc(expected + 1);
	if (!out->data)
		return fail_errno(error, path, "read", ENOMEM);
	out->bytes = expected;
	bytes = read_all(fd, out->data, expected + 1);
	if (bytes < 0)
		return fail_errno(error, path, "read", errno);
	if ((size_t)bytes > expected)
		return fail(error, path, "grew while it was read; try again");
	out->bytes = (size_t)bytes;
	out->data[bytes] = 0;
	return true;
}

/* Root may read the key of the daemon's user; to chown it would stop the daemon. */
static bool
fail_for_root(char error[FILE_ERROR], const char *path, uid_t owner)
{
	const struct passwd *user = getpwuid(owner);
	char number[32];

	snprintf(number, sizeof number, "%u", owner);
	return fail(error, path,
	    "this key belongs to user %.64s, and root runs this; run it as that "
	    "user: runuser -u %.64s -- ..., or chown the key to root if the daemon runs as root",
	    user ? user->pw_name : number, user ? user->pw_name : number);
}

static bool
judge_key(const char *path, const struct stat *st, char error[FILE_ERROR])
{
	uid_t self = geteuid();

	if ((st->st_mode & (S_IROTH | S_IWOTH)) != 0)
		return fail(error, path,
		    "everybody may read or write this key (mode %04o); "
		    "chmod 600 it, and replace the key if others had access",
		    st->st_mode & 07777u);
	if ((st->st_mode & S_IWGRP) != 0)
		return fail(error, path, "its group may write this key (mode %04o); chmod 600 it",
		    st->st_mode & 07777u);
	if (st->st_uid != 0 && self == 0)
		return fail_for_root(error, path, st->st_uid);
	if (st->st_uid != 0 && st->st_uid != self)
		return fail(error, path,
		    "this key belongs to user %u, neither to root nor to user %u who runs "
		    "this; chown it",
		    st->st_uid, self);
	if ((st->st_mode & S_IRGRP) != 0 && st->st_uid != 0)
		return fail(error, path,
		    "its group may read this key (mode %04o), which is fine only when "
		    "root owns it; chmod 600 it",
		    st->st_mode & 07777u);
	return true;
}

static int (*opener)(const char *path);

void
file_set_opener(int (*open_for_us)(const char *path))
{
	opener = open_for_us;
}

/* O_NONBLOCK: opening a FIFO must not wait for a writer. */
static int
open_to_read(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	return fd < 0 && errno == EACCES && opener ? opener(path) : fd;
}

static bool
read_judged(struct secret *out, const char *path, size_t most, bool is_key, char error[FILE_ERROR])
{
	int fd = open_to_read(path);
	struct stat st;
	bool fine = false;

	*out = (struct secret){ 0 };
	if (fd < 0 || fstat(fd, &st) < 0)
		fail_errno(error, path, "read", errno);
	else
		fine = (!is_key || !S_ISREG(st.st_mode) || judge_key(path, &st, error)) &&
		    read_regular(out, path, fd, &st, most, error);
	if (fd >= 0)
		close(fd);
	if (!fine)
		secret_wipe(out);
	return fine;
}

bool
file_read(struct secret *out, const char *path, size_t most, char error[FILE_ERROR])
{
	return read_judged(out, path, most, false, error);
}

bool
file_read_key(struct secret *out, const char *path, size_t most, char error[FILE_ERROR])
{
	return read_judged(out, path, most, true, error);
}

bool
file_write_all(int fd, const void *data, size_t bytes)
{
	const uint8_t *at = data;

	while (bytes > 0) {
		ssize_t n = write(fd, at, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		at += n;
		bytes -= (size_t)n;
	}
	return true;
}

static bool
sync_directory(const char *path)
{
	char copy[PATH_MAX];
	int fd;
	bool fine;

	snprintf(copy, sizeof copy, "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	/* Some file systems have no fsync for directories. */
	fine = fsync(fd) == 0 || errno == EINVAL;
	close(fd);
	return fine;
}

static bool
move_into_place(const char *temporary, const char *path, bool may_replace)
{
	if (may_replace)
		return rename(temporary, path) == 0;
	if (renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
		return true;
	/* Not every file system knows RENAME_NOREPLACE. */
	return errno == EINVAL && link(temporary, path) == 0 && unlink(temporary) == 0;
}

/* A new file beside this one, and its path; -1 with a sentence.  Only for writing, as mkstemp(3) would
 * not have it: a sandbox may let us write where it does not let us read. */
static int
open_beside(const char *path, char temporary[PATH_MAX], char error[FILE_ERROR])
{
	int fd, tries = 0;

	do {
		int length =
		    snprintf(temporary, PATH_MAX, "%s.new-%06x", path, arc4random_uniform(1 << 24));

		if (length < 0 || length >= PATH_MAX) {
			fail_errno(error, path, "write", ENAMETOOLONG);
			return -1;
		}
		fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	} while (fd < 0 && errno == EEXIST && ++tries < TEMPORARY_TRIES);
	if (fd < 0)
		fail_errno(error, path, "write", errno);
	return fd;
}

static bool
write_whole(const char *path, mode_t mode, const void *data, size_t bytes, bool may_replace,
    char error[FILE_ERROR])
{
	char temporary[PATH_MAX];
	int fd = open_beside(path, temporary, error), why;
	bool fine;

	if (fd < 0)
		return false;
	fine = fchmod(fd, mode) == 0 && file_write_all(fd, data, bytes) && fsync(fd) == 0;
	why = errno;
	if (close(fd) < 0 && fine) {
		fine = false;
		why = errno;
	}
	if (fine && !move_into_place(temporary, path, may_replace)) {
		fine = false;
		why = errno;
	}
	if (!fine)
		unlink(temporary);
	if (!fine && why == EEXIST)
		return fail(
		    error, path, "is there already and is not replaced; move it away first");
	if (!fine)
		return fail_errno(error, path, "write", why);
	return sync_directory(path) || fail_errno(error, path, "make durable", errno);
}

bool
file_write(const char *path, mode_t mode, const void *data, size_t bytes, char error[FILE_ERROR])
{
	return write_whole(path, mode, data, bytes, true, error);
}

bool
file_create(const char *path, mode_t mode, const void *data, size_t bytes, char error[FILE_ERROR])
{
	return write_whole(path, mode, data, bytes, false, error);
}

bool
file_has_room(const char *path, size_t bytes, char error[FILE_ERROR])
{
	char temporary[PATH_MAX];
	int fd = open_beside(path, temporary, error), why;

	if (fd < 0)
		return false;
	why = posix_fallocate(fd, 0, (off_t)bytes);
	unlink(temporary);
	close(fd);
	return why == 0 || fail_errno(error, path, "write", why);
}

static int64_t
nanoseconds(struct timespec time)
{
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

struct file_stamp
file_stamp_of(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return (struct file_stamp){ 0 };
	return (struct file_stamp){
		.inode = st.st_ino,
		.bytes = (uint64_t)st.st_size,
		.modified_ns = nanoseconds(st.st_mtim),
		.changed_ns = nanoseconds(st.st_ctim),
		.exists = true,
	};
}

bool
file_stamp_equals(const struct file_stamp *a, const struct file_stamp *b)
{
	return a->inode == b->inode && a->bytes == b->bytes && a->modified_ns == b->modified_ns &&
	    a->changed_ns == b->changed_ns && a->exists == b->exists;
}
