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
#include "tunnel/session.h"

enum stage { DUE, UNDER_WAY, ACCEPTED, REFUSED, STAGES };
static const char *const stage_name[STAGES] = { "due", "under-way", "accepted", "refused" };

struct entry {
	struct frame_announce announce;
	enum stage stage;
	struct backoff backoff;
	uint64_t retry_at_ms; /* REFUSED */
	enum code logged;     /* the last refusal, once it is logged */
};

struct announcer {
	struct loop *loop;
	struct session *session;
	const char *relay;
	struct entry *entries;
	size_t count, under_way, accepted;
	struct timer retry;
};

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
	a->under_way -= entry->stage == UNDER_WAY;
	a->accepted -= entry->stage == ACCEPTED;
	a->under_way += stage == UNDER_WAY;
	a->accepted += stage == ACCEPTED;
	entry->stage = stage;
}

static void
announce_due(struct announcer *a)
{
	for (size_t i = 0; i < a->count && a->under_way < ANNOUNCER_UNDER_WAY; i++) {
		if (a->entries[i].stage != DUE)
			continue;
		set_stage(a, &a->entries[i], UNDER_WAY);
		session_announce(a->session, &a->entries[i].announce);
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
	return a;
}

void
announcer_free(struct announcer *a)
{
	if (!a)
		return;
	timer_clear(&a->retry);
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

static void
withdraw_gone(struct announcer *a, const struct endpoint_table *table)
{
	for (size_t i = 0; i < a->count; i++) {
		struct entry *entry = &a->entries[i];

		if (endpoint_table_find(table, entry->announce.endpoint))
			continue;
		if (entry->stage == UNDER_WAY || entry->stage == ACCEPTED)
			session_withdraw(a->session, entry->announce.endpoint);
		set_stage(a, entry, DUE); /* so that it no longer counts */
	}
}

bool
announcer_show(struct announcer *a, const struct endpoint_table *table)
{
	struct entry *entries = calloc(table->count + 1, sizeof *entries);

	if (!entries)
		return false;
	withdraw_gone(a, table);
	for (size_t i = 0; i < table->count; i++) {
		const struct entry *before =
		    find(a->entries, a->count, table->endpoints[i]->number);

		if (before)
			entries[i] = *before;
		else
			fill(&entries[i].announce, table->endpoints[i]);
	}
	free(a->entries);
	a->entries = entries;
	a->count = table->count;
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
	entry->logged = CODE_NONE;
	backoff_up(&entry->backoff, clock_ms());
	log_audit(LOG_INFO, "endpoint-up", "the relay routes it here",
	    log_str("endpoint", entry->announce.name),
	    log_str("server_name", entry->announce.server_name), log_str("relay", a->relay));
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
	bool permanent = code_is_permanent(answer->code);
	uint64_t wait_ms;

	set_stage(a, entry, REFUSED);
	wait_ms = permanent ? backoff_permanent() : backoff_failed(&entry->backoff, clock_ms());
	entry->retry_at_ms = clock_ms() + (wait_ms < BACKOFF_FIRST_MS ? BACKOFF_FIRST_MS : wait_ms);
	log_audit(entry->logged == answer->code ? LOG_DEBUG
		: permanent                     ? LOG_ERROR
						: LOG_WARNING,
	    "endpoint-refused", answer->sentence, log_str("code", code_word(answer->code)),
	    log_str("endpoint", entry->announce.name),
	    log_str("server_name", entry->announce.server_name), log_str("relay", a->relay),
	    log_bool("permanent", permanent));
	entry->logged = answer->code;
}

void
announcer_refused(struct announcer *a, const struct session_answer *answer)
{
	for (size_t i = 0; i < a->count; i++)
		if (is_about(answer, &a->entries[i]))
			note_refused(a, &a->entries[i], answer);
	announce_due(a);
	plan_retry(a);
}

void
announcer_again(struct announcer *a, enum code code)
{
	for (size_t i = 0; i < a->count; i++)
		if (a->entries[i].stage == REFUSED && a->entries[i].logged == code)
			a->entries[i].retry_at_ms = 0;
	on_retry(a);
}

size_t
announcer_accepted_count(const struct announcer *a)
{
	return a->accepted;
}
