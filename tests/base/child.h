/* Processes that a test has begun. */
#ifndef TESTS_BASE_CHILD_H
#define TESTS_BASE_CHILD_H

#include <signal.h>
#include <stdio.h>
#include <sys/types.h>

#include "helpers.h"

/* The one child that the first thread of a process has; 0: none. */
static inline pid_t
child_of(pid_t parent)
{
	char path[64];
	FILE *file;
	int child = 0;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent, (int)parent);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%d", &child) != 1)
		child = 0;
	if (file)
		fclose(file);
	return child;
}

/* Of 0 it would be the test itself, and who has started it. */
static inline void
kill_child(pid_t child)
{
	assert_true(child > 0);
	assert_int_equal(kill(child, SIGKILL), 0);
}

#endif
