/*
 * Memory that a command cannot go on without: these end the program with exit status 71
 * if there is no more.
 */
#ifndef SNI_TOOL_XALLOC_H
#define SNI_TOOL_XALLOC_H

#include <stddef.h>

/* Zeroed; release with free(). */
void *xalloc(size_t bytes);
/* As realloc(); what is added is not zeroed. */
void *xalloc_more(void *memory, size_t bytes);

#endif
