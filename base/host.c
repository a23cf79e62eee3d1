/* Finds out how much memory this host leaves us.  The bound of a control group holds for the groups
 * below it too, so every group above ours is asked. */
#include "base/host.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/units.h"

enum { PATH_BYTES = 4096, LINE_BYTES = 4096 };

/* The first line of a file that begins so, without that and the line's end. */
static bool
read_line(const char *path, const char *begins, char line[LINE_BYTES])
{
	size_t skip = strlen(begins);
	bool is_found = false;
	FILE *file = fopen(path, "re");

	if (!file)
		return false;
	while (!is_found && fgets(line, LINE_BYTES, file))
		is_found = strncmp(line, begins, skip) == 0;
	fclose(file);
	if (!is_found)
		return false;
	memmove(line, line + skip, strlen(line + skip) + 1);
	line[strcspn(line, "\n")] = '\0';
	return true;
}

/* "max" and whatever else is not a number is no bound. */
static uint64_t
bound_of(const char *root, const char *group)
{
	char path[PATH_BYTES], text[LINE_BYTES];
	uint64_t bytes;

	if (snprintf(path, sizeof path, "%s%s/memory.max", root, group) >= (int)sizeof path)
		return UINT64_MAX;
	return read_line(path, "", text) && number_parse(text, &bytes) ? bytes : UINT64_MAX;
}

uint64_t
host_cgroup_memory(const char *ours, const char *root)
{
	char group[LINE_BYTES], *end;
	uint64_t least = UINT64_MAX;

	if (!read_line(ours, "0::", group))
		return UINT64_MAX;
	for (end = group + strlen(group); end; end = strrchr(group, '/')) {
		uint64_t bytes;

		*end = '\0';
		bytes = bound_of(root, group);
		if (bytes < least)
			least = bytes;
	}
	return least;
}

/* The second of three numbers of pages. */
uint64_t
host_tcp_memory_of(const char *path)
{
	char line[LINE_BYTES];
	uint64_t pages;
	long page = sysconf(_SC_PAGESIZE);

	if (page <= 0 || !read_line(path, "", line) || sscanf(line, "%*u %" SCNu64, &pages) != 1)
		return UINT64_MAX;
	return pages < UINT64_MAX / (uint64_t)page ? pages * (uint64_t)page : UINT64_MAX;
}

uint64_t
host_tcp_memory(void)
{
	return host_tcp_memory_of("/proc/sys/net/ipv4/tcp_mem");
}

uint64_t
host_memory(void)
{
	uint64_t group = host_cgroup_memory("/proc/self/cgroup", "/sys/fs/cgroup");
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
	uint64_t machine = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : UINT64_MAX;

	return group < machine ? group : machine;
}
