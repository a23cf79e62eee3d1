/*
 * Version 2 of a session, version 1 beside it, and the budget of frames.  Peers of
 * version 1 are played with the bytes of version1.h.
 */
#include "tunnel/session.h"

#include "base/clock.h"
#include "base/clock_fake.h"
#include "base/loop_advance.h"
#include "base/units.h"
#include "tunnel/looped.h"
#include "tunnel/version1.h"

enum { RANGES = 8 };

struct version_end {
	struct session *session;
	unsigned counts[SESSION_OVER + 1];
	union session_frame last;
	struct frame_range ranges[RANGES]; /* of the first answers */
	unsigned range_count;
	uint32_t next_endpoint; /* announcements come in order */
	unsigned needed;
	char facts[64]; /* what the test's fact said, of each frame */
};

static const enum fact_type test_fact = 0x8fff;
static const uint8_t a_list[] = { 0x8f, 0xff, 0, 3, 'a', 'b', 'c' };
static const struct facts some_facts = { a_list, sizeof a_list };

static struct version_end relay, agent;
static bool refuses_at_length;
static struct diary raw;

static const struct frame_welcome welcome = { .session_id = "0123456789abcde",
	.relay = "r1",
	.pool_least = 1,
	.pool_most = 8,
	.heartbeat_ms = 10000,
	.tolerance_ms = 15000 };
static const struct frame_hello hello = { .oldest = 1,
	.newest = 2,
	.software = "test",
	.instance = "instance of 15.",
	.start = "start.." };

static void
note_fact(struct version_end *end, struct facts facts)
{
	struct cursor value;
	size_t used = strlen(end->facts);
	if (facts_find(facts, test_fact, &value))
		snprintf(end->facts + used, sizeof end->facts - used, "%.*s ", (int)value.left,
		    (const char *)value.at);
	else
		snprintf(end->facts + used, sizeof end->facts - used, "- ");
}

static void
on_event(void *arg, enum session_event event, const union session_frame *frame)
{
	struct version_end *end = arg;
	struct frame_welcome its_welcome = welcome;
	its_welcome.facts = some_facts;
	end->counts[event]++;
	if (frame)
		end->last = *frame;
	if (event == SESSION_HELLO)
		note_fact(end, frame->hello.facts);
	if (event == SESSION_WELCOME)
		note_fact(end, frame->welcome.facts);
	if (event == SESSION_ANNOUNCE)
		note_fact(end, frame->announce.facts);
	if (event == SESSION_DRAIN)
		note_fact(end, frame->drain.facts);
	if (event == SESSION_HELLO)
		session_welcome(end->session, &its_welcome);
	if (event == SESSION_ANNOUNCE)
		assert_int_equal(frame->announce.endpoint, ++end->next_endpoint);
	if (event == SESSION_ANNOUNCE && refuses_at_length) {
		char sentence[SENTENCE_TEXT];
		snprintf(sentence, sizeof sentence, "%u %0400d", frame->announce.endpoint, 0);
		session_refuse_endpoint(
		    end->session, frame->announce.endpoint, CODE_NAME_TAKEN, sentence);
	}
	if (event == SESSION_NEED)
		end->needed += frame->need.channels;
	if ((event == SESSION_ACCEPTED || event == SESSION_REFUSED) && end->range_count < RANGES)
		end->ranges[end->range_count++] = frame->answer.endpoints;
}

static void
start_relay(int fd)
{
	relay = (struct version_end){ 0 };
	relay.session =
	    session_new(loop, SESSION_RELAY, end_of(TLS_SESSION_RELAY, fd), 5000, on_event, &relay);
}

static void
start_agent(int fd, const struct frame_hello *what)
{
	agent = (struct version_end){ 0 };
	agent.session =
	    session_new(loop, SESSION_AGENT, end_of(TLS_SESSION_AGENT, fd), 5000, on_event, &agent);
	session_set_hello(agent.session, what);
}

static void
start(const struct frame_hello *what)
{
	int fds[2];
	pair(fds);
	start_relay(fds[0]);
	start_agent(fds[1], what);
	loop_advance(loop, 0);
}

/* One end is played by the test. */
static void
start_raw_agent(void)
{
	int fds[2];
	pair(fds);
	agent = (struct version_end){ 0 };
	start_relay(fds[0]);
	diary_start(&raw, TLS_SESSION_AGENT, fds[1]);
}

static void
start_raw_relay(const struct frame_hello *what)
{
	int fds[2];
	pair(fds);
	relay = (struct version_end){ 0 };
	start_agent(fds[0], what);
	diary_start(&raw, TLS_SESSION_RELAY, fds[1]);
	loop_advance(loop, 0);
}

static void
stop(void)
{
	session_free(relay.session);
	session_free(agent.session);
	link_free(raw.link);
	raw.link = NULL;
	loop_advance(loop, 0);
}

static void
say_raw(const void *bytes, size_t count)
{
	assert_true(link_send(raw.link, bytes, count));
	loop_advance(loop, 0);
}

static void
say_hex(const char *hex)
{
	uint8_t bytes[FRAME_BYTES];
	assert_true(hex_decode(bytes, strlen(hex) / 2, hex));
	say_raw(bytes, strlen(hex) / 2);
}

static void
say_hello(uint8_t oldest, uint8_t newest)
{
	struct frame_hello what = hello;
	uint8_t out[FRAME_BYTES];
	what.oldest = oldest;
	what.newest = newest;
	say_raw(out, frame_encode_hello(out, &what));
}

/* As version1.h has it; an agent that knew only version 1 offered nothing else. */
static void
say_version1(enum frame_type type)
{
	for (size_t i = 0; i < sizeof version1 / sizeof *version1; i++) {
		char hex[2 * FRAME_BYTES];
		if (version1[i].type != type)
			continue;
		snprintf(hex, sizeof hex, "%s", version1[i].hex);
		if (type == FRAME_HELLO)
			memcpy(hex + 2 * FRAME_HEADER, "0101", 4);
		say_hex(hex);
	}
}

static void
expect_last_words(enum code code, const char *sentence)
{
	struct frame_goodbye goodbye;
	struct frame_refused refused;
	struct cursor last = cursor_over(raw.last, raw.last_bytes);
	if (frame_decode_refused(last, &refused)) {
		assert_int_equal(refused.endpoint, 0);
		goodbye.code = refused.code;
		memcpy(goodbye.sentence, refused.sentence, sizeof goodbye.sentence);
	} else {
		assert_true(frame_decode_goodbye(last, &goodbye));
	}
	assert_int_equal(goodbye.code, code);
	assert_string_equal(goodbye.sentence, sentence);
}

/* ---- which version ---- */

static void
two_that_speak_it_take_version_2(void **state)
{
	(void)state;
	start(&hello);
	assert_int_equal(agent.counts[SESSION_WELCOME], 1);
	assert_int_equal(session_version(relay.session), 2);
	assert_int_equal(session_version(agent.session), 2);
	assert_int_equal(agent.last.welcome.version, 2);
	assert_int_equal(agent.last.welcome.frames_per_second, SESSION_FRAMES_PER_SECOND);
	stop();
}

static void
an_old_agent_is_served_in_its_own_words(void **state)
{
	char hex[2 * FRAME_BYTES + 1];
	(void)state;
	start_raw_agent();
	say_version1(FRAME_HELLO);
	assert_string_equal(raw.events, "open 2 ");
	assert_int_equal(session_version(relay.session), 1);
	/* No fact behind the layout of version 1. */
	assert_string_equal(hex_encode(hex, raw.last, raw.last_bytes),
	    "01"
	    "00000000"
	    "30313233343536373839616263646500"
	    "027231"
	    "0001"
	    "0008"
	    "00002710"
	    "00003a98");
	relay.next_endpoint = 6;
	say_version1(FRAME_ANNOUNCE);
	session_accept(relay.session, 7);
	session_refuse_endpoint(relay.session, 8, CODE_NAME_TAKEN, "taken");
	loop_advance(loop, 0);
	assert_string_equal(raw.events, "open 2 5 6 ");
	say_version1(FRAME_WITHDRAW);
	say_version1(FRAME_PING);
	say_version1(FRAME_DRAIN);
	assert_int_equal(relay.counts[SESSION_WITHDRAW], 1);
	assert_int_equal(relay.last.drain.deadline_ms, 30000);
	assert_string_equal(raw.events, "open 2 5 6 8 ");
	say_version1(FRAME_GOODBYE);
	assert_int_equal(session_over_code(relay.session), CODE_DRAINING);
	stop();
}

static void
a_new_agent_goes_on_working_at_an_old_relay(void **state)
{
	const struct frame_announce announce = { .endpoint = 7,
		.carriers = 1,
		.weight = 100,
		.server_name = "*.example.com",
		.name = "shop" };
	struct frame_hello out;
	char hex[2 * FRAME_BYTES + 1];
	(void)state;
	start_raw_relay(&hello);
	/* What an old relay makes of it: its layout, to the last byte. */
	assert_string_equal(raw.events, "open 1 ");
	assert_int_equal(
	    frame_decode_hello(cursor_over(raw.last, raw.last_bytes), &out), FRAME_FINE);
	assert_int_equal(out.oldest, 1);
	assert_int_equal(raw.last_bytes, 2 + 4 + 5 + 16 + 8 + 1 + 4 + 1);
	say_version1(FRAME_WELCOME);
	assert_int_equal(session_version(agent.session), 1);
	session_announce(agent.session, &announce);
	loop_advance(loop, 0);
	assert_string_equal(raw.events, "open 1 3 ");
	assert_string_equal(hex_encode(hex, raw.last, raw.last_bytes), version1[2].hex + 6);
	say_version1(FRAME_ACCEPTED);
	say_version1(FRAME_REFUSED);
	assert_int_equal(agent.range_count, 2);
	assert_int_equal(agent.ranges[0].first, 7);
	assert_int_equal(agent.ranges[1].last, 7);
	assert_string_equal(agent.last.answer.sentence, "example.com is served by another agent");
	say_version1(FRAME_NEED);
	assert_int_equal(agent.last.need.channels, 3);
	stop();
}

static void
words_of_version_2_are_unknown_in_version_1(void **state)
{
	static const char *const words[] = { "00020c00", "00010d", "00010e" };
	static const char *const sentences[] = { "frame type 12 is unknown",
		"frame type 13 is unknown", "frame type 14 is unknown" };
	(void)state;
	for (int i = 0; i < 3; i++) {
		start_raw_agent();
		say_hello(1, 1);
		say_hex(words[i]);
		expect_last_words(CODE_PROTOCOL_ERROR, sentences[i]);
		stop();
	}
}

static void
a_range_from_2_to_1_is_malformed(void **state)
{
	static const uint8_t ranges[][2] = { { 2, 1 }, { 0, 1 }, { 0, 0 }, { 9, 3 } };
	(void)state;
	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
		start_raw_agent();
		say_hello(ranges[i][0], ranges[i][1]);
		assert_string_equal(raw.events, "open 11 over ");
		expect_last_words(CODE_PROTOCOL_ERROR, "frame type 1 is malformed");
		stop();
	}
}

static void
only_what_was_offered_may_be_chosen(void **state)
{
	static const struct {
		uint8_t oldest, newest, chosen;
	} answers[] = {
		{ 1, 1, 2 },
		{ 2, 2, 1 },
		{ 1, 2, 3 },
		{ 1, 2, 0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		struct frame_hello what = hello;
		struct frame_welcome odd = welcome;
		uint8_t out[FRAME_BYTES];
		what.oldest = answers[i].oldest;
		what.newest = answers[i].newest;
		odd.version = answers[i].chosen;
		start_raw_relay(&what);
		say_raw(out, frame_encode_welcome(out, &odd));
		expect_last_words(CODE_VERSION, "the relay chose a version that was not offered");
		assert_int_equal(agent.counts[SESSION_WELCOME], 0);
		stop();
	}
}

/* ---- facts ---- */

/* hello 2..2 of version 2 has room for them; before an older one they have a frame of their own. */
static const struct greeting {
	const char *before; /* hex */
	uint8_t oldest;
	const char *facts; /* hex, behind the hello */
	enum code code;
	const char *sentence;
} greetings[] = {
	{ NULL, 2, "", CODE_NONE, "" },
	{ NULL, 2, "8fff000161", CODE_NONE, "" },
	{ "0006828fff000161", 1, "", CODE_NONE, "" },
	{ NULL, 2, "00010000", CODE_NOT_UNDERSTOOD,
	    "frame type 1 has a fact that this end does not know" },
	{ "00058200010000", 1, "", CODE_NOT_UNDERSTOOD,
	    "frame type 130 has a fact that this end does not know" },
	{ NULL, 2, "8fff00008fff0000", CODE_PROTOCOL_ERROR, "frame type 1 is malformed" },
	{ NULL, 1, "8fff0000", CODE_PROTOCOL_ERROR, "frame type 1 is malformed" },
	{ "0003828fff", 1, "", CODE_PROTOCOL_ERROR, "frame type 130 is malformed" },
	{ "0005828fff00000005828fff0000", 1, "", CODE_PROTOCOL_ERROR,
	    "frame type 130 comes twice" },
	{ "0005828fff0000", 2, "", CODE_PROTOCOL_ERROR,
	    "frame type 130 stands before a hello that has room for them" },
};

static void
say_greeting(const struct greeting *greeting)
{
	struct frame_hello what = hello;
	uint8_t out[FRAME_BYTES];
	what.oldest = greeting->oldest;
	size_t bytes = frame_encode_hello(out, &what), more = strlen(greeting->facts) / 2;
	assert_true(!more || hex_decode(out + bytes, more, greeting->facts));
	out[1] = (uint8_t)(out[1] + more);
	if (greeting->before)
		say_hex(greeting->before);
	if (!relay.counts[SESSION_OVER] && !raw.is_over && !strstr(raw.events, "11 ") &&
	    !strstr(raw.events, "6 "))
		say_raw(out, bytes + more);
}

static void
facts_of_a_hello_are_judged_wherever_they_stand(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof greetings / sizeof *greetings; i++) {
		start_raw_agent();
		loop_advance(loop, 0);
		say_greeting(&greetings[i]);
		if (greetings[i].code == CODE_NONE)
			assert_int_equal(relay.counts[SESSION_HELLO], 1);
		else
			expect_last_words(greetings[i].code, greetings[i].sentence);
		stop();
	}
}

static void
a_strange_announcement_costs_its_endpoint_only(void **state)
{
	static const char one[] = "000f03"
				  "00000001"
				  "01"
				  "0001"
				  "0161"
				  "00"
				  "00010000";
	struct frame_refused_many refused;
	struct frame_range range;
	(void)state;
	start_raw_agent();
	say_hello(1, 2);
	say_hex(one);
	assert_string_equal(raw.events, "open 2 14 ");
	assert_true(frame_decode_refused_many(cursor_over(raw.last, raw.last_bytes), &refused));
	assert_int_equal(refused.code, CODE_NOT_UNDERSTOOD);
	assert_true(frame_next_range(&refused.ranges, &range));
	assert_int_equal(range.first, 1);
	/* In a frame of several as well: 1 is fine, 2 is strange, 3 is fine. */
	say_hex("00310c"
		"000a"
		"00000001"
		"01"
		"0001"
		"0161"
		"00"
		"000e"
		"00000002"
		"01"
		"0001"
		"0162"
		"00"
		"00010000"
		"0012"
		"00000002"
		"01"
		"0001"
		"0163"
		"00"
		"8fff000461626364");
	assert_int_equal(relay.counts[SESSION_ANNOUNCE], 2);
	assert_true(session_is_up(relay.session));
	stop();
}

static void
a_strange_drain_or_welcome_ends_the_session(void **state)
{
	struct frame_welcome second = welcome;
	uint8_t out[FRAME_BYTES];
	(void)state;
	start_raw_agent();
	say_hello(1, 2);
	say_hex("00090a"
		"00007530"
		"00010000");
	expect_last_words(
	    CODE_NOT_UNDERSTOOD, "frame type 10 has a fact that this end does not know");
	stop();
	start_raw_relay(&hello);
	second.version = 2;
	size_t bytes = frame_encode_welcome(out, &second);
	memcpy(out + bytes, "\x00\x01\x00\x00", 4);
	out[1] = (uint8_t)(out[1] + 4);
	say_raw(out, bytes + 4);
	expect_last_words(
	    CODE_NOT_UNDERSTOOD, "frame type 2 has a fact that this end does not know");
	assert_int_equal(agent.counts[SESSION_WELCOME], 0);
	stop();
}

/* What one owner adds, the other hears; in version 1 only a hello has facts, in a frame of their own. */
static void
facts_reach_the_owner(void **state)
{
	struct frame_announce announce = {
		.endpoint = 1, .carriers = 1, .weight = 1, .server_name = "a", .facts = some_facts
	};
	const struct frame_drain drain = { .deadline_ms = 7, .facts = some_facts };
	static const struct {
		uint8_t oldest, newest;
		const char *to_relay, *to_agent;
	} cases[] = {
		{ 2, 2, "abc abc abc ", "abc abc " },
		{ 1, 2, "abc abc abc ", "abc abc " },
		{ 1, 1, "abc - - ", "- - " },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct frame_hello what = hello;
		what.oldest = cases[i].oldest;
		what.newest = cases[i].newest;
		what.facts = some_facts;
		start(&what);
		session_announce(agent.session, &announce);
		loop_advance(loop, 0);
		session_drain(agent.session, &drain);
		session_drain(relay.session, &drain);
		loop_advance(loop, 1000 / SESSION_FRAMES_PER_SECOND);
		assert_string_equal(relay.facts, cases[i].to_relay);
		assert_string_equal(agent.facts, cases[i].to_agent);
		stop();
	}
}

/* ---- frames of several ---- */

enum { MANY = 1000 };

static void
announce_many(void)
{
	struct frame_announce announce = { .carriers = 1, .weight = 100, .name = "shop" };
	for (uint32_t i = 1; i <= MANY; i++) {
		announce.endpoint = i;
		snprintf(announce.server_name, NAME_TEXT, "host-%04u.example.com", i);
		session_announce(agent.session, &announce);
	}
}

static void
a_thousand_names_take_a_few_frames(void **state)
{
	(void)state;
	start(&hello);
	announce_many();
	loop_advance(loop, 10 * 1000 / SESSION_FRAMES_PER_SECOND);
	assert_int_equal(relay.counts[SESSION_ANNOUNCE], MANY);
	for (uint32_t i = 1; i <= MANY; i++)
		if (i % 500)
			session_accept(relay.session, i);
		else
			session_refuse_endpoint(relay.session, i, CODE_NAME_TAKEN, "taken");
	loop_advance(loop, 0);
	loop_advance(loop, 10 * 1000 / SESSION_FRAMES_PER_SECOND);
	/* 1 to 499, not 500, 501 to 999, not 1000; and in this order. */
	assert_int_equal(agent.range_count, 4);
	assert_int_equal(agent.ranges[0].last, 499);
	assert_int_equal(agent.ranges[1].first, 500);
	assert_int_equal(agent.ranges[2].last, 999);
	assert_int_equal(agent.ranges[3].last, 1000);
	assert_int_equal(agent.counts[SESSION_ACCEPTED], 2);
	assert_int_equal(agent.counts[SESSION_REFUSED], 2);
	stop();
}

/* Each announcement takes 20 bytes, its refusal 420: what waits to be read waits. */
static void
who_asks_faster_than_it_reads_is_not_thrown_out(void **state)
{
	enum { FRAMES = 20, EACH = 100 };
	struct frame_announce announce = { .carriers = 1, .weight = 1, .server_name = "a.b" };
	struct frame_refused_many refused;
	struct frame_range range;
	(void)state;
	refuses_at_length = true;
	start_raw_agent();
	say_hello(1, 2);
	for (int i = 0; i < FRAMES; i++) {
		uint8_t out[FRAME_BYTES];
		size_t bytes = 0;
		for (int k = 0; k < EACH; k++) {
			announce.endpoint++;
			bytes = frame_add_announce(out, bytes, &announce);
		}
		assert_true(link_send(raw.link, out, bytes));
	}
	loop_advance(loop, 10 + FRAMES * 1000 / SESSION_FRAMES_PER_SECOND);
	refuses_at_length = false;
	assert_true(session_is_up(relay.session));
	assert_int_equal(relay.counts[SESSION_ANNOUNCE], FRAMES * EACH);
	assert_true(frame_decode_refused_many(cursor_over(raw.last, raw.last_bytes), &refused));
	assert_true(frame_next_range(&refused.ranges, &range));
	assert_int_equal(range.last, FRAMES * EACH);
	stop();
}

/* Each range may be about all endpoints. */
static void
the_next_answer_to_several_is_read_in_its_turn(void **state)
{
	enum { FRAMES = 20 };
	const struct frame_refused refusal = { .endpoint = 1, .code = CODE_NAME_TAKEN, .sentence = "no" };
	struct frame_welcome second = welcome;
	uint8_t out[FRAME_BYTES];
	size_t accepted_bytes;
	(void)state;
	start_raw_relay(&hello);
	second.version = 2;
	say_raw(out, frame_encode_welcome(out, &second));
	accepted_bytes = frame_add_accepted(out, 0, 1);
	for (int i = 0; i < FRAMES; i++)
		say_raw(out, accepted_bytes);
	assert_int_equal(agent.counts[SESSION_ACCEPTED], 1);
	loop_advance(loop, FRAMES * 1000 / SESSION_FRAMES_PER_SECOND);
	assert_int_equal(agent.counts[SESSION_ACCEPTED], FRAMES);
	say_raw(out, frame_add_refused(out, 0, &refusal));
	say_raw(out, frame_add_refused(out, 0, &refusal));
	assert_int_equal(agent.counts[SESSION_REFUSED], 1);
	stop();
}

static void
announcements_keep_their_place_among_other_frames(void **state)
{
	const struct frame_announce announce = {
		.endpoint = 1, .carriers = 1, .weight = 1, .server_name = "a.b"
	};
	struct frame_welcome second = welcome;
	uint8_t out[FRAME_BYTES];
	(void)state;
	start_raw_relay(&hello);
	second.version = 2;
	say_raw(out, frame_encode_welcome(out, &second));
	session_announce(agent.session, &announce);
	session_withdraw(agent.session, 1);
	session_announce(agent.session, &announce);
	session_announce(agent.session, &announce);
	session_goodbye(agent.session, CODE_SHUTDOWN, "");
	loop_advance(loop, 0);
	assert_string_equal(raw.events, "open 1 12 4 12 11 over ");
	stop();
}

static void
a_frame_of_several_counts_as_one(void **state)
{
	(void)state;
	start_raw_agent();
	say_hello(1, 2);
	for (int i = 0; i < SESSION_FRAMES_PER_SECOND - 2; i++) {
		relay.next_endpoint = 0;
		say_hex("00190c"
			"000a"
			"00000001"
			"01"
			"0001"
			"0161"
			"00"
			"000a"
			"00000002"
			"01"
			"0001"
			"0162"
			"00");
		loop_advance(loop, 1000 / SESSION_FRAMES_PER_SECOND);
	}
	assert_int_equal(relay.counts[SESSION_ANNOUNCE], 2 * (SESSION_FRAMES_PER_SECOND - 2));
	stop();
}

static void
refusals_may_be_lifted(void **state)
{
	(void)state;
	start(&hello);
	session_again(relay.session, CODE_NAME_RESERVED);
	loop_advance(loop, 0);
	assert_int_equal(agent.counts[SESSION_AGAIN], 1);
	assert_int_equal(agent.last.again.code, CODE_NAME_RESERVED);
	stop();
	/* Version 1 skips it, because it may. */
	start_raw_agent();
	say_hello(1, 1);
	session_again(relay.session, CODE_NAME_RESERVED);
	loop_advance(loop, 0);
	assert_string_equal(raw.events, "open 2 129 ");
	stop();
}

/* ---- the budget ---- */

static void
who_says_too_much_is_read_a_second_at_a_time(void **state)
{
	static const uint8_t withdraw[] = { 0, 5, FRAME_WITHDRAW, 0, 0, 0, 1 };
	enum { ALL = 3 * SESSION_FRAMES_PER_SECOND };
	(void)state;
	start_raw_agent();
	say_hello(1, 2);
	for (int i = 0; i < ALL; i++)
		assert_true(link_send(raw.link, withdraw, sizeof withdraw));
	loop_advance(loop, 0);
	/* The hello was the first of this second. */
	assert_int_equal(relay.counts[SESSION_WITHDRAW], SESSION_FRAMES_PER_SECOND - 1);
	loop_advance(loop, 999);
	assert_int_equal(relay.counts[SESSION_WITHDRAW], SESSION_FRAMES_PER_SECOND - 1);
	loop_advance(loop, 1);
	assert_int_equal(relay.counts[SESSION_WITHDRAW], 2 * SESSION_FRAMES_PER_SECOND - 1);
	loop_advance(loop, 2000);
	assert_int_equal(relay.counts[SESSION_WITHDRAW], ALL);
	stop();
}

/* They are read no faster than the budget allows in the long run, so that others have their turn. */
static const uint8_t several[] = { 0, 25, FRAME_ANNOUNCE_MANY, 0, 10, 0, 0, 0, 1, 1, 0, 1,
	1, 'a', 0, 0, 10, 0, 0, 0, 2, 1, 0, 1, 1, 'b', 0 };

static void
frames_of_several_that_come_at_once_are_read_one_by_one(void **state)
{
	(void)state;
	start_raw_agent();
	say_hello(1, 2);
	for (int i = 0; i < 3; i++)
		assert_true(link_send(raw.link, several, sizeof several));
	for (unsigned i = 1; i <= 3; i++) {
		relay.next_endpoint = 0;
		loop_advance(loop, i > 1 ? 1 : 0);
		assert_int_equal(relay.counts[SESSION_ANNOUNCE], 2 * i);
		loop_advance(loop, 1000 / SESSION_FRAMES_PER_SECOND - 1);
		assert_int_equal(relay.counts[SESSION_ANNOUNCE], 2 * i);
	}
	stop();
}

/* Timers are late on a busy machine, and the budget is one of frames a second all the same. */
static void
a_rest_that_took_too_long_makes_the_next_one_shorter(void **state)
{
	(void)state;
	start_raw_agent();
	say_hello(1, 2);
	for (int i = 0; i < 4; i++)
		assert_true(link_send(raw.link, several, sizeof several));
	relay.next_endpoint = 0;
	loop_advance(loop, 0);
	clock_fake_move(clock_us() + 8000);
	relay.next_endpoint = 0;
	loop_advance(loop, 0);
	assert_int_equal(relay.counts[SESSION_ANNOUNCE], 4);
	loop_advance(loop, 1);
	assert_int_equal(relay.counts[SESSION_ANNOUNCE], 4);
	relay.next_endpoint = 0;
	loop_advance(loop, 1);
	assert_int_equal(relay.counts[SESSION_ANNOUNCE], 6);
	/* One that took much longer counts for nothing. */
	clock_fake_move(clock_us() + 20000);
	relay.next_endpoint = 0;
	loop_advance(loop, 0);
	assert_int_equal(relay.counts[SESSION_ANNOUNCE], 8);
	stop();
}

/* For half a minute the queue is never empty, and the heartbeat lives. */
static void
a_heartbeat_lives_beside_a_flood(void **state)
{
	(void)state;
	start(&hello);
	for (int second = 0; second < 30; second++) {
		for (int i = 0; i < 2 * SESSION_FRAMES_PER_SECOND; i++)
			session_withdraw(agent.session, 1);
		loop_advance(loop, 2000);
		assert_true(session_is_up(relay.session));
		assert_true(session_is_up(agent.session));
	}
	assert_int_equal(relay.counts[SESSION_WITHDRAW], 30 * 2 * SESSION_FRAMES_PER_SECOND);
	stop();
}

/* A rest of ours, however short the tolerance, is no silence of the peer's. */
static void
our_rest_is_not_the_peers_silence(void **state)
{
	static const uint8_t withdraw[] = { 0, 5, FRAME_WITHDRAW, 0, 0, 0, 1 };
	(void)state;
	start_raw_agent();
	say_hello(1, 2);
	session_set_tolerance(relay.session, 0);
	loop_advance(loop, 9900);
	for (int i = 0; i < SESSION_FRAMES_PER_SECOND; i++)
		assert_true(link_send(raw.link, withdraw, sizeof withdraw));
	loop_advance(loop, 0);
	assert_true(loop_advance(loop, 10500));
	assert_true(session_is_up(relay.session));
	loop_advance(loop, 600);
	assert_int_equal(session_over_code(relay.session), CODE_HEARTBEAT_LOST);
	stop();
}

/* Flows come one by one, from all workers; the agent must not be late with its channels for that. */
static void
needs_stay_within_the_budget(void **state)
{
	(void)state;
	start(&hello);
	session_need(relay.session, 1);
	loop_advance(loop, 0);
	assert_int_equal(agent.needed, 1); /* the first one does not wait */
	for (unsigned ms = 1; ms <= 3000; ms++) {
		session_need(relay.session, 1);
		loop_advance(loop, 1);
		assert_in_range(agent.needed, ms > 10 ? ms - 10 : 1, ms + 1);
	}
	loop_advance(loop, 10);
	assert_int_equal(agent.needed, 3001);
	assert_in_range(agent.counts[SESSION_NEED], 1, 3 * SESSION_FRAMES_PER_SECOND / 2 + 2);
	session_need(relay.session, UINT16_MAX);
	session_need(relay.session, UINT16_MAX);
	loop_advance(loop, 20);
	assert_int_equal(agent.needed, 3001 + 2 * UINT16_MAX);
	stop();
}

/* ---- ends ---- */

static void
who_waits_in_vain_for_a_greeting_says_so(void **state)
{
	(void)state;
	start_raw_agent();
	loop_advance(loop, 4999);
	assert_string_equal(raw.events, "open ");
	loop_advance(loop, 1);
	assert_string_equal(raw.events, "open 11 over ");
	expect_last_words(CODE_HEARTBEAT_LOST, "no hello in time");
	stop();
	start_raw_relay(&hello);
	loop_advance(loop, 5000);
	assert_string_equal(raw.events, "open 1 11 over ");
	expect_last_words(CODE_HEARTBEAT_LOST, "no welcome in time");
	stop();
}

static void
a_peer_that_reads_nothing_is_not_waited_for(void **state)
{
	struct session_answer answer = { 0 };
	uint32_t said = 0;
	(void)state;
	start_raw_agent();
	say_hello(1, 2);
	memset(answer.sentence, 'x', sizeof answer.sentence - 1);
	link_pause(raw.link);
	for (; session_is_up(relay.session) && said < 10000; said++) {
		session_refuse_endpoint(relay.session, said + 1, CODE_NAME_TAKEN, "taken");
		session_accept(relay.session, said + 1);
	}
	assert_in_range(said, 1, 9999);
	assert_string_equal(
	    session_error(relay.session), "the peer does not take what is sent to it");
	assert_int_equal(session_over_code(relay.session), CODE_NONE);
	stop();
}

/* A peer that has shut its ears: what we send fails, and what it may still say is waited for. */
static void
who_is_gone_is_not_called_slow(void **state)
{
	(void)state;
	start_raw_agent();
	say_hello(1, 2);
	link_pause(raw.link);
	shutdown(tls_stream(link_tls(raw.link))->fd, SHUT_RD);
	for (int i = 0; i < 3; i++) {
		session_accept(relay.session, 1);
		loop_advance(loop, 10);
	}
	assert_string_equal(session_error(relay.session), "");
	loop_advance(loop, 3000);
	assert_false(session_is_up(relay.session));
	assert_string_equal(session_error(relay.session), "the connection was reset");
	stop();
}

static int
set_up_clock(void **state)
{
	clock_fake(1000000000, 1767225600000000);
	return set_up(state);
}

static int
tear_down_clock(void **state)
{
	int result = tear_down(state);
	clock_fake(0, 0);
	return result;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_that_speak_it_take_version_2),
		cmocka_unit_test(an_old_agent_is_served_in_its_own_words),
		cmocka_unit_test(a_new_agent_goes_on_working_at_an_old_relay),
		cmocka_unit_test(words_of_version_2_are_unknown_in_version_1),
		cmocka_unit_test(a_range_from_2_to_1_is_malformed),
		cmocka_unit_test(only_what_was_offered_may_be_chosen),
		cmocka_unit_test(facts_of_a_hello_are_judged_wherever_they_stand),
		cmocka_unit_test(facts_reach_the_owner),
		cmocka_unit_test(a_strange_announcement_costs_its_endpoint_only),
		cmocka_unit_test(a_strange_drain_or_welcome_ends_the_session),
		cmocka_unit_test(a_thousand_names_take_a_few_frames),
		cmocka_unit_test(who_asks_faster_than_it_reads_is_not_thrown_out),
		cmocka_unit_test(the_next_answer_to_several_is_read_in_its_turn),
		cmocka_unit_test(announcements_keep_their_place_among_other_frames),
		cmocka_unit_test(a_frame_of_several_counts_as_one),
		cmocka_unit_test(refusals_may_be_lifted),
		cmocka_unit_test(who_says_too_much_is_read_a_second_at_a_time),
		cmocka_unit_test(frames_of_several_that_come_at_once_are_read_one_by_one),
		cmocka_unit_test(a_rest_that_took_too_long_makes_the_next_one_shorter),
		cmocka_unit_test(a_heartbeat_lives_beside_a_flood),
		cmocka_unit_test(our_rest_is_not_the_peers_silence),
		cmocka_unit_test(needs_stay_within_the_budget),
		cmocka_unit_test(who_waits_in_vain_for_a_greeting_says_so),
		cmocka_unit_test(a_peer_that_reads_nothing_is_not_waited_for),
		cmocka_unit_test(who_is_gone_is_not_called_slow),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("session_version", tests, set_up_clock, tear_down_clock);
}
