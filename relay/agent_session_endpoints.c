/*
 * What a session has announced.  An endpoint is in two tables, by its number and
 * by its name, so that a session has one endpoint of each name, and many
 * endpoints make nothing slower.  An endpoint that is announced again keeps its
 * old claim until the new one is answered, so that its name is served all the
 * time.
 *
 * A frame may bring a hundred announcements, and a flow needs some five turns of
 * its worker's loop. So announcements wait in a queue, and each turn takes a few;
 * nothing more is read until it is empty, or the answers to many frames might
 * come at once and be more than may wait to be sent.
 * The peer has a budget of frames, too: what was accepted is told when the queue
 * is empty, so that many answers share a frame.
 *
 * An endpoint keeps its announcement, for the time after the session (agent_session_resume.c).
 */
#include "relay/agent_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/address_rules.h"
#include "base/memory.h"
#include "base/numbers.h"
#include "pki/identity.h"
#include "relay/agent_session_private.h"
#include "relay/rules.h"
#include "relay/session_ref.h"
#include "relay/shared.h"
#include "tunnel/address_facts.h"

enum {
	TAKEN_A_TURN = 16,
	WAITING_MOST = 1024,   /* beyond, an announcement is taken at once with all before it */
	PREFIXES_A_PLACE = 16, /* so many more prefixes of its lists weigh as much as an endpoint */
	BYTES_A_PLACE = 256,   /* so many bytes of its facts do, which are kept (announcement.h) */
	ACCEPTED_MOST = 1024,  /* are told before the queue is empty */
};

static const char no_memory[] = "memory is short on the relay";

struct agent_endpoint {
	struct hash_link by_number, by_pattern;
	LIST_ENTRY(agent_endpoint) link;
	struct agent_session *session;
	uint32_t number;
	struct route_claim *claim;
	struct route_claim *before; /* up until the claim is answered */
	struct announcement *said;  /* owned; NULL: nothing yet, and the pattern is "" */
	char *pattern;              /* NULL: it is the server name as it was said */
	bool is_logged;             /* as up, with this pattern and name */
	uint8_t places;             /* in the usage of the session */
};

/* "" when the announced name is not valid. */
static const char *
pattern_of(const struct agent_endpoint *endpoint)
{
	if (endpoint->pattern)
		return endpoint->pattern;
	return endpoint->said ? announcement_server_name(endpoint->said) : "";
}

static const char *
name_of(const struct agent_endpoint *endpoint)
{
	return endpoint->said ? announcement_name(endpoint->said) : "";
}

/* Adopts what was said. False when memory is short: all is what it was. */
static bool
set_said(struct agent_endpoint *endpoint, const char *pattern, struct announcement *said)
{
	bool is_as_said = strcmp(pattern, announcement_server_name(said)) == 0;
	char *copy = is_as_said ? NULL : strdup(pattern);

	if (!is_as_said && !copy)
		return false;
	free(endpoint->said);
	free(endpoint->pattern);
	endpoint->said = said;
	endpoint->pattern = copy;
	return true;
}

static uint64_t
number_hash(const struct agent_session *self, uint32_t number)
{
	return table_hash(&self->endpoints, &number, sizeof number);
}

static uint64_t
pattern_hash(const struct agent_session *self, const char *pattern)
{
	return table_hash(&self->patterns, pattern, strlen(pattern));
}

static bool
has_number(const struct hash_link *at, const void *number)
{
	return container_of(at, const struct agent_endpoint, by_number)->number ==
	    *(const uint32_t *)number;
}

static struct agent_endpoint *
find(struct agent_session *self, uint32_t number)
{
	struct hash_link *at =
	    table_find(&self->endpoints, number_hash(self, number), has_number, &number);

	return at ? container_of(at, struct agent_endpoint, by_number) : NULL;
}

static bool
has_pattern(const struct hash_link *at, const void *pattern)
{
	return strcmp(pattern_of(container_of(at, const struct agent_endpoint, by_pattern)),
		   pattern) == 0;
}

static struct agent_endpoint *
find_pattern(struct agent_session *self, const char *pattern)
{
	struct hash_link *at =
	    table_find(&self->patterns, pattern_hash(self, pattern), has_pattern, pattern);

	return at ? container_of(at, struct agent_endpoint, by_pattern) : NULL;
}

/* NULL when memory is short. */
static struct agent_endpoint *
want(struct agent_session *self, uint32_t number)
{
	struct agent_endpoint *endpoint = find(self, number);

	if (endpoint || !(endpoint = calloc(1, sizeof *endpoint)))
		return endpoint;
	endpoint->session = self;
	endpoint->number = number;
	LIST_INSERT_HEAD(&self->newest, endpoint, link);
	table_add(&self->endpoints, &endpoint->by_number, number_hash(self, number));
	table_add(&self->patterns, &endpoint->by_pattern, pattern_hash(self, ""));
	return endpoint;
}

/* Until it has so many only. */
static void
give_places_back(struct agent_endpoint *endpoint, size_t most)
{
	for (; endpoint->places > most; endpoint->places--)
		usage_leave(session_ref_usage(endpoint->session->session_ref), USAGE_ENDPOINTS);
}

static void
drop(struct agent_endpoint *endpoint)
{
	struct agent_session *self = endpoint->session;
	struct routes *routes = self->worker->shared->routes;

	agent_session_unmark_endpoint(self, endpoint->number);
	LIST_REMOVE(endpoint, link);
	table_remove(&self->endpoints, &endpoint->by_number);
	table_remove(&self->patterns, &endpoint->by_pattern);
	route_withdraw(routes, endpoint->claim, NULL, NULL);
	route_withdraw(routes, endpoint->before, NULL, NULL);
	give_places_back(endpoint, 0);
	free(endpoint->said);
	free(endpoint->pattern);
	free(endpoint);
}

/* Says what was accepted. */
static void
answer(struct agent_session *self)
{
	for (unsigned i = 0; i < self->range_count; i++)
		for (uint32_t k = 0; k <= self->accepted[i].last - self->accepted[i].first; k++)
			session_accept(self->session, self->accepted[i].first + k);
	self->range_count = 0;
	self->accepted_count = 0;
}

static void
accept_later(struct agent_session *self, uint32_t number)
{
	struct frame_range *last =
	    self->range_count > 0 ? &self->accepted[self->range_count - 1] : NULL;

	if (last && last->last < UINT32_MAX && number == last->last + 1)
		last->last = number;
	else
		self->accepted[self->range_count++] = (struct frame_range){ number, number };
	self->accepted_count++;
	if (self->waiting_count == 0 || self->range_count == AGENT_ACCEPTED_MOST ||
	    self->accepted_count == ACCEPTED_MOST)
		answer(self);
}

/* What was accepted before is told before, because it may be the same endpoint. */
void
agent_session_refuse(struct agent_session *self, uint32_t number, const char *name, enum code code,
    const char *sentence)
{
	agent_session_log_refused(self, number, name, code, sentence);
	answer(self);
	session_refuse_endpoint(self->session, number, code, sentence);
	self->has_reserved |= code == CODE_NAME_RESERVED;
}

static void
lose(struct agent_endpoint *endpoint, enum code code, const char *sentence)
{
	struct agent_session *self = endpoint->session;
	uint32_t number = endpoint->number;
	char name[NAME_SIZE];

	snprintf(name, sizeof name, "%s", pattern_of(endpoint));
	drop(endpoint);
	agent_session_refuse(self, number, name, code, sentence);
}

/* ---- announcing ---- */

/* An agent may announce again what is up as often as it likes; that is no event. */
static void
log_up(struct agent_endpoint *endpoint)
{
	if (!endpoint->is_logged)
		agent_session_log_up(
		    endpoint->session, endpoint->number, pattern_of(endpoint), name_of(endpoint));
	endpoint->is_logged = true;
}

static void
keep(struct agent_endpoint *endpoint)
{
	struct agent_session *self = endpoint->session;

	route_withdraw_replaced(self->worker->shared->routes, endpoint->before);
	endpoint->before = NULL;
	log_up(endpoint);
	accept_later(self, endpoint->number);
}

static void
on_answer(void *arg, enum code code, const char *sentence)
{
	const struct agent_endpoint *endpoint = arg;

	if (endpoint->session->is_leaving)
		return; /* its turn comes */
	if (code == CODE_NONE)
		keep(arg);
	else
		lose(arg, code, sentence);
}

static void
on_lost(void *arg)
{
	struct agent_endpoint *endpoint = arg;

	if (endpoint->session->is_leaving)
		return;
	if (endpoint->before && !route_claim_is_up(endpoint->before)) {
		route_withdraw(
		    endpoint->session->worker->shared->routes, endpoint->before, NULL, NULL);
		endpoint->before = NULL;
		return;
	}
	lose(endpoint, CODE_NAME_TAKEN,
	    "an agent whose certificate has this very name serves it now");
}

/* A claim that is up stays up until the new one is answered; one that was never answered is
 * withdrawn. */
static void
set_aside(struct agent_endpoint *endpoint)
{
	struct route_claim *claim = endpoint->claim;

	endpoint->claim = NULL;
	if (claim && route_claim_is_up(claim))
		endpoint->before = claim;
	else
		route_withdraw(endpoint->session->worker->shared->routes, claim, NULL, NULL);
}

uint8_t
agent_session_carriers(const struct agent_session *self, const struct frame_announce *frame)
{
	uint8_t known = 1u << CARRIER_SEALED;

	if (self->features & FEATURE_HANDOFF)
		known |= 1u << CARRIER_HANDOFF;
	return frame->carriers & known;
}

/* In a dry run nothing is claimed, so nobody has to make room, and nobody finds the endpoint. */
static bool
claim_in_earnest(struct agent_endpoint *endpoint, const struct route_announcement *announcement,
    struct route_refusal *refusal)
{
	struct agent_session *self = endpoint->session;
	struct routes *routes = self->worker->shared->routes;

	if (self->is_dry_run)
		return route_would_accept(routes, announcement, refusal);
	set_aside(endpoint);
	endpoint->claim = route_announce(routes, announcement, refusal);
	return endpoint->claim != NULL;
}

/* No limit counts it, so nothing of it is kept. */
static void
end_rehearsal(struct agent_endpoint *endpoint)
{
	struct agent_session *self = endpoint->session;
	uint32_t number = endpoint->number;

	drop(endpoint);
	accept_later(self, number);
}

static void
claim(struct agent_endpoint *endpoint, const struct frame_announce *frame,
    struct address_rules *addresses)
{
	struct agent_session *self = endpoint->session;
	struct route_announcement announcement = { .session_ref = self->session_ref,
		.endpoint = frame->endpoint,
		.pattern = frame->server_name,
		.weight = frame->weight,
		.balance = facts_octet(frame->facts, FACT_BALANCE),
		.priority = facts_octet(frame->facts, FACT_PRIORITY),
		.carriers = agent_session_carriers(self, frame),
		.addresses = addresses,
		.loop = self->worker->loop,
		.on_answer = on_answer,
		.on_lost = on_lost,
		.arg = endpoint };
	struct route_refusal refusal;

	if (!claim_in_earnest(endpoint, &announcement, &refusal)) {
		drop(endpoint);
		agent_session_refuse(
		    self, frame->endpoint, frame->server_name, refusal.code, refusal.sentence);
	} else if (self->is_dry_run) {
		end_rehearsal(endpoint);
	} else if (route_claim_is_up(endpoint->claim)) {
		keep(endpoint);
	}
}

/* Gives the endpoint this name, and what was said of it, unless the session has the name under another
 * number. */
static enum code
rename_to(struct agent_endpoint *endpoint, const char *pattern, struct announcement *said)
{
	struct agent_session *self = endpoint->session;
	struct agent_endpoint *other = find_pattern(self, pattern);
	bool is_as_before = strcmp(pattern_of(endpoint), pattern) == 0;
	bool is_logged = (is_as_before && endpoint->is_logged &&
			     strcmp(name_of(endpoint), announcement_name(said)) == 0) ||
	    said->is_resumed;

	if (pattern[0] != '\0' && other && other != endpoint)
		return CODE_NAME_DUPLICATE;
	if (!is_as_before)
		agent_session_unmark_endpoint(self, endpoint->number);
	if (!set_said(endpoint, pattern, said))
		return CODE_INTERNAL;
	endpoint->is_logged = is_logged;
	table_remove(&self->patterns, &endpoint->by_pattern);
	table_add(&self->patterns, &endpoint->by_pattern, pattern_hash(self, pattern));
	return CODE_NONE;
}

/* An endpoint with long lists of addresses, or other facts, weighs as much as several. */
static size_t
places_of(const struct frame_announce *frame)
{
	return 1 +
	    larger_of(address_facts_count(frame->facts) / PREFIXES_A_PLACE,
		frame->facts.bytes / BYTES_A_PLACE);
}

static bool
count(struct agent_endpoint *endpoint, const struct frame_announce *frame, char why[USAGE_WHY])
{
	struct agent_session *self = endpoint->session;
	size_t places = places_of(frame);

	give_places_back(endpoint, places);
	for (; endpoint->places < places; endpoint->places++) {
		if (!usage_enter(session_ref_usage(self->session_ref), USAGE_ENDPOINTS, why))
			return false;
	}
	return true;
}

/* With the one that was just added.  A dry run has none, and rehearses no more than a session may have. */
static bool
are_too_many(struct agent_session *self)
{
	size_t count = self->is_dry_run ? ++self->rehearsed : self->endpoints.count;

	return count > self->worker->rules->settings.limits.endpoints_per_session;
}

/* Whether what was said has become that of an endpoint, if only for a moment. */
static bool
announce_with(struct agent_session *self, struct announcement *said,
    const struct frame_announce *frame, struct address_rules *addresses)
{
	struct agent_endpoint *endpoint;
	char pattern[NAME_SIZE], why[USAGE_WHY];
	enum code code;

	name_normalise_pattern(pattern, frame->server_name, strlen(frame->server_name));
	endpoint = want(self, frame->endpoint);
	if (!endpoint) {
		agent_session_refuse(
		    self, frame->endpoint, frame->server_name, CODE_INTERNAL, no_memory);
	} else if (are_too_many(self)) {
		drop(endpoint);
		agent_session_refuse(self, frame->endpoint, frame->server_name, CODE_ENDPOINT_LIMIT,
		    "limits.endpoints_per_session of the relay is reached");
	} else if (!self->is_dry_run && !count(endpoint, frame, why)) {
		drop(endpoint);
		agent_session_refuse(
		    self, frame->endpoint, frame->server_name, CODE_ENDPOINT_LIMIT, why);
	} else if ((code = rename_to(endpoint, pattern, said)) != CODE_NONE) {
		drop(endpoint);
		agent_session_refuse(self, frame->endpoint, frame->server_name, code,
		    code == CODE_NAME_DUPLICATE
			? "another endpoint of this session has this name; announce it once"
			: no_memory);
	} else {
		claim(endpoint, frame, addresses);
		return true;
	}
	return false;
}

static bool
is_up(const struct agent_endpoint *endpoint)
{
	return (endpoint->claim && route_claim_is_up(endpoint->claim)) ||
	    (endpoint->before && route_claim_is_up(endpoint->before));
}

/* Marks are for one name alone, as certificates by tls-alpn-01 are. */
static enum code
mark_endpoint(struct agent_session *self, const struct frame_announce *frame, uint32_t number,
    char sentence[SENTENCE_TEXT])
{
	const struct agent_endpoint *endpoint = find(self, number);
	char name[NAME_SIZE];

	if (!endpoint || !is_up(endpoint)) {
		snprintf(sentence, SENTENCE_TEXT, "no endpoint %u is accepted that could be marked",
		    (unsigned)number);
		return CODE_ENDPOINT_UNKNOWN;
	}
	name_normalise_pattern(name, frame->server_name, strlen(frame->server_name));
	if (strcmp(name, pattern_of(endpoint)) == 0 && !name_is_wildcard(name))
		return agent_session_mark(self, frame, number, name, sentence);
	snprintf(sentence, SENTENCE_TEXT,
	    "a mark is for the exact name of its endpoint, which is '%.253s'",
	    pattern_of(endpoint));
	return CODE_NAME_INVALID;
}

static void
announce_mark(struct agent_session *self, const struct frame_announce *frame, struct cursor value)
{
	struct agent_endpoint *before = find(self, frame->endpoint);
	char sentence[SENTENCE_TEXT];
	enum code code;

	agent_session_unmark(self, frame->endpoint);
	if (before)
		drop(before);
	code = mark_endpoint(self, frame, cursor_u32(&value), sentence);
	if (code == CODE_NONE)
		accept_later(self, frame->endpoint);
	else
		agent_session_refuse(self, frame->endpoint, frame->server_name, code, sentence);
}

/* Its number is free, as after any refusal. */
static void
refuse_for_memory(struct agent_session *self, const struct frame_announce *frame)
{
	struct agent_endpoint *before = find(self, frame->endpoint);

	agent_session_unmark(self, frame->endpoint);
	if (before)
		drop(before);
	agent_session_refuse(self, frame->endpoint, frame->server_name, CODE_INTERNAL, no_memory);
}

/* The same of what announce_with() returns. */
static bool
announce_endpoint(
    struct agent_session *self, struct announcement *said, const struct frame_announce *frame)
{
	struct address_rules *addresses;
	bool is_adopted;

	if (!address_facts_make(frame->facts, &addresses)) {
		refuse_for_memory(self, frame);
		return false;
	}
	agent_session_unmark(self, frame->endpoint);
	is_adopted = announce_with(self, said, frame, addresses);
	address_rules_release(addresses);
	return is_adopted;
}

/* Takes what was said. */
static void
announce(struct agent_session *self, struct announcement *said)
{
	struct frame_announce frame;
	struct cursor marked;

	announcement_frame(said, &frame);
	if (facts_find(frame.facts, FACT_PENDING, &marked))
		announce_mark(self, &frame, marked);
	else if (announce_endpoint(self, said, &frame))
		return;
	free(said);
}

/* The next one that waits, to be freed; NULL when none does. */
static struct announcement *
next(struct agent_session *self)
{
	struct announcement *first = STAILQ_FIRST(&self->waiting);

	if (!first)
		return NULL;
	STAILQ_REMOVE_HEAD(&self->waiting, link);
	self->waiting_count--;
	return first;
}

static void
take(struct agent_session *self, size_t most)
{
	struct announcement *first;

	while (most-- > 0 && (first = next(self)))
		announce(self, first);
	if (self->waiting_count > 0)
		return;
	answer(self);
	session_go_on(self->session);
}

/* A timer's function; 0 ms is the next turn. */
static void
take_some(void *arg)
{
	struct agent_session *self = arg;

	take(self, TAKEN_A_TURN);
	if (self->waiting_count > 0)
		timer_set(&self->taking, 0);
}

void
agent_session_announce(struct agent_session *self, const struct frame_announce *frame)
{
	struct announcement *last;

	if (session_ref_is_retired(self->session_ref))
		return;
	last = announcement_new(frame);
	if (!last || self->waiting_count >= WAITING_MOST)
		take(self, self->waiting_count);
	if (!last) {
		refuse_for_memory(self, frame);
		return;
	}
	STAILQ_INSERT_TAIL(&self->waiting, last, link);
	if (self->waiting_count++ > 0)
		return;
	timer_set(&self->taking, 0);
	session_hold(self->session);
}

void
agent_session_announce_all(struct agent_session *self, struct resumption_list *list)
{
	if (list->count == 0)
		return;
	self->waiting_count += list->count;
	STAILQ_CONCAT(&self->waiting, &list->announcements);
	timer_set(&self->taking, 0);
	session_hold(self->session);
}

void
agent_session_withdraw(struct agent_session *self, uint32_t number)
{
	struct agent_endpoint *endpoint;

	take(self, self->waiting_count);
	if (agent_session_unmark(self, number))
		return;
	endpoint = find(self, number);
	if (!endpoint)
		return;
	agent_session_log_down(self, number, pattern_of(endpoint));
	drop(endpoint);
}

/* ---- all of them ---- */

struct announcement *
agent_session_drop_newest(struct agent_session *self)
{
	struct agent_endpoint *newest = LIST_FIRST(&self->newest);
	struct announcement *said = newest ? newest->said : NULL;

	if (!newest)
		return next(self);
	newest->said = NULL;
	drop(newest);
	return said;
}

static void
reserve_each(struct hash_link *link, void *arg)
{
	struct agent_endpoint *endpoint = container_of(link, struct agent_endpoint, by_number);

	if (route_is_reserved(arg, pattern_of(endpoint)))
		lose(endpoint, CODE_NAME_RESERVED,
		    "the relay's configuration has taken this name for a static route");
}

/* After a reload static routes may have taken some names and given others back. */
void
agent_session_obey_rules(struct agent_session *self)
{
	bool had_reserved = self->has_reserved;

	if (self->is_leaving)
		return;
	self->has_reserved = false;
	if (had_reserved)
		session_again(self->session, CODE_NAME_RESERVED);
	table_each(&self->endpoints, reserve_each, self->worker->shared->routes);
}

void
agent_session_yield_endpoints(struct agent_session *self)
{
	struct agent_endpoint *newest;
	char why[USAGE_WHY];

	while ((newest = LIST_FIRST(&self->newest)) &&
	    usage_owes(session_ref_usage(self->session_ref), USAGE_ENDPOINTS, why))
		lose(newest, CODE_ENDPOINT_LIMIT, why);
}

bool
agent_session_endpoints_init(struct agent_session *self)
{
	STAILQ_INIT(&self->waiting);
	LIST_INIT(&self->marks);
	timer_init(&self->taking, self->worker->loop, take_some, self);
	return table_init(&self->endpoints) && table_init(&self->patterns);
}

void
agent_session_endpoints_wipe(struct agent_session *self)
{
	table_wipe(&self->endpoints);
	table_wipe(&self->patterns);
}
