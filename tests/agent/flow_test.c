/*
 * Flows that lose their place: the agent against a test relay, on one loop, so that a test
 * decides at which moment somebody else needs the place.
 */
#include "agent/flow.h"

#include <malloc.h>

#include "agent/credentials.h"
#include "agent/endpoint_table.h"
#include "agent/pooled_channel.h"
#include "agent/session_ref.h"
#include "agent/settings.h"
#include "base/clock_fake.h"
#include "base/log.h"
#include "base/loop_advance.h"
#include "base/resolver.h"
#include "base/shares.h"
#include "silent_upstream.h"
#include "test_relay.h"
#include "tunnel/pump.h"
#include "tunnel/tls_driver.h"

static struct test_mint mint;
static struct test_relay relay;
static struct agent_settings settings;
static struct credentials *credentials;
static struct stalls stalls;
static struct agent_flow_context context;
static struct agent_session_ref *ref;
static struct shares *hellos;
static uint8_t hello[4096];
static size_t hello_bytes;

/* ---- the scene ---- */

static void
make_hello(void)
{
	struct tls_settings of_client = { .purpose = TLS_UPSTREAM };
	const struct tls_hooks hooks = { .judge = test_relay_judge };
	char error[TLS_ERROR];
	struct tls_config *config = tls_config_new(&of_client, error);
	struct tls *client;
	int ends[2];
	ssize_t got;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	client = tls_client(config, stream_socket(ends[0]), "sealed.test", &hooks);
	assert_int_equal(tls_handshake(client), IO_READ);
	got = recv(ends[1], hello, sizeof hello, 0);
	assert_true(got > 0);
	hello_bytes = (size_t)got;
	close(ends[1]);
	stream_free(tls_stream(client));
	tls_config_release(config);
}

static void
open_table(void)
{
	char text[2048], path[128], address[ADDRESS_TEXT], error[ENDPOINT_ERROR];

	snprintf(text, sizeof text,
	    "version: 1\n"
	    "agent:\n"
	    "  connect_url: \"127.0.0.1:1\"\n"
	    "  connect_cas: %s/root.crt\n"
	    "  certificate: %s/agent.crt\n"
	    "  private_key: %s/agent.key\n"
	    "  state_dir: %s\n"
	    "endpoints:\n"
	    "  - {name: sealed, url: \"tls://sealed.test\", upstream: \"tcp://%s\"}\n",
	    mint.dir, mint.dir, mint.dir, mint.dir, silent_upstream_start(address));
	mint_write(&mint, "agent.yml", text, strlen(text));
	assert_int_equal(
	    agent_settings_read(&settings, mint_path(&mint, "agent.yml", path), stderr), 0);
	credentials = credentials_new(&settings, NULL, error);
	assert_non_null(credentials);
	context.endpoint_table =
	    endpoint_table_new(&settings, credentials->relays, NULL, NULL, error);
	assert_non_null(context.endpoint_table);
}

/* What the welcome of a session would have made. */
static void
open_ref(void)
{
	uint8_t key[32];

	arc4random_buf(key, sizeof key);
	strcpy(relay.identity, "the-session");
	assert_true(secret_init(&relay.key, key, sizeof key));
	ref = calloc(1, sizeof *ref);
	assert_non_null(ref);
	ref->references = 2; /* the test keeps one */
	ref->target = strdup(relay.target);
	ref->server_name = strdup("localhost");
	strcpy(ref->relay, "the relay");
	strcpy(ref->identity, relay.identity);
	assert_true(secret_init(&ref->key, key, sizeof key));
	ref->version = 1;
	ref->owner = 1;
	ref->tls = tls_config_hold(credentials->channel);
}

static bool is_over;

static void
on_flow_over(void *arg, struct agent_flow *flow)
{
	(void)arg;
	is_over = true;
	agent_flow_free(flow);
}

static int
set_up(void **state)
{
	(void)state;
	mint_open(&mint);
	mint_leaf(&mint, "relay", "localhost", GNUTLS_KP_TLS_WWW_SERVER);
	mint_leaf(&mint, "agent", "app.test", GNUTLS_KP_TLS_WWW_CLIENT);
	make_hello();
	context.loop = loop_new();
	context.resolver = resolver_new();
	context.stalls = &stalls;
	context.on_over = on_flow_over;
	context.flows = shares_new(SHARES_NEWEST);
	context.handshakes = shares_new(SHARES_OLDEST);
	context.lingers = shares_new(SHARES_OLDEST);
	hellos = shares_new(SHARES_OLDEST);
	pump_stalls_init(&stalls, context.loop, NULL);
	test_relay_start(&relay, context.loop, &mint);
	open_table();
	open_ref();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	agent_session_ref_release(ref);
	agent_session_ref_release(ref);
	endpoint_table_release(context.endpoint_table);
	credentials_release(credentials);
	agent_settings_wipe(&settings);
	test_relay_stop(&relay);
	silent_upstream_stop();
	stalls_wipe(&stalls);
	resolver_free(context.resolver);
	loop_free(context.loop);
	shares_free(context.flows);
	shares_free(context.handshakes);
	shares_free(context.lingers);
	shares_free(hellos);
	mint_close(&mint);
	return 0;
}

/* ---- one flow ---- */

static struct agent_flow_list flows = LIST_HEAD_INITIALIZER(flows);
static bool is_parked;
static struct shares_place *older, *newcomer;

static void
never(void *arg)
{
	(void)arg;
	fail_msg("the wrong one was sent away");
}

static struct shares_place *
take_place(struct shares *shares, const char *client)
{
	struct address address;
	enum shares_verdict verdict;
	struct shares_entrant entrant = {
		.loop = context.loop, .client = &address, .owner = 1, .on_evict = never
	};

	assert_true(address_parse(&address, client));
	return shares_enter(shares, &entrant, &verdict);
}

/* The flow begins, and in the same turn somebody of another network needs its place. */
static void
on_pooled(void *arg, struct pooled_channel *pooled, enum pooled_channel_event event)
{
	(void)arg;
	switch (event) {
	case POOLED_PARKED:
		is_parked = true;
		break;
	case POOLED_OPENED:
		assert_non_null(agent_flow_new(&context, pooled, &flows));
		newcomer = take_place(context.flows, "203.0.113.1:1");
		assert_non_null(newcomer);
		break;
	case POOLED_DISPLACED:
	case POOLED_OVER:
		fail_msg("%s", pooled_channel_error(pooled));
		break;
	}
}

static struct timer timer;
static uint64_t until_ms;

static void
on_time(void *arg)
{
	bool (*const *is_true)(void) = arg;

	if ((*is_true)() || clock_ms() > until_ms)
		loop_stop(context.loop);
	else
		timer_set(&timer, 1);
}

static void
wait_for(bool (*is_true)(void))
{
	until_ms = clock_ms() + 8000;
	timer_init(&timer, context.loop, on_time, &is_true);
	timer_set(&timer, 0);
	loop_run(context.loop);
	assert_true(is_true());
}

static bool
is_parked_at_both(void)
{
	return is_parked && test_relay_parked(&relay);
}

static bool
has_failed(void)
{
	return is_over && relay.channels[0].failed != CODE_NONE;
}

static void
loses_its_place_while_it_dials(void **state)
{
	(void)state;
	shares_set_bounds(context.flows, &(struct shares_bounds){ .most = 2 });
	older = take_place(context.flows, "192.0.2.7:1");
	assert_non_null(
	    pooled_channel_new(context.loop, context.resolver, hellos, ref, on_pooled, NULL));
	wait_for(is_parked_at_both);
	test_relay_open(test_relay_parked(&relay), context.endpoint_table->endpoints[0]->number,
	    "sealed.test", hello, hello_bytes);
	wait_for(has_failed);
	assert_int_equal(relay.channels[0].failed, CODE_FLOW_LIMIT);
	assert_int_equal(shares_count(context.flows), 2);
	shares_leave(older);
	shares_leave(newcomer);
	assert_int_equal(shares_count(context.flows), 0);
}

/* ---- hellos that a relay keeps back ---- */

/* While the clock stands, so that no hello is late however slow the machine is. */
static void
wait_still_for(bool (*is_true)(void))
{
	time_t until = time(NULL) + 60;

	while (!is_true()) {
		assert_true(loop_advance(context.loop, 0));
		assert_true(time(NULL) < until);
	}
}

enum { HELD_MOST = 24, HELLOS_ROOM = 3, HELLO_UNITS = HELLO_BYTES_MOST / POOLED_HELLO_UNIT };

/* A channel whose `open` promises the largest hello that there is, of which little comes. */
static struct held_flow {
	struct pooled_channel *pooled;
	struct tls *tls; /* the relay's end */
	struct tls_driver driver;
	bool is_shaken, is_parked, is_displaced, is_over;
} held[HELD_MOST];
static unsigned held_count;

static void
on_shaken(void *arg, enum io end)
{
	struct held_flow *one = arg;

	assert_int_equal(end, IO_OK);
	one->is_shaken = true;
}

static void
on_raw_channel(struct tls *tls)
{
	struct held_flow *one = &held[held_count - 1];

	one->tls = tls;
	tls_driver_start(&one->driver, context.loop, tls, tls_handshake, 5000, on_shaken, one);
}

static void
on_held(void *arg, struct pooled_channel *pooled, enum pooled_channel_event event)
{
	struct held_flow *one = arg;

	switch (event) {
	case POOLED_PARKED:
		one->is_parked = true;
		break;
	case POOLED_OPENED:
		fail_msg("the whole hello has come");
		break;
	case POOLED_DISPLACED:
		one->is_displaced = true;
		break;
	case POOLED_OVER:
		pooled_channel_free(pooled);
		one->pooled = NULL;
		one->is_over = true;
		break;
	}
}

static bool
is_held_parked(void)
{
	return held[held_count - 1].is_shaken && held[held_count - 1].is_parked;
}

static unsigned awaited;

/* The one that was held last is among them if one was there less before. */
static bool
are_counted(void)
{
	return shares_count(hellos) == awaited &&
	    (held_count <= HELLOS_ROOM || held[held_count - HELLOS_ROOM].is_displaced);
}

static void
hold(uint8_t owner)
{
	struct held_flow *one = &held[held_count++];
	struct frame_open open = { .endpoint = 1, .hello_bytes = HELLO_BYTES_MOST };
	uint8_t wire[FRAME_BYTES + 1000] = { 0 };
	size_t bytes, done;

	*one = (struct held_flow){ 0 };
	ref->owner = owner;
	one->pooled = pooled_channel_new(context.loop, context.resolver, hellos, ref, on_held, one);
	assert_non_null(one->pooled);
	wait_still_for(is_held_parked);
	strcpy(open.server_name, "sealed.test");
	assert_true(address_parse(&open.client, "192.0.2.7:4711"));
	assert_true(address_parse(&open.listener, "198.51.100.1:443"));
	bytes = frame_encode_open(wire, 1, &open);
	assert_int_equal(stream_write(tls_stream(one->tls), wire, bytes + 1000, &done), IO_OK);
	awaited = held_count < HELLOS_ROOM ? held_count : HELLOS_ROOM;
	wait_still_for(are_counted);
}

/* What the relay hears, and then the end. */
static enum code
heard(struct held_flow *one)
{
	uint8_t got[1024];
	size_t done = 0;
	struct frame frame;
	struct frame_goodbye word = { .code = CODE_NONE };

	if (stream_read(tls_stream(one->tls), got, sizeof got, &done) == IO_OK &&
	    frame_next(got, done, &frame) == FRAME_COMPLETE && frame.type == FRAME_FAIL)
		assert_true(frame_decode_goodbye(cursor_over(frame.body, frame.body_bytes), &word));
	return word.code;
}

static void
let_go(struct held_flow *one)
{
	tls_driver_wipe(&one->driver);
	pooled_channel_free(one->pooled);
	stream_free(tls_stream(one->tls));
}

static void
hellos_that_a_relay_keeps_back_push_each_other_out(void **state)
{
	size_t before, after;

	(void)state;
	clock_fake(clock_us(), (int64_t)time(NULL) * 1000000);
	relay.on_raw_channel = on_raw_channel;
	shares_set_bounds(hellos, &(struct shares_bounds){ .most = HELLOS_ROOM * HELLO_UNITS });
	before = mallinfo2().uordblks + mallinfo2().hblkhd;
	hold(2); /* an honest relay's */
	while (held_count < HELLOS_ROOM + 1)
		hold(1);
	assert_int_equal(heard(&held[1]), CODE_FLOW_LIMIT);
	while (held_count < HELD_MOST)
		hold(1);
	after = mallinfo2().uordblks + mallinfo2().hblkhd;
	/* Beside that: both ends of the TLS of each. */
	assert_in_range(after - before, 0, HELLOS_ROOM * HELLO_BYTES_MOST + HELD_MOST * (64 << 10));
	assert_false(held[0].is_displaced || held[0].is_over);
	for (unsigned i = 0; i < held_count; i++)
		let_go(&held[i]);
	assert_int_equal(shares_count(hellos), 0);
	clock_fake(0, 0);
}

/* ---- a relay that goes on speaking ---- */

static enum code word;

static bool
has_heard(void)
{
	if (word == CODE_NONE)
		word = heard(&held[0]);
	return word != CODE_NONE;
}

static bool
is_raw_parked(void)
{
	return held[0].is_shaken && is_parked;
}

static bool
is_flow_over(void)
{
	return is_over;
}

/* A flow that has lost its place at once, and of which the relay has heard that. */
static void
displace_one(void)
{
	struct frame_open open = { .endpoint = context.endpoint_table->endpoints[0]->number,
		.hello_bytes = (uint32_t)hello_bytes };
	uint8_t wire[FRAME_BYTES];
	size_t done;

	relay.on_raw_channel = on_raw_channel;
	ref->owner = 1;
	is_over = is_parked = false;
	word = CODE_NONE;
	held_count = 1;
	held[0] = (struct held_flow){ 0 };
	shares_set_bounds(context.flows, &(struct shares_bounds){ .most = 2 });
	older = take_place(context.flows, "192.0.2.7:1");
	assert_non_null(
	    pooled_channel_new(context.loop, context.resolver, hellos, ref, on_pooled, NULL));
	wait_for(is_raw_parked);
	strcpy(open.server_name, "sealed.test");
	assert_true(address_parse(&open.client, "192.0.2.7:4711"));
	assert_true(address_parse(&open.listener, "198.51.100.1:443"));
	assert_int_equal(
	    stream_write(tls_stream(held[0].tls), wire, frame_encode_open(wire, 1, &open), &done),
	    IO_OK);
	assert_int_equal(stream_write(tls_stream(held[0].tls), hello, hello_bytes, &done), IO_OK);
	wait_for(has_heard);
	assert_int_equal(word, CODE_FLOW_LIMIT);
}

static int
fault_of(int fd)
{
	socklen_t bytes = sizeof(int);
	int fault = 0;

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &fault, &bytes), 0);
	return fault;
}

/* Were the channel closed with the word, what comes would be answered by a reset, and a kernel that has
 * sent one sends no lost word again. */
static void
the_word_to_a_relay_that_goes_on_speaking_is_not_cut_off(void **state)
{
	size_t done;

	(void)state;
	displace_one();
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
		    stream_write(tls_stream(held[0].tls), hello, hello_bytes, &done), IO_OK);
		wait_for(has_heard); /* a turn */
	}
	assert_int_equal(fault_of(tls_stream(held[0].tls)->fd), 0);
	assert_false(is_over);
	assert_int_equal(shares_count(context.lingers), 1);
	let_go(&held[0]);
	wait_for(is_flow_over);
	assert_int_equal(shares_count(context.lingers), 0);
	shares_leave(older);
	shares_leave(newcomer);
	assert_int_equal(shares_count(context.flows), 0);
}

static void
those_who_linger_push_each_other_out(void **state)
{
	struct shares_place *later;

	(void)state;
	shares_set_bounds(context.lingers, &(struct shares_bounds){ .most = 1 });
	displace_one();
	assert_false(is_over);
	later = take_place(context.lingers, "192.0.2.7:2");
	wait_for(is_flow_over);
	let_go(&held[0]);
	shares_leave(later);
	shares_leave(older);
	shares_leave(newcomer);
	assert_int_equal(shares_count(context.lingers), 0);
}

/* ---- an answer that takes its time ---- */

static void
on_opened(void *arg, struct pooled_channel *pooled, enum pooled_channel_event event)
{
	(void)arg;
	is_parked |= event == POOLED_PARKED;
	if (event == POOLED_OPENED)
		assert_non_null(agent_flow_new(&context, pooled, &flows));
}

static struct test_channel *
last_channel(void)
{
	return &relay.channels[relay.channel_count - 1];
}

static bool
is_worked_on(void)
{
	return channel_is_worked_on(last_channel()->channel);
}

static void
says_that_it_works_on_an_open_whose_upstream_is_slow(void **state)
{
	(void)state;
	relay.on_raw_channel = NULL;
	ref->version = PROTOCOL_FACTS;
	is_over = is_parked = false;
	assert_non_null(
	    pooled_channel_new(context.loop, context.resolver, hellos, ref, on_opened, NULL));
	wait_for(is_parked_at_both);
	channel_set_version(last_channel()->channel, PROTOCOL_FACTS);
	test_relay_open(last_channel(), context.endpoint_table->endpoints[0]->number, "sealed.test",
	    hello, hello_bytes);
	wait_for(is_worked_on);
	assert_int_equal(last_channel()->failed, CODE_NONE);
	channel_free(last_channel()->channel);
	last_channel()->channel = NULL;
	wait_for(is_flow_over);
}

static bool
has_heard_working(void)
{
	static bool has_come;
	uint8_t got[1024];
	size_t done = 0;
	struct frame frame;

	has_come |= stream_read(tls_stream(held[0].tls), got, sizeof got, &done) == IO_OK &&
	    frame_next(got, done, &frame) == FRAME_COMPLETE && frame.type == FRAME_WORKING;
	return has_come;
}

/* The relay takes its silence for a loss from `open` on. */
static void
says_so_too_while_the_hello_is_still_coming(void **state)
{
	struct frame_open open = { .endpoint = 1, .hello_bytes = HELLO_BYTES_MOST };
	uint8_t wire[FRAME_BYTES + 1000] = { 0 };
	size_t bytes, done;

	(void)state;
	relay.on_raw_channel = on_raw_channel;
	held_count = 1;
	held[0] = (struct held_flow){ 0 };
	held[0].pooled =
	    pooled_channel_new(context.loop, context.resolver, hellos, ref, on_held, &held[0]);
	assert_non_null(held[0].pooled);
	wait_for(is_held_parked);
	strcpy(open.server_name, "sealed.test");
	assert_true(address_parse(&open.client, "192.0.2.7:4711"));
	assert_true(address_parse(&open.listener, "198.51.100.1:443"));
	bytes = frame_encode_open(wire, PROTOCOL_FACTS, &open);
	assert_int_equal(stream_write(tls_stream(held[0].tls), wire, bytes + 1000, &done), IO_OK);
	wait_for(has_heard_working);
	let_go(&held[0]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loses_its_place_while_it_dials),
		cmocka_unit_test(hellos_that_a_relay_keeps_back_push_each_other_out),
		cmocka_unit_test(the_word_to_a_relay_that_goes_on_speaking_is_not_cut_off),
		cmocka_unit_test(those_who_linger_push_each_other_out),
		cmocka_unit_test(says_that_it_works_on_an_open_whose_upstream_is_slow),
		cmocka_unit_test(says_so_too_while_the_hello_is_still_coming),
	};

	log_init("flow_test", LOG_ERROR, LOG_TEXT);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("agent/flow", tests, set_up, tear_down);
}
