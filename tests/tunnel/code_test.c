/* Tests of tunnel/code against valise-errors(7) and valise-protocol(7). */
#include "tunnel/code.h"

#include <stdio.h>

#include "tunnel/peer.h"

static void
every_code_has_a_word_of_its_own(void **state)
{
	const char *word;
	(void)state;
	for (unsigned i = 0; (word = code_word_at(i)); i++)
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(word, code_word_at(k));
	assert_string_equal(code_word(CODE_NAME_NOT_GRANTED), "name-not-granted");
	assert_string_equal(code_word(CODE_INTERNAL), "internal");
	assert_string_equal(code_word((enum code)9999), "unknown-code");
}

static void
what_only_a_person_can_change_is_permanent(void **state)
{
	static const enum code permanent[] = { CODE_VERSION, CODE_CERTIFICATE_REFUSED,
		CODE_CERTIFICATE_REVOKED, CODE_CERTIFICATE_EXPIRED, CODE_SOURCE_REFUSED,
		CODE_NAME_NOT_GRANTED, CODE_NAME_RESERVED, CODE_NAME_INVALID };
	static const enum code passing[] = { CODE_BUSY, CODE_DRAINING, CODE_NAME_TAKEN,
	    CODE_REPLACED,
		CODE_SESSION_LIMIT, CODE_UPSTREAM_DOWN };
	(void)state;
	for (size_t i = 0; i < sizeof permanent / sizeof *permanent; i++)
		assert_true(code_is_permanent(permanent[i]));
	for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
		assert_false(code_is_permanent(passing[i]));
	/* What a newer peer says may pass. */
	assert_false(code_is_permanent((enum code)9999));
}

static char manual[200000];

/* Run from the top of the tree, as make does. */
static void
read_manual(const char *path)
{
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	manual[fread(manual, 1, sizeof manual - 1, file)] = '\0';
	fclose(file);
}

static void
the_manual_explains_every_word(void **state)
{
	char line[128];
	const char *word;
	(void)state;
	read_manual("man/valise-errors.7");
	for (unsigned i = 0; (word = code_word_at(i)); i++) {
		snprintf(line, sizeof line, ".It Sy %s", word);
		if (!strstr(manual, line))
			fail_msg("%s is not in the manual", word);
	}
}

static void
the_protocols_manual_has_the_same_numbers(void **state)
{
	char line[128];
	unsigned known = 0, listed = 0;
	(void)state;
	read_manual("man/valise-protocol.7");
	for (unsigned i = 0; i < 1000; i++) {
		const char *word = code_word((enum code)i);
		if (strcmp(word, "unknown-code") == 0)
			continue;
		known++;
		snprintf(line, sizeof line, "\n.It %u Ta %s Ta%s\n", i, word,
		    code_is_permanent((enum code)i) ? " permanent" : "");
		if (!strstr(manual, line))
			fail_msg("%u %s is not in the manual as it is", i, word);
	}
	while (code_word_at(listed))
		listed++;
	assert_int_equal(known, listed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_has_a_word_of_its_own),
		cmocka_unit_test(what_only_a_person_can_change_is_permanent),
		cmocka_unit_test(the_manual_explains_every_word),
		cmocka_unit_test(the_protocols_manual_has_the_same_numbers),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("code", tests, NULL, NULL);
}
