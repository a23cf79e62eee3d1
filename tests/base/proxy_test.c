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

/* Of a header that fits. */
static size_t
encode(uint8_t out[PROXY_PLAIN_MOST], int version, const struct address *from,
    const struct address *to, const char *authority)
{
	const struct proxy_header header = {
		.version = version, .source = from, .destination = to, .authority = authority
	};
	size_t bytes = proxy_encode(out, PROXY_PLAIN_MOST, &header);

	assert_true(bytes <= PROXY_PLAIN_MOST);
	return bytes;
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
		uint8_t out[PROXY_PLAIN_MOST];
		size_t bytes = encode(out, 1, &from, &to, NULL);

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
	uint8_t out[PROXY_PLAIN_MOST];

	(void)state;
	assert_int_equal(encode(out, 2, &from, &to, NULL), sizeof v4 - 1);
	assert_memory_equal(out, v4, sizeof v4 - 1);
	assert_int_equal(encode(out, 2, &from, &other, NULL), sizeof local - 1);
	assert_memory_equal(out, local, sizeof local - 1);
	assert_int_equal(encode(out, 2, &none, &none, NULL), sizeof local - 1);
	assert_int_equal(encode(out, 2, &other, &other, NULL), 16 + 36);
}

static void
writes_the_name_as_authority_in_version_2(void **state)
{
	struct address from = parsed("192.0.2.1:50000"), to = parsed("198.51.100.2:443");
	static const char named[] =
	    SIGNATURE "\x21\x11\x00\x14\xc0\x00\x02\x01\xc6\x33\x64\x02\xc3\x50\x01\xbb"
		      "\x02\x00\x05"
		      "a.net";
	struct address v6 = parsed("[::1]:1");
	uint8_t out[PROXY_PLAIN_MOST];
	char longest[256];
	struct proxy_facts facts;

	(void)state;
	memset(longest, 'a', 255);
	longest[255] = '\0';
	assert_int_equal(encode(out, 2, &from, &to, "a.net"), sizeof named - 1);
	assert_memory_equal(out, named, sizeof named - 1);
	assert_int_equal(encode(out, 2, &v6, &v6, longest), 16 + 36 + 3 + 255);
	assert_int_equal(proxy_decode(out, 16 + 36 + 3 + 255, &facts), PROXY_COMPLETE);
	assert_int_equal(facts.header_bytes, 16 + 36 + 3 + 255);
	assert_int_equal(encode(out, 2, &from, &to, ""), 16 + 12);
}

/* All that version 2 can hold, in the order in which it is written. */
static const char everything[] =
    SIGNATURE "\x21\x11\x00\x6e\xc0\x00\x02\x01\xc6\x33\x64\x02\xc3\x50\x01\xbb"
	      "\x01\x00\x02"
	      "h2"
	      "\x02\x00\x05"
	      "a.net"
	      "\x05\x00\x04"
	      "0123"
	      "\x20\x00\x44\x07\x00\x00\x00\x00"
	      "\x21\x00\x07"
	      "TLSv1.3"
	      "\x22\x00\x06"
	      "alice "
	      "\x23\x00\x16"
	      "TLS_AES_128_GCM_SHA256"
	      "\x28\x00\x10"
	      "no certificate ."
	      "\x03\x00\x04";

static const struct proxy_tls some_tls = { .version = "TLSv1.3",
	.cipher = "TLS_AES_128_GCM_SHA256",
	.has_certificate = true,
	.common_name = "alice ",
	.common_name_bytes = 6,
	.certificate = "no certificate .",
	.certificate_bytes = 16 };

static struct proxy_header
header_of(const struct address *from, const struct address *to)
{
	return (struct proxy_header){ .version = 2,
		.source = from,
		.destination = to,
		.alpn = "h2",
		.authority = "a.net",
		.unique_id = "0123",
		.tls = &some_tls,
		.has_checksum = true };
}

static void
writes_what_is_known_of_the_client_in_version_2(void **state)
{
	struct address from = parsed("192.0.2.1:50000"), to = parsed("198.51.100.2:443");
	struct proxy_header header = header_of(&from, &to);
	uint8_t out[PROXY_PLAIN_MOST];
	struct proxy_facts facts;
	size_t bytes = proxy_encode(out, sizeof out, &header);

	(void)state;
	assert_int_equal(bytes, sizeof everything - 1 + 4);
	assert_memory_equal(out, everything, sizeof everything - 1);
	assert_int_equal(proxy_decode(out, bytes, &facts), PROXY_COMPLETE);
	assert_int_equal(facts.header_bytes, bytes);
	assert_true(facts.has_addresses);
}

/* Without a certificate nothing has been verified. */
static void
says_of_a_client_without_a_certificate_that_it_is_not_verified(void **state)
{
	static const struct proxy_tls tls = { .version = "TLSv1.2", .cipher = "C" };
	static const char wanted[] =
	    SIGNATURE "\x21\x11\x00\x22\xc0\x00\x02\x01\xc6\x33\x64\x02\xc3\x50\x01\xbb"
		      "\x20\x00\x13\x01\x00\x00\x00\x01"
		      "\x21\x00\x07"
		      "TLSv1.2"
		      "\x23\x00\x01"
		      "C";
	struct address from = parsed("192.0.2.1:50000"), to = parsed("198.51.100.2:443");
	const struct proxy_header header = {
		.version = 2, .source = &from, .destination = &to, .tls = &tls
	};
	uint8_t out[PROXY_PLAIN_MOST];

	(void)state;
	assert_int_equal(proxy_encode(out, sizeof out, &header), sizeof wanted - 1);
	assert_memory_equal(out, wanted, sizeof wanted - 1);
}

/* Where the addresses cannot be told, the rest is. */
static void
keeps_what_is_known_beside_unlike_addresses(void **state)
{
	struct address from = parsed("192.0.2.1:1"), to = parsed("[::1]:2");
	struct proxy_header header = header_of(&from, &to);
	uint8_t out[PROXY_PLAIN_MOST];
	struct proxy_facts facts;
	size_t bytes = proxy_encode(out, sizeof out, &header);

	(void)state;
	assert_memory_equal(out, SIGNATURE "\x21\x00", 14);
	assert_memory_equal(out + 16, everything + 28, sizeof everything - 1 - 28);
	assert_int_equal(proxy_decode(out, bytes, &facts), PROXY_COMPLETE);
	assert_int_equal(facts.header_bytes, bytes);
	assert_false(facts.has_addresses);
}

static void
writes_nothing_where_the_header_does_not_fit(void **state)
{
	struct address from = parsed("192.0.2.1:50000"), to = parsed("198.51.100.2:443");
	struct proxy_header header = header_of(&from, &to);
	static uint8_t certificate[PROXY_MOST], out[2 * PROXY_MOST];
	struct proxy_tls tls = some_tls;
	size_t bytes = proxy_encode(NULL, 0, &header);

	(void)state;
	assert_int_equal(bytes, sizeof everything - 1 + 4);
	assert_int_equal(proxy_encode(out, bytes - 1, &header), bytes);
	assert_int_equal(out[0], 0);
	assert_int_equal(proxy_encode(out, bytes, &header), bytes);
	assert_int_equal(out[0], '\r');
	assert_int_equal(out[bytes], 0);
	header.tls = &tls;
	tls.certificate = certificate;
	tls.certificate_bytes = PROXY_MOST - (bytes - 16);
	out[0] = 0;
	assert_int_equal(proxy_encode(out, sizeof out, &header), PROXY_MOST);
	assert_int_equal(out[0], '\r');
	tls.certificate_bytes++;
	out[0] = 0;
	assert_int_equal(proxy_encode(out, sizeof out, &header), PROXY_MOST + 1);
	assert_int_equal(out[0], 0);
	header.version = 1;
	assert_int_equal(proxy_encode(out, 44, &header), 45);
	assert_int_equal(out[0], 0);
}

/* Only who takes the checksum itself away, by another type for it, is not found out. */
static void
a_checksum_tells_of_each_octet_that_was_altered(void **state)
{
	struct address from = parsed("[2001:db8::1]:1"), to = parsed("[::1]:65535");
	struct proxy_header header = header_of(&from, &to);
	uint8_t out[PROXY_PLAIN_MOST];
	size_t bytes = proxy_encode(out, sizeof out, &header);
	struct proxy_facts facts;

	(void)state;
	for (size_t i = 16; i < bytes; i++) {
		out[i] ^= 0x40;
		assert_int_equal(proxy_decode(out, bytes, &facts),
		    i == bytes - 7 ? PROXY_COMPLETE : PROXY_MALFORMED);
		out[i] ^= 0x40;
	}
	assert_int_equal(proxy_decode(out, bytes, &facts), PROXY_COMPLETE);
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
		struct address from = parsed(pairs[i / 2][0]), to = parsed(pairs[i / 2][1]);
		uint8_t out[PROXY_PLAIN_MOST + 8] = { 0 };
		size_t bytes = encode(out, (int)(i % 2) + 1, &from, &to, NULL);
		char a[ADDRESS_TEXT], b[ADDRESS_TEXT];
		struct proxy_facts facts;

		for (size_t n = 0; n < bytes; n++) {
			/* A block of its own, so that a sanitizer sees its end. */
			uint8_t *copy = malloc(n + 1);

			memcpy(copy, out, n);
			copy = realloc(copy, n > 0 ? n : 1);
			assert_int_equal(proxy_decode(copy, n, &facts), PROXY_INCOMPLETE);
			free(copy);
		}
		assert_int_equal(proxy_decode(out, bytes + 8, &facts), PROXY_COMPLETE);
		assert_int_equal(facts.header_bytes, bytes);
		assert_int_equal(facts.has_addresses, i / 2 < 2);
		if (!facts.has_addresses)
			continue;
		assert_string_equal(address_text(&from, a), address_text(&facts.source, b));
		assert_string_equal(address_text(&to, a), address_text(&facts.destination, b));
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

/* Addresses, behind which TLVs stand. */
#define TLVS(length) SIGNATURE "\x21\x11\x00" length "aaaabbbbccdd"

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
		/* TLVs; the addresses of the first rows are "aaaabbbbccdd". */
		LINE(TLVS("\x16") "\x02\x00\x01x\xe0\x00\x03xyz", PROXY_COMPLETE, true),
		LINE(TLVS("\x12") "\x04\x00\x00\x04\x00\x00", PROXY_COMPLETE, true),
		LINE(TLVS("\x12") "\x05\x00\x00\x05\x00\x00", PROXY_MALFORMED, false),
		LINE(TLVS("\x12") "\xe0\x00\x00\xe0\x00\x00", PROXY_MALFORMED, false),
		LINE(TLVS("\x0e") "\x02\x00", PROXY_MALFORMED, false),
		LINE(TLVS("\x0f") "\x02\x00\x01x", PROXY_MALFORMED, false),
		LINE(TLVS("\x12") "\x03\x00\x03xyz", PROXY_MALFORMED, false),
		LINE(TLVS("\x14") "\x03\x00\x05vwxyz", PROXY_MALFORMED, false),
		LINE(TLVS("\x13") "\x03\x00\x04wxyz", PROXY_MALFORMED, false),
		LINE(TLVS("\x13") "\x20\x00\x04\x01\x00\x00\x00", PROXY_MALFORMED, false),
		LINE(TLVS("\x14") "\x20\x00\x05\x01\x00\x00\x00\x00", PROXY_COMPLETE, true),
		LINE(TLVS("\x17") "\x20\x00\x08\x01\x00\x00\x00\x00\x21\x00\x00",
		    PROXY_COMPLETE, true),
		LINE(TLVS("\x17") "\x20\x00\x08\x01\x00\x00\x00\x00\x21\x00\x01",
		    PROXY_MALFORMED, false),
		LINE(TLVS("\x1a") "\x20\x00\x0b\x01\x00\x00\x00\x00\x22\x00\x00\x22\x00\x00",
		    PROXY_MALFORMED, false),
		LINE(SIGNATURE "\x20\x00\x00\x03\x02\x00\x01", PROXY_MALFORMED, false),
		LINE(SIGNATURE "\x20\x00\x00\x07\x03\x00\x04wxyz", PROXY_MALFORMED, false),
		LINE(SIGNATURE "\x20\x00\x00\x03\x02\x00\x00", PROXY_COMPLETE, false),
		LINE(SIGNATURE "\x21\x12\x00\x0f"
			       "aaaabbbbccdd\x02\x00\x01",
		    PROXY_MALFORMED, false),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct proxy_facts facts;
		enum proxy_verdict verdict =
		    proxy_decode((const uint8_t *)cases[i].data, cases[i].bytes, &facts);

		if (verdict != cases[i].verdict ||
		    (verdict == PROXY_COMPLETE && facts.has_addresses != cases[i].has))
			fail_msg("case %zu (%s)", i, cases[i].data);
		assert_int_equal(facts.fault != NULL, verdict == PROXY_MALFORMED);
	}
}

static void
maps_addresses_to_ipv4(void **state)
{
	static const char line[] = "PROXY TCP6 ::ffff:1.2.3.4 ::1 1 2\r\n";
	struct proxy_facts facts;
	char text[ADDRESS_TEXT];

	(void)state;
	assert_int_equal(
	    proxy_decode((const uint8_t *)line, sizeof line - 1, &facts), PROXY_COMPLETE);
	assert_string_equal(address_text(&facts.source, text), "1.2.3.4:1");
}

static void
gives_up_on_a_line_that_does_not_end(void **state)
{
	struct proxy_facts facts;
	uint8_t line[200];

	(void)state;
	memset(line, 'x', sizeof line);
	memcpy(line, "PROXY UNKNOWN ", 14);
	assert_int_equal(proxy_decode(line, 106, &facts), PROXY_INCOMPLETE);
	assert_int_equal(proxy_decode(line, 107, &facts), PROXY_MALFORMED);
	memcpy(line + 105, "\r\n", 2);
	assert_int_equal(proxy_decode(line, 200, &facts), PROXY_COMPLETE);
	assert_int_equal(facts.header_bytes, 107);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(writes_version_1),
	cmocka_unit_test(writes_version_2),
	cmocka_unit_test(writes_the_name_as_authority_in_version_2),
	cmocka_unit_test(writes_what_is_known_of_the_client_in_version_2),
	cmocka_unit_test(says_of_a_client_without_a_certificate_that_it_is_not_verified),
	cmocka_unit_test(keeps_what_is_known_beside_unlike_addresses),
	cmocka_unit_test(writes_nothing_where_the_header_does_not_fit),
	cmocka_unit_test(a_checksum_tells_of_each_octet_that_was_altered),
	cmocka_unit_test(reads_back_what_it_wrote_from_every_prefix),
	cmocka_unit_test(judges_other_peoples_headers),
	cmocka_unit_test(maps_addresses_to_ipv4),
	cmocka_unit_test(gives_up_on_a_line_that_does_not_end),
};

RUN_TESTS("proxy", tests)
