/*
 * Tests of the carrier handoff: where TLS ends and bare bytes begin, to the byte.
 *
 * Two ends of a channel with a wire between them that is in the test's hand: it
 * sees what passes, and delivers as much of it as it likes.
 */
#include "tunnel/channel.h"

#include <malloc.h>
#include <sys/ioctl.h>

#include "base/socket.h"
#include "tunnel/channel_tls.h"

enum {
	MOST = 1 << 17,
	HEADER = 5,
	CLOSE_NOTIFY = HEADER + 2 + 1 + 16, /* as a record of TLS 1.3 */
};

struct handoff_end {
	struct channel *channel;
	char events[128];
	struct stream *stream; /* released in the handler, as the daemons do */
	int wire;              /* the test's end of its connection */
};

static struct handoff_end relay, agent;
static struct diary raw;
static const struct frame_ready no_facts;
static const uint8_t hello[] = "\x16\x03\x01\x00\x08the hello";
/* What the wire has taken from one end, and not delivered to the other. */
static uint8_t taken[MOST];
static size_t taken_bytes;

static void
on_event(void *arg, enum channel_event event)
{
	static const char *const names[] = {
		[CHANNEL_PARKED] = "parked ",
		[CHANNEL_HELLO] = "",
		[CHANNEL_OPEN] = "open ",
		[CHANNEL_READY] = "ready ",
		[CHANNEL_FAIL] = "fail ",
		[CHANNEL_PONG] = "pong ",
		[CHANNEL_OVER] = "over ",
	};
	struct handoff_end *end = arg;
	strcat(end->events, names[event]);
	if (event == CHANNEL_READY)
		end->stream = channel_release(end->channel);
}

/* ---- the wire ---- */

static int
connect_wire(struct handoff_end *end)
{
	int fds[2];
	tcp_pair(fds);
	end->wire = fds[0];
	return fds[1];
}

static bool
pass(int from, int to)
{
	uint8_t data[4096];
	ssize_t got = recv(from, data, sizeof data, 0);
	if (got > 0)
		assert_int_equal(send(to, data, (size_t)got, MSG_NOSIGNAL), got);
	return got > 0;
}

/* An end says these events, while the wire passes everything on. */
static bool
says(void *arg)
{
	const char *const *claims = arg;
	while (pass(relay.wire, agent.wire) || pass(agent.wire, relay.wire))
		;
	return (!claims[0] || strcmp(relay.events, claims[0]) == 0) &&
	    (!claims[1] || strcmp(agent.events, claims[1]) == 0);
}

static void
reach(const char *of_relay, const char *of_agent)
{
	const char *claims[] = { of_relay, of_agent };
	if (!happens(says, claims))
		fail_msg("relay: %s agent: %s", relay.events, agent.events);
}

/* The same, while the wire passes nothing on. */
static bool
has_said(void *arg)
{
	const char *const *claims = arg;
	return strcmp(relay.events, claims[0]) == 0 && strcmp(agent.events, claims[1]) == 0;
}

static void
hold_and_reach(const char *of_relay, const char *of_agent)
{
	const char *claims[] = { of_relay, of_agent };
	if (!happens(has_said, claims))
		fail_msg("relay: %s agent: %s", relay.events, agent.events);
}

struct wanted {
	const struct handoff_end *from;
	size_t bytes; /* 0: one whole record */
};

static size_t
record_bytes(void)
{
	return HEADER + ((size_t)taken[3] << 8 | taken[4]);
}

static bool
is_taken(void *arg)
{
	const struct wanted *wanted = arg;
	ssize_t got = recv(wanted->from->wire, taken + taken_bytes, MOST - taken_bytes, 0);
	taken_bytes += got > 0 ? (size_t)got : 0;
	if (wanted->bytes)
		return taken_bytes >= wanted->bytes;
	return taken_bytes >= HEADER && taken_bytes >= record_bytes();
}

/* Takes one record from an end, and so many bytes behind it, and no more. Returns the record's length. */
static size_t
take_record_and(const struct handoff_end *from, size_t behind)
{
	struct wanted wanted = { .from = from };
	taken_bytes = 0;
	assert_true(happens(is_taken, &wanted));
	wanted.bytes = record_bytes() + behind;
	assert_true(happens(is_taken, &wanted));
	assert_int_equal(taken_bytes, wanted.bytes);
	assert_int_equal(taken[0], 23);
	return record_bytes();
}

/* How it ends must not depend on whether the other end has read it by then; mostly it has. */
static void
deliver(const struct handoff_end *to, size_t from, size_t until)
{
	if (until > from)
		assert_int_equal(send(to->wire, taken + from, until - from, MSG_NOSIGNAL),
		    (ssize_t)(until - from));
	turn_for(0);
	turn_for(0);
}

/* The wire to this end breaks off. */
static void
cut(struct handoff_end *to, bool is_reset)
{
	if (is_reset)
		socket_reset_on_close(to->wire);
	close(to->wire);
	to->wire = -1;
}

/* The end has reset the connection, without another byte. */
static bool
was_reset(void *arg)
{
	const struct handoff_end *end = arg;
	uint8_t byte;
	ssize_t got = recv(end->wire, &byte, 1, 0);
	assert_false(got >= 0);
	return errno == ECONNRESET;
}

/* ---- the ends ---- */

static void
start(void)
{
	relay = agent = (struct handoff_end){ 0 };
	relay.channel =
	    channel_new(loop, true, relays_tls(connect_wire(&relay)), 1000, on_event, &relay);
	agent.channel =
	    channel_new(loop, false, agents_tls(connect_wire(&agent)), 1000, on_event, &agent);
	reach("parked ", "parked ");
}

static void
stop_end(struct handoff_end *end)
{
	channel_free(end->channel);
	stream_free(end->stream);
	if (end->wire >= 0)
		close(end->wire);
}

static void
stop(void)
{
	stop_end(&relay);
	stop_end(&agent);
	turn_for(5);
}

static struct frame_open
an_open(uint32_t hello_bytes)
{
	return (struct frame_open){ .flow_id = "0123456789abcde",
		.endpoint = 7,
		.server_name = "app.example.com",
		.carrier = CARRIER_HANDOFF,
		.hello_bytes = hello_bytes };
}

static void
open_it(void)
{
	const struct frame_open open = an_open(sizeof hello);
	assert_true(channel_open(relay.channel, &open, hello));
}

static void
start_opened(void)
{
	start();
	open_it();
	reach("parked ", "parked open ");
}

static void
answer(void)
{
	assert_true(channel_ready(agent.channel, &no_facts));
	agent.stream = channel_release(agent.channel);
	assert_non_null(agent.stream);
	channel_free(agent.channel);
	agent.channel = NULL;
}

/* Bytes that look like records, as those of the client's own TLS do. */
static uint8_t
lookalike(size_t at)
{
	static const uint8_t records[] = { 23, 3, 3, 0, 4, 'd', 'a', 't', 'a', 21, 3, 3, 0, 2, 2,
		80, 22, 3, 3, 0, 5, 24, 0, 0, 1, 1 };
	return records[at % sizeof records];
}

static void
write_lookalikes(struct stream *s, size_t bytes)
{
	uint8_t data[1 << 16];
	size_t done = 0;
	for (size_t i = 0; i < bytes; i++)
		data[i] = lookalike(i);
	if (bytes > 0)
		assert_int_equal(stream_write(s, data, bytes, &done), IO_OK);
	assert_int_equal(done, bytes);
}

struct reading {
	struct stream *stream;
	size_t got;
	enum io end; /* IO_OK: none yet */
};

static bool
is_read(void *arg)
{
	struct reading *r = arg;
	uint8_t data[4096];
	size_t done;
	enum io io;
	while ((io = stream_read(r->stream, data, sizeof data, &done)) == IO_OK)
		for (size_t i = 0; i < done; i++)
			assert_int_equal(data[i], lookalike(r->got++));
	if (!io_must_wait(io))
		r->end = io;
	return !io_must_wait(io);
}

/* Until the stream ends so. */
static void
read_lookalikes(struct stream *s, size_t bytes, enum io end)
{
	struct reading reading = { .stream = s };
	assert_true(happens(is_read, &reading));
	assert_int_equal(reading.got, bytes);
	assert_int_equal(reading.end, end);
}

/* ---- tests ---- */

static const size_t sizes[] = { 0, 1, 5, 26, 100, 16384, 65536 };

static void
ready_and_bare_bytes_come_in_one_piece(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		start_opened();
		answer();
		write_lookalikes(agent.stream, sizes[i]);
		assert_int_equal(stream_finish(agent.stream), IO_OK);
		take_record_and(&agent, sizes[i]);
		deliver(&relay, 0, taken_bytes);
		hold_and_reach("parked ready ", "parked open ");
		cut(&relay, false);
		read_lookalikes(relay.stream, sizes[i], IO_EOF);
		stop();
	}
}

/* As above, with a pause behind the byte `at`. */
static bool
ready_is_cut_at(size_t at, size_t behind)
{
	start_opened();
	answer();
	write_lookalikes(agent.stream, behind);
	size_t record = take_record_and(&agent, behind);
	bool is_within = at <= record + behind && at <= record + 64;
	if (is_within) {
		deliver(&relay, 0, at);
		if (at < record)
			assert_string_equal(relay.events, "parked ");
		deliver(&relay, at, taken_bytes);
		hold_and_reach("parked ready ", "parked open ");
		cut(&relay, false);
		read_lookalikes(relay.stream, behind, IO_EOF);
	}
	stop();
	return is_within;
}

static void
ready_and_bare_bytes_may_be_cut_anywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		for (size_t at = 0; ready_is_cut_at(at, sizes[i]); at++)
			;
}

/* The agent's own direction: the client's bytes behind its hello. */
static void
bare_bytes_follow_the_hello_in_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		uint8_t first[sizeof hello];
		size_t done;
		start_opened();
		answer();
		reach("parked ready ", "parked open ");
		write_lookalikes(relay.stream, sizes[i]);
		assert_int_equal(stream_read(agent.stream, first, sizeof first, &done), IO_OK);
		assert_int_equal(done, sizeof hello);
		assert_memory_equal(first, hello, sizeof hello);
		struct wanted wanted = { &relay, sizes[i] };
		taken_bytes = 0;
		assert_true(sizes[i] == 0 || happens(is_taken, &wanted));
		deliver(&agent, 0, taken_bytes);
		cut(&agent, false);
		read_lookalikes(agent.stream, sizes[i], IO_EOF);
		stop();
	}
}

/* The relay's records come cut at every byte, and break off at every byte. */
static bool
open_breaks_off_at(size_t at, bool is_reset)
{
	start();
	open_it();
	size_t record = take_record_and(&relay, 0);
	if (at <= record) {
		deliver(&agent, 0, at);
		if (at == record)
			hold_and_reach("parked ", "parked open ");
		cut(&agent, is_reset);
		hold_and_reach("parked ", at == record ? "parked open over " : "parked over ");
	}
	stop();
	return at <= record;
}

static void
an_open_that_breaks_off_is_abandoned(void **state)
{
	(void)state;
	for (int is_reset = 0; is_reset < 2; is_reset++)
		for (size_t at = 0; open_breaks_off_at(at, is_reset); at++)
			;
}

static bool
ready_breaks_off_at(size_t at, size_t behind, bool is_reset)
{
	start_opened();
	answer();
	write_lookalikes(agent.stream, behind);
	size_t record = take_record_and(&agent, behind);
	bool is_within = at <= record + behind;
	if (is_within) {
		deliver(&relay, 0, at);
		if (at >= record)
			hold_and_reach("parked ready ", "parked open ");
		cut(&relay, is_reset);
		if (at < record)
			hold_and_reach("parked over ", "parked open ");
		else
			read_lookalikes(
			    relay.stream, at - record, is_reset ? IO_RESET : IO_EOF);
	}
	stop();
	return is_within;
}

/* Before the border any end is a loss; behind it FIN is an end and RST a reset. */
static void
an_answer_may_break_off_anywhere(void **state)
{
	(void)state;
	for (int is_reset = 0; is_reset < 2; is_reset++)
		for (size_t at = 0; ready_breaks_off_at(at, 30, is_reset); at++)
			;
}

/* ---- what the relay must not say ---- */

/* Behind the hello stands nothing, whatever happens. */
static void
the_relay_abandons_by_a_reset(void **state)
{
	(void)state;
	start_opened();
	channel_free(relay.channel);
	relay.channel = NULL;
	assert_true(happens(was_reset, &relay));
	cut(&agent, true);
	hold_and_reach("parked ", "parked open over ");
	assert_null(channel_release(agent.channel));
	stop();
}

static void
the_relay_answers_a_fail_by_a_reset(void **state)
{
	(void)state;
	start_opened();
	channel_fail(agent.channel, CODE_UPSTREAM_DOWN, "it refuses");
	take_record_and(&agent, CLOSE_NOTIFY);
	deliver(&relay, 0, taken_bytes);
	hold_and_reach("parked fail over ", "parked open ");
	assert_int_equal(channel_fail_code(relay.channel), CODE_UPSTREAM_DOWN);
	channel_free(relay.channel);
	relay.channel = NULL;
	assert_true(happens(was_reset, &relay));
	cut(&agent, true);
	hold_and_reach("parked fail over ", "parked open over ");
	stop();
}

/* A raw agent, which does not keep the rules. */
static void
start_raw_agent(void)
{
	relay = (struct handoff_end){ 0 };
	relay.wire = -1;
	agent = (struct handoff_end){ .wire = -1 };
	raw = (struct diary){ 0 };
	int fds[2];
	tcp_pair(fds);
	relay.channel = channel_new(loop, true, relays_tls(fds[0]), 1000, on_event, &relay);
	raw.link = link_new(loop, agents_tls(fds[1]), 1000, on_diary, &raw);
	hold_and_reach("parked ", "");
	const struct frame_open open = an_open(4);
	/* A hello that reads as a frame, so that the diary goes on reading frames behind it. */
	assert_true(channel_open(relay.channel, &open, (const uint8_t *)"\x00\x02\xaax"));
	while (!strstr(raw.events, "16 170 "))
		turn_for(0);
}

static void
the_relay_is_over_and_silent(void)
{
	char before[sizeof raw.events];
	memcpy(before, raw.events, sizeof before);
	hold_and_reach("parked over ", "");
	channel_free(relay.channel);
	relay.channel = NULL;
	assert_true(happens(diary_is_over, &raw));
	assert_string_equal(link_error(raw.link), "the connection was reset");
	assert_int_equal(strncmp(raw.events, before, strlen(before)), 0);
	assert_int_equal(tls_alert_received(link_tls(raw.link)), 0);
	link_free(raw.link);
	turn_for(5);
}

static const struct {
	const char *bytes;
	size_t count;
} last_words[] = {
	{ "\x00\x01\x11more", 7 },                          /* plaintext behind ready */
	{ "\x00\x01\x11\x00\x01\x13", 6 },                  /* a frame, too */
	{ "\x00\x00", 2 },                                  /* a malformed one instead */
	{ "\x00\x05\x11\x00\x01\x00\x00", 7 },              /* one that does not belong */
	{ "\x00\x01\x10", 3 },
};

static void
plaintext_behind_ready_is_a_protocol_error(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof last_words / sizeof *last_words; i++) {
		start_raw_agent();
		assert_true(link_send(raw.link, last_words[i].bytes, last_words[i].count));
		the_relay_is_over_and_silent();
	}
}

static void
a_key_update_before_ready_is_a_protocol_error(void **state)
{
	(void)state;
	start_raw_agent();
	assert_true(tls_update_key(link_tls(raw.link)));
	assert_true(link_send(raw.link, "\x00\x01\x11", 3));
	the_relay_is_over_and_silent();
}

/* A raw relay, likewise. */
static void
start_raw_relay(void)
{
	int fds[2];
	tcp_pair(fds);
	relay = (struct handoff_end){ .wire = -1 };
	agent = (struct handoff_end){ .wire = -1 };
	raw = (struct diary){ 0 };
	agent.channel = channel_new(loop, false, agents_tls(fds[1]), 1000, on_event, &agent);
	raw.link = link_new(loop, relays_tls(fds[0]), 1000, on_diary, &raw);
	hold_and_reach("", "parked ");
}

static void
stop_raw_relay(void)
{
	link_free(raw.link);
	channel_free(agent.channel);
	turn_for(5);
}

static void
say_open(const char *hello_and_more)
{
	uint8_t out[FRAME_BYTES];
	const struct frame_open open = an_open(3);
	assert_true(link_send_raw(raw.link, out, frame_encode_open(out, 1, &open), hello_and_more,
	    strlen(hello_and_more)));
}

static void
plaintext_behind_the_hello_is_a_protocol_error(void **state)
{
	(void)state;
	start_raw_relay();
	say_open("abcmore");
	hold_and_reach("", "parked over ");
	assert_string_equal(channel_error(agent.channel),
	    "the relay says more behind the hello of an open");
	stop_raw_relay();
}

/* Be it a record or not. */
static void
a_byte_before_the_answer_is_a_protocol_error(void **state)
{
	(void)state;
	start_raw_relay();
	say_open("abc");
	hold_and_reach("", "parked open ");
	assert_true(link_send(raw.link, "early", 5));
	hold_and_reach("", "parked open over ");
	assert_string_equal(channel_error(agent.channel),
	    "the relay did not wait for the answer to its open");
	assert_null(channel_release(agent.channel));
	stop_raw_relay();
}

/* Also when it comes together with the hello. */
static void
a_record_behind_the_hello_is_a_protocol_error(void **state)
{
	uint8_t out[FRAME_BYTES];
	const struct frame_open open = an_open(3);
	size_t bytes = frame_encode_open(out, 1, &open);
	(void)state;
	start_raw_relay();
	struct tls *tls = link_tls(raw.link);
	memcpy(out + bytes, "abc", 3);
	assert_true(tls_write_behind(tls, out, bytes + 3));
	assert_true(tls_write_behind(tls, "early", 5));
	hold_and_reach("", "parked over ");
	assert_string_equal(channel_error(agent.channel),
	    "the relay says more behind the hello of an open");
	stop_raw_relay();
}

static void
a_key_update_before_the_hello_is_a_protocol_error(void **state)
{
	(void)state;
	start_raw_relay();
	assert_true(tls_update_key(link_tls(raw.link)));
	say_open("abc");
	hold_and_reach("", "parked over ");
	stop_raw_relay();
}

/* A relay that has not got rid of its hello cannot have an answer. */
static void
an_answer_to_half_a_hello_is_a_protocol_error(void **state)
{
	static const uint8_t junk[4096];
	const struct frame_open open = an_open(sizeof hello);
	int fds[2];
	(void)state;
	relay = agent = (struct handoff_end){ .wire = -1 };
	raw = (struct diary){ 0 };
	pair(fds);
	relay.channel = channel_new(loop, true, relays_tls(fds[0]), 1000, on_event, &relay);
	raw.link = link_new(loop, agents_tls(fds[1]), 1000, on_diary, &raw);
	hold_and_reach("parked ", "");
	link_pause(raw.link);
	while (send(fds[0], junk, sizeof junk, MSG_NOSIGNAL) > 0)
		;
	assert_true(channel_open(relay.channel, &open, hello));
	turn_for(0);
	assert_true(tls_write_behind(link_tls(raw.link), "\x00\x01\x11", 3));
	hold_and_reach("parked over ", "");
	link_free(raw.link);
	channel_free(relay.channel);
	turn_for(5);
}

/* ---- what waits to be sent ---- */

static bool
can_write(void *arg)
{
	size_t done;
	return stream_write(arg, "bare", 4, &done) == IO_OK;
}

static void
what_did_not_go_out_goes_out_first(void **state)
{
	static char much[1 << 16];
	struct tls *client, *server;
	size_t done, sent = 0, got = 0;
	int fds[2];
	(void)state;
	pair(fds);
	server = relays_tls(fds[0]);
	client = agents_tls(fds[1]);
	shaken(client, server);
	while (stream_write(tls_stream(client), much, sizeof much, &done) == IO_OK)
		sent += done;
	assert_true(tls_write_behind(client, much, sizeof much));
	sent += sizeof much;
	struct stream *bare = tls_unwrap(client);
	assert_non_null(bare);
	assert_int_equal(bare->fd, fds[1]);
	assert_int_equal(stream_write(bare, "bare", 4, &done), IO_WRITE);
	while (got < sent) {
		enum io io = stream_read(tls_stream(server), much, sizeof much, &done);
		got += done;
		if (io == IO_READ)
			assert_true(stream_write(bare, NULL, 0, &done) != IO_RESET);
	}
	assert_int_equal(got, sent);
	assert_true(happens(can_write, bare));
	struct stream *other = tls_unwrap(server);
	assert_non_null(other);
	hear(other, "bare");
	assert_null(other->unread);
	assert_null(bare->unread);
	stream_free(other);
	stream_free(bare);
}

static void
what_was_not_read_forbids_it(void **state)
{
	struct tls *client, *server;
	uint8_t byte;
	size_t done;
	int fds[2];
	(void)state;
	pair(fds);
	server = relays_tls(fds[0]);
	client = agents_tls(fds[1]);
	shaken(client, server);
	say(tls_stream(client), "ab");
	assert_int_equal(stream_read(tls_stream(server), &byte, 1, &done), IO_OK);
	assert_false(tls_is_at_border(server));
	assert_null(tls_unwrap(server));
	assert_int_equal(stream_read(tls_stream(server), &byte, 1, &done), IO_OK);
	assert_true(tls_is_at_border(server));
	stream_free(tls_unwrap(server));
	stream_free(tls_stream(client));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ready_and_bare_bytes_come_in_one_piece),
		cmocka_unit_test(ready_and_bare_bytes_may_be_cut_anywhere),
		cmocka_unit_test(bare_bytes_follow_the_hello_in_order),
		cmocka_unit_test(an_open_that_breaks_off_is_abandoned),
		cmocka_unit_test(an_answer_may_break_off_anywhere),
		cmocka_unit_test(the_relay_abandons_by_a_reset),
		cmocka_unit_test(the_relay_answers_a_fail_by_a_reset),
		cmocka_unit_test(plaintext_behind_ready_is_a_protocol_error),
		cmocka_unit_test(a_key_update_before_ready_is_a_protocol_error),
		cmocka_unit_test(plaintext_behind_the_hello_is_a_protocol_error),
		cmocka_unit_test(a_byte_before_the_answer_is_a_protocol_error),
		cmocka_unit_test(a_record_behind_the_hello_is_a_protocol_error),
		cmocka_unit_test(a_key_update_before_the_hello_is_a_protocol_error),
		cmocka_unit_test(an_answer_to_half_a_hello_is_a_protocol_error),
		cmocka_unit_test(what_did_not_go_out_goes_out_first),
		cmocka_unit_test(what_was_not_read_forbids_it),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("handoff", tests, set_up_channels, tear_down_channels);
}
