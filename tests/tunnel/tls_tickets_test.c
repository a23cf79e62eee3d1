/* Tests of tunnel/tls_tickets: which keys are the same, and for how long. */
#include "tunnel/tls_tickets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/clock_fake.h"

struct sealing {
	uint8_t key[TLS_TICKETS_KEY];
};

static struct sealing
key_for(struct tls_tickets *tickets, const char *name, const char *protocol, bool is_sha384)
{
	const struct tls_tickets_scope scope = { name, protocol, is_sha384 };
	struct sealing sealing;
	tls_tickets_key(tickets, &scope, clock_ms(), sealing.key);
	return sealing;
}

static struct sealing
key_of(struct tls_tickets *tickets, const char *name, const char *protocol)
{
	return key_for(tickets, name, protocol, false);
}

static bool
same(struct sealing a, struct sealing b)
{
	return memcmp(a.key, b.key, sizeof a.key) == 0;
}

static void
a_key_is_of_one_name_one_protocol_and_one_hash(void **state)
{
	static const struct {
		const char *name, *protocol;
	} pairs[] = { { "a.test", "h2" }, { "a.test", "" }, { "a.tes", "th2" }, { "", "a.testh2" },
		{ "a.testh2", "" }, { "b.test", "h2" }, { "a.test", "http/1.1" } };
	struct tls_tickets *tickets = tls_tickets_new(), *others = tls_tickets_new();
	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		struct sealing here = key_of(tickets, pairs[i].name, pairs[i].protocol);
		for (size_t j = 0; j < sizeof pairs / sizeof *pairs; j++)
			assert_int_equal(
			    same(here, key_of(tickets, pairs[j].name, pairs[j].protocol)), i == j);
		assert_false(same(here, key_of(others, pairs[i].name, pairs[i].protocol)));
		assert_false(same(here, key_for(tickets, pairs[i].name, pairs[i].protocol, true)));
	}
	tls_tickets_release(tickets);
	tls_tickets_release(others);
}

static void
move_to(uint64_t ms)
{
	clock_fake_move(ms * 1000);
}

static void
a_master_lives_for_a_day_used_or_not(void **state)
{
	enum { BEGIN = 1000 };
	(void)state;
	clock_fake(BEGIN * UINT64_C(1000), 0);
	struct tls_tickets *tickets = tls_tickets_new();
	struct sealing first = key_of(tickets, "a", "");
	move_to(BEGIN + TLS_TICKETS_MASTER_MS - 1);
	tls_tickets_refresh(tickets, clock_ms());
	assert_true(same(first, key_of(tickets, "a", "")));
	move_to(BEGIN + TLS_TICKETS_MASTER_MS);
	struct sealing second = key_of(tickets, "a", "");
	assert_false(same(first, second));
	/* What nobody asks for is replaced, too: the next key at the same time is another one. */
	move_to(BEGIN + UINT64_C(2) * TLS_TICKETS_MASTER_MS);
	tls_tickets_refresh(tickets, clock_ms());
	move_to(BEGIN + UINT64_C(3) * TLS_TICKETS_MASTER_MS - 1);
	assert_false(same(second, key_of(tickets, "a", "")));
	tls_tickets_release(tickets);
	clock_fake(0, 0);
}

static void
one_that_goes_on_is_as_old_as_before(void **state)
{
	enum { BEGIN = 1000 };
	(void)state;
	clock_fake(BEGIN * UINT64_C(1000), 0);
	struct tls_tickets *before = tls_tickets_new();
	struct sealing first = key_of(before, "a", "");
	move_to(BEGIN + TLS_TICKETS_MASTER_MS - 1);
	struct tls_tickets *after = tls_tickets_new();
	assert_false(same(first, key_of(after, "a", "")));
	tls_tickets_continue(after, before);
	tls_tickets_release(before);
	assert_true(same(first, key_of(after, "a", "")));
	move_to(BEGIN + TLS_TICKETS_MASTER_MS);
	assert_false(same(first, key_of(after, "a", "")));
	tls_tickets_release(after);
	clock_fake(0, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_is_of_one_name_one_protocol_and_one_hash),
		cmocka_unit_test(a_master_lives_for_a_day_used_or_not),
		cmocka_unit_test(one_that_goes_on_is_as_old_as_before),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tls_tickets", tests, NULL, NULL);
}
