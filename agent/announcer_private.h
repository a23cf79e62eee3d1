/*
 * Internal to announcers: what announcer.c (announcing, answers), announcer_show.c (what there is to
 * announce) and announcer_log.c share.
 */
#ifndef AGENT_ANNOUNCER_PRIVATE_H
#define AGENT_ANNOUNCER_PRIVATE_H

#include <sys/queue.h>

#include "agent/announcer.h"
#include "agent/backoff.h"
#include "agent/challenge.h"
#include "agent/endpoint_table.h"
#include "base/heap.h"
#include "tunnel/address_facts.h"
#include "tunnel/session.h"

enum announcer_stage {
	ANNOUNCER_DUE,
	ANNOUNCER_UNDER_WAY,
	ANNOUNCER_ACCEPTED,
	ANNOUNCER_REFUSED,
	ANNOUNCER_STAGES
};

/* What an endpoint may have. */
enum { ANNOUNCER_FACTS_BYTES = ADDRESS_FACTS_BYTES + 2 * FACT_OCTET_BYTES };

/* An endpoint, or the mark of a challenge at one. */
struct announcer_entry {
	struct endpoint *endpoint; /* held: as the relay knows it, or will */
	uint32_t number;
	uint32_t marked;                  /* the number of the endpoint; 0: it is one itself */
	uint32_t bytes;                   /* UNDER_WAY: of what was said */
	uint8_t stage;                    /* enum announcer_stage */
	bool is_offered;                  /* it is a part of what was offered */
	bool is_resumed;                  /* it was said in a session before */
	enum code refused;                /* the last refusal; CODE_NONE: accepted since */
	TAILQ_ENTRY(announcer_entry) due; /* DUE, of an endpoint */
	struct heap_node retry;           /* REFUSED */
	uint64_t retry_at_ms;
	struct backoff backoff;
};

/* Of this minute, which begins with the first of them. */
struct announcer_lines {
	struct timer minute;
	size_t told;
	uint64_t refusals, changes; /* that were not */
};

struct announcer {
	struct session *session;
	const char *relay;
	struct challenges *challenges;
	struct challenge_relay seat; /* among those that accept challenges */
	/* Endpoints in the order of their numbers, then marks in none. */
	struct announcer_entry *entries;
	size_t count, endpoint_count;
	TAILQ_HEAD(, announcer_entry) due;
	struct heap retries;
	size_t under_way, bytes_under_way;
	size_t accepted; /* endpoints */
	struct timer retry;
	/* Numbers that are to be withdrawn from a relay that takes each in a frame of its own; nothing is
	 * announced before, since their names may stand among what is. */
	uint32_t *leaving;
	size_t leaving_count, leaving_room, left_count;
	struct timer leave;
	bool is_begun; /* there is a welcome */
	/* Until the relay says whether it goes on with what the entries are; what is shown meanwhile is
	 * held. */
	bool is_offering;
	struct timer offer;
	struct endpoint_table *shown;
	struct announcer_past *past; /* NULL: none */
	struct announcer_lines lines;
};

static inline bool
announcer_is_mark(const struct announcer_entry *entry)
{
	return entry->marked != 0;
}

/* announcer.c. */
struct announcer_entry *announcer_find_mark(const struct announcer *, uint32_t number);
void announcer_set_stage(struct announcer *, struct announcer_entry *, enum announcer_stage);
/* What is said of it; its facts are in the storage. */
struct frame_announce announcer_announcement(
    const struct announcer_entry *, uint8_t storage[ANNOUNCER_FACTS_BYTES]);
/* As if it had been said in this session. */
void announcer_resume_entry(struct announcer *, struct announcer_entry *);
/* Adopts them in the place of those of before; each is in the stage that it says. */
void announcer_take_entries(
    struct announcer *, struct announcer_entry *, size_t endpoint_count, size_t count);
/* Announces what is due, and plans what is to be announced again. */
void announcer_go_on(struct announcer *);

/* Now, or in its turn. */
void announcer_withdraw(struct announcer *, uint32_t number);

/* announcer_log.c: the second also when the announcer ends. */
void announcer_log_init(struct announcer *, struct loop *);
void announcer_log_end(struct announcer *);
void announcer_log_accepted(struct announcer *, const struct announcer_entry *);
/* Before the refusal is noted: one that is repeated is for those who look for trouble. */
void announcer_log_refused(
    struct announcer *, const struct announcer_entry *, const struct session_answer *);
void announcer_log_withdrawn(struct announcer *, const struct announcer_entry *);
void announcer_log_resumed(const struct announcer *);

/* announcer_show.c: the first is a timer's function, the second notes what is refused. */
void announcer_hear_nothing(void *announcer);
void announcer_note_past(struct announcer *);

#endif
