/*
 * A pairing heap: a tree in which no child comes before its parent.  Removing
 * a node melds its children two by two and then from the last pair to the
 * first, which is what keeps the average logarithmic.  Nothing recurses.
 */
#include "base/heap.h"

#include <stddef.h>

void
heap_init(struct heap *heap, bool (*before)(const struct heap_node *, const struct heap_node *))
{
	*heap = (struct heap){ .before = before };
}

/* Two whole trees become one; either may be NULL.  The second becomes a child unless it comes before
 * the first. */
static struct heap_node *
meld(const struct heap *heap, struct heap_node *a, struct heap_node *b)
{
	if (!a || !b)
		return a ? a : b;
	if (heap->before(b, a)) {
		struct heap_node *swap = a;

		a = b;
		b = swap;
	}
	b->back = a;
	b->next = a->child;
	if (b->next)
		b->next->back = b;
	a->child = b;
	return a;
}

/* Cuts a tree off the front of a list of siblings. */
static struct heap_node *
take(struct heap_node **list)
{
	struct heap_node *node = *list;

	if (!node)
		return NULL;
	*list = node->next;
	node->next = NULL;
	node->back = NULL;
	return node;
}

/* The pairs are kept in a list, the last one first, while they wait for the second round. */
static struct heap_node *
meld_all(const struct heap *heap, struct heap_node *list)
{
	struct heap_node *pairs = NULL, *whole = NULL;

	while (list) {
		struct heap_node *a = take(&list), *pair = meld(heap, a, take(&list));

		pair->next = pairs;
		pairs = pair;
	}
	while (pairs)
		whole = meld(heap, whole, take(&pairs));
	return whole;
}

void
heap_add(struct heap *heap, struct heap_node *node)
{
	*node = (struct heap_node){ 0 };
	heap->first = meld(heap, heap->first, node);
}

static void
cut_out(struct heap_node *node)
{
	if (node->back->child == node)
		node->back->child = node->next;
	else
		node->back->next = node->next;
	if (node->next)
		node->next->back = node->back;
}

void
heap_remove(struct heap *heap, struct heap_node *node)
{
	struct heap_node *rest;

	if (node != heap->first)
		cut_out(node);
	rest = meld_all(heap, node->child);
	heap->first = node == heap->first ? rest : meld(heap, heap->first, rest);
	*node = (struct heap_node){ 0 };
}
