/* Tests of base/fetch by https: whom it believes, and what it tells and shows. */
#include "base/fetch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/loop.h"
#include "base/resolver.h"
#include "fetch_process.h"
#include "http_server.h"
#include "pki/pem.h"
#include "pki/x509.h"

#define NAME "pki.example.net"

enum { DAY_S = 86400, PEM_MOST = 4096, REQUEST = 4096 };

struct tls_pair {
	gnutls_x509_crt_t certificate;
	gnutls_x509_privkey_t key;
	char pem[PEM_MOST], key_pem[PEM_MOST];
	uint8_t pin[FETCH_PIN];
};

static struct tls_pair ca, other_ca, middle, server_pair, client_pair;
static gnutls_certificate_credentials_t credentials;
static struct http_server server;
static struct loop *loop;
static struct resolver *resolver;
static struct helper *process;
static struct fetcher *fetcher;
static char dial[64], head[256];

/* What the server saw, and what the client was told. */
static char request[REQUEST], peer[256];
/* Who may look at these, and at `head`: the server while it serves, else the test. */
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static struct {
	enum fetch_outcome outcome;
	unsigned status;
	char error[1024], body[64], chain[4 * PEM_MOST];
} got;

/* ---- certificates ---- */

static void
make(struct tls_pair *out, const char *name, bool is_ca, const struct tls_pair *issuer)
{
	static unsigned char serial;
	size_t bytes = PEM_MOST, key_bytes = PEM_MOST, pin_bytes = FETCH_PIN;
	time_t now = time(NULL);

	serial++;
	gnutls_x509_crt_init(&out->certificate);
	gnutls_x509_privkey_init(&out->key);
	assert_int_equal(gnutls_x509_privkey_generate(out->key, GNUTLS_PK_ECDSA,
			     GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
	    0);
	gnutls_x509_crt_set_version(out->certificate, 3);
	gnutls_x509_crt_set_serial(out->certificate, &serial, 1);
	gnutls_x509_crt_set_activation_time(out->certificate, now - DAY_S);
	gnutls_x509_crt_set_expiration_time(out->certificate, now + DAY_S);
	gnutls_x509_crt_set_dn_by_oid(
	    out->certificate, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned)strlen(name));
	gnutls_x509_crt_set_key(out->certificate, out->key);
	if (!is_ca)
		gnutls_x509_crt_set_subject_alt_name(out->certificate, GNUTLS_SAN_DNSNAME, name,
		    (unsigned)strlen(name), GNUTLS_FSAN_SET);
	gnutls_x509_crt_set_ca_status(out->certificate, is_ca);
	if (is_ca)
		gnutls_x509_crt_set_key_usage(out->certificate, GNUTLS_KEY_KEY_CERT_SIGN);
	assert_int_equal(
	    gnutls_x509_crt_sign2(out->certificate, issuer ? issuer->certificate : out->certificate,
		issuer ? issuer->key : out->key, GNUTLS_DIG_SHA256, 0),
	    0);
	assert_int_equal(
	    gnutls_x509_crt_export(out->certificate, GNUTLS_X509_FMT_PEM, out->pem, &bytes), 0);
	assert_int_equal(
	    gnutls_x509_privkey_export(out->key, GNUTLS_X509_FMT_PEM, out->key_pem, &key_bytes), 0);
	assert_int_equal(gnutls_x509_crt_get_key_id(
			     out->certificate, GNUTLS_KEYID_USE_SHA256, out->pin, &pin_bytes),
	    0);
}

static void
forget(struct tls_pair *maker)
{
	gnutls_x509_crt_deinit(maker->certificate);
	gnutls_x509_privkey_deinit(maker->key);
}

/* The server presents both. */
static void
show(const struct tls_pair *own, const struct tls_pair *above)
{
	char chain[2 * PEM_MOST];
	gnutls_datum_t certificates = { (unsigned char *)chain, 0 },
		       key = { (unsigned char *)own->key_pem, (unsigned)strlen(own->key_pem) };

	certificates.size = (unsigned)snprintf(chain, sizeof chain, "%s%s", own->pem, above->pem);
	assert_int_equal(gnutls_certificate_set_x509_key_mem(
			     credentials, &certificates, &key, GNUTLS_X509_FMT_PEM),
	    0);
}

/* ---- the server: TLS on the connection that http_server.h accepts ---- */

static int
take_any(gnutls_session_t session)
{
	(void)session;
	return 0;
}

static void
note_peer(gnutls_session_t session)
{
	unsigned count = 0;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);
	gnutls_x509_crt_t certificate;
	size_t bytes = sizeof peer;

	if (count == 0)
		return;
	gnutls_x509_crt_init(&certificate);
	gnutls_x509_crt_import(certificate, &chain[0], GNUTLS_X509_FMT_DER);
	gnutls_x509_crt_get_dn(certificate, peer, &bytes);
	gnutls_x509_crt_deinit(certificate);
}

static void
converse(gnutls_session_t session)
{
	size_t used = 0;
	ssize_t bytes;

	note_peer(session);
	do {
		bytes = gnutls_record_recv(session, request + used, sizeof request - used - 1);
		used += bytes > 0 ? (size_t)bytes : 0;
		request[used] = '\0';
	} while (bytes > 0 && !http_is_whole(request, used));
	if (used > 0)
		gnutls_record_send(session, head, strlen(head));
	gnutls_bye(session, GNUTLS_SHUT_WR);
}

static void
serve_tls(int fd)
{
	gnutls_session_t session;

	gnutls_init(&session, GNUTLS_SERVER);
	gnutls_set_default_priority(session);
	gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
	gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
	gnutls_transport_set_int(session, fd);
	if (gnutls_handshake(session) == 0)
		converse(session);
	gnutls_deinit(session);
}

static void *
run_server(void *arg)
{
	int fd;

	(void)arg;
	while ((fd = accept(server.listening, NULL, NULL)) >= 0) {
		pthread_mutex_lock(&turn);
		serve_tls(fd);
		close(fd);
		pthread_mutex_unlock(&turn);
	}
	return NULL;
}

/* ---- the client ---- */

static void
on_answer(void *arg, const struct fetch_answer *answer)
{
	(void)arg;
	got.outcome = answer->outcome;
	got.status = answer->status;
	snprintf(got.error, sizeof got.error, "%s", answer->error ? answer->error : "");
	snprintf(got.body, sizeof got.body, "%s", (const char *)answer->body);
	snprintf(got.chain, sizeof got.chain, "%s", answer->chain ? answer->chain : "");
	loop_stop(loop);
}

static enum fetch_outcome
ask_directly(const struct fetch_request *wanted)
{
	pthread_mutex_lock(&turn);
	request[0] = peer[0] = '\0';
	pthread_mutex_unlock(&turn);
	assert_non_null(fetch_start(fetcher, wanted, on_answer, NULL));
	loop_run(loop);
	pthread_mutex_lock(&turn); /* the server has done with the connection */
	pthread_mutex_unlock(&turn);
	return got.outcome;
}

static enum fetch_outcome
ask(struct fetch_request wanted)
{
	if (!wanted.url)
		wanted.url = "https://" NAME "/x";
	wanted.dial = dial;
	return ask_directly(&wanted);
}

static int
set_up(void **state)
{
	(void)state;
	make(&ca, "Test CA", true, NULL);
	make(&other_ca, "Other CA", true, NULL);
	make(&middle, "Middle CA", true, &ca);
	make(&server_pair, NAME, false, &middle);
	make(&client_pair, "client", false, &ca);
	gnutls_certificate_allocate_credentials(&credentials);
	show(&server_pair, &middle);
	gnutls_certificate_set_verify_function(credentials, take_any);
	snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
	loop = loop_new();
	process = start_fetch_process();
	resolver = process ? resolver_new() : NULL;
	fetcher = fetcher_new(loop, resolver, process);
	server.listening = http_listen(&server.port);
	snprintf(dial, sizeof dial, "127.0.0.1:%u", server.port);
	return !loop || !resolver || !fetcher || server.listening < 0 ||
	    pthread_create(&server.thread, NULL, run_server, NULL) != 0;
}

static int
tear_down(void **state)
{
	(void)state;
	fetcher_free(fetcher);
	helper_end(process);
	shutdown(server.listening, SHUT_RDWR);
	pthread_join(server.thread, NULL);
	close(server.listening);
	resolver_free(resolver);
	loop_free(loop);
	gnutls_certificate_free_credentials(credentials);
	forget(&ca);
	forget(&other_ca);
	forget(&middle);
	forget(&server_pair);
	forget(&client_pair);
	return 0;
}

/* ---- whom it believes ---- */

static void
believes_cas_that_are_given_and_no_others(void **state)
{
	(void)state;
	assert_int_equal(ask((struct fetch_request){ .trust = FETCH_TRUST_GIVEN, .cas = ca.pem }),
	    FETCH_ANSWERED);
	assert_string_equal(got.body, "hello");
	assert_int_equal(
	    ask((struct fetch_request){ .trust = FETCH_TRUST_GIVEN, .cas = other_ca.pem }),
	    FETCH_UNTRUSTED);
	assert_string_equal(request, "");
	assert_non_null(strstr(got.error, "not of a CA that is believed"));
	assert_int_equal(
	    ask((struct fetch_request){ .trust = FETCH_TRUST_SYSTEM }), FETCH_UNTRUSTED);
	assert_string_equal(request, "");
	assert_int_equal(ask((struct fetch_request){ .trust = FETCH_TRUST_SYSTEM, .cas = ca.pem }),
	    FETCH_ANSWERED);
}

static void
a_ca_of_one_fetch_is_not_one_of_the_next(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
		    ask((struct fetch_request){ .trust = FETCH_TRUST_GIVEN, .cas = ca.pem }),
		    FETCH_ANSWERED);
		assert_int_equal(
		    ask((struct fetch_request){ .trust = FETCH_TRUST_GIVEN, .cas = other_ca.pem }),
		    FETCH_UNTRUSTED);
	}
}

static void
the_name_must_be_the_urls(void **state)
{
	(void)state;
	assert_int_equal(
	    ask((struct fetch_request){
		.url = "https://other.example.net/", .trust = FETCH_TRUST_GIVEN, .cas = ca.pem }),
	    FETCH_UNTRUSTED);
	assert_int_equal(ask((struct fetch_request){ .url = "https://other.example.net/",
			     .trust = FETCH_TRUST_PIN,
			     .pin = server_pair.pin }),
	    FETCH_UNTRUSTED);
	assert_string_equal(request, "");
}

static void
a_pinned_key_is_believed_whoever_certified_it(void **state)
{
	(void)state;
	assert_int_equal(ask((struct fetch_request){ .trust = FETCH_TRUST_PIN,
			     .pin = server_pair.pin,
			     .user = "handle",
			     .password = "secret" }),
	    FETCH_ANSWERED);
	assert_non_null(strstr(request, "Authorization: Basic aGFuZGxlOnNlY3JldA==\r\n"));
}

static void
another_key_hears_nothing_of_a_secret(void **state)
{
	(void)state;
	assert_int_equal(
	    ask((struct fetch_request){
		.trust = FETCH_TRUST_PIN, .pin = ca.pin, .user = "handle", .password = "secret" }),
	    FETCH_UNTRUSTED);
	assert_string_equal(request, "");
	assert_null(strstr(got.error, "secret"));
	assert_int_equal(
	    ask((struct fetch_request){ .trust = FETCH_TRUST_GIVEN, .cas = ca.pem, .pin = ca.pin }),
	    FETCH_UNTRUSTED);
	assert_string_equal(request, "");
}

/* ---- what it tells and shows ---- */

/* The chain as pki/ reads it. */
static void
has_the_servers_chain(void)
{
	struct pem_file file = { 0 };
	struct x509 facts;
	const char *why;
	char subject[100];

	assert_true(secret_init(&file.storage, got.chain, strlen(got.chain)));
	assert_true(pem_decode(&file, PEM_CERTIFICATE, &why));
	assert_int_equal(file.count, 2);
	assert_true(x509_parse(&facts, pem_block(&file, 0), &why));
	assert_string_equal(x509_name_text(facts.subject, subject, sizeof subject), "CN=" NAME);
	assert_true(x509_parse(&facts, pem_block(&file, 1), &why));
	assert_string_equal(x509_name_text(facts.subject, subject, sizeof subject), "CN=Middle CA");
	pem_wipe(&file);
}

static void
tells_what_was_presented_and_believes_nobody(void **state)
{
	(void)state;
	assert_int_equal(
	    ask((struct fetch_request){ .trust = FETCH_TRUST_NOBODY, .wants_chain = true }),
	    FETCH_ANSWERED);
	has_the_servers_chain();
	snprintf(head, sizeof head, "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(
	    ask((struct fetch_request){ .trust = FETCH_TRUST_NOBODY, .wants_chain = true }),
	    FETCH_ANSWERED);
	assert_int_equal(got.status, 403);
	has_the_servers_chain();
}

static void
tells_it_also_of_a_server_that_is_not_believed(void **state)
{
	(void)state;
	assert_int_equal(ask((struct fetch_request){
			     .trust = FETCH_TRUST_PIN, .pin = ca.pin, .wants_chain = true }),
	    FETCH_UNTRUSTED);
	has_the_servers_chain();
}

static void
shows_the_clients_certificate(void **state)
{
	(void)state;
	assert_int_equal(ask((struct fetch_request){ .trust = FETCH_TRUST_PIN,
			     .pin = server_pair.pin,
			     .certificate = client_pair.pem,
			     .private_key = client_pair.key_pem }),
	    FETCH_ANSWERED);
	assert_string_equal(peer, "CN=client");
	assert_int_equal(
	    ask((struct fetch_request){ .trust = FETCH_TRUST_PIN, .pin = server_pair.pin }),
	    FETCH_ANSWERED);
	assert_string_equal(peer, "");
}

static void
never_goes_from_https_to_http(void **state)
{
	struct fetch_request wanted = { .url = "https://localhost/", .trust = FETCH_TRUST_NOBODY };
	char url[128];

	(void)state;
	snprintf(url, sizeof url, "https://localhost:%u/", server.port);
	snprintf(head, sizeof head,
	    "HTTP/1.1 302 Found\r\nLocation: http://localhost/\r\nContent-Length: 0\r\n\r\n");
	wanted.url = url;
	assert_int_equal(ask_directly(&wanted), FETCH_REFUSED);
	assert_non_null(strstr(got.error, "from https to http"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(believes_cas_that_are_given_and_no_others),
		TEST(a_ca_of_one_fetch_is_not_one_of_the_next),
		TEST(the_name_must_be_the_urls),
		TEST(a_pinned_key_is_believed_whoever_certified_it),
		TEST(another_key_hears_nothing_of_a_secret),
		TEST(tells_what_was_presented_and_believes_nobody),
		TEST(tells_it_also_of_a_server_that_is_not_believed),
		TEST(shows_the_clients_certificate),
		TEST(never_goes_from_https_to_http),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("base/fetch by https", tests, NULL, NULL);
}
