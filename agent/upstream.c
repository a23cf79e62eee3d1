/*
 * Makes an upstream ready for use.
 */
#include "agent/upstream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/sources.h"

void
upstream_sources(struct trust_sources *sources, const struct upstream_settings *settings,
    const struct agent_settings *agent)
{
	sources_fill(sources, &settings->cas, &settings->crls, NULL, agent, "upstream.cas");
}

static bool
add_config(struct upstream *upstream, const char *alpn, char *error)
{
	const char *const protocols[] = { alpn, NULL };
	struct tls_settings settings = { .purpose = TLS_UPSTREAM, .alpn = alpn ? protocols : NULL };
	size_t i = upstream->tls_count++;

	upstream->tls[i].alpn = alpn ? strdup(alpn) : NULL;
	if (alpn && !upstream->tls[i].alpn) {
		snprintf(error, UPSTREAM_ERROR, "memory is short");
		return false;
	}
	upstream->tls[i].config = tls_config_new(&settings, error);
	return upstream->tls[i].config != NULL;
}

static bool
init_tls(struct upstream *upstream, const struct upstream_settings *settings,
    const struct conf_texts *alpn, char *error)
{
	const char *name = settings->server_name ? settings->server_name : upstream->url.host;

	upstream->sends_sni = !url_host_is_literal(name);
	if (!upstream->sends_sni)
		snprintf(upstream->server_name, sizeof upstream->server_name, "%s", name);
	else if (!name_normalise(upstream->server_name, name, strlen(name))) {
		snprintf(error, UPSTREAM_ERROR,
		    "upstream.server_name: '%.100s' is not a valid host name", name);
		return false;
	}
	for (size_t i = 0; i < alpn->count && i < SETTINGS_ALPN; i++)
		if (!add_config(upstream, alpn->items[i], error))
			return false;
	return add_config(upstream, NULL, error);
}

bool
upstream_init(struct upstream *upstream, const struct upstream_settings *settings,
    const struct conf_texts *alpn, const struct agent_settings *agent,
    const struct upstream *previous, char error[UPSTREAM_ERROR])
{
	struct trust_sources sources;

	memset(upstream, 0, sizeof *upstream);
	upstream->url = settings->parsed;
	upstream->proxy_version = (int)settings->proxy_protocol;
	upstream->has_proxy_tlvs = settings->proxy_tlvs == PROXY_TLVS_ALL;
	upstream->proxy_certificate = settings->proxy_client_certificate;
	upstream->proxy_header_bytes = settings->proxy_header_bytes;
	upstream->asks_for_tls = settings->starttls == STARTTLS_POSTGRES;
	if (upstream->url.kind != UPSTREAM_TLS)
		return true;
	if (!init_tls(upstream, settings, alpn, error))
		return false;
	upstream_sources(&sources, settings, agent);
	upstream->trust =
	    trust_load(&sources, previous ? previous->trust : NULL, error, UPSTREAM_ERROR);
	return upstream->trust != NULL;
}

void
upstream_wipe(struct upstream *upstream)
{
	for (size_t i = 0; i < upstream->tls_count; i++) {
		free(upstream->tls[i].alpn);
		if (upstream->tls[i].config)
			tls_config_release(upstream->tls[i].config);
	}
	if (upstream->trust)
		trust_release(upstream->trust);
	memset(upstream, 0, sizeof *upstream);
}

struct tls_config *
upstream_tls(const struct upstream *upstream, const char *alpn)
{
	size_t i = 0;

	while (i + 1 < upstream->tls_count && strcmp(upstream->tls[i].alpn, alpn) != 0)
		i++;
	return upstream->tls[i].config;
}
