/* Every frame there and back, each of its prefixes refused, and the bytes of valise-protocol(7). */
#include "tunnel/frame.h"

#include "base/units.h"
#include "tunnel/peer.h"
#include "tunnel/version1.h"

union any {
	struct frame_hello hello;
	struct frame_welcome welcome;
	struct frame_announce announce;
	struct frame_withdraw withdraw;
	struct frame_accepted accepted;
	struct frame_refused refused;
	struct frame_ping ping;
	struct frame_need need;
	struct frame_drain drain;
	struct frame_goodbye goodbye;
	struct frame_open open;
	struct frame_ready ready;
};

/* As in a session of which version. */
static unsigned version = 1;

/* With facts, or without. */
#define FACTS(name, call) \
	static enum frame_sense decode_##name(struct cursor in, union any *out) \
	{ \
		return call; \
	}
#define PLAIN(name) \
	static enum frame_sense decode_##name(struct cursor in, union any *out) \
	{ \
		return frame_decode_##name(in, &out->name) ? FRAME_FINE : FRAME_WRONG; \
	}
FACTS(hello, frame_decode_hello(in, &out->hello))
FACTS(welcome, frame_decode_welcome(in, &out->welcome))
FACTS(announce, frame_decode_announce(in, version, &out->announce))
FACTS(drain, frame_decode_drain(in, version, &out->drain))
FACTS(open, frame_decode_open(in, version, &out->open))
PLAIN(withdraw)
PLAIN(accepted)
PLAIN(refused)
PLAIN(ping)
PLAIN(need)
PLAIN(goodbye)

static enum frame_sense
decode_ready(struct cursor in, union any *out)
{
	return frame_decode_ready(in, version, &out->ready);
}

static const struct frame_hello hello = {
	.oldest = 1, .newest = 2, .features = FEATURE_HANDOFF, .software = "valise-agent 0.1.0",
	.instance = "0123456789abcde", .start = "startid", .region = "eu-west",
	    .heartbeat_ms = 10000,
	.label_count = 2, .labels = { { "rack", "7" }, { "zone", "" } },
};
static const struct frame_welcome welcome = {
	.version = 1, .session_id = "fedcba987654321", .relay = "relay-1", .pool_least = 4,
	.pool_most = 256, .heartbeat_ms = 10000, .tolerance_ms = 15000,
};
static const struct frame_announce announce = {
	.endpoint = 7, .carriers = 1u << CARRIER_SEALED, .weight = 100,
	    .server_name = "*.example.com",
	.name = "shop",
};
static const struct frame_refused refused = { 7, CODE_NAME_TAKEN,
    "example.com is served by another agent" };
static const struct frame_ping ping = { 0x01020304, 0x1122334455667788 };
static const struct frame_goodbye goodbye = { CODE_DRAINING, "" };

static struct frame_open
an_open(void)
{
	struct frame_open open = { .flow_id = "0123456789abcde", .endpoint = 7,
	    .server_name = "app.example.com",
		.carrier = CARRIER_SEALED, .hello_bytes = 517 };
	assert_true(address_parse(&open.client, "192.0.2.9:51000"));
	assert_true(address_parse(&open.listener, "[2001:db8::1]:443"));
	return open;
}

/* One of each kind: its bytes, its decoder. */
struct sample {
	uint8_t bytes[FRAME_BYTES];
	size_t count;
	enum frame_sense (*decode)(struct cursor, union any *);
	enum frame_type type;
};

enum { SAMPLES = 14 };
static struct sample samples[SAMPLES];

static int
set_up(void **state)
{
	struct sample *s = samples;
	const struct frame_open open = an_open();
	(void)state;
#define SAMPLE(kind, decoder, encode) \
	s->type = kind; s->decode = decoder; s->count = encode; s++
	SAMPLE(FRAME_HELLO, decode_hello, frame_encode_hello(s->bytes, &hello));
	SAMPLE(FRAME_WELCOME, decode_welcome, frame_encode_welcome(s->bytes, &welcome));
	SAMPLE(FRAME_ANNOUNCE, decode_announce, frame_encode_announce(s->bytes, 1, &announce));
	SAMPLE(FRAME_WITHDRAW, decode_withdraw, frame_encode_withdraw(s->bytes,
	    &(struct frame_withdraw){ 7 }));
	SAMPLE(FRAME_ACCEPTED, decode_accepted, frame_encode_accepted(s->bytes,
	    &(struct frame_accepted){ 7 }));
	SAMPLE(FRAME_REFUSED, decode_refused, frame_encode_refused(s->bytes, &refused));
	SAMPLE(FRAME_PING, decode_ping, frame_encode_ping(s->bytes, &ping));
	SAMPLE(FRAME_PONG, decode_ping, frame_encode_pong(s->bytes, &ping));
	SAMPLE(FRAME_NEED, decode_need, frame_encode_need(s->bytes, &(struct frame_need){ 3 }));
	SAMPLE(FRAME_DRAIN, decode_drain, frame_encode_drain(s->bytes, 1,
	    &(struct frame_drain){ .deadline_ms = 30000 }));
	SAMPLE(FRAME_GOODBYE, decode_goodbye, frame_encode_goodbye(s->bytes, &goodbye));
	SAMPLE(FRAME_OPEN, decode_open, frame_encode_open(s->bytes, 1, &open));
	SAMPLE(FRAME_READY, decode_ready, frame_encode_ready(s->bytes, 1, &(struct frame_ready){ 0 }));
	SAMPLE(FRAME_FAIL, decode_goodbye, frame_encode_fail(s->bytes, &goodbye));
	return s == samples + SAMPLES ? 0 : -1;
}

static struct cursor
body_of(const struct sample *s)
{
	return cursor_over(s->bytes + FRAME_HEADER, s->count - FRAME_HEADER);
}

static void
a_frame_is_cut_exactly_and_not_before_it_is_whole(void **state)
{
	(void)state;
	for (int i = 0; i < SAMPLES; i++) {
		struct frame frame;
		for (size_t n = 0; n < samples[i].count; n++)
			assert_int_equal(frame_next(samples[i].bytes, n, &frame), FRAME_INCOMPLETE);
		/* One byte of the next frame stands behind it. */
		assert_int_equal(frame_next(samples[i].bytes, samples[i].count + 1, &frame),
		    FRAME_COMPLETE);
		assert_int_equal(frame.type, samples[i].type);
		assert_int_equal(frame.bytes, samples[i].count);
		assert_ptr_equal(frame.body, samples[i].bytes + FRAME_HEADER);
		assert_int_equal(frame.body_bytes, samples[i].count - FRAME_HEADER);
	}
}

static void
lengths_out_of_range_are_malformed_at_once(void **state)
{
	struct frame frame;
	(void)state;
	assert_int_equal(frame_next((const uint8_t *)"\x00\x00", 2, &frame), FRAME_MALFORMED);
	assert_int_equal(frame_next((const uint8_t *)"\x10\x01", 2, &frame), FRAME_MALFORMED);
	assert_int_equal(frame_next((const uint8_t *)"\xff\xff", 2, &frame), FRAME_MALFORMED);
	assert_int_equal(frame_next((const uint8_t *)"\x10\x00", 2, &frame), FRAME_INCOMPLETE);
}

static void
what_is_cut_short_or_has_a_tail_is_refused(void **state)
{
	(void)state;
	for (int i = 0; i < SAMPLES; i++) {
		union any out;
		struct cursor whole = body_of(&samples[i]);
		assert_true(samples[i].decode(whole, &out));
		for (size_t n = 0; n < whole.left; n++)
			assert_false(samples[i].decode(cursor_over(whole.at, n), &out));
		assert_false(samples[i].decode(cursor_over(whole.at, whole.left + 1), &out));
	}
}

static void
values_survive_the_journey(void **state)
{
	union any out;
	char text[ADDRESS_TEXT];
	(void)state;
	memset(&out, 0, sizeof out);
	assert_true(decode_hello(body_of(&samples[0]), &out));
	assert_memory_equal(&out.hello, &hello, sizeof hello);
	memset(&out, 0, sizeof out);
	assert_true(decode_welcome(body_of(&samples[1]), &out));
	assert_memory_equal(&out.welcome, &welcome, sizeof welcome);
	memset(&out, 0, sizeof out);
	assert_true(decode_announce(body_of(&samples[2]), &out));
	assert_memory_equal(&out.announce, &announce, sizeof announce);
	assert_true(decode_refused(body_of(&samples[5]), &out));
	assert_int_equal(out.refused.code, CODE_NAME_TAKEN);
	assert_string_equal(out.refused.sentence, refused.sentence);
	assert_true(decode_ping(body_of(&samples[6]), &out));
	assert_int_equal(out.ping.sent_at_us, ping.sent_at_us);
	assert_true(decode_open(body_of(&samples[11]), &out));
	assert_string_equal(address_text(&out.open.client, text), "192.0.2.9:51000");
	assert_string_equal(address_text(&out.open.listener, text), "[2001:db8::1]:443");
	assert_string_equal(out.open.server_name, "app.example.com");
	assert_int_equal(out.open.hello_bytes, 517);
}

static void
a_client_without_an_address_is_told_as_such(void **state)
{
	union any out;
	struct sample s = { .type = FRAME_OPEN };
	struct frame_open open = an_open();
	(void)state;
	open.client = (struct address){ 0 };
	s.count = frame_encode_open(s.bytes, 1, &open);
	assert_true(decode_open(body_of(&s), &out));
	assert_int_equal(out.open.client.bytes, 0);
	assert_int_equal(address_port(&out.open.listener), 443);
}

static void
the_longest_texts_fit_and_longer_ones_are_refused(void **state)
{
	union any out;
	struct sample s = { 0 };
	struct frame_announce most = announce;
	struct frame_refused long_winded = refused;
	(void)state;
	memset(most.server_name, 'a', NAME_TEXT - 1);
	memset(most.name, 'b', SHORT_TEXT - 1);
	s.count = frame_encode_announce(s.bytes, 1, &most);
	assert_true(decode_announce(body_of(&s), &out));
	assert_int_equal(strlen(out.announce.server_name), 253);
	/* The name's length stands behind the three numbers. */
	s.bytes[FRAME_HEADER + 7] = 254;
	assert_false(decode_announce(body_of(&s), &out));
	memset(long_winded.sentence, 'c', SENTENCE_TEXT - 1);
	s.count = frame_encode_refused(s.bytes, &long_winded);
	assert_true(decode_refused(body_of(&s), &out));
	assert_int_equal(strlen(out.refused.sentence), SENTENCE_TEXT - 1);
}

/* Where in the body, what is put there: a value that its field may not have. */
static const struct nonsense {
	enum frame_type type;
	size_t at;
	uint8_t value;
} nonsense[] = {
	{ FRAME_HELLO, 0, 0 },			/* version 0 */
	{ FRAME_HELLO, 0, 3 },			/* oldest above newest */
	{ FRAME_HELLO, 7, 0 },			/* a NUL in a text */
	{ FRAME_WELCOME, 29, 0xff },		/* pool_least above pool_most */
	{ FRAME_ANNOUNCE, 3, 0 },		/* endpoint 0 */
	{ FRAME_ANNOUNCE, 6, 0 },		/* weight 0 */
	{ FRAME_ANNOUNCE, 5, 0xff },		/* weight 65380 */
	{ FRAME_WITHDRAW, 3, 0 },
	{ FRAME_ACCEPTED, 3, 0 },
	{ FRAME_OPEN, FLOW_ID_BYTES + 3, 0 },	/* endpoint 0 */
	{ FRAME_OPEN, FLOW_ID_BYTES + 4 + 16, 5 },	/* no such address family */
};

static void
values_out_of_range_are_refused(void **state)
{
	union any out;
	(void)state;
	for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++)
		for (int k = 0; k < SAMPLES; k++) {
			struct sample s = samples[k];
			if (s.type != nonsense[i].type)
				continue;
			s.bytes[FRAME_HEADER + nonsense[i].at] = nonsense[i].value;
			if (s.decode(body_of(&s), &out))
				fail_msg("nonsense %zu was taken", i);
		}
}

/* The examples that the manual prints. */
static void
the_bytes_are_those_of_the_manual(void **state)
{
	static const struct { enum frame_type type; const char *hex; } manual[] = {
		{ FRAME_ANNOUNCE,
		    "001b03" "00000007" "01" "0064" "0d2a2e6578616d706c652e636f6d" "0473686f70" },
		{ FRAME_PING, "000d07" "01020304" "1122334455667788" },
		{ FRAME_NEED, "000309" "0003" },
		{ FRAME_READY, "000111" },
	};
	char hex[2 * FRAME_BYTES + 1];
	(void)state;
	for (size_t i = 0; i < sizeof manual / sizeof *manual; i++)
		for (int k = 0; k < SAMPLES; k++)
			if (samples[k].type == manual[i].type)
				assert_string_equal(hex_encode(hex, samples[k].bytes,
				    samples[k].count),
				    manual[i].hex);
}

/* The samples are those of version1.h. */
static void
version_1_is_said_as_it_always_was(void **state)
{
	char hex[2 * FRAME_BYTES + 1];
	(void)state;
	for (int i = 0; i < SAMPLES; i++) {
		assert_int_equal(samples[i].type, version1[i].type);
		assert_string_equal(hex_encode(hex, samples[i].bytes, samples[i].count),
		    version1[i].hex);
	}
}

/* ---- version 2 ---- */

/* The samples once more, as version 2: hello and welcome say it themselves. */
static void
become_version_2(struct sample out[SAMPLES])
{
	memcpy(out, samples, sizeof samples);
	out[0].bytes[FRAME_HEADER] = 2;
	out[1].bytes[FRAME_HEADER] = 2;
	version = 2;
}

static void
what_has_no_facts_looks_the_same_in_both_versions(void **state)
{
	static struct sample second[SAMPLES];
	union any out;
	(void)state;
	become_version_2(second);
	for (int i = 0; i < SAMPLES; i++) {
		struct cursor whole = body_of(&second[i]);
		assert_int_equal(second[i].decode(whole, &out), FRAME_FINE);
		for (size_t n = 0; n < whole.left; n++)
			assert_int_equal(second[i].decode(cursor_over(whole.at, n), &out),
			    FRAME_WRONG);
	}
	version = 1;
}

static const struct tail {
	uint8_t bytes[16];
	size_t count;
	enum frame_sense sense;
} tails[] = {
	{ { 0x8f, 0xff, 0, 0 }, 4, FRAME_FINE },
	{ { 0x8f, 0xff, 0, 3, 'a', 'b', 'c' }, 7, FRAME_FINE },
	{ { 0x8f, 0xff, 0, 0, 0x90, 0, 0, 1, 0 }, 9, FRAME_FINE },
	{ { 0, 1, 0, 0 }, 4, FRAME_NOT_UNDERSTOOD },
	{ { 0, 0, 0, 2, 1, 2 }, 6, FRAME_NOT_UNDERSTOOD },
	{ { 0x7f, 0xff, 0, 0, 0x8f, 0xff, 0, 1, 0 }, 9, FRAME_NOT_UNDERSTOOD },
	/* Doubled, out of order. */
	{ { 0x8f, 0xff, 0, 0, 0x8f, 0xff, 0, 0 }, 8, FRAME_WRONG },
	{ { 0, 1, 0, 0, 0, 1, 0, 0 }, 8, FRAME_WRONG },
	{ { 0x90, 0, 0, 0, 0x8f, 0xff, 0, 0 }, 8, FRAME_WRONG },
	{ { 0x8f, 0xff, 0, 0, 0, 1, 0, 0 }, 8, FRAME_WRONG },
	/* Lengths that do not add up, also behind one that is not understood. */
	{ { 0x8f }, 1, FRAME_WRONG },
	{ { 0x8f, 0xff }, 2, FRAME_WRONG },
	{ { 0x8f, 0xff, 0 }, 3, FRAME_WRONG },
	{ { 0x8f, 0xff, 0, 1 }, 4, FRAME_WRONG },
	{ { 0x8f, 0xff, 0xff, 0xff, 0 }, 5, FRAME_WRONG },
	{ { 0, 1, 0, 0, 0x8f, 0xff, 0, 2, 0 }, 9, FRAME_WRONG },
};

static bool
has_facts(enum frame_type type)
{
	return type == FRAME_HELLO || type == FRAME_WELCOME || type == FRAME_ANNOUNCE ||
	    type == FRAME_DRAIN || type == FRAME_OPEN || type == FRAME_READY;
}

static void
facts_are_skipped_or_must_be_understood(void **state)
{
	static struct sample second[SAMPLES];
	union any out;
	(void)state;
	become_version_2(second);
	for (int i = 0; i < SAMPLES; i++)
		for (size_t k = 0; k < sizeof tails / sizeof *tails; k++) {
			struct sample s = second[i];
			memcpy(s.bytes + s.count, tails[k].bytes, tails[k].count);
			s.count += tails[k].count;
			enum frame_sense wanted = has_facts(s.type) ? tails[k].sense : FRAME_WRONG;
			if (s.decode(body_of(&s), &out) != wanted)
				fail_msg("tail %zu of a frame of type %d", k, s.type);
			s.bytes[FRAME_HEADER] = samples[i].bytes[FRAME_HEADER];
			version = 1;
			assert_int_equal(s.decode(body_of(&s), &out), FRAME_WRONG);
			version = 2;
		}
	version = 1;
}

static void
what_stands_before_a_strange_fact_is_known(void **state)
{
	struct sample s = samples[2];
	union any out;
	(void)state;
	memcpy(s.bytes + s.count, "\x00\x09\x00\x00", 4);
	s.count += 4;
	assert_int_equal(frame_decode_announce(body_of(&s), 2, &out.announce),
	    FRAME_NOT_UNDERSTOOD);
	assert_int_equal(out.announce.endpoint, 7);
}

static void
facts_of_an_older_hello_are_judged_alike(void **state)
{
	struct frame_hello out = { 0 };
	(void)state;
	assert_int_equal(frame_decode_facts(cursor_over("", 0), &out), FRAME_FINE);
	for (size_t k = 0; k < sizeof tails / sizeof *tails; k++)
		assert_int_equal(frame_decode_facts(cursor_over(tails[k].bytes, tails[k].count),
		    &out), tails[k].sense);
}

/* What comes out of a decoder goes into the encoder again: the same bytes, in the frames of version 2 that
 * have facts. */
static void
facts_come_out_as_they_went_in(void **state)
{
	static const uint8_t list[] = { 0x8f, 0xff, 0, 3, 'a', 'b', 'c', 0x90, 0, 0, 0 };
	const struct facts facts = { list, sizeof list };
	struct frame_hello some_hello = hello, heard = { 0 };
	struct frame_welcome some_welcome = welcome;
	struct frame_announce some_announce = announce;
	struct frame_drain drain = { .deadline_ms = 1, .facts = facts };
	struct frame_open open = an_open();
	struct frame_ready ready = { facts };
	struct { enum frame_sense (*decode)(struct cursor, union any *); uint8_t bytes[FRAME_BYTES];
		size_t count; size_t at; } cases[6] = {
		{ .decode = decode_hello, .at = offsetof(struct frame_hello, facts) },
		{ .decode = decode_welcome, .at = offsetof(struct frame_welcome, facts) },
		{ .decode = decode_announce, .at = offsetof(struct frame_announce, facts) },
		{ .decode = decode_drain, .at = offsetof(struct frame_drain, facts) },
		{ .decode = decode_open, .at = offsetof(struct frame_open, facts) },
		{ .decode = decode_ready, .at = offsetof(struct frame_ready, facts) },
	};
	(void)state;
	some_hello.facts = some_welcome.facts = some_announce.facts = open.facts = facts;
	some_hello.oldest = some_welcome.version = 2;
	for (version = 2; version > 0; version--) {
		some_hello.oldest = some_welcome.version = (uint8_t)version;
		cases[0].count = frame_encode_hello(cases[0].bytes, &some_hello);
		cases[1].count = frame_encode_welcome(cases[1].bytes, &some_welcome);
		cases[2].count = frame_encode_announce(cases[2].bytes, version, &some_announce);
		cases[3].count = frame_encode_drain(cases[3].bytes, version, &drain);
		cases[4].count = frame_encode_open(cases[4].bytes, version, &open);
		cases[5].count = frame_encode_ready(cases[5].bytes, version, &ready);
		for (size_t i = 0; i < 6; i++) {
			struct cursor body = cursor_over(cases[i].bytes + FRAME_HEADER,
			    cases[i].count - FRAME_HEADER);
			union any out;
			struct facts got;
			assert_int_equal(cases[i].decode(body, &out), FRAME_FINE);
			memcpy(&got, (const char *)&out + cases[i].at, sizeof got);
			assert_int_equal(got.bytes, version == 2 ? sizeof list : 0);
			if (version == 2)
				assert_memory_equal(got.at, list, sizeof list);
		}
	}
	version = 1;
	cases[0].count = frame_encode_facts(cases[0].bytes, &some_hello);
	assert_int_equal(cases[0].count, FRAME_HEADER + sizeof list);
	assert_int_equal(frame_decode_facts(cursor_over(cases[0].bytes + FRAME_HEADER, sizeof list),
	    &heard), FRAME_FINE);
	assert_int_equal(heard.facts.bytes, sizeof list);
}

/* The budget takes its place among the owner's facts. */
static void
a_welcome_has_its_owners_facts_beside_the_budget(void **state)
{
	static const uint8_t list[] = { 0x80, 0, 0, 0, 0x90, 0, 0, 0 };
	struct sample s = { 0 };
	struct frame_welcome told = welcome;
	union any out;
	(void)state;
	told.version = 2;
	told.frames_per_second = 200;
	told.facts = (struct facts){ list, sizeof list };
	s.count = frame_encode_welcome(s.bytes, &told);
	assert_int_equal(decode_welcome(body_of(&s), &out), FRAME_FINE);
	assert_int_equal(out.welcome.frames_per_second, 200);
	assert_int_equal(out.welcome.facts.bytes, 16);
	assert_memory_equal(out.welcome.facts.at, "\x80\0\0\0\x80\1\0\4\0\0\0\xc8\x90\0\0\0", 16);
}

static void
a_welcome_tells_the_budget_from_version_2_on(void **state)
{
	struct sample s = { 0 };
	struct frame_welcome told = welcome;
	union any out;
	(void)state;
	told.frames_per_second = 200;
	s.count = frame_encode_welcome(s.bytes, &told);
	assert_int_equal(s.count, samples[1].count);
	told.version = 2;
	s.count = frame_encode_welcome(s.bytes, &told);
	assert_int_equal(s.count, samples[1].count + 8);
	assert_int_equal(decode_welcome(body_of(&s), &out), FRAME_FINE);
	assert_int_equal(out.welcome.frames_per_second, 200);
	/* Known, so its value is judged: not 0, 4 bytes. */
	memset(s.bytes + s.count - 4, 0, 4);
	assert_int_equal(decode_welcome(body_of(&s), &out), FRAME_WRONG);
	s.bytes[s.count - 5] = 3;
	s.bytes[s.count - 2] = 1;
	s.count--;
	assert_int_equal(decode_welcome(body_of(&s), &out), FRAME_WRONG);
}

static void
a_welcome_tells_the_relays_clock_from_version_2_on(void **state)
{
	struct sample s = { 0 };
	struct frame_welcome told = welcome;
	union any out;
	(void)state;
	told.clock_s = 1795816800;
	told.version = 2;
	s.count = frame_encode_welcome(s.bytes, &told);
	assert_memory_equal(s.bytes + s.count - 12, "\x80\4\0\10\0\0\0\0\x6b\x09\xfd\x60", 12);
	assert_int_equal(decode_welcome(body_of(&s), &out), FRAME_FINE);
	assert_int_equal(out.welcome.clock_s, 1795816800);
}

static void
a_hello_for_a_dry_run_must_be_understood(void **state)
{
	static const uint8_t dry[] = { 0, 0x11, 0, 0 }, long_one[] = { 0, 0x11, 0, 1, 0 };
	struct sample s = { 0 };
	struct frame_hello told = hello;
	struct cursor value;
	union any out;
	(void)state;
	told.oldest = told.newest = 2;
	told.facts = (struct facts){ dry, sizeof dry };
	s.count = frame_encode_hello(s.bytes, &told);
	assert_int_equal(decode_hello(body_of(&s), &out), FRAME_FINE);
	assert_true(facts_find(out.hello.facts, FACT_DRY_RUN, &value));
	told.facts = (struct facts){ long_one, sizeof long_one };
	s.count = frame_encode_hello(s.bytes, &told);
	assert_int_equal(decode_hello(body_of(&s), &out), FRAME_WRONG);
}

static void
the_place_in_a_welcome_has_two_octets(void **state)
{
	static const struct {
		uint8_t fact[8];
		size_t bytes;
		enum frame_sense sense;
	} rows[] = {
		{ { 0x80, 0x31, 0, 2, 0x20, 0 }, 6, FRAME_FINE },
		{ { 0x80, 0x31, 0, 2, 0, 0 }, 6, FRAME_FINE },
		{ { 0x80, 0x31, 0, 1, 0x20 }, 5, FRAME_WRONG },
		{ { 0x80, 0x31, 0, 3, 0x20, 0, 0 }, 7, FRAME_WRONG },
	};
	struct frame_welcome told = welcome;
	struct cursor place;
	union any out;
	(void)state;
	told.version = 2;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct sample s = { 0 };
		told.facts = (struct facts){ rows[i].fact, rows[i].bytes };
		s.count = frame_encode_welcome(s.bytes, &told);
		assert_int_equal(decode_welcome(body_of(&s), &out), rows[i].sense);
	}
	for (size_t i = 0; i < 2; i++) {
		assert_true(facts_find((struct facts){ rows[i].fact, rows[i].bytes }, FACT_PLACE,
		    &place));
		assert_int_equal(cursor_u16(&place), i == 0 ? 0x2000 : 0);
	}
}

static void
a_full_frame_of_announcements_is_read_one_by_one(void **state)
{
	uint8_t bytes[FRAME_BYTES];
	struct frame_announce one = announce, out;
	struct frame_announce_many many;
	size_t count = 0, next = 0, last = 0;
	(void)state;
	one.endpoint = 1;
	for (; (next = frame_add_announce(bytes, next, &one)) > 0; one.endpoint++) {
		last = next;
		count++;
	}
	/* 2 of length, 7 of numbers, 14 and 5 of texts. */
	assert_int_equal(count, (FRAME_MOST - 1) / 28);
	assert_int_equal(last, FRAME_HEADER + count * 28);
	assert_int_equal(bytes[2], FRAME_ANNOUNCE_MANY);
	assert_true(frame_decode_announce_many(cursor_over(bytes + FRAME_HEADER,
	    last - FRAME_HEADER), &many));
	for (uint32_t i = 1; i <= count; i++) {
		assert_int_equal(frame_next_announce(&many.announcements, &out), FRAME_FINE);
		assert_int_equal(out.endpoint, i);
		assert_string_equal(out.server_name, announce.server_name);
	}
	assert_int_equal(frame_next_announce(&many.announcements, &out), FRAME_WRONG);
	for (size_t n = 0; n < last - FRAME_HEADER; n++)
		assert_int_equal(frame_decode_announce_many(cursor_over(bytes + FRAME_HEADER, n),
		    &many), n > 0 && n % 28 == 0);
}

static void
one_strange_fact_spoils_its_own_announcement_only(void **state)
{
	static const uint8_t body[] = {
		0, 10, 0, 0, 0, 1, 1, 0, 1, 1, 'a', 0,
		0, 14, 0, 0, 0, 2, 1, 0, 1, 1, 'b', 0, 0, 1, 0, 0,
		0, 15, 0, 0, 0, 3, 1, 0, 1, 1, 'c', 0, 0x90, 0, 0, 1, 9,
	};
	struct frame_announce_many many;
	struct frame_announce out;
	(void)state;
	assert_true(frame_decode_announce_many(cursor_over(body, sizeof body), &many));
	assert_int_equal(frame_next_announce(&many.announcements, &out), FRAME_FINE);
	assert_int_equal(frame_next_announce(&many.announcements, &out), FRAME_NOT_UNDERSTOOD);
	assert_int_equal(out.endpoint, 2);
	assert_int_equal(frame_next_announce(&many.announcements, &out), FRAME_FINE);
	assert_string_equal(out.server_name, "c");
	assert_int_equal(frame_next_announce(&many.announcements, &out), FRAME_WRONG);
}

static void
numbers_that_follow_each_other_become_one_range(void **state)
{
	static const uint32_t numbers[] = { 1, 2, 3, 7, 9, 10, 10 };
	uint8_t bytes[FRAME_BYTES];
	char hex[2 * FRAME_BYTES + 1];
	size_t count = 0;
	(void)state;
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		assert_true((count = frame_add_accepted(bytes, count, numbers[i])) > 0);
	assert_string_equal(hex_encode(hex, bytes, count), "00210d" "0000000100000003"
	    "0000000700000007" "000000090000000a" "0000000a0000000a");
	/* The last number has no next one. */
	count = frame_add_accepted(bytes, 0, UINT32_MAX);
	assert_int_equal(frame_add_accepted(bytes, count, 1), count + 8);
}

static void
a_full_frame_of_ranges_takes_no_more(void **state)
{
	uint8_t bytes[FRAME_BYTES];
	size_t count = 0, next;
	uint32_t number = 1;
	(void)state;
	for (; (next = frame_add_accepted(bytes, count, number)) > 0; number += 2)
		count = next;
	assert_int_equal(count, FRAME_HEADER + (FRAME_MOST - 1) / 8 * 8);
	/* The last range can still grow. */
	assert_int_equal(frame_add_accepted(bytes, count, number - 1), count);
}

static void
refusals_go_together_when_their_reason_is_one(void **state)
{
	uint8_t bytes[FRAME_BYTES];
	struct frame_refused one = { 7, CODE_NAME_TAKEN, "taken" };
	struct frame_refused_many out;
	struct frame_range range;
	size_t count = frame_add_refused(bytes, 0, &one);
	(void)state;
	one.endpoint = 8;
	assert_int_equal(frame_add_refused(bytes, count, &one), count);
	one.code = CODE_NAME_RESERVED;
	assert_int_equal(frame_add_refused(bytes, count, &one), 0);
	one = (struct frame_refused){ 9, CODE_NAME_TAKEN, "taken by another" };
	assert_int_equal(frame_add_refused(bytes, count, &one), 0);
	assert_int_equal(frame_add_accepted(bytes, count, 9), 0);
	assert_true(frame_decode_refused_many(cursor_over(bytes + FRAME_HEADER,
	    count - FRAME_HEADER), &out));
	assert_int_equal(out.code, CODE_NAME_TAKEN);
	assert_string_equal(out.sentence, "taken");
	assert_true(frame_next_range(&out.ranges, &range));
	assert_int_equal(range.first, 7);
	assert_int_equal(range.last, 8);
	assert_false(frame_next_range(&out.ranges, &range));
}

static void
ranges_that_are_none_are_refused(void **state)
{
	static const struct { uint8_t bytes[16]; size_t count; bool is_fine; } ranges[] = {
		{ { 0, 0, 0, 1, 0, 0, 0, 1 }, 8, true },
		{ { 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff }, 8, true },
		{ { 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 9 }, 16, true },
		{ { 0 }, 0, false },
		{ { 0, 0, 0, 1, 0, 0, 0 }, 7, false },
		{ { 0, 0, 0, 1, 0, 0, 0, 1, 0 }, 9, false },
		{ { 0, 0, 0, 0, 0, 0, 0, 1 }, 8, false },
		{ { 0, 0, 0, 2, 0, 0, 0, 1 }, 8, false },
	};
	struct frame_accepted_many out;
	(void)state;
	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
		assert_int_equal(frame_decode_accepted_many(cursor_over(ranges[i].bytes,
		    ranges[i].count), &out), ranges[i].is_fine);
}

static void
expect_bytes(const uint8_t *bytes, size_t count, const char *wanted)
{
	char hex[2 * FRAME_BYTES + 1];
	assert_string_equal(hex_encode(hex, bytes, count), wanted);
}

static void
a_mark_names_an_endpoint(void **state)
{
	static const struct {
		uint8_t tail[9];
		size_t count;
		enum frame_sense sense;
	} marks[] = {
		{ { 0, 16, 0, 4, 0, 0, 0, 7 }, 8, FRAME_FINE },
		{ { 0, 16, 0, 4, 0, 0, 0, 0 }, 8, FRAME_WRONG },
		{ { 0, 16, 0, 3, 0, 0, 7 }, 7, FRAME_WRONG },
		{ { 0, 16, 0, 5, 0, 0, 0, 0, 7 }, 9, FRAME_WRONG },
		{ { 0, 16, 0, 0 }, 4, FRAME_WRONG },
	};
	struct cursor marked;
	(void)state;
	for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
		struct sample s = samples[2];
		union any out;
		memcpy(s.bytes + s.count, marks[i].tail, marks[i].count);
		s.count += marks[i].count;
		assert_int_equal(
		    frame_decode_announce(body_of(&s), 2, &out.announce), marks[i].sense);
		if (marks[i].sense != FRAME_FINE)
			continue;
		assert_true(facts_find(out.announce.facts, FACT_PENDING, &marked));
		assert_int_equal(cursor_u32(&marked), 7);
	}
}

/* One octet each; which one is for later versions to say, too. */
static void
an_announcement_says_how_flows_are_divided(void **state)
{
	static const struct {
		uint8_t tail[16];
		size_t count;
		enum frame_sense sense;
		uint8_t balance, priority;
	} rows[] = {
		{ { 0 }, 0, FRAME_FINE, BALANCE_LEAST, 0 },
		{ { 0x80, 0x20, 0, 1, 1 }, 5, FRAME_FINE, BALANCE_SOURCE, 0 },
		{ { 0x80, 0x20, 0, 1, 1, 0x80, 0x21, 0, 1, 255 }, 10, FRAME_FINE, BALANCE_SOURCE, 255 },
		{ { 0x80, 0x21, 0, 1, 9 }, 5, FRAME_FINE, BALANCE_LEAST, 9 },
		{ { 0x80, 0x20, 0, 1, 77 }, 5, FRAME_FINE, 77, 0 },
		{ { 0x80, 0x20, 0, 0 }, 4, FRAME_WRONG, 0, 0 },
		{ { 0x80, 0x20, 0, 2, 0, 1 }, 6, FRAME_WRONG, 0, 0 },
		{ { 0x80, 0x21, 0, 2, 0, 1 }, 6, FRAME_WRONG, 0, 0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sample s = samples[2];
		union any out;
		memcpy(s.bytes + s.count, rows[i].tail, rows[i].count);
		s.count += rows[i].count;
		assert_int_equal(frame_decode_announce(body_of(&s), 2, &out.announce), rows[i].sense);
		if (rows[i].sense != FRAME_FINE)
			continue;
		assert_int_equal(facts_octet(out.announce.facts, FACT_BALANCE), rows[i].balance);
		assert_int_equal(facts_octet(out.announce.facts, FACT_PRIORITY), rows[i].priority);
	}
}

static void
what_is_said_of_it_is_said_in_its_place(void **state)
{
	static const uint8_t both[] = { 0x80, 0x20, 0, 1, 1, 0x80, 0x21, 0, 1, 2 };
	uint8_t storage[16];
	struct writer w = writer_over(storage, sizeof storage);
	(void)state;
	facts_put_octet(&w, FACT_PRIORITY, 2);
	facts_put_octet(&w, FACT_BALANCE, BALANCE_SOURCE);
	assert_int_equal(w.bytes, sizeof both);
	assert_memory_equal(storage, both, sizeof both);
	w = writer_over(storage, sizeof storage);
	facts_put_octet(&w, FACT_BALANCE, BALANCE_LEAST); /* what is not said */
	assert_int_equal(w.bytes, 0);
}

static void
the_bytes_of_version_2_are_those_of_the_manual(void **state)
{
	uint8_t bytes[FRAME_BYTES];
	struct frame_announce one = { .endpoint = 7, .carriers = 1, .weight = 100,
	    .server_name = "*.example.com" };
	struct frame_announce two = { .endpoint = 8, .carriers = 1, .weight = 100,
	    .server_name = "example.com", .name = "shop" };
	struct frame_welcome second = { .version = 2, .relay = "connect.example.net", .pool_least = 4,
	    .pool_most = 256, .heartbeat_ms = 10000, .tolerance_ms = 15000, .frames_per_second = 200 };
	(void)state;
	for (uint8_t i = 0; i < SESSION_ID_BYTES; i++)
		second.session_id[i] = i;
	expect_bytes(bytes, frame_encode_welcome(bytes, &second), "003e02" "02" "00000000"
	    "000102030405060708090a0b0c0d0e0f" "13636f6e6e6563742e6578616d706c652e6e6574"
	    "0004" "0100" "00002710" "00003a98" "8001" "0004" "000000c8");
	size_t count = frame_add_announce(bytes, 0, &one);
	expect_bytes(bytes, frame_add_announce(bytes, count, &two), "00330c"
	    "0016" "00000007" "01" "0064" "0d2a2e6578616d706c652e636f6d" "00"
	    "0018" "00000008" "01" "0064" "0b6578616d706c652e636f6d" "0473686f70");
	const uint8_t lists[] = { 0x80, 2, 0, 13, 4, 24, 203, 0, 113, 6, 48, 0x20, 1, 0x0d, 0xb8, 0, 9 };
	one.facts = (struct facts){ lists, sizeof lists };
	expect_bytes(bytes, frame_encode_announce(bytes, 2, &one), "0028" "03" "00000007" "01" "0064"
	    "0d2a2e6578616d706c652e636f6d" "00" "8002" "000d" "0418cb0071" "063020010db80009");
	const uint8_t stand_in[] = { 0x80, 0x20, 0, 1, 1, 0x80, 0x21, 0, 1, 2 };
	one.facts = (struct facts){ stand_in, sizeof stand_in };
	expect_bytes(bytes, frame_encode_announce(bytes, 2, &one), "0021" "03" "00000007" "01" "0064"
	    "0d2a2e6578616d706c652e636f6d" "00" "8020" "0001" "01" "8021" "0001" "02");
	const uint8_t mark[] = { 0, 16, 0, 4, 0, 0, 0, 8 };
	two.endpoint = 0x80000000;
	two.facts = (struct facts){ mark, sizeof mark };
	expect_bytes(bytes, frame_encode_announce(bytes, 2, &two), "0021" "03" "80000000" "01" "0064"
	    "0b6578616d706c652e636f6d" "0473686f70" "0010" "0004" "00000008");
	count = frame_add_accepted(bytes, 0, 7);
	expect_bytes(bytes, frame_add_accepted(bytes, count, 8), "00090d" "0000000700000008");
	count = frame_add_refused(bytes, 0, &(struct frame_refused){ 7, CODE_NAME_TAKEN, "taken" });
	expect_bytes(bytes, frame_add_refused(bytes, count,
	    &(struct frame_refused){ 8, CODE_NAME_TAKEN, "taken" }),
	    "00120e" "0015" "000574616b656e" "0000000700000008");
}

static void
small_frames_of_version_2_have_their_bytes(void **state)
{
	uint8_t bytes[FRAME_BYTES];
	struct frame_again again = { CODE_NAME_RESERVED };
	(void)state;
	assert_int_equal(frame_encode_again(bytes, &again), 5);
	assert_memory_equal(bytes, "\x00\x03\x81\x00\x16", 5);
	assert_true(frame_decode_again(cursor_over(bytes + FRAME_HEADER, 2), &again));
	assert_false(frame_decode_again(cursor_over(bytes + FRAME_HEADER, 1), &again));
	assert_int_equal(frame_encode_working(bytes), 3);
	assert_memory_equal(bytes, "\x00\x01\x13", 3);
	assert_true(frame_decode_working(cursor_over(bytes, 0)));
	assert_false(frame_decode_working(cursor_over(bytes, 1)));
	assert_int_equal(frame_encode_unable(bytes), 3);
	assert_int_equal(bytes[2], FRAME_UNABLE);
	assert_true(frame_decode_unable(cursor_over(bytes, 0)));
	assert_false(frame_decode_unable(cursor_over(bytes, 1)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_is_cut_exactly_and_not_before_it_is_whole),
		cmocka_unit_test(lengths_out_of_range_are_malformed_at_once),
		cmocka_unit_test(what_is_cut_short_or_has_a_tail_is_refused),
		cmocka_unit_test(values_survive_the_journey),
		cmocka_unit_test(a_client_without_an_address_is_told_as_such),
		cmocka_unit_test(the_longest_texts_fit_and_longer_ones_are_refused),
		cmocka_unit_test(values_out_of_range_are_refused),
		cmocka_unit_test(the_bytes_are_those_of_the_manual),
		cmocka_unit_test(version_1_is_said_as_it_always_was),
		cmocka_unit_test(what_has_no_facts_looks_the_same_in_both_versions),
		cmocka_unit_test(facts_are_skipped_or_must_be_understood),
		cmocka_unit_test(what_stands_before_a_strange_fact_is_known),
		cmocka_unit_test(facts_of_an_older_hello_are_judged_alike),
		cmocka_unit_test(facts_come_out_as_they_went_in),
		cmocka_unit_test(a_welcome_has_its_owners_facts_beside_the_budget),
		cmocka_unit_test(a_welcome_tells_the_budget_from_version_2_on),
		cmocka_unit_test(a_welcome_tells_the_relays_clock_from_version_2_on),
		cmocka_unit_test(a_hello_for_a_dry_run_must_be_understood),
		cmocka_unit_test(the_place_in_a_welcome_has_two_octets),
		cmocka_unit_test(a_full_frame_of_announcements_is_read_one_by_one),
		cmocka_unit_test(one_strange_fact_spoils_its_own_announcement_only),
		cmocka_unit_test(a_mark_names_an_endpoint),
		cmocka_unit_test(an_announcement_says_how_flows_are_divided),
		cmocka_unit_test(what_is_said_of_it_is_said_in_its_place),
		cmocka_unit_test(numbers_that_follow_each_other_become_one_range),
		cmocka_unit_test(a_full_frame_of_ranges_takes_no_more),
		cmocka_unit_test(refusals_go_together_when_their_reason_is_one),
		cmocka_unit_test(ranges_that_are_none_are_refused),
		cmocka_unit_test(the_bytes_of_version_2_are_those_of_the_manual),
		cmocka_unit_test(small_frames_of_version_2_have_their_bytes),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("frame", tests, set_up, NULL);
}
