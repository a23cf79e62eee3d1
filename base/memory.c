/* What is lost when memory is short. */
#include "base/memory.h"

#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <sysexits.h>
#include "base/log.h"

void
memory_short(const char *lost)
{
	log_limited(LOG_ERROR, "memory-short", NULL, "memory is short", log_str("lost", lost));
}

void
memory_begin(void)
{
	errno = 0;
}

bool
memory_has_failed(void)
{
	return errno == ENOMEM;
}

int
memory_exit_code(int otherwise)
{
	return memory_has_failed() ? EX_OSERR : otherwise;
}

/* A sanitizer's allocator tells mallinfo2() nothing. */
extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

uint64_t
memory_used(void)
{
	if (__sanitizer_get_current_allocated_bytes)
		return __sanitizer_get_current_allocated_bytes();
	struct mallinfo2 info = mallinfo2();

	return (uint64_t)info.uordblks + info.hblkhd;
}

void
memory_give_back(void)
{
	malloc_trim(0);
}
