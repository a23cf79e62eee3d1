/* Numbers are taken each second; documents are made of them and of what the agent has, for who looks. */
#include "agent/page_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "agent/metrics.h"
#include "agent/metrics_endings.h"
#include "agent/page_endpoints.h"
#include "agent/relay_links.h"
#include "agent/reload.h"
#include "agent/worker.h"
#include "base/admin.h"
#include "base/clock.h"
#include "base/ending.h"
#include "base/history.h"
#include "base/loop.h"
#include "base/page.h"
#include "base/web.h"
#include "enrol/attention.h"

enum { RELAYS_MOST = 64, TICK_MS = 1000, ENDPOINTS_MS = 2000, SENTENCE = 600 };

enum series { FLOWS, OPENED, TO_CLIENTS, FROM_CLIENTS, FAILED, RTT, SERIES };
static const struct history_series series[SERIES] = {
	[FLOWS] = { "flows", false },
	[OPENED] = { "opened", true },
	[TO_CLIENTS] = { "to_clients", true },
	[FROM_CLIENTS] = { "from_clients", true },
	[FAILED] = { "failed", true },
	[RTT] = { "rtt_us", false },
};

struct agent_page_view {
	struct agent_page_options options;
	struct timer tick;
	struct history history;
	struct word_sums ends; /* of flows, as they were counted last */
	struct growth growth;  /* of these */
	struct shares_load loads[AGENT_LOADS];
	struct page_endings endings;
	struct page_median rtt;
	struct page_part view, endpoints;
	struct page_events events;
	uint64_t endpoints_ms; /* when they were gathered */
};

/* ---- numbers ---- */

/* How many have ended otherwise than their clients wanted. */
static uint64_t
count_failed(const struct word_sums *ends)
{
	uint64_t failed = 0;

	for (size_t i = 0; i < ends->words; i++)
		if (strcmp(ends->word[i], "finished") != 0 &&
		    strcmp(ends->word[i], "client-reset") != 0)
			failed += ends->count[i];
	return failed;
}

static double
median_rtt(struct agent_page_view *view)
{
	struct histogram_sum rtt = { 0 };

	histogram_sum(&rtt, &view->options.live->context.metrics->rtt);
	return page_median(&view->rtt, HISTOGRAM_SHORT, &rtt);
}

static void
take_numbers(struct agent_page_view *view)
{
	const struct agent_live *live = view->options.live;
	struct agent_metrics_sums sums = { 0 };
	uint64_t now_ms = clock_ms();

	agent_workers_sum(live->context.workers, &sums, view->loads);
	history_add(&view->history, now_ms,
	    (const double[SERIES]){
		[FLOWS] = (double)agent_workers_flow_count(live->context.workers),
		[OPENED] = (double)sums.flows,
		[FROM_CLIENTS] = (double)sums.bytes[0],
		[TO_CLIENTS] = (double)sums.bytes[1],
		[FAILED] = (double)count_failed(&sums.flow_ends),
		[RTT] = median_rtt(view),
	    });
	view->ends = sums.flow_ends;
	growth_add(&view->growth, now_ms, view->ends.count, view->ends.words);
}

static json_t *
describe_ends(const struct agent_page_view *view)
{
	json_t *list = json_array();

	for (size_t i = 0; i < view->ends.words; i++)
		json_array_append_new(list,
		    json_pack("{s:s, s:I, s:I}", "what", view->ends.word[i], "recent",
			(json_int_t)growth_of(&view->growth, i), "total",
			(json_int_t)view->ends.count[i]));
	return list;
}

/* ---- relays ---- */

static json_t *
describe_relay(const struct relay_link_description *link)
{
	return json_pack("{s:s, s:o?, s:s, s:I, s:I, s:o, s:s?, s:o?}", "relay", link->target,
	    "name", admin_text(link->relay), "state", link->state, "since",
	    (json_int_t)link->since_s, "endpoints", (json_int_t)link->endpoints, "rtt_us",
	    link->rtt_us > 0 ? json_integer((json_int_t)link->rtt_us) : json_null(), "code",
	    link->code, "error", admin_text(link->error));
}

/* Where no relay is left, nobody can reach us. */
static void
attend_relay(
    json_t *attention, const struct relay_link_description *link, const struct relay_links *links)
{
	char sentence[SENTENCE];

	if (!link->error)
		return;
	snprintf(sentence, sizeof sentence, "no connection to the relay %s: %s", link->target,
	    link->error);
	page_attend(attention, relay_links_up_count(links) == 0 ? "error" : "warning", sentence);
}

static json_t *
describe_relays(const struct relay_links *links, json_t *attention)
{
	json_t *relays = json_array();

	for (size_t i = 0; i < links->count && i < RELAYS_MOST; i++) {
		struct relay_link_description link;

		relay_link_describe(links->links[i], &link);
		json_array_append_new(relays, describe_relay(&link));
		attend_relay(attention, &link, links);
	}
	return relays;
}

/* ---- documents ---- */

static json_t *
describe_limits(const struct agent_page_view *view, json_t *attention)
{
	static const char *const words[AGENT_LOADS] = {
		[AGENT_LOAD_FLOWS] = "flows",
		[AGENT_LOAD_HANDSHAKES] = "handshakes",
		[AGENT_LOAD_HELLOS] = "hellos under way",
	};
	json_t *limits = json_array();

	for (enum agent_load i = 0; i < AGENT_LOADS; i++)
		page_limit(limits, words[i], PAGE_COUNT, view->loads[i].count, view->loads[i].most,
		    attention);
	return limits;
}

static void
gather_endings(struct agent_page_view *view)
{
	size_t count;
	struct ending *endings = agent_metrics_endings(&view->options.live->context, &count);

	for (size_t i = 0; endings && i < count; i++)
		page_endings_add(&view->endings, &endings[i]);
	free(endings);
}

static json_t *
describe_endings(struct agent_page_view *view, json_t *attention)
{
	if (page_endings_begin(&view->endings, clock_ms()))
		gather_endings(view);
	return page_endings_describe(&view->endings, clock_wall_s(), attention);
}

static json_t *
describe_counts(const struct agent_live *live)
{
	return json_pack("{s:I, s:I, s:I}", "flows",
	    (json_int_t)agent_workers_flow_count(live->context.workers), "endpoints",
	    (json_int_t)live->context.endpoint_table->count, "relays",
	    (json_int_t)relay_links_up_count(&live->links));
}

/* What its relays call it. */
static const char *
name_of(const struct agent_live *live)
{
	const struct own_certificate *own = live->context.credentials->own;

	return own && own->facts.has_grant ? own->facts.grant.name : NULL;
}

static json_t *
describe_view(struct agent_page_view *view)
{
	const struct agent_live *live = view->options.live;
	json_t *attention = json_array(), *relays, *limits, *endings;

	page_attend_reload(attention, &live->faults);
	relays = describe_relays(&live->links, attention);
	page_endpoints_attend(attention, live);
	attention_renewal(attention, live->renew.renewal);
	attention_crls(attention, live->crl_refresh);
	endings = describe_endings(view, attention);
	limits = describe_limits(view, attention);
	return json_pack(
	    "{s:s, s:[s, s], s:s, s:o?, s:s, s:I, s:I, s:i, s:o?, s:o?, s:o?, s:o?, s:o?, s:o?, s:o?}",
	    "program", "valise-agent", "parts", "endpoints", "events", "version", VALISE_VERSION,
	    "name", admin_text(name_of(live)), "state", live->is_draining ? "draining" : "running",
	    "since", (json_int_t)view->options.since_s, "now", (json_int_t)clock_wall_s(),
	    "workers", (int)agent_settings_workers(&live->settings), "counts",
	    describe_counts(live), "history", history_describe(&view->history), "attention",
	    attention, "relays", relays, "limits", limits, "certificates", endings, "refusals",
	    describe_ends(view));
}

/* There may be thousands of them. */
static void
tell_endpoints(struct agent_page_view *view)
{
	uint64_t now_ms = clock_ms();

	if (view->endpoints.text && now_ms - view->endpoints_ms < ENDPOINTS_MS)
		return;
	view->endpoints_ms = now_ms;
	page_tell(&view->endpoints, view->options.web, page_endpoints_describe(view->options.live));
}

void
agent_page_view_show(struct agent_page_view *view)
{
	if (!view)
		return;
	page_tell(&view->view, view->options.web, describe_view(view));
	tell_endpoints(view);
	page_tell_events(&view->events, view->options.web);
}

static void
on_tick(void *arg)
{
	struct agent_page_view *view = arg;

	timer_set(&view->tick, TICK_MS);
	take_numbers(view);
	if (web_has_readers(view->options.web))
		agent_page_view_show(view);
}

/* ---- life ---- */

struct agent_page_view *
agent_page_view_new(const struct agent_page_options *options)
{
	struct agent_page_view *view = calloc(1, sizeof *view);

	if (!view)
		return NULL;
	view->options = *options;
	history_init(&view->history, series, SERIES);
	timer_init(&view->tick, view->options.live->context.loop, on_tick, view);
	timer_set(&view->tick, TICK_MS);
	view->view = (struct page_part){ .word = "view", .most = PAGE_VIEW_BYTES };
	view->endpoints = (struct page_part){ .word = "endpoints", .most = PAGE_PEERS_BYTES };
	view->events.part = (struct page_part){ .word = "events", .most = PAGE_EVENTS_BYTES };
	return view;
}

void
agent_page_view_free(struct agent_page_view *view)
{
	if (!view)
		return;
	timer_clear(&view->tick);
	page_part_wipe(&view->view);
	page_part_wipe(&view->endpoints);
	page_part_wipe(&view->events.part);
	free(view);
}
