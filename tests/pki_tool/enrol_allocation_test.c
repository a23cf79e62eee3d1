/*
 * Every allocation of our own objects fails once while a host enrols: it is told that the authority cannot
 * sign, or gets its certificate, and nothing stands half.
 */
#include "pki/tool/enrolment.h"

#include "allocation.h"
#include "pki_tool/enrol_kit.h"

static void
settles_an_invitation_as_a_whole_whatever_is_short(void **state)
{
	bool failed = true;
	int64_t given = 0;
	unsigned n = 0;

	(void)state;
	while (failed) {
		struct machine host = new_machine();
		char name[16], site[64];
		struct invited invited;
		enum enrol_code code;

		snprintf(name, sizeof name, "site%u", ++n);
		snprintf(site, sizeof site, "%s.example.com", name);
		invited = invite("agent", name, site, NULL);
		allocation_fail(n);
		code = first(&host, &invited);
		failed = allocation_failed();
		allocation_fail(0);
		given += code == ENROL_ISSUED;
		assert_true(code == ENROL_ISSUED || code == ENROL_BROKEN);
		assert_int_equal(
		    ask("SELECT count(*) FROM invitation WHERE used_at IS NOT NULL"), given);
		assert_int_equal(
		    ask("SELECT count(*) FROM certificate WHERE kind = 'agent'"), given);
		if (code != ENROL_ISSUED)
			given += first(&host, &invited) == ENROL_ISSUED;
		assert_int_equal(given, n);
		free_machines(&host, 1);
	}
	assert_in_range(n, 3, 1000);
	assert_int_equal(run(&command_check, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(settles_an_invitation_as_a_whole_whatever_is_short,
		    make_authority, remove_authority),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
