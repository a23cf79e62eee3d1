/* Pumps on loops of their own, their far ends played by blocking code in this thread and others. */
#include "tunnel/pump.h"

#include <linux/filter.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "base/clock_fake.h"
#include "base/loop_advance.h"
#include "base/socket.h"
#include "tunnel/peer.h"

static unsigned fine[3];

/* A pump in a thread.  `near` are the descriptors of its streams, which own them, `far` those at their other ends. */
struct bench {
	struct loop *loop;
	pthread_t thread;
	struct pump *pump;
	int far[2], near[2];
	enum pump_end end;
	uint64_t from_a, from_b;
	char fault[128]; /* "": none */
	char silent[8]; /* the side; "": none */
};

static void
on_over(void *arg, enum pump_end end)
{
	struct bench *bench = arg;
	bench->end = end;
	bench->from_a = pump_bytes_from_a(bench->pump);
	bench->from_b = pump_bytes_from_b(bench->pump);
	const char *fault = pump_fault(bench->pump);
	const char *silent = pump_silent_side(bench->pump, "a", "b");
	snprintf(bench->fault, sizeof bench->fault, "%s", fault ? fault : "");
	snprintf(bench->silent, sizeof bench->silent, "%s", silent ? silent : "");
	pump_free(bench->pump);
	loop_stop(bench->loop);
}

static void *
run_loop(void *arg)
{
	loop_run(arg);
	return NULL;
}

static void
bench_make(struct bench *bench, struct stream *a, struct stream *b, struct pump_settings settings)
{
	bench->end = PUMP_ENDS;
	bench->loop = loop_new();
	assert_non_null(bench->loop);
	bench->pump = pump_new(bench->loop, a, b, &settings, on_over, bench);
	assert_non_null(bench->pump);
}

static void
bench_go(struct bench *bench)
{
	assert_int_equal(pthread_create(&bench->thread, NULL, run_loop, bench->loop), 0);
}

static void
bench_start(struct bench *bench, struct stream *a, struct stream *b, struct pump_settings settings)
{
	bench_make(bench, a, b, settings);
	bench_go(bench);
}

/* Between two TCP connections; the loop does not run yet. */
static void
bench_prepare(struct bench *bench, struct pump_settings settings)
{
	int a[2], b[2];
	tcp_pair(a);
	tcp_pair(b);
	bench->far[0] = a[0];
	bench->far[1] = b[0];
	bench->near[0] = a[1];
	bench->near[1] = b[1];
	bench_make(bench, stream_socket(a[1]), stream_socket(b[1]), settings);
}

static void
bench_plain(struct bench *bench, struct pump_settings settings)
{
	bench_prepare(bench, settings);
	bench_go(bench);
}

static enum pump_end
bench_end(struct bench *bench)
{
	pthread_join(bench->thread, NULL);
	loop_free(bench->loop);
	return bench->end;
}

/* A byte or what else comes. */
static ssize_t
get(int fd, void *data, size_t bytes)
{
	await(fd, POLLIN);
	return recv(fd, data, bytes, 0);
}

static void
expect(int fd, const char *text)
{
	char got[64] = "";
	for (size_t all = 0; all < strlen(text);) {
		ssize_t n = get(fd, got + all, strlen(text) - all);
		assert_true(n > 0);
		all += (size_t)n;
	}
	assert_string_equal(got, text);
}

static void
put(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* What the pump asks the kernel for; the tests themselves only close. */
static atomic_uint shutdowns, reads_behind_a_fin;
static atomic_bool has_ended[1024];

int
shutdown(int fd, int how)
{
	atomic_fetch_add(&shutdowns, 1);
	return (int)syscall(SYS_shutdown, fd, how);
}

ssize_t
recv(int fd, void *data, size_t bytes, int flags)
{
	ssize_t got = syscall(SYS_recvfrom, fd, data, bytes, flags, NULL, NULL);
	if (atomic_exchange(&has_ended[fd], got == 0))
		atomic_fetch_add(&reads_behind_a_fin, 1);
	return got;
}

/* One direction ends, is told so, and then the other: closing says the rest. */
static void
asks_the_kernel_for_nothing_that_closing_does(void **state)
{
	struct bench bench;
	char byte;
	(void)state;
	bench_prepare(&bench, (struct pump_settings){ 0 });
	for (int i = 0; i < 2; i++)
		has_ended[bench.near[i]] = has_ended[bench.far[i]] = false;
	shutdowns = reads_behind_a_fin = 0;
	bench_go(&bench);
	put(bench.far[0], "question");
	syscall(SYS_shutdown, bench.far[0], SHUT_WR);
	expect(bench.far[1], "question");
	assert_int_equal(get(bench.far[1], &byte, 1), 0);
	put(bench.far[1], "answer");
	close(bench.far[1]);
	expect(bench.far[0], "answer");
	assert_int_equal(get(bench.far[0], &byte, 1), 0);
	assert_int_equal(bench_end(&bench), PUMP_FINISHED);
	assert_int_equal(shutdowns, 1);
	assert_int_equal(reads_behind_a_fin, 0);
	close(bench.far[0]);
}

static void
bytes_pass_both_ways_and_fins_in_both_orders(void **state)
{
	(void)state;
	for (int first = 0; first < 2; first++) {
		struct bench bench;
		char byte;
		bench_plain(&bench, (struct pump_settings){ 0 });
		int one = bench.far[first], two = bench.far[!first];
		put(one, "question");
		shutdown(one, SHUT_WR);
		expect(two, "question");
		assert_int_equal(get(two, &byte, 1), 0);
		put(two, "a long answer");
		expect(one, "a long answer");
		put(two, "!");
		shutdown(two, SHUT_WR);
		expect(one, "!");
		assert_int_equal(get(one, &byte, 1), 0);
		assert_int_equal(bench_end(&bench), PUMP_FINISHED);
		assert_int_equal(first ? bench.from_b : bench.from_a, 8);
		assert_int_equal(first ? bench.from_a : bench.from_b, 14);
		close(one);
		close(two);
	}
}

static void
bytes_put_back_before_the_pump_are_the_first(void **state)
{
	struct bench bench;
	int a[2], b[2];
	(void)state;
	tcp_pair(a);
	tcp_pair(b);
	struct stream *from = stream_socket(a[1]);
	assert_true(stream_unread(from, "held ", 5));
	bench.far[0] = a[0];
	bench.far[1] = b[0];
	bench_start(&bench, from, stream_socket(b[1]), (struct pump_settings){ 0 });
	expect(bench.far[1], "held ");
	put(bench.far[0], "later");
	expect(bench.far[1], "later");
	close(bench.far[0]);
	close(bench.far[1]);
	bench_end(&bench);
}

static void
reset_by(int fd)
{
	const struct linger now = { 1, 0 };
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	close(fd);
}

static void
a_reset_passes_on_as_a_reset(void **state)
{
	(void)state;
	for (int who = 0; who < 2; who++) {
		struct bench bench;
		char byte;
		bench_plain(&bench, (struct pump_settings){ 0 });
		put(bench.far[who], "x");
		expect(bench.far[!who], "x");
		reset_by(bench.far[who]);
		assert_int_equal(bench_end(&bench), who ? PUMP_RESET_B : PUMP_RESET_A);
		assert_int_equal(get(bench.far[!who], &byte, 1), -1);
		assert_int_equal(errno, ECONNRESET);
		close(bench.far[!who]);
	}
}

static void
a_reset_passes_on_after_a_half_close_too(void **state)
{
	struct bench bench;
	char byte;
	(void)state;
	bench_plain(&bench, (struct pump_settings){ 0 });
	put(bench.far[0], "x");
	shutdown(bench.far[0], SHUT_WR);
	expect(bench.far[1], "x");
	assert_int_equal(get(bench.far[1], &byte, 1), 0);
	reset_by(bench.far[1]);
	assert_int_equal(get(bench.far[0], &byte, 1), -1);
	assert_int_equal(errno, ECONNRESET);
	assert_int_equal(bench_end(&bench), PUMP_RESET_B);
	assert_string_equal(bench.silent, "");
	close(bench.far[0]);
}

/* A server that answers early and closes without reading the rest: its answer still arrives. */
static void
what_was_said_before_a_broken_write_is_delivered(void **state)
{
	static char much[1 << 20];
	struct bench bench;
	(void)state;
	bench_plain(&bench, (struct pump_settings){ 0 });
	put(bench.far[0], "x");
	expect(bench.far[1], "x");
	put(bench.far[1], "413 too large");
	close(bench.far[1]);
	expect(bench.far[0], "413 too large");
	while (send(bench.far[0], much, sizeof much, MSG_NOSIGNAL) > 0)
		;
	enum pump_end end = bench_end(&bench);
	assert_int_equal(end, PUMP_RESET_B);
	close(bench.far[0]);
}

/* ---- time in the test's hand ---- */

/* A flow on this thread, whose time passes only as await_end() and let_pass() say. */
static void
bench_still(struct bench *bench, struct pump_settings settings)
{
	clock_fake(1000000, 1000000);
	bench_prepare(bench, settings);
}

static void
bench_put_away(struct bench *bench)
{
	loop_free(bench->loop);
	clock_fake(0, 0);
}

static void
let_pass(struct bench *bench, uint64_t ms)
{
	assert_true(loop_advance(bench->loop, ms));
}

/* The kernel delivers when it likes, but no time of ours passes meanwhile. */
static void
pass_on(struct bench *bench, int from, int to)
{
	struct pollfd at = { .fd = bench->far[to], .events = POLLIN };
	put(bench->far[from], "x");
	for (int i = 0; i < 20000 && poll(&at, 1, 1) == 0; i++)
		let_pass(bench, 0);
	expect(bench->far[to], "x");
}

static void
see_reset(struct bench *bench, int who)
{
	char byte;
	assert_int_equal(get(bench->far[who], &byte, 1), -1);
	assert_int_equal(errno, ECONNRESET);
}

static void
expect_kept_alive(const struct bench *bench, int wanted)
{
	for (int i = 0; i < 2; i++) {
		int is_kept = -1;
		socklen_t bytes = sizeof is_kept;
		assert_int_equal(getsockopt(bench->near[i], SOL_SOCKET, SO_KEEPALIVE, &is_kept,
		    &bytes), 0);
		assert_int_equal(is_kept, wanted);
	}
}

static void
keeps_alive(bool moves_a_byte)
{
	struct bench bench;
	bench_still(&bench, (struct pump_settings){ 0 });
	if (moves_a_byte)
		pass_on(&bench, 0, 1);
	let_pass(&bench, 29999);
	expect_kept_alive(&bench, 0);
	let_pass(&bench, 1);
	expect_kept_alive(&bench, 1);
	pump_stop(bench.pump);
	assert_false(loop_advance(bench.loop, 0));
	close(bench.far[0]);
	close(bench.far[1]);
	bench_put_away(&bench);
}

static void
what_lasts_is_kept_alive(void **state)
{
	(void)state;
	keeps_alive(true);
}

static void
so_is_what_never_moves_a_byte(void **state)
{
	(void)state;
	keeps_alive(false);
}

static void
a_half_closed_flow_may_not_be_silent_for_ever(void **state)
{
	struct bench bench;
	(void)state;
	bench_still(&bench, (struct pump_settings){ .half_closed_ms = 60000 });
	pass_on(&bench, 0, 1);
	shutdown(bench.far[0], SHUT_WR);
	for (char byte; recv(bench.far[1], &byte, 1, 0) != 0; let_the_kernel_work())
		let_pass(&bench, 0);
	/* Bytes in the direction that remains keep it alive. */
	for (int i = 0; i < 4; i++) {
		let_pass(&bench, 59000);
		pass_on(&bench, 1, 0);
	}
	let_pass(&bench, 59999);
	assert_false(loop_advance(bench.loop, 1));
	assert_int_equal(bench.end, PUMP_HALF_CLOSED);
	see_reset(&bench, 0);
	bench_put_away(&bench);
	close(bench.far[0]);
	close(bench.far[1]);
}

static void
an_idle_flow_ends_only_when_that_is_wanted(void **state)
{
	(void)state;
	for (int wanted = 0; wanted < 2; wanted++) {
		struct bench bench;
		bench_still(&bench, (struct pump_settings){ .idle_ms = wanted ? 30000 : 0 });
		let_pass(&bench, 29000);
		pass_on(&bench, 0, 1);
		let_pass(&bench, 29999);
		assert_int_equal(loop_advance(bench.loop, 1), !wanted);
		if (wanted) {
			assert_int_equal(bench.end, PUMP_IDLE);
			see_reset(&bench, 0);
			see_reset(&bench, 1);
		} else {
			let_pass(&bench, 30ull * 24 * 3600 * 1000);
			pass_on(&bench, 1, 0);
			pump_free(bench.pump);
			let_pass(&bench, 0);
		}
		bench_put_away(&bench);
		close(bench.far[0]);
		close(bench.far[1]);
	}
}

/* One that takes nothing more, and may still say something. */
static void
what_is_left_of_a_cut_flow_may_pause_for_as_long_as_a_silent_peer(void **state)
{
	struct bench bench;
	int a[2], b[2];
	(void)state;
	clock_fake(1000000, 1000000);
	pair(a);
	pair(b);
	bench.far[0] = a[0];
	bench.far[1] = b[0];
	bench_make(&bench, stream_socket(a[1]), stream_socket(b[1]),
	    (struct pump_settings){ .silent_ms = 20000 });
	shutdown(b[0], SHUT_RD);
	put(a[0], "lost");
	let_pass(&bench, 19999);
	put(b[0], "last words");
	let_pass(&bench, 19999);
	expect(a[0], "last words");
	assert_false(loop_advance(bench.loop, 1));
	assert_int_equal(bench.end, PUMP_RESET_B);
	bench_put_away(&bench);
	close(a[0]);
	close(b[0]);
}

static void
stop_in_the_loop(void *data)
{
	pump_stop(data);
}

static void
a_stop_resets_both(void **state)
{
	struct bench bench;
	char byte;
	(void)state;
	bench_plain(&bench, (struct pump_settings){ 0 });
	struct call call;
	loop_call(bench.loop, &call, stop_in_the_loop, bench.pump);
	assert_int_equal(bench_end(&bench), PUMP_STOPPED);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(get(bench.far[i], &byte, 1), -1);
		close(bench.far[i]);
	}
}

static uint64_t
cpu_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Until neither side takes anything more. */
static void
fill(struct bench *bench, int from)
{
	static char much[1 << 16];
	for (int quiet = 0; quiet < 20; let_the_kernel_work()) {
		quiet = send(bench->far[from], much, sizeof much, MSG_NOSIGNAL) > 0 ? 0 : quiet + 1;
		let_pass(bench, 0);
	}
}

/* One side does not read, the other has gone: nothing may turn round and round meanwhile. */
static void
a_stalled_flow_does_not_spin(void **state)
{
	static char much[1 << 16];
	struct bench bench;
	(void)state;
	bench_still(&bench, (struct pump_settings){ 0 });
	fill(&bench, 0);
	uint64_t before = cpu_us();
	let_pass(&bench, 300);
	assert_in_range(cpu_us() - before, 0, 50000);
	reset_by(bench.far[0]);
	await(bench.near[0], 0);	/* POLLERR, POLLHUP */
	before = cpu_us();
	let_pass(&bench, 300);
	assert_in_range(cpu_us() - before, 0, 50000);
	/* Once there is room again the reset is found. */
	while (recv(bench.far[1], much, sizeof much, 0) > 0 || errno == EAGAIN)
		loop_advance(bench.loop, 0);
	assert_int_equal(errno, ECONNRESET);
	assert_int_equal(bench.end, PUMP_RESET_A);
	bench_put_away(&bench);
	close(bench.far[1]);
}

static void
a_reset_is_found_while_the_other_side_takes_nothing(void **state)
{
	(void)state;
	for (int patient = 0; patient < 2; patient++) {
		struct bench bench;
		uint64_t ms = 0;
		bench_still(&bench, (struct pump_settings){ .idle_ms = patient ? 60000 : 0 });
		fill(&bench, 0);
		let_pass(&bench, 200);
		reset_by(bench.far[0]);
		await(bench.near[0], 0);
		while (loop_advance(bench.loop, 100) && ms < 6000)
			ms += 100;
		assert_in_range(ms, 500, 5900);
		assert_int_equal(bench.end, PUMP_RESET_A);
		bench_put_away(&bench);
		close(bench.far[1]);
	}
}

/* A peer that is switched off: its kernel answers nothing any more. */
static void
switch_off(int fd)
{
	struct sock_filter drop[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_fprog filter = { .len = 1, .filter = drop };
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter), 0);
}

static void
bench_impatient(struct bench *bench)
{
	int pairs[2][2];
	for (int i = 0; i < 2; i++) {
		tcp_pair(pairs[i]);
		socket_prepare(pairs[i][1]);
		bench->far[i] = pairs[i][0];
	}
	bench_start(bench, stream_socket(pairs[0][1]), stream_socket(pairs[1][1]),
	    (struct pump_settings){ .silent_ms = 1000 });
}

static void
a_peer_may_pause_for_as_long_as_it_likes(void **state)
{
	static char much[1 << 16];
	struct bench bench;
	(void)state;
	bench_impatient(&bench);
	for (int quiet = 0; quiet < 5;) {
		quiet = send(bench.far[0], much, sizeof much, MSG_NOSIGNAL) > 0 ? 0 : quiet + 1;
		usleep(10000);
	}
	usleep(2500000);
	shutdown(bench.far[0], SHUT_WR);
	while (get(bench.far[1], much, sizeof much) > 0)
		;
	put(bench.far[1], "all of it");
	close(bench.far[1]);
	expect(bench.far[0], "all of it");
	close(bench.far[0]);
	assert_int_equal(bench_end(&bench), PUMP_FINISHED);
}

static void
a_peer_whose_kernel_is_silent_is_gone(void **state)
{
	struct bench bench;
	(void)state;
	bench_impatient(&bench);
	put(bench.far[0], "x");
	expect(bench.far[1], "x");
	switch_off(bench.far[1]);
	uint64_t start = clock_ms();
	put(bench.far[0], "y");
	assert_int_equal(bench_end(&bench), PUMP_SILENT);
	assert_string_equal(bench.silent, "b");
	assert_in_range(clock_ms() - start, 900, 5000);
	close(bench.far[0]);
	close(bench.far[1]);
}

/* By a probe of keepalive or by what was sent: the kernel says ETIMEDOUT, and nobody has reset anything. */
static void
make_kernel_give_up(int near, int far)
{
	assert_int_equal(setsockopt(near, IPPROTO_TCP, TCP_USER_TIMEOUT, &(int){ 200 }, sizeof(int)), 0);
	switch_off(far);
}

static void
a_peer_that_our_kernel_gives_up_was_silent(void **state)
{
	(void)state;
	for (int who = 0; who < 2; who++) {
		struct bench bench;
		char byte;
		bench_plain(&bench, (struct pump_settings){ 0 });
		make_kernel_give_up(bench.near[who], bench.far[who]);
		put(bench.far[!who], "x");
		assert_int_equal(get(bench.far[!who], &byte, 1), -1);
		assert_int_equal(errno, ECONNRESET);
		assert_int_equal(bench_end(&bench), PUMP_SILENT);
		assert_string_equal(bench.silent, who ? "b" : "a");
		close(bench.far[0]);
		close(bench.far[1]);
	}
}

/* Nobody reads from it, so only the kernel knows, and has told nobody yet. */
static void
its_silence_is_found_while_the_other_side_takes_nothing(void **state)
{
	struct bench bench;
	uint64_t ms = 0;
	(void)state;
	bench_still(&bench, (struct pump_settings){ 0 });
	fill(&bench, 0);
	make_kernel_give_up(bench.near[0], bench.far[0]);
	put(bench.far[1], "x");
	let_pass(&bench, 200);
	await(bench.near[0], 0);
	while (loop_advance(bench.loop, 100) && ms < 6000)
		ms += 100;
	assert_int_equal(bench.end, PUMP_SILENT);
	assert_string_equal(bench.silent, "a");
	bench_put_away(&bench);
	close(bench.far[0]);
	close(bench.far[1]);
}

/* Keeps one direction of a flow as full as it gets, until the other end closes. */
static void *
flood(void *arg)
{
	static const char much[1 << 16];
	struct pollfd at = { .fd = *(int *)arg, .events = POLLOUT };
	while (poll(&at, 1, 20000) == 1)
		if (send(at.fd, much, sizeof much, MSG_NOSIGNAL) < 0 && errno != EAGAIN)
			break;
	return NULL;
}

static sem_t large_is_large, large_is_over;

static void *
swallow(void *arg)
{
	enum { LARGE = 8 << 20 };
	static char much[1 << 16];
	struct pollfd at = { .fd = *(int *)arg, .events = POLLIN };
	ssize_t got;
	for (size_t all = 0; poll(&at, 1, 20000) == 1; all += got > 0 ? (size_t)got : 0) {
		got = recv(at.fd, much, sizeof much, 0);
		if (got <= 0 && errno != EAGAIN)
			break;
		if (got > 0 && all < LARGE && all + (size_t)got >= LARGE)
			sem_post(&large_is_large);
	}
	return NULL;
}

static void
on_large_over(void *arg, enum pump_end end)
{
	(void)end;
	pump_free(*(struct pump **)arg);
	sem_post(&large_is_over);
}

static void
ping_beside_a_large_flow(bool is_spliced)
{
	int a[2], b[2];
	struct bench small;
	struct stalls stalls;
	struct pump *large;
	pthread_t feeder, taker;
	signal(SIGPIPE, SIG_IGN);
	sem_init(&large_is_over, 0, 0);
	sem_init(&large_is_large, 0, 0);
	tcp_pair(a);
	tcp_pair(b);
	bench_prepare(&small, (struct pump_settings){ 0 });
	pump_stalls_init(&stalls, small.loop, NULL);
	large = pump_new(small.loop, stream_socket(a[1]), stream_socket(b[1]),
	    &(struct pump_settings){ .stalls = is_spliced ? &stalls : NULL }, on_large_over,
	    &large);
	bench_go(&small);
	pthread_create(&feeder, NULL, flood, &a[0]);
	pthread_create(&taker, NULL, swallow, &b[0]);
	sem_wait(&large_is_large);
	for (int i = 0; i < 50; i++) {
		uint64_t start = clock_ms();
		put(small.far[0], "ping");
		expect(small.far[1], "ping");
		assert_in_range(clock_ms() - start, 0, 200);
	}
	shutdown(b[0], SHUT_RDWR);
	shutdown(a[0], SHUT_RDWR);
	pthread_join(feeder, NULL);
	pthread_join(taker, NULL);
	sem_wait(&large_is_over);
	sem_destroy(&large_is_over);
	sem_destroy(&large_is_large);
	for (int i = 0; i < 2; i++)
		shutdown(small.far[i], SHUT_WR);
	pthread_join(small.thread, NULL);
	stalls_wipe(&stalls);
	loop_free(small.loop);
	assert_int_equal(small.end, PUMP_FINISHED);
	assert_true((stalls.pipes.lent_count > 0) == is_spliced);
	for (int i = 0; i < 2; i++)
		close(small.far[i]);
	close(a[0]);
	close(b[0]);
}

static void
a_small_flow_is_not_kept_waiting_by_a_large_one(void **state)
{
	(void)state;
	ping_beside_a_large_flow(false);
	ping_beside_a_large_flow(true);
}

/* ---- the whole chain ---- */

/* One end of the chain: sends and checks `total` bytes each way, slowly now and then, and
 * half-closes. */
struct player {
	struct stream *stream;
	size_t total, sent, got;
	unsigned salt;
	const char *trouble;
};

static uint8_t
byte_at(size_t at, unsigned salt)
{
	return (uint8_t)((at + salt) * 2654435761u >> 13);
}

static bool
play_write(struct player *p, bool *is_finished)
{
	uint8_t data[30000];
	size_t done = 0, left = p->total - p->sent, bytes = left < sizeof data ? left : sizeof data;
	for (size_t i = 0; i < bytes; i++)
		data[i] = byte_at(p->sent + i, p->salt);
	enum io io = bytes ? stream_write(p->stream, data, bytes, &done) : stream_finish(p->stream);
	p->sent += done;
	*is_finished = !bytes && io == IO_OK;
	if (io != IO_OK && io != IO_WRITE)
		p->trouble = "a write failed";
	return io == IO_OK;
}

static bool
play_read(struct player *p, bool *is_ended)
{
	uint8_t data[30000];
	size_t done;
	enum io io = stream_read(p->stream, data, sizeof data, &done);
	for (size_t i = 0; i < done; i++)
		if (data[i] != byte_at(p->got + i, !p->salt))
			p->trouble = "a byte is wrong";
	p->got += done;
	*is_ended = io == IO_EOF;
	if (io != IO_OK && io != IO_READ && io != IO_EOF)
		p->trouble = "a read failed";
	return io == IO_OK;
}

static void *
play(void *arg)
{
	struct player *p = arg;
	bool is_finished = false, is_ended = false;
	for (unsigned turn = 0; !p->trouble && !(is_finished && is_ended); turn++) {
		bool wrote = !is_finished && play_write(p, &is_finished);
		bool read = turn % 64 < 48 && !is_ended && play_read(p, &is_ended);
		if (wrote || read)
			continue;
		struct pollfd poll_at = { .fd = p->stream->fd,
			.events = (short)((is_finished ? 0 : POLLOUT) | (is_ended ? 0 : POLLIN)) };
		if (poll(&poll_at, 1, 20000) != 1)
			p->trouble = "it hangs";
	}
	return NULL;
}

static struct tls *
over(struct stream *under, enum tls_purpose purpose)
{
	const struct tls_hooks hooks = { .judge = judge_by, .arg = fine };
	struct tls_config *config = config_for(purpose);
	struct tls *tls = purpose == TLS_UPSTREAM || purpose == TLS_SESSION_AGENT
	    ? tls_client(config, under, "app.test", &hooks) : tls_server(config, under, &hooks);
	assert_non_null(tls);
	tls_config_release(config);
	return tls;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { CHAIN_BYTES = 10000000 };
#else
enum { CHAIN_BYTES = 100000000 };
#endif

/* client =TLS= | relay's pump | =TLS in TLS= | agent's pump | = upstream, 100 MB each way at
 * once. */
static void
a_terminated_flow_within_its_sealed_channel(void **state)
{
	int client[2], channel[2], upstream[2];
	struct bench relay, agent;
	pthread_t threads[2];
	(void)state;
	tcp_pair(client);
	tcp_pair(channel);
	tcp_pair(upstream);
	struct tls *relays = over(stream_socket(channel[0]), TLS_SESSION_RELAY);
	struct tls *agents = over(stream_socket(channel[1]), TLS_SESSION_AGENT);
	shaken(relays, agents);
	struct tls *inner = over(tls_stream(agents), TLS_ENDPOINT);
	struct tls *clients = over(stream_socket(client[0]), TLS_UPSTREAM);
	bench_start(&relay, stream_socket(client[1]), tls_stream(relays),
	    (struct pump_settings){ 0 });
	enum io of_client = IO_READ, of_inner = IO_READ;
	while (io_must_wait(of_client) || io_must_wait(of_inner)) {
		of_client = io_must_wait(of_client) ? tls_handshake(clients) : of_client;
		of_inner = io_must_wait(of_inner) ? tls_handshake(inner) : of_inner;
		let_the_kernel_work();
	}
	assert_int_equal(of_client, IO_OK);
	assert_int_equal(of_inner, IO_OK);
	bench_start(&agent, tls_stream(inner), stream_socket(upstream[0]),
	    (struct pump_settings){ 0 });
	struct player players[2] = {
		{ .stream = tls_stream(clients), .total = CHAIN_BYTES },
		{ .stream = stream_socket(upstream[1]), .total = CHAIN_BYTES, .salt = 1 },
	};
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, play, &players[i]), 0);
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		if (players[i].trouble)
			fail_msg("player %d: %s after %zu sent, %zu got", i, players[i].trouble,
			    players[i].sent, players[i].got);
		assert_int_equal(players[i].got, CHAIN_BYTES);
	}
	assert_int_equal(bench_end(&relay), PUMP_FINISHED);
	assert_int_equal(bench_end(&agent), PUMP_FINISHED);
	assert_int_equal(agent.from_a, CHAIN_BYTES);
	assert_int_equal(agent.from_b, CHAIN_BYTES);
	stream_free(players[0].stream);
	stream_free(players[1].stream);
}

/* A TLS client at sealed[1], whose first words have come to plain[1]. */
static struct tls *
start_sealed(struct bench *bench, int sealed[2], int plain[2])
{
	tcp_pair(sealed);
	tcp_pair(plain);
	struct tls *server = over(stream_socket(sealed[0]), TLS_SESSION_RELAY);
	struct tls *client = over(stream_socket(sealed[1]), TLS_SESSION_AGENT);
	shaken(server, client);
	bench_start(bench, tls_stream(server), stream_socket(plain[0]),
	    (struct pump_settings){ 0 });
	say(tls_stream(client), "all of it");
	expect(plain[1], "all of it");
	return client;
}

static void
tls_cut_short_is_a_reset_for_the_other_side(void **state)
{
	int sealed[2], plain[2];
	struct bench bench;
	char byte;
	(void)state;
	struct tls *client = start_sealed(&bench, sealed, plain);
	shutdown(sealed[1], SHUT_WR);
	assert_int_equal(get(plain[1], &byte, 1), -1);
	assert_int_equal(errno, ECONNRESET);
	assert_int_equal(bench_end(&bench), PUMP_RESET_A);
	assert_string_equal(bench.fault, "");
	stream_free(tls_stream(client));
	close(plain[1]);
}

/* The client goes on sending what nobody reads any more: a mere close would be a reset, and that
 * would destroy the alert. */
static void
an_alert_in_a_joined_flow_can_be_read(void **state)
{
	static char much[200000];
	int sealed[2], plain[2];
	struct bench bench;
	char byte;
	(void)state;
	struct tls *client = start_sealed(&bench, sealed, plain);
	memcpy(much, "\x17\x03\x03\x00\x20", 5);
	for (int i = 0; i < 5; i++) {
		assert_true(send(sealed[1], much, sizeof much, MSG_NOSIGNAL) > 0);
		usleep(20000);
	}
	assert_int_equal(get(plain[1], &byte, 1), -1);
	assert_int_equal(errno, ECONNRESET);
	assert_int_equal(hear_nothing(tls_stream(client)), IO_RESET);
	assert_int_equal(tls_alert_received(client), GNUTLS_A_BAD_RECORD_MAC);
	stream_free(tls_stream(client));
	assert_int_equal(bench_end(&bench), PUMP_RESET_A);
	assert_string_equal(bench.fault, "Decryption has failed.");
	close(plain[1]);
}

/* What the peer says of it is told, too, and by which side. */
static void
the_peers_alert_in_a_joined_flow_is_told(void **state)
{
	int sealed[2], plain[2];
	struct bench bench;
	char byte;
	(void)state;
	struct tls *client = start_sealed(&bench, sealed, plain);
	tls_alert(client, GNUTLS_A_BAD_CERTIFICATE);
	assert_int_equal(get(plain[1], &byte, 1), -1);
	assert_int_equal(errno, ECONNRESET);
	assert_int_equal(bench_end(&bench), PUMP_RESET_A);
	assert_string_equal(
	    bench.fault, "the peer refused with the alert \"Certificate is bad\" (42)");
	stream_free(tls_stream(client));
	close(plain[1]);
}

static void
so_was_a_peer_with_tls_on_top(void **state)
{
	int sealed[2], plain[2];
	struct bench bench;
	char byte;
	(void)state;
	struct tls *client = start_sealed(&bench, sealed, plain);
	make_kernel_give_up(sealed[0], sealed[1]);
	put(plain[1], "x");
	assert_int_equal(get(plain[1], &byte, 1), -1);
	assert_int_equal(errno, ECONNRESET);
	assert_int_equal(bench_end(&bench), PUMP_SILENT);
	stream_free(tls_stream(client));
	close(plain[1]);
}

static int
set_up(void **state)
{
	(void)state;
	return set_up_credentials("app.test");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_the_kernel_for_nothing_that_closing_does),
	cmocka_unit_test(bytes_pass_both_ways_and_fins_in_both_orders),
		cmocka_unit_test(bytes_put_back_before_the_pump_are_the_first),
		cmocka_unit_test(a_reset_passes_on_as_a_reset),
		cmocka_unit_test(a_reset_passes_on_after_a_half_close_too),
		cmocka_unit_test(what_was_said_before_a_broken_write_is_delivered),
		cmocka_unit_test(what_lasts_is_kept_alive),
		cmocka_unit_test(so_is_what_never_moves_a_byte),
		cmocka_unit_test(a_half_closed_flow_may_not_be_silent_for_ever),
		cmocka_unit_test(an_idle_flow_ends_only_when_that_is_wanted),
		cmocka_unit_test(what_is_left_of_a_cut_flow_may_pause_for_as_long_as_a_silent_peer),
		cmocka_unit_test(a_stop_resets_both),
		cmocka_unit_test(a_stalled_flow_does_not_spin),
		cmocka_unit_test(a_reset_is_found_while_the_other_side_takes_nothing),
		cmocka_unit_test(a_peer_may_pause_for_as_long_as_it_likes),
		cmocka_unit_test(a_peer_whose_kernel_is_silent_is_gone),
		cmocka_unit_test(a_peer_that_our_kernel_gives_up_was_silent),
		cmocka_unit_test(its_silence_is_found_while_the_other_side_takes_nothing),
		cmocka_unit_test(a_small_flow_is_not_kept_waiting_by_a_large_one),
		cmocka_unit_test(tls_cut_short_is_a_reset_for_the_other_side),
		cmocka_unit_test(an_alert_in_a_joined_flow_can_be_read),
		cmocka_unit_test(the_peers_alert_in_a_joined_flow_is_told),
		cmocka_unit_test(so_was_a_peer_with_tls_on_top),
		cmocka_unit_test(a_terminated_flow_within_its_sealed_channel),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("pump", tests, set_up, tear_down_credentials);
}
