/*
 * A hostile peer in the simulation of tests/sim/: it speaks the protocol's TLS, and
 * behind it says what the input wants, frame by frame, on several connections, with
 * time in between.  The input is a list of operations, each one byte (the operation
 * in its low half, the connection in its high one) and what it takes of the bytes
 * behind it.  What must stay true is said in tests/sim/world.h; TELL=1 tells the story.
 */
#ifndef TESTS_FUZZ_HOSTILE_H
#define TESTS_FUZZ_HOSTILE_H

#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/secret.h"
#include "tests/sim/daemons.h"
#include "tests/sim/people.h"
#include "tests/sim/sim.h"
#include "tests/sim/world.h"
#include "tunnel/frame.h"
#include "tunnel/session.h"
#include "tunnel/stream.h"
#include "tunnel/tls.h"

enum { PEERS = 8, OPERATIONS_MOST = 400, FRAME_READ = 128, WAIT_UNIT_MS = 40, SETTLE_MS = 200 };

struct script {
	const uint8_t *data;
	size_t bytes;
};

struct peer {
	int fd; /* until `tls` has it; -1: none */
	uint64_t ready_us;
	struct tls *tls; /* NULL: not connected */
	bool is_open, is_deaf, is_channel;
	uint8_t session_id[SESSION_ID_BYTES]; /* of a session */
	uint8_t read[FRAME_READ];             /* the first bytes that came */
	size_t read_bytes;
};

static struct script script;
static struct peer peers[PEERS];
static int hostile_process;

/* ---- the input ---- */

static uint8_t
take_u8(void)
{
	if (script.bytes == 0)
		return 0;
	script.bytes--;
	return *script.data++;
}

static uint16_t
take_u16(void)
{
	uint16_t high = take_u8();

	return (uint16_t)(high << 8 | take_u8());
}

static uint32_t
take_u32(void)
{
	uint32_t high = take_u16();

	return high << 16 | take_u16();
}

static size_t
take_bytes(uint8_t *out, size_t most)
{
	size_t bytes = most < script.bytes ? most : script.bytes;

	memcpy(out, script.data, bytes);
	script.data += bytes;
	script.bytes -= bytes;
	return bytes;
}

/* ---- connections ---- */

static void
drop(struct peer *peer, bool by_reset)
{
	if (peer->tls) {
		if (by_reset)
			stream_reset(tls_stream(peer->tls));
		stream_free(tls_stream(peer->tls));
	} else if (peer->fd >= 0)
		kernel_close(peer->fd);
	*peer = (struct peer){ .fd = -1 };
}


static void
say(struct peer *peer, const uint8_t *data, size_t bytes)
{
	size_t done;

	sim_self = hostile_process;
	while (peer->is_open && bytes > 0 &&
	    stream_write(tls_stream(peer->tls), data, bytes, &done) == IO_OK) {
		if (done > bytes)
			return; /* what could not be sent before took its place */
		data += done;
		bytes -= done;
	}
}

static bool
listen_to(struct peer *peer)
{
	uint8_t data[512];
	size_t done;
	enum io io = stream_read(tls_stream(peer->tls), data, sizeof data, &done);

	if (io_must_wait(io))
		return false;
	if (io != IO_OK) {
		drop(peer, false);
		return true;
	}
	if (done > FRAME_READ - peer->read_bytes)
		done = FRAME_READ - peer->read_bytes;
	memcpy(peer->read + peer->read_bytes, data, done);
	peer->read_bytes += done;
	return true;
}

static bool
shake(struct peer *peer)
{
	enum io io = tls_handshake(peer->tls);

	if (io_must_wait(io))
		return false;
	if (io == IO_OK)
		peer->is_open = true;
	else
		drop(peer, false);
	return true;
}

static bool begin_tls(struct peer *);

static bool
step(struct peer *peer)
{
	sim_self = hostile_process;
	if (!peer->tls)
		return peer->fd >= 0 && clock_us() >= peer->ready_us && begin_tls(peer);
	if (!peer->is_open)
		return shake(peer);
	return !peer->is_deaf && listen_to(peer);
}

static bool
hostile_step(void)
{
	bool moved = false;

	for (int i = 0; i < PEERS; i++)
		moved |= step(&peers[i]);
	return moved;
}

/* ---- frames that are well made ---- */

static const char *const hostile_names[] = { "gamma.sim", "g2.sim", "*.gamma.sim", "alpha.sim", "beta.sim",
	"static.sim", "relay0.sim", "192.0.2.1", "", "a..b" };
enum { HOSTILE_NAMES = sizeof hostile_names / sizeof *hostile_names };

static const char *
take_name(void)
{
	return hostile_names[take_u8() % HOSTILE_NAMES];
}

static size_t
make_hello(uint8_t *out)
{
	struct frame_hello hello = { .oldest = 1, .newest = take_u8() % 4, .features = FEATURE_HANDOFF,
		.software = "hostile", .region = "" };

	hello.heartbeat_ms = take_u32();
	hello.instance[0] = take_u8();
	hello.start[0] = take_u8();
	return frame_encode_hello(out, &hello);
}

static size_t
make_welcome(uint8_t *out)
{
	struct frame_welcome welcome = { .version = take_u8() % 4, .relay = "hostile" };

	welcome.session_id[0] = take_u8() % PEERS;
	welcome.pool_least = take_u16();
	welcome.pool_most = take_u16();
	welcome.heartbeat_ms = take_u32();
	welcome.tolerance_ms = take_u32();
	return frame_encode_welcome(out, &welcome);
}

/* One lets everybody in; the other refuses the world's clients, and not the guest's own. */
static struct facts
lists_of(bool is_for_all)
{
	static const uint8_t all[] = { FACT_ALLOW >> 8, FACT_ALLOW & 0xff, 0, 3, 4, 8, 10 },
			     few[] = { FACT_DENY >> 8, FACT_DENY & 0xff, 0, 6, 4, 28, 10, 0, 0, 16 };

	return is_for_all ? (struct facts){ all, sizeof all } : (struct facts){ few, sizeof few };
}

/* At one of the first endpoints. */
static struct facts
mark_of(uint32_t endpoint)
{
	static uint8_t marks[4][8];
	uint8_t *mark = marks[endpoint % 4];

	memcpy(mark, (const uint8_t[]){ FACT_PENDING >> 8, FACT_PENDING & 0xff, 0, 4, 0, 0, 0, 0 }, 8);
	mark[7] = (uint8_t)(1 + endpoint % 4);
	return (struct facts){ mark, sizeof marks[0] };
}

static void
take_announce(struct frame_announce *announce)
{
	*announce = (struct frame_announce){ .endpoint = take_u8(), .weight = 1 };
	announce->carriers = announce->endpoint & 2 ? 3 : 1;
	strcpy(announce->server_name, take_name());
	strcpy(announce->name, "x");
	if (announce->endpoint & 4)
		announce->facts = lists_of(announce->endpoint & 8);
	else if (announce->endpoint & 16)
		announce->facts = mark_of(announce->endpoint);
}

static size_t
make_announce(uint8_t *out)
{
	struct frame_announce announce;

	take_announce(&announce);
	return frame_encode_announce(out, PROTOCOL_FACTS, &announce);
}

static size_t
make_announce_many(uint8_t *out)
{
	size_t bytes = 0, more;
	struct frame_announce announce;

	for (unsigned i = take_u8() % 64; i > 0; i--) {
		take_announce(&announce);
		more = frame_add_announce(out, bytes, &announce);
		bytes = more > 0 ? more : bytes;
	}
	return bytes;
}

static size_t
make_withdraw(uint8_t *out)
{
	return frame_encode_withdraw(out, &(struct frame_withdraw){ take_u8() });
}

static size_t
make_accepted(uint8_t *out)
{
	return frame_encode_accepted(out, &(struct frame_accepted){ take_u8() % 4 });
}

static size_t
make_refused(uint8_t *out)
{
	struct frame_refused refused = { .endpoint = take_u8() % 4, .code = take_u8(), .sentence = "no" };

	return frame_encode_refused(out, &refused);
}

static size_t
make_refused_many(uint8_t *out)
{
	struct frame_refused refused = { .code = take_u8(), .sentence = "no" };
	size_t bytes = 0, more;

	for (unsigned i = take_u8() % 64; i > 0; i--) {
		refused.endpoint = take_u8();
		more = frame_add_refused(out, bytes, &refused);
		bytes = more > 0 ? more : bytes;
	}
	return bytes;
}

static size_t
make_accepted_many(uint8_t *out)
{
	size_t bytes = 0, more;

	for (unsigned i = take_u8() % 64; i > 0; i--) {
		more = frame_add_accepted(out, bytes, take_u32());
		bytes = more > 0 ? more : bytes;
	}
	return bytes;
}

static size_t
make_ping(uint8_t *out)
{
	return frame_encode_ping(out, &(struct frame_ping){ take_u32(), take_u32() });
}

static size_t
make_pong(uint8_t *out)
{
	return frame_encode_pong(out, &(struct frame_ping){ take_u32(), take_u32() });
}

static size_t
make_need(uint8_t *out)
{
	return frame_encode_need(out, &(struct frame_need){ take_u16() });
}

static size_t
make_drain(uint8_t *out)
{
	return frame_encode_drain(out, PROTOCOL_FACTS, &(struct frame_drain){ .deadline_ms = take_u32() });
}

static size_t
make_goodbye(uint8_t *out)
{
	return frame_encode_goodbye(out, &(struct frame_goodbye){ take_u8(), "bye" });
}

static size_t
make_fail(uint8_t *out)
{
	return frame_encode_fail(out, &(struct frame_goodbye){ take_u8(), "no" });
}

static size_t
make_again(uint8_t *out)
{
	return frame_encode_again(out, &(struct frame_again){ take_u8() });
}

static size_t
guest_hello(uint8_t wire[SIM_HELLO_MOST], const char *name)
{
	uint8_t random[SIM_RANDOM_BYTES], how = take_u8();

	memset(random, SIM_GUEST, sizeof random);
	return sim_hello(wire, name[0] ? name : NULL, how & 2 ? "acme-tls/1" : NULL, random, how & 1);
}

/* With its hello; it may be said to be a byte longer, or to be for another name. */
static size_t
make_ready(uint8_t *out)
{
	return frame_encode_ready(out, PROTOCOL_FACTS, &(struct frame_ready){ 0 });
}

static size_t
make_open(uint8_t *out)
{
	uint8_t wire[SIM_HELLO_MOST];
	struct frame_open open = { .endpoint = take_u8() % 4 };
	size_t bytes;

	address_parse(&open.client, "192.0.2.1:1000");
	address_parse(&open.listener, "192.0.2.2:443");
	strcpy(open.server_name, take_name());
	open.hello_bytes = (uint32_t)guest_hello(wire, take_u8() % 4 ? open.server_name : take_name());
	memset(open.flow_id, take_u8(), sizeof open.flow_id);
	open.carrier = open.flow_id[0] % 3;
	bytes = open.hello_bytes;
	open.hello_bytes += take_u8() % 4 == 0;
	memcpy(out + FRAME_BYTES, wire, bytes);
	{
		size_t frame_bytes = frame_encode_open(out, PROTOCOL_FACTS, &open);

		memmove(out + frame_bytes, out + FRAME_BYTES, bytes);
		return frame_bytes + bytes;
	}
}

/* Of a type that the input names, with its bytes. */
static size_t
make_any(uint8_t *out)
{
	size_t bytes;

	out[2] = take_u8();
	bytes = take_bytes(out + FRAME_HEADER, take_u8()) + 1;
	out[0] = (uint8_t)(bytes >> 8);
	out[1] = (uint8_t)bytes;
	return bytes + 2;
}

static size_t
make_bytes(uint8_t *out)
{
	return take_bytes(out, take_u8());
}

static size_t (*const makers[])(uint8_t *out) = { make_hello, make_welcome, make_announce, make_announce_many,
	make_withdraw, make_accepted, make_refused, make_accepted_many, make_refused_many, make_ping, make_pong,
	make_need, make_drain, make_goodbye, make_fail, make_again, make_open, make_ready,
	frame_encode_working, make_any, make_bytes };
enum { MAKERS = sizeof makers / sizeof *makers };

/* ---- operations ---- */

static void
do_frame(struct peer *peer)
{
	uint8_t out[FRAME_BYTES + SIM_HELLO_MOST];
	size_t bytes = makers[take_u8() % MAKERS](out);

	say(peer, out, bytes);
}

static void
do_repeat(struct peer *peer)
{
	uint8_t out[FRAME_BYTES + SIM_HELLO_MOST];
	unsigned times = take_u8();
	size_t bytes = makers[take_u8() % MAKERS](out);

	while (times-- > 0)
		say(peer, out, bytes);
}

static void
do_deaf(struct peer *peer)
{
	peer->is_deaf = !peer->is_deaf;
}

static void
do_finish(struct peer *peer)
{
	sim_self = hostile_process;
	if (peer->tls && peer->is_open)
		stream_finish(tls_stream(peer->tls));
}

static void
do_drop(struct peer *peer)
{
	sim_self = hostile_process;
	drop(peer, take_u8() % 2);
}

static void
do_wait(struct peer *peer)
{
	(void)peer;
	for (unsigned units = take_u8(); units > 0; units--)
		world_run_ms(WAIT_UNIT_MS);
}

static void
do_turn(struct peer *peer)
{
	(void)peer;
	world_run_ms(0);
}

/* An honest client, who is checked as always. */
static unsigned client_count;

static void
do_client(struct peer *peer)
{
	(void)peer;
	if (client_count >= CLIENTS - 1)
		return;
	people_draw(&clients[client_count], (int)client_count, 1, true);
	client_count++;
}

static bool
daemons_load_once(void)
{
	static bool is_loaded;

	if (getenv("TELL"))
		sim_tell_all();
	return is_loaded || (is_loaded = daemons_load());
}

static void
hostile_run(const uint8_t *data, size_t bytes, bool (*guest)(void), void (*const operations[])(struct peer *),
    size_t count)
{
	script = (struct script){ data, bytes };
	client_count = 0;
	for (int i = 0; i < PEERS; i++)
		peers[i] = (struct peer){ .fd = -1 };
	world_guest = guest;
	world_run_ms(SETTLE_MS);
	for (unsigned i = 0; i < OPERATIONS_MOST && script.bytes > 0; i++) {
		uint8_t what = take_u8();

		operations[(what & 15) % count](&peers[(what >> 4) % PEERS]);
	}
	world_run_ms(1000);
	sim_self = hostile_process;
	for (int i = 0; i < PEERS; i++)
		drop(&peers[i], i % 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
