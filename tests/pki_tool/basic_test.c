/* The Authorization header, in every shape that a client may give it. */
#include "pki/tool/basic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
reads_user_and_password_or_nothing(void **state)
{
	static const struct {
		const char *header, *user, *password;
	} cases[] = {
		{ "Basic dXNlcjpzZWNyZXQ=", "user", "secret" },
		{ "basic dXNlcjpzZWNyZXQ=", "user", "secret" },
		{ "BASIC   dXNlcjpzZWNyZXQ= ", "user", "secret" },
		{ "Basic dXNlcjphOmI=", "user", "a:b" },
		{ "Basic dXNlcjo=", "user", "" },
		{ "Basic OnNlY3JldA==", "", "secret" },
		{ NULL, NULL, NULL },
		{ "", NULL, NULL },
		{ "Basic", NULL, NULL },
		{ "Basic ", NULL, NULL },
		{ "Basic dXNlcg==", NULL, NULL },              /* no colon */
		{ "Basic dXNlcjpzZWNyZXQ", NULL, NULL },       /* no padding */
		{ "Basic dXNlcjpzZQBjcmV0", NULL, NULL },      /* a NUL */
		{ "Basic dXNlcgo6c2VjcmV0", NULL, NULL },      /* a line's end */
		{ "Basic dXNl*jpzZWNyZXQ=", NULL, NULL },
		{ "Bearer dXNlcjpzZWNyZXQ=", NULL, NULL },
		{ "Digest username=\"user\"", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct basic basic;

		if (basic_read(&basic, cases[i].header) != (cases[i].user != NULL))
			fail_msg("%s", cases[i].header ? cases[i].header : "NULL");
		if (cases[i].user) {
			assert_string_equal(basic.user, cases[i].user);
			assert_string_equal(basic.password, cases[i].password);
		}
		assert_true(cases[i].user || basic.user[0] == '\0');
	}
}

static void
refuses_what_is_longer_than_an_invitation(void **state)
{
	char header[400] = "Basic ";
	struct basic basic;

	(void)state;
	/* "AAAA" is three NULs, "YWFh" is "aaa", and "YTph" is "a:a". */
	strcat(header, "YTph");
	for (int i = 0; i < 42; i++)
		strcat(header, "YWFh");
	assert_true(basic_read(&basic, header));
	assert_int_equal(strlen(basic.password), 127);
	strcat(header, "YWFh");
	assert_false(basic_read(&basic, header));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_user_and_password_or_nothing),
		cmocka_unit_test(refuses_what_is_longer_than_an_invitation),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("pki/tool/basic", tests, NULL, NULL);
}
