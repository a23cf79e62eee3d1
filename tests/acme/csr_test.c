/* Tests of acme/csr: the request is read back by the library's own reader. */
#include "acme/csr.h"

#include <gnutls/x509.h>

#include "base/file.h"
#include "helpers.h"
#include "keys/key_ask.h"
#include "pki/spki_pin.h"

static char dir[] = "/tmp/valise-csr-XXXXXX", path[64], error[CSR_ERROR];

static int
set_up(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof path, "%s/own.key", dir);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	return rmdir(dir);
}

static const enum key_type types[] = { KEY_P256, KEY_RSA2048 };

static void
asks_for_one_name_and_proves_the_key(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(types); i++) {
		struct secret der;
		struct spki_pin pin, own;
		gnutls_x509_crq_t request;
		gnutls_datum_t data;
		char name[64], subject[64];
		size_t bytes = sizeof pin.digest, name_bytes = sizeof name,
		       subject_bytes = sizeof subject;

		assert_true(key_ask_make(path, types[i], own.digest, error));
		assert_true(csr_make(path, "app.example.com", &der, error));
		data = (gnutls_datum_t){ der.data, (unsigned)der.bytes };
		gnutls_x509_crq_init(&request);
		assert_int_equal(gnutls_x509_crq_import(request, &data, GNUTLS_X509_FMT_DER), 0);
		assert_int_equal(gnutls_x509_crq_verify(request, 0), 0);
		assert_int_equal(gnutls_x509_crq_get_key_id(
				     request, GNUTLS_KEYID_USE_SHA256, pin.digest, &bytes),
		    0);
		assert_true(spki_pin_equals(&pin, &own));
		assert_int_equal(
		    gnutls_x509_crq_get_subject_alt_name(request, 0, name, &name_bytes, NULL, NULL),
		    GNUTLS_SAN_DNSNAME);
		assert_string_equal(name, "app.example.com");
		name_bytes = sizeof name;
		assert_int_equal(
		    gnutls_x509_crq_get_subject_alt_name(request, 1, name, &name_bytes, NULL, NULL),
		    GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE);
		assert_int_equal(gnutls_x509_crq_get_dn_by_oid(request, GNUTLS_OID_X520_COMMON_NAME,
				     0, 0, subject, &subject_bytes),
		    GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE);
		gnutls_x509_crq_deinit(request);
		assert_int_equal(unlink(path), 0);
		secret_wipe(&der);
	}
}

static void
refuses_what_is_no_key(void **state)
{
	struct secret der;

	(void)state;
	assert_true(file_create(path, 0600, "junk", 4, error));
	assert_false(csr_make(path, "app.example.com", &der, error));
	assert_non_null(strstr(error, path));
	assert_int_equal(unlink(path), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_for_one_name_and_proves_the_key),
		cmocka_unit_test(refuses_what_is_no_key),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("acme/csr", tests, set_up, tear_down);
}
