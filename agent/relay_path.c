/* From settings to ways to relays. */
#include "agent/relay_path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* NULL when memory is short. */
static struct egress *
egress_for(struct egress *egress, const char *host)
{
	const struct fetch_proxy *proxy = egress_proxy(egress);

	return !proxy || fetch_proxy_is_for(proxy, host) ? egress_hold(egress)
							 : egress_new_direct(egress);
}

static bool
choose_egress(struct relay_path *path, const struct relay_settings *settings, const char *host,
    const struct relay_paths *paths, const struct conf_texts *sources, char error[EGRESS_ERROR])
{
	struct egress *egress = settings->proxy.url
	    ? egress_new(&settings->proxy, sources, "connect_url.proxy.cas", error)
	    : egress_hold(paths->egress);

	if (!egress)
		return false;
	path->egress = egress_for(egress, host);
	egress_release(egress);
	if (!path->egress)
		snprintf(error, EGRESS_ERROR, "memory is short");
	return path->egress != NULL;
}

static bool
add_path(struct relay_paths *paths, const struct relay_settings *settings,
    const struct conf_texts *sources, char error[EGRESS_ERROR])
{
	struct relay_path *path = &paths->paths[paths->count];
	char host[254];
	uint16_t port;

	host_port_split(settings->dial, host, &port);
	snprintf(path->label, sizeof path->label, "%s", settings->label);
	snprintf(path->target, sizeof path->target, "%s", settings->dial);
	snprintf(path->server_name, sizeof path->server_name, "%s",
	    settings->name ? settings->name : host);
	paths->labels.items[paths->count++] = path->label;
	paths->labels.count = paths->count;
	return choose_egress(path, settings, host, paths, sources, error);
}

static bool
fill(struct relay_paths *paths, const struct agent_settings *settings, char error[EGRESS_ERROR])
{
	size_t count = settings->connect_url.count;

	paths->egress = egress_new(&settings->proxy, &settings->sources, "agent.proxy.cas", error);
	if (!paths->egress)
		return false;
	paths->paths = calloc(count + 1, sizeof *paths->paths);
	paths->labels.items = calloc(count + 1, sizeof *paths->labels.items);
	if (!paths->paths || !paths->labels.items) {
		snprintf(error, EGRESS_ERROR, "memory is short");
		return false;
	}
	for (size_t i = 0; i < count; i++)
		if (!add_path(paths, agent_settings_relay(settings, i), &settings->sources, error))
			return false;
	return true;
}

struct relay_paths *
relay_paths_new(const struct agent_settings *settings, char error[EGRESS_ERROR])
{
	struct relay_paths *paths = calloc(1, sizeof *paths);

	if (!paths) {
		snprintf(error, EGRESS_ERROR, "memory is short");
		return NULL;
	}
	if (fill(paths, settings, error))
		return paths;
	relay_paths_free(paths);
	return NULL;
}

void
relay_paths_free(struct relay_paths *paths)
{
	if (!paths)
		return;
	for (size_t i = 0; i < paths->count; i++)
		egress_release(paths->paths[i].egress);
	free(paths->paths);
	free(paths->labels.items);
	egress_release(paths->egress);
	free(paths);
}

const struct relay_path *
relay_paths_find(const struct relay_paths *paths, const char *label)
{
	for (size_t i = 0; paths && i < paths->count; i++)
		if (strcmp(paths->paths[i].label, label) == 0)
			return &paths->paths[i];
	return NULL;
}

static void
tell_proxy(const struct egress *egress, const char *relay)
{
	const struct fetch_proxy *proxy = egress_proxy(egress);
	const char *warning = fetch_proxy_warning(proxy);

	if (!proxy)
		return;
	log_event(LOG_INFO, "proxy", "it is reached by a proxy", log_str("proxy", proxy->url),
	    log_str("relay", relay));
	if (warning)
		log_event(LOG_WARNING, "proxy-password", warning, log_str("proxy", proxy->url),
		    log_str("relay", relay));
}

void
relay_paths_tell(const struct relay_paths *paths)
{
	for (size_t i = 0; i < paths->count; i++)
		tell_proxy(paths->paths[i].egress, paths->paths[i].label);
}

bool
relay_paths_differ(const struct relay_paths *a, const struct relay_paths *b)
{
	for (size_t i = 0; i < a->count; i++) {
		const struct relay_path *here = &a->paths[i],
					*there = relay_paths_find(b, here->label);

		if (there && !egress_equals(here->egress, there->egress))
			return true;
	}
	return false;
}
