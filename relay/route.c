/* Looking up: what is here first, then the registry. */
#include "relay/route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "relay/route_private.h"
#include "relay/session_ref.h"

/* ---- why nobody ---- */

/* Why nobody of the set was picked.  Of those that let the client in: whether none takes flows, and one may
 * come back. */
static enum route_reason
look_why(struct route_set *set, size_t count, const struct route_question *question)
{
	bool is_admitted = false, is_usable = false, may_come_back = false;

	for (size_t i = 0; i < count; i++) {
		const struct route_claim *claim = route_claim_at(set, i);

		if (!route_claim_admits(claim, question))
			continue;
		if (route_claim_may_serve(claim, question))
			return ROUTE_NOBODY; /* it has come since, so that whoever waits will find it */
		is_admitted = true;
		is_usable |= session_ref_is_usable(claim->session_ref);
		may_come_back |= !session_ref_is_banished(claim->session_ref);
	}
	if (!is_admitted)
		return ROUTE_DENIED;
	return !is_usable && may_come_back ? ROUTE_NOBODY : ROUTE_IN_VAIN;
}

/* What a client hears whom nobody lets in: as long as somebody leaves meanwhile it is not certain that he has
 * not missed who would. */
static enum route_reason
why_nobody(struct route_pattern *pattern, const struct route_question *question)
{
	const struct address client = address_of_ip(&question->client);

	for (int looks = 0; looks < ROUTE_LOOKS_MOST; looks++) {
		unsigned before = atomic_load(&pattern->departures);
		const struct route_absent *absent = atomic_load(&pattern->absent);
		struct route_set *set = atomic_load(&pattern->set);
		size_t count = atomic_load_explicit(&set->count, memory_order_acquire);
		enum route_reason reason = look_why(set, count, question);

		if (reason != ROUTE_DENIED)
			return reason;
		if (count == 0 || route_absent_admits(absent, &client))
			break;
		if (before % 2 == 0 && before == atomic_load(&pattern->departures))
			return ROUTE_DENIED;
	}
	return ROUTE_NOBODY;
}

/* The same where nobody is there any more, or has been since the start.  Where nobody had lists of addresses
 * there is no record. */
static enum route_reason
why_known(struct route_pattern *pattern, const struct route_question *question)
{
	const struct address client = address_of_ip(&question->client);
	unsigned before = atomic_load(&pattern->departures);
	const struct route_absent *absent = atomic_load(&pattern->absent);
	struct route_set *set = atomic_load(&pattern->set);
	bool is_back = set && atomic_load_explicit(&set->count, memory_order_acquire) > 0;

	if (!atomic_load(&pattern->is_awaited))
		return ROUTE_IN_VAIN;
	if (!absent || route_absent_admits(absent, &client) || is_back)
		return ROUTE_NOBODY;
	return before == atomic_load(&pattern->departures) ? ROUTE_DENIED : ROUTE_NOBODY;
}

/* ---- what is here; between grace_enter() and grace_leave() ---- */

static bool
answer_static(struct routes *routes, const char *pattern, uint64_t hash,
    const struct route_question *question, bool only_any_depth, struct route_answer *answer)
{
	bool is_unmet = false;
	struct route_static *static_route =
	    route_static_find(routes, pattern, hash, question, only_any_depth, &is_unmet);

	if (is_unmet && answer->reason == ROUTE_UNKNOWN)
		answer->reason = ROUTE_UNMET;
	if (!static_route)
		return false;
	answer->verdict = ROUTE_STATIC;
	answer->static_route = route_static_hold(static_route);
	snprintf(answer->pattern, sizeof answer->pattern, "%s", pattern);
	return true;
}

/* How many serve it.  Who is not there and not known either may have come between the two looks. */
static size_t
count_members(
    struct routes *routes, struct route_pattern *pattern, struct route_set **set, bool *is_known)
{
	size_t count = 0;

	for (int looks = 0; looks < ROUTE_LOOKS_MOST && count == 0 && !*is_known; looks++) {
		*set = atomic_load_explicit(&pattern->set, memory_order_acquire);
		count = *set ? atomic_load_explicit(&(*set)->count, memory_order_acquire) : 0;
		*is_known = count == 0 && route_known_is(routes, pattern);
	}
	return count;
}

/* Whether the search ends here: with an endpoint, or with a set in which nobody can serve. */
static bool
answer_agent(struct routes *routes, const char *name, uint64_t hash,
    const struct route_question *question, struct route_answer *answer)
{
	struct route_pattern *pattern = route_pattern_find(routes, name, hash);
	struct route_set *set = NULL;
	bool is_known = false;
	size_t count = pattern ? count_members(routes, pattern, &set, &is_known) : 0;
	const struct route_claim *claim;

	if (count == 0) {
		if (is_known) {
			answer->reason = why_known(pattern, question);
			snprintf(answer->pattern, sizeof answer->pattern, "%s", name);
		}
		return false;
	}
	snprintf(answer->pattern, sizeof answer->pattern, "%s", name);
	claim = route_choose(pattern, set, count, question);
	if (!claim) {
		answer->reason = why_nobody(pattern, question);
		return true;
	}
	answer->verdict = ROUTE_AGENT;
	answer->session_ref = session_ref_hold(claim->session_ref);
	answer->endpoint = claim->number;
	answer->carriers = claim->carriers;
	return true;
}

static bool
answer_by(struct routes *routes, const char *pattern, const struct route_question *question,
    bool only_any_depth, struct route_answer *answer)
{
	uint64_t hash = route_hash(routes, pattern);

	if (answer_static(routes, pattern, hash, question, only_any_depth, answer))
		return true;
	return !only_any_depth && !question->only_static &&
	    answer_agent(routes, pattern, hash, question, answer);
}

static void
look_up(struct routes *routes, const struct route_question *question, struct route_answer *answer)
{
	char wildcard[NAME_SIZE];
	unsigned depth = 0;

	*answer = (struct route_answer){ .verdict = ROUTE_NONE, .reason = ROUTE_UNKNOWN };
	if (answer_by(routes, question->name, question, false, answer))
		return;
	for (const char *at = name_parent(question->name); at; at = name_parent(at), depth++) {
		/* This is never cut: "*." takes the room of a label and its dot. */
		snprintf(wildcard, sizeof wildcard, "*.%.*s", NAME_SIZE - 3, at);
		if (answer_by(routes, wildcard, question, depth > 0, answer))
			return;
	}
}

static void
look_up_here(
    struct routes *routes, const struct route_question *question, struct route_answer *answer)
{
	grace_enter();
	look_up(routes, question, answer);
	grace_leave();
}

/* ---- the registry ---- */

struct route_request {
	struct registry_request request;
	struct routes *routes;
	struct route_question question; /* what it points at is held or in `bytes` */
	void (*on_answer)(void *arg, const struct route_answer *);
	void *arg;
	bool is_cancelled;
	char name[NAME_SIZE];
	uint8_t bytes[];
};

static void
request_free(struct route_request *request)
{
	for (unsigned i = 0; i < request->question.tried_count; i++)
		session_ref_release(request->question.tried[i]);
	free(request);
}

static struct route_request *
request_new(const struct route_question *question)
{
	struct route_request *request = calloc(1, sizeof *request + question->alpn_bytes);

	if (!request)
		return NULL;
	request->question = *question;
	snprintf(request->name, sizeof request->name, "%s", question->name);
	request->question.name = request->name;
	if (question->alpn_bytes > 0)
		memcpy(request->bytes, question->alpn, question->alpn_bytes);
	request->question.alpn = request->bytes;
	for (unsigned i = 0; i < question->tried_count; i++)
		session_ref_hold(question->tried[i]);
	return request;
}

static void
add_registry(struct route_answer *answer, const struct registry_answer *from)
{
	static const enum route_reason reasons[] = {
		[REGISTRY_NOBODY] = ROUTE_NOBODY,
		[REGISTRY_LIMIT] = ROUTE_LIMIT,
	};

	if (from->found == REGISTRY_RELAY) {
		answer->verdict = ROUTE_RELAY;
		answer->relay = from->relay;
		answer->pattern[0] = '\0';
	} else if (from->found != REGISTRY_UNKNOWN &&
	    (answer->reason == ROUTE_UNKNOWN || answer->reason == ROUTE_UNMET)) {
		answer->reason = reasons[from->found];
	}
}

/* An agent may have come here meanwhile, and endpoints that are here go first. */
static void
on_registry(void *arg, const struct registry_answer *from)
{
	struct route_request *request = arg;
	void (*on_answer)(void *, const struct route_answer *) = request->on_answer;
	void *asker = request->arg;
	struct route_answer answer;

	if (request->is_cancelled) {
		request_free(request);
		return;
	}
	look_up_here(request->routes, &request->question, &answer);
	if (answer.verdict == ROUTE_NONE)
		add_registry(&answer, from);
	request_free(request);
	on_answer(asker, &answer);
}

static void
ask(struct route_request *request)
{
	struct registry_question question = { .verb = REGISTRY_FIND, .name = request->name };

	request->request.loop = request->question.loop;
	request->request.on_answer = on_registry;
	request->request.arg = request;
	registry_ask(request->routes->registry, &request->request, &question);
}

enum route_verdict
route_find(struct routes *routes, const struct route_question *question,
    struct route_answer *answer, void (*on_answer)(void *arg, const struct route_answer *),
    void *arg, struct route_request **request)
{
	look_up_here(routes, question, answer);
	if (answer->verdict != ROUTE_NONE || !routes->registry || question->only_static)
		return answer->verdict;
	*request = request_new(question);
	if (!*request) {
		answer->reason = ROUTE_LIMIT;
		return ROUTE_NONE;
	}
	(*request)->routes = routes;
	(*request)->on_answer = on_answer;
	(*request)->arg = arg;
	ask(*request);
	return ROUTE_LATER;
}

bool
route_serves(struct routes *routes, const char *name)
{
	const struct route_question question = { .name = name };
	struct route_answer answer;

	look_up_here(routes, &question, &answer);
	if (answer.verdict == ROUTE_STATIC)
		route_static_release(answer.static_route);
	if (answer.verdict == ROUTE_AGENT)
		session_ref_release(answer.session_ref);
	return answer.verdict == ROUTE_STATIC || answer.verdict == ROUTE_AGENT ||
	    (answer.verdict == ROUTE_NONE && answer.reason == ROUTE_DENIED);
}

uint64_t
route_arrivals(const struct routes *routes)
{
	return atomic_load(&routes->arrivals);
}

void
route_cancel(struct route_request *request)
{
	if (!request)
		return;
	if (registry_cancel(&request->request))
		request_free(request);
	else
		request->is_cancelled = true;
}
