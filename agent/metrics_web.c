/* Answers /healthz, /readyz and /metrics of an agent. */
#include "agent/metrics_web.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include "agent/endpoint_table.h"
#include "agent/metrics_snapshot.h"
#include "agent/page_view.h"
#include "agent/reload.h"
#include "base/page.h"
#include "base/ready.h"
#include "base/upstream_group.h"
#include "base/web_health.h"
#include "sni/name.h"

/* ---- snapshots ---- */

static void
on_knock(void *arg)
{
	struct agent_web *web = arg;
	struct agent_snapshot *snapshot = web->snapshot;

	web->snapshot = NULL;
	web_give(web->web, snapshot);
}

static void
take(void *arg)
{
	struct agent_web *web = arg;
	const struct agent_snapshot_sources sources = { .live = web->live,
		.sessions = &web->sessions,
		.since_s = web->since_s,
		.obstacle = web->obstacle };

	web->snapshot = agent_snapshot_new(&sources);
	if (!web->snapshot || !agent_workers_knock(web->live->context.workers, on_knock, web))
		on_knock(web);
}

/* ---- answers ---- */

static void
answer_live(struct web_question *question, void *snapshot)
{
	web_health_answer_live(question, snapshot != NULL);
}

/* The endpoint of the name: by itself, or by the wildcard that covers it. */
static const struct endpoint *
find_endpoint(const struct agent_snapshot *snapshot, const char *asked)
{
	const struct endpoint *found;
	char name[NAME_SIZE];

	if (!name_normalise(name, asked, strlen(asked)))
		return NULL;
	found = endpoint_table_find_name(snapshot->table, name);
	for (size_t i = 0; i < snapshot->table->count && !found; i++)
		if (name_matches(snapshot->table->endpoints[i]->server_name, name, false))
			found = snapshot->table->endpoints[i];
	return found;
}

static void
answer_ready(struct web_question *question, void *arg)
{
	const struct agent_snapshot *snapshot = arg;
	const char *name = web_question_value(question, "name");
	const struct endpoint *endpoint = snapshot && name ? find_endpoint(snapshot, name) : NULL;
	struct web_health health = { .has_snapshot = snapshot };

	if (snapshot) {
		health.obstacle = snapshot->obstacle[0] ? snapshot->obstacle : NULL;
		health.region = snapshot->region[0] ? snapshot->region : NULL;
		health.is_name_missing =
		    !endpoint || upstream_group_is_down(endpoint->upstream.group);
	}
	web_health_answer_ready(question, &health,
	    endpoint ? "all upstreams of its endpoint are down" : "no endpoint has it");
}

static void
answer_metrics(struct web_question *question, void *arg)
{
	struct agent_snapshot *snapshot = arg;
	enum metrics_format format = metrics_format_of(web_question_header(question, "Accept"));
	bool in_detail = web_question_place(question) == WEB_HTTP;
	struct web_text **text;
	size_t bytes;
	char *data;

	if (!snapshot) {
		web_health_answer_live(question, false);
		return;
	}
	text = &snapshot->text[format][in_detail];
	if (!*text) {
		data = agent_snapshot_text(snapshot, format, in_detail, &bytes);
		*text = web_text_new(metrics_format_type(format), data, bytes);
	}
	web_answer(question, 200, *text);
}

static const struct web_path paths[] = {
	{ "/", WEB_HTTP, .file = &page_file },
	{ "/events", WEB_HTTP, .is_stream = true },
	{ "/healthz", WEB_HTTP | WEB_HEALTH, .answer = answer_live },
	{ "/readyz", WEB_HTTP | WEB_HEALTH, .answer = answer_ready },
	{ "/metrics", WEB_HTTP | WEB_HEALTH, .answer = answer_metrics },
	{ 0 },
};

/* ---- where it listens ---- */

static int
listen_at(struct web *web, enum web_place place, const char *where, char error[WEB_ERROR])
{
	struct address address;
	int fd;

	if (!where)
		return 0;
	address_parse(&address, where);
	fd = ready_listener(&address);
	if (fd >= 0 ? web_adopt(web, place, fd, error) : web_listen(web, place, &address, error))
		return 0;
	return EX_UNAVAILABLE;
}

/* Somebody has opened the page. */
static void
on_reader(void *arg)
{
	const struct agent_web *web = arg;

	agent_page_view_show(web->page);
}

static bool
make_web(struct agent_web *web)
{
	const struct web_settings *settings = &web->live->settings.web;
	const struct web_options options = {
		.main = web->live->context.loop,
		.paths = paths,
		.hosts = &settings->http_hosts,
		.take = take,
		.free_snapshot = agent_snapshot_free,
		.on_reader = on_reader,
		.arg = web,
	};

	web->web = web_new(&options);
	if (web->web && settings->http)
		web->page = agent_page_view_new(&(struct agent_page_options){
		    .live = web->live, .web = web->web, .since_s = web->since_s });
	return web->web && (web->page || !settings->http);
}

int
agent_web_open(struct agent_web *web, const struct agent_live *live, char error[WEB_ERROR])
{
	const struct web_settings *settings = &live->settings.web;
	int code;

	web->live = live;
	if (!settings->http && !settings->health)
		return 0;
	if (!make_web(web)) {
		snprintf(error, WEB_ERROR, "memory is short");
		return EX_OSERR;
	}
	code = listen_at(web->web, WEB_HTTP, settings->http, error);
	return code != 0 ? code : listen_at(web->web, WEB_HEALTH, settings->health, error);
}
