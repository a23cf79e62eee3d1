/* The process that fetches, for tests: the program of the build that they belong to. */
#ifndef TESTS_FETCH_PROCESS_H
#define TESTS_FETCH_PROCESS_H

#include <stdio.h>
#include <stdlib.h>

#include "base/fetch.h"
#include "base/helper.h"

/* Before threads are started. */
static inline struct helper *
start_fetch_process(void)
{
	const char *build = getenv("VALISE_BUILD");
	char path[FETCH_PROGRAM_PATH];

	snprintf(path, sizeof path, "%s/valise-fetch", build ? build : "build/gcc");
	return fetch_helper_start(path);
}

#endif
