/*
 * Announces what is due and hears the answers.  Whom an answer is about is found by its range, and whose
 * turn it is by queues, since there may be very many endpoints.
 */
#include "agent/announcer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/announcer_private.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/numbers.h"

/* Where each takes a frame of the relay's budget, of which some is left to other frames. */
enum { V1_UNDER_WAY = 64, LEAVE_MS = 400 };

static const char *const stage_name[ANNOUNCER_STAGES] = { "due", "under-way", "accepted",
	"refused" };

static struct announcer_entry *
entry_of(const struct heap_node *node)
{
	return container_of(node, struct announcer_entry, retry);
}

static bool
is_earlier(const struct heap_node *a, const struct heap_node *b)
{
	return entry_of(a)->retry_at_ms < entry_of(b)->retry_at_ms;
}

/* ---- announcements ---- */

/* Where the endpoint of this number stands or would stand. */
static size_t
place_of(const struct announcer_entry *entries, size_t count, uint32_t number)
{
	size_t from = 0;

	while (from < count) {
		size_t middle = from + (count - from) / 2;

		if (entries[middle].number < number)
			from = middle + 1;
		else
			count = middle;
	}
	return from;
}

static struct announcer_entry *
find_endpoint(const struct announcer *a, uint32_t number)
{
	size_t place = place_of(a->entries, a->endpoint_count, number);

	return place < a->endpoint_count && a->entries[place].number == number ? &a->entries[place]
									       : NULL;
}

struct announcer_entry *
announcer_find_mark(const struct announcer *a, uint32_t number)
{
	for (size_t i = a->endpoint_count; i < a->count; i++)
		if (a->entries[i].number == number)
			return &a->entries[i];
	return NULL;
}

/* The next one behind `before` (NULL: the first) that an answer is about. */
static struct announcer_entry *
next_about(const struct announcer *a, const struct frame_range *range,
    const struct announcer_entry *before)
{
	size_t i = before ? (size_t)(before - a->entries) + 1
			  : place_of(a->entries, a->endpoint_count, range->first);

	if (i < a->endpoint_count && a->entries[i].number > range->last)
		i = a->endpoint_count;
	while (i >= a->endpoint_count && i < a->count &&
	    (a->entries[i].number < range->first || a->entries[i].number > range->last))
		i++;
	return i < a->count ? &a->entries[i] : NULL;
}

/* Into the queue of its stage, if that has one. */
static void
queue(struct announcer *a, struct announcer_entry *entry)
{
	if (entry->stage == ANNOUNCER_DUE && !announcer_is_mark(entry))
		TAILQ_INSERT_TAIL(&a->due, entry, due);
	if (entry->stage == ANNOUNCER_REFUSED)
		heap_add(&a->retries, &entry->retry);
}

static void
unqueue(struct announcer *a, struct announcer_entry *entry)
{
	if (entry->stage == ANNOUNCER_DUE && !announcer_is_mark(entry))
		TAILQ_REMOVE(&a->due, entry, due);
	if (entry->stage == ANNOUNCER_REFUSED)
		heap_remove(&a->retries, &entry->retry);
}

void
announcer_set_stage(struct announcer *a, struct announcer_entry *entry, enum announcer_stage stage)
{
	log_move("announcement", log_str("endpoint", entry->endpoint->name),
	    stage_name[entry->stage], stage_name[stage]);
	unqueue(a, entry);
	if (entry->stage == ANNOUNCER_UNDER_WAY) {
		a->under_way--;
		a->bytes_under_way -= entry->bytes;
	}
	if (!announcer_is_mark(entry) && entry->stage == ANNOUNCER_ACCEPTED)
		a->accepted--;
	if (!announcer_is_mark(entry) && stage == ANNOUNCER_ACCEPTED)
		a->accepted++;
	entry->stage = (uint8_t)stage;
	if (stage == ANNOUNCER_UNDER_WAY) {
		a->under_way++;
		a->bytes_under_way += entry->bytes;
	}
	queue(a, entry);
}

/* Its facts are in the storage. */
struct frame_announce
announcer_announcement(const struct announcer_entry *entry, uint8_t storage[ANNOUNCER_FACTS_BYTES])
{
	const struct endpoint *endpoint = entry->endpoint;
	struct frame_announce announce = { .endpoint = entry->number,
		.carriers = endpoint->carriers,
		.weight = endpoint->weight };
	struct writer w = writer_over(storage, ANNOUNCER_FACTS_BYTES);
	const uint32_t marked = htonl(entry->marked);

	memcpy(announce.server_name, endpoint->server_name, sizeof announce.server_name);
	memcpy(announce.name, endpoint->name, sizeof announce.name);
	if (announcer_is_mark(entry)) {
		facts_put(&w, FACT_PENDING, &marked, sizeof marked);
	} else {
		address_facts_put(&w, endpoint->addresses);
		facts_put_octet(&w, FACT_BALANCE, endpoint->balance);
		facts_put_octet(&w, FACT_PRIORITY, endpoint->priority);
	}
	announce.facts = facts_of(&w);
	return announce;
}

static uint32_t
bytes_of(const struct frame_announce *announce)
{
	enum { OTHERS = 11 }; /* the length, number, carriers, weight, and lengths of both texts */

	return (uint32_t)(OTHERS + strlen(announce->server_name) + strlen(announce->name) +
	    announce->facts.bytes);
}

void
announcer_resume_entry(struct announcer *a, struct announcer_entry *entry)
{
	uint8_t storage[ANNOUNCER_FACTS_BYTES];
	const struct frame_announce announce = announcer_announcement(entry, storage);

	entry->bytes = bytes_of(&announce);
	entry->is_resumed = true;
	announcer_set_stage(a, entry, ANNOUNCER_UNDER_WAY);
}

static bool
has_room(const struct announcer *a)
{
	if (session_version(a->session) < PROTOCOL_FACTS)
		return a->under_way < V1_UNDER_WAY;
	return a->bytes_under_way < ANNOUNCER_BYTES;
}

/* False: there is no room, nor in the frame that is being filled. */
static bool
announce_entry(struct announcer *a, struct announcer_entry *entry)
{
	uint8_t storage[ANNOUNCER_FACTS_BYTES];
	const struct frame_announce announce = announcer_announcement(entry, storage);

	entry->bytes = bytes_of(&announce);
	if (!has_room(a) && entry->bytes > session_announce_room(a->session))
		return false;
	announcer_set_stage(a, entry, ANNOUNCER_UNDER_WAY);
	session_announce(a->session, &announce);
	return true;
}

/* A relay marks nothing that it has not accepted, and hears of no mark where there are no facts. */
static bool
may_mark(const struct announcer *a, const struct announcer_entry *mark)
{
	const struct announcer_entry *endpoint = find_endpoint(a, mark->marked);

	return endpoint && endpoint->stage == ANNOUNCER_ACCEPTED &&
	    session_version(a->session) >= PROTOCOL_FACTS;
}

/* When half of what may be under way is answered, and whole frames of it: each takes a part of the relay's
 * budget, however little is in it. */
static void
announce_due(struct announcer *a)
{
	struct announcer_entry *entry;

	if (a->is_offering || a->leaving_count > 0 || a->bytes_under_way > ANNOUNCER_BYTES / 2)
		return;
	while ((entry = TAILQ_FIRST(&a->due)))
		if (!announce_entry(a, entry))
			return;
	for (size_t i = a->endpoint_count; i < a->count; i++)
		if (a->entries[i].stage == ANNOUNCER_DUE && may_mark(a, &a->entries[i]) &&
		    !announce_entry(a, &a->entries[i]))
			return;
}

/* Sets the timer for the refused entry whose turn comes first. */
static void
plan_retry(struct announcer *a)
{
	timer_clear(&a->retry);
	if (a->retries.first)
		timer_set(
		    &a->retry, difference(entry_of(a->retries.first)->retry_at_ms, clock_ms()));
}

static void
on_retry(void *arg)
{
	struct announcer *a = arg;
	uint64_t now = clock_ms();

	while (a->retries.first && entry_of(a->retries.first)->retry_at_ms <= now)
		announcer_set_stage(a, entry_of(a->retries.first), ANNOUNCER_DUE);
	announce_due(a);
	plan_retry(a);
}

void
announcer_go_on(struct announcer *a)
{
	announce_due(a);
	plan_retry(a);
}

/* ---- withdrawals ---- */

/* A timer's function: the next part of them. */
static void
leave(void *arg)
{
	struct announcer *a = arg;
	size_t left = a->leaving_count - a->left_count;
	size_t part = left < V1_UNDER_WAY ? left : V1_UNDER_WAY;

	if (part == 0)
		return;
	timer_set(&a->leave, LEAVE_MS);
	for (size_t i = 0; i < part; i++)
		session_withdraw(a->session, a->leaving[a->left_count++]);
	if (part < left)
		return;
	a->leaving_count = a->left_count = 0;
	announcer_go_on(a);
}

/* The room is what it was, or doubles when it is full. */
static bool
has_room_to_leave(struct announcer *a)
{
	size_t room = a->leaving_room > 0 ? 2 * a->leaving_room : V1_UNDER_WAY;
	uint32_t *more;

	if (a->leaving_count < a->leaving_room)
		return true;
	more = reallocarray(a->leaving, room, sizeof *more);
	if (!more) {
		memory_short("nothing: what is withdrawn is not spread over time");
		return false;
	}
	a->leaving = more;
	a->leaving_room = room;
	return true;
}

void
announcer_withdraw(struct announcer *a, uint32_t number)
{
	if (session_withdraws_many(a->session) || !has_room_to_leave(a)) {
		session_withdraw(a->session, number);
		return;
	}
	a->leaving[a->leaving_count++] = number;
	if (!a->leave.armed)
		timer_set(&a->leave, 0);
}

/* ---- entries ---- */

static void
free_entries(struct announcer_entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++)
		endpoint_release(entries[i].endpoint);
	free(entries);
}

void
announcer_take_entries(
    struct announcer *a, struct announcer_entry *entries, size_t endpoint_count, size_t count)
{
	free_entries(a->entries, a->count);
	a->entries = entries;
	a->endpoint_count = endpoint_count;
	a->count = count;
	TAILQ_INIT(&a->due);
	heap_init(&a->retries, is_earlier);
	for (size_t i = 0; i < count; i++)
		queue(a, &entries[i]);
}

/* ---- challenges ---- */

static bool
has_accepted(void *arg, uint32_t number, char why[CHALLENGE_ERROR])
{
	const struct announcer *a = arg;
	const struct announcer_entry *entry = announcer_find_mark(a, number);

	if (entry && entry->stage == ANNOUNCER_ACCEPTED)
		return true;
	if (session_version(a->session) < PROTOCOL_FACTS)
		snprintf(why, CHALLENGE_ERROR,
		    "relay '%.64s' is of a version without challenges; update it", a->relay);
	else if (!entry || !may_mark(a, entry))
		snprintf(
		    why, CHALLENGE_ERROR, "relay '%.64s' has not accepted the endpoint", a->relay);
	else if (entry->stage == ANNOUNCER_REFUSED)
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
	return a->is_begun && !a->is_offering && a->under_way == 0 && a->leaving_count == 0;
}

/* ---- life ---- */

struct announcer *
announcer_new(
    struct loop *loop, struct session *session, const char *relay, struct challenges *challenges)
{
	struct announcer *a = calloc(1, sizeof *a);

	if (!a)
		return NULL;
	a->session = session;
	a->relay = relay;
	a->challenges = challenges;
	a->seat.has_accepted = has_accepted;
	a->seat.arg = a;
	TAILQ_INIT(&a->due);
	heap_init(&a->retries, is_earlier);
	timer_init(&a->retry, loop, on_retry, a);
	timer_init(&a->offer, loop, announcer_hear_nothing, a);
	timer_init(&a->leave, loop, leave, a);
	announcer_log_init(a, loop);
	return a;
}

void
announcer_free(struct announcer *a)
{
	if (!a)
		return;
	if (a->is_begun)
		challenges_leave(a->challenges, &a->seat);
	timer_clear(&a->retry);
	timer_clear(&a->offer);
	timer_clear(&a->leave);
	free(a->leaving);
	announcer_log_end(a);
	announcer_note_past(a);
	free_entries(a->entries, a->count);
	endpoint_table_release(a->shown);
	free(a);
}

size_t
announcer_say(struct session *session, struct endpoint *endpoint)
{
	const struct announcer_entry entry = { .endpoint = endpoint, .number = endpoint->number };
	uint8_t storage[ANNOUNCER_FACTS_BYTES];
	const struct frame_announce announce = announcer_announcement(&entry, storage);

	session_announce(session, &announce);
	return bytes_of(&announce);
}

/* ---- answers ---- */

static void
note_accepted(struct announcer *a, struct announcer_entry *entry)
{
	announcer_set_stage(a, entry, ANNOUNCER_ACCEPTED);
	entry->refused = CODE_NONE;
	backoff_up(&entry->backoff, clock_ms());
	if (!entry->is_resumed)
		announcer_log_accepted(a, entry);
	entry->is_resumed = false;
}

void
announcer_accepted(struct announcer *a, const struct session_answer *answer)
{
	struct announcer_entry *entry = NULL;

	while ((entry = next_about(a, &answer->endpoints, entry)))
		if (entry->stage == ANNOUNCER_UNDER_WAY)
			note_accepted(a, entry);
	announce_due(a);
	challenges_look(a->challenges);
}

static void
note_refused(
    struct announcer *a, struct announcer_entry *entry, const struct session_answer *answer)
{
	uint64_t wait_ms = code_is_permanent(answer->code)
	    ? backoff_permanent()
	    : backoff_failed(&entry->backoff, clock_ms());

	entry->retry_at_ms = clock_ms() + larger_of(wait_ms, BACKOFF_FIRST_MS);
	announcer_set_stage(a, entry, ANNOUNCER_REFUSED);
	announcer_log_refused(a, entry, answer);
	entry->refused = answer->code;
	entry->is_resumed = false;
}

/* What waits for its retry, or was never announced, has nothing that could be refused. */
static bool
may_be_refused(const struct announcer_entry *entry)
{
	return entry->stage == ANNOUNCER_UNDER_WAY || entry->stage == ANNOUNCER_ACCEPTED;
}

bool
announcer_refused(struct announcer *a, const struct session_answer *answer)
{
	struct announcer_entry *entry = NULL;
	bool is_any = false;

	while ((entry = next_about(a, &answer->endpoints, entry))) {
		if (!may_be_refused(entry))
			continue;
		note_refused(a, entry, answer);
		is_any |= !announcer_is_mark(entry);
	}
	announcer_go_on(a);
	return is_any;
}

size_t
announcer_accepted_count(const struct announcer *a)
{
	return a->accepted;
}

static int
by_number(const void *key, const void *item)
{
	const uint32_t *number = key;
	const struct announcer_entry *entry = item;

	return (*number > entry->number) - (*number < entry->number);
}

const char *
announcer_state(const struct announcer *a, uint32_t number, enum code *refused)
{
	static const char *const words[ANNOUNCER_STAGES] = {
		[ANNOUNCER_DUE] = "waiting",
		[ANNOUNCER_UNDER_WAY] = "announced",
		[ANNOUNCER_ACCEPTED] = "accepted",
		[ANNOUNCER_REFUSED] = "refused",
	};
	const struct announcer_entry *entry = a->endpoint_count > 0
	    ? bsearch(&number, a->entries, a->endpoint_count, sizeof *a->entries, by_number)
	    : NULL;

	*refused = entry ? entry->refused : CODE_NONE;
	return entry ? words[entry->stage] : NULL;
}

void
announcer_again(struct announcer *a, enum code code)
{
	if (!a->retries.first)
		return;
	for (size_t i = 0; i < a->count; i++)
		if (a->entries[i].stage == ANNOUNCER_REFUSED && a->entries[i].refused == code)
			announcer_set_stage(a, &a->entries[i], ANNOUNCER_DUE);
	announcer_go_on(a);
}
