/* CRLs that we write, read by the reader that relay and agent use. */
#include "pki/tool/crl_writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pki/crl.h"
#include "pki/tool/key.h"
#include "pki/tool/mint.h"
#include "pki/x509.h"

enum { NOW = 1795000000, LATE = 2600000000 };	/* behind 2049, too */

struct test_issuer {
	gnutls_privkey_t key;
	gnutls_x509_crt_t certificate;
	gnutls_datum_t der;
};

static void
found(struct test_issuer *issuer, enum key_type type)
{
	gnutls_x509_privkey_t key;
	gnutls_pubkey_t public;
	struct mint request = { .common_name = "ca", .not_before = NOW, .not_after = NOW + 1000,
	    .is_ca = true, .path_length = -1 };

	mint_serial(request.serial);
	assert_int_equal(key_generate(type, &key), 0);
	assert_int_equal(key_abstract(key, &issuer->key), 0);
	assert_int_equal(key_public(issuer->key, &public), 0);
	assert_int_equal(mint_certificate(&request, public, NULL, issuer->key, &issuer->der), 0);
	gnutls_x509_crt_init(&issuer->certificate);
	assert_int_equal(gnutls_x509_crt_import(issuer->certificate, &issuer->der,
	    GNUTLS_X509_FMT_DER), 0);
	gnutls_pubkey_deinit(public);
	gnutls_x509_privkey_deinit(key);
}

static void
close_down(struct test_issuer *issuer)
{
	gnutls_privkey_deinit(issuer->key);
	gnutls_x509_crt_deinit(issuer->certificate);
	gnutls_free(issuer->der.data);
}

/* A CRL of `count` entries: serial 00 00 i, i seconds after NOW, reasons in turn. */
static struct crl *
write_and_read(const struct test_issuer *issuer, unsigned count, int64_t next_update)
{
	static const enum crl_reason reasons[] =
	    { CRL_UNSPECIFIED, CRL_KEY_COMPROMISE, CRL_HOLD, CRL_AA_COMPROMISE };
	struct crl_writer writer = { 0 };
	gnutls_datum_t der = { 0 };
	struct x509 facts;
	const char *why = "";
	struct crl *crl;

	assert_int_equal(crl_writer_begin(&writer, issuer->certificate, 300), 0);
	for (unsigned i = 0; i < count; i++) {
		const uint8_t serial[] =
		    { 0x80 | (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i };

		crl_writer_add(&writer, serial, sizeof serial, NOW + i, reasons[i % 4]);
	}
	assert_int_equal(crl_writer_sign(&writer, issuer->key, NOW, next_update, &der), 0);
	crl_writer_wipe(&writer);
	assert_true(x509_parse(&facts, (struct der){ issuer->der.data, issuer->der.size }, &why));
	crl = crl_parse(der.data, der.size, &why);
	assert_non_null(crl);
	assert_true(crl_is_signed_by(crl, facts.spki));
	assert_true(der_equal(crl_issuer(crl), facts.subject));
	assert_true(der_equal(crl_authority_key(crl), facts.key_id));
	assert_true(crl_index(crl, &why));
	gnutls_free(der.data);
	return crl;
}

static void
an_empty_crl_is_read_back(void **state)
{
	struct test_issuer issuer = { 0 };
	struct crl *crl;

	(void)state;
	found(&issuer, KEY_P256);
	crl = write_and_read(&issuer, 0, NOW + 1209600);
	assert_int_equal(crl_count(crl), 0);
	assert_int_equal(crl_this_update(crl), NOW);
	assert_int_equal(crl_next_update(crl), NOW + 1209600);
	assert_int_equal(crl_number(crl).bytes, 2);
	assert_memory_equal(crl_number(crl).data, "\x01\x2c", 2);
	crl_free(crl);
	close_down(&issuer);
}

static void
every_kind_of_key_signs_one(void **state)
{
	static const enum key_type types[] = { KEY_P256, KEY_ED25519, KEY_RSA2048 };

	(void)state;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		struct test_issuer issuer = { 0 };
		struct crl *crl;

		found(&issuer, types[i]);
		crl = write_and_read(&issuer, 3, LATE);
		assert_int_equal(crl_count(crl), 3);
		assert_int_equal(crl_next_update(crl), LATE);
		crl_free(crl);
		close_down(&issuer);
	}
}

static void
serials_dates_and_reasons_come_back(void **state)
{
	struct test_issuer issuer = { 0 };
	struct serial serial;
	struct crl *crl;

	(void)state;
	found(&issuer, KEY_P256);
	crl = write_and_read(&issuer, 70000, NOW + 10);
	assert_int_equal(crl_count(crl), 70000);
	for (unsigned i = 0; i < 70000; i += 69) {
		static const uint8_t reasons[] =
		    { CRL_UNSPECIFIED, CRL_KEY_COMPROMISE, CRL_HOLD, CRL_AA_COMPROMISE };
		const uint8_t octets[] =
		    { 0, 0x80 | (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i };
		const struct crl_entry *entry;

		assert_true(serial_of(&serial, (struct der){ octets, sizeof octets }));
		entry = crl_find(crl, &serial, NULL);
		assert_non_null(entry);
		assert_int_equal(entry->revoked_at, NOW + i);
		assert_int_equal(entry->reason, reasons[i % 4]);
	}
	crl_free(crl);
	close_down(&issuer);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_crl_is_read_back),
		cmocka_unit_test(every_kind_of_key_signs_one),
		cmocka_unit_test(serials_dates_and_reasons_come_back),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("pki/tool/crl_writer", tests, NULL, NULL);
}
