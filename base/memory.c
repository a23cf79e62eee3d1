/* What is lost when memory is short. */
#include "base/memory.h"

#include "base/log.h"

void
memory_short(const char *lost)
{
	log_limited(LOG_ERROR, "memory-short", NULL, "memory is short", log_str("lost", lost));
}
