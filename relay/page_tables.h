/*
 * The tables of the relay's page, of agents and of names, gathered as those of `valise-relay agents` and
 * `routes` are (base/listing.h): a step at a time in the workers, the first PAGE_ROWS_MOST rows.
 *
 * Belongs to the main thread.
 */
#ifndef RELAY_PAGE_TABLES_H
#define RELAY_PAGE_TABLES_H

struct page_tables;
struct relay;
struct web;

/* Both are borrowed.  NULL when memory is short. */
struct page_tables *page_tables_new(struct relay *, struct web *);
/* What is under way ends with relay->listings.  NULL is fine. */
void page_tables_free(struct page_tables *);
/* Begins to gather what was not gathered within the last two seconds, and tells it when it has come. */
void page_tables_gather(struct page_tables *);

#endif
