/*
 * A worker of the relay: it accepts connections, keeps all that lives in its loop, and does what
 * the main thread posts to it.
 *
 * A worker stops in two steps: its loop ends and all that it has is let go,
 * which may still call others; then it waits until every worker
 * has done the same, and only after that are the loops freed.
 */
#include "relay/worker.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/hash.h"
#include "base/socket.h"
#include "base/thread.h"
#include "pki/trust.h"
#include "relay/agent_channel.h"
#include "relay/agent_session.h"
#include "relay/conn.h"
#include "relay/flow.h"
#include "relay/flow_stall.h"
#include "relay/flow_wait.h"
#include "relay/handover_message.h"
#include "relay/intake.h"
#include "relay/metrics.h"
#include "relay/refuse.h"
#include "relay/rules.h"
#include "relay/shared.h"
#include "relay/worker_context.h"
#include "tunnel/pump.h"

enum { GOODBYE_MS = 1500 };

/* What the main thread wants done, gathered until the worker looks: newer orders replace older ones, so
 * that asking needs no memory and cannot fail. */
struct worker_orders {
	bool is_posted;
	struct rules *rules; /* held; NULL: as they are */
	bool has_trust;
	struct trust *trust; /* held; NULL with has_trust: nobody is believed any more */
	bool accept, move, drain, goodbye, cut;
	uint64_t spread_ms, deadline_ms;
};

/* Each event happens once, so its call can be kept ready. */
struct worker_report {
	struct call call;
	struct worker *worker;
	enum worker_event event;
};

struct worker {
	struct worker_context context; /* what its objects see of it */
	struct thread *thread;
	struct worker_port *ports;
	size_t port_count;
	struct timer goodbye;
	bool is_held_back, was_idle, says_goodbye, was_empty, is_over;
	struct loop *main;
	void (*on_event)(void *arg, enum worker_event);
	void *arg;
	struct worker_report reports[WORKER_EVENTS];

	pthread_mutex_t lock; /* of the orders */
	struct worker_orders orders;
	struct call call; /* to obey them */
};

/* One listener of this worker. */
struct worker_port {
	struct worker *worker;
	const struct settings_listener *settings;
	struct rules *rules; /* held: the newest that have this listener; the settings are theirs */
	struct ip_address address;
	struct listener *listener;
	int fd;         /* until the start */
	int descriptor; /* borrowed: the same */
};

/* ---- accepting ---- */

static bool
is_trusted_proxy(const struct settings_listener *settings, const struct address *peer)
{
	for (size_t i = 0; i < settings->trusted_proxies.count; i++) {
		if (prefix_holds(&settings->proxies[i], peer))
			return true;
	}
	return false;
}

static void
on_accept(void *arg, int fd, const struct address *peer)
{
	struct worker_port *port = arg;

	intake_start(&port->worker->context, fd, peer, is_trusted_proxy(port->settings, peer),
	    port->settings->speaks_postgres, &port->address);
}

bool
worker_add_listener(struct worker *worker, size_t index, int fd)
{
	const struct settings_listener *settings =
	    settings_listener_at(&worker->context.rules->settings, index);
	struct worker_port *ports =
	    reallocarray(worker->ports, worker->port_count + 1, sizeof *ports);

	if (!ports)
		return false;
	worker->ports = ports;
	ports[worker->port_count++] = (struct worker_port){ .worker = worker,
		.fd = fd,
		.descriptor = fd,
		.rules = rules_hold(worker->context.rules),
		.settings = settings,
		.address = ip_address_of(&settings->parsed) };
	return true;
}

size_t
worker_listeners(const struct worker *worker, int *fds, size_t most)
{
	for (size_t i = 0; i < worker->port_count && i < most; i++)
		fds[i] = worker->ports[i].descriptor;
	return worker->port_count;
}

void
worker_hold_back(struct worker *worker)
{
	worker->is_held_back = true;
}

static const struct settings_listener *
listener_at_address(const struct settings *settings, const char *address)
{
	for (size_t i = 0; i < settings->listeners.count; i++) {
		const struct settings_listener *listener = settings_listener_at(settings, i);

		if (strcmp(listener->address, address) == 0)
			return listener;
	}
	return NULL;
}

static void
adopt_rules(struct worker *worker, struct rules *rules)
{
	rules_release(worker->context.rules);
	worker->context.rules = rules;
	for (size_t i = 0; i < worker->port_count; i++) {
		struct worker_port *port = &worker->ports[i];
		const struct settings_listener *settings =
		    listener_at_address(&rules->settings, port->settings->address);

		if (!settings)
			continue; /* it listens until a restart, with its old settings */
		rules_release(port->rules);
		port->rules = rules_hold(rules);
		port->settings = settings;
	}
}

static bool
open_ports(struct worker *worker)
{
	for (size_t i = 0; i < worker->port_count; i++) {
		struct worker_port *port = &worker->ports[i];

		port->listener = listener_new(worker->context.loop, port->fd, on_accept, port);
		port->fd = -1;
		if (!port->listener)
			return false;
		listener_say(port->listener, refuse_unread);
		if (worker->is_held_back)
			listener_pause(port->listener);
	}
	return true;
}

static void
begin_accepting(struct worker *worker)
{
	for (size_t i = 0; i < worker->port_count; i++)
		if (worker->ports[i].listener)
			listener_resume(worker->ports[i].listener);
}

static void
close_ports(struct worker *worker)
{
	for (size_t i = 0; i < worker->port_count; i++) {
		listener_free(worker->ports[i].listener);
		worker->ports[i].listener = NULL;
	}
}

/* ---- draining ---- */

static void
deliver_report(void *data)
{
	const struct worker_report *report = data;

	report->worker->on_event(report->worker->arg, report->event);
}

static void
report(struct worker *worker, enum worker_event event)
{
	struct worker_report *report = &worker->reports[event];

	*report = (struct worker_report){ .worker = worker, .event = event };
	loop_call(worker->main, &report->call, deliver_report, report);
}

static bool
is_idle(const struct worker *worker)
{
	return LIST_EMPTY(&worker->context.intakes) && LIST_EMPTY(&worker->context.flows) &&
	    LIST_EMPTY(&worker->context.lingers.list);
}

static void
on_goodbye_time(void *arg)
{
	struct worker *worker = arg;

	worker->was_empty = true;
	report(worker, WORKER_EMPTY);
}

static void
check(struct worker *worker)
{
	if (!worker->context.draining || worker->is_over)
		return;
	if (!worker->was_idle && is_idle(worker)) {
		worker->was_idle = true;
		report(worker, WORKER_IDLE);
	}
	if (worker->says_goodbye && !worker->was_empty && LIST_EMPTY(&worker->context.sessions)) {
		worker->was_empty = true;
		timer_clear(&worker->goodbye);
		report(worker, WORKER_EMPTY);
	}
}

static void
cut_flows(struct worker *worker)
{
	intake_cut_all(&worker->context);
	flow_cut_all(&worker->context, "relay-stopped");
}

/* Asked again when the drain is cut meanwhile: those who are left have heard it. */
static void
say_goodbye(struct worker *worker)
{
	if (worker->says_goodbye)
		return;
	worker->says_goodbye = true;
	timer_set(&worker->goodbye, GOODBYE_MS);
	agent_session_end_all(&worker->context, CODE_SHUTDOWN, "the relay has stopped");
	check(worker);
}

/* ---- what the main thread asks for ---- */

static void
obey_trust(struct worker *worker, struct trust *trust)
{
	int64_t now = clock_wall_s();

	if (!trust) {
		agent_session_end_all(&worker->context, CODE_CERTIFICATE_REFUSED,
		    "the relay takes no agents any more");
		return;
	}
	agent_session_judge_all(&worker->context, trust, now);
	flow_judge_all(&worker->context, trust, now);
	trust_release(trust);
}

static void
obey_drain(struct worker *worker, uint64_t deadline_ms)
{
	worker->context.draining = true;
	close_ports(worker);
	agent_session_drain_all(&worker->context, deadline_ms);
	check(worker);
}

static void
wipe_orders(struct worker_orders *orders)
{
	rules_release(orders->rules);
	if (orders->trust)
		trust_release(orders->trust);
	*orders = (struct worker_orders){ 0 };
}

static struct worker_orders
take_orders(struct worker *worker)
{
	struct worker_orders orders;

	pthread_mutex_lock(&worker->lock);
	orders = worker->orders;
	worker->orders = (struct worker_orders){ 0 };
	pthread_mutex_unlock(&worker->lock);
	return orders;
}

static void
obey(void *data)
{
	struct worker *worker = data;
	struct worker_orders orders = take_orders(worker);

	if (worker->is_over) {
		wipe_orders(&orders);
		return;
	}
	if (orders.rules) {
		adopt_rules(worker, orders.rules);
		agent_session_obey_rules_all(&worker->context);
	}
	if (orders.has_trust)
		obey_trust(worker, orders.trust);
	if (orders.accept)
		begin_accepting(worker);
	if (orders.move)
		agent_session_move_all(&worker->context, orders.spread_ms);
	if (orders.drain)
		obey_drain(worker, orders.deadline_ms);
	if (orders.cut)
		cut_flows(worker);
	if (orders.goodbye)
		say_goodbye(worker);
}

/* Called with the lock held, which it gives back. */
static void
post(struct worker *worker)
{
	bool is_first = !worker->orders.is_posted;

	worker->orders.is_posted = true;
	pthread_mutex_unlock(&worker->lock);
	if (is_first)
		loop_call(thread_loop(worker->thread), &worker->call, obey, worker);
}

void
worker_post_rules(struct worker *worker, struct rules *rules)
{
	pthread_mutex_lock(&worker->lock);
	rules_release(worker->orders.rules);
	worker->orders.rules = rules_hold(rules);
	post(worker);
}

void
worker_post_trust(struct worker *worker, struct trust *trust)
{
	pthread_mutex_lock(&worker->lock);
	if (worker->orders.trust)
		trust_release(worker->orders.trust);
	worker->orders.trust = trust ? trust_hold(trust) : NULL;
	worker->orders.has_trust = true;
	post(worker);
}

void
worker_post_accept(struct worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	worker->orders.accept = true;
	post(worker);
}

void
worker_post_move(struct worker *worker, uint64_t spread_ms)
{
	pthread_mutex_lock(&worker->lock);
	worker->orders.move = true;
	worker->orders.spread_ms = spread_ms;
	post(worker);
}

void
worker_post_drain(struct worker *worker, uint64_t deadline_ms)
{
	pthread_mutex_lock(&worker->lock);
	worker->orders.drain = true;
	worker->orders.deadline_ms = deadline_ms;
	post(worker);
}

void
worker_post_goodbye(struct worker *worker, bool cuts_flows)
{
	pthread_mutex_lock(&worker->lock);
	worker->orders.goodbye = true;
	worker->orders.cut |= cuts_flows;
	post(worker);
}

/* A connection on its way from another process. */
struct passed {
	struct call call;
	struct worker *worker;
	struct conn conn;
	struct ip_address listener;
};

/* Of a connection that came in there: routes may ask for it, by what the configuration says. */
static const struct worker_port *
find_port(const struct worker *worker, const struct ip_address *listener)
{
	const struct address wanted = address_of_ip(listener);

	for (size_t i = 0; i < worker->port_count; i++) {
		const struct address here = address_of_ip(&worker->ports[i].address);

		if (address_equals(&here, &wanted))
			return &worker->ports[i];
	}
	return worker->port_count > 0 ? &worker->ports[0] : NULL;
}

static void
take_passed(void *data)
{
	struct passed *passed = data;
	const struct worker_port *port = find_port(passed->worker, &passed->listener);

	if (port && !passed->worker->is_over) {
		passed->conn.listener = &port->address;
		intake_go_on(&passed->worker->context, &passed->conn);
	}
	conn_wipe(&passed->conn);
	free(passed);
}

bool
worker_post_conn(struct worker *worker, const struct handover_conn *conn, int fd)
{
	struct passed *passed = calloc(1, sizeof *passed);
	uint8_t *wire = passed ? malloc(conn->wire_bytes) : NULL;

	if (!wire) {
		free(passed);
		close(fd);
		return false;
	}
	memcpy(wire, conn->wire, conn->wire_bytes);
	*passed = (struct passed){ .worker = worker,
		.listener = ip_address_of(&conn->listener),
		.conn = { .fd = fd,
		    .client = ip_address_of(&conn->client),
		    .accepted_us = conn->accepted_us,
		    .wire = wire,
		    .bytes = conn->wire_bytes,
		    .capacity = conn->wire_bytes,
		    .is_counted = conn->is_counted } };
	if (conn->told.bytes > 0 && !conn_set_listener(&passed->conn, &conn->told)) {
		conn_wipe(&passed->conn);
		free(passed);
		return false;
	}
	loop_call(thread_loop(worker->thread), &passed->call, take_passed, passed);
	return true;
}

static void
count(void *data)
{
	struct worker_census *census = data;

	if (!census->worker->is_over)
		census->counts = agent_session_count_all(&census->worker->context);
}

static void
tell_counts(void *data)
{
	struct worker_census *census = data;

	census->on_counts(census->arg); /* may free the census */
}

void
worker_take_census(
    struct worker *worker, struct worker_census *census, void (*on_counts)(void *), void *arg)
{
	*census = (struct worker_census){ .worker = worker, .on_counts = on_counts, .arg = arg };
	loop_ask(thread_loop(worker->thread), &census->question, count, census, worker->main,
	    tell_counts);
}

static void
have_turn(void *data)
{
	(void)data;
}

void
worker_knock(
    struct worker *worker, struct question *question, void (*reply)(void *data), void *data)
{
	loop_ask(thread_loop(worker->thread), question, have_turn, data, worker->main, reply);
}

void
worker_add_metrics(const struct worker *worker, struct relay_metrics_sums *sums)
{
	relay_metrics_add(sums, &worker->context.metrics, worker->context.stalls.moved);
}

struct listing_source
worker_source(struct worker *worker, bool (*step)(void *context, struct listing_step *))
{
	return (struct listing_source){
		.loop = thread_loop(worker->thread), .step = step, .arg = &worker->context
	};
}

/* ---- the thread ---- */

static void
on_shrank(struct worker_context *context)
{
	check(container_of(context, struct worker, context));
}

static void
on_linger_end(void *arg)
{
	check(arg);
}

static void
let_go(struct worker *worker)
{
	worker->is_over = true;
	timer_clear(&worker->goodbye);
	close_ports(worker);
	cut_flows(worker);
	stalls_wipe(&worker->context.stalls);
	refuse_cut_all(&worker->context.lingers);
	agent_session_cut_all(&worker->context);
	agent_channel_cut_all(&worker->context);
}

static void
wait_for_the_others(struct shared *shared)
{
	pthread_mutex_lock(&shared->end_lock);
	if (--shared->workers_running == 0)
		pthread_cond_broadcast(&shared->end);
	while (shared->workers_running > 0)
		pthread_cond_wait(&shared->end, &shared->end_lock);
	pthread_mutex_unlock(&shared->end_lock);
}

static void
run(void *arg, struct loop *loop)
{
	struct worker *worker = arg;

	worker->context.loop = loop;
	refuse_lingers_init(
	    &worker->context.lingers, loop, worker->context.shared->lingers, on_linger_end, worker);
	pump_stalls_init(&worker->context.stalls, loop, flow_on_held);
	flow_wait_init(&worker->context);
	timer_init(&worker->goodbye, loop, on_goodbye_time, worker);
	report(worker, open_ports(worker) ? WORKER_LISTENS : WORKER_FAILED);
	loop_run(loop);
	let_go(worker);
	wait_for_the_others(worker->context.shared);
}

struct worker *
worker_new(struct shared *shared, struct rules *rules, struct loop *main,
    void (*on_event)(void *, enum worker_event), void *arg)
{
	struct worker *worker = calloc(1, sizeof *worker);

	if (!worker)
		return NULL;
	worker->context.shared = shared;
	worker->context.rules = rules_hold(rules);
	worker->context.on_shrank = on_shrank;
	worker->main = main;
	worker->on_event = on_event;
	worker->arg = arg;
	pthread_mutex_init(&worker->lock, NULL);
	return worker;
}

bool
worker_start(struct worker *worker, unsigned number)
{
	struct shared *shared = worker->context.shared;
	char name[16];

	snprintf(name, sizeof name, "relay-%u", number);
	pthread_mutex_lock(&shared->end_lock);
	shared->workers_running++;
	pthread_mutex_unlock(&shared->end_lock);
	worker->thread = thread_start(name, run, worker);
	if (worker->thread)
		return true;
	pthread_mutex_lock(&shared->end_lock);
	shared->workers_running--;
	pthread_mutex_unlock(&shared->end_lock);
	return false;
}

struct loop *
worker_loop(const struct worker *worker)
{
	return thread_loop(worker->thread);
}

void
worker_stop(struct worker *worker)
{
	if (worker->thread)
		loop_stop(thread_loop(worker->thread));
}

void
worker_join(struct worker *worker)
{
	thread_join(worker->thread);
	worker->thread = NULL;
}

void
worker_free(struct worker *worker)
{
	if (!worker)
		return;
	for (size_t i = 0; i < worker->port_count; i++) {
		rules_release(worker->ports[i].rules);
		if (worker->ports[i].fd >= 0)
			close(worker->ports[i].fd);
	}
	free(worker->ports);
	rules_release(worker->context.rules);
	wipe_orders(&worker->orders);
	pthread_mutex_destroy(&worker->lock);
	free(worker);
}
