/* What root can still do without capabilities: in children, since it is for good. */
#include "base/privileges.h"

#include "helpers.h"

#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "skip.h"

static bool
is_so_without(bool (*is_so)(void))
{
	int status = 0;
	pid_t child = fork();

	if (child == 0)
		_exit(!privileges_drop() ? 2 : is_so() ? 0 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
	return WEXITSTATUS(status) == 0;
}

static bool
can_become_another(void)
{
	return setuid(1) == 0;
}

static bool
is_forbidden_new_ones(void)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

static bool
has_a_bounding_set(void)
{
	for (int number = 0; prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0; number++)
		if (prctl(PR_CAPBSET_READ, number, 0, 0, 0) == 1)
			return true;
	return false;
}

static void
leaves_no_capability_and_no_way_to_one(void **state)
{
	(void)state;
	assert_false(is_so_without(privileges_any));
	assert_true(is_so_without(is_forbidden_new_ones));
}

static void
makes_root_a_user_like_any_other(void **state)
{
	(void)state;
	if (geteuid() != 0)
		SKIP("only root has them");
	assert_true(privileges_any());
	assert_false(is_so_without(can_become_another));
	assert_false(is_so_without(has_a_bounding_set));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(leaves_no_capability_and_no_way_to_one),
	cmocka_unit_test(makes_root_a_user_like_any_other),
};

RUN_TESTS("base/privileges", tests)
