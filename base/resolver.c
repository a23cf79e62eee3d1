/*
 * Hosts are known, wait for a thread, or are at work in one; whoever waits for
 * a host hangs on it.  An answer is called into the asker's loop under the lock, so
 * that after resolution_forget() nothing here knows that loop any more.  The
 * resolver lives as long as its owner, a thread or a resolution holds it, so
 * that these may end in any order.
 */
#include "base/resolver.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/process.h"
#include "base/resolved.h"

enum {
	THREADS = 4,
	THREADS_MOST = 32,
	STRANGE_THREADS = THREADS / 2,
	STRANGE_THREADS_MOST = THREADS_MOST / 2,
	LOOKUPS_MOST = 256,
	KNOWN_MOST = 256,
	ANSWER_MS = 5000,
	HELD_MS = 100, /* from then on a look-up takes no place of the four */
	SLOW_MS = 1000,
	SLOW_KEPT_MS = 60000, /* a slow name is forgiven: its server may be back */
	AGAIN_MS = 1000,      /* between look-ups for failed addresses */
	HOST_BYTES = 254,
};

static_assert(RESOLVER_STRANGE_ASKERS + STRANGE_THREADS_MOST <= RESOLVER_STRANGE_MOST, "they fit");
static_assert(ANSWER_MS % HELD_MS == 0, "the last of an asker's timers is the deadline");

enum host_state { HOST_KNOWN, HOST_QUEUED, HOST_AT_WORK, HOST_STATES };

TAILQ_HEAD(host_list, host);
LIST_HEAD(resolution_list, resolution);

struct host {
	struct hash_link link;
	TAILQ_ENTRY(host) place; /* in the list of its state */
	enum host_state state;
	struct resolution_list waiting;
	bool is_strange;   /* only strangers have chosen it */
	bool is_refresh;   /* queued, although nobody may wait for it */
	bool was_quick;    /* the last time */
	bool began_slow;   /* the look-up at work is one of a slow name */
	uint64_t began_ms; /* the last look-up */
	uint64_t slow_until_ms;
	struct resolved resolved;
	char name[HOST_BYTES];
};

/* Belongs to its asker's thread, but for `host` and `place`, which the lock guards. */
struct resolution {
	struct call call;
	LIST_ENTRY(resolution) place;
	struct host *host; /* that it waits for; NULL once the answer is called */
	struct resolver *resolver;
	struct loop *loop;
	struct timer timer;
	uint64_t left_ms; /* to the deadline, when the timer fires */
	uint16_t port;
	bool forgotten;
	struct address addresses[RESOLVED_MOST];
	size_t count;
	char why[RESOLVED_WHY];
	void (*on_done)(
	    void *arg, const struct address *addresses, size_t count, const char *error);
	void *arg;
};

struct resolver {
	pthread_mutex_t lock;
	pthread_cond_t more, gone;
	struct table hosts;
	struct host_list lists[HOST_STATES]; /* known: the longest not asked for first */
	unsigned counts[HOST_STATES];
	unsigned strange[HOST_STATES]; /* of these */
	unsigned threads, idle;
	unsigned holders;
	bool closing;
};

static void
ask_system(const char *host, struct answer *answer)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	int why = getaddrinfo(host, NULL, &hints, &found);

	memset(answer, 0, sizeof *answer);
	for (const struct addrinfo *at = found; why == 0 && at; at = at->ai_next) {
		struct address address;

		address_from(&address, at->ai_addr, at->ai_addrlen);
		answer_add(answer, &address);
	}
	if (answer->count == 0)
		snprintf(answer->why, sizeof answer->why, "cannot resolve \"%s\": %s", host,
		    why == EAI_SYSTEM ? strerror(errno)
			: why != 0    ? gai_strerror(why)
				      : "no address");
	if (why == 0)
		freeaddrinfo(found);
}

/* ---- hosts; all of it with the lock held ---- */

static void
list_in(struct resolver *resolver, struct host *host)
{
	TAILQ_INSERT_TAIL(&resolver->lists[host->state], host, place);
	resolver->counts[host->state]++;
	resolver->strange[host->state] += host->is_strange;
}

static void
list_out(struct resolver *resolver, struct host *host)
{
	TAILQ_REMOVE(&resolver->lists[host->state], host, place);
	resolver->counts[host->state]--;
	resolver->strange[host->state] -= host->is_strange;
}

static void
host_free(struct resolver *resolver, struct host *host)
{
	list_out(resolver, host);
	table_remove(&resolver->hosts, &host->link);
	free(host);
}

/* The longest not asked for, among those with the property. The last one is just being asked for. */
static struct host *
find_oldest(struct resolver *resolver, bool (*has_property)(const struct host *))
{
	struct host *host = TAILQ_FIRST(&resolver->lists[HOST_KNOWN]);

	while (host && !has_property(host))
		host = TAILQ_NEXT(host, place);
	return host == TAILQ_LAST(&resolver->lists[HOST_KNOWN], host_list) ? NULL : host;
}

static bool
is_strange(const struct host *host)
{
	return host->is_strange;
}

/* Names that lead nowhere are made up easily: they push out none that leads somewhere. */
static bool
is_strange_without_answer(const struct host *host)
{
	return host->is_strange && host->resolved.answer.count == 0;
}

static void
forget_strange(struct resolver *resolver)
{
	struct host *host = find_oldest(resolver, is_strange_without_answer);

	if (!host)
		host = find_oldest(resolver, is_strange);
	if (host)
		host_free(resolver, host);
}

/* To the end of the list of a state, which may be its own. */
static void
host_move(struct resolver *resolver, struct host *host, enum host_state state)
{
	static const unsigned may_move[HOST_STATES] = {
		[HOST_KNOWN] = 1u << HOST_KNOWN | 1u << HOST_QUEUED,
		[HOST_QUEUED] = 1u << HOST_AT_WORK | 1u << HOST_KNOWN,
		[HOST_AT_WORK] = 1u << HOST_KNOWN,
	};
	static const char *const state_name[HOST_STATES] = { "known", "queued", "at-work" };

	assert(may_move[host->state] & 1u << state);
	log_move(
	    "look-up", log_str("host", host->name), state_name[host->state], state_name[state]);
	list_out(resolver, host);
	host->state = state;
	list_in(resolver, host);
	if (resolver->strange[HOST_KNOWN] > RESOLVER_STRANGE_MOST)
		forget_strange(resolver);
	if (resolver->counts[HOST_KNOWN] > KNOWN_MOST)
		host_free(resolver, TAILQ_FIRST(&resolver->lists[HOST_KNOWN]));
}

static struct host *
host_find(struct resolver *resolver, const char *name)
{
	struct hash_link *at =
	    table_first(&resolver->hosts, table_hash(&resolver->hosts, name, strlen(name)));

	for (; at; at = table_next(at)) {
		struct host *host = container_of(at, struct host, link);

		if (strcmp(host->name, name) == 0)
			return host;
	}
	return NULL;
}

static struct host *
host_new(struct resolver *resolver, const char *name, bool is_strange)
{
	struct host *host = calloc(1, sizeof *host);

	if (!host)
		return NULL;
	snprintf(host->name, sizeof host->name, "%s", name);
	LIST_INIT(&host->waiting);
	host->is_strange = is_strange;
	list_in(resolver, host);
	table_add(&resolver->hosts, &host->link,
	    table_hash(&resolver->hosts, host->name, strlen(host->name)));
	return host;
}

static bool
is_slow(const struct host *host, uint64_t now_ms)
{
	return now_ms < host->slow_until_ms;
}

/* ---- answers ---- */

static void deliver(void *data);

/* Gives what is known of the host, or the error. */
static void
answer(struct resolution *resolution, const struct resolved *resolved, const char *error)
{
	resolution->host = NULL;
	if (!error)
		resolution->count =
		    resolved_order(resolved, clock_ms(), resolution->port, resolution->addresses);
	if (resolution->count == 0)
		snprintf(resolution->why, sizeof resolution->why, "%s",
		    error ? error : resolved->answer.why);
	loop_call(resolution->loop, &resolution->call, deliver, resolution);
}

static void
answer_all(struct host *host, const char *error)
{
	struct resolution *resolution;

	while ((resolution = LIST_FIRST(&host->waiting))) {
		LIST_REMOVE(resolution, place);
		answer(resolution, &host->resolved, error);
	}
}

/* ---- the order of work ---- */

/* Counts the threads at work and those of them that no name holds, in all and at names that strangers
 * chose, and says whether a slow name is at work, of ours [0] and of theirs [1]. */
struct load {
	unsigned all, prompt;
	unsigned strange, strange_prompt;
	bool has_slow[2];
};

static struct load
load_of(const struct resolver *resolver, uint64_t now_ms)
{
	struct load load = { .all = resolver->counts[HOST_AT_WORK],
		.strange = resolver->strange[HOST_AT_WORK] };
	const struct host *host;

	TAILQ_FOREACH(host, &resolver->lists[HOST_AT_WORK], place)
	{
		bool is_prompt = now_ms - host->began_ms < HELD_MS;

		load.prompt += is_prompt;
		load.strange_prompt += is_prompt && host->is_strange;
		load.has_slow[host->is_strange] |= host->began_slow;
	}
	return load;
}

static bool
may_begin(const struct host *host, const struct load *load, uint64_t now_ms)
{
	if (is_slow(host, now_ms) && load->has_slow[host->is_strange])
		return false;
	if (host->is_strange &&
	    (load->strange >= STRANGE_THREADS_MOST || load->strange_prompt >= STRANGE_THREADS))
		return false;
	if (LIST_EMPTY(&host->waiting))
		return load->all < THREADS;
	return load->all < (host->was_quick ? THREADS_MOST : THREADS_MOST - 1);
}

/* The smallest first. */
static int
rank(const struct host *host, uint64_t now_ms)
{
	return (is_slow(host, now_ms) ? 4 : 0) + (LIST_EMPTY(&host->waiting) ? 2 : 0) +
	    (host->was_quick ? 0 : 1);
}

/* The host whose look-up is to begin now, or NULL. */
static struct host *
pick(struct resolver *resolver)
{
	uint64_t now = clock_ms();
	struct load load = load_of(resolver, now);
	struct host *host, *best = NULL;

	if (load.prompt >= THREADS)
		return NULL;
	TAILQ_FOREACH(host, &resolver->lists[HOST_QUEUED], place)
	{
		if (may_begin(host, &load, now) && (!best || rank(host, now) < rank(best, now)))
			best = host;
	}
	return best;
}

static bool start_thread(struct resolver *);

/* Sees to it that a thread comes for a look-up that may begin. A thread that is awake and not at
 * work comes by itself. */
static void
tend(struct resolver *resolver)
{
	if (resolver->threads > resolver->idle + resolver->counts[HOST_AT_WORK] ||
	    resolver->closing || !pick(resolver))
		return;
	if (resolver->idle > 0)
		pthread_cond_signal(&resolver->more);
	else
		start_thread(resolver);
}

/* With the lock held, but not while the system is asked. */
static void
look_up(struct resolver *resolver, struct host *host)
{
	struct answer answer;

	host->began_ms = clock_ms();
	host->began_slow = is_slow(host, host->began_ms);
	host->is_refresh = false;
	host_move(resolver, host, HOST_AT_WORK);
	tend(resolver);
	pthread_mutex_unlock(&resolver->lock);
	ask_system(host->name, &answer);
	pthread_mutex_lock(&resolver->lock);
	host->was_quick = clock_ms() - host->began_ms < SLOW_MS;
	host->slow_until_ms = host->was_quick ? 0 : clock_ms() + SLOW_KEPT_MS;
	resolved_learn(&host->resolved, &answer, clock_ms());
	answer_all(host, NULL);
	host_move(resolver, host, HOST_KNOWN);
}

/* ---- the queue ---- */

static const char too_many[] = "cannot resolve: too many names are being resolved; try again";

enum dispensable { NEEDED, SLOW, REFRESH };

static enum dispensable
dispensable(const struct host *host, uint64_t now_ms)
{
	if (LIST_EMPTY(&host->waiting))
		return REFRESH;
	return is_slow(host, now_ms) ? SLOW : NEEDED;
}

/* A refresh makes room for the newcomer, else a slow name does, but not for another slow name. */
static bool
make_room(struct resolver *resolver, const struct host *newcomer)
{
	uint64_t now = clock_ms();
	enum dispensable most = is_slow(newcomer, now) ? SLOW : NEEDED;
	struct host *host, *leaving = NULL;

	TAILQ_FOREACH(host, &resolver->lists[HOST_QUEUED], place)
	{
		if (dispensable(host, now) > most) {
			leaving = host;
			most = dispensable(host, now);
		}
	}
	if (!leaving)
		return false;
	leaving->is_refresh = false;
	answer_all(leaving, too_many);
	host_move(resolver, leaving, HOST_KNOWN);
	return true;
}

static bool
has_room(struct resolver *resolver, const struct host *newcomer)
{
	if (newcomer->is_strange &&
	    resolver->strange[HOST_QUEUED] + resolver->strange[HOST_AT_WORK] >=
		RESOLVER_STRANGE_MOST)
		return false;
	return resolver->counts[HOST_QUEUED] + resolver->counts[HOST_AT_WORK] < LOOKUPS_MOST ||
	    (!newcomer->is_refresh && make_room(resolver, newcomer));
}

static void
refresh(struct resolver *resolver, struct host *host)
{
	if (host->state != HOST_KNOWN)
		return;
	host->is_refresh = true;
	if (has_room(resolver, host)) {
		host_move(resolver, host, HOST_QUEUED);
		tend(resolver);
	} else
		host->is_refresh = false;
}

/* We want it, too. */
static void
own(struct resolver *resolver, struct host *host)
{
	resolver->strange[host->state] -= host->is_strange;
	host->is_strange = false;
}

static void
wait_for(struct resolver *resolver, struct host *host, struct resolution *resolution)
{
	if (host->state == HOST_KNOWN && !has_room(resolver, host)) {
		answer(resolution, NULL, too_many);
		return;
	}
	resolution->host = host;
	LIST_INSERT_HEAD(&host->waiting, resolution, place);
	if (host->state == HOST_KNOWN)
		host_move(resolver, host, HOST_QUEUED);
	tend(resolver);
}

static void
wait_or_answer(
    struct resolver *resolver, struct resolution *resolution, const char *name, bool is_strange)
{
	struct host *host = host_find(resolver, name);

	if (!host && !(host = host_new(resolver, name, is_strange))) {
		answer(resolution, NULL, "cannot resolve: memory is short");
		return;
	}
	if (!is_strange)
		own(resolver, host);
	if (host->state == HOST_KNOWN)
		host_move(resolver, host, HOST_KNOWN);
	switch (resolved_use(&host->resolved, clock_ms())) {
	case RESOLVED_STALE:
		answer(resolution, &host->resolved, NULL);
		refresh(resolver, host);
		return;
	case RESOLVED_KNOWN:
		answer(resolution, &host->resolved, NULL);
		return;
	case RESOLVED_FAILURE:
		answer(resolution, NULL, host->resolved.answer.why);
		return;
	case RESOLVED_UNKNOWN:
		wait_for(resolver, host, resolution);
		return;
	}
}

/* Nobody waits any more: if it has not begun, it need not. */
static void
leave(struct resolver *resolver, struct host *host, struct resolution *resolution)
{
	LIST_REMOVE(resolution, place);
	resolution->host = NULL;
	if (host->state == HOST_QUEUED && LIST_EMPTY(&host->waiting) && !host->is_refresh)
		host_move(resolver, host, HOST_KNOWN);
}

/* ---- threads and life ---- */

static void
free_each(struct hash_link *link, void *arg)
{
	(void)arg;
	free(container_of(link, struct host, link));
}

static void
destroy(struct resolver *resolver)
{
	table_each(&resolver->hosts, free_each, NULL);
	table_wipe(&resolver->hosts);
	pthread_mutex_destroy(&resolver->lock);
	pthread_cond_destroy(&resolver->more);
	pthread_cond_destroy(&resolver->gone);
	free(resolver);
}

/* Gives the lock back, too. */
static void
release(struct resolver *resolver)
{
	bool last = --resolver->holders == 0;

	pthread_mutex_unlock(&resolver->lock);
	if (last)
		destroy(resolver);
}

/* False when enough threads are idle already. */
static bool
rest(struct resolver *resolver)
{
	if (resolver->idle >= THREADS)
		return false;
	resolver->idle++;
	pthread_cond_wait(&resolver->more, &resolver->lock);
	resolver->idle--;
	return true;
}

static void *
serve(void *arg)
{
	struct resolver *resolver = arg;
	bool has_work = true;

	pthread_mutex_lock(&resolver->lock);
	while (has_work && !resolver->closing) {
		struct host *host = pick(resolver);

		if (host)
			look_up(resolver, host);
		else
			has_work = rest(resolver);
	}
	resolver->threads--;
	pthread_cond_signal(&resolver->gone);
	release(resolver);
	return NULL;
}

static bool
start_thread(struct resolver *resolver)
{
	sigset_t before;
	pthread_t thread;
	int why;

	process_block_signals(&before);
	why = pthread_create(&thread, NULL, serve, resolver);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (why != 0)
		return false;
	pthread_setname_np(thread, "resolver");
	pthread_detach(thread);
	resolver->threads++;
	resolver->holders++;
	return true;
}

static bool
start_threads(struct resolver *resolver)
{
	bool fine = true;

	pthread_mutex_lock(&resolver->lock);
	for (unsigned i = 0; i < THREADS && fine; i++)
		fine = start_thread(resolver);
	pthread_mutex_unlock(&resolver->lock);
	return fine;
}

struct resolver *
resolver_new(void)
{
	struct resolver *resolver = calloc(1, sizeof *resolver);

	if (!resolver)
		return NULL;
	pthread_mutex_init(&resolver->lock, NULL);
	pthread_cond_init(&resolver->more, NULL);
	pthread_cond_init(&resolver->gone, NULL);
	for (int i = 0; i < HOST_STATES; i++)
		TAILQ_INIT(&resolver->lists[i]);
	resolver->holders = 1; /* the owner */
	if (table_init(&resolver->hosts) && start_threads(resolver))
		return resolver;
	resolver_free(resolver);
	return NULL;
}

/* getaddrinfo() cannot be interrupted: threads inside it are left to end by themselves. */
void
resolver_free(struct resolver *resolver)
{
	if (!resolver)
		return;
	pthread_mutex_lock(&resolver->lock);
	resolver->closing = true;
	pthread_cond_broadcast(&resolver->more);
	while (resolver->threads > resolver->counts[HOST_AT_WORK])
		pthread_cond_wait(&resolver->gone, &resolver->lock);
	release(resolver);
}

/* ---- asking ---- */

static void
deliver(void *data)
{
	struct resolution *resolution = data;
	struct resolver *resolver = resolution->resolver;

	if (!resolution->forgotten) {
		timer_clear(&resolution->timer);
		resolution->on_done(resolution->arg, resolution->addresses, resolution->count,
		    resolution->count > 0 ? NULL : resolution->why);
	}
	free(resolution);
	pthread_mutex_lock(&resolver->lock);
	release(resolver);
}

static void
set_timer(struct resolution *resolution, uint64_t ms)
{
	resolution->left_ms -= ms;
	timer_set(&resolution->timer, ms);
}

/* That a name has held a thread for HELD_MS, so that another look-up may begin, is an event which nobody
 * reports.  So whoever waits in the queue looks for it now and then.  The askers of a slow name need not: its
 * turn comes with the end of another look-up, which tends to the queue. */
static uint64_t
tend_and_next_ms(struct resolution *resolution)
{
	struct resolver *resolver = resolution->resolver;
	const struct host *host;
	bool looks_again;

	pthread_mutex_lock(&resolver->lock);
	tend(resolver);
	host = resolution->host;
	looks_again = host && host->state == HOST_QUEUED && !is_slow(host, clock_ms());
	pthread_mutex_unlock(&resolver->lock);
	return looks_again ? HELD_MS : resolution->left_ms;
}

static void
on_time(void *arg)
{
	struct resolution *resolution = arg;
	void (*on_done)(void *, const struct address *, size_t, const char *) = resolution->on_done;
	void *done_arg = resolution->arg;

	if (resolution->left_ms > 0) {
		set_timer(resolution, tend_and_next_ms(resolution));
		return;
	}
	resolution_forget(resolution);
	on_done(done_arg, NULL, 0,
	    "cannot resolve the name: no answer within 5 s; check the system's resolver");
}

static struct resolution *
ask(struct resolver *resolver, struct loop *loop, const char *host, uint16_t port, bool is_strange,
    void (*on_done)(void *, const struct address *, size_t, const char *), void *arg)
{
	struct resolution *resolution = calloc(1, sizeof *resolution);

	if (!resolution)
		return NULL;
	resolution->resolver = resolver;
	resolution->loop = loop;
	resolution->left_ms = ANSWER_MS;
	resolution->port = port;
	resolution->on_done = on_done;
	resolution->arg = arg;
	timer_init(&resolution->timer, loop, on_time, resolution);
	set_timer(resolution, HELD_MS);
	pthread_mutex_lock(&resolver->lock);
	resolver->holders++;
	wait_or_answer(resolver, resolution, host, is_strange);
	pthread_mutex_unlock(&resolver->lock);
	return resolution;
}

struct resolution *
resolver_ask(struct resolver *resolver, struct loop *loop, const char *host, uint16_t port,
    void (*on_done)(void *, const struct address *, size_t, const char *), void *arg)
{
	return ask(resolver, loop, host, port, false, on_done, arg);
}

struct resolution *
resolver_ask_strange(struct resolver *resolver, struct loop *loop, const char *host, uint16_t port,
    void (*on_done)(void *, const struct address *, size_t, const char *), void *arg)
{
	return ask(resolver, loop, host, port, true, on_done, arg);
}

/* If it no longer waits, its answer is on its way and will free it. */
void
resolution_forget(struct resolution *resolution)
{
	struct resolver *resolver;

	if (!resolution)
		return;
	resolver = resolution->resolver;
	timer_clear(&resolution->timer);
	resolution->forgotten = true;
	pthread_mutex_lock(&resolver->lock);
	if (!resolution->host) {
		pthread_mutex_unlock(&resolver->lock);
		return;
	}
	leave(resolver, resolution->host, resolution);
	free(resolution);
	release(resolver);
}

void
resolver_address_failed(struct resolver *resolver, const char *name, const struct address *address)
{
	struct host *host;

	pthread_mutex_lock(&resolver->lock);
	host = host_find(resolver, name);
	if (host && resolved_blame(&host->resolved, address, clock_ms()) &&
	    clock_ms() - host->began_ms >= AGAIN_MS)
		refresh(resolver, host);
	pthread_mutex_unlock(&resolver->lock);
}
