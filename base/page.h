/*
 * The page of admin.http (folder page/), and how it is told what is going on.
 *
 * The page is one file of HTML with its style and script, which the build puts together; its policy lets a
 * browser run nothing else.  It reads the stream of events, of which each has the name of a part and a JSON
 * document.  The part `view` is told each second, the others when they are not what they were:
 *
 *	view        which parts there are beside it; who, since when, what needs attention, numbers and the
 *	            last five minutes of them
 *	agents      relay: who is connected, and ...
 *	names       ... what is routed
 *	endpoints   agent: what it serves, and whose key answers there
 *	events      both: the last events (base/log_recent.h)
 *
 * page/page.js says what it wants of each.
 *
 *	struct page_part part = { .word = "events", .most = PAGE_EVENTS_BYTES };
 *	page_tell(&part, web, document)     in the main loop
 *	page_part_wipe(&part)
 */
#ifndef BASE_PAGE_H
#define BASE_PAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/ending.h"
#include "base/histogram.h"
#include "base/web.h"

struct reload_faults;
struct upstream_group;

extern const struct web_file page_file;

/* A part, how long its text may be, and what it was told last. */
struct page_part {
	const char *word;
	size_t most;
	char *text; /* NULL: nothing yet */
};

/* Rows of a table at most.  A newcomer gets all parts at once, so together they stay below what a reader may
 * be behind (base/web.h). */
enum {
	PAGE_ROWS_MOST = 1000,
	PAGE_VIEW_BYTES = 40 * 1024,
	PAGE_PEERS_BYTES = 96 * 1024, /* agents, endpoints */
	PAGE_NAMES_BYTES = 64 * 1024,
	PAGE_EVENTS_BYTES = 36 * 1024,
};

/* Publishes the document (taken) if it is not what was published before.  One that is too long loses rows
 * ("rows", and then those of other lists) from their end until it fits, or is not published.  NULL, for
 * which memory was short: nothing happens. */
void page_tell(struct page_part *, struct web *, json_t *document);
void page_part_wipe(struct page_part *);

/* The last events (base/log_recent.h), if there are others than were told before. */
struct page_events {
	struct page_part part;
	uint64_t version;
};
void page_tell_events(struct page_events *, struct web *);

/* ---- what both daemons tell ---- */

/* One thing that needs attention, for the array `attention`; NULL leaves it alone. */
void page_attend(json_t *attention, const char *level, const char *sentence);
/* What a reload has refused; upstreams that are down (group NULL: none). */
void page_attend_reload(json_t *attention, const struct reload_faults *);
void page_attend_upstreams(json_t *attention, const char *whose, struct upstream_group *group);

/* What ends by the calendar, as it was when it was gathered.  Begins as {0}. */
enum { PAGE_ENDINGS_MOST = 256, PAGE_ENDINGS_MS = 10000 };
struct page_endings {
	struct ending list[PAGE_ENDINGS_MOST];
	size_t count;
	uint64_t gathered_ms;
};
/* Whether it is to be gathered again; then it is empty. */
bool page_endings_begin(struct page_endings *, uint64_t now_ms);
/* One more, if there is room. */
void page_endings_add(struct page_endings *, const struct ending *);
/* "error", "warning" or "": how near an end is to who has to see to it. */
const char *page_end_level(int64_t begins_s, int64_t ends_s, int64_t now_s);
/* [{"what", "name", "ends", "level"}], what ends first in front; and attention to what ends soon. */
json_t *page_endings_describe(struct page_endings *, int64_t now_s, json_t *attention);

/* {"what", "used", "bound"}, a bound of 0 being none; and attention, where nearly all is used. */
enum page_unit { PAGE_COUNT, PAGE_BYTES };
void page_limit(json_t *limits, const char *what, enum page_unit, uint64_t used, uint64_t bound,
    json_t *attention);

/* The median of what was measured since it was last asked for, in microseconds; while nothing is, what it
 * was, and NAN at first.  Begins as {0}. */
struct page_median {
	struct histogram_sum before;
	double us;
	bool has_any;
};
double page_median(struct page_median *, enum histogram_kind, const struct histogram_sum *now);

#endif
