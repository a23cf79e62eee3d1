/* Each allocation of an attempt fails once: certificate and key stay a pair, and a later attempt succeeds. */
#include "enrol/renewal.h"

#include "allocation.h"
#include "renewal_kit.h"

/* The wall clock jumps, which costs no turns of the loop. */
static void
jump(int hours)
{
	clock_fake(clock_us(), clock_wall_us() + INT64_C(1000) * HOUR_MS * hours);
	advance_ms(SOON_MS);
}

static void
until_renewed(void)
{
	for (int hours = 0; hours < 4 && renewal_urgency(renewal) != RENEWAL_FINE; hours++) {
		jump(1);
		if (authority.is_asked)
			issue(&nothing);
	}
	assert_int_equal(renewal_urgency(renewal), RENEWAL_FINE);
}

static bool
is_pair(void)
{
	char error[FILE_ERROR], why[KEY_PAIR_ERROR];
	struct key_pair pair;
	bool is;

	renewal_files_mend(&files, error);
	is = key_pair_load(&pair, certificate_path, key_path, why) == KEY_PAIR_FINE;
	key_pair_wipe(&pair);
	return is;
}

static unsigned fail_number;

/* The test's own authority has allocated by then. */
static void
fail_in_the_answer(void)
{
	if (fail_number > 0)
		allocation_fail(fail_number);
}

/* The question comes in the first hours in which it is due, the answer right after it. */
static void
fail_at(unsigned n, bool in_the_answer)
{
	jump(16);
	if (!in_the_answer)
		allocation_fail(n);
	jump(2);
	if (!authority.is_asked)
		return;
	fail_number = in_the_answer ? n : 0;
	before_the_answer = fail_in_the_answer;
	issue(&nothing);
	before_the_answer = NULL;
}

static unsigned
fail_each(bool in_the_answer)
{
	unsigned n = 0, failures = 0;
	bool has_failed;

	do {
		assert_int_equal(set_up(NULL), 0);
		fail_at(++n, in_the_answer);
		has_failed = allocation_failed();
		allocation_fail(0);
		failures += has_failed;
		assert_true(is_pair());
		until_renewed();
		tear_down(NULL);
	} while (has_failed);
	return failures;
}

static void
of_the_question(void **state)
{
	(void)state;
	assert_true(fail_each(false) > 3);
}

static void
of_the_answer(void **state)
{
	(void)state;
	assert_true(fail_each(true) > 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_the_question),
		cmocka_unit_test(of_the_answer),
	};

	log_init("renewal_allocation_test", LOG_ERROR, LOG_TEXT);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("renewal_allocation", tests, NULL, NULL);
}
