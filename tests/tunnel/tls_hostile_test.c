/* A peer whose certificate is a trap for whoever checks signatures by it. */
#include "tunnel/tls.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "tunnel/peer.h"

/* 32768 bits, the exponent as long: GnuTLS alone takes 3 s to check one signature, and says
 * decrypt_error (51) then. */
enum { KEY_BYTES = 4096 };

static int
sign(gnutls_privkey_t key, gnutls_sign_algorithm_t algorithm, void *arg, unsigned flags,
    const gnutls_datum_t *data, gnutls_datum_t *signature)
{
	(void)key, (void)algorithm, (void)arg, (void)flags, (void)data;
	signature->data = gnutls_malloc(KEY_BYTES);
	signature->size = KEY_BYTES;
	memset(signature->data, 0x55, KEY_BYTES);
	return 0;
}

static int
tell(gnutls_privkey_t key, unsigned flags, void *arg)
{
	(void)key, (void)arg;
	return flags & GNUTLS_PRIVKEY_INFO_PK_ALGO ? GNUTLS_PK_RSA :
	    flags & GNUTLS_PRIVKEY_INFO_PK_ALGO_BITS ? 8 * KEY_BYTES :
	    flags & GNUTLS_PRIVKEY_INFO_HAVE_SIGN_ALGO ? 1 : -1;
}

/* How many parts the subject has, and how many names there are beside it. */
static const struct trap {
	size_t parts, names;
	bool is_long; /* its key */
	unsigned alert, judged;
} traps[] = {
	{ .is_long = true, .alert = 42 },
	{ .parts = 600, .alert = 42 },
	{ .names = 2100, .alert = 42 },
	{ .parts = 100, .names = 1000, .judged = 1, .alert = 48 },
};

static void
fill(gnutls_x509_crt_t certificate, const struct trap *trap)
{
	static const char odd[] = "\x1f\x3f\x30\x80\x04\x7f is no DER.";
	static uint8_t names[4 + 3 * 4096] = { 0x30, 0x82 };
	size_t bytes = 4;
	for (size_t i = 0; i < trap->names; i++, bytes += 3)
		memcpy(names + bytes, "\x82\1a", 3);
	names[2] = (uint8_t)((bytes - 4) >> 8);
	names[3] = (uint8_t)(bytes - 4);
	if (trap->names > 0)
		gnutls_x509_crt_set_extension_by_oid(certificate, "2.5.29.17", names, bytes, 0);
	gnutls_x509_crt_set_subject_key_id(certificate, odd, sizeof odd);
	for (size_t i = 0; i < trap->parts; i++)
		gnutls_x509_crt_set_dn_by_oid(
		    certificate, GNUTLS_OID_X520_ORGANIZATIONAL_UNIT_NAME, 0, "a", 1);
}

/* In a process of its own, which is killed at the end. */
static _Noreturn void
attack(int fd, const char *priority, const struct trap *trap)
{
	static uint8_t number[KEY_BYTES];
	gnutls_datum_t both = { number, sizeof number };
	const gnutls_datum_t alpn = { (uint8_t *)(uintptr_t)"valise/1", 8 };
	gnutls_certificate_credentials_t shown_by;
	gnutls_x509_privkey_t signer;
	gnutls_x509_crt_t certificate, issuer;
	gnutls_session_t session;
	gnutls_privkey_t key;
	gnutls_pubkey_t public;
	gnutls_pcert_st shown;
	memset(number, 0x77, sizeof number);
	number[0] = 0x97;
	gnutls_x509_privkey_init(&signer);
	gnutls_x509_privkey_generate(signer, GNUTLS_PK_ECDSA,
	    GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	gnutls_pubkey_init(&public);
	gnutls_pubkey_import_rsa_raw(public, &both, &both);
	gnutls_x509_crt_init(&certificate);
	gnutls_x509_crt_set_version(certificate, 3);
	gnutls_x509_crt_set_serial(certificate, "\1", 1);
	gnutls_x509_crt_set_dn(certificate, "CN=trap", NULL);
	gnutls_x509_crt_set_activation_time(certificate, time(NULL) - 60);
	gnutls_x509_crt_set_expiration_time(certificate, time(NULL) + 3600);
	fill(certificate, trap);
	if (trap->is_long)
		gnutls_x509_crt_set_pubkey(certificate, public);
	else
		gnutls_x509_crt_set_key(certificate, signer);
	gnutls_x509_crt_init(&issuer);
	gnutls_x509_crt_set_dn(issuer, "CN=issuer", NULL);
	gnutls_x509_crt_set_key(issuer, signer);
	gnutls_x509_crt_sign2(certificate, issuer, signer, GNUTLS_DIG_SHA256, 0);
	gnutls_privkey_init(&key);
	if (trap->is_long)
		gnutls_privkey_import_ext4(key, NULL, NULL, sign, NULL, NULL, tell, 0);
	else
		gnutls_privkey_import_x509(key, signer, 0);
	gnutls_pcert_import_x509(&shown, certificate, 0);
	gnutls_certificate_allocate_credentials(&shown_by);
	gnutls_certificate_set_flags(shown_by, GNUTLS_CERTIFICATE_SKIP_KEY_CERT_MATCH);
	gnutls_certificate_set_key(shown_by, NULL, 0, &shown, 1, key);
	gnutls_init(&session, GNUTLS_CLIENT);
	gnutls_priority_set_direct(session, priority, NULL);
	gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, shown_by);
	gnutls_alpn_set_protocols(session, &alpn, 1, 0);
	gnutls_transport_set_int(session, fd);
	for (int got; (got = gnutls_handshake(session)) < 0 && !gnutls_error_is_fatal(got);)
		poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 1000);
	alarm(30);
	pause();
	_exit(0);
}

static void
refuse_at_once(const char *priority, const struct trap *trap)
{
	struct tls_config *config = config_for(TLS_SESSION_RELAY);
	unsigned judged[3] = { trap->alert };
	const struct tls_hooks hooks = { .judge = judge_by, .arg = judged };
	int fds[2];
	pair(fds);
	pid_t child = fork();
	if (child == 0)
		attack(fds[0], priority, trap);
	close(fds[0]);
	struct tls *server = tls_server(config, stream_socket(fds[1]), &hooks);
	enum io end;
	while (io_must_wait(end = tls_handshake(server)))
		await(fds[1], end == IO_READ ? POLLIN : POLLOUT);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_int_equal(end, IO_FAILED);
	assert_int_equal(tls_alert_sent(server), trap->alert);
	assert_int_equal(judged[1], trap->judged);
	stream_free(tls_stream(server));
	tls_config_release(config);
}

static void
what_takes_seconds_is_refused_before_it_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof traps / sizeof *traps; i++)
		refuse_at_once("NORMAL:-VERS-ALL:+VERS-TLS1.3", &traps[i]);
}

static int
set_up(void **state)
{
	(void)state;
	return set_up_credentials("relay.test");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_takes_seconds_is_refused_before_it_is_read),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tls_hostile", tests, set_up, tear_down_credentials);
}
