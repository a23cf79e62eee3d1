/* A session that a flow doubts: when its agent is asked, and what comes of the answer, or of none. */
#include "relay/agent_session_private.h"

#include "base/clock.h"
#include "base/log.h"
#include "relay/helpers.h"
#include "relay/people.h"
#include "relay/pool.h"
#include "relay/session_ref.h"
#include "relay/usage.h"
#include "tunnel/looped.h"

static struct identity alice;
static struct usage_table *usage_table;
static struct worker_context worker;
static struct agent_session ours;
static struct session *agents_end;
static struct pool_entry parked;
static unsigned times_asked;

static const struct frame_welcome welcome = { .version = 2, .session_id = "0123456789abcde", .relay = "r1",
	.pool_least = 1, .pool_most = 8, .heartbeat_ms = 60000, .tolerance_ms = 60000 };
static const struct frame_hello hello = { .oldest = 1, .newest = 2, .software = "test",
	.instance = "instance of 15.", .start = "start..", .heartbeat_ms = 60000 };

static void
on_relays_end(void *arg, enum session_event event, const union session_frame *frame)
{
	(void)arg;
	(void)frame;
	if (event == SESSION_HELLO)
		session_welcome(ours.session, &welcome);
	if (event == SESSION_PONG)
		agent_session_answers(&ours);
}

static void
on_agents_end(void *arg, enum session_event event, const union session_frame *frame)
{
	(void)arg;
	(void)event;
	(void)frame;
}

static void
on_command(void *arg, const struct session_ref_command *command)
{
	(void)arg;
	assert_int_equal(command->kind, SESSION_REF_DOUBT);
	agent_session_doubt(&ours);
}

static struct channel *
give(struct pool_entry *entry)
{
	(void)entry;
	fail_msg("nobody wants a channel");
	return NULL;
}

static void
drop(struct pool_entry *entry)
{
	(void)entry;
}

static void
be_asked(struct pool_entry *entry)
{
	(void)entry;
	times_asked++;
}

static const struct pool_entry_kind kind = { give, drop, be_asked };

static void
open_ref(void)
{
	struct session_ref_settings settings = { .loop = loop, .identity = &alice, .pool_most = 8, .version = 2,
		.on_command = on_command };
	char why[USAGE_WHY];

	settings.usage = usage_of(usage_table, &alice);
	assert_true(usage_enter(settings.usage, USAGE_SESSIONS, why));
	ours.session_ref = session_ref_new(&settings);
	assert_non_null(ours.session_ref);
	parked = (struct pool_entry){ .kind = &kind, .loop = loop };
	assert_int_equal(pool_park(session_ref_pool(ours.session_ref), &parked, why), POOL_PARKED);
}

static bool
are_up(void *arg)
{
	(void)arg;
	return session_is_up(ours.session) && session_is_up(agents_end);
}

static int
begin(void **state)
{
	int fds[2];

	if (set_up(state) != 0)
		return -1;
	alice = person("alice", "a.example", false);
	usage_table = usage_table_new();
	worker = (struct worker_context){ .loop = loop };
	ours = (struct agent_session){ .worker = &worker, .state = AGENT_SESSION_SERVING, .identity = &alice,
		.client = address_of("192.0.2.1:1") };
	agent_session_doubt_init(&ours);
	open_ref();
	times_asked = 0;
	pair(fds);
	ours.session = session_new(loop, SESSION_RELAY, end_of(TLS_SESSION_RELAY, fds[0]), 1000, on_relays_end, NULL);
	agents_end = session_new(loop, SESSION_AGENT, end_of(TLS_SESSION_AGENT, fds[1]), 1000, on_agents_end, NULL);
	session_set_hello(agents_end, &hello);
	assert_true(happens(are_up, NULL));
	return 0;
}

static int
end(void **state)
{
	agent_session_doubt_end(&ours);
	session_free(ours.session);
	session_free(agents_end);
	session_ref_retire(ours.session_ref);
	turn_for(5);
	session_ref_release(ours.session_ref);
	usage_table_free(usage_table);
	return tear_down(state);
}

/* What a flow does; returns when. */
static uint64_t
doubt(void)
{
	session_ref_doubt(ours.session_ref);
	assert_true(session_ref_is_suspect(ours.session_ref));
	turn_for(0);
	return clock_ms();
}

static bool
is_trusted(void *arg)
{
	(void)arg;
	return !session_ref_is_suspect(ours.session_ref);
}

static void
who_answers_is_suspect_no_more(void **state)
{
	uint64_t at;

	(void)state;
	at = doubt();
	assert_true(happens(is_trusted, NULL));
	assert_int_equal(session_ref_answered_ms(ours.session_ref), at);
	turn_for(10000);
	assert_int_equal(session_ref_silent_ms(ours.session_ref), 0);
}

static void
is_asked_once_a_second(void **state)
{
	uint64_t first, last;

	(void)state;
	first = doubt();
	assert_true(happens(is_trusted, NULL));
	turn_for(999);
	doubt();
	assert_false(session_ref_is_suspect(ours.session_ref)); /* it has just answered */
	assert_int_equal(session_ref_answered_ms(ours.session_ref), first);
	turn_for(1);
	last = doubt();
	assert_true(happens(is_trusted, NULL));
	assert_int_equal(session_ref_answered_ms(ours.session_ref), last);
}

static void
who_does_not_answer_within_2_s_is_silent_until_he_does(void **state)
{
	uint64_t first, second;

	(void)state;
	session_hold(agents_end);
	first = doubt();
	turn_for(1000);
	doubt(); /* the first question is open still */
	turn_for(999);
	assert_int_equal(session_ref_silent_ms(ours.session_ref), 0);
	turn_for(1);
	assert_int_equal(session_ref_silent_ms(ours.session_ref), first);
	second = doubt();
	turn_for(2000);
	assert_int_equal(session_ref_silent_ms(ours.session_ref), second);
	assert_true(session_ref_is_suspect(ours.session_ref));
	session_go_on(agents_end);
	assert_true(happens(is_trusted, NULL));
	assert_int_equal(session_ref_silent_ms(ours.session_ref), 0);
	assert_int_equal(session_ref_answered_ms(ours.session_ref), first);
}

static void
what_is_parked_is_asked_once_in_5_s(void **state)
{
	(void)state;
	session_hold(agents_end);
	for (unsigned seconds = 0; seconds < 5; seconds++) {
		doubt();
		assert_int_equal(times_asked, 1);
		turn_for(1000);
	}
	doubt();
	assert_int_equal(times_asked, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_answers_is_suspect_no_more),
		TEST(is_asked_once_a_second),
		TEST(who_does_not_answer_within_2_s_is_silent_until_he_does),
		TEST(what_is_parked_is_asked_once_in_5_s),
	};

	log_init("session_doubt_test", LOG_ERROR, LOG_TEXT);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("relay/session_doubt", tests, NULL, NULL);
}
