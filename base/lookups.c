/* Threads that ask the system, as many as there are questions. */
#include "base/lookups.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/process.h"
#include "base/resolved.h"

struct lookup {
	STAILQ_ENTRY(lookup) link;
	uint64_t number;
	char host[HOST_BYTES];
};

/* The lock guards all but the first two. */
struct lookups {
	void (*on_found)(void *arg, uint64_t number, const struct answer *);
	void *arg;
	pthread_mutex_t lock;
	pthread_cond_t more, gone;
	STAILQ_HEAD(, lookup) waiting;
	unsigned count;  /* waiting or being asked */
	unsigned asking; /* threads in the system's call */
	unsigned queued; /* of those that wait */
	unsigned threads, idle;
	bool is_closing;
	bool is_abandoned; /* the last thread frees it */
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
	answer->is_unanswered = why == EAI_AGAIN || why == EAI_FAIL;
	if (answer->count == 0)
		snprintf(answer->why, sizeof answer->why, "cannot resolve \"%s\": %s", host,
		    why == EAI_SYSTEM ? strerror(errno)
			: why != 0    ? gai_strerror(why)
				      : "no address");
	if (why == 0)
		freeaddrinfo(found);
}

/* ---- the threads ---- */

/* With the lock held, but not while the system is asked, or somebody told. */
static void
look_up(struct lookups *lookups, struct lookup *lookup)
{
	struct answer answer;
	bool is_wanted;

	lookups->asking++;
	pthread_mutex_unlock(&lookups->lock);
	ask_system(lookup->host, &answer);
	pthread_mutex_lock(&lookups->lock);
	lookups->asking--;
	lookups->count--;
	is_wanted = !lookups->is_closing;
	pthread_mutex_unlock(&lookups->lock);
	if (is_wanted)
		lookups->on_found(lookups->arg, lookup->number, &answer);
	free(lookup);
	pthread_mutex_lock(&lookups->lock);
}

/* False when enough threads are idle already. */
static bool
rest(struct lookups *lookups)
{
	if (lookups->idle >= LOOKUPS_IDLE)
		return false;
	lookups->idle++;
	pthread_cond_wait(&lookups->more, &lookups->lock);
	lookups->idle--;
	return true;
}

static void
destroy(struct lookups *lookups)
{
	pthread_mutex_destroy(&lookups->lock);
	pthread_cond_destroy(&lookups->more);
	pthread_cond_destroy(&lookups->gone);
	free(lookups);
}

/* Gives the lock back, too. */
static void
leave(struct lookups *lookups)
{
	bool is_last = --lookups->threads == 0 && lookups->is_abandoned;

	pthread_cond_signal(&lookups->gone);
	pthread_mutex_unlock(&lookups->lock);
	if (is_last)
		destroy(lookups);
}

static void *
serve(void *arg)
{
	struct lookups *lookups = arg;
	bool has_work = true;

	pthread_setname_np(pthread_self(), "resolver");
	pthread_mutex_lock(&lookups->lock);
	while (has_work && !lookups->is_closing) {
		struct lookup *lookup = STAILQ_FIRST(&lookups->waiting);

		if (lookup) {
			STAILQ_REMOVE_HEAD(&lookups->waiting, link);
			lookups->queued--;
			look_up(lookups, lookup);
		} else
			has_work = rest(lookups);
	}
	leave(lookups);
	return NULL;
}

static bool
start_thread(struct lookups *lookups)
{
	sigset_t before;
	pthread_t thread;
	int why;

	process_block_signals(&before);
	why = pthread_create(&thread, NULL, serve, lookups);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (why != 0)
		return false;
	pthread_detach(thread);
	lookups->threads++;
	return true;
}

static bool
start_threads(struct lookups *lookups)
{
	bool is_fine = true;

	pthread_mutex_lock(&lookups->lock);
	for (unsigned i = 0; i < LOOKUPS_IDLE && is_fine; i++)
		is_fine = start_thread(lookups);
	pthread_mutex_unlock(&lookups->lock);
	return is_fine;
}

/* ---- from outside ---- */

struct lookups *
lookups_new(void (*on_found)(void *, uint64_t, const struct answer *), void *arg)
{
	struct lookups *lookups = calloc(1, sizeof *lookups);

	if (!lookups)
		return NULL;
	lookups->on_found = on_found;
	lookups->arg = arg;
	pthread_mutex_init(&lookups->lock, NULL);
	pthread_cond_init(&lookups->more, NULL);
	pthread_cond_init(&lookups->gone, NULL);
	STAILQ_INIT(&lookups->waiting);
	if (start_threads(lookups))
		return lookups;
	lookups_free(lookups);
	return NULL;
}

static void
drop_waiting(struct lookups *lookups)
{
	struct lookup *lookup;

	while ((lookup = STAILQ_FIRST(&lookups->waiting))) {
		STAILQ_REMOVE_HEAD(&lookups->waiting, link);
		free(lookup);
	}
}

void
lookups_free(struct lookups *lookups)
{
	bool is_last;

	if (!lookups)
		return;
	pthread_mutex_lock(&lookups->lock);
	lookups->is_closing = true;
	drop_waiting(lookups);
	pthread_cond_broadcast(&lookups->more);
	while (lookups->threads > lookups->asking)
		pthread_cond_wait(&lookups->gone, &lookups->lock);
	lookups->is_abandoned = true;
	is_last = lookups->threads == 0;
	pthread_mutex_unlock(&lookups->lock);
	if (is_last)
		destroy(lookups);
}

/* A thread that is awake and does not ask comes by itself.  Where the system refuses another one, those that
 * there are come to it later. */
static void
wake(struct lookups *lookups)
{
	if (lookups->queued > lookups->threads - lookups->asking)
		start_thread(lookups);
	else
		pthread_cond_signal(&lookups->more);
}

bool
lookups_begin(struct lookups *lookups, uint64_t number, const char *host)
{
	struct lookup *lookup = calloc(1, sizeof *lookup);
	bool has_room;

	if (!lookup)
		return false;
	lookup->number = number;
	snprintf(lookup->host, sizeof lookup->host, "%s", host);
	pthread_mutex_lock(&lookups->lock);
	has_room = lookups->count < LOOKUPS_MOST;
	if (has_room) {
		STAILQ_INSERT_TAIL(&lookups->waiting, lookup, link);
		lookups->count++;
		lookups->queued++;
		wake(lookups);
	}
	pthread_mutex_unlock(&lookups->lock);
	if (!has_room)
		free(lookup);
	return has_room;
}

bool
lookups_are_idle(struct lookups *lookups)
{
	bool is_idle;

	pthread_mutex_lock(&lookups->lock);
	is_idle = lookups->count == 0;
	pthread_mutex_unlock(&lookups->lock);
	return is_idle;
}
