/* Tests of pki/key_type: words, and the keys that are made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pki/key_type.h"

static void
messages_name_every_type_in_order(void **state)
{
	char words[] = KEY_TYPE_WORDS, *rest = words, *word;
	unsigned count = 0;
	enum key_type type;

	(void)state;
	while ((word = strtok_r(NULL, ", ", &rest))) {
		if (strcmp(word, "or") == 0)
			continue;
		assert_true(key_type_parse(word, &type));
		assert_int_equal(type, count++);
		assert_string_equal(key_type_word(type), word);
	}
	assert_int_equal(count, KEY_TYPES);
}

static void
other_words_are_refused_and_p256_is_the_default(void **state)
{
	static const char *const wrong[] = { "", "P256", "p2567", "rsa", "rsa1024", "dsa" };
	enum key_type type = KEY_RSA2048;

	(void)state;
	assert_true(key_type_parse(NULL, &type));
	assert_int_equal(type, KEY_P256);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_false(key_type_parse(wrong[i], &type));
}

static void
a_key_is_of_its_type(void **state)
{
	static const struct {
		enum key_type type;
		int algorithm;
		unsigned bits;
	} cases[] = {
		{ KEY_P256, GNUTLS_PK_ECDSA, 256 },
		{ KEY_ED25519, GNUTLS_PK_EDDSA_ED25519, 256 },
		{ KEY_RSA2048, GNUTLS_PK_RSA, 2048 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		gnutls_x509_privkey_t key;
		unsigned bits;
		assert_true(key_type_generate(cases[i].type, &key) >= 0);
		assert_int_equal(gnutls_x509_privkey_get_pk_algorithm2(key, &bits), cases[i].algorithm);
		assert_int_equal(bits, cases[i].bits);
		gnutls_x509_privkey_deinit(key);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_name_every_type_in_order),
		cmocka_unit_test(other_words_are_refused_and_p256_is_the_default),
		cmocka_unit_test(a_key_is_of_its_type),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("key_type", tests, NULL, NULL);
}
