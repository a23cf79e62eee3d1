/* The challenges that are under way, and which relays have accepted them. */
#include "agent/challenge.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "sni/name.h"
#include "tunnel/tls.h"

/* Endpoints count from below. */
enum { NUMBERS = 0x7fffffff };
#define FIRST_NUMBER UINT32_C(0x80000000)

struct challenge {
	LIST_ENTRY(challenge) link;
	struct challenges *all;
	uint32_t number;
	bool is_ready;
	struct tls_config *tls;
	void (*on_ready)(void *arg);
	void *arg;
	char name[NAME_SIZE];
};

/* The list is the main thread's; who changes it has the lock, and so have readers in other threads. */
struct challenges {
	struct loop *loop;
	pthread_mutex_t lock;
	LIST_HEAD(, challenge) list;
	_Atomic unsigned count;
	uint32_t made; /* numbers given */
	LIST_HEAD(, challenge_relay) relays;
	struct task look;
	void (*on_change)(void *arg);
	void *arg;
};

/* ---- whether relays have accepted ---- */

bool
challenge_obstacle(const struct challenge *challenge, char why[CHALLENGE_ERROR])
{
	struct challenge_relay *relay;

	snprintf(why, CHALLENGE_ERROR, "no relay is connected");
	if (LIST_EMPTY(&challenge->all->relays))
		return true;
	LIST_FOREACH(relay, &challenge->all->relays, link)
		if (!relay->has_accepted(relay->arg, challenge->number, why))
			return true;
	why[0] = '\0';
	return false;
}

/* One that has become ready and was not told. */
static struct challenge *
find_ready(const struct challenges *challenges)
{
	struct challenge *challenge;
	char why[CHALLENGE_ERROR];

	LIST_FOREACH(challenge, &challenges->list, link)
		if (!challenge->is_ready && !challenge_obstacle(challenge, why))
			return challenge;
	return NULL;
}

/* Whoever is told may end this one and others, and start new ones. */
static void
look(void *arg)
{
	struct challenges *challenges = arg;
	struct challenge *ready;

	while ((ready = find_ready(challenges))) {
		ready->is_ready = true;
		ready->on_ready(ready->arg);
	}
}

void
challenges_look(struct challenges *challenges)
{
	if (challenges)
		loop_later(challenges->loop, &challenges->look);
}

void
challenges_join(struct challenges *challenges, struct challenge_relay *relay)
{
	if (challenges)
		LIST_INSERT_HEAD(&challenges->relays, relay, link);
}

/* Perhaps it was the last one that others waited for. */
void
challenges_leave(struct challenges *challenges, struct challenge_relay *relay)
{
	if (!challenges || !relay->has_accepted)
		return;
	LIST_REMOVE(relay, link);
	challenges_look(challenges);
}

/* ---- which there are ---- */

const struct challenge *
challenges_next(const struct challenges *challenges, const struct challenge *challenge)
{
	if (!challenges)
		return NULL;
	return challenge ? LIST_NEXT(challenge, link) : LIST_FIRST(&challenges->list);
}

const struct challenge *
challenges_numbered(const struct challenges *challenges, uint32_t number)
{
	const struct challenge *at = challenges_next(challenges, NULL);

	while (at && at->number != number)
		at = LIST_NEXT(at, link);
	return at;
}

uint32_t
challenge_number(const struct challenge *challenge)
{
	return challenge->number;
}

const char *
challenge_name(const struct challenge *challenge)
{
	return challenge->name;
}

static struct challenge *
find(const struct challenges *challenges, const char *name)
{
	struct challenge *challenge;

	LIST_FOREACH(challenge, &challenges->list, link)
		if (strcmp(challenge->name, name) == 0)
			return challenge;
	return NULL;
}

bool
challenges_are_any(struct challenges *challenges)
{
	return challenges && atomic_load(&challenges->count) > 0;
}

struct tls_config *
challenges_find(struct challenges *challenges, const char *name)
{
	struct tls_config *tls = NULL;
	struct challenge *challenge;

	if (!challenges_are_any(challenges))
		return NULL;
	pthread_mutex_lock(&challenges->lock);
	challenge = find(challenges, name);
	if (challenge)
		tls = tls_config_hold(challenge->tls);
	pthread_mutex_unlock(&challenges->lock);
	return tls;
}

/* ---- life ---- */

static void
tell_change(struct challenges *challenges)
{
	if (challenges->on_change)
		challenges->on_change(challenges->arg);
	challenges_look(challenges);
}

static void
add(struct challenges *challenges, struct challenge *challenge)
{
	challenge->all = challenges;
	challenge->number = FIRST_NUMBER + challenges->made++ % NUMBERS;
	pthread_mutex_lock(&challenges->lock);
	LIST_INSERT_HEAD(&challenges->list, challenge, link);
	atomic_fetch_add(&challenges->count, 1);
	pthread_mutex_unlock(&challenges->lock);
	tell_change(challenges);
}

/* False with a sentence. */
static bool
may_start(const struct challenges *challenges, const char *name, char error[CHALLENGE_ERROR])
{
	char normal[NAME_SIZE];

	if (!name_normalise_served(normal, name, strlen(name)) || strcmp(normal, name) != 0 ||
	    name_is_wildcard(name))
		snprintf(error, CHALLENGE_ERROR,
		    "'%.253s' is not a server name that tls-alpn-01 can prove; it takes exact ones only",
		    name);
	else if (find(challenges, name))
		snprintf(
		    error, CHALLENGE_ERROR, "a challenge of '%.253s' is under way already", name);
	else if (challenges->count >= CHALLENGES_MOST)
		snprintf(
		    error, CHALLENGE_ERROR, "%d challenges are under way already", CHALLENGES_MOST);
	else
		return true;
	return false;
}

struct challenge *
challenge_start(struct challenges *challenges, const char *name,
    const uint8_t digest[CHALLENGE_DIGEST], void (*on_ready)(void *arg), void *arg,
    char error[CHALLENGE_ERROR])
{
	struct challenge *challenge;

	if (!may_start(challenges, name, error))
		return NULL;
	challenge = calloc(1, sizeof *challenge);
	if (!challenge) {
		snprintf(error, CHALLENGE_ERROR, "memory is short");
		return NULL;
	}
	snprintf(challenge->name, sizeof challenge->name, "%s", name);
	challenge->on_ready = on_ready;
	challenge->arg = arg;
	challenge->tls = challenge_certificate_new(name, digest, error);
	if (!challenge->tls) {
		free(challenge);
		return NULL;
	}
	add(challenges, challenge);
	return challenge;
}

void
challenge_end(struct challenge *challenge)
{
	struct challenges *challenges;

	if (!challenge)
		return;
	challenges = challenge->all;
	pthread_mutex_lock(&challenges->lock);
	LIST_REMOVE(challenge, link);
	atomic_fetch_sub(&challenges->count, 1);
	pthread_mutex_unlock(&challenges->lock);
	tls_config_release(challenge->tls);
	free(challenge);
	tell_change(challenges);
}

struct challenges *
challenges_new(struct loop *loop)
{
	struct challenges *challenges = calloc(1, sizeof *challenges);

	if (!challenges)
		return NULL;
	challenges->loop = loop;
	pthread_mutex_init(&challenges->lock, NULL);
	LIST_INIT(&challenges->list);
	LIST_INIT(&challenges->relays);
	task_init(&challenges->look, look, challenges);
	return challenges;
}

void
challenges_set_owner(struct challenges *challenges, void (*on_change)(void *arg), void *arg)
{
	challenges->on_change = on_change;
	challenges->arg = arg;
}

void
challenges_free(struct challenges *challenges)
{
	if (!challenges)
		return;
	loop_forget(challenges->loop, &challenges->look);
	pthread_mutex_destroy(&challenges->lock);
	free(challenges);
}
