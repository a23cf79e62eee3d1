/* Answers `valise-relay status`.  Every worker counts what it has; the last one to answer completes
 * the sum. */
#include "relay/status.h"

#include <stdlib.h>
#include "base/admin.h"
#include "base/reload_faults.h"
#include "base/shares.h"
#include "base/upstream_group.h"
#include "base/upstream_status.h"
#include "enrol/crl_refresh.h"
#include "enrol/renewal.h"
#include "relay/route.h"
#include "relay/rules.h"
#include "relay/shared.h"
#include "relay/worker.h"

/* Routes that are told one by one: an answer has its bound. */
enum { ROUTES_MOST = 1000 };

struct status {
	struct admin_question *question;
	const struct shared *shared;
	json_t *answer;
	unsigned missing;
	struct worker_census censuses[];
};

static void
complete(struct status *status)
{
	struct agent_session_counts sum = { 0 };
	const struct shared *shared = status->shared;
	json_t *counts;

	for (unsigned i = 0; i < shared->worker_count; i++) {
		sum.sessions += status->censuses[i].counts.sessions;
		sum.endpoints += status->censuses[i].counts.endpoints;
		sum.channels += status->censuses[i].counts.channels;
		sum.waiting += status->censuses[i].counts.waiting;
	}
	counts =
	    json_pack("{s:i, s:I, s:I, s:I, s:I, s:I, s:I}", "workers", (int)shared->worker_count,
		"sessions", (json_int_t)sum.sessions, "endpoints", (json_int_t)sum.endpoints,
		"channels", (json_int_t)sum.channels, "waiting", (json_int_t)sum.waiting, "flows",
		(json_int_t)shares_count(shared->flows), "denied", (json_int_t)shared->denied);
	if (counts && json_object_update(status->answer, counts) == 0)
		admin_answer(status->question, json_incref(status->answer));
	else
		admin_answer(status->question, NULL);
	json_decref(counts);
	json_decref(status->answer);
	free(status);
}

static void
on_counts(void *arg)
{
	struct status *status = arg;

	if (--status->missing == 0)
		complete(status);
}

static bool
has_down(const struct upstream_group *group)
{
	for (unsigned i = 0; i < upstream_group_count(group); i++)
		if (upstream_group_state(group, i) == UPSTREAM_DOWN)
			return true;
	return false;
}

/* Those that have one that is down, or those that have none; as many as there is room for. */
static void
add_routes(json_t *routes, const struct rules *rules, bool is_down_wanted)
{
	for (size_t i = 0; i < rules->static_count && json_array_size(routes) < ROUTES_MOST; i++) {
		const struct route_static_settings *route =
		    route_static_config(rules->static_route[i]);

		if (route->group && has_down(route->group) == is_down_wanted)
			json_array_append_new(routes,
			    json_pack("{s:s, s:o}", "server_name", route->pattern, "upstreams",
				upstream_status(route->group)));
	}
}

static json_t *
describe_routes(const struct rules *rules)
{
	json_t *routes = json_array();

	add_routes(routes, rules, true);
	add_routes(routes, rules, false);
	return routes;
}

void
status_answer(struct admin_question *question, const struct shared *shared,
    const struct rules *rules, int64_t since_s, const char *state,
    const struct reload_faults *faults, const struct crl_refresh *crl_refresh,
    const struct renewal *renewal)
{
	json_t *refused;
	struct status *status =
	    calloc(1, sizeof *status + shared->worker_count * sizeof status->censuses[0]);

	if (!status) {
		admin_answer(question, NULL);
		return;
	}
	status->question = question;
	status->shared = shared;
	status->answer = admin_program_facts("valise-relay", since_s, state);
	refused = reload_faults_describe(faults);
	/* Where memory is short for it, the rest is told all the same. */
	json_object_update(status->answer, refused);
	json_decref(refused);
	if (status->answer) {
		json_object_set_new(status->answer, "routes", describe_routes(rules));
		json_object_set_new(status->answer, "crl_urls", crl_refresh_describe(crl_refresh));
		json_object_set_new(status->answer, "renewal", renewal_describe(renewal));
	}
	status->missing = shared->worker_count;
	for (unsigned i = 0; i < shared->worker_count; i++)
		worker_take_census(shared->workers[i], &status->censuses[i], on_counts, status);
}
