/* Rows become text as they come. */
#include "base/admin_listing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"

struct admin_listing {
	struct admin_question *question;
	struct listing *listing;
	bool has_rows;
	void *what;
	void (*free_what)(void *);
};

/* In ASCII: a row is others' words, too. */
static bool
tell_row(struct admin_listing *self, const json_t *row)
{
	char *text = json_dumps(row, JSON_COMPACT | JSON_ENSURE_ASCII);
	bool is_heard = text && (!self->has_rows || admin_add(self->question, ",", 1)) &&
	    admin_add(self->question, text, strlen(text));

	self->has_rows = true;
	free(text);
	return is_heard;
}

static bool
on_rows(void *arg, const json_t *rows)
{
	struct admin_listing *self = arg;
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		if (!tell_row(self, row)) {
			listing_give_up(self->listing);
			return false;
		}
	}
	return admin_has_room(self->question);
}

static void
on_room(void *arg)
{
	struct admin_listing *self = arg;

	if (admin_has_room(self->question))
		listing_go_on(self->listing);
	else
		listing_give_up(self->listing);
}

/* A list that was given up has no end: nobody may take it for a whole one. */
static void
on_over(void *arg, const struct listing_step *step)
{
	struct admin_listing *self = arg;

	if (!step->is_given_up)
		admin_add(self->question, "]}\n", 3);
	admin_end(self->question);
	self->free_what(self->what);
	free(self);
}

static void
tell_head(struct admin_listing *self, const char *name)
{
	char head[128], at[TIME_TEXT];
	int bytes = snprintf(
	    head, sizeof head, "{\"at\":\"%s\",\"%s\":[", time_text(clock_wall_s(), at), name);

	admin_begin(self->question, on_room, self);
	admin_add(self->question, head, (size_t)bytes);
}

void
admin_listing_answer(struct admin_question *question, const struct admin_listing_options *options)
{
	struct admin_listing *self = calloc(1, sizeof *self);
	struct listing_options listing = {
		.all = options->all,
		.loop = options->loop,
		.sources = options->sources,
		.source_count = options->source_count,
		.what = options->what,
		.on_rows = on_rows,
		.on_over = on_over,
		.arg = self,
	};

	if (self)
		*self = (struct admin_listing){
			.question = question, .what = options->what, .free_what = options->free_what
		};
	if (self)
		self->listing = listing_begin(&listing);
	if (self && self->listing) {
		tell_head(self, options->name);
		return;
	}
	admin_answer(question, NULL);
	options->free_what(options->what);
	free(self);
}
