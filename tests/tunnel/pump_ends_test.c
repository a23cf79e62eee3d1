/*
 * How a flow may end, as a property over every order of what both sides can do:
 * send, say close_notify, FIN, reset, in every stage of a flow, plain and TLS,
 * and cut at every byte of a small exchange.
 *
 * What must hold, whatever they do (X and Y are the two sides):
 *
 *  - X sees an orderly end only if Y has ended in an orderly way and X has got
 *    all that Y sent;
 *  - what X gets is the beginning of what Y sent, and it is all of it if X has
 *    neither reset nor stalled;
 *  - X sees an end or a reset within a bounded time;
 *  - if nobody resets and nobody cuts TLS short, both see an orderly end.
 */
#include "tunnel/pump.h"

#include <signal.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/clock_fake.h"
#include "base/loop_advance.h"
#include "base/socket.h"
#include "tunnel/peer.h"
#include "tunnel/pump_private.h"

static struct loop *loop;
static struct tls_config *servers, *clients;

/* ---- one side, played by the test ---- */

/* The wire of a side that plays TLS: it has no FIN, so that the test says when, and it may be cut:
 * of what is written after that only `left` bytes pass. */
struct wire {
	struct stream stream;
	size_t left, passed;
	bool was_reset;
};

static enum io
wire_read(struct stream *s, void *data, size_t bytes, size_t *done)
{
	struct wire *wire = (struct wire *)s;
	ssize_t got = recv(s->fd, data, bytes, 0);
	if (got < 0 && errno == EAGAIN)
		return IO_READ;
	wire->was_reset |= got < 0;
	*done = got > 0 ? (size_t)got : 0;
	return got > 0 ? IO_OK : wire->was_reset ? IO_RESET : IO_EOF;
}

static enum io
wire_write(struct stream *s, const void *data, size_t bytes, size_t *done)
{
	struct wire *wire = (struct wire *)s;
	size_t passes = bytes < wire->left ? bytes : wire->left;
	ssize_t sent = passes ? send(s->fd, data, passes, MSG_NOSIGNAL) : 0;
	if (sent < 0 && errno == EAGAIN)
		return IO_WRITE;
	wire->was_reset |= sent < 0 && errno == ECONNRESET;
	if (sent < 0)
		return IO_RESET;
	wire->left -= (size_t)sent;
	wire->passed += (size_t)sent;
	*done = wire->left ? (size_t)sent : bytes;
	return IO_OK;
}

static enum io
wire_does_nothing(struct stream *s)
{
	(void)s;
	return IO_OK;
}

static bool
wire_is_broken(const struct stream *s)
{
	return ((const struct wire *)s)->was_reset;
}

static void
wire_reset(struct stream *s)
{
	(void)s;
}

static void
wire_free(struct stream *s)
{
	free(s);
}

static const struct stream_kind wire_kind = {
	wire_read, wire_write, wire_does_nothing, wire_does_nothing, wire_does_nothing,
	wire_is_broken, wire_reset, wire_free, NULL, NULL, NULL,
};

struct side {
	int fd;			/* -1 once it has reset */
	struct tls *tls;	/* NULL: plain */
	struct wire *wire;
	size_t sent, got;
	size_t left;		/* of a plain side that is cut: what it may send still */
	bool says_end;		/* FIN, or close_notify in TLS */
	bool is_orderly;	/* and that is on its way, with all before it */
	bool has_fin, has_reset, is_cut_short;
	bool saw_end, saw_reset, is_read_out;
	bool got_wrong;
};

static uint8_t
byte_at(size_t at)
{
	return (uint8_t)(at * 2654435761u >> 13);
}

static bool
may(const struct side *side, char action)
{
	if (side->has_reset || side->has_fin)
		return action == 'R' && !side->has_reset;
	return action == 'F' || action == 'R' || (!side->says_end && (action == 'D' || side->tls));
}

/* False when there is no more room. (TLS takes the bytes nevertheless.) */
static bool
send_some(struct side *side, size_t bytes)
{
	uint8_t data[4096];
	size_t done = 0;
	for (size_t i = 0; i < bytes; i++)
		data[i] = byte_at(side->sent + i);
	if (side->tls) {
		enum io io = stream_write(tls_stream(side->tls), data, bytes, &done);
		side->saw_reset |= io == IO_RESET && side->wire->was_reset;
		if (io == IO_WRITE && tls_write_behind(side->tls, data, bytes))
			done = bytes;
		side->sent += done;
		return io == IO_OK;
	}
	ssize_t sent = send(side->fd, data, bytes < side->left ? bytes : side->left, MSG_NOSIGNAL);
	side->saw_reset |= sent < 0 && errno == ECONNRESET;
	side->sent += sent > 0 ? (size_t)sent : 0;
	side->left -= sent > 0 ? (size_t)sent : 0;
	return sent > 0;
}

/* close_notify goes out behind what TLS still holds. */
static void
push_end(struct side *side)
{
	if (side->tls && side->says_end && !side->is_orderly && !side->has_fin && !side->has_reset)
		side->is_orderly = stream_finish(tls_stream(side->tls)) == IO_OK;
}

static void
act(struct side *side, char action)
{
	switch (action) {
	case 'D':
		send_some(side, 5);
		return;
	case 'N':
		side->says_end = true;
		push_end(side);
		return;
	case 'F':
		shutdown(side->fd, SHUT_WR);
		side->is_cut_short = side->tls && !side->is_orderly;
		side->is_orderly |= !side->tls;
		side->says_end = side->has_fin = true;
		return;
	case 'R':
		socket_reset_on_close(side->fd);
		close(side->fd);
		side->fd = -1;
		side->has_reset = true;
		return;
	}
}

/* 1: bytes, 0: nothing now, -1: over. */
static int
read_once(struct side *side)
{
	uint8_t data[65536];
	size_t done = 0;
	if (side->tls) {
		enum io io = stream_read(tls_stream(side->tls), data, sizeof data, &done);
		side->saw_end |= io == IO_EOF;
		side->saw_reset |= io == IO_RESET || io == IO_FAILED;
		if (io != IO_OK)
			return io_must_wait(io) ? 0 : -1;
	} else {
		ssize_t got = recv(side->fd, data, sizeof data, 0);
		if (got < 0 && errno == EAGAIN)
			return 0;
		/* A call that failed has taken the error with it. */
		side->saw_reset |= got < 0;
		side->saw_end |= got == 0 && !side->saw_reset;
		if (got <= 0)
			return -1;
		done = (size_t)got;
	}
	for (size_t i = 0; i < done; i++)
		side->got_wrong |= data[i] != byte_at(side->got + i);
	side->got += done;
	return 1;
}

static bool
read_all(struct side *side)
{
	int how = 0;
	while (side->fd >= 0 && !side->is_read_out && (how = read_once(side)) > 0)
		;
	side->is_read_out |= how < 0;
	return side->fd < 0 || side->is_read_out;
}

/* ---- a flow between the two ---- */

enum stage { FRESH, USED, STALLED_FROM_A, STALLED_FROM_B, STAGES };

struct ending_flow {
	struct pump *pump;
	struct side side[2];
	bool is_over;
	enum pump_end end;
};

static void
on_over(void *arg, enum pump_end end)
{
	struct ending_flow *flow = arg;
	flow->is_over = true;
	flow->end = end;
	pump_free(flow->pump);
	flow->pump = NULL;
}

static struct stalls stalls;
static bool is_spliced; /* flows between plain sides splice whatever they move */
static struct ending_flow *playing;

static void
pass_time(uint64_t ms)
{
	for (int i = 0; i < 2 && is_spliced && playing->pump; i++)
		playing->pump->pace[i] = PACE_BULK;
	assert_true(loop_advance(loop, ms));
}

static void
turn(void)
{
	pass_time(0);
}

static const char identity[] = "v1.00112233445566778899aabbccddeeff";
static const char key_text[] = "an example of thirty-two bytes!";

static bool
find_key(void *arg, const char *wanted, struct secret *key)
{
	(void)arg, (void)wanted;
	return secret_init(key, key_text, 32);
}

static bool was_handed_over; /* plain sides had TLS before, and say something behind it at once */

static void
say_last(struct tls *from, struct stream *to)
{
	assert_true(tls_write_behind(from, "last", 4));
	hear(to, "last");
}

/* Both ends of TLS give it up, with the first bare bytes behind the side's last record. */
static struct stream *
hand_over(struct side *side, struct tls *server)
{
	say_last(server, tls_stream(side->tls));
	assert_true(tls_write_behind(side->tls, "last", 4));
	assert_ptr_equal(tls_unwrap(side->tls), &side->wire->stream);
	stream_free(&side->wire->stream);
	side->wire = NULL;
	side->tls = NULL;
	send_some(side, 100);
	hear(tls_stream(server), "last");
	struct stream *bare = tls_unwrap(server);
	assert_non_null(bare);
	return bare;
}

/* Returns the pump's stream. */
static struct stream *
make_side(struct side *side, bool is_tls, bool is_narrow)
{
	struct secret key = { 0 };
	int fds[2];
	tcp_pair(fds);
	for (int i = 0; i < 2 && is_narrow; i++) {
		setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &(int){ 65536 }, sizeof(int));
		setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &(int){ 65536 }, sizeof(int));
	}
	*side = (struct side){ .fd = fds[0], .left = SIZE_MAX };
	if (!is_tls && !was_handed_over)
		return stream_socket(fds[1]);
	side->wire = calloc(1, sizeof *side->wire);
	assert_non_null(side->wire);
	*side->wire = (struct wire){ { .kind = &wire_kind, .fd = fds[0] }, .left = SIZE_MAX };
	side->tls = tls_client(clients, &side->wire->stream, NULL, NULL);
	assert_true(secret_init(&key, key_text, 32));
	assert_true(tls_set_key(side->tls, identity, &key));
	secret_wipe(&key);
	struct tls *server = tls_server(servers, stream_socket(fds[1]), NULL);
	shaken(server, side->tls);
	return is_tls ? tls_stream(server) : hand_over(side, server);
}

static void
stall(struct ending_flow *flow, struct side *from)
{
	bool has_room;
	do {
		has_room = false;
		for (int i = 0; i < 8; i++)
			has_room |= send_some(from, 4096);
		turn();
		turn();
	} while (has_room);
	assert_false(flow->is_over);
}

static void
begin(struct ending_flow *flow, unsigned tls, enum stage stage)
{
	const struct pump_settings settings = { .half_closed_ms = 600000, .stalls = &stalls };
	struct stream *of[2];
	*flow = (struct ending_flow){ .end = PUMP_ENDS };
	playing = flow;
	for (int i = 0; i < 2; i++)
		of[i] = make_side(&flow->side[i], tls >> i & 1, stage >= STALLED_FROM_A);
	flow->pump = pump_new(loop, of[0], of[1], &settings, on_over, flow);
	assert_non_null(flow->pump);
	if (stage == FRESH)
		return;
	for (int i = 0; i < 2; i++)
		act(&flow->side[i], 'D');
	turn();
	if (stage >= STALLED_FROM_A)
		stall(flow, &flow->side[stage - STALLED_FROM_A]);
}

static size_t
progress(const struct ending_flow *flow)
{
	return flow->side[0].got + flow->side[1].got + flow->is_over;
}

/* Who has not ended yet does so; all is read; and once nothing moves any more, time passes, until
 * all is over. */
static void
bring_to_its_end(struct ending_flow *flow)
{
	enum { PATIENCE = 40, ROUNDS_MOST = 5000 };
	bool are_over = false;
	int idle = 0;
	for (int round = 0; round < ROUNDS_MOST && !(are_over && flow->is_over); round++) {
		size_t before = progress(flow);
		are_over = true;
		for (int i = 0; i < 2; i++) {
			struct side *side = &flow->side[i];
			if (round == 2 && may(side, 'N'))
				act(side, 'N');
			push_end(side);
			if (round >= 2 && !side->has_fin && may(side, 'F') &&
			    (!side->tls || side->is_orderly))
				act(side, 'F');
			are_over &= read_all(side);
		}
		pass_time(idle < PATIENCE ? 0 : 250);
		idle = before != progress(flow) ? 0 : idle + 1;
		if (idle > PATIENCE / 2)
			let_the_kernel_work();
	}
}

static void
clear(struct ending_flow *flow)
{
	pump_free(flow->pump);
	for (int i = 0; i < 2; i++) {
		if (flow->side[i].tls)
			stream_free(tls_stream(flow->side[i].tls));
		if (flow->side[i].fd >= 0)
			close(flow->side[i].fd);
	}
	turn();
}

/* ---- what must hold ---- */

static bool
is_disorderly(const struct side *side)
{
	return side->has_reset || side->is_cut_short;
}

/* What is wrong with what x saw of y; NULL if nothing is. */
static const char *
find_fault_at(const struct side *x, const struct side *y, enum stage stage)
{
	if (x->got_wrong || x->got > y->sent)
		return "it got what was never sent";
	if (x->saw_end && !y->is_orderly)
		return "it saw an end that nobody had said";
	if (x->saw_end && x->got < y->sent)
		return "truncated bytes look whole";
	if (x->has_reset)
		return NULL;
	if (!x->saw_end && !x->saw_reset)
		return "it saw no end at all";
	if (stage < STALLED_FROM_A && !x->is_cut_short && x->got < y->sent)
		return "it lost what had come before the end";
	return NULL;
}

static const char *
find_fault(const struct ending_flow *flow, enum stage stage)
{
	const struct side *a = &flow->side[0], *b = &flow->side[1];
	if (!flow->is_over)
		return "the flow does not end";
	for (int i = 0; i < 2; i++) {
		const char *fault = find_fault_at(&flow->side[i], &flow->side[!i], stage);
		if (fault)
			return fault;
	}
	if (!is_disorderly(a) && !is_disorderly(b) &&
	    (flow->end != PUMP_FINISHED || !a->saw_end || !b->saw_end))
		return "an orderly flow did not end in an orderly way";
	if (is_disorderly(a) && !a->says_end && !is_disorderly(b) && flow->end != PUMP_RESET_A)
		return "the end is not a's reset";
	if (is_disorderly(b) && !b->says_end && !is_disorderly(a) && flow->end != PUMP_RESET_B)
		return "the end is not b's reset";
	return NULL;
}

static const char *
tell(char out[256], const char *what, const struct ending_flow *flow)
{
	const struct side *a = &flow->side[0], *b = &flow->side[1];
	snprintf(out, 256, "%s; %s; a sent %zu got %zu%s%s, b sent %zu got %zu%s%s", what,
	    flow->is_over ? pump_end_word(flow->end) : "not over", a->sent, a->got,
	    a->saw_end ? " end" : "", a->saw_reset ? " reset" : "", b->sent, b->got,
	    b->saw_end ? " end" : "", b->saw_reset ? " reset" : "");
	return out;
}

/* ---- every order ---- */

static const struct move {
	int side;
	char action;
} moves[] = {
	{ 0, 'D' }, { 0, 'N' }, { 0, 'F' }, { 0, 'R' },
	{ 1, 'D' }, { 1, 'N' }, { 1, 'F' }, { 1, 'R' },
};
enum { MOVES = sizeof moves / sizeof *moves };

/* A script is a number to the base of MOVES; the pump runs after the moves that `turns` says.
 * False: it has a move that cannot be made, so that another script is the same. */
static bool
play(unsigned script, int length, unsigned turns, unsigned tls, enum stage stage)
{
	char told[256], moved[32] = "";
	struct ending_flow flow;
	bool can = true;
	begin(&flow, tls, stage);
	for (int i = 0; i < length && can; i++, script /= MOVES) {
		const struct move *move = &moves[script % MOVES];
		can = may(&flow.side[move->side], move->action);
		if (!can)
			break;
		act(&flow.side[move->side], move->action);
		size_t at = strlen(moved);
		snprintf(moved + at, sizeof moved - at, "%c%c%s ", "ab"[move->side], move->action,
		    turns >> i & 1 ? "." : "");
		if (turns >> i & 1)
			turn();
	}
	if (can) {
		bring_to_its_end(&flow);
		const char *fault = find_fault(&flow, stage);
		if (fault)
			fail_msg("tls %u, %s, stage %d, %s: %s", tls,
			    is_spliced ? "spliced" : "copied", (int)stage, moved,
			    tell(told, fault, &flow));
	}
	clear(&flow);
	return can;
}

static bool plays_all; /* VALISE_ORDERS=full, as in `make thorough` */

/* All scripts of that length; of the ways to let the pump run in between, all or (seldom) every so
 * many. */
static unsigned
play_all(int length, unsigned tls, enum stage stage, unsigned every)
{
	unsigned played = 0, count = 1;
	for (int i = 0; i < length; i++)
		count *= MOVES;
	for (unsigned script = 0; script < count; script++)
		for (unsigned turns = 0; turns < 1u << length; turns++) {
			unsigned i = script << length | turns;
			if (every > 1 && !plays_all && i * 2654435761u % every != 0)
				continue;
			if (!play(script, length, turns, tls, stage))
				break; /* nor can it be with other turns */
			played++;
		}
	return played;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SLOWER = 5 };
#else
enum { SLOWER = 1 };
#endif

static void
every_order_between_plain_sides(void **state)
{
	unsigned played = 0;
	(void)state;
	for (enum stage stage = FRESH; stage <= USED; stage++)
		for (int length = 1; length <= 4; length++)
			played += play_all(length, 0, stage, length < 4 ? 1 : 32 * SLOWER);
	print_message("# %u flows\n", played);
}

static void
start_splicing(void)
{
	is_spliced = true;
	stalls.pipes.lent_count = 0;
}

static void
stop_splicing(uint64_t pipes_least)
{
	is_spliced = false;
	assert_true(stalls.pipes.lent_count >= pipes_least);
	assert_true(TAILQ_EMPTY(&stalls.pipes.lent));
}

static void
every_order_between_sides_that_are_spliced(void **state)
{
	unsigned played = 0;
	(void)state;
	start_splicing();
	for (enum stage stage = FRESH; stage <= USED; stage++)
		for (int length = 1; length <= 4; length++)
			played += play_all(length, 0, stage, length < 4 ? 1 : 32 * SLOWER);
	stop_splicing(played);
	print_message("# %u flows\n", played);
}

/* Bytes stand in a pipe when the ends come. */
static void
every_order_while_one_side_leaves_a_pipe_standing(void **state)
{
	unsigned played = 0;
	(void)state;
	start_splicing();
	for (enum stage stage = STALLED_FROM_A; stage < STAGES; stage++)
		for (int length = 1; length <= 3; length++)
			played += play_all(length, 0, stage, length < 2 ? 1 : (length < 3 ? 4 : 32) * SLOWER);
	stop_splicing(10 * played);
	print_message("# %u flows\n", played);
}

/* The carrier handoff: a bare side that was TLS, and another one that never was or still is. */
static void
every_order_with_sides_that_were_handed_over(void **state)
{
	unsigned played = 0;
	(void)state;
	was_handed_over = true;
	for (unsigned tls = 0; tls <= 1; tls++)
		for (enum stage stage = FRESH; stage < STAGES; stage++)
			for (int length = 1; length <= 4; length++)
				played += play_all(length, tls, stage,
				    length < 2 ? 1 : (length < 3 ? 4 : length < 4 ? 64 : 1024) * SLOWER);
	was_handed_over = false;
	print_message("# %u flows\n", played);
}

static void
every_order_with_tls_at_one_side_or_both(void **state)
{
	unsigned played = 0;
	(void)state;
	for (unsigned tls = 1; tls <= 3; tls++)
		for (enum stage stage = FRESH; stage <= USED; stage++)
			for (int length = 1; length <= 4; length++)
				played += play_all(length, tls, stage,
				    length < 3 ? 1 : (length < 4 ? 16 : 256) * SLOWER);
	print_message("# %u flows\n", played);
}

static void
every_order_while_one_side_does_not_read(void **state)
{
	unsigned played = 0;
	(void)state;
	for (unsigned tls = 0; tls <= 3; tls++)
		for (enum stage stage = STALLED_FROM_A; stage < STAGES; stage++)
			for (int length = 1; length <= 3; length++)
				played += play_all(length, tls, stage,
				    length < 2 ? 1 : (length < 3 ? 16 : 128) * SLOWER);
	print_message("# %u flows\n", played);
}

/* ---- an answer that is whole, and an upload that nobody reads ---- */

/* B has said all and waits for nothing; a, who is slow to read, goes on to say something. */
static void
answer_and_go(struct ending_flow *flow, unsigned tls)
{
	enum { ANSWER = 1 << 20 };
	struct side *a = &flow->side[0], *b = &flow->side[1];
	begin(flow, tls, FRESH);
	for (int i = 0; i < 10000 && b->sent < ANSWER; i++) {
		send_some(b, 4096);
		turn();
	}
	assert_true(b->sent >= ANSWER);
	if (b->tls)
		act(b, 'N');
	for (int i = 0; i < 10000 && b->tls && !b->is_orderly; i++) {
		turn();
		push_end(b);
	}
	act(b, 'F');
	turn();
	act(a, 'D');
	turn();
	act(b, 'R');
	for (int i = 0; i < 3; i++) {
		act(a, 'D');
		turn();
	}
}

static void
a_whole_answer_reaches_a_slow_reader(void **state)
{
	char told[256];
	(void)state;
	for (unsigned way = 0; way <= 4; way++) {
		struct ending_flow flow;
		unsigned tls = way & 3;
		if (way == 4)
			start_splicing();
		answer_and_go(&flow, tls);
		bring_to_its_end(&flow);
		if (!flow.is_over || flow.side[0].got != flow.side[1].sent || flow.side[0].got_wrong ||
		    flow.end != PUMP_RESET_B)
			fail_msg("way %u: %s", way, tell(told, "it is lost", &flow));
		clear(&flow);
	}
	stop_splicing(1);
}

/* ... but not for ever. */
static void
a_reader_that_never_reads_is_not_waited_for(void **state)
{
	struct ending_flow flow;
	(void)state;
	answer_and_go(&flow, 0);
	pass_time(59000);
	assert_false(flow.is_over);
	pass_time(2000);
	assert_true(flow.is_over);
	clear(&flow);
}

/* ---- every byte ---- */

/* The side says what it has to say, of which `cut` bytes pass; then it goes as `how` says. Returns
 * how many bytes passed. To cut TLS short is no orderly end; for a plain side FIN is one anywhere. */
static size_t
cut_at(size_t cut, size_t whole, char how, unsigned tls, int who, bool both)
{
	char told[256];
	struct ending_flow flow;
	begin(&flow, tls, FRESH);
	struct side *side = &flow.side[who];
	if (side->wire)
		*side->wire = (struct wire){ side->wire->stream, .left = cut };
	side->left = cut;
	act(&flow.side[!who], 'D');
	turn();
	for (int i = 0; i < 2; i++) {
		act(side, 'D');
		if (both)
			act(&flow.side[!who], 'D');
		turn();
	}
	act(side, 'N');
	bool is_whole = side->wire ? cut >= whole : how == 'F';
	size_t passed = side->wire ? side->wire->passed : side->sent;
	side->is_orderly = side->says_end = is_whole;
	/* What it believes to have sent was cut. */
	size_t sent = side->sent;
	act(side, how);
	if (how == 'F')
		side->is_cut_short = !is_whole;
	bring_to_its_end(&flow);
	const struct side *x = &flow.side[!who];
	const char *fault = x->got > sent || x->got_wrong ? "it got what was never sent" :
	    x->saw_end != is_whole && (how == 'F' || x->saw_end) ? "the end is not what was said" :
	    !x->saw_end && !x->saw_reset ? "it saw no end" :
	    is_whole && x->got < sent ? "it lost bytes" : flow.is_over ? NULL : "it does not end";
	if (fault)
		fail_msg("tls %u, %s, %d cut at %zu by %c: %s", tls, is_spliced ? "spliced" : "copied",
		    who, cut, how, tell(told, fault, &flow));
	clear(&flow);
	return passed;
}

static void
cut_everywhere(unsigned tls, int who)
{
	for (int way = 0; way < 4; way++) {
		size_t whole = cut_at(SIZE_MAX, 0, 'F', tls, who, way & 2);
		if (tls >> who & 1)
			assert_in_range(whole, 40, 200);
		else
			assert_int_equal(whole, 10);
		for (size_t cut = 0; cut <= whole + 1; cut++)
			cut_at(cut, whole, way & 1 ? 'R' : 'F', tls, who, way & 2);
	}
}

static void
a_close_at_every_byte_of_a_small_exchange(void **state)
{
	(void)state;
	for (unsigned tls = 0; tls <= 3; tls++)
		for (int who = 0; who < 2; who++)
			cut_everywhere(tls, who);
	start_splicing();
	for (int who = 0; who < 2; who++)
		cut_everywhere(0, who);
	stop_splicing(1);
}

static int
set_up(void **state)
{
	const struct tls_settings server = { .purpose = TLS_CHANNEL_RELAY, .find_key = find_key };
	const struct tls_settings client = { .purpose = TLS_CHANNEL_AGENT };
	char error[TLS_ERROR];
	const char *orders = getenv("VALISE_ORDERS");
	(void)state;
	plays_all = orders && strcmp(orders, "full") == 0;
	clock_fake(1000000, 1000000);
	signal(SIGPIPE, SIG_IGN);
	if (!tls_start() || !(loop = loop_new()))
		return -1;
	pump_stalls_init(&stalls, loop, NULL);
	servers = tls_config_new(&server, error);
	clients = tls_config_new(&client, error);
	return servers && clients ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	tls_config_release(servers);
	tls_config_release(clients);
	stalls_wipe(&stalls);
	loop_free(loop);
	clock_fake(0, 0);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_order_between_plain_sides),
		cmocka_unit_test(every_order_between_sides_that_are_spliced),
		cmocka_unit_test(every_order_while_one_side_leaves_a_pipe_standing),
		cmocka_unit_test(every_order_with_tls_at_one_side_or_both),
		cmocka_unit_test(every_order_with_sides_that_were_handed_over),
		cmocka_unit_test(every_order_while_one_side_does_not_read),
		cmocka_unit_test(a_whole_answer_reaches_a_slow_reader),
		cmocka_unit_test(a_reader_that_never_reads_is_not_waited_for),
		cmocka_unit_test(a_close_at_every_byte_of_a_small_exchange),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("pump_ends", tests, set_up, tear_down);
}
