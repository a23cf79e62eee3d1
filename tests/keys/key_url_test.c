/* Tests of keys/key_url: the library does TLS with keys that it does not have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "base/pass.h"
#include "keys/key_channel.h"
#include "keys/key_server.h"
#include "keys/key_url.h"
#include "keys/key_kit.h"

static int control = -1;
static pid_t server;

static void
start(void)
{
	int pair[2];

	assert_true(pass_pair(pair));
	server = fork();
	assert_true(server >= 0);
	if (server == 0) {
		close(pair[0]);
		_exit(key_server_run(pair[1]));
	}
	close(pair[1]);
	control = pair[0];
	key_channel_start(control);
}

static void
stop(void)
{
	key_channel_stop();
	close(control);
	assert_int_equal(waitpid(server, NULL, 0), server);
}

/* ---- certificates ---- */

static gnutls_x509_crt_t
self_signed(const char *name)
{
	gnutls_x509_privkey_t key = kit_read(name);
	gnutls_x509_crt_t made;
	time_t now = time(NULL);

	assert_true(gnutls_x509_crt_init(&made) >= 0);
	assert_true(gnutls_x509_crt_set_version(made, 3) >= 0);
	assert_true(gnutls_x509_crt_set_serial(made, "\1", 1) >= 0);
	assert_true(gnutls_x509_crt_set_dn(made, "CN=test", NULL) >= 0);
	assert_true(gnutls_x509_crt_set_activation_time(made, now - 100) >= 0);
	assert_true(gnutls_x509_crt_set_expiration_time(made, now + 86400) >= 0);
	assert_true(gnutls_x509_crt_set_key(made, key) >= 0);
	assert_true(gnutls_x509_crt_sign2(made, made, key, GNUTLS_DIG_UNKNOWN, 0) >= 0);
	gnutls_x509_privkey_deinit(key);
	return made;
}

/* The key is named, not read; what is returned is what the library says. */
static int
give_key(gnutls_certificate_credentials_t to, const char *certificate, const char *key)
{
	gnutls_x509_crt_t made = self_signed(certificate);
	struct secret url;
	char error[KEY_URL_ERROR];
	gnutls_privkey_t named;
	gnutls_pcert_st chain;
	int got;

	assert_true(key_url_make(&url, kit_path(key), error));
	assert_true(gnutls_privkey_init(&named) >= 0);
	got = gnutls_privkey_import_url(named, (const char *)url.data, 0);
	secret_wipe(&url);
	assert_true(gnutls_pcert_import_x509(&chain, made, 0) >= 0);
	gnutls_x509_crt_deinit(made);
	if (got >= 0)
		got = gnutls_certificate_set_key(to, NULL, 0, &chain, 1, named);
	if (got < 0) {
		gnutls_pcert_deinit(&chain);
		gnutls_privkey_deinit(named);
	}
	return got;
}

/* ---- a handshake ---- */

struct handshaker {
	gnutls_session_t session;
	gnutls_certificate_credentials_t credentials;
	int result;
};

static void
side_init(struct handshaker *side, unsigned flags, const char *key, const char *priority, int fd)
{
	assert_true(gnutls_certificate_allocate_credentials(&side->credentials) >= 0);
	if (key)
		assert_true(give_key(side->credentials, key, key) >= 0);
	assert_true(gnutls_init(&side->session, flags | GNUTLS_NONBLOCK) >= 0);
	assert_true(gnutls_priority_set_direct(side->session, priority, NULL) >= 0);
	assert_true(
	    gnutls_credentials_set(side->session, GNUTLS_CRD_CERTIFICATE, side->credentials) >= 0);
	gnutls_transport_set_int(side->session, fd);
	side->result = GNUTLS_E_AGAIN;
}

static void
side_wipe(struct handshaker *side)
{
	gnutls_deinit(side->session);
	gnutls_certificate_free_credentials(side->credentials);
}

static void
step(struct handshaker *side)
{
	if (side->result == GNUTLS_E_AGAIN)
		side->result = gnutls_handshake(side->session);
}

/* Whether both sides have proved to have the key that they do not have. */
static bool
shake_hands(const char *key, const char *priority)
{
	int pair[2];
	struct handshaker of_server, client;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	side_init(&of_server, GNUTLS_SERVER, key, priority, pair[0]);
	side_init(&client, GNUTLS_CLIENT, key, priority, pair[1]);
	gnutls_certificate_server_set_request(of_server.session, GNUTLS_CERT_REQUIRE);
	for (unsigned i = 0;
	     i < 1000 && (of_server.result == GNUTLS_E_AGAIN || client.result == GNUTLS_E_AGAIN);
	     i++) {
		step(&client);
		step(&of_server);
	}
	bool is_fine = of_server.result == 0 && client.result == 0;
	side_wipe(&of_server);
	side_wipe(&client);
	close(pair[0]);
	close(pair[1]);
	return is_fine;
}

#define OURS ":+ECDHE-ECDSA:+ECDHE-RSA:+AES-128-GCM:+AEAD:+GROUP-ALL:+CTYPE-X509:+SIGN-ALL"

static const char *const keys[] = { "p256.key", "ed25519.key", "rsa.key", "pss.key" };
enum { KEYS = sizeof keys / sizeof *keys };

static void
shakes_hands_with_each_type_of_key(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEYS; i++) {
		assert_true(shake_hands(keys[i], "NONE:+VERS-TLS1.3" OURS));
		assert_true(shake_hands(keys[i], "NONE:+VERS-TLS1.2" OURS));
	}
}

static void
shakes_hands_by_another_process(void **state)
{
	start();
	shakes_hands_with_each_type_of_key(state);
	stop();
}

/* Static RSA would have the key decrypt what a stranger has sent. */
static void
decrypts_nothing(void **state)
{
	(void)state;
	assert_false(shake_hands(
	    "rsa.key", "NONE:+VERS-TLS1.2:+RSA:+AES-128-GCM:+AEAD:+CTYPE-X509:+SIGN-ALL"));
}

static void
finds_out_that_a_key_is_not_the_certificates(void **state)
{
	gnutls_certificate_credentials_t credentials;

	(void)state;
	assert_true(gnutls_certificate_allocate_credentials(&credentials) >= 0);
	assert_int_equal(
	    give_key(credentials, "p256.key", "other.key"), GNUTLS_E_CERTIFICATE_KEY_MISMATCH);
	assert_true(give_key(credentials, "p256.key", "absent.key") < 0);
	gnutls_certificate_free_credentials(credentials);
}

static int
sign_text(gnutls_privkey_t key)
{
	const gnutls_datum_t data = { (uint8_t *)(uintptr_t) "text", 4 };
	gnutls_datum_t signature = { 0 };
	int got = gnutls_privkey_sign_data2(key, GNUTLS_SIGN_ECDSA_SHA256, 0, &data, &signature);

	gnutls_free(signature.data);
	return got;
}

/* As the next process: the same key is opened again, another one in its file is not. */
static void
goes_on_with_the_same_key_in_the_next_process(void **state)
{
	struct secret url;
	char error[KEY_URL_ERROR], ignored[FILE_ERROR];
	gnutls_privkey_t key;
	struct secret pem;

	(void)state;
	start();
	assert_true(key_url_make(&url, kit_path("lasting.key"), error));
	assert_true(gnutls_privkey_init(&key) >= 0);
	assert_true(gnutls_privkey_import_url(key, (const char *)url.data, 0) >= 0);
	assert_true(sign_text(key) >= 0);
	kill(server, SIGKILL);
	stop();
	start();
	assert_true(sign_text(key) >= 0);
	kill(server, SIGKILL);
	stop();
	assert_true(file_read_key(&pem, kit_path("other.key"), 65536, ignored));
	assert_true(file_write(kit_path("lasting.key"), 0600, pem.data, pem.bytes, ignored));
	start();
	assert_true(sign_text(key) < 0);
	gnutls_privkey_deinit(key);
	secret_wipe(&pem);
	secret_wipe(&url);
	stop();
}

static int
set_up(void **state)
{
	if (kit_set_up(state) < 0)
		return -1;
	kit_make("p256.key", KEY_P256);
	kit_make("other.key", KEY_P256);
	kit_make("lasting.key", KEY_P256);
	kit_make("ed25519.key", KEY_ED25519);
	kit_make("rsa.key", KEY_RSA2048);
	kit_make_pss("pss.key");
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shakes_hands_with_each_type_of_key),
		cmocka_unit_test(shakes_hands_by_another_process),
		cmocka_unit_test(decrypts_nothing),
		cmocka_unit_test(finds_out_that_a_key_is_not_the_certificates),
		cmocka_unit_test(goes_on_with_the_same_key_in_the_next_process),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("keys/key_url", tests, set_up, kit_tear_down);
}
