/*
 * What all parts of the running relay share: made once by relay.c, then only
 * pointed at.  Each of them guards itself.  The bounds are set in
 * reload_set_bounds(); a table of them is in valise(7), SHARED RESOURCES.
 *
 *	shared_init --> shared_make --> (relay.c makes the workers, and frees them) --> shared_wipe
 */
#ifndef RELAY_SHARED_H
#define RELAY_SHARED_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include "relay/flow_id.h"
#include "relay/return_places.h"
#include "tunnel/standstill.h"

struct handover;
struct known_names;
struct name_counts;
struct name_flows;
struct pendings;
struct helper;
struct rate_table;
struct resumptions;
struct recent_peers;
struct resolver;
struct session_table;
struct shares;
struct routes;
struct worker;
struct session_lines;
struct usage_table;
struct trustwatch;

/* What weighs one in hello_bytes and agent_hello_bytes. */
enum { SHARED_UNIT_BYTES = 512 };

struct shared {
	struct routes *routes;
	struct known_names *known_names; /* NULL: there are no agents, or memory was short */
	struct session_table *session_table;
	struct usage_table *usage_table;
	struct session_lines *session_lines;
	struct rate_table *rates; /* arrival.h */
	struct name_flows *name_flows;
	struct name_counts *name_counts;
	struct pendings *pendings;
	struct resumptions *resumptions;
	struct shares *flows; /* of clients; the newest leave */
	/* Flows of clients whose agent is away: flow_wait.h. */
	struct shares *waits; /* the newest leave */
	struct name_flows *wait_names;
	struct recent_peers *recent_peers;
	struct standstills standstills;
	struct shares *hellos; /* of clients; here and below the oldest leave */
	/* Of the same and of flows on their way, weighed by what has come of each (intake.h,
	 * flow_hello.h). */
	struct shares *hello_bytes;
	struct shares *agent_hellos;      /* from where an agent has authenticated lately */
	struct shares *agent_hello_bytes; /* of the same */
	struct shares *unknown_peers;     /* session handshakes */
	struct shares *known_peers; /* the same, from where an agent has authenticated lately */
	struct shares *channels;    /* channel handshakes */
	struct shares *lingers;     /* refusals that a client may still read */
	struct resolver *resolver;
	struct shares *strange_lookups; /* flow_dynamic.h */
	struct trustwatch *trustwatch;
	struct handover *handover;
	struct worker **workers;
	unsigned worker_count;
	pthread_mutex_t end_lock;
	pthread_cond_t end;       /* all workers have let go of what they had */
	unsigned workers_running; /* under the lock */
	struct flow_ids flow_ids;
	/* The lowest descriptor that is for sessions (limits.h); 0: none. */
	_Atomic uint64_t kept_from;
	struct return_places return_places;
	_Atomic uint64_t denied; /* flows that lists of addresses have refused since the start */
};

/* Of {0}: what the rules point at, whom to believe, and locks.  After false (memory is short), too, it
 * is to be wiped. */
bool shared_init(struct shared *);
/* Everything else but the workers, without bounds; once it is certain that no other instance runs, and
 * after the sandbox was entered, since some of it has threads.  The process that looks up names is
 * borrowed.  False: memory is short. */
bool shared_make(struct shared *, struct helper *resolver);
/* When no worker is left. */
void shared_wipe(struct shared *);

#endif
