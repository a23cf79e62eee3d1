/* Tests of relay/refuse: reasons, alerts, and what settings may say. */
#include "relay/refuse.h"

#include <string.h>
#include "relay/helpers.h"

static void
each_reason_has_its_alert(void **state)
{
	static const struct {
		enum refusal reason;
		const char *word;
		unsigned alert;
	} rows[] = {
		{ REFUSE_NO_NAME, "no-name", 112 }, { REFUSE_UNKNOWN_NAME, "unknown-name", 112 },
		{ REFUSE_NO_AGENT, "no-agent", 80 }, { REFUSE_OVER_LIMIT, "over-limit", 80 },
		{ REFUSE_DENIED, "denied", 49 }, { REFUSE_FOREIGN_ALPN, "foreign-alpn", 120 },
		{ REFUSE_NOT_TLS, "not-tls", 0 }, { REFUSE_TIMEOUT, "hello-timeout", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_string_equal(refuse_word(rows[i].reason), rows[i].word);
		assert_int_equal(refuse_alert(rows[i].reason), rows[i].alert);
	}
}

static void
reads_the_four_answers(void **state)
{
	struct refuse_rule rule;
	char error[256];

	(void)state;
	assert_true(refuse_rule_parse(&rule, "alert", error));
	assert_int_equal(rule.action, REFUSE_BY_ALERT);
	assert_true(refuse_rule_parse(&rule, "close", error));
	assert_int_equal(rule.action, REFUSE_BY_CLOSE);
	assert_true(refuse_rule_parse(&rule, "reset", error));
	assert_int_equal(rule.action, REFUSE_BY_RESET);
	assert_true(refuse_rule_parse(&rule, "route:*.Example.ORG.", error));
	assert_int_equal(rule.action, REFUSE_BY_ROUTE);
	assert_string_equal(rule.route, "*.example.org");
}

static void
says_what_would_do_instead_of_nonsense(void **state)
{
	struct refuse_rule rule;
	char error[256];

	(void)state;
	assert_false(refuse_rule_parse(&rule, "drop", error));
	assert_non_null(strstr(error, "alert, close, reset or route:NAME"));
	assert_false(refuse_rule_parse(&rule, "route:", error));
	assert_false(refuse_rule_parse(&rule, "route:a b", error));
}

static void
writes_a_fatal_alert_record(void **state)
{
	static const uint8_t wanted[] = { 0x15, 3, 3, 0, 2, 2, 112 };
	uint8_t record[REFUSE_RECORD];

	(void)state;
	refuse_record(record, 112);
	assert_memory_equal(record, wanted, sizeof wanted);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_reason_has_its_alert),
		cmocka_unit_test(reads_the_four_answers),
		cmocka_unit_test(says_what_would_do_instead_of_nonsense),
		cmocka_unit_test(writes_a_fatal_alert_record),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("relay/refuse", tests, NULL, NULL);
}
