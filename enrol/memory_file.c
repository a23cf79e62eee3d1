/* Files without a name in any directory. */
#include "enrol/memory_file.h"

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

void
memory_file_close(struct memory_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}
