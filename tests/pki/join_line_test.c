/* The line with which a host joins: written, read back, and every way in which it can be wrong. */
#include "pki/join_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <nettle/base64.h>

#include "base/crc32c.h"
#include "base/units.h"

static struct join_line
some_line(void)
{
	struct join_line line = { .kind = "agent",
		.handle = "0123456789abcdef",
		.secret = "00112233445566778899aabbccddeeff",
		.url = "https://pki.example.net",
		.relay = "connect.example.net:443" };

	memset(line.root.digest, 0xa5, sizeof line.root.digest);
	return line;
}

static void
assert_same(const struct join_line *a, const struct join_line *b)
{
	assert_string_equal(a->kind, b->kind);
	assert_memory_equal(a->root.digest, b->root.digest, sizeof a->root.digest);
	assert_string_equal(a->handle, b->handle);
	assert_string_equal(a->secret, b->secret);
	assert_string_equal(a->url, b->url);
	assert_string_equal(a->relay, b->relay);
}

static void
reads_what_it_has_written(void **state)
{
	static const struct {
		const char *kind, *url, *relay;
	} cases[] = {
		{ "agent", "https://pki.example.net", "connect.example.net:443" },
		{ "relay", "https://pki.example.net:8443", "" },
		{ "server", "https://192.0.2.1", "" },
		{ "client", "https://[2001:db8::1]:8443", "[2001:db8::2]:443" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct join_line line = some_line(), read;
		char text[JOIN_LINE_TEXT];
		const char *why = NULL;

		line.kind = cases[i].kind;
		snprintf(line.url, sizeof line.url, "%s", cases[i].url);
		snprintf(line.relay, sizeof line.relay, "%s", cases[i].relay);
		assert_true(join_line_encode(&line, text, &why));
		assert_int_equal(strncmp(text, "valise-join:", 12), 0);
		assert_int_equal(strcspn(text, " \n=+/"), strlen(text));
		assert_true(join_line_decode(&read, text, strlen(text), &why));
		assert_same(&line, &read);
	}
}

static void
has_room_for_the_longest_names(void **state)
{
	struct join_line line = some_line(), read;
	char text[JOIN_LINE_TEXT], host[254];
	const char *why = NULL;

	(void)state;
	memset(host, 'a', 253);
	host[253] = '\0';
	host[63] = host[127] = host[191] = '.';
	snprintf(line.url, sizeof line.url, "https://%s:65535", host);
	snprintf(line.relay, sizeof line.relay, "%s:65535", host);
	assert_true(join_line_encode(&line, text, &why));
	assert_true(join_line_decode(&read, text, strlen(text), &why));
	assert_same(&line, &read);
}

/* Mail programs break lines, and people take white space along. */
static void
passes_over_white_space_wherever_it_stands(void **state)
{
	struct join_line line = some_line(), read;
	char text[JOIN_LINE_TEXT], spaced[3 * JOIN_LINE_TEXT] = " \r\n\t";
	const char *why = NULL;
	size_t used = strlen(spaced);

	(void)state;
	assert_true(join_line_encode(&line, text, &why));
	for (size_t i = 0; text[i]; i++) {
		spaced[used++] = text[i];
		spaced[used++] = "\n \r\v"[i % 4];
	}
	assert_true(join_line_decode(&read, spaced, used, &why));
	assert_same(&line, &read);
}

static void
assert_refused(const char *text, size_t bytes, const char *words)
{
	struct join_line read;
	struct join_line empty = { 0 };
	const char *why = NULL;

	assert_false(join_line_decode(&read, text, bytes, &why));
	assert_non_null(why);
	if (!strstr(why, words))
		fail_msg("'%s' does not say '%s'", why, words);
	assert_memory_equal(&read, &empty, sizeof read);
}

/* The text of a body, made as anybody could make it; a checksum is put behind it. */
static void
write_line(char out[2 * JOIN_LINE_TEXT], const uint8_t *body, size_t bytes)
{
	uint8_t whole[JOIN_LINE_TEXT];
	uint32_t check = crc32c(0, body, bytes);
	struct base64_encode_ctx base64;
	size_t used = 12;

	memcpy(whole, body, bytes);
	for (int i = 0; i < 4; i++)
		whole[bytes + (size_t)i] = (uint8_t)(check >> (24 - 8 * i));
	memcpy(out, "valise-join:", 12);
	base64url_encode_init(&base64);
	used += base64_encode_update(&base64, out + used, bytes + 4, whole);
	used += base64_encode_final(&base64, out + used);
	out[used] = '\0';
	out[strcspn(out, "=")] = '\0';
}

static void
says_what_is_wrong_with_each_body(void **state)
{
	static const char pin_and_more[] = "0123456789abcdef0123456789abcdef" /* the pin */
					   "handle!!"
					   "sixteen octets!!";
	static const struct {
		const char *head, *tail;
		size_t tail_bytes;
		const char *words;
	} cases[] = {
#define TAIL(text) (text), sizeof(text) - 1
		{ "\1\1", TAIL("\0\21https://a.example\0\0"), NULL },
		{ "\2\1", TAIL("\0\21https://a.example\0\0"), "newer version" },
		{ "\1\5", TAIL("\0\21https://a.example\0\0"), "kind of certificate" },
		{ "\1\1", TAIL("\0\20http://a.example\0\0"), "names a place" },
		{ "\1\1", TAIL("\0\22https://a.example/\0\0"), "names a place" },
		{ "\1\1", TAIL("\0\22https://a_.example\0\0"), NULL },
		{ "\1\1", TAIL("\0\10https://\0\0"), "names a place" },
		{ "\1\1", TAIL("\0\0\0\0"), "names a place" },
		{ "\1\1", TAIL("\0\23https://u@a.example\0\0"), "names a place" },
		{ "\1\1", TAIL("\0\23https://a.example:0\0\0"), "names a place" },
		{ "\1\1", TAIL("\0\21https://a..xample\0\0"), "names a place" },
		{ "\1\1", TAIL("\0\13https://[a]\0\0"), "names a place" },
		{ "\1\1", TAIL("\0\15https://[a:b]\0\0"), "names a place" },
		{ "\1\1", TAIL("\0\21https://a.example\0\1a"), "names a relay" },
		{ "\1\1", TAIL("\0\21https://a.example\0\5a.b:x"), "names a relay" },
		{ "\1\1", TAIL("\0\21https://a.exampl\0\0\0"), "malformed" },
		{ "\1\1", TAIL("\0\21https://a.example\0\0\0"), "malformed" },
		{ "\1\1", TAIL("\0\21https://a.example\0\1"), "malformed" },
		{ "\1\1", TAIL("\0\21https://a.example"), "malformed" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[2 * JOIN_LINE_TEXT];
		uint8_t body[256];
		size_t used = sizeof pin_and_more - 1;
		struct join_line read;
		const char *why = NULL;

		memcpy(body, cases[i].head, 2);
		memcpy(body + 2, pin_and_more, used);
		memcpy(body + 2 + used, cases[i].tail, cases[i].tail_bytes);
		write_line(text, body, 2 + used + cases[i].tail_bytes);
		if (cases[i].words)
			assert_refused(text, strlen(text), cases[i].words);
		else
			assert_true(join_line_decode(&read, text, strlen(text), &why));
	}
}

static void
refuses_every_beginning_of_a_line(void **state)
{
	struct join_line line = some_line();
	char text[JOIN_LINE_TEXT];
	const char *why = NULL;

	(void)state;
	assert_true(join_line_encode(&line, text, &why));
	assert_refused("", 0, "is empty");
	assert_refused(" \n", 2, "is empty");
	for (size_t i = 1; i < 12; i++)
		assert_refused(text, i, "does not begin with valise-join:");
	for (size_t i = 12; i < strlen(text); i++)
		assert_refused(text, i, "cut off");
}

static void
notices_every_changed_character(void **state)
{
	struct join_line line = some_line(), read;
	char text[JOIN_LINE_TEXT], changed[JOIN_LINE_TEXT + 1];
	const char *why = NULL;

	(void)state;
	assert_true(join_line_encode(&line, text, &why));
	for (size_t i = 0; text[i]; i++)
		for (const char *c = "Aa0-_=+/\x80"; *c; c++) {
			memcpy(changed, text, sizeof text);
			changed[i] = *c;
			if (*c != text[i])
				assert_false(
				    join_line_decode(&read, changed, strlen(changed), &why));
		}
	snprintf(changed, sizeof changed, "%sA", text);
	assert_refused(changed, strlen(changed), "changed on its way");
	snprintf(changed, sizeof changed, "%s=", text);
	assert_refused(changed, strlen(changed), "does not belong there");
	assert_refused(text, strlen(text) + 1, "does not belong there");
}

static void
refuses_what_is_far_too_long(void **state)
{
	char text[2 * JOIN_LINE_TEXT];

	(void)state;
	memset(text, 'A', sizeof text);
	memcpy(text, "valise-join:", 12);
	assert_refused(text, sizeof text, "longer than any");
	assert_refused(text, JOIN_LINE_TEXT - 1, "longer than any");
}

static void
writes_nothing_that_it_would_not_read(void **state)
{
	char text[JOIN_LINE_TEXT];
	const char *why = NULL;
	struct join_line line = some_line();

	(void)state;
	line.kind = "ca";
	assert_false(join_line_encode(&line, text, &why));
	assert_non_null(strstr(why, "kind of certificate"));
	line = some_line();
	line.handle[3] = 'x';
	assert_false(join_line_encode(&line, text, &why));
	assert_non_null(strstr(why, "not hexadecimal"));
	line = some_line();
	line.secret[31] = '\0';
	assert_false(join_line_encode(&line, text, &why));
	snprintf(line.url, sizeof line.url, "https://pki.example.net/est");
	assert_false(join_line_encode(&line, text, &why));
	assert_non_null(strstr(why, "https://HOST"));
	assert_string_equal(text, "");
}

static void
takes_a_url_apart(void **state)
{
	static const struct {
		const char *url, *host;
		uint16_t port; /* 0: it is refused */
	} cases[] = {
		{ "https://pki.example.net", "pki.example.net", 443 },
		{ "https://pki.example.net:8443", "pki.example.net", 8443 },
		{ "https://[2001:db8::1]", "2001:db8::1", 443 },
		{ "https://192.0.2.1:1", "192.0.2.1", 1 },
		{ "https://pki.example.net/", "", 0 },
		{ "https://pki.example.net?x", "", 0 },
		{ "https://pki.example.net:", "", 0 },
		{ "https://pki.example.net:443:443", "", 0 },
		{ "HTTPS://pki.example.net", "", 0 },
		{ "http://pki.example.net", "", 0 },
		{ "https://user@pki.example.net", "", 0 },
		{ "https://pki .example.net", "", 0 },
		{ "https", "", 0 },
		{ "", "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char host[254];
		uint16_t port = 0;

		assert_int_equal(join_url_parse(cases[i].url, host, &port), cases[i].port != 0);
		if (!cases[i].port)
			continue;
		assert_string_equal(host, cases[i].host);
		assert_int_equal(port, cases[i].port);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_it_has_written),
		cmocka_unit_test(has_room_for_the_longest_names),
		cmocka_unit_test(passes_over_white_space_wherever_it_stands),
		cmocka_unit_test(says_what_is_wrong_with_each_body),
		cmocka_unit_test(refuses_every_beginning_of_a_line),
		cmocka_unit_test(notices_every_changed_character),
		cmocka_unit_test(refuses_what_is_far_too_long),
		cmocka_unit_test(writes_nothing_that_it_would_not_read),
		cmocka_unit_test(takes_a_url_apart),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
