/* The parser: its refusals one by one, its bounds, and what it yields. */
#include "corpus.h"
#include "hello.h"

static struct clienthello
read_all(const void *wire, size_t bytes)
{
	struct clienthello hello;
	uint8_t *block = malloc(bytes ? bytes : 1);

	memcpy(block, wire, bytes);
	clienthello_init(&hello, CLIENTHELLO_DEFAULT_BYTES);
	clienthello_read(&hello, block, bytes);
	free(block);
	return hello;
}

static void
assert_refused(const struct clienthello *hello, const char *reason, int alert)
{
	assert_string_equal(clienthello_reason(hello), reason);
	assert_int_equal(clienthello_alert(hello), alert);
	assert_int_equal(hello->verdict, alert ? CLIENTHELLO_MALFORMED : CLIENTHELLO_NOT_TLS);
}

#define BYTES(text) text, sizeof text - 1

/* Streams that are judged by their first bytes. */
static void
refuses_each_fault_of_the_records_by_its_own_word(void **state)
{
	static const struct {
		const char *wire;
		size_t bytes;
		const char *reason;
		int alert;
	} rows[] = {
		{ BYTES("G"), "not-handshake", 0 },
		{ BYTES("\x15"), "not-handshake", 0 },
		{ BYTES("\x16\x02"), "not-tls-version", 0 },
		{ BYTES("\x16\x03\x01\x00\x00"), "record-empty", 10 },
		{ BYTES("\x16\x03\x01\x40\x01"), "record-too-large", 22 },
		{ BYTES("\x16\x03\x01\xff\xff"), "record-too-large", 22 },
		{ BYTES("\x16\x03\x01\x00\x04\x02"), "not-client-hello", 10 },
		{ BYTES("\x16\x03\x01\x00\x01\x01\x17"), "record-type", 10 },
		{ BYTES("\x16\x03\x01\x00\x01\x01\x16\x04"), "record-version", 70 },
		{ BYTES("\x16\x03\x01\x00\x01\x01\x16\x03\x01\x00\x00"), "record-empty", 10 },
		{ BYTES("\x16\x03\x01\x00\x04\x01\xff\xff\xff"), "hello-too-large", 47 },
		{ BYTES("\x16\x03\x01\x00\x04\x01\x00\x3f\xfd"), "hello-too-large", 47 },
		{ BYTES("\x16\x03\x01\x00\x04\x01\x00\x00\x00"), "bad-session-id", 50 },
		{ BYTES("\x16\x03\x01\x00\x05\x01\x00\x00\x00x"), "bad-session-id", 50 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct clienthello hello = read_all(rows[i].wire, rows[i].bytes);

		assert_refused(&hello, rows[i].reason, rows[i].alert);
		hello = read_all(rows[i].wire, rows[i].bytes - 1);
		if (rows[i].bytes > 1)
			assert_int_equal(hello.verdict, CLIENTHELLO_INCOMPLETE);
	}
}

/* A whole hello of which one byte is changed. */
static void
refuses_each_fault_of_the_fields_by_its_own_word(void **state)
{
	struct built good = build_named("example.com");
	enum { SESSION_ID = 43, SUITES = 44, COMPRESSION = 48, BLOCK = 50 };
	static const struct {
		size_t at;
		uint8_t value;
		const char *reason;
	} rows[] = {
		{ SESSION_ID, 255, "bad-session-id" },
		{ SESSION_ID, 33, "bad-session-id" },
		{ SUITES + 1, 0, "bad-cipher-suites" },
		{ SUITES + 1, 3, "bad-cipher-suites" },
		{ SUITES, 255, "bad-cipher-suites" },
		{ COMPRESSION, 0, "bad-compression-methods" },
		{ COMPRESSION, 255, "bad-compression-methods" },
		{ BLOCK, 255, "bad-extension-block" },
		{ BLOCK + 1, 19, "bad-extension-block" },
		{ BLOCK + 1, 21, "bad-extension-block" },
		{ BLOCK + 5, 255, "bad-extension-block" },
	};

	(void)state;
	assert_int_equal(read_all(good.wire, good.bytes).verdict, CLIENTHELLO_COMPLETE);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct built bad = good;
		struct clienthello hello;

		bad.wire[rows[i].at] = rows[i].value;
		hello = read_all(bad.wire, bad.bytes);
		assert_refused(&hello, rows[i].reason, 50);
	}
}

/* Unless there is something wrong inside the hello, which is more telling. */
static void
refuses_bytes_behind_the_hello_in_its_last_record(void **state)
{
	static const struct {
		const char *name, *reason;
		int alert;
	} rows[] = {
		{ "example.com", "bytes-behind-hello", 10 },
		{ "exam*le.com", "not-a-host-name", 47 },
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct built b = build_named(rows[i].name);
		size_t message = b.bytes - 5;
		uint8_t wire[1000];

		put(&b, "xy", 2);
		for (size_t record = 3; record <= message + 2; record++) {
			size_t bytes = build_fragments(wire, &b, record);
			struct clienthello hello = read_all(wire, bytes);

			if (message % record != 0)	/* else the rest has its own */
				assert_refused(&hello, rows[i].reason, rows[i].alert);
		}
	}
}

/* Extension blocks, none of which another check would stop. */
static void
refuses_each_fault_of_an_extension_by_its_own_word(void **state)
{
	static const struct {
		const char *block;
		size_t bytes;
		const char *reason;
		int alert;
	} rows[] = {
		{ BYTES("\0\0"), "bad-extension-block", 50 },
		{ BYTES("\0\0\0"), "bad-extension-block", 50 },
		{ BYTES("\0\x23\0\1"), "bad-extension-block", 50 },
		{ BYTES("\0\x23\0\0\0\x23\0\0"), "duplicate-extension", 110 },
		{ BYTES("\x7a\x7a\0\0\x7a\x7a\0\0"), "duplicate-extension", 110 },
		{ BYTES("\0\x29\0\0\0\x23\0\0"), "pre-shared-key-not-last", 47 },
		{ BYTES("\0\x29\0\0\0\x29\0\0"), "duplicate-extension", 110 },
		{ BYTES("\0\0\0\0"), "bad-server-name", 50 },
		{ BYTES("\0\0\0\1\0"), "bad-server-name", 50 },
		{ BYTES("\0\0\0\2\0\0"), "bad-server-name", 50 },
		{ BYTES("\0\0\0\6\0\5\0\0\1a"), "bad-server-name", 50 },
		{ BYTES("\0\0\0\6\0\3\0\0\1a"), "bad-server-name", 50 },
		{ BYTES("\0\0\0\5\0\3\0\0\0"), "bad-server-name", 50 },
		{ BYTES("\0\0\0\6\0\4\0\0\2a"), "bad-server-name", 50 },
		{ BYTES("\0\0\0\x0a\0\x08\0\0\1a\0\0\1b"), "duplicate-server-name", 47 },
		{ BYTES("\0\0\0\x0e\0\x0c\7\0\1a\7\0\1b\0\0\1c"), "duplicate-server-name", 47 },
		{ BYTES("\0\0\0\6\0\4\0\0\1*"), "not-a-host-name", 47 },
		{ BYTES("\0\0\0\6\0\4\0\0\1\0"), "not-a-host-name", 47 },
		{ BYTES("\0\0\0\x0a\0\x08\0\0\1*\0\0\1b"), "not-a-host-name", 47 },
		{ BYTES("\0\x10\0\0"), "bad-alpn", 50 },
		{ BYTES("\0\x10\0\2\0\0"), "bad-alpn", 50 },
		{ BYTES("\0\x10\0\3\0\1\0"), "bad-alpn", 50 },
		{ BYTES("\0\x10\0\4\0\3\1a"), "bad-alpn", 50 },
		{ BYTES("\0\x10\0\4\0\2\2a"), "bad-alpn", 50 },
		{ BYTES("\0\x10\0\5\0\3\1a\0"), "bad-alpn", 50 },
		{ BYTES("\0\x2b\0\0"), "bad-supported-versions", 50 },
		{ BYTES("\0\x2b\0\1\0"), "bad-supported-versions", 50 },
		{ BYTES("\0\x2b\0\2\1\3"), "bad-supported-versions", 50 },
		{ BYTES("\0\x2b\0\3\1\3\4"), "bad-supported-versions", 50 },
		{ BYTES("\0\x33\0\0"), "bad-key-share", 50 },
		{ BYTES("\0\x33\0\2\0\1"), "bad-key-share", 50 },
		{ BYTES("\0\x33\0\6\0\4\0\x1d\0\0"), "empty-key-share", 47 },
		{ BYTES("\0\x33\0\6\0\4\0\x17\0\0"), "bad-key-share", 50 },
		{ BYTES("\0\x33\0\7\0\5\0\x1d\0\2a"), "bad-key-share", 50 },
		{ BYTES("\0\x0d\0\0"), "bad-signature-algorithms", 50 },
		{ BYTES("\0\x0d\0\2\0\0"), "bad-signature-algorithms", 50 },
		{ BYTES("\0\x0d\0\3\0\1\4"), "bad-signature-algorithms", 50 },
		{ BYTES("\0\x0d\0\4\0\4\4\3"), "bad-signature-algorithms", 50 },
		{ BYTES("\0\x0a\0\0"), "bad-extension-body", 50 },
		{ BYTES("\0\x0a\0\2\0\0"), "bad-extension-body", 50 },
		{ BYTES("\0\x0a\0\3\0\1\x1d"), "bad-extension-body", 50 },
		{ BYTES("\0\x0b\0\0"), "bad-extension-body", 50 },
		{ BYTES("\0\x0b\0\1\0"), "bad-extension-body", 50 },
		{ BYTES("\0\x0b\0\2\2\0"), "bad-extension-body", 50 },
		{ BYTES("\0\x0c\0\1\0"), "bad-extension-body", 50 },
		{ BYTES("\0\x2d\0\1\0"), "bad-extension-body", 50 },
		{ BYTES("\0\x16\0\1\0"), "bad-extension-body", 50 },
		{ BYTES("\0\x17\0\1\0"), "bad-extension-body", 50 },
		{ BYTES("\0\x2a\0\1\0"), "bad-extension-body", 50 },
		{ BYTES("\0\x1c\0\1\1"), "bad-extension-body", 50 },
		{ BYTES("\0\x1c\0\2\0\x3f"), "record-size-limit-too-small", 47 },
		{ BYTES("\0\x1c\0\2\0\0"), "record-size-limit-too-small", 47 },
		{ BYTES("\0\x1c\0\3\0\x40\0"), "bad-extension-body", 50 },
		{ BYTES("\xff\1\0\0"), "bad-extension-body", 50 },
		{ BYTES("\xff\1\0\1\1"), "bad-extension-body", 50 },
		{ BYTES("\xff\1\0\2\1x"), "renegotiation", 40 },
		{ BYTES("\xff\1\0\2\0x"), "bad-extension-body", 50 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct built b = build_extensions(rows[i].block, rows[i].bytes);
		struct clienthello hello = read_all(b.wire, b.bytes);

		if (strcmp(clienthello_reason(&hello), rows[i].reason) != 0)
			print_error("row %zu\n", i);
		assert_refused(&hello, rows[i].reason, rows[i].alert);
	}
}

static void
takes_every_extension_that_is_well_formed(void **state)
{
	static const char block[] =
	    /* a name of an unknown type, then host_name A */
	    "\0\0\0\x0a\0\x08\7\0\1x\0\0\1A"
	    "\0\x10\0\5\0\3\2h2"
	    "\0\x2b\0\7\6\x2a\x2a\3\4\3\3" "\0\x33\0\x0c\0\x0a\x11\xec\0\1k\0\x1d\0\1k"
	    "\0\x0d\0\4\0\2\4\3" "\0\x0a\0\4\0\2\0\x1d" "\0\x0b\0\2\1\0" "\0\x0c\0\2\1u"
	    "\0\x2d\0\2\1\1" "\0\x16\0\0" "\0\x17\0\0" "\0\x1c\0\2\0\x40" "\xff\1\0\1\0"
	    "\xfe\x0d\0\1\0" "\0\x2a\0\0" "\0\x29\0\0";
	struct built b = build_extensions(block, sizeof block - 1);
	struct clienthello hello = read_all(b.wire, b.bytes);

	(void)state;
	assert_string_equal(clienthello_reason(&hello), "");
	assert_int_equal(hello.verdict, CLIENTHELLO_COMPLETE);
	assert_int_equal(clienthello_alert(&hello), 0);
	assert_string_equal(hello.server_name, "a");
	assert_true(hello.has_name && hello.has_alpn && hello.tls13 && hello.ech);
	assert_true(hello.early_data && hello.post_quantum);
	assert_int_equal(hello.newest_version, 0x0304);
	assert_int_equal(hello.legacy_version, 0x0303);
}

static void
sees_no_more_than_there_is(void **state)
{
	struct built b = build(0x0302, "\x13\x01", 2, "", 0);
	struct clienthello hello = read_all(b.wire, b.bytes);
	char name[256];
	size_t bytes;

	(void)state;
	assert_int_equal(hello.verdict, CLIENTHELLO_COMPLETE);
	assert_false(hello.has_name || hello.has_alpn || hello.tls13 || hello.ech);
	assert_false(hello.early_data || hello.post_quantum);
	assert_string_equal(hello.server_name, "");
	assert_int_equal(hello.newest_version, 0x0302);
	assert_false(clienthello_alpn(&hello, b.wire, 0, name, &bytes));
	assert_false(clienthello_offers_alpn(&hello, b.wire, "h2"));
}

static void
tells_one_protocol_alone_from_one_among_others(void **state)
{
#define ONE(list) { list, sizeof list - 1, true }
#define NOT(list) { list, sizeof list - 1, false }
	static const struct {
		const char *block;
		size_t bytes;
		bool is_alone;
	} rows[] = {
		ONE("\0\x10\0\x0d\0\x0b\x0a" "acme-tls/1"),
		NOT("\0\x10\0\x10\0\x0e\x0a" "acme-tls/1" "\2h2"),
		NOT("\0\x10\0\x10\0\x0e\2h2\x0a" "acme-tls/1"),
		NOT("\0\x10\0\x18\0\x16\x0a" "acme-tls/1" "\x0a" "acme-tls/1"),
		NOT("\0\x10\0\x0d\0\x0b\x0a" "acme-tls/2"),
		NOT("\0\x10\0\x0d\0\x0b\x0a" "ACME-TLS/1"),
		NOT("\0\x10\0\x0e\0\x0c\x0b" "acme-tls/10"),
		NOT("\0\x10\0\x0d\0\x0b\4" "acme" "\5" "tls/1"),
		NOT("\0\x17\0\0"),
	};
#undef ONE
#undef NOT

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct built b = build_extensions(rows[i].block, rows[i].bytes);
		struct clienthello hello = read_all(b.wire, b.bytes);

		assert_int_equal(hello.verdict, CLIENTHELLO_COMPLETE);
		if (clienthello_offers_only_alpn(&hello, b.wire, "acme-tls/1") != rows[i].is_alone)
			fail_msg("row %zu", i);
	}
}

static void
tells_post_quantum_key_shares_from_others(void **state)
{
	static const struct {
		const char *group;
		bool post_quantum;
	} rows[] = {
		{ "\x11\xec", true }, { "\x11\xeb", true }, { "\x11\xed", true },
		{ "\x02\x01", true }, { "\x63\x99", true }, { "\x41\x38", true },
		{ "\x00\x1d", false }, { "\x0a\x0a", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char block[] = "\0\x33\0\7\0\5??\0\1k";
		struct built b;

		memcpy(block + 6, rows[i].group, 2);
		b = build_extensions(block, sizeof block - 1);
		assert_int_equal(read_all(b.wire, b.bytes).post_quantum, rows[i].post_quantum);
	}
}

static void
takes_256_extensions_and_no_more(void **state)
{
	struct built block = { .bytes = 0 }, b;
	struct clienthello hello;

	(void)state;
	for (size_t i = 0; i < 256; i++) {
		put_u16(&block, 0x4000 + i);
		put_u16(&block, 0);
	}
	b = build_extensions(block.wire, block.bytes);
	assert_int_equal(read_all(b.wire, b.bytes).verdict, CLIENTHELLO_COMPLETE);
	for (int low = 0; low < 2; low++) {
		struct built more = block;

		put(&more, low ? "\0\x23\0\0" : "\x50\0\0\0", 4);
		b = build_extensions(more.wire, more.bytes);
		hello = read_all(b.wire, b.bytes);
		assert_refused(&hello, "too-many-extensions", 47);
	}
}

/* ---- what it yields, across records ---- */

static void
yields_its_lists_whatever_the_records(void **state)
{
	static const char block[] = "\0\0\0\x0d\0\x0b\0\0\x08" "Some.one"
	    "\0\x10\0\x10\0\x0e\2h2\7http\0/1\2h3"
	    "\0\x0d\0\6\0\4\4\3\x08\4";
	struct built b = build(0x0303, "\x13\x01\x13\x02", 4, block, sizeof block - 1);
	uint8_t wire[1000], raw[8];

	(void)state;
	for (size_t record = 1; record < b.bytes; record++) {
		size_t bytes = build_fragments(wire, &b, record);
		struct clienthello hello = read_all(wire, bytes);
		struct clienthello_vector rest = hello.cipher_suites, body;
		char name[256];
		uint16_t value = 0, type = 1;

		assert_int_equal(hello.verdict, CLIENTHELLO_COMPLETE);
		assert_int_equal(hello.wire_bytes, bytes);
		assert_int_equal(hello.record_count, (b.bytes - 5 + record - 1) / record);
		assert_string_equal(hello.server_name, "some.one");
		assert_int_equal(clienthello_copy(&hello.sent_name, wire, raw, sizeof raw), 8);
		assert_memory_equal(raw, "Some.one", 8);
		assert_int_equal(clienthello_copy(&hello.alpn, wire, raw, 2), 14);
		assert_memory_equal(raw, "\2hme.one", 8);
		assert_true(clienthello_next_u16(&rest, wire, &value) && value == 0x1301);
		assert_true(clienthello_next_u16(&rest, wire, &value) && value == 0x1302);
		assert_false(clienthello_next_u16(&rest, wire, &value));
		assert_true(clienthello_alpn(&hello, wire, 1, name, &bytes));
		assert_int_equal(bytes, 7);
		assert_memory_equal(name, "http\0/1", 8);
		assert_false(clienthello_alpn(&hello, wire, 3, name, &bytes));
		assert_true(clienthello_offers_alpn(&hello, wire, "h3"));
		assert_false(clienthello_offers_alpn(&hello, wire, "http"));
		assert_false(clienthello_offers_alpn(&hello, wire, "h1"));
		rest = hello.extensions;
		assert_true(clienthello_next_extension(&rest, wire, &type, &body) && type == 0);
		assert_int_equal(body.bytes, 13);
		assert_true(clienthello_next_extension(&rest, wire, &type, &body) && type == 16);
		assert_true(clienthello_next_extension(&rest, wire, &type, &body) && type == 13);
		assert_false(clienthello_next_extension(&rest, wire, &type, &body));
	}
}

/* A vector is read as what the caller takes it for, and never beyond its end. */
static void
reads_no_item_that_is_not_whole(void **state)
{
	struct built b = build_named("Some.one");
	struct clienthello hello = read_all(b.wire, b.bytes);
	struct clienthello_vector rest = hello.sent_name, body;
	char text[256];
	size_t bytes;
	uint16_t value;

	(void)state;
	assert_false(clienthello_next_string(&rest, b.wire, text, &bytes));
	assert_int_equal(bytes, 0);
	assert_string_equal(text, "");
	rest = hello.sent_name;
	assert_false(clienthello_next_extension(&rest, b.wire, &value, &body));
	assert_int_equal(rest.bytes, 0);
	for (size_t n = 0; n < 4; n++) {
		rest = hello.sent_name;
		rest.bytes = (uint16_t)n;
		assert_false(clienthello_next_extension(&rest, b.wire, &value, &body));
		rest = hello.sent_name;
		rest.bytes = (uint16_t)n;
		assert_int_equal(clienthello_next_u16(&rest, b.wire, &value), n >= 2);
	}
}

static void
knows_grease_from_the_rest(void **state)
{
	(void)state;
	for (unsigned value = 0; value < 65536; value++) {
		bool grease = value % 0x1010 == 0x0a0a && value / 0x1010 < 16;

		assert_int_equal(clienthello_is_grease((uint16_t)value), grease);
	}
}

static void
passes_over_what_follows_the_hello(void **state)
{
	struct built b = build_named("example.com");
	struct clienthello alone = read_all(b.wire, b.bytes), followed;

	(void)state;
	put(&b, "\x14\x03\x03\x00\x01\x01 anything", 15);
	followed = read_all(b.wire, b.bytes);
	assert_true(same_hello(&alone, &followed));
}

static void
keeps_a_verdict_for_good(void **state)
{
	struct built b = build_named("example.com");
	struct clienthello hello;

	(void)state;
	clienthello_init(&hello, CLIENTHELLO_DEFAULT_BYTES);
	assert_int_equal(clienthello_read(&hello, (const uint8_t *)"GET", 3), CLIENTHELLO_NOT_TLS);
	assert_int_equal(clienthello_read(&hello, b.wire, b.bytes), CLIENTHELLO_NOT_TLS);
	hello = read_all(b.wire, b.bytes);
	assert_int_equal(clienthello_read(&hello, (const uint8_t *)"GET", 3), CLIENTHELLO_COMPLETE);
}

/* ---- bounds ---- */

/* A hello of just that many bytes, in one unknown extension; more than one record. */
static uint8_t *
padded_hello(size_t hello_bytes, size_t record_bytes, size_t *wire_bytes)
{
	uint8_t *message = calloc(1, hello_bytes), *wire = malloc(6 * hello_bytes);
	size_t body = hello_bytes - 4, block = body - 43, at = 0;
	static const uint8_t suites[] = { 0, 2, 0x13, 1, 1, 0 };

	message[0] = 1;
	message[1] = (uint8_t)(body >> 16);
	message[2] = (uint8_t)(body >> 8);
	message[3] = (uint8_t)body;
	message[4] = message[5] = 3;
	memcpy(message + 39, suites, sizeof suites);
	message[45] = (uint8_t)(block >> 8);
	message[46] = (uint8_t)block;
	message[48] = 0x23;
	message[49] = (uint8_t)((block - 4) >> 8);
	message[50] = (uint8_t)(block - 4);
	for (size_t from = 0; from < hello_bytes; from += record_bytes) {
		size_t n = hello_bytes - from < record_bytes ? hello_bytes - from : record_bytes;
		const uint8_t header[] = { 22, 3, 1, (uint8_t)(n >> 8), (uint8_t)n };

		memcpy(wire + at, header, 5);
		memcpy(wire + at + 5, message + from, n);
		at += 5 + n;
	}
	free(message);
	*wire_bytes = at;
	return wire;
}

static void
takes_a_hello_of_just_the_bound_even_in_records_of_one_byte(void **state)
{
	static const size_t bounds[] = { 200, CLIENTHELLO_DEFAULT_BYTES, 40000 };
	static const size_t records[] = { 1, 2, 1000, 16384 };

	(void)state;
	for (size_t b = 0; b < 3; b++)
		for (size_t r = 0; r < 4; r++) {
			size_t bytes;
			uint8_t *wire = padded_hello(bounds[b], records[r], &bytes);
			struct clienthello hello;

			clienthello_init(&hello, bounds[b]);
			for (size_t n = 0; n < bytes; n++)
				assert_int_equal(clienthello_read(&hello, wire, n),
				    CLIENTHELLO_INCOMPLETE);
			assert_int_equal(clienthello_read(&hello, wire, bytes),
			    CLIENTHELLO_COMPLETE);
			assert_int_equal(hello.hello_bytes, bounds[b]);
			clienthello_init(&hello, bounds[b] - 1);
			clienthello_read(&hello, wire, bytes);
			assert_refused(&hello, "hello-too-large", 47);
			free(wire);
		}
}

/* However a client dawdles, 6 times the bound is all that need be held of it. */
static void
decides_within_the_wire_bound(void **state)
{
	size_t bytes;
	uint8_t *wire = padded_hello(200, 1, &bytes);
	struct clienthello hello;

	(void)state;
	assert_int_equal(bytes, 1200);
	wire[bytes - 2] = 2;	/* the last record claims a byte more */
	clienthello_init(&hello, 200);
	assert_int_equal(clienthello_read(&hello, wire, bytes), CLIENTHELLO_MALFORMED);
	assert_refused(&hello, "hello-too-large", 47);
	free(wire);
}

static void
bounds_every_hello_by_64_kib(void **state)
{
	struct clienthello hello;

	(void)state;
	clienthello_init(&hello, 1 << 20);
	clienthello_read(&hello, (const uint8_t *)BYTES("\x16\3\1\0\4\1\0\xff\xfc"));
	assert_int_equal(hello.verdict, CLIENTHELLO_INCOMPLETE);
	clienthello_init(&hello, 1 << 20);
	clienthello_read(&hello, (const uint8_t *)BYTES("\x16\3\1\0\4\1\0\xff\xfd"));
	assert_int_equal(hello.verdict, CLIENTHELLO_MALFORMED);
}

/* The library that took it out of its records may let more pass than a record's places can say. */
static void
bounds_a_message_without_records_likewise(void **state)
{
	enum { MOST = CLIENTHELLO_MOST_BYTES - 4, EMPTY = 2 + 32 + 1 + 4 + 2 + 2 + 4 };
	static uint8_t body[MOST + 1];
	struct built b = build_extensions("\x12\x34\0\0", 4);
	struct clienthello hello;

	(void)state;
	memcpy(body, b.wire + 9, EMPTY);
	for (size_t bytes = MOST - 1; bytes <= MOST + 1; bytes++) {
		size_t block = bytes - EMPTY + 4;

		body[EMPTY - 6] = (uint8_t)(block >> 8);
		body[EMPTY - 5] = (uint8_t)block;
		body[EMPTY - 2] = (uint8_t)((block - 4) >> 8);
		body[EMPTY - 1] = (uint8_t)(block - 4);
		assert_int_equal(clienthello_read_body(&hello, body, bytes),
		    bytes <= MOST ? CLIENTHELLO_COMPLETE : CLIENTHELLO_MALFORMED);
	}
	assert_string_equal(clienthello_reason(&hello), "hello-too-large");
}

static void
keeps_its_state_within_512_bytes(void **state)
{
	(void)state;
	assert_true(sizeof(struct clienthello) <= 512);
}

/* What follows the identities, ages and binders, is no matter. */
static void
finds_the_first_identity_of_a_pre_shared_key(void **state)
{
#define PSK(block) block, sizeof block - 1
	static const struct {
		const char *block;
		size_t bytes;
		const char *identity; /* NULL: none */
	} rows[] = {
		{ PSK("\0\x2d\0\2\1\0" "\0\x29\0\x10\0\x0a\0\4v1.a\0\0\0\0" "\0\2\1x"), "v1.a" },
		{ PSK("\0\x2d\0\2\1\0" "\0\x29\0\x16\0\x0e\0\1a\0\0\0\0\0\1b\0\0\0\0" "\0\4\1x\1y"), "a" },
		{ PSK("\0\x2d\0\2\1\0" "\0\x29\0\x11\0\x0b\0\5v1.ab\0\0\0\0" "\0\2\1x"), NULL }, /* long */
		{ PSK("\0\x2d\0\2\1\0" "\0\x29\0\x10\0\x0a\0\4v\0.a\0\0\0\0" "\0\2\1x"), NULL },
		{ PSK("\0\x2d\0\2\1\0"), NULL },
	};
#undef PSK
	char identity[5];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct built b = build_extensions(rows[i].block, rows[i].bytes);
		struct clienthello hello = read_all(b.wire, b.bytes);
		bool found;

		assert_int_equal(hello.verdict, CLIENTHELLO_COMPLETE);
		found = clienthello_psk_identity(&hello, b.wire, identity, sizeof identity);
		assert_int_equal(found, rows[i].identity != NULL);
		if (found)
			assert_string_equal(identity, rows[i].identity);
	}
}

static void
names_its_verdicts(void **state)
{
	(void)state;
	assert_string_equal(clienthello_verdict_name(CLIENTHELLO_INCOMPLETE), "incomplete");
	assert_string_equal(clienthello_verdict_name(CLIENTHELLO_COMPLETE), "complete");
	assert_string_equal(clienthello_verdict_name(CLIENTHELLO_NOT_TLS), "not-tls");
	assert_string_equal(clienthello_verdict_name(CLIENTHELLO_MALFORMED), "malformed");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_each_fault_of_the_records_by_its_own_word),
		cmocka_unit_test(refuses_each_fault_of_the_fields_by_its_own_word),
		cmocka_unit_test(refuses_bytes_behind_the_hello_in_its_last_record),
		cmocka_unit_test(refuses_each_fault_of_an_extension_by_its_own_word),
		cmocka_unit_test(takes_every_extension_that_is_well_formed),
		cmocka_unit_test(sees_no_more_than_there_is),
		cmocka_unit_test(tells_one_protocol_alone_from_one_among_others),
		cmocka_unit_test(tells_post_quantum_key_shares_from_others),
		cmocka_unit_test(takes_256_extensions_and_no_more),
		cmocka_unit_test(yields_its_lists_whatever_the_records),
		cmocka_unit_test(reads_no_item_that_is_not_whole),
		cmocka_unit_test(knows_grease_from_the_rest),
		cmocka_unit_test(passes_over_what_follows_the_hello),
		cmocka_unit_test(keeps_a_verdict_for_good),
		cmocka_unit_test(takes_a_hello_of_just_the_bound_even_in_records_of_one_byte),
		cmocka_unit_test(decides_within_the_wire_bound),
		cmocka_unit_test(bounds_every_hello_by_64_kib),
		cmocka_unit_test(bounds_a_message_without_records_likewise),
		cmocka_unit_test(keeps_its_state_within_512_bytes),
		cmocka_unit_test(finds_the_first_identity_of_a_pre_shared_key),
		cmocka_unit_test(names_its_verdicts),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("clienthello", tests, NULL, NULL);
}
