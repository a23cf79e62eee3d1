/*
 * The agent as one JSON document.
 */
#include "agent/status.h"

#include "agent/acme.h"
#include "agent/context.h"
#include "agent/endpoint_table.h"
#include "agent/settings.h"
#include "agent/forwards.h"
#include "agent/probes.h"
#include "agent/relay_links.h"
#include "agent/relay_path.h"
#include "agent/worker.h"
#include "base/admin.h"
#include "base/reload_faults.h"
#include "base/units.h"
#include "base/upstream_status.h"
#include "enrol/renewal.h"
#include "enrol/crl_refresh.h"

static json_t *
describe_relays(const struct relay_links *links, const struct relay_paths *paths)
{
	json_t *relays = json_array();

	for (size_t i = 0; i < links->count; i++) {
		struct relay_link_description link;
		const struct relay_path *path;
		const struct fetch_proxy *proxy;
		char since[TIME_TEXT];

		relay_link_describe(links->links[i], &link);
		path = relay_paths_find(paths, link.target);
		proxy = path ? egress_proxy(path->egress) : NULL;
		json_array_append_new(relays,
		    json_pack("{s:s, s:o?, s:s, s:s, s:I, s:I, s:s?, s:o?, s:s*}", "relay",
			link.target, "name", admin_text(link.relay), "state", link.state, "since",
			time_text(link.since_s, since), "endpoints", (json_int_t)link.endpoints,
			"rtt_us", (json_int_t)link.rtt_us, "code", link.code, "error",
			admin_text(link.error), "proxy", proxy ? proxy->url : NULL));
	}
	return relays;
}

json_t *
agent_status_endpoint(
    const struct endpoint *endpoint, const struct probes *probes, const struct agent_acme *acme)
{
	return json_pack("{s:s, s:s, s:s, s:i, s:s, s:i, s:I, s:s?, s:o, s:o?, s:o*}", "name",
	    endpoint->name, "server_name", endpoint->server_name, "mode",
	    endpoint->terminates ? "terminate" : "passthrough", "weight", (int)endpoint->weight,
	    "balance", balance_words[endpoint->balance], "priority", (int)endpoint->priority,
	    "denied", (json_int_t)endpoint->denied, "warning", endpoint->upstream.warning,
	    "upstreams", upstream_status(endpoint->upstream.group), "probe",
	    probes_describe(probes, endpoint->server_name), "acme",
	    agent_acme_describe(acme, endpoint->server_name));
}

static json_t *
describe_endpoints(
    const struct endpoint_table *table, const struct probes *probes, const struct agent_acme *acme)
{
	json_t *endpoints = json_array();

	for (size_t i = 0; i < table->count; i++)
		json_array_append_new(
		    endpoints, agent_status_endpoint(table->endpoints[i], probes, acme));
	return endpoints;
}

static json_t *
describe_forwards(const struct agent_settings *settings)
{
	json_t *forwards = json_array();

	for (size_t i = 0; i < settings->forwards.count; i++) {
		const struct forward_settings *forward = agent_settings_forward(settings, i);

		json_array_append_new(forwards,
		    json_pack("{s:s, s:s, s:s}", "name", forward->name, "listen", forward->listen,
			"server_name", forward->server_name));
	}
	return forwards;
}

json_t *
agent_status(const struct agent_status_sources *from)
{
	json_t *status = admin_program_facts("valise-agent", from->since_s, from->state);
	json_int_t flows = (json_int_t)(agent_workers_flow_count(from->context->workers) +
	    forwards_flow_count(from->forwards));
	json_t *more = json_pack("{s:i, s:I, s:b, s:o, s:o, s:o, s:o, s:o}", "workers",
	    (int)agent_settings_workers(from->settings), "flows", flows, "ready",
	    relay_links_serve_all(from->links), "relays",
	    describe_relays(from->links, from->context->paths), "endpoints",
	    describe_endpoints(from->context->endpoint_table, from->probes, from->acme), "forwards",
	    describe_forwards(from->settings), "crl_urls", crl_refresh_describe(from->crl_refresh),
	    "renewal", renewal_describe(from->renewal));

	json_t *refused = reload_faults_describe(from->faults);

	if (!status || !more || !refused || json_object_update(status, more) < 0 ||
	    json_object_update(status, refused) < 0) {
		json_decref(status);
		status = NULL;
	}
	json_decref(more);
	json_decref(refused);
	return status;
}
