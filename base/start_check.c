/* Looks at directories, locks and addresses, and leaves them as they are. */
#include "base/start_check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/address.h"
#include "base/socket.h"

static bool
may_write(const char *directory)
{
	return faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) == 0;
}

/* "a/b" of "a/b/c", "." of "c". */
static void
parent_of(const char *path, char parent[PATH_MAX])
{
	char *slash;

	snprintf(parent, PATH_MAX, "%s", path);
	for (size_t end = strlen(parent); end > 1 && parent[end - 1] == '/';)
		parent[--end] = '\0';
	slash = strrchr(parent, '/');
	if (!slash)
		snprintf(parent, PATH_MAX, ".");
	else
		slash[slash == parent] = '\0';
}

static bool
could_be_made(const char *directory, const char *key, char error[START_CHECK_ERROR])
{
	char parent[PATH_MAX];
	struct stat st;

	parent_of(directory, parent);
	if (stat(parent, &st) < 0)
		snprintf(error, START_CHECK_ERROR,
		    "%.200s: a start cannot make it, because there is no %.150s (%s); make that, or set "
		    "%s",
		    directory, parent, strerror(errno), key);
	else if (!may_write(parent))
		snprintf(error, START_CHECK_ERROR,
		    "%.200s: a start cannot make it in %.150s: %s; make it for this user, or set %s",
		    directory, parent, strerror(errno), key);
	else
		return true;
	return false;
}

static bool
comes_with_the_start(const char *directory)
{
	return strncmp(directory, "/run/", 5) == 0 && access(directory, F_OK) < 0 &&
	    errno == ENOENT;
}

bool
start_check_directory(const char *directory, const char *key, char error[START_CHECK_ERROR])
{
	struct stat st;

	if (comes_with_the_start(directory))
		return true;
	if (stat(directory, &st) < 0 && errno == ENOENT)
		return could_be_made(directory, key, error);
	if (stat(directory, &st) < 0)
		snprintf(error, START_CHECK_ERROR, "%.300s: %s; set another %s", directory,
		    strerror(errno), key);
	else if (!S_ISDIR(st.st_mode))
		snprintf(error, START_CHECK_ERROR,
		    "%.300s: is not a directory; remove it, or set another %s", directory, key);
	else if (!may_write(directory))
		snprintf(error, START_CHECK_ERROR,
		    "%.300s: %s, and a start has to write there; give it to the user that the program "
		    "runs as, or set another %s",
		    directory, strerror(errno), key);
	else
		return true;
	return false;
}

bool
start_check_socket(const char *path, const char *key, char error[START_CHECK_ERROR])
{
	char directory[PATH_MAX];
	struct stat st;

	parent_of(path, directory);
	if (!start_check_directory(directory, key, error))
		return false;
	if (stat(directory, &st) == 0 && (st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX))
		snprintf(error, START_CHECK_ERROR,
		    "%.300s: anybody could replace the socket of %s there; take the right to write from "
		    "the others",
		    directory, key);
	else if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		snprintf(error, START_CHECK_ERROR,
		    "%.300s: is there, and is not a socket; remove it, or set another %s", path,
		    key);
	else
		return true;
	return false;
}

/* Unlike that of the admin socket, nobody makes the directory. */
static bool
check_local(const char *path, const char *key, char error[START_CHECK_ERROR])
{
	char directory[PATH_MAX];

	parent_of(path, directory);
	if (access(directory, F_OK) == 0 || comes_with_the_start(directory))
		return start_check_socket(path, key, error);
	snprintf(error, START_CHECK_ERROR, "%.300s: %s; make that directory", directory,
	    strerror(errno));
	return false;
}

bool
start_check_listener(
    const struct address *address, unsigned flags, const char *key, char error[START_CHECK_ERROR])
{
	int fd;

	if (address->as.any.sa_family == AF_UNIX)
		return check_local(address->as.local.sun_path, key, error);
	fd = socket_bind(address, flags, error);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

bool
start_check_address(const char *text, const char *key, char error[START_CHECK_ERROR])
{
	struct address address;

	return !text || !address_parse(&address, text) ||
	    start_check_listener(&address, LISTEN_ALONE, key, error);
}
