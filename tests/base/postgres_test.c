/* Tests of base/postgres: what a client may say before TLS, and what a server may answer. */
#include "base/postgres.h"

#include <string.h>
#include "helpers.h"

#define SSL "\0\0\0\10\x04\xd2\x16\x2f"
#define GSSENC "\0\0\0\10\x04\xd2\x16\x30"
#define CANCEL "\0\0\0\20\x04\xd2\x16\x2e\0\0\0\1\0\0\0\2"
#define STARTUP "\0\0\0\51\0\3\0\0user\0me\0database\0postgres\0\0"

static const struct {
	const char *wire;
	size_t bytes;
	enum postgres_request request;
} rows[] = {
	{ SSL, 8, POSTGRES_SSL },
	{ SSL "more", 12, POSTGRES_SSL },
	{ GSSENC, 8, POSTGRES_GSSENC },
	{ CANCEL, 16, POSTGRES_CANCEL },
	{ STARTUP, 41, POSTGRES_PLAIN },
	{ "\0\0\0\10\0\3\0\2", 8, POSTGRES_PLAIN },
	{ "\0\0\0\11\x04\xd2\x16\x2f", 8, POSTGRES_NONE },
	{ "\0\0\0\7\x04\xd2\x16\x2f", 8, POSTGRES_NONE },
	{ "\0\0\xff\xff\0\3\0\0", 8, POSTGRES_NONE },
	{ "\0\0\0\10\0\2\0\0", 8, POSTGRES_NONE },
	{ "\0\0\0\10\x04\xd2\x16\x31", 8, POSTGRES_NONE },
	{ "\0\1\0\10\x04\xd2\x16\x2f", 8, POSTGRES_NONE },
	{ "\x16\3\1\2\0\1\0\1", 8, POSTGRES_NONE },
	{ "GET / HT", 8, POSTGRES_NONE },
};

static void
reads_each_request(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		enum postgres_request request =
		    postgres_request_read((const uint8_t *)rows[i].wire, rows[i].bytes);

		if (request != rows[i].request)
			fail_msg("row %zu: %d", i, request);
	}
}

static void
every_prefix_is_incomplete_or_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (size_t bytes = 0; bytes < rows[i].bytes; bytes++) {
			enum postgres_request request =
			    postgres_request_read((const uint8_t *)rows[i].wire, bytes);

			if (request != rows[i].request && request != POSTGRES_INCOMPLETE)
				fail_msg("row %zu, %zu bytes: %d", i, bytes, request);
		}
	}
	assert_int_equal(postgres_request_read((const uint8_t *)"\x16", 1), POSTGRES_NONE);
}

static void
takes_nothing_but_a_lone_yes(void **state)
{
	(void)state;
	assert_null(postgres_answer_error((const uint8_t *)"S", 1));
	assert_non_null(strstr(postgres_answer_error(NULL, 0), "closed"));
	assert_non_null(strstr(postgres_answer_error((const uint8_t *)"SS", 2), "in clear"));
	assert_non_null(strstr(postgres_answer_error((const uint8_t *)"N", 1), "turn its ssl on"));
	assert_non_null(postgres_answer_error((const uint8_t *)"E", 1));
	assert_int_equal(postgres_request_read(postgres_ssl_request, 8), POSTGRES_SSL);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(reads_each_request),
	cmocka_unit_test(every_prefix_is_incomplete_or_the_same),
	cmocka_unit_test(takes_nothing_but_a_lone_yes),
};

RUN_TESTS("postgres", tests)
