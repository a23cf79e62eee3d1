/* Tests of pki/ec_key: every EC private key is written with its full length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <gnutls/gnutls.h>

#include "pki/der.h"
#include "pki/ec_key.h"
#include "skip.h"

enum { KEYS = 2000 };

static gnutls_x509_privkey_t
make(gnutls_pk_algorithm_t algorithm, gnutls_ecc_curve_t curve)
{
	gnutls_x509_privkey_t key;
	assert_true(gnutls_x509_privkey_init(&key) >= 0);
	assert_true(gnutls_x509_privkey_generate(key, algorithm, GNUTLS_CURVE_TO_BITS(curve), 0) >= 0);
	return key;
}

/* The octets of the privateKey inside a PKCS#8 file in clear (RFC 5958, RFC 5915). */
static size_t
secret_octets(gnutls_x509_privkey_t key)
{
	gnutls_datum_t der;
	assert_true(gnutls_x509_privkey_export2_pkcs8(
			key, GNUTLS_X509_FMT_DER, NULL, GNUTLS_PKCS_PLAIN, &der) >= 0);
	struct cursor outer = der_over((struct der){ der.data, der.size });
	struct cursor in = der_enter(&outer, DER_SEQUENCE);
	der_unsigned(&in, DER_INTEGER, 0);
	der_whole(&in, DER_SEQUENCE);
	struct cursor wrapped = der_enter(&in, DER_OCTET_STRING);
	struct cursor inner = der_enter(&wrapped, DER_SEQUENCE);
	der_unsigned(&inner, DER_INTEGER, 1);
	struct der secret = der_read(&inner, DER_OCTET_STRING);
	assert_false(inner.failed);
	gnutls_free(der.data);
	return secret.bytes;
}

/* Written encrypted and read back, as a passphrase or a PKCS#12 file would have it. */
static gnutls_x509_privkey_t
through(gnutls_x509_privkey_t key, unsigned flags)
{
	gnutls_datum_t der;
	gnutls_x509_privkey_t back;
	assert_true(gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_DER, "x", flags, &der) >= 0);
	assert_true(gnutls_x509_privkey_init(&back) >= 0);
	assert_true(gnutls_x509_privkey_import_pkcs8(back, &der, GNUTLS_X509_FMT_DER, "x", 0) >= 0);
	gnutls_free(der.data);
	return back;
}

static void
same_key(gnutls_x509_privkey_t key, const uint8_t id[32])
{
	uint8_t other[32];
	size_t bytes = sizeof other;
	assert_true(gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, other, &bytes) >= 0);
	assert_memory_equal(id, other, sizeof other);
	assert_true(gnutls_x509_privkey_verify_params(key) >= 0);
}

static void
writes_full_length(gnutls_ecc_curve_t curve, size_t octets, size_t keys)
{
	size_t mended = 0;
	for (size_t i = 0; i < keys; i++) {
		gnutls_x509_privkey_t key = make(GNUTLS_PK_ECDSA, curve);
		uint8_t id[32];
		size_t bytes = sizeof id;
		gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, id, &bytes);
		mended += secret_octets(key) != octets;
		assert_true(ec_key_normalise(&key));
		assert_int_equal(secret_octets(key), octets);
		same_key(key, id);
		gnutls_x509_privkey_deinit(key);
	}
	print_message("# %zu of %zu keys were of another length before\n", mended, keys);
}

static void
writes_the_full_length_of_every_curve(void **state)
{
	(void)state;
	writes_full_length(GNUTLS_ECC_CURVE_SECP256R1, 32, KEYS);
	writes_full_length(GNUTLS_ECC_CURVE_SECP224R1, 28, KEYS / 20);
	writes_full_length(GNUTLS_ECC_CURVE_SECP384R1, 48, KEYS / 20);
	writes_full_length(GNUTLS_ECC_CURVE_SECP521R1, 66, KEYS / 20);
}

static void
keeps_the_length_whatever_is_around_it(void **state)
{
	static const unsigned wrappings[] = { GNUTLS_PKCS_PBES2_AES_256, GNUTLS_PKCS_PKCS12_3DES };
	(void)state;
	for (size_t i = 0; i < sizeof wrappings / sizeof *wrappings; i++)
		for (int k = 0; k < 8; k++) {
			gnutls_x509_privkey_t key =
			    make(GNUTLS_PK_ECDSA, GNUTLS_ECC_CURVE_SECP256R1);
			assert_true(ec_key_normalise(&key));
			gnutls_x509_privkey_t back = through(key, wrappings[i]);
			assert_int_equal(secret_octets(back), 32);
			gnutls_x509_privkey_deinit(back);
			gnutls_x509_privkey_deinit(key);
		}
}

/* GnuTLS keeps what it reads: this is why every key that is read is given to ec_key_normalise(). */
static void
mends_a_key_of_another_length_that_is_read(void **state)
{
	gnutls_x509_privkey_t key = make(GNUTLS_PK_ECDSA, GNUTLS_ECC_CURVE_SECP256R1);
	(void)state;
	for (int i = 0; secret_octets(key) == 32; i++) {
		if (i == 64)
			SKIP("a GnuTLS that writes every key in full length");
		gnutls_x509_privkey_deinit(key);
		key = make(GNUTLS_PK_ECDSA, GNUTLS_ECC_CURVE_SECP256R1);
	}
	gnutls_x509_privkey_t read = through(key, GNUTLS_PKCS_PBES2_AES_256);
	assert_int_not_equal(secret_octets(read), 32);
	assert_true(ec_key_normalise(&read));
	assert_int_equal(secret_octets(read), 32);
	gnutls_x509_privkey_deinit(read);
	gnutls_x509_privkey_deinit(key);
}

static void
leaves_other_keys_alone(void **state)
{
	gnutls_x509_privkey_t key = make(GNUTLS_PK_EDDSA_ED25519, GNUTLS_ECC_CURVE_ED25519), before = key;
	(void)state;
	assert_true(ec_key_normalise(&key));
	assert_ptr_equal(key, before);
	gnutls_x509_privkey_deinit(key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_the_full_length_of_every_curve),
		cmocka_unit_test(keeps_the_length_whatever_is_around_it),
		cmocka_unit_test(mends_a_key_of_another_length_that_is_read),
		cmocka_unit_test(leaves_other_keys_alone),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("ec_key", tests, NULL, NULL);
}
