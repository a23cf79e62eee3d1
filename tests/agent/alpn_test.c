/* Tests of agent/alpn: which names are taken, and what is said to write for the others. */
#include "agent/alpn.h"

#include "helpers.h"

static void
known_names_and_names_of_ones_own_are_taken(void **state)
{
	static const char *const names[] = { "h2", "http/1.1", "http/1.0", "imap", "dot", "mqtt",
		"postgresql", "xmpp-client", "acme", "my-protocol/3", "x", "H", "valise",
		"12345678901234567890123456789012" };
	char error[256] = "";

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		if (!alpn_is_sensible(names[i], error))
			fail_msg("%s %s", names[i], error);
}

static void
what_is_nearly_a_name_is_told_with_what_to_write(void **state)
{
	static const struct {
		const char *name, *said;
	} cases[] = {
		{ "H2", "write h2" },
		{ "h-2", "write h2" },
		{ "http2", "write h2" },
		{ "HTTP/2", "write h2" },
		{ "http/2.0", "write h2" },
		{ "grpc", "write h2" },
		{ "h2c", "write h2" },
		{ "HTTP/1.1", "write http/1.1" },
		{ "http1.1", "write http/1.1" },
		{ "http", "write http/1.1" },
		{ "h1", "write http/1.1" },
		{ "IMAP", "write imap" },
		{ "h3", "QUIC" },
		{ "http/3", "QUIC" },
		{ "doq", "QUIC" },
		{ "acme-tls/1", "remove it" },
		{ "h2,http/1.1", "as a list" },
		{ "h2 http/1.1", "as a list" },
		{ "[h2]", "as a list" },
		{ "h\xc3\xa4", "as a list" },
		{ "", "1 to 32 bytes" },
		{ "123456789012345678901234567890123", "1 to 32 bytes" },
	};
	char error[256];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		error[0] = '\0';
		if (alpn_is_sensible(cases[i].name, error) || !strstr(error, cases[i].said))
			fail_msg("%s: not \"%s\" but \"%s\"", cases[i].name, cases[i].said, error);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(known_names_and_names_of_ones_own_are_taken),
	cmocka_unit_test(what_is_nearly_a_name_is_told_with_what_to_write),
};
RUN_TESTS("agent/alpn", tests)
