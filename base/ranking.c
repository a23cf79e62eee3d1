/* Keeps items in the order of their counts.  There is a ring of items for each count, whose first item
 * is the oldest there; where no item has a count, 0 stands in place of a ring. */
#include "base/ranking.h"

void
ranking_init(struct ranking *ranking, const struct array *items, size_t offset)
{
	*ranking = (struct ranking){ .items = items, .offset = offset };
	array_init(&ranking->levels, sizeof(uint32_t));
}

void
ranking_wipe(struct ranking *ranking)
{
	array_wipe(&ranking->levels);
	ranking->most = 0;
}

bool
ranking_reserve(struct ranking *ranking, uint32_t count)
{
	return array_reserve(&ranking->levels, (size_t)count + 1);
}

static uint32_t *
level_of(const struct ranking *ranking, uint32_t count)
{
	return array_at(&ranking->levels, count);
}

static void
join_level(struct ranking *ranking, uint32_t index)
{
	struct rank *rank = ranking_at(ranking, index), *first;
	uint32_t *level = level_of(ranking, rank->count);

	if (rank->count > ranking->most)
		ranking->most = rank->count;
	if (*level == 0) {
		*level = rank->before = rank->after = index;
		return;
	}
	first = ranking_at(ranking, *level);
	rank->after = *level;
	rank->before = first->before;
	ranking_at(ranking, first->before)->after = index;
	first->before = index;
}

static void
leave_level(struct ranking *ranking, uint32_t index)
{
	struct rank *rank = ranking_at(ranking, index);
	uint32_t *level = level_of(ranking, rank->count);

	ranking_at(ranking, rank->before)->after = rank->after;
	ranking_at(ranking, rank->after)->before = rank->before;
	if (*level == index)
		*level = rank->after != index ? rank->after : 0;
}

void
ranking_raise(struct ranking *ranking, uint32_t index, uint32_t by)
{
	struct rank *rank = ranking_at(ranking, index);

	if (rank->count > 0)
		leave_level(ranking, index);
	rank->count += by;
	join_level(ranking, index);
}

/* When the only item at the top comes down, nobody is above its new level, so `most` follows in as many
 * steps at most. */
void
ranking_lower(struct ranking *ranking, uint32_t index, uint32_t by)
{
	struct rank *rank = ranking_at(ranking, index);

	leave_level(ranking, index);
	rank->count -= by;
	if (rank->count > 0)
		join_level(ranking, index);
	while (ranking->most > 0 && *level_of(ranking, ranking->most) == 0)
		ranking->most--;
	array_trim(&ranking->levels, (size_t)ranking->most + 1);
}

void
ranking_moved(struct ranking *ranking, uint32_t from, uint32_t to)
{
	struct rank *rank = ranking_at(ranking, to);
	uint32_t *level = level_of(ranking, rank->count);

	if (*level == from)
		*level = to;
	if (rank->after == from)
		rank->after = rank->before = to;
	ranking_at(ranking, rank->before)->after = to;
	ranking_at(ranking, rank->after)->before = to;
}

uint32_t
ranking_top(const struct ranking *ranking)
{
	return ranking->most > 0 ? *level_of(ranking, ranking->most) : 0;
}
