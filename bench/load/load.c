/*
 * The client of all measurements: many flows in one thread, each doing the same thing, with its clocks.
 *	load THING --to PORT --name SERVER-NAME [--hello FILE | --tls [--crt FILE --key FILE]]
 *	    [--resume] [--flows N] [--bytes N] [--warm SECONDS] [--seconds SECONDS] [--watch PID,...] [--taken COUNTER-FILE]
 * COUNTER-FILE is that of bench/load/upstream: what arrived there counts as bytes, too.
 * Without --tls the first bytes are those of FILE, a ClientHello, and the rest is bare. Things: see below.
 * When all flows are open and warm it writes `ready`, measures for so long, or until a line comes if
 * --seconds is 0, and writes one JSON object: what was done in the window, and the processor time of the watched processes in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench/load/latency.h"
#include "bench/load/loop.h"
#include "bench/load/order.h"
#include "bench/load/transport.h"

enum {
	BLOCK = 256 * 1024,
	MOST_HELLO = 16384,
	MOST_WATCHED = 32,
	OPENING = 64,
	RECORDS = 16,
	MOST_ERRORS = 1000,
	SMALL_WINDOW = 4096,
	PATIENCE_US = 30000000
};

/* What a flow does once its order is said. */
struct load_thing {
	const char *name;
	char order;
	bool pours;  /* it sends without an end */
	bool asks;   /* it sends a message and waits for it to come back, again and again */
	bool visits; /* a connection for each answer */
	bool rests;  /* after the first answer */
	bool deaf;   /* it reads nothing */
};

static const struct load_thing things[] = {
	{ .name = "down", .order = ORDER_POUR },
	{ .name = "up", .order = ORDER_TAKE, .pours = true },
	{ .name = "both", .order = ORDER_BOTH, .pours = true },
	{ .name = "echo", .order = ORDER_ECHO, .asks = true },
	{ .name = "visit", .order = ORDER_ONCE, .visits = true },
	{ .name = "idle", .order = ORDER_ECHO, .asks = true, .rests = true },
	{ .name = "stall", .order = ORDER_POUR, .deaf = true },
};
enum { THINGS = sizeof things / sizeof things[0] };

enum state { CONNECTING, SHAKING, ORDERING, OPEN };

struct load_flow {
	struct load_watch watch;
	struct transport transport;
	enum state state;
	bool answered;
	size_t sent;       /* of the hello and the order, then of the message */
	size_t missing;    /* of the message that comes back */
	uint64_t began_us; /* the connection, or the message */
};

static const struct load_thing *thing;
static struct load_flow *flows;
static const char *port, *name = "bench.example.com", *own_certificate, *own_key;
static bool with_tls, resume;
static unsigned flow_count = 1, opened, under_way;
static size_t message_bytes = 64, first_bytes;
static double warm_seconds = 0.2, window_seconds;
static pid_t watched[MOST_WATCHED];
static unsigned watched_count;
static struct counter *counter = &(struct counter){ 0 };
static char block[BLOCK], first[MOST_HELLO + 1];

static struct {
	uint64_t bytes, answers, errors, resumed;
} done;

/* ---- one flow ---- */

static void on_flow(struct load_watch *watch, unsigned events);

static void
dial(struct load_flow *flow)
{
	int fd = loop_dial(port, thing->deaf ? SMALL_WINDOW : 0);
	if (fd < 0)
		loop_die("connect");
	*flow = (struct load_flow){ .watch = { .on_event = on_flow, .fd = fd },
		.transport.fd = fd,
		.began_us = loop_now_us() };
	under_way++;
	loop_want(&flow->watch, EPOLLOUT);
}

/* One that asks is under way until its first answer, so that a slow peer is not overrun. */
static bool
is_under_way(const struct load_flow *flow)
{
	return flow->state != OPEN || (thing->asks && !flow->answered);
}

static void
hang_up(struct load_flow *flow)
{
	transport_close(&flow->transport);
	loop_close(&flow->watch);
	under_way -= is_under_way(flow);
}

static void
has_begun(void)
{
	under_way--;
	opened++;
}

static void
fail(struct load_flow *flow)
{
	hang_up(flow);
	if (++done.errors > MOST_ERRORS) {
		fputs("load: too many flows are refused or broken\n", stderr);
		exit(1);
	}
	if (opened < flow_count || thing->visits)
		dial(flow);
}

static void
set_open(struct load_flow *flow)
{
	flow->state = OPEN;
	flow->sent = 0;
	flow->missing = message_bytes;
	done.resumed += transport_was_resumed(&flow->transport);
	if (!thing->asks)
		has_begun();
	unsigned in = thing->deaf ? 0u : EPOLLIN, out = thing->pours || thing->asks ? EPOLLOUT : 0u;
	loop_want(&flow->watch, in | out);
}

static bool
shake_hands(struct load_flow *flow)
{
	int result = transport_handshake(&flow->transport);
	if (result == TRANSPORT_AGAIN)
		loop_want(
		    &flow->watch, transport_wants_to_write(&flow->transport) ? EPOLLOUT : EPOLLIN);
	if (result != 1)
		return result == TRANSPORT_AGAIN;
	flow->state = ORDERING;
	loop_want(&flow->watch, EPOLLOUT);
	return true;
}

static bool
connected(struct load_flow *flow)
{
	if (with_tls && !transport_open_client(&flow->transport, flow->watch.fd, resume))
		return false;
	flow->state = SHAKING;
	return shake_hands(flow);
}

/* The hello of a raw client, and the order, in one segment. */
static bool
give_order(struct load_flow *flow)
{
	ssize_t bytes =
	    transport_send(&flow->transport, first + flow->sent, first_bytes - flow->sent);
	if (bytes == TRANSPORT_BROKEN)
		return false;
	if (bytes > 0)
		flow->sent += (size_t)bytes;
	if (flow->sent == first_bytes)
		set_open(flow);
	return true;
}

static bool
send_more(struct load_flow *flow)
{
	size_t wanted = thing->pours ? BLOCK : message_bytes - flow->sent;
	ssize_t bytes = transport_send(&flow->transport, block, wanted);
	if (bytes == TRANSPORT_BROKEN)
		return false;
	if (bytes < 0)
		bytes = 0;
	if (thing->pours)
		return true;
	if ((flow->sent += (size_t)bytes) == message_bytes)
		loop_want(&flow->watch, EPOLLIN);
	else
		loop_want(&flow->watch, EPOLLIN | EPOLLOUT);
	return true;
}

/* The message has come back. */
static bool
on_answer(struct load_flow *flow)
{
	uint64_t now_us = loop_now_us();
	if (!flow->answered)
		has_begun();
	flow->answered = true;
	latency_add(now_us - flow->began_us);
	done.answers++;
	flow->began_us = now_us;
	flow->sent = 0;
	flow->missing = message_bytes;
	return thing->rests || send_more(flow);
}

static bool
visited(struct load_flow *flow)
{
	if (!flow->answered)
		return false;
	done.answers++;
	hang_up(flow);
	dial(flow);
	return true;
}

/* What came is counted. False: the flow is broken. */
static bool
heard(struct load_flow *flow, ssize_t bytes)
{
	if (bytes == TRANSPORT_AGAIN)
		return true;
	if (bytes <= 0)
		return thing->visits && bytes == 0 && visited(flow);
	done.bytes += (uint64_t)bytes;
	if (thing->visits && !flow->answered) {
		latency_add(loop_now_us() - flow->began_us);
		transport_keep_ticket(&flow->transport);
		flow->answered = true;
	}
	if (!thing->asks)
		return true;
	if ((size_t)bytes > flow->missing)
		return false;
	flow->missing -= (size_t)bytes;
	return flow->missing || on_answer(flow);
}

static bool
receive(struct load_flow *flow)
{
	int fd = flow->watch.fd;
	ssize_t bytes;
	int records = 0;
	do {
		bytes = transport_discard(&flow->transport, block, BLOCK);
		if (!heard(flow, bytes))
			return false;
	} while (flow->watch.fd == fd && bytes > 0 && with_tls &&
	    (++records < RECORDS || transport_has_pending(&flow->transport)));
	return true;
}

static bool
step(struct load_flow *flow, unsigned events)
{
	switch (flow->state) {
	case CONNECTING:
		return !(events & (EPOLLERR | EPOLLHUP)) && connected(flow);
	case SHAKING:
		return shake_hands(flow);
	case ORDERING:
		return give_order(flow);
	case OPEN:
		break;
	}
	if (events & EPOLLOUT && !send_more(flow))
		return false;
	return !(events & (EPOLLIN | EPOLLERR | EPOLLHUP)) || receive(flow);
}

static void
on_flow(struct load_watch *watch, unsigned events)
{
	struct load_flow *flow = (struct load_flow *)watch;
	if (!step(flow, events))
		fail(flow);
}

/* ---- the window ---- */

static void
turn_until(uint64_t until_us)
{
	for (uint64_t now; (now = loop_now_us()) < until_us;)
		loop_turn((int)((until_us - now + 999) / 1000));
}

static void
open_all(void)
{
	uint64_t patience_us = loop_now_us() + PATIENCE_US;
	unsigned dialled = 0;
	while (opened < flow_count) {
		while (dialled < flow_count && under_way < OPENING)
			dial(&flows[dialled++]);
		loop_turn(100);
		if (loop_now_us() > patience_us) {
			errno = ETIMEDOUT;
			fprintf(stderr, "%u of %u flows are open: ", opened, flow_count);
			loop_die("no more");
		}
	}
}

/* Of a whole process, the threads that have ended included; -1: it has ended. */
static double
processor_seconds(pid_t pid)
{
	struct timespec used;
	clockid_t clock;
	errno = clock_getcpuclockid(pid, &clock);
	if (errno || clock_gettime(clock, &used))
		return -1;
	return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static void
read_clocks(double *seconds)
{
	for (unsigned i = 0; i < watched_count; i++) {
		double now = processor_seconds(watched[i]);
		seconds[i] = now < 0 ? 0 : now - seconds[i]; /* one that rests may end meanwhile */
	}
}

static void
report(double seconds, const double *used)
{
	printf(
	    "{\"seconds\": %.6f, \"bytes\": %llu, \"answers\": %llu, \"errors\": %llu, \"resumed\": %llu,",
	    seconds, (unsigned long long)done.bytes, (unsigned long long)done.answers,
	    (unsigned long long)done.errors, (unsigned long long)done.resumed);
	printf(" \"p50_us\": %.0f, \"p99_us\": %.0f, \"p999_us\": %.0f, \"cpu\": [",
	    latency_quantile(0.5), latency_quantile(0.99), latency_quantile(0.999));
	for (unsigned i = 0; i < watched_count; i++)
		printf("%s%.9f", i ? ", " : "", used[i]);
	printf("]}\n");
}

/* What the upstream has taken and the client has received. */
static uint64_t
bytes_arrived(void)
{
	return done.bytes + __atomic_load_n(&counter->taken, __ATOMIC_RELAXED);
}

/* Each flow has moved something, or has been answered once. */
static bool
has_worked(void)
{
	if (thing->deaf || thing->rests)
		return true;
	return thing->asks || thing->visits ? done.answers > flow_count
					    : bytes_arrived() > (uint64_t)flow_count * BLOCK;
}

/* However slow the machine is. */
static void
await_work(void)
{
	uint64_t patience_us = loop_now_us() + PATIENCE_US;
	while (!has_worked() && loop_now_us() < patience_us)
		loop_turn(100);
}

static void
measure(void)
{
	double used[MOST_WATCHED] = { 0 };
	turn_until(loop_now_us() + (uint64_t)(warm_seconds * 1e6));
	puts("ready");
	fflush(stdout);
	memset(&done, 0, sizeof done);
	latency_clear();
	uint64_t began_us = loop_now_us();
	__atomic_store_n(&counter->taken, 0, __ATOMIC_RELAXED);
	read_clocks(used);
	if (window_seconds > 0)
		turn_until(began_us + (uint64_t)(window_seconds * 1e6));
	else
		getchar();
	await_work();
	read_clocks(used);
	done.bytes = bytes_arrived();
	report((double)(loop_now_us() - began_us) / 1e6, used);
}

/* With RST: what is in buffers is thrown away, so that nobody carries it while the next one is measured. */
static void
abandon_all(void)
{
	struct linger at_once = { .l_onoff = 1 };
	for (unsigned i = 0; i < flow_count; i++)
		if (flows[i].watch.fd >= 0)
			setsockopt(
			    flows[i].watch.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

/* ---- the command line ---- */

static _Noreturn void
usage(void)
{
	fputs(
	    "usage: load down|up|both|echo|visit|idle|stall --to PORT ...; see the top of load.c\n",
	    stderr);
	exit(64);
}

static void
read_hello(const char *path)
{
	FILE *file = fopen(path, "r");
	if (!file)
		loop_die(path);
	first_bytes = fread(first, 1, MOST_HELLO, file);
	fclose(file);
}

static void
read_watched(char *list)
{
	for (char *pid = strtok_r(list, ",", &list); pid && watched_count < MOST_WATCHED;
	     pid = strtok_r(NULL, ",", &list))
		watched[watched_count++] = (pid_t)atoi(pid);
}

static void
map_counter(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		loop_die(path);
	counter = mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (counter == MAP_FAILED)
		loop_die(path);
	close(fd);
	__atomic_fetch_add(&counter->run, 1, __ATOMIC_RELAXED);
}

static const struct option options[] = {
	{ "to", required_argument, NULL, 'p' },
	{ "name", required_argument, NULL, 'n' },
	{ "crt", required_argument, NULL, 'C' },
	{ "key", required_argument, NULL, 'K' },
	{ "hello", required_argument, NULL, 'h' },
	{ "tls", no_argument, NULL, 't' },
	{ "resume", no_argument, NULL, 'r' },
	{ "flows", required_argument, NULL, 'f' },
	{ "bytes", required_argument, NULL, 'b' },
	{ "warm", required_argument, NULL, 'w' },
	{ "seconds", required_argument, NULL, 's' },
	{ "watch", required_argument, NULL, 'c' },
	{ "taken", required_argument, NULL, 'k' },
	{ 0 },
};

static void
obey(int option)
{
	switch (option) {
	case 'p':
		port = optarg;
		break;
	case 'n':
		name = optarg;
		break;
	case 'C':
		own_certificate = optarg;
		break;
	case 'K':
		own_key = optarg;
		break;
	case 'h':
		read_hello(optarg);
		break;
	case 't':
		with_tls = true;
		break;
	case 'r':
		resume = true;
		break;
	case 'f':
		flow_count = (unsigned)atoi(optarg);
		break;
	case 'b':
		message_bytes = (size_t)atoi(optarg);
		break;
	case 'w':
		warm_seconds = atof(optarg);
		break;
	case 's':
		window_seconds = atof(optarg);
		break;
	case 'c':
		read_watched(optarg);
		break;
	case 'k':
		map_counter(optarg);
		break;
	default:
		usage();
	}
}

static void
read_arguments(int argc, char **argv)
{
	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) >= 0;)
		obey(option);
	for (size_t i = 0; argc == optind + 1 && i < THINGS; i++)
		if (strcmp(argv[optind], things[i].name) == 0)
			thing = &things[i];
	if (!thing || !port || !flow_count || !message_bytes || message_bytes > BLOCK)
		usage();
	first[first_bytes++] = thing->order;
}

int
main(int argc, char **argv)
{
	read_arguments(argc, argv);
	if (with_tls)
		transport_client_start(name);
	if (own_certificate && own_key)
		transport_client_shows(own_certificate, own_key);
	flows = calloc(flow_count, sizeof *flows);
	if (!flows)
		loop_die("calloc");
	open_all();
	measure();
	if (thing->pours)
		abandon_all();
	return 0;
}
