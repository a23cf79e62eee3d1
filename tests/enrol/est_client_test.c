/* Tests of enrol/est_client: what a server that nobody has judged yet can do to us.  The rest, with whole
 * authorities and hostile ones, is in the system tests of join. */
#include "enrol/est_client.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/fetch.h"
#include "base/loop.h"
#include "base/resolver.h"
#include "fetch_process.h"
#include "helpers.h"
#include "http_server.h"
#include "pki/key_type.h"
#include "pki/spki_pin.h"

static gnutls_certificate_credentials_t credentials;
static struct http_server server;
static struct loop *loop;
static struct resolver *resolver;
static struct helper *process;
static struct fetcher *fetcher;
static char dial[64];
static const char *head; /* what the server says */

static struct {
	enum est_outcome outcome;
	uint64_t retry_after_s;
	char sentence[EST_SENTENCE];
} got;

/* ---- a server whose certificate nobody has issued ---- */

static void
make_credentials(void)
{
	gnutls_x509_crt_t certificate;
	gnutls_x509_privkey_t key;
	time_t now = time(NULL);

	gnutls_x509_crt_init(&certificate);
	assert_true(key_type_generate(KEY_P256, &key) >= 0);
	gnutls_x509_crt_set_version(certificate, 3);
	gnutls_x509_crt_set_serial(certificate, "\1", 1);
	gnutls_x509_crt_set_activation_time(certificate, now - 3600);
	gnutls_x509_crt_set_expiration_time(certificate, now + 3600);
	gnutls_x509_crt_set_key(certificate, key);
	assert_int_equal(
	    gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA256, 0), 0);
	gnutls_certificate_allocate_credentials(&credentials);
	assert_int_equal(gnutls_certificate_set_x509_key(credentials, &certificate, 1, key), 0);
	gnutls_x509_crt_deinit(certificate);
	gnutls_x509_privkey_deinit(key);
}

static void
converse(gnutls_session_t session)
{
	char request[4096];
	size_t used = 0;
	ssize_t bytes;

	do {
		bytes = gnutls_record_recv(session, request + used, sizeof request - used - 1);
		used += bytes > 0 ? (size_t)bytes : 0;
		request[used] = '\0';
	} while (bytes > 0 && !http_is_whole(request, used));
	gnutls_record_send(session, head, strlen(head));
	gnutls_bye(session, GNUTLS_SHUT_WR);
}

static void *
run_server(void *arg)
{
	gnutls_session_t session;
	int fd;

	(void)arg;
	while ((fd = accept(server.listening, NULL, NULL)) >= 0) {
		gnutls_init(&session, GNUTLS_SERVER);
		gnutls_set_default_priority(session);
		gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
		gnutls_transport_set_int(session, fd);
		if (gnutls_handshake(session) == 0)
			converse(session);
		gnutls_deinit(session);
		close(fd);
	}
	return NULL;
}

static int
set_up(void **state)
{
	(void)state;
	make_credentials();
	loop = loop_new();
	process = start_fetch_process();
	resolver = process ? resolver_new() : NULL;
	fetcher = fetcher_new(loop, resolver, process);
	server.listening = http_listen(&server.port);
	snprintf(dial, sizeof dial, "127.0.0.1:%u", server.port);
	return !loop || !resolver || !fetcher || server.listening < 0;
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
	return 0;
}

static void
on_answer(void *arg, const struct est_answer *answer)
{
	(void)arg;
	got.outcome = answer->outcome;
	got.retry_after_s = answer->retry_after_s;
	snprintf(got.sentence, sizeof got.sentence, "%s", answer->sentence);
	loop_stop(loop);
}

/* The server begins only now, with what it is to say. */
static void
ask(const char *says)
{
	const struct spki_pin root = { .digest = { 1 } };
	struct est *est = est_new(fetcher,
	    &(struct est_server){ .url = "https://pki.example.net", .dial = dial, .root = &root });

	head = says;
	assert_int_equal(pthread_create(&server.thread, NULL, run_server, NULL), 0);
	assert_non_null(est);
	assert_true(est_fetch(est, "/crl/agents.pem", 4096, on_answer, NULL));
	loop_run(loop);
	est_free(est);
}

/* ---- the cases ---- */

/* Who stands in between for a moment must not put off for a day whom it cannot deceive. */
static void
nobody_unjudged_says_when_to_come_back(void **state)
{
	(void)state;
	ask("HTTP/1.1 503 Later\r\nRetry-After: 86400\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(got.outcome, EST_LATER);
	assert_non_null(strstr(got.sentence, "status 503"));
	assert_int_equal(got.retry_after_s, 0);
}

/* Nor make us believe that we were refused for good. */
static void
nobody_unjudged_refuses(void **state)
{
	(void)state;
	ask("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(got.outcome, EST_UNREACHABLE);
}

#define WITH_A_SERVER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	WITH_A_SERVER(nobody_unjudged_says_when_to_come_back),
	WITH_A_SERVER(nobody_unjudged_refuses),
};
RUN_TESTS("enrol/est_client", tests)
