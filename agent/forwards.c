/* The set of forwards: loaded in the main thread, served in their own. */
#include "agent/forwards.h"

#include <assert.h>
#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sysexits.h>

#include "agent/forward.h"
#include "agent/forward_flow.h"
#include "agent/forward_port.h"
#include "agent/forward_sockets.h"
#include "agent/sources.h"
#include "base/clock.h"
#include "base/listing.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"

enum { JUDGE_EVERY_MS = 30000 };

/* What is in force, of the main thread. */
struct forward_set {
	size_t count;
	struct in_force {
		struct forward *forward; /* held */
		struct upstream_stamp stamp;
	} items[];
};

/* The message that brings a set to the thread, until then with the set itself. */
struct forward_plan {
	struct call call;
	struct forwards *forwards;
	struct forward_set *set; /* NULL: the main thread has it */
	size_t count;
	struct planned {
		struct forward *forward; /* held */
		int fd;                  /* a new listener; -1: the port is there, or has it */
		bool owns_file;
	} items[];
};

/* A port of the thread.  A closed one stays for as long as it has connections. */
struct port_entry {
	LIST_ENTRY(port_entry) link;
	struct forward_port *port;
	bool is_open;
	bool is_kept; /* by the plan that is being taken */
};
LIST_HEAD(port_entries, port_entry);

struct forwards {
	struct resolver *resolver;
	struct forward_sockets *sockets; /* opened at the start; until the first plan */
	struct thread *thread;           /* NULL until there is something to forward */
	struct forward_set *set;
	_Atomic uint64_t flow_count;
	struct call drain, stop;
	/* The thread's own. */
	struct forward_port_context context;
	struct stalls stalls;
	struct port_entries ports;
	struct forward_flow_place place;
	struct timer judge;
};

/* ---- the thread ---- */

static void
judge_all(struct forwards *forwards)
{
	int64_t now_s = clock_wall_s();
	struct port_entry *entry;

	LIST_FOREACH(entry, &forwards->ports, link)
		forward_port_judge_again(entry->port, now_s);
}

static void
drop_port(struct port_entry *entry)
{
	LIST_REMOVE(entry, link);
	forward_port_free(entry->port);
	free(entry);
}

static void
drop_empty_ports(struct forwards *forwards)
{
	struct port_entry *entry = LIST_FIRST(&forwards->ports), *next;

	for (; entry; entry = next) {
		next = LIST_NEXT(entry, link);
		if (!entry->is_open && !forward_port_has_flows(entry->port))
			drop_port(entry);
	}
}

static void
on_judge(void *arg)
{
	struct forwards *forwards = arg;

	judge_all(forwards);
	drop_empty_ports(forwards);
	timer_set(&forwards->judge, JUDGE_EVERY_MS);
}

static void
close_port(struct port_entry *entry)
{
	forward_port_close(entry->port);
	entry->is_open = false;
}

static struct port_entry *
find_port(struct forwards *forwards, const struct address *address)
{
	struct port_entry *entry;

	LIST_FOREACH(entry, &forwards->ports, link)
		if (entry->is_open && address_equals(forward_port_address(entry->port), address))
			return entry;
	return NULL;
}

static void
add_port(struct forwards *forwards, struct planned *planned)
{
	struct port_entry *entry = calloc(1, sizeof *entry);

	if (!entry) {
		memory_short("a listener, until the next start");
		return;
	}
	entry->port =
	    forward_port_new(&forwards->context, planned->forward, planned->fd, planned->owns_file);
	planned->fd = -1;
	if (!entry->port) {
		memory_short("a listener, until the next start");
		free(entry);
		return;
	}
	entry->is_open = entry->is_kept = true;
	LIST_INSERT_HEAD(&forwards->ports, entry, link);
}

static void
take_one(struct forwards *forwards, struct planned *planned)
{
	struct port_entry *entry = find_port(forwards, &planned->forward->listener);

	if (planned->fd >= 0)
		add_port(forwards, planned);
	else if (entry) {
		forward_port_set(entry->port, planned->forward);
		entry->is_kept = true;
	}
}

static void
take(void *data)
{
	struct forward_plan *plan = data;
	struct forwards *forwards = plan->forwards;
	struct port_entry *entry;

	LIST_FOREACH(entry, &forwards->ports, link)
		entry->is_kept = false;
	for (size_t i = 0; i < plan->count; i++)
		take_one(forwards, &plan->items[i]);
	LIST_FOREACH(entry, &forwards->ports, link)
		if (!entry->is_kept)
			close_port(entry);
	forward_plan_free(plan);
	judge_all(forwards);
	drop_empty_ports(forwards);
}

static void
on_drain(void *data)
{
	struct forwards *forwards = data;
	struct port_entry *entry;

	LIST_FOREACH(entry, &forwards->ports, link)
		close_port(entry);
}

static void
on_stop(void *data)
{
	struct forwards *forwards = data;

	while (!LIST_EMPTY(&forwards->ports))
		drop_port(LIST_FIRST(&forwards->ports));
	timer_clear(&forwards->judge);
	stalls_wipe(&forwards->stalls);
	loop_stop(forwards->context.loop);
}

static void
run(void *arg, struct loop *loop)
{
	struct forwards *forwards = arg;

	forwards->context = (struct forward_port_context){ .loop = loop,
		.place = &forwards->place,
		.resolver = forwards->resolver,
		.stalls = &forwards->stalls,
		.flow_count = &forwards->flow_count };
	pump_stalls_init(&forwards->stalls, loop, NULL);
	timer_init(&forwards->judge, loop, on_judge, forwards);
	timer_set(&forwards->judge, JUDGE_EVERY_MS);
	loop_run(loop);
}

/* ---- plans ---- */

static void
set_free(struct forward_set *set)
{
	for (size_t i = 0; set && i < set->count; i++)
		forward_release(set->items[i].forward);
	free(set);
}

void
forward_plan_free(struct forward_plan *plan)
{
	for (size_t i = 0; plan && i < plan->count; i++) {
		forward_sockets_close(
		    plan->items[i].fd, plan->items[i].owns_file, &plan->items[i].forward->listener);
		forward_release(plan->items[i].forward);
	}
	if (plan)
		set_free(plan->set);
	free(plan);
}

/* What listens at the same address now. */
static struct forward *
find_before(const struct forwards *forwards, const struct forward_settings *settings)
{
	const struct forward_set *set = forwards->set;

	for (size_t i = 0; set && i < set->count; i++)
		if (address_equals(&set->items[i].forward->listener, &settings->listener))
			return set->items[i].forward;
	return NULL;
}

/* What the main thread waits for: listeners leave their descriptors at the end of the turn after the one
 * that closed them (listener_free()). */
enum { TURNS = 2 };
struct catch_up {
	struct loop *loop;
	struct call call;
	struct task task;
	int turns;
	sem_t over;
};

static void
count_turn(void *arg)
{
	struct catch_up *catch_up = arg;

	if (++catch_up->turns < TURNS)
		loop_later(catch_up->loop, &catch_up->task);
	else
		sem_post(&catch_up->over);
}

static void
on_catch_up(void *data)
{
	struct catch_up *catch_up = data;

	loop_later(catch_up->loop, &catch_up->task);
}

/* Waits until the thread has taken the plans that it was given: it has closed what they dropped then, and
 * whoever wants such an address again finds it free, and keeps the file. */
static void
let_catch_up(struct forwards *forwards)
{
	struct catch_up catch_up = { .loop = thread_loop(forwards->thread) };

	task_init(&catch_up.task, count_turn, &catch_up);
	sem_init(&catch_up.over, 0, 0);
	loop_call(catch_up.loop, &catch_up.call, on_catch_up, &catch_up);
	while (sem_wait(&catch_up.over) < 0)
		assert(errno == EINTR);
	sem_destroy(&catch_up.over);
}

static bool
listen_at(struct forwards *forwards, struct planned *planned,
    const struct forward_settings *settings, char *error)
{
	planned->fd =
	    forward_sockets_take(forwards->sockets, &settings->listener, &planned->owns_file);
	if (planned->fd >= 0)
		return true;
	let_catch_up(forwards);
	planned->fd = forward_sockets_listen(settings, &planned->owns_file, error);
	return planned->fd >= 0;
}

/* Takes the stamp before it loads, so that a change meanwhile is seen later. */
static bool
plan_one(struct forward_plan *plan, const struct agent_settings *settings, size_t index,
    char *error, int *code)
{
	const struct forward_settings *wanted = agent_settings_forward(settings, index);
	struct forward *before = find_before(plan->forwards, wanted);
	struct in_force *item = &plan->set->items[index];
	struct planned *planned = &plan->items[index];

	upstream_files_changed(&wanted->upstream, settings, &item->stamp);
	memory_begin();
	item->forward = forward_new(wanted, settings, before, error);
	*code = memory_exit_code(EX_CONFIG);
	if (!item->forward)
		return false;
	plan->set->count++;
	planned->forward = forward_hold(item->forward);
	planned->fd = -1;
	plan->count++;
	*code = EX_UNAVAILABLE;
	return before || listen_at(plan->forwards, planned, wanted, error);
}

/* NULL when memory is short. */
static struct forward_plan *
new_plan(struct forwards *forwards, size_t count)
{
	struct forward_plan *plan = calloc(1, sizeof *plan + count * sizeof *plan->items);

	if (!plan)
		return NULL;
	plan->forwards = forwards;
	plan->set = calloc(1, sizeof *plan->set + count * sizeof *plan->set->items);
	if (!forwards->thread && count > 0)
		forwards->thread = thread_start("forwards", run, forwards);
	if (plan->set && (forwards->thread || count == 0))
		return plan;
	forward_plan_free(plan);
	return NULL;
}

struct forward_plan *
forwards_plan(struct forwards *forwards, const struct agent_settings *settings,
    char error[FORWARDS_ERROR], int *code)
{
	struct forward_plan *plan = new_plan(forwards, settings->forwards.count);

	snprintf(error, FORWARDS_ERROR, "the system refuses a thread or memory");
	*code = EX_OSERR;
	for (size_t i = 0; plan && i < settings->forwards.count; i++)
		if (!plan_one(plan, settings, i, error, code)) {
			forward_plan_free(plan);
			return NULL;
		}
	forward_sockets_free(forwards->sockets);
	forwards->sockets = NULL;
	return plan;
}

static void
log_listening(const struct planned *planned)
{
	char text[ADDRESS_TEXT];

	if (planned->fd >= 0)
		log_event(LOG_INFO, "listening", NULL,
		    log_str("address", address_text(&planned->forward->listener, text)),
		    log_str("forward", planned->forward->name),
		    log_bool("passed_by_the_service_manager", !planned->owns_file));
}

void
forwards_put_in_force(struct forwards *forwards, struct forward_plan *plan)
{
	set_free(forwards->set);
	forwards->set = plan->set;
	plan->set = NULL;
	if (forwards->thread)
		loop_call(thread_loop(forwards->thread), &plan->call, take, plan);
	else
		forward_plan_free(plan);
}

void
forwards_take(
    struct forwards *forwards, struct forward_plan *plan, const struct agent_settings *settings)
{
	for (size_t i = 0; i < plan->count; i++) {
		log_listening(&plan->items[i]);
		forward_warn(agent_settings_forward(settings, i), plan->items[i].forward);
	}
	forwards_put_in_force(forwards, plan);
}

struct loop *
forwards_loop(const struct forwards *forwards)
{
	return forwards->thread ? thread_loop(forwards->thread) : NULL;
}

/* ---- files ---- */

bool
forwards_files_changed(struct forwards *forwards, const struct agent_settings *settings,
    size_t index, bool *trust_changed)
{
	struct upstream_stamp *stamp = &forwards->set->items[index].stamp, before = *stamp;
	bool changed = upstream_files_changed(
	    &agent_settings_forward(settings, index)->upstream, settings, stamp);

	*trust_changed = upstream_trust_changed(&before, stamp);
	return changed;
}

bool
forwards_is_behind(const struct forwards *forwards, size_t index,
    const struct crl_catalogue *catalogue, int64_t now_s)
{
	return trust_is_behind(
	    forwards->set->items[index].forward->upstream.trust, catalogue, now_s);
}

const char *
forwards_doubt(const struct forwards *forwards, size_t index)
{
	return trust_doubt(forwards->set->items[index].forward->upstream.trust);
}

size_t
forwards_refusals(const struct forwards *forwards, size_t index, const char **sentence)
{
	return trust_refusals(forwards->set->items[index].forward->upstream.trust, sentence);
}

void
forwards_forget_stamps(struct forwards *forwards)
{
	for (size_t i = 0; forwards->set && i < forwards->set->count; i++)
		forwards->set->items[i].stamp = (struct upstream_stamp){ 0 };
}

/* NULL with a sentence. */
static struct forward *
load_again(const struct forwards *forwards, const struct agent_settings *settings, size_t index,
    bool is_stale, char *error)
{
	struct forward *now = forwards->set->items[index].forward, *fresh;

	if (!is_stale)
		return forward_hold(now);
	fresh = forward_new(agent_settings_forward(settings, index), settings, now, error);
	if (fresh)
		sources_warn(fresh->upstream.trust, fresh->name);
	return fresh;
}

/* After it could not be loaded: with the CAs and CRLs of now, if they can be, else as it was. */
static struct forward *
lend(const struct agent_settings *settings, struct forward *now, size_t index,
    const struct forward_reload *reload)
{
	char ignored[FORWARD_ERROR];
	struct forward *lent = reload->trust_stale[index]
	    ? forward_new_lent(agent_settings_forward(settings, index), settings, now, ignored)
	    : NULL;

	if (!lent)
		return forward_hold(now);
	sources_warn(lent->upstream.trust, lent->name);
	reload->on_lent(reload->arg, index);
	return lent;
}

struct forward_plan *
forwards_plan_again(struct forwards *forwards, const struct agent_settings *settings,
    const struct forward_reload *reload)
{
	size_t count = forwards->set ? forwards->set->count : 0;
	struct forward_plan *plan = new_plan(forwards, count);
	char error[FORWARD_ERROR];

	for (size_t i = 0; plan && i < count; i++) {
		struct in_force *now = &forwards->set->items[i];
		struct forward *forward;

		memory_begin();
		forward = load_again(forwards, settings, i, reload->stale[i], error);
		if (!forward && memory_has_failed()) {
			forward_plan_free(plan);
			return NULL;
		}
		if (!forward) {
			reload->on_refused(reload->arg, i, error);
			forward = lend(settings, now->forward, i, reload);
		}
		plan->set->items[i] = (struct in_force){ forward, now->stamp };
		plan->items[i] = (struct planned){ .forward = forward_hold(forward), .fd = -1 };
		plan->count = plan->set->count = i + 1;
	}
	return plan;
}

void
forwards_keep_revoked(const struct forwards *forwards)
{
	for (size_t i = 0; forwards->set && i < forwards->set->count; i++)
		sources_keep_revoked(forwards->set->items[i].forward->upstream.trust);
}

/* ---- life ---- */

void
forwards_drain(struct forwards *forwards)
{
	if (forwards->thread)
		loop_call(thread_loop(forwards->thread), &forwards->drain, on_drain, forwards);
}

uint64_t
forwards_flow_count(const struct forwards *forwards)
{
	return forwards ? atomic_load(&forwards->flow_count) : 0;
}

struct forwards *
forwards_new(struct resolver *resolver)
{
	struct forwards *forwards = calloc(1, sizeof *forwards);

	if (forwards)
		forwards->resolver = resolver;
	return forwards;
}

void
forwards_adopt(struct forwards *forwards, struct forward_sockets *sockets)
{
	forwards->sockets = sockets;
}

void
forwards_free(struct forwards *forwards)
{
	if (!forwards)
		return;
	if (forwards->thread) {
		loop_call(thread_loop(forwards->thread), &forwards->stop, on_stop, forwards);
		thread_join(forwards->thread);
	}
	set_free(forwards->set);
	forward_sockets_free(forwards->sockets);
	free(forwards);
}

unsigned
forwards_source(const struct forwards *forwards, struct listing_source *source)
{
	if (!forwards || !forwards->thread)
		return 0;
	*source = (struct listing_source){ .loop = thread_loop(forwards->thread),
		.step = forward_flow_list_step,
		.arg = (void *)&forwards->place };
	return 1;
}
