/* Which members of the relay's documents stand in which columns. */
#include "relay/relay_views.h"

#include <stddef.h>
#include <string.h>

#include "base/admin_view.h"

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
	{ "parts not in force", "reload_refused", ADMIN_NUMBER },
	{ "next renewal", "renewal.next", ADMIN_TEXT },
	{ "certificate ends", "renewal.ends", ADMIN_TEXT },
	{ "renewal", "renewal.urgency", ADMIN_TEXT },
	{ "renewal fails", "renewal.error", ADMIN_TEXT },
	{ 0 },
};
static const struct admin_column fault_columns[] = {
	{ "PART", "part", ADMIN_TEXT },
	{ "SINCE", "since", ADMIN_TEXT },
	{ "ERROR", "error", ADMIN_TEXT },
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
static const struct admin_column crl_columns[] = {
	{ "URL", "url", ADMIN_TEXT },
	{ "FETCHED", "fetched", ADMIN_TEXT },
	{ "NEXT", "next", ADMIN_TEXT },
	{ "UNTIL", "until", ADMIN_TEXT },
	{ "ERROR", "error", ADMIN_TEXT },
	{ 0 },
};
static const struct admin_section status_sections[] = {
	{ NULL, NULL, status_facts },
	{ "Not in force", "reload_faults", fault_columns },
	{ "Static routes with several upstreams or with checks", "routes", status_routes },
	{ "CRLs by URL", "crl_urls", crl_columns },
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
	{ "IN", "bytes_in", ADMIN_BYTES },
	{ "OUT", "bytes_out", ADMIN_BYTES },
	{ "RATE", "rate", ADMIN_RATE },
	{ "AGE", "age_ms", ADMIN_MS },
	{ "STATE", "state", ADMIN_TEXT },
	{ "FLOW", "flow", ADMIN_TEXT },
	{ 0 },
};
static const struct admin_section flow_sections[] = { { NULL, "flows", flow_columns }, { 0 } };

static const struct {
	const char *command;
	struct admin_view view;
} views[] = {
	{ "status", { .sections = status_sections } },
	{ "agents", { .sections = agent_sections } },
	{ "routes", { .sections = route_sections } },
	{ "flows",
	    { .sections = flow_sections,
		.id = "flow",
		.counters = { "bytes_in", "bytes_out" },
		.age = "age_ms" } },
};

const struct admin_view *
relay_view_of(const char *command)
{
	for (size_t i = 0; i < sizeof views / sizeof *views; i++)
		if (strcmp(views[i].command, command) == 0)
			return &views[i].view;
	return NULL;
}
