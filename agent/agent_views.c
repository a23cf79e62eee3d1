/* Which members of the agent's documents stand in which columns. */
#include "agent/agent_views.h"

#include <stddef.h>
#include <string.h>

#include "base/admin_view.h"

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
	{ "parts not in force", "reload_refused", ADMIN_NUMBER },
	{ "next renewal", "renewal.next", ADMIN_TEXT },
	{ "certificate ends", "renewal.ends", ADMIN_TEXT },
	{ "renewal", "renewal.urgency", ADMIN_TEXT },
	{ "renewal fails", "renewal.error", ADMIN_TEXT },
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
static const struct admin_column fault_columns[] = {
	{ "PART", "part", ADMIN_TEXT },
	{ "SINCE", "since", ADMIN_TEXT },
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
	{ "Relays", "relays", relay_columns },
	{ "Not in force", "reload_faults", fault_columns },
	{ "Endpoints", "endpoints", endpoint_columns },
	{ "Forwards", "forwards", forward_columns },
	{ "CRLs by URL", "crl_urls", crl_columns },
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
	{ "endpoints", { .sections = endpoint_sections } },
	{ "flows",
	    { .sections = flow_sections,
		.id = "flow",
		.counters = { "bytes_in", "bytes_out" },
		.age = "age_ms" } },
};

const struct admin_view *
agent_view_of(const char *command)
{
	for (size_t i = 0; i < sizeof views / sizeof *views; i++)
		if (strcmp(views[i].command, command) == 0)
			return &views[i].view;
	return NULL;
}
