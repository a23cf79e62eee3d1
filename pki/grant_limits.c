/*
 * How grants limit each other: the minimum of two, and addresses within networks.
 */
#include "pki/grant.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
prefix_equals(const uint8_t *a, const uint8_t *b, size_t bits)
{
	if (memcmp(a, b, bits / 8) != 0)
		return false;
	unsigned mask = 0xff00u >> bits % 8 & 0xff;
	return bits % 8 == 0 || ((a[bits / 8] ^ b[bits / 8]) & mask) == 0;
}

bool
grant_source_has(const struct grant_source *source, const uint8_t *address, size_t address_bytes)
{
	return source->address_bytes == address_bytes &&
	    prefix_equals(source->address, address, source->prefix_bits);
}

/* Two networks are nested or have nothing in common: the smaller one, or NULL. */
static const struct grant_source *
source_in_both(const struct grant_source *a, const struct grant_source *b)
{
	const struct grant_source *large = a->prefix_bits <= b->prefix_bits ? a : b;
	const struct grant_source *small = large == a ? b : a;
	return grant_source_has(large, small->address, small->address_bytes) ? small : NULL;
}

static bool
has_source(const struct grant_source *list, size_t count, const struct grant_source *source)
{
	for (size_t i = 0; i < count; i++)
		if (memcmp(&list[i], source, sizeof *source) == 0)
			return true;
	return false;
}

/* What does not fit into 64 networks is left out: that allows less, never more. */
static bool
limit_sources(struct grant *effective, const struct grant *ceiling)
{
	struct grant_source both[GRANT_LIST] = {0};
	size_t count = 0;
	for (size_t i = 0; i < effective->source_count; i++)
		for (size_t k = 0; k < ceiling->source_count && count < GRANT_LIST; k++) {
			const struct grant_source *source =
			    source_in_both(&effective->sources[i], &ceiling->sources[k]);
			if (source != NULL && !has_source(both, count, source))
				both[count++] = *source;
		}
	memcpy(effective->sources, both, sizeof both);
	effective->source_count = count;
	return count > 0;
}

static bool
has_region(const struct grant *grant, const char *region)
{
	for (size_t i = 0; i < grant->region_count; i++)
		if (strcmp(grant->regions[i], region) == 0)
			return true;
	return false;
}

static bool
limit_regions(struct grant *effective, const struct grant *ceiling)
{
	size_t count = 0;
	for (size_t i = 0; i < effective->region_count; i++)
		if (has_region(ceiling, effective->regions[i]))
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

static bool
prefix_parse(const char *text, unsigned most, uint8_t *out)
{
	char *end;
	unsigned long bits = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || bits > most)
		return false;
	*out = (uint8_t)bits;
	return true;
}

bool
grant_source_parse(struct grant_source *out, const char *text)
{
	char address[GRANT_SOURCE_TEXT];
	size_t bytes = strcspn(text, "/");
	if (bytes >= sizeof address)
		return false;
	memcpy(address, text, bytes);
	address[bytes] = '\0';
	*out = (struct grant_source){0};
	if (inet_pton(AF_INET, address, out->address) == 1)
		out->address_bytes = 4;
	else if (inet_pton(AF_INET6, address, out->address) == 1)
		out->address_bytes = 16;
	else
		return false;
	out->prefix_bits = (uint8_t)(8 * out->address_bytes);
	if (text[bytes] == '/' && !prefix_parse(text + bytes + 1, out->prefix_bits, &out->prefix_bits))
		return false;
	struct grant probe = { .name = "x", .source_count = 1, .sources = { *out } };
	return grant_is_valid(&probe, NULL);
}

const char *
grant_source_text(const struct grant_source *source, char out[GRANT_SOURCE_TEXT])
{
	char address[INET6_ADDRSTRLEN] = "?";
	inet_ntop(source->address_bytes == 4 ? AF_INET : AF_INET6, source->address, address,
	    sizeof address);
	snprintf(out, GRANT_SOURCE_TEXT, "%s/%u", address, source->prefix_bits);
	return out;
}
