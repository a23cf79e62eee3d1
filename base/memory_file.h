/*
 * Bytes as a file that libraries can open by its path, and that was never on a disk: they read
 * CAs, CRLs, certificates and keys from files only.  It is overwritten when it is closed.
 */
#ifndef BASE_MEMORY_FILE_H
#define BASE_MEMORY_FILE_H

#include <stdbool.h>
#include <stddef.h>

enum { MEMORY_FILE_PATH = 40 };

struct memory_file {
	int fd; /* -1: none */
	char path[MEMORY_FILE_PATH];
};

/* False with errno; the file is none then. */
bool memory_file_open(struct memory_file *, const void *data, size_t bytes);
/* Harmless twice. */
void memory_file_close(struct memory_file *);

#endif
