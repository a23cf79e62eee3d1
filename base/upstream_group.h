/*
 * The upstreams of one endpoint or static route: which of them gets the next flow, and what is known of
 * them.  Counted, and shared by all workers.  A reload that does not change a group hands it on, and one
 * that does hands on what is known of the targets that stay.
 *
 * A flow goes to that upstream with the fewest flows; where several have as few, they take turns.
 * One whose dial failed comes last for UPSTREAM_AVOID_MS.  One that its checks (health.h) have found down
 * gets none.  What nobody checks is told by upstream_outage.h.
 */
#ifndef BASE_UPSTREAM_GROUP_H
#define BASE_UPSTREAM_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct upstream_group;

enum {
	UPSTREAMS_MOST = 16,
	UPSTREAM_AVOID_MS = 2000,
	UPSTREAM_ERROR_TEXT = 256,
	UPSTREAM_DOWN_TEXT = 2 * UPSTREAM_ERROR_TEXT + 128,
	UPSTREAM_NONE = UPSTREAMS_MOST, /* the index of none */
};

enum health_kind { HEALTH_NONE, HEALTH_TCP, HEALTH_TLS };

/* How its upstreams are checked; as CONF rows fill it (daemon_rows.h). */
struct health_settings {
	int check; /* enum health_kind */
	uint64_t interval_ms, timeout_ms;
	uint64_t rise, fall;
};

enum upstream_health { UPSTREAM_UNCHECKED, UPSTREAM_UP, UPSTREAM_DOWN };

/* Copies; name is whose they are, for the log.  NULL when memory is short. */
struct upstream_group *upstream_group_new(
    const char *name, char *const *targets, size_t count, const struct health_settings *);
struct upstream_group *upstream_group_hold(struct upstream_group *);
void upstream_group_release(struct upstream_group *); /* NULL is fine */
/* Was it made of the same? */
bool upstream_group_equals(const struct upstream_group *, const struct upstream_group *);
/* Before anybody else knows the fresh one: what is known of targets that both have. */
void upstream_group_inherit(struct upstream_group *fresh, struct upstream_group *old);

const char *upstream_group_name(const struct upstream_group *);
size_t upstream_group_count(const struct upstream_group *);
const char *upstream_group_target(const struct upstream_group *, unsigned index);
const struct health_settings *upstream_group_health(const struct upstream_group *);

/* ---- for flows, from any thread ---- */

/* Counts a flow at the upstream that it goes to, and returns the index; UPSTREAM_NONE: those that are left
 * beside `tried` (a bit each) are down, or there is none. */
unsigned upstream_group_enter(struct upstream_group *, uint32_t tried, uint64_t now_ms);
void upstream_group_leave(struct upstream_group *, unsigned index);
/* A dial to it has just failed with this sentence or, where that is NULL, come through. */
void upstream_group_note_dial(
    struct upstream_group *, unsigned index, const char *error, uint64_t now_ms);
/* How long this dial may take: an equal part of the time that is left, for it and each that could still be
 * tried. */
uint64_t upstream_group_share(
    const struct upstream_group *, uint32_t tried, uint64_t left_ms, uint64_t most_ms);
/* Nothing is left that would be worth a dial at this moment: each is down, or failed a moment ago. */
bool upstream_group_is_refusing(const struct upstream_group *, uint64_t now_ms);
/* All of them are down, by their checks. */
bool upstream_group_is_down(const struct upstream_group *);

/* ---- what is known, from any thread ---- */

uint32_t upstream_group_flows(const struct upstream_group *, unsigned index);
enum upstream_health upstream_group_state(const struct upstream_group *, unsigned index);
const char *upstream_health_word(enum upstream_health);
/* Why its last check failed while it is down, else ""; returns out. */
const char *upstream_group_error(
    struct upstream_group *, unsigned index, char out[UPSTREAM_ERROR_TEXT]);
/* A sentence for who is refused because all are down; returns out. */
const char *upstream_group_why_down(struct upstream_group *, char out[UPSTREAM_DOWN_TEXT]);

#endif
