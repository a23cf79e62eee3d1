/* Tests of pki/attribute: Names as they should be, and as nobody should write them. */
#include "pki/attribute.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pki/forge.h"

/* How many there are; -1 if the Name is malformed. */
static int
count(const uint8_t *data, size_t bytes)
{
	struct attributes all = attributes_of((struct der){ data, bytes });
	struct attribute attribute;
	int found = 0;

	while (attributes_next(&all, &attribute))
		found++;
	assert_false(attributes_next(&all, &attribute));
	return attributes_end(&all) ? found : -1;
}

static void
counts_those_of_every_relative_name(void **state)
{
	static const struct {
		const char *name;
		int found;
	} rows[] = {
		{ "3000", 0 },
		{ "300c310a300806035504030c0161", 1 },
		{ "3018310a300806035504030c0161310a300806035504030c0162", 2 },
		{ "30163114300806035504030c0161300806035504030c0162", 2 },
		/* a relative name of none, a pair of three, of one, a stranger in a set, or behind the Name */
		{ "30023100", -1 },
		{ "300e310a300806035504030c01613100", -1 },
		{ "300f310d300b06035504030c01610c0162", -1 },
		{ "3009310730050603550403", -1 },
		{ "300c310a310806035504030c0161", -1 },
		{ "300c300a300806035504030c0161", -1 },
		{ "300c310a300806035504030c016100", -1 },
		{ "310c310a300806035504030c0161", -1 },
		{ "", -1 },
	};
	uint8_t octets[64];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (count(octets, unhex(rows[i].name, octets)) != rows[i].found)
			fail_msg("%s", rows[i].name);
}

static void
no_beginning_of_a_name_is_one(void **state)
{
	struct forged name = { 0 };
	uint8_t copy[256];

	(void)state;
	put_name(&name, "Acme/shop");
	assert_int_equal(count(name.data, name.bytes), 2);
	for (size_t bytes = 0; bytes < name.bytes; bytes++) {
		uint8_t *exact = malloc(bytes + 1); /* so that a sanitizer sees who reads on */

		memcpy(exact, name.data, bytes);
		assert_int_equal(count(exact, bytes), -1);
		free(exact);
	}
	/* Nor with the length of the whole put right. */
	for (size_t bytes = 3; bytes < name.bytes; bytes++) {
		memcpy(copy, name.data, bytes);
		copy[1] = (uint8_t)(bytes - 2);
		if (bytes != 2 + 2 + (size_t)name.data[3])
			assert_int_equal(count(copy, bytes), -1);
	}
}

static void
is_a_text_octet_by_octet(void **state)
{
	static const struct {
		unsigned tag;
		const char *value, *text;
		bool is_it;
	} rows[] = {
		{ 0x0c, "ab", "ab", true },
		{ 0x13, "ab", "ab", true },
		{ 0x16, "ab", "ab", true },
		{ 0x0c, "ab", "aB", false },
		{ 0x0c, "ab", "a", false },
		{ 0x0c, "a", "ab", false },
		{ 0x1e, "ab", "ab", false },
		{ 0x14, "ab", "ab", false },
		{ 0x1c, "ab", "ab", false },
		{ 0x04, "ab", "ab", false },
		{ 0x30, "ab", "ab", false },
	};
	const struct attribute longer = { .tag = 0x0c, .value = { (const uint8_t *)"ab\0c", 4 } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct attribute attribute = { .tag = rows[i].tag,
			.value = { (const uint8_t *)rows[i].value, strlen(rows[i].value) } };

		assert_int_equal(attribute_is(&attribute, rows[i].text), rows[i].is_it);
	}
	assert_false(attribute_is(&longer, "ab"));
}

static void
tells_the_one_common_name_if_it_can_be_read(void **state)
{
	static const struct {
		const char *name, *text;
	} rows[] = {
		{ "300c310a300806035504030c0161", "a" },
		{ "300c310a30080603550403130161", "a" },
		{ "300c310a30080603550403160161", "a" },
		{ "300d310b300906035504030c02c3a9", "\xc3\xa9" },
		{ "3018310a3008060355040b0c0162310a300806035504030c0161", "a" },
		/* two of them, none, an empty one, and a Name that goes wrong behind it */
		{ "3018310a300806035504030c0161310a300806035504030c0162", "" },
		{ "3016311430080603550403140161300806035504030c0162", "" },
		{ "300c310a3008060355040b0c0161", "" },
		{ "300b3109300706035504030c00", "" },
		{ "300e310a300806035504030c01613100", "" },
		/* T61String, BMPString, a NUL, a newline, DEL, a control character of two octets, no UTF-8 */
		{ "300c310a30080603550403140161", "" },
		{ "300d310b300906035504031e020061", "" },
		{ "300d310b300906035504030c026100", "" },
		{ "300c310a300806035504030c010a", "" },
		{ "300c310a300806035504030c017f", "" },
		{ "300d310b300906035504030c02c285", "" },
		{ "300c310a300806035504030c01e9", "" },
	};
	uint8_t octets[64];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t bytes = unhex(rows[i].name, octets);
		struct der text = attribute_common_name((struct der){ octets, bytes });

		if (text.bytes != strlen(rows[i].text) ||
		    memcmp(rows[i].text, text.bytes ? (const char *)text.data : "", text.bytes) != 0)
			fail_msg("%s", rows[i].name);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_those_of_every_relative_name),
		cmocka_unit_test(no_beginning_of_a_name_is_one),
		cmocka_unit_test(is_a_text_octet_by_octet),
		cmocka_unit_test(tells_the_one_common_name_if_it_can_be_read),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("pki/attribute", tests, NULL, NULL);
}
