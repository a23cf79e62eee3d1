/*
 * A long list that is gathered from several loops, a step at a time, so that none of them is held up by
 * it: of each source in turn a step is asked for in that source's own thread, which gives the rows
 * that it makes there, some LISTING_ROWS at a time; when they have been taken here the next step follows.
 *
 *	listing_begin --> step() in a source's loop, on_rows() here, again and again --> on_over() here
 *
 * Shared by:     those who ask for lists; each has a listing of his own.
 * Bound:         the rows of one step at a time.  How many listings there are is bounded by who begins them
 *                (base/admin.h).
 * Who leaves:    nobody.
 */
#ifndef BASE_LISTING_H
#define BASE_LISTING_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list_walk.h"
#include "base/loop.h"

/* A step makes so many rows, looks at so many things, and takes about so long at most. */
enum { LISTING_ROWS = 64, LISTING_LOOKS = 512, LISTING_STEP_US = 200 };

struct listing;

/* The part of it that belongs to the source's thread while that has it. */
struct listing_step {
	const void *what; /* is asked for, as it was given to listing_begin() */
	struct list_walk walk;
	bool has_begun;    /* with this source; the walk is among its walks */
	bool is_given_up;  /* nothing more is wanted: end the walk */
	unsigned stage;    /* the step's own; 0 at its first one in a source */
	size_t at;         /* likewise */
	uint64_t count[2]; /* likewise, over all sources */
	json_t *rows;      /* to be filled; NULL: memory is short */
	unsigned looks;
	uint64_t until_us;
};

struct listing_source {
	struct loop *loop;
	/* In that loop.  True: there is nothing more, or it was given up. */
	bool (*step)(void *arg, struct listing_step *);
	void *arg;
};

/* Those of one daemon; {0} at first. */
LIST_HEAD(listings, listing);

struct listing_options {
	struct listings *all;                 /* it is among these while it lasts */
	struct loop *loop;                    /* here */
	const struct listing_source *sources; /* copied */
	unsigned source_count;                /* at least one */
	const void *what;                     /* borrowed until on_over() */
	/* The rows, an array, are borrowed.  False: no more until listing_go_on(). */
	bool (*on_rows)(void *arg, const json_t *rows);
	/* Once, at the end, whether all of it has come or not. */
	void (*on_over)(void *arg, const struct listing_step *);
	void *arg;
};

/* NULL when memory is short.  Nothing is called from inside. */
struct listing *listing_begin(const struct listing_options *);
/* Harmless while a step is under way. */
void listing_go_on(struct listing *);
/* No more rows are wanted: on_over() follows, perhaps from inside. */
void listing_give_up(struct listing *);
/* All sources have ended, and their loops: so does each listing, now or when the last answer is delivered. */
void listing_abandon_all(struct listings *);

/* ---- for steps ---- */

/* Enters the walk, at `first` in the beginning.  False: it was given up, and is over. */
bool listing_enter(struct listing_step *, struct list_walks *, void *first);
/* What is next, and the step goes on behind it, which `next` gives; NULL: not now, or not at all. */
void *listing_next(struct listing_step *, void *(*next)(void *));
/* What the step returns. */
bool listing_leave(struct listing_step *);
/* Whether it has done enough for now; for who walks no list, before each thing that he looks at. */
bool listing_is_enough(struct listing_step *);

#endif
