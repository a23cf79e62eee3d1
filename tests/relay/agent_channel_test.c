/* Channels that are parked at the relay for very long, each with an agent's end of its own. */
#include "relay/agent_channel.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/shares.h"
#include "relay/conn.h"
#include "relay/helpers.h"
#include "relay/people.h"
#include "relay/rules.h"
#include "relay/session_ref.h"
#include "relay/session_table.h"
#include "relay/shared.h"
#include "relay/usage.h"
#include "relay/worker_context.h"
#include "tunnel/channel.h"
#include "tunnel/looped.h"
#include "tunnel/session.h"

enum { ENDS = 16, MINUTE_MS = 60000, STEP_MS = 5000, PING_MS = 30000, KEY_BYTES = 32 };

/* An agent's end. */
struct far_end {
	struct channel *channel;
	bool is_parked, is_opened, is_over;
	uint64_t over_at_ms;
};

static struct identity alice;
static struct usage_table *usage_table;
static struct session_ref *session_ref;
static struct shared shared;
static struct rules rules;
static struct worker_context worker;
static struct tls_config *agents;
static struct far_end ends[ENDS];
static unsigned needed;
static uint64_t began_ms;
static struct secret key;

/* ---- both sides ---- */

static void
on_command(void *arg, const struct session_ref_command *command)
{
	(void)arg;
	assert_int_equal(command->kind, SESSION_REF_NEED);
	needed += command->channels;
}

static void
on_shrank(struct worker_context *context)
{
	(void)context;
}

static void
on_far_end(void *arg, enum channel_event event)
{
	struct far_end *end = arg;

	end->is_parked |= event == CHANNEL_PARKED;
	end->is_opened |= event == CHANNEL_OPEN;
	if (event == CHANNEL_OVER) {
		end->is_over = true;
		end->over_at_ms = clock_ms();
	}
}

static void
open_ref(void)
{
	struct session_ref_settings settings = { .loop = loop, .identity = &alice, .pool_most = ENDS,
		.session_id = "0123456789abcde", .version = 2, .on_command = on_command };
	char why[USAGE_WHY];

	settings.usage = usage_of(usage_table, &alice);
	assert_true(usage_enter(settings.usage, USAGE_SESSIONS, why));
	session_ref = session_ref_new(&settings);
	assert_non_null(session_ref);
	assert_true(secret_init(&key, "an example of thirty-two bytes!", KEY_BYTES));
	assert_true(session_table_add(shared.session_table, session_ref, &key));
}

static int
begin(void **state)
{
	struct tls_settings channels = { .purpose = TLS_CHANNEL_RELAY, .find_key = session_table_find_key };
	char error[TLS_ERROR];

	if (set_up(state) != 0)
		return -1;
	alice = person("alice", "a.example", false);
	usage_table = usage_table_new();
	shared.session_table = session_table_new();
	shared.channels = shares_new(SHARES_OLDEST);
	channels.find_key_arg = shared.session_table;
	rules.channel_tls = tls_config_new(&channels, error);
	rules.settings.pool_ping_ms = PING_MS;
	rules.settings.limits.handshake_ms = 1000;
	agents = config_for(TLS_CHANNEL_AGENT);
	worker = (struct worker_context){
		.shared = &shared, .loop = loop, .rules = &rules, .on_shrank = on_shrank };
	memset(ends, 0, sizeof ends);
	needed = 0;
	open_ref();
	began_ms = clock_ms();
	return rules.channel_tls ? 0 : -1;
}

static int
end(void **state)
{
	agent_channel_cut_all(&worker);
	for (unsigned i = 0; i < ENDS; i++)
		channel_free(ends[i].channel);
	session_table_remove(shared.session_table, session_ref);
	session_ref_retire(session_ref);
	turn_for(5);
	session_ref_release(session_ref);
	secret_wipe(&key);
	tls_config_release(rules.channel_tls);
	tls_config_release(agents);
	session_table_free(shared.session_table);
	shares_free(shared.channels);
	usage_table_free(usage_table);
	return tear_down(state);
}

static bool
is_parked(void *arg)
{
	const struct far_end *far_end = arg;

	return far_end->is_parked && pool_parked(session_ref_pool(session_ref)) > 0;
}

static void
dial(struct far_end *far_end)
{
	unsigned before = pool_parked(session_ref_pool(session_ref));
	const struct address from = address_of("192.0.2.1:1");
	struct conn conn = { .client = ip_address_of(&from) };
	char psk[CHANNEL_IDENTITY];
	struct tls *tls;
	int fds[2];

	pair(fds);
	conn.fd = fds[0];
	channel_identity(session_ref_session_id(session_ref), psk);
	tls = tls_client(agents, stream_socket(fds[1]), "relay.test", NULL);
	assert_true(tls && tls_set_key(tls, psk, &key));
	far_end->channel = channel_new(loop, false, tls, 1000, on_far_end, far_end);
	assert_non_null(far_end->channel);
	agent_channel_start(&worker, &conn);
	assert_true(happens(is_parked, far_end));
	turn_for(0);
	assert_int_equal(pool_parked(session_ref_pool(session_ref)), before + 1);
}

static uint64_t
age_ms(void)
{
	return clock_ms() - began_ms;
}

/* ---- a client ---- */

static struct channel *got;
static bool is_answered, is_ready, is_lost;

static void
on_got(void *arg, enum channel_event event)
{
	(void)arg;
	is_ready |= event == CHANNEL_READY;
	is_lost |= event == CHANNEL_OVER;
}

static void
on_answer(void *arg, struct channel *channel)
{
	(void)arg;
	is_answered = true;
	got = channel;
}

static void
take(void)
{
	const struct address from = address_of("198.51.100.1:1");
	struct pool_asker asker = {
		.loop = loop, .client = &from, .on_answer = on_answer, .discard = channel_free };
	enum pool_refusal why;

	is_answered = is_ready = is_lost = false;
	got = NULL;
	assert_non_null(pool_take(session_ref_pool(session_ref), &asker, &why));
}

static bool
has_answer(void *arg)
{
	(void)arg;
	return is_answered;
}

static bool
is_opened(void *arg)
{
	return ((struct far_end *)arg)->is_opened;
}

static bool
is_joined(void *arg)
{
	(void)arg;
	return is_ready;
}

/* ---- ages ---- */

/* It is looked at when it would be pinged. */
static void
each_retires_after_a_time_of_its_own(void **state)
{
	const uint64_t most_ms = 20 * MINUTE_MS + 2 * PING_MS;
	uint64_t first = UINT64_MAX, last = 0;

	(void)state;
	rules.settings.pool_least = 0;
	for (unsigned i = 0; i < ENDS; i++)
		dial(&ends[i]);
	while (age_ms() < most_ms)
		turn_for(STEP_MS);
	for (unsigned i = 0; i < ENDS; i++) {
		uint64_t lived_ms = ends[i].over_at_ms - began_ms;

		assert_true(ends[i].is_over);
		assert_in_range(lived_ms, 10 * MINUTE_MS, most_ms);
		first = lived_ms < first ? lived_ms : first;
		last = lived_ms > last ? lived_ms : last;
	}
	/* That all of them fall into two of ten minutes happens once in 10^9 times. */
	assert_true(last - first > 2 * MINUTE_MS);
	assert_int_equal(pool_parked(session_ref_pool(session_ref)), 0);
	assert_int_equal(needed, 0);
}

static void
another_one_is_asked_for_before_one_of_the_least_retires(void **state)
{
	(void)state;
	rules.settings.pool_least = 1;
	dial(&ends[0]);
	while (age_ms() < 10 * MINUTE_MS) {
		assert_int_equal(needed, 0);
		turn_for(STEP_MS);
	}
	while (age_ms() < 30 * MINUTE_MS) {
		turn_for(STEP_MS);
		assert_false(ends[0].is_over);
	}
	assert_true(needed > 0);
	needed = 0;
	dial(&ends[1]);
	for (unsigned i = 0; i < 2 * PING_MS / STEP_MS; i++)
		turn_for(STEP_MS);
	assert_true(ends[0].is_over);
	assert_false(ends[1].is_over);
	assert_int_equal(pool_parked(session_ref_pool(session_ref)), 1);
	assert_int_equal(needed, 0);
}

/* The hello of such a flow must not be sent twice, so its channel must not be closed under it.  A channel whose
 * time is over long ago is as good as any, to the end. */
static void
who_has_got_an_old_one_keeps_it(void **state)
{
	static const uint8_t hello[] = "a hello with early data";
	const struct frame_open open = { .flow_id = "0123456789abcde", .endpoint = 7,
		.server_name = "a.example", .hello_bytes = sizeof hello };
	const struct frame_ready ready = { 0 };

	(void)state;
	rules.settings.pool_least = 1;
	dial(&ends[0]);
	while (age_ms() < 25 * MINUTE_MS)
		turn_for(STEP_MS);
	take();
	dial(&ends[1]); /* from now on nothing holds the old one, and it is on its way to the client */
	assert_true(happens(has_answer, NULL));
	assert_non_null(got);
	channel_attach(got, loop, on_got, NULL);
	assert_true(channel_open(got, &open, hello));
	assert_true(happens(is_opened, &ends[0]));
	assert_memory_equal(channel_hello(ends[0].channel), hello, sizeof hello);
	while (age_ms() < 50 * MINUTE_MS)
		turn_for(STEP_MS);
	assert_false(is_lost || ends[0].is_over);
	assert_true(channel_ready(ends[0].channel, &ready));
	assert_true(happens(is_joined, NULL));
	channel_free(got);
}

/* All that is parked retires at the moment at which one of it is on its way to a client. */
static void
who_asks_at_its_last_moment_gets_it(void **state)
{
	(void)state;
	rules.settings.pool_least = 2;
	dial(&ends[0]);
	dial(&ends[1]);
	while (age_ms() < 25 * MINUTE_MS)
		turn_for(STEP_MS);
	rules.settings.pool_least = 0;
	take();
	clock_fake_move(clock_us() + 2 * PING_MS * UINT64_C(1000));
	assert_true(happens(has_answer, NULL));
	assert_non_null(got);
	turn_for(0);
	assert_true(ends[0].is_over != ends[1].is_over);
	assert_int_equal(pool_parked(session_ref_pool(session_ref)), 0);
	channel_free(got);
}

/* An agent that drains dials no more, whatever it was asked for; its session says so. */
static void
who_waits_for_one_hears_at_once_that_the_agent_drains(void **state)
{
	(void)state;
	take();
	turn_for(0);
	assert_int_equal(needed, 1);
	assert_false(is_answered);
	session_ref_set_draining(session_ref);
	assert_true(happens(has_answer, NULL));
	assert_null(got);
	take(); /* who was led there before */
	assert_true(happens(has_answer, NULL));
	assert_null(got);
	dial(&ends[0]); /* its dial had begun */
	take();
	assert_true(happens(has_answer, NULL));
	assert_non_null(got);
	assert_int_equal(needed, 1);
	channel_free(got);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_retires_after_a_time_of_its_own),
		TEST(another_one_is_asked_for_before_one_of_the_least_retires),
		TEST(who_has_got_an_old_one_keeps_it),
		TEST(who_asks_at_its_last_moment_gets_it),
		TEST(who_waits_for_one_hears_at_once_that_the_agent_drains),
	};

	log_init("agent_channel_test", LOG_ERROR, LOG_TEXT);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("relay/agent_channel", tests, NULL, NULL);
}
