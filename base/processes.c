/* Starts and ends the processes beside a daemon. */
#include "base/processes.h"

#include <errno.h>

#include "base/fetch.h"
#include "base/helper.h"
#include "base/lookup_helper.h"

bool
processes_start(struct processes *processes)
{
	int why;

	*processes = (struct processes){ .resolver = lookup_helper_start() };
	if (processes->resolver && (processes->fetch = fetch_helper_start(NULL)))
		return true;
	why = errno;
	processes_end(processes);
	errno = why;
	return false;
}

void
processes_end(struct processes *processes)
{
	helper_end(processes->resolver);
	helper_end(processes->fetch);
	*processes = (struct processes){ 0 };
}
