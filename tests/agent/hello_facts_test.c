/* What TLS is told of a hello, by the reader of sni/. */
#include "agent/hello_facts.h"

#include "helpers.h"
#include "sni/hello.h"
#include "tunnel/tls.h"

enum { HEADERS = 5 + 4 }; /* of the record, and of the message */

static struct tls_hello
facts_of(const struct built *b, const char *const *alpn)
{
	struct tls_hello hello = {
		.message = b->wire + HEADERS, .bytes = b->bytes - HEADERS, .alpn = alpn
	};
	struct clienthello read;

	assert_int_equal(
	    clienthello_read_body(&read, hello.message, hello.bytes), CLIENTHELLO_COMPLETE);
	hello_facts_fill(&hello, &read);
	return hello;
}

static void
tells_versions_by_the_list_or_else_by_the_old_field(void **state)
{
	static const struct {
		const char *block;
		size_t bytes;
		uint16_t legacy;
		bool tls12, tls13;
	} rows[] = {
		{ "\0\x17\0\0", 4, 0x0303, true, false },
		{ "\0\x17\0\0", 4, 0x0302, false, false },
		{ "\0\x17\0\0", 4, 0x0400, true, false },
		{ "\0\x2b\0\3\2\3\4", 7, 0x0303, false, true },
		{ "\0\x2b\0\3\2\3\3", 7, 0x0303, true, false },
		{ "\0\x2b\0\5\4\3\3\3\4", 9, 0x0303, true, true },
		{ "\0\x2b\0\5\4\x7f\x1c\3\2", 9, 0x0303, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct built b = build(rows[i].legacy, "\x13\1", 2, rows[i].block, rows[i].bytes);
		struct tls_hello hello = facts_of(&b, NULL);

		if (hello.tls12 != rows[i].tls12 || hello.tls13 != rows[i].tls13)
			fail_msg("row %zu: %d %d", i, hello.tls12, hello.tls13);
	}
}

static void
tells_the_cipher_suites_that_decide_a_hash(void **state)
{
	static const struct {
		const char *suites;
		size_t bytes;
		bool aes_128, aes_256;
	} rows[] = {
		{ "\x13\1", 2, true, false },
		{ "\x13\3\x13\2", 4, false, true },
		{ "\x13\2\x13\1", 4, true, true },
		{ "\xc0\x2b\x13\3", 4, false, false },
		{ "\1\x13\2\x13", 4, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct built b = build(0x0303, rows[i].suites, rows[i].bytes, "\0\x17\0\0", 4);
		struct tls_hello hello = facts_of(&b, NULL);

		if (hello.aes_128 != rows[i].aes_128 || hello.aes_256 != rows[i].aes_256)
			fail_msg("row %zu: %d %d", i, hello.aes_128, hello.aes_256);
	}
}

static void
tells_which_of_our_protocols_is_offered(void **state)
{
	static const char *const ours[] = { "h2", "http/1.1", NULL };
	static const char both[] = "\0\x10\0\x0e\0\x0c\x8http/1.1\2h2",
			  second[] = "\0\x10\0\x0b\0\x9\x8http/1.1", other[] = "\0\x10\0\5\0\3\2h3";
	struct built b;

	(void)state;
	b = build_extensions(both, sizeof both - 1);
	assert_int_equal(facts_of(&b, ours).protocol, 0);
	assert_int_equal(facts_of(&b, NULL).protocol, 0);
	b = build_extensions(second, sizeof second - 1);
	assert_int_equal(facts_of(&b, ours).protocol, 1);
	b = build_extensions(other, sizeof other - 1);
	assert_int_equal(facts_of(&b, ours).protocol, 2);
	b = build_extensions("\0\x17\0\0", 4);
	assert_int_equal(facts_of(&b, ours).protocol, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_versions_by_the_list_or_else_by_the_old_field),
		cmocka_unit_test(tells_the_cipher_suites_that_decide_a_hash),
		cmocka_unit_test(tells_which_of_our_protocols_is_offered),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("agent/hello_facts", tests, NULL, NULL);
}
