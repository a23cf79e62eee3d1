/*
 * The agent against a test relay on loopback: sessions, pool, endpoints and
 * flows, with two workers.
 */
#include "agent/relay_link.h"

#include "agent/challenge.h"
#include "agent/relay_session.h"
#include "agent/session_ref.h"
#include "agent/context.h"
#include "agent/reconnect.h"
#include "agent/relay_links.h"
#include "base/clock_fake.h"
#include "base/log.h"
#include "base/loop_advance.h"
#include "base/proxy.h"
#include "log_heard.h"
#include "silent_upstream.h"
#include "test_relay.h"
#include "tunnel/pump.h"
#include "tunnel/tls_driver.h"

static struct test_mint mint;
static struct loop *loop;
static struct test_relay relay;
static struct agent_context context;
static struct relay_link *link_under_test;
static unsigned refusals;
static struct agent_settings settings;
static struct endpoint_settings wanted[3];
static char paths[8][128];

/* ---- turning the loop until something is true ---- */

static struct {
	struct timer timer;
	bool (*is_true)(void);
	bool is_met;
	uint64_t until_ms;
} wait;

static void
on_wait(void *arg)
{
	(void)arg;
	wait.is_met = wait.is_true();
	if (wait.is_met || clock_ms() > wait.until_ms)
		loop_stop(loop);
	else
		timer_set(&wait.timer, 2);
}

static bool
comes_true(bool (*is_true)(void))
{
	wait.is_true = is_true;
	wait.until_ms = clock_ms() + 8000;
	timer_init(&wait.timer, loop, on_wait, NULL);
	timer_set(&wait.timer, 0);
	loop_run(loop);
	return wait.is_met;
}

#define wait_for(claim) assert_true(comes_true(claim))

static bool
is_up(void)
{
	return relay_link_is_up(link_under_test) &&
	    relay.announce_count >= settings.endpoints.count;
}

static bool
pool_is_full(void)
{
	return relay.parked == relay.welcome.pool_least;
}

static bool
pool_has_five(void)
{
	return relay.parked == 5;
}

static bool
has_no_flow(void)
{
	return agent_workers_flow_count(context.workers) == 0;
}

static bool
was_refused(void)
{
	return refusals > 0;
}

/* ---- the agent ---- */

static void
on_relay(void *arg, enum relay_event event)
{
	(void)arg;
	refusals += event == RELAY_REFUSED;
}

static void
on_challenges(void *arg)
{
	(void)arg;
	if (link_under_test)
		relay_link_refresh(link_under_test, clock_wall_s());
}

static char *
path_of(int slot, const char *name)
{
	mint_path(&mint, name, paths[slot]);
	return paths[slot];
}

static char upstream_url[ADDRESS_TEXT], *upstream_urls[] = { upstream_url };

static void
want_upstream(const char *upstream)
{
	snprintf(upstream_url, sizeof upstream_url, "%s", upstream);
}

static void
want_endpoint(int i, const char *name, const char *host)
{
	wanted[i].name = (char *)(uintptr_t)name;
	strcpy(wanted[i].server_name, host);
	wanted[i].weight = 100;
	wanted[i].half_closed_ms = 5000;
	wanted[i].upstream.connect_ms = SETTINGS_CONNECT_MS;
	wanted[i].upstream.url = (struct conf_texts){ .items = upstream_urls, .count = 1 };
}

static void
make_context(const char *upstream)
{
	static char *ca;
	char error[ENDPOINT_ERROR];

	memset(&settings, 0, sizeof settings);
	memset(wanted, 0, sizeof wanted);
	ca = path_of(0, "root.crt");
	settings.connect_cas = (struct conf_texts){ .items = &ca, .count = 1 };
	settings.certificate = path_of(1, "agent.crt");
	settings.private_key = path_of(2, "agent.key");
	want_upstream(upstream);
	want_endpoint(0, "sealed", "sealed.test");
	want_endpoint(1, "app", "app.test");
	wanted[0].upstream.proxy_protocol = 1;
	wanted[0].upstream.proxy_header_bytes = PROXY_USUAL_MOST;
	wanted[1].terminates = true;
	wanted[1].termination.first.certificate = path_of(3, "app.crt");
	wanted[1].termination.first.private_key = path_of(4, "app.key");
	settings.endpoints = (struct conf_items){ wanted, 2 };
	memset(&context, 0, sizeof context);
	context.loop = loop;
	context.resolver = resolver_new();
	context.pool_most = 256;
	context.tolerance_ms = 1000;
	context.hello = (struct frame_hello){ .oldest = PROTOCOL_OLDEST,
		.newest = PROTOCOL_NEWEST,
		.software = "test",
		.heartbeat_ms = 1000 };
	context.credentials = credentials_new(&settings, NULL, error);
	if (!context.credentials)
		fail_msg("%s", error);
	context.endpoint_table =
	    endpoint_table_new(&settings, context.credentials->relays, NULL, NULL, error);
	if (!context.endpoint_table)
		fail_msg("%s", error);
	context.workers = agent_workers_new(
	    2, loop, context.resolver, context.endpoint_table, relay_session_on_report);
	context.challenges = challenges_new(loop);
	agent_workers_set_challenges(context.workers, context.challenges);
	challenges_set_owner(context.challenges, on_challenges, NULL);
}

static void
start(const char *upstream)
{
	loop = loop_new();
	refusals = 0;
	test_relay_start(&relay, loop, &mint);
	make_context(upstream);
	link_under_test = relay_link_new(&context, relay.target, 1, on_relay, NULL);
	assert_non_null(link_under_test);
}

static void
stop(void)
{
	relay_link_free(link_under_test);
	link_under_test = NULL;
	agent_workers_free(context.workers);
	challenges_free(context.challenges);
	resolver_free(context.resolver);
	test_relay_stop(&relay);
	loop_free(loop);
	endpoint_table_release(context.endpoint_table);
	credentials_release(context.credentials);
}

static uint32_t
number_of(int i)
{
	for (size_t k = 0; k < context.endpoint_table->count; k++)
		if (strcmp(context.endpoint_table->endpoints[k]->name, wanted[i].name) == 0)
			return context.endpoint_table->endpoints[k]->number;
	return 0;
}

/* ---- an upstream, and a client ---- */

static struct listener *upstream_listener;
static int upstream_fd = -1;

static void
on_upstream(void *arg, int fd, const struct address *peer)
{
	(void)arg;
	(void)peer;
	if (upstream_fd >= 0)
		close(upstream_fd);
	upstream_fd = fd;
}

static bool
upstream_has_bytes(void)
{
	char byte;

	return upstream_fd >= 0 && recv(upstream_fd, &byte, 1, MSG_PEEK) == 1;
}

static const char *
start_upstream(char text[ADDRESS_TEXT])
{
	struct address any, local;
	char error[512];
	int fd;

	assert_true(address_parse(&any, "127.0.0.1:0"));
	fd = socket_listen(&any, LISTEN_ALONE, error);
	assert_true(fd >= 0);
	local = socket_local(fd);
	upstream_fd = -1;
	listener_free(upstream_listener);
	upstream_listener = listener_new(loop, fd, on_upstream, NULL);
	return address_text(&local, text);
}

/* After start(): all endpoints go to a fresh upstream. */
static void
move_upstream(void)
{
	char text[ADDRESS_TEXT], error[ENDPOINT_ERROR];
	struct endpoint_table *table;

	start_upstream(text);
	want_upstream(text);
	table = endpoint_table_new(
	    &settings, context.credentials->relays, context.endpoint_table, NULL, error);
	assert_non_null(table);
	endpoint_table_release(context.endpoint_table);
	context.endpoint_table = table;
	agent_workers_publish(context.workers, table);
}

static void
stop_upstream(void)
{
	listener_free(upstream_listener);
	upstream_listener = NULL;
	if (upstream_fd >= 0)
		close(upstream_fd);
	upstream_fd = -1;
}

static struct tls *client;
static int client_far; /* the other end of the client's socket */
static struct tls_config *client_tls;

static const char *const *client_alpn; /* of the next client; NULL: none */

/* A client's TLS over a socket pair, its hello read from the far end. */
static size_t
start_client(const char *server_name, uint8_t *hello, size_t room)
{
	struct tls_settings tls = { .purpose = TLS_UPSTREAM, .alpn = client_alpn };
	const struct tls_hooks hooks = { .judge = test_relay_judge };
	char error[TLS_ERROR];
	int ends[2];
	ssize_t got;

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
	client_tls = tls_config_new(&tls, error);
	client = tls_client(client_tls, stream_socket(ends[0]), server_name, &hooks);
	client_far = ends[1];
	assert_int_equal(tls_handshake(client), IO_READ);
	got = recv(client_far, hello, room, 0);
	assert_true(got > 0);
	return (size_t)got;
}

static void
stop_client(void)
{
	stream_free(tls_stream(client));
	tls_config_release(client_tls);
}

static struct test_channel *opened;

static bool
is_answered(void)
{
	return opened->is_ready || opened->failed != CODE_NONE;
}

/* Opens a flow with a hello for `asked`; the relay says it is for `said`. */
static void
open_flow(uint32_t endpoint, const char *said, const char *asked)
{
	uint8_t hello[4096];
	size_t bytes = start_client(asked, hello, sizeof hello);

	wait_for(pool_is_full);
	opened = test_relay_parked(&relay);
	test_relay_open(opened, endpoint, said, hello, bytes);
	wait_for(is_answered);
}

/* ---- the tests ---- */

static int
set_up(void **state)
{
	(void)state;
	mint_open(&mint);
	mint_leaf(&mint, "relay", "localhost", GNUTLS_KP_TLS_WWW_SERVER);
	mint_leaf(&mint, "app", "app.test", GNUTLS_KP_TLS_WWW_SERVER);
	mint_leaf(&mint, "agent", "app.test", GNUTLS_KP_TLS_WWW_CLIENT);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	mint_close(&mint);
	return 0;
}

static void
comes_up_announces_all_and_fills_the_pool(void **state)
{
	(void)state;
	start("127.0.0.1:1");
	wait_for(is_up);
	wait_for(pool_is_full);
	assert_int_equal(relay.sessions, 1);
	assert_int_equal(relay.announce_count, 2);
	assert_string_equal(relay.announced[0], "sealed.test");
	assert_string_equal(relay.announced[1], "app.test");
	stop();
}

static void
answers_a_need_within_the_bound(void **state)
{
	(void)state;
	start("127.0.0.1:1");
	wait_for(is_up);
	wait_for(pool_is_full);
	session_need(relay.session, 2);
	wait_for(pool_has_five);
	stop();
}

static void
makes_up_for_a_channel_that_the_relay_has_dropped(void **state)
{
	struct test_channel *channel;

	(void)state;
	start("127.0.0.1:1");
	wait_for(is_up);
	wait_for(pool_is_full);
	channel = test_relay_parked(&relay);
	channel_free(channel->channel);
	channel->channel = NULL;
	channel->is_parked = false;
	relay.parked--;
	wait_for(pool_is_full);
	assert_int_equal(relay.channel_count, 4);
	stop();
}

static bool
has_two_sessions(void)
{
	return relay.sessions == 2 && relay.channel_count == 9;
}

static bool
has_six_and_dialled_six(void)
{
	return relay.parked == 6 && relay.channel_count == 12;
}

/* Else a relay that drains session after session would have twice the channels of the others. */
static void
shares_one_pool_with_a_session_that_drains(void **state)
{
	(void)state;
	start("127.0.0.1:1");
	context.pool_most = 6;
	relay.welcome.pool_least = relay.welcome.pool_most = 6;
	wait_for(pool_is_full);
	relay.keeps_drained = true;
	session_drain(relay.session, &(struct frame_drain){ .deadline_ms = 1000 });
	wait_for(has_two_sessions);
	wait_for(pool_is_full);
	session_free(relay.drained);
	wait_for(has_six_and_dialled_six);
	stop();
}

static bool
came_twice(void)
{
	return relay.sessions == 2 && is_up();
}

static void
comes_back_when_the_session_is_lost(void **state)
{
	(void)state;
	start("127.0.0.1:1");
	wait_for(is_up);
	session_free(relay.session);
	relay.session = NULL;
	relay.announce_count = 0;
	wait_for(came_twice);
	wait_for(pool_is_full);
	stop();
}

/* Without channels, so that nothing but the links depends on the time. */
static void
start_on_a_fake_clock(bool drains_at_once)
{
	clock_fake(1000000000, (int64_t)time(NULL) * 1000000);
	start("127.0.0.1:1");
	context.pool_most = 0;
	relay.welcome.pool_least = relay.welcome.pool_most = 0;
	relay.drains_at_once = drains_at_once;
	while (relay.sessions == 0) /* the resolver has a thread, for which no time stands still */
		assert_true(loop_advance(loop, 0));
}

static void
comes_back_to_a_relay_that_drains_at_once_ever_more_slowly(void **state)
{
	(void)state;
	start_on_a_fake_clock(true);
	for (int seconds = 0; seconds < 60; seconds++)
		assert_true(loop_advance(loop, 1000));
	assert_in_range(relay.sessions, 4, 30);
	stop();
	clock_fake(0, 0);
}

static void
comes_back_soon_to_a_relay_that_drains_after_a_time(void **state)
{
	(void)state;
	start_on_a_fake_clock(false);
	for (unsigned times = 2; times < 6; times++) {
		assert_true(loop_advance(loop, RECONNECT_STABLE_MS + 1000));
		assert_true(relay_link_is_up(link_under_test));
		session_drain(relay.session, &(struct frame_drain){ .deadline_ms = 1000 });
		assert_true(loop_advance(loop, 1100));
		assert_int_equal(relay.sessions, times);
	}
	stop();
	clock_fake(0, 0);
}

/* By the fake clock. */
static uint64_t
ms_until_the_next_session(unsigned sessions)
{
	uint64_t began_ms = clock_ms();

	while (relay.sessions == sessions && clock_ms() - began_ms < 60000)
		assert_true(loop_advance(loop, 10));
	return clock_ms() - began_ms;
}

static void
comes_back_in_the_time_that_the_drain_names(void **state)
{
	static const struct {
		struct frame_drain drain;
		uint64_t most_ms;
	} rows[] = {
		{ { .deadline_ms = 2000 }, 2000 },
		{ { .deadline_ms = 30000 }, 30000 },
		{ { .deadline_ms = 3600000 }, 30000 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		start_on_a_fake_clock(false);
		relay.keeps_drained = true;
		assert_true(loop_advance(loop, 40000));
		session_drain(relay.session, &rows[i].drain);
		assert_in_range(ms_until_the_next_session(1), 0, rows[i].most_ms + 20);
		session_free(relay.drained);
		stop();
		clock_fake(0, 0);
	}
}

/* One line for each attempt would hide all others, and one alone is lost by the next morning. */
static void
one_that_stays_away_is_told_again_and_again(void **state)
{
	const char *said;

	(void)state;
	clock_fake(1000000000, (int64_t)time(NULL) * 1000000);
	loop = loop_new();
	make_context("127.0.0.1:1");
	log_init("test", LOG_WARNING, LOG_TEXT);
	log_listen();
	link_under_test = relay_link_new(&context, "127.0.0.1:1", 1, on_relay, NULL);
	assert_non_null(link_under_test);
	for (int seconds = 0; seconds < 3700; seconds++)
		assert_true(loop_advance(loop, 1000));
	said = log_heard();
	log_init("test", LOG_INFO, LOG_TEXT);
	assert_int_equal(log_lines_with(said, "relay-unreachable"), 5); /* 0, 1, 5, 15, 60 min */
	assert_int_equal(log_lines_with(said, "lasted_s=3"), 2);        /* 3xx and 36xx */
	relay = (struct test_relay){ 0 };
	stop();
	clock_fake(0, 0);
}

static void
one_that_comes_back_is_told_with_how_long_it_was_away(void **state)
{
	const char *said;

	(void)state;
	start_on_a_fake_clock(false);
	log_init("test", LOG_WARNING, LOG_TEXT);
	assert_true(loop_advance(loop, 40000));
	log_listen();
	session_free(relay.session);
	relay.session = NULL;
	for (int i = 0; i < 10 && relay.sessions == 1; i++)
		assert_true(loop_advance(loop, 1000));
	said = log_heard();
	log_init("test", LOG_INFO, LOG_TEXT);
	assert_int_equal(relay.sessions, 2);
	assert_int_equal(log_lines_with(said, "warning relay-down: "), 1);
	assert_int_equal(log_lines_with(said, "warning relay-up: "), 1);
	assert_int_equal(log_lines_with(said, "lasted_s="), 1);
	stop();
	clock_fake(0, 0);
}

/* Which a relay with nothing left to do does at once. */
static void
comes_back_soon_when_the_drain_ends_before_its_time(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++) {
		start_on_a_fake_clock(false);
		assert_true(loop_advance(loop, 40000));
		session_drain(relay.session, &(struct frame_drain){ .deadline_ms = 30000 });
		assert_true(loop_advance(loop, 10));
		if (relay.session)
			session_goodbye(relay.session, CODE_SHUTDOWN, "the relay has stopped");
		assert_in_range(ms_until_the_next_session(1), 0, 4020);
		stop();
		clock_fake(0, 0);
	}
}

static bool
next_one_waits(void)
{
	return relay.is_waiting;
}

/* ---- beside a silent session ---- */

enum { SLOW_HEARTBEAT_MS = 10000 };

/* The clocks stand still. */
static void
wait_at_this_moment(bool (*is_true)(void))
{
	while (!is_true())
		assert_true(loop_advance(loop, 0));
}

/* The relay reads nothing any more from the one session there is, and so answers nothing.  Those that follow wait
 * for their welcome if it is slow. */
static void
start_and_fall_silent(bool is_slow)
{
	clock_fake(1000000000, (int64_t)time(NULL) * 1000000);
	start("127.0.0.1:1");
	context.pool_most = 0;
	context.tolerance_ms = 15000;
	relay.welcome.pool_least = relay.welcome.pool_most = 0;
	relay.welcome.heartbeat_ms = SLOW_HEARTBEAT_MS;
	wait_at_this_moment(is_up);
	relay.keeps_drained = true;
	relay.is_slow = is_slow;
	session_hold(relay.session);
	assert_true(loop_advance(loop, RELAY_SESSION_SILENT_MS - 10));
	assert_int_equal(relay.sessions, 1);
	assert_null(relay.drained);
	assert_true(loop_advance(loop, 10));
}

static bool
has_a_second(void)
{
	return relay.sessions == 2 && relay.announce_count == 4;
}

static bool
is_without_a_second(void)
{
	return !relay.session;
}

static bool
is_down(void)
{
	return !relay_link_is_up(link_under_test);
}

static void
stop_silence(void)
{
	session_free(relay.drained);
	stop();
	clock_fake(0, 0);
}

static void
makes_a_second_session_beside_a_silent_one(void **state)
{
	(void)state;
	start_and_fall_silent(false);
	wait_at_this_moment(has_a_second);
	assert_true(relay_link_is_up(link_under_test));
	/* It stays, and nothing more is made. */
	session_free(relay.drained);
	relay.drained = NULL;
	assert_true(loop_advance(loop, 60000));
	assert_true(relay_link_is_up(link_under_test));
	assert_int_equal(relay.sessions, 2);
	stop_silence();
}

static void
gives_up_the_second_one_when_the_first_is_heard_again(void **state)
{
	(void)state;
	start_and_fall_silent(true);
	wait_at_this_moment(next_one_waits);
	assert_true(relay_link_is_up(link_under_test));
	session_go_on(relay.drained);
	wait_at_this_moment(is_without_a_second);
	assert_true(loop_advance(loop, 60000));
	assert_true(relay_link_is_up(link_under_test));
	assert_int_equal(relay.sessions, 1);
	stop_silence();
}

/* Whatever the silent one says at its end: the relay may have replaced it. */
static void
relies_on_the_second_one_when_the_first_has_ended(void **state)
{
	(void)state;
	start_and_fall_silent(true);
	wait_at_this_moment(next_one_waits);
	session_goodbye(relay.drained, CODE_REPLACED, "the same process has connected again");
	wait_at_this_moment(is_down);
	test_relay_welcome(&relay);
	wait_at_this_moment(has_a_second);
	assert_true(relay_link_is_up(link_under_test));
	assert_int_equal(refusals, 0);
	stop_silence();
}

/* It had welcomed the second one before it heard that this was given up. */
static void
comes_back_when_the_relay_has_replaced_the_first_one_all_the_same(void **state)
{
	(void)state;
	start_and_fall_silent(true);
	wait_at_this_moment(next_one_waits);
	session_go_on(relay.drained);
	wait_at_this_moment(is_without_a_second);
	relay.is_slow = relay.keeps_drained = false;
	session_goodbye(relay.drained, CODE_REPLACED, "the same process has connected again");
	wait_at_this_moment(is_down);
	assert_true(loop_advance(loop, RECONNECT_TURN_MS));
	wait_at_this_moment(has_a_second);
	assert_true(relay_link_is_up(link_under_test));
	assert_int_equal(refusals, 0);
	/* But not for ever: now it is somebody else. */
	assert_true(loop_advance(loop, 40000));
	session_goodbye(relay.session, CODE_REPLACED, "the same process has connected again");
	wait_at_this_moment(is_down);
	assert_int_equal(refusals, 1);
	stop_silence();
}

static void
tries_again_with_a_second_one_that_is_refused(void **state)
{
	(void)state;
	start_and_fall_silent(true);
	wait_at_this_moment(next_one_waits);
	session_refuse(relay.session, CODE_BUSY, "not now");
	wait_at_this_moment(is_without_a_second);
	assert_true(relay_link_is_up(link_under_test));
	relay.is_slow = relay.keeps_drained = false;
	assert_true(loop_advance(loop, RECONNECT_TURN_MS + 10));
	wait_at_this_moment(has_a_second);
	assert_true(relay_link_is_up(link_under_test));
	stop_silence();
}

/* The mint's certificates end in a day, so that it has to come between a third and a sixth of that before. */
static void
makes_a_new_session_before_the_relays_certificate_ends(void **state)
{
	int64_t end_s = clock_wall_s() + 86400;

	(void)state;
	start("127.0.0.1:1");
	wait_for(is_up);
	relay.keeps_drained = relay.is_slow = true;
	relay_link_move_over(link_under_test, end_s - 86400 / 3 - 300);
	assert_true(relay_link_is_up(link_under_test));
	relay_link_move_over(link_under_test, end_s - 86400 / 6 + 300);
	wait_for(next_one_waits);
	assert_non_null(relay.drained); /* the old one lives on */
	session_free(relay.drained);
	relay.announce_count = 0;
	test_relay_welcome(&relay);
	wait_for(came_twice);
	/* This relay has no other certificate: the next time is still to come. */
	relay_link_move_over(link_under_test, end_s - 86400 / 3 - 300);
	assert_true(relay_link_is_up(link_under_test));
	stop();
}

static void
passes_a_sealed_flow_through_with_its_address_ahead(void **state)
{
	static const char header[] = "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n";
	char got[256];

	(void)state;
	start("127.0.0.1:1");
	wait_for(is_up);
	move_upstream();
	open_flow(number_of(0), "sealed.test", "sealed.test");
	assert_true(opened->is_ready);
	wait_for(upstream_has_bytes);
	assert_int_equal(recv(upstream_fd, got, sizeof header - 1, 0), sizeof header - 1);
	assert_memory_equal(got, header, sizeof header - 1);
	wait_for(upstream_has_bytes);
	assert_true(recv(upstream_fd, got, 1, 0) == 1 && got[0] == 22); /* the hello, as it came */
	wait_for(pool_is_full);
	close(client_far);
	stop_client();
	stop_upstream();
	stop();
}

static void
refuses_a_hello_that_asks_for_another_name(void **state)
{
	(void)state;
	start("127.0.0.1:1");
	wait_for(is_up);
	open_flow(number_of(0), "sealed.test", "app.test");
	assert_int_equal(opened->failed, CODE_HELLO_MISMATCH);
	wait_for(has_no_flow);
	close(client_far);
	stop_client();
	stop();
}

static void
refuses_a_name_that_the_endpoint_does_not_serve(void **state)
{
	(void)state;
	start("127.0.0.1:1");
	wait_for(is_up);
	open_flow(number_of(0), "app.test", "app.test");
	assert_int_equal(opened->failed, CODE_HELLO_MISMATCH);
	close(client_far);
	stop_client();
	stop();
}

static void
knows_no_endpoint_but_its_own(void **state)
{
	(void)state;
	start("127.0.0.1:1");
	wait_for(is_up);
	open_flow(9999, "app.test", "app.test");
	assert_int_equal(opened->failed, CODE_ENDPOINT_UNKNOWN);
	close(client_far);
	stop_client();
	stop();
}

static void
says_that_the_upstream_is_down(void **state)
{
	(void)state;
	start("127.0.0.1:1");
	wait_for(is_up);
	open_flow(number_of(0), "sealed.test", "sealed.test");
	assert_int_equal(opened->failed, CODE_UPSTREAM_DOWN);
	wait_for(has_no_flow);
	close(client_far);
	stop_client();
	stop();
}

/* ---- an upstream that does not even refuse ---- */

static void
open_silent_flow(void)
{
	uint8_t hello[4096];
	size_t bytes = start_client("sealed.test", hello, sizeof hello);

	wait_for(is_up);
	wait_for(pool_is_full);
	opened = test_relay_parked(&relay);
	test_relay_open(opened, number_of(0), "sealed.test", hello, bytes);
}

static bool
is_worked_on(void)
{
	return channel_is_worked_on(opened->channel);
}

static void
says_that_it_works_on_what_takes_its_time(void **state)
{
	char text[ADDRESS_TEXT];
	uint64_t began_ms;

	(void)state;
	start(silent_upstream_start(text));
	open_silent_flow();
	began_ms = clock_ms();
	wait_for(is_worked_on);
	assert_in_range(clock_ms() - began_ms, 250, 3000);
	assert_false(is_answered());
	silent_upstream_stop();
	close(client_far);
	stop_client();
	stop();
}

static bool
has_a_flow(void)
{
	return agent_workers_flow_count(context.workers) > 0;
}

/* Long before its dial would give up. */
static void
gives_up_its_dial_when_the_relay_does(void **state)
{
	char text[ADDRESS_TEXT];
	uint64_t began_ms;

	(void)state;
	start(silent_upstream_start(text));
	open_silent_flow();
	wait_for(has_a_flow);
	began_ms = clock_ms();
	channel_free(opened->channel);
	opened->channel = NULL;
	wait_for(has_no_flow);
	assert_in_range(clock_ms() - began_ms, 0, 2000);
	silent_upstream_stop();
	close(client_far);
	stop_client();
	stop();
}

static bool
drain_was_heard(void)
{
	return relay.drains > 0;
}

static void
takes_no_new_flow_while_it_drains(void **state)
{
	(void)state;
	start("127.0.0.1:1");
	wait_for(is_up);
	wait_for(pool_is_full);
	agent_workers_drain(context.workers);
	relay_link_drain(link_under_test, 1000);
	open_flow(number_of(0), "sealed.test", "sealed.test");
	assert_int_equal(opened->failed, CODE_AGENT_DRAINING);
	wait_for(drain_was_heard); /* the session is another connection than the channel */
	assert_int_equal(relay.drains, 1);
	close(client_far);
	stop_client();
	stop();
}

/* ---- terminate ---- */

static struct tls_driver shake;
static enum io shaken;
static bool is_shaken;

static void
on_shaken(void *arg, enum io end)
{
	(void)arg;
	shaken = end;
	is_shaken = true;
}

static bool
handshake_is_over(void)
{
	return is_shaken;
}

static void
on_pumped(void *arg, enum pump_end end)
{
	(void)arg;
	(void)end;
}

static bool
client_has_answer(void)
{
	char got[16];
	size_t done;

	return stream_read(tls_stream(client), got, sizeof got, &done) == IO_OK && done == 4;
}

static void
ends_tls_and_dials_the_upstream_only_then(void **state)
{
	struct pump_settings bounds = { 0 };
	struct pump *pump;
	size_t done;
	char got[16];

	(void)state;
	start("127.0.0.1:1");
	wait_for(is_up);
	move_upstream();
	open_flow(number_of(1), "app.test", "app.test");
	assert_true(opened->is_ready);
	assert_int_equal(upstream_fd, -1);
	pump = pump_new(loop, stream_socket(client_far), channel_release(opened->channel), &bounds,
	    on_pumped, NULL);
	channel_free(opened->channel);
	opened->channel = NULL;
	is_shaken = false;
	tls_driver_start(&shake, loop, client, tls_handshake, 5000, on_shaken, NULL);
	wait_for(handshake_is_over);
	assert_int_equal(shaken, IO_OK);
	assert_int_equal(stream_write(tls_stream(client), "ping", 4, &done), IO_OK);
	wait_for(upstream_has_bytes);
	assert_int_equal(recv(upstream_fd, got, sizeof got, 0), 4);
	assert_memory_equal(got, "ping", 4);
	assert_int_equal(send(upstream_fd, "pong", 4, 0), 4);
	wait_for(client_has_answer);
	stop_client();
	stop_upstream();
	wait_for(has_no_flow);
	pump_free(pump);
	stop();
}

/* ---- challenges ---- */

static const char *const acme[] = { CHALLENGE_PROTOCOL, NULL };
static const uint8_t digest[CHALLENGE_DIGEST] = { 1, 2, 3 };
static unsigned times_ready;

static void
on_ready(void *arg)
{
	(void)arg;
	times_ready++;
}

static struct challenge *
start_challenge(const char *name)
{
	char error[CHALLENGE_ERROR];
	struct challenge *challenge;

	times_ready = 0;
	challenge = challenge_start(context.challenges, name, digest, on_ready, NULL, error);
	if (!challenge)
		fail_msg("%s", error);
	return challenge;
}

static bool
is_ready(void)
{
	return times_ready == 1;
}

static bool
was_marked(void)
{
	return relay.mark_count == 1;
}

static bool
was_marked_again(void)
{
	return relay.mark_count == 2;
}

static bool
was_withdrawn(void)
{
	return relay.withdraw_count == 1;
}

static void
a_challenge_is_ready_when_its_relay_has_accepted_the_mark(void **state)
{
	struct challenge *challenge;
	char why[CHALLENGE_ERROR];
	uint32_t number;

	(void)state;
	start("127.0.0.1:1");
	challenge = start_challenge("app.test"); /* before there is a session */
	assert_true(challenge_obstacle(challenge, why));
	wait_for(is_ready);
	assert_int_equal(relay.announce_count, 2);
	assert_int_equal(relay.marked, number_of(1));
	assert_string_equal(relay.mark_name, "app.test");
	number = relay.mark;
	assert_true(number >= 0x80000000);
	assert_false(challenge_obstacle(challenge, why));
	challenge_end(challenge);
	wait_for(was_withdrawn);
	challenge = start_challenge("app.test"); /* now there is one */
	wait_for(is_ready);
	assert_int_not_equal(relay.mark, number);
	challenge_end(challenge);
	stop();
}

static void
a_challenge_waits_as_long_as_its_relay_is_busy(void **state)
{
	struct challenge *challenge;
	char why[CHALLENGE_ERROR];

	(void)state;
	start("127.0.0.1:1");
	wait_for(is_up);
	relay.refuses_mark_with = CODE_ACME_BUSY;
	challenge = start_challenge("app.test");
	wait_for(was_marked);
	wait_for(was_marked_again);
	assert_true(challenge_obstacle(challenge, why));
	assert_int_equal(times_ready, 0);
	relay.refuses_mark_with = CODE_NONE;
	wait_for(is_ready);
	assert_int_equal(refusals, 0);
	challenge_end(challenge);
	stop();
}

static struct challenge *refused_challenge;

static bool
is_not_understood(void)
{
	char why[CHALLENGE_ERROR];

	return challenge_obstacle(refused_challenge, why) && strstr(why, "not-understood");
}

/* Of what a relay refuses for good only endpoints count: an old one knows no marks. */
static void
a_relay_that_knows_no_marks_refuses_no_endpoint(void **state)
{
	(void)state;
	start("127.0.0.1:1");
	wait_for(is_up);
	relay.refuses_mark_with = CODE_NOT_UNDERSTOOD;
	refused_challenge = start_challenge("app.test");
	wait_for(is_not_understood);
	assert_int_equal(refusals, 0);
	assert_int_equal(times_ready, 0);
	challenge_end(refused_challenge);
	stop();
}

/* What is passed through has its certificate behind the agent, and what is not served has none. */
static void
only_an_endpoint_that_ends_tls_is_marked(void **state)
{
	static const char *const names[] = { "sealed.test", "other.test", "app.test" };
	struct challenge *challenges[3];

	(void)state;
	start("127.0.0.1:1");
	wait_for(is_up);
	for (int i = 0; i < 3; i++)
		challenges[i] = start_challenge(names[i]);
	wait_for(is_ready);
	assert_int_equal(relay.mark_count, 1);
	assert_string_equal(relay.mark_name, "app.test");
	for (int i = 0; i < 3; i++)
		challenge_end(challenges[i]);
	stop();
}

static char spoken[16];
static unsigned heard_alert;

/* The handshake of one client, who leaves when it is over; what came of it is in `spoken` and `heard_alert`. */
static void
shake_hands(const char *const *alpn)
{
	struct pump_settings bounds = { 0 };
	struct pump *pump;

	client_alpn = alpn;
	open_flow(number_of(1), "app.test", "app.test");
	client_alpn = NULL;
	assert_true(opened->is_ready);
	pump = pump_new(loop, stream_socket(client_far), channel_release(opened->channel), &bounds,
	    on_pumped, NULL);
	channel_free(opened->channel);
	opened->channel = NULL;
	is_shaken = false;
	tls_driver_start(&shake, loop, client, tls_handshake, 5000, on_shaken, NULL);
	wait_for(handshake_is_over);
	snprintf(spoken, sizeof spoken, "%s", shaken == IO_OK ? tls_alpn(client) : "");
	heard_alert = tls_alert_received(client);
	stop_client();
	wait_for(has_no_flow);
	pump_free(pump);
}

static void
who_looks_for_a_challenge_sees_it_and_nothing_else(void **state)
{
	struct challenge *challenge;

	(void)state;
	start("127.0.0.1:1");
	wait_for(is_up);
	move_upstream();
	shake_hands(acme);
	assert_int_equal(heard_alert, 120);
	challenge = start_challenge("app.test");
	wait_for(is_ready);
	for (int i = 0; i < 3; i++) {
		shake_hands(acme);
		assert_string_equal(spoken, CHALLENGE_PROTOCOL);
	}
	challenge_end(challenge);
	shake_hands(acme);
	assert_int_equal(heard_alert, 120);
	assert_int_equal(upstream_fd, -1);
	stop_upstream();
	stop();
}

/* A bare client, whose hello after a retry request asks for another protocol of the same length.  GnuTLS would
 * offer both, so the hello is altered on its way. */
static struct turncoat {
	gnutls_session_t tls;
	gnutls_certificate_credentials_t trust;
	const char *first, *second;
	unsigned hellos;
	int fd, got;
} turncoat;

static ssize_t
turncoat_push(gnutls_transport_ptr_t fd, const void *data, size_t bytes)
{
	uint8_t copy[4096], *protocol;

	assert_true(bytes <= sizeof copy);
	memcpy(copy, data, bytes);
	protocol = memmem(copy, bytes, turncoat.first, strlen(turncoat.first));
	if (protocol && turncoat.hellos++ == 1)
		memcpy(protocol, turncoat.second, strlen(turncoat.second));
	return send(*(int *)fd, copy, bytes, 0);
}

static ssize_t
turncoat_pull(gnutls_transport_ptr_t fd, void *data, size_t bytes)
{
	return recv(*(int *)fd, data, bytes, 0);
}

/* Its first hello, and the other end of its socket. */
static size_t
turncoat_start(const char *first, const char *second, uint8_t *hello, size_t room)
{
	static const char groups[] =
	    "NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-FFDHE2048:+GROUP-SECP256R1";
	const gnutls_datum_t protocol = { (uint8_t *)(uintptr_t)first, (unsigned)strlen(first) };
	int ends[2];
	ssize_t got;

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
	turncoat = (struct turncoat){ .first = first, .second = second, .fd = ends[0] };
	gnutls_certificate_allocate_credentials(&turncoat.trust);
	gnutls_init(&turncoat.tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_KEY_SHARE_TOP);
	assert_int_equal(gnutls_priority_set_direct(turncoat.tls, groups, NULL), 0);
	gnutls_credentials_set(turncoat.tls, GNUTLS_CRD_CERTIFICATE, turncoat.trust);
	gnutls_server_name_set(turncoat.tls, GNUTLS_NAME_DNS, "app.test", 8);
	gnutls_alpn_set_protocols(turncoat.tls, &protocol, 1, 0);
	gnutls_transport_set_ptr(turncoat.tls, &turncoat.fd);
	gnutls_transport_set_push_function(turncoat.tls, turncoat_push);
	gnutls_transport_set_pull_function(turncoat.tls, turncoat_pull);
	assert_int_equal(gnutls_handshake(turncoat.tls), GNUTLS_E_AGAIN);
	client_far = ends[1];
	got = recv(client_far, hello, room, 0);
	assert_true(got > 0);
	return (size_t)got;
}

static bool
turncoat_is_over(void)
{
	turncoat.got = gnutls_handshake(turncoat.tls);
	return turncoat.got != GNUTLS_E_AGAIN;
}

/* The alert that it gets, 0 if the handshake succeeds. */
static unsigned
turncoat_alert(const char *first, const char *second)
{
	struct pump_settings bounds = { 0 };
	struct pump *pump;
	uint8_t hello[4096];
	size_t bytes = turncoat_start(first, second, hello, sizeof hello);
	unsigned alert;

	wait_for(pool_is_full);
	opened = test_relay_parked(&relay);
	test_relay_open(opened, number_of(1), "app.test", hello, bytes);
	wait_for(is_answered);
	assert_true(opened->is_ready);
	pump = pump_new(loop, stream_socket(client_far), channel_release(opened->channel), &bounds,
	    on_pumped, NULL);
	channel_free(opened->channel);
	opened->channel = NULL;
	wait_for(turncoat_is_over);
	alert = turncoat.got == GNUTLS_E_FATAL_ALERT_RECEIVED ? gnutls_alert_get(turncoat.tls) : 0;
	assert_true(alert != 0 || turncoat.got == 0);
	assert_int_equal(turncoat.hellos, 2);
	close(turncoat.fd);
	gnutls_deinit(turncoat.tls);
	gnutls_certificate_free_credentials(turncoat.trust);
	wait_for(has_no_flow);
	pump_free(pump);
	return alert;
}

static void
a_second_hello_leads_nobody_from_one_to_the_other(void **state)
{
	static const char other[] = "acme-tls/2";
	struct challenge *challenge;

	(void)state;
	start("127.0.0.1:1");
	wait_for(is_up);
	move_upstream();
	assert_int_equal(turncoat_alert(other, CHALLENGE_PROTOCOL), 120);
	challenge = start_challenge("app.test");
	wait_for(is_ready);
	assert_int_equal(turncoat_alert(CHALLENGE_PROTOCOL, CHALLENGE_PROTOCOL), 0);
	assert_int_equal(turncoat_alert(CHALLENGE_PROTOCOL, other), 120);
	assert_int_equal(turncoat_alert(other, CHALLENGE_PROTOCOL), 120);
	assert_int_equal(upstream_fd, -1);
	challenge_end(challenge);
	stop_upstream();
	stop();
}

/* ---- refusals and reloads ---- */

static void
tells_of_an_endpoint_that_is_refused_for_good_and_keeps_the_other(void **state)
{
	(void)state;
	start("127.0.0.1:1");
	relay.refuses_with = CODE_NAME_NOT_GRANTED;
	wait_for(is_up);
	wait_for(was_refused);
	assert_int_equal(relay.announce_count, 2);
	stop();
}

static bool
was_announced_again(void)
{
	return relay.announce_count == 3;
}

static void
tries_again_with_a_name_that_is_taken(void **state)
{
	(void)state;
	start("127.0.0.1:1");
	relay.refuses_with = CODE_NAME_TAKEN;
	wait_for(is_up);
	wait_for(was_announced_again);
	assert_int_equal(refusals, 0);
	assert_string_equal(relay.announced[2], "sealed.test");
	stop();
}

/* A permanent refusal waits for minutes, unless the relay says that it may accept now. */
static void
tries_again_at_once_when_the_relay_says_so(void **state)
{
	(void)state;
	start("127.0.0.1:1");
	relay.refuses_with = CODE_NAME_RESERVED;
	wait_for(is_up);
	wait_for(was_refused);
	session_again(relay.session, CODE_NAME_TAKEN);
	session_again(relay.session, CODE_NAME_RESERVED);
	wait_for(was_announced_again);
	assert_string_equal(relay.announced[2], "sealed.test");
	stop();
}

/* What waits for its retry has nothing that could be refused once more. */
static void
ignores_a_refusal_that_it_does_not_wait_for(void **state)
{
	(void)state;
	start("127.0.0.1:1");
	relay.refuses_with = CODE_NAME_TAKEN;
	wait_for(is_up);
	session_refuse_endpoint(relay.session, number_of(0), CODE_NAME_NOT_GRANTED, "no");
	session_again(relay.session, CODE_NAME_TAKEN);
	wait_for(was_announced_again);
	assert_int_equal(refusals, 0);
	stop();
}

static bool
is_a_name_mismatch(void)
{
	struct relay_link_description link;

	relay_link_describe(link_under_test, &link);
	return link.code && strcmp(link.code, "name-mismatch") == 0;
}

/* Nor is that a refusal for good: whoever is in between can show any certificate. */
static void
does_not_believe_a_relay_of_another_name(void **state)
{
	char target[64];

	(void)state;
	start("127.0.0.1:1");
	relay_link_free(link_under_test);
	snprintf(target, sizeof target, "127.0.0.1%s", strchr(relay.target, ':'));
	link_under_test = relay_link_new(&context, target, 1, on_relay, NULL);
	wait_for(is_a_name_mismatch);
	assert_int_equal(refusals, 0);
	assert_false(relay_link_is_up(link_under_test));
	assert_int_equal(relay.sessions, 0);
	stop();
}

/* The table of `wanted` as it is now, with these lists at the first endpoint. */
static void
reload_with_addresses(const char *const *allow, size_t count)
{
	char error[ENDPOINT_ERROR];
	struct endpoint_table *table;

	wanted[0].addresses.allow =
	    (struct conf_texts){ .items = (char **)(uintptr_t)allow, .count = count };
	table = endpoint_table_new(
	    &settings, context.credentials->relays, context.endpoint_table, NULL, error);
	assert_non_null(table);
	endpoint_table_release(context.endpoint_table);
	context.endpoint_table = table;
	agent_workers_publish(context.workers, table);
	relay_link_refresh(link_under_test, clock_wall_s());
}

static bool
was_announced_twice_again(void)
{
	return relay.announce_count == 4;
}

/* So the relay serves by the old ones until it has them, and an open on its way finds its endpoint. */
static void
announces_lists_that_change_under_the_same_number(void **state)
{
	static const char *const some[] = { "10.0.0.0/8", "2001:db8::/32" },
				 *const alike[] = { "2001:db8::/32", "10.0.0.0/8", "10.1.0.0/16" };
	uint32_t number;

	(void)state;
	start("127.0.0.1:1");
	wait_for(is_up);
	number = number_of(0);
	reload_with_addresses(some, 2);
	wait_for(was_announced_again);
	reload_with_addresses(alike, 3);
	reload_with_addresses(NULL, 0);
	wait_for(was_announced_twice_again);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(relay.prefixes[i], i == 2 ? 2 : 0);
		if (i >= 2)
			assert_int_equal(relay.numbers[i], number);
	}
	assert_int_equal(number_of(0), number);
	assert_int_equal(relay.withdraw_count, 0);
	stop();
}

static bool
was_withdrawn_and_announced(void)
{
	return relay.withdraw_count == 1 && relay.announce_count == 3;
}

static void
tells_the_relay_of_endpoints_that_come_and_go(void **state)
{
	char error[ENDPOINT_ERROR];
	struct endpoint_table *table;

	(void)state;
	start("127.0.0.1:1");
	wait_for(is_up);
	strcpy(wanted[0].server_name, "other.test");
	table = endpoint_table_new(
	    &settings, context.credentials->relays, context.endpoint_table, NULL, error);
	assert_non_null(table);
	endpoint_table_release(context.endpoint_table);
	context.endpoint_table = table;
	agent_workers_publish(context.workers, table);
	relay_link_refresh(link_under_test, clock_wall_s());
	wait_for(was_withdrawn_and_announced);
	assert_string_equal(relay.announced[2], "other.test");
	stop();
}

static void
tells_the_relay_how_flows_are_divided(void **state)
{
	(void)state;
	start("127.0.0.1:1");
	wait_for(is_up);
	assert_int_equal(relay.balances[0], BALANCE_LEAST);
	assert_int_equal(relay.priorities[0], 0);
	wanted[0].balance = BALANCE_SOURCE;
	wanted[0].priority = 3;
	reload_with_addresses(NULL, 0);
	wait_for(was_withdrawn_and_announced);
	assert_int_equal(relay.balances[2], BALANCE_SOURCE);
	assert_int_equal(relay.priorities[2], 3);
	stop();
}

/* ---- the links to all ---- */

static struct relay_links links;

static void
set_targets(const char *first, const char *second)
{
	const char *items[] = { first, second };
	const struct conf_texts targets = { .items = (char **)(uintptr_t)items,
		.count = second ? 2 : 1 };

	assert_true(relay_links_set(&links, &targets));
}

/* The relay under both of its names, the second of which is not that of its certificate. */
static void
set_both_targets(void)
{
	char other[64];

	snprintf(other, sizeof other, "127.0.0.1%s", strchr(relay.target, ':'));
	set_targets(relay.target, other);
}

static bool
has_first(void)
{
	return relay.arrival_count == 1;
}

static bool
has_both(void)
{
	return relay.arrival_count == 2;
}

static void
start_without_a_link(void)
{
	clock_fake(1000000000, (int64_t)time(NULL) * 1000000);
	start("127.0.0.1:1");
	context.pool_most = 0;
	relay.welcome.pool_least = relay.welcome.pool_most = 0;
	relay_link_free(link_under_test);
	link_under_test = NULL;
	relay_links_init(&links, &context, on_relay, NULL);
}

static void
dials_its_relays_a_second_apart_when_it_starts(void **state)
{
	(void)state;
	start_without_a_link();
	set_both_targets();
	wait_at_this_moment(has_first);
	assert_true(loop_advance(loop, RELAY_LINKS_APART_MS - 1));
	assert_int_equal(relay.arrival_count, 1);
	assert_true(loop_advance(loop, 1));
	wait_at_this_moment(has_both);
	relay_links_wipe(&links);
	stop();
	clock_fake(0, 0);
}

static void
dials_a_relay_that_is_new_in_the_list_at_once(void **state)
{
	(void)state;
	start_without_a_link();
	set_targets(relay.target, NULL);
	wait_at_this_moment(has_first);
	set_both_targets();
	wait_at_this_moment(has_both);
	relay_links_wipe(&links);
	stop();
	clock_fake(0, 0);
}

static unsigned
owner_of_last(void)
{
	return relay_link_owner(links.links[links.count - 1]);
}

/* The flows of a relay that was removed live on, and would count against the new one. */
static void
gives_no_new_relay_the_number_of_an_old_one(void **state)
{
	(void)state;
	context = (struct agent_context){ .loop = loop_new() };
	relay_links_init(&links, &context, on_relay, NULL);
	set_targets("stays:1", NULL);
	assert_int_equal(owner_of_last(), 1);
	for (unsigned owner = 2; owner <= UINT8_MAX; owner++) {
		set_targets("stays:1", owner % 2 ? "odd:1" : "even:1");
		assert_int_equal(owner_of_last(), owner);
	}
	set_targets("stays:1", NULL);
	set_targets("stays:1", "even:1");
	assert_int_equal(owner_of_last(), 2);
	relay_links_wipe(&links);
	loop_free(context.loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_up_announces_all_and_fills_the_pool),
		cmocka_unit_test(answers_a_need_within_the_bound),
		cmocka_unit_test(makes_up_for_a_channel_that_the_relay_has_dropped),
		cmocka_unit_test(shares_one_pool_with_a_session_that_drains),
		cmocka_unit_test(comes_back_when_the_session_is_lost),
		cmocka_unit_test(comes_back_to_a_relay_that_drains_at_once_ever_more_slowly),
		cmocka_unit_test(comes_back_soon_to_a_relay_that_drains_after_a_time),
		cmocka_unit_test(comes_back_in_the_time_that_the_drain_names),
		cmocka_unit_test(comes_back_soon_when_the_drain_ends_before_its_time),
		cmocka_unit_test(one_that_stays_away_is_told_again_and_again),
		cmocka_unit_test(one_that_comes_back_is_told_with_how_long_it_was_away),
		cmocka_unit_test(makes_a_second_session_beside_a_silent_one),
		cmocka_unit_test(gives_up_the_second_one_when_the_first_is_heard_again),
		cmocka_unit_test(relies_on_the_second_one_when_the_first_has_ended),
		cmocka_unit_test(comes_back_when_the_relay_has_replaced_the_first_one_all_the_same),
		cmocka_unit_test(tries_again_with_a_second_one_that_is_refused),
		cmocka_unit_test(makes_a_new_session_before_the_relays_certificate_ends),
		cmocka_unit_test(passes_a_sealed_flow_through_with_its_address_ahead),
		cmocka_unit_test(refuses_a_hello_that_asks_for_another_name),
		cmocka_unit_test(refuses_a_name_that_the_endpoint_does_not_serve),
		cmocka_unit_test(knows_no_endpoint_but_its_own),
		cmocka_unit_test(says_that_the_upstream_is_down),
		cmocka_unit_test(says_that_it_works_on_what_takes_its_time),
		cmocka_unit_test(gives_up_its_dial_when_the_relay_does),
		cmocka_unit_test(takes_no_new_flow_while_it_drains),
		cmocka_unit_test(ends_tls_and_dials_the_upstream_only_then),
		cmocka_unit_test(a_challenge_is_ready_when_its_relay_has_accepted_the_mark),
		cmocka_unit_test(a_challenge_waits_as_long_as_its_relay_is_busy),
		cmocka_unit_test(a_relay_that_knows_no_marks_refuses_no_endpoint),
		cmocka_unit_test(only_an_endpoint_that_ends_tls_is_marked),
		cmocka_unit_test(who_looks_for_a_challenge_sees_it_and_nothing_else),
		cmocka_unit_test(a_second_hello_leads_nobody_from_one_to_the_other),
		cmocka_unit_test(tells_of_an_endpoint_that_is_refused_for_good_and_keeps_the_other),
		cmocka_unit_test(tries_again_with_a_name_that_is_taken),
		cmocka_unit_test(tries_again_at_once_when_the_relay_says_so),
		cmocka_unit_test(ignores_a_refusal_that_it_does_not_wait_for),
		cmocka_unit_test(does_not_believe_a_relay_of_another_name),
		cmocka_unit_test(announces_lists_that_change_under_the_same_number),
		cmocka_unit_test(tells_the_relay_how_flows_are_divided),
		cmocka_unit_test(tells_the_relay_of_endpoints_that_come_and_go),
		cmocka_unit_test(dials_its_relays_a_second_apart_when_it_starts),
		cmocka_unit_test(dials_a_relay_that_is_new_in_the_list_at_once),
		cmocka_unit_test(gives_no_new_relay_the_number_of_an_old_one),
	};

	log_init("link_test", LOG_ERROR, LOG_TEXT);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("agent/link", tests, set_up, tear_down);
}
