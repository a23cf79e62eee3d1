/*
 * What a relay knows of itself at one moment, for its HTTP (base/web.h): taken in the main thread, with a
 * word of each worker, so that a worker whose loop does not turn keeps it from being complete; then read in
 * the web's thread.
 *
 * Shared by:     the names in the per-route part, which is cut.
 * Bound:         NAME_COUNTS_MOST of them, and RELAY_UPSTREAMS_MOST upstreams of static routes.
 * Who leaves:    as base/name_counts.h says; of upstreams those of the routes that come last.
 */
#ifndef RELAY_METRICS_SNAPSHOT_H
#define RELAY_METRICS_SNAPSHOT_H

#include "base/metrics_daemon.h"
#include "relay/metrics.h"
#include "relay/metrics_endings.h"

struct name_count;
struct relay;
struct rules;
struct web_text;

enum { RELAY_UPSTREAMS_MOST = 1000, RELAY_LIMITS_MOST = 16 };

struct relay_snapshot {
	struct shared *shared; /* which outlives it */
	struct rules *rules;   /* held: their upstreams are looked at when it is read */
	int64_t taken_s, since_s;
	unsigned workers;
	const char *obstacle; /* why it takes no clients; NULL: it does */
	uint64_t flows_open, denied;
	struct relay_metrics_sums sums;
	uint64_t sessions, endpoints, channels; /* at the moment */
	struct metrics_limit limits[RELAY_LIMITS_MOST];
	size_t limit_count;
	struct metrics_reload reload;
	struct log_lost log;
	struct ending endings[RELAY_ENDINGS_MOST];
	size_t ending_count;
	struct name_count *routes; /* NULL: memory was short */
	uint64_t *routes_open;     /* flows of each at the moment */
	size_t route_count;
	/* Written when somebody asks: by format, and whether it tells names. */
	struct web_text *text[METRICS_FORMATS][2];
};

/* What all workers have counted up to now.  Any thread, at any moment, without a walk over anything. */
void relay_metrics_sum(const struct shared *, struct relay_metrics_sums *);

/* web_options.take: `arg` is the relay. */
void relay_snapshot_take(void *arg);
void relay_snapshot_free(void *snapshot);

/* The text of all of it, for the caller; NULL when memory is short. */
char *relay_snapshot_text(
    const struct relay_snapshot *, enum metrics_format, bool in_detail, size_t *bytes);

#endif
