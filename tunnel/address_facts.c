/* Prefixes on the wire: family, length in bits, and as many octets as these bits begin. */
#include "tunnel/address_facts.h"

#include <string.h>

enum { SITE_BITS = 64 };

static size_t
octets_of(const struct prefix *prefix)
{
	return (prefix->bits + 7u) / 8;
}

/* ---- encoding ---- */

static void
put_prefix(struct writer *w, const struct prefix *prefix)
{
	writer_u8(w, prefix->family == AF_INET ? 4 : 6);
	writer_u8(w, prefix->bits);
	writer_bytes(w, prefix->bytes, octets_of(prefix));
}

static size_t
bytes_of(struct address_list list)
{
	size_t bytes = 0;

	for (size_t i = 0; i < list.count; i++)
		bytes += 2 + octets_of(&list.prefixes[i]);
	return bytes;
}

size_t
address_facts_bytes(const struct address_rules *rules)
{
	size_t bytes = bytes_of(address_rules_allow(rules)) + bytes_of(address_rules_deny(rules));

	return bytes < ADDRESS_FACTS_MOST ? bytes : ADDRESS_FACTS_MOST;
}

/* The /64s of hosts stand beside each other, and each is put once. */
static void
put_coarse(struct writer *w, enum fact_type type, struct address_list list)
{
	struct prefix last = { 0 };

	for (size_t i = 0; i < list.count; i++) {
		struct prefix prefix = list.prefixes[i];

		if (prefix.bits > SITE_BITS && type == FACT_DENY)
			continue;
		if (prefix.bits > SITE_BITS)
			prefix_from(&prefix, list.prefixes[i].bytes, 16, SITE_BITS);
		if (!prefix_equals(&prefix, &last))
			put_prefix(w, &prefix);
		last = prefix;
	}
}

static void
put_list(struct writer *w, enum fact_type type, struct address_list list, bool is_coarse)
{
	uint8_t storage[ADDRESS_FACTS_MOST];
	struct writer value = writer_over(storage, sizeof storage);

	if (is_coarse)
		put_coarse(&value, type, list);
	for (size_t i = 0; !is_coarse && i < list.count; i++)
		put_prefix(&value, &list.prefixes[i]);
	w->failed |= value.failed;
	if (value.bytes > 0)
		facts_put(w, type, storage, value.bytes);
}

void
address_facts_put(struct writer *w, const struct address_rules *rules)
{
	struct address_list allow = address_rules_allow(rules), deny = address_rules_deny(rules);
	bool is_coarse = bytes_of(allow) + bytes_of(deny) > ADDRESS_FACTS_MOST;

	put_list(w, FACT_ALLOW, allow, is_coarse);
	put_list(w, FACT_DENY, deny, is_coarse);
}

/* ---- decoding ---- */

/* False: it has bits beyond its length, or is no prefix, or one of IPv4-mapped addresses. */
static bool
next_prefix(struct cursor *in, struct prefix *out)
{
	uint8_t octets[16] = { 0 };
	unsigned family = cursor_u8(in), bits = cursor_u8(in);
	size_t size = family == 4 ? 4 : 16;

	if ((family != 4 && family != 6) || bits > 8 * size)
		return false;
	cursor_copy(in, octets, (bits + 7) / 8);
	return !in->failed && prefix_from(out, octets, size, bits) &&
	    out->family == (family == 4 ? AF_INET : AF_INET6) &&
	    memcmp(out->bytes, octets, sizeof octets) == 0;
}

/* 0 if any of them is malformed, the last one, too. */
static size_t
count_prefixes(struct cursor in)
{
	struct prefix prefix;
	size_t count = 0;

	for (; in.left > 0; count++)
		if (!next_prefix(&in, &prefix))
			return 0;
	return count;
}

bool
address_facts_are_well_formed(struct cursor value)
{
	size_t count = count_prefixes(value);

	return count > 0 && count <= ADDRESS_RULES_MOST;
}

size_t
address_facts_count(struct facts facts)
{
	struct cursor value;
	size_t count = 0;

	if (facts_find(facts, FACT_ALLOW, &value))
		count += count_prefixes(value);
	if (facts_find(facts, FACT_DENY, &value))
		count += count_prefixes(value);
	return count;
}

static struct address_list
take_list(struct facts facts, enum fact_type type, struct prefix *storage)
{
	struct address_list list = { storage, 0 };
	struct cursor value;

	if (facts_find(facts, type, &value))
		while (value.left > 0 && list.count < ADDRESS_RULES_MOST &&
		    next_prefix(&value, &storage[list.count]))
			list.count++;
	return list;
}

bool
address_facts_make(struct facts facts, struct address_rules **out)
{
	struct prefix storage[2 * ADDRESS_RULES_MOST];
	struct address_list allow = take_list(facts, FACT_ALLOW, storage);
	struct address_list deny = take_list(facts, FACT_DENY, storage + ADDRESS_RULES_MOST);

	*out = NULL;
	if (allow.count + deny.count == 0)
		return true;
	*out = address_rules_new(allow, deny);
	return *out != NULL;
}
