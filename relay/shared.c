/* What is shared is made and freed here; relay.c says when. */
#include "relay/shared.h"

#include "base/name_counts.h"
#include "base/rate.h"
#include "base/resolver.h"
#include "base/shares.h"
#include "relay/handover.h"
#include "relay/name_flows.h"
#include "relay/pending.h"
#include "relay/recent_peers.h"
#include "relay/resumption.h"
#include "relay/route.h"
#include "relay/session_lines.h"
#include "relay/session_table.h"
#include "relay/trustwatch.h"
#include "relay/usage.h"

bool
shared_init(struct shared *shared)
{
	pthread_mutex_init(&shared->end_lock, NULL);
	pthread_cond_init(&shared->end, NULL);
	flow_ids_init(&shared->flow_ids);
	return (shared->session_table = session_table_new()) &&
	    (shared->handover = handover_new()) && (shared->trustwatch = trustwatch_new());
}

bool
shared_make(struct shared *shared, struct helper *resolver)
{
	return (shared->flows = shares_new(SHARES_NEWEST)) &&
	    (shared->waits = shares_new(SHARES_NEWEST)) &&
	    (shared->wait_names = name_flows_new()) && standstills_init(&shared->standstills) &&
	    (shared->rates = rate_table_new()) && (shared->name_flows = name_flows_new()) &&
	    (shared->name_counts = name_counts_new()) && (shared->pendings = pendings_new()) &&
	    (shared->resumptions = resumptions_new()) &&
	    (shared->hellos = shares_new(SHARES_OLDEST)) &&
	    (shared->hello_bytes = shares_new(SHARES_OLDEST)) &&
	    (shared->agent_hellos = shares_new(SHARES_OLDEST)) &&
	    (shared->agent_hello_bytes = shares_new(SHARES_OLDEST)) &&
	    (shared->unknown_peers = shares_new(SHARES_OLDEST)) &&
	    (shared->known_peers = shares_new(SHARES_OLDEST)) &&
	    (shared->channels = shares_new(SHARES_OLDEST)) &&
	    (shared->lingers = shares_new(SHARES_OLDEST)) &&
	    (shared->strange_lookups = shares_new(SHARES_OLDEST)) &&
	    (shared->usage_table = usage_table_new()) &&
	    (shared->session_lines = session_lines_new()) && (shared->routes = route_table_new()) &&
	    (shared->recent_peers = recent_peers_new()) &&
	    (shared->resolver = resolver_new_in(resolver));
}

void
shared_wipe(struct shared *shared)
{
	resolver_free(shared->resolver);
	trustwatch_free(shared->trustwatch);
	handover_free(shared->handover);
	shares_free(shared->strange_lookups);
	shares_free(shared->lingers);
	shares_free(shared->channels);
	shares_free(shared->known_peers);
	shares_free(shared->unknown_peers);
	shares_free(shared->agent_hello_bytes);
	shares_free(shared->agent_hellos);
	shares_free(shared->hello_bytes);
	shares_free(shared->hellos);
	recent_peers_free(shared->recent_peers);
	resumptions_free(shared->resumptions);
	pendings_free(shared->pendings);
	name_flows_free(shared->name_flows);
	name_counts_free(shared->name_counts);
	name_flows_free(shared->wait_names);
	shares_free(shared->waits);
	rate_table_free(shared->rates);
	standstills_wipe(&shared->standstills);
	shares_free(shared->flows);
	route_table_free(shared->routes);
	session_table_free(shared->session_table);
	session_lines_free(shared->session_lines);
	usage_table_free(shared->usage_table);
	flow_ids_wipe(&shared->flow_ids);
	pthread_cond_destroy(&shared->end);
	pthread_mutex_destroy(&shared->end_lock);
}
