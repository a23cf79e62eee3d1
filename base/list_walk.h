/*
 * Walks over a list that changes meanwhile: a step now, another one in a later turn of the loop.  Whoever
 * leaves the list says so before, and a walk that would have gone on there goes on behind.  What comes at the
 * head of the list after the walk has begun is not seen.  All of it is in the list's own thread.
 */
#ifndef BASE_LIST_WALK_H
#define BASE_LIST_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

/* Embedded in who walks. */
struct list_walk {
	LIST_ENTRY(list_walk) link;
	void *next; /* NULL: it is over */
};

/* Those over lists of one owner. */
LIST_HEAD(list_walks, list_walk);

static inline void
list_walk_begin(struct list_walks *walks, struct list_walk *walk, void *first)
{
	walk->next = first;
	LIST_INSERT_HEAD(walks, walk, link);
}

static inline void
list_walk_end(struct list_walk *walk)
{
	LIST_REMOVE(walk, link);
}

/* `leaving` leaves its list, where `next` (NULL: nothing) stands behind it. */
static inline void
list_walks_step_over(struct list_walks *walks, const void *leaving, void *next)
{
	struct list_walk *walk;

	LIST_FOREACH(walk, walks, link)
		if (walk->next == leaving)
			walk->next = next;
}

#endif
