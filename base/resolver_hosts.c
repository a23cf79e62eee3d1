/* Which host is in which state, and the two orders: of beginning, and of leaving. */
#include "base/resolver_hosts.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/resolver.h"

enum {
	SLOW_MS = 1000,
	SLOW_KEPT_MS = 60000, /* a slow name is forgiven: its server may be back */
};

static void
list_in(struct hosts *hosts, struct host *host)
{
	TAILQ_INSERT_TAIL(&hosts->lists[host->state], host, place);
	hosts->counts[host->state]++;
	hosts->strange[host->state] += host->is_strange;
}

static void
list_out(struct hosts *hosts, struct host *host)
{
	TAILQ_REMOVE(&hosts->lists[host->state], host, place);
	hosts->counts[host->state]--;
	hosts->strange[host->state] -= host->is_strange;
}

static void
free_host(struct hosts *hosts, struct host *host)
{
	list_out(hosts, host);
	table_remove(&hosts->table, &host->link);
	free(host);
}

/* The longest not asked for, among those with the property. The last one is just being asked for. */
static struct host *
find_oldest(struct hosts *hosts, bool (*has_property)(const struct host *))
{
	struct host *host = TAILQ_FIRST(&hosts->lists[HOST_KNOWN]);

	while (host && !has_property(host))
		host = TAILQ_NEXT(host, place);
	return host == TAILQ_LAST(&hosts->lists[HOST_KNOWN], host_list) ? NULL : host;
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
forget_strange(struct hosts *hosts)
{
	struct host *host = find_oldest(hosts, is_strange_without_answer);

	if (!host)
		host = find_oldest(hosts, is_strange);
	if (host)
		free_host(hosts, host);
}

void
hosts_move(struct hosts *hosts, struct host *host, enum host_state state)
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
	list_out(hosts, host);
	host->state = state;
	list_in(hosts, host);
	if (hosts->strange[HOST_KNOWN] > RESOLVER_STRANGE_MOST)
		forget_strange(hosts);
	if (hosts->counts[HOST_KNOWN] > HOSTS_KNOWN_MOST)
		free_host(hosts, TAILQ_FIRST(&hosts->lists[HOST_KNOWN]));
}

static bool
has_name(const struct hash_link *link, const void *name)
{
	return strcmp(container_of(link, const struct host, link)->name, name) == 0;
}

struct host *
hosts_find(const struct hosts *hosts, const char *name)
{
	uint64_t hash = table_hash(&hosts->table, name, strlen(name));
	struct hash_link *link = table_find(&hosts->table, hash, has_name, name);

	return link ? container_of(link, struct host, link) : NULL;
}

static struct host *
new_host(struct hosts *hosts, const char *name, bool is_strange)
{
	struct host *host = calloc(1, sizeof *host);

	if (!host)
		return NULL;
	snprintf(host->name, sizeof host->name, "%s", name);
	LIST_INIT(&host->waiting);
	host->is_strange = is_strange;
	list_in(hosts, host);
	table_add(
	    &hosts->table, &host->link, table_hash(&hosts->table, host->name, strlen(host->name)));
	return host;
}

/* We want it, too. */
static void
own(struct hosts *hosts, struct host *host)
{
	hosts->strange[host->state] -= host->is_strange;
	host->is_strange = false;
}

struct host *
hosts_ask(struct hosts *hosts, const char *name, bool is_strange)
{
	struct host *host = hosts_find(hosts, name);

	if (!host && !(host = new_host(hosts, name, is_strange)))
		return NULL;
	if (!is_strange)
		own(hosts, host);
	if (host->state == HOST_KNOWN)
		hosts_move(hosts, host, HOST_KNOWN);
	return host;
}

/* ---- which look-up begins next ---- */

bool
host_is_slow(const struct host *host, uint64_t now_ms)
{
	return now_ms < host->slow_until_ms;
}

/* Counts the threads at work and those of them that no name holds, in all and at names that strangers
 * chose, and says whether a slow name is at work, of ours [0] and of theirs [1]. */
struct load {
	unsigned all, prompt;
	unsigned strange, strange_prompt;
	bool has_slow[2];
};

static struct load
load_of(const struct hosts *hosts, uint64_t now_ms)
{
	struct load load = { .all = hosts->counts[HOST_AT_WORK],
		.strange = hosts->strange[HOST_AT_WORK] };
	const struct host *host;

	TAILQ_FOREACH(host, &hosts->lists[HOST_AT_WORK], place) {
		bool is_prompt = now_ms - host->began_ms < HOSTS_HELD_MS;

		load.prompt += is_prompt;
		load.strange_prompt += is_prompt && host->is_strange;
		load.has_slow[host->is_strange] |= host->began_slow;
	}
	return load;
}

static bool
may_begin(const struct host *host, const struct load *load, uint64_t now_ms)
{
	if (host_is_slow(host, now_ms) && load->has_slow[host->is_strange])
		return false;
	if (host->is_strange &&
	    (load->strange >= HOSTS_STRANGE_THREADS_MOST ||
		load->strange_prompt >= HOSTS_STRANGE_THREADS))
		return false;
	if (LIST_EMPTY(&host->waiting))
		return load->all < HOSTS_THREADS;
	return load->all < (host->was_quick ? HOSTS_THREADS_MOST : HOSTS_THREADS_MOST - 1);
}

/* The smallest first. */
static int
rank(const struct host *host, uint64_t now_ms)
{
	return (host_is_slow(host, now_ms) ? 4 : 0) + (LIST_EMPTY(&host->waiting) ? 2 : 0) +
	    (host->was_quick ? 0 : 1);
}

struct host *
hosts_next(const struct hosts *hosts, uint64_t now_ms)
{
	struct load load = load_of(hosts, now_ms);
	struct host *host, *best = NULL;

	if (load.prompt >= HOSTS_THREADS)
		return NULL;
	TAILQ_FOREACH(host, &hosts->lists[HOST_QUEUED], place) {
		if (may_begin(host, &load, now_ms) &&
		    (!best || rank(host, now_ms) < rank(best, now_ms)))
			best = host;
	}
	return best;
}

void
hosts_begin(struct hosts *hosts, struct host *host, uint64_t now_ms)
{
	host->began_ms = now_ms;
	host->began_slow = host_is_slow(host, now_ms);
	host->is_refresh = false;
	host->number = ++hosts->begun;
	hosts_move(hosts, host, HOST_AT_WORK);
}

struct host *
hosts_at_work(const struct hosts *hosts, uint64_t number)
{
	struct host *host;

	TAILQ_FOREACH(host, &hosts->lists[HOST_AT_WORK], place)
		if (host->number == number)
			return host;
	return NULL;
}

void
host_learn(struct host *host, const struct answer *answer, uint64_t now_ms)
{
	host->was_quick = now_ms - host->began_ms < SLOW_MS;
	host->slow_until_ms = host->was_quick ? 0 : now_ms + SLOW_KEPT_MS;
	resolved_learn(&host->resolved, answer, now_ms);
}

/* ---- who leaves the queue ---- */

enum dispensable { NEEDED, SLOW, REFRESH };

static enum dispensable
dispensable(const struct host *host, uint64_t now_ms)
{
	if (LIST_EMPTY(&host->waiting))
		return REFRESH;
	return host_is_slow(host, now_ms) ? SLOW : NEEDED;
}

/* NULL: nobody gives way to it. */
static struct host *
find_leaving(const struct hosts *hosts, const struct host *newcomer, uint64_t now_ms)
{
	enum dispensable most = host_is_slow(newcomer, now_ms) ? SLOW : NEEDED;
	struct host *host, *leaving = NULL;

	TAILQ_FOREACH(host, &hosts->lists[HOST_QUEUED], place) {
		if (dispensable(host, now_ms) > most) {
			leaving = host;
			most = dispensable(host, now_ms);
		}
	}
	return leaving;
}

bool
hosts_have_room(
    const struct hosts *hosts, const struct host *newcomer, uint64_t now_ms, struct host **leaving)
{
	*leaving = NULL;
	if (newcomer->is_strange &&
	    hosts->strange[HOST_QUEUED] + hosts->strange[HOST_AT_WORK] >= RESOLVER_STRANGE_MOST)
		return false;
	if (hosts->counts[HOST_QUEUED] + hosts->counts[HOST_AT_WORK] < HOSTS_LOOKUPS_MOST)
		return true;
	if (!newcomer->is_refresh)
		*leaving = find_leaving(hosts, newcomer, now_ms);
	return *leaving != NULL;
}

/* ---- life ---- */

bool
hosts_init(struct hosts *hosts)
{
	*hosts = (struct hosts){ 0 };
	for (int i = 0; i < HOST_STATES; i++)
		TAILQ_INIT(&hosts->lists[i]);
	return table_init(&hosts->table);
}

static void
free_each(struct hash_link *link, void *arg)
{
	(void)arg;
	free(container_of(link, struct host, link));
}

void
hosts_wipe(struct hosts *hosts)
{
	table_each(&hosts->table, free_each, NULL);
	table_wipe(&hosts->table);
}
