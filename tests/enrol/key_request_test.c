/* Tests of enrol/key_request: keys, new and old ones, and what their requests say. */
#include "enrol/key_request.h"

#include <gnutls/x509.h>
#include <sysexits.h>

#include "helpers.h"

static gnutls_x509_crq_t
read_request(const struct key_request *made)
{
	const gnutls_datum_t der = { made->request.data, (unsigned)made->request.bytes };
	gnutls_x509_crq_t request;

	assert_int_equal(gnutls_x509_crq_init(&request), 0);
	assert_int_equal(gnutls_x509_crq_import(request, &der, GNUTLS_X509_FMT_DER), 0);
	return request;
}

static void
asks_for_nothing_when_no_names_are_given(void **state)
{
	struct key_request made = { 0 };
	char error[KEY_REQUEST_ERROR], text[64];
	size_t bytes = sizeof text;
	gnutls_x509_crq_t request;

	(void)state;
	assert_int_equal(key_request_new_key(&made, KEY_P256, error), 0);
	assert_int_equal(key_request_sign(&made, &(struct key_request_names){ 0 }, error), 0);
	request = read_request(&made);
	assert_int_equal(gnutls_x509_crq_verify(request, 0), 0);
	assert_int_equal(
	    gnutls_x509_crq_get_dn_by_oid(request, GNUTLS_OID_X520_COMMON_NAME, 0, 0, text, &bytes),
	    GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE);
	assert_int_equal(gnutls_x509_crq_get_subject_alt_name(request, 0, text, &bytes, NULL, NULL),
	    GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE);
	gnutls_x509_crq_deinit(request);
	key_request_wipe(&made);
	assert_null(made.key.data);
}

static void
asks_for_the_names_that_are_given(void **state)
{
	const char *const hosts[] = { "a.example", "*.b.example" };
	struct key_request made = { 0 };
	char error[KEY_REQUEST_ERROR], text[64] = "";
	size_t bytes = sizeof text - 1;
	gnutls_x509_crq_t request;

	(void)state;
	assert_int_equal(key_request_new_key(&made, KEY_ED25519, error), 0);
	assert_int_equal(
	    key_request_sign(&made, &(struct key_request_names){ "site1", hosts, 2 }, error), 0);
	request = read_request(&made);
	gnutls_x509_crq_get_dn_by_oid(request, GNUTLS_OID_X520_COMMON_NAME, 0, 0, text, &bytes);
	assert_string_equal(text, "site1");
	bytes = sizeof text - 1;
	memset(text, 0, sizeof text);
	gnutls_x509_crq_get_subject_alt_name(request, 1, text, &bytes, NULL, NULL);
	assert_string_equal(text, "*.b.example");
	gnutls_x509_crq_deinit(request);
	key_request_wipe(&made);
}

/* A second try with the key of the first must be for the same key, or the invitation is lost. */
static void
takes_a_key_again_as_it_was(void **state)
{
	struct key_request made = { 0 }, again = { 0 };
	char error[KEY_REQUEST_ERROR];

	(void)state;
	for (int type = 0; type < KEY_TYPES; type++) {
		assert_int_equal(key_request_new_key(&made, (enum key_type)type, error), 0);
		assert_int_equal(key_request_take_key(&again, &made.key, error), 0);
		assert_memory_equal(made.digest, again.digest, sizeof made.digest);
		assert_true(secret_equals(&again.key, made.key.data, made.key.bytes));
		assert_int_equal(
		    key_request_sign(&again, &(struct key_request_names){ 0 }, error), 0);
		key_request_wipe(&made);
		key_request_wipe(&again);
	}
}

static void
refuses_what_is_not_a_key(void **state)
{
	static const char *const texts[] = { "", "valise-join:AQEB",
		"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n" };
	struct key_request made = { 0 };
	char error[KEY_REQUEST_ERROR];

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct secret pem;

		assert_true(secret_init(&pem, texts[i], strlen(texts[i])));
		assert_int_equal(key_request_take_key(&made, &pem, error), EX_DATAERR);
		assert_non_null(strstr(error, "not a private key"));
		secret_wipe(&pem);
		key_request_wipe(&made);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(asks_for_nothing_when_no_names_are_given),
	cmocka_unit_test(asks_for_the_names_that_are_given),
	cmocka_unit_test(takes_a_key_again_as_it_was),
	cmocka_unit_test(refuses_what_is_not_a_key),
};
RUN_TESTS("enrol/key_request", tests)
