/*
 * Archives in the form that every tar reads (POSIX.1 ustar), by libarchive: whole files,
 * written in one go.  Reading accepts only plain files with relative names that stay
 * below the directory, each name once, and nothing larger than the archive itself.
 */
#ifndef PKI_TOOL_TARBALL_H
#define PKI_TOOL_TARBALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct archive;

/* {.fd = -1} is empty; tarball_finish() ends every other one. */
struct tarball {
	struct archive *archive;
	int fd;
	int64_t time; /* what all files are dated */
	bool replaces;
	char path[4096], temp[4096 + 16];
};

/* Begins beside `path`; mode 0600.  `path` must not exist, or, if it replaces, be a plain file,
 * which stays as it is until the new one is complete. */
int tarball_create(struct tarball *, const char *path, bool replaces, int64_t time);
#define TARBALL_REPLACE_ROW(type_, member) \
	{ \
		"replace", OPTION_FLAG, offsetof(type_, member), NULL, \
		    "replace an older one, once the new one is complete", 0 \
	}
int tarball_add(struct tarball *, const char *name, mode_t, const void *data, size_t bytes);
/* A file on disk, with its mode. */
int tarball_add_file(struct tarball *, const char *name, const char *file);
/* code 0: completes the archive and gives it its name. Otherwise, or on failure, nothing stays. */
int tarball_finish(struct tarball *, int code);

/* Writes every file of the archive below `dir`, which exists. */
int tarball_extract(const char *path, const char *dir);

#endif
