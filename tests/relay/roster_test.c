#include "relay/roster.h"

#include "relay/helpers.h"
#include "relay/people.h"
#include "relay/tally.h"
#include "tunnel/session.h"

static struct tallies *tallies;
static struct loop *loop;
static struct roster *roster;

static struct member *
session(struct identity *identity, uint8_t id, uint8_t instance)
{
	struct member_settings settings = { .loop = loop, .identity = identity, .session_id = { id },
	    .instance = { instance }, .start = { id } };
	struct member *member;

	settings.tally = tally_of(tallies, identity->key);
	tally_enter(settings.tally, TALLY_SESSIONS, 0);
	member = member_new(&settings);
	assert_non_null(member);
	return member;
}

static void
enter(struct member *member, const char *text)
{
	struct secret key;

	assert_true(secret_init(&key, text, strlen(text)));
	assert_true(roster_add(roster, member, &key));
	secret_wipe(&key);
}

static void
over(struct member *member)
{
	roster_remove(roster, member);
	roster_remove(roster, member);
	member_retire(member);
	member_release(member);
}

static int
set_up(void **state)
{
	(void)state;
	roster = roster_new();
	tallies = tally_all_new();
	loop = loop_new();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	loop_free(loop);
	roster_free(roster);
	tally_all_free(tallies);
	return 0;
}

static void
a_channels_key_is_there_as_long_as_its_session(void **state)
{
	struct identity alice = person("alice", "a.example", false);
	struct member *member = session(&alice, 1, 1), *found;
	char channel[CHANNEL_IDENTITY];
	struct secret key = { 0 };

	(void)state;
	channel_identity(member_session_id(member), channel);
	assert_false(roster_find_key(roster, channel, &key));
	enter(member, "a key");
	assert_true(roster_find_key(roster, channel, &key));
	assert_true(secret_equals(&key, "a key", 5));
	secret_wipe(&key);
	found = roster_find_channel(roster, channel);
	assert_ptr_equal(found, member);
	member_release(found);
	over(member);
	assert_false(roster_find_key(roster, channel, &key));
	assert_null(roster_find_channel(roster, channel));
}

static void
a_twin_has_the_same_identity_and_instance(void **state)
{
	struct identity alice = person("alice", "a.example", false), bob = person("bob", "a.example", false);
	struct member *first = session(&alice, 1, 1), *twin = session(&alice, 2, 1), *found;
	struct member *sibling = session(&alice, 3, 2), *stranger = session(&bob, 4, 1);

	(void)state;
	enter(first, "1");
	enter(sibling, "3");
	enter(stranger, "4");
	assert_null(roster_find_twin(roster, alice.key, member_instance(first), member_start(first), first));
	enter(twin, "2");
	found = roster_find_twin(roster, alice.key, member_instance(first), member_start(first), first);
	assert_ptr_equal(found, twin);
	member_release(found);
	over(first);
	over(twin);
	over(sibling);
	over(stranger);
}

static void
among_clones_a_process_finds_its_own_ghost(void **state)
{
	struct identity alice = person("alice", "a.example", false);
	struct member *sessions[3], *found;

	(void)state;
	for (uint8_t i = 0; i < 3; i++) {
		sessions[i] = session(&alice, i, 1);
		enter(sessions[i], "a key");
	}
	for (int i = 0; i < 3; i++) {
		found = roster_find_twin(roster, alice.key, member_instance(sessions[i]),
		    member_start(sessions[i]), NULL);
		assert_ptr_equal(found, sessions[i]);
		member_release(found);
	}
	for (int i = 0; i < 3; i++)
		over(sessions[i]);
}

static struct member_command heard;

static void
on_command(void *arg, const struct member_command *command)
{
	(void)arg;
	heard = *command;
}

static void
commands_reach_a_session_until_it_is_over(void **state)
{
	struct identity alice = person("alice", "a.example", false);
	struct member_settings settings = { .loop = loop, .identity = &alice, .on_command = on_command };
	struct member *member;

	(void)state;
	settings.tally = tally_of(tallies, alice.key);
	tally_enter(settings.tally, TALLY_SESSIONS, 0);
	member = member_new(&settings);
	member_end(member, CODE_REPLACED, "why");
	turn(loop);
	assert_int_equal(heard.kind, MEMBER_END);
	assert_int_equal(heard.code, CODE_REPLACED);
	assert_string_equal(heard.sentence, "why");
	member_probe(member);
	member_retire(member);
	turn(loop);
	assert_int_equal(heard.kind, MEMBER_END);
	assert_false(member_is_usable(member));
	member_release(member);
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
	return cmocka_run_group_tests_name("relay/roster", tests, NULL, NULL);
}
