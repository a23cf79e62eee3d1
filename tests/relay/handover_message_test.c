/* Tests of relay/handover_message: what two relays say to each other. */
#include "relay/handover_message.h"

#include <string.h>
#include "helpers.h"

static uint8_t bytes[HANDOVER_BYTES];

static size_t
encode(struct handover_conn *conn)
{
	size_t count = handover_encode_conn(bytes, conn);

	memcpy(bytes + count, conn->wire, conn->wire_bytes);
	return count + conn->wire_bytes;
}

static struct handover_conn
sample(void)
{
	return (struct handover_conn){ .client = address_of("[2001:db8::1]:4711"),
		.listener = address_of("192.0.2.1:443"),
		.told = address_of("[2001:db8::2]:443"),
		.accepted_us = 12345678901,
		.is_counted = true,
		.wire = (const uint8_t *)"hello",
		.wire_bytes = 5 };
}

static void
assert_alike(const struct handover_conn *got, const struct handover_conn *wanted)
{
	assert_true(address_equals(&got->client, &wanted->client));
	assert_true(address_equals(&got->listener, &wanted->listener));
	assert_int_equal(got->told.bytes, wanted->told.bytes);
	assert_true(got->told.bytes == 0 || address_equals(&got->told, &wanted->told));
	assert_int_equal(got->accepted_us, wanted->accepted_us);
	assert_int_equal(got->is_counted, wanted->is_counted);
	assert_int_equal(got->wire_bytes, wanted->wire_bytes);
	assert_memory_equal(got->wire, wanted->wire, wanted->wire_bytes);
}

static void
a_connection_arrives_as_it_was_sent(void **state)
{
	struct handover_conn conn = sample(), got;

	(void)state;
	assert_int_equal(handover_decode(bytes, encode(&conn), &got), HANDOVER_CONN);
	assert_alike(&got, &conn);
	conn.told = (struct address){ 0 };
	conn.is_counted = false;
	assert_int_equal(handover_decode(bytes, encode(&conn), &got), HANDOVER_CONN);
	assert_alike(&got, &conn);
}

static void
every_beginning_of_one_is_none(void **state)
{
	struct handover_conn conn = sample(), got;
	size_t whole = encode(&conn);

	(void)state;
	for (size_t count = 0; count < whole - 4; count++)
		assert_int_equal(handover_decode(bytes, count, &got), 0);
	assert_int_equal(handover_decode(bytes, whole - 4, &got), HANDOVER_CONN);
}

static void
an_address_that_is_none_is_refused(void **state)
{
	struct handover_conn conn = sample(), got;

	(void)state;
	conn.client = (struct address){ 0 };
	assert_int_equal(handover_decode(bytes, encode(&conn), &got), 0);
	conn = sample();
	conn.listener = address_of("unix:/run/x");
	assert_int_equal(handover_decode(bytes, encode(&conn), &got), 0);
	conn = sample();
	encode(&conn);
	bytes[1] |= 0x80; /* a flag that nobody has given a meaning */
	assert_int_equal(handover_decode(bytes, encode(&conn), &got), HANDOVER_CONN);
	bytes[1] |= 0x80;
	assert_int_equal(handover_decode(bytes, 100, &got), 0);
}

static void
a_connection_has_a_bound(void **state)
{
	static uint8_t wire[HANDOVER_BYTES];
	struct handover_conn conn = sample(), got;

	(void)state;
	conn.wire = wire;
	conn.wire_bytes = HANDOVER_BYTES - HANDOVER_HEAD;
	assert_int_equal(handover_decode(bytes, encode(&conn), &got), HANDOVER_CONN);
	conn.wire_bytes++;
	assert_int_equal(handover_encode_conn(bytes, &conn), 0);
}

static void
the_others_are_one_byte(void **state)
{
	struct handover_conn got;

	(void)state;
	for (unsigned kind = 0; kind < 256; kind++) {
		uint8_t data[2] = { (uint8_t)kind, 0 };
		bool is_one = kind > 0 && kind < HANDOVER_KINDS && kind != HANDOVER_CONN;

		assert_int_equal(handover_decode(data, 1, &got), is_one ? kind : 0);
		assert_int_equal(handover_decode(data, 2, &got), 0);
	}
	assert_int_equal(handover_decode("", 0, &got), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_arrives_as_it_was_sent),
		cmocka_unit_test(every_beginning_of_one_is_none),
		cmocka_unit_test(an_address_that_is_none_is_refused),
		cmocka_unit_test(a_connection_has_a_bound),
		cmocka_unit_test(the_others_are_one_byte),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("handover_message", tests, NULL, NULL);
}
