/*
 * The endpoint table: which endpoint has which number, and by whom relays are
 * judged.  Counted and immutable; a reload makes another and every worker is
 * given it.  Numbers are never used for another name in one process, so that
 * an `open` on its way during a reload cannot reach the wrong endpoint.
 */
#ifndef AGENT_ENDPOINT_TABLE_H
#define AGENT_ENDPOINT_TABLE_H

#include "agent/endpoint.h"

struct endpoint_table {
	_Atomic unsigned references;
	struct trust *relays;
	size_t count;
	struct endpoint **endpoints;	/* in the order of their numbers */
};

/* Makes the table of these settings.  previous (may be NULL): an endpoint that relays need be told
 * nothing new of keeps its number; one with the same server name keeps what its trust sets
 * remember. stale NULL: all endpoints are made anew, all or nothing: NULL with a sentence. stale
 * given (the settings are those of previous, some files are not): endpoints with stale[i] are made
 * anew; one that cannot be is kept as it was, which is logged. */
struct endpoint_table *endpoint_table_new(const struct agent_settings *, struct trust *relays,
    const struct endpoint_table *previous, const bool *stale, char error[ENDPOINT_ERROR]);
struct endpoint_table *endpoint_table_hold(struct endpoint_table *);
void endpoint_table_release(struct endpoint_table *);

/* Borrowed from the table; NULL for none. */
struct endpoint *endpoint_table_find(const struct endpoint_table *, uint32_t number);

#endif
