/* ustar by libarchive, and what it is trusted with. */
#include "pki/tool/tarball.h"

#include <archive.h>
#include <archive_entry.h>
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

enum { FILE_MOST = 1 << 30 };

/* ---- writing ---- */

static int
open_archive(struct tarball *tarball)
{
	tarball->archive = archive_write_new();
	if (!tarball->archive)
		return message_no_memory();
	/* Blocks of 0 bytes: libarchive passes keys on and keeps no copy of them. */
	if (archive_write_set_format_ustar(tarball->archive) != ARCHIVE_OK ||
	    archive_write_set_bytes_per_block(tarball->archive, 0) != ARCHIVE_OK ||
	    archive_write_open_fd(tarball->archive, tarball->fd) != ARCHIVE_OK)
		return message_fail(
		    EX_CANTCREAT, "%s: %s", tarball->path, archive_error_string(tarball->archive));
	return 0;
}

/* What is not a plain file was put there for another purpose. */
static int
judge_place(const char *path, bool replaces)
{
	struct stat status;

	if (lstat(path, &status) < 0)
		return 0;
	if (!replaces)
		return message_fail(EX_CANTCREAT,
		    "%s is there already; take another name, move it away, or say --replace", path);
	return S_ISREG(status.st_mode)
	    ? 0
	    : message_fail(EX_CANTCREAT, "%s is not a plain file, and is not replaced", path);
}

int
tarball_create(struct tarball *tarball, const char *path, bool replaces, int64_t time)
{
	int code = judge_place(path, replaces);

	*tarball = (struct tarball){ .fd = -1, .time = time, .replaces = replaces };
	if (code)
		return code;
	if ((size_t)snprintf(tarball->path, sizeof tarball->path, "%s", path) >=
	    sizeof tarball->path)
		return message_fail(EX_USAGE, "the name of the archive is too long");
	snprintf(tarball->temp, sizeof tarball->temp, "%s.XXXXXX", path);
	tarball->fd = mkostemp(tarball->temp, O_CLOEXEC);
	return tarball->fd < 0 ? message_fail(EX_CANTCREAT, "%s: %s", path, strerror(errno))
			       : open_archive(tarball);
}

int
tarball_add(struct tarball *tarball, const char *name, mode_t mode, const void *data, size_t bytes)
{
	struct archive_entry *entry = archive_entry_new();
	bool written;

	if (!entry)
		return message_no_memory();
	archive_entry_set_pathname(entry, name);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, mode & 07777);
	archive_entry_set_size(entry, (la_int64_t)bytes);
	archive_entry_set_mtime(entry, tarball->time, 0);
	written = archive_write_header(tarball->archive, entry) == ARCHIVE_OK &&
	    archive_write_data(tarball->archive, data, bytes) == (la_ssize_t)bytes;
	archive_entry_free(entry);
	return written ? 0
		       : message_fail(EX_CANTCREAT, "%s: %s: %s", tarball->path, name,
			     archive_error_string(tarball->archive));
}

int
tarball_add_file(struct tarball *tarball, const char *name, const char *file)
{
	char error[FILE_ERROR];
	struct secret content = { 0 };
	struct stat status;
	int code;

	if (stat(file, &status) < 0)
		return message_fail(EX_NOINPUT, "%s: %s", file, strerror(errno));
	if (!file_read(&content, file, FILE_MOST, error))
		return message_fail(EX_NOINPUT, "%s", error);
	code = tarball_add(tarball, name, status.st_mode, content.data, content.bytes);
	secret_wipe(&content);
	return code;
}

/* link, unless it replaces: what somebody else put there in the meantime stays. */
static bool
give_name(const struct tarball *tarball)
{
	return (tarball->replaces ? rename(tarball->temp, tarball->path)
				  : link(tarball->temp, tarball->path)) == 0;
}

static int
complete(struct tarball *tarball)
{
	if (archive_write_close(tarball->archive) != ARCHIVE_OK)
		return message_fail(
		    EX_CANTCREAT, "%s: %s", tarball->path, archive_error_string(tarball->archive));
	return fsync(tarball->fd) == 0 && give_name(tarball)
	    ? 0
	    : message_fail(EX_CANTCREAT, "%s: %s", tarball->path, strerror(errno));
}

int
tarball_finish(struct tarball *tarball, int code)
{
	if (tarball->fd < 0)
		return code;
	if (!code)
		code = complete(tarball);
	archive_write_free(tarball->archive); /* of one that failed, too: its file goes anyway */
	close(tarball->fd);
	unlink(tarball->temp);
	tarball->archive = NULL;
	tarball->fd = -1;
	return code;
}

/* ---- reading ---- */

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
judge_entry(struct archive_entry *entry, const char *path, size_t archive_bytes)
{
	const char *name = archive_entry_pathname(entry), *shown = name ? name : "";

	if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry))
		return message_fail(
		    EX_DATAERR, "%s: it holds '%s', which is not a plain file", path, shown);
	if (!name || *name == '/' || !is_safe(name))
		return message_fail(EX_DATAERR,
		    "%s: it holds '%s', which is not a name below the directory", path, shown);
	if (!archive_entry_size_is_set(entry) || archive_entry_size(entry) < 0 ||
	    (uint64_t)archive_entry_size(entry) > archive_bytes)
		return message_fail(EX_DATAERR,
		    "%s: '%s' would be larger than the archive; it is cut off, or not a backup",
		    path, shown);
	return 0;
}

static int
write_entry(
    struct archive_entry *entry, const char *path, const char *dir, const void *data, size_t bytes)
{
	const char *name = archive_entry_pathname(entry);
	char whole[PATH_MAX], error[FILE_ERROR];

	if ((size_t)snprintf(whole, sizeof whole, "%s/%s", dir, name) >= sizeof whole)
		return message_fail(EX_DATAERR, "%s: the name '%.100s...' is too long", path, name);
	make_parents(whole, strlen(dir) + 1);
	if (access(whole, F_OK) == 0)
		return message_fail(EX_DATAERR, "%s: it holds '%s' twice", path, name);
	return file_create(whole, archive_entry_perm(entry) & 0777, data, bytes, error)
	    ? 0
	    : message_fail(EX_CANTCREAT, "%s", error);
}

static int
fail_to_read(struct archive *archive, const char *path)
{
	const char *why = archive_error_string(archive);

	return message_fail(EX_DATAERR, "%s: damaged, cut off, or not a backup of an authority%s%s",
	    path, why ? ": " : "", why ? why : "");
}

/* The last call finds nothing more, and moves behind the padding of the file. */
static bool
read_whole(struct archive *archive, void *out, size_t bytes)
{
	char more;

	return archive_read_data(archive, out, bytes) == (la_ssize_t)bytes &&
	    archive_read_data(archive, &more, 1) == 0;
}

static int
extract_one(struct archive *archive, struct archive_entry *entry, const char *path, const char *dir,
    size_t archive_bytes)
{
	int code = judge_entry(entry, path, archive_bytes);
	struct secret content = { 0 };

	if (code)
		return code;
	content.bytes = (size_t)archive_entry_size(entry);
	content.data = malloc(content.bytes + 1);
	if (!content.data)
		return message_no_memory();
	code = read_whole(archive, content.data, content.bytes)
	    ? write_entry(entry, path, dir, content.data, content.bytes)
	    : fail_to_read(archive, path);
	secret_wipe(&content);
	return code;
}

/* libarchive takes the end of the file for the end of the archive as well; an archive that is
 * whole has at least one block of zeroes behind its last file. */
static bool
has_end_mark(struct archive *archive, int64_t end_of_last)
{
	return archive_filter_bytes(archive, 0) > end_of_last;
}

static int
extract_all(struct archive *archive, const char *path, const char *dir, size_t archive_bytes)
{
	struct archive_entry *entry;
	int64_t end_of_last = 0;
	int got = ARCHIVE_OK, code = 0;

	while (!code && (got = archive_read_next_header(archive, &entry)) == ARCHIVE_OK) {
		code = extract_one(archive, entry, path, dir, archive_bytes);
		end_of_last = archive_filter_bytes(archive, 0);
	}
	if (code)
		return code;
	if (got != ARCHIVE_EOF)
		return fail_to_read(archive, path);
	if (end_of_last == 0)
		return message_fail(EX_DATAERR, "%s: an empty archive", path);
	return has_end_mark(archive, end_of_last)
	    ? 0
	    : message_fail(
		  EX_DATAERR, "%s: cut off behind one of its files; what follows is missing", path);
}

int
tarball_extract(const char *path, const char *dir)
{
	char error[FILE_ERROR];
	struct secret content = { 0 };
	struct archive *archive = archive_read_new();
	int code;

	if (!archive)
		return message_no_memory();
	if (!file_read(&content, path, FILE_MOST, error))
		code = message_fail(EX_NOINPUT, "%s", error);
	else if (archive_read_support_format_tar(archive) != ARCHIVE_OK ||
	    archive_read_open_memory(archive, content.data, content.bytes) != ARCHIVE_OK)
		code = fail_to_read(archive, path);
	else
		code = extract_all(archive, path, dir, content.bytes);
	archive_read_free(archive);
	secret_wipe(&content);
	return code;
}
