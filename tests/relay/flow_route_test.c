/* A flow whose name only a registry knows, over real sockets: what the client sees of each answer. */
#include "relay/flow.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/name_counts.h"
#include "base/clock.h"
#include "base/clock_fake.h"
#include "base/loop_advance.h"
#include "base/rate.h"
#include "base/resolver.h"
#include "base/shares.h"
#include "base/upstream_group.h"
#include "base/socket.h"
#include "relay/conn.h"
#include "relay/fake_registry.h"
#include "relay/flow_wait.h"
#include "relay/helpers.h"
#include "relay/name_flows.h"
#include "relay/rules.h"
#include "relay/shared.h"
#include "relay/worker_context.h"

#define HELLO "tests/corpus/clienthello/030-g-curl-h2.bin"

static const char settings[] =
    "version: 1\n"
    "listeners: [{address: \"127.0.0.1:443\"}]\n"
    "routes: [{server_name: other.example, upstream: {url: \"tcp://127.0.0.1:9\"}}]\n";

static struct fake_registry fake;
static struct shared shared;
static struct worker_context worker;
static uint8_t wire[4096];
static size_t wire_bytes;
static char name[NAME_SIZE];
static int client;

static void
on_shrank(struct worker_context *context)
{
	(void)context;
}

static void
on_linger_end(void *arg)
{
	(void)arg;
}

static struct rules *
load_rules(void)
{
	char path[] = "/tmp/valise-flow.XXXXXX";
	int fd = mkstemp(path);
	enum rules_failure failure;
	struct rules *rules;

	assert_true(fd >= 0 && write(fd, settings, sizeof settings - 1) == sizeof settings - 1);
	close(fd);
	rules = rules_load(path, NULL, NULL, stderr, &failure);
	unlink(path);
	assert_non_null(rules);
	return rules;
}

static int
loopback_listener(struct sockaddr_in *address)
{
	socklen_t size = sizeof *address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_int_equal(bind(fd, (struct sockaddr *)address, size), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)address, &size), 0);
	return fd;
}

/* `client` and the relay's end, which is returned. */
static int
connect_client(void)
{
	struct sockaddr_in address;
	int listener = loopback_listener(&address), fd;

	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof address), 0);
	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(fd >= 0);
	close(listener);
	return fd;
}

static void
begin_flow_from(const char *text)
{
	const struct address from = address_of(text);
	struct conn conn = { .fd = connect_client(), .client = ip_address_of(&from),
	    .accepted_us = clock_us(), .wire = malloc(wire_bytes), .bytes = wire_bytes, .capacity = wire_bytes };

	assert_non_null(conn.wire);
	memcpy(conn.wire, wire, wire_bytes);
	clienthello_init(&conn.hello, 16384);
	assert_int_equal(clienthello_read(&conn.hello, conn.wire, conn.bytes), CLIENTHELLO_COMPLETE);
	memcpy(name, conn.hello.server_name, sizeof name);
	flow_start(&worker, &conn, name);
}

static void
begin_flow(void)
{
	begin_flow_from("127.0.0.1:1000");
}

static int
set_up(void **state)
{
	FILE *file = fopen(HELLO, "rb");

	(void)state;
	assert_non_null(file);
	wire_bytes = fread(wire, 1, sizeof wire, file);
	fclose(file);
	clock_fake(1000000, 0);
	fake = (struct fake_registry){ 0 };
	shared = (struct shared){ .routes = route_table_new(), .flows = shares_new(SHARES_NEWEST),
	    .lingers = shares_new(SHARES_OLDEST), .rates = rate_table_new(), .name_flows = name_flows_new(),
	    .name_counts = name_counts_new(),
	    .waits = shares_new(SHARES_NEWEST), .wait_names = name_flows_new(), .resolver = resolver_new() };
	shares_set_bounds(shared.waits, &(struct shares_bounds){ WAITS_MOST, WAITS_A_CLIENT });
	flow_ids_init(&shared.flow_ids);
	assert_true(route_set_registry(shared.routes, &fake_registry, &fake));
	fake.registry = route_registry(shared.routes);
	worker = (struct worker_context){ .shared = &shared, .loop = loop_new(), .rules = load_rules(),
	    .on_shrank = on_shrank };
	refuse_lingers_init(&worker.lingers, worker.loop, shared.lingers, on_linger_end, NULL);
	flow_wait_init(&worker);
	begin_flow();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	flow_cut_all(&worker, "test-over");
	refuse_cut_all(&worker.lingers);
	close(client);
	loop_free(worker.loop);
	rules_release(worker.rules);
	resolver_free(shared.resolver);
	name_flows_free(shared.name_flows);
	name_counts_free(shared.name_counts);
	rate_table_free(shared.rates);
	shares_free(shared.flows);
	shares_free(shared.lingers);
	shares_free(shared.waits);
	name_flows_free(shared.wait_names);
	route_table_free(shared.routes);
	clock_fake(0, 0);
	return 0;
}

/* The alert that has come by now; 0: nothing yet, -1: something else. */
static int
alert(void)
{
	uint8_t record[8];
	ssize_t got;

	loop_advance(worker.loop, 0);
	got = recv(client, record, sizeof record, MSG_DONTWAIT);
	if (got < 0 && errno == EAGAIN)
		return 0;
	return got == 7 && memcmp(record, "\x15\3\3\0\2\2", 6) == 0 ? record[6] : -1;
}

static void
the_registry_is_asked_for_a_name_that_is_not_here(void **state)
{
	(void)state;
	assert_int_equal(fake.asked, 1);
	assert_int_equal(fake.verb, REGISTRY_FIND);
	assert_string_equal(fake.name, name);
	loop_advance(worker.loop, 5000);
	assert_int_equal(alert(), 0);
}

static void
each_late_answer_has_its_alert(void **state)
{
	static const struct {
		enum registry_found found;
		uint64_t after_ms;
		int alert;
	} rows[] = {
		{ REGISTRY_UNKNOWN, 0, 112 }, { REGISTRY_NOBODY, WAIT_MS, 80 }, { REGISTRY_LIMIT, 0, 80 },
		{ REGISTRY_RELAY, 0, 80 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (i > 0)
			set_up(state);
		loop_advance(worker.loop, 100);
		fake_found(&fake, rows[i].found);
		if (rows[i].after_ms > 0) {
			loop_advance(worker.loop, rows[i].after_ms - 1);
			assert_int_equal(alert(), 0);
			loop_advance(worker.loop, 1);
		}
		assert_int_equal(alert(), rows[i].alert);
		if (i + 1 < sizeof rows / sizeof rows[0])
			tear_down(state);
	}
}

static void
an_answer_that_never_comes_costs_the_flows_deadline(void **state)
{
	(void)state;
	loop_advance(worker.loop, 9999);
	assert_int_equal(alert(), 0);
	loop_advance(worker.loop, 1);
	assert_int_equal(alert(), 80);
	assert_int_equal(fake.cancelled, 1);
	fake_found(&fake, REGISTRY_UNKNOWN);
	loop_advance(worker.loop, 100);
	assert_true(LIST_EMPTY(&worker.flows));
}

static void
a_second_answer_is_thrown_away(void **state)
{
	(void)state;
	fake_found(&fake, REGISTRY_UNKNOWN);
	fake_found(&fake, REGISTRY_RELAY);
	assert_int_equal(alert(), 112);
	fake_found(&fake, REGISTRY_RELAY);
	loop_advance(worker.loop, 100);
	assert_int_equal(recv(client, wire, sizeof wire, MSG_DONTWAIT), 0);
}

static void
an_answer_after_the_end_hurts_nobody(void **state)
{
	(void)state;
	socket_reset_on_close(client);
	close(client);
	client = -1;
	loop_advance(worker.loop, 0);
	assert_true(LIST_EMPTY(&worker.flows));
	assert_int_equal(fake.cancelled, 1);
	fake_found(&fake, REGISTRY_RELAY);
	loop_advance(worker.loop, 100);
}

/* It is in the loop already when the flow ends. */
static void
an_answer_that_crosses_the_end_hurts_nobody(void **state)
{
	(void)state;
	fake_found(&fake, REGISTRY_UNKNOWN);
	flow_cut_all(&worker, "test");
	assert_int_equal(fake.cancelled, 0);
	loop_advance(worker.loop, 100);
	assert_true(LIST_EMPTY(&worker.flows));
}

static void *
answer_from_elsewhere(void *arg)
{
	fake_found(arg, REGISTRY_UNKNOWN);
	return NULL;
}

static void
an_answer_may_come_from_any_thread(void **state)
{
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, answer_from_elsewhere, &fake), 0);
	pthread_join(thread, NULL);
	assert_int_equal(alert(), 112);
}

/* A route that was added while the registry thought about it. */
static void
what_has_come_here_meanwhile_goes_first(void **state)
{
	struct sockaddr_in address;
	int upstream = loopback_listener(&address), fd;
	char target[32];
	struct route_static_settings facts = { .pattern = name, .target = target, .connect_ms = 5000 };
	struct route_static *route;
	uint8_t got[sizeof wire];

	(void)state;
	snprintf(target, sizeof target, "127.0.0.1:%u", ntohs(address.sin_port));
	route = route_static_new(&facts);
	assert_true(route_set_static(shared.routes, "", &route, 1));
	route_static_release(route);
	fake_found(&fake, REGISTRY_UNKNOWN);
	loop_advance(worker.loop, 0);
	fd = accept(upstream, NULL, NULL);
	assert_true(fd >= 0);
	loop_advance(worker.loop, 0);
	assert_int_equal(recv(fd, got, wire_bytes, MSG_WAITALL), wire_bytes);
	assert_memory_equal(got, wire, wire_bytes);
	close(fd);
	close(upstream);
}

/* ---- several upstreams ---- */

enum { QUEUED = 3 };

/* A listener whose queue is full drops what comes. */
static int
silent_listener(struct sockaddr_in *address, int queued[QUEUED])
{
	int fd = loopback_listener(address);

	assert_int_equal(listen(fd, 0), 0);
	for (int i = 0; i < QUEUED; i++) {
		queued[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		connect(queued[i], (struct sockaddr *)address, sizeof *address);
	}
	return fd;
}

static void
set_upstreams(char *const *targets, size_t count)
{
	const struct health_settings unchecked = { 0 };
	struct upstream_group *group = upstream_group_new(name, targets, count, &unchecked);
	struct route_static_settings facts = { .pattern = name, .target = targets[0], .group = group,
	    .connect_ms = 9000 };
	struct route_static *route = route_static_new(&facts);

	assert_true(route_set_static(shared.routes, "", &route, 1));
	route_static_release(route);
	upstream_group_release(group);
	fake_found(&fake, REGISTRY_UNKNOWN);
	loop_advance(worker.loop, 0);
}

static void
a_silent_upstream_leaves_the_next_its_share_of_the_time(void **state)
{
	struct sockaddr_in addresses[2];
	int queued[QUEUED], silent = silent_listener(&addresses[0], queued), fd;
	int good = loopback_listener(&addresses[1]);
	char texts[2][32], *targets[] = { texts[0], texts[1] };
	uint8_t got[sizeof wire];

	(void)state;
	assert_int_equal(fcntl(good, F_SETFL, O_NONBLOCK), 0);
	for (int i = 0; i < 2; i++)
		snprintf(texts[i], sizeof texts[i], "127.0.0.1:%u", ntohs(addresses[i].sin_port));
	set_upstreams(targets, 2);
	loop_advance(worker.loop, 4999);
	assert_int_equal(accept4(good, NULL, NULL, 0), -1);
	loop_advance(worker.loop, 1);
	fd = accept4(good, NULL, NULL, 0);
	assert_true(fd >= 0);
	loop_advance(worker.loop, 0);
	assert_int_equal(recv(fd, got, wire_bytes, MSG_WAITALL), wire_bytes);
	assert_memory_equal(got, wire, wire_bytes);
	close(fd);
	close(good);
	close(silent);
	for (int i = 0; i < QUEUED; i++)
		close(queued[i]);
}

static void
who_finds_no_upstream_is_told_when_the_last_has_refused(void **state)
{
	struct sockaddr_in addresses[2];
	char texts[2][32], *targets[] = { texts[0], texts[1] };

	(void)state;
	for (int i = 0; i < 2; i++) {
		close(loopback_listener(&addresses[i]));
		snprintf(texts[i], sizeof texts[i], "127.0.0.1:%u", ntohs(addresses[i].sin_port));
	}
	set_upstreams(targets, 2);
	assert_int_equal(alert(), 80);
	assert_true(LIST_EMPTY(&worker.flows));
}

/* It has the most flows when somebody of another block comes. */
static void
one_that_still_looks_and_is_displaced_is_refused(void **state)
{
	struct address elsewhere = address_of("192.0.2.1:1");
	struct shares_entrant entrant = { worker.loop, &elsewhere, 0, NULL, NULL };
	enum shares_verdict verdict;
	struct shares_place *place;
	int first = client;

	(void)state;
	shares_set_bounds(shared.flows, &(struct shares_bounds){ .most = 2 });
	begin_flow();
	place = shares_enter(shared.flows, &entrant, &verdict);
	assert_int_equal(verdict, SHARES_IN);
	assert_int_equal(alert(), 80);
	close(client);
	client = first;
	assert_int_equal(alert(), 0);
	assert_int_equal(shares_count(shared.flows), 2);
	begin_flow();
	assert_int_equal(alert(), 80);
	close(client);
	client = first;
	assert_int_equal(shares_count(shared.flows), 2);
	shares_leave(place);
}

/* ---- an agent that is away ---- */

enum { WAITING = 3 };

/* It looks again when something comes, which may be something else; that does not prolong its time. */
static void
a_name_that_was_served_lately_is_waited_for(void **state)
{
	struct route_static_settings other = { .pattern = "other.example", .target = "127.0.0.1:9", .connect_ms = 5000 };
	struct route_static *route = route_static_new(&other);

	(void)state;
	fake_found(&fake, REGISTRY_NOBODY);
	loop_advance(worker.loop, 1000);
	assert_int_equal(fake.asked, 1);
	assert_true(route_set_static(shared.routes, "", &route, 1));
	route_static_release(route);
	loop_advance(worker.loop, WAIT_LOOK_MS);
	assert_int_equal(fake.asked, 2);
	fake_found(&fake, REGISTRY_NOBODY);
	loop_advance(worker.loop, WAIT_MS - 1000 - WAIT_LOOK_MS - 1);
	assert_int_equal(fake.asked, 2);
	assert_int_equal(alert(), 0);
	loop_advance(worker.loop, 1);
	assert_int_equal(alert(), 80);
}

static void
whoever_comes_back_gets_all_who_wait(void **state)
{
	struct sockaddr_in address;
	int upstream = loopback_listener(&address), clients[WAITING], fd;
	char target[32];
	struct route_static_settings facts = { .pattern = name, .target = target, .connect_ms = 5000 };
	struct route_static *route;

	(void)state;
	snprintf(target, sizeof target, "127.0.0.1:%u", ntohs(address.sin_port));
	route = route_static_new(&facts);
	assert_int_equal(fcntl(upstream, F_SETFL, O_NONBLOCK), 0);
	for (int i = 0; i < WAITING; i++) {
		fake_found(&fake, REGISTRY_NOBODY);
		loop_advance(worker.loop, 0);
		clients[i] = client;
		begin_flow();
	}
	fake_found(&fake, REGISTRY_NOBODY);
	loop_advance(worker.loop, WAIT_MS - 2 * WAIT_LOOK_MS);
	assert_true(route_set_static(shared.routes, "", &route, 1));
	loop_advance(worker.loop, WAIT_LOOK_MS);
	for (int i = 0; i <= WAITING; i++) {
		fd = accept4(upstream, NULL, NULL, SOCK_NONBLOCK);
		assert_true(fd >= 0);
		close(fd);
	}
	for (int i = 0; i < WAITING; i++)
		close(clients[i]);
	route_static_release(route);
	close(upstream);
}

static void
a_client_that_leaves_while_it_waits_is_forgotten(void **state)
{
	(void)state;
	fake_found(&fake, REGISTRY_NOBODY);
	loop_advance(worker.loop, 1000);
	socket_reset_on_close(client);
	close(client);
	client = -1;
	loop_advance(worker.loop, 0);
	assert_true(LIST_EMPTY(&worker.flows));
	assert_true(TAILQ_EMPTY(&worker.waiting));
}

static void
a_relay_that_drains_lets_nobody_wait(void **state)
{
	(void)state;
	worker.draining = true;
	fake_found(&fake, REGISTRY_NOBODY);
	assert_int_equal(alert(), 80);
}

/* They look once more, since their agent may just have come. */
static void
those_who_wait_when_a_drain_begins_wait_no_longer(void **state)
{
	(void)state;
	fake_found(&fake, REGISTRY_NOBODY);
	loop_advance(worker.loop, 1000);
	assert_int_equal(fake.asked, 1);
	assert_int_equal(alert(), 0);
	worker.draining = true;
	loop_advance(worker.loop, WAIT_LOOK_MS);
	assert_int_equal(fake.asked, 2);
	fake_found(&fake, REGISTRY_NOBODY);
	assert_int_equal(alert(), 80);
	assert_true(LIST_EMPTY(&worker.flows));
}

/* One more client of this address, whose agent is away. Returns the one before. */
static int
one_more(const char *from)
{
	int before = client;

	begin_flow_from(from);
	fake_found(&fake, REGISTRY_NOBODY);
	loop_advance(worker.loop, 0);
	return before;
}

/* What this client has heard. */
static int
alert_of(int one)
{
	int last = client, heard;

	client = one;
	heard = alert();
	client = last;
	return heard;
}

static void
let_nobody_wait(int *clients, int count)
{
	flow_cut_all(&worker, "test-over");
	loop_advance(worker.loop, 0);
	for (int i = 0; i < count; i++)
		close(clients[i]);
	assert_int_equal(shares_count(shared.waits), 0);
}

static void
a_block_has_sixteen_who_wait_and_the_next_is_refused_at_once(void **state)
{
	int clients[WAITS_A_CLIENT + 1];

	(void)state;
	fake_found(&fake, REGISTRY_NOBODY);
	loop_advance(worker.loop, 0);
	for (int i = 0; i < WAITS_A_CLIENT; i++)
		clients[i] = one_more("127.0.0.1:1000");
	assert_int_equal(alert(), 80);
	clients[WAITS_A_CLIENT] = one_more("127.0.0.2:1000");
	assert_int_equal(alert(), 0);
	for (int i = 0; i < WAITS_A_CLIENT; i++)
		assert_int_equal(alert_of(clients[i]), 0);
	let_nobody_wait(clients, WAITS_A_CLIENT + 1);
}

static void
a_name_has_256_who_wait_and_the_next_is_refused_at_once(void **state)
{
	int clients[WAITS_A_NAME];

	(void)state;
	fake_found(&fake, REGISTRY_NOBODY);
	loop_advance(worker.loop, 0);
	for (int i = 0; i < WAITS_A_NAME; i++) {
		char from[32];

		snprintf(from, sizeof from, "10.0.%d.1:1", i);
		clients[i] = one_more(from);
		assert_int_equal(alert_of(clients[i]), 0);
	}
	assert_int_equal(alert(), 80);
	let_nobody_wait(clients, WAITS_A_NAME);
}

static void
when_all_places_are_taken_the_network_with_most_pays(void **state)
{
	int clients[4];

	(void)state;
	shares_set_bounds(shared.waits, &(struct shares_bounds){ 3, WAITS_A_CLIENT });
	fake_found(&fake, REGISTRY_NOBODY);
	loop_advance(worker.loop, 0);
	clients[0] = one_more("10.0.0.1:1");
	clients[1] = one_more("10.0.0.1:2");
	assert_int_equal(shares_count(shared.waits), 3);
	clients[2] = one_more("192.0.2.1:1");
	assert_int_equal(alert(), 0);
	assert_int_equal(alert_of(clients[0]), 0);
	assert_int_equal(alert_of(clients[1]), 0);
	assert_int_equal(alert_of(clients[2]), 80);
	clients[3] = one_more("192.0.2.2:1");
	assert_int_equal(alert(), 80);
	let_nobody_wait(clients, 4);
}

static void
who_looks_again_in_vain_keeps_his_place(void **state)
{
	struct route_static_settings other = { .pattern = "other.example", .target = "127.0.0.1:9", .connect_ms = 5000 };
	struct route_static *route = route_static_new(&other);

	(void)state;
	fake_found(&fake, REGISTRY_NOBODY);
	loop_advance(worker.loop, 0);
	for (int i = 0; i < 3; i++) {
		assert_true(route_set_static(shared.routes, "", &route, 1));
		loop_advance(worker.loop, WAIT_LOOK_MS);
		assert_int_equal(fake.asked, 2 + i);
		fake_found(&fake, REGISTRY_NOBODY);
		loop_advance(worker.loop, 0);
		assert_int_equal(shares_count(shared.waits), 1);
	}
	loop_advance(worker.loop, WAIT_MS);
	assert_int_equal(alert(), 80);
	assert_int_equal(shares_count(shared.waits), 0);
	route_static_release(route);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_registry_is_asked_for_a_name_that_is_not_here),
		TEST(each_late_answer_has_its_alert),
		TEST(an_answer_that_never_comes_costs_the_flows_deadline),
		TEST(a_second_answer_is_thrown_away),
		TEST(an_answer_after_the_end_hurts_nobody),
		TEST(an_answer_that_crosses_the_end_hurts_nobody),
		TEST(an_answer_may_come_from_any_thread),
		TEST(what_has_come_here_meanwhile_goes_first),
		TEST(a_silent_upstream_leaves_the_next_its_share_of_the_time),
		TEST(who_finds_no_upstream_is_told_when_the_last_has_refused),
		TEST(one_that_still_looks_and_is_displaced_is_refused),
		TEST(a_name_that_was_served_lately_is_waited_for),
		TEST(whoever_comes_back_gets_all_who_wait),
		TEST(a_client_that_leaves_while_it_waits_is_forgotten),
		TEST(a_relay_that_drains_lets_nobody_wait),
		TEST(a_block_has_sixteen_who_wait_and_the_next_is_refused_at_once),
		TEST(a_name_has_256_who_wait_and_the_next_is_refused_at_once),
		TEST(when_all_places_are_taken_the_network_with_most_pays),
		TEST(who_looks_again_in_vain_keeps_his_place),
		TEST(those_who_wait_when_a_drain_begins_wait_no_longer),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("relay/flow_route", tests, NULL, NULL);
}
