/* Each list: where its rows come from. */
#include "relay/listing.h"

#include <stdlib.h>
#include <string.h>

#include "base/admin_listing.h"
#include "relay/agent_session_listing.h"
#include "relay/flow_listing.h"
#include "relay/listing_filter.h"
#include "relay/route_listing.h"
#include "relay/rules.h"
#include "relay/shared.h"
#include "relay/worker.h"

unsigned
listing_sources(const struct shared *shared, bool (*step)(void *, struct listing_step *),
    struct listing_source sources[DAEMON_WORKERS_MOST])
{
	for (unsigned i = 0; i < shared->worker_count; i++)
		sources[i] = worker_source(shared->workers[i], step);
	return shared->worker_count;
}

/* Of what lives on the workers. */
static void
answer_by_workers(struct admin_question *question, const struct listing_place *place,
    const json_t *document, const char *name, bool (*step)(void *, struct listing_step *))
{
	struct listing_filter *filter = malloc(sizeof *filter);
	struct listing_source sources[DAEMON_WORKERS_MOST];
	char error[LISTING_FILTER_ERROR];

	if (!filter) {
		admin_answer(question, NULL);
		return;
	}
	if (!listing_filter_read(filter, document, error)) {
		admin_refuse(question, "admin-question-malformed", error, NULL);
		free(filter);
		return;
	}
	admin_listing_answer(question,
	    &(struct admin_listing_options){ .all = place->all,
		.loop = place->loop,
		.sources = sources,
		.source_count = listing_sources(place->shared, step, sources),
		.name = name,
		.what = filter,
		.free_what = free });
}

void
listing_agents(
    struct admin_question *question, const struct listing_place *place, const json_t *document)
{
	answer_by_workers(question, place, document, "agents", agent_session_list);
}

void
listing_flows(
    struct admin_question *question, const struct listing_place *place, const json_t *document)
{
	answer_by_workers(question, place, document, "flows", flow_list);
}

/* ---- routes ---- */

struct routes_asked {
	struct route_list list;
	struct rules *rules; /* held: the list borrows from them */
};

static void
free_routes_asked(void *arg)
{
	struct routes_asked *asked = arg;

	rules_release(asked->rules);
	free(asked);
}

/* Only its name is looked at. */
static struct routes_asked *
new_routes_asked(const struct listing_place *place, const struct listing_filter *filter)
{
	struct routes_asked *asked = calloc(1, sizeof *asked);

	if (!asked)
		return NULL;
	asked->rules = rules_hold(place->rules);
	asked->list = (struct route_list){ .routes = place->shared->routes,
		.statics = asked->rules->static_route,
		.static_count = asked->rules->static_count };
	memcpy(asked->list.name, filter->name, sizeof asked->list.name);
	return asked;
}

void
listing_routes(
    struct admin_question *question, const struct listing_place *place, const json_t *document)
{
	struct listing_filter filter;
	struct routes_asked *asked;
	char error[LISTING_FILTER_ERROR];

	if (!listing_filter_read(&filter, document, error)) {
		admin_refuse(question, "admin-question-malformed", error, NULL);
		return;
	}
	asked = new_routes_asked(place, &filter);
	if (!asked) {
		admin_answer(question, NULL);
		return;
	}
	admin_listing_answer(question,
	    &(struct admin_listing_options){ .all = place->all,
		.loop = place->loop,
		.sources = &(struct listing_source){ place->loop, route_list_step, &asked->list },
		.source_count = 1,
		.name = "routes",
		.what = asked,
		.free_what = free_routes_asked });
}
