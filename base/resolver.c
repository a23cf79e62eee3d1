/*
 * One thread asks getaddrinfo() for one name after the other.  What waits for
 * the same name hangs on the same look-up.  An answer is posted to the asker's
 * loop under the lock, so that after resolution_forget() nothing here knows
 * that loop any more.  The resolver lives as long as its owner, its thread or
 * a resolution holds it, so that these may end in any order.
 */
#include "base/resolver.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/hash.h"

enum {
	LOOKUPS_MOST = 256,
	CACHED_MOST = 256,
	ANSWER_MS = 5000,
	KEEP_MS = 30000,
	KEEP_FAILURE_MS = 1000,
	HOST_BYTES = 254,
	WHY_BYTES = 384,
};

struct answer {
	struct address addresses[RESOLVED_MOST];	/* without ports */
	size_t count;
	char why[WHY_BYTES];	/* when there is none */
};

struct cached {
	char host[HOST_BYTES];
	uint64_t until_ms;	/* 0: free */
	struct answer answer;
};

/* A name that is being asked for, or will be, and who waits for it. */
struct lookup {
	struct lookup *next;
	struct resolution *waiting;
	char host[HOST_BYTES];
};

/* Belongs to its asker's thread, but for `lookup` and `next`, which the lock guards. */
struct resolution {
	struct message message;
	struct resolution *next;
	struct lookup *lookup;	/* NULL once the answer is posted */
	struct resolver *resolver;
	struct loop *loop;
	struct timer timer;
	uint16_t port;
	bool forgotten;
	struct answer answer;
	void (*on_done)(
	    void *arg, const struct address *addresses, size_t count, const char *error);
	void *arg;
};

struct resolver {
	pthread_mutex_t lock;
	pthread_cond_t more;
	pthread_t thread;
	struct lookup *lookups;	/* oldest first; the first may be at work */
	size_t count;
	struct cached *cache;
	unsigned holders;
	bool asking, closing;
};

static void
add_address(struct answer *answer, const struct addrinfo *info)
{
	struct address address;

	address_from(&address, info->ai_addr, info->ai_addrlen);
	for (size_t i = 0; i < answer->count; i++) {
		if (address.bytes == answer->addresses[i].bytes &&
		    memcmp(&address.as, &answer->addresses[i].as, address.bytes) == 0)
			return;
	}
	answer->addresses[answer->count++] = address;
}

static void
ask_system(const char *host, struct answer *answer)
{
	const struct addrinfo wish = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	int why = getaddrinfo(host, NULL, &wish, &found);

	memset(answer, 0, sizeof(*answer));
	for (const struct addrinfo *at = found;
	     why == 0 && at != NULL && answer->count < RESOLVED_MOST; at = at->ai_next)
		add_address(answer, at);
	if (answer->count == 0)
		snprintf(answer->why, sizeof(answer->why), "cannot resolve \"%s\": %s", host,
		    why == EAI_SYSTEM ? strerror(errno)
		    : why != 0	      ? gai_strerror(why)
				      : "no address");
	if (why == 0)
		freeaddrinfo(found);
}

static struct cached *
cache_find(struct resolver *resolver, const char *host)
{
	uint64_t now = clock_ms();

	for (size_t i = 0; i < CACHED_MOST; i++) {
		struct cached *entry = &resolver->cache[i];

		if (entry->until_ms > now && strcmp(entry->host, host) == 0)
			return entry;
	}
	return NULL;
}

/* In the place of what ends first. */
static void
cache_keep(struct resolver *resolver, const char *host, const struct answer *answer)
{
	struct cached *place = &resolver->cache[0];

	for (size_t i = 1; i < CACHED_MOST; i++) {
		if (resolver->cache[i].until_ms < place->until_ms)
			place = &resolver->cache[i];
	}
	snprintf(place->host, sizeof(place->host), "%s", host);
	place->until_ms = clock_ms() + (answer->count > 0 ? KEEP_MS : KEEP_FAILURE_MS);
	place->answer = *answer;
}

static void
post(struct resolution *resolution, const struct answer *answer)
{
	resolution->lookup = NULL;
	resolution->answer = *answer;
	loop_post(resolution->loop, &resolution->message);
}

static void
remove_first(struct resolver *resolver)
{
	struct lookup *lookup = resolver->lookups;

	resolver->lookups = lookup->next;
	resolver->count--;
	free(lookup);
}

static void
answer_all(struct lookup *lookup, const struct answer *answer)
{
	while (lookup->waiting != NULL) {
		struct resolution *resolution = lookup->waiting;

		lookup->waiting = resolution->next;
		post(resolution, answer);
	}
}

/* With the lock held, but not while the system is asked. */
static void
serve_first(struct resolver *resolver)
{
	struct lookup *lookup = resolver->lookups;
	struct answer answer;

	if (lookup->waiting != NULL) {
		resolver->asking = true;
		pthread_mutex_unlock(&resolver->lock);
		ask_system(lookup->host, &answer);
		pthread_mutex_lock(&resolver->lock);
		resolver->asking = false;
		cache_keep(resolver, lookup->host, &answer);
		answer_all(lookup, &answer);
	}
	remove_first(resolver);
}

static void
destroy(struct resolver *resolver)
{
	while (resolver->lookups != NULL)
		remove_first(resolver);
	pthread_mutex_destroy(&resolver->lock);
	pthread_cond_destroy(&resolver->more);
	free(resolver->cache);
	free(resolver);
}

static void
release(struct resolver *resolver)
{
	bool last;

	pthread_mutex_lock(&resolver->lock);
	last = --resolver->holders == 0;
	pthread_mutex_unlock(&resolver->lock);
	if (last)
		destroy(resolver);
}

static void *
serve(void *arg)
{
	struct resolver *resolver = arg;

	pthread_mutex_lock(&resolver->lock);
	while (!resolver->closing) {
		if (resolver->lookups == NULL)
			pthread_cond_wait(&resolver->more, &resolver->lock);
		else
			serve_first(resolver);
	}
	pthread_mutex_unlock(&resolver->lock);
	release(resolver);
	return NULL;
}

static bool
start_thread(struct resolver *resolver)
{
	sigset_t all, before;
	int why;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	why = pthread_create(&resolver->thread, NULL, serve, resolver);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (why == 0)
		pthread_setname_np(resolver->thread, "resolver");
	return why == 0;
}

struct resolver *
resolver_new(void)
{
	struct resolver *resolver = calloc(1, sizeof(*resolver));

	if (resolver == NULL)
		return NULL;
	pthread_mutex_init(&resolver->lock, NULL);
	pthread_cond_init(&resolver->more, NULL);
	resolver->holders = 2;	/* the owner and the thread */
	resolver->cache = calloc(CACHED_MOST, sizeof(struct cached));
	if (resolver->cache == NULL || !start_thread(resolver)) {
		destroy(resolver);
		return NULL;
	}
	return resolver;
}

void
resolver_free(struct resolver *resolver)
{
	bool asking;

	if (resolver == NULL)
		return;
	pthread_mutex_lock(&resolver->lock);
	resolver->closing = true;
	asking = resolver->asking;
	pthread_cond_signal(&resolver->more);
	pthread_mutex_unlock(&resolver->lock);
	/* getaddrinfo() cannot be interrupted: a thread inside it is left to end by itself. */
	if (asking)
		pthread_detach(resolver->thread);
	else
		pthread_join(resolver->thread, NULL);
	release(resolver);
}

static void
set_port(struct address *address, uint16_t port)
{
	if (address->as.any.sa_family == AF_INET6)
		address->as.v6.sin6_port = htons(port);
	else
		address->as.v4.sin_port = htons(port);
}

static void
deliver(struct message *message)
{
	struct resolution *resolution = container_of(message, struct resolution, message);
	struct answer *answer = &resolution->answer;

	if (!resolution->forgotten) {
		timer_clear(&resolution->timer);
		for (size_t i = 0; i < answer->count; i++)
			set_port(&answer->addresses[i], resolution->port);
		resolution->on_done(resolution->arg, answer->addresses, answer->count,
		    answer->count > 0 ? NULL : answer->why);
	}
	release(resolution->resolver);
	free(resolution);
}

static void
on_time(void *arg)
{
	struct resolution *resolution = arg;
	void (*on_done)(void *, const struct address *, size_t, const char *) = resolution->on_done;
	void *done_arg = resolution->arg;

	resolution_forget(resolution);
	on_done(done_arg, NULL, 0,
	    "cannot resolve the name: no answer within 5 s; check the system's resolver");
}

static struct lookup *
lookup_for(struct resolver *resolver, const char *host)
{
	struct lookup **at = &resolver->lookups;

	for (; *at != NULL; at = &(*at)->next) {
		if (strcmp((*at)->host, host) == 0)
			return *at;
	}
	if (resolver->count >= LOOKUPS_MOST || (*at = calloc(1, sizeof(**at))) == NULL)
		return NULL;
	snprintf((*at)->host, sizeof((*at)->host), "%s", host);
	resolver->count++;
	pthread_cond_signal(&resolver->more);
	return *at;
}

/* With the lock held. */
static void
wait_or_answer(struct resolver *resolver, struct resolution *resolution, const char *host)
{
	static const struct answer full = {
	    .why = "cannot resolve: too many names are being resolved; try again"};
	const struct cached *known = cache_find(resolver, host);
	struct lookup *lookup;

	if (known != NULL) {
		post(resolution, &known->answer);
		return;
	}
	lookup = lookup_for(resolver, host);
	if (lookup == NULL) {
		post(resolution, &full);
		return;
	}
	resolution->lookup = lookup;
	resolution->next = lookup->waiting;
	lookup->waiting = resolution;
}

struct resolution *
resolver_ask(struct resolver *resolver, struct loop *loop, const char *host, uint16_t port,
    void (*on_done)(void *, const struct address *, size_t, const char *), void *arg)
{
	struct resolution *resolution = calloc(1, sizeof(*resolution));

	if (resolution == NULL)
		return NULL;
	resolution->message.deliver = deliver;
	resolution->resolver = resolver;
	resolution->loop = loop;
	resolution->port = port;
	resolution->on_done = on_done;
	resolution->arg = arg;
	timer_init(&resolution->timer, loop, on_time, resolution);
	timer_set(&resolution->timer, ANSWER_MS);
	pthread_mutex_lock(&resolver->lock);
	resolver->holders++;
	wait_or_answer(resolver, resolution, host);
	pthread_mutex_unlock(&resolver->lock);
	return resolution;
}

/* Whether it was still waiting; if not, its answer is on its way and will free it. */
static bool
stop_waiting(struct resolution *resolution)
{
	struct resolution **at;

	if (resolution->lookup == NULL)
		return false;
	at = &resolution->lookup->waiting;
	while (*at != resolution)
		at = &(*at)->next;
	*at = resolution->next;
	return true;
}

void
resolution_forget(struct resolution *resolution)
{
	struct resolver *resolver;
	bool waited;

	if (resolution == NULL)
		return;
	resolver = resolution->resolver;
	timer_clear(&resolution->timer);
	resolution->forgotten = true;
	pthread_mutex_lock(&resolver->lock);
	waited = stop_waiting(resolution);
	pthread_mutex_unlock(&resolver->lock);
	if (waited) {
		release(resolver);
		free(resolution);
	}
}
