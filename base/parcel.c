/* Files that are passed instead of messages. */
#include "base/parcel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory_file.h"
#include "base/pass.h"

bool
parcel_send(int socket, const void *head, size_t head_bytes, const void *data, size_t bytes)
{
	struct memory_file file;
	bool is_sent;
	int why;

	if (!memory_file_open(&file, data, bytes))
		return false;
	is_sent = pass_send(socket, head, head_bytes, file.fd) == (ssize_t)head_bytes;
	why = errno;
	if (is_sent)
		close(file.fd); /* it is the reader's from now on */
	else
		memory_file_close(&file);
	errno = why;
	return is_sent;
}

/* Only what memfd_create(2) and tmpfs(5) make has seals, none of which waits for anything. */
static bool
is_in_memory(int fd, size_t most, size_t *bytes)
{
	struct stat seen;

	if (fcntl(fd, F_GET_SEALS) < 0 || fstat(fd, &seen) < 0 || !S_ISREG(seen.st_mode) ||
	    seen.st_size < 0 || (uint64_t)seen.st_size > most)
		return false;
	*bytes = (size_t)seen.st_size;
	return true;
}

static bool
read_all(int fd, uint8_t *data, size_t bytes)
{
	size_t done = 0;

	while (done < bytes) {
		ssize_t got = pread(fd, data + done, bytes - done, (off_t)done);

		if (got <= 0)
			return false;
		done += (size_t)got;
	}
	return true;
}

bool
parcel_read(int fd, size_t most, struct secret *out)
{
	struct memory_file file = { .fd = fd };
	size_t bytes = 0;
	bool is_read = false;

	*out = (struct secret){ 0 };
	if (is_in_memory(fd, most, &bytes) && (out->data = malloc(bytes + 1))) {
		out->bytes = bytes;
		out->data[bytes] = 0;
		is_read = read_all(fd, out->data, bytes);
		memory_file_close(&file);
	} else
		close(fd);
	if (!is_read)
		secret_wipe(out);
	return is_read;
}
