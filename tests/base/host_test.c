/* Tests of base/host: the memory of control groups, with files that stand in for the kernel's. */
#include "base/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "helpers.h"

static char root[] = "/tmp/valise-host.XXXXXX", ours[64];

static void
put(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", root, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void
make(const char *name)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", root, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

static int
set_up(void **state)
{
	(void)state;
	if (!mkdtemp(root))
		return 1;
	snprintf(ours, sizeof ours, "%s/cgroup", root);
	make("system.slice");
	make("system.slice/relay.service");
	return 0;
}

static int
tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof command, "rm -rf %s", root);
	return system(command);
}

static void
the_least_bound_of_all_groups_above_holds(void **state)
{
	(void)state;
	put("cgroup", "9:name=systemd:/\n8:memory:/\n0::/system.slice/relay.service\n");
	assert_true(host_cgroup_memory(ours, root) == UINT64_MAX);
	put("system.slice/relay.service/memory.max", "max\n");
	assert_true(host_cgroup_memory(ours, root) == UINT64_MAX);
	put("system.slice/memory.max", "1073741824\n");
	assert_int_equal(host_cgroup_memory(ours, root), 1073741824);
	put("system.slice/relay.service/memory.max", "536870912\n");
	assert_int_equal(host_cgroup_memory(ours, root), 536870912);
	put("memory.max", "1048576\n");
	assert_int_equal(host_cgroup_memory(ours, root), 1048576);
}

static void
in_the_root_group_its_own_bound_holds(void **state)
{
	(void)state;
	put("cgroup", "0::/\n");
	put("memory.max", "2097152\n");
	assert_int_equal(host_cgroup_memory(ours, root), 2097152);
}

static void
without_groups_there_is_no_bound(void **state)
{
	(void)state;
	assert_true(host_cgroup_memory("/nonexistent", root) == UINT64_MAX);
	put("cgroup", "8:memory:/\n");
	assert_true(host_cgroup_memory(ours, root) == UINT64_MAX);
}

static void
this_machine_has_some(void **state)
{
	(void)state;
	assert_in_range(host_memory(), 1 << 20, UINT64_MAX - 1);
}

static void
tcp_has_the_second_number_of_pages(void **state)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	char path[64];

	(void)state;
	snprintf(path, sizeof path, "%s/tcp_mem", root);
	assert_true(host_tcp_memory_of(path) == UINT64_MAX);
	put("tcp_mem", "287901\t383869\t575802\n");
	assert_true(host_tcp_memory_of(path) == 383869 * page);
	put("tcp_mem", "287901\n");
	assert_true(host_tcp_memory_of(path) == UINT64_MAX);
	put("tcp_mem", "1 18446744073709551615 2\n");
	assert_true(host_tcp_memory_of(path) == UINT64_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_least_bound_of_all_groups_above_holds),
		cmocka_unit_test(in_the_root_group_its_own_bound_holds),
		cmocka_unit_test(without_groups_there_is_no_bound),
		cmocka_unit_test(this_machine_has_some),
		cmocka_unit_test(tcp_has_the_second_number_of_pages),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("host", tests, set_up, tear_down);
}
