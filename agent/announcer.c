/*
 * Keeps a relay informed which endpoints there are.
 */
#include "agent/announcer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/backoff.h"
#include "agent/challenge.h"
#include "agent/endpoint_table.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/numbers.h"
#include "tunnel/address_facts.h"
#include "tunnel/session.h"

enum { MINUTE_MS = 60000, LINES_FREE = 60 };

enum stage { DUE, UNDER_WAY, ACCEPTED, REFUSED, STAGES };
static const char *const stage_name[STAGES] = { "due", "under-way", "accepted", "refused" };

/* An endpoint, or the mark of a challenge at one. */
struct entry {
	struct frame_announce announce;  /* without its facts */
	uint32_t marked;                 /* the number of the endpoint; 0: it is one itself */
	struct address_rules *addresses; /* held */
	uint8_t balance, priority;
	size_t bytes; /* UNDER_WAY: of its lists */
	enum stage stage;
	struct backoff backoff;
	uint64_t retry_at_ms; /* REFUSED */
	enum code refused;    /* the last refusal; CODE_NONE: accepted since */
};

static bool
is_mark(const struct entry *entry)
{
	return entry->marked != 0;
}

/* Of this minute, which begins with the first of them. */
struct lines {
	struct timer minute;
	size_t told;
	uint64_t refusals, changes; /* that were not */
};

struct announcer {
	struct loop *loop;
	struct session *session;
	const char *relay;
	struct challenges *challenges;
	struct challenge_relay seat; /* among those that accept challenges */
	struct entry *entries;
	size_t count, under_way, bytes_under_way;
	size_t accepted; /* endpoints */
	struct timer retry;
	struct lines lines;
};

/* ---- the log ---- */

static void
tell_suppressed(struct announcer *a)
{
	struct lines *lines = &a->lines;

	if (lines->refusals + lines->changes > 0)
		log_audit(LOG_WARNING, "endpoint-lines-suppressed",
		    "the relay accepts and refuses again and again: ask whoever runs it",
		    log_str("relay", a->relay), log_u64("refusals", lines->refusals),
		    log_u64("changes", lines->changes));
	lines->refusals = lines->changes = lines->told = 0;
}

static void
on_minute(void *arg)
{
	tell_suppressed(arg);
}

/* Counts it in `suppressed` if not. */
static bool
may_tell(struct announcer *a, uint64_t *suppressed)
{
	struct lines *lines = &a->lines;

	if (!lines->minute.armed)
		timer_set(&lines->minute, MINUTE_MS);
	if (lines->told < LINES_FREE + 2 * a->count) {
		lines->told++;
		return true;
	}
	(*suppressed)++;
	return false;
}

static void
log_accepted(struct announcer *a, const struct entry *entry)
{
	if (may_tell(a, &a->lines.changes))
		log_audit(LOG_INFO, is_mark(entry) ? "challenge-accepted" : "endpoint-up",
		    is_mark(entry) ? "the relay passes ACME servers on to here"
				   : "the relay routes it here",
		    log_str("endpoint", entry->announce.name),
		    log_str("server_name", entry->announce.server_name),
		    log_str("relay", a->relay));
}

/* Before the refusal is noted: one that is repeated is for those who look for trouble. */
static void
log_refused(struct announcer *a, const struct entry *entry, const struct session_answer *answer)
{
	bool permanent = code_is_permanent(answer->code);
	enum log_level level = entry->refused == answer->code ? LOG_DEBUG
	    : permanent                                       ? LOG_ERROR
							      : LOG_WARNING;

	if (level == LOG_DEBUG || may_tell(a, &a->lines.refusals))
		log_audit(level, is_mark(entry) ? "challenge-refused" : "endpoint-refused",
		    answer->sentence, log_str("code", code_word(answer->code)),
		    log_str("endpoint", entry->announce.name),
		    log_str("server_name", entry->announce.server_name), log_str("relay", a->relay),
		    log_bool("permanent", permanent));
}

/* ---- announcements ---- */

static struct entry *
find(struct entry *entries, size_t count, uint32_t number)
{
	for (size_t i = 0; i < count; i++)
		if (entries[i].announce.endpoint == number)
			return &entries[i];
	return NULL;
}

static void
set_stage(struct announcer *a, struct entry *entry, enum stage stage)
{
	log_move("announcement", log_str("endpoint", entry->announce.name),
	    stage_name[entry->stage], stage_name[stage]);
	if (entry->stage == UNDER_WAY)
		a->bytes_under_way -= entry->bytes;
	if (stage == UNDER_WAY)
		a->bytes_under_way += entry->bytes = address_facts_bytes(entry->addresses);
	a->under_way -= entry->stage == UNDER_WAY;
	a->under_way += stage == UNDER_WAY;
	if (!is_mark(entry) && entry->stage == ACCEPTED)
		a->accepted--;
	if (!is_mark(entry) && stage == ACCEPTED)
		a->accepted++;
	entry->stage = stage;
}

/* The facts of an endpoint, as a relay hears them. */
static void
put_facts(
    struct writer *w, const struct address_rules *addresses, uint8_t balance, uint8_t priority)
{
	address_facts_put(w, addresses);
	facts_put_octet(w, FACT_BALANCE, balance);
	facts_put_octet(w, FACT_PRIORITY, priority);
}

enum { FACTS_BYTES = ADDRESS_FACTS_BYTES + 2 * FACT_OCTET_BYTES };

static void
announce_entry(struct announcer *a, const struct entry *entry)
{
	uint8_t storage[FACTS_BYTES];
	struct writer w = writer_over(storage, sizeof storage);
	struct frame_announce announce = entry->announce;
	const uint32_t marked = htonl(entry->marked);

	if (is_mark(entry))
		facts_put(&w, FACT_PENDING, &marked, sizeof marked);
	else
		put_facts(&w, entry->addresses, entry->balance, entry->priority);
	announce.facts = facts_of(&w);
	session_announce(a->session, &announce);
}

static bool
has_room(const struct announcer *a)
{
	return a->under_way < ANNOUNCER_UNDER_WAY && a->bytes_under_way < ANNOUNCER_BYTES;
}

/* A relay marks nothing that it has not accepted, and hears of no mark where there are no facts. */
static bool
may_announce(const struct announcer *a, const struct entry *entry)
{
	const struct entry *endpoint;

	if (!is_mark(entry))
		return true;
	endpoint = find(a->entries, a->count, entry->marked);
	return endpoint && endpoint->stage == ACCEPTED &&
	    session_version(a->session) >= PROTOCOL_FACTS;
}

static void
announce_due(struct announcer *a)
{
	for (size_t i = 0; i < a->count && has_room(a); i++) {
		if (a->entries[i].stage != DUE || !may_announce(a, &a->entries[i]))
			continue;
		set_stage(a, &a->entries[i], UNDER_WAY);
		announce_entry(a, &a->entries[i]);
	}
}

/* Sets the timer for the refused entry whose turn comes first. */
static void
plan_retry(struct announcer *a)
{
	uint64_t now = clock_ms(), first = UINT64_MAX;

	for (size_t i = 0; i < a->count; i++)
		if (a->entries[i].stage == REFUSED && a->entries[i].retry_at_ms < first)
			first = a->entries[i].retry_at_ms;
	timer_clear(&a->retry);
	if (first != UINT64_MAX)
		timer_set(&a->retry, difference(first, now));
}

static void
on_retry(void *arg)
{
	struct announcer *a = arg;
	uint64_t now = clock_ms();

	for (size_t i = 0; i < a->count; i++)
		if (a->entries[i].stage == REFUSED && a->entries[i].retry_at_ms <= now)
			set_stage(a, &a->entries[i], DUE);
	announce_due(a);
	plan_retry(a);
}

/* ---- challenges ---- */

static bool
has_accepted(void *arg, uint32_t number, char why[CHALLENGE_ERROR])
{
	const struct announcer *a = arg;
	const struct entry *entry = find(a->entries, a->count, number);

	if (entry && entry->stage == ACCEPTED)
		return true;
	if (session_version(a->session) < PROTOCOL_FACTS)
		snprintf(why, CHALLENGE_ERROR,
		    "relay '%.64s' is of a version without challenges; update it", a->relay);
	else if (!entry || !may_announce(a, entry))
		snprintf(
		    why, CHALLENGE_ERROR, "relay '%.64s' has not accepted the endpoint", a->relay);
	else if (entry->stage == REFUSED)
		snprintf(why, CHALLENGE_ERROR, "relay '%.64s' has refused the challenge: %s",
		    a->relay, code_word(entry->refused));
	else
		snprintf(why, CHALLENGE_ERROR, "relay '%.64s' has not answered yet", a->relay);
	return false;
}

/* What is due is under way as soon as there is room. */
bool
announcer_is_settled(const struct announcer *a)
{
	return a->under_way == 0;
}

struct announcer *
announcer_new(
    struct loop *loop, struct session *session, const char *relay, struct challenges *challenges)
{
	struct announcer *a = calloc(1, sizeof *a);

	if (!a)
		return NULL;
	a->loop = loop;
	a->session = session;
	a->relay = relay;
	a->challenges = challenges;
	a->seat.has_accepted = has_accepted;
	a->seat.arg = a;
	challenges_join(challenges, &a->seat);
	timer_init(&a->retry, loop, on_retry, a);
	timer_init(&a->lines.minute, loop, on_minute, a);
	return a;
}

void
announcer_free(struct announcer *a)
{
	if (!a)
		return;
	challenges_leave(a->challenges, &a->seat);
	timer_clear(&a->retry);
	timer_clear(&a->lines.minute);
	tell_suppressed(a);
	for (size_t i = 0; i < a->count; i++)
		address_rules_release(a->entries[i].addresses);
	free(a->entries);
	free(a);
}

static void
fill(struct frame_announce *announce, const struct endpoint *endpoint)
{
	memset(announce, 0, sizeof *announce);
	announce->endpoint = endpoint->number;
	announce->carriers = endpoint->carriers;
	announce->weight = endpoint->weight;
	memcpy(announce->server_name, endpoint->server_name, sizeof announce->server_name);
	memcpy(announce->name, endpoint->name, sizeof announce->name);
}

void
announcer_say(struct session *session, const struct endpoint *endpoint)
{
	uint8_t storage[FACTS_BYTES];
	struct writer w = writer_over(storage, sizeof storage);
	struct frame_announce announce;

	fill(&announce, endpoint);
	put_facts(&w, endpoint->addresses, endpoint->balance, endpoint->priority);
	announce.facts = facts_of(&w);
	session_announce(session, &announce);
}

static bool
is_served(const struct endpoint *endpoint)
{
	return endpoint && !upstream_group_is_down(endpoint->upstream.group);
}

static void
log_withdrawn(struct announcer *a, const struct entry *entry)
{
	if (may_tell(a, &a->lines.changes))
		log_audit(LOG_WARNING, "endpoint-withdrawn",
		    "all its upstreams are down; it is announced again when one of them is up",
		    log_str("endpoint", entry->announce.name),
		    log_str("server_name", entry->announce.server_name),
		    log_str("relay", a->relay));
}

/* Whether it is still to be announced, or may stay so. */
static bool
is_wanted(const struct announcer *a, const struct endpoint_table *table, const struct entry *entry)
{
	uint32_t number = entry->announce.endpoint;

	if (is_mark(entry))
		return challenges_numbered(a->challenges, number) &&
		    is_served(endpoint_table_find(table, entry->marked));
	return is_served(endpoint_table_find(table, number));
}

static void
withdraw_gone(struct announcer *a, const struct endpoint_table *table)
{
	for (size_t i = 0; i < a->count; i++) {
		struct entry *entry = &a->entries[i];

		if (is_wanted(a, table, entry))
			continue;
		if (entry->stage == ACCEPTED &&
		    endpoint_table_find(table, entry->announce.endpoint))
			log_withdrawn(a, entry);
		if (entry->stage == UNDER_WAY || entry->stage == ACCEPTED)
			session_withdraw(a->session, entry->announce.endpoint);
		set_stage(a, entry, DUE); /* so that it no longer counts */
		address_rules_release(entry->addresses);
		entry->addresses = NULL;
	}
}

/* Announced anew under its number: the relay routes by the old lists until it has the new ones, and we judge
 * by the new ones. */
static void
renew_addresses(struct announcer *a, struct entry *entry, struct address_rules *addresses)
{
	if (address_rules_equal(entry->addresses, addresses))
		return;
	address_rules_release(entry->addresses);
	entry->addresses = address_rules_hold(addresses);
	if (entry->stage != REFUSED && session_version(a->session) >= PROTOCOL_FACTS)
		set_stage(a, entry, DUE);
}

static size_t
show_endpoints(struct announcer *a, const struct endpoint_table *table, struct entry *entries)
{
	size_t count = 0;

	for (size_t i = 0; i < table->count; i++) {
		const struct endpoint *endpoint = table->endpoints[i];
		const struct entry *before = find(a->entries, a->count, endpoint->number);

		if (!is_served(endpoint))
			continue;
		if (before)
			entries[count] = *before;
		else
			fill(&entries[count].announce, endpoint);
		entries[count].balance = endpoint->balance;
		entries[count].priority = endpoint->priority;
		renew_addresses(a, &entries[count++], endpoint->addresses);
	}
	return count;
}

/* The one that is served under this very name. */
static const struct endpoint *
find_answering(const struct endpoint_table *table, const char *name)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct endpoint *endpoint = table->endpoints[i];

		if (endpoint_answers_challenges(endpoint) &&
		    strcmp(endpoint->server_name, name) == 0)
			return is_served(endpoint) ? endpoint : NULL;
	}
	return NULL;
}

/* Under the number of the challenge; anew, where its endpoint has another number. */
static size_t
show_marks(const struct announcer *a, const struct endpoint_table *table, struct entry *entries)
{
	const struct challenge *challenge = NULL;
	size_t count = 0;

	while ((challenge = challenges_next(a->challenges, challenge))) {
		const struct endpoint *endpoint = find_answering(table, challenge_name(challenge));
		uint32_t number = challenge_number(challenge);
		const struct entry *before = find(a->entries, a->count, number);
		struct entry *entry = &entries[count];

		if (!endpoint)
			continue;
		count++;
		if (before && before->marked == endpoint->number) {
			*entry = *before;
			continue;
		}
		fill(&entry->announce, endpoint);
		entry->announce.endpoint = number;
		entry->marked = endpoint->number;
	}
	return count;
}

bool
announcer_show(struct announcer *a, const struct endpoint_table *table)
{
	struct entry *entries = calloc(table->count + CHALLENGES_MOST + 1, sizeof *entries);
	size_t count;

	if (!entries)
		return false;
	withdraw_gone(a, table);
	count = show_endpoints(a, table, entries);
	count += show_marks(a, table, entries + count);
	free(a->entries);
	a->entries = entries;
	a->count = count;
	announce_due(a);
	plan_retry(a);
	challenges_look(a->challenges);
	return true;
}

static bool
is_about(const struct session_answer *answer, const struct entry *entry)
{
	return entry->announce.endpoint >= answer->endpoints.first &&
	    entry->announce.endpoint <= answer->endpoints.last;
}

static void
note_accepted(struct announcer *a, struct entry *entry)
{
	set_stage(a, entry, ACCEPTED);
	entry->refused = CODE_NONE;
	backoff_up(&entry->backoff, clock_ms());
	log_accepted(a, entry);
}

void
announcer_accepted(struct announcer *a, const struct session_answer *answer)
{
	for (size_t i = 0; i < a->count; i++)
		if (is_about(answer, &a->entries[i]) && a->entries[i].stage == UNDER_WAY)
			note_accepted(a, &a->entries[i]);
	announce_due(a);
	challenges_look(a->challenges);
}

static void
note_refused(struct announcer *a, struct entry *entry, const struct session_answer *answer)
{
	uint64_t wait_ms = code_is_permanent(answer->code)
	    ? backoff_permanent()
	    : backoff_failed(&entry->backoff, clock_ms());

	set_stage(a, entry, REFUSED);
	entry->retry_at_ms = clock_ms() + larger_of(wait_ms, BACKOFF_FIRST_MS);
	log_refused(a, entry, answer);
	entry->refused = answer->code;
}

/* What waits for its retry, or was never announced, has nothing that could be refused. */
static bool
may_be_refused(const struct entry *entry)
{
	return entry->stage == UNDER_WAY || entry->stage == ACCEPTED;
}

bool
announcer_refused(struct announcer *a, const struct session_answer *answer)
{
	bool is_any = false;

	for (size_t i = 0; i < a->count; i++) {
		if (!is_about(answer, &a->entries[i]) || !may_be_refused(&a->entries[i]))
			continue;
		note_refused(a, &a->entries[i], answer);
		is_any |= !is_mark(&a->entries[i]);
	}
	announce_due(a);
	plan_retry(a);
	return is_any;
}

size_t
announcer_accepted_count(const struct announcer *a)
{
	return a->accepted;
}

void
announcer_again(struct announcer *a, enum code code)
{
	for (size_t i = 0; i < a->count; i++)
		if (a->entries[i].stage == REFUSED && a->entries[i].refused == code)
			a->entries[i].retry_at_ms = 0;
	on_retry(a);
}
