/* Tests of base/proxy: both versions of the PROXY header, both ways. */
#include "base/proxy.h"

#include <stdlib.h>
#include <string.h>
#include "helpers.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static struct address
parsed(const char *text)
{
	struct address address;

	assert_true(address_parse(&address, text));
	return address;
}

static void
writes_version_1(void **state)
{
	static const struct {
		const char *from, *to, *line;
	} cases[] = {
		{ "192.0.2.1:50000", "198.51.100.2:443",
		    "PROXY TCP4 192.0.2.1 198.51.100.2 50000 443\r\n" },
		{ "[2001:db8::1]:1", "[::1]:65535", "PROXY TCP6 2001:db8::1 ::1 1 65535\r\n" },
		{ "192.0.2.1:1", "[::1]:2", "PROXY UNKNOWN\r\n" },
		{ "unix:/a", "unix:/b", "PROXY UNKNOWN\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct address from = parsed(cases[i].from), to = parsed(cases[i].to);
		uint8_t out[PROXY_MOST];
		size_t bytes = proxy_encode(out, 1, &from, &to, NULL);

		assert_int_equal(bytes, strlen(cases[i].line));
		assert_memory_equal(out, cases[i].line, bytes);
	}
}

static void
writes_version_2(void **state)
{
	struct address from = parsed("192.0.2.1:50000"), to = parsed("198.51.100.2:443"),
		       other = parsed("[::1]:1");
	static const char v4[] =
	    SIGNATURE "\x21\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x02\xc3\x50\x01\xbb";
	static const char local[] = SIGNATURE "\x20\x00\x00\x00";
	struct address none = { 0 };
	uint8_t out[PROXY_MOST];

	(void)state;
	assert_int_equal(proxy_encode(out, 2, &from, &to, NULL), sizeof v4 - 1);
	assert_memory_equal(out, v4, sizeof v4 - 1);
	assert_int_equal(proxy_encode(out, 2, &from, &other, NULL), sizeof local - 1);
	assert_memory_equal(out, local, sizeof local - 1);
	assert_int_equal(proxy_encode(out, 2, &none, &none, NULL), sizeof local - 1);
	assert_int_equal(proxy_encode(out, 2, &other, &other, NULL), 16 + 36);
}

static void
writes_the_name_as_authority_in_version_2(void **state)
{
	struct address from = parsed("192.0.2.1:50000"), to = parsed("198.51.100.2:443");
	static const char named[] =
	    SIGNATURE "\x21\x11\x00\x14\xc0\x00\x02\x01\xc6\x33\x64\x02\xc3\x50\x01\xbb"
		      "\x02\x00\x05"
		      "a.net";
	struct address v6 = parsed("[::1]:1"), source, destination;
	uint8_t out[PROXY_MOST];
	char longest[256];
	size_t header;
	bool has;

	(void)state;
	memset(longest, 'a', 255);
	longest[255] = '\0';
	assert_int_equal(proxy_encode(out, 2, &from, &to, "a.net"), sizeof named - 1);
	assert_memory_equal(out, named, sizeof named - 1);
	assert_int_equal(proxy_encode(out, 2, &v6, &v6, longest), 16 + 36 + 3 + 255);
	assert_int_equal(proxy_decode(out, 16 + 36 + 3 + 255, &header, &has, &source, &destination),
	    PROXY_COMPLETE);
	assert_int_equal(header, 16 + 36 + 3 + 255);
	assert_int_equal(proxy_encode(out, 2, &from, &to, ""), 16 + 12);
}

static void
reads_back_what_it_wrote_from_every_prefix(void **state)
{
	static const char *const pairs[][2] = {
		{ "192.0.2.1:50000", "198.51.100.2:443" },
		{ "[2001:db8::1]:1", "[::1]:65535" },
		{ "192.0.2.1:1", "[::1]:2" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(pairs) * 2; i++) {
		struct address from = parsed(pairs[i / 2][0]), to = parsed(pairs[i / 2][1]), source,
			       destination;
		uint8_t out[PROXY_MOST + 8] = { 0 };
		size_t bytes = proxy_encode(out, (int)(i % 2) + 1, &from, &to, NULL), header;
		char a[ADDRESS_TEXT], b[ADDRESS_TEXT];
		bool has;

		for (size_t n = 0; n < bytes; n++) {
			/* A block of its own, so that a sanitizer sees its end. */
			uint8_t *copy = malloc(n + 1);

			memcpy(copy, out, n);
			copy = realloc(copy, n > 0 ? n : 1);
			assert_int_equal(
			    proxy_decode(copy, n, &header, &has, &source, &destination),
			    PROXY_INCOMPLETE);
			free(copy);
		}
		assert_int_equal(proxy_decode(out, bytes + 8, &header, &has, &source, &destination),
		    PROXY_COMPLETE);
		assert_int_equal(header, bytes);
		assert_int_equal(has, i / 2 < 2);
		if (!has)
			continue;
		assert_string_equal(address_text(&from, a), address_text(&source, b));
		assert_string_equal(address_text(&to, a), address_text(&destination, b));
	}
}

struct proxy_input {
	const char *data;
	size_t bytes;
	enum proxy_verdict verdict;
	bool has;
};

#define LINE(text, verdict, has) \
	{ \
		text, sizeof(text) - 1, verdict, has \
	}

static void
judges_other_peoples_headers(void **state)
{
	static const struct proxy_input cases[] = {
		LINE("PROXY UNKNOWN ffff:: 1 2 anything\r\n", PROXY_COMPLETE, false),
		LINE("PROXY TCP4 1.2.3.4 5.6.7.8 0 65535\r\nGET", PROXY_COMPLETE, true),
		LINE("PROXY TCP4 1.2.3.4 5.6.7.8 00 1\r\n", PROXY_MALFORMED, false),
		LINE("PROXY TCP4 1.2.3.4 5.6.7.8 01 1\r\n", PROXY_MALFORMED, false),
		LINE("PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n", PROXY_MALFORMED, false),
		LINE("PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n", PROXY_MALFORMED, false),
		LINE("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n", PROXY_MALFORMED, false),
		LINE("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n", PROXY_MALFORMED, false),
		LINE("PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n", PROXY_MALFORMED, false),
		LINE("PROXY TCP4 ::1 ::2 1 2\r\n", PROXY_MALFORMED, false),
		LINE("PROXY TCP6 1.2.3.4 ::2 1 2\r\n", PROXY_MALFORMED, false),
		LINE("PROXY TCP6 ::ffff:1.2.3.4 ::ffff:5.6.7.8 1 2\r\n", PROXY_COMPLETE, true),
		LINE("PROXY TCP4 1.2.3.4\0 5.6.7.8 1 2\r\n", PROXY_MALFORMED, false),
		LINE("PROXY TCP5 1.2.3.4 5.6.7.8 1 2\r\n", PROXY_MALFORMED, false),
		LINE("PROXY TCP4\r\n", PROXY_MALFORMED, false),
		LINE("PROXY \r\n", PROXY_MALFORMED, false),
		LINE("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n", PROXY_INCOMPLETE, false),
		LINE("PROXX", PROXY_MALFORMED, false),
		LINE("\x16\x03\x01", PROXY_MALFORMED, false),
		LINE("", PROXY_INCOMPLETE, false),
		LINE(SIGNATURE "\x21\x11\x00\x0c"
			       "aaaabbbbccdd",
		    PROXY_COMPLETE, true),
		LINE(SIGNATURE "\x21\x11\x00\x0f"
			       "aaaabbbbccdd"
			       "\x04\x00\x00",
		    PROXY_COMPLETE, true),
		LINE(SIGNATURE "\x21\x11\x00\x0b"
			       "aaaabbbbccd",
		    PROXY_MALFORMED, false),
		LINE(SIGNATURE "\x21\x11\x00\x0c"
			       "aaaabbbbccd",
		    PROXY_INCOMPLETE, false),
		LINE(SIGNATURE "\x20\x11\x00\x01x", PROXY_COMPLETE, false),
		LINE(SIGNATURE "\x21\x00\x00\x00", PROXY_COMPLETE, false),
		LINE(SIGNATURE "\x21\x12\x00\x00", PROXY_COMPLETE, false),
		LINE(SIGNATURE "\x22", PROXY_MALFORMED, false),
		LINE(SIGNATURE "\x11", PROXY_MALFORMED, false),
		LINE(SIGNATURE "\x21\x13", PROXY_MALFORMED, false),
		LINE(SIGNATURE "\x21\x41", PROXY_MALFORMED, false),
		LINE("\r\n\r\n\0\r\nQUIX", PROXY_MALFORMED, false),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct address source, destination;
		size_t header;
		bool has;
		enum proxy_verdict verdict = proxy_decode((const uint8_t *)cases[i].data,
		    cases[i].bytes, &header, &has, &source, &destination);

		if (verdict != cases[i].verdict ||
		    (verdict == PROXY_COMPLETE && has != cases[i].has))
			fail_msg("case %zu (%s)", i, cases[i].data);
	}
}

static void
maps_addresses_to_ipv4(void **state)
{
	static const char line[] = "PROXY TCP6 ::ffff:1.2.3.4 ::1 1 2\r\n";
	struct address source, destination;
	char text[ADDRESS_TEXT];
	size_t header;
	bool has;

	(void)state;
	assert_int_equal(proxy_decode((const uint8_t *)line, sizeof line - 1, &header, &has,
			     &source, &destination),
	    PROXY_COMPLETE);
	assert_string_equal(address_text(&source, text), "1.2.3.4:1");
}

static void
gives_up_on_a_line_that_does_not_end(void **state)
{
	struct address source, destination;
	uint8_t line[200];
	size_t header;
	bool has;

	(void)state;
	memset(line, 'x', sizeof line);
	memcpy(line, "PROXY UNKNOWN ", 14);
	assert_int_equal(
	    proxy_decode(line, 106, &header, &has, &source, &destination), PROXY_INCOMPLETE);
	assert_int_equal(
	    proxy_decode(line, 107, &header, &has, &source, &destination), PROXY_MALFORMED);
	memcpy(line + 105, "\r\n", 2);
	assert_int_equal(
	    proxy_decode(line, 200, &header, &has, &source, &destination), PROXY_COMPLETE);
	assert_int_equal(header, 107);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(writes_version_1),
	cmocka_unit_test(writes_version_2),
	cmocka_unit_test(writes_the_name_as_authority_in_version_2),
	cmocka_unit_test(reads_back_what_it_wrote_from_every_prefix),
	cmocka_unit_test(judges_other_peoples_headers),
	cmocka_unit_test(maps_addresses_to_ipv4),
	cmocka_unit_test(gives_up_on_a_line_that_does_not_end),
};

RUN_TESTS("proxy", tests)
