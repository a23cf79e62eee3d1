/* Starts and ends the processes beside a daemon. */
#include "base/processes.h"

#include "base/helper.h"
#include "base/lookup_helper.h"

bool
processes_start(struct processes *processes)
{
	*processes = (struct processes){ .resolver = lookup_helper_start() };
	return processes->resolver != NULL;
}

void
processes_end(struct processes *processes)
{
	helper_end(processes->resolver);
	*processes = (struct processes){ 0 };
}
