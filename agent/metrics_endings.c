/* The ends of an agent's certificates and CRLs. */
#include "agent/metrics_endings.h"

#include <stdio.h>
#include <stdlib.h>
#include "agent/context.h"

struct ending_list {
	struct ending *endings;
	size_t count, most;
};

static void
add(struct ending_list *list, const char *name, const struct ending *ending)
{
	struct ending *copy = &list->endings[list->count];

	if (list->count == list->most)
		return;
	*copy = *ending;
	snprintf(copy->name, ENDING_NAME, "%s", name);
	list->count++;
}

/* Of a trust set: what its keys are, and whose it is. */
struct trust_place {
	struct ending_list *list;
	const char *cas, *crls;
	const char *owner; /* the endpoint's server name; NULL: the agent's own */
};

static void
add_end(void *arg, const struct trust_end *end)
{
	const struct trust_place *place = arg;
	char name[ENDING_NAME];

	snprintf(name, sizeof name, "%.120s%s%.120s", place->owner ? place->owner : "",
	    place->owner ? ": " : "", end->name);
	add(place->list, name,
	    &(struct ending){ .what = end->is_crl ? place->crls : place->cas,
		.begins_s = end->begins_s,
		.ends_s = end->ends_s,
		.is_crl = end->is_crl });
}

static void
add_endpoint(struct ending_list *list, const struct endpoint *endpoint)
{
	struct trust_place place = { list, "mutual_tls_certificate_authorities", "mutual_tls_crls",
		endpoint->server_name };

	for (size_t i = 0; i < endpoint->certificate_count; i++)
		add(list, endpoint->server_name,
		    &(struct ending){ .what = "server_certificate",
			.begins_s = endpoint->certificates[i].not_before,
			.ends_s = endpoint->certificates[i].not_after });
	if (endpoint->clients)
		trust_each_end(endpoint->clients, add_end, &place);
}

static void
count_end(void *arg, const struct trust_end *end)
{
	(void)end;
	++*(size_t *)arg;
}

static size_t
room_for(const struct agent_context *context)
{
	const struct endpoint_table *table = context->endpoint_table;
	size_t room = 1;

	if (context->credentials->relays)
		trust_each_end(context->credentials->relays, count_end, &room);
	for (size_t i = 0; i < table->count && room < AGENT_ENDINGS_MOST; i++) {
		room += table->endpoints[i]->certificate_count;
		if (table->endpoints[i]->clients)
			trust_each_end(table->endpoints[i]->clients, count_end, &room);
	}
	return room < AGENT_ENDINGS_MOST ? room : AGENT_ENDINGS_MOST;
}

struct ending *
agent_metrics_endings(const struct agent_context *context, size_t *count)
{
	const struct credentials *credentials = context->credentials;
	struct ending_list list = { .most = room_for(context) };
	struct trust_place place = { &list, "agent.connect_cas", "agent.connect_crls", NULL };

	*count = 0;
	list.endings = calloc(list.most, sizeof *list.endings);
	if (!list.endings)
		return NULL;
	if (credentials->own)
		add(&list, credentials->own->path,
		    &(struct ending){ .what = "agent.certificate",
			.begins_s = credentials->own->facts.not_before,
			.ends_s = credentials->own->facts.not_after });
	if (credentials->relays)
		trust_each_end(credentials->relays, add_end, &place);
	for (size_t i = 0; i < context->endpoint_table->count; i++)
		add_endpoint(&list, context->endpoint_table->endpoints[i]);
	*count = list.count;
	return list.endings;
}
