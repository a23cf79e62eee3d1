/* Looks for endpoints with one upstream and unlike demands on client certificates. */
#include "agent/crossing.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "agent/settings.h"

static bool
same_texts(const struct conf_texts *a, const struct conf_texts *b)
{
	for (size_t i = 0; i < a->count && i < b->count; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return a->count == b->count;
}

static bool
has_our_rules(const struct termination_settings *theirs, const struct termination_settings *ours)
{
	return ours->clients_mark.line == 0 ||
	    (theirs->clients_mark.line > 0 &&
		client_rules_are_alike(&theirs->clients, &ours->clients));
}

/* May a client of `other` come without a certificate that `here` would accept? */
static bool
is_laxer(const struct endpoint_settings *other, const struct endpoint_settings *here)
{
	const struct termination_settings *theirs = &other->termination, *ours = &here->termination;

	return !other->terminates || theirs->mutual_tls != MUTUAL_REQUIRE ||
	    !same_texts(&theirs->cas, &ours->cas) || !same_texts(&theirs->crls, &ours->crls) ||
	    !same_texts(&theirs->crl_url, &ours->crl_url) || !has_our_rules(theirs, ours);
}

static bool
is_loopback(const char *host)
{
	return strcmp(host, "localhost") == 0 || strcmp(host, "127.0.0.1") == 0 ||
	    strcmp(host, "::1") == 0;
}

/* By their texts: what names resolve to may change at any time. */
static bool
same_url(const struct upstream_url *a, const struct upstream_url *b)
{
	const char *a_port = strrchr(a->target, ':'), *b_port = strrchr(b->target, ':');

	if (is_loopback(a->host) && is_loopback(b->host))
		return a_port && b_port && strcmp(a_port, b_port) == 0;
	return strcmp(a->target, b->target) == 0;
}

/* The first one that both have, in `url`. */
static bool
same_upstream(
    const struct upstream_settings *a, const struct upstream_settings *b, struct upstream_url *url)
{
	struct upstream_url other;
	char error[URL_ERROR];

	for (size_t i = 0; i < a->url.count; i++)
		for (size_t j = 0; j < b->url.count; j++)
			if (url_upstream(url, a->url.items[i], error) &&
			    url_upstream(&other, b->url.items[j], error) && same_url(url, &other))
				return true;
	return false;
}

const char *
crossing_warning(
    const struct agent_settings *settings, size_t index, char sentence[CROSSING_SENTENCE])
{
	const struct endpoint_settings *here = agent_settings_endpoint(settings, index);
	struct upstream_url shared;

	if (!here->terminates || here->termination.mutual_tls != MUTUAL_REQUIRE)
		return NULL;
	for (size_t i = 0; i < settings->endpoints.count; i++) {
		const struct endpoint_settings *other = agent_settings_endpoint(settings, i);

		if (i == index || !is_laxer(other, here) ||
		    !same_upstream(&other->upstream, &here->upstream, &shared))
			continue;
		snprintf(sentence, CROSSING_SENTENCE,
		    "the clients of endpoint %.64s reach the same upstream %s without the "
		    "certificates that endpoint %.64s requires, and may ask it for %s in the "
		    "HTTP Host; give each endpoint an upstream address of its own, or an "
		    "upstream that compares Host with the authority in the PROXY header "
		    "(proxy_protocol: 2)",
		    other->name, shared.target, here->name, here->server_name);
		return sentence;
	}
	return NULL;
}
