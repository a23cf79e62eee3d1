/* Whose turn it is to answer ACME servers, and who is asked then. */
#include "relay/pending.h"

#include "base/clock.h"
#include "base/clock_fake.h"
#include "relay/helpers.h"
#include "relay/people.h"
#include "relay/route.h"
#include "relay/session_ref.h"
#include "relay/usage.h"

enum { SECOND_US = 1000000 };

static struct pendings *pendings;
static struct usage_table *usage_table;
static struct loop *loop;
static char sentence[SENTENCE_TEXT];
static enum code code;
static uint64_t left_ms;

static struct session_ref *
session_of(struct identity *identity, uint8_t instance)
{
	struct session_ref_settings settings = {
		.loop = loop, .identity = identity, .pool_most = 4, .instance = { instance }
	};
	struct session_ref *ref;
	char why[USAGE_WHY];

	settings.usage = usage_of(usage_table, identity);
	assert_true(usage_enter(settings.usage, USAGE_SESSIONS, why));
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

static struct pending *
enter(struct session_ref *ref, const char *name)
{
	const struct pending_asker asker = {
		.session_ref = ref, .endpoint = 7, .carriers = 1, .name = name
	};

	sentence[0] = '\0';
	return pending_enter(pendings, &asker, &left_ms, &code, sentence);
}

static bool
is_busy_for(struct session_ref *ref, const char *name)
{
	struct pending *pending = enter(ref, name);

	if (pending)
		pending_leave(pending);
	else
		assert_true(code == CODE_ACME_BUSY && sentence[0] != '\0');
	return !pending;
}

static void
pass(uint64_t ms)
{
	clock_fake_move(clock_us() + ms * 1000);
}

static enum route_reason reason; /* why nobody was found */

/* Who is asked for the name, NULL: nobody, although it is marked. False: it is not marked. */
static bool
find(const char *name, struct session_ref *excluded, struct session_ref **asked)
{
	struct route_question question = { .name = name,
		.tried = { excluded },
		.excluded = { true },
		.tried_count = excluded ? 1 : 0 };
	struct route_answer answer;

	*asked = NULL;
	if (!pending_find(pendings, &question, &answer))
		return false;
	assert_string_equal(answer.pattern, name);
	if (answer.verdict == ROUTE_AGENT) {
		assert_true(answer.endpoint == 7 && answer.carriers == 1);
		*asked = answer.session_ref;
		session_ref_release(answer.session_ref);
	} else {
		assert_int_equal(answer.verdict, ROUTE_NONE);
		reason = answer.reason;
	}
	return true;
}

static int
set_up(void **state)
{
	(void)state;
	clock_fake(SECOND_US, 0);
	loop = loop_new();
	usage_table = usage_table_new();
	pendings = pendings_new();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	pendings_free(pendings);
	usage_table_free(usage_table);
	loop_free(loop);
	clock_fake(0, 0);
	return 0;
}

static void
who_has_the_mark_is_asked_and_nobody_else(void **state)
{
	struct identity alice = person("alice", "app.test", false);
	struct session_ref *session = session_of(&alice, 1), *asked;
	struct pending *pending;

	(void)state;
	assert_false(pendings_are_any(pendings));
	assert_false(find("app.test", NULL, &asked));
	pending = enter(session, "app.test");
	assert_non_null(pending);
	assert_int_equal(left_ms, PENDING_TERM_MS);
	assert_true(pendings_are_any(pendings));
	assert_true(find("app.test", NULL, &asked));
	assert_ptr_equal(asked, session);
	assert_false(find("a.app.test", NULL, &asked));
	assert_false(find("test", NULL, &asked));
	assert_true(find("app.test", session, &asked));
	assert_null(asked); /* it has failed, and no other agent is asked in its place */
	assert_int_equal(reason, ROUTE_IN_VAIN);
	session_ref_set_draining(session);
	assert_true(find("app.test", NULL, &asked));
	assert_null(asked);
	assert_int_equal(reason, ROUTE_NOBODY); /* it may come back */
	session_ref_banish(session);
	assert_true(find("app.test", NULL, &asked));
	assert_int_equal(reason, ROUTE_IN_VAIN);
	pending_leave(pending);
	assert_false(pendings_are_any(pendings));
	assert_false(find("app.test", NULL, &asked));
	over(session);
}

/* Another identity, or another host of the same one. */
static void
another_agent_waits_until_the_mark_is_left(void **state)
{
	struct identity alice = person("alice", "app.test", true), bob = person("bob", "app.test", true);
	struct session_ref *first = session_of(&alice, 1), *host = session_of(&alice, 2),
			   *other = session_of(&bob, 1);
	struct pending *pending = enter(first, "app.test");

	(void)state;
	assert_true(is_busy_for(host, "app.test"));
	assert_true(is_busy_for(other, "app.test"));
	assert_false(is_busy_for(other, "www.test"));
	pending_leave(pending);
	assert_false(is_busy_for(other, "app.test"));
	over(first);
	over(host);
	over(other);
}

static void
the_sessions_of_one_agent_have_it_together(void **state)
{
	struct identity alice = person("alice", "app.test", false);
	struct session_ref *old = session_of(&alice, 1), *new = session_of(&alice, 1), *asked;
	struct pending *of_old = enter(old, "app.test"), *of_new;

	(void)state;
	pass(20000);
	of_new = enter(new, "app.test");
	assert_true(of_old && of_new);
	assert_int_equal(left_ms, PENDING_TERM_MS - 20000); /* it is one term */
	assert_true(find("app.test", NULL, &asked));
	assert_ptr_equal(asked, new);
	assert_true(find("app.test", new, &asked));
	assert_ptr_equal(asked, old);
	pending_leave(of_old);
	assert_true(find("app.test", NULL, &asked));
	assert_ptr_equal(asked, new);
	pending_leave(of_new);
	over(old);
	over(new);
}

/* As where one is replaced by another one of its process: there is a moment without any. */
static void
hellos_wait_where_the_last_session_was_lost(void **state)
{
	struct identity alice = person("alice", "app.test", true), bob = person("bob", "app.test", true);
	struct session_ref *old = session_of(&alice, 1), *new = session_of(&alice, 1),
			   *other = session_of(&bob, 1), *asked;
	struct pending *pending = enter(old, "app.test");
	uint64_t changes = pendings_changes(pendings);

	(void)state;
	session_ref_set_draining(old);
	pending_lose(pending);
	for (unsigned ms = 0; ms < PENDING_AWAY_MS; ms += 1000) {
		assert_true(pendings_are_any(pendings));
		assert_true(find("app.test", NULL, &asked));
		assert_true(!asked && reason == ROUTE_NOBODY);
		assert_true(is_busy_for(other, "app.test"));
		pass(ms == 0 ? 999 : 1000);
	}
	assert_int_equal(pendings_changes(pendings), changes);
	pending = enter(new, "app.test");
	assert_non_null(pending);
	assert_int_equal(left_ms, PENDING_TERM_MS - PENDING_AWAY_MS + 1); /* it is one term */
	assert_int_equal(pendings_changes(pendings), changes + 1);
	assert_true(find("app.test", old, &asked));
	assert_ptr_equal(asked, new);
	pending_lose(pending);
	pass(PENDING_AWAY_MS);
	assert_int_equal(pendings_changes(pendings), changes + 2); /* whoever waits looks elsewhere */
	assert_false(find("app.test", NULL, &asked));
	assert_false(pendings_are_any(pendings));
	assert_true(is_busy_for(new, "app.test")); /* it rests: another one has asked */
	assert_false(is_busy_for(other, "app.test"));
	over(old);
	over(new);
	over(other);
}

static void
nobody_waits_for_who_is_let_in_no_more(void **state)
{
	struct identity alice = person("alice", "app.test", true);
	struct session_ref *session = session_of(&alice, 1), *asked;
	struct pending *pending = enter(session, "app.test");

	(void)state;
	session_ref_banish(session);
	pending_lose(pending);
	assert_false(find("app.test", NULL, &asked));
	pending = enter(session, "www.test"); /* and is forgotten at the end where somebody would wait */
	assert_non_null(pending);
	pending_leave(pending);
	over(session);
	session = session_of(&alice, 1);
	pending = enter(session, "app.test");
	pending_lose(pending);
	assert_true(find("app.test", NULL, &asked));
	over(session);
}

static void
a_term_is_not_made_longer_by_asking_again(void **state)
{
	struct identity alice = person("alice", "app.test", false);
	struct session_ref *session = session_of(&alice, 1);
	struct pending *pending = enter(session, "app.test");

	(void)state;
	pass(PENDING_TERM_MS - 1);
	assert_false(is_busy_for(session, "app.test"));
	assert_int_equal(left_ms, 1);
	pass(1);
	assert_true(is_busy_for(session, "app.test"));
	pending_leave(pending);
	assert_false(is_busy_for(session, "app.test")); /* nobody else wanted it */
	assert_int_equal(left_ms, PENDING_TERM_MS);
	over(session);
}

static void
who_had_it_while_another_one_asked_rests(void **state)
{
	struct identity alice = person("alice", "app.test", true), bob = person("bob", "app.test", true);
	struct session_ref *first = session_of(&alice, 1), *other = session_of(&bob, 1);

	(void)state;
	for (int other_comes = 0; other_comes < 2; other_comes++) {
		struct pending *pending = enter(first, "app.test");

		assert_non_null(pending);
		assert_true(is_busy_for(other, "app.test"));
		pending_leave(pending);
		assert_false(pendings_are_any(pendings));
		pass(PENDING_REST_MS - 1);
		assert_true(is_busy_for(first, "app.test"));
		if (other_comes) {
			pending = enter(other, "app.test");
			assert_non_null(pending);
			assert_int_equal(left_ms, PENDING_TERM_MS);
			assert_true(is_busy_for(first, "app.test"));
			pending_leave(pending);
			assert_true(is_busy_for(other, "app.test")); /* now it is his rest */
			pass(1);
		} else {
			pass(1);
		}
		assert_false(is_busy_for(first, "app.test"));
		assert_false(is_busy_for(other, "app.test"));
	}
	over(first);
	over(other);
}

/* Or two hosts of one identity would hand the name on to each other for ever. */
static void
all_hosts_of_an_identity_rest_where_another_one_asked(void **state)
{
	struct identity alice = person("alice", "app.test", true), bob = person("bob", "app.test", true);
	struct session_ref *first = session_of(&alice, 1), *host = session_of(&alice, 2),
			   *other = session_of(&bob, 1);
	struct pending *pending = enter(first, "app.test");

	(void)state;
	assert_true(is_busy_for(host, "app.test"));
	assert_true(is_busy_for(other, "app.test"));
	pending_leave(pending);
	assert_true(is_busy_for(host, "app.test"));
	assert_false(is_busy_for(other, "app.test"));
	pending = enter(first, "app.test");
	assert_true(is_busy_for(host, "app.test"));
	pending_leave(pending);
	assert_true(is_busy_for(first, "app.test"));
	assert_false(is_busy_for(host, "app.test")); /* nobody else has asked */
	over(first);
	over(host);
	over(other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(who_has_the_mark_is_asked_and_nobody_else, set_up, tear_down),
		cmocka_unit_test_setup_teardown(another_agent_waits_until_the_mark_is_left, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_sessions_of_one_agent_have_it_together, set_up, tear_down),
		cmocka_unit_test_setup_teardown(hellos_wait_where_the_last_session_was_lost, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nobody_waits_for_who_is_let_in_no_more, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_term_is_not_made_longer_by_asking_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_had_it_while_another_one_asked_rests, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    all_hosts_of_an_identity_rest_where_another_one_asked, set_up, tear_down),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("relay/pending", tests, NULL, NULL);
}
