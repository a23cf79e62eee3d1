/* Tests of pki/pem: where blocks begin and end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pki/pem.h"

#define ONE "-----BEGIN ONE-----\nAQID\n-----END ONE-----\n"
#define TWO "-----BEGIN TWO-----\nBAUG\n-----END TWO-----\n"

/* The labels with commas between, or what is wrong. */
static const char *
labels_of(const char *text, size_t bytes, char out[256])
{
	struct pem_text rest = pem_over(text, bytes);
	struct pem_part part;
	const char *why;
	size_t used = 0;

	out[0] = '\0';
	while (pem_next(&rest, &part, &why)) {
		uint8_t octets[64];
		size_t count;

		assert_true(part.body.bytes <= sizeof octets);
		assert_true(pem_base64(part.body, octets, &count));
		assert_int_equal(count, 3);
		used += (size_t)snprintf(out + used, 256 - used, "%s%.*s", used ? "," : "",
		    (int)part.label_bytes, part.label);
	}
	return why ? why : out;
}

static void
labels_count_at_the_start_of_a_line(void **state)
{
	static const char another[] = "has a PEM block that ends with another label",
			  unended[] = "has a PEM block without an end",
			  glued[] = "has something behind the end of a PEM block, on the same line";
	static const struct {
		const char *text, *labels;
	} cases[] = {
		{ "", "" },
		{ "text", "" },
		{ ONE TWO, "ONE,TWO" },
		{ "text\n" ONE "\n\ntext\n" TWO "text", "ONE,TWO" },
		{ "text " ONE, "" },
		{ " " ONE, "" },
		{ "\xef\xbb\xbf" ONE, "ONE" },
		{ "text\r" ONE, "ONE" },
		{ "-----BEGIN ONE----\n" TWO, "TWO" },
		{ "-----BEGIN \n-----\n" TWO, "TWO" },
		{ "-----BEGIN ONE-----\r\nAQID\r\n-----END ONE-----\r\n", "ONE" },
		{ "-----BEGIN ONE-----\nAQID\n-----END ONE-----", "ONE" },
		{ "-----BEGIN ONE-----\nAQID\n-----END ONE----- \t\n" TWO, "ONE,TWO" },
		{ "-----BEGIN ONE-----\nAQID\n-----END ONE-----" TWO, glued },
		{ "-----BEGIN ONE-----\nAQID\n-----END ONE------\n", glued },
		{ "-----BEGIN ONE-----\nAQID\n-----END TWO-----\n", another },
		{ "-----BEGIN ONE-----\nAQID\n-----END ONE\n", another },
		{ "-----BEGIN ONE-----\nAQID\n" TWO, another },
		{ "-----BEGIN ONE-----\nAQID -----END ONE-----\n", unended },
		{ "-----BEGIN ONE-----\nAQID\n", unended },
		{ "-----BEGIN ONE-----", unended },
	};
	char out[256];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_string_equal(
		    labels_of(cases[i].text, strlen(cases[i].text), out), cases[i].labels);
}

/* Each in storage of its own length, so that a sanitizer sees a step beyond. */
static void
no_prefix_leads_beyond_its_end(void **state)
{
	static const char text[] = "text\n" ONE "\n" TWO "-----END TWO-----";
	char out[256];

	(void)state;
	for (size_t bytes = 0; bytes < sizeof text; bytes++) {
		char *prefix = malloc(bytes + !bytes);

		assert_non_null(prefix);
		memcpy(prefix, text, bytes);
		labels_of(prefix, bytes, out);
		pem_is_text(prefix, bytes);
		free(prefix);
	}
}

static void
der_is_not_text_whatever_it_holds(void **state)
{
	static const char der[] = "\x30\x82\x01\x00\n" ONE;

	(void)state;
	assert_false(pem_is_text(der, sizeof der - 1));
	assert_true(pem_is_text(der + 4, sizeof der - 5));
	assert_true(pem_is_text("0\n" ONE, strlen(ONE) + 2));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(labels_count_at_the_start_of_a_line),
		cmocka_unit_test(no_prefix_leads_beyond_its_end),
		cmocka_unit_test(der_is_not_text_whatever_it_holds),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("pem", tests, NULL, NULL);
}
