/* Tests of tunnel/channel: two ends of one channel over a socket pair. */
#include "tunnel/channel.h"

#include <malloc.h>
#include <pthread.h>

#include "tunnel/channel_tls.h"

struct channel_end {
	struct channel *channel;
	char events[128];
	struct stream *stream;	/* released in the handler, as the daemons do */
	bool is_over;
	char fact[8];		/* of `ready` */
};

static struct channel_end relay, agent;
static const struct frame_ready no_facts;
static struct diary raw;


static const enum fact_type test_fact = 0x8fff;

static void
note_fact(char out[8], struct facts facts)
{
	struct cursor value;
	bool is_there = facts_find(facts, test_fact, &value);
	snprintf(out, 8, "%.*s", is_there ? (int)value.left : 1, is_there ? (const char *)value.at : "-");
}

static void
on_event(void *arg, enum channel_event event)
{
	static const char *const names[] = {
		[CHANNEL_PARKED] = "parked ", [CHANNEL_HELLO] = "", [CHANNEL_OPEN] = "open ", [CHANNEL_READY] = "ready ",
		[CHANNEL_FAIL] = "fail ", [CHANNEL_PONG] = "pong ", [CHANNEL_OVER] = "over ",
	};
	struct channel_end *end = arg;
	strcat(end->events, names[event]);
	if (event == CHANNEL_READY)
		note_fact(end->fact, channel_ready_frame(end->channel)->facts);
	if (event == CHANNEL_READY)
		end->stream = channel_release(end->channel);
	end->is_over |= event == CHANNEL_OVER;
}

static bool
says(void *arg)
{
	const char *const *claims = arg;
	return (!claims[0] || strstr(relay.events, claims[0]) == relay.events) &&
	    (!claims[1] || strstr(agent.events, claims[1]) == agent.events);
}

static void
reach(const char *of_relay, const char *of_agent)
{
	const char *claims[] = { of_relay, of_agent };
	if (!happens(says, claims))
		fail_msg("relay: %s agent: %s", relay.events, agent.events);
}

static void
start(void)
{
	int fds[2];
	tcp_pair(fds);
	relay = agent = (struct channel_end){ 0 };
	relay.channel = channel_new(loop, true, relays_tls(fds[0]), 1000, on_event, &relay);
	agent.channel = channel_new(loop, false, agents_tls(fds[1]), 1000, on_event, &agent);
	reach("parked ", "parked ");
}

static void
stop(void)
{
	channel_free(relay.channel);
	channel_free(agent.channel);
	stream_free(relay.stream);
	stream_free(agent.stream);
	turn_for(5);
}

static struct frame_open
an_open(uint32_t hello_bytes)
{
	return (struct frame_open){ .flow_id = "0123456789abcde", .endpoint = 7,
		.server_name = "app.example.com", .hello_bytes = hello_bytes };
}

static void
a_flow_is_opened_and_the_streams_are_given_away(void **state)
{
	static uint8_t hello[HELLO_BYTES_MOST];
	static const uint32_t sizes[] = { 1, 517, 70000, HELLO_BYTES_MOST };
	(void)state;
	for (int i = 0; i < 4; i++) {
		const struct frame_open open = an_open(sizes[i]);
		memset(hello, 'h' + i, sizeof hello);
		start();
		assert_string_equal(channel_peer_identity(relay.channel), identity);
		assert_true(channel_open(relay.channel, &open, hello));
		reach(NULL, "parked open ");
		assert_string_equal(channel_open_frame(agent.channel)->server_name,
		    "app.example.com");
		assert_memory_equal(channel_hello(agent.channel), hello, sizes[i]);
		assert_true(channel_ready(agent.channel, &no_facts));
		agent.stream = channel_release(agent.channel);
		assert_non_null(agent.stream);
		say(agent.stream, "first bytes of the server");
		reach("parked ready ", NULL);
		assert_non_null(relay.stream);
		turn_for(5);
		hear(relay.stream, "first bytes of the server");
		say(relay.stream, "then the client");
		turn_for(5);
		/* The agent's next reader sees the client's stream from its first byte. */
		uint8_t *got = malloc(sizes[i]);
		size_t done;
		for (size_t all = 0; all < sizes[i]; all += done) {
			assert_int_equal(stream_read(agent.stream, got + all, sizes[i] - all,
			    &done), IO_OK);
			assert_memory_equal(got + all, hello + all, done);
		}
		free(got);
		hear(agent.stream, "then the client");
		stop();
	}
}

static void
a_fail_says_why_and_both_are_over(void **state)
{
	const struct frame_open open = an_open(3);
	(void)state;
	start();
	assert_true(channel_open(relay.channel, &open, (const uint8_t *)"abc"));
	assert_false(channel_open(relay.channel, &open, (const uint8_t *)"abc"));
	reach(NULL, "parked open ");
	channel_fail(agent.channel, CODE_UPSTREAM_DOWN, "127.0.0.1:8443 refuses");
	reach("parked fail ", NULL);
	assert_int_equal(channel_fail_code(relay.channel), CODE_UPSTREAM_DOWN);
	assert_string_equal(channel_error(relay.channel), "127.0.0.1:8443 refuses");
	reach("parked fail over ", "parked open over ");
	stop();
}

static void
a_parked_channel_answers_pings(void **state)
{
	(void)state;
	start();
	assert_true(channel_ping(relay.channel));
	reach("parked pong ", NULL);
	assert_true(channel_ping(agent.channel));
	reach(NULL, "parked pong ");
	stop();
}

static void
a_parked_channel_notices_that_its_peer_is_gone(void **state)
{
	(void)state;
	start();
	channel_free(agent.channel);
	agent.channel = NULL;
	reach("parked over ", NULL);
	stop();
}

static void
a_wrong_key_never_parks(void **state)
{
	struct secret key = { 0 };
	int fds[2];
	(void)state;
	tcp_pair(fds);
	relay = agent = (struct channel_end){ 0 };
	struct tls *tls = end_of(TLS_CHANNEL_AGENT, fds[1]);
	assert_true(secret_init(&key, "another example of 32 bytes ....", 32));
	assert_true(tls_set_key(tls, identity, &key));
	secret_wipe(&key);
	relay.channel = channel_new(loop, true, relays_tls(fds[0]), 1000, on_event, &relay);
	agent.channel = channel_new(loop, false, tls, 1000, on_event, &agent);
	reach(NULL, "over ");
	channel_free(agent.channel);
	agent.channel = NULL;
	reach("over ", NULL);
	assert_string_equal(channel_peer_identity(relay.channel), "");
	stop();
}

static const struct channel_crime {
	uint8_t bytes[8];
	uint8_t count;
} crimes[] = {
	{ { 0, 1, 17 }, 3 },		/* ready, though nothing was opened */
	{ { 0, 5, 18, 0, 1, 0, 0 }, 7 },	/* fail, the same */
	{ { 0, 1, 16 }, 3 },		/* open is the relay's word */
	{ { 0, 1, 1 }, 3 },		/* hello belongs to sessions */
	{ { 0, 2, 7, 1 }, 4 },		/* half a ping */
};

static bool
relay_is_over(void *arg)
{
	(void)arg;
	return relay.is_over;
}

static void
frames_that_do_not_belong_end_the_channel(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof crimes / sizeof *crimes; i++) {
		int fds[2];
		tcp_pair(fds);
		relay = (struct channel_end){ 0 };
		raw = (struct diary){ 0 };
		relay.channel = channel_new(loop, true, relays_tls(fds[0]), 1000, on_event, &relay);
		raw.link = link_new(loop, agents_tls(fds[1]), 1000, on_diary, &raw);
		assert_true(link_send(raw.link, "\x00\x02\xaax", 4));
		assert_true(link_send(raw.link, crimes[i].bytes, crimes[i].count));
		assert_true(happens(diary_is_over, &raw));
		link_free(raw.link);
		assert_true(happens(relay_is_over, NULL));
		assert_string_equal(relay.events, "parked over ");
		assert_string_equal(channel_error(relay.channel),
		    "the peer sent a frame that does not belong here");
		channel_free(relay.channel);
		turn_for(5);
	}
}

/* The agent's ping and the relay's `open` cross: a pong behind the hello would be the flow's bytes. */
static void
a_ping_that_crosses_open_is_not_answered(void **state)
{
	const struct frame_open open = an_open(4);
	uint8_t out[FRAME_BYTES];
	const struct frame_ping ping = { 1, 2 };
	int fds[2];
	(void)state;
	tcp_pair(fds);
	relay = (struct channel_end){ 0 };
	raw = (struct diary){ 0 };
	relay.channel = channel_new(loop, true, relays_tls(fds[0]), 1000, on_event, &relay);
	raw.link = link_new(loop, agents_tls(fds[1]), 1000, on_diary, &raw);
	reach("parked ", NULL);
	/* A hello that reads as a frame, so that the diary goes on reading frames behind it. */
	assert_true(channel_open(relay.channel, &open, (const uint8_t *)"\x00\x02\xaax"));
	assert_true(link_send(raw.link, out, frame_encode_ping(out, &ping)));
	turn_for(50);
	assert_string_equal(raw.events, "open 16 170 ");
	assert_true(link_send(raw.link, out, frame_encode_ready(out, 1, &no_facts)));
	reach("parked ready ", NULL);
	link_free(raw.link);
	channel_free(relay.channel);
	stream_free(relay.stream);
	turn_for(5);
}

static void
an_open_that_lies_ends_the_channel(void **state)
{
	static const uint32_t sizes[] = { 0, HELLO_BYTES_MOST + 1 };
	(void)state;
	for (int i = 0; i < 2; i++) {
		int fds[2];
		uint8_t out[FRAME_BYTES];
		const struct frame_open open = an_open(sizes[i]);
		tcp_pair(fds);
		agent = (struct channel_end){ 0 };
		raw = (struct diary){ 0 };
		agent.channel = channel_new(loop, false, agents_tls(fds[1]), 1000, on_event,
		    &agent);
		raw.link = link_new(loop, relays_tls(fds[0]), 1000, on_diary, &raw);
		assert_true(link_send(raw.link, out, frame_encode_open(out, 1, &open)));
		assert_true(happens(diary_is_over, &raw));
		link_free(raw.link);
		reach(NULL, "parked over ");
		channel_free(agent.channel);
		turn_for(5);
	}
}

/* ---- version 2 ---- */

static void
start_version(unsigned version)
{
	start();
	channel_set_version(relay.channel, version);
	channel_set_version(agent.channel, version);
}

static bool
is_worked_on(void *arg)
{
	return channel_is_worked_on(arg);
}

static void
an_agent_that_takes_its_time_says_so(void **state)
{
	const struct frame_open open = an_open(3);
	(void)state;
	start_version(2);
	assert_true(channel_open(relay.channel, &open, (const uint8_t *)"abc"));
	reach(NULL, "parked open ");
	assert_false(channel_is_worked_on(relay.channel));
	assert_true(channel_working(agent.channel));
	assert_true(happens(is_worked_on, relay.channel));
	assert_true(channel_ready(agent.channel, &no_facts));
	agent.stream = channel_release(agent.channel);
	say(agent.stream, "x");
	reach("parked ready ", NULL);
	turn_for(5);
	hear(relay.stream, "x");
	stop();
	/* In version 1 there is no word for it. */
	start_version(1);
	assert_true(channel_open(relay.channel, &open, (const uint8_t *)"abc"));
	reach(NULL, "parked open ");
	assert_true(channel_working(agent.channel));
	channel_fail(agent.channel, CODE_INTERNAL, "");
	reach("parked fail ", NULL);
	assert_false(channel_is_worked_on(relay.channel));
	stop();
}

/* What a relay sends and the agent makes of it. */
static const struct tried_opening {
	unsigned version;
	const char *facts;
	size_t count;
	const char *events;	/* the agent's */
	enum code code;		/* of its fail */
} openings[] = {
	{ 2, "", 0, "parked open ", CODE_NONE },
	{ 2, "\x8f\xff\x00\x01z", 5, "parked open ", CODE_NONE },
	{ 2, "\x00\x01\x00\x00", 4, "parked over ", CODE_NOT_UNDERSTOOD },
	{ 2, "\x8f\xff\x00\x09", 4, "parked over ", CODE_NONE },
	{ 1, "\x8f\xff\x00\x01z", 5, "parked over ", CODE_NONE },
};

static void
facts_of_an_open_and_of_its_ready_arrive(void **state)
{
	static const uint8_t list[] = { 0x8f, 0xff, 0, 3, 'a', 'b', 'c' };
	const struct frame_ready ready = { { list, sizeof list } };
	struct frame_open open = an_open(70000);
	static uint8_t hello[70000];
	char fact[8];
	(void)state;
	open.facts = ready.facts;
	for (unsigned version = 1; version <= 2; version++) {
		start();
		channel_set_version(relay.channel, version);
		channel_set_version(agent.channel, version);
		assert_true(channel_open(relay.channel, &open, hello));
		reach(NULL, "parked open ");
		note_fact(fact, channel_open_frame(agent.channel)->facts);
		assert_string_equal(fact, version == 2 ? "abc" : "-");
		assert_true(channel_ready(agent.channel, &ready));
		agent.stream = channel_release(agent.channel);
		reach("parked ready ", NULL);
		assert_string_equal(relay.fact, version == 2 ? "abc" : "-");
		stop();
	}
}

static void
start_raw_relay(unsigned version)
{
	int fds[2];
	tcp_pair(fds);
	agent = (struct channel_end){ 0 };
	raw = (struct diary){ 0 };
	agent.channel = channel_new(loop, false, agents_tls(fds[1]), 1000, on_event, &agent);
	channel_set_version(agent.channel, version);
	raw.link = link_new(loop, relays_tls(fds[0]), 1000, on_diary, &raw);
	reach(NULL, "parked ");
}

static void
stop_raw_relay(void)
{
	link_free(raw.link);
	channel_free(agent.channel);
	turn_for(5);
}

static void
say_open(const char *facts, size_t count, size_t hello_bytes)
{
	uint8_t out[FRAME_BYTES];
	const struct frame_open open = an_open(3);
	size_t bytes = frame_encode_open(out, 1, &open);
	memcpy(out + bytes, facts, count);
	out[1] = (uint8_t)(out[1] + count);
	assert_true(link_send_raw(raw.link, out, bytes + count, "abc", hello_bytes));
}

static void
facts_of_an_open_are_skipped_or_must_be_understood(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof openings / sizeof *openings; i++) {
		struct frame_goodbye fail;
		start_raw_relay(openings[i].version);
		say_open(openings[i].facts, openings[i].count, 3);
		reach(NULL, openings[i].events);
		turn_for(20);
		bool has_failed = strstr(raw.events, "18 ") != NULL;
		assert_int_equal(has_failed, openings[i].code != CODE_NONE);
		if (has_failed) {
			assert_true(frame_decode_goodbye(cursor_over(raw.last, raw.last_bytes), &fail));
			assert_int_equal(fail.code, openings[i].code);
		}
		stop_raw_relay();
	}
}

static void
facts_of_a_ready_must_be_understood_too(void **state)
{
	static const struct { const char *frame; size_t count; const char *events; } answers[] = {
		{ "\x00\x01\x11", 3, "parked ready " },
		{ "\x00\x06\x11\x8f\xff\x00\x01z", 8, "parked ready " },
		{ "\x00\x05\x11\x00\x01\x00\x00", 7, "parked over " },
		{ "\x00\x02\x13x", 4, "parked over " },
	};
	const struct frame_open open = an_open(4);
	(void)state;
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		int fds[2];
		tcp_pair(fds);
		relay = (struct channel_end){ 0 };
		raw = (struct diary){ 0 };
		relay.channel = channel_new(loop, true, relays_tls(fds[0]), 1000, on_event, &relay);
		channel_set_version(relay.channel, 2);
		raw.link = link_new(loop, agents_tls(fds[1]), 1000, on_diary, &raw);
		reach("parked ", NULL);
		assert_true(channel_open(relay.channel, &open, (const uint8_t *)"\x00\x02\xaax"));
		turn_for(10);
		assert_true(link_send(raw.link, answers[i].frame, answers[i].count));
		if (strstr(answers[i].events, "over"))
			assert_true(happens(diary_is_over, &raw));
		else
			reach(answers[i].events, NULL);
		link_free(raw.link);
		reach(answers[i].events, NULL);
		channel_free(relay.channel);
		stream_free(relay.stream);
		turn_for(5);
	}
}

/* ---- the relay gives up ---- */

static bool
agent_is_over(void *arg)
{
	(void)arg;
	return agent.is_over;
}

/* Before ready its end is no client's half-close, whichever way it comes and however late. */
static void
the_relays_end_before_ready_abandons_the_flow(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		bool is_orderly = i & 1, comes_late = i & 2;
		start_raw_relay(2);
		say_open("", 0, 3);
		if (comes_late)
			reach(NULL, "parked open ");
		if (is_orderly)
			link_close(raw.link);
		else
			link_free(raw.link);
		assert_true(happens(agent_is_over, NULL));
		assert_false(channel_ready(agent.channel, &no_facts));
		assert_null(channel_release(agent.channel));
		if (is_orderly)
			link_free(raw.link);
		raw.link = NULL;
		stop_raw_relay();
	}
}

/* A relay that does not wait breaks the rule, but the flow's bytes are not lost. */
static void
bytes_before_ready_are_kept(void **state)
{
	(void)state;
	start_raw_relay(2);
	say_open("", 0, 3);
	assert_true(link_send(raw.link, "early", 5));
	reach(NULL, "parked open ");
	turn_for(20);
	assert_true(channel_ready(agent.channel, &no_facts));
	agent.stream = channel_release(agent.channel);
	hear(agent.stream, "abcearly");
	stream_free(agent.stream);
	stop_raw_relay();
}

/* ---- between workers ---- */

static struct loop *others_loop;

static void
on_moved(void *arg, enum channel_event event)
{
	on_event(arg, event);
	if (event == CHANNEL_READY)
		loop_stop(others_loop);
}

static void *
open_elsewhere(void *arg)
{
	(void)arg;
	const struct frame_open open = an_open(5);
	others_loop = loop_new();
	channel_attach(relay.channel, others_loop, on_moved, &relay);
	if (!channel_open(relay.channel, &open, (const uint8_t *)"hello"))
		return "it cannot be opened";
	loop_run(others_loop);
	channel_free(relay.channel);
	loop_free(others_loop);
	return NULL;
}

static void
on_agent_side(void *arg, enum channel_event event)
{
	struct channel_end *end = arg;
	on_event(arg, event);
	if (event != CHANNEL_OPEN)
		return;
	channel_ready(end->channel, &no_facts);
	end->stream = channel_release(end->channel);
}

static bool
agent_is_released(void *arg)
{
	(void)arg;
	return agent.stream != NULL;
}

static void
a_parked_channel_moves_to_another_worker(void **state)
{
	pthread_t thread;
	void *trouble;
	int fds[2];
	(void)state;
	tcp_pair(fds);
	relay = agent = (struct channel_end){ 0 };
	relay.channel = channel_new(loop, true, relays_tls(fds[0]), 1000, on_event, &relay);
	agent.channel = channel_new(loop, false, agents_tls(fds[1]), 1000, on_agent_side, &agent);
	reach("parked ", "parked ");
	channel_detach(relay.channel);
	assert_int_equal(pthread_create(&thread, NULL, open_elsewhere, NULL), 0);
	assert_true(happens(agent_is_released, NULL));
	/* A stream with no reader and no writer yet: the next write sends `ready` on its way. */
	size_t done;
	assert_int_equal(stream_write(agent.stream, "", 0, &done), IO_OK);
	pthread_join(thread, &trouble);
	assert_null(trouble);
	assert_string_equal(relay.events, "parked ready ");
	assert_non_null(relay.stream);
	relay.channel = NULL;
	stop();
}

static void
a_parked_channel_holds_little_beside_gnutls(void **state)
{
	enum { MANY = 50 };
	static struct channel_end ends[2 * MANY];
	(void)state;
	size_t before = mallinfo2().uordblks;
	for (int i = 0; i < MANY; i++) {
		int fds[2];
		tcp_pair(fds);
		ends[2 * i].channel = channel_new(loop, true, relays_tls(fds[0]), 5000, on_event,
		    &ends[2 * i]);
		ends[2 * i + 1].channel = channel_new(loop, false, agents_tls(fds[1]), 5000,
		    on_event,
		    &ends[2 * i + 1]);
	}
	turn_for(300);
	size_t each = (mallinfo2().uordblks - before) / (2 * MANY);
	print_message("# a parked channel holds %zu bytes\n", each);
	assert_in_range(each, 0, 13 * 1024);
	for (int i = 0; i < 2 * MANY; i++) {
		assert_string_equal(ends[i].events, "parked ");
		channel_free(ends[i].channel);
	}
	turn_for(5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flow_is_opened_and_the_streams_are_given_away),
		cmocka_unit_test(a_fail_says_why_and_both_are_over),
		cmocka_unit_test(a_parked_channel_answers_pings),
		cmocka_unit_test(a_parked_channel_notices_that_its_peer_is_gone),
		cmocka_unit_test(a_wrong_key_never_parks),
		cmocka_unit_test(frames_that_do_not_belong_end_the_channel),
		cmocka_unit_test(a_ping_that_crosses_open_is_not_answered),
		cmocka_unit_test(an_open_that_lies_ends_the_channel),
		cmocka_unit_test(an_agent_that_takes_its_time_says_so),
		cmocka_unit_test(facts_of_an_open_are_skipped_or_must_be_understood),
		cmocka_unit_test(facts_of_a_ready_must_be_understood_too),
		cmocka_unit_test(facts_of_an_open_and_of_its_ready_arrive),
		cmocka_unit_test(the_relays_end_before_ready_abandons_the_flow),
		cmocka_unit_test(bytes_before_ready_are_kept),
		cmocka_unit_test(a_parked_channel_moves_to_another_worker),
		cmocka_unit_test(a_parked_channel_holds_little_beside_gnutls),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("channel", tests, set_up_channels, tear_down_channels);
}
