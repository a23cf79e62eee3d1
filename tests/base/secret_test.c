/* Tests of base/secret: memory that is wiped, and processes without a core. */
#include "base/secret.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "helpers.h"

static void
copies_and_ends_with_a_nul_behind_the_bytes(void **state)
{
	struct secret secret;

	(void)state;
	assert_true(secret_init(&secret, "key", 3));
	assert_int_equal(secret.bytes, 3);
	assert_memory_equal(secret.data, "key", 4);
	secret_wipe(&secret);
	assert_null(secret.data);
	assert_int_equal(secret.bytes, 0);
	secret_wipe(&secret);
}

static void
holds_nothing_too(void **state)
{
	struct secret secret;

	(void)state;
	assert_true(secret_init(&secret, NULL, 0));
	assert_non_null(secret.data);
	assert_true(secret_equals(&secret, "", 0));
	secret_wipe(&secret);
	assert_true(secret_equals(&secret, NULL, 0));
}

static void
equals_only_the_same_bytes(void **state)
{
	struct secret secret;

	(void)state;
	assert_true(secret_init(&secret, "abcd", 4));
	assert_true(secret_equals(&secret, "abcd", 4));
	assert_false(secret_equals(&secret, "abce", 4));
	assert_false(secret_equals(&secret, "Abcd", 4));
	assert_false(secret_equals(&secret, "abc", 3));
	assert_false(secret_equals(&secret, "abcde", 5));
	secret_wipe(&secret);
}

static void
wipes_all_and_nothing_else(void **state)
{
	uint8_t bytes[32];
	static const uint8_t zeroes[32];

	(void)state;
	memset(bytes, 'x', sizeof bytes);
	bytes_wipe(bytes, 31);
	assert_memory_equal(bytes, zeroes, 31);
	assert_int_equal(bytes[31], 'x');
	bytes_wipe(bytes, 0);
	assert_int_equal(bytes[31], 'x');
}

/* In a child: what is hardened stays so. */
static void
a_hardened_process_leaves_no_core(void **state)
{
	int status;
	pid_t child;

	(void)state;
	child = fork();
	if (child == 0) {
		struct rlimit core;

		process_harden();
		_exit(getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_cur != 0 || core.rlim_max != 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_hardened_process_leaves_no_core),
	cmocka_unit_test(copies_and_ends_with_a_nul_behind_the_bytes),
	cmocka_unit_test(holds_nothing_too),
	cmocka_unit_test(equals_only_the_same_bytes),
	cmocka_unit_test(wipes_all_and_nothing_else),
};

RUN_TESTS("secret", tests)
