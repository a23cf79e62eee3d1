/* Tests of acme/exchange: nonces and what becomes of answers. */
#include "acme/exchange.h"

#include "account_keys.h"
#include "base/clock_fake.h"
#include "base/loop_advance.h"
#include "script.h"

#define NOW_S 1767225600 /* 2026-01-01 */

static struct loop *loop;
static struct acme_script script;
static struct acme_exchange *exchange;
static struct account_key *key;
static unsigned answers;
static struct acme_answer last;
static char last_error[256];

static int
set_up(void **state)
{
	(void)state;
	clock_fake(1000000, NOW_S * INT64_C(1000000));
	loop = loop_new();
	key = new_account_key();
	answers = 0;
	return !loop || !key;
}

static int
tear_down(void **state)
{
	(void)state;
	acme_exchange_free(exchange);
	exchange = NULL;
	account_key_free(key);
	loop_free(loop);
	clock_fake(0, 0);
	return 0;
}

static void
on_answer(void *arg, const struct acme_answer *answer)
{
	(void)arg;
	answers++;
	last = *answer;
	snprintf(last_error, sizeof last_error, "%s", answer->error ? answer->error : "");
}

static void
begin(const struct acme_script_line *lines, size_t count)
{
	struct acme_transport transport = script_begin(&script, loop, lines, count);

	exchange = acme_exchange_new(&transport);
	assert_non_null(exchange);
}

static void
post(const char *url)
{
	const struct acme_signer signer = { key, NULL };

	assert_true(acme_exchange_post(exchange, &signer, CA "/nonce", url, "{}", on_answer, NULL));
	assert_int_equal(answers, 0);
	assert_true(loop_advance(loop, 0));
	assert_int_equal(answers, 1);
	answers = 0;
}

static void
each_answer_has_the_nonce_of_the_next_request(void **state)
{
	static const struct acme_script_line lines[] = { { "HEAD /nonce", .status = 200 },
		{ "POST /a", 201, .location = CA "/a/1" }, { "POST /b", .status = 200 } };

	(void)state;
	begin(lines, COUNT(lines));
	post(CA "/a");
	assert_int_equal(last.status, 201);
	post(CA "/b");
	script_end(&script);
}

static void
a_bad_nonce_is_tried_again_with_the_next(void **state)
{
	static const struct acme_script_line lines[] = { { "HEAD /nonce", .status = 200 },
		{ "POST /a", 400, .type = "badNonce" }, { "POST /a", 400, .type = "badNonce" },
		{ "POST /a", .status = 200 } };

	(void)state;
	begin(lines, COUNT(lines));
	post(CA "/a");
	assert_int_equal(last.status, 200);
	script_end(&script);
}

static void
a_bad_nonce_without_another_fetches_one(void **state)
{
	static const struct acme_script_line lines[] = { { "HEAD /nonce", .status = 200 },
		{ "POST /a", 400, .type = "badNonce", .has_no_nonce = true },
		{ "HEAD /nonce", .status = 200 }, { "POST /a", .status = 200 } };

	(void)state;
	begin(lines, COUNT(lines));
	post(CA "/a");
	assert_int_equal(last.status, 200);
	script_end(&script);
}

static void
gives_up_when_all_nonces_are_bad(void **state)
{
	struct acme_script_line lines[11] = { { "HEAD /nonce", .status = 200 } };

	(void)state;
	for (size_t i = 1; i < COUNT(lines); i++)
		lines[i] = (struct acme_script_line){ "POST /a", 400, .type = "badNonce" };
	begin(lines, COUNT(lines));
	post(CA "/a");
	assert_int_equal(last.status, 400);
	assert_string_equal(last.problem.type, "badNonce");
	script_end(&script);
}

static void
a_server_without_nonces_is_none(void **state)
{
	static const struct acme_script_line lines[] = { { "HEAD /nonce", 200,
	    .has_no_nonce = true } };

	(void)state;
	begin(lines, COUNT(lines));
	post(CA "/a");
	assert_non_null(strstr(last_error, "Replay-Nonce"));
	script_end(&script);
}

static void
nobody_answers(void **state)
{
	static const struct acme_script_line lines[] = { { "HEAD /nonce", 0, .error = "no route" },
		{ "HEAD /nonce", .status = 200 }, { "POST /a", 0, .error = "cut" } };

	(void)state;
	begin(lines, COUNT(lines));
	post(CA "/a");
	assert_string_equal(last_error, "no route");
	post(CA "/a");
	assert_string_equal(last_error, "cut");
	script_end(&script);
}

static void
reads_when_to_come_back_in_both_forms(void **state)
{
	static const struct {
		const char *retry_after, *date;
		uint64_t seconds;
	} cases[] = {
		{ "120", NULL, 120 },
		{ "0", NULL, 0 },
		{ "-5", NULL, 0 },
		{ "soon", NULL, 0 },
		{ "Thu, 01 Jan 2026 00:02:00 GMT", NULL, 120 },
		{ "Thu, 01 Jan 2026 00:02:00 GMT", "Thu, 01 Jan 2026 00:01:00 GMT", 60 },
		{ "Wed, 31 Dec 2025 00:02:00 GMT", NULL, 0 },
		{ "99999999999", NULL, 7 * 86400 },
		{ NULL, NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct acme_script_line line = { "GET /a", 429,
			.retry_after = cases[i].retry_after, .date = cases[i].date };

		begin(&line, 1);
		assert_true(acme_exchange_get(exchange, CA "/a", on_answer, NULL));
		assert_true(loop_advance(loop, 0));
		assert_int_equal(last.retry_after_s, cases[i].seconds);
		acme_exchange_free(exchange);
	}
	exchange = NULL;
}

static void
a_location_that_is_no_address_counts_for_none(void **state)
{
	static const char *const places[] = { "/relative", "http://ca.example/", "https://", "",
		"https://ca.example/\r\nX: y", NULL };

	(void)state;
	for (size_t i = 0; i < COUNT(places); i++) {
		const struct acme_script_line line = { "GET /a", 201, .location = places[i] };

		begin(&line, 1);
		assert_true(acme_exchange_get(exchange, CA "/a", on_answer, NULL));
		assert_true(loop_advance(loop, 0));
		assert_string_equal(last.location, "");
		acme_exchange_free(exchange);
	}
	exchange = NULL;
}

static void
what_is_cancelled_has_no_answer(void **state)
{
	static const struct acme_script_line lines[] = { { "HEAD /nonce", .status = 200 },
		{ "GET /a", .status = 200 } };
	const struct acme_signer signer = { key, NULL };

	(void)state;
	begin(lines, COUNT(lines));
	assert_true(
	    acme_exchange_post(exchange, &signer, CA "/nonce", CA "/a", "{}", on_answer, NULL));
	acme_exchange_cancel(exchange);
	assert_true(loop_advance(loop, 0));
	assert_int_equal(answers, 0);
	script.at = 1;
	assert_true(acme_exchange_get(exchange, CA "/a", on_answer, NULL));
	assert_true(loop_advance(loop, 0));
	assert_int_equal(answers, 1);
	script_end(&script);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_answer_has_the_nonce_of_the_next_request),
		TEST(a_bad_nonce_is_tried_again_with_the_next),
		TEST(a_bad_nonce_without_another_fetches_one),
		TEST(gives_up_when_all_nonces_are_bad),
		TEST(a_server_without_nonces_is_none),
		TEST(nobody_answers),
		TEST(reads_when_to_come_back_in_both_forms),
		TEST(a_location_that_is_no_address_counts_for_none),
		TEST(what_is_cancelled_has_no_answer),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("acme/exchange", tests, NULL, NULL);
}
