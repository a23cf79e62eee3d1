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

static void
add_crls(struct ending_list *list, const char *what, const char *name, const struct trust *trust)
{
	const struct ending ending = {
		.what = what, .ends_s = trust ? trust_next_update(trust) : INT64_MAX, .is_crl = true
	};

	if (ending.ends_s != INT64_MAX)
		add(list, name, &ending);
}

static void
add_endpoint(struct ending_list *list, const struct endpoint *endpoint)
{
	for (size_t i = 0; i < endpoint->certificate_count; i++)
		add(list, endpoint->server_name,
		    &(struct ending){ .what = "server_certificate",
			.begins_s = endpoint->certificates[i].not_before,
			.ends_s = endpoint->certificates[i].not_after });
	add_crls(list, "mutual_tls_crls", endpoint->server_name, endpoint->clients);
}

/* At most two certificates and a set of CRLs for most endpoints. */
static size_t
room_for(const struct endpoint_table *table)
{
	size_t room = 2;

	for (size_t i = 0; i < table->count && room < AGENT_ENDINGS_MOST; i++)
		room += table->endpoints[i]->certificate_count + 1;
	return room < AGENT_ENDINGS_MOST ? room : AGENT_ENDINGS_MOST;
}

struct ending *
agent_metrics_endings(const struct agent_context *context, size_t *count)
{
	const struct credentials *credentials = context->credentials;
	struct ending_list list = { .most = room_for(context->endpoint_table) };

	*count = 0;
	list.endings = calloc(list.most, sizeof *list.endings);
	if (!list.endings)
		return NULL;
	if (credentials->own)
		add(&list, credentials->own->path,
		    &(struct ending){ .what = "agent.certificate",
			.begins_s = credentials->own->facts.not_before,
			.ends_s = credentials->own->facts.not_after });
	add_crls(&list, "agent.connect_cas", "", credentials->relays);
	for (size_t i = 0; i < context->endpoint_table->count; i++)
		add_endpoint(&list, context->endpoint_table->endpoints[i]);
	*count = list.count;
	return list.endings;
}
