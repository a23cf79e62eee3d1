/* Lists of prefixes that have nothing in common, sorted, so that one search finds the only one that may
 * hold an address. */
#include "base/address_rules.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct address_rules {
	atomic_uint held;
	size_t allow_count, deny_count;
	struct prefix prefixes[]; /* of `allow`, then of `deny` */
};

/* By the first address; of those with the same one the widest first, which covers the others. */
static int
compare(const struct prefix *a, const struct prefix *b)
{
	int order = memcmp(a->bytes, b->bytes, sizeof a->bytes);

	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return order != 0 ? order : (a->bits > b->bits) - (a->bits < b->bits);
}

static int
in_order(const void *a, const void *b)
{
	return compare(a, b);
}

/* Copies the list to `to`, sorted, without what another one covers. How many that are. */
static size_t
settle(struct prefix *to, struct address_list from)
{
	size_t count = 0;

	if (from.count == 0)
		return 0;
	memcpy(to, from.prefixes, from.count * sizeof *to);
	qsort(to, from.count, sizeof *to, in_order);
	for (size_t i = 0; i < from.count; i++)
		if (count == 0 || !prefix_covers(&to[count - 1], &to[i]))
			to[count++] = to[i];
	return count;
}

struct address_rules *
address_rules_new(struct address_list allow, struct address_list deny)
{
	size_t count = allow.count + deny.count;
	struct address_rules *rules = calloc(1, sizeof *rules + count * sizeof rules->prefixes[0]);

	if (!rules)
		return NULL;
	atomic_init(&rules->held, 1);
	rules->allow_count = settle(rules->prefixes, allow);
	rules->deny_count = settle(rules->prefixes + rules->allow_count, deny);
	return rules;
}

struct address_rules *
address_rules_hold(struct address_rules *rules)
{
	if (rules)
		atomic_fetch_add(&rules->held, 1);
	return rules;
}

void
address_rules_release(struct address_rules *rules)
{
	if (rules && atomic_fetch_sub(&rules->held, 1) == 1)
		free(rules);
}

struct address_list
address_rules_allow(const struct address_rules *rules)
{
	if (!rules)
		return (struct address_list){ 0 };
	return (struct address_list){ rules->prefixes, rules->allow_count };
}

struct address_list
address_rules_deny(const struct address_rules *rules)
{
	if (!rules)
		return (struct address_list){ 0 };
	return (struct address_list){ rules->prefixes + rules->allow_count, rules->deny_count };
}

/* Only the last prefix that does not begin behind the address may hold it. */
static bool
list_holds(struct address_list list, const struct prefix *address)
{
	size_t from = 0, to = list.count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (compare(&list.prefixes[middle], address) <= 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from > 0 && prefix_covers(&list.prefixes[from - 1], address);
}

bool
address_rules_admit(const struct address_rules *rules, const struct address *address)
{
	const struct address_list allow = address_rules_allow(rules),
				  deny = address_rules_deny(rules);
	struct prefix whole;

	if (allow.count + deny.count == 0)
		return true;
	whole = prefix_of(address, 32, 128);
	if (whole.bits == 0) /* no address, or none of IP */
		return false;
	return !list_holds(deny, &whole) && (allow.count == 0 || list_holds(allow, &whole));
}

static bool
lists_equal(struct address_list a, struct address_list b)
{
	bool equal = a.count == b.count;

	for (size_t i = 0; equal && i < a.count; i++)
		equal = prefix_equals(&a.prefixes[i], &b.prefixes[i]);
	return equal;
}

bool
address_rules_equal(const struct address_rules *a, const struct address_rules *b)
{
	return lists_equal(address_rules_allow(a), address_rules_allow(b)) &&
	    lists_equal(address_rules_deny(a), address_rules_deny(b));
}
