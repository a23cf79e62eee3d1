/* Tests of agent/findings: what a terminal is shown. */
#include "agent/findings.h"

#include "helpers.h"

static void
what_others_have_said_does_nothing_to_a_terminal(void **state)
{
	static const struct {
		const char *said, *shown;
	} cases[] = {
		{ "plain, and gr\xc3\xbc\xc3\x9f\x65", "plain, and gr\xc3\xbc\xc3\x9f\x65" },
		{ "\x1b[2J\r\n\x7f", "?[2J???" },
		{ "\302\2332J", "?2J" },     /* the same in one character (ECMA-48, CSI) */
		{ "a\342\200\256b", "a?b" }, /* the right-to-left override */
		{ "\xff\xc3", "??" },        /* none at all */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct diagnosis_findings findings;
		char *text = NULL, wanted[200];
		size_t bytes;
		FILE *out = open_memstream(&text, &bytes);

		assert_non_null(out);
		findings_begin(&findings, out, false);
		findings_add(&findings, FINDING_FAILED, "session", NULL, "%s", cases[i].said);
		fclose(out);
		snprintf(wanted, sizeof wanted, "  [FAIL] %-12s %s\n", "session", cases[i].shown);
		assert_string_equal(text, wanted);
		free(text);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_others_have_said_does_nothing_to_a_terminal),
};
RUN_TESTS("agent/findings", tests)
