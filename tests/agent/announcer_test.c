/* Tests of agent/announcer: very many endpoints, and going on with what a session before has announced. */
#include "agent/announcer.h"

#include <stdio.h>
#include <time.h>

#include "agent/challenge.h"
#include "agent/context.h"
#include "agent/relay_link.h"
#include "agent/relay_session.h"
#include "base/log.h"
#include "test_relay.h"
#include "tunnel/announce_digest.h"

enum { FEW = 40, MANY = 5000, PATIENCE_MS = 60000 };

static struct test_mint mint;
static struct loop *loop;
static struct test_relay relay;
static struct agent_context context;
static struct agent_settings settings;
static struct endpoint_settings *wanted;
static struct relay_link *link_under_test;
static char paths[3][128], upstream[] = "127.0.0.1:1", *upstreams[] = { upstream };

static void
want_endpoints(size_t count)
{
	wanted = calloc(count, sizeof *wanted);
	assert_non_null(wanted);
	for (size_t i = 0; i < count; i++) {
		char name[24];

		snprintf(name, sizeof name, "n%zu", i);
		wanted[i].name = strdup(name);
		snprintf(wanted[i].server_name, sizeof wanted[i].server_name, "%s.test", name);
		wanted[i].weight = 100;
		wanted[i].upstream.url = (struct conf_texts){ .items = upstreams, .count = 1 };
	}
	settings.endpoints = (struct conf_items){ wanted, count };
}

static void
show_table(void)
{
	char error[ENDPOINT_ERROR];
	struct endpoint_table *table = endpoint_table_new(
	    &settings, context.credentials->relays, context.endpoint_table, NULL, error);

	assert_non_null(table);
	endpoint_table_release(context.endpoint_table);
	context.endpoint_table = table;
	if (link_under_test)
		relay_link_refresh(link_under_test, clock_wall_s());
}

static void
on_relay(void *arg, enum relay_event event)
{
	(void)arg;
	(void)event;
}

static void
make_context(size_t count)
{
	static char *ca;
	char error[ENDPOINT_ERROR];

	memset(&settings, 0, sizeof settings);
	ca = (char *)(uintptr_t)mint_path(&mint, "root.crt", paths[0]);
	settings.connect_cas = (struct conf_texts){ .items = &ca, .count = 1 };
	settings.certificate = (char *)(uintptr_t)mint_path(&mint, "agent.crt", paths[1]);
	settings.private_key = (char *)(uintptr_t)mint_path(&mint, "agent.key", paths[2]);
	want_endpoints(count);
	context = (struct agent_context){ .loop = loop,
		.resolver = resolver_new(),
		.pool_most = 4,
		.tolerance_ms = PATIENCE_MS,
		.hello = { .oldest = PROTOCOL_OLDEST, .newest = PROTOCOL_NEWEST } };
	context.credentials = credentials_new(&settings, NULL, error);
	assert_non_null(context.credentials);
	show_table();
	context.workers = agent_workers_new(
	    1, loop, context.resolver, context.endpoint_table, relay_session_on_report);
	context.challenges = challenges_new(loop);
}

static void
start(size_t count)
{
	loop = loop_new();
	test_relay_start(&relay, loop, &mint);
	relay.welcome.pool_least = 0;
	make_context(count);
	link_under_test = relay_link_new(&context, relay.target, 1, on_relay, NULL);
	assert_non_null(link_under_test);
}

static void
stop(void)
{
	relay_link_free(link_under_test);
	link_under_test = NULL;
	agent_workers_free(context.workers);
	challenges_free(context.challenges);
	resolver_free(context.resolver);
	test_relay_stop(&relay);
	loop_free(loop);
	endpoint_table_release(context.endpoint_table);
	credentials_release(context.credentials);
	for (size_t i = 0; i < settings.endpoints.count; i++)
		free(wanted[i].name);
	free(wanted);
}

/* ---- waiting ---- */

static bool (*claim)(void);
static struct timer looks;

static void
look(void *arg)
{
	(void)arg;
	if (claim())
		loop_stop(loop);
	else
		timer_set(&looks, 1);
}

static void
wait_for(bool (*what)(void))
{
	claim = what;
	timer_init(&looks, loop, look, NULL);
	timer_set(&looks, 0);
	loop_run(loop);
}

static unsigned announced;

static bool
are_announced(void)
{
	return relay.announce_count >= announced;
}

static void
wait_for_announcements(unsigned count)
{
	announced = count;
	wait_for(are_announced);
	assert_int_equal(relay.announce_count, count);
}

static bool
is_up(void)
{
	return relay_link_is_up(link_under_test);
}

static bool
was_withdrawn(void)
{
	return relay.withdraw_count > 0;
}

static bool
has_pong(void)
{
	return session_rtt_us(relay.session) > 0;
}

/* The agent has read all that was said to it. */
static void
wait_for_pong(void)
{
	session_probe(relay.session);
	wait_for(has_pong);
}

/* ---- tests ---- */

/* Looking for each among all would take some seconds of processor time. */
static void
announces_very_many_in_order_and_each_once(void **state)
{
	clock_t began;

	(void)state;
	start(MANY);
	began = clock();
	wait_for_announcements(MANY);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(relay.numbers[i], i + 1);
	wait_for_pong();
	show_table();
	wait_for_pong();
	assert_int_equal(relay.announce_count, MANY);
	assert_int_equal(relay.withdraw_count, 0);
	assert_true(clock() - began < 2 * CLOCKS_PER_SEC);
	stop();
}

static unsigned withdrawn;

static bool
are_withdrawn(void)
{
	return relay.withdraw_count >= withdrawn;
}

/* The relay's budget is 200 frames a second, and these would be some thousands. */
static void
withdraws_very_many_in_few_frames(void **state)
{
	(void)state;
	start(MANY);
	wait_for_announcements(MANY);
	wait_for_pong();
	for (size_t i = 0; i < MANY; i++)
		wanted[i].weight = 50;
	show_table();
	withdrawn = MANY;
	wait_for(are_withdrawn);
	wait_for_announcements(2 * MANY);
	assert_int_equal(relay.sessions, 1);
	stop();
}

/* Each has a frame of its own, and all of them at once are more than a session's queue takes.  The first of
 * those that are announced instead comes behind the last of them. */
static void
withdraws_from_an_older_relay_at_its_pace(void **state)
{
	enum { ALL = 2 * MANY };

	(void)state;
	start(ALL);
	relay.is_older = true;
	wait_for_announcements(ALL);
	wait_for_pong();
	for (size_t i = 0; i < ALL; i++)
		wanted[i].weight = 50;
	show_table();
	withdrawn = 65;
	wait_for(are_withdrawn);
	assert_true(relay.withdraw_count <= 2 * 64);
	assert_int_equal(relay.announce_count, ALL);
	assert_int_equal(relay.sessions, 1);
	assert_true(is_up());
	stop();
}

/* So that no name has two numbers. */
static void
announces_to_an_older_relay_after_what_it_withdraws(void **state)
{
	(void)state;
	start(FEW);
	relay.is_older = true;
	wait_for_announcements(FEW);
	wait_for_pong();
	for (size_t i = 0; i < FEW; i++)
		wanted[i].weight = 50;
	show_table();
	announced = FEW + 1;
	wait_for(are_announced);
	assert_int_equal(relay.withdraw_count, FEW);
	stop();
}

static void
offers_nothing_where_there_is_little(void **state)
{
	(void)state;
	start(2);
	wait_for_announcements(2);
	assert_false(relay.is_offered);
	stop();
}

static void
digest_table(uint8_t out[RESUME_BYTES])
{
	struct announce_digest *digest = announce_digest_new();

	for (size_t i = 0; i < context.endpoint_table->count; i++) {
		const struct endpoint *endpoint = context.endpoint_table->endpoints[i];
		struct frame_announce announce = { .endpoint = endpoint->number,
			.carriers = endpoint->carriers,
			.weight = endpoint->weight };

		strcpy(announce.server_name, endpoint->server_name);
		strcpy(announce.name, endpoint->name);
		announce_digest_add(digest, &announce);
	}
	announce_digest_end(digest, out);
}

static void
says_nothing_where_the_relay_goes_on_with_what_it_has(void **state)
{
	uint8_t digest[RESUME_BYTES];

	(void)state;
	start(FEW);
	relay.welcome.is_resuming = true;
	wait_for(is_up);
	assert_true(relay.is_offered);
	digest_table(digest);
	assert_memory_equal(relay.digest, digest, RESUME_BYTES);
	session_resumed(relay.session, true);
	for (uint32_t number = 1; number < FEW; number++)
		session_accept(relay.session, number);
	session_refuse_endpoint(relay.session, FEW, CODE_NAME_NOT_GRANTED, "no");
	wait_for_pong();
	assert_int_equal(relay.announce_count, 0);
	/* What changes from now on is told as ever. */
	strcpy(wanted[0].server_name, "other.test");
	show_table();
	wait_for(was_withdrawn);
	wait_for_announcements(1);
	assert_string_equal(relay.announced[0], "other.test");
	stop();
}

static void
announces_all_where_the_relay_does_not(void **state)
{
	(void)state;
	start(FEW);
	relay.welcome.is_resuming = true;
	wait_for(is_up);
	wait_for_pong();
	assert_int_equal(relay.announce_count, 0);
	session_resumed(relay.session, false);
	wait_for_announcements(FEW);
	stop();
}

/* The relay may go on with what was offered, and not with what is wanted by now. */
static void
tells_afterwards_what_has_changed_meanwhile(void **state)
{
	(void)state;
	start(FEW);
	relay.welcome.is_resuming = true;
	wait_for(is_up);
	strcpy(wanted[0].server_name, "other.test");
	show_table();
	wait_for_pong();
	assert_int_equal(relay.announce_count + relay.withdraw_count, 0);
	session_resumed(relay.session, true);
	wait_for(was_withdrawn);
	for (uint32_t number = 2; number <= FEW; number++)
		session_accept(relay.session, number);
	wait_for_announcements(1);
	assert_string_equal(relay.announced[0], "other.test");
	stop();
}

/* As one that it does not know. */
static void
announces_all_to_a_relay_that_promises_nothing(void **state)
{
	(void)state;
	start(FEW);
	wait_for_announcements(FEW);
	assert_true(relay.is_offered);
	stop();
}

static int
set_up(void **state)
{
	(void)state;
	log_init("test", LOG_ERROR, LOG_TEXT);
	mint_open(&mint);
	mint_leaf(&mint, "relay", "localhost", GNUTLS_KP_TLS_WWW_SERVER);
	mint_leaf(&mint, "agent", "agent", GNUTLS_KP_TLS_WWW_CLIENT);
	return !tls_start();
}

static int
tear_down(void **state)
{
	(void)state;
	mint_close(&mint);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(announces_very_many_in_order_and_each_once),
		cmocka_unit_test(withdraws_very_many_in_few_frames),
		cmocka_unit_test(withdraws_from_an_older_relay_at_its_pace),
		cmocka_unit_test(announces_to_an_older_relay_after_what_it_withdraws),
		cmocka_unit_test(offers_nothing_where_there_is_little),
		cmocka_unit_test(says_nothing_where_the_relay_goes_on_with_what_it_has),
		cmocka_unit_test(announces_all_where_the_relay_does_not),
		cmocka_unit_test(tells_afterwards_what_has_changed_meanwhile),
		cmocka_unit_test(announces_all_to_a_relay_that_promises_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("agent/announcer", tests, set_up, tear_down);
}
