/*
 * Preloaded into valise-pki: kills it before the DIE_AT-th call that changes a
 * file, as a crash at that very point would.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

static void
count(void)
{
	static long left;
	const char *at = getenv("DIE_AT");

	if (left == 0)
		left = at ? atol(at) : -1;
	if (left > 0 && --left == 0)
		kill(getpid(), SIGKILL);
}

#define STAND_BEFORE(type, name, parameters, ...) \
	type name parameters; \
	type name parameters \
	{ \
		type (*next) parameters; \
		*(void **)&next = dlsym(RTLD_NEXT, #name); \
		count(); \
		return next(__VA_ARGS__); \
	}

STAND_BEFORE(int, rename, (const char *from, const char *to), from, to)
STAND_BEFORE(int, fsync, (int fd), fd)
STAND_BEFORE(int, fdatasync, (int fd), fd)
STAND_BEFORE(int, unlink, (const char *path), path)
STAND_BEFORE(int, unlinkat, (int dir, const char *path, int flags), dir, path, flags)
STAND_BEFORE(int, fchmod, (int fd, mode_t mode), fd, mode)
STAND_BEFORE(int, ftruncate64, (int fd, off_t size), fd, size)
STAND_BEFORE(ssize_t, write, (int fd, const void *data, size_t bytes), fd, data, bytes)
STAND_BEFORE(ssize_t, pwrite64, (int fd, const void *data, size_t bytes, off_t at), fd, data, bytes,
    at)
