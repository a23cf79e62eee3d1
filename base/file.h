/*
 * Files as a whole: bounded reads, the judgement of key files on the opened
 * descriptor, writes that are whole or not there, and cheap stamps to see that
 * a file has changed.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/secret.h"

enum { FILE_ERROR = 512 }; /* size of the caller's storage for a sentence */

/* Reads a whole file of at most `most` bytes; a NUL is put behind the bytes.
 * False with a sentence (which file, why, what to do) in `error`. */
bool file_read(struct secret *out, const char *path, size_t most, char error[FILE_ERROR]);
/* The same for a private key: refused if the world may read it, the group may
 * write it, neither root nor we own it, or the group may read it and root does not own it. */
bool file_read_key(struct secret *out, const char *path, size_t most, char error[FILE_ERROR]);
/* Whom to ask for a file that we have no right to open: gives a descriptor, or -1 with errno.  Said
 * once, before there are threads (base/opener.h). */
void file_set_opener(int (*open)(const char *path));
/* Temporary beside it, fsync, rename, fsync of the directory. */
bool file_write(const char *path, mode_t, const void *data, size_t bytes, char error[FILE_ERROR]);
/* The same but refuses to replace what is there. */
bool file_create(const char *path, mode_t, const void *data, size_t bytes, char error[FILE_ERROR]);

/* Whether a file of so many bytes could be written there now: before something is asked for that must not be
 * lost. False with a sentence. */
bool file_has_room(const char *path, size_t bytes, char error[FILE_ERROR]);

/* All bytes to a descriptor that blocks; false with errno. */
bool file_write_all(int fd, const void *data, size_t bytes);

/* What tells one state of a file from another without reading it. */
struct file_stamp {
	uint64_t inode, bytes;
	int64_t modified_ns, changed_ns;
	bool exists;
};

struct file_stamp file_stamp_of(const char *path);
bool file_stamp_equals(const struct file_stamp *, const struct file_stamp *);

#endif
