/*
 * Stands between our own objects and the allocator and the kernel, see fail.h.  With VALISE_FAIL_TRACE set, standard
 * error tells where the allocation that fails was wanted (addr2line -fe PROGRAM).
 */
#include "fail.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { FRAMES = 16 };

struct fail_steering *fail_steering;

__attribute__((constructor)) static void
map_steering(void)
{
	const char *path = getenv("VALISE_FAIL");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *map;

	if (fd < 0)
		return;
	map = mmap(NULL, sizeof *fail_steering, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		abort();
	fail_steering = map;
}

static _Bool
fails(void)
{
	void *frames[FRAMES];

	if (!fail_steering ||
	    atomic_fetch_add(&fail_steering->made, 1) + 1 != atomic_load(&fail_steering->fail_at))
		return 0;
	atomic_fetch_add(&fail_steering->failed, 1);
	if (getenv("VALISE_FAIL_TRACE"))
		backtrace_symbols_fd(frames, backtrace(frames, FRAMES), STDERR_FILENO);
	errno = ENOMEM;
	return 1;
}

#define INSTEAD_OF(type, name, parameters, arguments, failure) \
	type __real_##name parameters; \
	type __wrap_##name parameters; \
	type __wrap_##name parameters { return fails() ? (failure) : __real_##name arguments; }

INSTEAD_OF(void *, malloc, (size_t bytes), (bytes), NULL)
INSTEAD_OF(void *, calloc, (size_t count, size_t bytes), (count, bytes), NULL)
INSTEAD_OF(void *, realloc, (void *memory, size_t bytes), (memory, bytes), NULL)
INSTEAD_OF(void *, reallocarray, (void *memory, size_t count, size_t bytes), (memory, count, bytes), NULL)
INSTEAD_OF(void *, aligned_alloc, (size_t alignment, size_t bytes), (alignment, bytes), NULL)
INSTEAD_OF(int, posix_memalign, (void **out, size_t alignment, size_t bytes), (out, alignment, bytes), ENOMEM)
INSTEAD_OF(char *, strdup, (const char *text), (text), NULL)
INSTEAD_OF(char *, strndup, (const char *text, size_t most), (text, most), NULL)
INSTEAD_OF(char *, realpath, (const char *path, char *out), (path, out), NULL)
INSTEAD_OF(FILE *, open_memstream, (char **text, size_t *bytes), (text, bytes), NULL)

/* ---- the kernel ---- */

static _Bool
call_fails(enum fail_calls call)
{
	if (!fail_steering || !(atomic_load(&fail_steering->calls) & call))
		return 0;
	errno = (int)atomic_load(&fail_steering->error);
	return 1;
}

#define CALL_INSTEAD_OF(call, name, parameters, arguments) \
	int __real_##name parameters; \
	int __wrap_##name parameters; \
	int __wrap_##name parameters { return call_fails(call) ? -1 : __real_##name arguments; }

CALL_INSTEAD_OF(FAIL_ACCEPT, accept4, (int fd, void *from, void *bytes, int flags), (fd, from, bytes, flags))
CALL_INSTEAD_OF(FAIL_SOCKET, socket, (int family, int type, int protocol), (family, type, protocol))
CALL_INSTEAD_OF(FAIL_CONNECT, connect, (int fd, const void *to, unsigned bytes), (fd, to, bytes))
CALL_INSTEAD_OF(FAIL_PIPE, pipe2, (int *fd, int flags), (fd, flags))

int __real_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event);

int
__wrap_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
	if (operation != EPOLL_CTL_DEL && call_fails(FAIL_WATCH))
		return -1;
	return __real_epoll_ctl(epoll_fd, operation, fd, event);
}

/* ---- the clock ---- */

int __real_clock_gettime(clockid_t which, struct timespec *out);
int __wrap_clock_gettime(clockid_t which, struct timespec *out);

int
__wrap_clock_gettime(clockid_t which, struct timespec *out)
{
	int result = __real_clock_gettime(which, out);

	if (result == 0 && which == CLOCK_REALTIME && fail_steering)
		out->tv_sec += atomic_load(&fail_steering->wall_off_s);
	return result;
}

/* ---- the allocator, where its arguments vary; with and without _FORTIFY_SOURCE ---- */

int __wrap_asprintf(char **out, const char *format, ...) __attribute__((format(printf, 2, 3)));
int __wrap___asprintf_chk(char **out, int flag, const char *format, ...) __attribute__((format(printf, 3, 4)));

int
__wrap_asprintf(char **out, const char *format, ...)
{
	va_list arguments;
	int bytes;

	if (fails())
		return -1;
	va_start(arguments, format);
	bytes = vasprintf(out, format, arguments);
	va_end(arguments);
	return bytes;
}

int
__wrap___asprintf_chk(char **out, int flag, const char *format, ...)
{
	va_list arguments;
	int bytes;

	(void)flag;
	if (fails())
		return -1;
	va_start(arguments, format);
	bytes = vasprintf(out, format, arguments);
	va_end(arguments);
	return bytes;
}
