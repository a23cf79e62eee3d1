/*
 * All windows are equally long, so they end in the order in which they began: they stand in a ring,
 * and chains lead from a keyed hash to those that are open.  A call opens one window at most and
 * clears two that have ended, so that nobody ever clears many at once but the writer.
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
	LINES_MOST = 30, /* in a window */
};

struct window {
	const char *event;   /* NULL: has ended and was told, but has its place still */
	struct prefix block; /* {0}: shared */
	enum log_level level;
	uint64_t end_ms, lines, suppressed;
	struct window *next; /* in the chain */
};

static struct limiter {
	pthread_mutex_t lock;
	bool has_key;
	uint8_t key[16];
	size_t first, count;
	struct window windows[WINDOWS];
	struct window *chains[CHAINS];
} limiter = { .lock = PTHREAD_MUTEX_INITIALIZER };

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

static bool
count_line(struct window *window)
{
	if (!window)
		return false;
	if (window->lines == LINES_MOST) {
		window->suppressed++;
		return false;
	}
	window->lines++;
	return true;
}

/* ---- outside ---- */

static struct log_suppressed
suppressed_in(const struct window *ended)
{
	return (struct log_suppressed){ .level = ended->level,
		.event = ended->event,
		.block = ended->block,
		.lines = ended->suppressed };
}

bool
log_limit_passes(enum log_level level, const char *event, const struct address *client,
    struct log_suppressed suppressed[LOG_LIMIT_ENDED])
{
	static const struct prefix shared = { 0 };
	struct prefix block = client ? prefix_block(client, BLOCK_HOST) : shared;
	struct window ended = { 0 }, shared_ended = { 0 }, *window;
	uint64_t now_ms = clock_ms();
	bool passes;

	pthread_mutex_lock(&limiter.lock);
	window = window_for(level, event, &block, now_ms, &ended);
	if (!window)
		window = window_for(level, event, &shared, now_ms, &shared_ended);
	passes = count_line(window);
	pthread_mutex_unlock(&limiter.lock);
	suppressed[0] = suppressed_in(&ended);
	suppressed[1] = suppressed_in(&shared_ended);
	return passes;
}

bool
log_limit_end_first(bool all, struct log_suppressed *suppressed)
{
	struct window ended;
	bool has_ended;

	pthread_mutex_lock(&limiter.lock);
	has_ended = clear_first(clock_ms(), all, &ended);
	pthread_mutex_unlock(&limiter.lock);
	*suppressed = suppressed_in(&ended);
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
	atomic_store(&is_open, false);
	pthread_mutex_unlock(&limiter.lock);
}
