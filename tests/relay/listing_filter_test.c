/* What commands pick flows and sessions by: read, refused, compared. */
#include "relay/listing_filter.h"

#include "relay/helpers.h"
#include "relay/people.h"
#include "relay/session_ref.h"
#include "relay/usage.h"

#define ID "00112233445566778899aabbccddeeff"

static char error[LISTING_FILTER_ERROR];

static bool
reads(struct listing_filter *filter, const char *text)
{
	json_t *question = json_loads(text, 0, NULL);
	bool fine;

	assert_non_null(question);
	error[0] = '\0';
	fine = listing_filter_read(filter, question, error);
	json_decref(question);
	return fine;
}

static void
each_member_is_read(void **state)
{
	struct listing_filter filter;
	struct address client;

	(void)state;
	assert_true(reads(&filter, "{\"command\": \"flows\", \"sort\": \"x\"}"));
	assert_true(listing_filter_is_empty(&filter));
	assert_true(reads(&filter, "{\"flow\": \"" ID "\"}"));
	assert_true(filter.has_flow && filter.flow[1] == 0x11 && listing_filter_is_about_flows(&filter));
	assert_true(reads(&filter, "{\"name\": \"APP.Example.\"}"));
	assert_string_equal(filter.name, "app.example");
	assert_true(reads(&filter, "{\"name\": \"*.Example\"}"));
	assert_string_equal(filter.name, "*.example");
	assert_true(reads(&filter, "{\"client\": \"192.0.2.0/24\"}"));
	assert_true(address_parse(&client, "192.0.2.7:1"));
	assert_true(filter.has_client && prefix_holds(&filter.client, &client));
	assert_true(reads(&filter, "{\"agent\": \"shop\", \"issuer-key\": \"0123456789abcdef\"}"));
	assert_string_equal(filter.issuer_key, "0123456789abcdef");
	assert_false(listing_filter_is_about_flows(&filter));
	assert_false(listing_filter_is_empty(&filter));
}

static const char *const wrong[] = {
	"{\"flow\": \"00\"}",
	"{\"flow\": \"" ID "00\"}",
	"{\"flow\": 1}",
	"{\"flow\": null}",
	"{\"name\": \"a..b\"}",
	"{\"name\": \"\"}",
	"{\"name\": \"192.0.2.1\"}",
	"{\"client\": \"192.0.2.1/24\"}",
	"{\"client\": \"app.example\"}",
	"{\"client\": [\"192.0.2.1\"]}",
	"{\"session\": \"\"}",
	"{\"session\": \"v1.00112233445566778899aabbccddeeff0\"}",
	"{\"agent\": \"\"}",
	"{\"agent\": \"0123456789012345678901234567890123456789012345678901234567890123x\"}",
	"{\"issuer-key\": \"0123456789abcdef0\"}",
	"{\"agent\": \"fine\", \"client\": true}",
};

static void
what_is_no_such_thing_is_told_by_its_name(void **state)
{
	struct listing_filter filter;

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		if (reads(&filter, wrong[i]))
			fail_msg("%s is taken", wrong[i]);
		assert_ptr_equal(strstr(error, "--"), error);
		assert_non_null(strstr(error, " is not "));
	}
}

static bool
fits(const char *text, const struct session_ref *ref)
{
	struct listing_filter filter;

	assert_true(reads(&filter, text));
	return listing_filter_fits_agent(&filter, ref);
}

static void
a_session_fits_by_its_agent(void **state)
{
	struct identity shop = person("shop", "a.example", false);
	struct usage_table *usage_table = usage_table_new();
	struct loop *loop = loop_new();
	struct session_ref_settings settings = { .loop = loop, .identity = &shop, .session_id = { 7 } };
	char why[USAGE_WHY], session[CHANNEL_IDENTITY], text[128];
	struct session_ref *ref;

	(void)state;
	settings.usage = usage_of(usage_table, &shop);
	assert_true(usage_enter(settings.usage, USAGE_SESSIONS, why));
	ref = session_ref_new(&settings);
	assert_non_null(ref);
	channel_identity(settings.session_id, session);
	snprintf(text, sizeof text, "{\"session\": \"%s\"}", session);
	assert_true(fits(text, ref));
	assert_true(fits("{}", ref));
	assert_true(fits("{\"agent\": \"shop\"}", ref));
	assert_false(fits("{\"agent\": \"shop2\"}", ref));
	assert_false(fits("{\"agent\": \"sho\"}", ref));
	assert_false(fits("{\"session\": \"v1.0\"}", ref));
	assert_true(fits("{\"agent\": \"shop\", \"issuer-key\": \"0011223344556677\"}", ref));
	assert_false(fits("{\"agent\": \"shop\", \"issuer-key\": \"1011223344556677\"}", ref));
	/* A flow over no agent fits only where none was said. */
	assert_true(fits("{\"name\": \"app.example\"}", NULL));
	assert_false(fits("{\"agent\": \"shop\"}", NULL));
	session_ref_retire(ref);
	session_ref_release(ref);
	loop_free(loop);
	usage_table_free(usage_table);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_member_is_read),
		cmocka_unit_test(what_is_no_such_thing_is_told_by_its_name),
		cmocka_unit_test(a_session_fits_by_its_agent),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("relay/listing_filter", tests, NULL, NULL);
}
