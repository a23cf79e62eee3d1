/* Tests of pki/spki_pin: what is a pin in text, and whose key it is of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pki/forge.h"
#include "pki/spki_pin.h"

#define PIN "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"

static void
reads_64_hexadecimal_digits_and_nothing_else(void **state)
{
	static const char *const wrong[] = { "", "00", "x" PIN, PIN "00", "sha256:" PIN,
		"0g112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
		" 0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff" };
	struct spki_pin pin;
	char error[256], text[SPKI_PIN_TEXT];

	(void)state;
	assert_true(spki_pin_is(PIN, error));
	assert_true(spki_pin_parse(&pin, PIN));
	assert_string_equal(spki_pin_text(&pin, text),
	    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		error[0] = '\0';
		assert_false(spki_pin_is(wrong[i], error));
		assert_non_null(strstr(error, "openssl pkey -pubin -outform DER"));
	}
}

/* GnuTLS reckons it in its own way. */
static void
is_the_hash_of_the_whole_public_key(void **state)
{
	static const struct recipe recipe = { .subject = "shop", .names = "dns:shop.example" };
	struct spki_pin pin, theirs, other = { { 0 } };
	gnutls_x509_crt_t certificate;
	static struct forged leaf;
	size_t bytes = sizeof theirs.digest;
	gnutls_datum_t der;

	(void)state;
	forge_certificate(&leaf, &recipe, LEVEL_LEAF, LEVEL_MIDDLE, "server");
	der = (gnutls_datum_t){ leaf.data, (unsigned)leaf.bytes };
	assert_true(gnutls_x509_crt_init(&certificate) >= 0);
	assert_true(gnutls_x509_crt_import(certificate, &der, GNUTLS_X509_FMT_DER) >= 0);
	assert_true(gnutls_x509_crt_get_key_id(
			certificate, GNUTLS_KEYID_USE_SHA256, theirs.digest, &bytes) >= 0);
	gnutls_x509_crt_deinit(certificate);
	assert_true(spki_pin_of(&pin, (struct der){ leaf.data, leaf.bytes }));
	assert_true(spki_pin_equals(&pin, &theirs));
	assert_false(spki_pin_equals(&pin, &other));
	assert_false(spki_pin_of(&pin, (struct der){ leaf.data, leaf.bytes - 1 }));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_64_hexadecimal_digits_and_nothing_else),
		cmocka_unit_test(is_the_hash_of_the_whole_public_key),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("spki_pin", tests, NULL, NULL);
}
