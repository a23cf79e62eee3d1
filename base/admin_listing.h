/*
 * An answer at the admin socket that is a long list: {"at": TIME, NAME: [ROW, ...]}.  The rows come from a
 * listing (base/listing.h), and are told as fast as they are read: neither the daemon's memory nor its loops
 * hang on how many there are, or on the reader.
 */
#ifndef BASE_ADMIN_LISTING_H
#define BASE_ADMIN_LISTING_H

#include "base/admin.h"
#include "base/listing.h"

struct admin_listing_options {
	struct listings *all;
	struct loop *loop;
	const struct listing_source *sources;
	unsigned source_count;
	const char *name;
	void *what; /* for the steps; taken */
	void (*free_what)(void *);
};

/* Answers the question, in any case. */
void admin_listing_answer(struct admin_question *, const struct admin_listing_options *);

#endif
