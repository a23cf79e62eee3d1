/* ustar, both ways. */
#include "pki/tool/tar.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/secret.h"
#include "pki/tool/message.h"

enum { BLOCK = 512, FILE_MOST = 1 << 30 };

struct header {
	char name[100], mode[8], owner[8], group[8], size[12], time[12], sum[8], type, link[100];
	char magic[6], version[2], owner_name[32], group_name[32], device[16], prefix[155],
	    unused[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header is one block");

static unsigned
sum_of(const struct header *header)
{
	const unsigned char *at = (const unsigned char *)header;
	unsigned sum = 0;

	for (size_t i = 0; i < BLOCK; i++)
		sum += i >= offsetof(struct header, sum) &&
		    i < offsetof(struct header, type) ? ' ' : at[i];
	return sum;
}

static bool
write_all(int fd, const void *data, size_t bytes)
{
	while (bytes) {
		ssize_t written = write(fd, data, bytes);

		if (written < 0 && errno != EINTR)
			return false;
		if (written > 0) {
			data = (const char *)data + written;
			bytes -= (size_t)written;
		}
	}
	return true;
}

int
tar_create(struct tar *tar, const char *path, int64_t time)
{
	*tar = (struct tar){ .fd = -1, .time = time };
	if ((size_t)snprintf(tar->path, sizeof(tar->path), "%s", path) >= sizeof(tar->path))
		return message_fail(EX_USAGE, "the name of the archive is too long");
	if (access(path, F_OK) == 0)
		return message_fail(EX_CANTCREAT,
		    "%s is there already; take another name, or move it away", path);
	snprintf(tar->temp, sizeof(tar->temp), "%s.XXXXXX", path);
	tar->fd = mkostemp(tar->temp, O_CLOEXEC);
	return tar->fd < 0 ? message_fail(EX_CANTCREAT, "%s: %s", path, strerror(errno)) : 0;
}

int
tar_add(struct tar *tar, const char *name, mode_t mode, const void *data, size_t bytes)
{
	static const char zeroes[BLOCK];
	struct header header = { .type = '0', .magic = "ustar", .version = { '0', '0' } };
	size_t rest = (BLOCK - bytes % BLOCK) % BLOCK;

	if ((size_t)snprintf(header.name, sizeof(header.name), "%s", name) >= sizeof(header.name))
		return message_fail(EX_SOFTWARE, "%s: too long for an archive", name);
	snprintf(header.mode, sizeof(header.mode), "%07o", (unsigned)(mode & 07777));
	snprintf(header.owner, sizeof(header.owner), "%07o", 0u);
	snprintf(header.group, sizeof(header.group), "%07o", 0u);
	snprintf(header.size, sizeof(header.size), "%011llo", (unsigned long long)bytes);
	snprintf(header.time, sizeof(header.time), "%011llo", (unsigned long long)tar->time);
	snprintf(header.sum, sizeof(header.sum), "%06o", sum_of(&header));
	header.sum[7] = ' ';
	if (!write_all(tar->fd, &header, BLOCK) || !write_all(tar->fd, data, bytes) ||
	    !write_all(tar->fd, zeroes, rest))
		return message_fail(EX_CANTCREAT, "%s: %s", tar->path, strerror(errno));
	return 0;
}

int
tar_add_file(struct tar *tar, const char *name, const char *file)
{
	char error[FILE_ERROR];
	struct secret content = { 0 };
	struct stat status;
	int code;

	if (stat(file, &status) < 0)
		return message_fail(EX_NOINPUT, "%s: %s", file, strerror(errno));
	if (!file_read(&content, file, FILE_MOST, error))
		return message_fail(EX_NOINPUT, "%s", error);
	code = tar_add(tar, name, status.st_mode, content.data, content.bytes);
	secret_wipe(&content);
	return code;
}

int
tar_finish(struct tar *tar, int code)
{
	static const char end[2 * BLOCK];

	if (tar->fd < 0)
		return code;
	/* link, not rename: what somebody else put there in the meantime stays */
	if (!code && (!write_all(tar->fd, end, sizeof(end)) || fsync(tar->fd) < 0 ||
	    link(tar->temp, tar->path) < 0))
		code = message_fail(EX_CANTCREAT, "%s: %s", tar->path, strerror(errno));
	close(tar->fd);
	unlink(tar->temp);
	tar->fd = -1;
	return code;
}

/* Below the directory: no part of it is "." or ".." or empty. */
static bool
is_safe(const char *name)
{
	for (const char *part = name;; part += strcspn(part, "/") + 1) {
		size_t bytes = strcspn(part, "/");

		if (bytes <= 2 && strncmp(part, "..", bytes) == 0)
			return false;
		if (part[bytes] == '\0')
			return !strchr(name, '\\');
	}
}

/* The directories of a name, 0700; the restored authority gets its own modes later. */
static void
make_parents(char *path, size_t from)
{
	for (char *slash = strchr(path + from, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0700);
		*slash = '/';
	}
}

static int
extract_one(const struct header *header, const char *name, const uint8_t *data, size_t bytes,
    const char *dir)
{
	char path[PATH_MAX], error[FILE_ERROR];
	mode_t mode = (mode_t)strtoul(header->mode, NULL, 8) & 0777;

	if (!is_safe(name) || (header->type != '0' && header->type != '\0'))
		return message_fail(EX_DATAERR,
		    "the archive holds '%s', which is no plain file below the directory", name);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	make_parents(path, strlen(dir) + 1);
	return file_create(path, mode, data, bytes, error) ? 0 :
	    message_fail(EX_CANTCREAT, "%s", error);
}

static int
extract_all(const struct secret *archive, const char *path, const char *dir)
{
	size_t at = 0, files = 0;

	while (at + BLOCK <= archive->bytes) {
		const struct header *header = (const void *)(archive->data + at);
		char name[sizeof(header->name) + 1] = "", size[sizeof(header->size) + 1] = "";
		size_t bytes;
		int code;

		if (header->name[0] == '\0')
			return files ? 0 : message_fail(EX_DATAERR, "%s: an empty archive", path);
		memcpy(name, header->name, sizeof(header->name));
		memcpy(size, header->size, sizeof(header->size));
		bytes = strtoul(size, NULL, 8);
		at += BLOCK;
		if (strtoul(header->sum, NULL, 8) != sum_of(header) || bytes > archive->bytes - at)
			return message_fail(EX_DATAERR, "%s: damaged, or no backup of an authority",
			    path);
		code = extract_one(header, name, archive->data + at, bytes, dir);
		if (code)
			return code;
		at += (bytes + BLOCK - 1) / BLOCK * BLOCK;
		files++;
	}
	return message_fail(EX_DATAERR, "%s: cut off, or no backup of an authority", path);
}

int
tar_extract(const char *path, const char *dir)
{
	char error[FILE_ERROR];
	struct secret archive = { 0 };
	int code;

	if (!file_read(&archive, path, FILE_MOST, error))
		return message_fail(EX_NOINPUT, "%s", error);
	code = extract_all(&archive, path, dir);
	secret_wipe(&archive);
	return code;
}
