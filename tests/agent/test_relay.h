/*
 * A relay for the tests, on the test's own loop, that accepts everybody.  It
 * takes sessions and channels on one port, as the real one does, records what
 * it hears, and opens channels when the test wants it.
 */
#ifndef TESTS_AGENT_TEST_RELAY_H
#define TESTS_AGENT_TEST_RELAY_H

#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/socket.h"
#include "mint.h"
#include "sni/clienthello.h"
#include "tunnel/address_facts.h"
#include "tunnel/channel.h"
#include "tunnel/session.h"
#include "tunnel/session_private.h"

enum { TEST_RELAY_CHANNELS = 64 };

struct test_relay {
	struct loop *loop;
	struct listener *listener;
	char target[64];
	struct tls_config *session_tls, *channel_tls;
	struct frame_welcome welcome;
	enum code refuses_with;   /* the next endpoint that is announced */
	bool drains_at_once;      /* each session, as soon as it is up */
	bool is_slow, is_waiting; /* sessions wait for test_relay_welcome(), and one does */
	bool is_older;            /* of those that do not know withdraw-many */
	bool is_offered;          /* the last hello had this: */
	uint8_t digest[RESUME_BYTES];
	struct session *drained; /* kept beside the next one, to be freed by the test */
	bool keeps_drained;
	/* NULL: the relay parks its channels itself. */
	void (*on_raw_channel)(struct tls *);
	struct session *session;
	unsigned sessions;
	struct secret key;
	char identity[CHANNEL_IDENTITY];
	char announced[8][NAME_TEXT];
	uint32_t numbers[8];
	size_t prefixes[8]; /* in the lists of addresses that came with it */
	uint8_t balances[8], priorities[8];
	unsigned announce_count, withdraw_count, drains;
	/* Of marks, which do not count as announced; the last one's. */
	enum code refuses_mark_with;
	unsigned mark_count;
	uint32_t mark, marked;
	char mark_name[NAME_TEXT];
	struct test_channel {
		struct test_relay *relay;
		struct channel *channel;
		bool is_parked, is_ready;
		enum code failed;
	} channels[TEST_RELAY_CHANNELS];
	unsigned channel_count, parked;
	struct test_arrival {
		struct test_relay *relay;
		struct watch watch;
	} arrivals[TEST_RELAY_CHANNELS];
	unsigned arrival_count;
};

static bool
test_relay_find_key(void *arg, const char *identity, struct secret *key)
{
	struct test_relay *relay = arg;

	return relay->key.data && strcmp(identity, relay->identity) == 0 &&
	    secret_init(key, relay->key.data, relay->key.bytes);
}

static unsigned
test_relay_judge(void *arg, const struct tls_certificate *chain, size_t count)
{
	(void)arg;
	(void)chain;
	return count > 0 ? 0 : 116;
}

static void
test_relay_on_channel(void *arg, enum channel_event event)
{
	struct test_channel *channel = arg;

	switch (event) {
	case CHANNEL_PARKED:
		channel->is_parked = true;
		channel->relay->parked++;
		if (channel->relay->session)
			channel_set_version(
			    channel->channel, session_version(channel->relay->session));
		break;
	case CHANNEL_READY:
		channel->is_ready = true;
		break;
	case CHANNEL_FAIL:
		channel->failed = channel_fail_code(channel->channel);
		break;
	case CHANNEL_OVER:
		channel_free(channel->channel);
		channel->channel = NULL;
		if (channel->is_parked)
			channel->relay->parked--;
		channel->is_parked = false;
		break;
	case CHANNEL_HELLO:
	case CHANNEL_OPEN:
	case CHANNEL_PONG:
		break;
	}
}

static void
test_relay_on_mark(
    struct test_relay *relay, const struct frame_announce *announce, struct cursor marked)
{
	relay->mark_count++;
	relay->mark = announce->endpoint;
	relay->marked = cursor_u32(&marked);
	strcpy(relay->mark_name, announce->server_name);
	if (relay->refuses_mark_with != CODE_NONE)
		session_refuse_endpoint(
		    relay->session, announce->endpoint, relay->refuses_mark_with, "no");
	else
		session_accept(relay->session, announce->endpoint);
}

static void
test_relay_on_announce(struct test_relay *relay, const struct frame_announce *announce)
{
	struct cursor marked;

	if (facts_find(announce->facts, FACT_PENDING, &marked)) {
		test_relay_on_mark(relay, announce, marked);
		return;
	}
	if (relay->refuses_with != CODE_NONE)
		session_refuse_endpoint(
		    relay->session, announce->endpoint, relay->refuses_with, "no");
	else
		session_accept(relay->session, announce->endpoint);
	relay->refuses_with = CODE_NONE;
	if (relay->announce_count < 8) {
		strcpy(relay->announced[relay->announce_count], announce->server_name);
		relay->numbers[relay->announce_count] = announce->endpoint;
		relay->prefixes[relay->announce_count] = address_facts_count(announce->facts);
		relay->balances[relay->announce_count] = facts_octet(announce->facts, FACT_BALANCE);
		relay->priorities[relay->announce_count] =
		    facts_octet(announce->facts, FACT_PRIORITY);
	}
	relay->announce_count++;
}

/* One that takes no withdraw-many. */
static void
test_relay_welcome_of_older(struct test_relay *relay)
{
	uint8_t out[FRAME_BYTES];
	struct frame_welcome welcome = relay->welcome;

	welcome.version = (uint8_t)session_version(relay->session);
	welcome.frames_per_second = SESSION_FRAMES_PER_SECOND;
	session_rise(relay->session, &welcome);
	session_transmit(relay->session, out, frame_encode_welcome(out, &welcome));
}

static void
test_relay_welcome(struct test_relay *relay)
{
	secret_wipe(&relay->key);
	session_channel_key(relay->session, relay->welcome.session_id, &relay->key);
	channel_identity(relay->welcome.session_id, relay->identity);
	if (relay->is_older)
		test_relay_welcome_of_older(relay);
	else
		session_welcome(relay->session, &relay->welcome);
	if (relay->drains_at_once)
		session_drain(relay->session, &(struct frame_drain){ .deadline_ms = 1000 });
	relay->sessions++;
}

static void
test_relay_on_hello(struct test_relay *relay, const struct frame_hello *hello)
{
	struct cursor digest;

	relay->is_offered = facts_find(hello->facts, FACT_RESUME, &digest);
	if (relay->is_offered)
		cursor_copy(&digest, relay->digest, RESUME_BYTES);
	relay->is_waiting = relay->is_slow;
	if (!relay->is_slow)
		test_relay_welcome(relay);
}

static void
test_relay_on_session(void *arg, enum session_event event, const union session_frame *frame)
{
	struct test_relay *relay = arg;

	switch (event) {
	case SESSION_HELLO:
		test_relay_on_hello(relay, &frame->hello);
		break;
	case SESSION_ANNOUNCE:
		test_relay_on_announce(relay, &frame->announce);
		break;
	case SESSION_WITHDRAW:
		relay->withdraw_count++;
		break;
	case SESSION_DRAIN:
		relay->drains++;
		break;
	case SESSION_OVER:
		if (relay->drained && session_over_code(relay->drained) == CODE_REPLACED) {
			session_free(relay->drained);
			relay->drained = NULL;
			break;
		}
		session_free(relay->session);
		relay->session = NULL;
		secret_wipe(&relay->key);
		break;
	case SESSION_WELCOME:
	case SESSION_ACCEPTED:
	case SESSION_REFUSED:
	case SESSION_NEED:
	case SESSION_AGAIN:
	case SESSION_RESUMED:
	case SESSION_UNABLE:
	case SESSION_PONG:
	case SESSION_SILENT:
	case SESSION_HEARD:
		break;
	}
}

/* Sessions and channels come in on one port; the hello tells them apart. */
static void
test_relay_take(struct test_relay *relay, int fd, bool is_channel)
{
	const struct tls_hooks hooks = { .judge = test_relay_judge };
	struct test_channel *channel;

	if (!is_channel) {
		if (relay->keeps_drained)
			relay->drained = relay->session;
		else
			session_free(relay->session);
		relay->session = session_new(relay->loop, SESSION_RELAY,
		    tls_server(relay->session_tls, stream_socket(fd), &hooks), 5000,
		    test_relay_on_session, relay);
		return;
	}
	if (relay->on_raw_channel) {
		relay->on_raw_channel(tls_server(relay->channel_tls, stream_socket(fd), NULL));
		return;
	}
	assert_true(relay->channel_count < TEST_RELAY_CHANNELS);
	channel = &relay->channels[relay->channel_count++];
	channel->relay = relay;
	channel->channel =
	    channel_new(relay->loop, true, tls_server(relay->channel_tls, stream_socket(fd), NULL),
		5000, test_relay_on_channel, channel);
}

static void
test_relay_on_readable(void *arg, unsigned ready)
{
	struct test_arrival *arrival = arg;
	int fd = arrival->watch.fd;
	struct clienthello hello;
	uint8_t wire[8192];
	ssize_t got = recv(fd, wire, sizeof wire, MSG_PEEK);

	(void)ready;
	clienthello_init(&hello, CLIENTHELLO_DEFAULT_BYTES);
	if (got > 0 && clienthello_read(&hello, wire, (size_t)got) == CLIENTHELLO_INCOMPLETE)
		return;
	watch_wipe(&arrival->watch);
	if (got > 0)
		test_relay_take(
		    arrival->relay, fd, clienthello_offers_alpn(&hello, wire, "valise-data/1"));
	else
		close(fd);
}

static void
test_relay_on_accept(void *arg, int fd, const struct address *peer)
{
	struct test_relay *relay = arg;
	struct test_arrival *arrival = &relay->arrivals[relay->arrival_count++];

	(void)peer;
	assert_true(relay->arrival_count <= TEST_RELAY_CHANNELS);
	arrival->relay = relay;
	watch_init(&arrival->watch, relay->loop, fd, test_relay_on_readable, arrival);
	watch_want(&arrival->watch, WATCH_READ);
}

static struct tls_config *
test_relay_config(struct test_relay *relay, struct test_mint *mint, enum tls_purpose purpose)
{
	struct tls_settings settings = {
		.purpose = purpose, .find_key = test_relay_find_key, .find_key_arg = relay
	};
	struct secret certificate = { 0 }, key = { 0 };
	char path[128], error[FILE_ERROR];
	struct tls_config *config;

	assert_true(file_read(&certificate, mint_path(mint, "relay.crt", path), 1 << 16, error));
	assert_true(file_read(&key, mint_path(mint, "relay.key", path), 1 << 16, error));
	if (purpose == TLS_SESSION_RELAY) {
		settings.certificate = &certificate;
		settings.private_key = &key;
	}
	config = tls_config_new(&settings, error);
	if (!config)
		fail_msg("%s", error);
	secret_wipe(&certificate);
	secret_wipe(&key);
	return config;
}

static void
test_relay_start(struct test_relay *relay, struct loop *loop, struct test_mint *mint)
{
	struct address any, local;
	char error[512];
	int fd;

	memset(relay, 0, sizeof *relay);
	relay->loop = loop;
	relay->session_tls = test_relay_config(relay, mint, TLS_SESSION_RELAY);
	relay->channel_tls = test_relay_config(relay, mint, TLS_CHANNEL_RELAY);
	relay->welcome = (struct frame_welcome){ .version = 1,
		.relay = "kind",
		.pool_least = 3,
		.pool_most = 6,
		.heartbeat_ms = 1000,
		.tolerance_ms = 1000 };
	arc4random_buf(relay->welcome.session_id, SESSION_ID_BYTES);
	assert_true(address_parse(&any, "127.0.0.1:0"));
	fd = socket_listen(&any, LISTEN_ALONE, error);
	assert_true(fd >= 0);
	local = socket_local(fd);
	snprintf(
	    relay->target, sizeof relay->target, "localhost:%u", (unsigned)address_port(&local));
	relay->listener = listener_new(loop, fd, test_relay_on_accept, relay);
}

static void
test_relay_stop(struct test_relay *relay)
{
	for (unsigned i = 0; i < relay->arrival_count; i++) {
		int fd = relay->arrivals[i].watch.fd;

		watch_wipe(&relay->arrivals[i].watch);
		if (fd >= 0)
			close(fd);
	}
	for (unsigned i = 0; i < relay->channel_count; i++)
		channel_free(relay->channels[i].channel);
	session_free(relay->session);
	listener_free(relay->listener);
	tls_config_release(relay->session_tls);
	tls_config_release(relay->channel_tls);
	secret_wipe(&relay->key);
}

/* The channel that was parked last; NULL if there is none. */
__attribute__((unused)) static struct test_channel *
test_relay_parked(struct test_relay *relay)
{
	for (unsigned i = relay->channel_count; i > 0; i--)
		if (relay->channels[i - 1].is_parked)
			return &relay->channels[i - 1];
	return NULL;
}

/* Gives it a flow. */
__attribute__((unused)) static void
test_relay_open(struct test_channel *channel, uint32_t endpoint, const char *server_name,
    const uint8_t *hello, size_t hello_bytes)
{
	struct frame_open open = { .endpoint = endpoint, .hello_bytes = (uint32_t)hello_bytes };

	arc4random_buf(open.flow_id, sizeof open.flow_id);
	strcpy(open.server_name, server_name);
	assert_true(address_parse(&open.client, "192.0.2.7:4711"));
	assert_true(address_parse(&open.listener, "198.51.100.1:443"));
	channel->is_parked = false;
	channel->relay->parked--;
	assert_true(channel_open(channel->channel, &open, hello));
}

#endif
