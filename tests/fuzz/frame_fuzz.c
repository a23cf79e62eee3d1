/*
 * A stream of frames, cut and decoded as version 1 and as version 2.  Whatever is
 * taken must be encodable again (no assertion may fall), and there is one encoding
 * only: what comes out is what went in, with all its facts.
 */
#include <stdlib.h>
#include <string.h>

#include "tunnel/address_facts.h"
#include "tunnel/frame.h"

union fuzzed_frame {
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
	struct frame_again again;
	struct frame_resumed resumed;
};

/* With facts, without, with nothing but its type. */
#define FACTS(name, call) \
	static bool decode_##name(struct cursor in, unsigned version, union fuzzed_frame *any) \
	{ \
		(void)version; \
		return call != FRAME_WRONG; \
	}
#define PLAIN(name, decoder) \
	static bool decode_##name(struct cursor in, unsigned version, union fuzzed_frame *any) \
	{ \
		(void)version; \
		return frame_decode_##decoder(in, &any->decoder); \
	}
#define ENCODE(name, member) \
	static size_t encode_##name(uint8_t *out, unsigned version, const union fuzzed_frame *any) \
	{ \
		(void)version; \
		return frame_encode_##name(out, &any->member); \
	}
#define ENCODE_FACTS(name) \
	static size_t encode_##name(uint8_t *out, unsigned version, const union fuzzed_frame *any) \
	{ \
		return frame_encode_##name(out, version, &any->name); \
	}
FACTS(hello, frame_decode_hello(in, &any->hello))
FACTS(welcome, frame_decode_welcome(in, &any->welcome))
FACTS(announce, frame_decode_announce(in, version, &any->announce))
FACTS(drain, frame_decode_drain(in, version, &any->drain))
FACTS(open, frame_decode_open(in, version, &any->open))
FACTS(ready, frame_decode_ready(in, version, &any->ready))
FACTS(facts, frame_decode_facts(in, &any->hello))
PLAIN(withdraw, withdraw)
PLAIN(accepted, accepted)
PLAIN(refused, refused)
PLAIN(ping, ping)
PLAIN(need, need)
PLAIN(goodbye, goodbye)
PLAIN(again, again)
PLAIN(resumed, resumed)
ENCODE(hello, hello)
ENCODE(welcome, welcome)
ENCODE_FACTS(announce)
ENCODE(withdraw, withdraw)
ENCODE(accepted, accepted)
ENCODE(refused, refused)
ENCODE(ping, ping)
ENCODE(pong, ping)
ENCODE(need, need)
ENCODE_FACTS(drain)
ENCODE(goodbye, goodbye)
ENCODE(fail, goodbye)
ENCODE_FACTS(open)
ENCODE_FACTS(ready)
ENCODE(facts, hello)
ENCODE(again, again)
ENCODE(resumed, resumed)

static bool
decode_working(struct cursor in, unsigned version, union fuzzed_frame *any)
{
	(void)version;
	(void)any;
	return frame_decode_working(in);
}

static size_t
encode_working(uint8_t *out, unsigned version, const union fuzzed_frame *any)
{
	(void)version;
	(void)any;
	return frame_encode_working(out);
}

static bool
decode_unable(struct cursor in, unsigned version, union fuzzed_frame *any)
{
	(void)version;
	(void)any;
	return frame_decode_unable(in);
}

static size_t
encode_unable(uint8_t *out, unsigned version, const union fuzzed_frame *any)
{
	(void)version;
	(void)any;
	return frame_encode_unable(out);
}

static const struct fuzzed_kind {
	bool (*decode)(struct cursor, unsigned version, union fuzzed_frame *);
	size_t (*encode)(uint8_t *, unsigned version, const union fuzzed_frame *);
} kinds[] = {
	[FRAME_HELLO] = { decode_hello, encode_hello },
	[FRAME_WELCOME] = { decode_welcome, encode_welcome },
	[FRAME_ANNOUNCE] = { decode_announce, encode_announce },
	[FRAME_WITHDRAW] = { decode_withdraw, encode_withdraw },
	[FRAME_ACCEPTED] = { decode_accepted, encode_accepted },
	[FRAME_REFUSED] = { decode_refused, encode_refused },
	[FRAME_PING] = { decode_ping, encode_ping },
	[FRAME_PONG] = { decode_ping, encode_pong },
	[FRAME_NEED] = { decode_need, encode_need },
	[FRAME_DRAIN] = { decode_drain, encode_drain },
	[FRAME_GOODBYE] = { decode_goodbye, encode_goodbye },
	[FRAME_OPEN] = { decode_open, encode_open },
	[FRAME_READY] = { decode_ready, encode_ready },
	[FRAME_FAIL] = { decode_goodbye, encode_fail },
	[FRAME_WORKING] = { decode_working, encode_working },
	[FRAME_UNABLE] = { decode_unable, encode_unable },
	[FRAME_AGAIN] = { decode_again, encode_again },
	[FRAME_FACTS] = { decode_facts, encode_facts },
	[FRAME_RESUMED] = { decode_resumed, encode_resumed },
};

static void
must(bool claim)
{
	if (!claim)
		abort();
}

/* Lists become rules, and these the same lists again, unless they have no room in one announcement. */
static void
try_lists(struct facts facts)
{
	uint8_t storage[ADDRESS_FACTS_BYTES];
	struct writer w = writer_over(storage, sizeof storage);
	struct address_rules *rules, *again;
	must(address_facts_make(facts, &rules));
	address_facts_put(&w, rules);
	must(!w.failed);
	must(address_facts_make(facts_of(&w), &again));
	must(address_rules_equal(rules, again) || facts.bytes > ADDRESS_FACTS_MOST);
	address_rules_release(rules);
	address_rules_release(again);
}

static void
try_frame(const struct frame *frame, unsigned version)
{
	static const struct fuzzed_kind unknown;
	bool is_known = (size_t)frame->type < sizeof kinds / sizeof *kinds;
	const struct fuzzed_kind *kind = is_known ? &kinds[frame->type] : &unknown;
	uint8_t out[FRAME_BYTES];
	union fuzzed_frame any;
	if (!kind->decode)
		return;
	if (!kind->decode(cursor_over(frame->body, frame->body_bytes), version, &any))
		return;
	size_t bytes = kind->encode(out, version, &any);
	must(bytes == frame->bytes);
	must(memcmp(out + FRAME_HEADER, frame->body, frame->body_bytes) == 0);
	if (frame->type == FRAME_ANNOUNCE)
		try_lists(any.announce.facts);
}

/* All of them fit into one frame again. */
static void
try_announcements(struct cursor in)
{
	struct frame_announce_many many;
	struct frame_announce one;
	uint8_t out[FRAME_BYTES];
	size_t bytes = 0, left = in.left;
	if (!frame_decode_announce_many(in, &many))
		return;
	while (frame_next_announce(&many.announcements, &one) != FRAME_WRONG) {
		bytes = frame_add_announce(out, bytes, &one);
		must(bytes > 0);
	}
	must(cursor_end(&many.announcements) && bytes == FRAME_HEADER + left);
}

static void
try_ranges(struct cursor ranges)
{
	struct frame_range range;
	size_t count = ranges.left / 8;
	must(ranges.left % 8 == 0 && count > 0);
	while (count-- > 0)
		must(frame_next_range(&ranges, &range) && range.first >= 1 &&
		    range.first <= range.last);
	must(!frame_next_range(&ranges, &range));
}

/* Those of whom each is added by itself come out in order, and as one. */
static void
try_withdrawn(struct cursor ranges)
{
	struct frame_range range;
	uint8_t out[FRAME_BYTES];
	size_t bytes = 0, count = 0;
	while (frame_next_range(&ranges, &range))
		for (uint64_t i = range.first; i <= range.last; i++) {
			bytes = frame_add_withdraw(out, bytes, (uint32_t)i);
			must(bytes > 0 && ++count <= WITHDRAWN_MOST);
		}
	must(count > 0);
	if (count == WITHDRAWN_MOST)
		must(frame_add_withdraw(out, bytes, 1) == 0);
}

static void
try_several(const struct frame *frame)
{
	struct cursor in = cursor_over(frame->body, frame->body_bytes);
	struct frame_withdraw_many withdrawn;
	struct frame_accepted_many accepted;
	struct frame_refused_many refused;
	if (frame->type == FRAME_WITHDRAW_MANY && frame_decode_withdraw_many(in, &withdrawn))
		try_withdrawn(withdrawn.ranges);
	if (frame->type == FRAME_ANNOUNCE_MANY)
		try_announcements(in);
	if (frame->type == FRAME_ACCEPTED_MANY && frame_decode_accepted_many(in, &accepted))
		try_ranges(accepted.ranges);
	if (frame->type == FRAME_REFUSED_MANY && frame_decode_refused_many(in, &refused))
		try_ranges(refused.ranges);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame frame;
	while (frame_next(data, size, &frame) == FRAME_COMPLETE) {
		if (frame.bytes > size || frame.body_bytes + FRAME_HEADER != frame.bytes)
			abort();
		try_frame(&frame, 1);
		try_frame(&frame, 2);
		try_several(&frame);
		data += frame.bytes;
		size -= frame.bytes;
	}
	return 0;
}
