/* Numbers are taken each second; documents are made of them and of what the relay has, for who looks. */
#include "relay/page_view.h"

#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/history.h"
#include "base/loop.h"
#include "base/page.h"
#include "base/shares.h"
#include "base/web.h"
#include "enrol/attention.h"
#include "pki/trust.h"
#include "relay/metrics_snapshot.h"
#include "relay/page_tables.h"
#include "relay/relay_private.h"
#include "relay/route.h"
#include "relay/rules.h"
#include "relay/session_table.h"
#include "relay/trustwatch.h"
#include "tunnel/standstill.h"

enum { TICK_MS = 1000 };

enum series { FLOWS, OPENED, TO_CLIENTS, FROM_CLIENTS, REFUSED, RTT, SERIES };
static const struct history_series series[SERIES] = {
	[FLOWS] = { "flows", false },
	[OPENED] = { "opened", true },
	[TO_CLIENTS] = { "to_clients", true },
	[FROM_CLIENTS] = { "from_clients", true },
	[REFUSED] = { "refused", true },
	[RTT] = { "rtt_us", false },
};

struct page_view {
	struct relay *relay;
	struct web *web;
	struct timer tick;
	struct history history;
	struct growth refusals;
	struct page_median rtt;
	struct page_endings endings;
	struct page_part view;
	struct page_events events;
	struct page_tables *tables;
};

/* ---- numbers ---- */

static uint64_t
sum_of(const uint64_t *counts, size_t count)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += counts[i];
	return sum;
}

static void
take_numbers(struct page_view *view)
{
	const struct shared *shared = &view->relay->shared;
	struct relay_metrics_sums sums = { 0 };
	uint64_t now_ms = clock_ms();

	relay_metrics_sum(shared, &sums);
	history_add(&view->history, now_ms,
	    (const double[SERIES]){
		[FLOWS] = (double)shares_count(shared->flows),
		[OPENED] = (double)sums.flows,
		[FROM_CLIENTS] = (double)sums.bytes[0],
		[TO_CLIENTS] = (double)sums.bytes[1],
		[REFUSED] = (double)sum_of(sums.refused, REFUSALS),
		[RTT] = page_median(&view->rtt, HISTOGRAM_SHORT, &sums.rtt),
	    });
	growth_add(&view->refusals, now_ms, sums.refused, REFUSALS);
}

static json_t *
describe_refusals(const struct page_view *view)
{
	json_t *list = json_array();

	for (enum refusal i = 0; i < REFUSALS; i++)
		if (view->refusals.now[i] > 0)
			json_array_append_new(list,
			    json_pack("{s:s, s:I, s:I}", "what", refuse_word(i), "recent",
				(json_int_t)growth_of(&view->refusals, i), "total",
				(json_int_t)view->refusals.now[i]));
	return list;
}

/* ---- what is shared ---- */

static void
add_shares(json_t *limits, const char *what, struct shares *shares, json_t *attention)
{
	struct shares_load load = shares_load(shares);

	page_limit(limits, what, PAGE_COUNT, load.count, load.most, attention);
}

static void
add_weights(
    json_t *limits, const char *what, struct shares *shares, uint64_t unit, json_t *attention)
{
	struct shares_load load = shares_load(shares);

	page_limit(limits, what, PAGE_BYTES, load.weight * unit, load.most * unit, attention);
}

/* Of hellos and handshakes the oldest ones leave, so that a full queue is a flood that is being held. */
static json_t *
describe_limits(const struct relay *relay, json_t *attention)
{
	const struct shared *shared = &relay->shared;
	const struct limits *bounds = &relay->reload.rules->limits;
	json_t *limits = json_array();

	add_shares(limits, "flows", shared->flows, attention);
	page_limit(limits, "sessions of agents", PAGE_COUNT,
	    session_table_count(shared->session_table), bounds->sessions, attention);
	add_shares(limits, "hellos in progress", shared->hellos, attention);
	add_weights(limits, "memory of hellos", shared->hello_bytes, SHARED_UNIT_BYTES, attention);
	add_shares(limits, "handshakes of unknown agents", shared->unknown_peers, attention);
	add_shares(limits, "handshakes of known agents", shared->known_peers, attention);
	add_shares(limits, "refusals still read", shared->lingers, attention);
	add_weights(limits, "memory of flows that stand still", shared->standstills.shares,
	    STANDSTILL_UNIT_BYTES, attention);
	return limits;
}

/* ---- what needs attention ---- */

static void
attend_upstreams(const struct rules *rules, json_t *attention)
{
	for (size_t i = 0; i < rules->static_count; i++) {
		const struct route_static_settings *route =
		    route_static_config(rules->static_route[i]);

		page_attend_upstreams(attention, route->pattern, route->group);
	}
}

static void
attend_trust(const struct relay *relay, json_t *attention)
{
	struct trust *trust = trustwatch_trust(relay->shared.trustwatch);
	const char *refusal;

	if (!trust)
		return;
	page_attend(attention, "error", trust_doubt(trust));
	trust_refusals(trust, &refusal);
	page_attend(attention, "warning", refusal);
	trust_release(trust);
}

static void
gather_endings(struct page_view *view)
{
	struct ending endings[RELAY_ENDINGS_MOST];
	size_t count = relay_metrics_endings(&view->relay->reload, endings);

	for (size_t i = 0; i < count; i++)
		page_endings_add(&view->endings, &endings[i]);
}

static json_t *
describe_endings(struct page_view *view, json_t *attention)
{
	if (page_endings_begin(&view->endings, clock_ms()))
		gather_endings(view);
	return page_endings_describe(&view->endings, clock_wall_s(), attention);
}

/* ---- documents ---- */

static json_t *
describe_counts(const struct relay *relay)
{
	return json_pack("{s:I, s:I, s:I}", "flows", (json_int_t)shares_count(relay->shared.flows),
	    "sessions", (json_int_t)session_table_count(relay->shared.session_table), "static",
	    (json_int_t)relay->reload.rules->static_count);
}

static json_t *
describe_view(struct page_view *view)
{
	const struct relay *relay = view->relay;
	const struct reload *reload = &relay->reload;
	json_t *attention = json_array(), *limits, *endings;

	page_attend_reload(attention, &reload->faults);
	attention_renewal(attention, reload->renew.renewal);
	attend_trust(relay, attention);
	attention_crls(attention, reload->crl_refresh);
	attend_upstreams(reload->rules, attention);
	endings = describe_endings(view, attention);
	limits = describe_limits(relay, attention);
	return json_pack(
	    "{s:s, s:[s, s, s], s:s, s:s?, s:s, s:I, s:I, s:i, s:o?, s:o?, s:o?, s:o?, s:o?, s:o?}",
	    "program", "valise-relay", "parts", "agents", "names", "events", "version",
	    VALISE_VERSION, "name", reload->rules->settings.connect_name, "state",
	    relay_state_word(relay), "since", (json_int_t)relay->since_s, "now",
	    (json_int_t)clock_wall_s(), "workers", (int)relay->shared.worker_count, "counts",
	    describe_counts(relay), "history", history_describe(&view->history), "attention",
	    attention, "limits", limits, "certificates", endings, "refusals",
	    describe_refusals(view));
}

void
page_view_show(struct page_view *view)
{
	if (!view)
		return;
	page_tell(&view->view, view->web, describe_view(view));
	page_tell_events(&view->events, view->web);
	page_tables_gather(view->tables);
}

static void
on_tick(void *arg)
{
	struct page_view *view = arg;

	timer_set(&view->tick, TICK_MS);
	take_numbers(view);
	if (web_has_readers(view->web))
		page_view_show(view);
}

/* ---- life ---- */

struct page_view *
page_view_new(struct relay *relay, struct web *web)
{
	struct page_view *view = calloc(1, sizeof *view);

	if (!view)
		return NULL;
	view->relay = relay;
	view->web = web;
	history_init(&view->history, series, SERIES);
	timer_init(&view->tick, view->relay->loop, on_tick, view);
	timer_set(&view->tick, TICK_MS);
	view->view = (struct page_part){ .word = "view", .most = PAGE_VIEW_BYTES };
	view->events.part = (struct page_part){ .word = "events", .most = PAGE_EVENTS_BYTES };
	view->tables = page_tables_new(relay, web);
	if (view->tables)
		return view;
	page_view_free(view);
	return NULL;
}

void
page_view_free(struct page_view *view)
{
	if (!view)
		return;
	timer_clear(&view->tick);
	page_tables_free(view->tables);
	page_part_wipe(&view->view);
	page_part_wipe(&view->events.part);
	free(view);
}
