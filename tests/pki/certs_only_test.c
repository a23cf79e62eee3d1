/* Tests of pki/certs_only and pki/transfer: what goes out comes back, and what others make is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <gnutls/pkcs7.h>

#include "pki/certs_only.h"
#include "pki/forge.h"
#include "pki/transfer.h"
#include "pki/x509.h"

static struct forged root, middle, leaf;

static int
forge_all(void **state)
{
	static const struct recipe plain = { 0 };

	forge_certificate(&root, &plain, LEVEL_ROOT, LEVEL_ROOT, "");
	forge_certificate(&middle, &plain, LEVEL_MIDDLE, LEVEL_ROOT, "");
	forge_certificate(&leaf, &plain, LEVEL_LEAF, LEVEL_MIDDLE, "client");
	(void)state;
	return 0;
}

static struct der
der_of(const struct secret *secret)
{
	return (struct der){ secret->data, secret->bytes };
}

static bool
holds(const struct certs_only *certs, const struct forged *certificate)
{
	for (size_t i = 0; i < certs->count; i++)
		if (der_equal(certs->certificates[i], forged_der(certificate)))
			return true;
	return false;
}

static struct secret
message_of_all(void)
{
	struct der all[] = { forged_der(&leaf), forged_der(&middle), forged_der(&root) };
	struct secret message;

	assert_true(certs_only_encode(all, 3, &message));
	return message;
}

static void
comes_back_as_it_went(void **state)
{
	struct secret message = message_of_all();
	struct certs_only certs;
	const char *why;

	(void)state;
	assert_true(certs_only_decode(&certs, der_of(&message), &why));
	assert_int_equal(certs.count, 3);
	assert_true(holds(&certs, &leaf) && holds(&certs, &middle) && holds(&certs, &root));
	certs_only_wipe(&certs);
	secret_wipe(&message);
}

static void
is_refused_when_it_is_cut_anywhere(void **state)
{
	struct secret message = message_of_all();
	struct certs_only certs;
	const char *why = NULL;

	(void)state;
	for (size_t bytes = 0; bytes < message.bytes; bytes++) {
		assert_false(certs_only_decode(&certs, (struct der){ message.data, bytes }, &why));
		assert_non_null(why);
		certs_only_wipe(&certs);
	}
	secret_wipe(&message);
}

/* GnuTLS is strict about what is in there, and openssl as well (a system test asks that). */
static void
is_read_by_gnutls_with_the_content_type_of_est(void **state)
{
	static const uint8_t id_data[] = { 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01 };
	struct secret message = message_of_all();
	const gnutls_datum_t data = { message.data, (unsigned)message.bytes };
	gnutls_pkcs7_t pkcs7;

	(void)state;
	assert_int_equal(gnutls_pkcs7_init(&pkcs7), 0);
	assert_int_equal(gnutls_pkcs7_import(pkcs7, &data, GNUTLS_X509_FMT_DER), 0);
	assert_int_equal(gnutls_pkcs7_get_crt_count(pkcs7), 3);
	gnutls_pkcs7_deinit(pkcs7);
	assert_non_null(memmem(message.data, message.bytes, id_data, sizeof id_data));
	secret_wipe(&message);
}

static void
reads_what_gnutls_makes(void **state)
{
	const gnutls_datum_t data = { leaf.data, (unsigned)leaf.bytes };
	gnutls_pkcs7_t pkcs7;
	gnutls_datum_t made;
	struct certs_only certs;
	const char *why;

	(void)state;
	assert_int_equal(gnutls_pkcs7_init(&pkcs7), 0);
	assert_int_equal(gnutls_pkcs7_set_crt_raw(pkcs7, &data), 0);
	assert_int_equal(gnutls_pkcs7_export2(pkcs7, GNUTLS_X509_FMT_DER, &made), 0);
	assert_true(certs_only_decode(&certs, (struct der){ made.data, made.size }, &why));
	assert_int_equal(certs.count, 1);
	assert_true(holds(&certs, &leaf));
	certs_only_wipe(&certs);
	gnutls_free(made.data);
	gnutls_pkcs7_deinit(pkcs7);
}

static void
too_many_certificates_are_refused_both_ways(void **state)
{
	struct der many[CERTS_ONLY_MOST + 1];
	struct secret message;
	struct certs_only certs;
	const char *why;

	(void)state;
	for (size_t i = 0; i <= CERTS_ONLY_MOST; i++)
		many[i] = (struct der){ (const uint8_t *)"\x30\x03\x02\x01\x01", 5 };
	assert_false(certs_only_encode(many, CERTS_ONLY_MOST + 1, &message));
	assert_true(certs_only_encode(many, CERTS_ONLY_MOST, &message));
	assert_true(certs_only_decode(&certs, der_of(&message), &why));
	assert_int_equal(certs.count, CERTS_ONLY_MOST);
	certs_only_wipe(&certs);
	secret_wipe(&message);
	assert_true(certs_only_encode(many, 0, &message));
	assert_false(certs_only_decode(&certs, der_of(&message), &why));
	assert_string_equal(why, "holds no certificates");
	certs_only_wipe(&certs);
	secret_wipe(&message);
}

static void
a_chain_begins_with_the_key_that_was_asked_for(void **state)
{
	struct der all[] = { forged_der(&root), forged_der(&middle) }, only = forged_der(&leaf);
	struct certs_only issued, others;
	struct secret message;
	struct x509 facts;
	struct der chain[4];
	const char *why;

	(void)state;
	assert_true(certs_only_encode(&only, 1, &message));
	assert_true(certs_only_decode(&issued, der_of(&message), &why));
	secret_wipe(&message);
	assert_true(certs_only_encode(all, 2, &message));
	assert_true(certs_only_decode(&others, der_of(&message), &why));
	secret_wipe(&message);
	assert_true(x509_parse(&facts, forged_der(&leaf), &why));
	assert_int_equal(certs_only_chain(&issued, NULL, facts.spki, chain, 4), 1);
	assert_int_equal(certs_only_chain(&issued, &others, facts.spki, chain, 4), 2);
	assert_true(der_equal(chain[0], forged_der(&leaf)) && der_equal(chain[1], forged_der(&middle)));
	assert_int_equal(certs_only_chain(&issued, &others, facts.spki, chain, 1), 1);
	assert_true(x509_parse(&facts, forged_der(&middle), &why));
	assert_int_equal(certs_only_chain(&issued, &others, facts.spki, chain, 4), 0);
	certs_only_wipe(&issued);
	certs_only_wipe(&others);
}

/* ---- transfer ---- */

static void
base64_comes_back_whatever_the_length(void **state)
{
	uint8_t data[200];

	(void)state;
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i * 7);
	for (size_t bytes = 1; bytes <= sizeof data; bytes++) {
		struct secret text, again;

		assert_true(transfer_encode((struct der){ data, bytes }, &text));
		assert_int_equal(text.bytes, strlen((char *)text.data));
		assert_null(strpbrk((char *)text.data, " \r\n"));
		assert_true(transfer_decode(text.data, text.bytes, &again));
		assert_int_equal(again.bytes, bytes);
		assert_memory_equal(again.data, data, bytes);
		secret_wipe(&text);
		secret_wipe(&again);
	}
}

static void
base64_is_read_with_and_without_lines(void **state)
{
	static const struct {
		const char *text;
		bool is_read;
	} cases[] = {
		{ "MAMCAQE=", true }, { "MAMC\nAQE=\n", true }, { "MAMC\r\nAQE=\r\n", true },
		{ " M A M C\tAQE = ", true }, { "MAMCAQE", false }, { "MAMCAQE=MA", false },
		{ "MAMC*QE=", false }, { "", false }, { "\n", false },
		{ "-----BEGIN CERTIFICATE REQUEST-----\nMAMCAQE=\n", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct secret out;

		if (transfer_decode(cases[i].text, strlen(cases[i].text), &out) != cases[i].is_read)
			fail_msg("%s", cases[i].text);
		if (cases[i].is_read)
			assert_memory_equal(out.data, "\x30\x03\x02\x01\x01", 5);
		secret_wipe(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back_as_it_went),
		cmocka_unit_test(is_refused_when_it_is_cut_anywhere),
		cmocka_unit_test(is_read_by_gnutls_with_the_content_type_of_est),
		cmocka_unit_test(reads_what_gnutls_makes),
		cmocka_unit_test(too_many_certificates_are_refused_both_ways),
		cmocka_unit_test(a_chain_begins_with_the_key_that_was_asked_for),
		cmocka_unit_test(base64_comes_back_whatever_the_length),
		cmocka_unit_test(base64_is_read_with_and_without_lines),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("certs_only", tests, forge_all, NULL);
}
