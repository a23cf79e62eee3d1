/*
 * What there is to announce: endpoints, and the challenges that mark them.  There may be very many
 * endpoints, so both what was and what is stand in the order of their numbers, and one walk over both finds
 * what has changed.
 */
#include <stdlib.h>

#include "agent/announcer_private.h"
#include "base/memory.h"
#include "tunnel/announce_digest.h"

enum {
	RESUMED_IN_MS = 10000, /* the relay has promised it, and has two seconds */
	OFFER_LEAST = 32,      /* fewer fit into a frame or two */
};

static const char said_again[] = "nothing: endpoints are announced that a relay may know";

static bool
is_served(const struct endpoint *endpoint)
{
	return endpoint && !upstream_group_is_down(endpoint->upstream.group);
}

/* Whether it is still to be announced, or may stay so. */
static bool
is_wanted(const struct announcer *a, const struct endpoint_table *table,
    const struct announcer_entry *entry)
{
	if (announcer_is_mark(entry))
		return challenges_numbered(a->challenges, entry->number) &&
		    is_served(endpoint_table_find(table, entry->marked));
	return is_served(endpoint_table_find(table, entry->number));
}

static void
withdraw_gone(struct announcer *a, const struct endpoint_table *table)
{
	for (size_t i = 0; i < a->count; i++) {
		struct announcer_entry *entry = &a->entries[i];

		if (is_wanted(a, table, entry))
			continue;
		if (entry->stage == ANNOUNCER_ACCEPTED && endpoint_table_find(table, entry->number))
			announcer_log_withdrawn(a, entry);
		if (entry->stage == ANNOUNCER_UNDER_WAY || entry->stage == ANNOUNCER_ACCEPTED)
			announcer_withdraw(a, entry->number);
		announcer_set_stage(a, entry, ANNOUNCER_DUE); /* so that it no longer counts */
	}
}

/* Announced anew under its number: the relay routes by the old lists until it has the new ones, and we judge
 * by the new ones. */
static void
renew(struct announcer *a, struct announcer_entry *entry, struct endpoint *endpoint)
{
	bool is_alike = address_rules_equal(entry->endpoint->addresses, endpoint->addresses);

	endpoint_hold(endpoint);
	endpoint_release(entry->endpoint);
	entry->endpoint = endpoint;
	if (!is_alike && entry->stage != ANNOUNCER_REFUSED &&
	    session_version(a->session) >= PROTOCOL_FACTS)
		announcer_set_stage(a, entry, ANNOUNCER_DUE);
}

/* Moves what an entry is to another place. */
static void
move_entry(struct announcer_entry *to, struct announcer_entry *from)
{
	*to = *from;
	from->endpoint = NULL;
}

static void
fill(struct announcer_entry *entry, struct endpoint *endpoint, uint32_t number, uint32_t marked)
{
	entry->endpoint = endpoint_hold(endpoint);
	entry->number = number;
	entry->marked = marked;
}

/* Both are in the order of their numbers. */
static size_t
show_endpoints(
    struct announcer *a, const struct endpoint_table *table, struct announcer_entry *entries)
{
	size_t count = 0, old = 0;

	for (size_t i = 0; i < table->count; i++) {
		struct endpoint *endpoint = table->endpoints[i];

		if (!is_served(endpoint))
			continue;
		while (old < a->endpoint_count && a->entries[old].number < endpoint->number)
			old++;
		if (old < a->endpoint_count && a->entries[old].number == endpoint->number) {
			renew(a, &a->entries[old], endpoint);
			move_entry(&entries[count++], &a->entries[old]);
		} else {
			fill(&entries[count++], endpoint, endpoint->number, 0);
		}
	}
	return count;
}

/* The one that is served under this very name. */
static struct endpoint *
find_answering(const struct endpoint_table *table, const char *name)
{
	struct endpoint *endpoint = endpoint_table_find_name(table, name);

	return endpoint && endpoint_answers_challenges(endpoint) && is_served(endpoint) ? endpoint
											: NULL;
}

/* Under the number of the challenge; anew, where its endpoint has another number. */
static size_t
show_marks(
    const struct announcer *a, const struct endpoint_table *table, struct announcer_entry *entries)
{
	const struct challenge *challenge = NULL;
	size_t count = 0;

	while ((challenge = challenges_next(a->challenges, challenge))) {
		struct endpoint *endpoint = find_answering(table, challenge_name(challenge));
		uint32_t number = challenge_number(challenge);
		struct announcer_entry *before = announcer_find_mark(a, number);

		if (!endpoint)
			continue;
		if (before && before->marked == endpoint->number)
			move_entry(&entries[count++], before);
		else
			fill(&entries[count++], endpoint, number, endpoint->number);
	}
	return count;
}

/* What there is to announce, and at most CHALLENGES_MOST marks. */
static struct announcer_entry *
new_entries(const struct endpoint_table *table)
{
	return calloc(table->count + CHALLENGES_MOST + 1, sizeof(struct announcer_entry));
}

bool
announcer_show(struct announcer *a, struct endpoint_table *table)
{
	struct announcer_entry *entries;
	size_t endpoint_count, mark_count;

	if (!a->is_begun)
		return true; /* the beginning shows what there is then */
	if (a->is_offering) {
		endpoint_table_hold(table);
		endpoint_table_release(a->shown);
		a->shown = table;
		return true;
	}
	entries = new_entries(table);
	if (!entries)
		return false;
	withdraw_gone(a, table);
	endpoint_count = show_endpoints(a, table, entries);
	mark_count = show_marks(a, table, entries + endpoint_count);
	announcer_take_entries(a, entries, endpoint_count, endpoint_count + mark_count);
	announcer_go_on(a);
	challenges_look(a->challenges);
	return true;
}

/* ---- going on with what a session before has announced ---- */

void
announcer_past_wipe(struct announcer_past *past)
{
	free(past->refused);
	*past = (struct announcer_past){ 0 };
}

void
announcer_remember(struct announcer *a, struct announcer_past *past)
{
	a->past = past;
}

/* Where memory is short, or not all has an answer, the relay finds that what is offered is not what it
 * has. */
void
announcer_note_past(struct announcer *a)
{
	size_t count = 0;

	if (!a->past || !a->is_begun || a->is_offering)
		return;
	announcer_past_wipe(a->past);
	for (size_t i = 0; i < a->endpoint_count; i++)
		count += a->entries[i].stage == ANNOUNCER_REFUSED;
	a->past->refused = count > 0 ? calloc(count, sizeof *a->past->refused) : NULL;
	if (count > 0 && !a->past->refused)
		memory_short(said_again);
	for (size_t i = 0; a->past->refused && i < a->endpoint_count; i++)
		if (a->entries[i].stage == ANNOUNCER_REFUSED)
			a->past->refused[a->past->count++] = a->entries[i].number;
}

/* All but what the relay had refused. */
static void
choose_offered(struct announcer *a)
{
	const struct announcer_past none = { 0 }, *past = a->past ? a->past : &none;
	size_t at = 0;

	for (size_t i = 0; i < a->endpoint_count; i++) {
		struct announcer_entry *entry = &a->entries[i];

		while (at < past->count && past->refused[at] < entry->number)
			at++;
		entry->is_offered = at == past->count || past->refused[at] != entry->number;
	}
}

bool
announcer_offer(
    struct announcer *a, const struct endpoint_table *table, uint8_t digest[RESUME_BYTES])
{
	struct announcer_entry *entries = table->count >= OFFER_LEAST ? new_entries(table) : NULL;
	struct announce_digest *hash = entries ? announce_digest_new() : NULL;
	uint8_t storage[ANNOUNCER_FACTS_BYTES];
	size_t count;

	if (!hash) {
		if (table->count >= OFFER_LEAST)
			memory_short(said_again);
		free(entries);
		return false;
	}
	count = show_endpoints(a, table, entries);
	announcer_take_entries(a, entries, count, count);
	choose_offered(a);
	for (size_t i = 0; i < count; i++) {
		const struct frame_announce announce = announcer_announcement(&entries[i], storage);

		if (entries[i].is_offered)
			announce_digest_add(hash, &announce);
	}
	announce_digest_end(hash, digest);
	return true;
}

bool
announcer_begin(struct announcer *a, struct endpoint_table *table, bool is_resuming)
{
	challenges_join(a->challenges, &a->seat);
	a->is_begun = true;
	a->is_offering = is_resuming && a->count > 0;
	if (a->is_offering)
		timer_set(&a->offer, RESUMED_IN_MS);
	return announcer_show(a, table);
}

static void
resume_all(struct announcer *a)
{
	for (size_t i = 0; i < a->endpoint_count; i++)
		if (a->entries[i].is_offered)
			announcer_resume_entry(a, &a->entries[i]);
	announcer_log_resumed(a);
}

bool
announcer_resumed(struct announcer *a, bool is_resumed)
{
	struct endpoint_table *shown = a->shown;
	bool fine;

	if (!a->is_offering)
		return true;
	timer_clear(&a->offer);
	a->is_offering = false;
	a->shown = NULL;
	if (is_resumed)
		resume_all(a);
	fine = announcer_show(a, shown);
	endpoint_table_release(shown);
	return fine;
}

/* The relay does not keep its promise. */
void
announcer_hear_nothing(void *arg)
{
	struct announcer *a = arg;

	if (!announcer_resumed(a, false))
		memory_short("announcements to a relay, until something changes");
}
