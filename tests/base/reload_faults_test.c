/* Tests of base/reload_faults: what is told until it is mended. */
#include "base/reload_faults.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

enum { NOW = 1800000000 };

static struct reload_faults faults;

static int
tear_down(void **state)
{
	(void)state;
	reload_faults_wipe(&faults);
	return 0;
}

static void
assert_shown(const char *wanted)
{
	char text[RELOAD_FAULTS_TEXT];

	assert_string_equal(reload_faults_text(&faults, text), wanted);
}

static void
a_part_is_told_until_it_is_mended(void **state)
{
	(void)state;
	assert_shown("");
	reload_faults_note(&faults, "endpoint shop", "no key", NOW);
	reload_faults_note(&faults, "configuration", "surplus", NOW + 5);
	assert_shown("; not taken up since 2027-01-15T08:00:00Z: endpoint shop: no key (and 1 more)");
	assert_true(reload_faults_have(&faults, "configuration"));
	assert_false(reload_faults_have(&faults, "endpoint sho"));
	reload_faults_mend(&faults, "endpoint shop");
	assert_shown("; not taken up since 2027-01-15T08:00:05Z: configuration: surplus");
	reload_faults_mend(&faults, "endpoint shop");	/* it is fine already */
	assert_int_equal(faults.count, 1);
	reload_faults_note(&faults, "endpoint cart", "no certificate", NOW + 7);
	reload_faults_mend(&faults, NULL);
	assert_shown("");
}

static void
since_when_is_kept_and_the_reason_is_the_last(void **state)
{
	(void)state;
	reload_faults_note(&faults, "configuration", "first", NOW);
	reload_faults_note(&faults, "configuration", "second", NOW + 60);
	assert_int_equal(faults.count, 1);
	assert_shown("; not taken up since 2027-01-15T08:00:00Z: configuration: second");
}

static void
every_change_can_be_seen(void **state)
{
	unsigned before = faults.changes;

	(void)state;
	reload_faults_note(&faults, "configuration", "first", NOW);
	assert_int_not_equal(faults.changes, before);
	before = faults.changes;
	reload_faults_mend(&faults, "configuration");
	assert_int_not_equal(faults.changes, before);
	before = faults.changes;
	reload_faults_mend(&faults, "configuration");
	reload_faults_mend(&faults, NULL);
	assert_int_equal(faults.changes, before);
}

static void
a_document_has_the_number_and_the_reasons(void **state)
{
	json_t *document, *first;

	(void)state;
	reload_faults_note(&faults, "configuration", "bad \xff byte", NOW);
	reload_faults_note(&faults, "connect.agent_cas", "rollback", NOW);
	document = reload_faults_describe(&faults);
	assert_int_equal(json_integer_value(json_object_get(document, "reload_refused")), 2);
	first = json_array_get(json_object_get(document, "reload_faults"), 0);
	assert_string_equal(json_string_value(json_object_get(first, "part")), "configuration");
	assert_string_equal(json_string_value(json_object_get(first, "since")), "2027-01-15T08:00:00Z");
	assert_string_equal(json_string_value(json_object_get(first, "error")), "bad ? byte");
	json_decref(document);
}

static void
count_mistake(void *arg, const char *sentence)
{
	unsigned *count = arg;

	assert_true(sentence[0] != '\0');
	++*count;
}

static void
the_first_mistake_of_a_reload_is_noted_and_all_are_handed_on(void **state)
{
	struct reload_fault_listener listener;
	unsigned count = 0;
	const struct reload_asker asker = { count_mistake, &count };

	(void)state;
	for (unsigned turn = 0; turn < 2; turn++) {
		reload_faults_listen(&listener, &faults, "configuration", turn == 0 ? &asker : NULL);
		mistakes_tell(turn == 0 ? "one" : "three", "the old one", &listener.asker);
		mistakes_tell("two", "the old one", &listener.asker);
		assert_int_equal(faults.count, 1);
		assert_true(reload_faults_have(&faults, "configuration"));
	}
	assert_int_equal(count, 2);
	assert_non_null(strstr(reload_faults_text(&faults, (char[RELOAD_FAULTS_TEXT]){ 0 }), ": three"));
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_part_is_told_until_it_is_mended),
		TEST(since_when_is_kept_and_the_reason_is_the_last),
		TEST(every_change_can_be_seen),
		TEST(a_document_has_the_number_and_the_reasons),
		TEST(the_first_mistake_of_a_reload_is_noted_and_all_are_handed_on),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("reload_faults", tests, NULL, NULL);
}
