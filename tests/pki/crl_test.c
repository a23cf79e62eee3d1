/* Tests of pki/crl: serials, signatures, and files that are broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pki/crl.h"
#include "pki/forge.h"
#include "pki/pem.h"

enum { MANY = 3000 };

/* A CRL of `count` entries, of serials that `serial_at` chooses. */
struct large {
	uint8_t *data;
	size_t bytes;
};

static size_t
random_serial(size_t i, uint8_t out[8])
{
	uint64_t x = (i + 1) * 0x9e3779b97f4a7c15u;
	for (size_t k = 0; k < 8; k++)
		out[k] = (uint8_t)(x >> 8 * k);
	out[0] = (out[0] & 0x7f) | 0x40;
	return 8;
}

static size_t
growing_serial(size_t i, uint8_t out[8])
{
	out[0] = 1;
	out[1] = (uint8_t)(i >> 8);
	out[2] = (uint8_t)i;
	return 3;
}

static size_t
falling_serial(size_t i, uint8_t out[8])
{
	return growing_serial(MANY - i, out);
}

static size_t
one_serial(size_t i, uint8_t out[8])
{
	return growing_serial(i / MANY, out);
}

static size_t
long_and_short_serial(size_t i, uint8_t out[8])
{
	return i % 2 ? random_serial(i, out) : growing_serial(i, out);
}

/* Many begin alike: 10 of 150 beginnings, 30 of 50 others. */
static size_t
close_serial(size_t i, uint8_t out[8])
{
	random_serial(i, out);
	out[0] = 0x40;
	out[1] = (uint8_t)(i < 2 * MANY / 3 ? i % 200 : i % 50);
	return 8;
}

static size_t
header(uint8_t *out, unsigned tag, size_t bytes)
{
	out[0] = (uint8_t)tag;
	out[1] = 0x83;
	out[2] = (uint8_t)(bytes >> 16);
	out[3] = (uint8_t)(bytes >> 8);
	out[4] = (uint8_t)bytes;
	if (bytes < 0x10000) {
		out[1] = 0x82;
		out[2] = (uint8_t)(bytes >> 8);
		out[3] = (uint8_t)bytes;
		return 4;
	}
	return 5;
}

/* Splices the entries into an empty forged CRL; nobody asks for its signature. */
static struct large
large_crl(size_t (*serial_at)(size_t, uint8_t[8]))
{
	struct forged small;
	static const struct crl_recipe one = { .serials = "55" };
	forge_crl(&small, &one, LEVEL_ROOT);
	uint8_t *entries = calloc(MANY, 64);
	size_t bytes = 0;
	for (size_t i = 0; i < MANY; i++) {
		uint8_t serial[8];
		size_t length = serial_at(i, serial);
		uint8_t *at = entries + bytes;
		*at++ = 0x30, *at++ = (uint8_t)(length + 2 + 15);
		*at++ = 0x02, *at++ = (uint8_t)length;
		memcpy(at, serial, length);
		memcpy(at + length, "\x17\r270101000000Z", 15);
		bytes += length + 19;
	}
	struct cursor in = cursor_over(small.data, small.bytes), outer = der_enter(&in, DER_SEQUENCE);
	struct cursor tbs = der_enter(&outer, DER_SEQUENCE);
	const uint8_t *body = tbs.at;
	for (int i = 0; i < 5; i++)
		der_any(&tbs, NULL);
	const uint8_t *list = tbs.at;
	der_any(&tbs, NULL);
	struct large large = { calloc(1, small.bytes + bytes + 64), 0 };
	size_t before = (size_t)(list - body), after = tbs.left, rest = outer.left;
	uint8_t heads[3][5];
	size_t list_head = header(heads[2], 0x30, bytes);
	size_t tbs_bytes = before + list_head + bytes + after;
	size_t tbs_head = header(heads[1], 0x30, tbs_bytes);
	size_t head = header(heads[0], 0x30, tbs_head + tbs_bytes + rest);
	const struct {
		const void *data;
		size_t bytes;
	} parts[] = { { heads[0], head }, { heads[1], tbs_head }, { body, before }, { heads[2], list_head },
		{ entries, bytes }, { tbs.at, after }, { outer.at, rest } };
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		memcpy(large.data + large.bytes, parts[i].data, parts[i].bytes);
		large.bytes += parts[i].bytes;
	}
	free(entries);
	return large;
}

static void
finds_every_serial(size_t (*serial_at)(size_t, uint8_t[8]))
{
	const char *why;
	struct large large = large_crl(serial_at);
	struct crl *crl = crl_parse(large.data, large.bytes, &why);
	if (!crl)
		fail_msg("%s", why);
	assert_true(crl_index(crl, &why));
	assert_int_equal(crl_count(crl), MANY);
	for (size_t i = 1; i < MANY; i++)
		assert_true(serial_compare(&crl_entry(crl, i - 1)->serial, &crl_entry(crl, i)->serial) <= 0);
	for (size_t i = 0; i < MANY; i++) {
		uint8_t octets[8];
		struct serial serial;
		unsigned comparisons;
		serial_of(&serial, (struct der){ octets, serial_at(i, octets) });
		const struct crl_entry *entry = crl_find(crl, &serial, &comparisons);
		assert_non_null(entry);
		assert_int_equal(entry->revoked_at, 1798761600);
		assert_in_range(comparisons, 1, 12);
		serial.data[serial.bytes - 1] ^= 0x80;
		serial.data[0] ^= 0x20;
		assert_null(crl_find(crl, &serial, &comparisons));
	}
	crl_free(crl);
	free(large.data);
}

static void
finds_every_serial_whatever_their_order(void **state)
{
	(void)state;
	finds_every_serial(random_serial);
	finds_every_serial(growing_serial);
	finds_every_serial(falling_serial);
	finds_every_serial(one_serial);
	finds_every_serial(long_and_short_serial);
	finds_every_serial(close_serial);
}

static void
says_what_it_holds(void **state)
{
	static const struct crl_recipe recipe = { .serials = "13,8f", .reason = 5, .number = 300 };
	struct forged forged;
	const char *why;
	(void)state;
	forge_crl(&forged, &recipe, LEVEL_MIDDLE);
	struct crl *crl = crl_parse(forged.data, forged.bytes, &why);
	assert_non_null(crl);
	assert_int_equal(crl_count(crl), 2);
	assert_true(der_equal(crl_number(crl), (struct der){ (const uint8_t *)"\x01\x2c", 2 }));
	assert_int_equal(crl_this_update(crl), NOW - DAY);
	assert_int_equal(crl_next_update(crl), NOW + 13 * DAY);
	assert_int_equal(crl_authority_key(crl).bytes, 20);
	assert_false(crl_is_indexed(crl));
	assert_true(crl_index(crl, &why));
	assert_true(crl_is_indexed(crl));
	assert_string_equal(crl_reason_word(crl_entry(crl, 0)->reason), "superseded");
	assert_null(crl_entry(crl, 2));
	crl_free(crl);
}

static void
checks_the_signature(void **state)
{
	static const enum key keys[] = { KEY_ROOT, KEY_RSA, KEY_ED25519 };
	const char *why;
	(void)state;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		struct crl_recipe recipe = { .serials = "13", .signer = keys[i] };
		struct forged forged, spki = {0}, other = {0};
		forge_crl(&forged, &recipe, LEVEL_ROOT);
		put_spki(&spki, keys[i]);
		put_spki(&other, KEY_STRANGER);
		struct crl *crl = crl_parse(forged.data, forged.bytes, &why);
		assert_non_null(crl);
		assert_true(crl_is_signed_by(crl, forged_der(&spki)));
		assert_false(crl_is_signed_by(crl, forged_der(&other)));
		assert_true(crl_keep(crl));
		memset(forged.data, 0, forged.bytes);
		assert_true(crl_is_signed_by(crl, forged_der(&spki)));
		assert_true(crl_index(crl, &why));
		crl_free(crl);
	}
}

/* Reads on as far as it can, so that a sanitizer sees every access. */
static bool
reads(const uint8_t *data, size_t bytes)
{
	const char *why;
	uint8_t *copy = malloc(bytes + 1);	/* its own end, for the sanitizer */
	memcpy(copy, data, bytes);
	struct crl *crl = crl_parse(copy, bytes, &why);
	bool done = crl && crl_index(crl, &why);
	crl_free(crl);
	free(copy);
	return done;
}

static void
refuses_every_prefix(void **state)
{
	static const struct crl_recipe recipe = { .serials = "13,14", .reason = 2, .odd = ODD_IDP_PLACE };
	struct forged forged;
	(void)state;
	forge_crl(&forged, &recipe, LEVEL_ROOT);
	assert_true(reads(forged.data, forged.bytes));
	for (size_t bytes = 0; bytes < forged.bytes; bytes++)
		assert_false(reads(forged.data, bytes));
}

static void
survives_every_wrong_octet(void **state)
{
	static const struct crl_recipe recipe = { .serials = "13,14", .reason = 2, .odd = ODD_IDP_PLACE };
	struct forged forged;
	(void)state;
	forge_crl(&forged, &recipe, LEVEL_ROOT);
	for (size_t i = 0; i < forged.bytes; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			forged.data[i] ^= (uint8_t)(1u << bit);
			reads(forged.data, forged.bytes);
			forged.data[i] ^= (uint8_t)(1u << bit);
		}
}

static void
decodes_bundles_and_passes_over_other_blocks(void **state)
{
	static const char text[] =
	    "junk\n-----BEGIN EC PARAMETERS-----\nBggq\n-----END EC PARAMETERS-----\n"
	    "-----BEGIN X509 CRL-----\nMAMC\nAQE=\n-----END X509 CRL-----\nmore junk"
	    "\r\n-----BEGIN CRL-----\r\nMAMCAQI=\r\n-----END CRL-----\r\n";
	struct pem_file file = {0};
	const char *why;
	(void)state;
	assert_true(secret_init(&file.storage, text, sizeof text - 1));
	assert_true(pem_decode(&file, PEM_CRL, &why));
	assert_int_equal(file.count, 2);
	assert_true(der_equal(pem_block(&file, 0), (struct der){ (const uint8_t *)"\x30\x03\x02\x01\x01", 5 }));
	assert_true(der_equal(pem_block(&file, 1), (struct der){ (const uint8_t *)"\x30\x03\x02\x01\x02", 5 }));
	pem_wipe(&file);
}

static void
refuses_broken_pem(void **state)
{
	static const char *const bad[] = {
		"", "text", "-----BEGIN X509 CRL-----\nMAMC\n", "-----BEGIN ",
		"-----BEGIN X509 CRL-----\nMA?C\n-----END X509 CRL-----\n",
		"-----BEGIN X509 CRL-----\nMAM\n-----END X509 CRL-----\n",
		"-----BEGIN CERTIFICATE-----\nMAMC\n-----END CERTIFICATE-----\n",
	};
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct pem_file file = {0};
		const char *why;
		assert_true(secret_init(&file.storage, bad[i], strlen(bad[i])));
		assert_false(pem_decode(&file, PEM_CRL, &why));
		assert_non_null(why);
		pem_wipe(&file);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_every_serial_whatever_their_order),
		cmocka_unit_test(says_what_it_holds),
		cmocka_unit_test(checks_the_signature),
		cmocka_unit_test(refuses_every_prefix),
		cmocka_unit_test(survives_every_wrong_octet),
		cmocka_unit_test(decodes_bundles_and_passes_over_other_blocks),
		cmocka_unit_test(refuses_broken_pem),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("crl", tests, NULL, NULL);
}
