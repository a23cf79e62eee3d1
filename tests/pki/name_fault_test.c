/* Tests of pki/name_fault: what people write where a server name belongs. */
#include "pki/name_fault.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void
each_mistake_has_its_cure(void **state)
{
	static const struct {
		const char *text, *cure;
	} rows[] = {
		{ "10.0.0.1", "is an address" },
		{ "2001:db8::1", "is an address" },
		{ "[2001:db8::1]", "is an address" },
		{ "b\u00fccher.example", "probably xn--bcher-kva.example" },
		{ "*.b\u00fccher.example", "probably *.xn--bcher-kva.example" },
		{ "a b", "otherwise" },
		{ "", "otherwise" },
		{ "\xff\xfe", "otherwise" },
		{ "[]", "otherwise" },
	};
	char error[NAME_FAULT];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		name_fault(rows[i].text, "otherwise", error);
		if (!strstr(error, rows[i].cure))
			fail_msg("%s: %s", rows[i].text, error);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_mistake_has_its_cure) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("name-fault", tests, NULL, NULL);
}
