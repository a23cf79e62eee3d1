/* Tests of base/conf_once: where a text stands already. */
#include "base/conf_once.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <cmocka.h>

static void
tells_the_first_place_of_each_text(void **state)
{
	static const struct {
		const char *text;
		unsigned line, before;
	} notes[] = { { "a", 1, 0 }, { "b", 2, 0 }, { "a", 3, 1 }, { "", 4, 0 }, { "a", 5, 1 },
		{ "", 6, 4 }, { "ab", 7, 0 } };
	struct conf_once *once = conf_once_new(sizeof notes / sizeof *notes);

	(void)state;
	assert_non_null(once);
	for (size_t i = 0; i < sizeof notes / sizeof *notes; i++) {
		struct conf_mark mark = { notes[i].line, 1 };

		assert_int_equal(
		    conf_once_note(once, notes[i].text, mark).line, notes[i].before);
	}
	conf_once_free(once);
}

/* Comparing each with all before it would take some seconds. */
static void
takes_no_longer_for_each_where_there_are_many(void **state)
{
	enum { MANY = 100000, TEXT = 16 };
	static char texts[MANY][TEXT];
	struct conf_once *once = conf_once_new(MANY);
	clock_t began = clock();

	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(texts[i], TEXT, "name-%u", i);
		assert_int_equal(
		    conf_once_note(once, texts[i], (struct conf_mark){ i + 1, 1 }).line, 0);
	}
	assert_int_equal(
	    conf_once_note(once, "name-99999", (struct conf_mark){ 1, 1 }).line, MANY);
	assert_true(clock() - began < CLOCKS_PER_SEC);
	conf_once_free(once);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_the_first_place_of_each_text),
		cmocka_unit_test(takes_no_longer_for_each_where_there_are_many),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("base/conf_once", tests, NULL, NULL);
}
