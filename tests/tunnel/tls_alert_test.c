/* What alerts say and what they do, against a bare GnuTLS that says them as ours would not. */
#include "tunnel/tls.h"

#include "tunnel/peer.h"

#define TLS13 "NORMAL:-VERS-ALL:+VERS-TLS1.3"
#define TLS12 "NORMAL:-VERS-ALL:+VERS-TLS1.2"

/* Ours at one end, a bare session at the other. */
struct meeting {
	gnutls_session_t bare;
	gnutls_certificate_credentials_t shown;
	struct tls *tls;
	struct stream *under;
	int fds[2];
	int of_bare;
	enum io of_tls;
};

static unsigned fine[3];

static struct tls *
ours(enum tls_purpose purpose, struct stream *under)
{
	const struct tls_hooks hooks = { .judge = judge_by, .arg = fine };
	const struct tls_settings settings = { .purpose = purpose,
	    .certificate = &credentials.certificate, .private_key = &credentials.key,
	    .client_certificate = TLS_CLIENT_REQUEST };
	char error[TLS_ERROR];
	struct tls_config *config = tls_config_new(&settings, error);
	assert_string_equal(error, "");
	struct tls *tls = purpose == TLS_ENDPOINT ? tls_server(config, under, &hooks) :
	    tls_client(config, under, "app.test", &hooks);
	assert_non_null(tls);
	tls_config_release(config);
	return tls;
}

/* The bare one shows these. */
static void
meet_with(struct meeting *m, enum tls_purpose purpose, const char *priority,
    const struct test_credentials *shown)
{
	const gnutls_datum_t crt = { shown->certificate.data, (unsigned)shown->certificate.bytes };
	const gnutls_datum_t key = { shown->key.data, (unsigned)shown->key.bytes };
	pair(m->fds);
	m->under = stream_socket(m->fds[1]);
	m->tls = ours(purpose, m->under);
	gnutls_certificate_allocate_credentials(&m->shown);
	assert_int_equal(gnutls_certificate_set_x509_key_mem(m->shown, &crt, &key,
	    GNUTLS_X509_FMT_PEM), 0);
	assert_int_equal(gnutls_init(&m->bare, GNUTLS_NONBLOCK |
	    (purpose == TLS_ENDPOINT ? GNUTLS_CLIENT : GNUTLS_SERVER)), 0);
	assert_int_equal(gnutls_priority_set_direct(m->bare, priority, NULL), 0);
	gnutls_credentials_set(m->bare, GNUTLS_CRD_CERTIFICATE, m->shown);
	gnutls_transport_set_int(m->bare, m->fds[0]);
	m->of_bare = GNUTLS_E_AGAIN;
	m->of_tls = IO_READ;
}

static void
meet(struct meeting *m, enum tls_purpose purpose, const char *priority)
{
	meet_with(m, purpose, priority, &credentials);
}

static void
step(struct meeting *m)
{
	if (m->of_bare == GNUTLS_E_AGAIN)
		m->of_bare = gnutls_handshake(m->bare);
	if (io_must_wait(m->of_tls))
		m->of_tls = tls_handshake(m->tls);
}

static void
greet(struct meeting *m)
{
	for (int i = 0; i < 20; i++)
		step(m);
	assert_string_equal(tls_error(m->tls), "");
	assert_int_equal(m->of_bare, 0);
	assert_int_equal(m->of_tls, IO_OK);
}

static void
part(struct meeting *m)
{
	gnutls_deinit(m->bare);
	gnutls_certificate_free_credentials(m->shown);
	stream_free(tls_stream(m->tls));
	close(m->fds[0]);
}

/* OpenSSL, when it does not like what it sees before its own keys are up (RFC 8446 §5.1 lets it).
 * In pieces, and behind the ChangeCipherSpec of compatibility mode, too. */
static void
a_plain_alert_of_a_tls13_client_is_named(void **state)
{
	static const uint8_t alert[] = { 21, 3, 3, 0, 2, 2, 48 };
	static const uint8_t both[] = { 20, 3, 3, 0, 1, 1, 21, 3, 3, 0, 2, 2, 48 };
	(void)state;
	for (int way = 0; way < 3; way++) {
		struct meeting m;
		meet(&m, TLS_ENDPOINT, TLS13);
		step(&m);
		assert_true(io_must_wait(m.of_tls));
		for (size_t i = 0; way == 1 && i < sizeof alert; i++) {
			assert_int_equal(send(m.fds[0], alert + i, 1, 0), 1);
			m.of_tls = io_must_wait(m.of_tls) ? tls_handshake(m.tls) : m.of_tls;
		}
		if (way != 1) {
			assert_true(send(m.fds[0], way ? both : alert,
			    way ? sizeof both : sizeof alert, 0) > 0);
			m.of_tls = tls_handshake(m.tls);
		}
		assert_int_equal(m.of_tls, IO_RESET);
		assert_int_equal(tls_alert_received(m.tls), 48);
		assert_string_equal(tls_error(m.tls),
		    "the peer refused with the alert \"CA is unknown\" (48)");
		assert_int_equal(tls_alert_sent(m.tls), 0);
		part(&m);
	}
}

/* What is no alert remains what GnuTLS says, and an alert without a name has a number. */
static void
what_cannot_be_decrypted_and_is_no_alert_is_told_as_before(void **state)
{
	static const uint8_t others[][9] = {
		{ 23, 3, 3, 0, 2, 2, 48 }, { 21, 3, 3, 0, 3, 2, 48, 0 }, { 21, 3, 3, 0, 2, 2, 99 },
	};
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct meeting m;
		meet(&m, TLS_ENDPOINT, TLS13);
		step(&m);
		assert_int_equal(send(m.fds[0], others[i], 5u + others[i][4], 0), 5 + others[i][4]);
		m.of_tls = tls_handshake(m.tls);
		assert_int_equal(m.of_tls, i < 2 ? IO_FAILED : IO_RESET);
		assert_int_equal(tls_alert_received(m.tls), i < 2 ? 0 : 99);
		if (i == 2)
			assert_string_equal(tls_error(m.tls),
			    "the peer refused with the alert \"unknown\" (99)");
		part(&m);
	}
}

/* RFC 5246 §7.4.1.1: a server may ask, a client may ignore it. */
static void
a_server_that_wants_to_renegotiate_is_served_on(void **state)
{
	struct meeting m;
	char got[16];
	(void)state;
	meet(&m, TLS_UPSTREAM, TLS12);
	greet(&m);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(gnutls_rehandshake(m.bare), 0);
		assert_int_equal(hear_nothing(tls_stream(m.tls)), IO_READ);
		assert_int_equal(gnutls_record_send(m.bare, "more", 4), 4);
		hear(tls_stream(m.tls), "more");
		say(tls_stream(m.tls), "and on");
		assert_int_equal(gnutls_record_recv(m.bare, got, sizeof got), 6);
	}
	assert_int_equal(tls_alert_sent(m.tls), 0);
	part(&m);
}

/* level, code, in TLS 1.3, in 1.2: how reading goes on. */
static const struct {
	gnutls_alert_level_t level;
	gnutls_alert_description_t alert;
	enum io in13, in12;
} said[] = {
	{ GNUTLS_AL_WARNING, GNUTLS_A_CLOSE_NOTIFY, IO_EOF, IO_EOF },
	{ GNUTLS_AL_FATAL, GNUTLS_A_CLOSE_NOTIFY, IO_EOF, IO_EOF },
	{ GNUTLS_AL_WARNING, GNUTLS_A_USER_CANCELED, IO_RESET, IO_READ },
	{ GNUTLS_AL_WARNING, GNUTLS_A_UNRECOGNIZED_NAME, IO_RESET, IO_READ },
	{ GNUTLS_AL_WARNING, GNUTLS_A_CERTIFICATE_EXPIRED, IO_RESET, IO_READ },
	{ GNUTLS_AL_FATAL, GNUTLS_A_CERTIFICATE_EXPIRED, IO_RESET, IO_RESET },
	{ GNUTLS_AL_FATAL, GNUTLS_A_INTERNAL_ERROR, IO_RESET, IO_RESET },
};

/* RFC 8446 §6: the code decides, whatever the level; RFC 5246 §7.2: a warning is one. */
static void
the_code_of_an_alert_decides_and_its_level_only_before_tls13(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof said / sizeof *said; i++)
		for (int old = 0; old < 2; old++) {
			struct meeting m;
			meet(&m, TLS_ENDPOINT, old ? TLS12 : TLS13);
			greet(&m);
			assert_int_equal(gnutls_record_send(m.bare, "before", 6), 6);
			assert_int_equal(gnutls_alert_send(m.bare, said[i].level, said[i].alert), 0);
			hear(tls_stream(m.tls), "before");
			enum io wanted = old ? said[i].in12 : said[i].in13;
			enum io got = hear_nothing(tls_stream(m.tls));
			if (got != wanted)
				fail_msg("row %zu, old %d: %d, %s", i, old, (int)got,
				    tls_error(m.tls));
			assert_int_equal(tls_alert_received(m.tls),
			    wanted == IO_RESET ? said[i].alert : 0);
			part(&m);
		}
}

/* Who forgives a missing close_notify has not agreed to lose half a record. */
static void
a_record_that_is_cut_through_is_never_forgiven(void **state)
{
	static const uint8_t record[] = { 23, 3, 3, 0, 32, 1, 2, 3 };
	(void)state;
	for (size_t cut = 0; cut <= sizeof record; cut++)
		for (int forgives = 0; forgives < 2; forgives++) {
			enum io end = forgives && cut == 0 ? IO_EOF : IO_RESET;
			struct meeting m;
			meet(&m, TLS_ENDPOINT, TLS13);
			greet(&m);
			if (forgives)
				tls_forgive_truncation(m.tls);
			assert_int_equal(gnutls_record_send(m.bare, "before", 6), 6);
			assert_int_equal(send(m.fds[0], record, cut, 0), cut);
			shutdown(m.fds[0], SHUT_WR);
			hear(tls_stream(m.tls), "before");
			assert_int_equal(hear_nothing(tls_stream(m.tls)), end);
			assert_int_equal(hear_nothing(tls_stream(m.tls)), end);
			part(&m);
		}
}

/* Some middleboxes cut so; all of it is at hand at once, as it is behind a relay. */
static void
a_hello_in_records_of_one_byte_is_answered(void **state)
{
	static uint8_t wire[1 << 12], records[6 * sizeof wire];
	struct meeting m;
	size_t at = 0;
	(void)state;
	meet(&m, TLS_ENDPOINT, TLS13);
	m.of_bare = gnutls_handshake(m.bare);
	ssize_t bytes = recv(m.fds[1], wire, sizeof wire, 0);
	assert_in_range(bytes, 300, sizeof wire);
	for (ssize_t i = 5; i < bytes; i++, at += 6)
		memcpy(records + at, (uint8_t[]){ 22, 3, 1, 0, 1, wire[i] }, 6);
	assert_true(stream_unread(m.under, records, at));
	m.of_tls = tls_handshake(m.tls);
	greet(&m);
	part(&m);
}

/* Feeds one handshake message of a length that no message has, and returns how much of it was
 * taken. */
static size_t
feed(struct meeting *m, size_t piece)
{
	static uint8_t record[5 + 16384];
	const uint8_t start[] = { 22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff };
	size_t fed = 0;
	memcpy(record, (uint8_t[]){ 22, 3, 1, (uint8_t)(piece >> 8), (uint8_t)piece }, 5);
	assert_int_equal(send(m->fds[0], start, sizeof start, 0), sizeof start);
	m->of_tls = tls_handshake(m->tls);
	while (io_must_wait(m->of_tls) && fed < 0xffffff) {
		assert_int_equal(send(m->fds[0], record, 5 + piece, 0), 5 + piece);
		fed += piece;
		m->of_tls = tls_handshake(m->tls);
	}
	return fed;
}

static void
a_message_without_end_is_not_kept_without_end(void **state)
{
	(void)state;
	for (size_t piece = 100; piece <= 10000; piece *= 10) {
		struct meeting m;
		meet(&m, TLS_ENDPOINT, TLS13);
		assert_in_range(feed(&m, piece), 200 * 1024, 300 * 1024);
		assert_int_equal(m.of_tls, IO_FAILED);
		part(&m);
	}
}

/* An extension that takes as much room as tickets with whole chains in them do. */
enum { LARGE = 60000 };

static int
add_extension(gnutls_session_t session, gnutls_buffer_t out)
{
	static const uint8_t zeros[LARGE];
	(void)session;
	return gnutls_buffer_append_data(out, zeros, LARGE) < 0 ? -1 : LARGE;
}

static int
take_extension(gnutls_session_t session, const unsigned char *data, size_t bytes)
{
	(void)session, (void)data, (void)bytes;
	return 0;
}

/* The longest hello that a relay passes, and behind it certificates; GnuTLS counts them together. */
static void
a_large_hello_and_large_certificates_are_taken(void **state)
{
	static const char *const versions[] = { TLS12, TLS13 };
	static const uint8_t number[LARGE] = { 4, 0x82, (LARGE - 4) >> 8, (LARGE - 4) & 0xff };
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct test_credentials large = { 0 };
		struct meeting m;
		make_credentials_with(&large, "app.test", number, sizeof number);
		meet_with(&m, TLS_ENDPOINT, versions[i], &large);
		gnutls_session_ext_register(m.bare, "large", 0xfffe, GNUTLS_EXT_TLS, take_extension,
		    add_extension, NULL, NULL, NULL,
		    GNUTLS_EXT_FLAG_CLIENT_HELLO | GNUTLS_EXT_FLAG_TLS);
		greet(&m);
		assert_true(tls_peer_has_certificate(m.tls));
		part(&m);
		wipe_credentials(&large);
	}
}

static int
set_up(void **state)
{
	(void)state;
	return set_up_credentials("app.test");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_alert_of_a_tls13_client_is_named),
		cmocka_unit_test(what_cannot_be_decrypted_and_is_no_alert_is_told_as_before),
		cmocka_unit_test(a_server_that_wants_to_renegotiate_is_served_on),
		cmocka_unit_test(the_code_of_an_alert_decides_and_its_level_only_before_tls13),
		cmocka_unit_test(a_record_that_is_cut_through_is_never_forgiven),
		cmocka_unit_test(a_hello_in_records_of_one_byte_is_answered),
		cmocka_unit_test(a_message_without_end_is_not_kept_without_end),
		cmocka_unit_test(a_large_hello_and_large_certificates_are_taken),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tls_alert", tests, set_up, tear_down_credentials);
}
