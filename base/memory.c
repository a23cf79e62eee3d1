/* What is lost when memory is short. */
#include "base/memory.h"

#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <sysexits.h>
#include "base/log.h"
#include "base/numbers.h"

enum { EBB_SECONDS = 10, EBB_LEAST = 500 };

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

static bool
ebbs(struct memory_ebb *ebb, uint64_t count)
{
	ebb->most = larger_of(ebb->most, count);
	if (count >= ebb->most - ebb->most / 3 || ebb->most - count < EBB_LEAST)
		ebb->seconds = 0;
	else if (++ebb->seconds == EBB_SECONDS) {
		*ebb = (struct memory_ebb){ .most = count };
		return true;
	}
	return false;
}

bool
memory_has_ebbed(struct memory_tide *tide, uint64_t count)
{
	bool fewer = ebbs(&tide->all, count);
	bool calmer = ebbs(&tide->risen, count > tide->last ? count - tide->last : 0);

	tide->last = count;
	return fewer || calmer;
}
