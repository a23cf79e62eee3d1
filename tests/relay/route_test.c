#include "relay/route.h"

#include <string.h>
#include "relay/helpers.h"
#include "relay/session_ref.h"
#include "relay/people.h"
#include "relay/usage.h"

static struct routes *routes;
static struct usage_table *usage_table;
static struct loop *loop;
static struct session_ref *lost_member;
static uint32_t lost_endpoint;
static char sentence[SENTENCE_TEXT];

static struct session_ref *
session(struct identity *identity)
{
	struct session_ref_settings settings = { .loop = loop, .identity = identity, .pool_most = 4 };
	struct session_ref *ref;

	settings.usage = usage_of(usage_table, identity->key);
	usage_enter(settings.usage, USAGE_SESSIONS, 0);
	ref = session_ref_new(&settings);
	assert_non_null(ref);
	return ref;
}

static void
over(struct session_ref *ref)
{
	session_ref_retire(ref);
	session_ref_release(ref);
}

static void
on_loss(const struct route_loss *loss)
{
	lost_member = loss->session_ref;
	lost_endpoint = loss->endpoint;
	session_ref_release(loss->session_ref);
}

static enum code
announce(struct session_ref *ref, uint32_t endpoint, const char *pattern)
{
	struct route_announcement said = { ref, endpoint, pattern, 100, 1 };

	return route_announce(routes, &said, sentence, on_loss);
}

static struct route_static *
static_route(const char *pattern, bool any_depth, const char *const *alpn, size_t alpn_count)
{
	struct route_static_settings facts = { .pattern = pattern, .any_depth = any_depth, .alpn = alpn,
	    .alpn_count = alpn_count, .target = "127.0.0.1:1" };

	return route_static_new(&facts);
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
	route_static_release(answer.static_route);
	session_ref_release(answer.session_ref);
	return answer;
}

static int
set_up(void **state)
{
	(void)state;
	routes = route_table_new();
	usage_table = usage_table_new();
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
	usage_table_free(usage_table);
	return 0;
}

static void
exact_beats_wildcard_and_longer_beats_shorter(void **state)
{
	struct route_static *all[] = { static_route("a.x.example", false, NULL, 0), static_route("*.x.example", false, NULL, 0),
	    static_route("*.b.x.example", false, NULL, 0), static_route("*.deep.example", true, NULL, 0) };
	static const char *const rows[][2] = {
		{ "a.x.example", "a.x.example" }, { "c.x.example", "*.x.example" },
		{ "c.b.x.example", "*.b.x.example" }, { "d.c.x.example", "" }, { "x.example", "" },
		{ "one.deep.example", "*.deep.example" }, { "two.one.deep.example", "*.deep.example" },
		{ "deep.example", "" }, { "example", "" },
	};

	(void)state;
	assert_true(route_set_static(routes, "", all, 4));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(find(rows[i][0]).pattern, rows[i][1]);
	for (int i = 0; i < 4; i++)
		route_static_release(all[i]);
}

static void
a_route_may_ask_for_an_alpn(void **state)
{
	static const char *const h2[] = { "h2" };
	struct route_static *all[] = { static_route("a.example", false, h2, 1), static_route("a.example", false, NULL, 0) };
	struct route_question question = { .name = "a.example", .offers = offers_h2, .arg = &question };
	struct route_answer answer;

	(void)state;
	assert_true(route_set_static(routes, "", all, 2));
	assert_int_equal(route_find(routes, &question, &answer, NULL, NULL), ROUTE_STATIC);
	assert_ptr_equal(answer.static_route, all[0]);
	route_static_release(answer.static_route);
	question.arg = NULL;
	assert_int_equal(route_find(routes, &question, &answer, NULL, NULL), ROUTE_STATIC);
	assert_ptr_equal(answer.static_route, all[1]);
	route_static_release(answer.static_route);
	route_static_release(all[0]);
	route_static_release(all[1]);
}

static void
only_what_is_granted_may_be_announced(void **state)
{
	struct identity alice = person("alice", "*.a.example", false);
	struct session_ref *ref = session(&alice);

	(void)state;
	assert_int_equal(announce(ref, 1, "www.a.example"), CODE_NONE);
	assert_int_equal(announce(ref, 2, "www.b.example"), CODE_NAME_NOT_GRANTED);
	assert_non_null(strstr(sentence, "'www.b.example'"));
	assert_int_equal(announce(ref, 3, "a..example"), CODE_NAME_INVALID);
	assert_int_equal(find("www.a.example").verdict, ROUTE_AGENT);
	route_withdraw(routes, ref, "www.a.example", 1);
	assert_int_equal(find("www.a.example").verdict, ROUTE_NONE);
	over(ref);
}

static void
what_is_the_relays_own_is_reserved(void **state)
{
	struct identity alice = person("alice", "*.example", false);
	struct route_static *all[] = { static_route("shop.example", false, NULL, 0) };
	struct session_ref *ref = session(&alice);

	(void)state;
	assert_true(route_set_static(routes, "connect.example", all, 1));
	assert_int_equal(announce(ref, 1, "shop.example"), CODE_NAME_RESERVED);
	assert_int_equal(announce(ref, 1, "connect.example"), CODE_NAME_RESERVED);
	assert_true(route_set_static(routes, "", NULL, 0));
	assert_int_equal(announce(ref, 1, "shop.example"), CODE_NONE);
	assert_false(route_is_reserved(routes, "shop.example"));
	route_withdraw(routes, ref, "shop.example", 1);
	route_static_release(all[0]);
	over(ref);
}

static void
an_exact_san_displaces_a_wildcard_san_and_not_the_other_way(void **state)
{
	struct identity wild = person("wild", "*.example", false), exact = person("exact", "a.example", false);
	struct session_ref *w = session(&wild), *e = session(&exact);

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
	struct session_ref *a = session(&alice), *a2 = session(&alice), *b = session(&bob), *c = session(&carol),
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
	struct session_ref *one = session(&alice), *two = session(&alice);
	struct route_question question = { .name = "a.example", .offers = offers_h2 };
	struct route_answer answer;

	(void)state;
	announce(one, 1, "a.example");
	announce(two, 2, "a.example");
	assert_true(session_ref_enter_flow(one));
	for (int i = 0; i < 50; i++)
		assert_int_equal(find("a.example").endpoint, 2);
	question.tried[question.tried_count++] = two;
	for (int i = 0; i < 50; i++) {
		route_find(routes, &question, &answer, NULL, NULL);
		assert_ptr_equal(answer.session_ref, one);
		session_ref_release(answer.session_ref);
	}
	question.tried[question.tried_count++] = one;
	assert_int_equal(route_find(routes, &question, &answer, NULL, NULL), ROUTE_AGENT);
	session_ref_release(answer.session_ref);
	question.excluded[0] = question.excluded[1] = true;
	assert_int_equal(route_find(routes, &question, &answer, NULL, NULL), ROUTE_NO_AGENT);
	session_ref_leave_flow(one);
	session_ref_set_draining(two);
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
	struct session_ref *one, *two;

	(void)state;
	alice.grant.max_flows = 2;
	one = session(&alice);
	two = session(&alice);
	assert_true(session_ref_enter_flow(one));
	assert_true(session_ref_enter_flow(two));
	assert_false(session_ref_enter_flow(one));
	session_ref_leave_flow(two);
	assert_true(session_ref_enter_flow(one));
	assert_int_equal(session_ref_flows(one), 2);
	session_ref_leave_flow(one);
	session_ref_leave_flow(one);
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
