/*
 * A queue from which the first node of an order is taken.  It is a pairing heap
 * whose links lie in the objects themselves (container_of leads back to them),
 * so adding never allocates and cannot fail.
 *
 * Adding and looking at the first take constant time, removing takes
 * O(log n) averaged over a heap's life.  Nodes that come neither before nor
 * behind each other leave in any order.
 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stdbool.h>

/* The heap's own while the node is in it. */
struct heap_node {
	struct heap_node *child, *next; /* the first child; the next sibling */
	struct heap_node *back;         /* the sibling before, or the parent of a first child */
};

struct heap {
	struct heap_node *first; /* NULL when the heap is empty */
	bool (*before)(const struct heap_node *, const struct heap_node *);
};

/* `before` is a strict order: never true both ways round. */
void heap_init(struct heap *, bool (*before)(const struct heap_node *, const struct heap_node *));
/* The node must not be in a heap. */
void heap_add(struct heap *, struct heap_node *);
/* The node must be in this heap, at any place. */
void heap_remove(struct heap *, struct heap_node *);

#endif
