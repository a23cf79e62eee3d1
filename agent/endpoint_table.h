/*
 * The endpoint table: which endpoint has which number, and the trust by which
 * relays are judged.  Counted and immutable; a reload makes another one and
 * gives it to every worker.  A process never uses a number again for another
 * name, so that an `open` that is on its way during a reload cannot reach the
 * wrong endpoint.
 */
#ifndef AGENT_ENDPOINT_TABLE_H
#define AGENT_ENDPOINT_TABLE_H

#include "agent/endpoint.h"

struct endpoint_table {
	_Atomic unsigned references;
	struct trust *relays; /* NULL: there are none */
	size_t count;
	struct endpoint **endpoints; /* in the order of their numbers */
	struct endpoint **by_name;   /* in that of their server names */
	struct endpoint **by_former; /* in that of the numbers that they had before */
	uint32_t last_number;        /* the highest that this table or one before it has used */
};

/* The endpoints whose files have changed, and who hears of those that cannot be loaded. */
struct endpoint_reload {
	const bool *stale; /* one for each endpoint of the settings */
	/* The same: of these the CAs and CRLs, too, so that they are renewed even if the certificates cannot
	 * be. */
	const bool *trust_stale;
	void (*on_refused)(void *arg, size_t index, const char *sentence);
	void *arg;
};

/*
 * Makes the table of these settings.  With a previous one (may be NULL), an endpoint keeps its
 * number unless relays must hear something new about it, and an endpoint of the same server name
 * keeps what its trust sets remember of CRLs.
 *
 * reload NULL: all endpoints are loaded, all or nothing: NULL with a sentence.
 * reload given, for the settings that previous was made of: only the stale endpoints are loaded again;
 * one that cannot be loaded stays as it was, its CAs and CRLs aside.
 */
struct endpoint_table *endpoint_table_new(const struct agent_settings *, struct trust *relays,
    const struct endpoint_table *previous, const struct endpoint_reload *,
    char error[ENDPOINT_ERROR]);
struct endpoint_table *endpoint_table_hold(struct endpoint_table *);
void endpoint_table_release(struct endpoint_table *);

/* Keeps the revocations that its trust sets have found over a restart: every second and at the end. */
void endpoint_table_keep_revoked(const struct endpoint_table *);

/* Calls endpoint_watch() of each: every second. */
void endpoint_table_watch(const struct endpoint_table *, int64_t now_s, uint64_t now_ms);

/* All of these are borrowed from the table, and take no longer where it is long.  NULL if no endpoint has the
 * number. */
struct endpoint *endpoint_table_find(const struct endpoint_table *, uint32_t number);
/* The one with this very server name, or pattern; table NULL is fine. */
struct endpoint *endpoint_table_find_name(const struct endpoint_table *, const char *server_name);
/* The one of these settings; NULL if there is none. */
struct endpoint *endpoint_table_find_settings(
    const struct endpoint_table *, const struct endpoint_settings *);
/* Nor had it: a relay may not have heard of the new one yet. */
struct endpoint *endpoint_table_find_opened(const struct endpoint_table *, uint32_t number);
/* What has become of an endpoint of a table before, however often its number has changed; NULL: it is
 * gone. */
struct endpoint *endpoint_table_find_again(
    const struct endpoint_table *, const struct endpoint *before);

#endif
