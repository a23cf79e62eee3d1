/* The table of patterns. A pattern has static routes or a set of endpoints, and is gone when it has neither. */
#include "relay/route.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "pki/identity.h"
#include "relay/route_private.h"
#include "relay/session_ref.h"

struct routes *
route_table_new(void)
{
	struct routes *routes = calloc(1, sizeof(*routes));

	if (routes == NULL || !table_init(&routes->patterns)) {
		free(routes);
		return NULL;
	}
	pthread_rwlock_init(&routes->lock, NULL);
	return routes;
}

void
route_table_free(struct routes *routes)
{
	if (routes == NULL)
		return;
	route_set_static(routes, "", NULL, 0);
	table_wipe(&routes->patterns);
	pthread_rwlock_destroy(&routes->lock);
	free(routes);
}

static bool
has_name(const struct hash_link *at, const void *name)
{
	return strcmp(container_of(at, const struct route_pattern, link)->name, name) == 0;
}

struct route_pattern *
route_pattern_find(struct routes *routes, const char *name)
{
	uint64_t hash = table_hash(&routes->patterns, name, strlen(name));
	struct hash_link *at = table_find(&routes->patterns, hash, has_name, name);

	return at != NULL ? container_of(at, struct route_pattern, link) : NULL;
}

struct route_pattern *
route_pattern_want(struct routes *routes, const char *name)
{
	struct route_pattern *pattern = route_pattern_find(routes, name);

	if (pattern != NULL || (pattern = calloc(1, sizeof(*pattern))) == NULL)
		return pattern;
	snprintf(pattern->name, sizeof(pattern->name), "%s", name);
	table_add(&routes->patterns, &pattern->link, table_hash(&routes->patterns, name, strlen(name)));
	return pattern;
}

void
route_pattern_tidy(struct routes *routes, struct route_pattern *pattern)
{
	if (pattern->endpoint_count > 0 || pattern->static_count > 0)
		return;
	table_remove(&routes->patterns, &pattern->link);
	free(pattern->endpoints);
	free(pattern->static_route);
	free(pattern);
}

/* ---- the endpoints of a pattern ---- */

static bool
makes_a_set(const struct session_ref *a, const struct session_ref *b)
{
	return session_ref_is_kin(a, b) || (session_ref_is_shared(a) && session_ref_is_shared(b));
}

/* Whether the newcomer may come: every endpoint that it cannot stand beside must be one that it displaces. */
static bool
may_come(const struct route_pattern *pattern, const struct session_ref *ref, enum cover cover)
{
	for (size_t i = 0; i < pattern->endpoint_count; i++) {
		const struct route_endpoint *there = &pattern->endpoints[i];

		if (!makes_a_set(there->session_ref, ref) && !(cover == COVER_EXACT && there->cover == COVER_WILDCARD))
			return false;
	}
	return true;
}

static void
remove_at(struct route_pattern *pattern, size_t index)
{
	struct route_endpoint *last = &pattern->endpoints[--pattern->endpoint_count];

	pattern->endpoints[index] = *last;
}

/* Moves the endpoints that must go to `losses`, which has room for all. */
static size_t
displace(struct route_pattern *pattern, const struct session_ref *ref, struct route_loss *losses)
{
	size_t count = 0;

	for (size_t i = pattern->endpoint_count; i-- > 0;) {
		if (makes_a_set(pattern->endpoints[i].session_ref, ref))
			continue;
		losses[count++] = (struct route_loss){ pattern->endpoints[i].session_ref, pattern->endpoints[i].number };
		remove_at(pattern, i);
	}
	return count;
}

static bool
reserve(struct route_pattern *pattern)
{
	size_t wanted = pattern->endpoint_capacity ? 2 * pattern->endpoint_capacity : 1;
	struct route_endpoint *endpoints;

	if (pattern->endpoint_count < pattern->endpoint_capacity)
		return true;
	endpoints = reallocarray(pattern->endpoints, wanted, sizeof(*endpoints));
	if (endpoints == NULL)
		return false;
	pattern->endpoints = endpoints;
	pattern->endpoint_capacity = wanted;
	return true;
}

struct newcomer {
	const struct route_announcement *said;
	char name[NAME_SIZE];
	enum cover cover;
	struct route_loss *losses;
	size_t loss_count;
};

/* Under the lock, the pattern is there. */
static enum code
join(struct route_pattern *pattern, struct newcomer *new)
{
	const struct route_announcement *said = new->said;

	if (!may_come(pattern, said->session_ref, new->cover))
		return CODE_NAME_TAKEN;
	new->losses = calloc(pattern->endpoint_count + 1, sizeof(*new->losses));
	if (new->losses == NULL || !reserve(pattern))
		return CODE_INTERNAL;
	new->loss_count = displace(pattern, said->session_ref, new->losses);
	pattern->endpoints[pattern->endpoint_count++] = (struct route_endpoint){
		.session_ref = session_ref_hold(said->session_ref), .number = said->endpoint, .weight = said->weight,
		.carriers = said->carriers, .cover = new->cover };
	return CODE_NONE;
}

static enum code
announce(struct routes *routes, struct newcomer *new)
{
	struct route_pattern *pattern;
	enum code code;

	if (strcmp(new->name, routes->connect_name) == 0)
		return CODE_NAME_RESERVED;
	pattern = route_pattern_want(routes, new->name);
	if (pattern == NULL)
		return CODE_INTERNAL;
	code = pattern->static_count > 0 ? CODE_NAME_RESERVED : join(pattern, new);
	route_pattern_tidy(routes, pattern);
	return code;
}

static void
explain(enum code code, const char *name, char sentence[SENTENCE_TEXT])
{
	static const struct {
		enum code code;
		const char *why;
	} reasons[] = {
		{ CODE_NAME_INVALID, "is no server name; write app.example.com or *.example.com" },
		{ CODE_NAME_NOT_GRANTED, "is in no DNS name of this agent's certificate; issue one with --host for it" },
		{ CODE_NAME_RESERVED, "belongs to the relay itself; announce another name" },
		{ CODE_NAME_TAKEN, "is served by another agent; stop that one, or issue both certificates with --shared" },
		{ CODE_INTERNAL, "cannot be kept: memory is short on the relay" },
	};

	sentence[0] = '\0';
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (reasons[i].code == code)
			snprintf(sentence, SENTENCE_TEXT, "'%.253s' %s", name, reasons[i].why);
	}
}

/* An IPv4 address would pass for a name of four labels, and no client asks for one (RFC 6066, section 3). */
static bool
is_server_name(char out[NAME_SIZE], const char *text)
{
	struct in_addr address;

	return name_normalise_pattern(out, text, strlen(text)) && inet_pton(AF_INET, out, &address) != 1;
}

enum code
route_announce(struct routes *routes, const struct route_announcement *said, char sentence[SENTENCE_TEXT],
    void (*on_loss)(const struct route_loss *))
{
	struct newcomer new = { .said = said };
	enum code code = CODE_NAME_INVALID;

	if (is_server_name(new.name, said->pattern)) {
		new.cover = identity_covers(session_ref_identity(said->session_ref), new.name, NULL);
		code = CODE_NAME_NOT_GRANTED;
	}
	/* A name of the relay's is reserved whatever the certificate says, and that is the better answer. */
	if (code == CODE_NAME_NOT_GRANTED && route_is_reserved(routes, new.name))
		code = CODE_NAME_RESERVED;
	if (code == CODE_NAME_NOT_GRANTED && new.cover != COVER_NONE) {
		pthread_rwlock_wrlock(&routes->lock);
		code = announce(routes, &new);
		pthread_rwlock_unlock(&routes->lock);
	}
	explain(code, said->pattern, sentence);
	for (size_t i = 0; i < new.loss_count; i++)
		on_loss(&new.losses[i]);
	free(new.losses);
	return code;
}

void
route_withdraw(struct routes *routes, const struct session_ref *ref, const char *name, uint32_t endpoint)
{
	struct route_pattern *pattern;

	pthread_rwlock_wrlock(&routes->lock);
	pattern = route_pattern_find(routes, name);
	for (size_t i = pattern ? pattern->endpoint_count : 0; i-- > 0;) {
		if (pattern->endpoints[i].session_ref != ref || pattern->endpoints[i].number != endpoint)
			continue;
		session_ref_release(pattern->endpoints[i].session_ref);
		remove_at(pattern, i);
	}
	if (pattern != NULL)
		route_pattern_tidy(routes, pattern);
	pthread_rwlock_unlock(&routes->lock);
}

/* How much this endpoint is wanted: 2 fresh, 1 has failed this flow once, 0 not at all. */
static int
preference(const struct route_question *question, const struct route_endpoint *endpoint)
{
	if (!session_ref_is_usable(endpoint->session_ref))
		return 0;
	for (unsigned i = 0; i < question->tried_count; i++) {
		if (question->tried[i] == endpoint->session_ref)
			return question->excluded[i] ? 0 : 1;
	}
	return 2;
}

static bool
is_better(const struct route_endpoint *a, const struct route_endpoint *b)
{
	return (session_ref_flows(a->session_ref) + 1) * (b->weight ? b->weight : 1u) <
	    (session_ref_flows(b->session_ref) + 1) * (a->weight ? a->weight : 1u);
}

/* The slow way, for sets where the two that were drawn will not do. */
static const struct route_endpoint *
search(const struct route_pattern *pattern, const struct route_question *question, size_t from)
{
	const struct route_endpoint *best = NULL;
	int best_preference = 0;

	for (size_t i = 0; i < pattern->endpoint_count; i++) {
		const struct route_endpoint *at = &pattern->endpoints[(from + i) % pattern->endpoint_count];
		int at_preference = preference(question, at);

		if (at_preference == 0 || at_preference < best_preference)
			continue;
		if (at_preference > best_preference || is_better(at, best)) {
			best = at;
			best_preference = at_preference;
		}
	}
	return best;
}

static const struct route_endpoint *
pick(const struct route_pattern *pattern, const struct route_question *question)
{
	size_t count = pattern->endpoint_count, first = arc4random_uniform((uint32_t)count), second;
	const struct route_endpoint *a = &pattern->endpoints[first], *b = a;

	if (count > 1) {
		second = arc4random_uniform((uint32_t)count - 1);
		b = &pattern->endpoints[second + (second >= first)];
	}
	if (preference(question, a) < 2 || preference(question, b) < 2)
		return search(pattern, question, first);
	return is_better(b, a) ? b : a;
}

static bool
fits(const struct route_static_settings *facts, const struct route_question *question)
{
	for (size_t i = 0; i < facts->alpn_count; i++) {
		if (question->offers(question->arg, facts->alpn[i]))
			return true;
	}
	return facts->alpn_count == 0;
}

static bool
answer_static(const struct route_pattern *pattern, const struct route_question *question, bool only_any_depth,
    struct route_answer *answer)
{
	for (size_t i = 0; i < pattern->static_count; i++) {
		const struct route_static_settings *facts = route_static_config(pattern->static_route[i]);

		if ((only_any_depth && !facts->any_depth) || !fits(facts, question))
			continue;
		answer->verdict = ROUTE_STATIC;
		answer->static_route = route_static_hold(pattern->static_route[i]);
		return true;
	}
	return false;
}

static bool
answer_agent(const struct route_pattern *pattern, const struct route_question *question,
    struct route_answer *answer)
{
	const struct route_endpoint *endpoint;

	if (pattern->endpoint_count == 0)
		return false;
	endpoint = pick(pattern, question);
	answer->verdict = endpoint != NULL ? ROUTE_AGENT : ROUTE_NO_AGENT;
	if (endpoint != NULL) {
		answer->session_ref = session_ref_hold(endpoint->session_ref);
		answer->endpoint = endpoint->number;
		answer->carriers = endpoint->carriers;
	}
	return true;
}

static bool
answer_by(const struct route_pattern *pattern, const struct route_question *question, bool only_any_depth,
    struct route_answer *answer)
{
	if (pattern == NULL)
		return false;
	snprintf(answer->pattern, sizeof(answer->pattern), "%s", pattern->name);
	if (answer_static(pattern, question, only_any_depth, answer))
		return true;
	return !only_any_depth && !question->only_static && answer_agent(pattern, question, answer);
}

static void
look_up(struct routes *routes, const struct route_question *question, struct route_answer *answer)
{
	char wildcard[NAME_SIZE + 2];
	unsigned depth = 0;

	if (answer_by(route_pattern_find(routes, question->name), question, false, answer))
		return;
	for (const char *at = name_parent(question->name); at != NULL; at = name_parent(at), depth++) {
		snprintf(wildcard, sizeof(wildcard), "*.%s", at);
		if (answer_by(route_pattern_find(routes, wildcard), question, depth > 0, answer))
			return;
	}
	answer->verdict = ROUTE_NONE;
	answer->pattern[0] = '\0';
}

enum route_verdict
route_find(struct routes *routes, const struct route_question *question, struct route_answer *answer,
    void (*on_answer)(void *arg, const struct route_answer *), void *arg)
{
	(void)on_answer;
	(void)arg;
	*answer = (struct route_answer){ 0 };
	pthread_rwlock_rdlock(&routes->lock);
	look_up(routes, question, answer);
	pthread_rwlock_unlock(&routes->lock);
	return answer->verdict;
}
