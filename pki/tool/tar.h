/*
 * Archives in the form that every tar reads (POSIX.1 ustar): whole files,
 * written in one go.  Reading accepts only plain files with relative names that
 * stay below the directory.
 */
#ifndef PKI_TOOL_TAR_H
#define PKI_TOOL_TAR_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct tar {
	int fd;
	int64_t time;
	char path[4096], temp[4096 + 16];
};

/* Begins beside `path`, which must not exist; mode 0600. */
int tar_create(struct tar *, const char *path, int64_t time);
int tar_add(struct tar *, const char *name, mode_t, const void *data, size_t bytes);
/* A file on disk, with its mode. */
int tar_add_file(struct tar *, const char *name, const char *file);
/* code 0: completes it and gives it its name. Otherwise, or on failure, nothing stays. */
int tar_finish(struct tar *, int code);

/* Writes every file of the archive below `dir`, which exists. */
int tar_extract(const char *path, const char *dir);

#endif
