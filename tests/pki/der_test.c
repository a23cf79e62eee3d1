/* Tests of pki/der: strict lengths, times, numbers and OIDs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "pki/der.h"
#include "pki/oid.h"

static struct cursor
over(const char *text, size_t bytes)
{
	return cursor_over(text, bytes);
}
#define OVER(literal) over(literal, sizeof(literal) - 1)

static void
reads_lengths_in_their_shortest_form_only(void **state)
{
	static const struct {
		const char *text;
		size_t bytes;
		bool good;
	} rows[] = {
		{ "\x04\x00", 2, true }, { "\x04\x01x", 3, true }, { "\x04\x01", 2, false },
		{ "\x04\x81\x01x", 4, false }, { "\x04\x82\x00\x01x", 5, false },
		{ "\x04\x80\x00\x00", 4, false }, { "\x04\x85\x00\x00\x00\x00\x00", 7, false },
		{ "\x04\x84\xff\xff\xff\xff", 6, false }, { "\x00\x00", 2, false },
		{ "\x1f\x01x", 3, false }, { "\x04", 1, false }, { "", 0, false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct cursor in = over(rows[i].text, rows[i].bytes);
		der_any(&in, NULL);
		assert_int_equal(cursor_end(&in), rows[i].good);
	}
}

static void
a_failure_sticks(void **state)
{
	struct cursor in = OVER("\x04\x01x\x05\x00");
	(void)state;
	der_read(&in, DER_INTEGER);
	assert_true(in.failed);
	assert_int_equal(der_peek(&in), 0);
	assert_int_equal(der_read(&in, DER_OCTET_STRING).bytes, 0);
	struct cursor inside = der_enter(&in, DER_SEQUENCE);
	assert_true(inside.failed);
}

static void
reads_times_of_both_kinds(void **state)
{
	static const struct {
		const char *text;
		int64_t want;	/* -1: refused */
	} rows[] = {
		{ "\x17\r700101000000Z", 0 }, { "\x17\r491231235959Z", 2524607999 },
		{ "\x17\r500101000000Z", -631152000 }, { "\x18\x0f" "20000229120000Z", 951825600 },
		{ "\x18\x0f" "20240229000000Z", 1709164800 }, { "\x18\x0f" "21000228235959Z", 4107542399 },
		{ "\x18\x0f" "21000229000000Z", -1 }, { "\x17\r230229000000Z", -1 },
		{ "\x17\r231301000000Z", -1 }, { "\x17\r230100000000Z", -1 },
		{ "\x17\r230101240000Z", -1 }, { "\x17\r230101006000Z", -1 },
		{ "\x17\r230101000060Z", -1 }, { "\x17\r2301010000000", -1 },
		{ "\x17\r23010100000aZ", -1 }, { "\x17\x0b" "2301010000Z", -1 },
		{ "\x04\r230101000000Z", -1 }, { "\x17\r 30101000000Z", -1 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct cursor in = over(rows[i].text, strlen(rows[i].text));
		int64_t time = der_time(&in);
		assert_int_equal(cursor_end(&in), rows[i].want != -1);
		if (rows[i].want != -1)
			assert_int_equal(time, rows[i].want);
	}
}

static void
compares_oids_octet_by_octet(void **state)
{
	static const uint8_t client[] = { 0x2b, 6, 1, 5, 5, 7, 3, 2 };
	static const uint8_t agent[] = { 0x69, 0xaa, 0xfb, 0x8a, 0x95, 0xee, 0xa6, 0xb9, 0xee, 0x1d, 0x01 };
	struct der oid = { client, sizeof client }, longer = { agent, sizeof agent };
	(void)state;
	assert_true(der_oid_is(oid, OID_CLIENT_AUTH));
	assert_false(der_oid_is(oid, OID_SERVER_AUTH));
	assert_false(der_oid_is(oid, "1.3.6.1.5.5.7.3"));
	assert_false(der_oid_is(oid, "1.3.6.1.5.5.7.3.2.1"));
	assert_false(der_oid_is((struct der){0}, OID_CLIENT_AUTH));
	assert_true(der_oid_is(longer, OID_AGENT_PURPOSE));
	assert_false(der_oid_is(longer, OID_GRANT));
	char text[40];
	assert_string_equal(der_oid_text(oid, text, sizeof text), OID_CLIENT_AUTH);
	assert_string_equal(der_oid_text(longer, text, sizeof text), OID_AGENT_PURPOSE);
	assert_string_equal(der_oid_text(longer, text, 20), "(no OID)");
	assert_string_equal(der_oid_text((struct der){0}, text, sizeof text), "(no OID)");
	assert_string_equal(der_oid_text((struct der){ (const uint8_t *)"\x2a\x83", 2 }, text, sizeof text), "(no OID)");
	assert_string_equal(der_oid_text((struct der){ (const uint8_t *)"\x2a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 11 },
		text, sizeof text), "(no OID)");
}

static void
gives_one_number_one_form(void **state)
{
	struct serial a, b;
	char text[SERIAL_TEXT];
	(void)state;
	assert_true(serial_of(&a, (struct der){ (const uint8_t *)"\x00\x00\x13", 3 }));
	assert_true(serial_of(&b, (struct der){ (const uint8_t *)"\x13", 1 }));
	assert_int_equal(serial_compare(&a, &b), 0);
	assert_true(serial_of(&a, (struct der){ (const uint8_t *)"\x00\x8f", 2 }));
	assert_true(serial_of(&b, (struct der){ (const uint8_t *)"\xff\x8f", 2 }));
	assert_int_not_equal(serial_compare(&a, &b), 0);
	assert_string_equal(serial_text(&a, text), "8F");
	assert_false(serial_of(&a, (struct der){0}));
	assert_false(serial_of(&a, (struct der){ (const uint8_t *)"0123456789012345678901", 22 }));
}

static void
reads_numbers_within_their_range(void **state)
{
	(void)state;
	struct cursor in = OVER("\x02\x02\x00\x80\x02\x01\x7f");
	assert_int_equal(der_unsigned(&in, DER_INTEGER, 255), 128);
	assert_int_equal(der_unsigned(&in, DER_INTEGER, 255), 127);
	assert_true(cursor_end(&in));
	in = OVER("\x02\x01\x80");
	der_unsigned(&in, DER_INTEGER, 255);
	assert_true(in.failed);
	in = OVER("\x02\x02\x00\x7f");
	der_unsigned(&in, DER_INTEGER, 255);
	assert_true(in.failed);
	in = OVER("\x02\x02\x01\x00");
	der_unsigned(&in, DER_INTEGER, 255);
	assert_true(in.failed);
	in = OVER("\x01\x01\x01");
	der_default_false(&in, DER_BOOLEAN);
	assert_true(in.failed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_lengths_in_their_shortest_form_only),
		cmocka_unit_test(a_failure_sticks),
		cmocka_unit_test(reads_times_of_both_kinds),
		cmocka_unit_test(compares_oids_octet_by_octet),
		cmocka_unit_test(gives_one_number_one_form),
		cmocka_unit_test(reads_numbers_within_their_range),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("der", tests, NULL, NULL);
}
