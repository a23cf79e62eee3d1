/* Tests of pki/key_pem: what was made is read, written and pinned as one key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pki/key_pem.h"

static void
makes_a_key_that_is_read_and_written_as_it_was(void **state)
{
	(void)state;
	for (enum key_type type = KEY_P256; type < KEY_TYPES; type++) {
		struct secret pem, again;
		struct spki_pin pin, other;
		gnutls_x509_privkey_t key;

		assert_true(key_pem_make(&pem, type) >= 0);
		assert_non_null(strstr((const char *)pem.data, "BEGIN PRIVATE KEY"));
		assert_true(key_pem_read(&pem, &key) >= 0);
		assert_true(key_pem_write(&again, key) >= 0);
		assert_true(secret_equals(&pem, again.data, again.bytes));
		assert_true(key_pem_pin(&pin, &pem) && key_pem_pin(&other, &again));
		assert_true(spki_pin_equals(&pin, &other));
		gnutls_x509_privkey_deinit(key);
		secret_wipe(&pem);
		secret_wipe(&again);
	}
}

static void
makes_another_key_each_time(void **state)
{
	struct secret one, two;
	struct spki_pin first, second;

	(void)state;
	assert_true(key_pem_make(&one, KEY_P256) >= 0 && key_pem_make(&two, KEY_P256) >= 0);
	assert_true(key_pem_pin(&first, &one) && key_pem_pin(&second, &two));
	assert_false(spki_pin_equals(&first, &second));
	secret_wipe(&one);
	secret_wipe(&two);
}

static void
refuses_what_is_no_key(void **state)
{
	static const char *const texts[] = { "", "junk",
		"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
		"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" };
	struct spki_pin pin;

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		const struct secret text = { (uint8_t *)(uintptr_t)texts[i], strlen(texts[i]) };
		gnutls_x509_privkey_t key = NULL;

		assert_true(key_pem_read(&text, &key) < 0);
		assert_false(key_pem_pin(&pin, &text));
		gnutls_x509_privkey_deinit(key);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_a_key_that_is_read_and_written_as_it_was),
		cmocka_unit_test(makes_another_key_each_time),
		cmocka_unit_test(refuses_what_is_no_key),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("pki/key_pem", tests, NULL, NULL);
}
