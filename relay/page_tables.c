/* Rows of the operator's lists become shorter ones, under heads that are told once. */
#include "relay/page_tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/daemon_rows.h"
#include "base/listing.h"
#include "base/page.h"
#include "relay/agent_session_listing.h"
#include "relay/listing.h"
#include "relay/listing_filter.h"
#include "relay/name_flows.h"
#include "relay/relay_private.h"
#include "relay/route_listing.h"
#include "relay/rules.h"
#include "relay/session_table.h"

enum { GATHER_MS = 2000, BY_TEXT = 320 };

enum kind { AGENTS, NAMES, KINDS };

/*
 *	resting --> gathering --> resting
 */
struct page_table {
	struct page_tables *all;
	enum kind kind;
	struct page_part part;
	struct listing *listing; /* NULL: resting */
	json_t *rows;
	uint64_t begun_ms; /* 0: never */
};

struct page_tables {
	struct relay *relay;
	struct web *web;
	struct page_table tables[KINDS];
	struct listing_filter everybody;
	struct route_list list;
	struct rules *rules; /* held while names are gathered: the list borrows from them */
	bool is_over;        /* nobody wants them any more; freed when no listing is left */
};

/* ---- rows ---- */

static const char *
text_of(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return text ? text : "";
}

static json_int_t
number_of(const json_t *row, const char *key)
{
	return json_integer_value(json_object_get(row, key));
}

static json_t *
agent_row(const json_t *row)
{
	json_int_t rtt_us = number_of(row, "rtt_us");

	return json_pack("[s, s, s, s, I, I, I, I, o]", text_of(row, "agent"),
	    text_of(row, "client"), text_of(row, "region"), text_of(row, "state"),
	    (json_int_t)clock_wall_s() - number_of(row, "age_ms") / 1000,
	    number_of(row, "endpoints"), number_of(row, "flows"), number_of(row, "channels"),
	    rtt_us > 0 ? json_integer(rtt_us) : json_null());
}

static size_t
count_of(const json_t *list, const char *key, const char *word)
{
	size_t count = 0;

	for (size_t i = 0; i < json_array_size(list); i++)
		count += strcmp(text_of(json_array_get(list, i), key), word) == 0;
	return count;
}

/* The first one, and how many more there are. */
static const char *
by_text(char out[BY_TEXT], const json_t *list, const char *key, size_t count)
{
	const char *first = text_of(json_array_get(list, 0), key);

	if (count > 1)
		snprintf(out, BY_TEXT, "%.280s and %zu more", first, count - 1);
	else
		snprintf(out, BY_TEXT, "%.300s", first);
	return out;
}

/* What a reader is to know of it, and how bad that is. */
struct state {
	const char *word, *level;
};

static struct state
state_of_upstreams(const json_t *upstreams)
{
	size_t down = count_of(upstreams, "health", "down");

	if (down == 0)
		return (struct state){ "up", "" };
	return down == json_array_size(upstreams) ? (struct state){ "down", "error" }
						  : (struct state){ "partly down", "warning" };
}

static struct state
state_of_agents(const json_t *agents)
{
	if (json_array_size(agents) == 0)
		return (struct state){ "agent away", "warning" };
	if (count_of(agents, "state", "up") > 0)
		return (struct state){ "up", "" };
	return (struct state){ text_of(json_array_get(agents, 0), "state"), "warning" };
}

static json_t *
name_row(const struct page_tables *all, const json_t *row)
{
	const json_t *agents = json_object_get(row, "agents");
	const json_t *upstreams = json_object_get(row, "upstreams");
	bool is_static = strcmp(text_of(row, "kind"), "static") == 0;
	json_int_t endpoints = number_of(row, "endpoints");
	struct state state = is_static ? state_of_upstreams(upstreams) : state_of_agents(agents);
	char by[BY_TEXT];

	return json_pack("[s, s, I, I, s, s]", text_of(row, "name"),
	    is_static ? by_text(by, upstreams, "upstream", json_array_size(upstreams))
		      : by_text(by, agents, "agent", (size_t)endpoints),
	    endpoints,
	    (json_int_t)name_flows_count(all->relay->shared.name_flows, text_of(row, "name")),
	    state.word, state.level);
}

static json_t *
row_of(const struct page_table *table, const json_t *row)
{
	return table->kind == AGENTS ? agent_row(row) : name_row(table->all, row);
}

/* As row_of() fills them. */
static json_t *
columns_of(const struct page_table *table)
{
	if (table->kind == AGENTS)
		return json_pack("[s, s, s, s, s, s, s, s, s]", "agent", "address", "region",
		    "state", "since", "endpoints", "flows", "parked", "rtt_us");
	return json_pack("[s, s, s, s, s, s]", "name", "by", "agents", "flows", "state", "level");
}

/* ---- gathering ---- */

static bool
on_rows(void *arg, const json_t *rows)
{
	struct page_table *table = arg;
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		if (json_array_size(table->rows) == PAGE_ROWS_MOST) {
			listing_give_up(table->listing);
			return false;
		}
		json_array_append_new(table->rows, row_of(table, row));
	}
	return true;
}

/* How many there are; null where more were left out than anybody has counted. */
static json_t *
total_of(const struct page_table *table, bool is_whole)
{
	if (is_whole)
		return json_integer((json_int_t)json_array_size(table->rows));
	if (table->kind == AGENTS)
		return json_integer(
		    (json_int_t)session_table_count(table->all->relay->shared.session_table));
	return json_null();
}

static void
free_if_unused(struct page_tables *all)
{
	if (!all->is_over || all->tables[AGENTS].listing || all->tables[NAMES].listing)
		return;
	for (enum kind i = 0; i < KINDS; i++)
		page_part_wipe(&all->tables[i].part);
	free(all);
}

static void
on_over(void *arg, const struct listing_step *step)
{
	struct page_table *table = arg;
	struct page_tables *all = table->all;

	table->listing = NULL;
	if (table->kind == NAMES) {
		rules_release(all->rules);
		all->rules = NULL;
	}
	if (all->is_over)
		json_decref(table->rows);
	else
		page_tell(&table->part, all->web,
		    json_pack("{s:o?, s:o?, s:o?}", "total", total_of(table, !step->is_given_up),
			"columns", columns_of(table), "rows", table->rows));
	table->rows = NULL;
	free_if_unused(all);
}

static bool
begin(struct page_table *table, const struct listing_source *sources, unsigned count,
    const void *what)
{
	table->begun_ms = clock_ms();
	table->rows = json_array();
	table->listing =
	    listing_begin(&(struct listing_options){ .all = &table->all->relay->listings,
		.loop = table->all->relay->loop,
		.sources = sources,
		.source_count = count,
		.what = what,
		.on_rows = on_rows,
		.on_over = on_over,
		.arg = table });
	if (table->listing)
		return true;
	json_decref(table->rows);
	table->rows = NULL;
	return false;
}

static void
gather_agents(struct page_tables *all)
{
	const struct shared *shared = &all->relay->shared;
	struct listing_source sources[DAEMON_WORKERS_MOST];

	listing_sources(shared, agent_session_list, sources);
	begin(&all->tables[AGENTS], sources, shared->worker_count, &all->everybody);
}

static void
gather_names(struct page_tables *all)
{
	all->rules = rules_hold(all->relay->reload.rules);
	all->list = (struct route_list){ .routes = all->relay->shared.routes,
		.statics = all->rules->static_route,
		.static_count = all->rules->static_count };
	if (begin(&all->tables[NAMES],
		&(struct listing_source){ all->relay->loop, route_list_step, &all->list }, 1,
		&all->list))
		return;
	rules_release(all->rules);
	all->rules = NULL;
}

static bool
is_due(const struct page_table *table)
{
	return !table->listing &&
	    (table->begun_ms == 0 || clock_ms() - table->begun_ms >= GATHER_MS);
}

void
page_tables_gather(struct page_tables *all)
{
	if (is_due(&all->tables[AGENTS]))
		gather_agents(all);
	if (is_due(&all->tables[NAMES]))
		gather_names(all);
}

/* ---- life ---- */

struct page_tables *
page_tables_new(struct relay *relay, struct web *web)
{
	static const struct page_part parts[KINDS] = {
		[AGENTS] = { .word = "agents", .most = PAGE_PEERS_BYTES },
		[NAMES] = { .word = "names", .most = PAGE_NAMES_BYTES },
	};
	struct page_tables *all = calloc(1, sizeof *all);

	if (!all)
		return NULL;
	all->relay = relay;
	all->web = web;
	for (enum kind i = 0; i < KINDS; i++)
		all->tables[i] = (struct page_table){ .all = all, .kind = i, .part = parts[i] };
	return all;
}

void
page_tables_free(struct page_tables *all)
{
	if (!all)
		return;
	all->is_over = true;
	free_if_unused(all);
}
