/* Tests of acme/base64url, with the vectors of the RFCs. */
#include "acme/base64url.h"

#include "helpers.h"

/* RFC 4648, 10, and what only this alphabet has (RFC 7515, appendix C). */
static const struct {
	const char *data, *text;
	size_t bytes;
} cases[] = {
	{ "", "", 0 },
	{ "f", "Zg", 1 },
	{ "fo", "Zm8", 2 },
	{ "foo", "Zm9v", 3 },
	{ "foob", "Zm9vYg", 4 },
	{ "\x03\xec\xff\xe0\xc1", "A-z_4ME", 5 },
	{ "\0\0", "AAA", 2 },
};

static void
encodes_without_padding(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *text = base64url_encode(cases[i].data, cases[i].bytes);

		assert_string_equal(text, cases[i].text);
		free(text);
	}
}

static void
decodes_with_padding_and_without(void **state)
{
	struct secret out;
	char padded[16];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t missing = (4 - strlen(cases[i].text) % 4) % 4;

		assert_true(base64url_decode(&out, cases[i].text));
		assert_int_equal(out.bytes, cases[i].bytes);
		if (cases[i].bytes > 0)
			assert_memory_equal(out.data, cases[i].data, cases[i].bytes);
		secret_wipe(&out);
		snprintf(padded, sizeof padded, "%s%.*s", cases[i].text, (int)missing, "===");
		assert_true(base64url_decode(&out, padded));
		secret_wipe(&out);
	}
}

static void
refuses_what_is_not_of_the_alphabet(void **state)
{
	static const char *const texts[] = { "A", "A+/=", "Zm 9v", "Zm9v=Zg" };
	struct secret out;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++)
		assert_false(base64url_decode(&out, texts[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encodes_without_padding),
		cmocka_unit_test(decodes_with_padding_and_without),
		cmocka_unit_test(refuses_what_is_not_of_the_alphabet),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("acme/base64url", tests, NULL, NULL);
}
