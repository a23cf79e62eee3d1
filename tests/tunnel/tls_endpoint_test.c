/* The agent's termination, against a bare GnuTLS client that may do what ours would not. */
#include "tunnel/tls.h"

#include <stdio.h>

#include <gnutls/abstract.h>

#include "base/clock_fake.h"
#include "tunnel/hello_judge.h"
#include "tunnel/peer.h"

#define TLS13 "NORMAL:-VERS-ALL:+VERS-TLS1.3"
#define TLS12 "NORMAL:-VERS-ALL:+VERS-TLS1.2"

struct endpoint_meeting {
	gnutls_session_t client;
	gnutls_certificate_credentials_t trust;
	struct tls *server;
	int fds[2];
	int of_client;
	enum io of_server;
};

static void
meeting_begin(struct endpoint_meeting *m, const struct tls_settings *settings, const struct tls_hooks *hooks,
    const char *priority, unsigned flags, bool shows_certificate)
{
	char error[TLS_ERROR];
	const gnutls_datum_t crt = { credentials.certificate.data,
	    (unsigned)credentials.certificate.bytes };
	const gnutls_datum_t key = { credentials.key.data, (unsigned)credentials.key.bytes };
	struct tls_config *config = tls_config_new(settings, error);
	assert_non_null(config);
	pair(m->fds);
	m->server = tls_server(config, stream_socket(m->fds[1]), hooks);
	tls_config_release(config);
	gnutls_certificate_allocate_credentials(&m->trust);
	if (shows_certificate)
		assert_int_equal(gnutls_certificate_set_x509_key_mem(m->trust, &crt, &key,
		    GNUTLS_X509_FMT_PEM), 0);
	assert_int_equal(gnutls_init(&m->client, GNUTLS_CLIENT | GNUTLS_NONBLOCK | flags), 0);
	assert_int_equal(gnutls_priority_set_direct(m->client, priority, NULL), 0);
	gnutls_credentials_set(m->client, GNUTLS_CRD_CERTIFICATE, m->trust);
	gnutls_server_name_set(m->client, GNUTLS_NAME_DNS, "app.test", 8);
	gnutls_transport_set_int(m->client, m->fds[0]);
}

static void
meeting_shake(struct endpoint_meeting *m)
{
	m->of_client = GNUTLS_E_AGAIN;
	m->of_server = IO_READ;
	for (int i = 0; i < 20; i++) {
		if (m->of_client == GNUTLS_E_AGAIN)
			m->of_client = gnutls_handshake(m->client);
		if (io_must_wait(m->of_server))
			m->of_server = tls_handshake(m->server);
	}
}

/* The alert that the client sees, in the handshake or with its first read. */
static unsigned
meeting_alert(struct endpoint_meeting *m)
{
	char byte;
	ssize_t got = m->of_client;
	if (got == 0)
		got = gnutls_record_recv(m->client, &byte, 1);
	assert_int_equal(got, GNUTLS_E_FATAL_ALERT_RECEIVED);
	return gnutls_alert_get(m->client);
}

static void
meeting_end(struct endpoint_meeting *m)
{
	gnutls_deinit(m->client);
	gnutls_certificate_free_credentials(m->trust);
	stream_free(tls_stream(m->server));
	close(m->fds[0]);
}

static struct tls_settings
endpoint(enum tls_client_certificate demand)
{
	return (struct tls_settings){ .purpose = TLS_ENDPOINT,
	    .certificate = &credentials.certificate,
		.private_key = &credentials.key, .client_certificate = demand };
}

static void
serves_tls12_and_tls13_with_aes_first(void **state)
{
	static const char *const versions[] = { TLS12, TLS13 };
	static const char *const names[] = { "TLS1.2", "TLS1.3" };
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct endpoint_meeting m;
		const struct tls_settings settings = endpoint(TLS_CLIENT_OFF);
		meeting_begin(&m, &settings, NULL, versions[i], 0, true);
		meeting_shake(&m);
		assert_int_equal(m.of_server, IO_OK);
		assert_string_equal(tls_version(m.server), names[i]);
		assert_int_equal(gnutls_cipher_get(m.client), GNUTLS_CIPHER_AES_128_GCM);
		assert_false(tls_peer_has_certificate(m.server));
		assert_int_equal(gnutls_record_send(m.client, "ask", 3), 3);
		hear(tls_stream(m.server), "ask");
		meeting_end(&m);
	}
}

/* What upstreams are told must be what other programs say, too. */
static void
cipher_suites_have_the_names_that_openssl_gives_them(void **state)
{
	static const struct { const char *priority, *name; } suites[] = {
		{ TLS12 ":-CIPHER-ALL:+AES-128-GCM", "ECDHE-ECDSA-AES128-GCM-SHA256" },
		{ TLS12 ":-CIPHER-ALL:+AES-256-GCM", "ECDHE-ECDSA-AES256-GCM-SHA384" },
		{ TLS12 ":-CIPHER-ALL:+CHACHA20-POLY1305", "ECDHE-ECDSA-CHACHA20-POLY1305" },
		{ TLS13 ":-CIPHER-ALL:+AES-128-GCM", "TLS_AES_128_GCM_SHA256" },
		{ TLS13 ":-CIPHER-ALL:+AES-256-GCM", "TLS_AES_256_GCM_SHA384" },
		{ TLS13 ":-CIPHER-ALL:+CHACHA20-POLY1305", "TLS_CHACHA20_POLY1305_SHA256" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof suites / sizeof *suites; i++) {
		struct endpoint_meeting m;
		const struct tls_settings settings = endpoint(TLS_CLIENT_OFF);
		meeting_begin(&m, &settings, NULL, suites[i].priority, 0, false);
		meeting_shake(&m);
		assert_int_equal(m.of_server, IO_OK);
		assert_string_equal(tls_cipher(m.server), suites[i].name);
		assert_int_equal(tls_peer_certificate(m.server).bytes, 0);
		meeting_end(&m);
	}
}

static void
refuses_what_nobody_needs_any_more(void **state)
{
	static const char *const old[] = {
		"NORMAL:-VERS-ALL:+VERS-TLS1.1", "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA",
		"NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-CBC:+AES-256-CBC",
	};
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct endpoint_meeting m;
		const struct tls_settings settings = endpoint(TLS_CLIENT_OFF);
		meeting_begin(&m, &settings, NULL, old[i], 0, false);
		meeting_shake(&m);
		assert_int_equal(m.of_server, IO_FAILED);
		assert_int_equal(meeting_alert(&m), i == 0 ? 70 : 40);
		meeting_end(&m);
	}
}

#define BOTH "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* Oldest and newest of ours, what the client offers, what comes of it; NULL: alert 70. */
static const struct {
	enum tls_version oldest, newest;
	const char *offered, *spoken;
} bounds[] = {
	{ TLS_VERSION_ANY, TLS_VERSION_ANY, BOTH, "TLS1.3" },
	{ TLS_VERSION_12, TLS_VERSION_13, BOTH, "TLS1.3" },
	{ TLS_VERSION_12, TLS_VERSION_12, BOTH, "TLS1.2" },
	{ TLS_VERSION_ANY, TLS_VERSION_12, TLS12, "TLS1.2" },
	{ TLS_VERSION_ANY, TLS_VERSION_12, TLS13, NULL },
	{ TLS_VERSION_13, TLS_VERSION_ANY, BOTH, "TLS1.3" },
	{ TLS_VERSION_13, TLS_VERSION_13, TLS13, "TLS1.3" },
	{ TLS_VERSION_13, TLS_VERSION_ANY, TLS12, NULL },
	{ TLS_VERSION_ANY, TLS_VERSION_ANY, "NORMAL:-VERS-ALL:+VERS-TLS1.1", NULL },
};

static void
a_version_out_of_bounds_gets_the_alert_that_says_so(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
		struct endpoint_meeting m;
		struct tls_settings settings = endpoint(TLS_CLIENT_OFF);
		const struct tls_hooks hooks = { .judge_hello = hello_judge };
		settings.oldest = bounds[i].oldest;
		settings.newest = bounds[i].newest;
		meeting_begin(&m, &settings, &hooks, bounds[i].offered, 0, false);
		meeting_shake(&m);
		assert_int_equal(m.of_server, bounds[i].spoken ? IO_OK : IO_FAILED);
		if (bounds[i].spoken)
			assert_string_equal(tls_version(m.server), bounds[i].spoken);
		else {
			assert_int_equal(meeting_alert(&m), 70);
			assert_false(tls_heard_no_tls(m.server));
			if (!strstr(tls_error(m.server), "TLS"))
				fail_msg("case %zu: %s", i, tls_error(m.server));
		}
		meeting_end(&m);
	}
}

/* What a client prefers does not count. */
static void
the_cipher_and_the_protocol_are_our_choice(void **state)
{
	static const char *const ciphers[] = {
		TLS13 ":-CIPHER-ALL:+CHACHA20-POLY1305:+AES-256-GCM:+AES-128-GCM",
		TLS12 ":-CIPHER-ALL:+CHACHA20-POLY1305:+AES-256-GCM:+AES-128-GCM",
	};
	static const char *const ours[] = { "h2", "http/1.1", NULL };
	static const gnutls_datum_t theirs[] = {
		{ (unsigned char *)"http/1.1", 8 }, { (unsigned char *)"h2", 2 },
	};
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct endpoint_meeting m;
		struct tls_settings settings = endpoint(TLS_CLIENT_OFF);
		settings.alpn = ours;
		meeting_begin(&m, &settings, NULL, ciphers[i], 0, false);
		gnutls_alpn_set_protocols(m.client, theirs, 2, 0);
		meeting_shake(&m);
		assert_int_equal(m.of_server, IO_OK);
		assert_int_equal(gnutls_cipher_get(m.client), GNUTLS_CIPHER_AES_128_GCM);
		assert_string_equal(tls_alpn(m.server), "h2");
		meeting_end(&m);
	}
}

/* demand, shown, verdict of the judge -> how often judged, outcome, alert in 1.3, in 1.2. */
static const struct judgement {
	enum tls_client_certificate demand;
	bool shown;
	unsigned verdict, asked;
	enum io outcome;
	unsigned alert13, alert12;
} judgements[] = {
	{ TLS_CLIENT_OFF, true, 44, 0, IO_OK, 0, 0 },
	{ TLS_CLIENT_REQUEST, false, 44, 0, IO_OK, 0, 0 },
	{ TLS_CLIENT_REQUEST, true, 0, 1, IO_OK, 0, 0 },
	{ TLS_CLIENT_REQUEST, true, 44, 1, IO_FAILED, 44, 44 },
	{ TLS_CLIENT_REQUIRE, true, 0, 1, IO_OK, 0, 0 },
	{ TLS_CLIENT_REQUIRE, true, 48, 1, IO_FAILED, 48, 48 },
	{ TLS_CLIENT_REQUIRE, false, 0, 1, IO_FAILED, 116, 40 },
	{ TLS_CLIENT_REQUIRE, false, 49, 1, IO_FAILED, 116, 40 },
};

static void
client_certificates_are_judged_and_the_alert_arrives(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * sizeof judgements / sizeof *judgements; i++) {
		const struct judgement *j = &judgements[i / 2];
		struct endpoint_meeting m;
		unsigned verdict[3] = { j->verdict };
		const struct tls_settings settings = endpoint(j->demand);
		const struct tls_hooks hooks = { .judge = judge_by, .arg = verdict };
		meeting_begin(&m, &settings, &hooks, i % 2 ? TLS13 : TLS12, 0, j->shown);
		meeting_shake(&m);
		assert_int_equal(m.of_server, j->outcome);
		assert_int_equal(verdict[1], j->asked);
		if (j->outcome == IO_FAILED)
			assert_int_equal(meeting_alert(&m), i % 2 ? j->alert13 : j->alert12);
		else
			assert_int_equal(tls_peer_has_certificate(m.server),
			    j->shown && j->demand != TLS_CLIENT_OFF);
		meeting_end(&m);
	}
}

/* DER of a self-signed CA. */
static void
make_ca(gnutls_datum_t *der, const char *dn)
{
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	const uint8_t serial[] = { 7 };
	assert_int_equal(gnutls_x509_privkey_init(&key), 0);
	assert_int_equal(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
	    GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0), 0);
	assert_int_equal(gnutls_x509_crt_init(&crt), 0);
	gnutls_x509_crt_set_version(crt, 3);
	gnutls_x509_crt_set_serial(crt, serial, sizeof serial);
	gnutls_x509_crt_set_activation_time(crt, time(NULL) - 3600);
	gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 3600);
	assert_int_equal(gnutls_x509_crt_set_dn(crt, dn, NULL), 0);
	gnutls_x509_crt_set_basic_constraints(crt, 1, -1);
	gnutls_x509_crt_set_key(crt, key);
	assert_int_equal(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0), 0);
	assert_int_equal(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, der), 0);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
}

/* The names that the client is asked for a certificate with, each with a space behind it. */
static char asked[256];

static int
note_names(gnutls_session_t session, const gnutls_datum_t *names, int count,
    const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **certificates,
    unsigned *certificate_count, gnutls_privkey_t *key)
{
	size_t used = 0;
	(void)session;
	(void)algorithms;
	(void)algorithm_count;
	(void)key;
	*certificates = NULL;
	*certificate_count = 0;
	for (int i = 0; i < count; i++) {
		size_t bytes = sizeof asked - used - 1;
		assert_int_equal(gnutls_x509_rdn_get(&names[i], asked + used, &bytes), 0);
		used = strlen(asked);
		asked[used++] = ' ';
		asked[used] = '\0';
	}
	return 0;
}

static void
the_names_of_the_clients_cas_are_told(void **state)
{
	static const char *const wanted[] = { "", "CN=one ", "CN=one CN=two " };
	gnutls_datum_t ders[2];
	(void)state;
	make_ca(&ders[0], "CN=one");
	make_ca(&ders[1], "CN=two");
	const struct tls_certificate cas[] = { { ders[0].data, ders[0].size },
	    { ders[1].data, ders[1].size } };
	for (int i = 0; i < 6; i++) {
		struct endpoint_meeting m;
		struct tls_settings settings = endpoint(TLS_CLIENT_REQUEST);
		settings.client_cas = cas;
		settings.client_ca_count = (size_t)i / 2;
		asked[0] = '\0';
		meeting_begin(&m, &settings, NULL, i % 2 ? TLS13 : TLS12, 0, false);
		gnutls_certificate_set_retrieve_function2(m.trust, note_names);
		meeting_shake(&m);
		assert_int_equal(m.of_server, IO_OK);
		assert_string_equal(asked, wanted[i / 2]);
		meeting_end(&m);
	}
	gnutls_free(ders[0].data);
	gnutls_free(ders[1].data);
}

/* What its name takes in a CertificateRequest. */
static size_t
name_bytes(const gnutls_datum_t *der)
{
	gnutls_x509_crt_t crt;
	gnutls_datum_t name;
	size_t bytes;
	gnutls_x509_crt_init(&crt);
	assert_int_equal(gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER), 0);
	assert_int_equal(gnutls_x509_crt_get_raw_dn(crt, &name), 0);
	bytes = name.size + 2;
	gnutls_free(name.data);
	gnutls_x509_crt_deinit(crt);
	return bytes;
}

static void
shakes_with_all(const struct tls_settings *settings, const char *priority)
{
	struct endpoint_meeting m;
	meeting_begin(&m, settings, NULL, priority, 0, false);
	meeting_shake(&m);
	if (m.of_server != IO_OK)
		fail_msg("%s: %s", priority, gnutls_strerror(m.of_client));
	meeting_end(&m);
}

/* Of names of some 200 bytes as many as there is room for, then one more, which the list of TLS 1.2 would
 * still take. */
static void
no_more_names_than_the_message_has_room_for_are_told(void **state)
{
	enum { ROOM = 65535 - 512, MOST = 600 };
	static gnutls_datum_t ders[MOST];
	static struct tls_certificate cas[MOST];
	struct tls_settings settings = endpoint(TLS_CLIENT_REQUEST);
	char error[TLS_ERROR];
	size_t bytes = 0, count = 0;
	(void)state;
	for (; bytes <= ROOM; count++) {
		char name[256];
		assert_true(count < MOST);
		snprintf(name, sizeof name, "CN=%03zu,OU=%0*d,O=%0*d", count, 60, 1, 60, 2);
		make_ca(&ders[count], name);
		cas[count] = (struct tls_certificate){ ders[count].data, ders[count].size };
		bytes += name_bytes(&ders[count]);
	}
	assert_in_range(bytes, ROOM + 1, 65535);
	settings.client_cas = cas;
	settings.client_ca_count = count;
	assert_null(tls_config_new(&settings, error));
	assert_non_null(strstr(error, "client_ca_names: off"));
	settings.client_ca_count = count - 1;
	shakes_with_all(&settings, TLS12);
	shakes_with_all(&settings, TLS13);
	while (count > 0)
		gnutls_free(ders[--count].data);
}

/* Accepts app.test; counts. */
static unsigned
judge_hello(void *arg, struct tls_hello *hello)
{
	++*(unsigned *)arg;
	hello_judge(NULL, hello);
	return strcmp(hello->name, "app.test") == 0 ? 0 : 112;
}

static void
a_name_that_was_not_routed_is_unrecognized(void **state)
{
	static const char *const names[] = { "app.test", "evil.test", "" };
	(void)state;
	for (int i = 0; i < 6; i++) {
		struct endpoint_meeting m;
		unsigned seen = 0;
		const struct tls_settings settings = endpoint(TLS_CLIENT_OFF);
		const struct tls_hooks hooks = { .judge_hello = judge_hello, .arg = &seen };
		meeting_begin(&m, &settings, &hooks, i % 2 ? TLS13 : TLS12, 0, false);
		gnutls_server_name_set(m.client, GNUTLS_NAME_DNS, names[i / 2],
		    strlen(names[i / 2]));
		meeting_shake(&m);
		assert_int_equal(seen, 1);
		assert_int_equal(m.of_server, i / 2 == 0 ? IO_OK : IO_FAILED);
		if (i / 2)
			assert_int_equal(meeting_alert(&m), 112);
		meeting_end(&m);
	}
}

static int
turn_coat(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
    const gnutls_datum_t *message)
{
	const char *name = gnutls_session_get_ptr(session);
	(void)type;
	(void)when;
	(void)message;
	if (incoming)
		gnutls_server_name_set(session, GNUTLS_NAME_DNS, name, strlen(name));
	return 0;
}

/* RFC 8446 §4.1.2 forbids another name in the second hello; GnuTLS as a server does not look. */
static void
the_hello_after_a_retry_request_is_looked_at_too(void **state)
{
	static const char *const second[] = { "app.test", "evil.test", "" };
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct endpoint_meeting m;
		unsigned seen = 0;
		const struct tls_settings settings = endpoint(TLS_CLIENT_OFF);
		const struct tls_hooks hooks = { .judge_hello = judge_hello, .arg = &seen };
		meeting_begin(&m, &settings, &hooks,
		    TLS13 ":-GROUP-ALL:+GROUP-FFDHE2048:+GROUP-SECP256R1",
		    GNUTLS_KEY_SHARE_TOP, false);
		gnutls_session_set_ptr(m.client, (void *)(uintptr_t)second[i]);
		gnutls_handshake_set_hook_function(m.client, GNUTLS_HANDSHAKE_HELLO_RETRY_REQUEST,
		    GNUTLS_HOOK_POST, turn_coat);
		meeting_shake(&m);
		assert_int_equal(seen, 2);
		assert_int_equal(m.of_server, i == 0 ? IO_OK : IO_FAILED);
		if (i)
			assert_int_equal(meeting_alert(&m), 112);
		meeting_end(&m);
	}
}

static void
alpn_is_chosen_from_the_list_and_strangers_get_the_alert(void **state)
{
	static const char *const ours[] = { "h2", "http/1.1", NULL };
	static const gnutls_datum_t theirs[] = {
		{ (unsigned char *)"http/1.1", 8 }, { (unsigned char *)"acme-tls/1", 10 },
	};
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct endpoint_meeting m;
		struct tls_settings settings = endpoint(TLS_CLIENT_OFF);
		settings.alpn = ours;
		meeting_begin(&m, &settings, NULL, TLS13, 0, false);
		if (i < 2)
			gnutls_alpn_set_protocols(m.client, &theirs[i], 1, 0);
		meeting_shake(&m);
		assert_int_equal(m.of_server, i == 1 ? IO_FAILED : IO_OK);
		if (i == 1)
			assert_int_equal(meeting_alert(&m), 120);
		else
			assert_string_equal(tls_alpn(m.server), i == 0 ? "http/1.1" : "");
		meeting_end(&m);
	}
}

/* The times are not those of what it says: the caller has read them. */
static void
a_staple_is_shown_while_it_is_current(void **state)
{
	enum { FROM = 1000000, UNTIL = 1000100 };
	static const int64_t times[] = { FROM - 1, FROM, UNTIL - 1, UNTIL };
	static const char said[] = "what the caller has judged";
	(void)state;
	for (int i = 0; i < 8; i++) {
		struct endpoint_meeting m;
		struct tls_settings settings = endpoint(TLS_CLIENT_OFF);
		gnutls_datum_t got;
		bool is_current = times[i / 2] >= FROM && times[i / 2] < UNTIL;
		settings.staple = (struct tls_staple){ (const uint8_t *)said, sizeof said, FROM, UNTIL };
		clock_fake(1000000, times[i / 2] * 1000000);
		meeting_begin(&m, &settings, NULL, i % 2 ? TLS13 : TLS12, 0, false);
		meeting_shake(&m);
		assert_int_equal(m.of_server, IO_OK);
		assert_int_equal(gnutls_ocsp_status_request_get(m.client, &got) >= 0, is_current);
		if (is_current)
			assert_memory_equal(got.data, said, sizeof said);
		meeting_end(&m);
	}
	clock_fake(0, 0);
}

static void
gives_out_no_tickets(void **state)
{
	char byte;
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct endpoint_meeting m;
		const struct tls_settings settings = endpoint(TLS_CLIENT_OFF);
		meeting_begin(&m, &settings, NULL, i ? TLS13 : TLS12, 0, false);
		meeting_shake(&m);
		say(tls_stream(m.server), "x");
		assert_int_equal(gnutls_record_recv(m.client, &byte, 1), 1);
		assert_false(gnutls_session_get_flags(m.client) & GNUTLS_SFLAGS_SESSION_TICKET);
		meeting_end(&m);
	}
}

/* RFC 5246 §7.2.2: a warning, after which both go on; as often as one may want it. */
static void
a_renegotiation_is_refused_and_both_go_on(void **state)
{
	enum { OFTEN = 16 }; /* as often as GnuTLS's client takes it */
	struct endpoint_meeting m;
	const struct tls_settings settings = endpoint(TLS_CLIENT_OFF);
	char got[16];
	(void)state;
	meeting_begin(&m, &settings, NULL, TLS12, 0, false);
	meeting_shake(&m);
	for (int i = 0; i < OFTEN; i++) {
		assert_int_equal(gnutls_handshake(m.client), GNUTLS_E_AGAIN);
		assert_int_equal(hear_nothing(tls_stream(m.server)), IO_READ);
		assert_int_equal(gnutls_handshake(m.client), GNUTLS_E_WARNING_ALERT_RECEIVED);
		assert_int_equal(gnutls_alert_get(m.client), GNUTLS_A_NO_RENEGOTIATION);
		assert_int_equal(gnutls_record_send(m.client, "more", 4), 4);
		hear(tls_stream(m.server), "more");
		say(tls_stream(m.server), "and on");
		assert_int_equal(gnutls_record_recv(m.client, got, sizeof got), 6);
	}
	assert_int_equal(tls_alert_sent(m.server), 0);
	meeting_end(&m);
}

/* What comes with it in one piece is neither lost nor taken for a part of it. */
static void
bytes_around_a_renegotiation_are_heard(void **state)
{
	struct endpoint_meeting m;
	const struct tls_settings settings = endpoint(TLS_CLIENT_OFF);
	static uint8_t room[64 * 1024];
	size_t done = 0, all = 0;
	(void)state;
	meeting_begin(&m, &settings, NULL, TLS12, 0, false);
	meeting_shake(&m);
	assert_int_equal(gnutls_record_send(m.client, "before", 6), 6);
	assert_int_equal(gnutls_handshake(m.client), GNUTLS_E_AGAIN);
	assert_int_equal(gnutls_record_send(m.client, "after", 5), 5);
	while (all < 11) {
		assert_int_equal(
		    stream_read(tls_stream(m.server), room + all, sizeof room - all, &done), IO_OK);
		all += done;
	}
	assert_memory_equal(room, "beforeafter", 11);
	assert_int_equal(hear_nothing(tls_stream(m.server)), IO_READ);
	meeting_end(&m);
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
		cmocka_unit_test(serves_tls12_and_tls13_with_aes_first),
		cmocka_unit_test(cipher_suites_have_the_names_that_openssl_gives_them),
		cmocka_unit_test(refuses_what_nobody_needs_any_more),
		cmocka_unit_test(a_version_out_of_bounds_gets_the_alert_that_says_so),
		cmocka_unit_test(the_cipher_and_the_protocol_are_our_choice),
		cmocka_unit_test(client_certificates_are_judged_and_the_alert_arrives),
		cmocka_unit_test(the_names_of_the_clients_cas_are_told),
		cmocka_unit_test(no_more_names_than_the_message_has_room_for_are_told),
		cmocka_unit_test(a_name_that_was_not_routed_is_unrecognized),
		cmocka_unit_test(the_hello_after_a_retry_request_is_looked_at_too),
		cmocka_unit_test(alpn_is_chosen_from_the_list_and_strangers_get_the_alert),
		cmocka_unit_test(a_staple_is_shown_while_it_is_current),
		cmocka_unit_test(gives_out_no_tickets),
		cmocka_unit_test(a_renegotiation_is_refused_and_both_go_on),
		cmocka_unit_test(bytes_around_a_renegotiation_are_heard),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tls_endpoint", tests, set_up, tear_down_credentials);
}
