/*
 * The hosts of a resolver: what is known of each, which look-up begins next, and
 * who leaves when the places are taken.  resolver.h says by which rules, and who
 * shares them.  A plain value without a lock, a thread or a clock; resolver.c holds
 * its lock around every call.
 *
 *	known <--> queued --> at work --> known
 */
#ifndef BASE_RESOLVER_HOSTS_H
#define BASE_RESOLVER_HOSTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include "base/hash.h"
#include "base/resolved.h"

struct resolution;

enum {
	HOSTS_THREADS = 4, /* look up, and of more those are not counted that one name holds */
	HOSTS_THREADS_MOST = 32,
	HOSTS_STRANGE_THREADS = HOSTS_THREADS / 2,
	HOSTS_STRANGE_THREADS_MOST = HOSTS_THREADS_MOST / 2,
	HOSTS_HELD_MS = 100, /* from then on a look-up takes no place of the four */
	HOSTS_LOOKUPS_MOST = 256,
	HOSTS_KNOWN_MOST = 256,
};

enum host_state { HOST_KNOWN, HOST_QUEUED, HOST_AT_WORK, HOST_STATES };

TAILQ_HEAD(host_list, host);
LIST_HEAD(resolution_list, resolution);

struct host {
	struct hash_link link;
	TAILQ_ENTRY(host) place; /* in the list of its state */
	enum host_state state;
	struct resolution_list waiting; /* resolver.c: who asks */
	bool is_strange;                /* only strangers have chosen it */
	bool is_refresh;                /* queued, although nobody may wait for it */
	bool was_quick;                 /* the last time */
	bool began_slow;                /* the look-up at work is one of a slow name */
	uint64_t began_ms;              /* the last look-up */
	uint64_t number;                /* of that look-up; no other ever has it */
	uint64_t slow_until_ms;
	struct resolved resolved;
	char name[HOST_BYTES];
};

struct hosts {
	struct table table;
	struct host_list lists[HOST_STATES]; /* known: the longest not asked for first */
	unsigned counts[HOST_STATES];
	unsigned strange[HOST_STATES]; /* of these */
	uint64_t begun;                /* look-ups, ever */
};

/* False: memory is short. */
bool hosts_init(struct hosts *);
/* Frees every host, whoever waits for it. */
void hosts_wipe(struct hosts *);

struct host *hosts_find(const struct hosts *, const char *name);
/* Somebody asks for the name, a stranger or we ourselves.  NULL: memory is short. */
struct host *hosts_ask(struct hosts *, const char *name, bool is_strange);
/* To the end of the list of a state. May free other known hosts. */
void hosts_move(struct hosts *, struct host *, enum host_state);

/* Whether it took 1 s or longer the last time, within the last minute. */
bool host_is_slow(const struct host *, uint64_t now_ms);
/* The one whose look-up is to begin now, or NULL. */
struct host *hosts_next(const struct hosts *, uint64_t now_ms);
void hosts_begin(struct hosts *, struct host *, uint64_t now_ms);
/* Whose look-up at work has this number, or NULL. */
struct host *hosts_at_work(const struct hosts *, uint64_t number);
/* What its look-up has found; the host stays at work. */
void host_learn(struct host *, const struct answer *, uint64_t now_ms);

/* Whether the newcomer may be queued.  *leaving (NULL: nobody) has to leave the queue for it: a refresh,
 * else a slow name, but neither leaves for another of its own kind. */
bool hosts_have_room(
    const struct hosts *, const struct host *newcomer, uint64_t now_ms, struct host **leaving);

#endif
