/*
 * The look-up: from the name itself over the wildcards of its parents, and
 * among a set's endpoints the better of two drawn at random (Mitzenmacher, "The
 * power of two choices", 2001), so that nobody keeps a list sorted.
 */
#include "relay/route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "relay/member.h"
#include "relay/route_parts.h"

/* How much this endpoint is wanted: 2 fresh, 1 has failed this flow once, 0 not at all. */
static int
liking(const struct route_question *question, const struct route_endpoint *endpoint)
{
	if (!member_is_usable(endpoint->member))
		return 0;
	for (unsigned i = 0; i < question->tried_count; i++) {
		if (question->tried[i] == endpoint->member)
			return question->barred[i] ? 0 : 1;
	}
	return 2;
}

static bool
is_better(const struct route_endpoint *a, const struct route_endpoint *b)
{
	return (member_flows(a->member) + 1) * (b->weight ? b->weight : 1u) <
	    (member_flows(b->member) + 1) * (a->weight ? a->weight : 1u);
}

/* The slow way, for sets where the two that were drawn will not do. */
static const struct route_endpoint *
search(const struct route_pattern *pattern, const struct route_question *question, size_t from)
{
	const struct route_endpoint *best = NULL;
	int best_liking = 0;

	for (size_t i = 0; i < pattern->endpoint_count; i++) {
		const struct route_endpoint *at = &pattern->endpoints[(from + i) % pattern->endpoint_count];
		int at_liking = liking(question, at);

		if (at_liking == 0 || at_liking < best_liking)
			continue;
		if (at_liking > best_liking || is_better(at, best)) {
			best = at;
			best_liking = at_liking;
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
	if (liking(question, a) < 2 || liking(question, b) < 2)
		return search(pattern, question, first);
	return is_better(b, a) ? b : a;
}

static bool
fits(const struct route_fixed_settings *facts, const struct route_question *question)
{
	for (size_t i = 0; i < facts->alpn_count; i++) {
		if (question->offers(question->arg, facts->alpn[i]))
			return true;
	}
	return facts->alpn_count == 0;
}

static bool
answer_fixed(const struct route_pattern *pattern, const struct route_question *question, bool only_any_depth,
    struct route_answer *answer)
{
	for (size_t i = 0; i < pattern->fixed_count; i++) {
		const struct route_fixed_settings *facts = route_fixed_facts(pattern->fixed[i]);

		if ((only_any_depth && !facts->any_depth) || !fits(facts, question))
			continue;
		answer->verdict = ROUTE_FIXED;
		answer->fixed = route_fixed_hold(pattern->fixed[i]);
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
		answer->member = member_hold(endpoint->member);
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
	if (answer_fixed(pattern, question, only_any_depth, answer))
		return true;
	return !only_any_depth && !question->only_fixed && answer_agent(pattern, question, answer);
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
