/*
 * What the route table costs: a look-up, alone and beside threads that announce as fast as they
 * can, and an announcement by the size of the set that it joins; what it costs to choose among many agents; and
 * what very many static routes take.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "base/memory.h"
#include "relay/route.h"
#include "relay/session_ref.h"
#include "relay/usage.h"
#include "tests/relay/people.h"

enum {
	SESSIONS = 30,
	NAMES = 1000,
	WRITERS = 6,
	LOOKS = 40000,
	PAUSE_NS = 20000, /* between two look-ups, as between two flows */
	HOLD_US = 1000,   /* by which the p99 may move */
	STATICS = 100000,
	HOLD_STATIC_BYTES = 200,
	HOLD_LOOK_NS = 1000,
};
#define HOLD_RATIO 2.0 /* joining a set of 30 000 over joining an empty one */

static struct routes *routes;
static struct loop *loop;
static struct usage_table *usages;
static struct identity everybody;
static struct session_ref *sessions[SESSIONS];
static struct route_claim *claims[SESSIONS][NAMES];
static atomic_bool goes_on;
static atomic_ulong announced;

static double
now_us(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static double
cpu_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int
by_size(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static void
must(bool truth, const char *what)
{
	if (truth)
		return;
	fprintf(stderr, "bench/route: %s\n", what);
	exit(1);
}

static void
on_answer(void *arg, enum code code, const char *sentence)
{
	(void)arg;
	(void)code;
	(void)sentence;
}

static void
on_lost(void *arg)
{
	(void)arg;
}

static struct route_claim *
announce_as(struct session_ref *ref, uint32_t number, const char *name, uint8_t balance, uint8_t priority)
{
	struct route_announcement announcement = { .session_ref = ref,
		.endpoint = number,
		.pattern = name,
		.weight = 100,
		.balance = balance,
		.priority = priority,
		.carriers = 1,
		.loop = loop,
		.on_answer = on_answer,
		.on_lost = on_lost };
	struct route_refusal refusal;
	struct route_claim *claim = route_announce(routes, &announcement, &refusal);

	must(claim != NULL, refusal.sentence);
	return claim;
}

static struct route_claim *
announce(struct session_ref *ref, uint32_t number, const char *name)
{
	return announce_as(ref, number, name, BALANCE_LEAST, 0);
}

static struct session_ref *
session(void)
{
	struct session_ref_settings settings = { .loop = loop,
		.identity = &everybody,
		.pool_most = 4,
		.usage = usage_of(usages, &everybody) };
	struct session_ref *ref;

	usage_enter(settings.usage, USAGE_SESSIONS, 0);
	ref = session_ref_new(&settings);
	must(ref != NULL, "memory is short");
	return ref;
}

static const char *
name_of(char name[NAME_SIZE], int number)
{
	snprintf(name, NAME_SIZE, "n%d.many.example", number);
	return name;
}

/* ---- announcing by the size of the set ---- */

static double
cost_of_joining(int size)
{
	enum { ROUNDS = 20000 };
	struct route_claim **set = calloc((size_t)size + 1, sizeof *set);
	double began, took;

	must(set != NULL, "memory is short");
	for (int i = 0; i < size; i++)
		set[i] = announce(sessions[0], 1, "set.example");
	began = now_us();
	for (int i = 0; i < ROUNDS; i++)
		route_withdraw(routes, announce(sessions[1], 2, "set.example"), NULL, NULL);
	took = now_us() - began;
	for (int i = 0; i < size; i++)
		route_withdraw(routes, set[i], NULL, NULL);
	free(set);
	return took / ROUNDS;
}

/* ---- looking up in a set ---- */

static void
look_from(const char *name, struct ip_address client)
{
	struct route_question question = { .name = name, .client = client };
	struct route_request *request = NULL;
	struct route_answer answer;

	must(route_find(routes, &question, &answer, NULL, NULL, &request) == ROUTE_AGENT,
	    "a name was lost");
	session_ref_release(answer.session_ref);
}

/* Nanoseconds of the processor for a look-up of a name that so many agents serve, who wish this. */
static double
cost_of_choosing(int agents, uint8_t balance, uint8_t priority)
{
	enum { ROUNDS = 20000 };
	struct route_claim **set = calloc((size_t)agents, sizeof *set);
	struct session_ref **refs = calloc((size_t)agents, sizeof *refs);
	double took;

	must(set && refs, "memory is short");
	for (int i = 0; i < agents; i++) {
		refs[i] = session();
		set[i] = announce_as(refs[i], 1, "set.example", balance, priority);
	}
	took = cpu_ns();
	for (int i = 0; i < ROUNDS; i++)
		look_from("set.example",
		    (struct ip_address){ .bytes = sizeof(struct sockaddr_in),
			.as.v4 = { .sin_family = AF_INET, .sin_addr.s_addr = (uint32_t)i } });
	took = cpu_ns() - took;
	for (int i = 0; i < agents; i++) {
		route_withdraw(routes, set[i], NULL, NULL);
		session_ref_retire(refs[i]);
		session_ref_release(refs[i]);
	}
	free(set);
	free(refs);
	return took / ROUNDS;
}

static void
tell_costs_of_choosing(void)
{
	static const int sizes[] = { 2, 100, 1000 };

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		printf("a look-up of a name with %d agents: %.0f ns, of a priority %.0f ns, by source %.0f ns\n",
		    sizes[i], cost_of_choosing(sizes[i], BALANCE_LEAST, 0),
		    cost_of_choosing(sizes[i], BALANCE_LEAST, 1),
		    cost_of_choosing(sizes[i], BALANCE_SOURCE, 0));
}

/* ---- looking up beside writers ---- */

static void
look(const char *name)
{
	look_from(name, (struct ip_address){ 0 });
}

/* The p99 of a look-up, in microseconds, as it is seen by one who waits for it. */
static double
p99(const char *what)
{
	static double took[LOOKS];
	struct timespec pause = { .tv_nsec = PAUSE_NS };

	for (int i = 0; i < LOOKS; i++) {
		double began = now_us();

		look("unrelated.example");
		took[i] = now_us() - began;
		if (i % 8 == 0)
			nanosleep(&pause, NULL);
	}
	qsort(took, LOOKS, sizeof took[0], by_size);
	printf("%s: p50 %.2f us, p99 %.2f us, p99.9 %.1f us\n", what, took[LOOKS / 2],
	    took[LOOKS * 99 / 100], took[LOOKS / 1000 * 999]);
	return took[LOOKS * 99 / 100];
}

/* How a session announces anew: the new claim first, then the old one goes. */
static void
announce_anew(size_t session, int number)
{
	char name[NAME_SIZE];
	struct route_claim *claim =
	    announce(sessions[session], (uint32_t)number + 1, name_of(name, number));

	route_withdraw(routes, claims[session][number], NULL, NULL);
	claims[session][number] = claim;
	atomic_fetch_add_explicit(&announced, 1, memory_order_relaxed);
}

static void *
many_names(void *arg)
{
	size_t session = (size_t)((struct session_ref **)arg - sessions);

	for (int i = 0; atomic_load(&goes_on); i = (i + 1) % NAMES)
		announce_anew(session, i);
	return NULL;
}

static void *
one_name(void *arg)
{
	size_t session = (size_t)((struct session_ref **)arg - sessions);

	while (atomic_load(&goes_on))
		announce_anew(session, 0);
	return NULL;
}

static double
p99_beside(const char *what, void *(*work)(void *))
{
	pthread_t writers[WRITERS];
	double began = now_us(), result;

	atomic_store(&goes_on, true);
	atomic_store(&announced, 0);
	for (int i = 0; i < WRITERS; i++)
		must(pthread_create(&writers[i], NULL, work, &sessions[i]) == 0, "no thread");
	result = p99(what);
	atomic_store(&goes_on, false);
	for (int i = 0; i < WRITERS; i++)
		pthread_join(writers[i], NULL);
	printf("\t%.0f announcements a second\n",
	    (double)atomic_load(&announced) / (now_us() - began) * 1e6);
	return result;
}

/* ---- very many static routes ---- */

static struct route_static *
static_route(int number)
{
	char name[NAME_SIZE], target[64];
	struct route_static_settings settings = { .pattern = name, .target = target };

	snprintf(name, sizeof name, "host%d.tenant%d.example.org", number, number % 97);
	snprintf(target, sizeof target, "10.%d.%d.%d:8443", number >> 16, number >> 8 & 255,
	    number & 255);
	return route_static_new(&settings);
}

/* Nanoseconds of the processor for each of some names in no order. `change`: makes none of them known. */
static double
cost_of_looks(struct routes *table, const char *change)
{
	enum { SOME = 256 };
	static char names[SOME][NAME_SIZE];
	double began;

	for (int i = 0; i < SOME; i++) {
		int number = (int)arc4random_uniform(STATICS);

		snprintf(names[i], sizeof names[i], "host%d%s.tenant%d.example.org", number, change,
		    number % 97);
	}
	began = cpu_ns();
	for (int i = 0; i < SOME; i++) {
		struct route_question question = { .name = names[i] };
		struct route_request *request = NULL;
		struct route_answer answer;

		route_find(table, &question, &answer, NULL, NULL, &request);
		route_static_release(answer.static_route);
	}
	return (cpu_ns() - began) / SOME;
}

/* The median of many. */
static double
cost_of_look(struct routes *table, const char *change)
{
	enum { ROUNDS = 201 };
	double took[ROUNDS];

	for (int i = 0; i < ROUNDS; i++)
		took[i] = cost_of_looks(table, change);
	qsort(took, ROUNDS, sizeof took[0], by_size);
	return took[ROUNDS / 2];
}

static bool
very_many_static(void)
{
	static struct route_static *all[STATICS];
	uint64_t before = memory_used();
	struct routes *table = route_table_new();
	double bytes, found, unknown;

	for (int i = 0; i < STATICS; i++)
		must((all[i] = static_route(i)) != NULL, "memory is short");
	must(route_set_static(table, "", all, STATICS), "memory is short");
	bytes = (double)(memory_used() - before) / STATICS + sizeof all[0];
	found = cost_of_look(table, "");
	unknown = cost_of_look(table, "-none");
	printf("%d static routes: %.0f bytes each (to hold: %d), a look-up %.0f ns, in vain %.0f ns"
	       " (to hold: %d)\n",
	    STATICS, bytes, HOLD_STATIC_BYTES, found, unknown, HOLD_LOOK_NS);
	for (int i = 0; i < STATICS; i++)
		route_static_release(all[i]);
	route_table_free(table);
	return bytes <= HOLD_STATIC_BYTES && found <= HOLD_LOOK_NS && unknown <= HOLD_LOOK_NS;
}

static void
set_up(void)
{
	char name[NAME_SIZE];

	routes = route_table_new();
	loop = loop_new();
	usages = usage_table_new();
	everybody = person("everybody", "*.example", false);
	everybody.sans[1] = "*.many.example";
	for (int i = 0; i < SESSIONS; i++)
		sessions[i] = session();
	for (int i = 0; i < SESSIONS; i++) {
		for (int k = 0; k < NAMES; k++)
			claims[i][k] = announce(sessions[i], (uint32_t)k + 1, name_of(name, k));
	}
	announce(sessions[0], NAMES + 1, "unrelated.example");
}

int
main(void)
{
	double alone, beside, moved, empty, full;
	bool holds = very_many_static();

	set_up();
	empty = cost_of_joining(0);
	full = cost_of_joining(SESSIONS * NAMES);
	printf(
	    "announce and withdraw: %.2f us in an empty set, %.2f us in one of %d: ratio %.2f (to hold: %.1f)\n",
	    empty, full, SESSIONS * NAMES, full / empty, HOLD_RATIO);
	tell_costs_of_choosing();
	alone = p99("look-up, nobody else");
	beside = p99_beside("look-up, 6 of 30 sessions announce their 1000 names anew", many_names);
	moved = p99_beside("look-up, 6 of 30 sessions announce one name anew", one_name);
	moved = (moved > beside ? moved : beside) - alone;
	printf("the p99 moves by %.2f us (to hold: %d)\n", moved, HOLD_US);
	return !holds || full / empty > HOLD_RATIO || moved > HOLD_US;
}
