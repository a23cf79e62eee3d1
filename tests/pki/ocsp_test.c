/* Tests of pki/ocsp: every reason for which a response is shown to nobody. */
#include "pki/ocsp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "pki/forge.h"

enum { GOOD = DER_CONTEXT, REVOKED = DER_CONTEXT_SEQUENCE | 1, UNKNOWN = DER_CONTEXT | 2 };
enum delegate { NOBODY, FIT, OTHER_PURPOSE, OTHER_CA, ENDED };

/* What a recipe leaves at zero has the value of a good response. */
struct response_recipe {
	int refusal;          /* a responseStatus without an answer */
	unsigned status;      /* of certStatus */
	int from_s, until_s;  /* from NOW; 0: an hour ago, a day from now */
	bool is_endless;      /* no nextUpdate */
	const char *serial;
	const char *issuer;   /* the name that is hashed */
	enum key issuer_key;  /* the key that is hashed; KEY_ROOT (0): the CA's */
	bool second;          /* behind an answer about another certificate */
	bool twice;           /* and then it is revoked */
	enum delegate delegate;
	bool sha1, damage;
	enum key signer;      /* KEY_ROOT (0): the CA's, or the delegate's */
};

static struct secret chain; /* the leaf and the CA */

static void
put_generalized(struct forged *out, int64_t at)
{
	char text[32];
	time_t seconds = (time_t)at;
	struct tm tm;
	gmtime_r(&seconds, &tm);
	strftime(text, sizeof text, "%Y%m%d%H%M%SZ", &tm);
	put_tlv(out, DER_GENERALIZED_TIME, text, strlen(text));
}

/* Of the key's bits alone (RFC 6960, 4.1.1). */
static void
hash_key(enum key which, uint8_t hash[20])
{
	struct forged spki = { 0 };
	struct sha1_ctx sha;
	put_spki(&spki, which);
	struct cursor whole = der_over(forged_der(&spki)), in = der_enter(&whole, DER_SEQUENCE);
	der_read(&in, DER_SEQUENCE);
	struct der bits = der_bits(&in);
	assert_true(cursor_end(&in));
	sha1_init(&sha);
	sha1_update(&sha, bits.bytes, bits.data);
	sha1_digest(&sha, 20, hash);
}

static void
put_certificate_id(struct forged *out, const struct response_recipe *r, const char *serial)
{
	struct forged name = { 0 };
	struct sha1_ctx sha;
	uint8_t hash[20];
	size_t id = open_tag(out, DER_SEQUENCE), algorithm = open_tag(out, DER_SEQUENCE);
	put_oid(out, "1.3.14.3.2.26");
	put_tlv(out, 0x05, "", 0);
	close_tag(out, algorithm);
	put_name(&name, r->issuer ? r->issuer : "middle");
	sha1_init(&sha);
	sha1_update(&sha, name.bytes, name.data);
	sha1_digest(&sha, sizeof hash, hash);
	put_tlv(out, DER_OCTET_STRING, hash, sizeof hash);
	hash_key(r->issuer_key ? r->issuer_key : KEY_MIDDLE, hash);
	put_tlv(out, DER_OCTET_STRING, hash, sizeof hash);
	put_hex(out, DER_INTEGER, serial);
	close_tag(out, id);
}

static void
put_single(struct forged *out, const struct response_recipe *r, const char *serial)
{
	size_t single = open_tag(out, DER_SEQUENCE), start;
	put_certificate_id(out, r, serial);
	start = open_tag(out, r->status ? r->status : GOOD);
	if (r->status == REVOKED)
		put_generalized(out, NOW - DAY);
	close_tag(out, start);
	put_generalized(out, NOW + (r->from_s ? r->from_s : -3600));
	if (!r->is_endless) {
		start = open_tag(out, DER_CONTEXT_SEQUENCE);
		put_generalized(out, NOW + (r->until_s ? r->until_s : DAY));
		close_tag(out, start);
	}
	close_tag(out, single);
}

static void
put_response_data(struct forged *out, const struct response_recipe *r)
{
	size_t data = open_tag(out, DER_SEQUENCE);
	size_t responder = open_tag(out, DER_CONTEXT_SEQUENCE | 1);
	put_name(out, r->delegate != NOBODY ? "responder" : "middle");
	close_tag(out, responder);
	put_generalized(out, NOW - 3600);
	size_t list = open_tag(out, DER_SEQUENCE);
	if (r->second)
		put_single(out, &(struct response_recipe){ .status = REVOKED }, "55");
	put_single(out, r, r->serial ? r->serial : "13");
	if (r->twice)
		put_single(out, &(struct response_recipe){ .status = REVOKED }, "13");
	close_tag(out, list);
	close_tag(out, data);
}

/* The same sequence with the delegate's certificate at its end. */
static void
add_delegate(struct forged *basic, enum delegate kind)
{
	struct forged certificate = { 0 }, inner = { 0 };
	const struct recipe recipe = { .subject = "responder", .serial = "77", .names = "",
	    .purposes = kind == OTHER_PURPOSE ? "server" : "1.3.6.1.5.5.7.3.9", .to = kind == ENDED ? -1 : 0,
	    .from = kind == ENDED ? -9 : 0, .key = KEY_SUB, .signer = kind == OTHER_CA ? KEY_STRANGER : KEY_MIDDLE };
	struct cursor whole = der_over(forged_der(basic));
	struct der contents = der_read(&whole, DER_SEQUENCE);
	forge_certificate(&certificate, &recipe, LEVEL_LEAF, LEVEL_MIDDLE, "server");
	put(&inner, contents.data, contents.bytes);
	size_t start = open_tag(&inner, DER_CONTEXT_SEQUENCE), list = open_tag(&inner, DER_SEQUENCE);
	put(&inner, certificate.data, certificate.bytes);
	close_tag(&inner, list);
	close_tag(&inner, start);
	basic->bytes = 0;
	put_tlv(basic, DER_SEQUENCE, inner.data, inner.bytes);
}

static void
forge_response(struct forged *out, const struct response_recipe *r)
{
	struct forged basic = { 0 };
	uint8_t status = (uint8_t)r->refusal;
	enum key own = r->delegate != NOBODY ? KEY_SUB : KEY_MIDDLE;
	put_response_data(&basic, r);
	sign(&basic, r->signer ? r->signer : own, r->sha1, r->damage);
	if (r->delegate != NOBODY)
		add_delegate(&basic, r->delegate);
	out->bytes = 0;
	size_t response = open_tag(out, DER_SEQUENCE);
	put_tlv(out, DER_ENUMERATED, &status, 1);
	if (!r->refusal) {
		size_t bytes = open_tag(out, DER_CONTEXT_SEQUENCE), typed = open_tag(out, DER_SEQUENCE);
		put_oid(out, "1.3.6.1.5.5.7.48.1.1");
		put_tlv(out, DER_OCTET_STRING, basic.data, basic.bytes);
		close_tag(out, typed);
		close_tag(out, bytes);
	}
	close_tag(out, response);
}

static void
load_chain(struct secret *out, bool has_ca)
{
	struct forged certificate;
	char error[FILE_ERROR];
	unlink(forge_path("chain.crt"));
	forge_certificate(&certificate, &(struct recipe){ 0 }, LEVEL_LEAF, LEVEL_MIDDLE, "server");
	forge_append_pem("chain.crt", "CERTIFICATE", &certificate);
	if (has_ca) {
		forge_certificate(&certificate, &(struct recipe){ 0 }, LEVEL_MIDDLE, LEVEL_ROOT, "");
		forge_append_pem("chain.crt", "CERTIFICATE", &certificate);
	}
	assert_true(file_read(out, forge_path("chain.crt"), 1 << 20, error));
}

static int
set_up(void **state)
{
	(void)state;
	load_chain(&chain, true);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	secret_wipe(&chain);
	forge_clean();
	return 0;
}

static const struct {
	struct response_recipe recipe;
	const char *said; /* NULL: good */
} cases[] = {
	{ { 0 }, NULL },
	{ { .second = true }, NULL },
	{ { .delegate = FIT }, NULL },
	{ { .until_s = 1 }, NULL },
	{ { .from_s = -1 }, NULL },
	{ { .refusal = 3 }, "refusal (status 3)" },
	{ { .status = REVOKED }, "revoked; replace it" },
	{ { .status = UNKNOWN }, "unknown to its responder" },
	{ { .serial = "55" }, "another certificate" },
	{ { .issuer = "root" }, "another certificate" },
	{ { .issuer_key = KEY_STRANGER }, "another certificate" },
	{ { .twice = true }, "revoked; replace it" },
	{ { .is_endless = true }, "no nextUpdate" },
	{ { .signer = KEY_STRANGER }, "not signed by the CA" },
	{ { .signer = KEY_LEAF }, "not signed by the CA" },
	{ { .damage = true }, "not signed by the CA" },
	{ { .delegate = OTHER_PURPOSE }, "not signed by the CA" },
	{ { .delegate = OTHER_CA }, "not signed by the CA" },
	{ { .delegate = FIT, .signer = KEY_STRANGER }, "not signed by the CA" },
	{ { .delegate = ENDED }, "responder whose certificate is not valid now" },
	{ { .sha1 = true }, "too weak" },
};

static void
each_fault_of_a_response_has_its_sentence(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct forged response;
		struct ocsp_staple staple;
		char error[OCSP_ERROR] = "";
		forge_response(&response, &cases[i].recipe);
		forge_write("staple", response.data, response.bytes);
		bool good = ocsp_staple_load(&staple, forge_path("staple"), &chain, NOW, error);
		if (good != !cases[i].said || (cases[i].said && !strstr(error, cases[i].said)))
			fail_msg("case %zu: %s", i, error);
		if (good) {
			assert_int_equal(staple.bytes, response.bytes);
			assert_memory_equal(staple.data, response.data, response.bytes);
		} else {
			assert_null(staple.data);
			assert_int_equal(strncmp(error, forge_path("staple"), strlen(forge_path("staple"))), 0);
		}
		ocsp_staple_wipe(&staple);
	}
}

static void
a_good_one_is_so_until_its_end(void **state)
{
	struct forged response;
	struct ocsp_staple staple, nothing = { 0 };
	char error[OCSP_ERROR];
	(void)state;
	forge_response(&response, &(struct response_recipe){ 0 });
	unlink(forge_path("staple.pem"));
	forge_append_pem("staple.pem", "OCSP RESPONSE", &response);
	assert_true(ocsp_staple_load(&staple, forge_path("staple.pem"), &chain, NOW, error));
	assert_int_equal(staple.from_s, NOW - 3600);
	assert_int_equal(staple.until_s, NOW + DAY);
	assert_true(ocsp_staple_is_current(&staple, NOW));
	assert_true(ocsp_staple_is_current(&staple, NOW + DAY - 1));
	assert_false(ocsp_staple_is_current(&staple, NOW + DAY));
	assert_false(ocsp_staple_is_current(&staple, NOW - 3601));
	assert_false(ocsp_staple_is_current(&nothing, NOW));
	ocsp_staple_wipe(&staple);
}

/* A clock may be put right while the file stays as it is. */
static void
one_whose_time_has_not_come_or_is_over_is_kept(void **state)
{
	static const struct {
		struct response_recipe recipe;
		const char *said;
	} untimely[] = {
		{ { .from_s = 60 }, "is from the future (2027-01-15T08:01:00Z); is the clock right?" },
		{ { .until_s = -60 }, "has ended on 2027-01-15T07:59:00Z" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof untimely / sizeof *untimely; i++) {
		struct forged response;
		struct ocsp_staple staple;
		char error[OCSP_ERROR];
		forge_response(&response, &untimely[i].recipe);
		forge_write("staple", response.data, response.bytes);
		assert_true(ocsp_staple_load(&staple, forge_path("staple"), &chain, NOW, error));
		assert_false(ocsp_staple_is_current(&staple, NOW));
		assert_non_null(strstr(ocsp_staple_untimely(&staple, NOW, error), untimely[i].said));
		assert_true(ocsp_staple_is_current(&staple, NOW + (i == 0 ? 60 : -61)));
		ocsp_staple_wipe(&staple);
	}
}

static void
without_the_ca_in_the_file_nothing_is_believed(void **state)
{
	struct forged response;
	struct ocsp_staple staple;
	struct secret leaf;
	char error[OCSP_ERROR];
	(void)state;
	load_chain(&leaf, false);
	forge_response(&response, &(struct response_recipe){ 0 });
	forge_write("staple", response.data, response.bytes);
	assert_false(ocsp_staple_load(&staple, forge_path("staple"), &leaf, NOW, error));
	assert_non_null(strstr(error, "without the CA"));
	secret_wipe(&leaf);
}

static void
what_is_no_response_is_told(void **state)
{
	static const char *const others[] = { "", "0", "-----BEGIN OCSP RESPONSE-----\nxx\n", "<html>" };
	struct ocsp_staple staple;
	char error[OCSP_ERROR];
	(void)state;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		forge_write("staple", others[i], strlen(others[i]));
		assert_false(ocsp_staple_load(&staple, forge_path("staple"), &chain, NOW, error));
		assert_non_null(strstr(error, "something else than an OCSP response"));
	}
	assert_false(ocsp_staple_load(&staple, "/nonexistent/staple", &chain, NOW, error));
	assert_non_null(strstr(error, "/nonexistent/staple"));
}

/* Cut anywhere it is refused, whatever is missing. */
static void
a_response_that_is_cut_is_never_good(void **state)
{
	struct forged response;
	struct ocsp_staple staple;
	char error[OCSP_ERROR];
	(void)state;
	forge_response(&response, &(struct response_recipe){ 0 });
	for (size_t bytes = 0; bytes < response.bytes; bytes++) {
		forge_write("staple", response.data, bytes);
		assert_false(ocsp_staple_load(&staple, forge_path("staple"), &chain, NOW, error));
	}
}

static void
certificate_with(struct secret *out, const char *feature, size_t bytes)
{
	gnutls_x509_crt_t crt;
	gnutls_x509_privkey_t key;
	gnutls_datum_t pem;
	gnutls_x509_privkey_init(&key);
	gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
	    GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	gnutls_x509_crt_init(&crt);
	gnutls_x509_crt_set_version(crt, 3);
	gnutls_x509_crt_set_serial(crt, "\1", 1);
	gnutls_x509_crt_set_activation_time(crt, NOW - DAY);
	gnutls_x509_crt_set_expiration_time(crt, NOW + DAY);
	gnutls_x509_crt_set_dn(crt, "CN=test", NULL);
	gnutls_x509_crt_set_key(crt, key);
	if (feature)
		gnutls_x509_crt_set_extension_by_oid(crt, "1.3.6.1.5.5.7.1.24", feature, bytes, 0);
	assert_int_equal(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0), 0);
	assert_int_equal(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem), 0);
	assert_true(secret_init(out, pem.data, pem.size));
	gnutls_free(pem.data);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
}

static void
a_certificate_may_demand_one(void **state)
{
	static const struct {
		const char *feature;
		size_t bytes;
		bool must;
	} features[] = {
		{ NULL, 0, false },
		{ "\x30\3\2\1\5", 5, true },       /* status_request */
		{ "\x30\6\2\1\x11\2\1\5", 8, true }, /* and another one before it */
		{ "\x30\3\2\1\x10", 5, false },    /* ALPN */
	};
	(void)state;
	for (size_t i = 0; i < sizeof features / sizeof *features; i++) {
		struct secret pem;
		bool must = !features[i].must;
		certificate_with(&pem, features[i].feature, features[i].bytes);
		assert_true(ocsp_must_staple(&pem, &must));
		assert_int_equal(must, features[i].must);
		secret_wipe(&pem);
	}
}

static void
a_demand_that_cannot_be_read_is_a_failure(void **state)
{
	struct secret pem;
	bool must;
	(void)state;
	certificate_with(&pem, "\x30\3\2\1", 4);
	assert_false(ocsp_must_staple(&pem, &must));
	secret_wipe(&pem);
}

/* Counts down; the allocation of GnuTLS that finds 0 fails, and no other one. */
static unsigned until_failure;
static bool has_failed;

static bool
fails_now(void)
{
	has_failed |= until_failure == 1;
	return until_failure > 0 && --until_failure == 0;
}

static void *
failing_malloc(size_t bytes)
{
	return fails_now() ? NULL : malloc(bytes);
}

static void *
failing_calloc(size_t count, size_t bytes)
{
	return fails_now() ? NULL : calloc(count, bytes);
}

static void *
failing_realloc(void *data, size_t bytes)
{
	return fails_now() ? NULL : realloc(data, bytes);
}

static void
no_demand_is_overheard_when_memory_is_short(void **state)
{
	struct secret pem;
	unsigned n = 0;
	(void)state;
	certificate_with(&pem, "\x30\3\2\1\5", 5);
	gnutls_malloc = failing_malloc;
	gnutls_calloc = failing_calloc;
	gnutls_realloc = failing_realloc;
	do {
		bool must = false, fine;
		has_failed = false;
		until_failure = ++n;
		fine = ocsp_must_staple(&pem, &must);
		until_failure = 0;
		if (fine && !must)
			fail_msg("without allocation %u", n);
	} while (has_failed);
	gnutls_malloc = malloc;
	gnutls_calloc = calloc;
	gnutls_realloc = realloc;
	assert_true(n > 1);
	secret_wipe(&pem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_fault_of_a_response_has_its_sentence),
		cmocka_unit_test(a_good_one_is_so_until_its_end),
		cmocka_unit_test(one_whose_time_has_not_come_or_is_over_is_kept),
		cmocka_unit_test(without_the_ca_in_the_file_nothing_is_believed),
		cmocka_unit_test(what_is_no_response_is_told),
		cmocka_unit_test(a_response_that_is_cut_is_never_good),
		cmocka_unit_test(a_certificate_may_demand_one),
		cmocka_unit_test(a_demand_that_cannot_be_read_is_a_failure),
		cmocka_unit_test(no_demand_is_overheard_when_memory_is_short),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("pki/ocsp", tests, set_up, tear_down);
}
