/* Sessions, channels and endpoints over socket pairs, both ends real GnuTLS. */
#include "tunnel/tls.h"

#include <stdio.h>

#include "tunnel/peer.h"

static unsigned fine[3];	/* judge_by() says yes */

struct tls_both {
	struct tls *client, *server;
	struct stream *c, *s, *server_under;
	int fds[2];
};

static struct tls_both
connect_both(enum tls_purpose of_client, enum tls_purpose of_server, unsigned *by_client,
    unsigned *by_server)
{
	struct tls_both both;
	struct tls_config *cc = config_for(of_client), *sc = config_for(of_server);
	const struct tls_hooks ch = { .judge = judge_by, .arg = by_client };
	const struct tls_hooks sh = { .judge = judge_by, .arg = by_server };
	pair(both.fds);
	both.client = tls_client(cc, stream_socket(both.fds[0]), "relay.test", &ch);
	both.server_under = stream_socket(both.fds[1]);
	both.server = tls_server(sc, both.server_under, &sh);
	assert_non_null(both.client);
	assert_non_null(both.server);
	both.c = tls_stream(both.client);
	both.s = tls_stream(both.server);
	tls_config_release(cc);
	tls_config_release(sc);
	return both;
}

static void
talk(struct tls_both *both)
{
	say(both->c, "up");
	hear(both->s, "up");
	say(both->s, "down");
	hear(both->c, "down");
}

static void
part(struct tls_both *both)
{
	stream_free(both->c);
	stream_free(both->s);
}

static struct tls_both
session(void)
{
	struct tls_both both = connect_both(TLS_SESSION_AGENT, TLS_SESSION_RELAY, fine, fine);
	shaken(both.client, both.server);
	return both;
}

static void
a_session_is_tls13_with_its_alpn_and_both_are_judged(void **state)
{
	unsigned by_client[3] = { 0 }, by_server[3] = { 0 };
	(void)state;
	struct tls_both both = connect_both(TLS_SESSION_AGENT, TLS_SESSION_RELAY, by_client, by_server);
	shaken(both.client, both.server);
	assert_string_equal(tls_alpn(both.client), "valise/1");
	assert_string_equal(tls_alpn(both.server), "valise/1");
	assert_string_equal(tls_version(both.server), "TLS1.3");
	assert_int_equal(by_client[1], 1);
	assert_int_equal(by_server[1], 1);
	assert_int_equal(by_server[2], 1);
	talk(&both);
	part(&both);
}

static void
the_exporter_gives_both_the_same_and_the_context_counts(void **state)
{
	uint8_t a[32], b[32], other[32];
	(void)state;
	struct tls_both both = session();
	assert_true(tls_export(both.client, "EXPERIMENTAL x", "ctx", 3, a, sizeof a));
	assert_true(tls_export(both.server, "EXPERIMENTAL x", "ctx", 3, b, sizeof b));
	assert_true(tls_export(both.server, "EXPERIMENTAL x", "cty", 3, other, sizeof other));
	assert_memory_equal(a, b, sizeof a);
	assert_memory_not_equal(a, other, sizeof a);
	part(&both);
}

static void
the_relays_verdict_reaches_the_agent_as_the_alert_it_named(void **state)
{
	unsigned revoked[3] = { 44 };
	enum io of_client, of_server;
	(void)state;
	struct tls_both both = connect_both(TLS_SESSION_AGENT, TLS_SESSION_RELAY, fine, revoked);
	shake_hands(both.client, both.server, &of_client, &of_server);
	assert_int_equal(of_server, IO_FAILED);
	assert_int_equal(tls_alert_sent(both.server), 44);
	/* TLS 1.3: the client was done before. */
	assert_int_equal(of_client, IO_OK);
	assert_int_equal(hear_nothing(both.c), IO_RESET);
	assert_int_equal(tls_alert_received(both.client), 44);
	assert_non_null(strstr(tls_error(both.client), "(44)"));
	part(&both);
}

static void
the_agents_verdict_reaches_the_relay(void **state)
{
	unsigned unknown_ca[3] = { 48 };
	enum io of_client, of_server;
	(void)state;
	struct tls_both both = connect_both(TLS_SESSION_AGENT, TLS_SESSION_RELAY, unknown_ca, fine);
	shake_hands(both.client, both.server, &of_client, &of_server);
	assert_int_equal(of_client, IO_FAILED);
	assert_int_equal(of_server, IO_RESET);
	assert_int_equal(tls_alert_received(both.server), 48);
	part(&both);
}

static void
a_client_without_a_judge_trusts_nobody(void **state)
{
	enum io of_client, of_server;
	int fds[2];
	(void)state;
	struct tls_config *cc = config_for(TLS_UPSTREAM), *sc = config_for(TLS_ENDPOINT);
	pair(fds);
	struct tls *client = tls_client(cc, stream_socket(fds[0]), NULL, NULL);
	struct tls *server = tls_server(sc, stream_socket(fds[1]), NULL);
	shake_hands(client, server, &of_client, &of_server);
	assert_int_equal(of_client, IO_FAILED);
	assert_int_equal(tls_alert_received(server), 80);
	stream_free(tls_stream(client));
	stream_free(tls_stream(server));
	tls_config_release(cc);
	tls_config_release(sc);
}

static void
the_alpn_is_demanded_even_of_those_who_offer_none(void **state)
{
	enum io of_client, of_server;
	(void)state;
	struct tls_both both = connect_both(TLS_UPSTREAM, TLS_SESSION_RELAY, fine, fine);
	shake_hands(both.client, both.server, &of_client, &of_server);
	assert_int_equal(of_server, IO_FAILED);
	assert_int_equal(tls_alert_sent(both.server), 120);
	part(&both);
}

/* ---- channels ---- */

static const char known[] = "v1.00112233445566778899aabbccddeeff";
static const uint8_t key_bytes[32] = "an example of thirty-two bytes!";

static bool
find_key(void *arg, const char *identity, struct secret *key)
{
	(void)arg;
	return strcmp(identity, known) == 0 && secret_init(key, key_bytes, sizeof key_bytes);
}

static struct tls_both
channel_with(const char *identity, const void *key)
{
	char error[TLS_ERROR];
	struct tls_both both;
	struct secret secret = { 0 };
	const struct tls_settings settings = { .purpose = TLS_CHANNEL_RELAY, .find_key = find_key };
	struct tls_config *cc = config_for(TLS_CHANNEL_AGENT), *sc = tls_config_new(&settings,
	    error);
	assert_non_null(sc);
	assert_true(secret_init(&secret, key, 32));
	pair(both.fds);
	both.client = tls_client(cc, stream_socket(both.fds[0]), "relay.test", NULL);
	both.server = tls_server(sc, stream_socket(both.fds[1]), NULL);
	assert_true(tls_set_key(both.client, identity, &secret));
	secret_wipe(&secret);
	both.c = tls_stream(both.client);
	both.s = tls_stream(both.server);
	tls_config_release(cc);
	tls_config_release(sc);
	return both;
}

static void
a_channel_opens_with_its_key_and_knows_whose_it_is(void **state)
{
	(void)state;
	struct tls_both both = channel_with(known, key_bytes);
	shaken(both.client, both.server);
	assert_string_equal(tls_identity(both.server), known);
	assert_string_equal(tls_alpn(both.client), "valise-data/1");
	talk(&both);
	part(&both);
}

/* What a stranger sees must not tell a session that lives from one that does not. */
static void
an_unknown_identity_fails_like_a_wrong_key(void **state)
{
	static const char *const names[] = { known, "v1.ffffffffffffffffffffffffffffffff", "x",
		"v2.00112233445566778899aabbccddeeff" };
	uint8_t answers[4][64];
	ssize_t bytes[4];
	(void)state;
	for (int i = 0; i < 4; i++) {
		enum io of_server = IO_READ;
		struct tls_both both = channel_with(names[i], "another example of 32 bytes ....");
		tls_handshake(both.client);
		of_server = tls_handshake(both.server);
		assert_int_equal(of_server, IO_FAILED);
		assert_string_equal(tls_identity(both.server), "");
		bytes[i] = recv(both.fds[0], answers[i], sizeof answers[i], 0);
		assert_true(bytes[i] > 0);
		assert_int_equal(bytes[i], bytes[0]);
		assert_memory_equal(answers[i], answers[0], (size_t)bytes[0]);
		part(&both);
	}
}

static void
a_channel_hello_offers_psk_ke_of_tls13_only(void **state)
{
	uint8_t hello[1024];
	static const uint8_t modes[] = { 0x00, 0x2d, 0x00, 0x02, 0x01, 0x00 };
	static const uint8_t versions[] = { 0x00, 0x2b, 0x00, 0x03, 0x02, 0x03, 0x04 };
	/* GnuTLS adds TLS_PSK_WITH_AES_128_GCM_SHA256 of TLS 1.2, which cannot be chosen. */
	static const uint8_t suites[] = { 0x00, 0x04, 0x13, 0x01, 0x00, 0xa8, 0x01, 0x00 };
	(void)state;
	struct tls_both both = channel_with(known, key_bytes);
	tls_handshake(both.client);
	ssize_t bytes = recv(both.fds[1], hello, sizeof hello, 0);
	assert_true(bytes > 0);
	assert_non_null(memmem(hello, (size_t)bytes, modes, sizeof modes));
	assert_non_null(memmem(hello, (size_t)bytes, versions, sizeof versions));
	assert_non_null(memmem(hello, (size_t)bytes, suites, sizeof suites));
	part(&both);
}

/* ---- bytes ---- */

/* The relay's own parser has read the hello before TLS begins, and here the next flight as well: no
 * descriptor event will come for any of these bytes. */
static void
prefetched_bytes_are_used_up_before_it_waits(void **state)
{
	uint8_t flight[8192];
	(void)state;
	struct tls_both both = connect_both(TLS_SESSION_AGENT, TLS_SESSION_RELAY, fine, fine);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(tls_handshake(both.client), round ? IO_OK : IO_READ);
		ssize_t bytes = recv(both.fds[1], flight, sizeof flight, 0);
		assert_true(bytes > 0);
		struct stream *under = both.server_under;
		assert_true(stream_unread(under, flight, (size_t)bytes));
		assert_int_equal(tls_handshake(both.server), round ? IO_OK : IO_READ);
		assert_int_equal(stream_unread_left(under), 0);
	}
	part(&both);
}

static void
both_orders_of_half_close_go_through(void **state)
{
	(void)state;
	for (int order = 0; order < 2; order++) {
		struct tls_both both = session();
		struct stream *first = order ? both.s : both.c, *last = order ? both.c : both.s;
		say(first, "bye");
		assert_int_equal(stream_finish(first), IO_OK);
		assert_int_equal(stream_finish(first), IO_OK);
		hear(last, "bye");
		assert_int_equal(hear_nothing(last), IO_EOF);
		assert_int_equal(hear_nothing(last), IO_EOF);
		say(last, "one more thing");
		hear(first, "one more thing");
		assert_int_equal(hear_nothing(first), IO_READ);
		assert_int_equal(stream_finish(last), IO_OK);
		assert_int_equal(hear_nothing(first), IO_EOF);
		part(&both);
	}
}

static void
a_fin_without_close_notify_is_a_reset_unless_forgiven(void **state)
{
	(void)state;
	for (int forgiven = 0; forgiven < 2; forgiven++) {
		struct tls_both both = session();
		if (forgiven)
			tls_forgive_truncation(both.server);
		say(both.c, "cut");
		shutdown(both.fds[0], SHUT_WR);
		hear(both.s, "cut");
		assert_int_equal(hear_nothing(both.s), forgiven ? IO_EOF : IO_RESET);
		assert_int_equal(hear_nothing(both.s), forgiven ? IO_EOF : IO_RESET);
		part(&both);
	}
}

static void
a_peer_without_tls_1_3_is_told_so(void **state)
{
	static const char hello[] = "tests/corpus/clienthello/025-g-gnutls-no13.bin";
	uint8_t wire[512];
	int fds[2];
	(void)state;
	FILE *file = fopen(hello, "rb");
	assert_non_null(file);
	size_t bytes = fread(wire, 1, sizeof wire, file);
	fclose(file);
	tcp_pair(fds);
	struct tls_config *config = config_for(TLS_SESSION_RELAY);
	struct tls *server = tls_server(config, stream_socket(fds[0]), NULL);
	assert_int_equal(send(fds[1], wire, bytes, 0), bytes);
	assert_int_equal(tls_handshake(server), IO_FAILED);
	assert_int_equal(tls_alert_sent(server), 70);
	assert_string_equal(tls_error(server), "the peer does not offer TLS 1.3");
	stream_free(tls_stream(server));
	tls_config_release(config);
	close(fds[1]);
}

static void
garbage_after_the_handshake_is_a_failure_with_an_alert(void **state)
{
	(void)state;
	struct tls_both both = session();
	assert_int_equal(send(both.fds[0], "\x17\x03\x03\x00\x18this is no ciphertext..", 29, 0),
	    29);
	assert_int_equal(hear_nothing(both.s), IO_FAILED);
	assert_int_equal(tls_alert_sent(both.server), 20);
	assert_int_equal(tls_linger(both.server), IO_READ);
	assert_int_equal(hear_nothing(both.c), IO_RESET);
	assert_int_equal(tls_alert_received(both.client), 20);
	part(&both);
}

static void
an_alert_after_the_handshake_reaches_the_peer(void **state)
{
	(void)state;
	struct tls_both both = session();
	tls_alert(both.server, 45);
	assert_int_equal(hear_nothing(both.c), IO_RESET);
	assert_int_equal(tls_alert_received(both.client), 45);
	part(&both);
}

/* Moves `total` bytes each way at once through what little the socket holds, checking every one;
 * keys are updated by both ends now and then, writes being interrupted at the time. */
struct tls_test_side {
	struct tls *tls;
	struct stream *stream;
	size_t sent, got, updates;
};

static uint8_t
byte_at(size_t at)
{
	return (uint8_t)(at * 2654435761u >> 13);
}

static bool
push_on(struct tls_test_side *side, size_t total, size_t chunk)
{
	uint8_t data[20000];
	size_t done, left = total - side->sent, bytes = chunk < left ? chunk : left;
	if (left == 0)
		return false;
	for (size_t i = 0; i < bytes; i++)
		data[i] = byte_at(side->sent + i);
	enum io io = stream_write(side->stream, data, bytes, &done);
	assert_true(io == IO_OK || io == IO_WRITE);
	side->sent += done;
	return io == IO_OK;
}

static bool
pull_on(struct tls_test_side *side)
{
	uint8_t data[20000];
	size_t done;
	enum io io = stream_read(side->stream, data, sizeof data, &done);
	assert_true(io == IO_OK || io == IO_READ);
	for (size_t i = 0; i < done; i++)
		if (data[i] != byte_at(side->got + i))
			fail_msg("byte %zu is wrong", side->got + i);
	side->got += done;
	return io == IO_OK;
}

static void
keys_change_in_both_directions_while_bytes_flow(void **state)
{
	enum { TOTAL = 4000000 };
	int small = 4096;
	(void)state;
	struct tls_both both = session();
	struct tls_test_side a = { .tls = both.client, .stream = both.c }, b = { .tls = both.server,
	    .stream = both.s };
	for (int i = 0; i < 2; i++)
		setsockopt(both.fds[i], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	for (unsigned turn = 0; a.got < TOTAL || b.got < TOTAL; turn++) {
		assert_true(turn < 2000000);
		/* At most eight updates a second are taken by GnuTLS. */
		if (turn == 20 || turn == 60 || turn == 100)
			assert_true(tls_update_key(turn == 60 ? b.tls : a.tls));
		while (push_on(&a, TOTAL, 1 + turn * 7919 % 20000))
			;
		while (push_on(&b, TOTAL, 1 + turn * 104729 % 20000))
			;
		while (pull_on(turn % 2 ? &a : &b))
			;
	}
	assert_int_equal(a.sent, TOTAL);
	assert_int_equal(b.sent, TOTAL);
	part(&both);
}

static void
tls_within_tls_carries_bytes_and_ends(void **state)
{
	(void)state;
	struct tls_both outer = session();
	struct tls_config *cc = config_for(TLS_UPSTREAM), *sc = config_for(TLS_ENDPOINT);
	const struct tls_hooks hooks = { .judge = judge_by, .arg = fine };
	struct tls_both inner = { .client = tls_client(cc, outer.c, "app.test", &hooks),
		.server = tls_server(sc, outer.s, NULL) };
	inner.c = tls_stream(inner.client);
	inner.s = tls_stream(inner.server);
	shaken(inner.client, inner.server);
	struct tls_test_side a = { .stream = inner.c }, b = { .stream = inner.s };
	while (a.got < 2000000 || b.got < 2000000) {
		while (push_on(&a, 2000000, 20000))
			;
		while (push_on(&b, 2000000, 20000))
			;
		while (pull_on(&b))
			;
		while (pull_on(&a))
			;
	}
	assert_int_equal(stream_finish(inner.c), IO_OK);
	assert_int_equal(hear_nothing(inner.s), IO_EOF);
	say(inner.s, "last");
	hear(inner.c, "last");
	assert_int_equal(stream_finish(inner.s), IO_OK);
	assert_int_equal(hear_nothing(inner.c), IO_EOF);
	part(&inner);
	tls_config_release(cc);
	tls_config_release(sc);
}

static void
what_is_written_behind_goes_out_first(void **state)
{
	static char much[1 << 20];
	size_t done, total = 0;
	(void)state;
	struct tls_both both = session();
	memset(much, 'm', sizeof much);
	while (stream_write(both.s, much, sizeof much, &done) == IO_OK)
		total += done;
	/* The last write was taken in part: what was refused is repeated, with more behind it. */
	assert_true(tls_write_behind(both.server, much, sizeof much));
	total += sizeof much;
	enum io io = IO_OK;
	for (size_t got = 0; got < total; got += done) {
		while ((io = stream_read(both.c, much, sizeof much, &done)) == IO_READ)
			assert_true(io_must_wait(stream_write(both.s, "", 0, &done)) || got < total);
		assert_int_equal(io, IO_OK);
	}
	assert_int_equal(stream_write(both.s, "", 0, &done), IO_OK);
	say(both.s, "end");
	hear(both.c, "end");
	part(&both);
}

static void
refuses_a_key_that_belongs_to_another_certificate(void **state)
{
	char error[TLS_ERROR];
	struct test_credentials others;
	(void)state;
	make_credentials(&others, "other.test");
	const struct tls_settings settings = { .purpose = TLS_ENDPOINT,
		.certificate = &credentials.certificate, .private_key = &others.key };
	assert_null(tls_config_new(&settings, error));
	assert_string_equal(error, "the private key does not belong to the certificate; "
	    "give the two that were made together");
	const struct tls_settings none = { .purpose = TLS_ENDPOINT };
	assert_null(tls_config_new(&none, error));
	assert_string_not_equal(error, "");
	wipe_credentials(&others);
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
		cmocka_unit_test(a_session_is_tls13_with_its_alpn_and_both_are_judged),
		cmocka_unit_test(the_exporter_gives_both_the_same_and_the_context_counts),
		cmocka_unit_test(the_relays_verdict_reaches_the_agent_as_the_alert_it_named),
		cmocka_unit_test(the_agents_verdict_reaches_the_relay),
		cmocka_unit_test(a_client_without_a_judge_trusts_nobody),
		cmocka_unit_test(the_alpn_is_demanded_even_of_those_who_offer_none),
		cmocka_unit_test(a_channel_opens_with_its_key_and_knows_whose_it_is),
		cmocka_unit_test(an_unknown_identity_fails_like_a_wrong_key),
		cmocka_unit_test(a_channel_hello_offers_psk_ke_of_tls13_only),
		cmocka_unit_test(prefetched_bytes_are_used_up_before_it_waits),
		cmocka_unit_test(both_orders_of_half_close_go_through),
		cmocka_unit_test(a_fin_without_close_notify_is_a_reset_unless_forgiven),
		cmocka_unit_test(a_peer_without_tls_1_3_is_told_so),
		cmocka_unit_test(garbage_after_the_handshake_is_a_failure_with_an_alert),
		cmocka_unit_test(an_alert_after_the_handshake_reaches_the_peer),
		cmocka_unit_test(keys_change_in_both_directions_while_bytes_flow),
		cmocka_unit_test(tls_within_tls_carries_bytes_and_ends),
		cmocka_unit_test(what_is_written_behind_goes_out_first),
		cmocka_unit_test(refuses_a_key_that_belongs_to_another_certificate),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tls", tests, set_up, tear_down_credentials);
}
