/* Tests of base/proxy_talk: both dialogues, byte by byte, and how each refusal is told. */
#include "base/proxy_talk.h"

#include <stdio.h>
#include <string.h>

#include "base/fetch_proxy.h"
#include "helpers.h"

static struct fetch_proxy proxy;
static struct proxy_talk talk;
static uint8_t out[PROXY_TALK_SAID];

static void
begin(enum fetch_proxy_kind kind, const char *user, const char *target)
{
	proxy = (struct fetch_proxy){ .kind = kind, .username = (char *)(uintptr_t)user };
	if (user)
		proxy.password = (struct secret){ (uint8_t *)"let me out", 10 };
	proxy_talk_init(&talk, &proxy, target);
}

static void
says(const void *bytes, size_t count)
{
	assert_int_equal(proxy_talk_say(&talk, out), count);
	assert_memory_equal(out, bytes, count);
}

/* Nothing is used before the last byte; then all is, and what stands behind is not. */
static enum proxy_talk_verdict
hears(const char *bytes, size_t count)
{
	uint8_t data[512] = { 0 };
	enum proxy_talk_verdict verdict;
	size_t used;

	memcpy(data, bytes, count);
	for (size_t n = 0; n < count; n++) {
		verdict = proxy_talk_hear(&talk, data, n, &used);
		if (verdict != TALK_MORE)
			return verdict; /* a refusal may be known earlier */
		assert_int_equal(used, 0);
	}
	memcpy(data + count, "the target's", 12);
	verdict = proxy_talk_hear(&talk, data, count + 12, &used);
	assert_int_equal(used, verdict == TALK_FAILED ? 0 : count);
	return verdict;
}

static void
connects_by_http(void **state)
{
	static const char answer[] = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\n"
				     "HTTP/1.1 200 Connection established\r\n\r\n";

	(void)state;
	begin(FETCH_PROXY_HTTP, NULL, "relay.example.net:443");
	assert_true(proxy_talk_say(&talk, out) > 0);
	assert_memory_equal(out, "CONNECT relay.example.net:443 HTTP/1.1\r\n", 40);
	assert_int_equal(hears(answer, strlen(answer)), TALK_DONE);
	assert_int_equal(talk.expected, TALK_OVER);
}

static void
connects_by_socks_without_a_password(void **state)
{
	(void)state;
	begin(FETCH_PROXY_SOCKS5, NULL, "relay:443");
	says("\x05\x01\x00", 3);
	assert_int_equal(hears("\x05\x00", 2), TALK_GOES_ON);
	says("\x05\x01\x00\x03\x05relay\x01\xbb", 12);
	assert_int_equal(hears("\x05\x00\x00\x01\x7f\x00\x00\x01\x04\x38", 10), TALK_DONE);
}

static void
connects_by_socks_with_a_password(void **state)
{
	(void)state;
	begin(FETCH_PROXY_SOCKS5, "joe", "[2001:db8::1]:443");
	says("\x05\x02\x00\x02", 4);
	assert_int_equal(hears("\x05\x02", 2), TALK_GOES_ON);
	says("\x01\x03joe\x0alet me out", 16);
	assert_int_equal(hears("\x01\x00", 2), TALK_GOES_ON);
	says("\x05\x01\x00\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x01\xbb", 22);
	assert_int_equal(hears("\x05\x00\x00\x03\x04name\x04\x38", 11), TALK_DONE);
}

static void
takes_each_kind_of_address_in_a_reply(void **state)
{
	static const struct {
		const char *bytes;
		size_t count;
	} replies[] = {
		{ "\x05\0\0\x01" "4444" "pp", 10 },
		{ "\x05\0\0\x04" "6666666666666666" "pp", 22 },
		{ "\x05\0\0\x03\x00" "pp", 7 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(replies); i++) {
		begin(FETCH_PROXY_SOCKS5, NULL, "192.0.2.1:1");
		assert_int_equal(hears("\x05\x00", 2), TALK_GOES_ON);
		says("\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x01", 10);
		assert_int_equal(hears(replies[i].bytes, replies[i].count), TALK_DONE);
	}
}

#define SHAKEN "\x05\x00"

static void
tells_each_refusal(void **state)
{
	static const struct {
		enum fetch_proxy_kind kind;
		const char *user, *bytes;
		size_t count; /* 0: all */
		const char *sentence;
	} cases[] = {
		{ FETCH_PROXY_HTTP, NULL, "HTTP/1.1 407 Who?\r\nProxy-Authenticate: Basic\r\n\r\n", 0,
		  "wants a user and a password (407 Who?)" },
		{ FETCH_PROXY_HTTP, "joe", "HTTP/1.1 407 Who?\r\nProxy-Authenticate: Basic\r\n\r\n", 0,
		  "does not accept the user 'joe'" },
		{ FETCH_PROXY_HTTPS, "joe", "HTTP/1.1 407 Who?\r\nProxy-Authenticate: NTLM\r\n\r\n", 0,
		  "wants authentication by NTLM" },
		{ FETCH_PROXY_HTTP, NULL, "HTTP/1.0 403 Filtered\r\n\r\n", 0,
		  "refuses to connect to relay:443: 403 Filtered; is this host allowed" },
		{ FETCH_PROXY_HTTP, NULL, "HTTP/1.0 503 Too many\r\n\r\n", 0, "can it reach that host?" },
		{ FETCH_PROXY_HTTP, NULL, "HTTP/1.0 302 Elsewhere\r\nLocation: x\r\n\r\n", 0, "302 Elsewhere" },
		{ FETCH_PROXY_HTTP, NULL, "\x05\x00", 2, "not HTTP; is it a proxy of HTTP?" },
		{ FETCH_PROXY_SOCKS5, NULL, "HTTP/1.1 400 Bad Request\r\n", 0, "not SOCKS5; is it" },
		{ FETCH_PROXY_SOCKS5, NULL, "\x05\xff", 2, "does not take somebody without a password" },
		{ FETCH_PROXY_SOCKS5, NULL, "\x05\x02", 2, "does not take somebody without a password" },
		{ FETCH_PROXY_SOCKS5, "joe", "\x05\xff", 2, "takes neither a password nor none" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		begin(cases[i].kind, cases[i].user, "relay:443");
		assert_int_equal(hears(cases[i].bytes,
				     cases[i].count > 0 ? cases[i].count : strlen(cases[i].bytes)),
		    TALK_FAILED);
		if (!strstr(talk.error, cases[i].sentence) || strstr(talk.error, "let me out"))
			fail_msg("%s: %s", cases[i].sentence, talk.error);
	}
}

static void
tells_why_a_proxy_of_socks_refuses(void **state)
{
	static const struct {
		const char *bytes;
		size_t count;
		const char *sentence;
	} cases[] = {
		{ "\x05\x02", 2, "relay:443: it is not allowed" },
		{ "\x05\x04\0\x01" "4444pp", 10, "can the proxy resolve that name? (SOCKS5 code 4)" },
		{ "\x05\x05", 2, "the connection was refused" },
		{ "\x05\x99", 2, "it does not say why (SOCKS5 code 153)" },
		{ "\x04\x00", 2, "not SOCKS5" },
		{ "\x05\0\0\x07", 4, "a kind of address that does not exist" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		begin(FETCH_PROXY_SOCKS5, NULL, "relay:443");
		assert_int_equal(hears(SHAKEN, 2), TALK_GOES_ON);
		assert_int_equal(hears(cases[i].bytes, cases[i].count), TALK_FAILED);
		if (!strstr(talk.error, cases[i].sentence))
			fail_msg("%s: %s", cases[i].sentence, talk.error);
	}
	begin(FETCH_PROXY_SOCKS5, "joe", "relay:443");
	assert_int_equal(hears("\x05\x02", 2), TALK_GOES_ON);
	assert_int_equal(hears("\x01\x01", 2), TALK_FAILED);
	assert_non_null(strstr(talk.error, "does not accept the user 'joe' and the password"));
	begin(FETCH_PROXY_SOCKS5, "joe", "relay:443");
	assert_int_equal(hears("\x05\x02", 2), TALK_GOES_ON);
	assert_int_equal(hears("\x05\x00", 2), TALK_FAILED);
}

static void
does_not_listen_without_end(void **state)
{
	static uint8_t data[PROXY_TALK_HEARD];
	size_t used;

	(void)state;
	memset(data, 'x', sizeof data);
	memcpy(data, "HTTP/1.1 200 ", 13);
	begin(FETCH_PROXY_HTTP, NULL, "relay:443");
	assert_int_equal(proxy_talk_hear(&talk, data, sizeof data - 1, &used), TALK_MORE);
	assert_int_equal(proxy_talk_hear(&talk, data, sizeof data, &used), TALK_FAILED);
	assert_string_equal(talk.error, "answers with more than 16 KiB");
	begin(FETCH_PROXY_HTTP, NULL, "relay:443");
	for (size_t at = 0; at + 25 <= sizeof data; at += 25)
		memcpy(data + at, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	assert_int_equal(proxy_talk_hear(&talk, data, sizeof data, &used), TALK_FAILED);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(connects_by_http),
	cmocka_unit_test(connects_by_socks_without_a_password),
	cmocka_unit_test(connects_by_socks_with_a_password),
	cmocka_unit_test(takes_each_kind_of_address_in_a_reply),
	cmocka_unit_test(tells_each_refusal),
	cmocka_unit_test(tells_why_a_proxy_of_socks_refuses),
	cmocka_unit_test(does_not_listen_without_end),
};

RUN_TESTS("base/proxy_talk", tests)
