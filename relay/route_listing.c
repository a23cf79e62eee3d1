/* Makes the rows of a list of names. */
#include "relay/route_listing.h"

#include <string.h>

#include "base/admin.h"
#include "base/listing.h"
#include "base/upstream_group.h"
#include "base/upstream_status.h"
#include "relay/route_private.h"
#include "relay/session_ref.h"
#include "tunnel/frame.h"
#include "tunnel/session.h"

/* Slots looked at under one lock, which an announcer may wait for. */
enum { SLOTS_AT_ONCE = 32 };
enum stage { STATICS, PATTERNS };

static bool
is_wanted(const struct route_list *list, const char *name)
{
	return !list->name[0] || strcmp(list->name, name) == 0;
}

/* ---- static routes ---- */

static json_t *
describe_upstreams(const struct route_static_settings *route)
{
	if (route->group)
		return upstream_status(route->group);
	return json_pack("[{s:o?, s:s, s:n, s:n}]", "upstream", admin_text(route->target), "health",
	    upstream_health_word(UPSTREAM_UNCHECKED), "flows", "error");
}

static json_t *
describe_when(const struct route_conditions *when)
{
	json_t *alpn = json_array(), *sources = json_array(), *listeners = json_array();
	char text[ADDRESS_TEXT];

	for (size_t i = 0; when && i < when->alpn_count; i++)
		json_array_append_new(alpn, admin_text(when->alpn[i]));
	for (size_t i = 0; when && i < when->source_count; i++)
		json_array_append_new(sources, json_string(prefix_text(&when->sources[i], text)));
	for (size_t i = 0; when && i < when->listener_count; i++) {
		const struct address listener = address_of_ip(&when->listeners[i]);

		json_array_append_new(listeners, json_string(address_text(&listener, text)));
	}
	return json_pack(
	    "{s:o, s:o, s:o}", "alpn", alpn, "sources", sources, "listeners", listeners);
}

static json_t *
describe_static(const struct route_static_settings *route)
{
	return json_pack("{s:s, s:s, s:s, s:i, s:[], s:o, s:o}", "name", route->pattern, "kind",
	    "static", "depth", route->any_depth ? "any" : "one", "endpoints", 0, "agents",
	    "upstreams", describe_upstreams(route), "when", describe_when(route->when));
}

static void
list_statics(const struct route_list *list, struct listing_step *step)
{
	for (; step->at < list->static_count && !listing_is_enough(step); step->at++) {
		const struct route_static_settings *route =
		    route_static_config(list->statics[step->at]);

		if (is_wanted(list, route->pattern))
			json_array_append_new(step->rows, describe_static(route));
	}
	if (step->at < list->static_count)
		return;
	step->stage = PATTERNS;
	step->at = 0;
}

/* ---- what agents announce ---- */

static const char *
state_of(const struct route_claim *claim)
{
	if (!session_ref_is_usable(claim->session_ref))
		return "draining";
	if (session_ref_is_suspect(claim->session_ref))
		return "suspect";
	return route_claim_is_held_back(claim) ? "held-back" : "up";
}

static json_t *
describe_claim(const struct route_claim *claim)
{
	const struct session_ref *ref = claim->session_ref;
	char session[CHANNEL_IDENTITY];

	channel_identity(session_ref_session_id(ref), session);
	return json_pack("{s:s, s:s, s:s, s:I, s:i, s:i, s:s, s:s}", "agent",
	    session_ref_agent(ref), "issuer_key", identity_issuer_key(session_ref_identity(ref)),
	    "session", session, "endpoint", (json_int_t)claim->number, "weight", (int)claim->weight,
	    "priority", (int)claim->priority, "balance", balance_words[claim->balance], "state",
	    state_of(claim));
}

static json_t *
describe_claims(const struct route_pattern *pattern)
{
	json_t *agents = json_array();
	struct route_set *set = pattern->counts.all > 0 ? atomic_load(&pattern->set) : NULL;

	for (uint32_t i = 0; set && i < pattern->counts.all && i < ROUTE_LIST_AGENTS; i++)
		json_array_append_new(agents, describe_claim(set->at[i]));
	return agents;
}

struct pattern_taker {
	const struct route_list *list;
	struct listing_step *step;
};

/* Under the lock. */
static void
take_pattern(void *arg, struct route_pattern *pattern)
{
	const struct pattern_taker *to = arg;

	if (!is_wanted(to->list, pattern->name) ||
	    (pattern->counts.all == 0 && !route_known_is(to->list->routes, pattern)))
		return;
	json_array_append_new(to->step->rows,
	    json_pack("{s:s, s:s, s:s, s:I, s:o, s:[], s:n}", "name", pattern->name, "kind",
		pattern->counts.all > 0 ? "agent" : "known", "depth", "one", "endpoints",
		(json_int_t)pattern->counts.all, "agents", describe_claims(pattern), "upstreams",
		"when"));
}

/* True: these were the last. */
static bool
list_patterns(const struct route_list *list, struct listing_step *step)
{
	struct pattern_taker to = { list, step };
	bool is_over = false;

	while (!is_over && !listing_is_enough(step)) {
		pthread_mutex_lock(&list->routes->lock);
		is_over =
		    !route_pattern_walk(list->routes, step->at, SLOTS_AT_ONCE, take_pattern, &to);
		pthread_mutex_unlock(&list->routes->lock);
		step->at += SLOTS_AT_ONCE;
	}
	return is_over;
}

bool
route_list_step(void *arg, struct listing_step *step)
{
	const struct route_list *list = arg;

	if (step->is_given_up)
		return true;
	step->has_begun = true;
	if (step->stage == STATICS)
		list_statics(list, step);
	return step->stage == PATTERNS && list_patterns(list, step);
}
