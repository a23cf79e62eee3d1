/* Tests of relay/known_names: what a relay knows of the names of the one before it. */
#include "relay/known_names.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock_fake.h"
#include "base/file.h"
#include "relay/helpers.h"
#include "relay/people.h"
#include "relay/route.h"
#include "relay/session_ref.h"
#include "relay/usage.h"

enum { MOST = 1000, TEXT_MOST = 1 << 20 };

/* A relay as far as it matters here: begins with what the one before it has left in `dir`. */
static struct life {
	struct routes *routes;
	struct known_names *known_names;
	uint64_t now_us;
} life;

static char dir[32], path[64];
static struct usage_table *usage_table;
static struct loop *loop;

static void
pass(uint64_t ms)
{
	life.now_us += ms * 1000;
	clock_fake(life.now_us, 0);
}

static void
begin(uint64_t most)
{
	life.routes = route_table_new();
	assert_non_null(life.routes);
	life.known_names = known_names_new(life.routes, dir, most);
	assert_non_null(life.known_names);
}

static void
end(void)
{
	known_names_free(life.known_names);
	route_table_free(life.routes);
}

static int
set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof dir, "/tmp/valise-names.XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/known-names", dir);
	usage_table = usage_table_new();
	loop = loop_new();
	life.now_us = 1000000;
	pass(0);
	begin(MOST);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	end();
	loop_free(loop);
	usage_table_free(usage_table);
	clock_fake(0, 0);
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
	return 0;
}

static struct session_ref *
session(struct identity *identity)
{
	struct session_ref_settings settings = { .loop = loop, .identity = identity, .pool_most = 4 };
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

static struct route_claim *
serve(struct session_ref *ref, const char *name)
{
	struct route_announcement announcement = { .session_ref = ref, .endpoint = 1, .pattern = name, .weight = 100,
	    .carriers = 1, .loop = loop };
	struct route_refusal refusal;
	struct route_claim *claim = route_announce(life.routes, &announcement, &refusal);

	assert_non_null(claim);
	return claim;
}

static void
leave(struct route_claim *claim)
{
	assert_true(route_withdraw(life.routes, claim, NULL, NULL));
}

static enum route_reason
reason(const char *name)
{
	struct route_question question = { .name = name };
	struct route_answer answer;
	struct route_request *request;

	assert_int_equal(route_find(life.routes, &question, &answer, NULL, NULL, &request), ROUTE_NONE);
	return answer.reason;
}

/* As the relay ends, and another one begins some time later. */
static void
restart(uint64_t most, uint64_t after_ms)
{
	end();
	pass(after_ms);
	begin(most);
}

static void
write_text(const char *text, size_t bytes)
{
	char error[FILE_ERROR];

	assert_true(file_write(path, 0600, text, bytes, error));
}

static size_t
read_text(char *text)
{
	struct secret content;
	char error[FILE_ERROR];
	size_t bytes;

	assert_true(file_read(&content, path, TEXT_MOST, error));
	bytes = content.bytes;
	memcpy(text, content.data, bytes + 1);
	secret_wipe(&content);
	return bytes;
}

static void
what_was_served_is_known_for_a_minute_after_a_restart(void **state)
{
	struct identity alice = person("alice", "*.a.example", false);
	struct session_ref *ref = session(&alice);
	struct route_claim *served = serve(ref, "www.a.example"), *wild = serve(ref, "*.a.example"),
			   *left = serve(ref, "left.a.example");

	(void)state;
	leave(left);
	known_names_look(life.known_names);
	leave(served);
	leave(wild);
	restart(MOST, 3600 * 1000);
	assert_int_equal(reason("www.a.example"), ROUTE_NOBODY);
	assert_int_equal(reason("left.a.example"), ROUTE_NOBODY);
	assert_int_equal(reason("any.a.example"), ROUTE_NOBODY);
	assert_int_equal(reason("a.example"), ROUTE_UNKNOWN);
	assert_int_equal(reason("www.b.example"), ROUTE_UNKNOWN);
	pass(ROUTE_KNOWN_MS - 1);
	assert_int_equal(reason("www.a.example"), ROUTE_NOBODY);
	pass(1);
	assert_int_equal(reason("www.a.example"), ROUTE_UNKNOWN);
	over(ref);
}

/* Whoever was killed has written nothing at the end. */
static void
who_is_killed_has_left_what_he_knew(void **state)
{
	static char text[TEXT_MOST];
	struct identity alice = person("alice", "*.a.example", false);
	struct session_ref *ref = session(&alice);
	struct route_claim *claim = serve(ref, "www.a.example");
	size_t bytes;

	(void)state;
	known_names_look(life.known_names);
	bytes = read_text(text);
	leave(claim);
	end();
	write_text(text, bytes);
	begin(MOST);
	assert_int_equal(reason("www.a.example"), ROUTE_NOBODY);
	over(ref);
}

static void
an_agent_that_is_back_serves_what_was_known(void **state)
{
	struct identity alice = person("alice", "*.a.example", false);
	struct session_ref *ref = session(&alice);
	struct route_question question = { .name = "www.a.example" };
	struct route_answer answer;
	struct route_request *request;
	struct route_claim *claim = serve(ref, "www.a.example");

	(void)state;
	leave(claim);
	restart(MOST, 0);
	claim = serve(ref, "www.a.example");
	assert_int_equal(route_find(life.routes, &question, &answer, NULL, NULL, &request), ROUTE_AGENT);
	session_ref_release(answer.session_ref);
	pass(ROUTE_KNOWN_MS);
	leave(claim);
	assert_int_equal(reason("www.a.example"), ROUTE_NOBODY);
	over(ref);
}

static bool
is_written_anew(struct file_stamp *before)
{
	struct file_stamp now = file_stamp_of(path);
	bool is_new = !file_stamp_equals(&now, before);

	*before = now;
	return is_new;
}

static void
it_writes_what_has_changed_and_not_before_ten_seconds_are_over(void **state)
{
	struct identity alice = person("alice", "*.a.example", false);
	struct session_ref *ref = session(&alice);
	struct file_stamp stamp = { 0 };
	struct route_claim *one, *other;

	(void)state;
	known_names_look(life.known_names);
	assert_false(is_written_anew(&stamp));
	one = serve(ref, "one.a.example");
	known_names_look(life.known_names);
	assert_true(is_written_anew(&stamp));
	other = serve(ref, "other.a.example");
	pass(KNOWN_NAMES_PAUSE_MS - 1);
	known_names_look(life.known_names);
	assert_false(is_written_anew(&stamp));
	pass(1);
	known_names_look(life.known_names);
	assert_true(is_written_anew(&stamp));
	leave(one);
	one = serve(ref, "one.a.example");
	pass(KNOWN_NAMES_PAUSE_MS);
	known_names_look(life.known_names);
	assert_false(is_written_anew(&stamp));
	leave(one);
	leave(other);
	over(ref);
}

static void
what_is_forgotten_leaves_the_file(void **state)
{
	static char text[TEXT_MOST];
	struct identity alice = person("alice", "*.a.example", false);
	struct session_ref *ref = session(&alice);

	(void)state;
	leave(serve(ref, "www.a.example"));
	known_names_look(life.known_names);
	read_text(text);
	assert_non_null(strstr(text, "\nwww.a.example\n"));
	pass(ROUTE_KNOWN_MS);
	known_names_look(life.known_names);
	read_text(text);
	assert_null(strstr(text, "www.a.example"));
	over(ref);
}

/* Nobody waits for an agent whose certificate was refused. */
static void
names_of_a_banished_agent_are_not_kept(void **state)
{
	struct identity alice = person("alice", "*.a.example", false);
	struct session_ref *ref = session(&alice);
	struct route_claim *claim = serve(ref, "www.a.example");

	(void)state;
	session_ref_banish(ref);
	leave(claim);
	restart(MOST, 0);
	assert_int_equal(reason("www.a.example"), ROUTE_UNKNOWN);
	over(ref);
}

static unsigned
known_of(const char *before, const char *behind)
{
	unsigned known = 0;
	char name[64];

	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof name, "%s%d%s", before, i, behind);
		known += reason(name) == ROUTE_NOBODY;
	}
	return known;
}

/* In the file, and when it is read: the bound may have been lowered meanwhile. */
static void
an_identity_has_as_many_as_a_session_may_announce(void **state)
{
	struct identity alice = person("alice", "*.a.example", false), bob = person("bob", "*.b.example", false);
	struct session_ref *a = session(&alice), *b = session(&bob);
	char name[64];

	(void)state;
	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof name, "n%d.a.example", i);
		leave(serve(a, name));
	}
	leave(serve(b, "n0.b.example"));
	known_names_set_bound(life.known_names, 3);
	restart(MOST, 0);
	assert_int_equal(known_of("n", ".a.example"), 3);
	assert_int_equal(known_of("n", ".b.example"), 1);
	restart(2, 0);
	assert_int_equal(known_of("n", ".a.example"), 2);
	assert_int_equal(known_of("n", ".b.example"), 1);
	over(a);
	over(b);
}

/* Whatever has become of the file, the relay starts, and knows what stands before the damage. */
static void
a_damaged_file_costs_what_stands_behind_the_damage(void **state)
{
	static char text[TEXT_MOST];
	struct identity alice = person("alice", "*.a.example", false);
	struct session_ref *ref = session(&alice);
	size_t bytes;

	(void)state;
	leave(serve(ref, "1.a.example"));
	leave(serve(ref, "2.a.example"));
	end();
	bytes = read_text(text);
	for (size_t cut = 0; cut < bytes; cut++) {
		write_text(text, cut);
		begin(MOST);
		if (cut >= bytes - sizeof "end")
			assert_int_equal(known_of("", ".a.example"), 2);
		end();
	}
	begin(MOST);
	over(ref);
}

static void
a_line_that_is_none_is_not_believed(void **state)
{
	static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";
	static const char *const lines[] = { "UPPER.example", "a..example", "192.0.2.1", "a.example extra", "", "*",
	    "agent x y", "agent 00 00" };
	char text[1024];

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		end();
		snprintf(text, sizeof text, "valise-known-names 1\nagent %s %s\ngood.example\n%s\nlate.example\nend\n",
		    zeros, zeros, lines[i]);
		write_text(text, strlen(text));
		begin(MOST);
		assert_int_equal(reason("good.example"), ROUTE_NOBODY);
		assert_int_equal(reason("late.example"), ROUTE_UNKNOWN);
	}
	end();
	snprintf(text, sizeof text, "valise-known-names 2\nagent %s %s\ngood.example\nend\n", zeros, zeros);
	write_text(text, strlen(text));
	begin(MOST);
	assert_int_equal(reason("good.example"), ROUTE_UNKNOWN);
}

static void
a_directory_that_is_gone_is_tried_again(void **state)
{
	struct identity alice = person("alice", "*.a.example", false);
	struct session_ref *ref = session(&alice);
	struct file_stamp stamp = { 0 };

	(void)state;
	assert_int_equal(rmdir(dir), 0);
	leave(serve(ref, "www.a.example"));
	for (int i = 0; i < 3; i++) {
		known_names_look(life.known_names);
		pass(KNOWN_NAMES_PAUSE_MS);
	}
	assert_int_equal(mkdir(dir, 0700), 0);
	known_names_look(life.known_names);
	assert_true(is_written_anew(&stamp));
	over(ref);
}

static void
who_has_given_up_writes_no_more(void **state)
{
	struct identity alice = person("alice", "*.a.example", false);
	struct session_ref *ref = session(&alice);
	struct file_stamp stamp = { 0 };

	(void)state;
	assert_true(known_names_start(life.known_names));
	leave(serve(ref, "www.a.example"));
	known_names_give_up(life.known_names);
	assert_true(is_written_anew(&stamp));
	leave(serve(ref, "late.a.example"));
	pass(KNOWN_NAMES_PAUSE_MS);
	end();
	assert_false(is_written_anew(&stamp));
	begin(MOST);
	over(ref);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_served_is_known_for_a_minute_after_a_restart),
		TEST(who_is_killed_has_left_what_he_knew),
		TEST(an_agent_that_is_back_serves_what_was_known),
		TEST(it_writes_what_has_changed_and_not_before_ten_seconds_are_over),
		TEST(what_is_forgotten_leaves_the_file),
		TEST(names_of_a_banished_agent_are_not_kept),
		TEST(an_identity_has_as_many_as_a_session_may_announce),
		TEST(a_damaged_file_costs_what_stands_behind_the_damage),
		TEST(a_line_that_is_none_is_not_believed),
		TEST(a_directory_that_is_gone_is_tried_again),
		TEST(who_has_given_up_writes_no_more),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("known-names", tests, NULL, NULL);
}
