/* Challenges: who is told when, and the certificate, as a bare GnuTLS client sees it. */
#include "agent/challenge.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <sys/socket.h>

#include "base/loop.h"
#include "helpers.h"
#include "pki/der.h"
#include "tunnel/stream.h"
#include "tunnel/tls.h"

static struct loop *loop;
static struct challenges *challenges;
static char error[CHALLENGE_ERROR];
static uint8_t digest[CHALLENGE_DIGEST];
static unsigned changes, ready_times[2];

struct accepting {
	struct challenge_relay seat;
	bool accepts;
};

static bool
has_accepted(void *arg, uint32_t number, char why[CHALLENGE_ERROR])
{
	const struct accepting *relay = arg;

	assert_true(number >= 0x80000000);
	strcpy(why, "not yet");
	return relay->accepts;
}

static void
join(struct accepting *relay, bool accepts)
{
	*relay = (struct accepting){ .seat = { .has_accepted = has_accepted, .arg = relay },
		.accepts = accepts };
	challenges_join(challenges, &relay->seat);
}

static void
on_change(void *arg)
{
	(void)arg;
	changes++;
}

static void
on_ready(void *arg)
{
	++*(unsigned *)arg;
}

static void
stop_turn(void *data)
{
	loop_stop(data);
}

/* What was asked for the end of this turn is done. */
static void
turn(void)
{
	static struct call call;

	loop_call(loop, &call, stop_turn, loop);
	loop_run(loop);
}

static struct challenge *
begin(const char *name, int which)
{
	return challenge_start(challenges, name, digest, on_ready, &ready_times[which], error);
}

static int
set_up(void **state)
{
	(void)state;
	loop = loop_new();
	challenges = challenges_new(loop);
	challenges_set_owner(challenges, on_change, NULL);
	changes = ready_times[0] = ready_times[1] = 0;
	for (size_t i = 0; i < sizeof digest; i++)
		digest[i] = (uint8_t)(0xa0 + i);
	return loop && challenges ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	challenges_free(challenges);
	loop_free(loop);
	return 0;
}

static void
is_ready_once_when_all_relays_have_accepted(void **state)
{
	struct accepting one, two;
	struct challenge *challenge = begin("app.test", 0);
	char why[CHALLENGE_ERROR];

	(void)state;
	assert_non_null(challenge);
	assert_int_equal(changes, 1);
	turn();
	assert_int_equal(ready_times[0], 0); /* nobody is connected */
	assert_true(challenge_obstacle(challenge, why));
	assert_string_equal(why, "no relay is connected");
	join(&one, true);
	join(&two, false);
	challenges_look(challenges);
	turn();
	assert_int_equal(ready_times[0], 0);
	assert_true(challenge_obstacle(challenge, why));
	assert_string_equal(why, "not yet");
	two.accepts = true;
	challenges_look(challenges);
	assert_int_equal(ready_times[0], 0); /* never within a call */
	turn();
	assert_int_equal(ready_times[0], 1);
	one.accepts = false;
	challenges_look(challenges);
	turn();
	one.accepts = true;
	challenges_look(challenges);
	turn();
	assert_int_equal(ready_times[0], 1);
	challenge_end(challenge);
	assert_int_equal(changes, 2);
	challenges_leave(challenges, &one.seat);
	challenges_leave(challenges, &two.seat);
}

static void
a_relay_that_goes_is_not_waited_for(void **state)
{
	struct accepting one, two;
	struct challenge *challenge = begin("app.test", 0);

	(void)state;
	join(&one, true);
	join(&two, false);
	challenges_leave(challenges, &two.seat);
	turn();
	assert_int_equal(ready_times[0], 1);
	challenge_end(challenge);
	challenges_leave(challenges, &one.seat);
}

static struct challenge *of_chain;

static void
end_and_begin(void *arg)
{
	++*(unsigned *)arg;
	challenge_end(of_chain);
	of_chain = begin("other.test", 1);
}

static void
who_is_told_may_end_it_and_begin_another_one(void **state)
{
	struct accepting one;

	(void)state;
	join(&one, true);
	of_chain =
	    challenge_start(challenges, "app.test", digest, end_and_begin, &ready_times[0], error);
	turn();
	turn();
	assert_int_equal(ready_times[0], 1);
	assert_int_equal(ready_times[1], 1);
	challenge_end(of_chain);
	challenges_leave(challenges, &one.seat);
}

static void
refuses_what_no_challenge_can_prove(void **state)
{
	static const char *const wrong[] = { "*.test", "", "App.test", "app.test.", "192.0.2.1",
		"a b" };
	struct challenge *all[CHALLENGES_MOST];
	char name[32];

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		error[0] = '\0';
		if (begin(wrong[i], 0) || error[0] == '\0')
			fail_msg("'%s' is accepted, or refused without a word", wrong[i]);
	}
	for (int i = 0; i < CHALLENGES_MOST; i++) {
		snprintf(name, sizeof name, "n%d.test", i);
		all[i] = begin(name, 0);
		assert_non_null(all[i]);
		assert_null(begin(name, 0));
		assert_non_null(strstr(error, "under way already"));
	}
	assert_null(begin("one-more.test", 0));
	for (int i = 0; i < CHALLENGES_MOST; i++)
		challenge_end(all[i]);
	assert_false(challenges_are_any(challenges));
}

static void
is_found_by_its_name_while_it_lasts(void **state)
{
	struct challenge *challenge = begin("app.test", 0), *other = begin("other.test", 0);
	struct tls_config *tls = challenges_find(challenges, "app.test");

	(void)state;
	assert_false(challenges_are_any(NULL));
	assert_null(challenges_find(NULL, "app.test"));
	assert_non_null(tls);
	assert_null(challenges_find(challenges, "a.app.test"));
	assert_int_not_equal(challenge_number(challenge), challenge_number(other));
	assert_ptr_equal(challenges_numbered(challenges, challenge_number(challenge)), challenge);
	challenge_end(challenge);
	assert_null(challenges_find(challenges, "app.test"));
	challenge_end(other);
	tls_config_release(tls); /* a flow may outlive it */
}

/* ---- the certificate ---- */

static gnutls_x509_crt_t
certificate_of(gnutls_session_t client)
{
	unsigned count;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(client, &count);
	gnutls_x509_crt_t certificate;

	assert_int_equal(count, 1);
	assert_int_equal(gnutls_x509_crt_init(&certificate), 0);
	assert_int_equal(gnutls_x509_crt_import(certificate, chain, GNUTLS_X509_FMT_DER), 0);
	return certificate;
}

/* As RFC 8737, 3 has servers look at it. */
static void
check_certificate(gnutls_x509_crt_t certificate)
{
	char name[256];
	uint8_t value[64], wanted[34] = { 0x04, 32 };
	size_t bytes = sizeof name;
	unsigned critical;

	assert_int_equal(
	    gnutls_x509_crt_get_subject_alt_name2(certificate, 0, name, &bytes, NULL, NULL),
	    GNUTLS_SAN_DNSNAME);
	assert_int_equal(bytes, 8);
	assert_memory_equal(name, "app.test", 8);
	bytes = sizeof name;
	assert_int_equal(
	    gnutls_x509_crt_get_subject_alt_name2(certificate, 1, name, &bytes, NULL, NULL),
	    GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE);
	bytes = sizeof value;
	assert_int_equal(gnutls_x509_crt_get_extension_by_oid(
			     certificate, "1.3.6.1.5.5.7.1.31", 0, value, &bytes, &critical),
	    0);
	memcpy(wanted + 2, digest, sizeof digest);
	assert_int_equal(bytes, sizeof wanted);
	assert_memory_equal(value, wanted, sizeof wanted);
	assert_int_equal(critical, 1);
	assert_int_equal(gnutls_x509_crt_check_issuer(certificate, certificate), 1);
}

/* Whether the key of one has signed the other. */
static bool
is_signed_by(gnutls_x509_crt_t certificate, gnutls_x509_crt_t signer)
{
	uint8_t signature[128];
	size_t bytes = sizeof signature;
	gnutls_datum_t der;
	gnutls_pubkey_t key;
	struct cursor in;
	struct der signed_part;
	int got;

	assert_int_equal(gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_DER, &der), 0);
	assert_int_equal(gnutls_x509_crt_get_signature(certificate, (char *)signature, &bytes), 0);
	assert_int_equal(gnutls_pubkey_init(&key), 0);
	assert_int_equal(gnutls_pubkey_import_x509(key, signer, 0), 0);
	in = cursor_over(der.data, der.size);
	in = der_enter(&in, DER_SEQUENCE);
	signed_part = der_whole(&in, DER_SEQUENCE);
	got = gnutls_pubkey_verify_data2(key, GNUTLS_SIGN_ECDSA_SHA256, 0,
	    &(gnutls_datum_t){
		(uint8_t *)(uintptr_t)signed_part.data, (unsigned)signed_part.bytes },
	    &(gnutls_datum_t){ signature, (unsigned)bytes });
	gnutls_pubkey_deinit(key);
	gnutls_free(der.data);
	return got >= 0;
}

static gnutls_x509_crt_t
shake(const char *priority)
{
	static const gnutls_datum_t protocol = { (uint8_t *)(uintptr_t)CHALLENGE_PROTOCOL, 10 };
	gnutls_certificate_credentials_t trust;
	gnutls_session_t client;
	gnutls_datum_t chosen;
	struct tls_config *config = challenges_find(challenges, "app.test");
	struct tls *server;
	enum io of_server = IO_READ;
	int fds[2], of_client = GNUTLS_E_AGAIN;
	gnutls_x509_crt_t certificate;

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	server = tls_server(config, stream_socket(fds[1]), NULL);
	tls_config_release(config);
	gnutls_certificate_allocate_credentials(&trust);
	assert_int_equal(gnutls_init(&client, GNUTLS_CLIENT | GNUTLS_NONBLOCK), 0);
	assert_int_equal(gnutls_priority_set_direct(client, priority, NULL), 0);
	gnutls_credentials_set(client, GNUTLS_CRD_CERTIFICATE, trust);
	gnutls_server_name_set(client, GNUTLS_NAME_DNS, "app.test", 8);
	gnutls_alpn_set_protocols(client, &protocol, 1, GNUTLS_ALPN_MANDATORY);
	gnutls_transport_set_int(client, fds[0]);
	for (int i = 0; i < 20; i++) {
		if (of_client == GNUTLS_E_AGAIN)
			of_client = gnutls_handshake(client);
		if (io_must_wait(of_server))
			of_server = tls_handshake(server);
	}
	assert_int_equal(of_client, 0);
	assert_int_equal(of_server, IO_OK);
	assert_int_equal(gnutls_alpn_get_selected_protocol(client, &chosen), 0);
	assert_true(chosen.size == 10 && memcmp(chosen.data, CHALLENGE_PROTOCOL, 10) == 0);
	certificate = certificate_of(client);
	gnutls_deinit(client);
	gnutls_certificate_free_credentials(trust);
	stream_free(tls_stream(server));
	close(fds[0]);
	return certificate;
}

static void
its_certificate_is_that_of_rfc_8737(void **state)
{
	static const char *const priorities[] = { "NORMAL:-VERS-ALL:+VERS-TLS1.2",
		"NORMAL:-VERS-ALL:+VERS-TLS1.3" };
	gnutls_x509_crt_t seen[4];

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct challenge *challenge = begin("app.test", 0);

		assert_non_null(challenge);
		seen[i] = shake(priorities[i % 2]);
		check_certificate(seen[i]);
		assert_true(is_signed_by(seen[i], seen[i]));
		challenge_end(challenge);
	}
	assert_false(is_signed_by(seen[0], seen[1])); /* each has a key of its own */
	for (int i = 0; i < 4; i++)
		gnutls_x509_crt_deinit(seen[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    is_ready_once_when_all_relays_have_accepted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    a_relay_that_goes_is_not_waited_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    who_is_told_may_end_it_and_begin_another_one, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    refuses_what_no_challenge_can_prove, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    is_found_by_its_name_while_it_lasts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    its_certificate_is_that_of_rfc_8737, set_up, tear_down),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("agent/challenge", tests, NULL, NULL);
}
