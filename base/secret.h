/*
 * Bytes that must not outlive their use: wiped when freed, never printed,
 * compared in constant time.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Owns `data`; {0} is empty. */
struct secret {
	uint8_t *data;
	size_t bytes;
};

/* Copies; false when memory is short. */
bool secret_init(struct secret *, const void *data, size_t bytes);
/* Wipes and frees what it holds; harmless on {0}. */
void secret_wipe(struct secret *);
/* Constant time for equal lengths. */
bool secret_equals(const struct secret *, const void *data, size_t bytes);

/* Wipes in a way that no compiler removes. */
void bytes_wipe(void *, size_t);

/* No core dumps, no ptrace by the same user; call first in main(). */
void process_harden(void);

#endif
