/* One step after the other, in one source after the other. */
#include "base/listing.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

struct listing {
	LIST_ENTRY(listing) link;
	struct listing_options options;
	struct listing_step step;
	struct question question;
	unsigned source;     /* whose turn it is */
	bool is_source_over; /* as the last step has said */
	bool is_asking, is_paused, is_abandoned;
	struct listing_source sources[];
};

static void on_step(void *data);

/* In the source's thread. */
static void
take_step(void *data)
{
	struct listing *listing = data;
	struct listing_step *step = &listing->step;
	const struct listing_source *source = &listing->sources[listing->source];

	step->rows = json_array();
	step->looks = 0;
	step->until_us = clock_us() + LISTING_STEP_US;
	listing->is_source_over = source->step(source->arg, step);
	if (!listing->is_source_over)
		return;
	step->has_begun = false;
	step->stage = 0;
	step->at = 0;
}

static void
ask(struct listing *listing)
{
	listing->is_asking = true;
	listing->is_paused = false;
	loop_ask(listing->sources[listing->source].loop, &listing->question, take_step, listing,
	    listing->options.loop, on_step);
}

static void
end(struct listing *listing)
{
	LIST_REMOVE(listing, link);
	listing->options.on_over(listing->options.arg, &listing->step);
	free(listing);
}

/* What was given up has nothing to end in a source where it has not begun. */
static void
advance(struct listing *listing, bool is_wanted)
{
	bool is_given_up = listing->step.is_given_up;

	if (listing->source == listing->options.source_count ||
	    (is_given_up && !listing->step.has_begun))
		end(listing);
	else if (is_wanted || is_given_up)
		ask(listing);
	else
		listing->is_paused = true;
}

static void
on_step(void *data)
{
	struct listing *listing = data;
	json_t *rows = listing->step.rows;
	bool is_wanted = true;

	listing->is_asking = false;
	listing->step.rows = NULL;
	if (listing->is_source_over)
		listing->source++;
	if (!listing->is_abandoned && !listing->step.is_given_up && json_array_size(rows) > 0)
		is_wanted = listing->options.on_rows(listing->options.arg, rows);
	json_decref(rows);
	if (listing->is_abandoned)
		end(listing);
	else
		advance(listing, is_wanted);
}

struct listing *
listing_begin(const struct listing_options *options)
{
	size_t bytes = options->source_count * sizeof *options->sources;
	struct listing *listing = calloc(1, sizeof *listing + bytes);

	if (!listing)
		return NULL;
	listing->options = *options;
	listing->step.what = options->what;
	memcpy(listing->sources, options->sources, bytes);
	LIST_INSERT_HEAD(options->all, listing, link);
	ask(listing);
	return listing;
}

void
listing_go_on(struct listing *listing)
{
	if (listing->is_paused)
		ask(listing);
}

void
listing_give_up(struct listing *listing)
{
	listing->step.is_given_up = true;
	if (!listing->is_paused)
		return; /* the step that is under way, or its rows, end it */
	listing->is_paused = false;
	advance(listing, false);
}

void
listing_abandon_all(struct listings *all)
{
	struct listing *listing = LIST_FIRST(all), *next;

	for (; listing; listing = next) {
		next = LIST_NEXT(listing, link);
		listing->is_abandoned = true;
		listing->step.is_given_up = true; /* it is not whole */
		if (!listing->is_asking)
			end(listing);
	}
}

/* ---- for steps ---- */

bool
listing_enter(struct listing_step *step, struct list_walks *walks, void *first)
{
	if (step->is_given_up) {
		if (step->has_begun)
			list_walk_end(&step->walk);
		return false;
	}
	if (!step->has_begun)
		list_walk_begin(walks, &step->walk, first);
	step->has_begun = true;
	return true;
}

bool
listing_is_enough(struct listing_step *step)
{
	return json_array_size(step->rows) >= LISTING_ROWS || step->looks++ >= LISTING_LOOKS ||
	    (step->looks % 8 == 0 && clock_us() >= step->until_us);
}

void *
listing_next(struct listing_step *step, void *(*next)(void *))
{
	void *at = step->walk.next;

	if (!at || listing_is_enough(step))
		return NULL;
	step->walk.next = next(at);
	return at;
}

bool
listing_leave(struct listing_step *step)
{
	if (step->walk.next)
		return false;
	list_walk_end(&step->walk);
	return true;
}
