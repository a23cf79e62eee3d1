/*
 * The grant: what is decoded has one form only, lies in its ranges, and keeps both
 * when it is narrowed.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pki/grant.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
hold(bool claim)
{
	if (!claim)
		abort();
}

static void
hold_minimum(struct grant grant, const struct grant *ceiling)
{
	struct grant before = grant;
	if (!grant_limits_apply(&grant, ceiling))
		return;
	hold(grant_is_valid(&grant, NULL));
	hold(strcmp(grant.name, before.name) == 0);
	hold(!grant.shared || (before.shared && ceiling->shared));
	hold(before.max_flows == 0 || (grant.max_flows != 0 && grant.max_flows <= before.max_flows));
	hold(before.source_count == 0 || grant.source_count > 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct grant ceiling = { .name = "ceiling", .max_flows = 7, .source_count = 2,
		.sources = { { AF_INET, 8, { 10 } }, { AF_INET6, 16, { 0x20, 0x01 } } },
		.region_count = 1, .regions = { "berlin" } };
	uint8_t again[GRANT_DER_BYTES];
	size_t bytes;
	struct grant grant;
	const char *why = NULL;
	if (!grant_decode(&grant, data, size, &why)) {
		hold(why != NULL);
		return 0;
	}
	hold(grant_is_valid(&grant, NULL));
	hold(grant_encode(&grant, again, sizeof again, &bytes));
	hold(bytes == size && memcmp(again, data, size) == 0);
	hold_minimum(grant, &ceiling);
	hold_minimum(ceiling, &grant);
	hold_minimum(grant, &grant);
	return 0;
}
