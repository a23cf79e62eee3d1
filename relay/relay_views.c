/* Which members of the relay's documents stand in which columns. */
#include "relay/relay_views.h"

#include <stddef.h>

#include "base/daemon_views.h"

static const struct admin_column status_facts[] = {
	{ "program", "program", ADMIN_TEXT },
	{ "version", "version", ADMIN_TEXT },
	{ "pid", "pid", ADMIN_NUMBER },
	{ "since", "since", ADMIN_TEXT },
	{ "state", "state", ADMIN_TEXT },
	{ "memory", "memory", ADMIN_BYTES },
	{ "workers", "workers", ADMIN_NUMBER },
	{ "sessions", "sessions", ADMIN_NUMBER },
	{ "endpoints", "endpoints", ADMIN_NUMBER },
	{ "channels parked", "channels", ADMIN_NUMBER },
	{ "flows", "flows", ADMIN_NUMBER },
	{ "waiting for a channel", "waiting", ADMIN_NUMBER },
	{ "denied since the start", "denied", ADMIN_NUMBER },
	DAEMON_STATUS_FACTS,
	{ 0 },
};
static const struct admin_column status_routes[] = {
	{ "SERVER NAME", "server_name", ADMIN_TEXT },
	{ "UPSTREAMS", "upstreams", ADMIN_COUNT },
	{ "FIRST", "upstreams.0.upstream", ADMIN_TEXT },
	{ "HEALTH", "upstreams.0.health", ADMIN_TEXT },
	{ "ERROR", "upstreams.0.error", ADMIN_TEXT },
	{ 0 },
};
static const struct admin_section status_sections[] = {
	{ NULL, NULL, status_facts },
	{ "Not in force", "reload_faults", daemon_views_faults },
	{ "Static routes with several upstreams or with checks", "routes", status_routes },
	{ "CRLs by URL", "crl_urls", daemon_views_crls },
	{ 0 },
};

static const struct admin_column agent_columns[] = {
	{ "AGENT", "agent", ADMIN_TEXT },
	{ "CLIENT", "client", ADMIN_TEXT },
	{ "STATE", "state", ADMIN_TEXT },
	{ "UP", "age_ms", ADMIN_MS },
	{ "RTT", "rtt_us", ADMIN_US },
	{ "ENDPOINTS", "endpoints", ADMIN_NUMBER },
	{ "CHANNELS", "channels", ADMIN_NUMBER },
	{ "WAITING", "waiting", ADMIN_NUMBER },
	{ "FLOWS", "flows", ADMIN_NUMBER },
	{ "SOFTWARE", "software", ADMIN_TEXT },
	{ "REGION", "region", ADMIN_TEXT },
	{ "CERTIFICATE ENDS", "not_after", ADMIN_TEXT },
	{ "ISSUER KEY", "issuer_key", ADMIN_TEXT },
	{ "SESSION", "session", ADMIN_TEXT },
	{ 0 },
};
static const struct admin_section agent_sections[] = { { NULL, "agents", agent_columns }, { 0 } };

static const struct admin_column route_columns[] = {
	{ "NAME", "name", ADMIN_TEXT },
	{ "KIND", "kind", ADMIN_TEXT },
	{ "ENDPOINTS", "endpoints", ADMIN_NUMBER },
	{ "AGENT", "agents.0.agent", ADMIN_TEXT },
	{ "STATE", "agents.0.state", ADMIN_TEXT },
	{ "UPSTREAM", "upstreams.0.upstream", ADMIN_TEXT },
	{ "HEALTH", "upstreams.0.health", ADMIN_TEXT },
	{ 0 },
};
static const struct admin_section route_sections[] = { { NULL, "routes", route_columns }, { 0 } };

static const struct admin_column flow_columns[] = {
	{ "CLIENT", "client", ADMIN_TEXT },
	{ "SERVER NAME", "server_name", ADMIN_TEXT },
	{ "AGENT", "agent", ADMIN_TEXT },
	{ "UPSTREAM", "upstream", ADMIN_TEXT },
	DAEMON_FLOW_COLUMNS,
	{ 0 },
};
static const struct admin_section flow_sections[] = { { NULL, "flows", flow_columns }, { 0 } };

const struct admin_view relay_views[] = {
	{ .command = "status", .sections = status_sections },
	{ .command = "agents", .sections = agent_sections },
	{ .command = "routes", .sections = route_sections },
	DAEMON_FLOW_VIEW(flow_sections),
	{ 0 },
};
