/*
 * Grants from ASN.1 to values and back.
 *
 * libtasn1 does the encoding; it checks neither sizes nor ranges nor shortest
 * forms, so a grant is decoded, range-checked, encoded again and compared.
 */
#include "pki/grant.h"

#include <libtasn1.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const asn1_static_node grant_asn1_tab[]; /* made from pki/grant.asn */

static asn1_node module;
static pthread_once_t module_once = PTHREAD_ONCE_INIT;

static void
module_load(void)
{
	if (asn1_array2tree(grant_asn1_tab, &module, NULL) != ASN1_SUCCESS)
		module = NULL;
}

static asn1_node
element_new(void)
{
	asn1_node element = NULL;
	pthread_once(&module_once, module_load);
	if (!module || asn1_create_element(module, "VALISE.Grant", &element) != ASN1_SUCCESS)
		return NULL;
	return element;
}

/* ---- ranges ---- */

static bool
name_is_valid(const char *name)
{
	size_t bytes = strnlen(name, GRANT_NAME_BYTES + 1);
	if (bytes == 0 || bytes > GRANT_NAME_BYTES || name[0] == ' ' || name[bytes - 1] == ' ')
		return false;
	for (size_t i = 0; i < bytes; i++)
		if (name[i] < 0x20 || name[i] > 0x7e)
			return false;
	return true;
}

static bool
region_is_valid(const char *region)
{
	size_t bytes = strnlen(region, GRANT_REGION_BYTES + 1);
	return bytes > 0 && bytes <= GRANT_REGION_BYTES &&
	    strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789._-") == bytes;
}

static size_t
address_bytes(const struct prefix *source)
{
	return source->family == AF_INET ? 4 : 16;
}

/* Whether it is as prefix_from() makes it: the same network never has two forms. */
static bool
source_is_valid(const struct prefix *source)
{
	struct prefix normal;
	return (source->family == AF_INET || source->family == AF_INET6) &&
	    prefix_from(&normal, source->bytes, address_bytes(source), source->bits) &&
	    prefix_equals(&normal, source);
}

static const char *
range_fault(const struct grant *grant)
{
	if (!name_is_valid(grant->name))
		return "has a name that is not 1 to 64 printable characters";
	if (grant->source_count > GRANT_LIST || grant->region_count > GRANT_LIST)
		return "has a list of more than 64 entries";
	for (size_t i = 0; i < grant->source_count; i++)
		if (!source_is_valid(&grant->sources[i]))
			return "has a source that is not a network address";
	for (size_t i = 0; i < grant->region_count; i++)
		if (!region_is_valid(grant->regions[i]))
			return "has a region that is not 1 to 32 of a-z 0-9 . _ -";
	return NULL;
}

bool
grant_is_valid(const struct grant *grant, const char **why)
{
	const char *fault = range_fault(grant);
	if (why)
		*why = fault;
	return !fault;
}

/* ---- encoding ---- */

static bool
put(asn1_node element, const char *field, const void *value, size_t bytes)
{
	return asn1_write_value(element, field, value, (int)bytes) == ASN1_SUCCESS;
}

static bool
put_flag(asn1_node element, const char *field, bool flag)
{
	return put(element, field, flag ? "TRUE" : "FALSE", 1);
}

/* 0 means no limit and is left out. */
static bool
put_limit(asn1_node element, const char *field, uint32_t limit)
{
	uint8_t octets[5] = { 0, (uint8_t)(limit >> 24), (uint8_t)(limit >> 16),
		(uint8_t)(limit >> 8), (uint8_t)limit };
	return limit == 0 ? put(element, field, NULL, 0)
			  : put(element, field, octets, sizeof octets);
}

static bool
put_item(asn1_node element, const char *list, const void *value, size_t bytes)
{
	char last[16];
	snprintf(last, sizeof last, "%s.?LAST", list);
	return put(element, list, "NEW", 1) && put(element, last, value, bytes);
}

static bool
put_sources(asn1_node element, const struct grant *grant)
{
	if (grant->source_count == 0)
		return put(element, "sources", NULL, 0);
	for (size_t i = 0; i < grant->source_count; i++) {
		const struct prefix *source = &grant->sources[i];
		uint8_t octets[17];
		memcpy(octets, source->bytes, address_bytes(source));
		octets[address_bytes(source)] = source->bits;
		if (!put_item(element, "sources", octets, address_bytes(source) + 1))
			return false;
	}
	return true;
}

static bool
put_regions(asn1_node element, const struct grant *grant)
{
	if (grant->region_count == 0)
		return put(element, "regions", NULL, 0);
	for (size_t i = 0; i < grant->region_count; i++)
		if (!put_item(element, "regions", grant->regions[i], strlen(grant->regions[i])))
			return false;
	return true;
}

bool
grant_encode(const struct grant *grant, uint8_t *out, size_t capacity, size_t *bytes)
{
	asn1_node element = grant_is_valid(grant, NULL) ? element_new() : NULL;
	int length = capacity > INT32_MAX ? INT32_MAX : (int)capacity;
	bool done = element && put(element, "name", grant->name, strlen(grant->name)) &&
	    put_flag(element, "shared", grant->shared) &&
	    put_flag(element, "anyDepth", grant->any_depth) &&
	    put_limit(element, "maxFlows", grant->max_flows) &&
	    put_limit(element, "maxSessions", grant->max_sessions) && put_sources(element, grant) &&
	    put_regions(element, grant) &&
	    asn1_der_coding(element, "", out, &length, NULL) == ASN1_SUCCESS;
	asn1_delete_structure(&element);
	*bytes = done ? (size_t)length : 0;
	return done;
}

/* ---- decoding ---- */

/* Reads at most `most` octets; false if there are more.  What is absent is empty. */
static bool
get(asn1_node element, const char *field, void *out, size_t most, size_t *bytes)
{
	int length = (int)most;
	int result = asn1_read_value(element, field, out, &length);
	*bytes = result == ASN1_SUCCESS ? (size_t)length : 0;
	return result == ASN1_SUCCESS || result == ASN1_ELEMENT_NOT_FOUND;
}

/* As a string; a NUL inside shortens it, which the comparison at the end finds. */
static bool
get_text(asn1_node element, const char *field, char *out, size_t most)
{
	size_t bytes;
	return get(element, field, out, most, &bytes) && ((out[bytes] = '\0'), true);
}

static bool
get_flag(asn1_node element, const char *field, bool *out)
{
	char word[8] = "";
	size_t bytes;
	bool done = get(element, field, word, sizeof word, &bytes);
	*out = strcmp(word, "TRUE") == 0;
	return done;
}

static bool
get_limit(asn1_node element, const char *field, uint32_t *out)
{
	uint8_t octets[5];
	size_t bytes;
	if (!get(element, field, octets, sizeof octets, &bytes))
		return false;
	if (bytes > 0 && (octets[0] & 0x80 || (bytes == 5 && octets[0] != 0)))
		return false;
	*out = 0;
	for (size_t i = 0; i < bytes; i++)
		*out = *out << 8 | octets[i];
	return true;
}

static bool
get_count(asn1_node element, const char *list, size_t *count)
{
	int items = 0;
	if (asn1_number_of_elements(element, list, &items) != ASN1_SUCCESS)
		items = 0;
	*count = (size_t)items;
	return items <= GRANT_LIST;
}

static bool
get_sources(asn1_node element, struct grant *grant)
{
	if (!get_count(element, "sources", &grant->source_count))
		return false;
	for (size_t i = 0; i < grant->source_count; i++) {
		char field[32];
		uint8_t octets[17];
		size_t bytes;
		snprintf(field, sizeof field, "sources.?%zu", i + 1);
		if (!get(element, field, octets, sizeof octets, &bytes) || bytes == 0 ||
		    !prefix_from(&grant->sources[i], octets, bytes - 1, octets[bytes - 1]))
			return false;
	}
	return true;
}

static bool
get_regions(asn1_node element, struct grant *grant)
{
	if (!get_count(element, "regions", &grant->region_count))
		return false;
	for (size_t i = 0; i < grant->region_count; i++) {
		char field[32];
		snprintf(field, sizeof field, "regions.?%zu", i + 1);
		if (!get_text(element, field, grant->regions[i], GRANT_REGION_BYTES))
			return false;
	}
	return true;
}

static const char *
decode(asn1_node *element, struct grant *grant, const uint8_t *der, size_t bytes)
{
	if (!*element)
		return "cannot be read: memory is short";
	int length = (int)bytes;
	if (asn1_der_decoding2(element, der, &length, ASN1_DECODE_FLAG_STRICT_DER, NULL) !=
	    ASN1_SUCCESS)
		return "is not well-formed";
	if (!get_text(*element, "name", grant->name, GRANT_NAME_BYTES))
		return "has a name that is not 1 to 64 printable characters";
	if (!get_flag(*element, "shared", &grant->shared) ||
	    !get_flag(*element, "anyDepth", &grant->any_depth))
		return "is not well-formed";
	if (!get_limit(*element, "maxFlows", &grant->max_flows) ||
	    !get_limit(*element, "maxSessions", &grant->max_sessions))
		return "has a limit that is not 1 to 4294967295";
	if (!get_sources(*element, grant))
		return "has a source that is not a network address, or more than 64";
	if (!get_regions(*element, grant))
		return "has a region that is not 1 to 32 of a-z 0-9 . _ -, or more than 64";
	return range_fault(grant);
}

bool
grant_decode(struct grant *grant, const uint8_t *der, size_t bytes, const char **why)
{
	memset(grant, 0, sizeof *grant);
	if (bytes == 0 || bytes > GRANT_DER_BYTES) {
		*why = "is empty or too large";
		return false;
	}
	asn1_node element = element_new();
	*why = decode(&element, grant, der, bytes);
	asn1_delete_structure(&element);
	if (*why)
		return false;
	uint8_t again[GRANT_DER_BYTES];
	size_t again_bytes;
	if (!grant_encode(grant, again, sizeof again, &again_bytes) || again_bytes != bytes ||
	    memcmp(again, der, bytes) != 0)
		*why = "is not in its canonical form";
	return !*why;
}

bool
grant_has_region(const struct grant *grant, const char *region)
{
	for (size_t i = 0; i < grant->region_count; i++)
		if (strcmp(grant->regions[i], region) == 0)
			return true;
	return false;
}
