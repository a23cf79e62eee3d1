/*
 * How grants limit each other: the minimum of two.
 */
#include "pki/grant.h"

#include <string.h>

/* Two networks are nested or have nothing in common: the smaller one, or NULL. */
static const struct prefix *
source_in_both(const struct prefix *a, const struct prefix *b)
{
	return prefix_covers(a, b) ? b : prefix_covers(b, a) ? a : NULL;
}

static bool
has_source(const struct prefix *list, size_t count, const struct prefix *source)
{
	for (size_t i = 0; i < count; i++)
		if (prefix_equals(&list[i], source))
			return true;
	return false;
}

/* What does not fit into 64 networks is left out: that allows less, never more. */
static bool
limit_sources(struct grant *effective, const struct grant *ceiling)
{
	struct prefix both[GRANT_LIST] = { 0 };
	size_t count = 0;
	for (size_t i = 0; i < effective->source_count; i++)
		for (size_t k = 0; k < ceiling->source_count && count < GRANT_LIST; k++) {
			const struct prefix *source =
			    source_in_both(&effective->sources[i], &ceiling->sources[k]);
			if (source && !has_source(both, count, source))
				both[count++] = *source;
		}
	memcpy(effective->sources, both, sizeof both);
	effective->source_count = count;
	return count > 0;
}

static bool
limit_regions(struct grant *effective, const struct grant *ceiling)
{
	size_t count = 0;
	for (size_t i = 0; i < effective->region_count; i++)
		if (grant_has_region(ceiling, effective->regions[i]))
			memmove(effective->regions[count++], effective->regions[i],
			    sizeof effective->regions[i]);
	effective->region_count = count;
	return count > 0;
}

/* 0 is no limit, hence the largest. */
static uint32_t
lower_limit(uint32_t a, uint32_t b)
{
	return a - 1 < b - 1 ? a : b;
}

bool
grant_limits_apply(struct grant *effective, const struct grant *ceiling)
{
	effective->shared = effective->shared && ceiling->shared;
	effective->any_depth = effective->any_depth && ceiling->any_depth;
	effective->max_flows = lower_limit(effective->max_flows, ceiling->max_flows);
	effective->max_sessions = lower_limit(effective->max_sessions, ceiling->max_sessions);
	bool some = true;
	if (ceiling->source_count > 0 && effective->source_count > 0)
		some = limit_sources(effective, ceiling);
	else if (ceiling->source_count > 0) {
		memcpy(effective->sources, ceiling->sources, sizeof effective->sources);
		effective->source_count = ceiling->source_count;
	}
	if (ceiling->region_count > 0 && effective->region_count > 0)
		some = limit_regions(effective, ceiling) && some;
	else if (ceiling->region_count > 0) {
		memcpy(effective->regions, ceiling->regions, sizeof effective->regions);
		effective->region_count = ceiling->region_count;
	}
	return some;
}
