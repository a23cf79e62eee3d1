/* Tests of relay/route: precedence, claims, sets, and names that are remembered. */
#include "relay/route.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include "base/address_rules.h"
#include "base/clock.h"
#include "base/clock_fake.h"
#include "relay/helpers.h"
#include "relay/session_ref.h"
#include "relay/people.h"
#include "relay/usage.h"

static struct routes *routes;
static struct usage_table *usage_table;
static char no_room[USAGE_WHY];
static struct loop *loop;
static char sentence[SENTENCE_TEXT];

/* An endpoint of a test, and what it is told. */
struct said {
	struct route_claim *claim;
	unsigned answers, losses;
	enum code code;
};

static struct session_ref *
session_of(struct identity *identity, uint8_t instance)
{
	struct session_ref_settings settings = { .loop = loop, .identity = identity, .pool_most = 4,
	    .instance = { instance } };
	struct session_ref *ref;

	settings.usage = usage_of(usage_table, identity);
	assert_true(usage_enter(settings.usage, USAGE_SESSIONS, no_room));
	ref = session_ref_new(&settings);
	assert_non_null(ref);
	return ref;
}

static struct session_ref *
session(struct identity *identity)
{
	return session_of(identity, 0);
}

static void
over(struct session_ref *ref)
{
	session_ref_retire(ref);
	session_ref_release(ref);
}

static void
on_answer(void *arg, enum code code, const char *why)
{
	struct said *said = arg;

	said->answers++;
	said->code = code;
	snprintf(sentence, sizeof sentence, "%s", why);
}

static void
on_lost(void *arg)
{
	struct said *said = arg;

	said->losses++;
}

/* What its agent wishes. */
struct wishes {
	const char *allow; /* whom it lets in; NULL: everybody */
	uint16_t weight;   /* 0: 100 */
	uint8_t balance, priority;
};

static enum code
announce_with(
    struct said *said, struct session_ref *ref, uint32_t endpoint, const char *pattern, struct wishes wishes)
{
	struct route_announcement announcement = { .session_ref = ref, .endpoint = endpoint, .pattern = pattern,
	    .weight = wishes.weight ? wishes.weight : 100, .balance = wishes.balance, .priority = wishes.priority,
	    .carriers = 1, .loop = loop, .on_answer = on_answer, .on_lost = on_lost, .arg = said };
	struct route_refusal refusal, foretold;
	struct prefix prefix;

	if (wishes.allow) {
		assert_true(prefix_parse(&prefix, wishes.allow));
		announcement.addresses = address_rules_new((struct address_list){ &prefix, 1 }, (struct address_list){ 0 });
	}

	*said = (struct said){ 0 };
	route_would_accept(routes, &announcement, &foretold);
	said->claim = route_announce(routes, &announcement, &refusal);
	assert_int_equal(foretold.code, refusal.code);
	assert_string_equal(foretold.sentence, refusal.sentence);
	address_rules_release(announcement.addresses);
	snprintf(sentence, sizeof sentence, "%s", refusal.sentence);
	return refusal.code;
}

static enum code
announce_for(struct said *said, struct session_ref *ref, uint32_t endpoint, const char *pattern, const char *allow)
{
	return announce_with(said, ref, endpoint, pattern, (struct wishes){ .allow = allow });
}

static enum code
announce(struct said *said, struct session_ref *ref, uint32_t endpoint, const char *pattern)
{
	return announce_for(said, ref, endpoint, pattern, NULL);
}

static void
withdraw(struct said *said)
{
	assert_true(route_withdraw(routes, said->claim, NULL, NULL));
	said->claim = NULL;
}

static struct route_static *
static_route(const char *pattern, bool any_depth, const char *const *alpn, size_t alpn_count)
{
	struct route_conditions when = { .alpn = alpn, .alpn_count = alpn_count };
	struct route_static_settings facts = { .pattern = pattern, .any_depth = any_depth, .when = &when,
	    .target = "127.0.0.1:1" };

	return route_static_new(&facts);
}

static enum route_verdict
ask(const struct route_question *question, struct route_answer *answer)
{
	struct route_request *request = NULL;
	enum route_verdict verdict = route_find(routes, question, answer, NULL, NULL, &request);

	assert_null(request);
	return verdict;
}

static struct route_answer
find(const char *name)
{
	struct route_question question = { .name = name };
	struct route_answer answer;

	ask(&question, &answer);
	route_static_release(answer.static_route);
	session_ref_release(answer.session_ref);
	return answer;
}

/* Why nobody can be had. */
static enum route_reason
reason(const char *name)
{
	struct route_answer answer = find(name);

	assert_int_equal(answer.verdict, ROUTE_NONE);
	return answer.reason;
}

static int
set_up(void **state)
{
	(void)state;
	routes = route_table_new();
	usage_table = usage_table_new();
	loop = loop_new();
	clock_fake(1000000, 0);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	loop_free(loop);
	route_table_free(routes);
	usage_table_free(usage_table);
	clock_fake(0, 0);
	return 0;
}

static void
exact_beats_wildcard_and_longer_beats_shorter(void **state)
{
	struct route_static *all[] = { static_route("a.x.example", false, NULL, 0), static_route("*.x.example", false, NULL, 0),
	    static_route("*.b.x.example", false, NULL, 0), static_route("*.deep.example", true, NULL, 0) };
	static const char *const rows[][2] = {
		{ "a.x.example", "a.x.example" }, { "c.x.example", "*.x.example" },
		{ "c.b.x.example", "*.b.x.example" }, { "d.c.x.example", "" }, { "x.example", "" },
		{ "one.deep.example", "*.deep.example" }, { "two.one.deep.example", "*.deep.example" },
		{ "deep.example", "" }, { "example", "" },
	};

	(void)state;
	assert_true(route_set_static(routes, "", all, 4));
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_string_equal(find(rows[i][0]).pattern, rows[i][1]);
	for (int i = 0; i < 4; i++)
		route_static_release(all[i]);
}

static void
a_route_may_ask_for_an_alpn(void **state)
{
	static const char *const h2[] = { "h2" };
	/* 8-bit length each; the last one of each row is cut. */
	static const struct {
		const char *offered;
		size_t bytes;
		bool fits;
	} rows[] = {
		{ "\2h2", 3, true }, { "\10http/1.1\2h2", 12, true }, { "\3h2c", 4, false }, { "\1h", 2, false },
		{ "", 0, false }, { "\2h2", 2, false }, { "\3foo\2h", 6, false },
	};
	struct route_static *all[] = { static_route("a.example", false, h2, 1), static_route("a.example", false, NULL, 0) };
	struct route_question question = { .name = "a.example" };
	struct route_answer answer;

	(void)state;
	assert_true(route_set_static(routes, "", all, 2));
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		question.alpn = (const uint8_t *)rows[i].offered;
		question.alpn_bytes = rows[i].bytes;
		assert_int_equal(ask(&question, &answer), ROUTE_STATIC);
		assert_ptr_equal(answer.static_route, all[rows[i].fits ? 0 : 1]);
		route_static_release(answer.static_route);
	}
	route_static_release(all[0]);
	route_static_release(all[1]);
}

static struct ip_address
ip(const char *text)
{
	struct address address;

	assert_true(address_parse(&address, text));
	return ip_address_of(&address);
}

static void
a_route_may_ask_for_sources_and_listeners(void **state)
{
	static const char *const h2[] = { "h2" };
	const struct ip_address inner = ip("192.0.2.1:443"), outer = ip("[::]:443"), other = ip("192.0.2.1:444");
	struct prefix blocks[2];
	const struct route_conditions both = { .sources = blocks, .source_count = 2, .listeners = &inner,
	    .listener_count = 1 };
	const struct route_conditions three = { .alpn = h2, .alpn_count = 1, .sources = blocks, .source_count = 2,
	    .listeners = &outer, .listener_count = 1 };
	const struct route_static_settings settings[] = {
		{ .pattern = "a.example", .target = "127.0.0.1:1", .when = &both },
		{ .pattern = "a.example", .target = "127.0.0.1:2", .when = &three },
		{ .pattern = "*.example", .target = "127.0.0.1:3" },
		{ .pattern = "b.other", .target = "127.0.0.1:4", .when = &both },
	};
	/* Which of them is taken; -1: none. */
	const struct {
		const char *name, *client;
		const struct ip_address *listener;
		const char *alpn;
		int taken;
	} rows[] = {
		{ "a.example", "10.9.9.9:5", &inner, "", 0 },
		{ "a.example", "10.9.9.9:5", &inner, "\2h2", 0 },
		{ "a.example", "[2001:db8::1]:5", &inner, "", 0 },
		{ "a.example", "10.9.9.9:5", &outer, "\2h2", 1 },
		{ "a.example", "10.9.9.9:5", &outer, "", 2 },
		{ "a.example", "11.9.9.9:5", &inner, "\2h2", 2 },
		{ "a.example", "[2001:db9::1]:5", &outer, "\2h2", 2 },
		{ "a.example", "10.9.9.9:5", &other, "\2h2", 2 },
		{ "a.example", "10.9.9.9:5", NULL, "\2h2", 2 },
		{ "b.other", "10.9.9.9:5", &inner, "", 3 },
		{ "b.other", "11.9.9.9:5", &inner, "", -1 },
	};
	struct route_static *all[4];

	(void)state;
	assert_true(prefix_parse(&blocks[0], "10.0.0.0/8") && prefix_parse(&blocks[1], "2001:db8::/32"));
	for (int i = 0; i < 4; i++)
		all[i] = route_static_new(&settings[i]);
	memset(blocks, 0, sizeof blocks); /* they are copied */
	assert_true(route_set_static(routes, "", all, 4));
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct route_question question = { .name = rows[i].name, .client = ip(rows[i].client),
		    .listener = rows[i].listener, .alpn = (const uint8_t *)rows[i].alpn,
		    .alpn_bytes = strlen(rows[i].alpn) };
		struct route_answer answer;

		ask(&question, &answer);
		if (rows[i].taken < 0)
			assert_int_equal(answer.reason, ROUTE_UNMET);
		assert_ptr_equal(answer.static_route, rows[i].taken < 0 ? NULL : all[rows[i].taken]);
		route_static_release(answer.static_route);
	}
	assert_int_equal(reason("c.other"), ROUTE_UNKNOWN);
	for (int i = 0; i < 4; i++)
		route_static_release(all[i]);
}

static void
static_routes_of_one_pattern_are_tried_in_their_order(void **state)
{
	struct route_static *all[40];

	(void)state;
	for (int i = 0; i < 40; i++)
		all[i] = static_route(i % 2 == 0 ? "a.example" : "b.example", false, NULL, 0);
	assert_true(route_set_static(routes, "", all, 40));
	assert_ptr_equal(find("a.example").static_route, all[0]);
	assert_ptr_equal(find("b.example").static_route, all[1]);
	for (int i = 0; i < 40; i++)
		route_static_release(all[i]);
}

static void
only_what_is_granted_may_be_announced(void **state)
{
	struct identity alice = person("alice", "*.a.example", false);
	struct session_ref *ref = session(&alice);
	struct said one, no;

	(void)state;
	assert_int_equal(announce(&one, ref, 1, "www.a.example"), CODE_NONE);
	assert_true(route_claim_is_up(one.claim));
	assert_int_equal(announce(&no, ref, 2, "www.b.example"), CODE_NAME_NOT_GRANTED);
	assert_null(no.claim);
	assert_non_null(strstr(sentence, "'www.b.example'"));
	assert_int_equal(announce(&no, ref, 3, "a..example"), CODE_NAME_INVALID);
	assert_int_equal(announce(&no, ref, 3, "192.0.2.1"), CODE_NAME_INVALID);
	assert_int_equal(announce(&no, ref, 3, ""), CODE_NAME_INVALID);
	assert_int_equal(find("www.a.example").verdict, ROUTE_AGENT);
	withdraw(&one);
	assert_int_equal(find("www.a.example").verdict, ROUTE_NONE);
	over(ref);
}

static void
what_is_the_relays_own_is_reserved(void **state)
{
	struct identity alice = person("alice", "*.example", false);
	struct route_static *all[] = { static_route("shop.example", false, NULL, 0) };
	struct session_ref *ref = session(&alice);
	struct said shop;

	(void)state;
	assert_true(route_set_static(routes, "connect.example", all, 1));
	assert_int_equal(announce(&shop, ref, 1, "shop.example"), CODE_NAME_RESERVED);
	assert_int_equal(announce(&shop, ref, 1, "connect.example"), CODE_NAME_RESERVED);
	assert_true(route_is_reserved(routes, "shop.example"));
	assert_true(route_is_reserved(routes, "connect.example"));
	assert_true(route_set_static(routes, "", NULL, 0));
	assert_int_equal(announce(&shop, ref, 1, "shop.example"), CODE_NONE);
	assert_false(route_is_reserved(routes, "shop.example"));
	withdraw(&shop);
	route_static_release(all[0]);
	over(ref);
}

static void
an_exact_san_displaces_a_wildcard_san_and_not_the_other_way(void **state)
{
	struct identity wild = person("wild", "*.example", false), exact = person("exact", "a.example", false);
	struct session_ref *w = session(&wild), *e = session(&exact);
	struct said early, late, again;

	(void)state;
	assert_int_equal(announce(&early, w, 7, "a.example"), CODE_NONE);
	assert_int_equal(announce(&late, e, 1, "a.example"), CODE_NONE);
	assert_int_equal(find("a.example").endpoint, 1);
	assert_int_equal(early.losses, 0);
	turn(loop);
	assert_int_equal(early.losses, 1);
	assert_false(route_claim_is_up(early.claim));
	withdraw(&early);
	assert_int_equal(announce(&again, w, 7, "a.example"), CODE_NAME_TAKEN);
	withdraw(&late);
	assert_int_equal(announce(&again, w, 7, "a.example"), CODE_NONE);
	withdraw(&again);
	turn(loop);
	assert_int_equal(late.losses + again.losses, 0);
	over(w);
	over(e);
}

static void
who_has_withdrawn_hears_of_no_loss(void **state)
{
	struct identity wild = person("wild", "*.example", false), exact = person("exact", "a.example", false);
	struct session_ref *w = session(&wild), *e = session(&exact);
	struct said early, late;

	(void)state;
	announce(&early, w, 7, "a.example");
	announce(&late, e, 1, "a.example");
	withdraw(&early);
	turn(loop);
	assert_int_equal(early.losses, 0);
	withdraw(&late);
	over(w);
	over(e);
}

static void
between_equals_the_first_one_stays_unless_all_share(void **state)
{
	struct identity alice = person("alice", "a.example", false), bob = person("bob", "a.example", false);
	struct identity carol = person("carol", "a.example", true), dave = person("dave", "*.example", true);
	struct session_ref *a = session(&alice), *a2 = session(&alice), *b = session(&bob), *c = session(&carol),
	    *d = session(&dave);
	struct said of_a, of_a2, of_c, of_d, no;

	(void)state;
	assert_int_equal(announce(&of_a, a, 1, "a.example"), CODE_NONE);
	assert_int_equal(announce(&of_a2, a2, 1, "a.example"), CODE_NONE);
	assert_int_equal(announce(&no, b, 1, "a.example"), CODE_NAME_TAKEN);
	assert_int_equal(announce(&no, c, 1, "a.example"), CODE_NAME_TAKEN);
	withdraw(&of_a);
	withdraw(&of_a2);
	assert_int_equal(announce(&of_d, d, 1, "a.example"), CODE_NONE);
	assert_int_equal(announce(&of_c, c, 1, "a.example"), CODE_NONE);
	turn(loop);
	assert_int_equal(of_d.losses + of_c.losses, 0);
	assert_int_equal(announce(&no, b, 1, "a.example"), CODE_NAME_TAKEN);
	withdraw(&of_c);
	withdraw(&of_d);
	over(a);
	over(a2);
	over(b);
	over(c);
	over(d);
}

/* ---- the counting against the rule, pair by pair ---- */

enum { PEOPLE = 8, CLAIMS = 40, STEPS = 20000 };

struct model {
	struct said said;
	int person;		/* -1: free */
};

static bool
stand_together(const struct identity *a, const struct identity *b)
{
	return memcmp(a->key, b->key, sizeof a->key) == 0 || (a->grant.shared && b->grant.shared);
}

static bool
has_exact(const struct identity *person)
{
	return person->sans[0][0] != '*';
}

/* Takes out of the model whom the newcomer displaces; false when he may not come. */
static bool
model_join(struct model *models, const struct identity *people, int newcomer)
{
	const struct identity *new = &people[newcomer];
	bool goes[CLAIMS] = { false };

	for (int i = 0; i < CLAIMS; i++) {
		const struct identity *there = models[i].person >= 0 ? &people[models[i].person] : NULL;

		if (!there || stand_together(there, new))
			continue;
		if (!has_exact(new) || has_exact(there))
			return false;
		goes[i] = true;
	}
	for (int i = 0; i < CLAIMS; i++) {
		if (!goes[i])
			continue;
		models[i].person = -1;
		turn(loop);
		assert_int_equal(models[i].said.losses, 1);
		withdraw(&models[i].said);
	}
	return true;
}

static void
model_step(struct model *model, struct model *models, const struct identity *people, struct session_ref **refs)
{
	int newcomer = rand() % PEOPLE;
	enum code code;

	if (model->person >= 0) {
		withdraw(&model->said);
		model->person = -1;
		return;
	}
	code = announce(&model->said, refs[newcomer], 1, "a.example");
	if (!model_join(models, people, newcomer)) {
		assert_int_equal(code, CODE_NAME_TAKEN);
		return;
	}
	assert_int_equal(code, CODE_NONE);
	model->person = newcomer;
}

/* Two people of one name are one identity with two certificates. */
static void
a_set_is_what_the_rule_says_whoever_comes_and_goes(void **state)
{
	struct identity people[PEOPLE];
	struct session_ref *refs[PEOPLE];
	struct model models[CLAIMS];

	(void)state;
	for (int i = 0; i < PEOPLE; i++) {
		people[i] = person(i < 4 ? "alice" : i < 6 ? "bob" : "carol", i % 2 == 0 ? "a.example" : "*.example",
		    i % 4 >= 2);
		refs[i] = session(&people[i]);
	}
	for (int i = 0; i < CLAIMS; i++)
		models[i].person = -1;
	srand(1);
	for (int i = 0; i < STEPS; i++)
		model_step(&models[rand() % CLAIMS], models, people, refs);
	for (int i = 0; i < CLAIMS; i++) {
		if (models[i].person >= 0)
			withdraw(&models[i].said);
	}
	assert_int_equal(reason("a.example"), ROUTE_NOBODY);
	for (int i = 0; i < PEOPLE; i++)
		over(refs[i]);
}

/* ---- drawing ---- */

static void
the_less_busy_of_two_is_taken_and_another_agent_first_on_retry(void **state)
{
	struct identity alice = person("alice", "a.example", false);
	struct session_ref *one = session(&alice), *two = session(&alice);
	struct route_question question = { .name = "a.example" };
	struct route_answer answer;
	struct said of_one, of_two;

	(void)state;
	announce(&of_one, one, 1, "a.example");
	announce(&of_two, two, 2, "a.example");
	assert_true(session_ref_enter_flow(one, no_room));
	for (int i = 0; i < 50; i++)
		assert_int_equal(find("a.example").endpoint, 2);
	question.tried[question.tried_count++] = two;
	for (int i = 0; i < 50; i++) {
		ask(&question, &answer);
		assert_ptr_equal(answer.session_ref, one);
		session_ref_release(answer.session_ref);
	}
	question.tried[question.tried_count++] = one;
	assert_int_equal(ask(&question, &answer), ROUTE_AGENT);
	session_ref_release(answer.session_ref);
	question.excluded[0] = question.excluded[1] = true;
	assert_int_equal(ask(&question, &answer), ROUTE_NONE);
	assert_int_equal(answer.reason, ROUTE_IN_VAIN);
	session_ref_leave_flow(one);
	session_ref_set_draining(two);
	for (int i = 0; i < 50; i++)
		assert_int_equal(find("a.example").endpoint, 1);
	withdraw(&of_one);
	assert_int_equal(reason("a.example"), ROUTE_NOBODY);
	withdraw(&of_two);
	over(one);
	over(two);
}

static void
who_is_asked_whether_he_lives_is_taken_only_when_there_is_nobody_else(void **state)
{
	struct identity alice = person("alice", "a.example", false);
	struct session_ref *one = session(&alice), *two = session(&alice);
	struct said of_one, of_two;

	(void)state;
	announce(&of_one, one, 1, "a.example");
	announce(&of_two, two, 2, "a.example");
	assert_true(session_ref_enter_flow(two, no_room));
	session_ref_set_suspect(one, true);
	for (int i = 0; i < 50; i++)
		assert_int_equal(find("a.example").endpoint, 2);
	session_ref_set_draining(two);
	assert_int_equal(find("a.example").endpoint, 1);
	session_ref_leave_flow(two);
	withdraw(&of_one);
	withdraw(&of_two);
	over(one);
	over(two);
}

/* ---- the memory of names ---- */

static void
a_name_is_known_for_a_minute_after_its_last_endpoint(void **state)
{
	struct identity alice = person("alice", "*.example", false);
	struct session_ref *ref = session(&alice);
	struct said said, wild;
	uint64_t arrivals;

	(void)state;
	assert_int_equal(reason("a.example"), ROUTE_UNKNOWN);
	announce(&said, ref, 1, "a.example");
	withdraw(&said);
	clock_fake_move(1000000 + ROUTE_KNOWN_MS * 1000 - 1);
	assert_int_equal(reason("a.example"), ROUTE_NOBODY);
	assert_int_equal(reason("b.example"), ROUTE_UNKNOWN);
	arrivals = route_arrivals(routes);
	announce(&said, ref, 1, "a.example");
	assert_int_equal(route_arrivals(routes), arrivals + 1);
	assert_int_equal(find("a.example").verdict, ROUTE_AGENT);
	withdraw(&said);
	assert_int_equal(route_arrivals(routes), arrivals + 1);
	assert_int_equal(reason("a.example"), ROUTE_NOBODY);
	clock_fake_move(1000000 + ROUTE_KNOWN_MS * 1000 + 1);
	assert_int_equal(reason("a.example"), ROUTE_NOBODY);	/* the minute begins anew */
	announce(&wild, ref, 2, "*.example");
	assert_string_equal(find("a.example").pattern, "*.example");	/* a memory hides nobody */
	withdraw(&wild);
	clock_fake_move(1000000 + 3 * ROUTE_KNOWN_MS * 1000);
	assert_int_equal(reason("a.example"), ROUTE_UNKNOWN);
	over(ref);
}

static void
nobody_is_awaited_whose_certificate_is_refused(void **state)
{
	struct identity alice = person("alice", "a.example", false);
	struct session_ref *one = session(&alice), *two = session(&alice);
	struct said of_one, of_two;

	(void)state;
	announce(&of_one, one, 1, "a.example");
	announce(&of_two, two, 2, "a.example");
	session_ref_banish(one);
	session_ref_retire(one);
	assert_int_equal(find("a.example").endpoint, 2);
	session_ref_set_draining(two);
	assert_int_equal(reason("a.example"), ROUTE_NOBODY);
	withdraw(&of_two);
	assert_int_equal(reason("a.example"), ROUTE_IN_VAIN);
	withdraw(&of_one);
	assert_int_equal(reason("a.example"), ROUTE_IN_VAIN);
	over(one);
	over(two);
}

static void
serve_and_leave(struct session_ref *ref, const char *under, int first, int last)
{
	struct said said;
	char name[NAME_SIZE];

	for (int i = first; i <= last; i++) {
		snprintf(name, sizeof name, "n%d.%s.example", i, under);
		assert_int_equal(announce(&said, ref, 1, name), CODE_NONE);
		withdraw(&said);
	}
}

/* ---- lists of addresses ---- */

/* The endpoint that a client from here gets, or minus the reason why there is none. */
static int
way_of(const char *name, const char *client, struct session_ref *excluded)
{
	struct route_question question = { .name = name, .client = ip(client), .tried = { excluded },
	    .excluded = { true }, .tried_count = excluded != NULL };
	struct route_answer answer;
	int way = ask(&question, &answer) == ROUTE_AGENT ? (int)answer.endpoint : -(int)answer.reason;

	session_ref_release(answer.session_ref);
	return way;
}

#define INSIDE "192.0.2.7:1"
#define OUTSIDE "198.51.100.7:1"

static void
each_client_gets_an_agent_that_lets_him_in(void **state)
{
	struct identity alice = person("alice", "*.example", false);
	struct session_ref *ref[3] = { session(&alice), session(&alice), session(&alice) };
	struct said said[3];

	(void)state;
	announce_for(&said[0], ref[0], 1, "a.example", "192.0.2.0/24");
	for (int i = 0; i < 20; i++) {
		assert_int_equal(way_of("a.example", INSIDE, NULL), 1);
		assert_int_equal(way_of("a.example", "[::ffff:192.0.2.7]:1", NULL), 1);
		assert_int_equal(way_of("a.example", OUTSIDE, NULL), -ROUTE_DENIED);
		assert_int_equal(way_of("a.example", "[2001:db8::1]:1", NULL), -ROUTE_DENIED);
	}
	announce_for(&said[1], ref[1], 2, "a.example", "2001:db8::/32");
	announce_for(&said[2], ref[2], 3, "a.example", "2001:db8::/48");
	for (int i = 0; i < 20; i++) {
		assert_int_equal(way_of("a.example", INSIDE, NULL), 1);
		assert_int_equal(way_of("a.example", "[2001:db8:1::1]:1", NULL), 2);
		assert_int_equal(way_of("a.example", "[2001:db8::1]:1", ref[1]), 3);
		assert_int_equal(way_of("a.example", OUTSIDE, NULL), -ROUTE_DENIED);
	}
	/* The only one for him has failed him, which is no verdict on his address. */
	assert_int_equal(way_of("a.example", INSIDE, ref[0]), -ROUTE_IN_VAIN);
	session_ref_set_draining(ref[0]);
	assert_int_equal(way_of("a.example", INSIDE, NULL), -ROUTE_NOBODY);
	assert_int_equal(way_of("a.example", OUTSIDE, NULL), -ROUTE_DENIED);
	for (int i = 0; i < 3; i++) {
		withdraw(&said[i]);
		over(ref[i]);
	}
}

static void
who_is_let_in_by_an_agent_that_is_away_waits_for_it(void **state)
{
	struct identity alice = person("alice", "*.example", false);
	struct session_ref *a = session_of(&alice, 1), *b = session_of(&alice, 2), *again = session_of(&alice, 1);
	struct said of_a, of_b, of_again;

	(void)state;
	announce_for(&of_a, a, 1, "a.example", "192.0.2.0/24");
	announce_for(&of_b, b, 2, "a.example", "2001:db8::/32");
	withdraw(&of_a);
	assert_int_equal(way_of("a.example", INSIDE, NULL), -ROUTE_NOBODY);
	assert_int_equal(way_of("a.example", OUTSIDE, NULL), -ROUTE_DENIED);
	assert_int_equal(way_of("a.example", "[2001:db8::1]:1", NULL), 2);
	/* It comes back, and has changed its mind. */
	announce_for(&of_again, again, 3, "a.example", "198.51.100.0/24");
	assert_int_equal(way_of("a.example", INSIDE, NULL), -ROUTE_DENIED);
	assert_int_equal(way_of("a.example", OUTSIDE, NULL), 3);
	withdraw(&of_again);
	withdraw(&of_b);
	assert_int_equal(way_of("a.example", INSIDE, NULL), -ROUTE_DENIED);
	assert_int_equal(way_of("a.example", OUTSIDE, NULL), -ROUTE_NOBODY);
	assert_int_equal(way_of("a.example", "[2001:db8::1]:1", NULL), -ROUTE_NOBODY);
	clock_fake_move(1000000 + ROUTE_KNOWN_MS * 1000);
	assert_int_equal(way_of("a.example", OUTSIDE, NULL), -ROUTE_UNKNOWN);
	over(a);
	over(b);
	over(again);
}

static void
a_minute_later_nobody_waits_for_him(void **state)
{
	struct identity alice = person("alice", "*.example", false);
	struct session_ref *a = session_of(&alice, 1), *b = session_of(&alice, 2);
	struct said of_a, of_b;

	(void)state;
	announce_for(&of_a, a, 1, "a.example", "192.0.2.0/24");
	announce_for(&of_b, b, 2, "a.example", "2001:db8::/32");
	withdraw(&of_a);
	clock_fake_move(1000000 + ROUTE_KNOWN_MS * 1000 - 1);
	assert_int_equal(way_of("a.example", INSIDE, NULL), -ROUTE_NOBODY);
	clock_fake_move(1000000 + ROUTE_KNOWN_MS * 1000);
	assert_int_equal(way_of("a.example", INSIDE, NULL), -ROUTE_DENIED);
	withdraw(&of_b);
	over(a);
	over(b);
}

/* What is announced again, under the same number, has never been away. */
static void
nobody_waits_for_lists_that_were_replaced(void **state)
{
	struct identity alice = person("alice", "*.example", false);
	struct session_ref *a = session_of(&alice, 1);
	struct said before, now;

	(void)state;
	announce_for(&before, a, 1, "a.example", "192.0.2.0/24");
	announce_for(&now, a, 1, "a.example", "2001:db8::/32");
	route_withdraw_replaced(routes, before.claim);
	assert_int_equal(way_of("a.example", INSIDE, NULL), -ROUTE_DENIED);
	assert_int_equal(way_of("a.example", "[2001:db8::1]:1", NULL), 1);
	withdraw(&now);
	over(a);
}

static void
who_has_no_lists_or_no_room_is_waited_for_by_everybody(void **state)
{
	enum { MANY = 6 };
	struct identity alice = person("alice", "*.example", false);
	struct session_ref *ref[MANY];
	struct said said[MANY];
	char list[MANY][32];

	(void)state;
	for (int i = 0; i < MANY; i++) {
		ref[i] = session_of(&alice, (uint8_t)(i + 1));
		snprintf(list[i], sizeof list[i], "10.%d.0.0/16", i);
		announce_for(&said[i], ref[i], (uint32_t)i + 1, "a.example", i == MANY - 1 ? NULL : list[i]);
	}
	assert_int_equal(way_of("a.example", OUTSIDE, NULL), MANY);
	withdraw(&said[MANY - 1]);
	assert_int_equal(way_of("a.example", OUTSIDE, NULL), -ROUTE_NOBODY);
	announce_for(&said[MANY - 1], ref[MANY - 1], MANY, "a.example", "10.200.0.0/16");
	assert_int_equal(way_of("a.example", OUTSIDE, NULL), -ROUTE_DENIED);
	for (int i = MANY - 1; i >= 1; i--) {
		withdraw(&said[i]);
		assert_int_equal(way_of("a.example", OUTSIDE, NULL), i > 1 ? -ROUTE_DENIED : -ROUTE_NOBODY);
	}
	assert_int_equal(way_of("a.example", "10.0.0.1:1", NULL), 1);
	withdraw(&said[0]);
	for (int i = 0; i < MANY; i++)
		over(ref[i]);
}

/* It stood still from the 30th second on, so that nobody could come back; a late tick alone is no standstill. */
static void
time_in_which_the_relay_stands_still_is_none(void **state)
{
	struct identity alice = person("alice", "*.a.example", false);
	struct session_ref *ref = session(&alice);
	uint64_t now_us = 1000000;
	struct said said;

	(void)state;
	assert_int_equal(announce_for(&said, ref, 1, "www.a.example", "10.0.0.0/8"), CODE_NONE);
	withdraw(&said);
	for (int i = 0; i < 30; i++) {
		clock_fake_move(now_us += 1000000);
		route_names_tick(routes);
	}
	clock_fake_move(now_us += 3600 * UINT64_C(1000000));
	assert_int_equal(way_of("www.a.example", "10.0.0.1:1", NULL), -ROUTE_NOBODY);
	assert_int_equal(way_of("www.a.example", "11.0.0.1:1", NULL), -ROUTE_DENIED);
	route_names_tick(routes);
	for (int i = 0; i < 26; i++) {
		assert_int_equal(way_of("www.a.example", "10.0.0.1:1", NULL), -ROUTE_NOBODY);
		clock_fake_move(now_us += 1000000);
		route_names_tick(routes);
	}
	clock_fake_move(now_us += 1000000);
	assert_int_equal(reason("www.a.example"), ROUTE_UNKNOWN);
	over(ref);
}

static void
who_has_most_forgets_only_its_own_names(void **state)
{
	struct identity alice = person("alice", "*.a.example", false), bob = person("bob", "*.b.example", false);
	struct session_ref *a = session(&alice), *b = session(&bob);

	(void)state;
	serve_and_leave(b, "b", 0, 0);
	serve_and_leave(a, "a", 0, ROUTE_KNOWN_MOST - 1);
	assert_int_equal(reason("n0.a.example"), ROUTE_UNKNOWN);
	assert_int_equal(reason("n1.a.example"), ROUTE_NOBODY);
	assert_int_equal(reason("n0.b.example"), ROUTE_NOBODY);
	serve_and_leave(b, "b", 1, 1);
	assert_int_equal(reason("n1.a.example"), ROUTE_UNKNOWN);
	assert_int_equal(reason("n2.a.example"), ROUTE_NOBODY);
	assert_int_equal(reason("n0.b.example"), ROUTE_NOBODY);
	assert_int_equal(reason("n1.b.example"), ROUTE_NOBODY);
	over(a);
	over(b);
}

/* Whoever has a CA can make identities as he likes. */
static void
minted_identities_forget_only_names_of_their_tenant(void **state)
{
	enum { MINTED = 5 };
	static const char *const names[MINTED] = { "a", "b", "c", "d", "e" };
	const struct test_ca acme = { .name = "CN=acme", .has_grant = true };
	struct identity minted[MINTED], honest = person("honest", "*.h.example", false);
	struct session_ref *ref = session(&honest);
	char sans[MINTED][32];

	(void)state;
	serve_and_leave(ref, "h", 1, 1);
	for (int i = 0; i < MINTED; i++) {
		struct session_ref *of_it;

		snprintf(sans[i], sizeof sans[i], "*.%s.example", names[i]);
		minted[i] = person(names[i], sans[i], false);
		minted[i].above[0] = &acme;
		of_it = session(&minted[i]);
		serve_and_leave(of_it, names[i], 1, ROUTE_KNOWN_MOST / 4);
		over(of_it);
	}
	assert_int_equal(reason("n1.h.example"), ROUTE_NOBODY);
	assert_int_equal(reason("n1.a.example"), ROUTE_UNKNOWN);
	assert_int_equal(reason("n1.b.example"), ROUTE_UNKNOWN);
	assert_int_equal(reason("n2.b.example"), ROUTE_NOBODY);
	over(ref);
}

/* ---- priorities ---- */

/* Some agents of one name, each with a session and an endpoint whose number is its index plus one. */
enum { TEAM = 4 };

struct team {
	struct identity identity;
	struct session_ref *ref[TEAM];
	struct said said[TEAM];
};

static void
enter(struct team *team, int i, struct wishes wishes)
{
	team->ref[i] = session_of(&team->identity, (uint8_t)(i + 1));
	assert_int_equal(announce_with(&team->said[i], team->ref[i], (uint32_t)i + 1, "a.example", wishes), CODE_NONE);
}

static void
leave(struct team *team, int i)
{
	withdraw(&team->said[i]);
	over(team->ref[i]);
	team->ref[i] = NULL;
}

static void
begin_team(struct team *team)
{
	*team = (struct team){ .identity = person("alice", "a.example", false) };
}

static void
end_team(struct team *team)
{
	for (int i = 0; i < TEAM; i++)
		if (team->ref[i])
			leave(team, i);
}

static void
later(uint64_t ms)
{
	clock_fake_move(clock_us() + ms * 1000);
}

/* The endpoints that are found in many look-ups, a bit each. */
static unsigned
found(void)
{
	unsigned seen = 0;

	for (int i = 0; i < 50; i++) {
		struct route_answer answer = find("a.example");

		assert_int_equal(answer.verdict, ROUTE_AGENT);
		seen |= 1u << answer.endpoint;
	}
	return seen;
}

enum { FIRST = 1u << 1, SECOND = 1u << 2, THIRD = 1u << 3, FOURTH = 1u << 4 };

static void
the_lowest_priority_that_can_serve_has_all_flows(void **state)
{
	struct team team;
	char no[USAGE_WHY];

	(void)state;
	begin_team(&team);
	enter(&team, 2, (struct wishes){ .priority = 255 });
	enter(&team, 1, (struct wishes){ .priority = 7 });
	enter(&team, 0, (struct wishes){ .priority = 0 });
	enter(&team, 3, (struct wishes){ .priority = 7 });
	assert_int_equal(found(), FIRST);
	for (int i = 0; i < 9; i++) /* however busy it is */
		assert_true(session_ref_enter_flow(team.ref[0], no));
	assert_int_equal(found(), FIRST);
	session_ref_set_suspect(team.ref[0], true);
	assert_int_equal(found(), SECOND | FOURTH);
	session_ref_set_suspect(team.ref[1], true);
	session_ref_set_draining(team.ref[3]);
	assert_int_equal(found(), THIRD);
	session_ref_set_suspect(team.ref[2], true); /* all are: by their priorities again */
	assert_int_equal(found(), FIRST);
	session_ref_set_draining(team.ref[0]);
	assert_int_equal(found(), SECOND);
	for (int i = 0; i < 9; i++)
		session_ref_leave_flow(team.ref[0]);
	end_team(&team);
}

/* Who fails a flow goes behind all who have not, and who has failed it for good is not asked again. */
static void
a_flow_that_fails_goes_on_to_the_next_priority(void **state)
{
	struct team team;
	struct route_question question = { .name = "a.example" };
	struct route_answer answer;

	(void)state;
	begin_team(&team);
	for (int i = 0; i < 3; i++)
		enter(&team, i, (struct wishes){ .priority = (uint8_t)i });
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ask(&question, &answer), ROUTE_AGENT);
		assert_ptr_equal(answer.session_ref, team.ref[i]);
		session_ref_release(answer.session_ref);
		question.tried[question.tried_count] = team.ref[i];
		question.excluded[question.tried_count++] = i == 0;
	}
	assert_int_equal(ask(&question, &answer), ROUTE_AGENT);
	assert_ptr_equal(answer.session_ref, team.ref[1]);
	session_ref_release(answer.session_ref);
	question.excluded[1] = question.excluded[2] = true;
	assert_int_equal(ask(&question, &answer), ROUTE_NONE);
	assert_int_equal(answer.reason, ROUTE_IN_VAIN);
	end_team(&team);
}

static void
who_comes_back_gets_its_flows_when_it_has_stayed_for_half_a_minute(void **state)
{
	struct team team;

	(void)state;
	begin_team(&team);
	enter(&team, 0, (struct wishes){ 0 });
	enter(&team, 1, (struct wishes){ .priority = 1 });
	later(ROUTE_HELD_BACK_MS);
	assert_int_equal(found(), FIRST);
	leave(&team, 0);
	assert_int_equal(found(), SECOND);
	for (int i = 0; i < 3; i++) { /* it comes and goes */
		later(1000);
		enter(&team, 0, (struct wishes){ 0 });
		assert_int_equal(found(), SECOND);
		later(ROUTE_HELD_BACK_MS - 1);
		assert_int_equal(found(), SECOND);
		if (i < 2)
			leave(&team, 0);
	}
	later(1);
	assert_int_equal(found(), FIRST);
	end_team(&team);
}

static void
who_is_held_back_serves_when_nobody_better_is_there(void **state)
{
	struct team team;

	(void)state;
	begin_team(&team);
	enter(&team, 2, (struct wishes){ .priority = 9 });
	later(ROUTE_HELD_BACK_MS);
	enter(&team, 1, (struct wishes){ .priority = 1 });
	enter(&team, 0, (struct wishes){ .priority = 0 });
	assert_int_equal(found(), THIRD);
	session_ref_set_suspect(team.ref[2], true);
	assert_int_equal(found(), FIRST);
	leave(&team, 0);
	assert_int_equal(found(), SECOND);
	end_team(&team);
}

/* After a start of the relay the order in which they come says nothing. */
static void
nobody_is_held_back_where_nobody_has_stood_in_for_it(void **state)
{
	struct team team;

	(void)state;
	begin_team(&team);
	enter(&team, 1, (struct wishes){ .priority = 1 });
	later(ROUTE_HELD_BACK_MS - 1);
	enter(&team, 0, (struct wishes){ 0 });
	assert_int_equal(found(), FIRST);
	later(1);
	enter(&team, 2, (struct wishes){ 0 }); /* one more beside the first one, which serves */
	assert_int_equal(found(), FIRST | THIRD);
	end_team(&team);
}

/* As after a reload of the agent, or a health check: its session has stayed. */
static void
who_announces_again_over_the_same_session_is_not_held_back(void **state)
{
	struct team team;

	(void)state;
	begin_team(&team);
	enter(&team, 0, (struct wishes){ 0 });
	enter(&team, 1, (struct wishes){ .priority = 1 });
	later(ROUTE_HELD_BACK_MS);
	withdraw(&team.said[0]);
	assert_int_equal(found(), SECOND);
	announce(&team.said[0], team.ref[0], 1, "a.example");
	assert_int_equal(found(), FIRST);
	end_team(&team);
}

/* The relay takes the endpoints of the old session away before the new one announces them. */
static void
who_makes_a_new_session_beside_one_that_is_well_is_not_held_back(void **state)
{
	struct session_ref *renewed;
	struct team team;

	(void)state;
	begin_team(&team);
	enter(&team, 0, (struct wishes){ 0 });
	enter(&team, 1, (struct wishes){ .priority = 1 });
	later(ROUTE_HELD_BACK_MS);
	for (int i = 0; i < 2; i++) {
		renewed = session_of(&team.identity, 1);
		if (i == 0)
			session_ref_continue(renewed, team.ref[0]);
		leave(&team, 0);
		team.ref[0] = renewed;
		announce(&team.said[0], team.ref[0], 1, "a.example");
		assert_int_equal(found(), i == 0 ? FIRST : SECOND);
	}
	end_team(&team);
}

/* ---- the same client, the same agent ---- */

/* The endpoint that each of some clients gets. */
enum { ASKERS = 200 };

static void
look_up_all(uint32_t endpoints[ASKERS])
{
	char client[64];

	for (int i = 0; i < ASKERS; i++) {
		snprintf(client, sizeof client, i % 2 ? "[2001:db8:0:%x::1]:1" : "192.0.2.%d:1", i);
		endpoints[i] = (uint32_t)way_of("a.example", client, NULL);
	}
}

static void
a_client_is_led_to_the_same_agent_as_long_as_it_is_there(void **state)
{
	const struct wishes source = { .balance = BALANCE_SOURCE };
	uint32_t before[ASKERS], now[ASKERS];
	struct team team;
	unsigned served = 0;

	(void)state;
	begin_team(&team);
	for (int i = 0; i < 3; i++)
		enter(&team, i, source);
	look_up_all(before);
	assert_true(session_ref_enter_flow(team.ref[0], no_room)); /* busy or not */
	look_up_all(now);
	assert_memory_equal(now, before, sizeof now);
	session_ref_leave_flow(team.ref[0]);
	leave(&team, 1);
	look_up_all(now);
	for (int i = 0; i < ASKERS; i++) {
		served |= 1u << now[i];
		if (before[i] != 2)
			assert_int_equal(now[i], before[i]);
	}
	assert_int_equal(served, FIRST | THIRD);
	enter(&team, 1, source);
	look_up_all(now);
	assert_memory_equal(now, before, sizeof now);
	session_ref_set_suspect(team.ref[2], true);
	look_up_all(now);
	for (int i = 0; i < ASKERS; i++)
		assert_true(before[i] == 3 ? now[i] != 3 : now[i] == before[i]);
	end_team(&team);
}

/* The order in which they come says nothing, and neither does the relay. */
static void
every_relay_leads_a_client_to_the_same_agent(void **state)
{
	const struct wishes source = { .balance = BALANCE_SOURCE, .weight = 7 };
	uint32_t here[ASKERS], there[ASKERS];
	struct routes *first = routes;
	struct team team, again;

	(void)state;
	begin_team(&team);
	begin_team(&again);
	for (int i = 0; i < TEAM; i++)
		enter(&team, i, source);
	look_up_all(here);
	routes = route_table_new();
	for (int i = TEAM - 1; i >= 0; i--)
		enter(&again, i, source);
	look_up_all(there);
	assert_memory_equal(here, there, sizeof here);
	end_team(&again);
	route_table_free(routes);
	routes = first;
	end_team(&team);
}

static void
addresses_of_one_line_are_one_client(void **state)
{
	const struct wishes source = { .balance = BALANCE_SOURCE };
	struct team team;
	char client[64];
	unsigned lines = 0;
	int endpoint;

	(void)state;
	begin_team(&team);
	for (int i = 0; i < TEAM; i++)
		enter(&team, i, source);
	endpoint = way_of("a.example", "[2001:db8::1]:1", NULL);
	for (int i = 0; i < 50; i++) {
		snprintf(client, sizeof client, "[2001:db8::%x:1]:%d", i, i + 1);
		assert_int_equal(way_of("a.example", client, NULL), endpoint);
		snprintf(client, sizeof client, "[2001:db8:0:%x::1]:1", i);
		lines |= 1u << way_of("a.example", client, NULL);
	}
	assert_int_equal(lines, FIRST | SECOND | THIRD | FOURTH);
	end_team(&team);
}

/* A client without an address has none that could be kept. */
static void
one_of_the_group_that_serves_decides_for_all_of_it(void **state)
{
	uint32_t before[ASKERS], now[ASKERS];
	struct team team;

	(void)state;
	begin_team(&team);
	enter(&team, 0, (struct wishes){ 0 });
	enter(&team, 1, (struct wishes){ 0 });
	enter(&team, 2, (struct wishes){ .balance = BALANCE_SOURCE, .priority = 1 });
	look_up_all(before);
	look_up_all(now);
	assert_memory_not_equal(now, before, sizeof now); /* a stand-in that does not serve decides nothing */
	enter(&team, 3, (struct wishes){ .balance = BALANCE_SOURCE });
	look_up_all(before);
	look_up_all(now);
	assert_memory_equal(now, before, sizeof now);
	assert_int_equal(found(), FIRST | SECOND | FOURTH);
	end_team(&team);
}

/* Machines that were copied with their state_dir: neither of them is forgotten. */
static void
copies_of_one_agent_share_its_clients(void **state)
{
	struct team team;

	(void)state;
	begin_team(&team);
	for (int i = 0; i < 2; i++) {
		team.ref[i] = session_of(&team.identity, 9);
		announce_with(&team.said[i], team.ref[i], (uint32_t)i + 1, "a.example",
		    (struct wishes){ .balance = BALANCE_SOURCE });
	}
	assert_true(session_ref_enter_flow(team.ref[0], no_room));
	assert_int_equal(way_of("a.example", "192.0.2.1:1", NULL), 2);
	assert_true(session_ref_enter_flow(team.ref[1], no_room));
	assert_true(session_ref_enter_flow(team.ref[1], no_room));
	assert_int_equal(way_of("a.example", "192.0.2.1:1", NULL), 1);
	session_ref_leave_flow(team.ref[0]);
	session_ref_leave_flow(team.ref[1]);
	session_ref_leave_flow(team.ref[1]);
	end_team(&team);
}

/* A search draws two of those that may be taken, and all have the same chance to be one of them. */
static void
in_a_search_too_each_has_its_share(void **state)
{
	struct team team;
	unsigned counts[TEAM + 1] = { 0 };

	(void)state;
	begin_team(&team);
	for (int i = 0; i < TEAM; i++)
		enter(&team, i, (struct wishes){ .priority = 3 });
	assert_true(session_ref_enter_flow(team.ref[0], no_room)); /* it wins no draw */
	for (int i = 0; i < 4000; i++)
		counts[find("a.example").endpoint]++;
	assert_int_equal(counts[1], 0);
	for (int i = 2; i <= TEAM; i++)
		assert_in_range(counts[i], 1333 - 200, 1333 + 200);
	session_ref_leave_flow(team.ref[0]);
	end_team(&team);
}

/* ---- readers beside writers ---- */

enum { STABLE = 300, CHURN = 3000, LOOKS = 60000 };

static atomic_bool is_over;

/* What is stable must be found at every moment, whatever else moves. */
static void *
look(void *arg)
{
	char name[NAME_SIZE];

	for (int i = 0; i < LOOKS && !atomic_load(&is_over); i++) {
		snprintf(name, sizeof name, "s%d.example", i % STABLE);
		if (find(name).verdict != ROUTE_AGENT)
			return arg;
		find("set.example");
	}
	return NULL;
}

static void
a_reader_finds_what_is_there_while_others_come_and_go(void **state)
{
	struct identity alice = person("alice", "*.example", false);
	struct session_ref *ref = session(&alice), *other = session(&alice);
	static struct said stable[STABLE], set[64], said;
	pthread_t readers[2];
	void *failure;
	char name[NAME_SIZE];

	(void)state;
	atomic_store(&is_over, false);
	for (int i = 0; i < STABLE; i++) {
		snprintf(name, sizeof name, "s%d.example", i);
		announce(&stable[i], ref, 1, name);
	}
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, look, &is_over), 0);
	for (int i = 0; i < CHURN; i++) {
		snprintf(name, sizeof name, "c%d.example", i);
		announce(&said, ref, 1, name);
		withdraw(&said);
		announce(&set[i % 64], i % 2 == 0 ? ref : other, 1, "set.example");
		if (i % 64 == 63) {
			for (int k = 0; k < 64; k++)
				withdraw(&set[k]);
		}
	}
	atomic_store(&is_over, true);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(readers[i], &failure), 0);
		assert_null(failure);
	}
	for (int i = 0; i < STABLE; i++)
		withdraw(&stable[i]);
	for (int k = 0; k < CHURN % 64; k++)
		withdraw(&set[k]);
	over(ref);
	over(other);
}

/* For whom a session that drains has failed, or who finds nobody there: he may wait, or is led to another one that
 * has come. */
static void *
look_for_another(void *arg)
{
	struct route_question question = { .name = "set.example", .excluded = { true }, .tried_count = 1 };
	struct route_answer answer;

	question.tried[0] = arg;
	for (int i = 0; i < LOOKS && !atomic_load(&is_over); i++) {
		question.name = i % 2 ? "set.example" : "alone.example";
		if (ask(&question, &answer) == ROUTE_NONE && answer.reason != ROUTE_NOBODY)
			return arg;
		session_ref_release(answer.session_ref);
	}
	return NULL;
}

static void
nobody_looks_in_vain_while_another_session_takes_over(void **state)
{
	struct identity alice = person("alice", "*.example", false);
	struct session_ref *old = session_of(&alice, 1), *next = session_of(&alice, 2);
	struct said said[2], alone;
	pthread_t readers[2];
	void *failure;

	(void)state;
	atomic_store(&is_over, false);
	announce(&alone, next, 2, "alone.example");
	withdraw(&alone);
	announce(&said[0], old, 1, "set.example");
	session_ref_set_draining(old);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, look_for_another, old), 0);
	for (int i = 0; i < CHURN; i++) {
		announce(&said[1], next, 1, "set.example");
		withdraw(&said[1]);
		announce(&alone, next, 2, "alone.example");
		withdraw(&alone);
	}
	atomic_store(&is_over, true);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(readers[i], &failure), 0);
		assert_null(failure);
	}
	withdraw(&said[0]);
	over(old);
	over(next);
}

/* From before it leaves to after it is back. */
static void *
look_from_inside(void *arg)
{
	for (int i = 0; i < LOOKS && !atomic_load(&is_over); i++)
		if (way_of("set.example", INSIDE, NULL) == -ROUTE_DENIED ||
		    way_of("alone.example", INSIDE, NULL) == -ROUTE_DENIED)
			return arg;
	return NULL;
}

static void
nobody_is_denied_while_who_lets_him_in_comes_and_goes(void **state)
{
	enum { OTHERS = 8 };
	struct identity alice = person("alice", "*.example", false);
	struct session_ref *ref = session_of(&alice, 1), *other = session_of(&alice, 2);
	struct said others[OTHERS], said[2];
	pthread_t readers[2];
	void *failure;

	(void)state;
	atomic_store(&is_over, false);
	announce_for(&said[0], ref, 1, "set.example", "192.0.2.0/24");
	announce_for(&said[1], ref, 2, "alone.example", "192.0.2.0/24");
	for (int i = 0; i < OTHERS; i++)
		announce_for(&others[i], other, 2, "set.example", "2001:db8::/32");
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, look_from_inside, &is_over), 0);
	for (int i = 0; i < CHURN; i++) {
		withdraw(&said[0]);
		announce_for(&said[0], ref, 1, "set.example", "192.0.2.0/24");
		withdraw(&said[1]);
		announce_for(&said[1], ref, 2, "alone.example", "192.0.2.0/24");
		withdraw(&others[i % OTHERS]); /* the last one moves into its place */
		announce_for(&others[i % OTHERS], other, 2, "set.example", "2001:db8::/32");
	}
	atomic_store(&is_over, true);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(readers[i], &failure), 0);
		assert_null(failure);
	}
	withdraw(&said[0]);
	withdraw(&said[1]);
	for (int i = 0; i < OTHERS; i++)
		withdraw(&others[i]);
	over(ref);
	over(other);
}

static void
a_grant_bounds_the_flows_of_all_sessions_together(void **state)
{
	struct identity alice = person("alice", "a.example", false);
	struct session_ref *one, *two;

	(void)state;
	alice.grant.max_flows = 2;
	one = session(&alice);
	two = session(&alice);
	assert_true(session_ref_enter_flow(one, no_room));
	assert_true(session_ref_enter_flow(two, no_room));
	assert_false(session_ref_enter_flow(one, no_room));
	session_ref_leave_flow(two);
	assert_true(session_ref_enter_flow(one, no_room));
	assert_int_equal(session_ref_flows(one), 2);
	session_ref_leave_flow(one);
	session_ref_leave_flow(one);
	over(one);
	over(two);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(exact_beats_wildcard_and_longer_beats_shorter),
		TEST(a_route_may_ask_for_an_alpn),
		TEST(a_route_may_ask_for_sources_and_listeners),
		TEST(static_routes_of_one_pattern_are_tried_in_their_order),
		TEST(only_what_is_granted_may_be_announced),
		TEST(what_is_the_relays_own_is_reserved),
		TEST(an_exact_san_displaces_a_wildcard_san_and_not_the_other_way),
		TEST(who_has_withdrawn_hears_of_no_loss),
		TEST(between_equals_the_first_one_stays_unless_all_share),
		TEST(a_set_is_what_the_rule_says_whoever_comes_and_goes),
		TEST(the_less_busy_of_two_is_taken_and_another_agent_first_on_retry),
		TEST(who_is_asked_whether_he_lives_is_taken_only_when_there_is_nobody_else),
		TEST(a_name_is_known_for_a_minute_after_its_last_endpoint),
		TEST(nobody_is_awaited_whose_certificate_is_refused),
		TEST(each_client_gets_an_agent_that_lets_him_in),
		TEST(who_is_let_in_by_an_agent_that_is_away_waits_for_it),
		TEST(a_minute_later_nobody_waits_for_him),
		TEST(nobody_waits_for_lists_that_were_replaced),
		TEST(who_has_no_lists_or_no_room_is_waited_for_by_everybody),
		TEST(time_in_which_the_relay_stands_still_is_none),
		TEST(who_has_most_forgets_only_its_own_names),
		TEST(minted_identities_forget_only_names_of_their_tenant),
		TEST(the_lowest_priority_that_can_serve_has_all_flows),
		TEST(a_flow_that_fails_goes_on_to_the_next_priority),
		TEST(who_comes_back_gets_its_flows_when_it_has_stayed_for_half_a_minute),
		TEST(who_is_held_back_serves_when_nobody_better_is_there),
		TEST(nobody_is_held_back_where_nobody_has_stood_in_for_it),
		TEST(who_announces_again_over_the_same_session_is_not_held_back),
		TEST(who_makes_a_new_session_beside_one_that_is_well_is_not_held_back),
		TEST(a_client_is_led_to_the_same_agent_as_long_as_it_is_there),
		TEST(every_relay_leads_a_client_to_the_same_agent),
		TEST(addresses_of_one_line_are_one_client),
		TEST(one_of_the_group_that_serves_decides_for_all_of_it),
		TEST(copies_of_one_agent_share_its_clients),
		TEST(in_a_search_too_each_has_its_share),
		TEST(a_reader_finds_what_is_there_while_others_come_and_go),
		TEST(nobody_looks_in_vain_while_another_session_takes_over),
		TEST(nobody_is_denied_while_who_lets_him_in_comes_and_goes),
		TEST(a_grant_bounds_the_flows_of_all_sessions_together),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("relay/route", tests, NULL, NULL);
}
