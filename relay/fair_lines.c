/* Lines of hosts in lines of networks in one line, each with its turns. */
#include "relay/fair_lines.h"

#include <stdlib.h>

bool
fair_lines_init(struct fair_lines *lines, uint64_t most)
{
	*lines = (struct fair_lines){ .most = most, .all.held = 1 };
	TAILQ_INIT(&lines->all.turns);
	return table_init(&lines->table);
}

void
fair_lines_wipe(struct fair_lines *lines)
{
	table_wipe(&lines->table);
}

static bool
has_block(const struct hash_link *at, const void *block)
{
	return prefix_equals(&container_of(at, const struct fair_line, link)->block, block);
}

/* The line of this block, held; NULL when memory is short. */
static struct fair_line *
line_of(struct fair_lines *lines, const struct prefix *block, struct fair_line *above)
{
	uint64_t hash = prefix_hash(block, lines->table.key);
	struct hash_link *at = table_find(&lines->table, hash, has_block, block);
	struct fair_line *line = at ? container_of(at, struct fair_line, link) : NULL;

	if (!line && (line = calloc(1, sizeof *line))) {
		line->block = *block;
		line->above = above;
		above->held++;
		TAILQ_INIT(&line->turns);
		TAILQ_INIT(&line->waiters);
		table_add(&lines->table, &line->link, hash);
	}
	if (line)
		line->held++;
	return line;
}

static void
line_release(struct fair_lines *lines, struct fair_line *line)
{
	while (line && --line->held == 0) {
		struct fair_line *above = line->above;

		table_remove(&lines->table, &line->link);
		free(line);
		line = above;
	}
}

/* Gives the waiter the line of his host; false when memory is short. */
static bool
find_line(struct fair_lines *lines, struct fair_waiter *waiter)
{
	const struct address client = address_of_ip(&waiter->client);
	const struct prefix network = prefix_block(&client, BLOCK_NETWORK);
	const struct prefix host = prefix_block(&client, BLOCK_HOST);
	struct fair_line *above;

	if (waiter->line)
		return true;
	above = line_of(lines, &network, &lines->all);
	if (above)
		waiter->line = line_of(lines, &host, above);
	line_release(lines, above);
	return waiter->line;
}

/* No line may be longer than the places that those above it have left. */
static bool
is_too_long(const struct fair_lines *lines, const struct fair_line *line)
{
	uint64_t most = lines->most, sum = 0;

	for (; line; line = line->above)
		sum += line->waiting;
	return most > 0 && sum >= most;
}

/* One more waits in this line, behind the others of the line above or before them. */
static void
wait_in(struct fair_line *line, bool is_next)
{
	bool has_turn = line->waiting++ > 0;

	if (has_turn && is_next)
		TAILQ_REMOVE(&line->above->turns, line, turn);
	if (is_next)
		TAILQ_INSERT_HEAD(&line->above->turns, line, turn);
	else if (!has_turn)
		TAILQ_INSERT_TAIL(&line->above->turns, line, turn);
}

enum fair_verdict
fair_lines_admit(struct fair_lines *lines, struct fair_waiter *waiter, bool is_new)
{
	if (!find_line(lines, waiter))
		return FAIR_NO_MEMORY;
	return is_new && is_too_long(lines, waiter->line) ? FAIR_TOO_LONG : FAIR_FINE;
}

void
fair_lines_enter(struct fair_lines *lines, struct fair_waiter *waiter, bool is_next)
{
	struct fair_line *line = waiter->line;

	if (is_next)
		TAILQ_INSERT_HEAD(&line->waiters, waiter, link);
	else
		TAILQ_INSERT_TAIL(&line->waiters, waiter, link);
	for (; line->above; line = line->above)
		wait_in(line, is_next);
	lines->all.waiting++;
}

void
fair_lines_leave(struct fair_lines *lines, struct fair_waiter *waiter)
{
	struct fair_line *line = waiter->line;

	TAILQ_REMOVE(&line->waiters, waiter, link);
	for (; line->above; line = line->above)
		if (--line->waiting == 0)
			TAILQ_REMOVE(&line->above->turns, line, turn);
	lines->all.waiting--;
}

/* Out of the line below whose turn it is, which goes behind the others. */
static struct fair_line *
next_below(struct fair_line *line)
{
	struct fair_line *next = TAILQ_FIRST(&line->turns);

	TAILQ_REMOVE(&line->turns, next, turn);
	TAILQ_INSERT_TAIL(&line->turns, next, turn);
	return next;
}

struct fair_waiter *
fair_lines_next(struct fair_lines *lines)
{
	struct fair_line *line = &lines->all;
	struct fair_waiter *waiter;

	if (line->waiting == 0)
		return NULL;
	while (!TAILQ_EMPTY(&line->turns))
		line = next_below(line);
	waiter = TAILQ_FIRST(&line->waiters);
	fair_lines_leave(lines, waiter);
	return waiter;
}

void
fair_lines_forget(struct fair_lines *lines, struct fair_waiter *waiter)
{
	line_release(lines, waiter->line);
	waiter->line = NULL;
}

uint64_t
fair_lines_waiting(const struct fair_lines *lines)
{
	return lines->all.waiting;
}
