/*
 * What an agent knows of itself at one moment, for its HTTP (base/web.h): taken in the main thread, and
 * complete when the loop of each worker has had a turn; then read in the web's thread.
 *
 * Bound: AGENT_NAMES_MOST endpoints, and as many upstreams and probed names, are told one by one.
 */
#ifndef AGENT_METRICS_SNAPSHOT_H
#define AGENT_METRICS_SNAPSHOT_H

#include "agent/metrics.h"
#include "agent/worker.h"
#include "base/metrics_daemon.h"

struct endpoint_table;
struct name_count;
struct web_text;

enum { AGENT_NAMES_MOST = 1000 };

/* One relay of the list. */
struct agent_relay_facts {
	char target[64]; /* cut */
	bool is_up;
	int64_t since_s;
	size_t endpoints;
	uint64_t rtt_us;
	unsigned channels;
};

/* Of a name that is probed. */
struct agent_probe_facts {
	const char *server_name; /* the table's */
	const char *result;      /* a stable word */
	int64_t at_s;
};

struct agent_snapshot {
	int64_t taken_s, since_s;
	unsigned workers;
	char obstacle[256]; /* why it does not serve; "": it does */
	char region[64];
	uint64_t flows_open, forward_flows_open;
	struct agent_metrics_sums sums;
	struct shares_load loads[AGENT_LOADS];
	/* Of the main thread, as at the moment. */
	uint64_t sessions, channels_failed, channels_lost;
	struct word_sums session_ends;
	struct histogram_sum session_handshake, rtt;
	struct metrics_reload reload;
	struct log_lost log;
	struct ending *endings;
	size_t ending_count;
	struct agent_relay_facts *relays;
	size_t relay_count;
	struct agent_probe_facts *probes;
	size_t probe_count;
	struct endpoint_table *table; /* held: its upstreams are looked at when it is read */
	struct name_count *names;     /* by endpoint; NULL: memory was short */
	size_t name_count;
	struct web_text *text[METRICS_FORMATS][2];
};

/* What it is made of; borrowed for the call. */
struct agent_live;
struct agent_snapshot_sources {
	const struct agent_live *live;
	const struct agent_session_metrics *sessions;
	int64_t since_s;
	const char *obstacle; /* the agent's state; NULL: it serves */
};

/* NULL when memory is short. */
struct agent_snapshot *agent_snapshot_new(const struct agent_snapshot_sources *);
void agent_snapshot_free(void *snapshot);

/* The text of all of it, for the caller; NULL when memory is short. */
char *agent_snapshot_text(
    const struct agent_snapshot *, enum metrics_format, bool in_detail, size_t *bytes);

#endif
