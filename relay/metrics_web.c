/* Answers /healthz, /readyz and /metrics of a relay. */
#include "relay/metrics_web.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include "base/page.h"
#include "base/ready.h"
#include "base/web.h"
#include "base/web_health.h"
#include "relay/metrics_snapshot.h"
#include "relay/page_view.h"
#include "relay/relay_private.h"
#include "relay/route.h"
#include "relay/rules.h"
#include "relay/takeover.h"
#include "sni/name.h"

/* ---- /readyz ---- */

static bool
is_served(const struct relay_snapshot *snapshot, const char *asked)
{
	char name[NAME_SIZE];

	return name_normalise(name, asked, strlen(asked)) &&
	    route_serves(snapshot->shared->routes, name);
}

static void
answer_ready(struct web_question *question, void *arg)
{
	const struct relay_snapshot *snapshot = arg;
	const char *name = web_question_value(question, "name");
	struct web_health health = { .has_snapshot = snapshot };

	if (snapshot) {
		health.obstacle = snapshot->obstacle;
		health.region = snapshot->rules->settings.region;
		health.is_name_missing = name && !is_served(snapshot, name);
	}
	web_health_answer_ready(question, &health, "nobody serves it here");
}

/* ---- /metrics ---- */

static void
answer_metrics(struct web_question *question, void *arg)
{
	struct relay_snapshot *snapshot = arg;
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
		data = relay_snapshot_text(snapshot, format, in_detail, &bytes);
		*text = web_text_new(metrics_format_type(format), data, bytes);
	}
	web_answer(question, 200, *text);
}

static void
answer_live(struct web_question *question, void *snapshot)
{
	web_health_answer_live(question, snapshot != NULL);
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
passed_listener(const struct relay *relay, const struct address *address)
{
	int fd = takeover_listener(relay->takeover, address);

	return fd >= 0 ? fd : ready_listener(address);
}

static int
listen_at(struct relay *relay, enum web_place place, const char *where)
{
	struct address address;
	char error[WEB_ERROR];
	int fd;

	if (!where)
		return EX_OK;
	address_parse(&address, where);
	fd = passed_listener(relay, &address);
	if (fd >= 0 ? web_adopt(relay->web, place, fd, error)
		    : web_listen(relay->web, place, &address, error))
		return EX_OK;
	return relay_fail(EX_UNAVAILABLE, error);
}

/* Somebody has opened the page. */
static void
on_reader(void *arg)
{
	const struct relay *relay = arg;

	page_view_show(relay->page);
}

static bool
make_web(struct relay *relay)
{
	const struct web_settings *settings = &relay->reload.rules->settings.web;
	const struct web_options options = {
		.main = relay->loop,
		.paths = paths,
		.hosts = &settings->http_hosts,
		.take = relay_snapshot_take,
		.free_snapshot = relay_snapshot_free,
		.on_reader = on_reader,
		.arg = relay,
	};

	relay->web = web_new(&options);
	if (relay->web && settings->http)
		relay->page = page_view_new(relay, relay->web);
	return relay->web && (relay->page || !settings->http);
}

int
relay_web_open(struct relay *relay)
{
	const struct web_settings *settings = &relay->reload.rules->settings.web;
	int code;

	if (!settings->http && !settings->health)
		return EX_OK;
	if (!make_web(relay))
		return relay_fail(EX_OSERR, "memory is short");
	code = listen_at(relay, WEB_HTTP, settings->http);
	return code != EX_OK ? code : listen_at(relay, WEB_HEALTH, settings->health);
}
