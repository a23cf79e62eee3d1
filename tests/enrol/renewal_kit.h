/*
 * What the tests of renewals share: a certificate in its files, with a day left of its life; an
 * authority that issues when the test wants it; and the time in the test's hand.
 */
#ifndef TESTS_ENROL_RENEWAL_KIT_H
#define TESTS_ENROL_RENEWAL_KIT_H

#include "agent/mint.h"
#include "base/clock.h"
#include "base/clock_fake.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/loop_advance.h"
#include "enrol/renewal.h"
#include "enrol/renewal_files.h"
#include "pki/cert.h"
#include "keys/key_pair.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

enum { HOUR_MS = 3600 * 1000, LIFE_S = 27 * 3600, SOON_MS = 10 * 1000 };

/* ---- an authority that issues, or does not ---- */

static struct {
	struct test_mint mint;
	unsigned asked;
	bool is_asked; /* and has not answered */
	void (*on_answer)(void *asker, const struct renewal_answer *);
	void *asker;
	uint8_t request[4096]; /* not allocated, so that no failure of that is the test's */
	size_t request_bytes;
	char url[128];
} authority;

static void *
on_ask(void *arg, const struct renewal_question *question,
    void (*on_answer)(void *asker, const struct renewal_answer *), void *asker, char *error)
{
	(void)arg;
	(void)error;
	assert_false(authority.is_asked);
	authority.asked++;
	authority.is_asked = true;
	authority.on_answer = on_answer;
	authority.asker = asker;
	snprintf(authority.url, sizeof authority.url, "%s", question->url);
	assert_true(question->request->bytes <= sizeof authority.request);
	memcpy(authority.request, question->request->data, question->request->bytes);
	authority.request_bytes = question->request->bytes;
	return &authority;
}

static void
on_cancel(void *arg, void *handle)
{
	(void)arg;
	assert_ptr_equal(handle, &authority);
	authority.is_asked = false;
}

static const struct renewal_authority seam = { on_ask, on_cancel, NULL };

/* What the test does when the answer is about to be heard. */
static void (*before_the_answer)(void);

static void
answer(const struct renewal_answer *said)
{
	assert_true(authority.is_asked);
	authority.is_asked = false;
	if (before_the_answer)
		before_the_answer();
	authority.on_answer(authority.asker, said);
}

static void
decline(enum renewal_outcome outcome, uint64_t retry_ms)
{
	answer(&(struct renewal_answer){
	    .outcome = outcome, .retry_ms = retry_ms, .sentence = "the test says no" });
}

/* What is unlike what was asked for. */
struct wrong {
	gnutls_x509_privkey_t key;
	const char *host;
	int life_s;
	struct test_mint *mint;
};

static gnutls_x509_crt_t
certify(gnutls_x509_crq_t request, const struct wrong *wrong)
{
	struct test_mint *mint = wrong->mint ? wrong->mint : &authority.mint;
	time_t now = (time_t)clock_wall_s();
	gnutls_x509_crt_t crt;
	char host[256];
	size_t bytes = sizeof host;

	assert_int_equal(gnutls_x509_crt_init(&crt), 0);
	gnutls_x509_crt_set_crq(crt, request);
	gnutls_x509_crt_set_version(crt, 3);
	gnutls_x509_crt_set_serial(crt, &(unsigned char){ (unsigned char)++mint->serial }, 1);
	assert_int_equal(gnutls_x509_crq_get_subject_alt_name(request, 0, host, &bytes, NULL, NULL),
	    GNUTLS_SAN_DNSNAME);
	if (wrong->key)
		gnutls_x509_crt_set_key(crt, wrong->key);
	mint_name(crt, wrong->host ? wrong->host : host);
	gnutls_x509_crt_set_activation_time(crt, now - 3600);
	gnutls_x509_crt_set_expiration_time(crt, now + (wrong->life_s ? wrong->life_s : LIFE_S));
	gnutls_x509_crt_set_basic_constraints(crt, 0, -1);
	gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE);
	gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER, 0);
	assert_int_equal(
	    gnutls_x509_crt_sign2(crt, mint->root, mint->root_key, GNUTLS_DIG_SHA256, 0), 0);
	return crt;
}

static void
issue(const struct wrong *wrong)
{
	gnutls_datum_t der = { authority.request, (unsigned)authority.request_bytes }, pem;
	gnutls_x509_crq_t request;
	gnutls_x509_crt_t crt;

	assert_int_equal(gnutls_x509_crq_init(&request), 0);
	assert_int_equal(gnutls_x509_crq_import(request, &der, GNUTLS_X509_FMT_DER), 0);
	assert_int_equal(gnutls_x509_crq_verify(request, 0), 0);
	crt = certify(request, wrong);
	assert_int_equal(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem), 0);
	answer(
	    &(struct renewal_answer){ .outcome = RENEWAL_ISSUED, .chain = { pem.data, pem.size } });
	gnutls_free(pem.data);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_crq_deinit(request);
}

static const struct wrong nothing = { 0 };

/* ---- the daemon ---- */

static struct loop *loop;
static struct renewal *renewal;
static unsigned changes;
static char certificate_path[128], key_path[128], next_path[160], root_path[128];
static char *roots[] = { root_path };
static struct renewal_settings settings;
static const struct renewal_files files = { certificate_path, key_path };
static const struct renewal_certificate kept = { .key = "connect.certificate",
	.role = ROLE_RELAY,
	.host = "connect.test",
	.certificate = certificate_path,
	.private_key = key_path,
	.settings = &settings };

static void
on_change(void *arg)
{
	(void)arg;
	changes++;
}

static void
advance_ms(uint64_t ms)
{
	assert_true(loop_advance(loop, ms));
}

static int
set_up(void **state)
{
	(void)state;
	memset(&authority, 0, sizeof authority);
	mint_open(&authority.mint);
	mint_leaf_until(&authority.mint, "relay", "connect.test", NULL, LIFE_S - 7200);
	mint_path(&authority.mint, "relay.crt", certificate_path);
	mint_path(&authority.mint, "relay.key", key_path);
	mint_path(&authority.mint, "root.crt", root_path);
	snprintf(next_path, sizeof next_path, "%s.next", key_path);
	settings = (struct renewal_settings){ .url = (char *)(uintptr_t) "https://pki.test",
		.cas = { .items = roots, .count = 1 },
		.before = (char *)(uintptr_t) "33%",
		.rekey = true };
	changes = 0;
	clock_fake(1000000, (int64_t)time(NULL) * 1000000);
	loop = loop_new();
	renewal = loop ? renewal_new(loop, &seam, on_change, NULL) : NULL;
	if (renewal)
		renewal_set(renewal, &kept);
	return !renewal;
}

static int
tear_down(void **state)
{
	(void)state;
	renewal_free(renewal);
	loop_free(loop);
	clock_fake(0, 0);
	mint_close(&authority.mint);
	return 0;
}

/* A third is 8.9 of 27 hours, and the first attempt is spread over an eighth of that. */
static void
advance_to_the_attempt(void)
{
	advance_ms(18 * HOUR_MS - 7200 * 1000 + 2 * HOUR_MS);
	assert_true(authority.is_asked);
}

/* The two belong together; of the key it has what is in its file, so that it can be compared. */
static void
read_pair(struct key_pair *pair)
{
	char error[KEY_PAIR_ERROR];

	if (key_pair_load(pair, certificate_path, key_path, error) != KEY_PAIR_FINE)
		fail_msg("%s", error);
	secret_wipe(&pair->key);
	if (!file_read_key(&pair->key, key_path, 65536, error))
		fail_msg("%s", error);
}

#pragma GCC diagnostic pop

#endif
