/* Files without a name in any directory. */
#include "base/memory_file.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"

bool
memory_file_open(struct memory_file *file, const void *data, size_t bytes)
{
	file->fd = memfd_create("valise", MFD_CLOEXEC);
	if (file->fd < 0)
		return false;
	snprintf(file->path, sizeof file->path, "/proc/self/fd/%d", file->fd);
	if (file_write_all(file->fd, data, bytes))
		return true;
	int why = errno;
	memory_file_close(file);
	errno = why;
	return false;
}

static void
overwrite(int fd)
{
	static const char zeros[4096];
	off_t left = lseek(fd, 0, SEEK_END);

	if (left < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return;
	while (left > 0) {
		size_t bytes = left < (off_t)sizeof zeros ? (size_t)left : sizeof zeros;

		if (!file_write_all(fd, zeros, bytes))
			return;
		left -= (off_t)bytes;
	}
}

void
memory_file_close(struct memory_file *file)
{
	if (file->fd >= 0) {
		overwrite(file->fd);
		close(file->fd);
	}
	file->fd = -1;
}
