/* Tests of relay/usage: what counts where along a chain, whose number refuses, the share of a tenant,
 * and who leaves for whom when nothing is free. */
#include "relay/usage.h"

#include "relay/helpers.h"
#include "relay/people.h"

static struct usage_table *all;
static char why[USAGE_WHY];

/* A root without a grant, the operator's CA below it, and two tenants' CAs with ceilings. */
static const struct test_ca root = { .name = "CN=root" }, ours = { .name = "CN=agents" };
static struct test_ca acme, brio;

static int
set_up(void **state)
{
	(void)state;
	all = usage_table_new();
	acme = (struct test_ca){ .name = "CN=acme", .has_grant = true };
	brio = (struct test_ca){ .name = "CN=brio", .has_grant = true };
	return !all;
}

static int
tear_down(void **state)
{
	(void)state;
	usage_table_free(all);
	return 0;
}

static struct identity
agent_of(const struct test_ca *tenant, const char *name)
{
	struct identity identity = person(name, "a.example", false);

	snprintf((char *)identity.key, sizeof identity.key, "%.12s/%.12s", tenant ? tenant->name : "", name);
	identity.above[0] = tenant ? tenant : &ours;
	identity.above[1] = tenant ? &ours : &root;
	identity.above[2] = tenant ? &root : NULL;
	return identity;
}

static struct usage *
usage(struct identity *identity)
{
	struct usage *usage = usage_of(all, identity);

	assert_non_null(usage);
	return usage;
}

static void
an_identity_counts_over_all_who_hold_its_usage(void **state)
{
	struct identity alice = agent_of(NULL, "alice"), bob = agent_of(NULL, "bob");
	struct usage *a, *b, *c;

	(void)state;
	alice.grant.max_flows = bob.grant.max_flows = 2;
	a = usage(&alice), b = usage(&alice), c = usage(&bob);
	assert_true(usage_enter(a, USAGE_FLOWS, why));
	assert_true(usage_enter(b, USAGE_FLOWS, why));
	assert_false(usage_enter(b, USAGE_FLOWS, why));
	assert_string_equal(why, "maxFlows of the grant of 'alice' of 'CN=agents' is 2, and so many flows are in use");
	assert_true(usage_enter(c, USAGE_FLOWS, why));
	assert_int_equal(usage_count(a, USAGE_FLOWS), 2);
	assert_int_equal(usage_count(a, USAGE_SESSIONS), 0);
	usage_leave(a, USAGE_FLOWS);
	assert_int_equal(usage_count(b, USAGE_FLOWS), 1);
	assert_true(usage_enter(b, USAGE_FLOWS, why));
	usage_release(a);
	usage_release(b);
	usage_release(c);
	a = usage(&alice);
	assert_int_equal(usage_count(a, USAGE_FLOWS), 0); /* nobody held it: forgotten */
	usage_release(a);
}

static void
a_ceiling_holds_for_all_names_that_are_minted_below_it(void **state)
{
	struct identity minted[20], other = agent_of(&brio, "one");
	struct usage *usages[20], *others;
	unsigned sessions = 0, flows = 0;

	(void)state;
	acme.grant.max_sessions = 1;
	acme.grant.max_flows = 2;
	for (int i = 0; i < 20; i++) {
		static char names[20][8];

		snprintf(names[i], sizeof names[i], "n%d", i);
		minted[i] = agent_of(&acme, names[i]);
		usages[i] = usage(&minted[i]);
		sessions += usage_enter(usages[i], USAGE_SESSIONS, why);
		flows += usage_enter(usages[i], USAGE_FLOWS, why);
	}
	assert_int_equal(sessions, 1);
	assert_int_equal(flows, 2);
	assert_string_equal(why,
	    "maxFlows of the CA 'CN=acme' is 2 for all agents below it together, and so many flows are in use");
	assert_int_equal(usage_count(usages[19], USAGE_FLOWS), 0);	/* who is refused counts nowhere */
	others = usage(&other);
	assert_true(usage_enter(others, USAGE_SESSIONS, why));
	usage_leave(usages[0], USAGE_SESSIONS);
	assert_true(usage_enter(usages[19], USAGE_SESSIONS, why));
	for (int i = 0; i < 20; i++)
		usage_release(usages[i]);
	usage_release(others);
}

static void
a_ceiling_above_the_issuer_holds_too(void **state)
{
	struct test_ca sub[2] = { { .name = "CN=sub1", .has_grant = true }, { .name = "CN=sub2", .has_grant = true } };
	struct identity people[2];
	struct usage *usages[2];

	(void)state;
	acme.grant.max_sessions = 1;
	for (int i = 0; i < 2; i++) {
		people[i] = agent_of(&sub[i], "same");
		people[i].above[1] = &acme;
		usages[i] = usage(&people[i]);
	}
	assert_true(usage_enter(usages[0], USAGE_SESSIONS, why));
	assert_false(usage_enter(usages[1], USAGE_SESSIONS, why));
	assert_non_null(strstr(why, "CN=acme"));
	usage_release(usages[0]);
	usage_release(usages[1]);
}

static void
without_a_number_the_relays_default_holds_for_an_identity_but_for_no_ca(void **state)
{
	struct identity alice = agent_of(&acme, "alice"), bob = agent_of(&acme, "bob");
	struct usage *a = usage(&alice), *b = usage(&bob);
	struct usage_bounds bounds = { .per_identity = { [USAGE_SESSIONS] = 1 } };

	(void)state;
	usage_set_bounds(all, &bounds);
	assert_true(usage_enter(a, USAGE_SESSIONS, why));
	assert_false(usage_enter(a, USAGE_SESSIONS, why));
	assert_string_equal(why, "limits.sessions_per_identity of the relay is 1, and 'alice' of 'CN=acme' has so many sessions");
	assert_true(usage_enter(b, USAGE_SESSIONS, why));
	bounds.per_identity[USAGE_SESSIONS] = 2;
	usage_set_bounds(all, &bounds);	/* a reload */
	assert_true(usage_enter(a, USAGE_SESSIONS, why));
	usage_release(a);
	usage_release(b);
}

static void
who_takes_a_place_over_does_not_count_twice(void **state)
{
	struct identity alice = agent_of(&acme, "alice"), bob = agent_of(&brio, "bob");
	struct usage *old, *new, *other;

	(void)state;
	acme.grant.max_sessions = brio.grant.max_sessions = 1;
	old = usage(&alice), new = usage(&alice), other = usage(&bob);
	assert_true(usage_enter(old, USAGE_SESSIONS, why));
	assert_false(usage_enter(new, USAGE_SESSIONS, why));
	assert_true(usage_take_over(new, old, USAGE_SESSIONS, why));
	assert_int_equal(usage_count(new, USAGE_SESSIONS), 1);
	assert_false(usage_enter(old, USAGE_SESSIONS, why));
	/* Between chains that differ each CA is asked for itself, and what is refused changes nothing. */
	assert_true(usage_enter(other, USAGE_SESSIONS, why));
	assert_false(usage_take_over(other, new, USAGE_SESSIONS, why));
	assert_int_equal(usage_count(new, USAGE_SESSIONS), 1);
	usage_leave(other, USAGE_SESSIONS);
	assert_true(usage_take_over(other, new, USAGE_SESSIONS, why));
	assert_int_equal(usage_count(new, USAGE_SESSIONS), 0);
	assert_true(usage_enter(old, USAGE_SESSIONS, why));
	usage_leave(old, USAGE_SESSIONS);
	usage_leave(other, USAGE_SESSIONS);
	usage_release(old);
	usage_release(new);
	usage_release(other);
}

static void
a_tenant_that_has_most_leaves_room_for_the_others(void **state)
{
	struct identity heavy = agent_of(&acme, "heavy"), minted = agent_of(&acme, "minted");
	struct identity light = agent_of(&brio, "light"), own = agent_of(NULL, "own");
	struct usage *usages[] = { usage(&heavy), usage(&minted), usage(&light), usage(&own) };
	struct usage_bounds bounds = { .in_all = { [USAGE_SESSIONS] = 1000 } };
	unsigned had = 0;

	(void)state;
	usage_set_bounds(all, &bounds);
	while (usage_enter(usages[0], USAGE_SESSIONS, why))
		had++;
	assert_in_range(had, 930, 950);
	assert_non_null(strstr(why, "limits.sessions of the relay is 1000"));
	assert_non_null(strstr(why, "'CN=acme' has"));
	assert_false(usage_enter(usages[1], USAGE_SESSIONS, why));	/* another name helps nobody */
	assert_false(usage_is_over_share(usages[2], USAGE_SESSIONS));
	for (int i = 0; i < 20; i++) {
		assert_true(usage_enter(usages[2], USAGE_SESSIONS, why));
		assert_true(usage_enter(usages[3], USAGE_SESSIONS, why));
	}
	assert_false(usage_enter(usages[0], USAGE_SESSIONS, why));
	assert_true(usage_is_over_share(usages[0], USAGE_SESSIONS));
	assert_true(usage_is_over_share(usages[1], USAGE_SESSIONS));
	assert_false(usage_is_over_share(usages[2], USAGE_SESSIONS));
	for (had = 0; usage_enter(usages[2], USAGE_SESSIONS, why);)
		had++;
	assert_in_range(had, 1, 20);
	for (int i = 0; i < 4; i++)
		usage_release(usages[i]);
}

/* ---- nothing is free ---- */

enum { MOST = 6 };

/* CAs without a grant, so that each identity below is a tenant. */
static const struct test_ca one = { .name = "CN=one" }, two = { .name = "CN=two" };
static struct identity people[MOST + 2];
static struct usage *usages[MOST + 2];
static unsigned told[MOST + 2];

static void
on_owing(void *arg)
{
	++*(unsigned *)arg;
}

static void
join(unsigned i, const struct test_ca *issuer, const struct test_ca *above)
{
	static char names[MOST + 2][8];

	snprintf(names[i], sizeof names[i], "n%u", i);
	people[i] = agent_of(issuer, names[i]);
	people[i].above[1] = above;
	people[i].above[2] = above == &root ? NULL : &root;
	usages[i] = usage(&people[i]);
	told[i] = 0;
	usage_set_owner(usages[i], on_owing, &told[i]);
}

static void
bound(enum usage_kind kind)
{
	struct usage_bounds bounds = { 0 };

	bounds.in_all[kind] = MOST;
	usage_set_bounds(all, &bounds);
}

/* All of them, below one CA, have one each; two more, the last below another one, have none yet. */
static void
fill(enum usage_kind kind)
{
	bound(kind);
	for (unsigned i = 0; i < MOST + 2; i++)
		join(i, i <= MOST ? &one : &two, &root);
	for (unsigned i = 0; i < MOST; i++)
		assert_true(usage_enter(usages[i], kind, why));
}

static void
release_all(void)
{
	for (unsigned i = 0; i < MOST + 2; i++)
		usage_release(usages[i]);
}

static void
many_small_ones_make_room_for_who_is_of_another_ca(void **state)
{
	static const enum usage_kind kinds[] = { USAGE_SESSIONS, USAGE_PARKED, USAGE_ENDPOINTS };

	(void)state;
	for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
		enum usage_kind kind = kinds[k];
		struct usage *newest;

		fill(kind);
		newest = usages[MOST - 1];
		assert_false(usage_enter(usages[MOST], kind, why)); /* one more name helps nobody */
		assert_non_null(strstr(why, "of the relay is 6, all are in use, and nobody has more than 'n6' of 'CN=one'"));
		assert_true(usage_enter(usages[MOST + 1], kind, why));
		for (unsigned i = 0; i < MOST + 2; i++)
			assert_int_equal(told[i], i == MOST - 1);
		assert_true(usage_owes(newest, kind, why));
		assert_non_null(strstr(why, "of the relay is 6, somebody who has less needed one"));
		assert_int_equal(usage_count(newest, kind), 0);
		assert_false(usage_owes(usages[0], kind, why));
		usage_leave(newest, kind); /* what it owed */
		assert_false(usage_owes(newest, kind, why));
		assert_false(usage_enter(newest, kind, why)); /* it is not back at another's cost */
		assert_true(usage_enter(usages[MOST + 1], kind, why));
		assert_true(usage_owes(usages[MOST - 2], kind, why));
		assert_true(usage_enter(usages[MOST + 1], kind, why));
		assert_false(usage_enter(usages[MOST + 1], kind, why)); /* three and three */
		release_all();
	}
}

/* Their places are of base/shares, which has sent somebody away for the newcomer already. */
static void
of_flows_the_heaviest_is_refused_and_nobody_leaves(void **state)
{
	(void)state;
	fill(USAGE_FLOWS);
	assert_false(usage_enter(usages[MOST], USAGE_FLOWS, why));
	assert_true(usage_enter(usages[MOST + 1], USAGE_FLOWS, why));
	for (unsigned i = 0; i < MOST + 2; i++)
		assert_int_equal(told[i], 0);
	usage_leave(usages[0], USAGE_FLOWS);
	assert_false(usage_enter(usages[MOST], USAGE_FLOWS, why));
	usage_leave(usages[1], USAGE_FLOWS);
	assert_true(usage_enter(usages[MOST], USAGE_FLOWS, why)); /* one is free again */
	release_all();
}

static void
at_each_level_who_has_most_pays(void **state)
{
	const struct test_ca sub = { .name = "CN=sub" };

	(void)state;
	bound(USAGE_SESSIONS);
	join(0, &one, &root);	/* the anchor has two sides: CN=one with four, CN=two with two */
	join(1, &one, &root);
	join(2, &sub, &one);
	join(3, &two, &root);
	join(4, &two, &root);
	for (unsigned i = 0; i < 2; i++)
		assert_true(usage_enter(usages[2], USAGE_SESSIONS, why));
	for (unsigned i = 0; i < 5; i++)
		if (i != 2)
			assert_true(usage_enter(usages[i], USAGE_SESSIONS, why));
	assert_true(usage_enter(usages[4], USAGE_SESSIONS, why));
	assert_int_equal(told[2], 1); /* of one's four CN=sub has two, and they are its only agent's */
	for (unsigned i = 0; i < 5; i++)
		usage_release(usages[i]);
}

static void
within_an_identity_the_session_with_most_pays(void **state)
{
	struct identity alice = agent_of(&one, "alice"), bob = agent_of(&two, "bob");
	struct usage *many = usage(&alice), *few = usage(&alice), *other = usage(&bob);

	(void)state;
	bound(USAGE_ENDPOINTS);
	for (unsigned i = 0; i < 4; i++)
		assert_true(usage_enter(many, USAGE_ENDPOINTS, why));
	for (unsigned i = 0; i < 2; i++)
		assert_true(usage_enter(few, USAGE_ENDPOINTS, why));
	assert_true(usage_enter(other, USAGE_ENDPOINTS, why));
	assert_true(usage_owes(many, USAGE_ENDPOINTS, why));
	assert_false(usage_owes(few, USAGE_ENDPOINTS, why));
	usage_release(many);
	usage_release(few);
	usage_release(other);
}

static void
who_replaces_its_predecessor_never_loses_its_place(void **state)
{
	struct usage *successor;

	(void)state;
	fill(USAGE_SESSIONS);
	successor = usage(&people[0]);
	assert_true(usage_take_over(successor, usages[0], USAGE_SESSIONS, why)); /* nothing is free */
	for (unsigned i = 0; i < 3; i++)
		assert_true(usage_enter(usages[MOST + 1], USAGE_SESSIONS, why));
	assert_false(usage_owes(successor, USAGE_SESSIONS, why)); /* it is as old as the first */
	for (unsigned i = MOST - 3; i < MOST; i++)
		assert_int_equal(told[i], 1);
	/* A predecessor that owes its place has none to give. */
	usage_release(successor);
	successor = usage(&people[MOST - 1]);
	assert_true(usage_take_over(successor, usages[MOST - 1], USAGE_SESSIONS, why)); /* one was free */
	assert_false(usage_owes(usages[MOST - 1], USAGE_SESSIONS, why));
	assert_int_equal(usage_count(successor, USAGE_SESSIONS), 1);
	usage_release(successor);
	successor = usage(&people[MOST - 2]);
	assert_true(usage_enter(usages[0], USAGE_SESSIONS, why));
	assert_false(usage_take_over(successor, usages[MOST - 2], USAGE_SESSIONS, why));
	assert_true(usage_owes(usages[MOST - 2], USAGE_SESSIONS, why));
	usage_release(successor);
	release_all();
}

static void
an_owner_that_comes_late_hears_what_is_owed(void **state)
{
	(void)state;
	fill(USAGE_SESSIONS);
	usage_set_owner(usages[MOST - 1], NULL, NULL);
	assert_true(usage_enter(usages[MOST + 1], USAGE_SESSIONS, why));
	assert_int_equal(told[MOST - 1], 0);
	usage_set_owner(usages[MOST - 1], on_owing, &told[MOST - 1]);
	assert_int_equal(told[MOST - 1], 1);
	release_all();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_identity_counts_over_all_who_hold_its_usage),
		TEST(a_ceiling_holds_for_all_names_that_are_minted_below_it),
		TEST(a_ceiling_above_the_issuer_holds_too),
		TEST(without_a_number_the_relays_default_holds_for_an_identity_but_for_no_ca),
		TEST(who_takes_a_place_over_does_not_count_twice),
		TEST(a_tenant_that_has_most_leaves_room_for_the_others),
		TEST(many_small_ones_make_room_for_who_is_of_another_ca),
		TEST(of_flows_the_heaviest_is_refused_and_nobody_leaves),
		TEST(at_each_level_who_has_most_pays),
		TEST(within_an_identity_the_session_with_most_pays),
		TEST(who_replaces_its_predecessor_never_loses_its_place),
		TEST(an_owner_that_comes_late_hears_what_is_owed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("relay/usage", tests, NULL, NULL);
}
