/*
 * The relay as its page shows it (base/page.h): who it is, whether anything needs attention, and the numbers
 * of the last five minutes, which are gathered each second whether or not somebody looks.  All else is made
 * only while somebody does.
 *
 * Belongs to the main thread.
 */
#ifndef RELAY_PAGE_VIEW_H
#define RELAY_PAGE_VIEW_H

struct page_view;
struct relay;
struct web;

/* The relay and the web are borrowed.  NULL when memory is short. */
struct page_view *page_view_new(struct relay *, struct web *);
/* NULL is fine. */
void page_view_free(struct page_view *);
/* Somebody has begun to look, and wants to see something at once. */
void page_view_show(struct page_view *);

#endif
