/* Tests of keys/digest_info: what the library itself encodes is read, and no other octets are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "keys/digest_info.h"

static const struct {
	gnutls_digest_algorithm_t digest;
	gnutls_sign_algorithm_t algorithm;
	unsigned bytes;
} cases[] = {
	{ GNUTLS_DIG_SHA256, GNUTLS_SIGN_RSA_SHA256, 32 },
	{ GNUTLS_DIG_SHA384, GNUTLS_SIGN_RSA_SHA384, 48 },
	{ GNUTLS_DIG_SHA512, GNUTLS_SIGN_RSA_SHA512, 64 },
};

/* By the library's own encoder. */
static gnutls_datum_t
encode(gnutls_digest_algorithm_t digest, unsigned bytes)
{
	static uint8_t hash[64];
	const gnutls_datum_t value = { hash, bytes };
	gnutls_datum_t out = { 0 };

	memset(hash, 0xa5, sizeof hash);
	assert_true(gnutls_encode_ber_digest_info(digest, &value, &out) >= 0);
	return out;
}

static void
reads_what_the_library_encodes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		gnutls_datum_t der = encode(cases[i].digest, cases[i].bytes);
		struct digest_info info;

		assert_true(digest_info_read(&info, der.data, der.size));
		assert_int_equal(info.algorithm, cases[i].algorithm);
		assert_int_equal(info.bytes, cases[i].bytes);
		assert_ptr_equal(info.digest, der.data + der.size - cases[i].bytes);
		gnutls_free(der.data);
	}
}

static void
reads_no_other_digest(void **state)
{
	static const struct {
		gnutls_digest_algorithm_t digest;
		unsigned bytes;
	} others[] = { { GNUTLS_DIG_MD5, 16 }, { GNUTLS_DIG_SHA1, 20 }, { GNUTLS_DIG_SHA224, 28 } };

	(void)state;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		gnutls_datum_t der = encode(others[i].digest, others[i].bytes);
		struct digest_info info;

		assert_false(digest_info_read(&info, der.data, der.size));
		gnutls_free(der.data);
	}
}

/* Bytes that a stranger would like to have signed as they are. */
static void
reads_no_octets_that_differ_in_one_place_or_length(void **state)
{
	gnutls_datum_t der = encode(GNUTLS_DIG_SHA256, 32);
	uint8_t longer[64] = { 0 };
	struct digest_info info;

	(void)state;
	for (unsigned i = 0; i < der.size - 32; i++) {
		der.data[i] ^= 1;
		assert_false(digest_info_read(&info, der.data, der.size));
		der.data[i] ^= 1;
	}
	for (unsigned bytes = 0; bytes < der.size; bytes++)
		assert_false(digest_info_read(&info, der.data, bytes));
	memcpy(longer, der.data, der.size);
	assert_false(digest_info_read(&info, longer, der.size + 1));
	assert_true(digest_info_read(&info, longer, der.size));
	gnutls_free(der.data);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_the_library_encodes),
		cmocka_unit_test(reads_no_other_digest),
		cmocka_unit_test(reads_no_octets_that_differ_in_one_place_or_length),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("keys/digest_info", tests, NULL, NULL);
}
