/* Tests of pki/ca_list: a file of roots with an odd one among them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pki/forge.h"
#include "pki/trust.h"
#include "pki/verify.h"

static struct forged root, middle, leaf;

static int
set_up(void **state)
{
	static const struct recipe plain;
	(void)state;
	forge_certificate(&root, &plain, LEVEL_ROOT, LEVEL_ROOT, "");
	forge_certificate(&middle, &plain, LEVEL_MIDDLE, LEVEL_ROOT, "");
	forge_certificate(&leaf, &plain, LEVEL_LEAF, LEVEL_MIDDLE, "agent,client");
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	forge_clean();
	return 0;
}

/* By the certificates in "cas.pem". */
static struct trust *
load(char error[TRUST_ERROR])
{
	const char *files[] = { forge_path("cas.pem") };
	struct trust_sources from = { .ca_files = files, .ca_count = 1, .label = "agent_cas", .now = NOW };
	return trust_load(&from, NULL, error, TRUST_ERROR);
}

static bool
believes(struct trust *trust, const struct forged *which, struct verdict *verdict)
{
	struct der chain[] = { forged_der(which), forged_der(&middle) };
	struct identity *identity = verify_chain(trust, ROLE_AGENT, chain, 2, NULL, NOW, verdict);
	identity_release(identity);
	return identity != NULL;
}

static void
assert_says(const char *text, const char *part)
{
	if (!text || !strstr(text, part))
		fail_msg("\"%s\" is not in: %s", part, text ? text : "(nothing)");
	forge_note(text);
}

/* The warning that is not about CRLs. */
static const char *
warning(const struct trust *trust)
{
	return trust_warning(trust, 1);
}

#define OLD .subject = "old", .issuer = "old", .key = KEY_STRANGER, .signer = KEY_STRANGER

static const struct odd_root {
	struct recipe recipe;
	const char *why;
} odd_roots[] = {
	{ { OLD, .version_1 = true }, "certificate 2 (CN=old) is not of version 3" },
	{ { OLD, .version_1 = true, .sha1 = true }, "is not of version 3" },
	{ { OLD, .critical = true }, "has a critical extension that is not known here" },
	{ { OLD, .twice = true }, "has an extension twice" },
	{ { OLD, .two_algorithms = true }, "names two signature algorithms" },
	{ { OLD, .ca = NO }, "is not a CA certificate" },
	{ { OLD, .odd_extension = "2.5.29.30" }, "has malformed nameConstraints" },
	{ { OLD, .serial = "01000000000000000000000000000000000000000000" }, "serial number of more than 20 octets" },
};

/* Of level `level` under the one above it, into "cas.pem" beside others. */
static void
write_cas(const struct recipe *recipe, enum level level, const struct forged *beside)
{
	struct forged odd;
	unlink(forge_path("cas.pem"));
	forge_certificate(&odd, recipe, level, level == LEVEL_ROOT ? LEVEL_ROOT : (enum level)(level - 1), "");
	if (beside)
		forge_append_pem("cas.pem", "CERTIFICATE", beside);
	forge_append_pem("cas.pem", "CERTIFICATE", &odd);
}

static void
uses_the_rest_and_names_the_odd_one(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof odd_roots / sizeof *odd_roots; i++) {
		char error[TRUST_ERROR] = "";
		struct verdict verdict;
		write_cas(&odd_roots[i].recipe, LEVEL_ROOT, &root);
		struct trust *trust = load(error);
		if (!trust)
			fail_msg("%s", error);
		assert_int_equal(trust_ca_count(trust), 1);
		assert_says(warning(trust), odd_roots[i].why);
		assert_says(warning(trust), "passed over");
		assert_null(trust_warning(trust, 2));
		assert_true(believes(trust, &leaf, &verdict));
		trust_release(trust);
	}
}

static void
says_of_a_chain_that_its_root_is_passed_over(void **state)
{
	static const struct recipe by_old = { .issuer = "old", .signer = KEY_STRANGER, .wrong_key_id = "" };
	char error[TRUST_ERROR] = "";
	struct forged other;
	struct verdict verdict;
	(void)state;
	write_cas(&odd_roots[0].recipe, LEVEL_ROOT, &root);
	forge_certificate(&other, &by_old, LEVEL_LEAF, LEVEL_MIDDLE, "agent,client");
	struct trust *trust = load(error);
	assert_false(believes(trust, &other, &verdict));
	assert_int_equal(verdict.code, VERIFY_UNKNOWN_CA);
	assert_says(verdict.sentence, "its issuer stands there, but is passed over");
	trust_release(trust);
}

/* What might narrow, or what nobody meant, is no reason to go on. */
static void
refuses_what_is_no_odd_root(void **state)
{
	static const struct {
		struct recipe recipe;
		enum level level;
		bool alone;
		const char *why;
	} rows[] = {
		{ { .critical = true }, LEVEL_MIDDLE, false, "certificate 2 (CN=middle) has a critical extension" },
		{ { .subject = "root", .issuer = "root", .critical = true }, LEVEL_MIDDLE, false, "has a critical extension" },
		{ { 0 }, LEVEL_LEAF, false, "certificate 2 (CN=leaf) is not a CA certificate" },
		{ { OLD, .critical = true, .damage = true }, LEVEL_ROOT, false, "has a critical extension" },
		{ { OLD, .damage = true }, LEVEL_ROOT, false, "is damaged: its signature is wrong" },
		{ { OLD, .critical = true }, LEVEL_ROOT, true, "not known here, and no other CA stands there" },
		{ { OLD, .version_1 = true, .sha1 = true, .damage = true }, LEVEL_ROOT, false, "is not of version 3" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char error[TRUST_ERROR] = "";
		write_cas(&rows[i].recipe, rows[i].level, rows[i].alone ? NULL : &root);
		assert_null(load(error));
		assert_says(error, rows[i].why);
		assert_says(error, "cas.pem");
	}
}

static void
blames_the_root_that_is_passed_over_for_its_sub_ca(void **state)
{
	static const struct recipe odd = { .critical = true };
	char error[TRUST_ERROR] = "";
	(void)state;
	write_cas(&odd, LEVEL_ROOT, &middle);
	assert_null(load(error));
	assert_says(error, "certificate 2 (CN=root) has a critical extension that is not known here, and is the root of "
		"the sub-CA CN=middle");
}

/* A CA of the same name comes first, and its key does not fit. */
static void
tells_of_the_chain_that_stands_most_judgements(void **state)
{
	static const struct recipe namesake = { .subject = "middle", .issuer = "middle", .key = KEY_STRANGER,
		.signer = KEY_STRANGER, .wrong_key_id = "" };
	static const struct recipe ended = { .wrong_key_id = "", .from = -90, .to = -1 };
	char error[TRUST_ERROR] = "";
	struct forged other;
	struct verdict verdict;
	(void)state;
	write_cas(&namesake, LEVEL_ROOT, NULL);
	forge_append_pem("cas.pem", "CERTIFICATE", &root);
	forge_certificate(&other, &ended, LEVEL_LEAF, LEVEL_MIDDLE, "agent,client");
	struct trust *trust = load(error);
	if (!trust)
		fail_msg("%s", error);
	assert_false(believes(trust, &other, &verdict));
	assert_int_equal(verdict.code, VERIFY_EXPIRED);
	assert_true(verdict.is_vouched);
	trust_release(trust);
}

/* CAs of one name without key identifiers may stand in any order. */
static void
gives_up_on_cas_of_one_name(void **state)
{
	static const enum key keys[] = { KEY_ROOT, KEY_MIDDLE, KEY_SUB, KEY_LEAF, KEY_STRANGER, KEY_ED25519, KEY_P192, KEY_RSA };
	static const struct recipe by_namesake = { .issuer = "namesake", .wrong_key_id = "" };
	enum { NAMESAKES = sizeof keys / sizeof *keys };
	struct forged namesake[NAMESAKES], other;
	struct der chain[1 + NAMESAKES];
	char error[TRUST_ERROR] = "";
	struct verdict verdict;
	(void)state;
	forge_certificate(&other, &by_namesake, LEVEL_LEAF, LEVEL_MIDDLE, "agent,client");
	chain[0] = forged_der(&other);
	for (size_t i = 0; i < NAMESAKES; i++) {
		struct recipe one = { .subject = "namesake", .issuer = "namesake", .key = keys[i], .wrong_key_id = "" };
		forge_certificate(&namesake[i], &one, LEVEL_SUB, LEVEL_MIDDLE, "");
		chain[1 + i] = forged_der(&namesake[i]);
	}
	write_cas(&(struct recipe){ 0 }, LEVEL_ROOT, NULL);
	struct trust *trust = load(error);
	assert_null(verify_chain(trust, ROLE_AGENT, chain, 1 + NAMESAKES, NULL, NOW, &verdict));
	assert_int_equal(verdict.code, VERIFY_UNKNOWN_CA);
	assert_says(verdict.sentence, "more CAs of one name came with it than are tried");
	trust_release(trust);
}

/* A sub-CA may stand there for somebody else's sake. */
static void
a_sub_ca_narrows_unless_roots_count_alone(void **state)
{
	static const struct recipe rival = { .subject = "rival", .key = KEY_STRANGER };
	const char *files[] = { forge_path("cas.pem") };
	struct trust_sources from = { .ca_files = files, .ca_count = 1, .label = "agent_cas", .now = NOW };
	char error[TRUST_ERROR] = "";
	struct verdict verdict;
	(void)state;
	write_cas(&rival, LEVEL_MIDDLE, &root);
	struct trust *narrowed = trust_load(&from, NULL, error, TRUST_ERROR);
	assert_false(believes(narrowed, &leaf, &verdict));
	assert_int_equal(verdict.code, VERIFY_UNKNOWN_CA);
	from.roots_alone = true;
	struct trust *wide = trust_load(&from, NULL, error, TRUST_ERROR);
	assert_true(believes(wide, &leaf, &verdict));
	trust_release(narrowed);
	trust_release(wide);
}

/* RFC 4210, 4.4: who holds the old root alone believes what is below its next key, by the certificate that
 * the old key has signed for the new one. */
static void
a_root_may_hand_on_to_its_next_key(void **state)
{
	static const struct recipe new_with_old = { .subject = "root", .issuer = "root", .key = KEY_STRANGER, .signer = KEY_ROOT };
	static const struct recipe by_new = { .signer = KEY_STRANGER };
	char error[TRUST_ERROR] = "";
	struct forged next, below, end;
	struct verdict verdict;
	(void)state;
	write_cas(&(struct recipe){ 0 }, LEVEL_ROOT, NULL);
	forge_certificate(&next, &new_with_old, LEVEL_MIDDLE, LEVEL_ROOT, "");
	forge_certificate(&below, &by_new, LEVEL_MIDDLE, LEVEL_ROOT, "");
	forge_certificate(&end, &(struct recipe){ 0 }, LEVEL_LEAF, LEVEL_MIDDLE, "agent,client");
	struct der chain[] = { forged_der(&end), forged_der(&below), forged_der(&next) };
	struct trust *trust = load(error);
	struct identity *identity = verify_chain(trust, ROLE_AGENT, chain, 3, NULL, NOW, &verdict);
	if (!identity)
		fail_msg("%s", verdict.sentence);
	identity_release(identity);
	assert_null(verify_chain(trust, ROLE_AGENT, chain, 2, NULL, NOW, &verdict));
	trust_release(trust);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sub_ca_narrows_unless_roots_count_alone),
		cmocka_unit_test(a_root_may_hand_on_to_its_next_key),
		cmocka_unit_test(uses_the_rest_and_names_the_odd_one),
		cmocka_unit_test(says_of_a_chain_that_its_root_is_passed_over),
		cmocka_unit_test(refuses_what_is_no_odd_root),
		cmocka_unit_test(blames_the_root_that_is_passed_over_for_its_sub_ca),
		cmocka_unit_test(gives_up_on_cas_of_one_name),
		cmocka_unit_test(tells_of_the_chain_that_stands_most_judgements),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("ca_list", tests, set_up, tear_down);
}
