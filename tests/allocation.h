/*
 * Makes one allocation of our own objects fail: the n-th one from now on, in
 * whatever thread.  Only for tests called *allocation_test.c, which the makefile
 * links with --wrap, so that what libraries allocate is not touched.
 *
 *	for (unsigned n = 1; allocation_failed; n++) { allocation_fail(n); ...; }
 */
#ifndef TESTS_ALLOCATION_H
#define TESTS_ALLOCATION_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static atomic_int allocation_left;	/* until the one that fails; <= 0: none will */
static atomic_bool allocation_failed;

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
char *__real_strdup(const char *);
char *__real_strndup(const char *, size_t);
FILE *__real_open_memstream(char **, size_t *);
void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_realloc(void *, size_t);
char *__wrap_strdup(const char *);
char *__wrap_strndup(const char *, size_t);
FILE *__wrap_open_memstream(char **, size_t *);

/* 0: none. */
static inline void
allocation_fail(unsigned n)
{
	atomic_store(&allocation_failed, false);
	atomic_store(&allocation_left, (int)n);
}

static inline bool
allocation_fails(void)
{
	if (atomic_load(&allocation_left) <= 0 || atomic_fetch_sub(&allocation_left, 1) != 1)
		return false;
	atomic_store(&allocation_failed, true);
	errno = ENOMEM;
	return true;
}

void *
__wrap_malloc(size_t bytes)
{
	return allocation_fails() ? NULL : __real_malloc(bytes);
}

void *
__wrap_calloc(size_t count, size_t bytes)
{
	return allocation_fails() ? NULL : __real_calloc(count, bytes);
}

void *
__wrap_realloc(void *old, size_t bytes)
{
	return allocation_fails() ? NULL : __real_realloc(old, bytes);
}

char *
__wrap_strdup(const char *text)
{
	return allocation_fails() ? NULL : __real_strdup(text);
}

char *
__wrap_strndup(const char *text, size_t most)
{
	return allocation_fails() ? NULL : __real_strndup(text, most);
}

FILE *
__wrap_open_memstream(char **text, size_t *bytes)
{
	return allocation_fails() ? NULL : __real_open_memstream(text, bytes);
}

#endif
