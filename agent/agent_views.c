/* Which members of the agent's documents stand in which columns. */
#include "agent/agent_views.h"

#include <stddef.h>

#include "base/daemon_views.h"

static const struct admin_column status_facts[] = {
	{ "program", "program", ADMIN_TEXT },
	{ "version", "version", ADMIN_TEXT },
	{ "pid", "pid", ADMIN_NUMBER },
	{ "since", "since", ADMIN_TEXT },
	{ "state", "state", ADMIN_TEXT },
	{ "ready", "ready", ADMIN_TEXT },
	{ "memory", "memory", ADMIN_BYTES },
	{ "workers", "workers", ADMIN_NUMBER },
	{ "flows", "flows", ADMIN_NUMBER },
	DAEMON_STATUS_FACTS,
	{ 0 },
};
static const struct admin_column relay_columns[] = {
	{ "RELAY", "relay", ADMIN_TEXT },
	{ "NAME", "name", ADMIN_TEXT },
	{ "STATE", "state", ADMIN_TEXT },
	{ "SINCE", "since", ADMIN_TEXT },
	{ "ENDPOINTS", "endpoints", ADMIN_NUMBER },
	{ "PROXY", "proxy", ADMIN_TEXT },
	{ "CODE", "code", ADMIN_TEXT },
	{ "ERROR", "error", ADMIN_TEXT },
	{ 0 },
};
/* In `status`, and with what relays say in `endpoints`. */
#define ENDPOINT_COLUMNS \
	{ "NAME", "name", ADMIN_TEXT }, { "SERVER NAME", "server_name", ADMIN_TEXT }, \
	    { "MODE", "mode", ADMIN_TEXT }, { "UPSTREAM", "upstreams.0.upstream", ADMIN_TEXT }, \
	    { "HEALTH", "upstreams.0.health", ADMIN_TEXT }, \
	    { "FLOWS", "upstreams.0.flows", ADMIN_NUMBER }, { "DENIED", "denied", ADMIN_NUMBER }, \
	{ \
		"PROBE", "probe.result", ADMIN_TEXT \
	}
static const struct admin_column endpoint_columns[] = { ENDPOINT_COLUMNS, { 0 } };
static const struct admin_column endpoint_relay_columns[] = {
	ENDPOINT_COLUMNS,
	{ "RELAY", "relays.0.relay", ADMIN_TEXT },
	{ "THERE", "relays.0.state", ADMIN_TEXT },
	{ "CODE", "relays.0.code", ADMIN_TEXT },
	{ "RELAYS", "relays", ADMIN_COUNT },
	{ 0 },
};
static const struct admin_column forward_columns[] = {
	{ "NAME", "name", ADMIN_TEXT },
	{ "LISTEN", "listen", ADMIN_TEXT },
	{ "SERVER NAME", "server_name", ADMIN_TEXT },
	{ 0 },
};
static const struct admin_section status_sections[] = {
	{ NULL, NULL, status_facts },
	{ "Relays", "relays", relay_columns },
	{ "Not in force", "reload_faults", daemon_views_faults },
	{ "Endpoints", "endpoints", endpoint_columns },
	{ "Forwards", "forwards", forward_columns },
	{ "CRLs by URL", "crl_urls", daemon_views_crls },
	{ 0 },
};
static const struct admin_section endpoint_sections[] = {
	{ NULL, "endpoints", endpoint_relay_columns },
	{ 0 },
};

static const struct admin_column flow_columns[] = {
	{ "CLIENT", "client", ADMIN_TEXT },
	{ "SERVER NAME", "server_name", ADMIN_TEXT },
	{ "ENDPOINT", "endpoint", ADMIN_TEXT },
	{ "FORWARD", "forward", ADMIN_TEXT },
	{ "RELAY", "relay", ADMIN_TEXT },
	{ "UPSTREAM", "upstream", ADMIN_TEXT },
	DAEMON_FLOW_COLUMNS,
	{ 0 },
};
static const struct admin_section flow_sections[] = { { NULL, "flows", flow_columns }, { 0 } };

const struct admin_view agent_views[] = {
	{ .command = "status", .sections = status_sections },
	{ .command = "endpoints", .sections = endpoint_sections },
	DAEMON_FLOW_VIEW(flow_sections),
	{ 0 },
};
