/* Tests of tunnel/address_facts: lists of addresses on the wire, and what cannot be one. */
#include "tunnel/address_facts.h"

#include "tunnel/frame.h"
#include "tunnel/peer.h"

static struct prefix
prefix(const char *text)
{
	struct prefix out;
	assert_true(prefix_parse(&out, text));
	return out;
}

static bool
lets_in(const struct address_rules *rules, const char *client)
{
	struct address address;
	assert_true(address_parse(&address, client));
	return address_rules_admit(rules, &address);
}

static void
lists_have_the_bytes_of_the_manual(void **state)
{
	const struct prefix allow[] = { prefix("203.0.113.0/24"), prefix("2001:db8:9::/48") };
	const struct prefix deny[] = { prefix("203.0.113.128/25"), prefix("0.0.0.0/3") };
	struct address_rules *rules =
	    address_rules_new((struct address_list){ allow, 2 }, (struct address_list){ deny, 2 }), *got;
	uint8_t storage[ADDRESS_FACTS_BYTES];
	struct writer w = writer_over(storage, sizeof storage);
	static const char wanted[] = "\x80\x02\0\x0d" "\4\x18\xcb\0\x71" "\6\x30\x20\1\x0d\xb8\0\x09"
	    "\x80\x03\0\x09" "\4\3\0" "\4\x19\xcb\0\x71\x80";
	(void)state;
	address_facts_put(&w, rules);
	assert_int_equal(w.bytes, sizeof wanted - 1);
	assert_memory_equal(storage, wanted, sizeof wanted - 1);
	assert_int_equal(address_facts_count(facts_of(&w)), 4);
	assert_true(address_facts_make(facts_of(&w), &got));
	assert_true(address_rules_equal(rules, got));
	address_rules_release(rules);
	address_rules_release(got);
}

static void
without_lists_nothing_is_said(void **state)
{
	uint8_t storage[ADDRESS_FACTS_BYTES];
	struct writer w = writer_over(storage, sizeof storage);
	struct address_rules *got;
	(void)state;
	address_facts_put(&w, NULL);
	assert_int_equal(w.bytes, 0);
	assert_true(address_facts_make(facts_of(&w), &got));
	assert_null(got);
}

static void
what_cannot_be_a_list_is_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t count;
		bool is_fine;
	} lists[] = {
		{ "", 0, false },
		{ "\4\0", 2, true },
		{ "\6\0", 2, true },
		{ "\4\x20\1\2\3\4", 6, true },
		{ "\4\x20\1\2\3", 5, false },               /* cut */
		{ "\4", 1, false },
		{ "\4\x20\1\2\3\4\4", 7, false },
		{ "\4\x21\1\2\3\4", 6, false },             /* longer than an address */
		{ "\4\xff\1\2\3\4", 6, false },
		{ "\6\x81" "0123456789abcdef", 18, false },
		{ "\6\x80" "0123456789abcdef", 18, true },
		{ "\0\0", 2, false },                         /* families that there are not */
		{ "\5\0", 2, false },
		{ "\4\7\3", 3, false },                      /* a bit behind the length */
		{ "\4\7\2", 3, true },
		{ "\6\x60\0\0\0\0\0\0\0\0\0\0\xff\xff", 14, false }, /* IPv4-mapped */
		{ "\6\x68\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a", 15, false },
		{ "\6\x5f\0\0\0\0\0\0\0\0\0\0\xff\xfe", 14, true },
		{ "\4\0\4\0", 4, true },                     /* twice, in any order */
		{ "\4\0\4\7\3", 5, false },                 /* such a bit in the last of several */
		{ "\4\0\4\x21", 4, false },
		{ "\4\0\5\0", 4, false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		if (address_facts_are_well_formed(cursor_over(lists[i].bytes, lists[i].count)) != lists[i].is_fine)
			fail_msg("list %zu", i);
}

/* One announcement of as many IPv4 hosts in each of the two facts. */
static enum frame_sense
decode_with(size_t allowed, size_t denied)
{
	uint8_t facts[8 + 6 * 2 * (ADDRESS_RULES_MOST + 1)], value[6 * (ADDRESS_RULES_MOST + 1)], out[FRAME_BYTES];
	struct writer w = writer_over(facts, sizeof facts), list = writer_over(value, sizeof value);
	struct frame_announce announce = { .endpoint = 1, .weight = 1, .carriers = 1, .server_name = "a.b" }, got;
	for (uint32_t i = 0; i <= ADDRESS_RULES_MOST; i++) {
		writer_u16(&list, 0x0420);
		writer_u32(&list, i);
	}
	if (allowed > 0)
		facts_put(&w, FACT_ALLOW, value, 6 * allowed);
	if (denied > 0)
		facts_put(&w, FACT_DENY, value, 6 * denied);
	assert_false(w.failed || list.failed);
	announce.facts = facts_of(&w);
	size_t bytes = frame_encode_announce(out, 2, &announce);
	return frame_decode_announce(cursor_over(out + FRAME_HEADER, bytes - FRAME_HEADER), 2, &got);
}

static void
both_lists_together_have_a_bound(void **state)
{
	enum { MOST = ADDRESS_RULES_MOST };
	(void)state;
	assert_int_equal(decode_with(MOST, 0), FRAME_FINE);
	assert_int_equal(decode_with(0, MOST), FRAME_FINE);
	assert_int_equal(decode_with(MOST / 2, MOST / 2), FRAME_FINE);
	assert_int_equal(decode_with(MOST + 1, 0), FRAME_WRONG);
	assert_int_equal(decode_with(0, MOST + 1), FRAME_WRONG);
	assert_int_equal(decode_with(MOST / 2, MOST / 2 + 1), FRAME_WRONG);
}

/* Hosts of IPv6, each in a /64 of its own. */
static struct address_rules *
many_hosts(size_t allowed, size_t denied)
{
	static struct prefix hosts[ADDRESS_RULES_MOST];
	uint8_t octets[16] = { 0x20, 1, [15] = 1 };
	for (size_t i = 0; i < ADDRESS_RULES_MOST; i++) {
		octets[6] = (uint8_t)i;
		assert_true(prefix_from(&hosts[i], octets, 16, 128));
	}
	return address_rules_new((struct address_list){ hosts, allowed },
	    (struct address_list){ hosts + allowed, denied });
}

/* With the longest names, alone and in a frame of several. */
static struct address_rules *
travel(const struct address_rules *rules, size_t *count)
{
	uint8_t storage[ADDRESS_FACTS_BYTES], one[FRAME_BYTES], many[FRAME_BYTES];
	struct writer w = writer_over(storage, sizeof storage);
	struct frame_announce announce = { .endpoint = 1, .weight = 1, .carriers = 1 }, got;
	struct address_rules *out;
	address_facts_put(&w, rules);
	assert_false(w.failed);
	memset(announce.server_name, 'a', sizeof announce.server_name - 1);
	memset(announce.name, 'b', sizeof announce.name - 1);
	announce.facts = facts_of(&w);
	size_t bytes = frame_encode_announce(one, 2, &announce);
	assert_true(frame_add_announce(many, 0, &announce) > 0);
	assert_int_equal(frame_decode_announce(cursor_over(one + FRAME_HEADER, bytes - FRAME_HEADER), 2, &got),
	    FRAME_FINE);
	*count = address_facts_count(got.facts);
	assert_true(address_facts_make(got.facts, &out));
	return out;
}

static void
lists_that_fit_arrive_as_they_are(void **state)
{
	enum { FIT = ADDRESS_FACTS_MOST / 18 };
	struct address_rules *sent = many_hosts(FIT - 20, 20), *got;
	size_t count;
	(void)state;
	got = travel(sent, &count);
	assert_int_equal(count, FIT);
	assert_true(address_rules_equal(sent, got));
	address_rules_release(sent);
	address_rules_release(got);
}

/* Nobody is shut out who is let in. */
static void
lists_that_do_not_fit_arrive_wider(void **state)
{
	struct address_rules *sent = many_hosts(200, 56), *got;
	size_t count;
	(void)state;
	got = travel(sent, &count);
	assert_int_equal(count, 200);
	assert_true(lets_in(sent, "[2001:0:0:500::1]:1") && lets_in(got, "[2001:0:0:500::1]:1"));
	assert_true(!lets_in(sent, "[2001:0:0:500::2]:1") && lets_in(got, "[2001:0:0:500::2]:1"));
	assert_true(!lets_in(sent, "[2001:0:0:501::1]:1") && !lets_in(got, "[2001:0:0:501::1]:1"));
	address_rules_release(sent);
	address_rules_release(got);
	sent = many_hosts(0, ADDRESS_RULES_MOST);
	got = travel(sent, &count);
	assert_true(!lets_in(sent, "[2001:0:0:500::1]:1") && lets_in(got, "[2001:0:0:500::1]:1"));
	assert_null(got);
	address_rules_release(sent);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_have_the_bytes_of_the_manual),
		cmocka_unit_test(without_lists_nothing_is_said),
		cmocka_unit_test(what_cannot_be_a_list_is_refused),
		cmocka_unit_test(both_lists_together_have_a_bound),
		cmocka_unit_test(lists_that_fit_arrive_as_they_are),
		cmocka_unit_test(lists_that_do_not_fit_arrive_wider),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("address_facts", tests, NULL, NULL);
}
