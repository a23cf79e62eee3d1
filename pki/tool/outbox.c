/* Write to tmp/, fsync, rename when the inventory says so. */
#include "pki/tool/outbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/units.h"
#include "pki/tool/message.h"
#include "pki/tool/store_statement.h"

/* fchmod, because the umask is not meant for files that other programs read. */
static int
write_file(const char *path, mode_t mode, const void *data, size_t bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int problem;

	if (fd < 0)
		return -1;
	problem = !file_write_all(fd, data, bytes) || fchmod(fd, mode) < 0 || fsync(fd) < 0;
	if (close(fd) < 0 || problem) {
		problem = errno;
		unlink(path);
		errno = problem;
		return -1;
	}
	return 0;
}

int
outbox_put(struct store *store, const char *path, mode_t mode, const void *data, size_t bytes)
{
	char temp[64], random[33], whole[PATH_MAX];
	uint8_t octets[16];

	arc4random_buf(octets, sizeof octets);
	snprintf(temp, sizeof temp, "tmp/%s", hex_encode(random, octets, sizeof octets));
	if (write_file(store_path(store, temp, whole), mode, data, bytes) < 0)
		return message_fail(EX_CANTCREAT,
		    "%s/%s cannot be written: %s; nothing was changed", store->dir, path,
		    strerror(errno));
	return store_do(store, "INSERT INTO outbox(temp, path) VALUES(?, ?)", "tt", temp, path);
}

static int
sync_directory(struct store *store, const char *path)
{
	char whole[PATH_MAX];
	int fd = open(store_path(store, path, whole), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int problem = fd < 0 || fsync(fd) < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	return problem ? message_fail(EX_CANTCREAT, "%s: %s", whole, strerror(problem)) : 0;
}

int
outbox_seal(struct store *store)
{
	return sync_directory(store, "tmp");
}

static int
deliver_one(void *arg, sqlite3_stmt *row)
{
	struct store *store = arg;
	const char *path = (const char *)sqlite3_column_text(row, 1);
	char from[PATH_MAX], to[PATH_MAX], dir[PATH_MAX];
	char *slash;

	store_path(store, (const char *)sqlite3_column_text(row, 0), from);
	if (rename(from, store_path(store, path, to)) < 0)
		return errno == ENOENT ? 0 : /* done before, by us or by another process */
		    message_fail(EX_CANTCREAT,
			"%s: %s; the change is made, and the file follows with the next command",
			to, strerror(errno));
	snprintf(dir, sizeof dir, "%s", path);
	slash = strrchr(dir, '/');
	if (slash)
		*slash = '\0';
	return sync_directory(store, slash ? dir : "");
}

int
outbox_deliver(struct store *store)
{
	return store_each(
	    store, deliver_one, store, "SELECT temp, path FROM outbox ORDER BY id", "");
}

/* Who holds the lock is the only one with files in tmp/, apart from those of the outbox. */
static void
clean_up(struct store *store)
{
	char path[PATH_MAX];
	DIR *dir = opendir(store_path(store, "tmp", path));
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
}

int
outbox_recover(struct store *store)
{
	int code = outbox_deliver(store);

	if (code)
		return code;
	clean_up(store);
	return store_do(store, "DELETE FROM outbox", "");
}

static int
look_for_one(void *arg, sqlite3_stmt *row)
{
	return store_has_file(arg, (const char *)sqlite3_column_text(row, 0)) ? 1 : 0;
}

bool
outbox_waits(struct store *store)
{
	return store_each(store, look_for_one, store, "SELECT temp FROM outbox", "") == 1;
}

static int
unlink_one(void *arg, sqlite3_stmt *row)
{
	char path[PATH_MAX];

	unlink(store_path(arg, (const char *)sqlite3_column_text(row, 0), path));
	return 0;
}

/* The rows were written by this very change: recovery had emptied the table. */
void
outbox_forget(struct store *store)
{
	store_each(store, unlink_one, store, "SELECT temp FROM outbox", "");
}
