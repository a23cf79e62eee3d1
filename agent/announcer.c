/*
 * Keeps a relay informed which endpoints there are.
 */
#include "agent/announcer.h"

#include <stdlib.h>
#include <string.h>

#include "agent/backoff.h"
#include "agent/endpoint_table.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/numbers.h"
#include "tunnel/address_facts.h"
#include "tunnel/session.h"

enum { MINUTE_MS = 60000, LINES_FREE = 60 };

enum stage { DUE, UNDER_WAY, ACCEPTED, REFUSED, STAGES };
static const char *const stage_name[STAGES] = { "due", "under-way", "accepted", "refused" };

struct entry {
	struct frame_announce announce;  /* without its facts */
	struct address_rules *addresses; /* held */
	size_t bytes;                    /* UNDER_WAY: of its lists */
	enum stage stage;
	struct backoff backoff;
	uint64_t retry_at_ms; /* REFUSED */
	enum code refused;    /* the last refusal; CODE_NONE: accepted since */
};

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
	struct entry *entries;
	size_t count, under_way, bytes_under_way, accepted;
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
		log_audit(LOG_INFO, "endpoint-up", "the relay routes it here",
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
		log_audit(level, "endpoint-refused", answer->sentence,
		    log_str("code", code_word(answer->code)),
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
	a->accepted -= entry->stage == ACCEPTED;
	a->under_way += stage == UNDER_WAY;
	a->accepted += stage == ACCEPTED;
	entry->stage = stage;
}

static void
announce_entry(struct announcer *a, const struct entry *entry)
{
	uint8_t storage[ADDRESS_FACTS_BYTES];
	struct writer w = writer_over(storage, sizeof storage);
	struct frame_announce announce = entry->announce;

	address_facts_put(&w, entry->addresses);
	announce.facts = facts_of(&w);
	session_announce(a->session, &announce);
}

static bool
has_room(const struct announcer *a)
{
	return a->under_way < ANNOUNCER_UNDER_WAY && a->bytes_under_way < ANNOUNCER_BYTES;
}

static void
announce_due(struct announcer *a)
{
	for (size_t i = 0; i < a->count && has_room(a); i++) {
		if (a->entries[i].stage != DUE)
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

struct announcer *
announcer_new(struct loop *loop, struct session *session, const char *relay)
{
	struct announcer *a = calloc(1, sizeof *a);

	if (!a)
		return NULL;
	a->loop = loop;
	a->session = session;
	a->relay = relay;
	timer_init(&a->retry, loop, on_retry, a);
	timer_init(&a->lines.minute, loop, on_minute, a);
	return a;
}

void
announcer_free(struct announcer *a)
{
	if (!a)
		return;
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

static void
withdraw_gone(struct announcer *a, const struct endpoint_table *table)
{
	for (size_t i = 0; i < a->count; i++) {
		struct entry *entry = &a->entries[i];
		const struct endpoint *endpoint =
		    endpoint_table_find(table, entry->announce.endpoint);

		if (is_served(endpoint))
			continue;
		if (endpoint && entry->stage == ACCEPTED)
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

bool
announcer_show(struct announcer *a, const struct endpoint_table *table)
{
	struct entry *entries = calloc(table->count + 1, sizeof *entries);
	size_t count = 0;

	if (!entries)
		return false;
	withdraw_gone(a, table);
	for (size_t i = 0; i < table->count; i++) {
		const struct endpoint *endpoint = table->endpoints[i];
		const struct entry *before = find(a->entries, a->count, endpoint->number);

		if (!is_served(endpoint))
			continue;
		if (before)
			entries[count] = *before;
		else
			fill(&entries[count].announce, endpoint);
		renew_addresses(a, &entries[count++], endpoint->addresses);
	}
	free(a->entries);
	a->entries = entries;
	a->count = count;
	announce_due(a);
	plan_retry(a);
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
		is_any = true;
	}
	announce_due(a);
	plan_retry(a);
	return is_any;
}

void
announcer_again(struct announcer *a, enum code code)
{
	for (size_t i = 0; i < a->count; i++)
		if (a->entries[i].stage == REFUSED && a->entries[i].refused == code)
			a->entries[i].retry_at_ms = 0;
	on_retry(a);
}

size_t
announcer_accepted_count(const struct announcer *a)
{
	return a->accepted;
}
