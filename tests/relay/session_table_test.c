/* Tests of relay/session_table and relay/session_ref: keys, twins and commands. */
#include "relay/session_table.h"

#include "relay/helpers.h"
#include "relay/people.h"
#include "relay/usage.h"
#include "tunnel/session.h"

static struct usage_table *usage_table;
static char why[USAGE_WHY];
static struct loop *loop;
static struct session_table *table;

static struct session_ref *
session(struct identity *identity, uint8_t id, uint8_t instance)
{
	struct session_ref_settings settings = { .loop = loop, .identity = identity, .session_id = { id },
	    .instance = { instance }, .start = { id } };
	struct session_ref *ref;

	settings.usage = usage_of(usage_table, identity);
	assert_true(usage_enter(settings.usage, USAGE_SESSIONS, why));
	ref = session_ref_new(&settings);
	assert_non_null(ref);
	return ref;
}

static void
enter(struct session_ref *ref, const char *text)
{
	struct secret key;

	assert_true(secret_init(&key, text, strlen(text)));
	assert_true(session_table_add(table, ref, &key));
	secret_wipe(&key);
}

static void
over(struct session_ref *ref)
{
	session_table_remove(table, ref);
	session_table_remove(table, ref);
	session_ref_retire(ref);
	session_ref_release(ref);
}

static int
set_up(void **state)
{
	(void)state;
	table = session_table_new();
	usage_table = usage_table_new();
	loop = loop_new();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	loop_free(loop);
	session_table_free(table);
	usage_table_free(usage_table);
	return 0;
}

static void
a_channels_key_is_there_as_long_as_its_session(void **state)
{
	struct identity alice = person("alice", "a.example", false);
	struct session_ref *ref = session(&alice, 1, 1), *found;
	char channel[CHANNEL_IDENTITY];
	struct secret key = { 0 };

	(void)state;
	channel_identity(session_ref_session_id(ref), channel);
	assert_false(session_table_find_key(table, channel, &key));
	enter(ref, "a key");
	assert_true(session_table_find_key(table, channel, &key));
	assert_true(secret_equals(&key, "a key", 5));
	secret_wipe(&key);
	found = session_table_find_channel(table, channel);
	assert_ptr_equal(found, ref);
	session_ref_release(found);
	over(ref);
	assert_false(session_table_find_key(table, channel, &key));
	assert_null(session_table_find_channel(table, channel));
}

static void
a_twin_has_the_same_identity_and_instance(void **state)
{
	struct identity alice = person("alice", "a.example", false), bob = person("bob", "a.example", false);
	struct session_ref *first = session(&alice, 1, 1), *twin = session(&alice, 2, 1), *found;
	struct session_ref *sibling = session(&alice, 3, 2), *stranger = session(&bob, 4, 1);

	(void)state;
	enter(first, "1");
	enter(sibling, "3");
	enter(stranger, "4");
	assert_null(session_table_find_twin(table, alice.key, session_ref_instance(first), session_ref_start(first), first));
	enter(twin, "2");
	found = session_table_find_twin(table, alice.key, session_ref_instance(first), session_ref_start(first), first);
	assert_ptr_equal(found, twin);
	session_ref_release(found);
	over(first);
	over(twin);
	over(sibling);
	over(stranger);
}

static void
among_clones_a_process_finds_its_own_ghost(void **state)
{
	struct identity alice = person("alice", "a.example", false);
	struct session_ref *sessions[3], *found;

	(void)state;
	for (uint8_t i = 0; i < 3; i++) {
		sessions[i] = session(&alice, i, 1);
		enter(sessions[i], "a key");
	}
	for (int i = 0; i < 3; i++) {
		found = session_table_find_twin(table, alice.key, session_ref_instance(sessions[i]),
		    session_ref_start(sessions[i]), NULL);
		assert_ptr_equal(found, sessions[i]);
		session_ref_release(found);
	}
	for (int i = 0; i < 3; i++)
		over(sessions[i]);
}

static struct session_ref_command heard;

static void
on_command(void *arg, const struct session_ref_command *command)
{
	(void)arg;
	heard = *command;
}

static void
commands_reach_a_session_until_it_is_over(void **state)
{
	struct identity alice = person("alice", "a.example", false);
	struct session_ref_settings settings = { .loop = loop, .identity = &alice, .on_command = on_command };
	struct session_ref *ref;

	(void)state;
	settings.usage = usage_of(usage_table, &alice);
	assert_true(usage_enter(settings.usage, USAGE_SESSIONS, why));
	ref = session_ref_new(&settings);
	session_ref_end(ref, CODE_REPLACED, "why");
	turn(loop);
	assert_int_equal(heard.kind, SESSION_REF_END);
	assert_int_equal(heard.code, CODE_REPLACED);
	assert_string_equal(heard.sentence, "why");
	session_ref_probe(ref);
	session_ref_retire(ref);
	turn(loop);
	assert_int_equal(heard.kind, SESSION_REF_END);
	assert_false(session_ref_is_usable(ref));
	session_ref_release(ref);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_channels_key_is_there_as_long_as_its_session),
		TEST(a_twin_has_the_same_identity_and_instance),
		TEST(among_clones_a_process_finds_its_own_ghost),
		TEST(commands_reach_a_session_until_it_is_over),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("relay/table", tests, NULL, NULL);
}
