/*
 * A certificate that is renewed, with real keys, files and signatures; the authority is the test's own, and so
 * is the time.
 */
#include "enrol/renewal.h"

#include <signal.h>
#include <sys/resource.h>

#include "renewal_kit.h"

static bool
is_pair_as(const struct key_pair *before)
{
	struct key_pair now;
	bool is;

	read_pair(&now);
	is = secret_equals(&before->certificate, now.certificate.data, now.certificate.bytes) &&
	    secret_equals(&before->key, now.key.data, now.key.bytes);
	key_pair_wipe(&now);
	return is;
}

static void
asks_when_a_third_is_left_and_not_before(void **state)
{
	(void)state;
	advance_ms(16 * HOUR_MS - SOON_MS);
	assert_int_equal(authority.asked, 0);
	assert_int_equal(renewal_urgency(renewal), RENEWAL_FINE);
	advance_ms(2 * HOUR_MS);
	assert_int_equal(authority.asked, 1);
	assert_string_equal(authority.url, "https://pki.test");
	assert_int_equal(renewal_urgency(renewal), RENEWAL_FINE);
}

static void
asks_so_long_before_the_end_as_it_is_told(void **state)
{
	(void)state;
	settings.before = (char *)(uintptr_t) "80m";
	renewal_set(renewal, &kept);
	advance_ms(25 * HOUR_MS - 81 * 60 * 1000);
	assert_int_equal(authority.asked, 0);
	advance_ms(20 * 60 * 1000);
	assert_int_equal(authority.asked, 1);
}

static void
puts_certificate_and_new_key_in_force_together(void **state)
{
	struct key_pair before, after;
	struct cert_facts facts;
	char error[CERT_ERROR];

	(void)state;
	read_pair(&before);
	advance_to_the_attempt();
	assert_int_equal(access(next_path, F_OK), 0); /* before anybody certifies it */
	issue(&nothing);
	read_pair(&after);
	assert_false(secret_equals(&before.key, after.key.data, after.key.bytes));
	assert_int_not_equal(access(next_path, F_OK), 0);
	assert_true(cert_load(&facts, certificate_path, error));
	assert_int_equal(facts.not_after, clock_wall_s() + LIFE_S);
	cert_wipe(&facts);
	key_pair_wipe(&before);
	key_pair_wipe(&after);
	advance_ms(HOUR_MS);
	assert_int_equal(authority.asked, 1);
	assert_int_equal(changes, 0);
}

static void
keeps_the_key_where_it_is_told_to(void **state)
{
	struct key_pair before, after;

	(void)state;
	settings.rekey = false;
	renewal_set(renewal, &kept);
	read_pair(&before);
	advance_to_the_attempt();
	issue(&nothing);
	read_pair(&after);
	assert_true(secret_equals(&before.key, after.key.data, after.key.bytes));
	assert_false(
	    secret_equals(&before.certificate, after.certificate.data, after.certificate.bytes));
	key_pair_wipe(&before);
	key_pair_wipe(&after);
}

static void
key_in_request(uint8_t id[32])
{
	gnutls_datum_t der = { authority.request, (unsigned)authority.request_bytes };
	gnutls_x509_crq_t request;
	size_t bytes = 32;

	assert_int_equal(gnutls_x509_crq_init(&request), 0);
	assert_int_equal(gnutls_x509_crq_import(request, &der, GNUTLS_X509_FMT_DER), 0);
	assert_int_equal(
	    gnutls_x509_crq_get_key_id(request, GNUTLS_KEYID_USE_SHA256, id, &bytes), 0);
	gnutls_x509_crq_deinit(request);
}

/* As on a full disk: no file may grow. */
static void
allow_files(bool is_allowed)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = is_allowed ? limit.rlim_max : 0;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* What is issued could not be kept, and authorities issue so many only. */
static void
asks_for_nothing_where_there_is_no_room_for_it(void **state)
{
	struct key_pair before;

	(void)state;
	settings.rekey = false;
	renewal_set(renewal, &kept);
	read_pair(&before);
	allow_files(false);
	advance_ms(18 * HOUR_MS);
	allow_files(true);
	assert_int_equal(authority.asked, 0);
	assert_true(renewal_urgency(renewal) > RENEWAL_FINE);
	assert_true(is_pair_as(&before));
	key_pair_wipe(&before);
	advance_ms(2 * HOUR_MS);
	assert_int_equal(authority.asked, 1);
	issue(&nothing);
	assert_int_equal(renewal_urgency(renewal), RENEWAL_FINE);
}

/* The authority gives a key that it has certified the same certificate again. */
static void
asks_with_the_same_key_until_it_has_an_answer(void **state)
{
	uint8_t first[32], second[32];

	(void)state;
	advance_to_the_attempt();
	key_in_request(first);
	decline(RENEWAL_UNREACHABLE, 0);
	renewal_free(renewal); /* and another process */
	renewal = renewal_new(loop, &seam, on_change, NULL);
	assert_non_null(renewal);
	renewal_set(renewal, &kept);
	advance_ms(2 * HOUR_MS);
	assert_true(authority.is_asked);
	key_in_request(second);
	assert_memory_equal(first, second, sizeof first);
	issue(&nothing);
	assert_int_equal(renewal_urgency(renewal), RENEWAL_FINE);
}

static void
makes_another_next_key_where_the_old_one_is_junk(void **state)
{
	(void)state;
	mint_write(&authority.mint, "relay.key.next", "no key", 6);
	advance_to_the_attempt();
	issue(&nothing);
	assert_int_equal(renewal_urgency(renewal), RENEWAL_FINE);
	assert_int_not_equal(access(next_path, F_OK), 0);
}

static void
refuses_what_is_not_the_next_certificate(void **state)
{
	struct test_mint stranger;
	gnutls_x509_privkey_t other_key = mint_key();
	const struct {
		struct wrong wrong;
		const char *said;
	} cases[] = {
		{ { .key = other_key }, "for another key" },
		{ { .host = "other.test" }, "would be refused" },
		{ { .mint = &stranger }, "would be refused" },
		{ { .life_s = 3600 }, "no later than the one in force" },
	};
	struct key_pair before;
	char text[RENEWAL_TEXT];

	(void)state;
	mint_open(&stranger);
	read_pair(&before);
	advance_to_the_attempt();
	for (size_t i = 0; i < COUNT(cases); i++) {
		issue(&cases[i].wrong);
		if (!strstr(renewal_text(renewal, text), cases[i].said))
			fail_msg("'%s' does not say '%s'", text, cases[i].said);
		assert_true(is_pair_as(&before));
		advance_ms(HOUR_MS);
	}
	issue(&nothing);
	assert_false(is_pair_as(&before));
	key_pair_wipe(&before);
	gnutls_x509_privkey_deinit(other_key);
	mint_close(&stranger);
}

/* ---- when it fails ---- */

static unsigned
attempts_within(uint64_t ms)
{
	unsigned before = authority.asked;

	for (uint64_t passed = 0; passed < ms; passed += SOON_MS) {
		advance_ms(SOON_MS);
		if (authority.is_asked)
			decline(RENEWAL_UNREACHABLE, 0);
	}
	return authority.asked - before;
}

static void
tries_again_soon_and_then_seldom(void **state)
{
	unsigned soon, later;

	(void)state;
	advance_to_the_attempt();
	decline(RENEWAL_UNREACHABLE, 0);
	soon = attempts_within(10 * 60 * 1000);
	later = attempts_within(HOUR_MS);
	assert_in_range(soon, 2, 8);
	assert_in_range(later, 1, 4);
}

static void
does_not_come_back_before_the_authority_says(void **state)
{
	(void)state;
	advance_to_the_attempt();
	decline(RENEWAL_LATER, 20 * 60 * 1000);
	advance_ms(20 * 60 * 1000 - SOON_MS);
	assert_int_equal(authority.asked, 1);
	advance_ms(2 * 60 * 1000);
	assert_int_equal(authority.asked, 2);
}

/* An authority that says "next week" may be wrong. */
static void
does_not_wait_for_an_authority_until_it_is_too_late(void **state)
{
	(void)state;
	advance_to_the_attempt();
	decline(RENEWAL_LATER, UINT64_C(7) * 24 * HOUR_MS);
	advance_ms(HOUR_MS);
	assert_int_equal(authority.asked, 2);
}

static void
says_louder_and_louder_that_it_fails(void **state)
{
	char text[RENEWAL_TEXT];
	json_t *said;

	(void)state;
	advance_to_the_attempt();
	assert_string_equal(renewal_text(renewal, text), "");
	decline(RENEWAL_REFUSED, 0);
	assert_int_equal(changes, 1);
	assert_int_equal(renewal_urgency(renewal), RENEWAL_FAILING);
	assert_non_null(strstr(renewal_text(renewal, text), "connect.certificate ends on "));
	assert_non_null(strstr(text, "is not renewed: the test says no"));
	attempts_within(4 * HOUR_MS);
	assert_int_equal(renewal_urgency(renewal), RENEWAL_URGENT);
	said = renewal_describe(renewal);
	assert_string_equal(json_string_value(json_object_get(said, "urgency")), "urgent");
	assert_string_equal(json_string_value(json_object_get(said, "code")), "unreachable");
	json_decref(said);
	attempts_within(6 * HOUR_MS);
	assert_int_equal(renewal_urgency(renewal), RENEWAL_ENDED);
	assert_non_null(strstr(renewal_text(renewal, text), "has ended on "));
}

/* Up to the last minute, and past it: whoever mends the authority need not come here, too. */
static void
goes_on_trying_to_the_end_and_beyond(void **state)
{
	(void)state;
	advance_to_the_attempt();
	attempts_within(9 * HOUR_MS);
	assert_int_equal(renewal_urgency(renewal), RENEWAL_ENDED);
	assert_true(attempts_within(8 * HOUR_MS) > 0);
}

static void
is_content_when_somebody_else_renews(void **state)
{
	(void)state;
	advance_to_the_attempt();
	decline(RENEWAL_UNREACHABLE, 0);
	mint_leaf_until(&authority.mint, "relay", "connect.test", NULL, 30 * 86400);
	advance_ms(HOUR_MS);
	assert_int_equal(authority.asked, 1);
	assert_int_equal(renewal_urgency(renewal), RENEWAL_FINE);
	assert_int_equal(changes, 2);
}

static void
is_content_with_a_clock_that_was_wrong(void **state)
{
	int64_t right_us = clock_wall_us();

	(void)state;
	clock_fake(clock_us(), right_us + INT64_C(20) * 86400 * 1000000);
	advance_ms(SOON_MS);
	decline(RENEWAL_UNREACHABLE, 0);
	assert_int_equal(renewal_urgency(renewal), RENEWAL_ENDED);
	clock_fake(clock_us(), right_us);
	advance_ms(SOON_MS);
	assert_int_equal(authority.asked, 2);
}

/* ---- what happens to files ---- */

/* Between the two replacements. */
static void
a_start_finishes_what_a_death_has_left(void **state)
{
	struct key_pair before;
	char error[FILE_ERROR];

	(void)state;
	read_pair(&before);
	assert_int_equal(renewal_files_mend(&files, error), RENEWAL_NOTHING_TO_MEND);
	assert_int_equal(rename(key_path, next_path), 0);
	mint_leaf(&authority.mint, "other", "other.test", NULL);
	mint_write(&authority.mint, "relay.key", before.certificate.data, 0);
	assert_int_equal(renewal_files_mend(&files, error), RENEWAL_MENDED);
	assert_true(is_pair_as(&before));
	assert_int_equal(renewal_files_mend(&files, error), RENEWAL_NOTHING_TO_MEND);
	key_pair_wipe(&before);
}

static void
an_unfinished_renewal_is_left_alone_at_a_start(void **state)
{
	struct key_pair before;
	char error[FILE_ERROR];

	(void)state;
	read_pair(&before);
	advance_to_the_attempt();
	assert_int_equal(renewal_files_mend(&files, error), RENEWAL_NOTHING_TO_MEND);
	assert_int_equal(access(next_path, F_OK), 0);
	assert_true(is_pair_as(&before));
	key_pair_wipe(&before);
}

/* Nobody is asked for a signature that could not be used. */
static void
says_when_the_files_cannot_be_replaced(void **state)
{
	char text[RENEWAL_TEXT], gone[160];

	(void)state;
	snprintf(gone, sizeof gone, "%s.away", key_path);
	assert_int_equal(rename(key_path, gone), 0);
	advance_ms(20 * HOUR_MS);
	assert_int_equal(authority.asked, 0);
	assert_int_equal(renewal_urgency(renewal), RENEWAL_FAILING);
	assert_non_null(strstr(renewal_text(renewal, text), "relay.key"));
	assert_int_equal(rename(gone, key_path), 0);
	advance_ms(HOUR_MS);
	assert_int_equal(authority.asked, 1);
}

static void
replaces_what_a_link_leads_to(void **state)
{
	char real[160];
	struct stat st;

	(void)state;
	snprintf(real, sizeof real, "%s.real", certificate_path);
	assert_int_equal(rename(certificate_path, real), 0);
	assert_int_equal(symlink(real, certificate_path), 0);
	advance_to_the_attempt();
	issue(&nothing);
	assert_int_equal(lstat(certificate_path, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(renewal_urgency(renewal), RENEWAL_FINE);
}

/* ---- reloads ---- */

/* By a name that looks like another one. */
static void
leaves_certificate_and_key_in_one_file_alone(void **state)
{
	struct key_pair before;
	char command[1024], text[RENEWAL_TEXT];

	(void)state;
	snprintf(command, sizeof command, "cat %s >>%s && chmod 600 %s && ln -sf %s %s", key_path,
	    certificate_path, certificate_path, certificate_path, key_path);
	assert_int_equal(system(command), 0);
	settings.rekey = false;
	renewal_set(renewal, &kept);
	read_pair(&before);
	advance_ms(18 * HOUR_MS);
	assert_int_equal(authority.asked, 0);
	assert_non_null(strstr(renewal_text(renewal, text), "one file"));
	assert_true(is_pair_as(&before));
	key_pair_wipe(&before);
}

static void
asks_an_authority_whose_certificates_end_at_once_not_without_end(void **state)
{
	(void)state;
	mint_leaf_until(&authority.mint, "relay", "connect.test", NULL, 3600);
	renewal_set(renewal, &kept);
	advance_ms(HOUR_MS - 300 * 1000);
	assert_int_equal(authority.asked, 1);
	issue(&(struct wrong){ .life_s = 600 }); /* a third of 70 minutes is more than that */
	assert_int_equal(renewal_urgency(renewal), RENEWAL_FINE);
	assert_false(authority.is_asked);
	advance_ms(50 * 1000);
	assert_int_equal(authority.asked, 1);
	advance_ms(20 * 1000);
	assert_int_equal(authority.asked, 2);
}

static void
a_reload_drops_the_request_and_makes_it_again(void **state)
{
	(void)state;
	advance_to_the_attempt();
	renewal_set(renewal, &kept);
	assert_false(authority.is_asked);
	advance_ms(2 * HOUR_MS);
	assert_int_equal(authority.asked, 2);
}

static void
without_a_url_nothing_is_asked(void **state)
{
	struct renewal_settings off = { 0 };
	struct renewal_certificate none = kept;
	json_t *said;

	(void)state;
	none.settings = &off;
	advance_to_the_attempt();
	renewal_set(renewal, &none);
	advance_ms(8 * HOUR_MS);
	assert_int_equal(authority.asked, 1);
	assert_int_equal(renewal_urgency(renewal), RENEWAL_NONE);
	said = renewal_describe(renewal);
	assert_true(json_is_null(said));
	json_decref(said);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	TEST(asks_when_a_third_is_left_and_not_before),
	TEST(asks_so_long_before_the_end_as_it_is_told),
	TEST(puts_certificate_and_new_key_in_force_together),
	TEST(keeps_the_key_where_it_is_told_to),
	TEST(asks_for_nothing_where_there_is_no_room_for_it),
	TEST(asks_with_the_same_key_until_it_has_an_answer),
	TEST(makes_another_next_key_where_the_old_one_is_junk),
	TEST(refuses_what_is_not_the_next_certificate),
	TEST(tries_again_soon_and_then_seldom),
	TEST(does_not_come_back_before_the_authority_says),
	TEST(does_not_wait_for_an_authority_until_it_is_too_late),
	TEST(says_louder_and_louder_that_it_fails),
	TEST(goes_on_trying_to_the_end_and_beyond),
	TEST(is_content_when_somebody_else_renews),
	TEST(is_content_with_a_clock_that_was_wrong),
	TEST(a_start_finishes_what_a_death_has_left),
	TEST(an_unfinished_renewal_is_left_alone_at_a_start),
	TEST(says_when_the_files_cannot_be_replaced),
	TEST(replaces_what_a_link_leads_to),
	TEST(leaves_certificate_and_key_in_one_file_alone),
	TEST(asks_an_authority_whose_certificates_end_at_once_not_without_end),
	TEST(a_reload_drops_the_request_and_makes_it_again),
	TEST(without_a_url_nothing_is_asked),
};

int
main(void)
{
	log_init("renewal_test", LOG_ERROR, LOG_TEXT);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("renewal", tests, NULL, NULL);
}
