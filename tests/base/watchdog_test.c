/* Tests of base/watchdog: what the service manager hears of loops that turn, and of one that does not. */
#include "base/watchdog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/clock_fake.h"
#include "base/loop.h"
#include "base/loop_advance.h"
#include "helpers.h"

enum { PATIENCE_MS = 60000, STEP_MS = PATIENCE_MS / 4 };

static char directory[] = "/tmp/valise-watchdog-XXXXXX", path[64];
static int manager;

static int
set_up(void **state)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	(void)state;
	if (!mkdtemp(directory))
		return 1;
	snprintf(path, sizeof path, "%s/notify", directory);
	memcpy(name.sun_path, path, strlen(path) + 1);
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	setenv("NOTIFY_SOCKET", path, 1);
	setenv("WATCHDOG_USEC", "60000000", 1);
	clock_fake(1000000, 1000000);
	return bind(manager, (struct sockaddr *)&name, sizeof name);
}

static int
tear_down(void **state)
{
	(void)state;
	clock_fake(0, 0);
	close(manager);
	unlink(path);
	return rmdir(directory);
}

/* How often it heard that all is well since the last time. */
static int
heard(void)
{
	char text[256] = "";
	int count = 0;

	while (recv(manager, text, sizeof text - 1, 0) > 0)
		count += strncmp(text, "WATCHDOG=1\n", strlen("WATCHDOG=1\n")) == 0;
	return count;
}

static void
tells_that_all_loops_turn_often_enough(void **state)
{
	struct loop *main_loop = loop_new(), *other = loop_new();
	struct watchdog *watchdog = watchdog_new(main_loop);

	(void)state;
	assert_true(watchdog_add(watchdog, other));
	watchdog_start(watchdog);
	for (int i = 0; i < 8; i++) {
		loop_advance(other, 0);
		loop_advance(main_loop, STEP_MS);
	}
	assert_int_equal(heard(), 8);
	loop_free(other);
	watchdog_free(watchdog);
	loop_free(main_loop);
}

static void
is_silent_while_a_loop_stands_still(void **state)
{
	struct loop *main_loop = loop_new(), *stuck = loop_new();
	struct watchdog *watchdog = watchdog_new(main_loop);

	(void)state;
	assert_true(watchdog_add(watchdog, stuck));
	watchdog_start(watchdog);
	loop_advance(main_loop, (uint64_t)10 * PATIENCE_MS);
	assert_int_equal(heard(), 0);
	loop_advance(stuck, 0);
	loop_advance(main_loop, STEP_MS);
	assert_int_equal(heard(), 1);
	loop_free(stuck);
	watchdog_free(watchdog);
	loop_free(main_loop);
}

static void
does_nothing_where_nobody_wants_to_hear(void **state)
{
	struct loop *main_loop = loop_new();
	struct watchdog *watchdog;

	(void)state;
	unsetenv("WATCHDOG_USEC");
	watchdog = watchdog_new(main_loop);
	watchdog_start(watchdog);
	loop_advance(main_loop, (uint64_t)10 * PATIENCE_MS);
	assert_int_equal(heard(), 0);
	watchdog_free(watchdog);
	setenv("WATCHDOG_USEC", "60000000", 1);
	setenv("WATCHDOG_PID", "1", 1); /* it is meant for another process */
	watchdog = watchdog_new(main_loop);
	watchdog_start(watchdog);
	loop_advance(main_loop, (uint64_t)10 * PATIENCE_MS);
	assert_int_equal(heard(), 0);
	unsetenv("WATCHDOG_PID");
	watchdog_free(watchdog);
	loop_free(main_loop);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(tells_that_all_loops_turn_often_enough),
	cmocka_unit_test(is_silent_while_a_loop_stands_still),
	cmocka_unit_test(does_nothing_where_nobody_wants_to_hear),
};

int
main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("base/watchdog", tests, set_up, tear_down);
}
