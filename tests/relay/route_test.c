#include "relay/route.h"

#include <string.h>
#include "relay/helpers.h"
#include "relay/member.h"
#include "relay/people.h"
#include "relay/tally.h"

static struct routes *routes;
static struct tallies *tallies;
static struct loop *loop;
static struct member *lost_member;
static uint32_t lost_endpoint;
static char sentence[SENTENCE_TEXT];

static struct member *
session(struct identity *identity)
{
	struct member_settings settings = { .loop = loop, .identity = identity, .pool_most = 4 };
	struct member *member;

	settings.tally = tally_of(tallies, identity->key);
	tally_enter(settings.tally, TALLY_SESSIONS, 0);
	member = member_new(&settings);
	assert_non_null(member);
	return member;
}

static void
over(struct member *member)
{
	member_retire(member);
	member_release(member);
}

static void
on_loss(const struct route_loss *loss)
{
	lost_member = loss->member;
	lost_endpoint = loss->endpoint;
	member_release(loss->member);
}

static enum code
announce(struct member *member, uint32_t endpoint, const char *pattern)
{
	struct route_announcement said = { member, endpoint, pattern, 100, 1 };

	return route_announce(routes, &said, sentence, on_loss);
}

static struct route_fixed *
fixed(const char *pattern, bool any_depth, const char *const *alpn, size_t alpn_count)
{
	struct route_fixed_settings facts = { .pattern = pattern, .any_depth = any_depth, .alpn = alpn,
	    .alpn_count = alpn_count, .target = "127.0.0.1:1" };

	return route_fixed_new(&facts);
}

static bool
offers_h2(void *arg, const char *alpn)
{
	return arg != NULL && strcmp(alpn, "h2") == 0;
}

static struct route_answer
find(const char *name)
{
	struct route_question question = { .name = name, .offers = offers_h2 };
	struct route_answer answer;

	assert_int_not_equal(route_find(routes, &question, &answer, NULL, NULL), ROUTE_LATER);
	route_fixed_release(answer.fixed);
	member_release(answer.member);
	return answer;
}

static int
set_up(void **state)
{
	(void)state;
	routes = route_table_new();
	tallies = tally_all_new();
	loop = loop_new();
	lost_member = NULL;
	lost_endpoint = 0;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	loop_free(loop);
	route_table_free(routes);
	tally_all_free(tallies);
	return 0;
}

static void
exact_beats_wildcard_and_longer_beats_shorter(void **state)
{
	struct route_fixed *all[] = { fixed("a.x.example", false, NULL, 0), fixed("*.x.example", false, NULL, 0),
	    fixed("*.b.x.example", false, NULL, 0), fixed("*.deep.example", true, NULL, 0) };
	static const char *const rows[][2] = {
		{ "a.x.example", "a.x.example" }, { "c.x.example", "*.x.example" },
		{ "c.b.x.example", "*.b.x.example" }, { "d.c.x.example", "" }, { "x.example", "" },
		{ "one.deep.example", "*.deep.example" }, { "two.one.deep.example", "*.deep.example" },
		{ "deep.example", "" }, { "example", "" },
	};

	(void)state;
	assert_true(route_set_fixed(routes, "", all, 4));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(find(rows[i][0]).pattern, rows[i][1]);
	for (int i = 0; i < 4; i++)
		route_fixed_release(all[i]);
}

static void
a_route_may_ask_for_an_alpn(void **state)
{
	static const char *const h2[] = { "h2" };
	struct route_fixed *all[] = { fixed("a.example", false, h2, 1), fixed("a.example", false, NULL, 0) };
	struct route_question question = { .name = "a.example", .offers = offers_h2, .arg = &question };
	struct route_answer answer;

	(void)state;
	assert_true(route_set_fixed(routes, "", all, 2));
	assert_int_equal(route_find(routes, &question, &answer, NULL, NULL), ROUTE_FIXED);
	assert_ptr_equal(answer.fixed, all[0]);
	route_fixed_release(answer.fixed);
	question.arg = NULL;
	assert_int_equal(route_find(routes, &question, &answer, NULL, NULL), ROUTE_FIXED);
	assert_ptr_equal(answer.fixed, all[1]);
	route_fixed_release(answer.fixed);
	route_fixed_release(all[0]);
	route_fixed_release(all[1]);
}

static void
only_what_is_granted_may_be_announced(void **state)
{
	struct identity alice = person("alice", "*.a.example", false);
	struct member *member = session(&alice);

	(void)state;
	assert_int_equal(announce(member, 1, "www.a.example"), CODE_NONE);
	assert_int_equal(announce(member, 2, "www.b.example"), CODE_NAME_NOT_GRANTED);
	assert_non_null(strstr(sentence, "'www.b.example'"));
	assert_int_equal(announce(member, 3, "a..example"), CODE_NAME_INVALID);
	assert_int_equal(find("www.a.example").verdict, ROUTE_AGENT);
	route_withdraw(routes, member, "www.a.example", 1);
	assert_int_equal(find("www.a.example").verdict, ROUTE_NONE);
	over(member);
}

static void
what_is_the_relays_own_is_reserved(void **state)
{
	struct identity alice = person("alice", "*.example", false);
	struct route_fixed *all[] = { fixed("shop.example", false, NULL, 0) };
	struct member *member = session(&alice);

	(void)state;
	assert_true(route_set_fixed(routes, "connect.example", all, 1));
	assert_int_equal(announce(member, 1, "shop.example"), CODE_NAME_RESERVED);
	assert_int_equal(announce(member, 1, "connect.example"), CODE_NAME_RESERVED);
	assert_true(route_set_fixed(routes, "", NULL, 0));
	assert_int_equal(announce(member, 1, "shop.example"), CODE_NONE);
	assert_false(route_is_reserved(routes, "shop.example"));
	route_withdraw(routes, member, "shop.example", 1);
	route_fixed_release(all[0]);
	over(member);
}

static void
an_exact_san_displaces_a_wildcard_san_and_not_the_other_way(void **state)
{
	struct identity wild = person("wild", "*.example", false), exact = person("exact", "a.example", false);
	struct member *w = session(&wild), *e = session(&exact);

	(void)state;
	assert_int_equal(announce(w, 7, "a.example"), CODE_NONE);
	assert_int_equal(announce(e, 1, "a.example"), CODE_NONE);
	assert_ptr_equal(lost_member, w);
	assert_int_equal(lost_endpoint, 7);
	assert_int_equal(announce(w, 7, "a.example"), CODE_NAME_TAKEN);
	route_withdraw(routes, e, "a.example", 1);
	assert_int_equal(announce(w, 7, "a.example"), CODE_NONE);
	route_withdraw(routes, w, "a.example", 7);
	over(w);
	over(e);
}

static void
between_equals_the_first_one_stays_unless_all_share(void **state)
{
	struct identity alice = person("alice", "a.example", false), bob = person("bob", "a.example", false);
	struct identity carol = person("carol", "a.example", true), dave = person("dave", "*.example", true);
	struct member *a = session(&alice), *a2 = session(&alice), *b = session(&bob), *c = session(&carol),
	    *d = session(&dave);

	(void)state;
	assert_int_equal(announce(a, 1, "a.example"), CODE_NONE);
	assert_int_equal(announce(a2, 1, "a.example"), CODE_NONE);
	assert_int_equal(announce(b, 1, "a.example"), CODE_NAME_TAKEN);
	assert_int_equal(announce(c, 1, "a.example"), CODE_NAME_TAKEN);
	route_withdraw(routes, a, "a.example", 1);
	route_withdraw(routes, a2, "a.example", 1);
	assert_int_equal(announce(d, 1, "a.example"), CODE_NONE);
	assert_int_equal(announce(c, 1, "a.example"), CODE_NONE);
	assert_null(lost_member);
	assert_int_equal(announce(b, 1, "a.example"), CODE_NAME_TAKEN);
	route_withdraw(routes, c, "a.example", 1);
	route_withdraw(routes, d, "a.example", 1);
	over(a);
	over(a2);
	over(b);
	over(c);
	over(d);
}

static void
the_less_busy_of_two_is_taken_and_another_agent_first_on_retry(void **state)
{
	struct identity alice = person("alice", "a.example", false);
	struct member *one = session(&alice), *two = session(&alice);
	struct route_question question = { .name = "a.example", .offers = offers_h2 };
	struct route_answer answer;

	(void)state;
	announce(one, 1, "a.example");
	announce(two, 2, "a.example");
	assert_true(member_enter_flow(one));
	for (int i = 0; i < 50; i++)
		assert_int_equal(find("a.example").endpoint, 2);
	question.tried[question.tried_count++] = two;
	for (int i = 0; i < 50; i++) {
		route_find(routes, &question, &answer, NULL, NULL);
		assert_ptr_equal(answer.member, one);
		member_release(answer.member);
	}
	question.tried[question.tried_count++] = one;
	assert_int_equal(route_find(routes, &question, &answer, NULL, NULL), ROUTE_AGENT);
	member_release(answer.member);
	question.barred[0] = question.barred[1] = true;
	assert_int_equal(route_find(routes, &question, &answer, NULL, NULL), ROUTE_NO_AGENT);
	member_leave_flow(one);
	member_set_draining(two);
	for (int i = 0; i < 50; i++)
		assert_int_equal(find("a.example").endpoint, 1);
	route_withdraw(routes, one, "a.example", 1);
	assert_int_equal(find("a.example").verdict, ROUTE_NO_AGENT);
	route_withdraw(routes, two, "a.example", 2);
	over(one);
	over(two);
}

static void
a_grant_bounds_the_flows_of_all_sessions_together(void **state)
{
	struct identity alice = person("alice", "a.example", false);
	struct member *one, *two;

	(void)state;
	alice.grant.max_flows = 2;
	one = session(&alice);
	two = session(&alice);
	assert_true(member_enter_flow(one));
	assert_true(member_enter_flow(two));
	assert_false(member_enter_flow(one));
	member_leave_flow(two);
	assert_true(member_enter_flow(one));
	assert_int_equal(member_flows(one), 2);
	member_leave_flow(one);
	member_leave_flow(one);
	over(one);
	over(two);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(exact_beats_wildcard_and_longer_beats_shorter),
		TEST(a_route_may_ask_for_an_alpn),
		TEST(only_what_is_granted_may_be_announced),
		TEST(what_is_the_relays_own_is_reserved),
		TEST(an_exact_san_displaces_a_wildcard_san_and_not_the_other_way),
		TEST(between_equals_the_first_one_stays_unless_all_share),
		TEST(the_less_busy_of_two_is_taken_and_another_agent_first_on_retry),
		TEST(a_grant_bounds_the_flows_of_all_sessions_together),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("relay/route", tests, NULL, NULL);
}
