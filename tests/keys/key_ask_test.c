/* Tests of keys/key_ask and what it asks for: keys are made, certified and replaced where they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "keys/key_names.h"
#include "keys/key_kit.h"

static char error[KEY_ASK_ERROR];

static void
makes_a_key_of_each_type_that_only_its_user_reads(void **state)
{
	uint8_t made[KEY_DIGEST], looked[KEY_DIGEST];
	struct stat st;

	(void)state;
	for (enum key_type type = KEY_P256; type < KEY_TYPES; type++) {
		const char *path = kit_path(key_type_word(type));

		assert_true(key_ask_make(path, type, made, error));
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
		assert_true(key_ask_look(path, looked, error));
		assert_memory_equal(made, looked, KEY_DIGEST);
	}
}

static void
makes_its_folder_and_never_replaces_a_key(void **state)
{
	uint8_t made[KEY_DIGEST], looked[KEY_DIGEST], again[KEY_DIGEST];
	struct stat st;

	(void)state;
	assert_true(key_ask_make(kit_path("keys/own.key"), KEY_P256, made, error));
	assert_int_equal(stat(kit_path("keys"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_false(key_ask_make(kit_path("keys/own.key"), KEY_P256, again, error));
	assert_non_null(strstr(error, "own.key"));
	assert_true(key_ask_look(kit_path("keys/own.key"), looked, error));
	assert_memory_equal(made, looked, KEY_DIGEST);
}

static void
makes_the_next_key_like_the_one_in_force(void **state)
{
	(void)state;
	for (enum key_type type = KEY_P256; type < KEY_TYPES; type++) {
		uint8_t now[KEY_DIGEST], next[KEY_DIGEST], again[KEY_DIGEST];
		char name[64], next_name[80];
		gnutls_x509_privkey_t one, other;
		unsigned bits, other_bits;

		snprintf(name, sizeof name, "like-%s", key_type_word(type));
		snprintf(next_name, sizeof next_name, "%s.next", name);
		assert_true(key_ask_make(kit_path(name), type, now, error));
		assert_true(key_ask_make_next(kit_path(name), next, error));
		assert_memory_not_equal(now, next, KEY_DIGEST);
		assert_true(key_ask_make_next(kit_path(name), again, error));
		assert_memory_equal(next, again, KEY_DIGEST);
		one = kit_read(name);
		other = kit_read(next_name);
		assert_int_equal(gnutls_x509_privkey_get_pk_algorithm2(one, &bits),
		    gnutls_x509_privkey_get_pk_algorithm2(other, &other_bits));
		assert_int_equal(bits, other_bits);
		gnutls_x509_privkey_deinit(one);
		gnutls_x509_privkey_deinit(other);
		assert_true(key_ask_put_next(kit_path(name), error));
		assert_true(key_ask_look(kit_path(name), now, error));
		assert_memory_equal(next, now, KEY_DIGEST);
		assert_false(key_ask_put_next(kit_path(name), error));
	}
}

static void
makes_another_next_key_for_one_that_cannot_be_read(void **state)
{
	uint8_t next[KEY_DIGEST];
	char ignored[FILE_ERROR];

	(void)state;
	kit_make("torn", KEY_P256);
	assert_true(file_create(kit_path("torn.next"), 0600, "-----BEGIN", 10, ignored));
	assert_true(key_ask_make_next(kit_path("torn"), next, error));
	assert_true(key_ask_put_next(kit_path("torn"), error));
	assert_true(key_ask_look(kit_path("torn"), next, error));
}

static void
composes_a_request_for_each_type_of_key(void **state)
{
	uint8_t storage[512];
	struct writer names = writer_over(storage, sizeof storage);

	(void)state;
	key_names_begin(&names, "CN=site1,O=Example", "");
	key_names_add(&names, GNUTLS_SAN_DNSNAME, "app.example.com", 15);
	key_names_add(&names, GNUTLS_SAN_IPADDRESS, "\xc0\x00\x02\x01", 4);
	for (enum key_type type = KEY_P256; type < KEY_TYPES; type++) {
		char name[64], dn[128], san[64];
		struct secret der;
		gnutls_x509_crq_t request;
		size_t bytes = sizeof dn, san_bytes = sizeof san;

		snprintf(name, sizeof name, "request-%s", key_type_word(type));
		kit_make(name, type);
		assert_true(key_ask_request(kit_path(name), storage, names.bytes, &der, error));
		const gnutls_datum_t data = { der.data, (unsigned)der.bytes };
		assert_true(gnutls_x509_crq_init(&request) >= 0);
		assert_true(gnutls_x509_crq_import(request, &data, GNUTLS_X509_FMT_DER) >= 0);
		assert_true(gnutls_x509_crq_verify(request, 0) >= 0);
		assert_true(gnutls_x509_crq_get_dn(request, dn, &bytes) >= 0);
		assert_non_null(strstr(dn, "CN=site1"));
		assert_int_equal(
		    gnutls_x509_crq_get_subject_alt_name(request, 0, san, &san_bytes, NULL, NULL),
		    GNUTLS_SAN_DNSNAME);
		assert_memory_equal(san, "app.example.com", 15);
		san_bytes = sizeof san;
		assert_int_equal(
		    gnutls_x509_crq_get_subject_alt_name(request, 1, san, &san_bytes, NULL, NULL),
		    GNUTLS_SAN_IPADDRESS);
		gnutls_x509_crq_deinit(request);
		secret_wipe(&der);
	}
}

static void
composes_no_request_of_what_are_no_names(void **state)
{
	static const struct {
		const char *bytes;
		size_t count;
	} cases[] = { { "", 0 }, { "\0\1", 2 }, { "\0\0\0\2\1", 5 }, { "\0\0\0\2\0", 5 },
		{ "\0\0\0\6\1u", 6 }, { "\0\5CN", 4 } };
	struct secret der;

	(void)state;
	kit_make("nameless", KEY_P256);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_false(key_ask_request(
		    kit_path("nameless"), cases[i].bytes, cases[i].count, &der, error));
		assert_null(der.data);
	}
	assert_true(key_ask_request(kit_path("nameless"), "\0\0\0", 3, &der, error));
	secret_wipe(&der);
}

static void
says_whether_a_key_may_be_replaced(void **state)
{
	(void)state;
	kit_make("folder/own.key", KEY_P256);
	assert_true(key_ask_may_replace(kit_path("folder/own.key"), error));
	assert_false(key_ask_may_replace(kit_path("folder/absent.key"), error));
	assert_non_null(strstr(error, "absent.key"));
	if (geteuid() == 0)
		return;
	assert_int_equal(chmod(kit_path("folder"), 0500), 0);
	assert_false(key_ask_may_replace(kit_path("folder/own.key"), error));
	assert_non_null(strstr(error, "state_dir"));
	assert_int_equal(chmod(kit_path("folder"), 0700), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_a_key_of_each_type_that_only_its_user_reads),
		cmocka_unit_test(makes_its_folder_and_never_replaces_a_key),
		cmocka_unit_test(makes_the_next_key_like_the_one_in_force),
		cmocka_unit_test(makes_another_next_key_for_one_that_cannot_be_read),
		cmocka_unit_test(composes_a_request_for_each_type_of_key),
		cmocka_unit_test(composes_no_request_of_what_are_no_names),
		cmocka_unit_test(says_whether_a_key_may_be_replaced),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("keys/key_ask", tests, kit_set_up, kit_tear_down);
}
