/* Tests of base/fetch_message and base/parcel: what a daemon and the process that fetches say to each other. */
#include "base/fetch_message.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/parcel.h"
#include "base/pass.h"
#include "helpers.h"

static const char *const headers[] = { "X-One: 1", "X-Two: 2", NULL };
static const uint8_t pin[FETCH_PIN] = { 7 };
static const struct fetch_order full = {
	.request = { .method = FETCH_POST, .url = "https://ca.example.net/x", .content_type = "application/pkcs10",
	    .body = "a\0b", .body_bytes = 3, .headers = headers, .trust = FETCH_TRUST_PIN, .cas = "CAS", .pin = pin,
	    .wants_chain = true, .certificate = "CERT", .private_key = "KEY", .user = "u", .password = "p",
	    .dial = "192.0.2.1:443", .etag = "\"7\"", .last_modified = "then", .answer_most = 5 },
	.proxy_url = "http://proxy:3128", .proxy_user = "me", .proxy_password = "secret", .proxy_cas = "PROXY",
	.contact_host = "proxy", .contact_port = 3128,
};

static struct fetch_buffer
encoded(const struct fetch_order *order)
{
	struct fetch_buffer out = { 0 };

	assert_true(fetch_order_encode(&out, order));
	assert_true(fetch_order_finish(&out, "192.0.2.1,[2001:db8::1]", 20000));
	return out;
}

static void
an_order_is_read_as_it_was_written(void **state)
{
	struct fetch_buffer message = encoded(&full);
	struct fetch_order got;
	const struct fetch_request *request = &got.request;

	(void)state;
	assert_true(fetch_order_decode(cursor_over(message.data, message.bytes), &got));
	assert_int_equal(request->method, FETCH_POST);
	assert_int_equal(request->trust, FETCH_TRUST_PIN);
	assert_true(request->wants_chain);
	assert_string_equal(request->url, "https://ca.example.net/x");
	assert_int_equal(request->body_bytes, 3);
	assert_memory_equal(request->body, "a\0b", 3);
	assert_string_equal(request->headers[1], "X-Two: 2");
	assert_null(request->headers[2]);
	assert_memory_equal(request->pin, pin, sizeof pin);
	assert_string_equal(request->private_key, "KEY");
	assert_string_equal(request->last_modified, "then");
	assert_int_equal(request->answer_most, 5);
	assert_int_equal(request->deadline_ms, 20000);
	assert_string_equal(got.proxy_password, "secret");
	assert_string_equal(got.contact_host, "proxy");
	assert_int_equal(got.contact_port, 3128);
	assert_string_equal(got.addresses, "192.0.2.1,[2001:db8::1]");
	fetch_buffer_wipe(&message);
}

static void
what_is_not_given_stays_away(void **state)
{
	const struct fetch_order least = { .request.url = "http://a/", .contact_host = "a", .contact_port = 80 };
	struct fetch_buffer message = { 0 };
	struct fetch_order got;

	(void)state;
	assert_true(fetch_order_encode(&message, &least) && fetch_order_finish(&message, NULL, 1));
	assert_true(fetch_order_decode(cursor_over(message.data, message.bytes), &got));
	assert_null(got.request.body);
	assert_null(got.request.pin);
	assert_null(got.request.user);
	assert_null(got.request.headers[0]);
	assert_null(got.proxy_url);
	assert_null(got.addresses);
	fetch_buffer_wipe(&message);
}

static void
no_part_of_an_order_is_one(void **state)
{
	struct fetch_buffer message = encoded(&full);
	struct fetch_order got;

	(void)state;
	for (size_t bytes = 0; bytes < message.bytes; bytes++)
		assert_false(fetch_order_decode(cursor_over(message.data, bytes), &got));
	assert_true(fetch_buffer_append(&message, "", 1));
	assert_false(fetch_order_decode(cursor_over(message.data, message.bytes), &got));
	fetch_buffer_wipe(&message);
}

static void
an_answer_is_read_as_it_was_written(void **state)
{
	static const char lines[] = "HTTP/1.1 200 OK\0ETag: \"7\"\0";
	const struct fetch_answer answer = { .status = 200, .url = "http://a/", .headers = lines,
		.body = "hello", .body_bytes = 5, .chain = "PEM" };
	struct fetch_buffer message = { 0 };
	struct fetch_answer got;

	(void)state;
	assert_true(fetch_answer_encode(&message, &answer, sizeof lines - 1));
	assert_true(fetch_answer_decode(cursor_over(message.data, message.bytes), &got));
	assert_int_equal(got.outcome, FETCH_ANSWERED);
	assert_int_equal(got.status, 200);
	assert_string_equal(got.body, "hello");
	assert_int_equal(got.body_bytes, 5);
	assert_string_equal(got.chain, "PEM");
	assert_string_equal(fetch_answer_header(&got, "etag"), "\"7\"");
	assert_null(fetch_answer_header(&got, "Date"));
	for (size_t bytes = 0; bytes < message.bytes; bytes++)
		assert_false(fetch_answer_decode(cursor_over(message.data, bytes), &got));
	fetch_buffer_wipe(&message);
}

static void
an_answer_that_contradicts_itself_is_none(void **state)
{
	static const struct fetch_answer wrong[] = {
		{ .outcome = FETCH_ANSWERED, .status = 200, .url = "u", .error = "and yet", .body = "" },
		{ .outcome = FETCH_ANSWERED, .status = 0, .url = "u", .body = "" },
		{ .outcome = FETCH_ANSWERED, .status = 1000, .url = "u", .body = "" },
		{ .outcome = FETCH_UNREACHABLE, .url = "u", .body = "" },
		{ .outcome = FETCH_UNREACHABLE, .status = 200, .url = "u", .error = "e", .body = "" },
		{ .outcome = FETCH_REFUSED + 1, .url = "u", .error = "e", .body = "" },
		{ .outcome = FETCH_REFUSED, .error = "e", .body = "" },
		{ .outcome = FETCH_REFUSED, .url = "u", .error = "\033[31m", .body = "" },
	};
	struct fetch_answer got;

	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct fetch_buffer message = { 0 };

		assert_true(fetch_answer_encode(&message, &wrong[i], 0));
		if (fetch_answer_decode(cursor_over(message.data, message.bytes), &got))
			fail_msg("%zu", i);
		fetch_buffer_wipe(&message);
	}
}

static void
a_sentence_hurts_no_terminal(void **state)
{
	char out[FETCH_ERROR];

	(void)state;
	fetch_sentence(out, "http://a/\033[31m", "%s", "is no URL");
	assert_null(strchr(out, '\033'));
	assert_non_null(strstr(out, ": is no URL"));
}

/* ---- parcels ---- */

static int
passed(const void *data, size_t bytes)
{
	char head[8];
	int pair[2], fd;

	assert_true(pass_pair(pair));
	assert_true(parcel_send(pair[0], "head", 4, data, bytes));
	assert_int_equal(pass_receive(pair[1], head, sizeof head, &fd), 4);
	assert_memory_equal(head, "head", 4);
	close(pair[0]);
	close(pair[1]);
	return fd;
}

static void
a_parcel_is_read_once(void **state)
{
	struct secret out;
	char *large = malloc(1 << 20), seen[5];
	int fd = passed("hello", 5), same = dup(fd);

	(void)state;
	assert_true(parcel_read(fd, 5, &out));
	assert_int_equal(out.bytes, 5);
	assert_string_equal((char *)out.data, "hello");
	secret_wipe(&out);
	assert_int_equal(pread(same, seen, sizeof seen, 0), 5); /* who has it still finds nothing */
	assert_memory_equal(seen, "\0\0\0\0\0", 5);
	close(same);
	memset(large, 'x', 1 << 20);
	assert_true(parcel_read(passed(large, 1 << 20), 1 << 20, &out));
	assert_memory_equal(out.data, large, 1 << 20);
	secret_wipe(&out);
	free(large);
}

static void
a_parcel_may_be_so_long_and_no_longer(void **state)
{
	struct secret out;

	(void)state;
	assert_false(parcel_read(passed("hello", 5), 4, &out));
	assert_null(out.data);
	assert_true(parcel_read(passed("", 0), 0, &out));
	assert_int_equal(out.bytes, 0);
	secret_wipe(&out);
}

/* Each of these could keep its reader waiting, or is none of ours. */
static void
only_memory_is_taken_for_a_parcel(void **state)
{
	struct secret out;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_false(parcel_read(ends[0], 100, &out));
	close(ends[1]);
	assert_false(parcel_read(open("/dev/zero", O_RDONLY), 100, &out));
	assert_false(parcel_read(open("/proc/self/status", O_RDONLY), 10000, &out));
	assert_false(parcel_read(open("/", O_RDONLY), 10000, &out));
	assert_int_equal(fcntl(ends[0], F_GETFD), -1); /* it was adopted */
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(an_order_is_read_as_it_was_written),
	cmocka_unit_test(what_is_not_given_stays_away),
	cmocka_unit_test(no_part_of_an_order_is_one),
	cmocka_unit_test(an_answer_is_read_as_it_was_written),
	cmocka_unit_test(an_answer_that_contradicts_itself_is_none),
	cmocka_unit_test(a_sentence_hurts_no_terminal),
	cmocka_unit_test(a_parcel_is_read_once),
	cmocka_unit_test(a_parcel_may_be_so_long_and_no_longer),
	cmocka_unit_test(only_memory_is_taken_for_a_parcel),
};

RUN_TESTS("messages of the process that fetches", tests)
