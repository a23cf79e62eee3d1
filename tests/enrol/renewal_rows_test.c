/* The rows of `renew:`, as they are written in a configuration. */
#include "enrol/renewal_rows.h"

#include "agent/helpers.h"

struct renewal_owner {
	struct renewal_settings renew;
};

static const struct conf_row owner_rows[] = { RENEWAL_ROW("renew", struct renewal_owner, renew),
	{ 0 } };

/* What the reader says of it; "" if it is fine. */
static const char *
read_text(struct renewal_owner *out, const char *text)
{
	static char said[1024];
	FILE *messages = fmemopen(said, sizeof said, "w");
	struct conf_report report = { .out = messages, .path = "f" };

	assert_non_null(messages);
	memset(said, 0, sizeof said);
	*out = (struct renewal_owner){ 0 };
	conf_read_bytes(out, owner_rows, text, strlen(text), &report);
	renewal_rows_check(&out->renew, "a.crt", "a.key", &report);
	fclose(messages);
	return said;
}

static void
reads_what_it_needs_and_has_defaults(void **state)
{
	struct renewal_owner owner;

	(void)state;
	assert_string_equal(
	    read_text(&owner, "renew: {url: https://pki.example.net, cas: root.crt}\n"), "");
	assert_string_equal(owner.renew.before, "33%");
	assert_true(owner.renew.rekey);
	assert_int_equal(owner.renew.cas.count, 1);
	conf_wipe(&owner, owner_rows);
	assert_string_equal(read_text(&owner, "{}\n"), "");
	assert_null(owner.renew.url);
	conf_wipe(&owner, owner_rows);
}

static void
refuses_what_leads_nowhere(void **state)
{
	static const char *const bad[] = { "pki.example.net", "http://pki.example.net", "https://",
		"https://user@pki.example.net", "https://pki.example.net?x=1",
		"https://pki.example.net:0", "https://pki.example.net:70000", "https://:443",
		"https://a b", "https://pki..net", "https://[::1",
		"https://pki.example.net:", "https://pki.example.net/label" };
	static const char *const good[] = { "https://pki.example.net",
		"https://pki.example.net:8443", "https://192.0.2.1:8443", "https://[2001:db8::1]",
		"https://[2001:db8::1]:8443", "https://localhost:1" };
	char text[256];
	struct renewal_owner owner;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		snprintf(text, sizeof text, "renew: {url: '%s', cas: root.crt}\n", bad[i]);
		if (!strstr(read_text(&owner, text), "is not the URL of an authority"))
			fail_msg("%s is taken", bad[i]);
		conf_wipe(&owner, owner_rows);
	}
	for (size_t i = 0; i < COUNT(good); i++) {
		snprintf(text, sizeof text, "renew: {url: '%s', cas: root.crt}\n", good[i]);
		if (read_text(&owner, text)[0] != '\0')
			fail_msg("%s is refused", good[i]);
		conf_wipe(&owner, owner_rows);
	}
}

static void
says_what_is_missing(void **state)
{
	struct renewal_owner owner;

	(void)state;
	assert_non_null(
	    strstr(read_text(&owner, "renew: {url: https://pki.example.net}\n"), "cas"));
	conf_wipe(&owner, owner_rows);
	assert_non_null(strstr(read_text(&owner, "renew: {cas: root.crt}\n"), "url"));
	conf_wipe(&owner, owner_rows);
	assert_non_null(strstr(
	    read_text(&owner, "renew: {url: https://pki.example.net, cas: r, address: here}\n"),
	    "host:port"));
	conf_wipe(&owner, owner_rows);
}

static void
knows_parts_of_a_life_and_times(void **state)
{
	static const char *const bad[] = { "0%", "91%", "33", "100%", "%", "1s", "-1%", "",
		"3.3%" };
	static const struct {
		const char *text;
		int64_t before_s;
	} good[] = { { "33%", 297000 }, { "1%", 9000 }, { "90%", 810000 }, { "1h", 3600 },
		{ "1m", 60 }, { "365d", 810000 } };
	char text[256];
	struct renewal_owner owner;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		snprintf(text, sizeof text,
		    "renew: {url: https://pki.example.net, cas: r, before: '%s'}\n", bad[i]);
		if (read_text(&owner, text)[0] == '\0')
			fail_msg("%s is taken", bad[i]);
		conf_wipe(&owner, owner_rows);
	}
	for (size_t i = 0; i < COUNT(good); i++) {
		snprintf(text, sizeof text,
		    "renew: {url: https://pki.example.net, cas: r, before: '%s'}\n", good[i].text);
		assert_string_equal(read_text(&owner, text), "");
		assert_int_equal(renewal_rows_before(owner.renew.before, 900000), good[i].before_s);
		conf_wipe(&owner, owner_rows);
	}
}

static void
needs_a_certificate_beside_its_key(void **state)
{
	struct renewal_settings settings = { .mark = { 1, 1 } }, none = { 0 };
	struct conf_report report = { .path = "f" };

	(void)state;
	renewal_rows_check(&settings, NULL, NULL, &report);
	assert_int_equal(report.errors, 1);
	renewal_rows_check(&settings, "one.pem", "one.pem", &report);
	assert_int_equal(report.errors, 2);
	renewal_rows_check(&settings, "one.crt", "one.key", &report);
	renewal_rows_check(&none, NULL, NULL, &report);
	assert_int_equal(report.errors, 2);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(reads_what_it_needs_and_has_defaults),
	cmocka_unit_test(refuses_what_leads_nowhere),
	cmocka_unit_test(says_what_is_missing),
	cmocka_unit_test(knows_parts_of_a_life_and_times),
	cmocka_unit_test(needs_a_certificate_beside_its_key),
};

RUN_TESTS("renewal_rows", tests)
