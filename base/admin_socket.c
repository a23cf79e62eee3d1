/* Where the admin socket is, who may come to it, and that it is ours alone. */
#include "base/admin_private.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/ready.h"
#include "base/units.h"

int
admin_fail(int code, char error[ADMIN_ERROR], const char *path, const char *what, const char *cure)
{
	snprintf(error, ADMIN_ERROR, "%.200s: %s; %s", path, what, cure);
	return code;
}

static int
judge_directory(const char *path, char error[ADMIN_ERROR])
{
	char directory[ADMIN_PATH], *slash;
	struct stat st;

	snprintf(directory, sizeof directory, "%s", path);
	slash = strrchr(directory, '/');
	if (!slash)
		return admin_fail(EX_CANTCREAT, error, path, "is not an absolute path",
		    "write admin.socket as /run/...");
	slash[slash == directory] = '\0';
	if (mkdir(directory, 0755) < 0 && errno != EEXIST)
		return admin_fail(EX_CANTCREAT, error, directory, strerror(errno),
		    "make it for the program's user, or change admin.socket");
	if (stat(directory, &st) < 0)
		return admin_fail(
		    EX_CANTCREAT, error, directory, strerror(errno), "change admin.socket");
	if ((st.st_mode & S_IWOTH) != 0 && (st.st_mode & S_ISVTX) == 0)
		return admin_fail(EX_CANTCREAT, error, directory,
		    "anybody could replace the admin socket there",
		    "take the right to write from the others");
	return 0;
}

int
admin_lock(const char *path, char error[ADMIN_ERROR])
{
	char lock[ADMIN_PATH];
	long holder;
	int code = judge_directory(path, error);

	if (code != 0)
		return code;
	snprintf(lock, sizeof lock, "%s.lock", path);
	if (ready_lock(lock, &holder, error))
		return 0;
	return holder != 0 ? EX_UNAVAILABLE : EX_CANTCREAT;
}

/* The mode is the socket's before it has a name, so that there is no moment in which others could come. */
int
admin_listen_at(const char *path, char error[ADMIN_ERROR])
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat st;
	int fd;

	if (strlen(path) >= sizeof address.sun_path) {
		admin_fail(0, error, path, "is too long for a socket (107 bytes at most)",
		    "choose a shorter admin.socket");
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path));
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && fchmod(fd, 0600) == 0 &&
	    bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
	    listen(fd, ADMIN_BACKLOG) == 0)
		return fd;
	admin_fail(0, error, path, strerror(errno),
	    errno == EADDRINUSE
		? "remove what is there, because it is not a socket, or change admin.socket"
		: "let the program's user write the directory, or change admin.socket");
	if (fd >= 0)
		close(fd);
	return -1;
}

bool
admin_listens_at(int fd, const char *path)
{
	struct sockaddr_un local = { 0 };
	socklen_t bytes = sizeof local;
	int kind = 0, listens = 0;
	socklen_t kind_bytes = sizeof kind, listens_bytes = sizeof listens;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind, &kind_bytes) == 0 &&
	    kind == SOCK_STREAM &&
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_bytes) == 0 && listens &&
	    getsockname(fd, (struct sockaddr *)&local, &bytes) == 0 &&
	    local.sun_family == AF_UNIX &&
	    strncmp(local.sun_path, path, sizeof local.sun_path) == 0;
}

/* ---- who else may come ---- */

/* A name, or a number. */
static bool
find_group(const char *name, gid_t *group)
{
	char room[16384];
	struct group entry, *found = NULL;
	uint64_t number;

	if (getgrnam_r(name, &entry, room, sizeof room, &found) == 0 && found) {
		*group = found->gr_gid;
		return true;
	}
	if (!number_parse(name, &number) || number >= (gid_t)-1)
		return false;
	*group = (gid_t)number;
	return true;
}

bool
admin_group_find(struct admin_group *group, const char *name, char error[ADMIN_ERROR])
{
	*group = (struct admin_group){ .is_given = name != NULL };
	if (!name || find_group(name, &group->id))
		return true;
	snprintf(error, ADMIN_ERROR,
	    "admin.group: there is no group %.40s; make it, or take the key away", name);
	return false;
}

/* Until its group is right the socket is for its owner only.  One that was handed over may be right already,
 * when nothing of this can be done any more. */
static bool
give_to_group(const char *path, gid_t group)
{
	struct stat st;

	if (lstat(path, &st) == 0 && st.st_gid == group && (st.st_mode & 07777) == 0660)
		return true;
	return chown(path, (uid_t)-1, group) == 0 && chmod(path, 0660) == 0;
}

bool
admin_let_look(struct admin *admin, const struct admin_group *group, char error[ADMIN_ERROR])
{
	static const char cure[] = "the program's user must be in the group of admin.group "
				   "(SupplementaryGroups= of the service), or take the key away";

	if (!group->is_given)
		return true;
	if (!give_to_group(admin->path, group->id)) {
		admin_fail(0, error, admin->path, strerror(errno), cure);
		return false;
	}
	admin->group = *group;
	return true;
}
