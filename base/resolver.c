/*
 * Those who ask, and whoever looks up for them: whoever waits for a host hangs on
 * it.  An answer is called into the asker's loop under the lock, so that after
 * resolution_forget() nothing here knows that loop any more.  The resolver lives as
 * long as its owner or a resolution holds it, so that these may end in any order.
 */
#include "base/resolver.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include "base/clock.h"
#include "base/lookup_helper.h"
#include "base/lookups.h"
#include "base/name_server.h"
#include "base/resolver_hosts.h"

enum {
	ANSWER_MS = 5000,
	AGAIN_MS = 1000, /* between look-ups for failed addresses */
};

static_assert(
    RESOLVER_STRANGE_ASKERS + HOSTS_STRANGE_THREADS_MOST <= RESOLVER_STRANGE_MOST, "they fit");
static_assert(ANSWER_MS % HOSTS_HELD_MS == 0, "the last of an asker's timers is the deadline");

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
	struct hosts hosts;
	struct lookups *lookups; /* one of the two; until the end the owner's, and not guarded */
	struct lookup_client *client;
	unsigned holders;
	bool is_closing;
};

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

/* ---- look-ups ---- */

static void
learn(struct resolver *resolver, struct host *host, const struct answer *answer)
{
	host_learn(host, answer, clock_ms());
	answer_all(host, NULL);
	hosts_move(&resolver->hosts, host, HOST_KNOWN);
}

static void
look_up(struct resolver *resolver, struct host *host)
{
	static const struct answer refused = {
		.why =
		    "cannot resolve: the system refuses a process, a thread or memory for it; try again"
	};
	bool is_begun;

	hosts_begin(&resolver->hosts, host, clock_ms());
	is_begun = resolver->client
	    ? lookup_client_begin(resolver->client, host->number, host->name)
	    : lookups_begin(resolver->lookups, host->number, host->name);
	if (!is_begun)
		learn(resolver, host, &refused);
}

/* Begins every look-up that may begin. */
static void
tend(struct resolver *resolver)
{
	struct host *host;

	while (!resolver->is_closing && (host = hosts_next(&resolver->hosts, clock_ms())))
		look_up(resolver, host);
}

/* On a thread of those who look up. */
static void
on_found(void *arg, uint64_t number, const struct answer *answer)
{
	struct resolver *resolver = arg;
	struct host *host;

	pthread_mutex_lock(&resolver->lock);
	host = hosts_at_work(&resolver->hosts, number);
	if (host && !host->is_strange)
		name_server_note(host->name, answer->is_unanswered ? answer->why : NULL);
	if (host) {
		learn(resolver, host, answer);
		tend(resolver);
	}
	pthread_mutex_unlock(&resolver->lock);
}

/* One of these names may have been its end, so that none is asked for again by itself. */
static void
on_lost(void *arg)
{
	static const struct answer lost = {
		.why = "cannot resolve: the process that resolves names has ended; try again"
	};
	struct resolver *resolver = arg;
	struct host *host;

	pthread_mutex_lock(&resolver->lock);
	while ((host = TAILQ_FIRST(&resolver->hosts.lists[HOST_AT_WORK])))
		learn(resolver, host, &lost);
	tend(resolver);
	pthread_mutex_unlock(&resolver->lock);
}

/* ---- the queue ---- */

static const char too_many[] = "cannot resolve: too many names are being resolved; try again";

static bool
make_room(struct resolver *resolver, const struct host *newcomer)
{
	struct host *leaving;

	if (!hosts_have_room(&resolver->hosts, newcomer, clock_ms(), &leaving))
		return false;
	if (leaving) {
		leaving->is_refresh = false;
		answer_all(leaving, too_many);
		hosts_move(&resolver->hosts, leaving, HOST_KNOWN);
	}
	return true;
}

static void
refresh(struct resolver *resolver, struct host *host)
{
	if (host->state != HOST_KNOWN)
		return;
	host->is_refresh = true;
	if (make_room(resolver, host)) {
		hosts_move(&resolver->hosts, host, HOST_QUEUED);
		tend(resolver);
	} else
		host->is_refresh = false;
}

static void
wait_for(struct resolver *resolver, struct host *host, struct resolution *resolution)
{
	if (host->state == HOST_KNOWN && !make_room(resolver, host)) {
		answer(resolution, NULL, too_many);
		return;
	}
	resolution->host = host;
	LIST_INSERT_HEAD(&host->waiting, resolution, place);
	if (host->state == HOST_KNOWN)
		hosts_move(&resolver->hosts, host, HOST_QUEUED);
	tend(resolver);
}

static void
wait_or_answer(
    struct resolver *resolver, struct resolution *resolution, const char *name, bool is_strange)
{
	struct host *host = hosts_ask(&resolver->hosts, name, is_strange);

	if (!host) {
		answer(resolution, NULL, "cannot resolve: memory is short");
		return;
	}
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
		hosts_move(&resolver->hosts, host, HOST_KNOWN);
}

/* ---- life ---- */

static void
destroy(struct resolver *resolver)
{
	hosts_wipe(&resolver->hosts);
	pthread_mutex_destroy(&resolver->lock);
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

/* Nobody looks up yet. */
static struct resolver *
resolver_begin(void)
{
	struct resolver *resolver = calloc(1, sizeof *resolver);

	if (!resolver)
		return NULL;
	pthread_mutex_init(&resolver->lock, NULL);
	resolver->holders = 1; /* the owner */
	if (hosts_init(&resolver->hosts))
		return resolver;
	resolver_free(resolver);
	return NULL;
}

struct resolver *
resolver_new(void)
{
	struct resolver *resolver = resolver_begin();

	if (!resolver)
		return NULL;
	resolver->lookups = lookups_new(on_found, resolver);
	if (resolver->lookups)
		return resolver;
	resolver_free(resolver);
	return NULL;
}

struct resolver *
resolver_new_in(struct helper *helper)
{
	struct resolver *resolver = resolver_begin();

	if (!resolver)
		return NULL;
	resolver->client =
	    lookup_client_new(helper, &(struct lookup_events){ on_found, on_lost, resolver });
	if (resolver->client)
		return resolver;
	resolver_free(resolver);
	return NULL;
}

void
resolver_free(struct resolver *resolver)
{
	if (!resolver)
		return;
	pthread_mutex_lock(&resolver->lock);
	resolver->is_closing = true;
	pthread_mutex_unlock(&resolver->lock);
	lookups_free(resolver->lookups);
	lookup_client_free(resolver->client);
	pthread_mutex_lock(&resolver->lock);
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

/* When a name has held a thread for HOSTS_HELD_MS, another look-up may begin, but nobody reports that.  So
 * whoever waits in the queue looks for it now and then.  The askers of a slow name need not: its turn comes
 * with the end of another look-up, which tends to the queue. */
static uint64_t
tend_and_next_ms(struct resolution *resolution)
{
	struct resolver *resolver = resolution->resolver;
	const struct host *host;
	bool looks_again;

	pthread_mutex_lock(&resolver->lock);
	tend(resolver);
	host = resolution->host;
	looks_again = host && host->state == HOST_QUEUED && !host_is_slow(host, clock_ms());
	pthread_mutex_unlock(&resolver->lock);
	return looks_again ? HOSTS_HELD_MS : resolution->left_ms;
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
	set_timer(resolution, HOSTS_HELD_MS);
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
	host = hosts_find(&resolver->hosts, name);
	if (host && resolved_blame(&host->resolved, address, clock_ms()) &&
	    clock_ms() - host->began_ms >= AGAIN_MS)
		refresh(resolver, host);
	pthread_mutex_unlock(&resolver->lock);
}
