/*
 * Makes an upstream ready for use.
 */
#include "agent/upstream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/sources.h"
#include "keys/key_pair.h"

static void
fill_sources(struct trust_sources *sources, const struct upstream_settings *settings,
    const struct agent_settings *agent)
{
	const struct sources_keys keys = { &settings->cas, &settings->crls, &settings->crl_url,
		NULL };

	sources_fill(sources, &keys, agent, settings->cas_key ? settings->cas_key : "upstream.cas");
}

/* `from` has what all of them have. */
static bool
add_config(struct upstream *upstream, const struct tls_settings *from, const char *alpn,
    char error[TLS_ERROR])
{
	const char *const protocols[] = { alpn, NULL };
	struct tls_settings settings = *from;
	size_t i = upstream->tls_count++;

	upstream->tls[i].alpn = alpn ? strdup(alpn) : NULL;
	if (alpn && !upstream->tls[i].alpn) {
		snprintf(error, TLS_ERROR, "memory is short");
		return false;
	}
	settings.alpn = alpn ? protocols : NULL;
	upstream->tls[i].config = tls_config_new(&settings, error);
	return upstream->tls[i].config != NULL;
}

/* With the agent's own certificate, if there is one. */
static bool
add_configs(struct upstream *upstream, const struct upstream_settings *settings,
    const struct tls_settings *from, const struct conf_texts *alpn, char *error)
{
	char why[TLS_ERROR];
	bool fine = true;

	for (size_t i = 0; fine && i < alpn->count && i < SETTINGS_ALPN; i++)
		fine = add_config(upstream, from, alpn->items[i], why);
	if (fine && add_config(upstream, from, NULL, why))
		return true;
	if (settings->certificate)
		snprintf(error, UPSTREAM_ERROR, "%.200s, %.200s: %s", settings->certificate,
		    settings->private_key, why);
	else
		snprintf(error, UPSTREAM_ERROR, "%s", why);
	return false;
}

static bool
load_configs(struct upstream *upstream, const struct upstream_settings *settings,
    const struct conf_texts *alpn, char *error)
{
	struct tls_settings from = {
		.purpose = TLS_UPSTREAM,
		.oldest = settings->tls_min == SETTINGS_TLS_1_3 ? TLS_VERSION_13 : TLS_VERSION_12,
	};
	struct key_pair pair = { 0 };
	bool fine = !settings->certificate ||
	    key_pair_load(&pair, settings->certificate, settings->private_key, error) ==
		KEY_PAIR_FINE;

	if (settings->certificate) {
		from.certificate = &pair.certificate;
		from.private_key = &pair.key;
	}
	fine = fine && add_configs(upstream, settings, &from, alpn, error);
	key_pair_wipe(&pair);
	return fine;
}

static bool
borrow_configs(struct upstream *upstream, const struct upstream *lender, char *error)
{
	for (size_t i = 0; i < lender->tls_count; i++) {
		const char *alpn = lender->tls[i].alpn;

		upstream->tls[i].config = tls_config_hold(lender->tls[i].config);
		upstream->tls[i].alpn = alpn ? strdup(alpn) : NULL;
		upstream->tls_count++;
		if (alpn && !upstream->tls[i].alpn) {
			snprintf(error, UPSTREAM_ERROR, "memory is short");
			return false;
		}
	}
	return true;
}

static bool
take_pins(struct upstream *upstream, const struct conf_texts *texts, char *error)
{
	upstream->pins = calloc(texts->count + 1, sizeof *upstream->pins);
	if (!upstream->pins) {
		snprintf(error, UPSTREAM_ERROR, "memory is short");
		return false;
	}
	for (; upstream->pin_count < texts->count; upstream->pin_count++)
		spki_pin_parse(
		    &upstream->pins[upstream->pin_count], texts->items[upstream->pin_count]);
	return true;
}

static size_t
count_targets(const struct upstream_settings *settings)
{
	return settings->url.count > 0 ? settings->url.count : 1;
}

static bool
name_target(struct upstream_target *target, const char *server_name, char *error)
{
	const char *name = server_name ? server_name : target->url.host;

	target->sends_sni = !url_host_is_literal(name);
	if (!target->sends_sni)
		snprintf(target->server_name, sizeof target->server_name, "%s", name);
	else if (!name_normalise(target->server_name, name, strlen(name))) {
		snprintf(error, UPSTREAM_ERROR,
		    "upstream.server_name: '%.100s' is not a valid host name", name);
		return false;
	}
	return true;
}

static bool
init_tls(struct upstream *upstream, const struct upstream_settings *settings,
    const struct conf_texts *alpn, const struct upstream *lender, char *error)
{
	for (size_t i = 0; i < count_targets(settings); i++)
		if (!name_target(&upstream->targets[i], settings->server_name, error))
			return false;
	return take_pins(upstream, &settings->spki, error) &&
	    (lender ? borrow_configs(upstream, lender, error)
		    : load_configs(upstream, settings, alpn, error));
}

static bool
load_trust(struct upstream *upstream, const struct upstream_settings *settings,
    const struct agent_settings *agent, const struct upstream *previous, char *error)
{
	struct trust_sources sources;

	if (settings->is_unverified)
		return true;
	fill_sources(&sources, settings, agent);
	upstream->trust =
	    trust_load(&sources, previous ? previous->trust : NULL, error, UPSTREAM_ERROR);
	return upstream->trust != NULL;
}

/* The group of before, if it is the same, else one that knows what that one knew. */
static struct upstream_group *
make_group(struct upstream *upstream, const struct upstream_settings *settings, const char *name,
    const struct upstream *previous)
{
	size_t count = count_targets(settings);
	char *texts[UPSTREAMS_MOST];
	struct upstream_group *made;

	for (size_t i = 0; i < count; i++)
		texts[i] = upstream->targets[i].url.target;
	made = upstream_group_new(name, texts, count, &settings->health);
	if (!made || !previous)
		return made;
	if (!upstream_group_equals(made, previous->group)) {
		upstream_group_inherit(made, previous->group);
		return made;
	}
	upstream_group_release(made);
	return upstream_group_hold(previous->group);
}

static bool
init_targets(struct upstream *upstream, const struct upstream_settings *settings, const char *name,
    const struct upstream *previous, char *error)
{
	char why[URL_ERROR];

	snprintf(error, UPSTREAM_ERROR, "memory is short");
	upstream->targets = calloc(count_targets(settings), sizeof *upstream->targets);
	if (!upstream->targets)
		return false;
	upstream->targets[0].url = settings->parsed;
	for (size_t i = 0; i < settings->url.count; i++)
		url_upstream(&upstream->targets[i].url, settings->url.items[i], why);
	upstream->group = make_group(upstream, settings, name, previous);
	return upstream->group != NULL;
}

bool
upstream_init(struct upstream *upstream, const struct upstream_settings *settings, const char *name,
    const struct conf_texts *alpn, const struct agent_settings *agent,
    const struct upstream *previous, const struct upstream *lender, char error[UPSTREAM_ERROR])
{
	memset(upstream, 0, sizeof *upstream);
	upstream->kind = settings->kind;
	upstream->proxy_version = (int)settings->proxy_protocol;
	upstream->has_proxy_tlvs = settings->proxy_tlvs == PROXY_TLVS_ALL;
	upstream->proxy_certificate = settings->proxy_client_certificate;
	upstream->proxy_header_bytes = settings->proxy_header_bytes;
	upstream->asks_for_tls = settings->starttls == STARTTLS_POSTGRES;
	upstream->connect_ms = settings->connect_ms;
	upstream->warning = agent_settings_unverified_warning(settings);
	if (!init_targets(upstream, settings, name, previous, error))
		return false;
	if (upstream->kind != UPSTREAM_TLS)
		return true;
	return init_tls(upstream, settings, alpn, lender, error) &&
	    load_trust(upstream, settings, agent, previous, error);
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
	free(upstream->pins);
	free(upstream->targets);
	upstream_group_release(upstream->group);
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

bool
upstream_files_changed(const struct upstream_settings *settings, const struct agent_settings *agent,
    struct upstream_stamp *seen)
{
	struct trust_sources sources;
	bool changed = false;

	if (settings->kind != UPSTREAM_TLS)
		return false;
	if (settings->certificate) {
		changed |= sources_file_changed(settings->certificate, &seen->certificate);
		changed |= sources_file_changed(settings->private_key, &seen->private_key);
	}
	if (!settings->is_unverified) {
		fill_sources(&sources, settings, agent);
		changed |= trust_files_changed(&sources, &seen->trust);
	}
	return changed;
}

bool
upstream_trust_changed(const struct upstream_stamp *a, const struct upstream_stamp *b)
{
	return memcmp(&a->trust, &b->trust, sizeof a->trust) != 0;
}
