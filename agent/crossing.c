/*
 * Looks for endpoints with one upstream and unlike demands on client certificates.
 *
 * There may be very many endpoints, and all may have one upstream.  So every address of an upstream is
 * put in order, by what it is and then by what its endpoint demands: who demands the same as his
 * neighbour is passed over with him.
 */
#include "agent/crossing.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/settings.h"

/* An address of an endpoint's upstream. */
struct shared_address {
	char *target;         /* as it is compared */
	uint64_t demands;     /* a digest */
	size_t endpoint, url; /* its place in the settings */
	size_t next;          /* the first one behind with other demands */
};

struct crossing {
	const struct agent_settings *settings;
	size_t count;
	struct shared_address *meetings; /* in order; none where nobody demands anything */
};

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
static void
fill_target(char target[UPSTREAM_URL_TARGET], const struct upstream_url *url)
{
	const char *port = strrchr(url->target, ':');

	if (is_loopback(url->host) && port)
		snprintf(target, UPSTREAM_URL_TARGET, "localhost%s", port);
	else
		snprintf(target, UPSTREAM_URL_TARGET, "%s", url->target);
}

/* The same for those none of whom is laxer than another. */
static uint64_t
demands_of(const struct endpoint_settings *endpoint)
{
	static const struct conf_row rows[] = {
		{ .key = "mutual_tls",
		    .kind = CONF_WORD,
		    .offset = offsetof(struct termination_settings, mutual_tls) },
		{ .key = "cas",
		    .kind = CONF_TEXTS,
		    .offset = offsetof(struct termination_settings, cas) },
		{ .key = "crls",
		    .kind = CONF_TEXTS,
		    .offset = offsetof(struct termination_settings, crls) },
		{ .key = "crl_url",
		    .kind = CONF_TEXTS,
		    .offset = offsetof(struct termination_settings, crl_url) },
		{ "clients", CONF_MAPPINGS, offsetof(struct termination_settings, clients),
		    .table = client_entry_rows,
		    .item_bytes = sizeof(struct client_entry_settings) },
		{ 0 },
	};

	if (!endpoint->terminates)
		return 0;
	return conf_digest(rows, &endpoint->termination) +
	    (endpoint->termination.clients_mark.line > 0);
}

static int
in_order(const void *a, const void *b)
{
	const struct shared_address *left = a, *right = b;
	int order = strcmp(left->target, right->target);

	if (order == 0)
		order = (left->demands > right->demands) - (left->demands < right->demands);
	if (order == 0)
		order = (left->endpoint > right->endpoint) - (left->endpoint < right->endpoint);
	return order;
}

static bool
is_same_target(const struct shared_address *a, const struct shared_address *b)
{
	return strcmp(a->target, b->target) == 0;
}

/* False when memory is short. */
static bool
add_endpoint(struct crossing *crossing, size_t index)
{
	const struct endpoint_settings *endpoint =
	    agent_settings_endpoint(crossing->settings, index);
	uint64_t demands = demands_of(endpoint);
	char target[UPSTREAM_URL_TARGET], error[URL_ERROR];
	struct upstream_url url;

	for (size_t i = 0; i < endpoint->upstream.url.count; i++) {
		struct shared_address *meeting = &crossing->meetings[crossing->count];

		if (!url_upstream(&url, endpoint->upstream.url.items[i], error))
			continue;
		fill_target(target, &url);
		*meeting = (struct shared_address){ strdup(target), demands, index, i, 0 };
		if (!meeting->target)
			return false;
		crossing->count++;
	}
	return true;
}

static void
put_in_order(struct crossing *crossing)
{
	struct shared_address *meetings = crossing->meetings;

	qsort(meetings, crossing->count, sizeof *meetings, in_order);
	for (size_t i = crossing->count; i-- > 0;) {
		bool is_last = i + 1 == crossing->count;

		meetings[i].next = is_last || meetings[i].demands != meetings[i + 1].demands ||
			!is_same_target(&meetings[i], &meetings[i + 1])
		    ? i + 1
		    : meetings[i + 1].next;
	}
}

static bool
demands_certificates(const struct endpoint_settings *endpoint)
{
	return endpoint->terminates && endpoint->termination.mutual_tls == MUTUAL_REQUIRE;
}

/* How many upstreams there are, if anybody demands anything; else 0. */
static size_t
count_upstreams(const struct agent_settings *settings)
{
	size_t count = 0;
	bool is_any = false;

	for (size_t i = 0; i < settings->endpoints.count; i++) {
		const struct endpoint_settings *endpoint = agent_settings_endpoint(settings, i);

		count += endpoint->upstream.url.count;
		is_any |= demands_certificates(endpoint);
	}
	return is_any ? count : 0;
}

struct crossing *
crossing_new(const struct agent_settings *settings)
{
	struct crossing *crossing = calloc(1, sizeof *crossing);
	size_t count = count_upstreams(settings);
	bool fine;

	if (!crossing)
		return NULL;
	crossing->settings = settings;
	crossing->meetings = calloc(count + 1, sizeof *crossing->meetings);
	fine = crossing->meetings != NULL;
	for (size_t i = 0; fine && count > 0 && i < settings->endpoints.count; i++)
		fine = add_endpoint(crossing, i);
	if (fine) {
		put_in_order(crossing);
		return crossing;
	}
	crossing_free(crossing);
	return NULL;
}

void
crossing_free(struct crossing *crossing)
{
	if (!crossing)
		return;
	for (size_t i = 0; i < crossing->count; i++)
		free(crossing->meetings[i].target);
	free(crossing->meetings);
	free(crossing);
}

/* The first one with this target. */
static size_t
find_first(const struct crossing *crossing, const char *target)
{
	size_t from = 0, to = crossing->count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (strcmp(crossing->meetings[middle].target, target) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

/* Of those who meet `here` at this target and are laxer, the first one in the settings; NULL: none. */
static const struct shared_address *
find_laxer(const struct crossing *crossing, size_t here, const char *target)
{
	const struct endpoint_settings *ours = agent_settings_endpoint(crossing->settings, here);
	const struct shared_address *found = NULL, *meetings = crossing->meetings;

	for (size_t i = find_first(crossing, target);
	     i < crossing->count && strcmp(meetings[i].target, target) == 0; i = meetings[i].next) {
		size_t other = meetings[i].endpoint;

		if (other != here && (!found || other < found->endpoint) &&
		    is_laxer(agent_settings_endpoint(crossing->settings, other), ours))
			found = &meetings[i];
	}
	return found;
}

static const char *
explain(const struct crossing *crossing, size_t here, const struct shared_address *laxer,
    char sentence[CROSSING_SENTENCE])
{
	const struct endpoint_settings *ours = agent_settings_endpoint(crossing->settings, here),
				       *other = agent_settings_endpoint(
					   crossing->settings, laxer->endpoint);
	struct upstream_url url;
	char error[URL_ERROR];

	url_upstream(&url, other->upstream.url.items[laxer->url], error);
	snprintf(sentence, CROSSING_SENTENCE,
	    "the clients of endpoint %.64s reach the same upstream %s without the "
	    "certificates that endpoint %.64s requires, and may ask it for %s in the "
	    "HTTP Host; give each endpoint an upstream address of its own, or an "
	    "upstream that compares Host with the authority in the PROXY header "
	    "(proxy_protocol: 2)",
	    other->name, url.target, ours->name, ours->server_name);
	return sentence;
}

const char *
crossing_warning(const struct crossing *crossing, size_t index, char sentence[CROSSING_SENTENCE])
{
	const struct endpoint_settings *here = agent_settings_endpoint(crossing->settings, index);
	char target[UPSTREAM_URL_TARGET], error[URL_ERROR];
	const struct shared_address *laxer = NULL;
	struct upstream_url url;

	if (!demands_certificates(here))
		return NULL;
	for (size_t i = 0; i < here->upstream.url.count && !laxer; i++) {
		if (!url_upstream(&url, here->upstream.url.items[i], error))
			continue;
		fill_target(target, &url);
		laxer = find_laxer(crossing, index, target);
	}
	return laxer ? explain(crossing, index, laxer, sentence) : NULL;
}
