/* Tests of base/http_connect: the request, and every way in which an answer may be cut or wrong. */
#include "base/http_connect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helpers.h"

static uint8_t out[HTTP_CONNECT_REQUEST];

static void
asks_for_a_target_with_and_without_a_user(void **state)
{
	static const char user[] = "\r\nProxy-Authorization: Basic am9lOmxldCBtZSBvdXQ=\r\n\r\n";
	struct secret password = { (uint8_t *)"let me out", 10 }, none = { 0 };
	size_t bytes;

	(void)state;
	bytes = http_connect_encode(out, "relay.example.net:443", NULL, &none);
	assert_int_equal(bytes, strlen("CONNECT relay.example.net:443 HTTP/1.1\r\n"
				       "Host: relay.example.net:443\r\n"
				       "User-Agent: valise/" VALISE_VERSION "\r\n\r\n"));
	assert_memory_equal(out, "CONNECT relay.example.net:443 HTTP/1.1\r\nHost: relay.example.net:443\r\n", 69);
	assert_memory_equal(out + bytes - 4, "\r\n\r\n", 4);
	bytes = http_connect_encode(out, "[2001:db8::1]:443", "joe", &password);
	assert_memory_equal(out, "CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n", 61);
	assert_memory_equal(out + bytes - strlen(user), user, strlen(user));
	bytes = http_connect_encode(out, "r:1", "joe", &none);
	assert_memory_equal(out + bytes - 12, "am9lOg==\r\n\r\n", 12);
}

static void
has_room_for_the_longest_of_all(void **state)
{
	char target[262], user[256], word[1025];
	struct secret password = { (uint8_t *)word, 1024 };

	(void)state;
	memset(target, 'a', sizeof target - 1);
	memset(user, 'u', sizeof user - 1);
	memset(word, 'w', sizeof word - 1);
	target[sizeof target - 1] = user[sizeof user - 1] = word[sizeof word - 1] = '\0';
	assert_true(http_connect_encode(out, target, user, &password) > 2000);
}

static void
says_what_an_answer_is(void **state)
{
	static const struct {
		const char *text;
		unsigned status; /* 0: it is malformed */
		const char *reason, *schemes;
		bool offers_basic;
	} cases[] = {
		{ "HTTP/1.1 200 Connection established\r\n\r\n", 200, "Connection established", "", false },
		{ "HTTP/1.0 200 OK\r\nProxy-Agent: x\r\n\r\n", 200, "OK", "", false },
		{ "HTTP/1.1 200\r\n\r\n", 200, "", "", false },
		{ "HTTP/1.1 200 \n\n", 200, "", "", false },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 200, "OK", "", false },
		{ "HTTP/1.1 204 x\r\nA: b\r\n folded\r\n\tmore\r\n\r\n", 204, "x", "", false },
		{ "HTTP/1.1 100 Continue\r\n\r\n", 100, "Continue", "", false },
		{ "HTTP/1.1 407 No\r\nproxy-authenticate:Basic realm=\"x\"\r\n"
		  "Proxy-Authenticate:   NTLM\r\n\r\n", 407, "No", "Basic, NTLM", true },
		{ "HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\n\r\n", 407, "No", "Negotiate", false },
		{ "HTTP/1.1 407 No\r\nProxy-Authenticate: \r\n\r\n", 407, "No", "", false },
		{ "HTTP/1.1 502 B\xff\xc3\xa4" "d\r\n\r\n", 502, "B???d", "", false },
		{ "SSH-2.0-x\r\n", 0, NULL, NULL, false },
		{ "\x15\x03\x01", 0, NULL, NULL, false },
		{ "HTTP/2 200\r\n\r\n", 0, NULL, NULL, false },
		{ "HTTP/1.x 200 OK\r\n\r\n", 0, NULL, NULL, false },
		{ "HTTP/1.1 20 OK\r\n\r\n", 0, NULL, NULL, false },
		{ "HTTP/1.1 2000 OK\r\n\r\n", 0, NULL, NULL, false },
		{ "HTTP/1.1 099 OK\r\n\r\n", 0, NULL, NULL, false },
		{ "HTTP/1.1 600 OK\r\n\r\n", 0, NULL, NULL, false },
		{ "HTTP/1.1\r\n\r\n", 0, NULL, NULL, false },
		{ "HTTP/1.1 200 O\rK\r\n\r\n", 0, NULL, NULL, false },
		{ "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", 0, NULL, NULL, false },
		{ "HTTP/1.1 200 OK\r\n: nameless\r\n\r\n", 0, NULL, NULL, false },
		{ "HTTP/1.1 200 OK\r\nA: \x07\r\n\r\n", 0, NULL, NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct http_connect_answer answer;
		size_t bytes = strlen(cases[i].text);
		enum http_connect_verdict verdict =
		    http_connect_decode((const uint8_t *)cases[i].text, bytes, &answer);

		if (verdict != (cases[i].status ? HTTP_CONNECT_COMPLETE : HTTP_CONNECT_MALFORMED) ||
		    answer.status != cases[i].status || !answer.fault != (cases[i].status != 0))
			fail_msg("%s: %d, %u", cases[i].text, (int)verdict, answer.status);
		if (!cases[i].status)
			continue;
		assert_int_equal(answer.head_bytes, bytes);
		assert_string_equal(answer.reason, cases[i].reason);
		assert_string_equal(answer.schemes, cases[i].schemes);
		assert_int_equal(answer.offers_basic, cases[i].offers_basic);
	}
}

static void
waits_for_the_rest_of_each_beginning_and_takes_nothing_behind_the_head(void **state)
{
	static const char text[] = "HTTP/1.1 407 Who are you?\r\nProxy-Authenticate: Basic\r\nX: y\r\n\r\n";
	uint8_t more[sizeof text + 10];
	struct http_connect_answer answer;

	(void)state;
	for (size_t n = 0; n < strlen(text); n++) {
		uint8_t *part = malloc(n + 1); /* so that a sanitizer sees a byte too far */

		memcpy(part, text, n);
		part = realloc(part, n ? n : 1);
		assert_int_equal(http_connect_decode(part, n, &answer), HTTP_CONNECT_INCOMPLETE);
		assert_int_equal(answer.status, 0);
		free(part);
	}
	memset(more, 0, sizeof more);
	memcpy(more, text, strlen(text));
	assert_int_equal(http_connect_decode(more, sizeof more, &answer), HTTP_CONNECT_COMPLETE);
	assert_int_equal(answer.head_bytes, strlen(text));
}

static void
cuts_a_reason_and_schemes_without_end(void **state)
{
	struct http_connect_answer answer;
	char text[8192];
	int used = snprintf(text, sizeof text, "HTTP/1.1 407 ");

	(void)state;
	memset(text + used, 'r', 1000);
	used += 1000;
	for (int i = 0; i < 50; i++)
		used += snprintf(text + used, sizeof text - (size_t)used, "\r\nProxy-Authenticate: Scheme%d x=y", i);
	used += snprintf(text + used, sizeof text - (size_t)used, "\r\n\r\n");
	assert_int_equal(
	    http_connect_decode((const uint8_t *)text, (size_t)used, &answer), HTTP_CONNECT_COMPLETE);
	assert_int_equal(strlen(answer.reason), HTTP_CONNECT_REASON - 1);
	assert_int_equal(strlen(answer.schemes), HTTP_CONNECT_SCHEMES - 1);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(asks_for_a_target_with_and_without_a_user),
	cmocka_unit_test(has_room_for_the_longest_of_all),
	cmocka_unit_test(says_what_an_answer_is),
	cmocka_unit_test(waits_for_the_rest_of_each_beginning_and_takes_nothing_behind_the_head),
	cmocka_unit_test(cuts_a_reason_and_schemes_without_end),
};

RUN_TESTS("base/http_connect", tests)
