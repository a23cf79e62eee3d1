/* Tests of keys/key_store: what is signed verifies, and what is no digest is not signed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "keys/key_store.h"
#include "keys/key_kit.h"

static struct key_store *store;
static uint8_t storage[KEY_DATA_MOST];

static int
set_up(void **state)
{
	if (kit_set_up(state) < 0)
		return -1;
	kit_make("p256.key", KEY_P256);
	kit_make("ed25519.key", KEY_ED25519);
	kit_make("rsa.key", KEY_RSA2048);
	kit_make_pss("pss.key");
	store = key_store_new();
	return store ? 0 : -1;
}

static int
tear_down(void **state)
{
	key_store_free(store);
	return kit_tear_down(state);
}

static struct key_answer
ask_path(enum key_verb verb, const char *name)
{
	struct key_question question = { .verb = verb };
	struct key_answer answer;

	snprintf(question.path, sizeof question.path, "%s", kit_path(name));
	key_store_answer(store, &question, &answer, storage);
	return answer;
}

static uint64_t
open_key(const char *name)
{
	struct key_answer answer = ask_path(KEY_OPEN, name);

	assert_int_equal(answer.code, KEY_DONE);
	return answer.key;
}

static struct key_answer
ask_signature(uint64_t key, uint32_t algorithm, const void *data, size_t bytes)
{
	struct key_question question = {
		.verb = KEY_SIGN, .key = key, .algorithm = algorithm, .data = data, .bytes = bytes
	};
	struct key_answer answer;

	key_store_answer(store, &question, &answer, storage);
	return answer;
}

static enum key_code
close_key(uint64_t key)
{
	struct key_question question = { .verb = KEY_CLOSE, .key = key };
	struct key_answer answer;

	key_store_answer(store, &question, &answer, storage);
	return answer.code;
}

static bool
says(const struct key_answer *answer, const char *words)
{
	return memmem(answer->data, answer->bytes, words, strlen(words)) != NULL;
}

static const struct {
	const char *name;
	gnutls_sign_algorithm_t algorithm;
	gnutls_digest_algorithm_t digest; /* GNUTLS_DIG_UNKNOWN: the message itself */
} cases[] = {
	{ "p256.key", GNUTLS_SIGN_ECDSA_SHA256, GNUTLS_DIG_SHA256 },
	{ "p256.key", GNUTLS_SIGN_ECDSA_SHA384, GNUTLS_DIG_SHA384 },
	{ "p256.key", GNUTLS_SIGN_ECDSA_SHA512, GNUTLS_DIG_SHA512 },
	{ "p256.key", GNUTLS_SIGN_ECDSA_SECP256R1_SHA256, GNUTLS_DIG_SHA256 },
	{ "ed25519.key", GNUTLS_SIGN_EDDSA_ED25519, GNUTLS_DIG_UNKNOWN },
	{ "rsa.key", GNUTLS_SIGN_RSA_SHA256, GNUTLS_DIG_SHA256 },
	{ "rsa.key", GNUTLS_SIGN_RSA_SHA384, GNUTLS_DIG_SHA384 },
	{ "rsa.key", GNUTLS_SIGN_RSA_SHA512, GNUTLS_DIG_SHA512 },
	{ "rsa.key", GNUTLS_SIGN_RSA_PSS_RSAE_SHA256, GNUTLS_DIG_SHA256 },
	{ "rsa.key", GNUTLS_SIGN_RSA_PSS_RSAE_SHA384, GNUTLS_DIG_SHA384 },
	{ "rsa.key", GNUTLS_SIGN_RSA_PSS_RSAE_SHA512, GNUTLS_DIG_SHA512 },
	{ "pss.key", GNUTLS_SIGN_RSA_PSS_SHA256, GNUTLS_DIG_SHA256 },
	{ "pss.key", GNUTLS_SIGN_RSA_PSS_SHA512, GNUTLS_DIG_SHA512 },
};
enum { CASES = sizeof cases / sizeof *cases };

static const char text[] = "what is signed";

/* What is sent of the text for case i. */
static size_t
prepare(size_t i, uint8_t out[64])
{
	if (cases[i].digest == GNUTLS_DIG_UNKNOWN) {
		memcpy(out, text, sizeof text);
		return sizeof text;
	}
	assert_true(gnutls_hash_fast(cases[i].digest, text, sizeof text, out) >= 0);
	return gnutls_hash_get_len(cases[i].digest);
}

static void
signs_what_its_public_half_verifies(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASES; i++) {
		gnutls_pubkey_t public = kit_public(cases[i].name);
		const gnutls_datum_t data = { (uint8_t *)(uintptr_t)text, sizeof text };
		uint64_t key = open_key(cases[i].name);
		uint8_t sent[64];
		size_t bytes = prepare(i, sent);
		struct key_answer answer =
		    ask_signature(key, (uint32_t)cases[i].algorithm, sent, bytes);
		const gnutls_datum_t signature = { (uint8_t *)(uintptr_t)answer.data,
			(unsigned)answer.bytes };

		assert_int_equal(answer.code, KEY_DONE);
		assert_true(gnutls_pubkey_verify_data2(
				public, cases[i].algorithm, 0, &data, &signature) >= 0);
		assert_int_equal(close_key(key), KEY_DONE);
		gnutls_pubkey_deinit(public);
	}
}

static void
signs_no_bytes_that_are_not_a_whole_digest(void **state)
{
	uint8_t sent[65] = { 0 };

	(void)state;
	for (size_t i = 0; i < CASES; i++) {
		uint64_t key = open_key(cases[i].name);
		size_t right = prepare(i, sent);

		for (size_t bytes = 0; bytes < sizeof sent; bytes++) {
			struct key_answer answer =
			    ask_signature(key, (uint32_t)cases[i].algorithm, sent, bytes);
			bool is_fine = bytes == right || cases[i].digest == GNUTLS_DIG_UNKNOWN;

			if ((bytes % 16 == 0 || bytes == right) || !is_fine)
				assert_int_equal(answer.code, is_fine ? KEY_DONE : KEY_FORBIDDEN);
		}
		close_key(key);
	}
}

/* Not with SHA-1, not a padding of the asker's own, and not as a key of another kind. */
static void
signs_by_no_algorithm_that_is_not_the_keys(void **state)
{
	static const gnutls_sign_algorithm_t never[] = { GNUTLS_SIGN_UNKNOWN, GNUTLS_SIGN_RSA_RAW,
		GNUTLS_SIGN_RSA_SHA1, GNUTLS_SIGN_ECDSA_SHA1, GNUTLS_SIGN_RSA_MD5,
		GNUTLS_SIGN_RSA_SHA224, GNUTLS_SIGN_DSA_SHA256 };
	static const char *const names[] = { "p256.key", "ed25519.key", "rsa.key", "pss.key" };
	uint8_t sent[64] = { 0 };

	(void)state;
	for (size_t n = 0; n < 4; n++) {
		uint64_t key = open_key(names[n]);

		for (size_t i = 0; i < sizeof never / sizeof *never; i++)
			for (size_t bytes = 16; bytes <= 64; bytes += 4)
				assert_int_equal(
				    ask_signature(key, (uint32_t)never[i], sent, bytes).code,
				    KEY_FORBIDDEN);
		for (size_t i = 0; i < CASES; i++)
			if (strcmp(cases[i].name, names[n]) != 0)
				assert_int_equal(ask_signature(key, (uint32_t)cases[i].algorithm,
						     sent, prepare(i, sent))
						     .code,
				    KEY_FORBIDDEN);
		close_key(key);
	}
}

static void
knows_no_key_that_was_closed_or_never_opened(void **state)
{
	uint64_t one = open_key("p256.key"), other = open_key("rsa.key");
	uint8_t sent[32] = { 0 };

	(void)state;
	assert_true(one != other);
	assert_int_equal(close_key(one), KEY_DONE);
	assert_int_equal(ask_signature(one, GNUTLS_SIGN_ECDSA_SHA256, sent, 32).code, KEY_UNKNOWN);
	assert_int_equal(close_key(one), KEY_UNKNOWN);
	assert_int_equal(ask_signature(other, GNUTLS_SIGN_RSA_SHA256, sent, 32).code, KEY_DONE);
	assert_int_equal(
	    ask_signature(other + 1, GNUTLS_SIGN_RSA_SHA256, sent, 32).code, KEY_UNKNOWN);
	assert_int_equal(ask_signature(0, GNUTLS_SIGN_RSA_SHA256, sent, 32).code, KEY_UNKNOWN);
	close_key(other);
}

static void
opens_more_than_a_few_and_gives_their_places_again(void **state)
{
	enum { MANY = 300 };
	uint64_t keys[MANY];

	(void)state;
	for (size_t i = 0; i < MANY; i++)
		keys[i] = open_key("p256.key");
	assert_int_equal(close_key(keys[70]), KEY_DONE);
	assert_true(open_key("p256.key") == keys[70]);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(close_key(keys[i]), KEY_DONE);
}

/* Whatever name it is called by. */
static void
opens_no_key_that_waits_for_its_certificate(void **state)
{
	struct key_answer answer;

	(void)state;
	kit_make("own.key", KEY_P256);
	answer = ask_path(KEY_MAKE_NEXT, "own.key");
	assert_int_equal(answer.code, KEY_DONE);
	assert_int_equal(symlink("own.key.next", kit_path("harmless.key")), 0);
	answer = ask_path(KEY_OPEN, "own.key.next");
	assert_int_equal(answer.code, KEY_FORBIDDEN);
	assert_true(says(&answer, "for its request only"));
	assert_int_equal(ask_path(KEY_OPEN, "harmless.key").code, KEY_FORBIDDEN);
	assert_int_equal(ask_path(KEY_LOOK, "harmless.key").code, KEY_DONE);
	assert_int_equal(ask_path(KEY_PUT_NEXT, "own.key").code, KEY_DONE);
	close_key(open_key("own.key"));
}

static struct key_answer
ask_jws(uint64_t key, const char *input)
{
	struct key_question question = { .verb = KEY_SIGN_JWS,
		.key = key,
		.data = (const uint8_t *)input,
		.bytes = strlen(input) };
	struct key_answer answer;

	key_store_answer(store, &question, &answer, storage);
	return answer;
}

/* {"alg":"ES256","nonce":"n"} and {}; verified by the library. */
static void
signs_what_a_json_web_signature_is_made_over_with_an_accounts_key(void **state)
{
	static const char input[] = "eyJhbGciOiJFUzI1NiIsIm5vbmNlIjoibiJ9.e30";
	const gnutls_datum_t data = { (uint8_t *)(uintptr_t)input, sizeof input - 1 };
	gnutls_datum_t der = { 0 };
	struct key_answer answer;
	gnutls_pubkey_t public;
	uint64_t key;

	(void)state;
	kit_make("one.account", KEY_P256);
	answer = ask_path(KEY_OPEN, "one.account");
	assert_int_equal(answer.code, KEY_DONE);
	assert_int_equal(answer.bytes, 64);
	key = answer.key;
	answer = ask_jws(key, input);
	assert_int_equal(answer.code, KEY_DONE);
	assert_int_equal(answer.bytes, 64);
	const gnutls_datum_t r = { (uint8_t *)(uintptr_t)answer.data, 32 },
			     s = { (uint8_t *)(uintptr_t)answer.data + 32, 32 };
	assert_true(gnutls_encode_rs_value(&der, &r, &s) >= 0);
	public = kit_public("one.account");
	assert_true(
	    gnutls_pubkey_verify_data2(public, GNUTLS_SIGN_ECDSA_SHA256, 0, &data, &der) >= 0);
	gnutls_pubkey_deinit(public);
	gnutls_free(der.data);
	close_key(key);
}

static void
signs_nothing_else_with_an_accounts_key(void **state)
{
	static const char *const others[] = {
		"", ".", "e30.e30", "eyJhbGciOiJFUzI1NiIs",
		"eyJhbGciOiJFUzI1NiIsIm5vbmNlIjoibiJ9",         /* no payload */
		"eyJhbGciOiJFUzI1NiIsIm5vbmNlIjoibiJ9.e30.e30", /* one more part */
		"eyJhbGciOiJFUzI1NiIsIm5vbmNlIjoibiJ9.e30\n", "eyJhbGciOiJFUzI1NiIs.e3 0",
		"eyJhbGciOiJIUzI1NiIsIm5vbmNlIjoibiJ9.e30", /* HS256 */
		"                                                                TLS 1.3, server CertificateVerify"
	};
	uint8_t digest[32] = { 0 };
	uint64_t key, of_tls = open_key("p256.key");

	(void)state;
	kit_make("two.account", KEY_P256);
	assert_int_equal(symlink("two.account", kit_path("innocent.key")), 0);
	key = open_key("innocent.key");
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		assert_int_equal(ask_jws(key, others[i]).code, KEY_FORBIDDEN);
	assert_int_equal(
	    ask_signature(key, GNUTLS_SIGN_ECDSA_SHA256, digest, 32).code, KEY_FORBIDDEN);
	assert_int_equal(ask_path(KEY_REQUEST, "two.account").code, KEY_FORBIDDEN);
	assert_int_equal(ask_path(KEY_REQUEST, "innocent.key").code, KEY_FORBIDDEN);
	assert_int_equal(ask_jws(of_tls, "eyJhbGciOiJFUzI1NiIs.e30").code, KEY_FORBIDDEN);
	assert_int_equal(ask_jws(key + 1000, "eyJhbGciOiJFUzI1NiIs.e30").code, KEY_UNKNOWN);
	close_key(key);
	close_key(of_tls);
	kit_make("rsa.account", KEY_RSA2048);
	assert_int_equal(ask_path(KEY_OPEN, "rsa.account").code, KEY_REFUSED);
}

/* As behind `valise-pki serve`, which must not open an authority's files for the process in front. */
static void
a_closed_one_has_the_key_that_it_is_given_and_no_file(void **state)
{
	static const enum key_verb verbs[] = { KEY_LOOK, KEY_OPEN, KEY_MAKE, KEY_MAKE_NEXT,
		KEY_REQUEST, KEY_MAY_REPLACE, KEY_PUT_NEXT, KEY_DROP_NEXT, KEY_ADOPT };
	struct key_store *open_store = store;
	struct key_question question = { .verb = KEY_OPEN, .path = "own" };
	struct key_answer answer;
	struct secret pem, junk = { (uint8_t *)"junk", 4 };
	uint8_t digest[32] = { 0 };
	char error[FILE_ERROR];

	(void)state;
	assert_true(file_read_key(&pem, kit_path("p256.key"), 65536, error));
	store = key_store_new_closed();
	key_store_answer(store, &question, &answer, storage);
	assert_int_equal(answer.code, KEY_FORBIDDEN);
	assert_false(key_store_keep(store, "own", &junk));
	assert_true(key_store_keep(store, "own", &pem));
	key_store_answer(store, &question, &answer, storage);
	assert_int_equal(answer.code, KEY_DONE);
	assert_int_equal(
	    ask_signature(answer.key, GNUTLS_SIGN_ECDSA_SHA256, digest, 32).code, KEY_DONE);
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		assert_int_equal(ask_path(verbs[i], "p256.key").code, KEY_FORBIDDEN);
	key_store_free(store);
	store = open_store;
	secret_wipe(&pem);
}

static void
says_what_is_wrong_with_a_file(void **state)
{
	struct key_answer answer;
	char error[FILE_ERROR];

	(void)state;
	assert_true(file_create(kit_path("junk.key"), 0600, "junk", 4, error));
	answer = ask_path(KEY_OPEN, "junk.key");
	assert_int_equal(answer.code, KEY_REFUSED);
	assert_true(says(&answer, "an unencrypted private key in PEM must be"));
	answer = ask_path(KEY_LOOK, "absent.key");
	assert_int_equal(answer.code, KEY_REFUSED);
	assert_true(says(&answer, "absent.key"));
	kit_make("open.key", KEY_P256);
	assert_int_equal(chmod(kit_path("open.key"), 0644), 0);
	answer = ask_path(KEY_OPEN, "open.key");
	assert_int_equal(answer.code, KEY_REFUSED);
	assert_true(says(&answer, "chmod"));
}

static struct key_answer
ask_adoption(const char *old, const char *name)
{
	struct key_question question = { .verb = KEY_ADOPT, .data = (const uint8_t *)old };
	struct key_answer answer;

	question.bytes = strlen(old);
	snprintf(question.path, sizeof question.path, "%s", kit_path(name));
	key_store_answer(store, &question, &answer, storage);
	return answer;
}

/* A key and its chain, as ACME kept them in one file. */
static void
keep_both(const char *name)
{
	static const char chain[] =
	    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
	struct secret both = { 0 };
	char error[FILE_ERROR], content[4096];

	assert_true(file_read_key(&both, kit_path("p256.key"), sizeof content / 2, error));
	snprintf(content, sizeof content, "%.*s%s", (int)both.bytes, (char *)both.data, chain);
	assert_true(file_create(kit_path(name), 0600, content, strlen(content), error));
	secret_wipe(&both);
}

/* By the one who asks, who may have been taken over. */
static void
moves_nothing_but_what_acme_kept_to_its_folder_beside_it(void **state)
{
	static const struct {
		const char *old, *path;
		bool is_forbidden;
	} moves[] = {
		{ "acme/a.pem", "keys/a.key", false },
		{ "keys/web.pem", "open/web.key", true },          /* out of the keys */
		{ "acme/link.pem", "keys/link.key", true },        /* by a link */
		{ "open/acme/link.pem", "open/keys/a.key", true }, /* by a link to where he reads */
		{ "acme/b.pem", "open/b.key", true },
		{ "open/acme/b.pem", "keys/b.key", true },
		{ "acme/b.pem", "keys/web.pem.next", true }, /* one that he knows, into force */
		{ "acme/account-b.key", "keys/b.account.next", true },
		{ "acme/account-b.key", "open/b.account", true },
		{ "acme/account-b.key", "keys/b.account", false },
	};
	static const char *const folders[] = { "acme", "keys", "open", "open/acme", "open/keys" };
	static const char *const files[] = { "acme/a.pem", "acme/b.pem", "keys/web.pem",
		"open/acme/b.pem", "acme/account-b.key" };
	char old[PATH_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		assert_int_equal(mkdir(kit_path(folders[i]), 0700), 0);
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		keep_both(files[i]);
	assert_int_equal(symlink("../keys/web.pem", kit_path("acme/link.pem")), 0);
	assert_int_equal(symlink("../../keys/web.pem", kit_path("open/acme/link.pem")), 0);
	for (size_t i = 0; i < sizeof moves / sizeof *moves; i++) {
		struct key_answer answer;

		snprintf(old, sizeof old, "%s", kit_path(moves[i].old));
		answer = ask_adoption(old, moves[i].path);
		assert_int_equal(answer.code, moves[i].is_forbidden ? KEY_FORBIDDEN : KEY_DONE);
		assert_int_equal(
		    access(kit_path(moves[i].path), F_OK), moves[i].is_forbidden ? -1 : 0);
	}
}

static void
says_nothing_of_the_key_itself(void **state)
{
	static const enum key_verb verbs[] = { KEY_LOOK, KEY_OPEN, KEY_MAKE, KEY_MAKE_NEXT,
		KEY_REQUEST, KEY_MAY_REPLACE };
	gnutls_x509_privkey_t key = kit_read("p256.key");
	gnutls_ecc_curve_t curve;
	gnutls_datum_t x, y, scalar;

	(void)state;
	assert_true(gnutls_x509_privkey_export_ecc_raw(key, &curve, &x, &y, &scalar) >= 0);
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		struct key_answer answer = ask_path(verbs[i], "p256.key");

		assert_false(answer.bytes > 0 && says(&answer, "BEGIN"));
		assert_null(memmem(storage, sizeof storage, scalar.data + 1, scalar.size - 1));
	}
	gnutls_free(x.data);
	gnutls_free(y.data);
	gnutls_free(scalar.data);
	gnutls_x509_privkey_deinit(key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signs_what_its_public_half_verifies),
		cmocka_unit_test(signs_no_bytes_that_are_not_a_whole_digest),
		cmocka_unit_test(signs_by_no_algorithm_that_is_not_the_keys),
		cmocka_unit_test(knows_no_key_that_was_closed_or_never_opened),
		cmocka_unit_test(opens_more_than_a_few_and_gives_their_places_again),
		cmocka_unit_test(opens_no_key_that_waits_for_its_certificate),
		cmocka_unit_test(signs_what_a_json_web_signature_is_made_over_with_an_accounts_key),
		cmocka_unit_test(signs_nothing_else_with_an_accounts_key),
		cmocka_unit_test(a_closed_one_has_the_key_that_it_is_given_and_no_file),
		cmocka_unit_test(says_what_is_wrong_with_a_file),
		cmocka_unit_test(moves_nothing_but_what_acme_kept_to_its_folder_beside_it),
		cmocka_unit_test(says_nothing_of_the_key_itself),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("keys/key_store", tests, set_up, tear_down);
}
