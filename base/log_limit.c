/*
 * Counts the lines of each event and client block, and says which of them are suppressed.
 *
 * All windows are equally long, so they end in the order in which they began: they stand in a ring,
 * and chains lead from a keyed hash to those that are open.  A call opens two windows at most and
 * clears two that have ended, so that nobody ever clears many at once but the writer.
 *
 * Each event has a window that all clients share, which bounds its lines in all.  The lines that tell
 * what was suppressed count too: so many blocks are told by name, and the others in one line.
 *
 * Minutes of parties are equally long, too, and stand in a ring of their own.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "base/address.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log_private.h"

enum {
	WINDOWS = LOG_LIMIT_WINDOWS,
	SHARED_WINDOWS = 32, /* of these: only for windows that all clients share */
	CHAINS = 1024,
	WINDOW_MS = 1000,
	PARTY_MS = 60000,
	LINES_MOST = 30, /* of one block in a window */
	TOLD_MOST = 9,   /* blocks that are told by name while the shared window is open */
	EVENT_LINES_MOST = LOG_LIMIT_EVENT_LINES - TOLD_MOST - 1, /* of all */
};

struct window {
	const char *event;   /* NULL: has ended and was told, but has its place still */
	struct prefix block; /* {0}: shared */
	enum log_level level;
	uint64_t end_ms, lines, suppressed;
	uint64_t all_lines, told; /* shared: of all blocks, and how many of those were told of */
	struct window *next;      /* in the chain */
};

/* Somebody who has proven who he is, for a minute from his first line on. */
struct party {
	uint64_t who, end_ms;
	unsigned lines;
};

static struct limiter {
	pthread_mutex_t lock;
	bool has_key;
	uint8_t key[16];
	size_t first, count;
	struct window windows[WINDOWS];
	struct window *chains[CHAINS];
	size_t first_party, party_count;
	struct party parties[LOG_LIMIT_PARTIES];
} limiter = { .lock = PTHREAD_MUTEX_INITIALIZER };

static const struct prefix shared = { 0 };
static atomic_bool is_open;

/* ---- under the lock ---- */

static struct window **
chain_of(const char *event, const struct prefix *block)
{
	uint64_t hash;

	if (!limiter.has_key)
		arc4random_buf(limiter.key, sizeof limiter.key);
	limiter.has_key = true;
	hash = prefix_hash(block, limiter.key) ^ hash_bytes(limiter.key, event, strlen(event));
	return &limiter.chains[hash % CHAINS];
}

static struct window *
find(const char *event, const struct prefix *block)
{
	struct window *window = *chain_of(event, block);

	while (
	    window && (strcmp(window->event, event) != 0 || !prefix_equals(&window->block, block)))
		window = window->next;
	return window;
}

/* Gives what is to be told of it; the window keeps its place. */
static struct window
end(struct window *window)
{
	struct window **at = chain_of(window->event, &window->block), ended = *window;

	while (*at != window)
		at = &(*at)->next;
	*at = window->next;
	window->event = NULL;
	return ended;
}

static struct window *
open_window(enum log_level level, const char *event, const struct prefix *block, uint64_t now_ms)
{
	struct window *window = &limiter.windows[(limiter.first + limiter.count) % WINDOWS];
	struct window **chain = chain_of(event, block);

	*window = (struct window){ .event = event,
		.block = *block,
		.level = level,
		.end_ms = now_ms + WINDOW_MS,
		.next = *chain };
	*chain = window;
	limiter.count++;
	atomic_store(&is_open, true);
	return window;
}

static bool
has_room(const struct prefix *block)
{
	return limiter.count < (block->family != 0 ? WINDOWS - SHARED_WINDOWS : WINDOWS);
}

/* What is to be told of a window that has ended.  Beyond some blocks of an event only how much all of
 * them were is told, when the shared window ends. */
static struct log_suppressed
tell(const struct window *ended, uint64_t now_ms)
{
	struct log_suppressed suppressed = { .level = ended->level,
		.event = ended->event,
		.block = ended->block,
		.lines = ended->suppressed };
	struct window *all;

	if (ended->suppressed == 0 || ended->block.family == 0)
		return suppressed;
	all = find(ended->event, &shared);
	if (!all && has_room(&shared))
		all = open_window(ended->level, ended->event, &shared, now_ms);
	if (all && all->told == TOLD_MOST) {
		all->suppressed += ended->suppressed;
		suppressed.lines = 0;
	} else if (all) {
		all->told++;
	}
	return suppressed;
}

/* The first window, if it has ended (or if all must). False if there is none. */
static bool
clear_first(uint64_t now_ms, bool all, struct window *ended)
{
	struct window *first = &limiter.windows[limiter.first];

	*ended = (struct window){ 0 };
	if (limiter.count == 0 || (!all && first->end_ms > now_ms))
		return false;
	if (first->event)
		*ended = end(first);
	limiter.first = (limiter.first + 1) % WINDOWS;
	limiter.count--;
	atomic_store(&is_open, limiter.count > 0);
	return true;
}

/* The window for a line, opened if need be, or NULL where there is no room; what has ended by that
 * is in `ended`. */
static struct window *
window_for(enum log_level level, const char *event, const struct prefix *block, uint64_t now_ms,
    struct window *ended)
{
	struct window *window = find(event, block);

	if (window && window->end_ms > now_ms)
		return window;
	if (window)
		*ended = end(window);
	return has_room(block) ? open_window(level, event, block, now_ms) : NULL;
}

/* Half of what is left is for those who come later: so the first blocks do not take it all. */
static bool
has_line(const struct window *window, const struct window *all)
{
	uint64_t left = EVENT_LINES_MOST - all->all_lines;

	return left > 0 && window->lines < LINES_MOST &&
	    (window == all || 2 * window->lines <= left);
}

static bool
count_line(struct window *window, struct window *all, bool may_pass)
{
	if (!window || !all)
		return false;
	if (!may_pass || !has_line(window, all)) {
		window->suppressed++;
		return false;
	}
	window->lines++;
	all->all_lines++;
	return true;
}

static struct party *
party_at(size_t i)
{
	return &limiter.parties[(limiter.first_party + i) % LOG_LIMIT_PARTIES];
}

static void
forget_parties(uint64_t now_ms)
{
	while (limiter.party_count > 0 && party_at(0)->end_ms <= now_ms) {
		limiter.first_party = (limiter.first_party + 1) % LOG_LIMIT_PARTIES;
		limiter.party_count--;
	}
}

/* NULL when there is no room. */
static struct party *
party_of(uint64_t who, uint64_t now_ms)
{
	struct party *party;

	forget_parties(now_ms);
	for (size_t i = 0; i < limiter.party_count; i++)
		if (party_at(i)->who == who)
			return party_at(i);
	if (limiter.party_count == LOG_LIMIT_PARTIES)
		return NULL;
	party = party_at(limiter.party_count++);
	*party = (struct party){ .who = who, .end_ms = now_ms + PARTY_MS };
	return party;
}

/* ---- outside ---- */

enum log_party
log_limit_party(uint64_t who)
{
	enum log_party verdict = LOG_PARTY_UNKNOWN;
	struct party *party;

	pthread_mutex_lock(&limiter.lock);
	party = party_of(who, clock_ms());
	if (party)
		verdict =
		    party->lines++ < LOG_LIMIT_PARTY_LINES ? LOG_PARTY_TOLD : LOG_PARTY_SUPPRESSED;
	pthread_mutex_unlock(&limiter.lock);
	return verdict;
}

bool
log_limit_passes(enum log_level level, const char *event, const struct address *client,
    bool may_pass, struct log_suppressed suppressed[LOG_LIMIT_ENDED])
{
	struct prefix block = client ? prefix_block(client, BLOCK_HOST) : shared;
	struct window ended = { 0 }, shared_ended = { 0 }, *window = NULL, *all;
	uint64_t now_ms = clock_ms();
	bool passes;

	pthread_mutex_lock(&limiter.lock);
	all = window_for(level, event, &shared, now_ms, &shared_ended);
	if (block.family != 0)
		window = window_for(level, event, &block, now_ms, &ended);
	passes = count_line(window ? window : all, all, may_pass);
	suppressed[0] = tell(&ended, now_ms);
	suppressed[1] = tell(&shared_ended, now_ms);
	pthread_mutex_unlock(&limiter.lock);
	return passes;
}

bool
log_limit_end_first(bool all, struct log_suppressed *suppressed)
{
	struct window ended;
	uint64_t now_ms = clock_ms();
	bool has_ended;

	pthread_mutex_lock(&limiter.lock);
	has_ended = clear_first(now_ms, all, &ended);
	*suppressed = tell(&ended, now_ms);
	pthread_mutex_unlock(&limiter.lock);
	return has_ended;
}

bool
log_limit_is_open(void)
{
	return atomic_load(&is_open);
}

void
log_limit_lock(void)
{
	pthread_mutex_lock(&limiter.lock);
}

void
log_limit_unlock(void)
{
	pthread_mutex_unlock(&limiter.lock);
}

void
log_limit_leave_parent(void)
{
	memset(limiter.chains, 0, sizeof limiter.chains);
	limiter.first = limiter.count = 0;
	limiter.first_party = limiter.party_count = 0;
	atomic_store(&is_open, false);
	pthread_mutex_unlock(&limiter.lock);
}
