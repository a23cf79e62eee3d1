/* What TLS reads ahead and writes at once, over streams in memory that are cut wherever a test wants. */
#include "tunnel/tls.h"

#include <pthread.h>

#include "base/clock_fake.h"
#include "tunnel/buffer.h"
#include "tunnel/peer.h"
#include "tunnel/tls_private.h"

/* One end of a connection: what it reads was written by the other one. */
struct memory {
	struct stream stream;
	struct buffer *in, *out;
	size_t may_read, may_write;	/* then it has to wait */
	enum io end;			/* how the reading ends; IO_READ: it does not */
	unsigned reads, writes;
	bool was_last; /* what was written last had its end behind it */
};

static enum io
memory_read(struct stream *s, void *data, size_t bytes, size_t *done)
{
	struct memory *m = (struct memory *)s;
	size_t left = buffer_left(m->in) < m->may_read ? buffer_left(m->in) : m->may_read;
	m->reads++;
	if (left == 0)
		return buffer_left(m->in) > 0 ? IO_READ : m->end;
	*done = bytes < left ? bytes : left;
	memcpy(data, buffer_front(m->in), *done);
	buffer_take(m->in, *done);
	m->may_read -= *done;
	s->is_dry = *done < bytes;
	return IO_OK;
}

static enum io
memory_write(struct stream *s, const void *data, size_t bytes, size_t *done)
{
	struct memory *m = (struct memory *)s;
	if (bytes == 0)
		return IO_OK;
	m->writes++;
	m->was_last = s->ends_next;
	*done = bytes < m->may_write ? bytes : m->may_write;
	m->may_write -= *done;
	assert_true(buffer_add(m->out, data, *done));
	return *done ? IO_OK : IO_WRITE;
}

static enum io
memory_does_nothing(struct stream *s)
{
	(void)s;
	return IO_OK;
}

static bool
memory_is_broken(const struct stream *s)
{
	(void)s;
	return false;
}

static void
memory_reset(struct stream *s)
{
	(void)s;
}

static void
memory_free(struct stream *s)
{
	free(s);
}

static const struct stream_kind memory_kind = { memory_read, memory_write, memory_does_nothing,
	memory_does_nothing, memory_does_nothing, memory_is_broken, memory_reset, memory_free, NULL,
	NULL, NULL };

/* A channel, since its handshake costs little. */
struct both {
	struct buffer up, down;
	struct memory *under_client, *under_server;
	struct tls *client, *server;
	struct stream *c, *s;
};

static struct memory *
memory(struct buffer *in, struct buffer *out)
{
	struct memory *m = calloc(1, sizeof *m);
	assert_non_null(m);
	m->stream = (struct stream){ .kind = &memory_kind, .fd = -1 };
	m->in = in;
	m->out = out;
	m->may_read = m->may_write = SIZE_MAX;
	m->end = IO_READ;
	return m;
}

static const uint8_t key_bytes[32] = "an example of thirty-two bytes!";

static bool
find_key(void *arg, const char *identity, struct secret *key)
{
	(void)arg, (void)identity;
	return secret_init(key, key_bytes, sizeof key_bytes);
}

static void
meet(struct both *both)
{
	char error[TLS_ERROR];
	const struct tls_settings settings = { .purpose = TLS_CHANNEL_RELAY, .find_key = find_key };
	struct tls_config *cc = config_for(TLS_CHANNEL_AGENT), *sc = tls_config_new(&settings, error);
	struct secret key = { 0 };
	*both = (struct both){ 0 };
	both->under_client = memory(&both->down, &both->up);
	both->under_server = memory(&both->up, &both->down);
	both->client = tls_client(cc, &both->under_client->stream, "relay.test", NULL);
	both->server = tls_server(sc, &both->under_server->stream, NULL);
	assert_true(secret_init(&key, key_bytes, sizeof key_bytes));
	assert_true(tls_set_key(both->client, "v1.0", &key));
	secret_wipe(&key);
	tls_config_release(cc);
	tls_config_release(sc);
	both->c = tls_stream(both->client);
	both->s = tls_stream(both->server);
}

static void
start(struct both *both)
{
	meet(both);
	shaken(both->client, both->server);
	assert_int_equal(hear_nothing(both->c), IO_READ);	/* nothing of the handshake is left */
	both->under_client->reads = both->under_server->reads = 0;
	both->under_client->writes = both->under_server->writes = 0;
}

static void
part(struct both *both)
{
	stream_free(both->c);
	stream_free(both->s);
	buffer_drop(&both->up);
	buffer_drop(&both->down);
}

static uint8_t
byte_at(size_t at)
{
	return (uint8_t)(at * 2654435761u >> 13);
}

static void
check_bytes(const uint8_t *data, size_t from, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (data[i] != byte_at(from + i))
			fail_msg("byte %zu is wrong", from + i);
}

enum { MUCH = 64 * 1024, LITTLE = 64 };
static uint8_t room[MUCH];

static void
fill(size_t from, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		room[i] = byte_at(from + i);
}

/* ---- reading ---- */

/* Whatever GnuTLS makes of a flight, and whenever it would look for an answer. */
static void
a_flight_of_a_handshake_leaves_with_one_write(void **state)
{
	(void)state;
	struct both both;
	meet(&both);
	shaken(both.client, both.server);
	assert_int_equal(both.under_client->writes, 2); /* hello; change_cipher_spec and Finished */
	assert_int_equal(both.under_server->writes, 1);
	assert_int_equal(both.under_client->reads, 1);
	assert_int_equal(both.under_server->reads, 2);
	part(&both);
}

/* No event would announce the rest of it. */
static void
what_was_put_back_is_read_before_an_answer_is_waited_for(void **state)
{
	(void)state;
	struct both both;
	enum { READ_AT_ONCE = 4096 };
	uint8_t hello[READ_AT_ONCE + 5] = { 0 };
	size_t bytes;
	meet(&both);
	assert_int_equal(tls_handshake(both.client), IO_READ);
	bytes = buffer_left(&both.up);
	memcpy(hello, buffer_front(&both.up), bytes);
	buffer_drop(&both.up);
	/* A record that is no answer to the server's flight, to the end of what is read at once and one
	 * byte further. */
	memcpy(hello + bytes, "\x17\x03\x03", 3);
	hello[bytes + 3] = (uint8_t)((READ_AT_ONCE - bytes - 4) >> 8);
	hello[bytes + 4] = (uint8_t)(READ_AT_ONCE - bytes - 4);
	assert_true(stream_unread(&both.under_server->stream, hello, READ_AT_ONCE + 1));
	assert_int_equal(tls_handshake(both.server), IO_FAILED);
	part(&both);
}

static void
several_records_come_with_one_read(void **state)
{
	struct both both;
	size_t done;
	(void)state;
	start(&both);
	for (int i = 0; i < 5; i++)
		say(both.c, "a record. ");
	assert_int_equal(stream_read(both.s, room, MUCH, &done), IO_OK);
	assert_int_equal(done, 50);
	assert_int_equal(both.under_server->reads, 1);
	assert_int_equal(stream_read(both.s, room, MUCH, &done), IO_READ);
	assert_int_equal(both.under_server->reads, 2);
	part(&both);
}

static void
what_is_there_is_given_before_more_is_asked_for(void **state)
{
	struct both both;
	size_t done;
	(void)state;
	start(&both);
	say(both.c, "whole. ");
	say(both.c, "whole. ");
	say(both.c, "in part");
	both.under_server->may_read = buffer_left(&both.up) - 1;
	assert_int_equal(stream_read(both.s, room, MUCH, &done), IO_OK);
	assert_int_equal(done, 14);
	assert_int_equal(both.under_server->reads, 1);
	part(&both);
}

/* Nothing but the descriptor would tell of what a dry stream still held. */
static void
a_stream_is_dry_only_while_nothing_is_held_back(void **state)
{
	struct both both;
	size_t done;
	(void)state;
	start(&both);
	say(both.c, "first ");
	say(both.c, "second");
	assert_int_equal(stream_read(both.s, room, LITTLE, &done), IO_OK);
	assert_false(both.s->is_dry);	/* a record was read ahead */
	assert_int_equal(stream_read(both.s, room, 2, &done), IO_OK);
	assert_false(both.s->is_dry);	/* GnuTLS has a part of it */
	hear(both.s, "cond");
	assert_int_equal(stream_read(both.s, room, MUCH, &done), IO_READ);
	assert_false(both.s->is_dry);
	fill(0, MUCH);
	assert_int_equal(stream_write(both.c, room, 2000, &done), IO_OK);
	assert_int_equal(stream_read(both.s, room, MUCH, &done), IO_OK);
	assert_true(both.s->is_dry);
	assert_int_equal(stream_write(both.c, room, MUCH, &done), IO_OK);
	assert_int_equal(stream_read(both.s, room, MUCH, &done), IO_OK);
	assert_false(both.s->is_dry);	/* as much as was asked for */
	while (stream_read(both.s, room, MUCH, &done) == IO_OK)
		;
	say(both.c, "last");
	assert_int_equal(stream_finish(both.c), IO_OK);
	assert_int_equal(stream_read(both.s, room, MUCH, &done), IO_OK);
	assert_false(both.s->is_dry);	/* the end was read with it */
	assert_int_equal(stream_read(both.s, room, MUCH, &done), IO_EOF);
	part(&both);
}

/* Somebody else may read on behind it, without TLS. */
static void
a_reader_with_little_room_gets_one_record_and_the_rest_stays_raw(void **state)
{
	struct both both;
	uint8_t wire[1024], raw[1024];
	size_t done, first, rest;
	(void)state;
	start(&both);
	say(both.c, "the last one");
	first = buffer_left(&both.up);
	say(both.c, "behind it");
	assert_true(buffer_add(&both.up, "bare bytes", 10));
	rest = buffer_left(&both.up) - first;
	memcpy(wire, buffer_front(&both.up) + first, rest);
	assert_int_equal(stream_read(both.s, room, LITTLE, &done), IO_OK);
	assert_int_equal(done, 12);
	assert_int_equal(both.under_server->reads, 1);
	assert_int_equal(buffer_left(&both.up), 0);
	assert_true(tls_record_is_whole(&both.server->record));
	assert_true(tls_return_ahead(both.server));
	assert_int_equal(stream_read(&both.under_server->stream, raw, sizeof raw, &done), IO_OK);
	assert_int_equal(done, rest);
	assert_memory_equal(raw, wire, rest);
	assert_int_equal(stream_read(both.s, room, LITTLE, &done), IO_READ);
	part(&both);
}

static void
single_records_are_read_ahead_and_come_one_by_one(void **state)
{
	struct both both;
	(void)state;
	start(&both);
	for (int i = 0; i < 5; i++)
		say(both.c, "a record. ");
	for (int i = 0; i < 5; i++)
		hear(both.s, "a record. ");
	assert_int_equal(both.under_server->reads, 1);
	assert_null(both.server->ahead.data);
	part(&both);
}

/* Two records, a change of keys and what is behind it, then an orderly end. */
static size_t
speak(struct both *both)
{
	uint8_t data[300];
	size_t done, at = 0;
	for (size_t piece = 100; piece <= 200; piece += 50) {
		for (size_t i = 0; i < piece; i++)
			data[i] = byte_at(at + i);
		if (piece == 200)
			assert_true(tls_update_key(both->client));
		assert_int_equal(stream_write(both->c, data, piece, &done), IO_OK);
		assert_int_equal(done, piece);
		at += piece;
	}
	assert_int_equal(stream_finish(both->c), IO_OK);
	return at;
}

/* Reads until it has to wait or is over. */
static enum io
read_out(struct both *both, size_t bytes, size_t *got)
{
	size_t done;
	enum io io;
	while ((io = stream_read(both->s, room, bytes, &done)) == IO_OK) {
		check_bytes(room, *got, done);
		*got += done;
	}
	return io;
}

static void
records_may_be_cut_at_every_byte(void **state)
{
	(void)state;
	for (size_t bytes = LITTLE; bytes <= MUCH; bytes *= MUCH / LITTLE)
		for (size_t cut = 0, wire = 1; cut <= wire; cut++) {
			struct both both;
			size_t got = 0;
			start(&both);
			size_t total = speak(&both);
			wire = buffer_left(&both.up);
			both.under_server->may_read = cut;
			enum io io = read_out(&both, bytes, &got);
			assert_int_equal(io, cut < wire ? IO_READ : IO_EOF);
			both.under_server->may_read = SIZE_MAX;
			if (cut < wire)
				io = read_out(&both, bytes, &got);
			assert_int_equal(io, IO_EOF);
			assert_int_equal(got, total);
			/* Asked for by the change of keys: the answer goes with what is said next. */
			say(both.s, "heard");
			hear(both.c, "heard");
			part(&both);
		}
}

static void
records_may_come_byte_by_byte(void **state)
{
	(void)state;
	for (size_t bytes = LITTLE; bytes <= MUCH; bytes *= MUCH / LITTLE) {
		struct both both;
		size_t got = 0;
		enum io io = IO_READ;
		start(&both);
		size_t total = speak(&both);
		for (size_t wire = buffer_left(&both.up); wire > 0 && io == IO_READ; wire--) {
			both.under_server->may_read = 1;
			io = read_out(&both, bytes, &got);
		}
		assert_int_equal(io, IO_EOF);
		assert_int_equal(got, total);
		part(&both);
	}
}

static void
an_alert_behind_data_is_told_after_it(void **state)
{
	(void)state;
	for (size_t bytes = LITTLE; bytes <= MUCH; bytes *= MUCH / LITTLE) {
		struct both both;
		size_t done;
		start(&both);
		say(both.c, "first ");
		say(both.c, "second");
		tls_alert(both.client, 45);
		for (size_t got = 0; got < 12; got += done)
			assert_int_equal(stream_read(both.s, room + got, bytes, &done), IO_OK);
		assert_memory_equal(room, "first second", 12);
		assert_int_equal(stream_read(both.s, room, bytes, &done), IO_RESET);
		assert_int_equal(tls_alert_received(both.server), 45);
		assert_int_equal(stream_read(both.s, room, bytes, &done), IO_RESET);
		assert_null(both.server->ahead.data);
		part(&both);
	}
}

static void
garbage_behind_data_is_told_after_it(void **state)
{
	struct both both;
	size_t done;
	(void)state;
	start(&both);
	say(both.c, "good");
	assert_true(buffer_add(&both.up, "\x17\x03\x03\x00\x18this is no ciphertext..", 29));
	assert_int_equal(stream_read(both.s, room, MUCH, &done), IO_OK);
	assert_int_equal(done, 4);
	assert_int_equal(stream_read(both.s, room, MUCH, &done), IO_FAILED);
	assert_int_equal(tls_alert_sent(both.server), 20);
	assert_int_equal(hear_nothing(both.c), IO_RESET);
	part(&both);
}

/* Within a record nobody may end, not even who is forgiven for a missing close_notify. */
static void
an_end_behind_data_is_an_end_only_where_a_record_ends(void **state)
{
	(void)state;
	for (int forgiven = 0; forgiven < 2; forgiven++)
		for (size_t missing = 0, wire = 1; missing <= wire; missing++) {
			struct both both;
			size_t got = 0;
			start(&both);
			if (forgiven)
				tls_forgive_truncation(both.server);
			for (size_t i = 0; i < 20; i++)
				room[i] = byte_at(i);
			assert_int_equal(stream_write(both.c, room, 10, &wire), IO_OK);
			size_t first = buffer_left(&both.up);
			assert_int_equal(stream_write(both.c, room + 10, 10, &wire), IO_OK);
			wire = buffer_left(&both.up);
			both.up.bytes -= (uint32_t)missing;
			if (both.up.bytes == 0)
				buffer_drop(&both.up);
			bool is_whole = missing == 0 || missing == wire - first || missing == wire;
			both.under_server->end = IO_EOF;
			enum io end = forgiven && is_whole ? IO_EOF : IO_RESET;
			enum io io = read_out(&both, MUCH, &got);
			if (io == IO_READ)	/* of a part of a record; the end is announced by itself */
				io = read_out(&both, MUCH, &got);
			assert_int_equal(io, end);
			assert_int_equal(got, missing == 0 ? 20 : missing <= wire - first ? 10 : 0);
			assert_int_equal(read_out(&both, MUCH, &got), end);
			part(&both);
		}
}

struct elsewhere {
	struct stream *stream;
	size_t got;
	enum io io;
};

/* The records behind the first were read ahead, the last one in part. */
static void *
read_elsewhere(void *arg)
{
	struct elsewhere *it = arg;
	size_t done;
	while ((it->io = stream_read(it->stream, room + it->got, LITTLE, &done)) == IO_OK)
		it->got += done;
	return NULL;
}

static void
what_was_read_ahead_moves_to_another_thread(void **state)
{
	struct both both;
	struct elsewhere it = { 0 };
	pthread_t thread;
	(void)state;
	start(&both);
	say(both.c, "one");
	say(both.c, "two");
	say(both.c, "three");
	both.under_server->may_read = buffer_left(&both.up) - 3;
	hear(both.s, "one");
	assert_int_equal(both.under_server->reads, 1);
	it.stream = both.s;
	assert_int_equal(pthread_create(&thread, NULL, read_elsewhere, &it), 0);
	pthread_join(thread, NULL);
	assert_int_equal(it.io, IO_READ);
	assert_int_equal(it.got, 3);
	assert_memory_equal(room, "two", 3);
	both.under_server->may_read = SIZE_MAX;
	hear(both.s, "three");
	part(&both);
}

static void
a_flood_of_records_without_bytes_is_a_failure_behind_the_data(void **state)
{
	struct both both;
	size_t done;
	(void)state;
	start(&both);
	say(both.c, "data");
	/* RFC 8446 §5.4: padding alone. */
	for (int i = 0; i < TLS_ROUNDS_MOST + 1; i++)
		gnutls_record_send2(both.client->session, "", 0, 10, 0);
	assert_int_equal(stream_read(both.s, room, MUCH, &done), IO_OK);
	assert_int_equal(done, 4);
	assert_int_equal(stream_read(both.s, room, MUCH, &done), IO_FAILED);
	part(&both);
}

/* ---- writing ---- */

static unsigned
records_in(const struct buffer *wire, size_t *largest)
{
	const uint8_t *at = buffer_front(wire);
	size_t left = buffer_left(wire);
	unsigned count = 0;
	for (*largest = 0; left >= 5; count++) {
		size_t bytes = 5 + ((size_t)at[3] << 8 | at[4]);
		assert_true(bytes <= left);
		*largest = bytes > *largest ? bytes : *largest;
		at += bytes;
		left -= bytes;
	}
	assert_int_equal(left, 0);
	return count;
}

static void
what_one_call_writes_leaves_with_one_write(void **state)
{
	struct both both;
	size_t done, largest, got = 0;
	(void)state;
	start(&both);
	for (size_t at = 0; at < 4 * MUCH; at += MUCH) {
		fill(at, MUCH);
		assert_int_equal(stream_write(both.c, room, MUCH, &done), IO_OK);
		assert_int_equal(done, MUCH);
	}
	assert_int_equal(both.under_client->writes, 4);
	records_in(&both.up, &largest);
	assert_int_equal(read_out(&both, MUCH, &got), IO_READ);
	assert_int_equal(got, 4 * MUCH);
	part(&both);
}

/* A page on a connection whose window has yet to grow, and a download. */
static void
records_are_small_at_first_and_after_a_pause(void **state)
{
	struct both both;
	size_t done, largest;
	(void)state;
	clock_fake(1000000, 1000000);
	start(&both);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(stream_write(both.c, room, MUCH, &done), IO_OK);
		assert_true(records_in(&both.up, &largest) >= 16);
		assert_true(largest < 4096 + 64);
		buffer_drop(&both.up);
		assert_int_equal(stream_write(both.c, room, MUCH, &done), IO_OK);
		assert_true(records_in(&both.up, &largest) == 4);
		assert_true(largest == 16384 + 22);
		buffer_drop(&both.up);
		clock_fake_move(2000000 + (uint64_t)round);
	}
	clock_fake(0, 0);
	part(&both);
}

/* Each byte counts once, and not before it has left; what was refused is repeated. */
static void
a_write_goes_on_wherever_the_stream_below_stopped(void **state)
{
	enum { TOTAL = 1000000 };
	(void)state;
	for (size_t step = 1000; step < 200000; step = step * 3 / 2) {
		struct both both;
		size_t done, sent = 0, got = 0;
		start(&both);
		for (unsigned turn = 0; got < TOTAL; turn++) {
			assert_true(turn < 100000);
			size_t bytes = TOTAL - sent < MUCH ? TOTAL - sent : MUCH;
			both.under_client->may_write = step + turn % 7;
			enum io io = IO_OK;
			while (io == IO_OK && sent < TOTAL) {
				fill(sent, bytes);
				io = stream_write(both.c, room, bytes, &done);
				sent += done;
				bytes = TOTAL - sent < MUCH ? TOTAL - sent : MUCH;
			}
			if (sent == TOTAL)
				io = stream_write(both.c, room, 0, &done);
			assert_true(io == IO_OK || io == IO_WRITE);
			if (turn == 3)
				assert_true(tls_update_key(both.client));
			assert_int_equal(read_out(&both, MUCH, &got), IO_READ);
			size_t held = buffer_left(&both.client->out);
			assert_true(held == 0 ? stream_held(both.c) == 0 : stream_held(both.c) >= held);
			/* Of the record that is under way nobody has seen anything yet. */
			assert_true(sent <= got + 16384);
			assert_null(both.server->ahead.data);
		}
		assert_int_equal(sent, TOTAL);
		assert_int_equal(got, TOTAL);
		part(&both);
	}
}

/* ---- TLS within TLS ---- */

struct nested {
	struct both outer;
	struct tls *client, *server;
};

static void
nest(struct nested *n)
{
	struct tls_config *cc = config_for(TLS_UPSTREAM), *sc = config_for(TLS_ENDPOINT);
	static unsigned fine[3];
	static const struct tls_hooks hooks = { .judge = judge_by, .arg = fine };
	start(&n->outer);
	n->client = tls_client(cc, n->outer.c, "app.test", &hooks);
	n->server = tls_server(sc, n->outer.s, NULL);
	tls_config_release(cc);
	tls_config_release(sc);
	shaken(n->client, n->server);
	n->outer.c = tls_stream(n->client);
	n->outer.s = tls_stream(n->server);
	n->outer.under_client->writes = n->outer.under_server->reads = 0;
}

static void
one_record_inside_becomes_one_outside(void **state)
{
	struct nested n;
	size_t done, largest, bytes = 4 * TLS_RECORD_INNER;
	(void)state;
	clock_fake(1000000, 1000000);
	nest(&n);
	for (size_t at = 0; at < 8 * MUCH; at += done) {
		fill(at, bytes);
		buffer_drop(&n.outer.up);
		n.outer.under_client->writes = 0;
		assert_int_equal(stream_write(n.outer.c, room, bytes, &done), IO_OK);
		assert_int_equal(done, bytes);
		assert_int_equal(n.outer.under_client->writes, 1);
	}
	assert_int_equal(records_in(&n.outer.up, &largest), 4);
	clock_fake(0, 0);
	part(&n.outer);
}

static void
both_layers_read_ahead_wherever_they_are_cut(void **state)
{
	enum { TOTAL = 3000000 };
	struct nested n;
	size_t sent = 0, got = 0, done;
	(void)state;
	nest(&n);
	for (unsigned turn = 0; got < TOTAL; turn++) {
		assert_true(turn < 100000);
		size_t bytes = TOTAL - sent < MUCH ? TOTAL - sent : MUCH;
		n.outer.under_client->may_write = 1 + turn * 7919 % 90000;
		n.outer.under_server->may_read = 1 + turn * 104729 % 70000;
		fill(sent, bytes);
		enum io io = stream_write(n.outer.c, room, bytes, &done);
		assert_true(io == IO_OK || io == IO_WRITE);
		sent += done;
		assert_int_equal(read_out(&n.outer, turn % 5 ? MUCH : 10000, &got), IO_READ);
	}
	assert_int_equal(sent, TOTAL);
	part(&n.outer);
}

/* So that the kernel sends one segment, also where close_notify stands in close_notify. */
static void
close_notify_has_the_end_right_behind_it(void **state)
{
	struct nested n;
	(void)state;
	nest(&n);
	say(n.outer.c, "data");
	assert_false(n.outer.under_client->was_last);
	assert_int_equal(stream_finish(n.outer.c), IO_OK);
	assert_true(n.outer.under_client->was_last);
	assert_int_equal(n.outer.under_client->writes, 3);
	n.outer.under_server->end = IO_EOF;
	hear(n.outer.s, "data");
	assert_int_equal(hear_nothing(n.outer.s), IO_EOF);
	part(&n.outer);
}

static int
set_up(void **state)
{
	(void)state;
	return set_up_credentials("relay.test");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flight_of_a_handshake_leaves_with_one_write),
		cmocka_unit_test(what_was_put_back_is_read_before_an_answer_is_waited_for),
		cmocka_unit_test(several_records_come_with_one_read),
		cmocka_unit_test(what_is_there_is_given_before_more_is_asked_for),
		cmocka_unit_test(a_stream_is_dry_only_while_nothing_is_held_back),
		cmocka_unit_test(a_reader_with_little_room_gets_one_record_and_the_rest_stays_raw),
		cmocka_unit_test(single_records_are_read_ahead_and_come_one_by_one),
		cmocka_unit_test(records_may_be_cut_at_every_byte),
		cmocka_unit_test(records_may_come_byte_by_byte),
		cmocka_unit_test(an_alert_behind_data_is_told_after_it),
		cmocka_unit_test(garbage_behind_data_is_told_after_it),
		cmocka_unit_test(an_end_behind_data_is_an_end_only_where_a_record_ends),
		cmocka_unit_test(what_was_read_ahead_moves_to_another_thread),
		cmocka_unit_test(a_flood_of_records_without_bytes_is_a_failure_behind_the_data),
		cmocka_unit_test(what_one_call_writes_leaves_with_one_write),
		cmocka_unit_test(records_are_small_at_first_and_after_a_pause),
		cmocka_unit_test(a_write_goes_on_wherever_the_stream_below_stopped),
		cmocka_unit_test(one_record_inside_becomes_one_outside),
		cmocka_unit_test(both_layers_read_ahead_wherever_they_are_cut),
		cmocka_unit_test(close_notify_has_the_end_right_behind_it),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tls_io", tests, set_up, tear_down_credentials);
}
