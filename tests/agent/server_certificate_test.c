/* Tests of agent/server_certificate: which certificate is chosen for which name and which client. */
#include "agent/server_certificate.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "mint.h"
#include "sni/name.h"

enum { HELLO_MOST = 4096 };

static struct test_mint mint;

/* The certificates of an endpoint *.app.test, by their files. */
enum { WILD_RSA, WILD_P256, ONE_RSA, ONE_P384, TWO_P256, APART, COUNTED };
static const char *const files[COUNTED] = { "wild-rsa", "wild-p256", "one-rsa", "one-p384",
	"two-p256", "apart" };
static struct server_certificate all[COUNTED];

static const char *
load_for(struct server_certificate *out, const char *file, const char *endpoint)
{
	static char error[SERVER_CERTIFICATE_ERROR];
	char certificate[160], key[160];
	const struct certificate_settings settings = { .certificate = certificate,
		.private_key = key };
	const struct tls_settings shared = { .purpose = TLS_ENDPOINT };
	const struct server_certificate_scope scope = { .endpoint = endpoint, .tls = &shared };
	bool is_fine;

	snprintf(certificate, sizeof certificate, "%s/%s.crt", mint.dir, file);
	snprintf(key, sizeof key, "%s/%s.key", mint.dir, file);
	error[0] = '\0';
	is_fine = server_certificate_load(out, &settings, &scope, error);
	assert_int_equal(is_fine, error[0] == '\0');
	return error;
}

static int
set_up(void **state)
{
	const struct mint_options rsa = { .algorithm = GNUTLS_PK_RSA, .bits = 2048 };
	const struct mint_options p384 = { .algorithm = GNUTLS_PK_ECDSA,
		.bits = GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP384R1) };
	const struct mint_options two = { .second_host = "TWO.app.test" };

	(void)state;
	mint_open(&mint);
	mint_leaf_with(&mint, "wild-rsa", "*.app.test", &rsa);
	mint_leaf_with(&mint, "wild-p256", "*.app.test", &(struct mint_options){ 0 });
	mint_leaf_with(&mint, "one-rsa", "one.app.test", &rsa);
	mint_leaf_with(&mint, "one-p384", "one.app.test", &p384);
	mint_leaf_with(&mint, "two-p256", "other.test", &two);
	mint_leaf_with(
	    &mint, "apart", "app.test", &(struct mint_options){ .second_host = "a.b.app.test" });
	for (int i = 0; i < COUNTED; i++)
		assert_string_equal(load_for(&all[i], files[i], "*.app.test"), "");
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	for (int i = 0; i < COUNTED; i++)
		server_certificate_wipe(&all[i]);
	mint_close(&mint);
	return 0;
}

/* What a client with these priorities says. */
static struct key_offer
offer_of(const char *priorities, bool has_tls13)
{
	gnutls_session_t client;
	gnutls_certificate_credentials_t nothing;
	uint8_t hello[HELLO_MOST];
	ssize_t got;
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	assert_int_equal(gnutls_init(&client, GNUTLS_CLIENT | GNUTLS_NONBLOCK), 0);
	assert_int_equal(gnutls_priority_set_direct(client, priorities, NULL), 0);
	gnutls_certificate_allocate_credentials(&nothing);
	gnutls_credentials_set(client, GNUTLS_CRD_CERTIFICATE, nothing);
	gnutls_transport_set_int(client, ends[0]);
	assert_int_equal(gnutls_handshake(client), GNUTLS_E_AGAIN);
	got = recv(ends[1], hello, sizeof hello, 0);
	assert_true(got > 0);
	gnutls_deinit(client);
	gnutls_certificate_free_credentials(nothing);
	close(ends[0]);
	close(ends[1]);
	return server_certificate_offer(hello, (size_t)got, has_tls13);
}

#define TLS13 "NORMAL:-VERS-ALL:+VERS-TLS1.3"
#define TLS12 "NORMAL:-VERS-ALL:+VERS-TLS1.2"
#define ONLY_RSA ":-SIGN-ALL:+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-RSA-SHA256"
#define ONLY_P256 \
	":-SIGN-ALL:+SIGN-ECDSA-SECP256R1-SHA256:+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-RSA-SHA256"
#define ONLY_SHA256 ":-SIGN-ALL:+SIGN-ECDSA-SHA256:+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-RSA-SHA256"
#define ONLY_ED25519 ":-SIGN-ALL:+SIGN-EDDSA-ED25519"

static void
the_name_decides_and_then_the_key_that_the_client_can_verify(void **state)
{
	static const struct {
		const char *priorities, *name;
		int chosen; /* -1: none */
	} cases[] = {
		{ TLS13, "any.app.test", WILD_P256 },
		{ TLS12, "any.app.test", WILD_P256 },
		{ "NORMAL", "any.app.test", WILD_P256 },
		{ TLS13 ONLY_RSA, "any.app.test", WILD_RSA },
		{ TLS12 ONLY_RSA, "any.app.test", WILD_RSA },
		{ TLS12 ":-ECDHE-ECDSA", "any.app.test", WILD_RSA },
		{ "NORMAL:-ECDHE-ECDSA", "any.app.test", WILD_P256 },
		{ TLS13, "one.app.test", ONE_P384 },
		{ TLS13 ONLY_RSA, "one.app.test", ONE_RSA },
		{ TLS13 ONLY_P256, "one.app.test", ONE_RSA },
		{ TLS12 ONLY_SHA256, "one.app.test", ONE_P384 },
		{ TLS13, "two.app.test", TWO_P256 },
		{ TLS13 ONLY_RSA, "two.app.test", WILD_RSA },
		{ TLS13 ONLY_ED25519, "two.app.test", TWO_P256 },
		{ TLS13, "other.test", -1 },
		{ TLS13, "app.test", -1 },
		{ TLS13, "a.b.app.test", -1 },
		{ TLS13, "x.any.app.test", -1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct key_offer offer = offer_of(cases[i].priorities, true);
		const struct server_certificate *chosen =
		    server_certificate_choose(all, COUNTED, cases[i].name, &offer);

		if (chosen != (cases[i].chosen < 0 ? NULL : &all[cases[i].chosen]))
			fail_msg("case %zu: %s instead of %d", i,
			    chosen ? files[chosen - all] : "none", cases[i].chosen);
	}
}

/* Where we speak TLS 1.2 at most, its suites count although the client offers 1.3. */
static void
the_version_that_will_be_spoken_decides_what_is_asked_of_the_client(void **state)
{
	struct key_offer offer;

	(void)state;
	offer = offer_of("NORMAL:-ECDHE-ECDSA", false);
	assert_ptr_equal(
	    server_certificate_choose(all, COUNTED, "any.app.test", &offer), &all[WILD_RSA]);
}

static void
the_order_of_the_list_decides_between_equals(void **state)
{
	struct key_offer offer = offer_of(TLS13, true);
	const struct server_certificate twins[] = { all[WILD_P256], all[WILD_P256] };

	(void)state;
	assert_ptr_equal(server_certificate_choose(twins, 2, "any.app.test", &offer), &twins[0]);
}

static void
only_names_of_the_endpoint_are_kept(void **state)
{
	struct server_certificate one;

	(void)state;
	assert_int_equal(all[APART].name_count, 0);
	assert_int_equal(all[TWO_P256].name_count, 1);
	assert_string_equal(all[TWO_P256].names[0], "two.app.test");
	assert_string_equal(load_for(&one, "wild-p256", "any.app.test"), "");
	assert_int_equal(one.name_count, 1);
	server_certificate_wipe(&one);
	assert_string_equal(load_for(&one, "two-p256", "any.app.test"), "");
	assert_int_equal(one.name_count, 0);
	server_certificate_wipe(&one);
}

static void
what_is_no_hello_offers_nothing(void **state)
{
	struct key_offer offer = server_certificate_offer((const uint8_t *)"GET /", 5, true);

	(void)state;
	assert_int_equal(offer.schemes, 0);
	assert_false(offer.tls13 || offer.ecdsa || offer.rsa);
}

static void
a_key_of_another_certificate_is_told(void **state)
{
	struct server_certificate one;
	char from[160], to[160];

	(void)state;
	snprintf(from, sizeof from, "%s/one-rsa.crt", mint.dir);
	snprintf(to, sizeof to, "%s/mixed.crt", mint.dir);
	assert_int_equal(link(from, to), 0);
	snprintf(from, sizeof from, "%s/one-p384.key", mint.dir);
	snprintf(to, sizeof to, "%s/mixed.key", mint.dir);
	assert_int_equal(link(from, to), 0);
	assert_non_null(strstr(load_for(&one, "mixed", "one.app.test"),
	    "the private key does not belong to the certificate"));
	server_certificate_wipe(&one);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_name_decides_and_then_the_key_that_the_client_can_verify),
		cmocka_unit_test(
		    the_version_that_will_be_spoken_decides_what_is_asked_of_the_client),
		cmocka_unit_test(the_order_of_the_list_decides_between_equals),
		cmocka_unit_test(only_names_of_the_endpoint_are_kept),
		cmocka_unit_test(what_is_no_hello_offers_nothing),
		cmocka_unit_test(a_key_of_another_certificate_is_told),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("agent/server_certificate", tests, set_up, tear_down);
}
