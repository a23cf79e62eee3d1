/*
 * What the tests of tunnel/ share: certificates made on the spot, pairs of
 * connected sockets, both ends of TLS stepped by hand, a bare GnuTLS client.
 */
#ifndef TESTS_TUNNEL_PEER_H
#define TESTS_TUNNEL_PEER_H

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tunnel/tls.h"

#define UNUSED __attribute__((unused))

/* A self-signed P-256 certificate and its key, PEM. */
struct test_credentials {
	struct secret certificate, key;
};

static struct test_credentials credentials;

/* With an extension that nobody knows, NULL: none. */
static UNUSED void
make_credentials_with(struct test_credentials *out, const char *name, const void *extension,
    size_t extension_bytes)
{
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	gnutls_datum_t pem;
	const uint8_t serial[] = { 1 };
	assert(gnutls_x509_privkey_init(&key) == 0 && gnutls_x509_crt_init(&crt) == 0);
	assert(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
	    GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) == 0);
	gnutls_x509_crt_set_version(crt, 3);
	gnutls_x509_crt_set_serial(crt, serial, sizeof serial);
	gnutls_x509_crt_set_activation_time(crt, time(NULL) - 3600);
	gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 3600);
	gnutls_x509_crt_set_dn(crt, "CN=test", NULL);
	gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, name, (unsigned)strlen(name),
	    0);
	gnutls_x509_crt_set_key(crt, key);
	if (extension)
		gnutls_x509_crt_set_extension_by_oid(crt, "1.2.3.4", extension, extension_bytes,
		    0);
	assert(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0) == 0);
	assert(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem) == 0);
	assert(secret_init(&out->certificate, pem.data, pem.size));
	gnutls_free(pem.data);
	assert(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem) == 0);
	assert(secret_init(&out->key, pem.data, pem.size));
	gnutls_free(pem.data);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
}

static UNUSED void
make_credentials(struct test_credentials *out, const char *name)
{
	make_credentials_with(out, name, NULL, 0);
}

static UNUSED void
wipe_credentials(struct test_credentials *c)
{
	secret_wipe(&c->certificate);
	secret_wipe(&c->key);
}

static UNUSED void
pair(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
	    0);
}

/* The same over TCP on loopback, where there is such a thing as RST. */
static UNUSED void
tcp_pair(int fds[2])
{
	struct sockaddr_in at = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t bytes = sizeof at;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &bytes), 0);
	fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fds[0], (struct sockaddr *)&at, sizeof at), 0);
	fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fds[1] >= 0);
	close(listener);
	for (int i = 0; i < 2; i++) {
		fcntl(fds[i], F_SETFL, O_NONBLOCK);
		setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	}
}

/* The group's set-up and its tear-down: TLS, and a certificate for this name in `credentials`. */
static UNUSED int
set_up_credentials(const char *name)
{
	if (!tls_start())
		return -1;
	make_credentials(&credentials, name);
	return 0;
}

static UNUSED int
tear_down_credentials(void **state)
{
	(void)state;
	wipe_credentials(&credentials);
	return 0;
}

static UNUSED struct tls_config *
config_for(enum tls_purpose purpose)
{
	char error[TLS_ERROR];
	struct tls_settings settings = { .purpose = purpose };
	if (purpose != TLS_CHANNEL_RELAY && purpose != TLS_CHANNEL_AGENT) {
		settings.certificate = &credentials.certificate;
		settings.private_key = &credentials.key;
	}
	struct tls_config *config = tls_config_new(&settings, error);
	assert_string_equal(error, "");
	assert_non_null(config);
	return config;
}

/* A judge that answers what *arg says (an unsigned) and counts in the next one. */
static UNUSED unsigned
judge_by(void *arg, const struct tls_certificate *chain, size_t count)
{
	unsigned *verdict = arg;
	verdict[1]++;
	verdict[2] = (unsigned)count;
	assert(count == 0 || chain[0].bytes > 100);
	return verdict[0];
}

static UNUSED void
await(int fd, short what)
{
	struct pollfd p = { .fd = fd, .events = what };
	assert_int_equal(poll(&p, 1, 20000), 1);
}

/* TCP takes its time, even to the same machine, and no event tells when it has come to rest. */
static UNUSED void
let_the_kernel_work(void)
{
	usleep(500);
}

/* Steps both ends until neither can go on alone. */
static UNUSED void
shake_hands(struct tls *a, struct tls *b, enum io *of_a, enum io *of_b)
{
	*of_a = *of_b = IO_READ;
	for (int i = 0; i < 400 && (io_must_wait(*of_a) || io_must_wait(*of_b)); i++) {
		if (i > 10)
			let_the_kernel_work();
		if (io_must_wait(*of_a))
			*of_a = tls_handshake(a);
		if (io_must_wait(*of_b))
			*of_b = tls_handshake(b);
	}
}

static UNUSED void
shaken(struct tls *a, struct tls *b)
{
	enum io of_a, of_b;
	shake_hands(a, b, &of_a, &of_b);
	assert_string_equal(tls_error(a), "");
	assert_string_equal(tls_error(b), "");
	assert_int_equal(of_a, IO_OK);
	assert_int_equal(of_b, IO_OK);
}

/* All of it must fit into the socket. */
static UNUSED void
say(struct stream *s, const char *text)
{
	size_t done = 0;
	assert_int_equal(stream_write(s, text, strlen(text), &done), IO_OK);
	assert_int_equal(done, strlen(text));
}

static UNUSED void
hear(struct stream *s, const char *text)
{
	char got[256];
	size_t done = 0, all = 0;
	while (all < strlen(text)) {
		assert_int_equal(stream_read(s, got + all, sizeof got - 1 - all, &done), IO_OK);
		all += done;
	}
	got[all] = '\0';
	assert_string_equal(got, text);
}

static UNUSED enum io
hear_nothing(struct stream *s)
{
	char got[16];
	size_t done;
	return stream_read(s, got, sizeof got, &done);
}

#endif
