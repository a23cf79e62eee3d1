/* Tests of acme/jws and acme/account_key: what is signed is verified by GnuTLS, which has not
 * signed it. */
#include "acme/jws.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <jansson.h>

#include "account_keys.h"
#include "acme/base64url.h"
#include "helpers.h"

/* RFC 7517, A.2, the key of RFC 7515, A.3. */
static const char known_key[] = "-----BEGIN EC PRIVATE KEY-----\n"
				"MHcCAQEEII6bEJ5xkJi/mASH3x9dd+nLKWBuvtImO19XwhPfhPSyoAoGCCqGSM49\n"
				"AwEHoUQDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEXH8UTNG72b\n"
				"focs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"
				"-----END EC PRIVATE KEY-----\n";
static const char known_x[] = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
		  known_y[] = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";

/* Of a member in base64. */
static struct secret
member(const json_t *jws, const char *name)
{
	struct secret out;

	assert_true(base64url_decode(&out, json_string_value(json_object_get(jws, name))));
	return out;
}

static json_t *
document(const json_t *jws, const char *name)
{
	struct secret text = member(jws, name);
	json_t *made = json_loadb((const char *)text.data, text.bytes, 0, NULL);

	secret_wipe(&text);
	assert_non_null(made);
	return made;
}

static void
number(gnutls_datum_t *out, const json_t *jwk, const char *name)
{
	struct secret bytes = member(jwk, name);

	assert_int_equal(bytes.bytes, 32);
	out->data = gnutls_malloc(32);
	out->size = 32;
	memcpy(out->data, bytes.data, 32);
	secret_wipe(&bytes);
}

static bool
is_signed_by(const json_t *jws, const json_t *jwk)
{
	char text[8192];
	struct secret raw = member(jws, "signature");
	gnutls_datum_t x, y, r = { raw.data, 32 }, s = { raw.data + 32, 32 }, der;
	const gnutls_datum_t data = { (unsigned char *)text,
		(unsigned)snprintf(text, sizeof text, "%s.%s",
		    json_string_value(json_object_get(jws, "protected")),
		    json_string_value(json_object_get(jws, "payload"))) };
	gnutls_pubkey_t key;
	int result;

	assert_int_equal(raw.bytes, 64);
	number(&x, jwk, "x");
	number(&y, jwk, "y");
	gnutls_pubkey_init(&key);
	assert_int_equal(gnutls_pubkey_import_ecc_raw(key, GNUTLS_ECC_CURVE_SECP256R1, &x, &y), 0);
	assert_int_equal(gnutls_encode_rs_value(&der, &r, &s), 0);
	result = gnutls_pubkey_verify_data2(key, GNUTLS_SIGN_ECDSA_SHA256, 0, &data, &der);
	gnutls_pubkey_deinit(key);
	gnutls_free(x.data);
	gnutls_free(y.data);
	gnutls_free(der.data);
	secret_wipe(&raw);
	return result >= 0;
}

static const char *
text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static void
the_public_half_is_that_of_the_rfc(void **state)
{
	struct account_key *key = import_account_key(known_key);
	json_t *public;

	(void)state;
	assert_non_null(key);
	public = account_key_public(key);
	assert_string_equal(text_of(public, "x"), known_x);
	assert_string_equal(text_of(public, "y"), known_y);
	assert_int_equal(json_object_size(public), 4);
	json_decref(public);
	account_key_free(key);
}

/* sha256 of {"crv":"P-256","kty":"EC","x":"...","y":"..."}, by another program. */
static void
the_thumbprint_is_of_the_members_in_their_order(void **state)
{
	struct account_key *key = import_account_key(known_key);
	char *thumbprint = account_key_thumbprint(key);

	(void)state;
	assert_string_equal(thumbprint, "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
	free(thumbprint);
	account_key_free(key);
}

static void
a_key_comes_back_from_its_file(void **state)
{
	char dir[] = "/tmp/valise-account-XXXXXX", path[64], error[ACCOUNT_KEY_ERROR];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/own.account", dir);
	/* Some keys have a coordinate that begins with zeros. */
	for (int i = 0; i < 300; i++) {
		struct account_key *key = account_key_open(path, error), *again;
		json_t *a, *b;

		assert_non_null(key);
		again = account_key_open(path, error);
		assert_non_null(again);
		a = account_key_public(key);
		b = account_key_public(again);
		assert_true(json_equal(a, b));
		assert_int_equal(strlen(text_of(a, "x")), 43);
		assert_int_equal(strlen(text_of(a, "y")), 43);
		json_decref(a);
		json_decref(b);
		account_key_free(key);
		account_key_free(again);
		assert_int_equal(unlink(path), 0);
	}
	rmdir(dir);
}

static void
refuses_keys_that_cannot_sign_so(void **state)
{
	gnutls_x509_privkey_t other;
	gnutls_datum_t pem;
	char text[4096];

	(void)state;
	assert_null(import_account_key("no key"));
	gnutls_x509_privkey_init(&other);
	gnutls_x509_privkey_generate(
	    other, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP384R1), 0);
	gnutls_x509_privkey_export2(other, GNUTLS_X509_FMT_PEM, &pem);
	snprintf(text, sizeof text, "%.*s", (int)pem.size, pem.data);
	assert_null(import_account_key(text));
	gnutls_free(pem.data);
	gnutls_x509_privkey_deinit(other);
}

static void
a_first_request_shows_the_key(void **state)
{
	struct account_key *key = new_account_key();
	const struct jws_head head = { .url = "https://ca.example/new", .nonce = "n-1" };

	(void)state;
	/* Short numbers in a signature are seldom. */
	for (int i = 0; i < 300; i++) {
		char *text = jws_sign(key, &head, "{\"a\":1}");
		json_t *jws = json_loads(text, 0, NULL), *protected = document(jws, "protected"),
		       *payload = document(jws, "payload");

		assert_string_equal(text_of(protected, "alg"), "ES256");
		assert_string_equal(text_of(protected, "url"), "https://ca.example/new");
		assert_string_equal(text_of(protected, "nonce"), "n-1");
		assert_null(json_object_get(protected, "kid"));
		assert_int_equal(json_integer_value(json_object_get(payload, "a")), 1);
		assert_true(is_signed_by(jws, json_object_get(protected, "jwk")));
		json_decref(payload);
		json_decref(protected);
		json_decref(jws);
		free(text);
	}
	account_key_free(key);
}

static void
later_ones_name_the_account(void **state)
{
	struct account_key *key = new_account_key();
	const struct jws_head head = { "https://ca.example/order", "n-2",
		"https://ca.example/acct/1" };
	char *text = jws_sign(key, &head, "");
	json_t *jws = json_loads(text, 0, NULL), *protected = document(jws, "protected"),
	       *public = account_key_public(key);

	(void)state;
	assert_string_equal(text_of(protected, "kid"), "https://ca.example/acct/1");
	assert_null(json_object_get(protected, "jwk"));
	assert_string_equal(text_of(jws, "payload"), "");
	assert_true(is_signed_by(jws, public));
	json_decref(public);
	json_decref(protected);
	json_decref(jws);
	free(text);
	account_key_free(key);
}

static void
a_binding_is_a_mac_over_the_public_key(void **state)
{
	struct account_key *key = new_account_key();
	struct secret mac_key;
	char text[4096], *bound;
	json_t *jws, *protected, *payload, *public = account_key_public(key);
	struct secret signature;
	uint8_t mac[32];

	(void)state;
	assert_true(base64url_decode(
	    &mac_key, "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"));
	bound = jws_bind(key, "kid-1", &mac_key, "https://ca.example/new");
	jws = json_loads(bound, 0, NULL);
	protected = document(jws, "protected");
	payload = document(jws, "payload");
	assert_string_equal(text_of(protected, "alg"), "HS256");
	assert_string_equal(text_of(protected, "kid"), "kid-1");
	assert_string_equal(text_of(protected, "url"), "https://ca.example/new");
	assert_null(json_object_get(protected, "nonce"));
	assert_true(json_equal(payload, public));
	snprintf(text, sizeof text, "%s.%s", text_of(jws, "protected"), text_of(jws, "payload"));
	gnutls_hmac_fast(GNUTLS_MAC_SHA256, mac_key.data, mac_key.bytes, text, strlen(text), mac);
	signature = member(jws, "signature");
	assert_int_equal(signature.bytes, 32);
	assert_memory_equal(signature.data, mac, 32);
	secret_wipe(&signature);
	json_decref(public);
	json_decref(payload);
	json_decref(protected);
	json_decref(jws);
	free(bound);
	secret_wipe(&mac_key);
	account_key_free(key);
}

static void
a_change_of_keys_is_signed_by_the_new_one(void **state)
{
	struct account_key *old = new_account_key(), *fresh = new_account_key();
	char *text =
	    jws_change_key(old, fresh, "https://ca.example/acct/1", "https://ca.example/change");
	json_t *jws = json_loads(text, 0, NULL), *protected = document(jws, "protected"),
	       *payload = document(jws, "payload"), *public = account_key_public(old);

	(void)state;
	assert_true(is_signed_by(jws, json_object_get(protected, "jwk")));
	assert_false(json_equal(json_object_get(protected, "jwk"), public));
	assert_null(json_object_get(protected, "nonce"));
	assert_string_equal(text_of(protected, "url"), "https://ca.example/change");
	assert_string_equal(text_of(payload, "account"), "https://ca.example/acct/1");
	assert_true(json_equal(json_object_get(payload, "oldKey"), public));
	json_decref(public);
	json_decref(payload);
	json_decref(protected);
	json_decref(jws);
	free(text);
	account_key_free(old);
	account_key_free(fresh);
}

/* sha256 of "token.thumbprint", by another program. */
static void
an_authorisation_is_the_digest_of_token_and_thumbprint(void **state)
{
	static const uint8_t expected[32] = { 0x65, 0xa2, 0x60, 0x16, 0xd2, 0x15, 0xe1, 0x60, 0x34,
		0xb7, 0x63, 0x33, 0x37, 0xb9, 0x1b, 0x4a, 0x4d, 0x2c, 0x7d, 0x17, 0x76, 0x19, 0x98,
		0xda, 0xc5, 0x1a, 0x9a, 0x49, 0x30, 0x0a, 0xea, 0x52 };
	struct account_key *key = import_account_key(known_key);
	uint8_t digest[32];

	(void)state;
	assert_true(jws_authorise(key, "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA", digest));
	assert_memory_equal(digest, expected, 32);
	account_key_free(key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_public_half_is_that_of_the_rfc),
		cmocka_unit_test(the_thumbprint_is_of_the_members_in_their_order),
		cmocka_unit_test(a_key_comes_back_from_its_file),
		cmocka_unit_test(refuses_keys_that_cannot_sign_so),
		cmocka_unit_test(a_first_request_shows_the_key),
		cmocka_unit_test(later_ones_name_the_account),
		cmocka_unit_test(a_binding_is_a_mac_over_the_public_key),
		cmocka_unit_test(a_change_of_keys_is_signed_by_the_new_one),
		cmocka_unit_test(an_authorisation_is_the_digest_of_token_and_thumbprint),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("acme/jws", tests, NULL, NULL);
}
