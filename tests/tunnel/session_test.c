/* Tests of tunnel/session: greeting, frames, heartbeat, and how it ends. */
#include "tunnel/session.h"

#include <nettle/hkdf.h>
#include <nettle/hmac.h>
#include <nettle/sha2.h>

#include "base/clock.h"
#include "base/units.h"
#include "tunnel/looped.h"
#include "tunnel/tls_private.h"

struct session_end {
	struct session *session;
	char events[256];
	union session_frame last;
	bool is_over, frees_itself;
};

static struct session_end relay, agent;
static struct diary raw;

static const char *const event_names[] = {
	[SESSION_HELLO] = "hello ", [SESSION_WELCOME] = "welcome ",
	    [SESSION_ANNOUNCE] = "announce ",
	[SESSION_WITHDRAW] = "withdraw ", [SESSION_ACCEPTED] = "accepted ",
	    [SESSION_REFUSED] = "refused ",
	[SESSION_NEED] = "need ", [SESSION_DRAIN] = "drain ", [SESSION_PONG] = "pong ",
	    [SESSION_OVER] = "over ", [SESSION_AGAIN] = "again ",
	[SESSION_SILENT] = "silent ", [SESSION_HEARD] = "heard ",
};

static const struct frame_welcome welcome = { .version = 1, .session_id = "0123456789abcde",
    .relay = "r1",
	.pool_least = 1, .pool_most = 8, .heartbeat_ms = 60, .tolerance_ms = 90 };
static const struct frame_hello hello = { .oldest = 1, .newest = 1, .software = "test",
	.instance = "instance of 15.", .start = "start..", .heartbeat_ms = 60 };

static void
on_event(void *arg, enum session_event event, const union session_frame *frame)
{
	struct session_end *end = arg;
	strcat(end->events, event_names[event]);
	if (frame)
		end->last = *frame;
	end->is_over |= event == SESSION_OVER;
	if (end->frees_itself)
		session_free(end->session);
}

static void
on_event_and_welcome(void *arg, enum session_event event, const union session_frame *frame)
{
	on_event(arg, event, frame);
	if (event == SESSION_HELLO)
		session_welcome(relay.session, &welcome);
}

static bool
says(void *arg)
{
	const char *const *claims = arg;
	return (!claims[0] || strstr(relay.events, claims[0])) && (!claims[1] ||
	    strstr(agent.events, claims[1]));
}

/* Both ends have come so far. */
static void
reach(const char *of_relay, const char *of_agent)
{
	const char *claims[] = { of_relay, of_agent };
	if (!happens(says, claims))
		fail_msg("relay: %s agent: %s", relay.events, agent.events);
}

static void
start_relay(int fd, bool welcomes)
{
	relay = (struct session_end){ 0 };
	relay.session = session_new(loop, SESSION_RELAY, end_of(TLS_SESSION_RELAY, fd), 1000,
	    welcomes ? on_event_and_welcome : on_event, &relay);
}

static void
start_agent(int fd)
{
	agent = (struct session_end){ 0 };
	agent.session = session_new(loop, SESSION_AGENT, end_of(TLS_SESSION_AGENT, fd), 1000,
	    on_event, &agent);
	session_set_hello(agent.session, &hello);
}

static void
start(bool welcomes)
{
	int fds[2];
	pair(fds);
	start_relay(fds[0], welcomes);
	start_agent(fds[1]);
}

static void
stop(void)
{
	session_free(relay.session);
	session_free(agent.session);
	relay.session = agent.session = NULL;
	turn_for(5);
}

static void
hello_then_welcome_and_both_are_up(void **state)
{
	(void)state;
	start(false);
	reach("hello ", NULL);
	assert_string_equal(relay.last.hello.software, "test");
	assert_false(session_is_up(relay.session));
	session_welcome(relay.session, &welcome);
	reach(NULL, "welcome ");
	assert_true(session_is_up(relay.session) && session_is_up(agent.session));
	assert_memory_equal(agent.last.welcome.session_id, welcome.session_id, SESSION_ID_BYTES);
	stop();
}

static void
every_message_reaches_the_other_side(void **state)
{
	const struct frame_announce announce = { .endpoint = 3, .carriers = 1, .weight = 1,
	    .server_name = "a.b",
		.name = "x" };
	(void)state;
	start(true);
	reach("hello ", "welcome ");
	session_announce(agent.session, &announce);
	reach("announce ", NULL);
	assert_string_equal(relay.last.announce.server_name, "a.b");
	session_accept(relay.session, 3);
	session_refuse_endpoint(relay.session, 4, CODE_NAME_TAKEN, "taken by another");
	session_need(relay.session, 5);
	session_drain(relay.session, &(struct frame_drain){ .deadline_ms = 1000 });
	reach(NULL, "welcome accepted refused need drain ");
	assert_int_equal(agent.last.drain.deadline_ms, 1000);
	session_withdraw(agent.session, 3);
	session_drain(agent.session, &(struct frame_drain){ .deadline_ms = 7 });
	session_probe(agent.session);
	reach("hello announce withdraw drain ", "pong ");
	session_goodbye(agent.session, CODE_SHUTDOWN, "the agent stops");
	reach("over ", "over ");
	assert_int_equal(session_over_code(relay.session), CODE_SHUTDOWN);
	assert_string_equal(session_error(relay.session), "the agent stops");
	assert_int_equal(session_over_code(agent.session), CODE_SHUTDOWN);
	stop();
}

static void
a_refused_session_says_why_and_is_over(void **state)
{
	(void)state;
	start(false);
	reach("hello ", NULL);
	session_refuse(relay.session, CODE_SESSION_LIMIT, "three sessions are enough");
	reach("hello over ", "refused over ");
	assert_int_equal(agent.last.answer.endpoints.first, 0);
	assert_int_equal(session_over_code(agent.session), CODE_SESSION_LIMIT);
	assert_string_equal(session_error(agent.session), "three sessions are enough");
	stop();
}

static void
a_handler_may_free_its_session(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		start(true);
		(i ? &relay : &agent)->frees_itself = true;
		reach(i ? "hello " : NULL, i ? "over " : "welcome ");
		turn_for(20);
		if (i)
			relay.session = NULL;
		else
			agent.session = NULL;
		stop();
	}
}

/* One direction of a wire on which everything takes WIRE_MS. */
enum { WIRE_MS = 3 };

struct session_wire {
	int from, to;
	struct watch watch;
	struct timer timer;
};

static void
on_wire_ready(void *arg, unsigned ready)
{
	struct session_wire *wire = arg;
	(void)ready;
	watch_want(&wire->watch, WATCH_NOTHING);
	timer_set(&wire->timer, WIRE_MS);
}

static void
on_wire_time(void *arg)
{
	struct session_wire *wire = arg;
	uint8_t bytes[16384];
	ssize_t got = read(wire->from, bytes, sizeof bytes);
	if (got <= 0)
		return;
	assert_int_equal(write(wire->to, bytes, (size_t)got), got);
	watch_want(&wire->watch, WATCH_READ);
}

static void
wire_start(struct session_wire *wire, int from, int to)
{
	*wire = (struct session_wire){ .from = from, .to = to };
	watch_init(&wire->watch, loop, from, on_wire_ready, wire);
	timer_init(&wire->timer, loop, on_wire_time, wire);
	watch_want(&wire->watch, WATCH_READ);
}

static void
wire_stop(struct session_wire *wire)
{
	watch_wipe(&wire->watch);
	timer_clear(&wire->timer);
	close(wire->from);
}

static bool
both_are_up(void *arg)
{
	(void)arg;
	return session_is_up(relay.session) && session_is_up(agent.session);
}

static void
the_heartbeat_measures_and_keeps_the_session(void **state)
{
	struct session_wire up, down;
	int of_relay[2], of_agent[2];
	(void)state;
	pair(of_relay);
	pair(of_agent);
	start_relay(of_relay[0], true);
	start_agent(of_agent[0]);
	wire_start(&up, of_agent[1], of_relay[1]);
	wire_start(&down, of_relay[1], of_agent[1]);
	assert_true(comes_true(both_are_up, NULL, 200));
	assert_int_equal(session_rtt_us(relay.session), 0);
	turn_for(400);
	assert_true(session_is_up(relay.session) && session_is_up(agent.session));
	assert_int_equal(session_rtt_us(relay.session), 2 * WIRE_MS * 1000);
	assert_int_equal(session_rtt_us(agent.session), 2 * WIRE_MS * 1000);
	stop();
	wire_stop(&up);
	wire_stop(&down);
}

static bool
relay_is_over(void *arg)
{
	(void)arg;
	return relay.is_over;
}

static void
start_raw_agent(void)
{
	int fds[2];
	pair(fds);
	start_relay(fds[0], true);
	diary_start(&raw, TLS_SESSION_AGENT, fds[1]);
}

static void
say_raw(const void *bytes, size_t count)
{
	assert_true(link_send(raw.link, bytes, count));
}

static void
say_hello(const struct frame_hello *what)
{
	uint8_t out[FRAME_BYTES];
	say_raw(out, frame_encode_hello(out, what));
}

static void
stop_raw(void)
{
	link_free(raw.link);
	session_free(relay.session);
	turn_for(5);
}

static void
a_silent_peer_is_given_up(void **state)
{
	(void)state;
	start_raw_agent();
	say_hello(&hello);
	reach("hello ", NULL);
	assert_false(comes_true(relay_is_over, NULL, 100));
	assert_true(comes_true(relay_is_over, NULL, 3000));
	assert_int_equal(session_over_code(relay.session), CODE_HEARTBEAT_LOST);
	/* It was asked: at 60 and 120 ms; at 150 ms it was over. */
	assert_non_null(strstr(raw.events, "open 2 7 7 11 "));
	stop_raw();
}

/* ---- an agent whose relay falls silent ---- */

enum { SILENT_MS = 5000 };

static bool
raw_has_hello(void *arg)
{
	(void)arg;
	return strstr(raw.events, "open 1 ");
}

/* The relay is bare, and its agent up; it wants to know of silence. */
static void
start_raw_relay(uint32_t heartbeat_ms)
{
	struct frame_welcome slow = welcome;
	uint8_t out[FRAME_BYTES];
	int fds[2];
	pair(fds);
	relay = (struct session_end){ 0 };
	diary_start(&raw, TLS_SESSION_RELAY, fds[0]);
	start_agent(fds[1]);
	assert_true(happens(raw_has_hello, NULL));
	slow.heartbeat_ms = heartbeat_ms;
	slow.tolerance_ms = 15000;
	say_raw(out, frame_encode_welcome(out, &slow));
	reach(NULL, "welcome ");
	session_watch_silence(agent.session, SILENT_MS);
}

static void
answer_raw(void)
{
	uint8_t out[FRAME_BYTES];
	say_raw(out, frame_encode_pong(out, &(struct frame_ping){ .sequence = 1 }));
	turn_for(1);
}

static void
stop_raw_relay(void)
{
	link_free(raw.link);
	session_free(agent.session);
	agent.session = NULL;
	turn_for(5);
}

static void
an_agent_hears_of_silence_long_before_the_heartbeat_ends_it(void **state)
{
	(void)state;
	start_raw_relay(10000);
	turn_for(SILENT_MS - 1);
	assert_string_equal(agent.events, "welcome ");
	turn_for(1);
	assert_string_equal(agent.events, "welcome silent ");
	assert_string_equal(raw.events, "open 1 7 7 "); /* it was asked twice */
	turn_for(SILENT_MS);
	assert_string_equal(agent.events, "welcome silent ");
	answer_raw();
	assert_string_equal(agent.events, "welcome silent heard ");
	turn_for(SILENT_MS);
	assert_string_equal(agent.events, "welcome silent heard silent ");
	turn_for(25000);
	assert_true(agent.is_over);
	assert_int_equal(session_over_code(agent.session), CODE_HEARTBEAT_LOST);
	stop_raw_relay();
}

/* Nobody asks more often than the heartbeat does, if that is the faster one. */
static void
a_relay_that_answers_is_never_silent(void **state)
{
	(void)state;
	for (uint32_t heartbeat_ms = 1000; heartbeat_ms <= 60000; heartbeat_ms *= 60) {
		start_raw_relay(heartbeat_ms);
		for (int i = 0; i < 20; i++) {
			turn_for(SILENT_MS - 100);
			answer_raw();
		}
		assert_string_equal(agent.events, "welcome ");
		stop_raw_relay();
	}
}

static void
a_loop_that_slept_does_not_take_that_for_silence(void **state)
{
	(void)state;
	start_raw_relay(60000);
	clock_fake_move(clock_us() + UINT64_C(20000000));
	turn_for(990);
	assert_string_equal(agent.events, "welcome ");
	answer_raw();
	turn_for(SILENT_MS - 10);
	assert_string_equal(agent.events, "welcome ");
	stop_raw_relay();
}

/* What the owner does when it hears of it. */
static void
an_agent_may_end_its_session_when_it_hears_of_silence(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		start_raw_relay(10000);
		agent.frees_itself = i == 0;
		turn_for(SILENT_MS);
		agent.frees_itself = true;
		if (i == 1)
			answer_raw();
		turn_for(SILENT_MS);
		assert_string_equal(agent.events, i == 0 ? "welcome silent " : "welcome silent heard ");
		agent.session = NULL;
		stop_raw_relay();
	}
}

static void
a_last_word_is_no_sign_of_life(void **state)
{
	uint8_t out[FRAME_BYTES];
	(void)state;
	start_raw_relay(10000);
	turn_for(SILENT_MS);
	say_raw(out, frame_encode_goodbye(out, &(struct frame_goodbye){ .code = CODE_REPLACED }));
	reach(NULL, "over ");
	assert_string_equal(agent.events, "welcome silent over ");
	stop_raw_relay();
}

static void
no_hello_in_time_is_over(void **state)
{
	(void)state;
	start_raw_agent();
	assert_true(comes_true(diary_is_over, &raw, 3000));
	link_free(raw.link);
	raw.link = NULL;
	assert_true(happens(relay_is_over, NULL));
	assert_string_equal(session_error(relay.session), "no hello in time");
	stop_raw();
}

static void
versions_that_do_not_overlap_are_refused(void **state)
{
	struct frame_hello newer = hello;
	struct frame_refused refused;
	(void)state;
	newer.oldest = 3;
	newer.newest = 9;
	start_raw_agent();
	say_hello(&newer);
	assert_true(happens(diary_is_over, &raw));
	assert_true(frame_decode_refused(cursor_over(raw.last, raw.last_bytes), &refused));
	assert_int_equal(refused.code, CODE_VERSION);
	assert_string_equal(refused.sentence, "the relay speaks protocol 1 to 2, the agent 3 to 9");
	link_free(raw.link);
	raw.link = NULL;
	assert_true(happens(relay_is_over, NULL));
	assert_string_equal(relay.events, "over ");
	stop_raw();
}

/* What stands behind the two octets is the later version's own business. */
static void
a_later_version_is_refused_whatever_its_layout(void **state)
{
	static const uint8_t later[] = { 0, 6, FRAME_HELLO, 3, 4, 0xde, 0xad, 0xbe };
	struct frame_refused refused;
	(void)state;
	start_raw_agent();
	assert_true(link_send(raw.link, later, sizeof later));
	assert_true(happens(diary_is_over, &raw));
	assert_true(frame_decode_refused(cursor_over(raw.last, raw.last_bytes), &refused));
	assert_int_equal(refused.code, CODE_VERSION);
	link_free(raw.link);
	raw.link = NULL;
	assert_true(happens(relay_is_over, NULL));
	assert_string_equal(relay.events, "over ");
	stop_raw();
}

/* After the hello where marked; each is answered by a goodbye with protocol-error. */
static const struct session_crime {
	bool after_hello;
	uint8_t bytes[16];
	uint8_t count;
	const char *sentence;
} crimes[] = {
	{ false, { 0, 13, 7 }, 15, "frame type 7 comes at the wrong time" },
	{ false, { 0, 5, 4, 0, 0, 0, 1 }, 7, "frame type 4 comes at the wrong time" },
	{ true, { 0, 1, 1 }, 3, "frame type 1 comes at the wrong time" },
	{ true, { 0, 1, 2 }, 3, "frame type 2 is not for this side" },
	{ true, { 0, 5, 5, 0, 0, 0, 1 }, 7, "frame type 5 is not for this side" },
	{ true, { 0, 1, 17 }, 3, "frame type 17 is unknown" },
	{ true, { 0, 1, 0 }, 3, "frame type 0 is unknown" },
	{ true, { 0, 1, 127 }, 3, "frame type 127 is unknown" },
	{ true, { 0, 5, 4, 0, 0, 0, 0 }, 7, "frame type 4 is malformed" },
	{ true, { 0, 6, 4, 0, 0, 0, 1, 0 }, 8, "frame type 4 is malformed" },
};

static void
who_breaks_the_rules_is_told_which(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof crimes / sizeof *crimes; i++) {
		struct frame_goodbye goodbye;
		start_raw_agent();
		if (crimes[i].after_hello)
			say_hello(&hello);
		say_raw(crimes[i].bytes, crimes[i].count);
		assert_true(happens(diary_is_over, &raw));
		assert_true(frame_decode_goodbye(cursor_over(raw.last, raw.last_bytes), &goodbye));
		assert_int_equal(goodbye.code, CODE_PROTOCOL_ERROR);
		assert_string_equal(goodbye.sentence, crimes[i].sentence);
		assert_true(happens(relay_is_over, NULL));
		stop_raw();
	}
}

static void
unknown_optional_frames_are_skipped(void **state)
{
	(void)state;
	start_raw_agent();
	say_raw("\x00\x03\xf0xy", 5);
	say_hello(&hello);
	say_raw("\x00\x01\x80", 3);
	say_raw("\x00\x05\x04\x00\x00\x00\x09", 7);
	reach("hello withdraw ", NULL);
	assert_int_equal(relay.last.withdraw.endpoint, 9);
	stop_raw();
}

static bool
agent_is_over(void *arg)
{
	(void)arg;
	return agent.is_over;
}

static void
a_welcome_of_a_version_not_offered_is_not_believed(void **state)
{
	struct frame_welcome odd = welcome;
	uint8_t out[FRAME_BYTES];
	int fds[2];
	(void)state;
	odd.version = 2;
	pair(fds);
	start_agent(fds[0]);
	diary_start(&raw, TLS_SESSION_RELAY, fds[1]);
	say_raw(out, frame_encode_welcome(out, &odd));
	assert_true(happens(diary_is_over, &raw));
	link_free(raw.link);
	assert_true(happens(agent_is_over, NULL));
	assert_string_equal(agent.events, "over ");
	assert_int_equal(session_over_code(agent.session), CODE_VERSION);
	session_free(agent.session);
	turn_for(5);
}

static void
a_revoked_agent_learns_it_from_the_alert(void **state)
{
	static const struct { unsigned alert; enum code code; } verdicts[] = {
		{ 44, CODE_CERTIFICATE_REVOKED }, { 45, CODE_CERTIFICATE_EXPIRED },
		{ 48, CODE_CERTIFICATE_REFUSED }, { 49, CODE_CERTIFICATE_REFUSED }, { 80,
		    CODE_NONE },
	};
	(void)state;
	for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++) {
		int fds[2];
		unsigned verdict[3] = { verdicts[i].alert };
		const struct tls_hooks hooks = { .judge = judge_by, .arg = verdict };
		struct tls_config *config = config_for(TLS_SESSION_RELAY);
		tcp_pair(fds);
		relay = (struct session_end){ 0 };
		relay.session = session_new(loop, SESSION_RELAY,
		    tls_server(config, stream_socket(fds[0]), &hooks), 1000, on_event, &relay);
		tls_config_release(config);
		start_agent(fds[1]);
		assert_true(happens(agent_is_over, NULL));
		assert_int_equal(session_over_code(agent.session), verdicts[i].code);
		assert_true(happens(relay_is_over, NULL));
		assert_string_equal(relay.events, "over ");
		stop();
	}
}

static void
both_derive_the_same_channel_key(void **state)
{
	struct secret of_relay = { 0 }, of_agent = { 0 };
	(void)state;
	start(true);
	reach("hello ", "welcome ");
	assert_true(session_channel_key(relay.session, welcome.session_id, &of_relay));
	assert_true(session_channel_key(agent.session, welcome.session_id, &of_agent));
	assert_int_equal(of_relay.bytes, 32);
	assert_true(secret_equals(&of_relay, of_agent.data, of_agent.bytes));
	secret_wipe(&of_relay);
	secret_wipe(&of_agent);
	stop();
}

/* ---- RFC 8446 §7.1 and §7.5, written out once more ---- */

static void
expand_label(uint8_t out[32], const uint8_t secret[32], const char *label,
    const uint8_t context[32])
{
	struct hmac_sha256_ctx hmac;
	uint8_t info[128] = { 0, 32 };
	size_t bytes = strlen("tls13 ") + strlen(label);
	info[2] = (uint8_t)bytes;
	snprintf((char *)info + 3, sizeof info - 3, "tls13 %s", label);
	info[3 + bytes] = 32;
	memcpy(info + 4 + bytes, context, 32);
	hmac_sha256_set_key(&hmac, 32, secret);
	hkdf_expand(&hmac, (nettle_hash_update_func *)hmac_sha256_update,
	    (nettle_hash_digest_func *)hmac_sha256_digest, 32, 4 + bytes + 32, info, 32, out);
}

static void
hash_of(uint8_t out[32], const void *data, size_t bytes)
{
	struct sha256_ctx hash;
	sha256_init(&hash);
	sha256_update(&hash, bytes, data);
	sha256_digest(&hash, 32, out);
}

static void
channel_key_of(uint8_t out[32], const uint8_t exporter_secret[32],
    const uint8_t id[SESSION_ID_BYTES])
{
	uint8_t hash[32], derived[32];
	hash_of(hash, "", 0);
	expand_label(derived, exporter_secret, "EXPERIMENTAL valise channel 1", hash);
	hash_of(hash, id, SESSION_ID_BYTES);
	expand_label(out, derived, "exporter", hash);
}

static uint8_t exporter_secret[32];

static int
on_keylog(gnutls_session_t session, const char *label, const gnutls_datum_t *secret)
{
	(void)session;
	if (strcmp(label, "EXPORTER_SECRET") == 0 && secret->size == 32)
		memcpy(exporter_secret, secret->data, 32);
	return 0;
}

static void
the_channel_key_is_derived_as_the_manual_says(void **state)
{
	struct secret key = { 0 };
	uint8_t ours[32];
	(void)state;
	start(true);
	gnutls_session_set_keylog_function(session_tls(agent.session)->session, on_keylog);
	reach("hello ", "welcome ");
	assert_true(session_channel_key(agent.session, welcome.session_id, &key));
	channel_key_of(ours, exporter_secret, welcome.session_id);
	assert_true(secret_equals(&key, ours, sizeof ours));
	secret_wipe(&key);
	stop();
}

/* Session id 00..0f, exporter secret 00..1f: the worked example of valise-protocol(7). */
static void
the_worked_example_is_that_of_the_manual(void **state)
{
	uint8_t secret[32], key[32];
	char identity[CHANNEL_IDENTITY], hex[65];
	(void)state;
	for (uint8_t i = 0; i < sizeof secret; i++)
		secret[i] = i;
	channel_identity(secret, identity);
	assert_string_equal(identity, "v1.c45d905e65cd0075dc3f52009096d1f5");
	channel_key_of(key, secret, secret);
	assert_string_equal(hex_encode(hex, key, sizeof key),
	    "52a3f266b259595666ade42c5ebed335149fbd994ddb98f6b2d0a168bcd9403e");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hello_then_welcome_and_both_are_up),
		cmocka_unit_test(every_message_reaches_the_other_side),
		cmocka_unit_test(a_refused_session_says_why_and_is_over),
		cmocka_unit_test(a_handler_may_free_its_session),
		cmocka_unit_test(the_heartbeat_measures_and_keeps_the_session),
		cmocka_unit_test(an_agent_hears_of_silence_long_before_the_heartbeat_ends_it),
		cmocka_unit_test(a_relay_that_answers_is_never_silent),
		cmocka_unit_test(a_loop_that_slept_does_not_take_that_for_silence),
		cmocka_unit_test(an_agent_may_end_its_session_when_it_hears_of_silence),
		cmocka_unit_test(a_last_word_is_no_sign_of_life),
		cmocka_unit_test(a_silent_peer_is_given_up),
		cmocka_unit_test(no_hello_in_time_is_over),
		cmocka_unit_test(versions_that_do_not_overlap_are_refused),
		cmocka_unit_test(a_later_version_is_refused_whatever_its_layout),
		cmocka_unit_test(who_breaks_the_rules_is_told_which),
		cmocka_unit_test(unknown_optional_frames_are_skipped),
		cmocka_unit_test(a_welcome_of_a_version_not_offered_is_not_believed),
		cmocka_unit_test(a_revoked_agent_learns_it_from_the_alert),
		cmocka_unit_test(both_derive_the_same_channel_key),
		cmocka_unit_test(the_channel_key_is_derived_as_the_manual_says),
		cmocka_unit_test(the_worked_example_is_that_of_the_manual),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("session", tests, set_up, tear_down);
}
