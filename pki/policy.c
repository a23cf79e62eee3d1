/* The walk from the root down, as 6.1.3 to 6.1.5 of RFC 5280 tell it. */
#include "pki/policy.h"

#define ANY_POLICY "2.5.29.32.0"

/* The nodes of valid_policy_tree at one depth, but for what each was called further up. */
struct level {
	bool any;      /* one of them is anyPolicy */
	bool too_many; /* more than are kept */
	size_t count;
	struct der policies[POLICY_MOST]; /* what the certificate below is expected to have */
};

/* The state of 6.1.2; each number is of certificates until it takes effect. */
struct walk {
	struct level valid;
	size_t explicit_policy, policy_mapping, inhibit_any;
	size_t lost_at; /* the certificate with which the last valid policy went */
};

static bool
is_empty(const struct level *level)
{
	return !level->any && level->count == 0;
}

static bool
has(const struct level *level, struct der policy)
{
	for (size_t i = 0; i < level->count; i++)
		if (der_equal(level->policies[i], policy))
			return true;
	return false;
}

static void
add(struct level *level, struct der policy)
{
	if (has(level, policy))
		return;
	if (level->count == POLICY_MOST)
		level->too_many = true;
	else
		level->policies[level->count++] = policy;
}

static bool
next_policy(struct cursor *list, struct der *policy)
{
	if (list->left == 0 || list->failed)
		return false;
	struct cursor one = der_enter(list, DER_SEQUENCE);
	*policy = der_read(&one, DER_OID);
	return !one.failed;
}

static bool
next_mapping(struct cursor *list, struct der *issuers, struct der *subjects)
{
	if (list->left == 0 || list->failed)
		return false;
	struct cursor one = der_enter(list, DER_SEQUENCE);
	*issuers = der_read(&one, DER_OID);
	*subjects = der_read(&one, DER_OID);
	return cursor_end(&one);
}

/* 6.1.3 (d) and (e): what of the level above the certificate has. */
static void
descend(struct level *valid, const struct x509 *facts, bool any_counts)
{
	struct level next = { .too_many = valid->too_many };
	struct cursor list = der_over(facts->policies);
	struct der policy;
	bool lists_any = false;
	while (next_policy(&list, &policy))
		if (der_oid_is(policy, ANY_POLICY))
			lists_any = true;
		else if (valid->any || has(valid, policy))
			add(&next, policy);
	for (size_t i = 0; lists_any && any_counts && i < valid->count; i++)
		add(&next, valid->policies[i]);
	next.any = lists_any && any_counts && valid->any;
	*valid = next;
}

/* Whether the issuer's policy is mapped; adds those that stand for it to `to`, unless that is NULL. */
static bool
follow(struct cursor mappings, struct der policy, struct level *to)
{
	struct der issuers, subjects;
	bool mapped = false;
	while (next_mapping(&mappings, &issuers, &subjects))
		if (der_equal(issuers, policy)) {
			mapped = true;
			if (to)
				add(to, subjects);
		}
	return mapped;
}

/* 6.1.4 (b): policies give way to those that stand for them below, or go.  Where anyPolicy is left it
 * stands for whatever a mapping would add. */
static void
map(struct level *valid, struct der mappings, bool allowed)
{
	struct level next = { .any = valid->any, .too_many = valid->too_many };
	struct cursor list = der_over(mappings);
	for (size_t i = 0; i < valid->count; i++)
		if (!follow(list, valid->policies[i], allowed ? &next : NULL))
			add(&next, valid->policies[i]);
	*valid = next;
}

static void
lower(size_t *number, int to)
{
	if (to >= 0 && (size_t)to < *number)
		*number = (size_t)to;
}

static void
count_down(size_t *number)
{
	*number -= *number > 0;
}

/* 6.1.4 (h) to (j). */
static void
prepare_next(struct walk *walk, const struct x509 *facts)
{
	if (!x509_is_self_issued(facts)) {
		count_down(&walk->explicit_policy);
		count_down(&walk->policy_mapping);
		count_down(&walk->inhibit_any);
	}
	lower(&walk->explicit_policy, facts->require_policy);
	lower(&walk->policy_mapping, facts->inhibit_mapping);
	lower(&walk->inhibit_any, facts->inhibit_any);
}

/* 6.1.5 (a) and (b). */
static void
wrap_up(struct walk *walk, const struct x509 *leaf)
{
	count_down(&walk->explicit_policy);
	if (leaf->require_policy == 0)
		walk->explicit_policy = 0;
}

static void
step(struct walk *walk, const struct path *path, size_t position)
{
	const struct x509 *facts = &path->links[position]->facts;
	bool was_empty = is_empty(&walk->valid);
	descend(&walk->valid, facts,
	    walk->inhibit_any > 0 || (position > 0 && x509_is_self_issued(facts)));
	if (position > 0)
		map(&walk->valid, facts->mappings, walk->policy_mapping > 0);
	if (!was_empty && is_empty(&walk->valid))
		walk->lost_at = position;
}

static const char *
fault_of(const struct walk *walk)
{
	if (walk->valid.too_many)
		return "has more policies than are looked at here; issue it with fewer";
	return walk->explicit_policy == 0 && is_empty(&walk->valid)
	    ? "leaves the chain without a policy, and a CA of it demands one (policyConstraints); "
	      "issue it with a policy that the CAs above it have"
	    : NULL;
}

static bool
walk_down(const struct path *path, size_t *position, const char **why)
{
	size_t count = path->count - 1; /* without the anchor */
	struct walk walk = { .valid = { .any = true },
		.explicit_policy = count + 1,
		.policy_mapping = count + 1,
		.inhibit_any = count + 1 };
	for (size_t i = count; i-- > 0;) {
		step(&walk, path, i);
		if (i > 0 && !fault_of(&walk))
			prepare_next(&walk, &path->links[i]->facts);
		else if (i == 0)
			wrap_up(&walk, &path->links[0]->facts);
		*position = walk.valid.too_many ? i : walk.lost_at;
		if ((*why = fault_of(&walk)))
			return false;
	}
	return true;
}

static bool
demands_policy(const struct path *path)
{
	for (size_t i = 0; i + 1 < path->count; i++)
		if (path->links[i]->facts.require_policy >= 0)
			return true;
	return false;
}

/* 6.1.4 (a). */
static bool
maps_any(const struct x509 *facts)
{
	struct cursor list = der_over(facts->mappings);
	struct der issuers, subjects;
	while (next_mapping(&list, &issuers, &subjects))
		if (der_oid_is(issuers, ANY_POLICY) || der_oid_is(subjects, ANY_POLICY))
			return true;
	return false;
}

bool
policy_allows(const struct path *path, size_t *position, const char **why)
{
	for (size_t i = 1; i + 1 < path->count; i++)
		if (maps_any(&path->links[i]->facts)) {
			*position = i;
			*why =
			    "maps anyPolicy, which stands for all already (RFC 5280, 4.2.1.5); issue it without";
			return false;
		}
	return !demands_policy(path) || walk_down(path, position, why);
}
