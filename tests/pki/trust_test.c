/* Tests of pki/trust: CAs and CRLs over reloads, and what they end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include "pki/crl.h"
#include "pki/crl_catalogue.h"
#include "pki/forge.h"
#include "pki/trust.h"
#include "pki/verify.h"

static struct forged root, middle, sub, leaf, sub_leaf;
static const char *ca_files[1], *crl_files[2];

static struct trust_sources
sources(void)
{
	ca_files[0] = "cas.pem";
	crl_files[0] = "crls.pem";
	return (struct trust_sources){ .ca_files = ca_files, .ca_count = 1, .crl_files = crl_files,
		.crl_count = 1, .crls_configured = true, .expired = CRL_EXPIRED_GRACE, .grace_s = DAY,
		.label = "agent_cas", .now = NOW };
}

static int
set_up(void **state)
{
	static const struct recipe plain;
	(void)state;
	forge_certificate(&root, &plain, LEVEL_ROOT, LEVEL_ROOT, "");
	forge_certificate(&middle, &plain, LEVEL_MIDDLE, LEVEL_ROOT, "");
	forge_certificate(&sub, &plain, LEVEL_SUB, LEVEL_MIDDLE, "");
	forge_certificate(&leaf, &plain, LEVEL_LEAF, LEVEL_MIDDLE, "agent,client");
	forge_certificate(&sub_leaf, &plain, LEVEL_LEAF, LEVEL_SUB, "agent,client");
	if (chdir(forge_directory()) != 0)
		return -1;
	forge_append_pem("cas.pem", "CERTIFICATE", &middle);
	forge_append_pem("cas.pem", "CERTIFICATE", &root);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	forge_clean();
	return 0;
}

static void
write_crls(struct crl_recipe of_root, struct crl_recipe of_middle)
{
	struct forged crl;
	unlink(forge_path("crls.pem"));
	forge_crl(&crl, &of_root, LEVEL_ROOT);
	forge_append_pem("crls.pem", "X509 CRL", &crl);
	forge_crl(&crl, &of_middle, LEVEL_MIDDLE);
	if (!of_middle.absent)
		forge_append_pem("crls.pem", "X509 CRL", &crl);
}

static struct trust *
load(const struct trust_sources *from, const struct trust *previous)
{
	char error[TRUST_ERROR];
	struct trust *trust = trust_load(from, previous, error, sizeof error);
	if (!trust)
		fail_msg("%s", error);
	return trust;
}

static void
refuses_to_load(const struct trust_sources *from, const struct trust *previous, const char *part)
{
	char error[TRUST_ERROR] = "";
	assert_null(trust_load(from, previous, error, sizeof error));
	if (!strstr(error, part))
		fail_msg("\"%s\" is not in: %s", part, error);
	forge_note(error);
}

/* A reload in which the set in force stands in for `count`; the sentence about them has the part. */
static struct trust *
keeps_at(const struct trust_sources *from, const struct trust *previous, size_t count, const char *part)
{
	const char *sentence;
	struct trust *trust = load(from, previous);
	assert_int_equal(trust_refusals(trust, &sentence), count);
	if (count == 0)
		assert_null(sentence);
	else if (!strstr(sentence, part))
		fail_msg("\"%s\" is not in: %s", part, sentence);
	forge_note(sentence ? sentence : "");
	return trust;
}

static struct identity *
verify(struct trust *trust, const struct forged *which, struct verdict *verdict)
{
	struct der chain[] = { forged_der(which), forged_der(&sub) };
	return verify_chain(trust, ROLE_AGENT, chain, which == &sub_leaf ? 2 : 1, NULL, NOW, verdict);
}

static void
judges_again_as(const struct identity *identity, struct trust *trust, enum verify_code code, const char *part)
{
	struct verdict verdict;
	assert_false(identity_judge_again(identity, trust, NOW, &verdict));
	assert_int_equal(verdict.code, code);
	if (!strstr(verdict.sentence, part))
		fail_msg("\"%s\" is not in: %s", part, verdict.sentence);
	forge_note(verdict.sentence);
}

#define CRL(...) ((struct crl_recipe){ __VA_ARGS__ })

static void
a_new_crl_ends_what_is_held(void **state)
{
	struct trust_sources from = sources();
	struct verdict verdict;
	(void)state;
	write_crls(CRL(0), CRL(.number = 1));
	struct trust *before = load(&from, NULL);
	struct identity *identity = verify(before, &leaf, &verdict);
	assert_non_null(identity);
	write_crls(CRL(0), CRL(.number = 2, .serials = "13", .reason = 1));
	struct trust *after = load(&from, before);
	assert_true(identity_judge_again(identity, before, NOW, NULL));
	assert_false(identity_judge_again(identity, after, NOW, &verdict));
	assert_int_equal(verdict.code, VERIFY_REVOKED);
	assert_int_equal(verdict.alert, 44);
	assert_null(verify(after, &leaf, &verdict));
	identity_release(identity);
	trust_release(before);
	trust_release(after);
}

static void
expiry_does_not_hide_a_revocation(void **state)
{
	struct trust_sources from = sources();
	struct verdict verdict;
	(void)state;
	from.expired = CRL_EXPIRED_ALLOW;
	write_crls(CRL(0), CRL(.number = 1));
	struct trust *before = load(&from, NULL);
	struct identity *identity = verify(before, &leaf, &verdict);
	assert_non_null(identity);
	int64_t late = identity_not_after(identity) + 1;
	assert_false(identity_judge_again(identity, before, late, &verdict));
	assert_int_equal(verdict.code, VERIFY_EXPIRED);
	write_crls(CRL(0), CRL(.number = 2, .serials = "13", .reason = 1));
	struct trust *after = load(&from, before);
	assert_false(identity_judge_again(identity, after, late, &verdict));
	assert_int_equal(verdict.code, VERIFY_REVOKED);
	identity_release(identity);
	trust_release(before);
	trust_release(after);
}

static void
a_serial_that_a_crl_drops_stays_revoked(void **state)
{
	struct trust_sources from = sources();
	struct verdict verdict;
	(void)state;
	write_crls(CRL(0), CRL(.number = 1, .serials = "13"));
	struct trust *before = load(&from, NULL);
	assert_null(verify(before, &leaf, &verdict));
	write_crls(CRL(0), CRL(.number = 2));
	struct trust *after = load(&from, before);
	trust_release(before);
	assert_null(verify(after, &leaf, &verdict));
	assert_int_equal(verdict.code, VERIFY_REVOKED);
	struct trust *fresh = load(&from, NULL);	/* nobody was found revoked by this one */
	struct identity *identity = verify(fresh, &leaf, &verdict);
	assert_non_null(identity);
	assert_false(identity_judge_again(identity, after, NOW, &verdict));
	identity_release(identity);
	trust_release(after);
	trust_release(fresh);
}

static bool
has_warning(const struct trust *trust, const char *part)
{
	const char *warning;
	for (size_t i = 0; (warning = trust_warning(trust, i)); i++)
		if (strstr(warning, part))
			return true;
	return false;
}

static void
refuses_as_revoked(struct trust *trust)
{
	struct verdict verdict;
	assert_null(verify(trust, &leaf, &verdict));
	assert_int_equal(verdict.code, VERIFY_REVOKED);
	assert_non_null(strstr(verdict.sentence, "keyCompromise"));
}

static void
what_was_found_revoked_stays_so_over_a_restart(void **state)
{
	struct trust_sources from = sources();
	char error[TRUST_ERROR];
	struct verdict verdict;
	(void)state;
	assert_int_equal(mkdir("kept", 0700), 0);
	from.state_dir = "kept";
	write_crls(CRL(0), CRL(.number = 1, .serials = "13", .reason = 1 + CRL_KEY_COMPROMISE));
	struct trust *trust = load(&from, NULL);
	assert_int_equal(access("kept/crl-revoked", F_OK), -1);	/* nothing was found yet */
	refuses_as_revoked(trust);
	assert_true(trust_keep_revoked(trust, error));
	assert_int_equal(access("kept/crl-revoked", F_OK), 0);
	trust_release(trust);
	write_crls(CRL(0), CRL(.number = 2));	/* while nobody runs */
	trust = load(&from, NULL);
	assert_null(trust_warning(trust, 0));
	refuses_as_revoked(trust);
	trust_release(trust);
	unlink("kept/crl-revoked");
	trust = load(&from, NULL);	/* the test would be for nothing if the serial were refused in any case */
	struct identity *identity = verify(trust, &leaf, &verdict);
	assert_non_null(identity);
	identity_release(identity);
	trust_release(trust);
}

static void
a_damaged_file_of_revocations_is_told_and_what_can_be_read_of_it_counts(void **state)
{
	static const char rubbish[] = "rubbish\n";
	struct trust_sources from = sources();
	char error[TRUST_ERROR];
	(void)state;
	assert_int_equal(mkdir("damaged", 0700), 0);
	from.state_dir = "damaged";
	write_crls(CRL(0), CRL(.number = 1, .serials = "13", .reason = 1 + CRL_KEY_COMPROMISE));
	struct trust *trust = load(&from, NULL);
	refuses_as_revoked(trust);
	assert_true(trust_keep_revoked(trust, error));
	trust_release(trust);
	write_crls(CRL(0), CRL(.number = 2));
	FILE *file = fopen("damaged/crl-revoked", "a");
	assert_non_null(file);
	fputs(rubbish, file);
	assert_int_equal(fclose(file), 0);
	trust = load(&from, NULL);
	assert_true(has_warning(trust, "damaged/crl-revoked is damaged"));
	refuses_as_revoked(trust);
	trust_release(trust);
	assert_int_equal(access("damaged/crl-revoked.damaged", F_OK), 0);
	trust = load(&from, NULL);	/* the file is whole again */
	assert_false(has_warning(trust, "damaged"));
	refuses_as_revoked(trust);
	trust_release(trust);
}

static void
a_hold_ends_when_the_crl_drops_it(void **state)
{
	struct trust_sources from = sources();
	struct verdict verdict;
	(void)state;
	write_crls(CRL(0), CRL(.number = 1, .serials = "13", .reason = 7));
	struct trust *before = load(&from, NULL);
	assert_null(verify(before, &leaf, &verdict));
	assert_non_null(strstr(verdict.sentence, "certificateHold"));
	write_crls(CRL(0), CRL(.number = 2));
	struct trust *after = load(&from, before);
	struct identity *identity = verify(after, &leaf, &verdict);
	assert_non_null(identity);
	identity_release(identity);
	trust_release(before);
	trust_release(after);
}

/* No memory of what was found revoked says so: it is a hold, so that it is the CRL in force. */
static void
is_held(struct trust *trust, const struct forged *which)
{
	struct verdict verdict;
	assert_null(verify(trust, which, &verdict));
	assert_int_equal(verdict.code, VERIFY_REVOKED);
	assert_non_null(strstr(verdict.sentence, "certificateHold"));
}

static void
never_goes_back_to_an_older_crl(void **state)
{
	struct trust_sources from = sources();
	(void)state;
	write_crls(CRL(0), CRL(.number = 9, .serials = "13", .reason = 7));
	struct trust *before = load(&from, NULL), *after;
	write_crls(CRL(0), CRL(.number = 8));
	after = keeps_at(&from, before, 1, "rollback");	/* the newer one stays in force */
	is_held(after, &leaf);
	trust_release(after);
	write_crls(CRL(0), CRL(.number = 9, .from = -2));
	after = keeps_at(&from, before, 1, "rollback");
	is_held(after, &leaf);
	trust_release(after);
	write_crls(CRL(0), CRL(.number = 9));
	trust_release(load(&from, before));
	write_crls(CRL(0), CRL(.number = 200));
	trust_release(load(&from, before));
	write_crls(CRL(0), CRL(.number = 30));
	refuses_to_load(&from, before, "rollback");	/* what a set between has seen counts */
	trust_release(before);
}

static void
remembers_crl_numbers_in_its_state_directory(void **state)
{
	struct trust_sources from = sources();
	(void)state;
	assert_int_equal(mkdir("state", 0700), 0);
	from.state_dir = "state";
	write_crls(CRL(.number = -1), CRL(.number = 9));
	trust_release(load(&from, NULL));
	assert_int_equal(access("state/crl-numbers", R_OK), 0);
	write_crls(CRL(.number = -1), CRL(.number = 8));
	refuses_to_load(&from, NULL, "rollback");
	write_crls(CRL(.number = -1, .from = -3), CRL(.number = 10));
	refuses_to_load(&from, NULL, "rollback");
	write_crls(CRL(.number = -1), CRL(.number = 10));
	trust_release(load(&from, NULL));
	forge_write("state/crl-numbers", "rubbish\n", 8);
	refuses_to_load(&from, NULL, "damaged");
	unlink("state/crl-numbers");
	from.state_dir = "nowhere";
	struct trust *trust = load(&from, NULL);	/* a warning, since the CRL itself is good */
	assert_non_null(strstr(trust_warning(trust, 0), "nowhere"));
	trust_release(trust);
}

static void
takes_the_newest_of_several_crls(void **state)
{
	struct trust_sources from = sources();
	struct verdict verdict;
	struct forged crl;
	(void)state;
	static const struct crl_recipe newer = { .number = 5, .serials = "13" };
	write_crls(CRL(0), CRL(.number = 4));
	forge_crl(&crl, &newer, LEVEL_MIDDLE);
	forge_append_pem("crls.pem", "X509 CRL", &crl);
	struct trust *trust = load(&from, NULL);
	assert_int_equal(trust_crl_count(trust), 2);
	assert_null(verify(trust, &leaf, &verdict));
	assert_int_equal(verdict.code, VERIFY_REVOKED);
	trust_release(trust);
}

/* ---- several files of one daemon ---- */

static void
write_crl(const char *file, struct crl_recipe recipe, enum level level)
{
	struct forged crl;
	forge_crl(&crl, &recipe, level);
	forge_append_pem(file, "X509 CRL", &crl);
}

/* crls.pem is the set's own, other.crl that of another key. */
static struct crl_catalogue *
catalogue(void)
{
	static const char *const files[] = { "crls.pem", "other.crl", "nowhere.crl", "other.crl" };
	struct crl_catalogue *made = crl_catalogue_new(files, 4);
	assert_non_null(made);
	return made;
}

static void
what_another_file_has_newer_counts(void **state)
{
	struct trust_sources from = sources();
	struct verdict verdict;
	(void)state;
	unlink("other.crl");
	write_crls(CRL(.number = 5), CRL(.number = 1));
	write_crl("other.crl", CRL(.number = 6), LEVEL_ROOT);
	write_crl("other.crl", CRL(.number = 2, .serials = "13"), LEVEL_MIDDLE);
	struct trust *alone = load(&from, NULL);
	struct identity *identity = verify(alone, &leaf, &verdict);
	assert_non_null(identity);
	struct crl_catalogue *all = catalogue();
	assert_true(trust_is_behind(alone, all, NOW));
	from.catalogue = all;
	struct trust *trust = load(&from, NULL);
	assert_int_equal(trust_crl_count(trust), 2);
	assert_null(verify(trust, &leaf, &verdict));
	assert_int_equal(verdict.code, VERIFY_REVOKED);
	assert_false(trust_is_behind(trust, all, NOW));
	identity_release(identity);
	trust_release(alone);
	trust_release(trust);
	crl_catalogue_free(all);
}

static void
one_of_two_files_may_be_replaced(void **state)
{
	struct trust_sources from = sources();
	(void)state;
	unlink("other.crl");
	assert_int_equal(mkdir("two", 0700), 0);
	from.state_dir = "two";
	write_crls(CRL(.number = 6), CRL(.number = 1));	/* as the other key's set has seen it */
	trust_release(load(&from, NULL));
	write_crls(CRL(.number = 5), CRL(.number = 1));
	write_crl("other.crl", CRL(.number = 6), LEVEL_ROOT);
	refuses_to_load(&from, NULL, "rollback: number 05 of ");
	struct crl_catalogue *all = catalogue();
	from.catalogue = all;
	trust_release(load(&from, NULL));
	crl_catalogue_free(all);
	unlink("other.crl");
	write_crl("other.crl", CRL(.number = 5), LEVEL_ROOT);	/* older in every file */
	from.catalogue = all = catalogue();
	refuses_to_load(&from, NULL, "no file has a newer one (rollback: number 05 of ");
	crl_catalogue_free(all);
}

static void
what_is_wrong_with_another_file_is_not_our_fault(void **state)
{
	struct trust_sources from = sources();
	struct verdict verdict;
	static const struct crl_recipe bad[] = { { .number = 9, .damage = true, .serials = "13" },
		{ .number = 9, .from = 1, .serials = "13" }, { .number = 9, .odd = ODD_DELTA, .serials = "13" },
		{ .number = 9, .signer = KEY_STRANGER, .pretends = true, .serials = "13" },
		{ .number = 9, .odd = ODD_ENTRY_CRITICAL, .serials = "13" } };
	(void)state;
	write_crls(CRL(0), CRL(.number = 1));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		unlink("other.crl");
		write_crl("other.crl", bad[i], LEVEL_MIDDLE);
		struct crl_catalogue *all = catalogue();
		from.catalogue = all;
		struct trust *trust = load(&from, NULL);
		struct identity *identity = verify(trust, &leaf, &verdict);
		assert_non_null(identity);
		identity_release(identity);
		trust_release(trust);
		crl_catalogue_free(all);
	}
}

static void
a_waiting_crl_has_newer_ones_elsewhere_too(void **state)
{
	struct trust_sources from = sources();
	struct verdict verdict;
	(void)state;
	unlink("other.crl");
	write_crls(CRL(0), CRL(0));
	write_crl("crls.pem", CRL(.number = 4), LEVEL_SUB);
	write_crl("other.crl", CRL(.number = 5, .serials = "13"), LEVEL_SUB);
	struct crl_catalogue *all = catalogue();
	struct trust *trust = load(&from, NULL);
	struct identity *identity = verify(trust, &sub_leaf, &verdict);
	assert_non_null(identity);
	identity_release(identity);
	trust_release(trust);
	from.catalogue = all;
	trust = load(&from, NULL);
	assert_null(verify(trust, &sub_leaf, &verdict));
	assert_int_equal(verdict.code, VERIFY_REVOKED);
	trust_release(trust);
	crl_catalogue_free(all);
}

static void
a_check_reads_the_numbers_and_keeps_none(void **state)
{
	struct trust_sources from = sources();
	(void)state;
	assert_int_equal(mkdir("checked", 0700), 0);
	from.state_dir = "checked";
	from.keeps_nothing = true;
	write_crls(CRL(0), CRL(.number = 9));
	trust_release(load(&from, NULL));
	assert_int_equal(access("checked/crl-numbers", F_OK), -1);
	from.keeps_nothing = false;
	trust_release(load(&from, NULL));
	assert_int_equal(access("checked/crl-numbers", F_OK), 0);
	from.keeps_nothing = true;
	write_crls(CRL(0), CRL(.number = 8));
	refuses_to_load(&from, NULL, "rollback");
}

static void
the_number_of_a_crl_that_waited_is_kept(void **state)
{
	struct trust_sources from = sources();
	char error[TRUST_ERROR];
	struct verdict verdict;
	(void)state;
	assert_int_equal(mkdir("waited", 0700), 0);
	from.state_dir = "waited";
	write_crls(CRL(0), CRL(0));
	write_crl("crls.pem", CRL(.number = 4), LEVEL_SUB);
	struct trust *trust = load(&from, NULL);
	identity_release(verify(trust, &sub_leaf, &verdict));
	assert_int_equal(verdict.code, VERIFY_OK);
	assert_true(trust_keep_revoked(trust, error));	/* as every second */
	trust_release(trust);
	write_crls(CRL(0), CRL(0));
	write_crl("crls.pem", CRL(.number = 3), LEVEL_SUB);
	trust = load(&from, NULL);	/* after a restart */
	assert_null(verify(trust, &sub_leaf, &verdict));
	assert_int_equal(verdict.code, VERIFY_CRL_REFUSED);
	trust_release(trust);
}

/* ---- several parties, a file each ---- */

static void
put_crl(const char *file, struct crl_recipe recipe, enum level level)
{
	unlink(file);
	if (!recipe.absent)
		write_crl(file, recipe, level);
}

/* The root's CRL is in root.crl, that of the CA in the middle in middle.crl. */
static struct trust_sources
parties(void)
{
	static const char *const files[] = { "root.crl", "middle.crl" };
	struct trust_sources from = sources();
	from.crl_files = files;
	from.crl_count = 2;
	put_crl("root.crl", CRL(.number = 5), LEVEL_ROOT);
	put_crl("middle.crl", CRL(.number = 1), LEVEL_MIDDLE);
	return from;
}

static void
a_refused_file_does_not_hold_off_what_another_party_revokes(void **state)
{
	static const struct {
		struct crl_recipe crl;
		const char *why;
	} rows[] = {
		{ { .absent = true }, "root.crl" },
		{ { .number = 6, .damage = true }, "is not signed by the key of its issuer" },
		{ { .number = 6, .from = 1 }, "is from the future" },
		{ { .number = 6, .odd = ODD_DELTA }, "root.crl" },
		{ { .number = 4 }, "rollback" },
	};
	struct trust_sources from = parties();
	struct verdict verdict;
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		from = parties();
		struct trust *before = load(&from, NULL);
		struct identity *identity = verify(before, &leaf, &verdict);
		assert_non_null(identity);
		put_crl("root.crl", rows[i].crl, LEVEL_ROOT);
		struct trust *kept = keeps_at(&from, before, 1, rows[i].why);
		assert_true(identity_judge_again(identity, kept, NOW, &verdict));
		put_crl("middle.crl", CRL(.number = 2, .serials = "13", .reason = 7), LEVEL_MIDDLE);
		struct trust *after = keeps_at(&from, kept, 1, rows[i].why);	/* what was kept is kept */
		judges_again_as(identity, after, VERIFY_REVOKED, "certificateHold");
		assert_int_equal(trust_crl_count(after), 2);
		assert_null(trust_doubt(after));
		put_crl("root.crl", CRL(.number = 7), LEVEL_ROOT);
		struct trust *mended = keeps_at(&from, after, 0, NULL);
		is_held(mended, &leaf);
		identity_release(identity);
		trust_release(before);
		trust_release(kept);
		trust_release(after);
		trust_release(mended);
	}
}

static void
what_a_refused_file_has_revoked_stays_so(void **state)
{
	struct trust_sources from = parties();
	(void)state;
	put_crl("middle.crl", CRL(.number = 1, .serials = "13", .reason = 7), LEVEL_MIDDLE);
	struct trust *before = load(&from, NULL);
	forge_write("middle.crl", "garbage", 7);
	put_crl("root.crl", CRL(.number = 6), LEVEL_ROOT);
	struct trust *after = keeps_at(&from, before, 1, "middle.crl");
	trust_release(before);
	is_held(after, &leaf);
	assert_true(has_warning(after, "the CRLs that this file had before stay in force"));
	forge_write("root.crl", "garbage", 7);
	struct trust *both = keeps_at(&from, after, 2, "root.crl");
	trust_release(after);
	is_held(both, &leaf);
	trust_release(both);
}

static void
a_kept_crl_ends_as_it_would_have(void **state)
{
	struct trust_sources from = parties();
	struct verdict verdict;
	struct der chain[] = { forged_der(&leaf) };
	(void)state;
	from.expired = CRL_EXPIRED_REJECT;
	put_crl("middle.crl", CRL(.number = 1, .from = -3, .to = 1), LEVEL_MIDDLE);
	struct trust *before = load(&from, NULL);
	forge_write("middle.crl", "garbage", 7);
	struct trust *after = keeps_at(&from, before, 1, "middle.crl");
	struct identity *identity = verify(after, &leaf, &verdict);
	assert_non_null(identity);
	assert_null(verify_chain(after, ROLE_AGENT, chain, 1, NULL, NOW + 3 * DAY, &verdict));
	assert_int_equal(verdict.code, VERIFY_CRL_EXPIRED);
	identity_release(identity);
	trust_release(before);
	trust_release(after);
}

static void
a_file_that_is_no_longer_named_keeps_nothing_and_a_new_one_has_nothing(void **state)
{
	static const char *const wrong[] = { "root.crl", "middle.crl", "absent.crl" };
	struct trust_sources from = parties();
	struct verdict verdict;
	(void)state;
	struct trust *before = load(&from, NULL);
	from.crl_files = wrong;
	from.crl_count = 3;
	refuses_to_load(&from, before, "absent.crl");
	from.crl_count = 1;
	struct trust *after = keeps_at(&from, before, 0, NULL);
	assert_null(verify(after, &leaf, &verdict));
	assert_int_equal(verdict.code, VERIFY_CRL_MISSING);
	trust_release(before);
	trust_release(after);
}

static void
a_refused_file_keeps_the_crls_that_wait_for_their_issuer(void **state)
{
	static const char *const files[] = { "root.crl", "middle.crl", "sub.crl" };
	(void)state;
	for (int was_judged = 0; was_judged < 2; was_judged++) {
		struct trust_sources from = parties();
		from.crl_files = files;
		from.crl_count = 3;
		put_crl("sub.crl", CRL(.number = 4, .serials = "13", .reason = 7), LEVEL_SUB);
		struct trust *before = load(&from, NULL);
		if (was_judged)
			is_held(before, &sub_leaf);
		forge_write("sub.crl", "garbage", 7);
		struct trust *kept = keeps_at(&from, before, 1, "sub.crl");
		is_held(before, &sub_leaf);	/* while both are in use */
		is_held(kept, &sub_leaf);
		trust_release(before);
		struct trust *after = keeps_at(&from, kept, 1, "sub.crl");
		trust_release(kept);
		is_held(after, &sub_leaf);
		trust_release(after);
	}
}

static void
an_older_crl_of_a_refused_file_does_not_come_back(void **state)
{
	static const char *const files[] = { "root.crl", "middle.crl", "copy.crl" };
	struct trust_sources from = parties();
	(void)state;
	from.crl_files = files;
	from.crl_count = 3;
	put_crl("middle.crl", CRL(.number = 2, .serials = "13", .reason = 7), LEVEL_MIDDLE);
	put_crl("copy.crl", CRL(.number = 1), LEVEL_MIDDLE);
	struct trust *before = load(&from, NULL);
	is_held(before, &leaf);
	forge_write("middle.crl", "garbage", 7);	/* the only file with the newer one */
	struct trust *after = keeps_at(&from, before, 1, "middle.crl");
	is_held(after, &leaf);
	trust_release(before);
	trust_release(after);
}

/* ---- the clock ---- */

static void
a_clock_that_is_behind_is_told_with_both_times(void **state)
{
	struct trust_sources from = sources();
	(void)state;
	from.now = NOW - 30 * DAY;
	write_crls(CRL(0), CRL(.number = 1));
	refuses_to_load(&from, NULL, "from the future: it begins on 2027-01-14T08:00:00Z (thisUpdate), and the clock "
		"says 2026-12-16T08:00:00Z; is the clock right?");
	from.now = 0;
	assert_int_equal(mkdir("clock", 0700), 0);
	from.state_dir = "clock";
	from.now = NOW;
	trust_release(load(&from, NULL));
	from.now = NOW - 30 * DAY;	/* an older CRL, which is not what is wrong */
	write_crls(CRL(.from = -60, .to = 0), CRL(.number = 1, .from = -60, .to = 0));
	refuses_to_load(&from, NULL, "a CRL of 2027-01-14T08:00:00Z was in force here before, by crl-numbers in clock, "
		"and the clock says 2026-12-16T08:00:00Z; is the clock right?");
}

static void
a_ca_that_has_not_begun_is_told_of(void **state)
{
	static const struct recipe later = { .from = 2 };
	static const char *files[1] = { "later.pem" };
	struct trust_sources from = sources();
	struct forged ca;
	(void)state;
	forge_certificate(&ca, &later, LEVEL_ROOT, LEVEL_ROOT, "");
	forge_append_pem("later.pem", "CERTIFICATE", &ca);
	from.ca_files = files;
	from.crls_configured = false;
	struct trust *trust = load(&from, NULL);
	assert_true(has_warning(trust, "begins on 2027-01-17T08:00:00Z, and the clock says 2027-01-15T08:00:00Z; is the "
		"clock right?"));
	trust_release(trust);
	from.now = NOW + 3 * DAY;
	trust = load(&from, NULL);
	assert_false(has_warning(trust, "begins on"));
	trust_release(trust);
}

static void
who_waits_for_the_clock_believes_nobody_meanwhile(void **state)
{
	struct trust_sources from = sources();
	struct verdict verdict;
	(void)state;
	from.now = NOW - 30 * DAY;
	from.waits_for_clock = true;
	write_crls(CRL(0), CRL(.number = 1));
	struct trust *waiting = load(&from, NULL);
	assert_non_null(strstr(trust_doubt(waiting), "is the clock right?"));
	assert_null(verify(waiting, &leaf, &verdict));
	assert_int_equal(verdict.code, VERIFY_CLOCK_DOUBTED);
	assert_int_equal(verdict.alert, 80);
	assert_non_null(strstr(verdict.sentence, "nothing can be judged: "));
	assert_non_null(strstr(verdict.sentence, "is the clock right?"));
	forge_note(verdict.sentence);
	from.waits_for_clock = false;	/* who has waited goes on waiting */
	struct trust *still = load(&from, waiting);
	assert_non_null(trust_doubt(still));
	from.now = NOW;			/* somebody sets the clock */
	struct trust *sound = load(&from, still);
	assert_null(trust_doubt(sound));
	struct identity *identity = verify(sound, &leaf, &verdict);
	assert_non_null(identity);
	judges_again_as(identity, waiting, VERIFY_CLOCK_DOUBTED, "cannot be judged: ");
	from.waits_for_clock = true;	/* where a sound one is in force, that stays */
	from.now = NOW - 30 * DAY;
	refuses_to_load(&from, sound, "is the clock right?");
	identity_release(identity);
	trust_release(waiting);
	trust_release(still);
	trust_release(sound);
}

static void
who_waits_for_the_clock_waits_for_nothing_else(void **state)
{
	struct trust_sources from = sources();
	(void)state;
	from.waits_for_clock = true;
	write_crls(CRL(0), CRL(.number = 1, .damage = true));
	refuses_to_load(&from, NULL, "forged");
	assert_int_equal(mkdir("waits", 0700), 0);
	from.state_dir = "waits";
	write_crls(CRL(0), CRL(.number = 9));
	trust_release(load(&from, NULL));
	write_crls(CRL(0), CRL(.number = 8));
	refuses_to_load(&from, NULL, "rollback");
}

static void
judges_a_waiting_crl_when_its_issuer_comes(void **state)
{
	struct trust_sources from = sources();
	struct verdict verdict;
	struct forged crl;
	(void)state;
	static const struct crl_recipe none = { .number = 4 }, listed = { .number = 5, .serials = "13" };
	static const struct crl_recipe older = { .number = 3 };
	write_crls(CRL(0), CRL(0));
	crl_files[1] = "sub.crl";
	from.crl_count = 2;
	forge_crl(&crl, &none, LEVEL_SUB);
	forge_write("sub.crl", crl.data, crl.bytes);	/* DER */
	struct trust *before = load(&from, NULL);
	assert_null(trust_warning(before, 0));	/* every bundle of valise-pki has such CRLs */
	struct identity *identity = verify(before, &sub_leaf, &verdict);
	assert_non_null(identity);
	forge_crl(&crl, &listed, LEVEL_SUB);
	forge_write("sub.crl", crl.data, crl.bytes);
	struct trust *after = load(&from, before);
	assert_false(identity_judge_again(identity, after, NOW, &verdict));
	assert_int_equal(verdict.code, VERIFY_REVOKED);
	forge_crl(&crl, &older, LEVEL_SUB);
	forge_write("sub.crl", crl.data, crl.bytes);
	struct trust *rolled_back = load(&from, before);
	assert_null(verify(rolled_back, &sub_leaf, &verdict));
	identity_release(identity);
	trust_release(before);
	trust_release(after);
	trust_release(rolled_back);
	crl_files[1] = NULL;
}

static void
tells_why_a_waiting_crl_is_refused(void **state)
{
	static const struct {
		struct recipe sub;
		struct crl_recipe crl;
		const char *why;
	} rows[] = {
		{ { 0 }, { .number = 3 }, "in sub.crl is older than one already seen (rollback of its number)" },
		{ { 0 }, { .damage = true }, "in sub.crl is not signed by the key of its issuer" },
		{ { 0 }, { .odd = ODD_ENTRY_CRITICAL, .serials = "55" }, "in sub.crl has an entry that is malformed, or critical" },
		{ { .usage = 0x04 }, { 0 }, "in sub.crl is of a CA whose keyUsage does not let it sign CRLs" },
	};
	struct trust_sources from = sources();
	static const struct crl_recipe newer = { .number = 4 };
	struct verdict verdict;
	struct forged crl;
	(void)state;
	write_crls(CRL(0), CRL(0));
	crl_files[1] = "sub.crl";
	from.crl_count = 2;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		forge_crl(&crl, &newer, LEVEL_SUB);
		forge_write("sub.crl", crl.data, crl.bytes);
		struct trust *before = load(&from, NULL);
		struct identity *identity = verify(before, &sub_leaf, &verdict);
		assert_non_null(identity);
		forge_crl(&crl, &rows[i].crl, LEVEL_SUB);
		forge_write("sub.crl", crl.data, crl.bytes);
		forge_certificate(&sub, &rows[i].sub, LEVEL_SUB, LEVEL_MIDDLE, "");
		struct trust *after = load(&from, before);
		assert_null(verify(after, &sub_leaf, &verdict));
		assert_int_equal(verdict.code, VERIFY_CRL_REFUSED);
		if (!strstr(verdict.sentence, rows[i].why))
			fail_msg("\"%s\" is not in: %s", rows[i].why, verdict.sentence);
		forge_note(verdict.sentence);
		identity_release(identity);
		trust_release(before);
		trust_release(after);
		forge_certificate(&sub, &rows[0].sub, LEVEL_SUB, LEVEL_MIDDLE, "");
	}
	crl_files[1] = NULL;
}

static void
judges_again_by_the_cas_listed_now(void **state)
{
	struct trust_sources from = sources();
	struct verdict verdict;
	static const char *other[1] = { "other.pem" };
	static const struct recipe stranger = { .subject = "stranger", .issuer = "stranger", .key = KEY_STRANGER,
		.signer = KEY_STRANGER }, rival = { .subject = "rival", .key = KEY_STRANGER };
	struct forged certificate;
	(void)state;
	from.crls_configured = false;
	struct trust *before = load(&from, NULL);
	struct identity *identity = verify(before, &leaf, &verdict);
	assert_non_null(identity);
	forge_certificate(&certificate, &stranger, LEVEL_ROOT, LEVEL_ROOT, "");
	forge_append_pem("other.pem", "CERTIFICATE", &certificate);
	from.ca_files = other;
	struct trust *after = load(&from, before);
	judges_again_as(identity, after, VERIFY_UNKNOWN_CA, "is not listed in agent_cas any more");
	trust_release(after);
	forge_append_pem("other.pem", "CERTIFICATE", &root);
	after = load(&from, before);
	assert_true(identity_judge_again(identity, after, NOW, &verdict));
	trust_release(after);
	forge_certificate(&certificate, &rival, LEVEL_MIDDLE, LEVEL_ROOT, "");
	forge_append_pem("other.pem", "CERTIFICATE", &certificate);
	after = load(&from, before);	/* narrowed to the rival */
	judges_again_as(identity, after, VERIFY_UNKNOWN_CA, "passes through no sub-CA that agent_cas lists now");
	trust_release(after);
	assert_false(identity_judge_again(identity, before, identity_not_after(identity) + 1, &verdict));
	assert_int_equal(verdict.code, VERIFY_EXPIRED);
	identity_release(identity);
	trust_release(before);
}

/* Two roots, each with one listed sub-CA; the first has signed the second, too. */
static const struct recipe second = { .subject = "stranger", .issuer = "stranger", .key = KEY_STRANGER,
	.signer = KEY_STRANGER };
static const struct recipe of_second = { .issuer = "stranger", .signer = KEY_STRANGER };
static const struct recipe other_of_second = { .subject = "other", .issuer = "stranger", .key = KEY_ED25519,
	.signer = KEY_STRANGER };
static const struct recipe leaf_of_other = { .issuer = "other", .signer = KEY_ED25519 };
static const struct recipe leaf_of_second = { .issuer = "stranger", .signer = KEY_STRANGER };

static void
append_ca(const char *file, const struct recipe *recipe, enum level level, struct forged *out)
{
	forge_certificate(out, recipe, level, LEVEL_ROOT, "");
	forge_append_pem(file, "CERTIFICATE", out);
}

static struct trust *
load_two_roots(const char *file)
{
	struct trust_sources from = sources();
	ca_files[0] = file;
	from.crls_configured = false;
	from.crl_count = 0;
	return load(&from, NULL);
}

static enum verify_code
judge_three(struct trust *trust, const struct forged *a, const struct forged *b, const struct forged *c)
{
	struct der chain[] = { forged_der(a), forged_der(b), forged_der(c) };
	struct verdict verdict;
	identity_release(verify_chain(trust, ROLE_AGENT, chain, 3, NULL, NOW, &verdict));
	return verdict.code;
}

static void
a_root_signed_by_another_is_no_way_past_their_sub_cas(void **state)
{
	const struct recipe crossed = { .subject = "stranger", .key = KEY_STRANGER };
	struct forged ca, cross, other, end;
	(void)state;
	forge_append_pem("two.pem", "CERTIFICATE", &root);
	forge_append_pem("two.pem", "CERTIFICATE", &middle);
	append_ca("two.pem", &second, LEVEL_ROOT, &ca);
	append_ca("two.pem", &of_second, LEVEL_SUB, &ca);
	forge_certificate(&cross, &crossed, LEVEL_MIDDLE, LEVEL_ROOT, "");
	forge_certificate(&other, &other_of_second, LEVEL_MIDDLE, LEVEL_ROOT, "");
	forge_certificate(&end, &leaf_of_other, LEVEL_LEAF, LEVEL_ROOT, "agent,client");
	struct trust *trust = load_two_roots("two.pem");
	assert_int_equal(judge_three(trust, &end, &other, &cross), VERIFY_UNKNOWN_CA);
	trust_release(trust);
}

static void
a_sub_ca_narrows_its_root_listed_behind_a_cross_certificate(void **state)
{
	const struct recipe crossed = { .subject = "stranger", .key = KEY_STRANGER, .from = -90, .to = -1 };
	struct forged ca, other, end;
	(void)state;
	append_ca("cross.pem", &crossed, LEVEL_MIDDLE, &ca);
	append_ca("cross.pem", &of_second, LEVEL_SUB, &ca);
	append_ca("cross.pem", &second, LEVEL_ROOT, &ca);
	forge_append_pem("cross.pem", "CERTIFICATE", &root);
	forge_certificate(&other, &other_of_second, LEVEL_MIDDLE, LEVEL_ROOT, "");
	forge_certificate(&end, &leaf_of_other, LEVEL_LEAF, LEVEL_ROOT, "agent,client");
	struct trust *trust = load_two_roots("cross.pem");
	assert_int_not_equal(judge_three(trust, &end, &other, &other), VERIFY_OK);
	trust_release(trust);
}

static void
an_old_cross_certificate_ends_nobody(void **state)
{
	const struct recipe crossed = { .subject = "stranger", .key = KEY_STRANGER, .from = -90, .to = -1 };
	struct forged ca, end;
	struct verdict verdict;
	(void)state;
	append_ca("old.pem", &crossed, LEVEL_MIDDLE, &ca);
	forge_append_pem("old.pem", "CERTIFICATE", &root);
	append_ca("old.pem", &second, LEVEL_ROOT, &ca);
	forge_certificate(&end, &leaf_of_second, LEVEL_LEAF, LEVEL_ROOT, "agent,client");
	struct trust *trust = load_two_roots("old.pem");
	struct der chain[] = { forged_der(&end) };
	struct identity *identity = verify_chain(trust, ROLE_AGENT, chain, 1, NULL, NOW, &verdict);
	assert_non_null(identity);
	assert_true(identity_judge_again(identity, trust, NOW, &verdict));
	identity_release(identity);
	trust_release(trust);
}

static void
sees_that_files_changed(void **state)
{
	struct trust_sources from = sources();
	struct trust_stamp seen = {0};
	(void)state;
	write_crls(CRL(0), CRL(0));
	assert_true(trust_files_changed(&from, &seen));
	assert_false(trust_files_changed(&from, &seen));
	write_crls(CRL(0), CRL(0));
	assert_int_equal(utimensat(AT_FDCWD, "crls.pem", (struct timespec[]){ { .tv_sec = 1 }, { .tv_sec = 1 } }, 0), 0);
	assert_true(trust_files_changed(&from, &seen));
	assert_false(trust_files_changed(&from, &seen));
	unlink("crls.pem");
	assert_true(trust_files_changed(&from, &seen));
	assert_false(trust_files_changed(&from, &seen));
}

static void
names_the_file_that_is_bad(void **state)
{
	struct trust_sources from = sources();
	(void)state;
	unlink("crls.pem");
	refuses_to_load(&from, NULL, "crls.pem");
	forge_write("crls.pem", "", 0);
	refuses_to_load(&from, NULL, "crls.pem");
	forge_append_pem("crls.pem", "CERTIFICATE", &root);
	refuses_to_load(&from, NULL, "holds no CRL");
	static const char *none[1] = { "absent.pem" };
	from.ca_files = none;
	refuses_to_load(&from, NULL, "absent.pem");
	from.ca_count = 0;
	refuses_to_load(&from, NULL, "agent_cas");
}

/* What `check` makes its exit code of. */
static void
tells_soon_from_ended(void **state)
{
	static const struct {
		int to;
		enum crl_expired expired;
		enum trust_outlook outlook;
	} rows[] = {
		{ 20, CRL_EXPIRED_GRACE, TRUST_LASTS },
		{ 2, CRL_EXPIRED_GRACE, TRUST_ENDS_SOON },
		{ -2, CRL_EXPIRED_GRACE, TRUST_HAS_ENDED },	/* the grace is a day */
		{ -2, CRL_EXPIRED_ALLOW, TRUST_ENDS_SOON },
		{ -2, CRL_EXPIRED_REJECT, TRUST_HAS_ENDED },
	};
	struct trust_sources from = sources();
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		write_crls(CRL(.to = rows[i].to, .from = -13), CRL(.to = 20, .from = -1));
		from.expired = rows[i].expired;
		struct trust *trust = load(&from, NULL);
		assert_int_equal(trust_outlook(trust), rows[i].outlook);
		trust_release(trust);
	}
	from.grace_s = 3 * DAY;
	from.expired = CRL_EXPIRED_GRACE;
	struct trust *trust = load(&from, NULL);
	assert_int_equal(trust_outlook(trust), TRUST_ENDS_SOON);
	trust_release(trust);
}

/* Nobody loads it again meanwhile. */
static void
warns_of_the_crl_that_ends_first_as_time_goes_by(void **state)
{
	struct trust_sources from = sources();
	char sentence[TRUST_ERROR];
	(void)state;
	write_crls(CRL(.from = -1, .to = 30), CRL(.from = -1, .to = 14));
	struct trust *trust = load(&from, NULL);
	assert_null(trust_crl_warning(trust, NOW + 8 * DAY, sentence));
	assert_non_null(strstr(trust_crl_warning(trust, NOW + 10 * DAY, sentence), "the CRL of CN=middle ends on "));
	assert_non_null(strstr(trust_crl_warning(trust, NOW + 15 * DAY, sentence), "has ended on "));
	trust_release(trust);
	from.crls_configured = false;
	trust = load(&from, NULL);
	assert_null(trust_crl_warning(trust, NOW + 15 * DAY, sentence));
	trust_release(trust);
}

struct ends_seen {
	size_t cas, crls;
	int64_t crl_begins_s, crl_ends_s;
};

static void
see_end(void *arg, const struct trust_end *end)
{
	struct ends_seen *seen = arg;
	assert_int_equal(strncmp(end->name, "CN=", 3), 0);
	assert_true(end->begins_s < NOW && end->ends_s > NOW);
	if (!end->is_crl) {
		seen->cas++;
		return;
	}
	seen->crls++;
	if (strcmp(end->name, "CN=middle") != 0)
		return;
	seen->crl_begins_s = end->begins_s;
	seen->crl_ends_s = end->ends_s;
}

static void
tells_when_each_ca_and_crl_ends(void **state)
{
	struct trust_sources from = sources();
	struct ends_seen seen = { 0 };
	(void)state;
	write_crls(CRL(.from = -1, .to = 30), CRL(.from = -2, .to = 14));
	struct trust *trust = load(&from, NULL);
	trust_each_end(trust, see_end, &seen);
	assert_int_equal(seen.cas, 2);
	assert_int_equal(seen.crls, 2);
	assert_int_equal(seen.crl_begins_s, NOW - 2 * DAY);
	assert_int_equal(seen.crl_ends_s, NOW + 14 * DAY);
	trust_release(trust);
	from.crls_configured = false;
	trust = load(&from, NULL);
	seen = (struct ends_seen){ 0 };
	trust_each_end(trust, see_end, &seen);
	assert_int_equal(seen.cas, 2);
	assert_int_equal(seen.crls, 0);
	trust_release(trust);
}

static void
warns_of_what_will_bite(void **state)
{
	struct trust_sources from = sources();
	(void)state;
	write_crls(CRL(0), CRL(.absent = true));
	struct trust *trust = load(&from, NULL);
	assert_non_null(strstr(trust_warning(trust, 0), "no CRL of CN=middle"));
	assert_null(trust_warning(trust, 1));
	trust_release(trust);
	write_crls(CRL(0), CRL(.signer = KEY_STRANGER));
	trust = load(&from, NULL);
	assert_non_null(strstr(trust_warning(trust, 0), "the CRL of CN=middle names another key identifier"));
	assert_null(trust_warning(trust, 1));
	trust_release(trust);
	write_crls(CRL(.to = 1, .from = -13), CRL(.to = -1, .from = -13));
	trust = load(&from, NULL);
	assert_non_null(trust_warning(trust, 1));
	assert_int_equal(trust_next_update(trust), NOW - DAY);
	trust_release(trust);
	from.crls_configured = false;
	trust = load(&from, NULL);
	assert_non_null(strstr(trust_warning(trust, 0), "nothing is checked"));
	assert_int_equal(trust_crl_count(trust), 0);
	assert_int_equal(trust_ca_count(trust), 2);
	trust_release(trust);
}

static void *
judge_often(void *arg)
{
	struct trust *trust = arg;	/* a reference of our own */
	for (int i = 0; i < 40; i++) {
		struct verdict verdict;
		struct identity *identity = verify(trust, i % 2 ? &leaf : &sub_leaf, &verdict);
		struct identity *again = !identity ? NULL : identity_hold(identity);
		if (again)
			identity_judge_again(again, trust, NOW, &verdict);
		identity_release(again);
		identity_release(identity);
	}
	trust_release(trust);
	return NULL;
}

static void
serves_many_threads(void **state)
{
	struct trust_sources from = sources();
	struct forged crl;
	pthread_t threads[4];
	(void)state;
	static const struct crl_recipe recipe = { .number = 4 };
	write_crls(CRL(0), CRL(.serials = "13"));
	crl_files[1] = "sub.crl";
	from.crl_count = 2;
	forge_crl(&crl, &recipe, LEVEL_SUB);
	forge_write("sub.crl", crl.data, crl.bytes);
	struct trust *trust = load(&from, NULL);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, judge_often, trust_hold(trust)), 0);
	struct trust *next = load(&from, trust);
	trust_release(trust);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	trust_release(next);
	crl_files[1] = NULL;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_crl_ends_what_is_held),
		cmocka_unit_test(expiry_does_not_hide_a_revocation),
		cmocka_unit_test(a_serial_that_a_crl_drops_stays_revoked),
		cmocka_unit_test(what_was_found_revoked_stays_so_over_a_restart),
		cmocka_unit_test(a_damaged_file_of_revocations_is_told_and_what_can_be_read_of_it_counts),
		cmocka_unit_test(a_hold_ends_when_the_crl_drops_it),
		cmocka_unit_test(never_goes_back_to_an_older_crl),
		cmocka_unit_test(remembers_crl_numbers_in_its_state_directory),
		cmocka_unit_test(takes_the_newest_of_several_crls),
		cmocka_unit_test(what_another_file_has_newer_counts),
		cmocka_unit_test(one_of_two_files_may_be_replaced),
		cmocka_unit_test(what_is_wrong_with_another_file_is_not_our_fault),
		cmocka_unit_test(a_waiting_crl_has_newer_ones_elsewhere_too),
		cmocka_unit_test(a_check_reads_the_numbers_and_keeps_none),
		cmocka_unit_test(the_number_of_a_crl_that_waited_is_kept),
		cmocka_unit_test(a_refused_file_does_not_hold_off_what_another_party_revokes),
		cmocka_unit_test(what_a_refused_file_has_revoked_stays_so),
		cmocka_unit_test(a_kept_crl_ends_as_it_would_have),
		cmocka_unit_test(a_file_that_is_no_longer_named_keeps_nothing_and_a_new_one_has_nothing),
		cmocka_unit_test(a_refused_file_keeps_the_crls_that_wait_for_their_issuer),
		cmocka_unit_test(an_older_crl_of_a_refused_file_does_not_come_back),
		cmocka_unit_test(a_clock_that_is_behind_is_told_with_both_times),
		cmocka_unit_test(a_ca_that_has_not_begun_is_told_of),
		cmocka_unit_test(who_waits_for_the_clock_believes_nobody_meanwhile),
		cmocka_unit_test(who_waits_for_the_clock_waits_for_nothing_else),
		cmocka_unit_test(judges_a_waiting_crl_when_its_issuer_comes),
		cmocka_unit_test(tells_why_a_waiting_crl_is_refused),
		cmocka_unit_test(judges_again_by_the_cas_listed_now),
		cmocka_unit_test(a_root_signed_by_another_is_no_way_past_their_sub_cas),
		cmocka_unit_test(a_sub_ca_narrows_its_root_listed_behind_a_cross_certificate),
		cmocka_unit_test(an_old_cross_certificate_ends_nobody),
		cmocka_unit_test(sees_that_files_changed),
		cmocka_unit_test(names_the_file_that_is_bad),
		cmocka_unit_test(tells_soon_from_ended),
		cmocka_unit_test(warns_of_the_crl_that_ends_first_as_time_goes_by),
		cmocka_unit_test(tells_when_each_ca_and_crl_ends),
	cmocka_unit_test(warns_of_what_will_bite),
		cmocka_unit_test(serves_many_threads),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("trust", tests, set_up, tear_down);
}
