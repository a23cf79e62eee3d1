/* Tests of acme/document: what a server may send, and may not. */
#include "acme/document.h"

#include "helpers.h"

#define DIRECTORY \
	"\"newNonce\":\"https://ca/n\",\"newAccount\":\"https://ca/a\",\"newOrder\":\"https://ca/o\""

static void
reads_a_directory(void **state)
{
	static const char text[] =
	    "{" DIRECTORY ",\"keyChange\":\"https://ca/k\",\"renewalInfo\":\"https://ca/r\","
	    "\"meta\":{\"termsOfService\":\"https://ca/t\",\"caaIdentities\":[\"ca.example\"],"
	    "\"externalAccountRequired\":true},\"random\":\"https://anything\"}";
	struct acme_directory directory;

	(void)state;
	assert_true(acme_directory_decode(&directory, text, strlen(text)));
	assert_string_equal(directory.new_nonce, "https://ca/n");
	assert_string_equal(directory.key_change, "https://ca/k");
	assert_string_equal(directory.renewal_info, "https://ca/r");
	assert_string_equal(directory.terms, "https://ca/t");
	assert_string_equal(directory.caa_identity, "ca.example");
	assert_true(directory.wants_binding);
	for (size_t i = 0; i < strlen(text); i++)
		assert_false(acme_directory_decode(&directory, text, i));
}

static void
a_directory_needs_no_more_than_three_addresses(void **state)
{
	static const char text[] = "{" DIRECTORY "}";
	struct acme_directory directory;

	(void)state;
	assert_true(acme_directory_decode(&directory, text, strlen(text)));
	assert_string_equal(directory.renewal_info, "");
	assert_string_equal(directory.terms, "");
	assert_string_equal(directory.caa_identity, "");
	assert_false(directory.wants_binding);
}

static void
refuses_directories_that_are_none(void **state)
{
	static const char *const texts[] = { "", "[]", "{}", "null", "\"https://ca\"",
		"{\"newNonce\":\"https://ca/n\",\"newAccount\":\"https://ca/a\"}",
		"{\"newNonce\":\"http://ca/n\",\"newAccount\":\"https://ca/a\",\"newOrder\":\"https://ca/o\"}",
		"{\"newNonce\":7,\"newAccount\":\"https://ca/a\",\"newOrder\":\"https://ca/o\"}",
		"{\"newNonce\":\"https://ca/n\\u0000x\",\"newAccount\":\"https://ca/a\",\"newOrder\":\"https://"
		"ca/o\"}",
		"{" DIRECTORY ",\"keyChange\":\"file:///etc/passwd\"}",
		"{" DIRECTORY ",\"newOrder\":\"https://ca/again\"}" };
	struct acme_directory directory;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++)
		assert_false(acme_directory_decode(&directory, texts[i], strlen(texts[i])));
}

static void
an_address_is_bounded_and_of_https(void **state)
{
	char longest[ACME_URL + 8];

	(void)state;
	snprintf(longest, sizeof longest, "https://%0*d", ACME_URL - 9, 0);
	assert_int_equal(strlen(longest), ACME_URL - 1);
	assert_true(document_url_is(longest));
	snprintf(longest, sizeof longest, "https://%0*d", ACME_URL - 8, 0);
	assert_false(document_url_is(longest));
	assert_true(document_url_is("HTTPS://ca/x?y=1"));
	assert_false(document_url_is("https://"));
	assert_false(document_url_is("https://ca/\n"));
	assert_false(document_url_is("https://ca/ x"));
	assert_false(document_url_is("https://ca/\xc3\xa4"));
	assert_false(document_url_is("https://ca/\""));
}

static void
reads_the_word_and_the_sentence_of_a_problem(void **state)
{
	static const char text[] =
	    "{\"type\":\"urn:ietf:params:acme:error:rateLimited\",\"detail\":\"too many\","
	    "\"status\":429}";
	struct acme_problem problem;
	char longest[4096];

	(void)state;
	assert_true(acme_problem_decode(&problem, text, strlen(text)));
	assert_true(acme_problem_is(&problem, "rateLimited"));
	assert_string_equal(problem.detail, "too many");
	assert_false(acme_problem_decode(&problem, "<html>", 6));
	assert_string_equal(problem.type, "");
	assert_true(acme_problem_decode(&problem, "{}", 2));
	assert_string_equal(problem.type, "unknown");
	snprintf(
	    longest, sizeof longest, "{\"type\":\"%0*d\",\"detail\":\"%0*d\"}", 999, 0, 2000, 0);
	assert_true(acme_problem_decode(&problem, longest, strlen(longest)));
	assert_int_equal(strlen(problem.type), ACME_WORD - 1);
	assert_int_equal(strlen(problem.detail), ACME_SENTENCE - 1);
}

#define FINALIZE "\"finalize\":\"https://ca/f\""

static void
reads_orders(void **state)
{
	static const struct {
		const char *text;
		enum acme_status status;
		bool is_fine;
	} cases[] = {
		{ "{\"status\":\"pending\"," FINALIZE ",\"authorizations\":[\"https://ca/z\"]}",
		    ACME_STATUS_PENDING, true },
		{ "{\"status\":\"valid\"," FINALIZE
		  ",\"authorizations\":[],\"certificate\":\"https://ca/c\"}",
		    ACME_STATUS_VALID, true },
		{ "{\"status\":\"valid\"," FINALIZE ",\"authorizations\":[]}", 0, false },
		{ "{\"status\":\"pending\",\"authorizations\":[\"https://ca/z\"]}", 0, false },
		{ "{\"status\":\"odd\"," FINALIZE ",\"authorizations\":[\"https://ca/z\"]}", 0,
		    false },
		{ "{" FINALIZE ",\"authorizations\":[\"https://ca/z\"]}", 0, false },
		{ "{\"status\":\"pending\"," FINALIZE
		  ",\"authorizations\":[\"https://ca/z\",\"https://ca/y\"]}",
		    0, false },
		{ "{\"status\":\"pending\"," FINALIZE ",\"authorizations\":[7]}", 0, false },
		{ "{\"status\":\"pending\"," FINALIZE ",\"authorizations\":\"https://ca/z\"}", 0,
		    false },
		{ "{\"status\":\"pending\"," FINALIZE "}", 0, false },
	};
	struct acme_order order;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(acme_order_decode(&order, cases[i].text, strlen(cases[i].text)),
		    cases[i].is_fine);
		if (cases[i].is_fine)
			assert_int_equal(order.status, cases[i].status);
	}
}

#define IDENTIFIER "\"identifier\":{\"type\":\"dns\",\"value\":\"app.example.com\"}"
#define CHALLENGE \
	"{\"type\":\"tls-alpn-01\",\"url\":\"https://ca/h\",\"token\":\"abc-_1\",\"status\":\"pending\"}"

static void
reads_authorisations(void **state)
{
	static const struct {
		const char *text;
		bool is_fine, has_challenge;
	} cases[] = {
		{ "{\"status\":\"pending\"," IDENTIFIER
		  ",\"challenges\":[{\"type\":\"http-01\"}," CHALLENGE "]}",
		    true, true },
		{ "{\"status\":\"pending\"," IDENTIFIER
		  ",\"challenges\":[{\"type\":\"dns-01\"},7,null]}",
		    true, false },
		{ "{\"status\":\"valid\"," IDENTIFIER ",\"challenges\":[]}", true, false },
		{ "{\"status\":\"pending\",\"identifier\":{\"type\":\"dns\",\"value\":\"other.example.com\"},"
		  "\"challenges\":[" CHALLENGE "]}",
		    false, false },
		{ "{\"status\":\"pending\",\"identifier\":{\"type\":\"ip\",\"value\":\"app.example.com\"},"
		  "\"challenges\":[" CHALLENGE "]}",
		    false, false },
		{ "{\"status\":\"pending\"," IDENTIFIER
		  ",\"wildcard\":true,\"challenges\":[" CHALLENGE "]}",
		    false, false },
		{ "{\"status\":\"pending\"," IDENTIFIER "}", false, false },
		{ "{\"status\":\"pending\"," IDENTIFIER
		  ",\"challenges\":[{\"type\":\"tls-alpn-01\",\"url\":\"https://ca/h\",\"token\":\"a.b\","
		  "\"status\":\"pending\"}]}",
		    false, false },
		{ "{\"status\":\"pending\"," IDENTIFIER
		  ",\"challenges\":[{\"type\":\"tls-alpn-01\",\"url\":\"https://ca/h\",\"status\":\"pending\"}]}",
		    false, false },
	};
	struct acme_authorisation authorisation;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(acme_authorisation_decode(&authorisation, "app.example.com",
				     cases[i].text, strlen(cases[i].text)),
		    cases[i].is_fine);
		if (!cases[i].is_fine)
			continue;
		assert_string_equal(authorisation.token, cases[i].has_challenge ? "abc-_1" : "");
		assert_string_equal(
		    authorisation.url, cases[i].has_challenge ? "https://ca/h" : "");
	}
}

static void
compares_contacts(void **state)
{
	static const char *const contacts[] = { "mailto:a@example.com" };
	static const char text[] = "{\"status\":\"valid\",\"contact\":[\"mailto:a@example.com\"]}";
	struct acme_account account;

	(void)state;
	assert_true(acme_account_decode(&account, contacts, 1, text, strlen(text)));
	assert_true(account.has_contacts);
	assert_int_equal(account.status, ACME_STATUS_VALID);
	assert_true(acme_account_decode(&account, contacts, 0, text, strlen(text)));
	assert_false(account.has_contacts);
}

static void
reads_windows(void **state)
{
	static const char text
	    [] =
		"{\"suggestedWindow\":{\"start\":\"2026-01-02T04:00:00Z\",\"end\":\"2026-01-03T04:00:00+01:00\"},"
		"\"explanationURL\":\"https://ca/why\"}",
	odd[] =
	    "{\"suggestedWindow\":{\"start\":\"2026-01-02T04:00:00Z\",\"end\":\"2026-01-01T04:00:00Z\"}}";
	struct acme_window window;

	(void)state;
	assert_true(acme_window_decode(&window, text, strlen(text)));
	assert_int_equal(window.from_s, 1767326400);
	assert_int_equal(window.until_s, 1767326400 + 23 * 3600);
	assert_string_equal(window.explanation, "https://ca/why");
	assert_false(acme_window_decode(&window, odd, strlen(odd)));
	assert_false(acme_window_decode(&window, "{}", 2));
}

static void
reads_times(void **state)
{
	static const struct {
		const char *text;
		int64_t wall_s;
		bool is_fine;
	} cases[] = {
		{ "1970-01-01T00:00:10Z", 10, true },
		{ "1970-01-01T00:00:10.123456Z", 10, true },
		{ "1970-01-01T01:00:10+01:00", 10, true },
		{ "1969-12-31T19:00:10-05:00", 10, true },
		{ "1970-01-01T00:00:10", 0, false },
		{ "1970-01-01 00:00:10Z", 0, false },
		{ "1970-01-01T00:00:10Zx", 0, false },
		{ "1970-01-01T00:00:10+1", 0, false },
		{ "", 0, false },
	};
	int64_t wall_s;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(document_time_parse(cases[i].text, &wall_s), cases[i].is_fine);
		if (cases[i].is_fine)
			assert_int_equal(wall_s, cases[i].wall_s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_directory),
		cmocka_unit_test(a_directory_needs_no_more_than_three_addresses),
		cmocka_unit_test(refuses_directories_that_are_none),
		cmocka_unit_test(an_address_is_bounded_and_of_https),
		cmocka_unit_test(reads_the_word_and_the_sentence_of_a_problem),
		cmocka_unit_test(reads_orders),
		cmocka_unit_test(reads_authorisations),
		cmocka_unit_test(compares_contacts),
		cmocka_unit_test(reads_windows),
		cmocka_unit_test(reads_times),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("acme/document", tests, NULL, NULL);
}
