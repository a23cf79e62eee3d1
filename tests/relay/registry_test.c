/* Claims that a registry must grant: late, twice, never, and after the announcer has gone. */
#include "relay/registry.h"

#include <stdio.h>
#include <string.h>
#include "relay/fake_registry.h"
#include "relay/helpers.h"
#include "relay/session_ref.h"
#include "relay/people.h"
#include "relay/usage.h"

static struct fake_registry fake;
static struct routes *routes;
static struct usage_table *usage_table;
static char no_room[USAGE_WHY];
static struct loop *loop;
static struct identity alice;
static struct session_ref *ref;
static struct route_claim *claim;
static unsigned answers, releases;
static enum code last;
static char sentence[SENTENCE_TEXT];

static void
on_answer(void *arg, enum code code, const char *why)
{
	(void)arg;
	answers++;
	last = code;
	snprintf(sentence, sizeof sentence, "%s", why);
}

static void
on_lost(void *arg)
{
	(void)arg;
	fail();
}

static void
on_released(void *arg)
{
	(void)arg;
	releases++;
}

static enum code
announce(const char *pattern)
{
	struct route_announcement announcement = { .session_ref = ref, .endpoint = 1, .pattern = pattern,
	    .weight = 1, .carriers = 1, .loop = loop, .on_answer = on_answer, .on_lost = on_lost };
	struct route_refusal refusal;

	claim = route_announce(routes, &announcement, &refusal);
	return refusal.code;
}

/* Whether the name is served here; a look-up that goes to the registry is not. */
static bool
is_here(const char *name)
{
	struct route_question question = { .name = name, .loop = loop };
	struct route_answer answer;
	struct route_request *request = NULL;

	if (route_find(routes, &question, &answer, NULL, NULL, &request) == ROUTE_LATER)
		route_cancel(request);
	session_ref_release(answer.session_ref);
	return answer.verdict == ROUTE_AGENT;
}

static int
set_up(void **state)
{
	struct session_ref_settings settings = { .identity = &alice, .pool_most = 4 };

	(void)state;
	fake = (struct fake_registry){ 0 };
	answers = releases = 0;
	routes = route_table_new();
	assert_true(route_set_registry(routes, &fake_registry, &fake));
	fake.registry = route_registry(routes);
	usage_table = usage_table_new();
	loop = loop_new();
	alice = person("alice", "*.a.example", true);
	settings.loop = loop;
	settings.usage = usage_of(usage_table, &alice);
	assert_true(usage_enter(settings.usage, USAGE_SESSIONS, no_room));
	ref = session_ref_new(&settings);
	assert_non_null(ref);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	session_ref_retire(ref);
	session_ref_release(ref);
	loop_free(loop);
	route_table_free(routes);
	usage_table_free(usage_table);
	return 0;
}

static void
a_claim_is_up_when_the_registry_has_granted_it(void **state)
{
	(void)state;
	assert_int_equal(announce("www.a.example"), CODE_NONE);
	assert_int_equal(fake.verb, REGISTRY_CLAIM);
	assert_string_equal(fake.name, "www.a.example");
	assert_true(fake.is_shared && !fake.is_exact);
	turn(loop);
	assert_false(route_claim_is_up(claim));
	fake_claimed(&fake, CODE_NONE, "");
	assert_int_equal(answers, 0);		/* only in the asker's loop */
	turn(loop);
	assert_int_equal(answers, 1);
	assert_int_equal(last, CODE_NONE);
	assert_true(route_claim_is_up(claim));
	assert_true(is_here("www.a.example"));
	assert_true(route_withdraw(routes, claim, NULL, NULL));
	assert_int_equal(fake.released, 1);
	assert_int_equal(fake.ticket, 0);
	assert_false(is_here("www.a.example"));
}

static void
every_endpoint_of_a_name_is_claimed_and_released(void **state)
{
	struct route_claim *first;

	(void)state;
	announce("www.a.example");
	fake_claimed(&fake, CODE_NONE, "");
	turn(loop);
	first = claim;
	announce("www.a.example");
	assert_int_equal(fake.verb, REGISTRY_CLAIM);
	fake_claimed(&fake, CODE_NONE, "");
	turn(loop);
	assert_int_equal(fake.asked, 2);
	assert_true(route_withdraw(routes, first, NULL, NULL));
	assert_int_equal(fake.released, 1);
	assert_true(is_here("www.a.example"));
	assert_true(route_withdraw(routes, claim, NULL, NULL));
	assert_int_equal(fake.released, 2);
	assert_false(is_here("www.a.example"));
}

static void
what_is_refused_here_does_not_reach_the_registry(void **state)
{
	(void)state;
	assert_int_equal(announce("www.b.example"), CODE_NAME_NOT_GRANTED);
	assert_null(claim);
	assert_true(route_set_static(routes, "connect.a.example", NULL, 0));
	assert_int_equal(announce("connect.a.example"), CODE_NAME_RESERVED);
	assert_null(claim);
	assert_int_equal(fake.asked, 0);
}

static void
the_registry_may_refuse_in_its_own_words(void **state)
{
	(void)state;
	announce("www.a.example");
	fake_claimed(&fake, CODE_NAME_TAKEN, "relay-b has it");
	fake_claimed(&fake, CODE_NONE, "");	/* twice: too late */
	turn(loop);
	assert_int_equal(answers, 1);
	assert_int_equal(last, CODE_NAME_TAKEN);
	assert_string_equal(sentence, "relay-b has it");
	assert_false(route_claim_is_up(claim));
	assert_true(route_withdraw(routes, claim, NULL, NULL));
	assert_int_equal(fake.released, 0);
}

static void
what_is_granted_there_is_judged_anew_here(void **state)
{
	struct route_static_settings facts = { .pattern = "www.a.example", .target = "127.0.0.1:1" };
	struct route_static *route = route_static_new(&facts);

	(void)state;
	announce("www.a.example");
	assert_true(route_set_static(routes, "", &route, 1));
	route_static_release(route);
	fake_claimed(&fake, CODE_NONE, "");
	turn(loop);
	assert_int_equal(last, CODE_NAME_RESERVED);
	assert_non_null(strstr(sentence, "belongs to the relay"));
	assert_int_equal(fake.released, 1);	/* it was given back */
	route_withdraw(routes, claim, NULL, NULL);
	assert_int_equal(fake.released, 1);
}

static void
who_gives_up_waiting_is_told_nothing_more(void **state)
{
	(void)state;
	announce("www.a.example");
	assert_true(route_withdraw(routes, claim, on_released, NULL));
	assert_int_equal(fake.cancelled, 1);
	fake_claimed(&fake, CODE_NONE, "");
	turn(loop);
	assert_int_equal(answers + releases, 0);
	assert_false(is_here("www.a.example"));
}

static void
a_grant_that_crosses_the_withdrawal_is_given_back(void **state)
{
	(void)state;
	announce("www.a.example");
	fake_claimed(&fake, CODE_NONE, "");
	assert_true(route_withdraw(routes, claim, NULL, NULL));
	assert_int_equal(fake.cancelled, 0);
	turn(loop);
	assert_int_equal(answers, 0);
	assert_int_equal(fake.released, 1);
	assert_false(is_here("www.a.example"));
}

static void
a_withdrawal_is_answered_when_the_registry_has_let_go(void **state)
{
	(void)state;
	announce("www.a.example");
	fake_claimed(&fake, CODE_NONE, "");
	turn(loop);
	assert_false(route_withdraw(routes, claim, on_released, NULL));
	assert_int_equal(fake.verb, REGISTRY_RELEASE);
	turn(loop);
	assert_int_equal(releases, 0);
	fake_claimed(&fake, CODE_NONE, "");
	turn(loop);
	assert_int_equal(releases, 1);
	assert_false(is_here("www.a.example"));
}

static void
who_waits_for_the_release_may_stop_waiting(void **state)
{
	(void)state;
	for (int is_late = 0; is_late < 2; is_late++) {
		announce("www.a.example");
		fake_claimed(&fake, CODE_NONE, "");
		turn(loop);
		assert_false(route_withdraw(routes, claim, on_released, NULL));
		if (is_late)
			fake_claimed(&fake, CODE_NONE, "");
		assert_true(route_withdraw(routes, claim, NULL, NULL));
		fake_claimed(&fake, CODE_NONE, "");
		turn(loop);
		assert_int_equal(releases, 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_claim_is_up_when_the_registry_has_granted_it),
		TEST(every_endpoint_of_a_name_is_claimed_and_released),
		TEST(what_is_refused_here_does_not_reach_the_registry),
		TEST(the_registry_may_refuse_in_its_own_words),
		TEST(what_is_granted_there_is_judged_anew_here),
		TEST(who_gives_up_waiting_is_told_nothing_more),
		TEST(a_grant_that_crosses_the_withdrawal_is_given_back),
		TEST(a_withdrawal_is_answered_when_the_registry_has_let_go),
		TEST(who_waits_for_the_release_may_stop_waiting),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("relay/registry", tests, NULL, NULL);
}
